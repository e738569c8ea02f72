/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Permission matrices: every combination of descriptor bits, privilege and access against the rules
 * as the manual's tables state them (DDI 0487 D8.4.1, D8.4.2), written here as predicates over the
 * bits and not as the model computes them. Each row is tried on a walk and on the hit after it.
 */
#include "tests/mmu/support/world.h"

struct row {
    bool el0;      /* AP[1] */
    bool ro;       /* AP[2] */
    bool uxn, pxn; /* of stage 1 */
    bool s2_r, s2_w;
    unsigned int xn; /* stage 2 XN[1:0] */
    bool wxn, pan, xnx;
    unsigned int table; /* APTable[1:0], UXNTable, PXNTable: bits 0 to 3 */
};

static bool s1_allows(const struct row *row, enum mmu_access access, bool el0)
{
    bool no_el0 = row->table & 1, no_write = row->table & 2;
    bool reachable_by_el0 = row->el0 && !no_el0;
    bool writable = !row->ro && !no_write;

    switch (access) {
    case MMU_READ:
        return el0 ? reachable_by_el0 : !(row->pan && reachable_by_el0);
    case MMU_WRITE:
        return writable && (el0 ? reachable_by_el0 : !(row->pan && reachable_by_el0));
    case MMU_FETCH:
        break;
    }
    if (el0)
        return !row->uxn && !(row->table & 4) && !(row->wxn && writable && reachable_by_el0);
    return !row->pxn && !(row->table & 8) && !(writable && reachable_by_el0) &&
           !(row->wxn && writable);
}

static bool s2_allows(const struct row *row, enum mmu_access access, bool el0)
{
    switch (access) {
    case MMU_READ:
        return row->s2_r;
    case MMU_WRITE:
        return row->s2_w;
    case MMU_FETCH:
        break;
    }
    if (!row->xnx)
        return row->xn < 2;
    return el0 ? row->xn == 0 || row->xn == 1 : row->xn == 0 || row->xn == 3;
}

static void write_row(struct two_stage *two, const struct row *row)
{
    uint64_t s1 = TWO_IPA | S1_PAGE | (row->el0 ? S1_EL0 : 0) | (row->ro ? S1_RO : 0) |
                  (row->uxn ? S1_UXN : 0) | (row->pxn ? S1_PXN : 0);
    uint64_t s2 = TWO_PA | (S2_PAGE & ~(S2_R | S2_W)) | (row->s2_r ? S2_R : 0) |
                  (row->s2_w ? S2_W : 0) | (uint64_t)row->xn << 53;
    uint64_t slot = tree_slot(&two->s1, TWO_VA, 1);
    uint64_t next = world_read(&two->world, slot) & ~(UINT64_C(0xf8) << 56);
    uint64_t ap_table = row->table & 3, uxn_table = row->table >> 2 & 1,
             pxn_table = row->table >> 3;

    tree_set(&two->s1, TWO_VA, 0, s1);
    tree_set(&two->s2, TWO_IPA, 0, s2);
    world_write(&two->world, slot, next | ap_table << 61 | uxn_table << 60 | pxn_table << 59);
    two->world.regs.sctlr = 1 | (row->wxn ? UINT64_C(1) << 19 : 0);
    two->world.regs.pan = row->pan;
    two->world.regs.xnx = row->xnx;
    world_set(&two->world, MMU_EL10);
    world_inval(&two->world, MMU_TLBI_VMALLS12E1, 0, 0);
}

/* 1 when the outcome differs from the rules. */
static unsigned int try_access(struct two_stage *two, const struct row *row, enum mmu_access access,
                               bool el0)
{
    bool s1 = s1_allows(row, access, el0), s2 = s2_allows(row, access, el0);
    struct mmu_result result = world_access(&two->world, TWO_VA, access, el0 ? 0 : 1);

    if (s1 && s2)
        return result.fault != MMU_OK || result.pa.v != TWO_PA;
    return result.fault != MMU_FAULT_PERMISSION || result.stage != (s1 ? 2 : 1) ||
           result.level != 0 || result.s1ptw;
}

/* All six accesses, first each on an empty TLB, then on one that another access has filled. */
static unsigned int try_row(struct two_stage *two, const struct row *row)
{
    unsigned int wrong = 0;

    for (unsigned int i = 0; i < 6; i++) {
        write_row(two, row);
        for (unsigned int again = 0; again < 2; again++)
            wrong += try_access(two, row, (enum mmu_access)(i % 3), i >= 3);
        for (unsigned int j = 0; j < 6; j++)
            wrong += try_access(two, row, (enum mmu_access)(j % 3), j >= 3);
    }
    return wrong;
}

static void open_small(struct two_stage *two)
{
    struct mmu_config config = world_full_config();

    config.l1d.entries = config.l1i.entries = 4;
    two_stage_open(two, &config, 2);
}

static void both_stages_agree_with_the_tables_of_the_manual(void **state)
{
    struct two_stage two;
    unsigned int wrong = 0;

    (void)state;
    open_small(&two);
    for (unsigned int bits = 0; bits < 1024; bits++) {
        struct row row = {.el0 = bits & 1,
                          .ro = bits & 2,
                          .uxn = bits & 4,
                          .pxn = bits & 8,
                          .s2_r = bits & 16,
                          .s2_w = bits & 32,
                          .xn = bits >> 6 & 3,
                          .xnx = bits & 256,
                          .wxn = bits & 512};
        wrong += try_row(&two, &row);
    }
    assert_int_equal(wrong, 0);
    two_stage_close(&two);
}

static void table_limits_wxn_and_pan_agree_with_the_rules(void **state)
{
    struct two_stage two;
    unsigned int wrong = 0;

    (void)state;
    open_small(&two);
    for (unsigned int bits = 0; bits < 1024; bits++) {
        struct row row = {.el0 = bits & 1,
                          .ro = bits & 2,
                          .uxn = bits & 4,
                          .pxn = bits & 8,
                          .table = bits >> 4 & 15,
                          .wxn = bits & 256,
                          .pan = bits & 512,
                          .s2_r = true,
                          .s2_w = true,
                          .xnx = true};
        wrong += try_row(&two, &row);
    }
    assert_int_equal(wrong, 0);
    two_stage_close(&two);
}

static void the_matrix_notices_one_wrong_bit(void **state)
{
    struct two_stage two;
    struct row row = {.s2_r = true, .s2_w = true, .xnx = true};

    (void)state;
    open_small(&two);
    write_row(&two, &row);
    row.ro = true; /* the tables say otherwise */
    assert_int_equal(try_access(&two, &row, MMU_WRITE, false), 1);
    two_stage_close(&two);
}

static void hpd_disables_the_limits_of_tables(void **state)
{
    struct two_stage two;
    struct row row = {.s2_r = true, .s2_w = true, .xnx = true, .table = 15};

    (void)state;
    open_small(&two);
    write_row(&two, &row);
    assert_int_equal(world_access(&two.world, TWO_VA, MMU_WRITE, 1).fault, MMU_FAULT_PERMISSION);
    two.world.regs.tcr |= UINT64_C(1) << 42; /* HPD1 */
    world_set(&two.world, MMU_EL10);
    world_inval(&two.world, MMU_TLBI_VMALLE1, 0, 0);
    assert_int_equal(world_access(&two.world, TWO_VA, MMU_WRITE, 1).fault, MMU_OK);
    assert_int_equal(world_access(&two.world, TWO_VA, MMU_FETCH, 1).fault, MMU_OK);
    two_stage_close(&two);
}

static void limits_survive_in_the_walk_cache(void **state)
{
    struct two_stage two;
    struct row row = {.s2_r = true, .s2_w = true, .xnx = true, .table = 2};

    (void)state;
    open_small(&two);
    write_row(&two, &row);
    assert_int_equal(world_load(&two.world, TWO_VA + 0x1000).fault, MMU_OK);
    struct mmu_result result = world_access(&two.world, TWO_VA, MMU_WRITE, 1);
    assert_int_equal(mmu_counters(two.world.mmu)->walk_cache_hits, 1);
    assert_int_equal(result.fault, MMU_FAULT_PERMISSION);
    assert_int_equal(result.stage, 1);
    two_stage_close(&two);
}

/* ---- access flag and dirty state by hardware ---- */

static void open_managed(struct two_stage *two, bool stage1, bool stage2, bool dirty)
{
    open_small(two);
    two->world.regs.hafdbs = true;
    if (stage1)
        two->world.regs.tcr |= UINT64_C(1) << 39 | (dirty ? UINT64_C(1) << 40 : 0);
    if (stage2)
        two->world.regs.vtcr |= UINT64_C(1) << 21 | (dirty ? UINT64_C(1) << 22 : 0);
    world_set(&two->world, MMU_EL10);
}

static void hardware_sets_the_access_flag_of_each_stage_once(void **state)
{
    struct two_stage two;

    (void)state;
    open_managed(&two, true, true, false);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | (S1_PAGE & ~DESC_AF));
    tree_set(&two.s2, TWO_IPA, 0, TWO_PA | (S2_PAGE & ~DESC_AF));
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(world_load(&two.world, TWO_VA).fault, MMU_OK);
    assert_int_equal(world_read(&two.world, tree_slot(&two.s1, TWO_VA, 0)), TWO_IPA | S1_PAGE);
    assert_int_equal(world_read(&two.world, tree_slot(&two.s2, TWO_IPA, 0)), TWO_PA | S2_PAGE);
    assert_int_equal(mmu_counters(two.world.mmu)->af_updates, 2);
    assert_int_equal(two.world.swap_count, 2);
    two_stage_close(&two);
}

static void without_the_feature_the_ha_bit_does_nothing(void **state)
{
    struct two_stage two;

    (void)state;
    open_managed(&two, true, true, true);
    two.world.regs.hafdbs = false;
    world_set(&two.world, MMU_EL10);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | (S1_PAGE & ~DESC_AF));
    assert_int_equal(world_load(&two.world, TWO_VA).fault, MMU_FAULT_ACCESS_FLAG);
    assert_int_equal(two.world.swap_count, 0);
    two_stage_close(&two);
}

static void the_first_write_marks_a_clean_stage_1_page_and_later_ones_hit(void **state)
{
    struct two_stage two;
    uint64_t clean = TWO_IPA | S1_PAGE | S1_RO | S1_DBM;

    (void)state;
    open_managed(&two, true, false, true);
    tree_set(&two.s1, TWO_VA, 0, clean);
    assert_int_equal(world_load(&two.world, TWO_VA).fault, MMU_OK);
    assert_int_equal(world_read(&two.world, tree_slot(&two.s1, TWO_VA, 0)), clean);
    struct mmu_result result = world_access(&two.world, TWO_VA, MMU_WRITE, 1);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.source, MMU_SRC_WALK);
    assert_int_equal(world_read(&two.world, tree_slot(&two.s1, TWO_VA, 0)), clean & ~S1_RO);
    assert_int_equal(world_access(&two.world, TWO_VA, MMU_WRITE, 1).source, MMU_SRC_L1);
    assert_int_equal(mmu_counters(two.world.mmu)->dirty_updates, 1);
    two_stage_close(&two);
}

static void the_first_write_marks_a_clean_stage_2_page_too(void **state)
{
    struct two_stage two;
    uint64_t clean = TWO_PA | (S2_PAGE & ~S2_W) | S2_DBM;

    (void)state;
    open_managed(&two, false, true, true);
    tree_set(&two.s2, TWO_IPA, 0, clean);
    assert_int_equal(world_load(&two.world, TWO_VA).fault, MMU_OK);
    assert_int_equal(world_access(&two.world, TWO_VA, MMU_WRITE, 1).fault, MMU_OK);
    assert_int_equal(world_read(&two.world, tree_slot(&two.s2, TWO_IPA, 0)), clean | S2_W);
    assert_int_equal(world_access(&two.world, TWO_VA, MMU_WRITE, 1).source, MMU_SRC_L1);
    assert_int_equal(mmu_counters(two.world.mmu)->dirty_updates, 1);
    two_stage_close(&two);
}

static void without_hardware_dirty_state_a_clean_page_is_read_only(void **state)
{
    struct two_stage two;

    (void)state;
    open_managed(&two, true, true, false);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | S1_PAGE | S1_RO | S1_DBM);
    struct mmu_result result = world_access(&two.world, TWO_VA, MMU_WRITE, 1);
    assert_int_equal(result.fault, MMU_FAULT_PERMISSION);
    assert_int_equal(result.stage, 1);
    two_stage_close(&two);
}

static void a_flag_update_needs_a_table_that_stage_2_lets_write(void **state)
{
    struct two_stage two;

    (void)state;
    open_managed(&two, true, false, true);
    uint64_t slot = tree_slot(&two.s1, TWO_VA, 0), page = slot & ~UINT64_C(0xfff);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | (S1_PAGE & ~DESC_AF));
    tree_set(&two.s2, page + TWO_DELTA, 0, page | (S2_PAGE & ~S2_W));
    for (unsigned int i = 0; i < 2; i++) { /* walked in full, then through the walk cache */
        struct mmu_result result = world_load(&two.world, TWO_VA);
        assert_int_equal(result.fault, MMU_FAULT_PERMISSION);
        assert_int_equal(result.stage, 2);
        assert_true(result.s1ptw);
        assert_int_equal(result.ipa.v, slot + TWO_DELTA);
    }
    assert_int_equal(two.world.swap_count, 0);
    two_stage_close(&two);
}

static void a_flag_update_marks_the_clean_table_page_of_stage_2(void **state)
{
    struct two_stage two;

    (void)state;
    open_managed(&two, true, true, true);
    uint64_t slot = tree_slot(&two.s1, TWO_VA, 0), page = slot & ~UINT64_C(0xfff);
    uint64_t clean = page | (S2_PAGE & ~S2_W) | S2_DBM;
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | (S1_PAGE & ~DESC_AF));
    tree_set(&two.s2, page + TWO_DELTA, 0, clean);
    assert_int_equal(world_load(&two.world, TWO_VA).fault, MMU_OK);
    assert_int_equal(world_read(&two.world, tree_slot(&two.s2, page + TWO_DELTA, 0)), clean | S2_W);
    assert_int_equal(world_read(&two.world, slot), TWO_IPA | S1_PAGE);
    two_stage_close(&two);
}

static void an_update_that_lost_a_race_is_walked_again(void **state)
{
    struct two_stage two;

    (void)state;
    open_managed(&two, true, true, false);
    tree_set(&two.s1, TWO_VA, 0, TWO_IPA | (S1_PAGE & ~DESC_AF));
    tree_set(&two.s2, TWO_IPA, 0, TWO_PA | (S2_PAGE & ~DESC_AF));
    two.world.swap_refusals = 3;
    assert_int_equal(world_load(&two.world, TWO_VA).fault, MMU_OK);
    assert_int_equal(two.world.swap_count, 5);
    assert_int_equal(world_read(&two.world, tree_slot(&two.s1, TWO_VA, 0)), TWO_IPA | S1_PAGE);
    two_stage_close(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_stages_agree_with_the_tables_of_the_manual),
        cmocka_unit_test(table_limits_wxn_and_pan_agree_with_the_rules),
        cmocka_unit_test(the_matrix_notices_one_wrong_bit),
        cmocka_unit_test(hpd_disables_the_limits_of_tables),
        cmocka_unit_test(limits_survive_in_the_walk_cache),
        cmocka_unit_test(hardware_sets_the_access_flag_of_each_stage_once),
        cmocka_unit_test(without_the_feature_the_ha_bit_does_nothing),
        cmocka_unit_test(the_first_write_marks_a_clean_stage_1_page_and_later_ones_hit),
        cmocka_unit_test(the_first_write_marks_a_clean_stage_2_page_too),
        cmocka_unit_test(without_hardware_dirty_state_a_clean_page_is_read_only),
        cmocka_unit_test(a_flag_update_needs_a_table_that_stage_2_lets_write),
        cmocka_unit_test(a_flag_update_marks_the_clean_table_page_of_stage_2),
        cmocka_unit_test(an_update_that_lost_a_race_is_walked_again),
    };

    return cmocka_run_group_tests_name("perm", tests, NULL, NULL);
}
