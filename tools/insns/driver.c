/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One operation of the core, performed K times after a set-up that does not depend on K:
 *
 *   driver --list            the operations, with the real code's instruction count of each
 *   driver NAME K            set-up, then K operations
 *
 * The difference between a run with K and a run with 0, divided by K, is the cost of one operation.
 * Machine: 1 GiB of RAM at 2 GiB, 4K granule, 40-bit tables with 3 levels, FWB and range TLBI,
 * consecutive addresses; barriers and invalidations are empty, locks are ticket locks.
 */
#include <hyp/hyp.h>
#include <hyp/lock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM_BASE  (UINT64_C(2) << 30)
#define RAM_SIZE  (UINT64_C(1) << 30)
#define POOL      RAM_BASE
#define GUESTS    (RAM_BASE + (UINT64_C(256) << 20))
#define TABLES    (RAM_BASE + (UINT64_C(320) << 20)) /* pool of the bare page-table rows */
#define ARENA     (RAM_BASE + (UINT64_C(512) << 20))
#define ARENA_PFN (ARENA >> 12)
#define GFN       UINT64_C(0x40000)
#define K4        UINT64_C(4096)
#define M2        (UINT64_C(2) << 20)
#define PAGES     512u
#define BLOCKS    64u
#define LOCKS     4u

enum { NP, PV };

struct machine {
    struct hyp_port port;
    uint8_t *memory;
    struct hyp hyp;
    struct hyp_vm vms[2];
    struct hyp_vcpu *vcpu[2];
    struct hyp_host_memcache host_mc;
    uint64_t next_page;
    struct hyp_pool pool; /* of the bare rows */
    struct hyp_pgt pgt;
    uint64_t sum;
    struct hyp_spinlock locks[LOCKS];
};

static void must(enum hyp_err err)
{
    if (err) {
        fprintf(stderr, "driver: error %d\n", err);
        exit(4);
    }
}

/* ---- port ---- */

static uint64_t *word_at(void *ctx, hyp_pa_t pa)
{
    return (uint64_t *)(void *)(((struct machine *)ctx)->memory + (pa.v - RAM_BASE));
}

static uint64_t port_load(void *ctx, hyp_pa_t slot)
{
    return *(volatile uint64_t *)word_at(ctx, slot);
}

static void port_store(void *ctx, hyp_pa_t slot, uint64_t pte)
{
    atomic_store_explicit((_Atomic uint64_t *)word_at(ctx, slot), pte, memory_order_release);
}

static void port_fill(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step, unsigned int count)
{
    uint64_t *word = word_at(ctx, slot);

    atomic_thread_fence(memory_order_release);
    for (unsigned int i = 0; i < count; i++, first += step)
        word[i] = first;
}

static void port_read(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count)
{
    memcpy(out, word_at(ctx, slot), count * sizeof(*out));
}

static void port_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    memset(word_at(ctx, page), 0, size);
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

static void port_lock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    struct machine *m = ctx;

    (void)vm_slot;
    if (set & HYP_LOCK_VM_TABLE)
        hyp_spin_lock(&m->locks[0]);
    if (set & HYP_LOCK_HOST)
        hyp_spin_lock(&m->locks[1]);
    if (set & HYP_LOCK_HYP)
        hyp_spin_lock(&m->locks[2]);
    if (set & HYP_LOCK_GUEST)
        hyp_spin_lock(&m->locks[3]);
}

static void port_unlock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    struct machine *m = ctx;

    (void)vm_slot;
    if (set & HYP_LOCK_GUEST)
        hyp_spin_unlock(&m->locks[3]);
    if (set & HYP_LOCK_HYP)
        hyp_spin_unlock(&m->locks[2]);
    if (set & HYP_LOCK_HOST)
        hyp_spin_unlock(&m->locks[1]);
    if (set & HYP_LOCK_VM_TABLE)
        hyp_spin_unlock(&m->locks[0]);
}

static void port_panic(void *ctx, const char *what, const char *file, int line)
{
    (void)ctx;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    exit(4);
}

/* ---- set-up ---- */

static void make_guest(struct machine *m, unsigned int which)
{
    struct hyp_vm_params params = {.is_protected = which == PV, .ipa_bits = 40};
    hyp_handle_t handle;

    params.pgd = hyp_pa(m->next_page);
    params.pgd_pages = 2;
    params.meta = hyp_pa(m->next_page + 2 * K4);
    params.meta_pages = 1;
    must(hyp_vm_reserve(&m->hyp, &handle));
    must(hyp_vm_init(&m->hyp, handle, &params));
    must(hyp_vcpu_init(&m->hyp, handle, hyp_pa(m->next_page + 3 * K4)));
    m->next_page += 4 * K4;
    m->vcpu[which] = &hyp_vm_find(&m->hyp, handle)->vcpus[0];
}

static void boot(struct machine *m)
{
    static const struct hyp_region ram = {{RAM_BASE}, RAM_SIZE, false};
    struct hyp_config config = {
        .port = &m->port,
        .features = {.pa_range = 2, .vmid16 = true, .fwb = true, .range_tlbi = true, .xnx = true},
        .page_shift = 12,
        .cpu_count = 1,
        .regions = &ram,
        .region_count = 1,
        .pool = {POOL},
        .vmemmap = calloc(RAM_SIZE >> 12, sizeof(struct hyp_page)),
        .vmemmap_first = RAM_BASE >> 12,
        .vms = m->vms,
        .vm_count = 2,
        .host_policy = hyp_host_policy_default(),
    };
    struct hyp_carve carve;

    hyp_boot_carve(&config, &carve);
    config.pool_pages = hyp_boot_pool_pages(&carve);
    must(hyp_init(&m->hyp, &config));
    must(hyp_boot(&m->hyp));
    must(hyp_prot_finalize(&m->hyp, 0));
    make_guest(m, NP);
    make_guest(m, PV);
}

static struct machine *machine_new(void)
{
    struct machine *m = calloc(1, sizeof(*m));

    m->memory = calloc(1, RAM_SIZE);
    if (!m->memory)
        exit(4);
    m->port = (struct hyp_port){
        .ctx = m,
        .pte_load = port_load,
        .pte_store = port_store,
        .pte_fill = port_fill,
        .pte_read = port_read,
        .page_zero = port_zero,
        .barrier = port_barrier,
        .tlb_inv = port_tlb_inv,
        .cache_sync = port_cache_sync,
        .root_set = port_root_set,
        .lock = port_lock,
        .unlock = port_unlock,
        .panic = port_panic,
    };
    m->next_page = GUESTS;
    boot(m);
    return m;
}

static void refill(struct machine *m, unsigned int which)
{
    if (m->vcpu[which]->mc.count >= 2)
        return;
    while (m->host_mc.count < 2) {
        hyp_pa_t page = hyp_pa(m->next_page);

        m->next_page += K4;
        port_store(m, page, m->host_mc.head.v);
        m->host_mc.head = page;
        m->host_mc.count++;
    }
    must(hyp_vcpu_refill(&m->hyp, m->vcpu[which], &m->host_mc, 2));
}

/* ---- operations: `count` calls, for i = 0, 1, ... ---- */

#define OP(name, statement)                                                                        \
    static void name(struct machine *m, unsigned int count)                                        \
    {                                                                                              \
        for (uint64_t i = 0; i < count; i++)                                                       \
            statement;                                                                             \
    }

static void alloc_put(struct machine *m, unsigned int count)
{
    hyp_pa_t pa;

    for (unsigned int i = 0; i < count; i++) {
        must(hyp_pool_alloc(&m->pool, 0, &pa));
        hyp_pool_put(&m->pool, pa);
    }
}

static void get_put(struct machine *m, unsigned int count)
{
    const hyp_pa_t pa = {m->sum};

    for (unsigned int i = 0; i < count; i++) {
        hyp_pool_get(&m->pool, pa);
        hyp_pool_put(&m->pool, pa);
    }
}

static void leaf(struct machine *m, unsigned int count)
{
    unsigned int level;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++)
        sum += hyp_pgt_leaf(&m->pgt, (hyp_ia_t){i * K4}, &level);
    m->sum = sum;
}

static void lookup(struct machine *m, unsigned int count)
{
    uint64_t start, end, sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        (void)hyp_host_region(&m->hyp.host, ARENA + i * K4, &start, &end);
        sum += start;
    }
    m->sum = sum;
}

static void fault(struct machine *m, uint64_t pa)
{
    struct hyp_abort abort = {0x92000007, pa, {pa}, true};
    struct hyp_host_regs regs = {.spsr = 5, .elr = pa};

    m->sum += hyp_host_abort(&m->hyp, &abort, &regs);
}

OP(map_page,
   must(hyp_pgt_map(&m->pgt, (hyp_ia_t){i * K4}, K4, hyp_pa(ARENA + i * K4), HYP_PROT_RWX, NULL)))
OP(map_block,
   must(hyp_pgt_map(&m->pgt, (hyp_ia_t){i * M2}, M2, hyp_pa(ARENA + i * M2), HYP_PROT_RWX, NULL)))
OP(unmap_page, must(hyp_pgt_unmap(&m->pgt, (hyp_ia_t){i * K4}, K4, NULL)))
static void unmap_range(struct machine *m, unsigned int count)
{
    if (count)
        must(hyp_pgt_unmap(&m->pgt, (hyp_ia_t){0}, count * K4, NULL));
}

static enum hyp_err visit(void *arg, const struct hyp_visit_ctx *ctx)
{
    *(uint64_t *)arg += ctx->pte;
    return HYP_OK;
}

static void walk(struct machine *m, unsigned int count)
{
    const struct hyp_visitor visitor = {visit, &m->sum, HYP_VISIT_LEAF};

    if (count)
        must(hyp_pgt_walk(&m->pgt, (hyp_ia_t){0}, count * K4, &visitor));
}

OP(break_block,
   must(hyp_pgt_map(&m->pgt, (hyp_ia_t){i * M2}, K4, hyp_pa(ARENA + i * M2), HYP_PROT_R, NULL)))
OP(split_block, must(hyp_pgt_split(&m->pgt, (hyp_ia_t){i * M2}, M2, NULL)))
OP(annotate, must(hyp_pgt_annotate(&m->pgt, (hyp_ia_t){i * K4}, K4, HYP_NOTE_DONATED, 2, NULL)))
OP(share_hyp, must(hyp_host_share_hyp(&m->hyp, ARENA_PFN + i)))
OP(unshare_hyp, must(hyp_host_unshare_hyp(&m->hyp, ARENA_PFN + i)))
OP(pin, must(hyp_pin(&m->hyp, hyp_pa(ARENA + i * K4), hyp_pa(ARENA + i * K4 + K4))))
OP(unpin, hyp_unpin(&m->hyp, hyp_pa(ARENA + i * K4), hyp_pa(ARENA + i * K4 + K4)))
OP(donate_hyp, must(hyp_host_donate_hyp(&m->hyp, ARENA_PFN + i, 1)))
OP(give_back, must(hyp_hyp_donate_host(&m->hyp, ARENA_PFN + i, 1)))
OP(fault_block, fault(m, ARENA + i * M2))
OP(fault_page, fault(m, ARENA + i * K4))
OP(share_guest, (refill(m, NP), must(hyp_host_share_guest(&m->hyp, m->vcpu[NP], ARENA_PFN + i,
                                                          GFN + i, 1, HYP_PROT_RWX))))
OP(unshare_guest, must(hyp_host_unshare_guest(&m->hyp, &m->vms[NP], GFN + i, 1)))
OP(share_block, (refill(m, NP), must(hyp_host_share_guest(&m->hyp, m->vcpu[NP], ARENA_PFN + i * 512,
                                                          GFN + i * 512, 512, HYP_PROT_RWX))))
OP(wrprotect, must(hyp_guest_wrprotect(&m->hyp, &m->vms[NP], GFN + i, 1)))
OP(relax, must(hyp_guest_relax(&m->hyp, m->vcpu[NP], GFN + i, HYP_PROT_RWX)))
OP(donate_guest,
   (refill(m, PV), must(hyp_host_donate_guest(&m->hyp, m->vcpu[PV], ARENA_PFN + i, GFN + i))))
OP(reclaim, must(hyp_reclaim_guest_page(&m->hyp, &m->vms[PV], GFN + i)))
OP(guest_share, must(hyp_guest_share_host(&m->hyp, &m->vms[PV], GFN + i)))
OP(guest_unshare, must(hyp_guest_unshare_host(&m->hyp, &m->vms[PV], GFN + i)))

/* ---- rows ---- */

typedef void op_fn(struct machine *m, unsigned int count);

enum before { NOTHING, POOL_1, POOL_HELD, TABLE, BLOCK_HOST };

struct row {
    const char *name;
    op_fn *op;
    unsigned int count, anchor;
    enum before before;
    op_fn *first[3]; /* performed `count` times each beforehand */
};

static const struct row rows[] = {
    {"alloc0+put0, 1 level split and merged", alloc_put, PAGES, 373, POOL_1, {NULL}},
    {"alloc0+put0, no split", alloc_put, PAGES, 291, POOL_HELD, {NULL}},
    {"get+put refcount", get_put, PAGES, 69, POOL_HELD, {NULL}},
    {"map 4K, per call", map_page, PAGES, 683, TABLE, {NULL}},
    {"map 2M block, per call", map_block, BLOCKS, 547, TABLE, {NULL}},
    {"leaf lookup", leaf, PAGES, 344, TABLE, {map_page}},
    {"unmap 4K, ranged, per page", unmap_range, PAGES, 99, TABLE, {map_page}},
    {"leaf walk, per entry", walk, PAGES, 42, TABLE, {map_page}},
    {"unmap 4K, per call", unmap_page, PAGES, 490, TABLE, {map_page}},
    {"break a 2M block by mapping 1 page", break_block, BLOCKS, 933, TABLE, {map_block}},
    {"eager split 2M", split_block, BLOCKS, 122067, TABLE, {map_block}},
    {"collapse 512 entries to 2M", map_block, BLOCKS, 46576, TABLE, {map_block, split_block}},
    {"annotate a page, per call", annotate, PAGES, 582, TABLE, {NULL}},
    {"host share hyp", share_hyp, PAGES, 133, BLOCK_HOST, {NULL}},
    {"host unshare hyp", unshare_hyp, PAGES, 137, BLOCK_HOST, {share_hyp}},
    {"first pin", pin, PAGES, 693, BLOCK_HOST, {share_hyp}},
    {"last unpin", unpin, PAGES, 707, BLOCK_HOST, {share_hyp, pin}},
    {"host donate hyp", donate_hyp, PAGES, 1339, BLOCK_HOST, {NULL}},
    {"hyp donate host", give_back, PAGES, 1616, BLOCK_HOST, {donate_hyp}},
    {"host abort -> 2M map", fault_block, BLOCKS, 960, NOTHING, {NULL}},
    {"host abort, spurious", fault_page, PAGES, 351, BLOCK_HOST, {NULL}},
    {"host abort, injected", fault_page, PAGES, 467, BLOCK_HOST, {donate_hyp}},
    {"share guest 4K", share_guest, PAGES, 1225, BLOCK_HOST, {NULL}},
    {"unshare guest 4K", unshare_guest, PAGES, 997, BLOCK_HOST, {share_guest}},
    {"share guest 2M", share_block, BLOCKS, 8677, BLOCK_HOST, {NULL}},
    {"wrprotect guest", wrprotect, PAGES, 430, BLOCK_HOST, {share_guest}},
    {"relax guest", relax, PAGES, 390, BLOCK_HOST, {share_guest, wrprotect}},
    {"donate guest", donate_guest, PAGES, 1844, BLOCK_HOST, {NULL}},
    {"reclaim + wipe", reclaim, PAGES, 1988, BLOCK_HOST, {donate_guest}},
    {"guest share host", guest_share, PAGES, 1941, BLOCK_HOST, {donate_guest}},
    {"guest unshare host", guest_unshare, PAGES, 1829, BLOCK_HOST, {donate_guest, guest_share}},
    {"region lookup, 1 region", lookup, PAGES, 31, NOTHING, {NULL}},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* A pool of its own for the rows below ownership: donated memory, so nobody else touches it. */
static void set_up(struct machine *m, enum before before)
{
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_arm64_s2,
        .port = &m->port,
        .vmemmap = &m->hyp.vmemmap,
        .page_shift = 12,
        .ia_bits = 40,
        .flags = HYP_PGT_FWB | HYP_PGT_RANGE_TLBI,
        .vmid = 9,
        .max_block_level = 2,
    };
    const uint64_t pages = before == TABLE ? 1024 : 2;
    hyp_pa_t held;

    switch (before) {
    case NOTHING:
        return;
    case BLOCK_HOST:
        fault_block(m, BLOCKS);
        return;
    case POOL_1:
    case POOL_HELD:
    case TABLE:
        break;
    }
    must(hyp_host_donate_hyp(&m->hyp, TABLES >> 12, pages));
    must(hyp_pool_init(&m->pool, &m->port, &m->hyp.vmemmap, TABLES >> 12, pages, 0, NULL));
    if (before == TABLE)
        must(hyp_pgt_init(&m->pgt, &config, &m->pool, NULL));
    if (before == POOL_HELD) {
        must(hyp_pool_alloc(&m->pool, 0, &held));
        m->sum = held.v;
    }
}

static int perform(const struct row *row, unsigned int count)
{
    struct machine *m = machine_new();

    set_up(m, row->before);
    for (unsigned int k = 0; k < 3 && row->first[k]; k++)
        row->first[k](m, row->count);
    row->op(m, count);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned int i;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (i = 0; i < ROWS; i++)
            printf("%u\t%u\t%u\t%s\n", i, rows[i].count, rows[i].anchor, rows[i].name);
        return 0;
    }
    if (argc == 3 && (i = (unsigned int)strtoul(argv[1], NULL, 10)) < ROWS)
        return perform(&rows[i], (unsigned int)strtoul(argv[2], NULL, 10));
    fprintf(stderr, "usage: %s --list | ROW COUNT\n", argv[0]);
    return 2;
}
