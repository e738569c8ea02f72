/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Axes and grids: what a user may write, and the order of points. */
#include "sim/sweep.h"

#include <string.h>

#include "tests/support/cmocka_all.h"

static void expect_values(const char *text, const uint64_t *values, size_t count)
{
    struct sim_axis axis;
    struct sim_error error = {0};

    if (sim_axis_parse(&axis, text, &error) != SIM_OK)
        fail_msg("%s: %s", text, error.text);
    assert_int_equal(axis.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(axis.value[i], values[i]);
}

static void expect_refusal(const char *text, const char *message)
{
    struct sim_axis axis;
    struct sim_error error = {0};

    assert_int_equal(sim_axis_parse(&axis, text, &error), SIM_USAGE);
    if (!strstr(error.text, message))
        fail_msg("%s: '%s' is not in '%s'", text, message, error.text);
}

static void values_keep_their_order(void **state)
{
    const uint64_t numbers[] = {8, 2, 4}, sizes[] = {1u << 20, 2048}, choices[] = {2, 0};

    (void)state;
    expect_values("cpu.count=8,2,4", numbers, 3);
    expect_values("cache.l1_bytes=1M,2K", sizes, 2);
    expect_values("s2.block=1g,page", choices, 2);
}

static void a_range_holds_its_ends_and_never_passes_the_last(void **state)
{
    const uint64_t all[] = {3, 4, 5}, steps[] = {1, 4, 7}, factors[] = {3, 6, 12}, one[] = {7},
                   mixed[] = {1, 2, 4, 100};

    (void)state;
    expect_values("cpu.count=3..5", all, 3);
    expect_values("cpu.count=1..9+3", steps, 3);
    expect_values("cpu.count=3..23*2", factors, 3);
    expect_values("cpu.count=7..7", one, 1);
    expect_values("cpu.count=1..4*2,100", mixed, 4);
}

static void a_range_up_to_the_largest_number_ends(void **state)
{
    const uint64_t high[] = {UINT64_MAX - 1, UINT64_MAX}, far[] = {1, UINT64_C(1) << 63};

    (void)state;
    expect_values("place.seed=18446744073709551614..18446744073709551615", high, 2);
    expect_values("place.seed=1..18446744073709551615*9223372036854775808", far, 2);
}

static void what_is_no_axis_is_refused_with_the_reason(void **state)
{
    (void)state;
    expect_refusal("cpu.count", "expected KNOB=VALUE");
    expect_refusal("cpu.count=", "expected KNOB=VALUE");
    expect_refusal("cpu.cores=1", "'cpu.cores' is no knob");
    expect_refusal("cpu=1", "'cpu' is no knob");
    expect_refusal("cpu.count=1,,2", "cpu.count");
    expect_refusal("cpu.count=1,x", "cpu.count");
    expect_refusal("cpu.count=257", "out of range");
    expect_refusal("cpu.count=1,2,1", "1 is given twice");
    expect_refusal("cpu.count=1..3,2", "2 is given twice");
    expect_refusal("cpu.count=5..3", "'5..3' is no range");
    expect_refusal("cpu.count=0..8*2", "from 1 or more");
    expect_refusal("cpu.count=1..8*1", "a step of at least 2");
    expect_refusal("cpu.count=1..8+0", "a step of at least 1");
    expect_refusal("cpu.count=1..8+", "a step of at least 1");
    expect_refusal("cpu.count=1..", "cpu.count");
    expect_refusal("s2.block=page..1g", "is no range");
    expect_refusal("place.seed=1..1000", "more than 256 values");
}

static struct sim_grid grid_of(const char *first, const char *second)
{
    struct sim_grid grid = {.strategy_count = 2, .axis_count = 2};
    struct sim_error error;

    sim_config_init(&grid.base);
    grid.strategies[0] = sim_strategy_find("none");
    grid.strategies[1] = sim_strategy_find("reflect");
    assert_int_equal(sim_axis_parse(&grid.axes[0], first, &error), SIM_OK);
    assert_int_equal(sim_axis_parse(&grid.axes[1], second, &error), SIM_OK);
    return grid;
}

static void the_strategy_runs_fastest_and_the_first_axis_slowest(void **state)
{
    struct sim_grid grid = grid_of("cpu.count=2,4", "s2.block=page,2m,1g");
    struct sim_error error;
    struct sim_run run;

    (void)state;
    SIM_GET(&grid.base, donate, batch) = 7;
    assert_int_equal(sim_grid_check(&grid, &error), SIM_OK);
    assert_int_equal(sim_grid_points(&grid), 12);
    for (size_t i = 0; i < 12; i++) {
        sim_grid_run(&grid, i, &run);
        assert_ptr_equal(run.strategy, grid.strategies[i % 2]);
        assert_int_equal(SIM_GET(&run.config, s2, block), i / 2 % 3);
        assert_int_equal(SIM_GET(&run.config, cpu, count), i < 6 ? 2 : 4);
        assert_int_equal(SIM_GET(&run.config, donate, batch), 7);
    }
}

static void a_knob_is_one_axis_at_most(void **state)
{
    struct sim_grid grid = grid_of("cpu.count=2,4", "cpu.count=8");
    struct sim_error error;

    (void)state;
    assert_int_equal(sim_grid_check(&grid, &error), SIM_USAGE);
    assert_string_equal(error.text, "cpu.count is an axis twice");
}

static void too_many_points_are_refused_however_many(void **state)
{
    static const char *const knobs[SIM_AXES_MAX] = {
        "cpu.count",      "tlb.seed",       "cost.exit",  "cost.walk",
        "cost.pte_write", "cost.shootdown", "place.seed", "donate.batch",
    };
    struct sim_grid grid = {.strategy_count = 1, .axis_count = SIM_AXES_MAX};
    struct sim_error error;
    char text[64];

    (void)state;
    grid.strategies[0] = sim_strategy_find("none");
    for (size_t i = 0; i < SIM_AXES_MAX; i++) {
        snprintf(text, sizeof(text), "%s=1..256", knobs[i]);
        assert_int_equal(sim_axis_parse(&grid.axes[i], text, &error), SIM_OK);
    }
    assert_int_equal(sim_grid_check(&grid, &error), SIM_USAGE);
    assert_string_equal(error.text, "more than 100000 points");
    grid.strategy_count = 0;
    grid.axis_count = 0;
    assert_int_equal(sim_grid_check(&grid, &error), SIM_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_their_order),
        cmocka_unit_test(a_range_holds_its_ends_and_never_passes_the_last),
        cmocka_unit_test(a_range_up_to_the_largest_number_ends),
        cmocka_unit_test(what_is_no_axis_is_refused_with_the_reason),
        cmocka_unit_test(the_strategy_runs_fastest_and_the_first_axis_slowest),
        cmocka_unit_test(a_knob_is_one_axis_at_most),
        cmocka_unit_test(too_many_points_are_refused_however_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
