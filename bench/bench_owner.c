/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership under suite C: a booted hypervisor with 8 GiB of RAM at 2 GiB, FWB and range TLBI; an
 * arena of 1 GiB at 6 GiB whose last page is donated, so that it never becomes one block. Passes
 * start from 2 MiB blocks and use the first 256 MiB (64 MiB for protected guests). Locks are ticket
 * locks, as in the anchor: Linux 7.3's own code, measured in user space.
 */
#include "bench/flat.h"
#include "bench/shim.h"

#include <hyp/hyp.h>
#include <hyp/lock.h>

#include <stdalign.h>
#include <stdlib.h>

#define RAM_BASE  (UINT64_C(2) << 30)
#define RAM_SIZE  (UINT64_C(8) << 30)
#define RAM_PAGES (RAM_SIZE >> 12)
#define POOL      (UINT64_C(3) << 30)
#define GUESTS    (UINT64_C(5) << 30) /* pages for guests, upwards */
#define ARENA     (UINT64_C(6) << 30)
#define ARENA_PFN (ARENA >> 12)
#define ARENA_END (ARENA_PFN + 262144)
#define GFN       UINT64_C(0x40000)
#define M2        (UINT64_C(2) << 20)
#define PAGES     65536u /* of a pass */
#define PV_PAGES  16384u
#define BLOCKS    128u
#define RANDOM    131072u /* pages of C2r */
#define LOCKS     3u

enum { NP, PV };

struct owner_bench {
    struct flat flat;
    struct hyp hyp;
    struct hyp_vm vms[2];
    struct hyp_vcpu *vcpu[2];
    struct hyp_host_memcache host_mc;
    uint64_t next_page;
    uint32_t *shuffled;
    uint64_t sum; /* keeps results alive */
};

static void must(enum hyp_err err)
{
    if (err)
        abort();
}

/* Locks as the port for bare metal has them, a cache line each; nothing runs concurrently. */
static struct {
    alignas(64) struct hyp_spinlock lock;
} locks[LOCKS];

/* The usual sets without a loop, as any port would. */
static void bench_lock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    (void)ctx, (void)vm_slot;
    if (set & HYP_LOCK_VM_TABLE)
        hyp_spin_lock(&locks[0].lock);
    if (HYP_LIKELY(set & (HYP_LOCK_HOST | HYP_LOCK_HYP)))
        hyp_spin_lock(&locks[1].lock);
    if (set & HYP_LOCK_GUEST)
        hyp_spin_lock(&locks[2].lock);
}

static void bench_unlock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    (void)ctx, (void)vm_slot;
    if (set & HYP_LOCK_GUEST)
        hyp_spin_unlock(&locks[2].lock);
    if (HYP_LIKELY(set & (HYP_LOCK_HOST | HYP_LOCK_HYP)))
        hyp_spin_unlock(&locks[1].lock);
    if (set & HYP_LOCK_VM_TABLE)
        hyp_spin_unlock(&locks[0].lock);
}

/* ---- construction ---- */

static void boot(struct owner_bench *b)
{
    static const struct hyp_region ram = {{RAM_BASE}, RAM_SIZE, false};
    struct hyp_config config = {
        .port = &b->flat.port,
        .features = {.pa_range = 2, .vmid16 = true, .fwb = true, .range_tlbi = true, .xnx = true},
        .page_shift = 12,
        .cpu_count = 1,
        .regions = &ram,
        .region_count = 1,
        .pool = {POOL},
        .vmemmap = flat_memory(RAM_PAGES * sizeof(struct hyp_page)),
        .vmemmap_first = RAM_BASE >> 12,
        .vms = b->vms,
        .vm_count = 2,
        .host_policy = hyp_host_policy_default(),
    };
    struct hyp_carve carve;

    hyp_boot_carve(&config, &carve);
    config.pool_pages = hyp_boot_pool_pages(&carve);
    must(hyp_init(&b->hyp, &config));
    must(hyp_boot(&b->hyp));
    must(hyp_prot_finalize(&b->hyp, 0));
    must(hyp_host_donate_hyp(&b->hyp, ARENA_END - 1, 1));
}

static hyp_pa_t take_pages(struct owner_bench *b, uint64_t count)
{
    hyp_pa_t pa = hyp_pa(b->next_page);

    b->next_page += count << 12;
    return pa;
}

static void make_guest(struct owner_bench *b, unsigned int which)
{
    struct hyp_vm_params params = {.is_protected = which == PV, .ipa_bits = 40};
    hyp_handle_t handle;

    params.pgd = take_pages(b, 2);
    params.pgd_pages = 2;
    params.meta = take_pages(b, 1);
    params.meta_pages = 1;
    must(hyp_vm_reserve(&b->hyp, &handle));
    must(hyp_vm_init(&b->hyp, handle, &params));
    must(hyp_vcpu_init(&b->hyp, handle, take_pages(b, 1)));
    b->vcpu[which] = &hyp_vm_find(&b->hyp, handle)->vcpus[0];
}

static void refill(struct owner_bench *b, unsigned int which)
{
    struct hyp_vcpu *vcpu = b->vcpu[which];

    if (vcpu->mc.count >= 2)
        return;
    while (b->host_mc.count < 2) {
        hyp_pa_t page = take_pages(b, 1);

        b->flat.port.pte_store(&b->flat, page, b->host_mc.head.v);
        b->host_mc.head = page;
        b->host_mc.count++;
    }
    must(hyp_vcpu_refill(&b->hyp, vcpu, &b->host_mc, 2));
}

/* ---- states before a pass ---- */

static void forget_blocks(void *arg)
{
    struct owner_bench *b = arg;

    must(hyp_pgt_unmap(&b->hyp.host.pgt, (hyp_ia_t){ARENA}, BLOCKS * M2, NULL));
}

static void touch_blocks(struct owner_bench *b)
{
    for (unsigned int i = 0; i < BLOCKS; i++)
        b->sum += hyp_host_touch(&b->hyp, hyp_ipa(ARENA + i * M2));
}

static void reblock(void *arg)
{
    forget_blocks(arg);
    touch_blocks(arg);
}

static void donated_first_pages(void *arg)
{
    struct owner_bench *b = arg;

    reblock(b);
    for (unsigned int i = 0; i < BLOCKS; i++)
        must(hyp_host_donate_hyp(&b->hyp, ARENA_PFN + i * 512, 1));
}

static void take_first_pages_back(void *arg)
{
    struct owner_bench *b = arg;

    for (unsigned int i = 0; i < BLOCKS; i++)
        must(hyp_hyp_donate_host(&b->hyp, ARENA_PFN + i * 512, 1));
}

static void donate_all(void *arg)
{
    reblock(arg);
    must(hyp_host_donate_hyp(&((struct owner_bench *)arg)->hyp, ARENA_PFN, PAGES));
}

static void take_all_back(void *arg)
{
    must(hyp_hyp_donate_host(&((struct owner_bench *)arg)->hyp, ARENA_PFN, PAGES));
}

/* One pass of a call on each page. */
#define EACH(name, pages, statement)                                                               \
    static uint64_t name(void *arg)                                                                \
    {                                                                                              \
        struct owner_bench *b = arg;                                                               \
        for (unsigned int i = 0; i < (pages); i++)                                                 \
            statement;                                                                             \
        return (pages);                                                                            \
    }

/* The same as a state before or after another pass. */
#define AS_STATE(name)                                                                             \
    static void name##_untimed(void *arg)                                                          \
    {                                                                                              \
        (void)name(arg);                                                                           \
    }

EACH(share_hyp, PAGES, must(hyp_host_share_hyp(&b->hyp, ARENA_PFN + i)))
EACH(unshare_hyp, PAGES, must(hyp_host_unshare_hyp(&b->hyp, ARENA_PFN + i)))
EACH(pin, PAGES,
     must(hyp_pin(&b->hyp, hyp_pa(ARENA + i * 4096ull), hyp_pa(ARENA + i * 4096ull + 1))))
EACH(unpin, PAGES, hyp_unpin(&b->hyp, hyp_pa(ARENA + i * 4096ull), hyp_pa(ARENA + i * 4096ull + 1)))
EACH(share_ffa, PAGES, must(hyp_host_share_ffa(&b->hyp, ARENA_PFN + i, 1)))
EACH(unshare_ffa, PAGES, must(hyp_host_unshare_ffa(&b->hyp, ARENA_PFN + i, 1)))
EACH(donate_hyp, PAGES, must(hyp_host_donate_hyp(&b->hyp, ARENA_PFN + i, 1)))
EACH(give_back, PAGES, must(hyp_hyp_donate_host(&b->hyp, ARENA_PFN + i, 1)))

#define GUEST_SHARE(i, n)                                                                          \
    hyp_host_share_guest(&b->hyp, b->vcpu[NP], ARENA_PFN + (i), GFN + (i), n, HYP_PROT_RWX)

EACH(share_guest, PAGES, (refill(b, NP), must(GUEST_SHARE(i, 1))))
EACH(unshare_guest, PAGES, must(hyp_host_unshare_guest(&b->hyp, &b->vms[NP], GFN + i, 1)))
EACH(share_block, BLOCKS, (refill(b, NP), must(GUEST_SHARE(i * 512ull, 512))))
EACH(unshare_block, BLOCKS, must(hyp_host_unshare_guest(&b->hyp, &b->vms[NP], GFN + i * 512, 512)))
EACH(wrprotect, PAGES, must(hyp_guest_wrprotect(&b->hyp, &b->vms[NP], GFN + i, 1)))
EACH(relax, PAGES, must(hyp_guest_relax(&b->hyp, b->vcpu[NP], GFN + i, HYP_PROT_RWX)))
EACH(donate_guest, PV_PAGES,
     (refill(b, PV), must(hyp_host_donate_guest(&b->hyp, b->vcpu[PV], ARENA_PFN + i, GFN + i))))
EACH(reclaim, PV_PAGES, must(hyp_reclaim_guest_page(&b->hyp, &b->vms[PV], GFN + i)))
EACH(guest_share, PV_PAGES, must(hyp_guest_share_host(&b->hyp, &b->vms[PV], GFN + i)))
EACH(guest_unshare, PV_PAGES, must(hyp_guest_unshare_host(&b->hyp, &b->vms[PV], GFN + i)))
EACH(force, PV_PAGES, must(hyp_force_reclaim(&b->hyp, hyp_pa(ARENA + i * 4096ull))))

AS_STATE(share_hyp)
AS_STATE(unshare_hyp)
AS_STATE(pin)
AS_STATE(unpin)
AS_STATE(unshare_ffa)
AS_STATE(give_back)
AS_STATE(share_guest)
AS_STATE(unshare_guest)
AS_STATE(share_block)
AS_STATE(unshare_block)
AS_STATE(wrprotect)
AS_STATE(donate_guest)
AS_STATE(reclaim)
AS_STATE(guest_share)

static uint64_t clear_young(void *arg)
{
    struct owner_bench *b = arg;
    bool young;

    for (unsigned int i = 0; i < PAGES; i++) {
        must(hyp_guest_test_clear_young(&b->hyp, &b->vms[NP], GFN + i, 1, true, &young));
        b->sum += young;
    }
    return PAGES;
}

static void before_unshare(void *arg)
{
    share_hyp_untimed(arg);
}

static void before_unpin(void *arg)
{
    share_hyp_untimed(arg);
    pin_untimed(arg);
}

static void after_pin(void *arg)
{
    unpin_untimed(arg);
    unshare_hyp_untimed(arg);
}

static void before_wrprotect(void *arg)
{
    share_guest_untimed(arg);
}

static void before_relax(void *arg)
{
    share_guest_untimed(arg);
    wrprotect_untimed(arg);
}

static void before_guest(void *arg)
{
    reblock(arg);
    donate_guest_untimed(arg);
}

static void before_guest_unshare(void *arg)
{
    before_guest(arg);
    guest_share_untimed(arg);
}

/* Poison stays in a guest's table; only dropping it makes room for the next pass. */
static void drop_poison(void *arg)
{
    struct owner_bench *b = arg;

    must(hyp_pgt_unmap(&b->vms[PV].pgt, (hyp_ia_t){GFN << 12}, PV_PAGES * UINT64_C(4096), NULL));
}

/* ---- faults ---- */

static enum hyp_host_outcome fault(struct owner_bench *b, uint64_t pa)
{
    struct hyp_abort abort = {0x92000007, pa, {pa}, true};
    struct hyp_host_regs regs = {.spsr = 5, .elr = pa, .vbar = 0x800};
    enum hyp_host_outcome outcome = hyp_host_abort(&b->hyp, &abort, &regs);

    b->sum += regs.elr;
    return outcome;
}

static uint64_t c1_fault_block(void *arg)
{
    struct owner_bench *b = arg;

    for (unsigned int i = 0; i < BLOCKS; i++)
        b->sum += fault(b, ARENA + i * M2 + 0x12340);
    return BLOCKS;
}

static uint64_t c1b_spurious(void *arg)
{
    struct owner_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++)
        b->sum += fault(b, ARENA + i * UINT64_C(4096));
    return PAGES;
}

static uint64_t c1c_fault_page(void *arg)
{
    struct owner_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++) {
        if (i % 512)
            b->sum += fault(b, ARENA + i * UINT64_C(4096));
    }
    return PAGES - BLOCKS;
}

static uint64_t c11_guest_fault(void *arg)
{
    struct owner_bench *b = arg;

    for (unsigned int i = 0; i < PV_PAGES; i++)
        b->sum += fault(b, ARENA + i * UINT64_C(4096));
    return PV_PAGES;
}

/* ---- ranges and random order ---- */

static uint64_t c2r_share_random(void *arg)
{
    struct owner_bench *b = arg;

    for (unsigned int i = 0; i < RANDOM; i++) {
        must(hyp_host_share_hyp(&b->hyp, ARENA_PFN + b->shuffled[i]));
        must(hyp_host_unshare_hyp(&b->hyp, ARENA_PFN + b->shuffled[i]));
    }
    return RANDOM;
}

static uint64_t c5c_donate_range(void *arg)
{
    struct owner_bench *b = arg;

    for (unsigned int i = 0; i < BLOCKS; i++)
        must(hyp_host_donate_hyp(&b->hyp, ARENA_PFN + i * 512, 512));
    return PAGES;
}

static uint64_t c5d_give_back_range(void *arg)
{
    struct owner_bench *b = arg;

    for (unsigned int i = 0; i < BLOCKS; i++)
        must(hyp_hyp_donate_host(&b->hyp, ARENA_PFN + i * 512, 512));
    return PAGES;
}

/* The arena's pages are never tables: those must be zero. */
static void unzero(void *arg, bool off)
{
    struct owner_bench *b = arg;

    flat_leave(&b->flat, ARENA, off ? ARENA_END * 4096 - ARENA : 0);
}

/* ---- rows ---- */

static const struct shim_row rows[] = {
    {"C1 host abort -> 2M block", forget_blocks, c1_fault_block, NULL, NULL, 56.1, 0},
    {"C1c host abort -> 4K page", donated_first_pages, c1c_fault_page, take_first_pages_back, NULL,
     69.4, 0},
    {"C1b spurious host abort", reblock, c1b_spurious, NULL, NULL, 19.8, 0},
    {"C6 abort on hyp page, injected", donate_all, c1b_spurious, take_all_back, NULL, 25.0, 0},
    {"C2 host_share_hyp", reblock, share_hyp, unshare_hyp_untimed, NULL, 6.0, 0},
    {"C2b host_unshare_hyp", before_unshare, unshare_hyp, NULL, NULL, 6.2, 0},
    {"C2r share+unshare random", NULL, c2r_share_random, NULL, NULL, 13.8, 0},
    {"C3 first pin", before_unshare, pin, after_pin, NULL, 38.4, 0},
    {"C3b last unpin", before_unpin, unpin, unshare_hyp_untimed, NULL, 41.9, 0},
    {"C4 host_share_ffa", reblock, share_ffa, unshare_ffa_untimed, NULL, 6.8, 0},
    {"C5 host_donate_hyp", reblock, donate_hyp, give_back_untimed, NULL, 78.6, 0},
    {"C5b hyp_donate_host", donate_all, give_back, NULL, NULL, 93.7, 0},
    {"C5c donate 512 pages a call, per page", reblock, c5c_donate_range, give_back_untimed, NULL,
     43.3, 21.9},
    {"C5d give back 512 a call, per page", donate_all, c5d_give_back_range, NULL, NULL, 13.3, 0},
    {"C7 host_share_guest 4K", reblock, share_guest, unshare_guest_untimed, NULL, 73.3, 0},
    {"C7b host_unshare_guest 4K", before_wrprotect, unshare_guest, NULL, NULL, 60.7, 0},
    {"C7c share 2M", reblock, share_block, unshare_block_untimed, NULL, 621, 0},
    {"C7d unshare 2M", share_block_untimed, unshare_block, NULL, NULL, 513, 0},
    {"C8 guest wrprotect", before_wrprotect, wrprotect, unshare_guest_untimed, NULL, 26.1, 0},
    {"C8b guest relax", before_relax, relax, unshare_guest_untimed, NULL, 23.5, 0},
    {"C8c guest test-clear-young", before_wrprotect, clear_young, unshare_guest_untimed, NULL, 22.6,
     0},
    {"C9 host_donate_guest", reblock, donate_guest, reclaim_untimed, NULL, 110, 0},
    {"C9b reclaim page, with wipe", before_guest, reclaim, NULL, NULL, 205, 0},
    {"C10 guest share host", before_guest, guest_share, reclaim_untimed, NULL, 115, 0},
    {"C10b guest unshare host", before_guest_unshare, guest_unshare, reclaim_untimed, NULL, 113, 0},
    {"C11 abort on guest page, injected", before_guest, c11_guest_fault, reclaim_untimed, NULL,
     25.0, 0},
    {"C11b forced reclaim (poison)", before_guest, force, drop_poison, NULL, 227, 0},
};

int main(int argc, char **argv)
{
    struct owner_bench *b = flat_memory(sizeof(*b));

    flat_init(&b->flat, RAM_BASE, RAM_SIZE);
    b->flat.port.lock = bench_lock;
    b->flat.port.unlock = bench_unlock;
    b->next_page = GUESTS;
    b->shuffled = flat_permutation(RANDOM, 42);
    boot(b);
    make_guest(b, NP);
    make_guest(b, PV);
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shim_row row = rows[i];

        row.arg = b;
        shim_register(&row);
    }
    shim_bound("C2 host_share_hyp", 2, 0, SHIM_MEMSET);
    shim_bound("C2b host_unshare_hyp", 2, 0, SHIM_MEMSET);
    shim_bound("C2r share+unshare random", 4, 0, SHIM_MEMSET);
    shim_bound("C4 host_share_ffa", 1, 0, SHIM_MEMSET);
    shim_bound("C8 guest wrprotect", 2, 0, SHIM_MEMSET);
    shim_bound("C8b guest relax", 2, 0, SHIM_MEMSET);
    shim_bound("C9b reclaim page, with wipe", 2, 1, SHIM_WIPE);
    shim_bound("C11b forced reclaim (poison)", 2, 1, SHIM_WIPE);
    shim_without_zeroing(unzero, b);
    return shim_main(argc, argv, "Ownership (suite C)");
}
