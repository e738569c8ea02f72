/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hits, refills and walk structures: exact cycles and counters, page sizes, tags, memory types. */
#include "tests/mmu/support/world.h"

#define PAGE(n) (TWO_VA + ((uint64_t)(n) << 12))

static const struct mmu_counters *counters(const struct two_stage *two)
{
    return mmu_counters(two->world.mmu);
}

/* ---- cycles ---- */

static void the_first_walk_pays_for_each_read_and_each_lookup(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    /* 4 levels over 3: of the 19 reads, the ipa cache saves none of the first table; all tables are
     * in one page each, so each of the four stage-1 tables costs 3 + 1 and the result 3. Lines: the
     * stage-2 walks of the tables share their level-1 and level-2 lines after the first. */
    struct mmu_result result = world_load(&two.world, PAGE(0));
    assert_int_equal(result.refs_s1, 4);
    assert_int_equal(result.refs_s2, 15);
    uint64_t misses = counters(&two)->table_memory, hits = counters(&two)->table_hits_c1;
    assert_int_equal(misses + hits, 19);
    assert_int_equal(result.cycles, 22 + 19 * 1 + misses * 500 + hits * 4);
    assert_int_equal(counters(&two)->cycles_walk, result.cycles);
    two_stage_close(&two);
}

static void an_l1_hit_an_l2_hit_and_a_cached_walk_cost_exactly_this(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.l1d.entries = 2;
    two_stage_open(&two, &config, 64);
    world_load(&two.world, PAGE(0));
    assert_int_equal(world_load(&two.world, PAGE(0)).cycles, 0);
    world_load(&two.world, PAGE(1));
    world_load(&two.world, PAGE(2));
    struct mmu_result result = world_load(&two.world, PAGE(0));
    assert_int_equal(result.source, MMU_SRC_L2);
    assert_int_equal(result.cycles, 7);
    assert_int_equal(counters(&two)->cycles_l2, 7);
    /* Walk cache 2, the leaf table's line 4 + 1, ipa cache 3, overhead 22. */
    world_inval(&two.world, MMU_TLBI_VALE1, PAGE(0), 0);
    result = world_load(&two.world, PAGE(0));
    assert_int_equal(result.source, MMU_SRC_WALK);
    assert_int_equal(result.refs_s1, 1);
    assert_int_equal(result.refs_s2, 0);
    assert_int_equal(result.cycles, 22 + 2 + 4 + 1 + 3);
    two_stage_close(&two);
}

static void a_new_page_of_a_known_table_walks_only_its_own_stage_2(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 64);
    world_load(&two.world, PAGE(0));
    struct mmu_result result = world_load(&two.world, PAGE(1));
    /* Walk cache hit, leaf line known; ipa unknown: three reads, all in known lines. */
    assert_int_equal(result.refs_s1, 1);
    assert_int_equal(result.refs_s2, 3);
    assert_int_equal(result.cycles, 22 + 2 + (4 + 1) + 3 * (4 + 1));
    assert_int_equal(counters(&two)->walk_cache_hits, 1);
    assert_int_equal(counters(&two)->walk_cache_misses, 1);
    two_stage_close(&two);
}

static void table_reads_fall_through_the_data_caches(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_bare_config();

    (void)state;
    /* One line in the first level, two in the second, four in the third. */
    config.cache[0] = (struct mmu_cache_config){64, 1, 64, 4};
    config.cache[1] = (struct mmu_cache_config){128, 2, 64, 10};
    config.cache[2] = (struct mmu_cache_config){256, 4, 64, 40};
    two_stage_open(&two, &config, 8);
    two.world.regs.hcr = 0; /* native: four reads of four lines */
    two.world.regs.ttbr1 = two.s1.root;
    world_set(&two.world, MMU_EL10);
    for (unsigned int level = 3; level > 0; level--) { /* tables at their physical addresses */
        uint64_t slot = tree_slot(&two.s1, PAGE(0), level);
        world_write(&two.world, slot, world_read(&two.world, slot) - TWO_DELTA);
        two.s1.delta = 0;
    }
    assert_int_equal(world_load(&two.world, PAGE(0)).cycles, 400);
    assert_int_equal(world_load(&two.world, PAGE(0)).cycles, 160);
    assert_int_equal(counters(&two)->table_hits_c3, 4);
    assert_int_equal(counters(&two)->table_memory, 4);
    two_stage_close(&two);
}

/* ---- sizes ---- */

static void a_size_that_is_not_native_is_cut_to_the_next_smaller(void **state)
{
    static const struct {
        uint32_t shifts;
        unsigned int held;
    } row[] = {{0, 21},
               {1u << 12 | 1u << 21, 21},
               {1u << 12 | 1u << 16, 16},
               {1u << 12, 12},
               {1u << 12 | 1u << 30, 12}};

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct two_stage two;
        struct mmu_config config = world_full_config();
        config.l1d.page_shifts = row[i].shifts;
        two_stage_open(&two, &config, 8);
        tree_set(&two.s1, TWO_VA, 1, TWO_IPA | S1_BLOCK);
        tree_set(&two.s2, TWO_IPA, 1, TWO_PA | S2_BLOCK);
        uint64_t va = TWO_VA + 0x123456;
        assert_int_equal(world_load(&two.world, va).page_shift, 21);
        struct mmu_result result = world_load(&two.world, va);
        assert_int_equal(result.source, MMU_SRC_L1);
        assert_int_equal(result.page_shift, row[i].held);
        assert_int_equal(result.pa.v, TWO_PA + 0x123456);
        /* The last byte of the piece hits, the first one after it asks the L2. */
        uint64_t size = UINT64_C(1) << row[i].held, end = (va & -size) + size;
        assert_int_equal(world_load(&two.world, end - 8).source, MMU_SRC_L1);
        if (row[i].held < 21) {
            result = world_load(&two.world, end);
            assert_int_equal(result.source, MMU_SRC_L2);
            assert_int_equal(result.pa.v, TWO_PA + end - TWO_VA);
        }
        two_stage_close(&two);
    }
}

static void a_page_smaller_than_every_native_size_is_not_held(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.l1d.page_shifts = 1u << 21;
    two_stage_open(&two, &config, 8);
    world_load(&two.world, PAGE(0));
    assert_int_equal(world_load(&two.world, PAGE(0)).source, MMU_SRC_L2);
    two_stage_close(&two);
}

static void a_1g_guest_page_over_4k_has_the_reach_of_4k(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.l2.entries = 0;
    two_stage_open(&two, &config, 64);
    tree_set(&two.s1, TWO_VA, 2, TWO_IPA | S1_BLOCK);
    for (unsigned int round = 0; round < 3; round++)
        for (uint64_t page = 0; page < 17; page++)
            world_load(&two.world, PAGE(page));
    assert_int_equal(counters(&two)->l1_misses_read, 51);
    two_stage_close(&two);
}

/* ---- arrays ---- */

static void fetches_have_an_l1_of_their_own_and_share_the_l2(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    world_load(&two.world, PAGE(0));
    assert_int_equal(world_access(&two.world, PAGE(0), MMU_FETCH, 1).source, MMU_SRC_L2);
    assert_int_equal(world_access(&two.world, PAGE(0), MMU_FETCH, 1).source, MMU_SRC_L1);
    assert_int_equal(counters(&two)->l1_misses_fetch, 1);
    assert_int_equal(counters(&two)->l1_hits_fetch, 1);
    assert_int_equal(counters(&two)->l1_misses_read, 1);
    two_stage_close(&two);
}

static void sets_need_not_be_a_power_of_two(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.l1d = (struct mmu_tlb_config){.entries = 12, .ways = 2};
    two_stage_open(&two, &config, 64);
    for (uint64_t page = 0; page < 12; page++) /* two in each of the six sets */
        world_load(&two.world, PAGE(page));
    for (uint64_t page = 0; page < 12; page++)
        assert_int_equal(world_load(&two.world, PAGE(page)).source, MMU_SRC_L1);
    world_load(&two.world, PAGE(12));
    unsigned int lost = 0;
    for (uint64_t page = 0; page < 12; page++)
        lost += world_load(&two.world, PAGE(page)).source != MMU_SRC_L1;
    assert_int_equal(lost, 2); /* the one replaced, and the one that its return replaces */
    two_stage_close(&two);
}

static void a_machine_without_l2_walks_on_every_l1_miss(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.l2.entries = 0;
    config.l1d.entries = 1;
    two_stage_open(&two, &config, 8);
    for (unsigned int i = 0; i < 6; i++)
        assert_int_equal(world_load(&two.world, PAGE(i % 2)).source, MMU_SRC_WALK);
    assert_int_equal(counters(&two)->walks, 6);
    two_stage_close(&two);
}

static void an_l2_that_holds_walks_serves_tables_and_block_results(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.l2_holds_walks = true;
    config.ipa_cache = (struct mmu_tlb_config){.page_shifts = 1u << 21 | 1u << 30, .hit_cycles = 3};
    two_stage_open(&two, &config, 64);
    tree_set(&two.s2, TWO_IPA, 1, TWO_PA | S2_BLOCK);
    world_load(&two.world, PAGE(0));
    struct mmu_result result = world_load(&two.world, PAGE(1));
    assert_int_equal(result.refs_s1, 1);
    assert_int_equal(result.refs_s2, 0); /* the 2M result was kept */
    assert_int_equal(result.cycles, 22 + 2 + 5 + 3);
    two_stage_close(&two);
}

static void an_l2_that_holds_walks_does_not_keep_page_results(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.l2_holds_walks = true;
    config.ipa_cache = (struct mmu_tlb_config){.page_shifts = 1u << 21 | 1u << 30};
    two_stage_open(&two, &config, 64);
    world_load(&two.world, PAGE(0));
    world_inval(&two.world, MMU_TLBI_VALE1, PAGE(0), 0);
    struct mmu_result result = world_load(&two.world, PAGE(0));
    assert_int_equal(result.refs_s1, 1);
    assert_int_equal(result.refs_s2, 3);
    two_stage_close(&two);
}

static void a_table_that_stage_2_scatters_is_not_kept(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_full_config();
    struct tree s1, s2;

    (void)state;
    world_open(&world, &config);
    tree_init(&s1, &world, 16, 48, 2, 0); /* 64K tables over 4K pages */
    tree_init(&s2, &world, 12, 40, 2, 0);
    tree_set(&s1, 0x10000, 0, TWO_IPA | S1_PAGE);
    tree_set(&s1, 0x10000 + (UINT64_C(0x1fff) << 16), 0, TWO_IPA | S1_PAGE);
    tree_range(&s2, 0, UINT64_C(4) << 20, 0, 0, S2_PAGE);
    tree_range(&s2, TWO_IPA, 0x10000, 0, TWO_PA, S2_PAGE);
    world_regs(&world, &s1, &s2);
    assert_int_equal(world_load(&world, 0x10000).pa.v, TWO_PA);
    assert_int_equal(world_load(&world, 0x10000).page_shift, 12);
    assert_int_equal(world_load(&world, 0x1f000).pa.v, TWO_PA + 0xf000);
    assert_int_equal(mmu_counters(world.mmu)->walk_cache_hits, 0);
    world_close(&world);
}

/* ---- tags (the classes of bugs that other models and cores had: peers.md section 8) ---- */

static void a_hit_needs_the_vmid(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    world_vmid(&two.world, 1);
    world_load(&two.world, PAGE(0));
    world_vmid(&two.world, 2);
    struct mmu_result result = world_load(&two.world, PAGE(0));
    assert_int_equal(result.source, MMU_SRC_WALK);
    assert_int_equal(result.refs_s1, 4); /* neither walk cache nor ipa cache of VMID 1 */
    assert_int_equal(result.refs_s2, 15);
    world_vmid(&two.world, 1);
    assert_int_equal(world_load(&two.world, PAGE(0)).source, MMU_SRC_L1);
    two_stage_close(&two);
}

static void a_hit_needs_the_asid_unless_global(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    tree_set(&two.s1, PAGE(1), 0, (TWO_IPA + 0x1000) | S1_PAGE | S1_NG);
    world_asid(&two.world, 1);
    world_load(&two.world, PAGE(0));
    world_load(&two.world, PAGE(1));
    world_asid(&two.world, 2);
    assert_int_equal(world_load(&two.world, PAGE(0)).source, MMU_SRC_L1);
    assert_int_equal(world_load(&two.world, PAGE(1)).source, MMU_SRC_WALK);
    two_stage_close(&two);
}

static void sixteen_bit_ids_need_their_control_bits(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    two.world.regs.vtcr &= ~(UINT64_C(1) << 19); /* VS = 0: 8 bits */
    world_vmid(&two.world, 0x101);
    world_load(&two.world, PAGE(0));
    world_vmid(&two.world, 0x201);
    assert_int_equal(world_load(&two.world, PAGE(0)).source, MMU_SRC_L1);
    two.world.regs.vtcr |= UINT64_C(1) << 19;
    world_set(&two.world, MMU_EL10);
    assert_int_equal(world_load(&two.world, PAGE(0)).source, MMU_SRC_WALK);
    two_stage_close(&two);
}

static void regimes_do_not_hit_each_others_entries(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();
    struct mmu_request request = {.va = 0x3000, .el = 1};
    struct tree el2;

    (void)state;
    two_stage_open(&two, &config, 8);
    tree_init(&el2, &two.world, 12, 48, 3, 0);
    tree_set(&el2, 0x3000, 0, 0x555000 | S1_PAGE);
    tree_set(&two.s1, 0x3000, 0, TWO_IPA | S1_PAGE);
    world_request(&two.world, request);
    two.world.regs.ttbr0 = el2.root;
    world_set(&two.world, MMU_EL20);
    two.world.regs.tcr = 16 | UINT64_C(5) << 16;
    world_set(&two.world, MMU_EL2);
    for (unsigned int regime = MMU_EL2; regime <= MMU_EL20; regime++) {
        request.regime = (uint8_t)regime;
        request.el = 2;
        struct mmu_result result = world_request(&two.world, request);
        assert_int_equal(result.source, MMU_SRC_WALK);
        assert_int_equal(result.pa.v, 0x555000);
        assert_int_equal(result.refs_s2, 0); /* stage 2 is of EL1&0 alone */
    }
    request.regime = MMU_EL10;
    request.el = 1;
    assert_int_equal(world_request(&two.world, request).pa.v, TWO_PA);
    two_stage_close(&two);
}

static void an_empty_entry_is_never_installed(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    for (unsigned int access = MMU_READ; access <= MMU_FETCH; access++)
        assert_int_equal(world_access(&two.world, PAGE(9), (enum mmu_access)access, 1).fault,
                         MMU_FAULT_TRANSLATION);
    struct mmu_cpu *cpu = mmu_cpu(two.world.mmu, 0);
    assert_int_equal(cpu->l1[0].tlb.count + cpu->l1[1].tlb.count + cpu->l2.count, 0);
    two_stage_close(&two);
}

static void a_miss_is_counted_once_and_sums_are_right(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 64);
    for (unsigned int i = 0; i < 500; i++)
        world_access(&two.world, PAGE(i * 7 % 40), (enum mmu_access)(i % 3), 1);
    const struct mmu_counters *c = counters(&two);
    uint64_t hits = c->l1_hits_read + c->l1_hits_write + c->l1_hits_fetch;
    uint64_t misses = c->l1_misses_read + c->l1_misses_write + c->l1_misses_fetch;
    assert_int_equal(c->accesses, 500);
    assert_int_equal(hits + misses, 500);
    assert_int_equal(c->l2_hits + c->l2_misses, misses);
    assert_int_equal(c->walks, c->l2_misses);
    assert_int_equal(c->walks, 40);
    assert_int_equal(c->l1_fills, misses);
    two_stage_close(&two);
}

static void upper_levels_of_the_walk_cache_shorten_walks_to_new_tables(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    tree_set(&two.s1, TWO_VA + 0x200000, 0, TWO_IPA | S1_PAGE);
    tree_set(&two.s1, TWO_VA + 0x40000000, 0, TWO_IPA | S1_PAGE);
    world_load(&two.world, PAGE(0));
    assert_int_equal(world_load(&two.world, TWO_VA + 0x200000).refs_s1, 2);
    assert_int_equal(world_load(&two.world, TWO_VA + 0x40000000).refs_s1, 3);
    assert_int_equal(world_load(&two.world, TWO_VA + 0x40000000).pa.v, TWO_PA);
    two_stage_close(&two);
}

/* ---- memory types ---- */

static uint8_t type_of(unsigned int mair, unsigned int memattr, bool fwb)
{
    struct two_stage two;
    struct mmu_config config = world_bare_config();

    two_stage_open(&two, &config, 1);
    two.world.regs.mair = (uint64_t)mair << 16; /* attribute 2 */
    two.world.regs.fwb = fwb;
    world_set(&two.world, MMU_EL10);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | S1_PAGE | 2u << 2);
    tree_set(&two.s2, TWO_IPA, 0, TWO_PA | (S2_PAGE & ~UINT64_C(0x3c)) | memattr << 2);
    uint8_t attr = world_load(&two.world, TWO_VA).attr;
    two_stage_close(&two);
    return attr;
}

static void without_fwb_the_weaker_type_wins(void **state)
{
    (void)state;
    assert_int_equal(type_of(0xff, 0xf, false), 0xff);
    assert_int_equal(type_of(0xff, 0x5, false), 0x44);
    assert_int_equal(type_of(0xff, 0x1, false), 0x04);
    assert_int_equal(type_of(0xff, 0x0, false), 0x00);
    assert_int_equal(type_of(0x44, 0xf, false), 0x44);
    assert_int_equal(type_of(0x04, 0xf, false), 0x04);
    assert_int_equal(type_of(0x0c, 0x1, false), 0x04);
    assert_int_equal(type_of(0x00, 0x3, false), 0x00);
    assert_int_equal(type_of(0xbb, 0xf, false), 0xbb);
    assert_int_equal(type_of(0xff, 0xa, false), 0xbb);
}

static void with_fwb_stage_2_overrides(void **state)
{
    (void)state;
    assert_int_equal(type_of(0x44, 0x6, true), 0xff);
    assert_int_equal(type_of(0x00, 0x6, true), 0xff);
    assert_int_equal(type_of(0x44, 0x7, true), 0x44);
    assert_int_equal(type_of(0xff, 0x7, true), 0xff);
    assert_int_equal(type_of(0xff, 0x5, true), 0x44);
    assert_int_equal(type_of(0x04, 0x5, true), 0x04);
    assert_int_equal(type_of(0xff, 0x1, true), 0x04);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_walk_pays_for_each_read_and_each_lookup),
        cmocka_unit_test(an_l1_hit_an_l2_hit_and_a_cached_walk_cost_exactly_this),
        cmocka_unit_test(a_new_page_of_a_known_table_walks_only_its_own_stage_2),
        cmocka_unit_test(table_reads_fall_through_the_data_caches),
        cmocka_unit_test(a_size_that_is_not_native_is_cut_to_the_next_smaller),
        cmocka_unit_test(a_page_smaller_than_every_native_size_is_not_held),
        cmocka_unit_test(a_1g_guest_page_over_4k_has_the_reach_of_4k),
        cmocka_unit_test(fetches_have_an_l1_of_their_own_and_share_the_l2),
        cmocka_unit_test(sets_need_not_be_a_power_of_two),
        cmocka_unit_test(a_machine_without_l2_walks_on_every_l1_miss),
        cmocka_unit_test(an_l2_that_holds_walks_serves_tables_and_block_results),
        cmocka_unit_test(an_l2_that_holds_walks_does_not_keep_page_results),
        cmocka_unit_test(a_table_that_stage_2_scatters_is_not_kept),
        cmocka_unit_test(a_hit_needs_the_vmid),
        cmocka_unit_test(a_hit_needs_the_asid_unless_global),
        cmocka_unit_test(sixteen_bit_ids_need_their_control_bits),
        cmocka_unit_test(regimes_do_not_hit_each_others_entries),
        cmocka_unit_test(an_empty_entry_is_never_installed),
        cmocka_unit_test(a_miss_is_counted_once_and_sums_are_right),
        cmocka_unit_test(upper_levels_of_the_walk_cache_shorten_walks_to_new_tables),
        cmocka_unit_test(without_fwb_the_weaker_type_wins),
        cmocka_unit_test(with_fwb_stage_2_overrides),
    };

    return cmocka_run_group_tests_name("tlb", tests, NULL, NULL);
}
