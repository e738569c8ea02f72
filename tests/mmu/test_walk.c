/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks over hand-made tables: how many descriptors are read, and what comes out. */
#include "tests/mmu/support/world.h"

/* ---- reference counts, all caches off (costs.md 1.2) ---- */

/* `s1_levels` over `s2_levels` with 4K granule and pages at the end of both; 0: stage off. Leaves
 * of stage 1 are at s1_leaf. */
static struct mmu_result walk_shape(unsigned int s1_start, unsigned int s1_leaf,
                                    unsigned int s2_start, unsigned int s2_leaf)
{
    struct world world = {0};
    struct tree s1, s2;
    struct mmu_config config = world_bare_config();
    struct mmu_result result;
    unsigned int va_bits = s1_start == 3 ? 48 : 39, ipa_bits = s2_start == 3 ? 48 : 39;
    uint64_t va = -(UINT64_C(1) << (va_bits - 1)), out = UINT64_C(0x1c0000000);

    world_open(&world, &config);
    tree_init(&s1, &world, 12, va_bits, s1_start, 0);
    tree_set(&s1, va, s1_leaf, out | (s1_leaf ? S1_BLOCK : S1_PAGE));
    tree_init(&s2, &world, 12, ipa_bits, s2_start, 0);
    tree_set(&s2, out, s2_leaf, out | (s2_leaf ? S2_BLOCK : S2_PAGE));
    for (uint64_t page = 0; page < UINT64_C(4) << 20; page += UINT64_C(1) << (12 + 9 * s2_leaf))
        tree_set(&s2, page, s2_leaf, page | (s2_leaf ? S2_BLOCK : S2_PAGE));
    world_regs(&world, &s1, &s2);
    result = world_load(&world, va + 0x123);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.pa.v, out + 0x123);
    assert_int_equal(result.source, MMU_SRC_WALK);
    const struct mmu_counters *counters = mmu_counters(world.mmu);
    uint64_t refs = 0;
    for (unsigned int i = 0; i < 5; i++)
        refs += counters->v[MMU_COUNTER_refs_s1_l0 + i] + counters->v[MMU_COUNTER_refs_s2_l0 + i];
    assert_int_equal(refs, result.refs_s1 + result.refs_s2);
    world_close(&world);
    return result;
}

static void four_levels_over_four_cost_24_references(void **state)
{
    struct mmu_result result = walk_shape(3, 0, 3, 0);

    (void)state;
    assert_int_equal(result.refs_s1, 4);
    assert_int_equal(result.refs_s1 + result.refs_s2, 24);
}

static void a_2m_page_over_four_levels_costs_19_references(void **state)
{
    struct mmu_result result = walk_shape(3, 1, 3, 0);

    (void)state;
    assert_int_equal(result.refs_s1 + result.refs_s2, 19);
    assert_int_equal(result.page_shift, 12);
}

static void a_1g_page_over_four_levels_costs_14_references(void **state)
{
    struct mmu_result result = walk_shape(3, 2, 3, 0);

    (void)state;
    assert_int_equal(result.refs_s1 + result.refs_s2, 14);
}

static void four_levels_over_2m_blocks_cost_19_references(void **state)
{
    struct mmu_result result = walk_shape(3, 0, 3, 1);

    (void)state;
    assert_int_equal(result.refs_s1 + result.refs_s2, 19);
    assert_int_equal(result.page_shift, 12);
}

static void four_levels_over_three_cost_19_references(void **state)
{
    struct mmu_result result = walk_shape(3, 0, 2, 0);

    (void)state;
    assert_int_equal(result.refs_s1 + result.refs_s2, 19);
}

static void three_levels_over_three_cost_15_references(void **state)
{
    struct mmu_result result = walk_shape(2, 0, 2, 0);

    (void)state;
    assert_int_equal(result.refs_s1 + result.refs_s2, 15);
}

static void two_m_blocks_in_both_stages_cost_15_references(void **state)
{
    struct mmu_result result = walk_shape(3, 1, 3, 1);

    (void)state;
    assert_int_equal(result.refs_s1 + result.refs_s2, 15);
    assert_int_equal(result.page_shift, 21);
}

/* ---- one stage, every granule ---- */

static void native_walks_cost_one_reference_a_level(void **state)
{
    static const struct {
        unsigned int page_shift, va_bits, start, refs;
    } row[] = {{12, 48, 3, 4}, {12, 39, 2, 3}, {12, 25, 1, 2}, {14, 47, 2, 3}, {14, 48, 3, 4},
               {14, 36, 1, 2}, {16, 48, 2, 3}, {16, 42, 1, 2}, {16, 29, 0, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct world world = {0};
        struct mmu_config config = world_bare_config();
        struct tree s1;
        world_open(&world, &config);
        tree_init(&s1, &world, row[i].page_shift, row[i].va_bits, row[i].start, 0);
        uint64_t va = (UINT64_C(1) << row[i].va_bits) - (UINT64_C(3) << row[i].page_shift);
        uint64_t pa = UINT64_C(0x5a) << 32;
        tree_set(&s1, va, 0, pa | S1_PAGE);
        world_regs(&world, &s1, NULL);
        struct mmu_result result = world_load(&world, va + 0xabc);
        assert_int_equal(result.fault, MMU_OK);
        assert_int_equal(result.pa.v, pa + 0xabc);
        assert_int_equal(result.refs_s1, row[i].refs);
        assert_int_equal(result.refs_s2, 0);
        assert_int_equal(result.page_shift, row[i].page_shift);
        assert_int_equal(result.level, 0);
        world_close(&world);
    }
}

static void stage_2_alone_walks_every_granule_with_concatenated_roots(void **state)
{
    static const struct {
        unsigned int page_shift, ipa_bits, start, refs;
    } row[] = {{12, 40, 2, 3}, {12, 43, 2, 3}, {12, 34, 1, 2}, {12, 48, 3, 4}, {14, 40, 1, 2},
               {14, 47, 2, 3}, {16, 40, 1, 2}, {16, 46, 1, 2}, {16, 33, 0, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct world world = {0};
        struct mmu_config config = world_bare_config();
        struct tree s2;
        world_open(&world, &config);
        tree_init(&s2, &world, row[i].page_shift, row[i].ipa_bits, row[i].start, 0);
        /* The last page lies in the last concatenated table. */
        uint64_t ipa = (UINT64_C(1) << row[i].ipa_bits) - (UINT64_C(1) << row[i].page_shift);
        uint64_t pa = UINT64_C(0x5a) << 32;
        tree_set(&s2, ipa, 0, pa | S2_PAGE);
        world_regs(&world, NULL, &s2);
        struct mmu_result result = world_load(&world, ipa + 0xabc);
        assert_int_equal(result.fault, MMU_OK);
        assert_int_equal(result.pa.v, pa + 0xabc);
        assert_int_equal(result.ipa.v, ipa + 0xabc);
        assert_int_equal(result.refs_s1, 0);
        assert_int_equal(result.refs_s2, row[i].refs);
        world_close(&world);
    }
}

static void blocks_translate_at_every_level_that_has_them(void **state)
{
    static const struct {
        unsigned int page_shift, va_bits, start, level, shift;
    } row[] = {{12, 48, 3, 1, 21}, {12, 48, 3, 2, 30}, {14, 47, 2, 1, 25}, {16, 48, 2, 1, 29}};

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct world world = {0};
        struct mmu_config config = world_bare_config();
        struct tree s1;
        uint64_t size = UINT64_C(1) << row[i].shift;
        world_open(&world, &config);
        tree_init(&s1, &world, row[i].page_shift, row[i].va_bits, row[i].start, 0);
        tree_set(&s1, 5 * size, row[i].level, 3 * size | S1_BLOCK);
        world_regs(&world, &s1, NULL);
        struct mmu_result result = world_load(&world, 6 * size - 8);
        assert_int_equal(result.fault, MMU_OK);
        assert_int_equal(result.pa.v, 4 * size - 8);
        assert_int_equal(result.page_shift, row[i].shift);
        assert_int_equal(result.level, row[i].level);
        world_close(&world);
    }
}

static void reserved_descriptors_behave_as_invalid(void **state)
{
    static const struct {
        unsigned int page_shift, va_bits, start, level;
        uint64_t attrs;
    } row[] = {{12, 48, 3, 0, S1_BLOCK}, /* bit 1 clear at the page level */
               {12, 48, 3, 3, S1_BLOCK}, /* 512G block without LPA2 */
               {14, 48, 3, 2, S1_BLOCK}, /* 64G block of the 16K granule without LPA2 */
               {16, 48, 2, 2, S1_BLOCK}, /* 4T block of the 64K granule without 52 bits */
               {12, 48, 3, 0, 0x702},    {12, 48, 3, 1, 0x700}};

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct world world = {0};
        struct mmu_config config = world_bare_config();
        struct tree s1;
        world_open(&world, &config);
        tree_init(&s1, &world, row[i].page_shift, row[i].va_bits, row[i].start, 0);
        tree_set(&s1, 0, row[i].level, row[i].attrs);
        world_regs(&world, &s1, NULL);
        struct mmu_result result = world_load(&world, 0);
        assert_int_equal(result.fault, MMU_FAULT_TRANSLATION);
        assert_int_equal(result.level, row[i].level);
        world_close(&world);
    }
}

/* ---- contiguous hint ---- */

static void a_contiguous_run_is_one_translation(void **state)
{
    static const struct {
        unsigned int page_shift, va_bits, start, level, shift;
    } row[] = {{12, 48, 3, 0, 16}, {12, 48, 3, 1, 25}, {14, 47, 2, 0, 21},
               {14, 47, 2, 1, 30}, {16, 48, 2, 0, 21}, {16, 48, 2, 1, 34}};

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct world world = {0};
        struct mmu_config config = world_bare_config();
        struct tree s1;
        uint64_t run = UINT64_C(1) << row[i].shift;
        unsigned int bits = row[i].page_shift - 3;
        uint64_t step = UINT64_C(1) << (row[i].page_shift + row[i].level * bits);
        world_open(&world, &config);
        tree_init(&s1, &world, row[i].page_shift, row[i].va_bits, row[i].start, 0);
        tree_set(&s1, run + step, row[i].level,
                 (4 * run + step) | DESC_CONT | (row[i].level ? S1_BLOCK : S1_PAGE));
        world_regs(&world, &s1, NULL);
        struct mmu_result result = world_load(&world, run + step + 0x10);
        assert_int_equal(result.fault, MMU_OK);
        assert_int_equal(result.pa.v, 4 * run + step + 0x10);
        assert_int_equal(result.page_shift, row[i].shift);
        world_close(&world);
    }
}

static void a_contiguous_hint_on_a_misplaced_output_is_ignored(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_bare_config();
    struct tree s1;

    (void)state;
    world_open(&world, &config);
    tree_init(&s1, &world, 12, 48, 3, 0);
    tree_set(&s1, 0x1000, 0, 0x700000 | DESC_CONT | S1_PAGE);
    world_regs(&world, &s1, NULL);
    struct mmu_result result = world_load(&world, 0x1234);
    assert_int_equal(result.pa.v, 0x700234);
    assert_int_equal(result.page_shift, 12);
    world_close(&world);
}

static void the_combined_size_is_the_smaller_of_both_stages(void **state)
{
    struct mmu_result result = walk_shape(3, 2, 2, 1);

    (void)state;
    assert_int_equal(result.page_shift, 21);
    assert_int_equal(result.level, 1);
}

/* ---- 52-bit addresses ---- */

static void lpa2_output_bits_51_50_are_in_descriptor_bits_9_8(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_bare_config();
    struct tree s1;

    (void)state;
    world_open(&world, &config);
    world.regs.pa_bits = 52;
    world.regs.lpa2 = true;
    tree_init(&s1, &world, 12, 52, 4, 0);
    uint64_t va = UINT64_C(0x000fedcba9876000);
    /* Page at 0xF_5A00_0000_0000 + 0x1000: bits 51:50 = 3, bits 49:12 in place. */
    tree_set(&s1, va, 0, UINT64_C(0x0003500000001000) | 0x403 | 3u << 8);
    world_regs(&world, &s1, NULL);
    world.regs.tcr =
        (world.regs.tcr & ~(UINT64_C(7) << 32)) | UINT64_C(6) << 32 | UINT64_C(1) << 59;
    world_set(&world, MMU_EL10);
    struct mmu_result result = world_load(&world, va + 8);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.pa.v, UINT64_C(0x000f500000001008));
    assert_int_equal(result.refs_s1, 5);
    world_close(&world);
}

static void stage_2_golden_vtcr_of_52_bits_walks_16_concatenated_roots(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_bare_config();
    struct tree s2;

    (void)state;
    world_open(&world, &config);
    world.regs.pa_bits = 52;
    world.regs.lpa2 = true;
    tree_init(&s2, &world, 12, 52, 3, 0);
    uint64_t ipa = UINT64_C(0x000ffffffffff000);
    tree_set(&s2, ipa, 0, UINT64_C(0x00000001234564db)); /* pkvm.md 1.6, DS = 1 */
    world_regs(&world, NULL, &s2);
    world.regs.vtcr = UINT64_C(0x1802e358c);
    world.regs.fwb = true;
    world_set(&world, MMU_EL10);
    struct mmu_result result = world_load(&world, ipa + 0x18);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.pa.v, UINT64_C(0x123456018));
    assert_int_equal(result.refs_s2, 4);
    world_close(&world);
}

static void the_64k_granule_has_address_bits_51_48_in_bits_15_12(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_bare_config();
    struct tree s1;

    (void)state;
    world_open(&world, &config);
    world.regs.pa_bits = 52;
    tree_init(&s1, &world, 16, 48, 2, 0);
    tree_set(&s1, 0x20000, 0, UINT64_C(0x0000123456780000) | UINT64_C(0xa) << 12 | S1_PAGE);
    world_regs(&world, &s1, NULL);
    world.regs.tcr = (world.regs.tcr & ~(UINT64_C(7) << 32)) | UINT64_C(6) << 32;
    world_set(&world, MMU_EL10);
    struct mmu_result result = world_load(&world, 0x2fff8);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.pa.v, UINT64_C(0x000a12345678fff8));
    world_close(&world);
}

/* ---- the two halves, EL2, flat ---- */

static void each_half_of_the_va_space_has_its_own_table_and_granule(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_bare_config();
    struct tree low, high;

    (void)state;
    world_open(&world, &config);
    tree_init(&low, &world, 16, 42, 1, 0);
    tree_init(&high, &world, 12, 39, 2, 0);
    uint64_t kernel = -(UINT64_C(1) << 39);
    tree_set(&low, 0x30000, 0, 0x110000 | S1_PAGE);
    tree_set(&high, kernel, 0, 0x223000 | S1_PAGE);
    world_regs(&world, &high, NULL);
    world.regs.ttbr0 = low.root;
    world.regs.tcr = (world.regs.tcr & ~UINT64_C(0xc03f)) | 1u << 14 | 22;
    world_set(&world, MMU_EL10);
    assert_int_equal(world_load(&world, 0x38004).pa.v, 0x118004);
    assert_int_equal(world_load(&world, kernel + 4).pa.v, 0x223004);
    world_close(&world);
}

static void el2_has_one_range_and_no_stage_2(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_bare_config();
    struct tree s1;
    struct mmu_request request = {.va = 0x5008, .regime = MMU_EL2, .el = 2};

    (void)state;
    world_open(&world, &config);
    tree_init(&s1, &world, 12, 48, 3, 0);
    tree_set(&s1, 0x5000, 0, UINT64_C(0x0040000123456743)); /* hyp RW of pkvm.md 1.6 */
    world.regs = (struct mmu_arm64_regs){
        .sctlr = 1, .tcr = 16 | UINT64_C(5) << 16, .ttbr0 = s1.root, .hcr = 1, .pa_bits = 48};
    world_set(&world, MMU_EL2);
    assert_int_equal(world_request(&world, request).pa.v, UINT64_C(0x123456008));
    request.access = MMU_FETCH;
    assert_int_equal(world_request(&world, request).fault, MMU_FAULT_PERMISSION);
    request.va = UINT64_C(0xffff000000005000);
    struct mmu_result result = world_request(&world, request);
    assert_int_equal(result.fault, MMU_FAULT_TRANSLATION);
    assert_int_equal(result.level, 3);
    world_close(&world);
}

static void both_stages_off_is_flat_and_costs_nothing(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_full_config();

    (void)state;
    world_open(&world, &config);
    world.regs.pa_bits = 40;
    world_regs(&world, NULL, NULL);
    struct mmu_result result = world_load(&world, 0x12345678);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.source, MMU_SRC_OFF);
    assert_int_equal(result.pa.v, 0x12345678);
    assert_int_equal(result.cycles, 0);
    assert_int_equal(result.refs_s1 + result.refs_s2, 0);
    result = world_load(&world, UINT64_C(1) << 40);
    assert_int_equal(result.fault, MMU_FAULT_ADDRESS_SIZE);
    assert_int_equal(mmu_counters(world.mmu)->untranslated, 2);
    assert_int_equal(mmu_counters(world.mmu)->walks, 0);
    world_close(&world);
}

static void default_cacheable_turns_stage_1_off_and_stage_2_on(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_bare_config();

    (void)state;
    two_stage_open(&two, &config, 4);
    two.world.regs.hcr = UINT64_C(1) << 12;
    world_set(&two.world, MMU_EL10);
    struct mmu_result result = world_load(&two.world, TWO_IPA + 0x1010);
    assert_int_equal(result.pa.v, TWO_PA + 0x1010);
    assert_int_equal(result.refs_s1, 0);
    assert_int_equal(result.refs_s2, 3);
    assert_int_equal(result.attr, 0xff);
    two_stage_close(&two);
}

static void a_probe_changes_nothing_and_counts_nothing(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();
    struct mmu_counters before, after, zero = {0};
    struct mmu_request request = {.va = TWO_VA + 0x18, .el = 1, .probe = true};

    (void)state;
    two_stage_open(&two, &config, 4);
    before = *mmu_counters(two.world.mmu);
    struct mmu_result result = world_request(&two.world, request);
    after = *mmu_counters(two.world.mmu);
    mmu_counters_sub(&after, &after, &before);
    assert_memory_equal(&after, &zero, sizeof(zero));
    assert_int_equal(result.pa.v, TWO_PA + 0x18);
    assert_int_equal(result.ipa.v, TWO_IPA + 0x18);
    assert_int_equal(world_load(&two.world, TWO_VA).source, MMU_SRC_WALK);
    two_stage_close(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_levels_over_four_cost_24_references),
        cmocka_unit_test(a_2m_page_over_four_levels_costs_19_references),
        cmocka_unit_test(a_1g_page_over_four_levels_costs_14_references),
        cmocka_unit_test(four_levels_over_2m_blocks_cost_19_references),
        cmocka_unit_test(four_levels_over_three_cost_19_references),
        cmocka_unit_test(three_levels_over_three_cost_15_references),
        cmocka_unit_test(two_m_blocks_in_both_stages_cost_15_references),
        cmocka_unit_test(native_walks_cost_one_reference_a_level),
        cmocka_unit_test(stage_2_alone_walks_every_granule_with_concatenated_roots),
        cmocka_unit_test(blocks_translate_at_every_level_that_has_them),
        cmocka_unit_test(reserved_descriptors_behave_as_invalid),
        cmocka_unit_test(a_contiguous_run_is_one_translation),
        cmocka_unit_test(a_contiguous_hint_on_a_misplaced_output_is_ignored),
        cmocka_unit_test(the_combined_size_is_the_smaller_of_both_stages),
        cmocka_unit_test(lpa2_output_bits_51_50_are_in_descriptor_bits_9_8),
        cmocka_unit_test(stage_2_golden_vtcr_of_52_bits_walks_16_concatenated_roots),
        cmocka_unit_test(the_64k_granule_has_address_bits_51_48_in_bits_15_12),
        cmocka_unit_test(each_half_of_the_va_space_has_its_own_table_and_granule),
        cmocka_unit_test(el2_has_one_range_and_no_stage_2),
        cmocka_unit_test(both_stages_off_is_flat_and_costs_nothing),
        cmocka_unit_test(default_cacheable_turns_stage_1_off_and_stage_2_on),
        cmocka_unit_test(a_probe_changes_nothing_and_counts_nothing),
    };

    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
