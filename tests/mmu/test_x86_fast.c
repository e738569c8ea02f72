/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inline hit path against the full path on x86: two equal machines run the same random history
 * of accesses, table changes, invalidations and register writes, one of them through mmu_hit()
 * first. Outcomes, counters and the whole content of the TLBs must stay equal.
 */
#include <string.h>

#include "tests/mmu/support/x86.h"

#define PAGES 96u

enum sabotage { NONE, WRONG_ENTRY, LOST_USE, LOST_INVALIDATION };

struct pair {
    struct x86 slow, fast;
    uint64_t seed, fast_hits;
};

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static void change_registers(struct pair *pair)
{
    uint64_t pcid = next_random(&pair->seed) % 3, bits = next_random(&pair->seed);
    struct x86 *x[2] = {&pair->slow, &pair->fast};

    for (unsigned int i = 0; i < 2; i++) {
        struct mmu_x86_regs *regs = &x[i]->regs;
        regs->cr3 = (regs->cr3 & ~UINT64_C(0xfff)) | pcid;
        regs->cr0 = (regs->cr0 & ~MMU_X86_CR0_WP) | (bits & 1 ? MMU_X86_CR0_WP : 0);
        regs->cr4 = (regs->cr4 & ~(MMU_X86_CR4_SMEP | MMU_X86_CR4_SMAP)) |
                    (bits & 2 ? MMU_X86_CR4_SMEP : 0) | (bits & 4 ? MMU_X86_CR4_SMAP : 0);
        regs->vpid = (uint16_t)(1 + (bits >> 3 & 1));
        regs->eptp ^= bits & 0x10 ? MMU_X86_EPTP_AD : 0;
        x86_set(x[i]);
    }
}

static void change_tables(struct pair *pair)
{
    uint64_t page = next_random(&pair->seed) % PAGES, to = next_random(&pair->seed) % PAGES;
    uint64_t bits = next_random(&pair->seed), at = page << 12;
    uint64_t entry =
        (X86_GPA + (to << 12)) | X86_P | (bits & (X86_W | X86_U | X86_G)) | (bits & 1 ? X86_XD : 0);
    uint64_t nested = (X86_PA + at) | EPT_WB | EPT_R | (bits >> 8 & (EPT_W | EPT_X));

    if (bits % 11 == 0)
        entry = 0;
    x86_map(&pair->slow, X86_VA + at, 0, entry);
    x86_map(&pair->fast, X86_VA + at, 0, entry);
    if (bits % 7 == 0) {
        ept_map(&pair->slow, X86_GPA + at, 0, nested);
        ept_map(&pair->fast, X86_GPA + at, 0, nested);
    }
}

static void invalidate(struct pair *pair, bool skip_fast)
{
    unsigned int any = (unsigned int)(next_random(&pair->seed) % MMU_X86_INVLPGA);
    enum mmu_x86_op op = skip_fast ? MMU_X86_INVEPT_ALL : (enum mmu_x86_op)any;
    uint64_t start = X86_VA + (next_random(&pair->seed) % PAGES << 12);

    x86_inval(&pair->slow, op, start);
    if (!skip_fast)
        x86_inval(&pair->fast, op, start);
}

static struct mmu_result fast_access(struct pair *pair, const struct mmu_request *request)
{
    struct mmu_cpu *cpu = mmu_cpu(pair->fast.world.mmu, 0);
    struct mmu_result result = {0};

    if (mmu_hit(cpu, MMU_X86, request->el, (enum mmu_access)request->access, request->va,
                &result.pa)) {
        pair->fast_hits++;
        return result;
    }
    return world_request(&pair->fast.world, *request);
}

/* One access on both; false when the outcomes differ. */
static bool access_both(struct pair *pair, bool wrong_entry)
{
    uint64_t range = next_random(&pair->seed) % 4 ? 12 : PAGES;
    uint64_t page = next_random(&pair->seed) % range;
    uint64_t bits = next_random(&pair->seed);
    struct mmu_request request =
        x86_request(X86_VA + (page << 12) + (bits & 0xff8), (enum mmu_access)((bits >> 13) % 3),
                    (unsigned int)(bits >> 12 & 1));

    if (wrong_entry) {
        struct mmu_l1 *l1 = &mmu_cpu(pair->fast.world.mmu, 0)->l1[0];
        for (uint32_t i = 0; i < l1->tlb.sets * l1->tlb.ways; i++)
            l1->tlb.entries[i].pa ^= 0x1000;
    }
    struct mmu_result slow = world_request(&pair->slow.world, request);
    struct mmu_result fast = fast_access(pair, &request);
    return slow.pa.v == fast.pa.v && slow.fault == fast.fault && slow.stage == fast.stage &&
           slow.cycles == fast.cycles && slow.x86_flags == fast.x86_flags &&
           slow.x86_rights == fast.x86_rights;
}

static bool same_array(const struct mmu_tlb *a, const struct mmu_tlb *b)
{
    uint32_t entries = a->sets * a->ways;

    for (uint32_t i = 0; i < entries; i++) {
        if (a->keys[i] != b->keys[i])
            return false;
        if (a->keys[i] != 0 &&
            (a->entries[i].pa != b->entries[i].pa || a->entries[i].asid != b->entries[i].asid ||
             a->entries[i].root != b->entries[i].root ||
             a->entries[i].flags != b->entries[i].flags))
            return false;
    }
    return memcmp(a->stamp, b->stamp, entries * sizeof(uint64_t)) == 0;
}

static bool same_state(const struct pair *pair)
{
    const struct mmu_cpu *slow = mmu_cpu(pair->slow.world.mmu, 0);
    const struct mmu_cpu *fast = mmu_cpu(pair->fast.world.mmu, 0);
    const struct mmu_counters *a = mmu_counters(pair->slow.world.mmu);
    const struct mmu_counters *b = mmu_counters(pair->fast.world.mmu);

    return memcmp(a, b, sizeof(*a)) == 0 && slow->tick == fast->tick &&
           same_array(&slow->l1[0].tlb, &fast->l1[0].tlb) &&
           same_array(&slow->l1[1].tlb, &fast->l1[1].tlb) && same_array(&slow->l2, &fast->l2) &&
           same_array(&slow->walk_cache, &fast->walk_cache) &&
           same_array(&slow->ipa_cache, &fast->ipa_cache) &&
           memcmp(pair->slow.world.words, pair->fast.world.words, pair->slow.world.next) == 0;
}

static void open_pair(struct pair *pair, enum mmu_repl repl, uint64_t seed)
{
    struct mmu_config config = world_full_config();
    struct x86 *x[2] = {&pair->slow, &pair->fast};

    config.l1d.repl = config.l1i.repl = repl;
    config.ipa_cache_tables = seed % 2;
    *pair = (struct pair){.seed = seed};
    for (unsigned int i = 0; i < 2; i++) {
        x86_open(x[i], &config, 4, 4, 0);
        x86_pages(x[i], PAGES);
    }
}

/* Steps until the machines differ, or `steps`. */
static unsigned int run(enum mmu_repl repl, uint64_t seed, unsigned int steps,
                        enum sabotage sabotage, unsigned int at)
{
    struct pair pair;
    unsigned int n;
    bool same = true;

    open_pair(&pair, repl, seed);
    for (n = 0; n < steps; n++) {
        bool now = sabotage != NONE && n == at;
        uint64_t what = now ? 255 : next_random(&pair.seed) % 256;
        if (now && sabotage == LOST_INVALIDATION)
            invalidate(&pair, true);
        else if (what == 0)
            change_registers(&pair);
        else if (what < 4)
            change_tables(&pair);
        else if (what < 7)
            invalidate(&pair, false);
        else
            same = access_both(&pair, now && sabotage == WRONG_ENTRY);
        if (now && sabotage == LOST_USE)
            mmu_cpu(pair.fast.world.mmu, 0)->l1[0].tlb.stamp[0] ^= 1;
        if (!same || (n % 64 == 63 && !same_state(&pair)))
            break;
    }
    if (sabotage == NONE)
        assert_true(pair.fast_hits > steps / 8);
    x86_close(&pair.slow);
    x86_close(&pair.fast);
    return n;
}

static void the_fast_path_is_the_slow_path_under_every_policy(void **state)
{
    (void)state;
    for (unsigned int repl = MMU_REPL_LRU; repl <= MMU_REPL_FIFO; repl++)
        for (uint64_t seed = 1; seed <= 3; seed++)
            assert_int_equal(run((enum mmu_repl)repl, seed, 12000, NONE, 0), 12000);
}

/* Step 3007 is followed by a comparison of the whole state. */
static void the_comparison_catches_what_is_done_to_one_machine(void **state)
{
    (void)state;
    for (unsigned int sabotage = WRONG_ENTRY; sabotage <= LOST_INVALIDATION; sabotage++)
        assert_in_range(run(MMU_REPL_LRU, 2, 12000, (enum sabotage)sabotage, 3007), 3007, 3007);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fast_path_is_the_slow_path_under_every_policy),
        cmocka_unit_test(the_comparison_catches_what_is_done_to_one_machine),
    };

    return cmocka_run_group_tests_name("x86_fast", tests, NULL, NULL);
}
