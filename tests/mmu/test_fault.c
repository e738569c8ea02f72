/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every fault with its exact ESR, HPFAR and level; what a fault leaves behind. */
#include "tests/mmu/support/world.h"

#define EC(n)       ((uint64_t)(n) << 26)
#define IL          (UINT64_C(1) << 25)
#define S1PTW       (UINT64_C(1) << 7)
#define WNR         (UINT64_C(1) << 6)
#define DATA_LOWER  (EC(0x24) | IL)
#define DATA_SAME   (EC(0x25) | IL)
#define FETCH_LOWER (EC(0x20) | IL)
#define FETCH_SAME  (EC(0x21) | IL)

/* The access must fault; its syndrome when taken to EL2 (stage 2) or EL1 (stage 1). */
static uint64_t esr_of(struct two_stage *two, uint64_t va, enum mmu_access access, unsigned int el)
{
    struct mmu_request request = {.va = va, .el = (uint8_t)el, .access = (uint8_t)access};
    struct mmu_result result = world_request(&two->world, request);

    assert_int_not_equal(result.fault, MMU_OK);
    return mmu_arm64_esr(&request, &result, result.stage);
}

static uint64_t hpfar_of(struct two_stage *two, uint64_t va, enum mmu_access access)
{
    struct mmu_result result = world_access(&two->world, va, access, 1);

    assert_int_equal(result.stage, 2);
    return mmu_arm64_hpfar(&result);
}

static int open_bare(void **state)
{
    static struct two_stage two;
    struct mmu_config config = world_bare_config();

    two_stage_open(&two, &config, 8);
    *state = &two;
    return 0;
}

static int close_two(void **state)
{
    two_stage_close(*state);
    return 0;
}

static void stage_1_translation_faults_carry_the_level_of_the_absent_entry(void **state)
{
    struct two_stage *two = *state;

    assert_int_equal(esr_of(two, TWO_VA + 0x9000, MMU_READ, 1), DATA_SAME | 0x07);
    assert_int_equal(esr_of(two, TWO_VA + 0x9000, MMU_WRITE, 1), DATA_SAME | WNR | 0x07);
    assert_int_equal(esr_of(two, TWO_VA + 0x9000, MMU_FETCH, 1), FETCH_SAME | 0x07);
    assert_int_equal(esr_of(two, TWO_VA + 0x9000, MMU_READ, 0), DATA_LOWER | 0x07);
    assert_int_equal(esr_of(two, TWO_VA + 0x9000, MMU_FETCH, 0), FETCH_LOWER | 0x07);
    assert_int_equal(esr_of(two, TWO_VA + 0x400000, MMU_READ, 1), DATA_SAME | 0x06);
    assert_int_equal(esr_of(two, TWO_VA + 0x40000000, MMU_READ, 1), DATA_SAME | 0x05);
    assert_int_equal(esr_of(two, TWO_VA + 0x8000000000, MMU_READ, 1), DATA_SAME | 0x04);
}

static void a_va_between_the_halves_is_a_translation_fault_at_level_0(void **state)
{
    struct two_stage *two = *state;

    assert_int_equal(esr_of(two, UINT64_C(0x0001000000000000), MMU_READ, 1), DATA_SAME | 0x04);
    assert_int_equal(esr_of(two, UINT64_C(0xfffe000000000000), MMU_READ, 1), DATA_SAME | 0x04);
}

static void a_disabled_half_is_a_translation_fault_at_level_0_without_a_read(void **state)
{
    struct two_stage *two = *state;

    two->world.regs.tcr |= UINT64_C(1) << 23; /* EPD1 */
    world_set(&two->world, MMU_EL10);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_SAME | 0x04);
    assert_int_equal(world_load(&two->world, TWO_VA).refs_s1, 0);
    two->world.regs.tcr ^= UINT64_C(1) << 23 | UINT64_C(1) << 7; /* EPD0 instead */
    world_set(&two->world, MMU_EL10);
    assert_int_equal(world_load(&two->world, TWO_VA).fault, MMU_OK);
    assert_int_equal(esr_of(two, 0, MMU_READ, 1), DATA_SAME | 0x04);
}

static void sizes_out_of_range_are_translation_faults_at_level_0(void **state)
{
    struct two_stage *two = *state;
    static const uint64_t bad[] = {0, 15, 40, 63};

    for (size_t i = 0; i < 4; i++) {
        two->world.regs.tcr = (two->world.regs.tcr & ~(UINT64_C(0x3f) << 16)) | bad[i] << 16;
        world_set(&two->world, MMU_EL10);
        assert_int_equal(esr_of(two, ~UINT64_C(0xfff), MMU_READ, 1), DATA_SAME | 0x04);
    }
}

static void stage_2_translation_faults_carry_level_and_ipa(void **state)
{
    struct two_stage *two = *state;

    tree_set(&two->s1, TWO_VA, 0, (TWO_IPA + 0x9000) | S1_PAGE | S1_EL0);
    assert_int_equal(esr_of(two, TWO_VA + 0x238, MMU_READ, 1), DATA_LOWER | 0x07);
    assert_int_equal(hpfar_of(two, TWO_VA + 0x238, MMU_READ), (TWO_IPA + 0x9000) >> 8);
    tree_set(&two->s1, TWO_VA, 0, (TWO_IPA + 0x400000) | S1_PAGE);
    assert_int_equal(esr_of(two, TWO_VA, MMU_WRITE, 1), DATA_LOWER | WNR | 0x06);
    tree_set(&two->s1, TWO_VA, 0, (TWO_IPA + 0x40000000) | S1_PAGE);
    assert_int_equal(esr_of(two, TWO_VA, MMU_FETCH, 1), FETCH_LOWER | 0x05);
    tree_set(&two->s1, TWO_VA, 0, (UINT64_C(1) << 40) | S1_PAGE); /* beyond the ipa size */
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_LOWER | 0x04);
    assert_int_equal(hpfar_of(two, TWO_VA, MMU_READ), UINT64_C(1) << 32);
}

static void an_inconsistent_stage_2_start_level_faults_at_level_0(void **state)
{
    struct two_stage *two = *state;

    two->world.regs.vtcr &= ~(UINT64_C(3) << 6); /* SL0 = 0: level 2 of the manual, 40 bits */
    world_set(&two->world, MMU_EL10);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_LOWER | S1PTW | 0x04);
}

static void a_4k_stage_2_that_starts_at_its_pages_is_reserved_without_feat_ttst(void **state)
{
    struct two_stage *two = *state;

    two->world.regs.vtcr |= 0xff;    /* SL0 = 3, T0SZ = 63 */
    two->world.regs.vtcr ^= 63 ^ 39; /* 25 bits of ipa: 16 tables of pages side by side */
    two->world.regs.sctlr = 0;
    world_set(&two->world, MMU_EL10);
    assert_int_equal(esr_of(two, 0x1000, MMU_READ, 1), DATA_LOWER | 0x04);
}

static void a_stage_1_table_outside_stage_2_is_reported_with_s1ptw_and_its_own_ipa(void **state)
{
    struct two_stage *two = *state;
    uint64_t slot = tree_slot(&two->s1, TWO_VA + 0x3000, 0), ipa = slot + TWO_DELTA;

    tree_set(&two->s2, ipa, 0, 0);
    assert_int_equal(esr_of(two, TWO_VA + 0x3010, MMU_READ, 1), DATA_LOWER | S1PTW | 0x07);
    assert_int_equal(esr_of(two, TWO_VA + 0x3010, MMU_WRITE, 1), DATA_LOWER | S1PTW | WNR | 0x07);
    assert_int_equal(esr_of(two, TWO_VA + 0x3010, MMU_FETCH, 1), FETCH_LOWER | S1PTW | 0x07);
    assert_int_equal(hpfar_of(two, TWO_VA + 0x3010, MMU_READ), (ipa >> 12) << 4);
    struct mmu_result result = world_load(&two->world, TWO_VA + 0x3010);
    assert_int_equal(result.ipa.v, ipa);
    assert_int_equal(mmu_counters(two->world.mmu)->faults_s1ptw, 5);
}

static void
a_stage_1_table_that_stage_2_forbids_to_read_is_a_permission_fault_with_s1ptw(void **state)
{
    struct two_stage *two = *state;
    uint64_t ipa = two->s1.root + TWO_DELTA;

    tree_set(&two->s2, ipa, 0, two->s1.root | (S2_PAGE & ~S2_R));
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_LOWER | S1PTW | 0x0f);
}

static void a_protected_walk_refuses_tables_in_device_memory(void **state)
{
    struct two_stage *two = *state;
    uint64_t ipa = two->s1.root + TWO_DELTA;

    tree_set(&two->s2, ipa, 0, two->s1.root | (S2_PAGE & ~UINT64_C(0x38)));
    assert_int_equal(world_load(&two->world, TWO_VA).fault, MMU_OK);
    two->world.regs.hcr |= 4; /* PTW */
    world_set(&two->world, MMU_EL10);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_LOWER | S1PTW | 0x0f);
}

static void a_clear_access_flag_faults_at_the_leaf_of_its_stage(void **state)
{
    struct two_stage *two = *state;

    tree_set(&two->s1, TWO_VA, 0, TWO_IPA | (S1_PAGE & ~DESC_AF));
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_SAME | 0x0b);
    tree_set(&two->s1, TWO_VA, 0, TWO_IPA | S1_PAGE);
    tree_set(&two->s2, TWO_IPA, 0, TWO_PA | (S2_PAGE & ~DESC_AF));
    assert_int_equal(esr_of(two, TWO_VA, MMU_WRITE, 1), DATA_LOWER | WNR | 0x0b);
    assert_int_equal(hpfar_of(two, TWO_VA, MMU_READ), TWO_IPA >> 8);
    tree_set(&two->s1, TWO_VA, 1, 0x200000000 | (S1_BLOCK & ~DESC_AF));
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_SAME | 0x0a);
}

static void permission_faults_name_stage_and_level(void **state)
{
    struct two_stage *two = *state;

    tree_set(&two->s1, TWO_VA, 0, TWO_IPA | S1_PAGE | S1_RO);
    assert_int_equal(esr_of(two, TWO_VA, MMU_WRITE, 1), DATA_SAME | WNR | 0x0f);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 0), DATA_LOWER | 0x0f);
    tree_set(&two->s1, TWO_VA, 0, TWO_IPA | S1_PAGE | S1_PXN);
    assert_int_equal(esr_of(two, TWO_VA, MMU_FETCH, 1), FETCH_SAME | 0x0f);
    tree_set(&two->s1, TWO_VA, 0, TWO_IPA | S1_PAGE);
    tree_set(&two->s2, TWO_IPA, 0, TWO_PA | (S2_PAGE & ~S2_W));
    assert_int_equal(esr_of(two, TWO_VA, MMU_WRITE, 1), DATA_LOWER | WNR | 0x0f);
    assert_int_equal(hpfar_of(two, TWO_VA, MMU_WRITE), TWO_IPA >> 8);
    tree_set(&two->s2, TWO_IPA, 1, 0x40000000 | (S2_BLOCK & ~S2_R));
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_LOWER | 0x0e);
}

static void addresses_beyond_the_output_size_fault_where_they_stand(void **state)
{
    struct two_stage *two = *state;
    uint64_t far = UINT64_C(1) << 44;

    /* IPS and PS: 44 bits. */
    two->world.regs.tcr = (two->world.regs.tcr & ~(UINT64_C(7) << 32)) | UINT64_C(4) << 32;
    two->world.regs.vtcr = (two->world.regs.vtcr & ~(UINT64_C(7) << 16)) | UINT64_C(4) << 16;
    world_set(&two->world, MMU_EL10);
    tree_set(&two->s1, TWO_VA, 0, far | S1_PAGE);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_SAME | 0x03);
    tree_set(&two->s1, TWO_VA + 0x200000, 1, far | 3); /* a table */
    assert_int_equal(esr_of(two, TWO_VA + 0x200000, MMU_READ, 1), DATA_SAME | 0x02);
    tree_set(&two->s2, TWO_IPA + 0x1000, 0, far | S2_PAGE);
    assert_int_equal(esr_of(two, TWO_VA + 0x1000, MMU_READ, 1), DATA_LOWER | 0x03);
    assert_int_equal(hpfar_of(two, TWO_VA + 0x1000, MMU_READ), (TWO_IPA + 0x1000) >> 8);
    two->world.regs.vttbr |= far;
    world_set(&two->world, MMU_EL10);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_LOWER | S1PTW | 0x00);
    two->world.regs.ttbr1 |= far;
    world_set(&two->world, MMU_EL10);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_SAME | 0x00);
}

static void tables_where_nothing_answers_are_external_aborts_of_their_level(void **state)
{
    struct two_stage *two = *state;
    uint64_t hole = WORLD_BYTES + 0x1000;

    tree_set(&two->s2, TWO_IPA, 1, hole | 3);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_LOWER | 0x17);
    tree_set(&two->s2, TWO_IPA, 2, hole | 3);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_LOWER | 0x16);
    tree_set(&two->s2, TWO_DELTA + (2u << 20), 0, hole | S2_PAGE);
    tree_set(&two->s1, TWO_VA, 1, (TWO_DELTA + (2u << 20)) | 3);
    assert_int_equal(esr_of(two, TWO_VA, MMU_READ, 1), DATA_SAME | 0x17);
}

static void level_minus_1_has_codes_of_its_own(void **state)
{
    struct mmu_request request = {.el = 1};
    struct mmu_result result = {.fault = MMU_FAULT_TRANSLATION, .stage = 1, .level = 4};

    (void)state;
    assert_int_equal(mmu_arm64_esr(&request, &result, 1), DATA_SAME | 0x2b);
    result.fault = MMU_FAULT_ADDRESS_SIZE;
    assert_int_equal(mmu_arm64_esr(&request, &result, 1), DATA_SAME | 0x29);
    result.fault = MMU_FAULT_EXTERNAL_WALK;
    assert_int_equal(mmu_arm64_esr(&request, &result, 1), DATA_SAME | 0x13);
    result.fault = MMU_FAULT_TLB_CONFLICT;
    assert_int_equal(mmu_arm64_esr(&request, &result, 1), DATA_SAME | 0x30);
}

static void a_52_bit_walk_faults_at_level_minus_1(void **state)
{
    struct world world = {0};
    struct mmu_config config = world_bare_config();
    struct mmu_request request = {.va = 0x5000, .el = 1};
    struct tree s1;

    (void)state;
    world_open(&world, &config);
    world.regs.pa_bits = 52;
    world.regs.lpa2 = true;
    tree_init(&s1, &world, 12, 52, 4, 0);
    world_regs(&world, &s1, NULL);
    world.regs.tcr |= UINT64_C(1) << 59;
    world_set(&world, MMU_EL10);
    struct mmu_result result = world_request(&world, request);
    assert_int_equal(mmu_arm64_esr(&request, &result, 1), DATA_SAME | 0x2b);
    world_close(&world);
}

static void the_recorded_host_abort_has_the_recorded_syndrome(void **state)
{
    struct two_stage *two = *state;

    /* pkvm.md 1.6: host EL1 read of a foreign page is 0x92000007. */
    tree_set(&two->s2, TWO_IPA + 0x2000, 0, 0);
    assert_int_equal(esr_of(two, TWO_VA + 0x2000, MMU_READ, 1), 0x92000007);
}

static void a_fault_is_not_cached_and_is_counted_once(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    tree_set(&two.s2, TWO_IPA + 0x2000, 0, 0);
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(world_load(&two.world, TWO_VA + 0x2000).source, MMU_SRC_WALK);
    assert_int_equal(mmu_counters(two.world.mmu)->fault_translation, 3);
    assert_int_equal(mmu_counters(two.world.mmu)->faults_s2, 3);
    assert_int_equal(mmu_counters(two.world.mmu)->l1_misses_read, 3);
    tree_set(&two.s2, TWO_IPA + 0x2000, 0, TWO_PA | S2_PAGE);
    assert_int_equal(world_load(&two.world, TWO_VA + 0x2000).fault, MMU_OK);
    two_stage_close(&two);
}

static void a_permission_fault_on_a_hit_reads_like_one_of_the_walk(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 8);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | S1_PAGE | S1_RO);
    tree_set(&two.s2, TWO_IPA + 0x1000, 0, TWO_PA | (S2_PAGE & ~S2_W));
    for (unsigned int i = 0; i < 2; i++) {
        uint64_t va = TWO_VA + 0x1000 * i, code = i ? DATA_LOWER : DATA_SAME;
        assert_int_equal(esr_of(&two, va, MMU_WRITE, 1), code | WNR | 0x0f);
        assert_int_equal(world_load(&two.world, va).source, MMU_SRC_WALK);
        struct mmu_result result = world_access(&two.world, va, MMU_WRITE, 1);
        assert_int_equal(result.source, MMU_SRC_L1);
        assert_int_equal(esr_of(&two, va, MMU_WRITE, 1), code | WNR | 0x0f);
    }
    assert_int_equal(hpfar_of(&two, TWO_VA + 0x1000, MMU_WRITE), (TWO_IPA + 0x1000) >> 8);
    two_stage_close(&two);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bare, close_two)
    const struct CMUnitTest tests[] = {
        TEST(stage_1_translation_faults_carry_the_level_of_the_absent_entry),
        TEST(a_va_between_the_halves_is_a_translation_fault_at_level_0),
        TEST(a_disabled_half_is_a_translation_fault_at_level_0_without_a_read),
        TEST(sizes_out_of_range_are_translation_faults_at_level_0),
        TEST(stage_2_translation_faults_carry_level_and_ipa),
        TEST(an_inconsistent_stage_2_start_level_faults_at_level_0),
        TEST(a_4k_stage_2_that_starts_at_its_pages_is_reserved_without_feat_ttst),
        TEST(a_stage_1_table_outside_stage_2_is_reported_with_s1ptw_and_its_own_ipa),
        TEST(a_stage_1_table_that_stage_2_forbids_to_read_is_a_permission_fault_with_s1ptw),
        TEST(a_protected_walk_refuses_tables_in_device_memory),
        TEST(a_clear_access_flag_faults_at_the_leaf_of_its_stage),
        TEST(permission_faults_name_stage_and_level),
        TEST(addresses_beyond_the_output_size_fault_where_they_stand),
        TEST(tables_where_nothing_answers_are_external_aborts_of_their_level),
        cmocka_unit_test(level_minus_1_has_codes_of_its_own),
        cmocka_unit_test(a_52_bit_walk_faults_at_level_minus_1),
        TEST(the_recorded_host_abort_has_the_recorded_syndrome),
        cmocka_unit_test(a_fault_is_not_cached_and_is_counted_once),
        cmocka_unit_test(a_permission_fault_on_a_hit_reads_like_one_of_the_walk),
    };

    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
