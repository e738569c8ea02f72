/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port of guest execution: its accesses go through the hardware model to simulated memory, and
 * what it does to registers and TLBs becomes an event.
 */
#include <assert.h>
#include <hyp/bits.h>
#include <string.h>

#include "mmu/fast.h"
#include "sim/guest.h"
#include "sim/guest_x86.h"

#define PAGE_BYTES UINT64_C(4096)

/* ---- memory ---- */

/* The host's bytes of a page used lately; NULL: ask bytes_at(). */
static inline uint8_t *front_at(struct guest_cpu *gc, hyp_pa_t pa)
{
    uint64_t frame = pa.v / PAGE_BYTES;
    const struct guest_front *front = &gc->front[frame % GUEST_FRONT];

    return HYP_LIKELY(front->frame == frame + 1 && gc->drops_seen == *gc->drops)
               ? front->bytes + pa.v % PAGE_BYTES
               : NULL;
}

__attribute__((noinline)) static uint8_t *bytes_at(struct guest_cpu *gc, hyp_pa_t pa, bool write)
{
    struct guest *guest = gc->guest;
    uint64_t frame = pa.v / PAGE_BYTES;
    struct guest_front *front = &gc->front[frame % GUEST_FRONT];
    uint64_t *page;

    if (gc->drops_seen != *gc->drops) {
        memset(gc->front, 0, sizeof(gc->front));
        gc->drops_seen = *gc->drops;
    }
    if (!write && !sim_ram_peek(guest->sim->ram, pa))
        return guest->zeroes + pa.v % PAGE_BYTES;
    page = sim_ram_page(guest->sim->ram, pa);
    *front = (struct guest_front){frame + 1, (uint8_t *)page};
    return front->bytes + pa.v % PAGE_BYTES;
}

/* ---- recording ---- */

static void write_word(struct guest_cpu *gc, uint64_t pa)
{
    struct trace_event event = {.a = sim_ram_load(gc->guest->sim->ram, hyp_pa(pa))};

    guest_event(gc->guest, gc->index, TRACE_WORD, pa, &event);
}

void guest_flush_store(struct guest_cpu *gc)
{
    uint64_t first = hyp_align_down(gc->stored.v, 8);
    uint64_t end = gc->stored.v + gc->stored_bytes;

    if (!gc->stored_bytes)
        return;
    gc->stored_bytes = 0;
    for (uint64_t pa = first; pa < end; pa += 8)
        write_word(gc, pa);
}

static void record_access(struct guest_cpu *gc, const struct sim_access *access, unsigned int size)
{
    struct guest *guest = gc->guest;
    struct trace_site site = {
        .pc = access->pc,
        .store = access->kind == MMU_WRITE,
        .fetch = access->kind == MMU_FETCH,
        .user = access->el == 0,
    };
    struct trace_error error;

    while (2u << site.size_log2 <= size)
        site.size_log2++;
    if (guest->status == SIM_OK &&
        trace_write_access(guest->writer, gc->index, trace_write_site(guest->writer, &site),
                           access->va, &error) != 0)
        guest->status = sim_fail(guest->error, SIM_USAGE, "%s", error.text);
}

/* ---- translation ---- */

/* Everything but an L1 hit that is not recorded. */
__attribute__((noinline)) static uint8_t *translate_slowly(struct guest_cpu *gc, uint64_t va,
                                                           unsigned int size, uint8_t kind,
                                                           unsigned int el)
{
    struct guest *guest = gc->guest;
    struct sim *sim = guest->sim;
    struct sim_access access = {.va = va,
                                .pc = kind == MMU_FETCH ? va : cpu_get(gc->cpu, CPU_PC),
                                .cpu = gc->index,
                                .el = (uint8_t)el,
                                .kind = kind};
    uint64_t strays = sim->stats.count[SIM_COUNT_strays];

    guest_flush_store(gc);
    if (guest->writer)
        record_access(gc, &access, size);
    sim->position = guest->positions++;
    gc->accesses++;
    gc->met = (struct sim_met){.regs = {.spsr = cpu_get(gc->cpu, CPU_FLAGS),
                                        .elr = access.pc,
                                        .vbar = cpu_get(gc->cpu, CPU_VBAR)}};
    bool done = sim_access(sim, &access, &gc->met);

    gc->stray = sim->stats.count[SIM_COUNT_strays] != strays;
    if (sim->stuck) {
        guest_end(guest, SIM_GUEST_LOCKUP, 0, "an access keeps faulting");
        cpu_stop(gc->cpu);
    }
    if (!done)
        return NULL;
    if (guest->writer && kind == MMU_WRITE) {
        gc->stored = gc->met.result.pa;
        gc->stored_bytes = size;
    }
    return bytes_at(gc, gc->met.result.pa, kind == MMU_WRITE);
}

/* Code is looked at before the guest executes it: no access, unless it faults. */
__attribute__((noinline)) static uint8_t *look_at_code(struct guest_cpu *gc, uint64_t va,
                                                       unsigned int el)
{
    struct mmu_request request = {.va = va,
                                  .cpu = gc->index,
                                  .regime = (uint8_t)gc->guest->sim->regime,
                                  .el = (uint8_t)el,
                                  .access = MMU_FETCH,
                                  .probe = true};
    struct mmu_result result;

    mmu_translate(gc->guest->sim->mmu, &request, &result);
    return result.fault == MMU_OK ? bytes_at(gc, result.pa, false)
                                  : translate_slowly(gc, va, 1, MMU_FETCH, el);
}

static uint8_t *translate(void *ctx, uint64_t va, unsigned int size, enum cpu_access access,
                          unsigned int el)
{
    struct guest_cpu *gc = ctx;
    enum mmu_access kind = (enum mmu_access)access;
    uint8_t *bytes;
    hyp_pa_t pa;

    static_assert((int)CPU_READ == (int)MMU_READ && (int)CPU_WRITE == (int)MMU_WRITE &&
                      (int)CPU_FETCH == (int)MMU_FETCH,
                  "one numbering");
    if (HYP_UNLIKELY(access == CPU_FETCH_CODE))
        return look_at_code(gc, va, el);
    if (HYP_UNLIKELY(gc->records) ||
        HYP_UNLIKELY(!mmu_hit(gc->mmu, (enum mmu_regime)gc->regime, el, kind, va, &pa)))
        return translate_slowly(gc, va, size, (uint8_t)kind, el);
    gc->accesses++;
    bytes = front_at(gc, pa);
    return HYP_LIKELY(bytes) ? bytes : bytes_at(gc, pa, kind == MMU_WRITE);
}

/* ---- registers and TLBs ---- */

static void sysreg(void *ctx, enum cpu_sysreg reg, uint64_t value)
{
    struct guest_cpu *gc = ctx;
    struct trace_event event = {.a = value};

    guest_event(gc->guest, gc->index, TRACE_SYSREG, reg, &event);
}

static void invalidate(void *ctx, const struct cpu_inval *inval)
{
    static const uint8_t x86[] = {[CPU_X86_INVLPG] = TRACE_INVLPG,
                                  [CPU_X86_INVPCID] = TRACE_INVPCID,
                                  [CPU_X86_MOV_CR3] = TRACE_MOV_CR3,
                                  [CPU_X86_MOV_CR4] = TRACE_MOV_CR4};
    struct guest_cpu *gc = ctx;
    struct trace_event event = {0};
    uint64_t operand = inval->value;

    if (gc->guest->x86) {
        event.a = x86[inval->x86];
        event.b = inval->type;
        event.c = inval->pcid;
        operand = inval->va;
    } else {
        event.a = (uint64_t)TRACE_INVAL_SYS(inval->op1, inval->crn, inval->crm, inval->op2);
    }
    guest_event(gc->guest, gc->index, TRACE_INVALIDATE, operand, &event);
}

static bool cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct guest_cpu *gc = ctx;

    (void)subleaf;
    return sim_guest_cpuid(gc->guest->sim, leaf, out);
}

void guest_port(struct guest_cpu *gc, struct cpu_port *port)
{
    *port = (struct cpu_port){
        .ctx = gc,
        .translate = translate,
        .sysreg = sysreg,
        .invalidate = invalidate,
        .cpuid = cpuid,
    };
}
