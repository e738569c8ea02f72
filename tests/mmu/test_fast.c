/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inline hit path against the full path: two equal machines run the same random history of
 * accesses, table changes, invalidations and register writes, one of them through mmu_hit() first.
 * Outcomes, counters and the whole content of the TLBs must stay equal.
 */
#include <string.h>

#include "tests/mmu/support/world.h"

#define PAGES 96u

enum sabotage { NONE, WRONG_ENTRY, LOST_USE, LOST_INVALIDATION };

struct pair {
    struct two_stage slow, fast;
    uint64_t seed;
    uint64_t fast_hits;
};

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static void both_regs(struct pair *pair)
{
    world_set(&pair->slow.world, MMU_EL10);
    world_set(&pair->fast.world, MMU_EL10);
}

static void change_registers(struct pair *pair)
{
    uint64_t asid = next_random(&pair->seed) % 3, vmid = next_random(&pair->seed) % 2;
    bool pan = next_random(&pair->seed) % 2;
    struct world *world[2] = {&pair->slow.world, &pair->fast.world};

    for (unsigned int i = 0; i < 2; i++) {
        uint64_t low = UINT64_C(0xffffffffffff);
        world[i]->regs.ttbr0 = (world[i]->regs.ttbr0 & low) | asid << 48;
        world[i]->regs.vttbr = (world[i]->regs.vttbr & low) | vmid << 48;
        world[i]->regs.pan = pan;
    }
    both_regs(pair);
}

static void change_tables(struct pair *pair)
{
    uint64_t page = next_random(&pair->seed) % PAGES, to = next_random(&pair->seed) % PAGES;
    uint64_t bits = next_random(&pair->seed);
    uint64_t desc = (TWO_IPA + (to << 12)) | S1_PAGE | (bits & 1 ? S1_NG : 0) |
                    (bits & 2 ? S1_RO : 0) | (bits & 4 ? S1_EL0 : 0);

    if (bits % 11 == 0)
        desc = 0;
    tree_set(&pair->slow.s1, TWO_VA + (page << 12), 0, desc);
    tree_set(&pair->fast.s1, TWO_VA + (page << 12), 0, desc);
}

static void invalidate(struct pair *pair, bool skip_fast)
{
    static const enum mmu_tlbi ops[] = {MMU_TLBI_VMALLE1,    MMU_TLBI_VAE1,    MMU_TLBI_VAALE1,
                                        MMU_TLBI_ASIDE1,     MMU_TLBI_RVAALE1, MMU_TLBI_IPAS2E1,
                                        MMU_TLBI_VMALLS12E1, MMU_TLBI_VAE1,    MMU_TLBI_VAE1};
    enum mmu_tlbi op = ops[next_random(&pair->seed) % 9];
    uint64_t start = TWO_VA + (next_random(&pair->seed) % PAGES << 12);

    if (op == MMU_TLBI_IPAS2E1)
        start = start - TWO_VA + TWO_IPA;
    world_inval(&pair->slow.world, op, start, 0x3000);
    if (!skip_fast)
        world_inval(&pair->fast.world, op, start, 0x3000);
}

static struct mmu_result fast_access(struct pair *pair, const struct mmu_request *request)
{
    struct mmu_cpu *cpu = mmu_cpu(pair->fast.world.mmu, 0);
    struct mmu_result result = {0};

    if (mmu_hit(cpu, MMU_EL10, request->el, (enum mmu_access)request->access, request->va,
                &result.pa)) {
        pair->fast_hits++;
        return result;
    }
    return world_request(&pair->fast.world, *request);
}

/* One access on both; false when the outcomes differ. */
static bool access_both(struct pair *pair, bool wrong_entry)
{
    uint64_t page = next_random(&pair->seed) % (next_random(&pair->seed) % 4 ? 12 : PAGES);
    uint64_t bits = next_random(&pair->seed);
    struct mmu_request request = {.va = TWO_VA + (page << 12) + (bits & 0xff8),
                                  .el = (uint8_t)(bits >> 12 & 1),
                                  .access = (uint8_t)((bits >> 13) % 3)};

    if (wrong_entry) {
        struct mmu_l1 *l1 = &mmu_cpu(pair->fast.world.mmu, 0)->l1[0];
        l1->tlb.entries[l1->front[(request.va >> 12) % MMU_FRONT_PAGES]].pa ^= 0x1000;
        request.access = MMU_READ;
    }
    struct mmu_result slow = world_request(&pair->slow.world, request);
    struct mmu_result fast = fast_access(pair, &request);
    return slow.pa.v == fast.pa.v && slow.fault == fast.fault && slow.stage == fast.stage &&
           slow.cycles == fast.cycles;
}

static bool same_array(const struct mmu_tlb *a, const struct mmu_tlb *b)
{
    uint32_t entries = a->sets * a->ways;

    for (uint32_t i = 0; i < entries; i++) {
        if (a->keys[i] != b->keys[i])
            return false;
        if (a->keys[i] != 0 &&
            (a->entries[i].pa != b->entries[i].pa || a->entries[i].asid != b->entries[i].asid ||
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
           same_array(&slow->ipa_cache, &fast->ipa_cache);
}

static void open_pair(struct pair *pair, enum mmu_repl repl, uint64_t seed)
{
    struct mmu_config config = world_full_config();

    config.l1d.repl = config.l1i.repl = repl;
    *pair = (struct pair){.seed = seed};
    two_stage_open(&pair->slow, &config, PAGES);
    two_stage_open(&pair->fast, &config, PAGES);
    both_regs(pair);
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
        uint64_t what = next_random(&pair.seed) % 256;
        if (what == 0)
            change_registers(&pair);
        else if (what < 4)
            change_tables(&pair);
        else if (what < 8 || (sabotage == LOST_INVALIDATION && n == at))
            invalidate(&pair, sabotage == LOST_INVALIDATION && n == at);
        else
            same = access_both(&pair, sabotage == WRONG_ENTRY && n == at);
        if (sabotage == LOST_USE && n == at)
            mmu_cpu(pair.fast.world.mmu, 0)->l1[0].tlb.stamp[0] ^= 1;
        if (!same || (n % 64 == 63 && !same_state(&pair)))
            break;
    }
    if (sabotage == NONE)
        assert_true(pair.fast_hits > steps / 8);
    two_stage_close(&pair.slow);
    two_stage_close(&pair.fast);
    return n;
}

static void the_fast_path_is_the_slow_path_under_every_policy(void **state)
{
    (void)state;
    for (unsigned int repl = MMU_REPL_LRU; repl <= MMU_REPL_FIFO; repl++)
        for (uint64_t seed = 1; seed <= 4; seed++)
            assert_int_equal(run((enum mmu_repl)repl, seed, 20000, NONE, 0), 20000);
}

static void the_comparison_catches_a_wrong_entry(void **state)
{
    (void)state;
    assert_in_range(run(MMU_REPL_LRU, 1, 20000, WRONG_ENTRY, 3000), 3000, 3100);
}

static void the_comparison_catches_a_lost_use(void **state)
{
    (void)state;
    assert_in_range(run(MMU_REPL_LRU, 2, 20000, LOST_USE, 3000), 3000, 3100);
}

static void the_comparison_catches_a_lost_invalidation(void **state)
{
    (void)state;
    assert_in_range(run(MMU_REPL_LRU, 3, 20000, LOST_INVALIDATION, 3000), 3000, 3100);
}

/* ---- what the fast path must not do ---- */

static bool quick(struct two_stage *two, uint64_t va, enum mmu_access access, unsigned int el)
{
    hyp_pa_t pa = {0xdead};
    struct mmu_counters before = *mmu_counters(two->world.mmu), after;
    bool hit = mmu_hit(mmu_cpu(two->world.mmu, 0), MMU_EL10, el, access, va, &pa);

    after = *mmu_counters(two->world.mmu);
    if (!hit) {
        assert_int_equal(pa.v, 0xdead);
        assert_memory_equal(&before, &after, sizeof(after));
    }
    return hit;
}

static void a_refusal_changes_nothing_and_a_hit_needs_the_right_itself(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | S1_PAGE | S1_RO);
    assert_false(quick(&two, TWO_VA, MMU_READ, 1));
    world_load(&two.world, TWO_VA);
    assert_true(quick(&two, TWO_VA + 0xfff, MMU_READ, 1));
    assert_false(quick(&two, TWO_VA, MMU_WRITE, 1));
    assert_false(quick(&two, TWO_VA, MMU_READ, 0));
    assert_false(quick(&two, TWO_VA, MMU_FETCH, 1));
    assert_false(quick(&two, TWO_VA + 0x1000, MMU_READ, 1));
    /* The same slot of the way prediction, another page. */
    assert_false(quick(&two, TWO_VA + (MMU_FRONT_PAGES << 12), MMU_READ, 1));
    two_stage_close(&two);
}

static void a_register_write_or_invalidation_ends_fast_hits(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    world_load(&two.world, TWO_VA);
    assert_true(quick(&two, TWO_VA, MMU_READ, 1));
    world_vmid(&two.world, 5);
    assert_false(quick(&two, TWO_VA, MMU_READ, 1));
    world_vmid(&two.world, 0);
    assert_int_equal(world_load(&two.world, TWO_VA).source, MMU_SRC_L1);
    assert_true(quick(&two, TWO_VA, MMU_READ, 1));
    world_inval(&two.world, MMU_TLBI_VAE1, TWO_VA, 0);
    assert_false(quick(&two, TWO_VA, MMU_READ, 1));
    two_stage_close(&two);
}

static void a_page_that_must_be_marked_dirty_is_not_hit_by_a_write(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    two.world.regs.hafdbs = true;
    two.world.regs.tcr |= UINT64_C(3) << 39;
    world_set(&two.world, MMU_EL10);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | S1_PAGE | S1_RO | S1_DBM);
    world_load(&two.world, TWO_VA);
    assert_true(quick(&two, TWO_VA, MMU_READ, 1));
    assert_false(quick(&two, TWO_VA, MMU_WRITE, 1));
    world_access(&two.world, TWO_VA, MMU_WRITE, 1);
    assert_true(quick(&two, TWO_VA, MMU_WRITE, 1));
    two_stage_close(&two);
}

static void blocks_are_predicted_across_their_pages(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    tree_set(&two.s1, TWO_VA, 1, TWO_IPA | S1_BLOCK);
    tree_set(&two.s2, TWO_IPA, 1, TWO_PA | S2_BLOCK);
    world_load(&two.world, TWO_VA);
    for (uint64_t page = 1; page < 512; page++)
        assert_true(quick(&two, TWO_VA + (page << 12), MMU_READ, 1));
    two_stage_close(&two);
}

static void with_every_access_checked_nothing_is_fast(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.stale = MMU_STALE_ALL;
    two_stage_open(&two, &config, 8);
    world_load(&two.world, TWO_VA);
    assert_false(quick(&two, TWO_VA, MMU_READ, 1));
    two_stage_close(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fast_path_is_the_slow_path_under_every_policy),
        cmocka_unit_test(the_comparison_catches_a_wrong_entry),
        cmocka_unit_test(the_comparison_catches_a_lost_use),
        cmocka_unit_test(the_comparison_catches_a_lost_invalidation),
        cmocka_unit_test(a_refusal_changes_nothing_and_a_hit_needs_the_right_itself),
        cmocka_unit_test(a_register_write_or_invalidation_ends_fast_hits),
        cmocka_unit_test(a_page_that_must_be_marked_dirty_is_not_hit_by_a_write),
        cmocka_unit_test(blocks_are_predicted_across_their_pages),
        cmocka_unit_test(with_every_access_checked_nothing_is_fast),
    };

    return cmocka_run_group_tests_name("fast", tests, NULL, NULL);
}
