/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stale translations: each missing invalidation is caught and named, a correct sequence is silent.
 */
#include "tests/mmu/support/world.h"

#define PAGE(n) (TWO_VA + ((uint64_t)(n) << 12))

static struct mmu_config checking(void)
{
    struct mmu_config config = world_full_config();

    config.stale = MMU_STALE_ALL;
    return config;
}

static int open_two(void **state)
{
    static struct two_stage two;
    struct mmu_config config = checking();

    two_stage_open(&two, &config, 16);
    *state = &two;
    return 0;
}

static int close_two(void **state)
{
    two_stage_close(*state);
    return 0;
}

static struct mmu_result load_page(struct two_stage *two, unsigned int page)
{
    return world_load(&two->world, PAGE(page) + 0x18);
}

/* Exactly one report so far, with this advice. */
static const struct mmu_stale *only(const struct two_stage *two, const char *missing)
{
    assert_int_equal(two->world.stale_count, 1);
    assert_string_equal(two->world.stale[0].missing, missing);
    assert_int_equal(mmu_counters(two->world.mmu)->stale_uses, 1);
    return &two->world.stale[0];
}

/* ---- what is caught ---- */

static void a_cleared_stage_1_entry_still_used_is_caught(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s1, PAGE(3), 0, 0);
    assert_int_equal(load_page(two, 3).pa.v, TWO_PA + 0x3018);
    const struct mmu_stale *stale = only(two, "VAALE1IS");
    assert_int_equal(stale->cached_pa.v, TWO_PA + 0x3018);
    assert_int_equal(stale->table_fault, MMU_FAULT_TRANSLATION);
    assert_int_equal(stale->request.va, PAGE(3) + 0x18);
    assert_int_equal(stale->source, MMU_SRC_L1);
    assert_false(stale->permission);
}

static void a_page_that_is_not_global_asks_for_its_asid(void **state)
{
    struct two_stage *two = *state;

    tree_set(&two->s1, PAGE(3), 0, (TWO_IPA + 0x3000) | S1_PAGE | S1_NG);
    load_page(two, 3);
    tree_set(&two->s1, PAGE(3), 0, (TWO_IPA + 0x4000) | S1_PAGE | S1_NG);
    load_page(two, 3);
    const struct mmu_stale *stale = only(two, "VALE1IS");
    assert_int_equal(stale->cached_pa.v, TWO_PA + 0x3018);
    assert_int_equal(stale->table_pa.v, TWO_PA + 0x4018);
    assert_int_equal(stale->table_fault, MMU_OK);
}

static void a_cleared_stage_2_entry_still_used_is_caught(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s2, TWO_IPA + 0x3000, 0, 0);
    load_page(two, 3);
    assert_int_equal(only(two, "IPAS2E1IS, then VMALLE1IS")->table_fault, MMU_FAULT_TRANSLATION);
}

static void ipas2e1_alone_is_not_enough(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s2, TWO_IPA + 0x3000, 0, 0);
    world_inval(&two->world, MMU_TLBI_IPAS2E1, TWO_IPA + 0x3000, 0);
    assert_int_equal(load_page(two, 3).fault, MMU_OK);
    only(two, "IPAS2E1IS, then VMALLE1IS");
}

static void vmalle1_alone_leaves_the_ipa_cache_and_is_caught_there(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s2, TWO_IPA + 0x3000, 0, 0);
    world_inval(&two->world, MMU_TLBI_VMALLE1, 0, 0);
    assert_int_equal(load_page(two, 3).fault, MMU_OK);
    assert_int_equal(only(two, "IPAS2E1IS")->source, MMU_SRC_WALK);
}

static void both_together_are_silent_and_fault(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s2, TWO_IPA + 0x3000, 0, 0);
    world_inval(&two->world, MMU_TLBI_IPAS2E1, TWO_IPA + 0x3000, 0);
    world_inval(&two->world, MMU_TLBI_VMALLE1, 0, 0);
    assert_int_equal(load_page(two, 3).fault, MMU_FAULT_TRANSLATION);
    assert_int_equal(two->world.stale_count, 0);
}

static void a_last_level_operation_after_a_table_change_is_caught(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    uint64_t fresh = world_alloc(&two->world, 4096);
    world_write(&two->world, fresh + 3 * 8, (TWO_IPA + 0x5000) | S1_PAGE);
    tree_set(&two->s1, PAGE(3), 1, (fresh + TWO_DELTA) | 3);
    world_inval(&two->world, MMU_TLBI_VALE1, PAGE(3), 0);
    assert_int_equal(load_page(two, 3).pa.v, TWO_PA + 0x3018);
    const struct mmu_stale *stale = only(two, "VAE1IS");
    assert_int_equal(stale->source, MMU_SRC_WALK);
    assert_int_equal(stale->table_pa.v, TWO_PA + 0x5018);
}

static void the_form_for_all_levels_is_silent_after_a_table_change(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    uint64_t fresh = world_alloc(&two->world, 4096);
    world_write(&two->world, fresh + 3 * 8, (TWO_IPA + 0x5000) | S1_PAGE);
    tree_set(&two->s1, PAGE(3), 1, (fresh + TWO_DELTA) | 3);
    world_inval(&two->world, MMU_TLBI_VAE1, PAGE(3), 0);
    assert_int_equal(load_page(two, 3).pa.v, TWO_PA + 0x5018);
    assert_int_equal(two->world.stale_count, 0);
}

static void a_fault_out_of_a_freed_table_is_caught(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    uint64_t old = tree_slot(&two->s1, PAGE(0), 0), fresh = world_alloc(&two->world, 4096);
    for (unsigned int i = 0; i < 16; i++) {
        world_write(&two->world, fresh + i * 8, world_read(&two->world, old + i * 8));
        world_write(&two->world, old + i * 8, 0); /* the table was freed and cleared */
    }
    tree_set(&two->s1, PAGE(3), 1, (fresh + TWO_DELTA) | 3);
    assert_int_equal(load_page(two, 4).fault, MMU_FAULT_TRANSLATION);
    const struct mmu_stale *stale = only(two, "VAE1IS");
    assert_int_equal(stale->table_fault, MMU_OK);
    assert_int_equal(stale->table_pa.v, TWO_PA + 0x4018);
}

static void a_table_moved_in_stage_2_outlives_ipas2e1_in_the_walk_cache(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    uint64_t old = tree_slot(&two->s1, PAGE(0), 0), fresh = world_alloc(&two->world, 4096);
    world_write(&two->world, fresh + 4 * 8, (TWO_IPA + 0x6000) | S1_PAGE);
    tree_set(&two->s2, old + TWO_DELTA, 0, fresh | S2_PAGE);
    world_inval(&two->world, MMU_TLBI_IPAS2E1, old + TWO_DELTA, 0);
    assert_int_equal(load_page(two, 4).pa.v, TWO_PA + 0x4018);
    assert_int_equal(two->world.stale_count, 1);
    assert_int_equal(two->world.stale[0].table_pa.v, TWO_PA + 0x6018);
    world_inval(&two->world, MMU_TLBI_VMALLE1, 0, 0);
    assert_int_equal(load_page(two, 4).pa.v, TWO_PA + 0x6018);
    assert_int_equal(two->world.stale_count, 1);
}

static void a_right_taken_away_is_caught_when_it_is_used(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s2, TWO_IPA + 0x3000, 0, (TWO_PA + 0x3000) | (S2_PAGE & ~S2_W));
    load_page(two, 3);
    assert_int_equal(two->world.stale_count, 0); /* reading is still allowed */
    assert_int_equal(world_access(&two->world, PAGE(3), MMU_WRITE, 1).fault, MMU_OK);
    const struct mmu_stale *stale = only(two, "IPAS2E1IS, then VMALLE1IS");
    assert_true(stale->permission);
    assert_int_equal(stale->table_fault, MMU_FAULT_PERMISSION);
    assert_int_equal(stale->table_pa.v, stale->cached_pa.v);
}

static void a_right_of_stage_1_taken_away_is_named_so(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s1, PAGE(3), 0, (TWO_IPA + 0x3000) | S1_PAGE | S1_RO);
    assert_int_equal(world_access(&two->world, PAGE(3), MMU_WRITE, 1).fault, MMU_OK);
    assert_true(only(two, "VAALE1IS")->permission);
}

static void el2_is_told_its_own_operation(void **state)
{
    struct world world = {0};
    struct mmu_config config = checking();
    struct mmu_request request = {.va = 0x5000, .regime = MMU_EL2, .el = 2};
    struct tree s1;

    (void)state;
    world_open(&world, &config);
    tree_init(&s1, &world, 12, 48, 3, 0);
    tree_set(&s1, 0x5000, 0, 0x9000 | S1_PAGE);
    world.regs.sctlr = 1;
    world.regs.tcr = 16 | UINT64_C(5) << 16;
    world.regs.ttbr0 = s1.root;
    world_set(&world, MMU_EL2);
    world_request(&world, request);
    tree_set(&s1, 0x5000, 0, 0);
    world_request(&world, request);
    assert_int_equal(world.stale_count, 1);
    assert_string_equal(world.stale[0].missing, "VALE2IS");
    world_close(&world);
}

static void a_local_operation_leaves_the_other_cpu_stale(void **state)
{
    struct two_stage two;
    struct mmu_config config = checking();
    struct mmu_request request = {.va = PAGE(3), .el = 1};
    struct mmu_inval inval = {.op = MMU_TLBI_VAE1, .ttl = -1, .start = PAGE(3)};

    (void)state;
    config.cpus = 2;
    two_stage_open(&two, &config, 16);
    for (request.cpu = 0; request.cpu < 2; request.cpu++)
        world_request(&two.world, request);
    tree_set(&two.s1, PAGE(3), 0, 0);
    mmu_invalidate(two.world.mmu, &inval);
    request.cpu = 0;
    assert_int_equal(world_request(&two.world, request).fault, MMU_FAULT_TRANSLATION);
    assert_int_equal(two.world.stale_count, 0);
    request.cpu = 1;
    assert_int_equal(world_request(&two.world, request).fault, MMU_OK);
    assert_int_equal(only(&two, "VAALE1IS")->request.cpu, 1);
    two_stage_close(&two);
}

static void a_reused_asid_is_caught(void **state)
{
    struct two_stage *two = *state;
    struct tree other;

    tree_init(&other, &two->world, 12, 48, 3, TWO_DELTA);
    tree_set(&two->s1, 0x7000, 0, (TWO_IPA + 0x1000) | S1_PAGE | S1_NG);
    tree_set(&other, 0x7000, 0, (TWO_IPA + 0x2000) | S1_PAGE | S1_NG);
    world_asid(&two->world, 9);
    world_load(&two->world, 0x7000);
    two->world.regs.ttbr0 = (other.root + TWO_DELTA) | UINT64_C(9) << 48;
    world_set(&two->world, MMU_EL10);
    assert_int_equal(world_load(&two->world, 0x7000).pa.v, TWO_PA + 0x1000);
    only(two, "VALE1IS");
}

/* ---- what is legal ---- */

static void a_right_that_was_added_gives_a_spurious_fault_and_no_report(void **state)
{
    struct two_stage *two = *state;

    tree_set(&two->s1, PAGE(3), 0, (TWO_IPA + 0x3000) | S1_PAGE | S1_RO);
    load_page(two, 3);
    tree_set(&two->s1, PAGE(3), 0, (TWO_IPA + 0x3000) | S1_PAGE);
    assert_int_equal(world_access(&two->world, PAGE(3), MMU_WRITE, 1).fault, MMU_FAULT_PERMISSION);
    assert_int_equal(two->world.stale_count, 0);
}

static void ageing_without_invalidation_is_silent(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s1, PAGE(3), 0, (TWO_IPA + 0x3000) | (S1_PAGE & ~DESC_AF));
    tree_set(&two->s2, TWO_IPA + 0x3000, 0, (TWO_PA + 0x3000) | (S2_PAGE & ~DESC_AF));
    assert_int_equal(load_page(two, 3).fault, MMU_OK);
    assert_int_equal(two->world.stale_count, 0);
}

static void a_page_cleaned_under_hardware_dirty_state_is_silent(void **state)
{
    struct two_stage *two = *state;
    uint64_t page = (TWO_IPA + 0x3000) | S1_PAGE | S1_DBM;

    two->world.regs.hafdbs = true;
    two->world.regs.tcr |= UINT64_C(3) << 39;
    world_set(&two->world, MMU_EL10);
    tree_set(&two->s1, PAGE(3), 0, page);
    world_access(&two->world, PAGE(3), MMU_WRITE, 1);
    tree_set(&two->s1, PAGE(3), 0, page | S1_RO);
    world_access(&two->world, PAGE(3), MMU_WRITE, 1);
    assert_int_equal(two->world.stale_count, 0);
}

static void an_entry_that_is_not_used_again_is_silent(void **state)
{
    struct two_stage *two = *state;

    load_page(two, 3);
    tree_set(&two->s1, PAGE(3), 0, 0);
    load_page(two, 4);
    assert_int_equal(two->world.stale_count, 0);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Random changes of both stages, each followed by its invalidation; `skip` leaves one out. */
static void churn(struct two_stage *two, unsigned int skip)
{
    uint64_t seed = 77;

    for (unsigned int n = 0; n < 1500; n++) {
        uint64_t page = next_random(&seed) % 16, to = next_random(&seed) % 16;
        uint64_t ipa = TWO_IPA + (page << 12);
        bool present = next_random(&seed) % 4 != 0;
        if (next_random(&seed) % 2) {
            tree_set(&two->s1, PAGE(page), 0, present ? (TWO_IPA + (to << 12)) | S1_PAGE : 0);
            if (n != skip)
                world_inval(&two->world, MMU_TLBI_VALE1, PAGE(page), 0);
        } else {
            tree_set(&two->s2, ipa, 0, present ? (TWO_PA + (to << 12)) | S2_PAGE : 0);
            if (n != skip) {
                world_inval(&two->world, MMU_TLBI_IPAS2E1, ipa, 0);
                world_inval(&two->world, MMU_TLBI_VMALLE1, 0, 0);
            }
        }
        for (unsigned int i = 0; i < 8; i++)
            load_page(two, (unsigned int)(next_random(&seed) % 16));
    }
}

static void correct_maintenance_under_churn_is_silent(void **state)
{
    struct two_stage *two = *state;

    churn(two, UINT32_MAX);
    assert_int_equal(two->world.stale_count, 0);
    assert_true(mmu_counters(two->world.mmu)->stale_checks > 10000);
}

static void one_invalidation_left_out_of_the_churn_is_caught(void **state)
{
    unsigned int caught = 0;

    (void)state;
    for (unsigned int skip = 1000; skip < 1040; skip++) {
        struct two_stage two;
        struct mmu_config config = checking();
        two_stage_open(&two, &config, 16);
        churn(&two, skip);
        caught += two.world.stale_count != 0;
        two_stage_close(&two);
    }
    /* Not all of them: the entry was not cached, or the next VMALLE1 removed it unused. */
    assert_in_range(caught, 8, 40);
}

/* ---- sampling, and off ---- */

static void sampling_finds_what_is_used_over_and_over(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.stale = MMU_STALE_SAMPLED;
    config.stale_period = 100;
    two_stage_open(&two, &config, 16);
    load_page(&two, 3);
    tree_set(&two.s1, PAGE(3), 0, 0);
    for (unsigned int i = 0; i < 1000; i++) {
        hyp_pa_t pa;
        if (!mmu_hit(mmu_cpu(two.world.mmu, 0), MMU_EL10, 1, MMU_READ, PAGE(3), &pa))
            load_page(&two, 3);
    }
    assert_int_equal(mmu_counters(two.world.mmu)->stale_uses, 10);
    assert_int_equal(two.world.stale_count, 10);
    two_stage_close(&two);
}

static void without_the_check_nothing_is_read_or_reported(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 16);
    load_page(&two, 3);
    tree_set(&two.s1, PAGE(3), 0, 0);
    assert_int_equal(load_page(&two, 3).fault, MMU_OK);
    assert_int_equal(mmu_counters(two.world.mmu)->stale_checks, 0);
    assert_int_equal(two.world.stale_count, 0);
    two_stage_close(&two);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_two, close_two)
    const struct CMUnitTest tests[] = {
        TEST(a_cleared_stage_1_entry_still_used_is_caught),
        TEST(a_page_that_is_not_global_asks_for_its_asid),
        TEST(a_cleared_stage_2_entry_still_used_is_caught),
        TEST(ipas2e1_alone_is_not_enough),
        TEST(vmalle1_alone_leaves_the_ipa_cache_and_is_caught_there),
        TEST(both_together_are_silent_and_fault),
        TEST(a_last_level_operation_after_a_table_change_is_caught),
        TEST(the_form_for_all_levels_is_silent_after_a_table_change),
        TEST(a_fault_out_of_a_freed_table_is_caught),
        TEST(a_table_moved_in_stage_2_outlives_ipas2e1_in_the_walk_cache),
        TEST(a_right_taken_away_is_caught_when_it_is_used),
        TEST(a_right_of_stage_1_taken_away_is_named_so),
        cmocka_unit_test(el2_is_told_its_own_operation),
        cmocka_unit_test(a_local_operation_leaves_the_other_cpu_stale),
        TEST(a_reused_asid_is_caught),
        TEST(a_right_that_was_added_gives_a_spurious_fault_and_no_report),
        TEST(ageing_without_invalidation_is_silent),
        TEST(a_page_cleaned_under_hardware_dirty_state_is_silent),
        TEST(an_entry_that_is_not_used_again_is_silent),
        TEST(correct_maintenance_under_churn_is_silent),
        cmocka_unit_test(one_invalidation_left_out_of_the_churn_is_caught),
        cmocka_unit_test(sampling_finds_what_is_used_over_and_over),
        cmocka_unit_test(without_the_check_nothing_is_read_or_reported),
    };

    return cmocka_run_group_tests_name("stale", tests, NULL, NULL);
}
