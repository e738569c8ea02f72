/* SPDX-License-Identifier: MIT */
/* Pages that restricted address spaces hide, though a range covers them. */
#include "tests/hyp/test_asi_rig.h"

#define PAGE 0x1000

/* A range of 16 pages, nothing recorded yet. */
static struct asi_rig *with_range(void)
{
    struct asi_rig *rig = rig_start(1);

    assert_int_equal(hyp_asi_map(&rig->asi, hyp_va(RIG_FREE), 16 * PAGE), 0);
    fake_port_reset(&rig->machine.fake);
    return rig;
}

static void hiding_takes_one_page_out_of_a_range_and_flushes_it(void **state)
{
    struct asi_rig *rig = with_range();
    const uint64_t generation = rig->asi.generation;

    (void)state;
    assert_int_equal(hyp_asi_hide(&rig->asi, hyp_va(RIG_FREE + 5 * PAGE)), 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 4 * PAGE));
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 6 * PAGE));
    assert_int_equal(rig_leaf(&rig->asi.pgt, RIG_FREE + 5 * PAGE, &(unsigned int){0}) & 1, 0);
    assert_string_equal(rig_calls(rig), "invlpg:0xffff888000205000/l0");
    assert_int_equal(rig->asi.generation, generation + 1);
    assert_int_equal(hyp_asi_hide(&rig->asi, hyp_va(RIG_FREE + 5 * PAGE)), HYP_EEXIST);
    rig_end(rig);
}

static void showing_maps_as_the_kernel_does_and_flushes_nothing(void **state)
{
    struct asi_rig *rig = with_range();

    (void)state;
    assert_int_equal(hyp_asi_hide(&rig->asi, hyp_va(RIG_FREE + 5 * PAGE)), 0);
    fake_port_reset(&rig->machine.fake);
    assert_int_equal(hyp_asi_show(&rig->asi, hyp_va(RIG_FREE + 5 * PAGE)), 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 5 * PAGE));
    assert_string_equal(rig_calls(rig), "");
    assert_int_equal(hyp_asi_show(&rig->asi, hyp_va(RIG_FREE + 5 * PAGE)), HYP_ENOENT);
    rig_end(rig);
}

static void a_hidden_page_stays_hidden_whatever_ranges_come_and_go(void **state)
{
    struct asi_rig *rig = with_range();
    const hyp_va_t va = hyp_va(RIG_FREE + 5 * PAGE);
    unsigned int level;

    (void)state;
    assert_int_equal(hyp_asi_hide(&rig->asi, va), 0);
    assert_int_equal(hyp_asi_map(&rig->asi, hyp_va(RIG_FREE + 4 * PAGE), 4 * PAGE), 0);
    assert_int_equal(hyp_asi_unmap(&rig->asi, hyp_va(RIG_FREE)), 0);
    assert_int_equal(hyp_asi_refresh(&rig->asi, va, PAGE), 0);
    assert_int_equal(rig_leaf(&rig->asi.pgt, va.v, &level) & 1, 0);
    assert_int_equal(hyp_asi_unmap(&rig->asi, hyp_va(RIG_FREE + 4 * PAGE)), 0);
    assert_int_equal(hyp_asi_map(&rig->asi, hyp_va(RIG_FREE), 16 * PAGE), 0);
    assert_int_equal(rig_leaf(&rig->asi.pgt, va.v, &level) & 1, 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE));
    assert_int_equal(hyp_asi_show(&rig->asi, va), 0);
    assert_true(rig_shows(rig, &rig->asi, va.v));
    rig_end(rig);
}

static void showing_where_no_range_is_gives_the_tables_back(void **state)
{
    struct asi_rig *rig = rig_start(1);
    const uint64_t free_pages = rig->pool.free_pages;
    const unsigned int tables = rig->asi.table_count;
    unsigned int level;

    (void)state;
    assert_int_equal(hyp_asi_hide(&rig->asi, hyp_va(RIG_FREE + PAGE)), 0);
    assert_int_equal(rig->asi.table_count, tables + 1);
    assert_int_equal(hyp_asi_show(&rig->asi, hyp_va(RIG_FREE + PAGE)), 0);
    assert_int_equal(rig_leaf(&rig->asi.pgt, RIG_FREE + PAGE, &level), 0);
    assert_int_equal(rig->asi.table_count, tables);
    assert_int_equal(rig->pool.free_pages, free_pages);
    rig_end(rig);
}

static void refusals_change_nothing(void **state)
{
    struct asi_rig *rig = rig_start(1);
    const struct {
        uint64_t va;
        enum hyp_err err;
    } cases[] = {
        {RIG_FREE + 8, HYP_EINVAL},                 /* within a page */
        {UINT64_C(0x1000000000000000), HYP_EINVAL}, /* not canonical */
        {RIG_HUGE, HYP_EINVAL},                     /* a block of the kernel's */
        {RIG_ENTRY + PAGE, HYP_EBUSY},              /* exception stacks */
        {RIG_BASE + PAGE, HYP_EBUSY},               /* sessions */
        {UINT64_C(0xffffff7000000000), HYP_ENOMEM}, /* needs tables, and there are none */
    };

    (void)state;
    rig->asi.config.table_max = rig->asi.table_count;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asi_snapshot before;

        rig_save(&before, rig);
        assert_int_equal(hyp_asi_hide(&rig->asi, hyp_va(cases[i].va)), cases[i].err);
        assert_true(rig_same(&before, rig));
        rig_save(&before, rig);
        assert_int_equal(hyp_asi_show(&rig->asi, hyp_va(cases[i].va)), HYP_ENOENT);
        assert_true(rig_same(&before, rig));
    }
    rig_end(rig);
}

static void each_cpu_flushes_its_tag_on_the_next_entry_after_hiding(void **state)
{
    struct asi_rig *rig = with_range();
    const struct hyp_asi_task none = {0};

    (void)state;
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &none), 0);
    hyp_asi_exit(&rig->cpus[0]);
    assert_int_equal(hyp_asi_hide(&rig->asi, hyp_va(RIG_FREE)), 0);
    assert_int_not_equal(rig->cpus[0].tags[0].generation, rig->asi.generation);
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &none), 0);
    assert_int_equal(rig->cpus[0].tags[0].generation, rig->asi.generation);
    hyp_asi_exit(&rig->cpus[0]);
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hiding_takes_one_page_out_of_a_range_and_flushes_it),
        cmocka_unit_test(showing_maps_as_the_kernel_does_and_flushes_nothing),
        cmocka_unit_test(a_hidden_page_stays_hidden_whatever_ranges_come_and_go),
        cmocka_unit_test(showing_where_no_range_is_gives_the_tables_back),
        cmocka_unit_test(refusals_change_nothing),
        cmocka_unit_test(each_cpu_flushes_its_tag_on_the_next_entry_after_hiding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
