/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine of the conformance trace (8 GiB at 2 GiB, 4K granule, 40 bits), the sequence, and the
 * hashes. The sequence and the encoding of the hashes are fixed: they are those under which the
 * real code was run.
 */
#include "sim/pkvm_trace.h"

#include <hyp/ept.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT 12u
#define PAGE_WORDS 512u
#define RAM_BASE   UINT64_C(0x80000000)
#define RAM_SIZE   (UINT64_C(8) << 30)
#define RAM_PAGES  (RAM_SIZE >> PAGE_SHIFT)
#define POOL_BASE  UINT64_C(0xc0000000)
#define META_PFN   UINT64_C(0x142000) /* of guests and vCPUs: not fixed by the trace */
#define ARENA_PFN  UINT64_C(0x180000)
#define ARENA_GFN  UINT64_C(0x40000)
#define CACHE_PA   UINT64_C(0x144000000)
#define PINS_MAX   4u
#define NOT_DONE   1 /* result of a step whose precondition does not hold */

enum { NP, PV, VM_COUNT };

struct pkvm_trace {
    struct hyp hyp;
    struct hyp_port port;
    struct hyp_page *descriptors;
    uint64_t **frames; /* RAM by page; NULL is a page of zeroes */
    struct hyp_vm vms[VM_COUNT];
    struct hyp_vcpu *vcpu[VM_COUNT];
    struct hyp_host_memcache host_mc[VM_COUNT];
    uint64_t cache_next; /* next page that the host puts into a memcache */
    uint64_t prng;
    uint64_t steps;
    uint64_t rc_hash;
    unsigned int pins[PKVM_TRACE_PAGES];
    unsigned int pins_total;
    bool ffa[PKVM_TRACE_PAGES]; /* shared with the secure world by this trace */
    struct pkvm_trace_tally tally[PKVM_TRACE_OPS];
};

/* ---- memory ---- */

static uint64_t *frame_of(const struct pkvm_trace *trace, hyp_pa_t pa)
{
    return trace->frames[(pa.v - RAM_BASE) >> PAGE_SHIFT];
}

static uint64_t *frame_for_write(const struct pkvm_trace *trace, hyp_pa_t pa)
{
    uint64_t **frame = &trace->frames[(pa.v - RAM_BASE) >> PAGE_SHIFT];

    if (!*frame)
        *frame = calloc(PAGE_WORDS, sizeof(uint64_t));
    if (!*frame)
        abort();
    return *frame;
}

static uint64_t port_load(void *ctx, hyp_pa_t slot)
{
    const uint64_t *frame = frame_of(ctx, slot);

    return frame ? frame[slot.v / 8 % PAGE_WORDS] : 0;
}

static void port_store(void *ctx, hyp_pa_t slot, uint64_t pte)
{
    frame_for_write(ctx, slot)[slot.v / 8 % PAGE_WORDS] = pte;
}

static void port_fill(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step, unsigned int count)
{
    uint64_t *entry = frame_for_write(ctx, slot) + slot.v / 8 % PAGE_WORDS;
    unsigned int i;

    for (i = 0; i < count; i++)
        entry[i] = first + i * step;
}

static void port_read(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count)
{
    const uint64_t *frame = frame_of(ctx, slot);

    if (frame)
        memcpy(out, frame + slot.v / 8 % PAGE_WORDS, count * sizeof(*out));
    else
        memset(out, 0, count * sizeof(*out));
}

static void port_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    uint64_t at;

    for (at = 0; at < size; at += 1u << PAGE_SHIFT) {
        uint64_t *frame = frame_of(ctx, hyp_pa_add(page, at));

        if (frame)
            memset(frame, 0, PAGE_WORDS * sizeof(*frame));
    }
}

static void port_barrier(void *ctx, enum hyp_barrier kind)
{
    (void)ctx, (void)kind;
}

static void port_tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    (void)ctx, (void)inv;
}

static void port_cache_sync(void *ctx, hyp_pa_t base, uint64_t size, enum hyp_cache_op op)
{
    (void)ctx, (void)base, (void)size, (void)op;
}

static void port_root_set(void *ctx, const struct hyp_root *root)
{
    (void)ctx, (void)root;
}

static void port_panic(void *ctx, const char *what, const char *file, int line)
{
    const struct pkvm_trace *trace = ctx;

    fprintf(stderr, "%s:%d: the core stopped after step %" PRIu64 ": %s\n", file, line,
            trace->steps, what);
    abort();
}

/* ---- construction ---- */

static bool boot(struct pkvm_trace *trace, enum hyp_arch arch)
{
    static const struct hyp_region ram = {{RAM_BASE}, RAM_SIZE, false};
    struct hyp_config config = {
        .port = &trace->port,
        .features = {.pa_range = 2, .fwb = true, .range_tlbi = true, .xnx = true},
        .arch = arch,
        .ept_cap = HYP_EPT_CAP_USUAL,
        .page_shift = PAGE_SHIFT,
        .cpu_count = 1,
        .regions = &ram,
        .region_count = 1,
        .pool = {POOL_BASE},
        .vmemmap = trace->descriptors,
        .vmemmap_first = RAM_BASE >> PAGE_SHIFT,
        .vms = trace->vms,
        .vm_count = VM_COUNT,
        .host_policy = hyp_host_policy_default(),
    };
    struct hyp_carve carve;

    hyp_boot_carve(&config, &carve);
    config.pool_pages = hyp_boot_pool_pages(&carve);
    return hyp_init(&trace->hyp, &config) == HYP_OK && hyp_boot(&trace->hyp) == HYP_OK &&
           hyp_prot_finalize(&trace->hyp, 0) == HYP_OK;
}

static bool make_guest(struct pkvm_trace *trace, unsigned int which)
{
    struct hyp_vm_params params = {
        .is_protected = which == PV,
        .ipa_bits = 40,
        .meta = hyp_pa((META_PFN + 2 * which) << PAGE_SHIFT),
        .meta_pages = 1,
        .pgd = hyp_pa((UINT64_C(0x140000) + 0x1000 * which) << PAGE_SHIFT),
        .pgd_pages = 2,
    };
    hyp_pa_t vcpu_meta = hyp_pa_add(params.meta, UINT64_C(1) << PAGE_SHIFT);
    hyp_handle_t handle;

    if (hyp_vm_reserve(&trace->hyp, &handle) != HYP_OK ||
        hyp_vm_init(&trace->hyp, handle, &params) != HYP_OK ||
        hyp_vcpu_init(&trace->hyp, handle, vcpu_meta) != HYP_OK)
        return false;
    trace->vcpu[which] = &hyp_vm_find(&trace->hyp, handle)->vcpus[0];
    return true;
}

struct pkvm_trace *pkvm_trace_open_on(enum hyp_arch arch, uint64_t seed)
{
    struct pkvm_trace *trace = calloc(1, sizeof(*trace));

    if (!trace)
        return NULL;
    trace->descriptors = calloc(RAM_PAGES, sizeof(*trace->descriptors));
    trace->frames = calloc(RAM_PAGES, sizeof(*trace->frames));
    trace->port = (struct hyp_port){
        .ctx = trace,
        .pte_load = port_load,
        .pte_store = port_store,
        .pte_fill = port_fill,
        .pte_read = port_read,
        .page_zero = port_zero,
        .barrier = port_barrier,
        .tlb_inv = port_tlb_inv,
        .cache_sync = port_cache_sync,
        .root_set = port_root_set,
        .panic = port_panic,
    };
    trace->prng = seed;
    trace->rc_hash = UINT64_C(0xcbf29ce484222325);
    trace->cache_next = CACHE_PA;
    if (!trace->descriptors || !trace->frames || !boot(trace, arch) || !make_guest(trace, NP) ||
        !make_guest(trace, PV)) {
        pkvm_trace_close(trace);
        return NULL;
    }
    return trace;
}

void pkvm_trace_close(struct pkvm_trace *trace)
{
    uint64_t i;

    for (i = 0; trace->frames && i < RAM_PAGES; i++)
        free(trace->frames[i]);
    free(trace->frames);
    free(trace->descriptors);
    free(trace);
}

/* ---- operations ---- */

struct step {
    unsigned int op;
    unsigned int i; /* page of the arena */
    uint64_t g;     /* guest page number */
    uint64_t n;     /* pages of a ranged operation */
};

static struct step draw(struct pkvm_trace *trace)
{
    struct step step;
    uint64_t r = trace->prng;

    r ^= r << 13;
    r ^= r >> 7;
    r ^= r << 17;
    trace->prng = r;
    step.op = (unsigned int)((r >> 8) % PKVM_TRACE_OPS);
    step.i = (unsigned int)((r >> 16) % PKVM_TRACE_PAGES);
    step.g = ARENA_GFN + (r >> 24) % 64;
    step.n = 1 + ((r >> 32) & 3);
    if (step.n > PKVM_TRACE_PAGES - step.i)
        step.n = PKVM_TRACE_PAGES - step.i;
    if (step.op == 14 && (r >> 40) % 64 != 0)
        step.op = 15; /* force-reclaim is rare: a poisoned gfn stays lost */
    return step;
}

static hyp_pa_t arena_pa(unsigned int i)
{
    return hyp_pa((ARENA_PFN + i) << PAGE_SHIFT);
}

/* The host tops its cache up to what a walk may need, and the vCPU takes them over. */
static void refill(struct pkvm_trace *trace, unsigned int which)
{
    struct hyp_host_memcache *mc = &trace->host_mc[which];
    uint32_t min = hyp_vcpu_refill_min(trace->vcpu[which]); /* 2 on arm64 */

    if (trace->vcpu[which]->mc.count >= min)
        return;
    while (mc->count < min) {
        port_store(trace, hyp_pa(trace->cache_next), mc->count ? mc->head.v : 0);
        mc->head = hyp_pa(trace->cache_next);
        mc->count++;
        trace->cache_next += 1u << PAGE_SHIFT;
    }
    if (hyp_vcpu_refill(&trace->hyp, trace->vcpu[which], mc, min) != HYP_OK)
        abort();
}

static int unshare_ffa(struct pkvm_trace *trace, unsigned int i)
{
    int rc;

    if (!trace->ffa[i])
        return NOT_DONE;
    rc = hyp_host_unshare_ffa(&trace->hyp, ARENA_PFN + i, 1);
    if (rc == HYP_OK)
        trace->ffa[i] = false;
    return rc;
}

static int share_ffa(struct pkvm_trace *trace, unsigned int i)
{
    int rc = hyp_host_share_ffa(&trace->hyp, ARENA_PFN + i, 1);

    if (rc == HYP_OK)
        trace->ffa[i] = true;
    return rc;
}

static int pin(struct pkvm_trace *trace, unsigned int i)
{
    int rc;

    if (trace->pins[i] >= PINS_MAX)
        return NOT_DONE;
    rc = hyp_pin(&trace->hyp, arena_pa(i), arena_pa(i + 1));
    if (rc == HYP_OK)
        trace->pins[i]++;
    return rc;
}

static int unpin(struct pkvm_trace *trace, unsigned int i)
{
    if (!trace->pins[i])
        return NOT_DONE;
    hyp_unpin(&trace->hyp, arena_pa(i), arena_pa(i + 1));
    trace->pins[i]--;
    return 0;
}

static int host_read(struct pkvm_trace *trace, unsigned int i)
{
    /* A level-3 translation fault of an EL1 read; the host runs at EL1h. */
    struct hyp_abort abort = {0x92000007, arena_pa(i).v, {arena_pa(i).v}, true};
    struct hyp_host_regs regs = {.spsr = 0x5};

    if (trace->hyp.arch == HYP_ARCH_X86)
        return hyp_host_touch(&trace->hyp, abort.ipa) == HYP_HOST_INJECTED;
    return hyp_host_abort(&trace->hyp, &abort, &regs) == HYP_HOST_INJECTED;
}

static int perform_guest(struct pkvm_trace *trace, const struct step *step)
{
    struct hyp *hyp = &trace->hyp;
    struct hyp_vcpu *np = trace->vcpu[NP];
    struct hyp_vcpu *pv = trace->vcpu[PV];
    bool young;

    switch (step->op) {
    case 8:
        refill(trace, NP);
        return hyp_host_share_guest(hyp, np, ARENA_PFN + step->i, step->g, 1, HYP_PROT_RWX);
    case 9:
        return hyp_host_unshare_guest(hyp, np->vm, step->g, 1);
    case 10:
        refill(trace, PV);
        return hyp_host_donate_guest(hyp, pv, ARENA_PFN + step->i, step->g);
    case 11:
        return hyp_guest_share_host(hyp, pv->vm, step->g);
    case 12:
        return hyp_guest_unshare_host(hyp, pv->vm, step->g);
    case 13:
        return hyp_reclaim_guest_page(hyp, pv->vm, step->g);
    case 18:
        return hyp_guest_wrprotect(hyp, np->vm, step->g, 1);
    case 19:
        return hyp_guest_relax(hyp, np, step->g, HYP_PROT_RWX);
    default: {
        int rc = hyp_guest_test_clear_young(hyp, np->vm, step->g, 1, true, &young);

        return rc ? rc : young;
    }
    }
}

static int perform(struct pkvm_trace *trace, const struct step *step)
{
    struct hyp *hyp = &trace->hyp;
    hyp_pfn_t pfn = ARENA_PFN + step->i;

    switch (step->op) {
    case 0:
        return hyp_host_share_hyp(hyp, pfn);
    case 1:
        return hyp_host_unshare_hyp(hyp, pfn);
    case 2:
        return hyp_host_donate_hyp(hyp, pfn, 1);
    case 3:
        return hyp_hyp_donate_host(hyp, pfn, 1);
    case 4:
        return share_ffa(trace, step->i);
    case 5:
        return unshare_ffa(trace, step->i);
    case 6:
        return pin(trace, step->i);
    case 7:
        return unpin(trace, step->i);
    case 14:
        return hyp_force_reclaim(hyp, arena_pa(step->i));
    case 15:
        return host_read(trace, step->i);
    case 16:
        return hyp_host_donate_hyp(hyp, pfn, step->n);
    case 17:
        return hyp_hyp_donate_host(hyp, pfn, step->n);
    default:
        return perform_guest(trace, step);
    }
}

/* ---- hashes and tallies ---- */

static void hash_bytes(uint64_t *hash, uint64_t value, unsigned int bytes)
{
    for (; bytes; bytes--, value >>= 8)
        *hash = (*hash ^ (value & 0xff)) * UINT64_C(0x100000001b3);
}

static void count_result(struct pkvm_trace_tally *tally, int rc)
{
    unsigned int k = 0;

    while (k < PKVM_TRACE_RCS - 1 && tally->count[k] && tally->rc[k] != rc)
        k++;
    tally->rc[k] = rc;
    tally->count[k]++;
}

void pkvm_trace_run(struct pkvm_trace *trace, uint64_t steps)
{
    for (; steps; steps--) {
        struct step step = draw(trace);
        int rc = perform(trace, &step);

        hash_bytes(&trace->rc_hash, (uint32_t)rc, 4);
        count_result(&trace->tally[step.op], rc);
        trace->steps++;
    }
}

static void hash_guest_page(uint64_t *hash, const struct hyp_vm *vm, uint64_t gfn)
{
    unsigned int level;
    uint64_t pte = hyp_pgt_leaf(&vm->pgt, (hyp_ia_t){gfn << PAGE_SHIFT}, &level);
    uint64_t state = 0xff;
    uint64_t index = 0xffff;

    if (level == 0 && pte) {
        if (hyp_pgt_kind(&vm->pgt, pte, 0) == HYP_PTE_LEAF) {
            state = pte >> 55 & 3;
            index = (hyp_pgt_target(&vm->pgt, pte, 0).v >> PAGE_SHIFT) - ARENA_PFN;
        } else {
            state = 0xfe;
        }
    }
    hash_bytes(hash, state, 1);
    hash_bytes(hash, index, 4);
}

uint64_t pkvm_trace_state_hash(const struct pkvm_trace *trace)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    unsigned int i, v;

    for (i = 0; i < PKVM_TRACE_PAGES; i++) {
        const struct hyp_page *page = hyp_page_of(&trace->hyp.vmemmap, arena_pa(i));

        hash_bytes(&hash, hyp_page_host_state(page), 1);
        hash_bytes(&hash, hyp_page_hyp_state(page), 1);
        hash_bytes(&hash, page->refcount, 1);
        hash_bytes(&hash, page->share_count, 1);
    }
    for (v = 0; v < VM_COUNT; v++) {
        for (i = 0; i < PKVM_TRACE_PAGES; i++)
            hash_guest_page(&hash, &trace->vms[v], ARENA_GFN + i);
    }
    return hash;
}

uint64_t pkvm_trace_steps(const struct pkvm_trace *trace)
{
    return trace->steps;
}

uint64_t pkvm_trace_rc_hash(const struct pkvm_trace *trace)
{
    return trace->rc_hash;
}

const struct pkvm_trace_tally *pkvm_trace_tally(const struct pkvm_trace *trace, unsigned int op)
{
    return &trace->tally[op];
}

struct hyp *pkvm_trace_hyp(struct pkvm_trace *trace)
{
    return &trace->hyp;
}

hyp_pfn_t pkvm_trace_arena(void)
{
    return ARENA_PFN;
}
