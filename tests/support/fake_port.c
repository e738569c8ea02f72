/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake port: callbacks, the list of calls, and its text form. */
#include "tests/support/fake_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(struct fake_port *fake, struct fake_call call)
{
    if (!(fake->record & (1u << call.kind)))
        return;
    if (fake->call_count == fake->call_capacity) {
        fake->call_capacity = fake->call_capacity ? 2 * fake->call_capacity : 64;
        fake->calls = realloc(fake->calls, fake->call_capacity * sizeof *fake->calls);
        if (!fake->calls)
            abort();
    }
    fake->calls[fake->call_count++] = call;
}

static uint64_t fake_load(void *ctx, hyp_pa_t slot)
{
    struct fake_port *fake = ctx;

    return fake_mem_load(&fake->mem, slot.v);
}

static void fake_store(void *ctx, hyp_pa_t slot, uint64_t pte)
{
    struct fake_port *fake = ctx;

    fake_mem_store(&fake->mem, slot.v, pte);
    note(fake, (struct fake_call){.kind = FAKE_STORE, .addr = slot.v, .value = pte});
}

static void fake_fill(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        fake_store(ctx, hyp_pa_add(slot, 8 * i), first + i * step);
}

static void fake_read(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        out[i] = fake_load(ctx, hyp_pa_add(slot, 8 * i));
}

static void fake_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    struct fake_port *fake = ctx;

    fake_mem_set(&fake->mem, page.v, 0, size);
    fake->zeroed_bytes += size;
    note(fake, (struct fake_call){.kind = FAKE_ZERO, .addr = page.v, .size = size});
}

static void fake_barrier(void *ctx, enum hyp_barrier kind)
{
    struct fake_port *fake = ctx;

    fake->barriers[kind]++;
    note(fake, (struct fake_call){.kind = FAKE_BARRIER, .op = (int)kind});
}

static void fake_tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    struct fake_port *fake = ctx;

    fake->tlbis[inv->op]++;
    note(fake, (struct fake_call){.kind = FAKE_TLBI,
                                  .op = (int)inv->op,
                                  .level = inv->level,
                                  .vmid = inv->vmid,
                                  .addr = inv->op == HYP_TLBI_INVEPT ? inv->root.v : inv->start,
                                  .size = inv->size});
}

static void fake_cache_sync(void *ctx, hyp_pa_t base, uint64_t size, enum hyp_cache_op op)
{
    struct fake_port *fake = ctx;

    fake->cache_bytes[op] += size;
    note(fake, (struct fake_call){.kind = FAKE_CACHE, .op = (int)op, .addr = base.v, .size = size});
}

static void fake_root_set(void *ctx, const struct hyp_root *root)
{
    note(ctx, (struct fake_call){.kind = FAKE_ROOT,
                                 .op = (int)root->kind,
                                 .vmid = root->vmid,
                                 .addr = root->pgd.v,
                                 .value = root->tcr});
}

static void fake_lock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    struct fake_port *fake = ctx;

    if (fake->locks_held & set)
        abort(); /* taken twice: a deadlock */
    fake->locks_held |= set;
    note(fake, (struct fake_call){.kind = FAKE_LOCK, .op = (int)set, .vmid = vm_slot});
}

static void fake_unlock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    struct fake_port *fake = ctx;

    if ((fake->locks_held & set) != set)
        abort();
    fake->locks_held &= ~set;
    note(fake, (struct fake_call){.kind = FAKE_UNLOCK, .op = (int)set, .vmid = vm_slot});
}

static void fake_event(void *ctx, const struct hyp_event *event)
{
    struct fake_port *fake = ctx;

    fake->events[event->kind]++;
    note(fake, (struct fake_call){.kind = FAKE_EVENT,
                                  .op = (int)event->kind,
                                  .level = event->level,
                                  .addr = event->pa.v,
                                  .size = event->size});
}

static void fake_panic(void *ctx, const char *what, const char *file, int line)
{
    struct fake_port *fake = ctx;

    fake->panic_what = what;
    if (fake->panic_return)
        longjmp(*fake->panic_return, 1);
    fprintf(stderr, "panic at %s:%d: %s\n", file, line, what);
    abort();
}

void fake_port_init(struct fake_port *fake)
{
    memset(fake, 0, sizeof *fake);
    fake_mem_init(&fake->mem);
    fake->record = 1u << FAKE_BARRIER | 1u << FAKE_TLBI | 1u << FAKE_CACHE;
    fake->port = (struct hyp_port){
        .ctx = fake,
        .pte_load = fake_load,
        .pte_store = fake_store,
        .pte_fill = fake_fill,
        .pte_read = fake_read,
        .page_zero = fake_zero,
        .barrier = fake_barrier,
        .tlb_inv = fake_tlb_inv,
        .cache_sync = fake_cache_sync,
        .root_set = fake_root_set,
        .lock = fake_lock,
        .unlock = fake_unlock,
        .event = fake_event,
        .panic = fake_panic,
    };
}

void fake_port_free(struct fake_port *fake)
{
    fake_mem_free(&fake->mem);
    free(fake->calls);
    free(fake->text);
    fake->calls = NULL;
    fake->text = NULL;
}

void fake_port_reset(struct fake_port *fake)
{
    fake->call_count = 0;
    fake->zeroed_bytes = 0;
    memset(fake->barriers, 0, sizeof fake->barriers);
    memset(fake->tlbis, 0, sizeof fake->tlbis);
    memset(fake->cache_bytes, 0, sizeof fake->cache_bytes);
    memset(fake->events, 0, sizeof fake->events);
}

static const char *tlbi_name(int op)
{
    static const char *const names[HYP_TLBI_COUNT] = {
        [HYP_TLBI_IPAS2E1IS] = "ipas2e1is",
        [HYP_TLBI_RIPAS2E1IS] = "ripas2e1is",
        [HYP_TLBI_VMALLE1IS] = "vmalle1is",
        [HYP_TLBI_VMALLE1] = "vmalle1",
        [HYP_TLBI_VMALLS12E1IS] = "vmalls12e1is",
        [HYP_TLBI_VMALLS12E1] = "vmalls12e1",
        [HYP_TLBI_IPAS2E1] = "ipas2e1",
        [HYP_TLBI_VALE2IS] = "vale2is",
        [HYP_TLBI_VAE2IS] = "vae2is",
        [HYP_TLBI_ALLE2] = "alle2",
        [HYP_TLBI_ALLE1IS] = "alle1is",
        [HYP_TLBI_INVEPT] = "invept",
        [HYP_TLBI_INVLPG_ALL] = "invlpg",
    };

    return names[op];
}

static bool tlbi_has_address(int op)
{
    return op == HYP_TLBI_IPAS2E1IS || op == HYP_TLBI_RIPAS2E1IS || op == HYP_TLBI_IPAS2E1 ||
           op == HYP_TLBI_VALE2IS || op == HYP_TLBI_VAE2IS || op == HYP_TLBI_INVEPT ||
           op == HYP_TLBI_INVLPG_ALL;
}

static int print_tlbi(char *out, size_t room, const struct fake_call *call)
{
    const unsigned long long addr = call->addr, size = call->size;

    if (!tlbi_has_address(call->op))
        return snprintf(out, room, "%s", tlbi_name(call->op));
    if (call->op == HYP_TLBI_RIPAS2E1IS)
        return snprintf(out, room, "%s:0x%llx+0x%llx", tlbi_name(call->op), addr, size);
    if (call->level < 0)
        return snprintf(out, room, "%s:0x%llx", tlbi_name(call->op), addr);
    return snprintf(out, room, "%s:0x%llx/l%d", tlbi_name(call->op), addr, call->level);
}

static int print_call(char *out, size_t room, const struct fake_call *call)
{
    static const char *const barriers[] = {[HYP_DSB_ISHST] = "dsb-ishst",
                                           [HYP_DSB_ISH] = "dsb-ish",
                                           [HYP_DSB_NSH] = "dsb-nsh",
                                           [HYP_ISB] = "isb"};
    static const char *const kinds[FAKE_KIND_COUNT] = {
        [FAKE_STORE] = "store", [FAKE_ZERO] = "zero",     [FAKE_ROOT] = "root",
        [FAKE_LOCK] = "lock",   [FAKE_UNLOCK] = "unlock", [FAKE_EVENT] = "event"};
    const unsigned long long addr = call->addr, size = call->size, value = call->value;

    if (call->kind == FAKE_BARRIER)
        return snprintf(out, room, "%s", barriers[call->op]);
    if (call->kind == FAKE_TLBI)
        return print_tlbi(out, room, call);
    if (call->kind == FAKE_CACHE)
        return snprintf(out, room, "%s:0x%llx+0x%llx",
                        call->op == HYP_CACHE_CLEAN_POC ? "clean" : "icache", addr, size);
    if (call->kind == FAKE_STORE)
        return snprintf(out, room, "store:0x%llx=0x%llx", addr, value);
    return snprintf(out, room, "%s%d:0x%llx+0x%llx", kinds[call->kind], call->op, addr, size);
}

const char *fake_port_text(struct fake_port *fake)
{
    const size_t room = 80 * fake->call_count + 1;
    size_t used = 0;

    free(fake->text);
    fake->text = malloc(room);
    if (!fake->text)
        abort();
    fake->text[0] = '\0';
    for (size_t i = 0; i < fake->call_count; i++) {
        if (i > 0)
            fake->text[used++] = ' ';
        used += (size_t)print_call(fake->text + used, room - used, &fake->calls[i]);
    }
    return fake->text;
}

jmp_buf *fake_panic_buffer(struct fake_port *fake)
{
    fake->panic_what = NULL;
    fake->panic_return = &fake->panic_buffer;
    return &fake->panic_buffer;
}

bool fake_panic_done(struct fake_port *fake, bool panicked)
{
    fake->panic_return = NULL;
    return panicked;
}
