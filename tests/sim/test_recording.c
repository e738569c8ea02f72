/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bundled recordings, replayed: what the recorded kernels met must come out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim/sim.h"

#define ARM64_A SOURCE_DIR "/traces/data/arm64-a.fltrace"
#define ARM64_P SOURCE_DIR "/traces/data/arm64-p.fltrace"
#define AMD64_A SOURCE_DIR "/traces/data/amd64-a.fltrace"
#define CRASH   SOURCE_DIR "/traces/data/crash-neoverse-n1.fltrace"

static void set(struct sim_config *config, const char *assignment)
{
    struct sim_error error;

    assert_int_equal(sim_config_set(config, assignment, &error), SIM_OK);
}

static void replay(const char *path, const char *strategy, const char *assignment,
                   struct sim_result *result)
{
    const struct sim_strategy *chosen = sim_strategy_find(strategy);
    struct sim_config config;
    struct sim_error error = {0};

    assert_non_null(chosen);
    sim_config_init(&config);
    if (assignment)
        set(&config, assignment);
    if (sim_compare(path, &config, &chosen, 1, 1, result, NULL, NULL, &error) != SIM_OK)
        fail_msg("%s", error.text);
    assert_int_equal(result->stats.count[SIM_COUNT_donations_failed], 0);
    assert_int_equal(result->stats.count[SIM_COUNT_unrecorded], 0);
}

static void every_recorded_fault_is_predicted_and_no_other(void **state)
{
    struct sim_result result;

    (void)state;
    replay(ARM64_A, "secretmem", "donate.kinds=unmapped", &result);
    assert_true(result.compared);
    assert_int_equal(result.stats.count[SIM_COUNT_accesses], 44692798 + 570);
    assert_int_equal(result.stats.count[SIM_COUNT_initial], 708);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 2555);
    assert_int_equal(result.stats.count[SIM_COUNT_reclaims], 3263);
    assert_int_equal(result.stats.count[SIM_COUNT_recorded_faults], 570);
    assert_int_equal(result.missed, 0);
    assert_int_equal(result.spurious, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_survived], 570);
}

static void stage2_strategy_meets_the_crossing_loads_of_ordinary_guests_too(void **state)
{
    struct sim_result result;

    (void)state;
    replay(ARM64_A, "reflect", "check.stale=sampled", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_predicted], 570);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], 570 + 113);
    assert_int_equal(result.stats.count[SIM_COUNT_survived], 570 + 113);
    assert_int_equal(result.stats.count[SIM_COUNT_forced_reclaims], 0);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
}

static void pkvm_host_runs_without_a_stray_access(void **state)
{
    struct sim_result result;

    (void)state;
    replay(ARM64_P, "el2-bug", "check.stale=sampled", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], 0);
    assert_true(result.stats.count[SIM_COUNT_donations] > 0);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
}

/* The recorded effect: a block with one foreign page is never mapped as a block again, so that the
 * host faults its neighbourhood in page by page. */
static void block_with_a_foreign_page_comes_back_page_by_page(void **state)
{
    struct sim_result kernel, without;

    (void)state;
    replay(ARM64_P, "el2-bug", NULL, &kernel);
    replay(ARM64_P, "none", NULL, &without);
    assert_int_equal(without.stats.count[SIM_COUNT_host_faults_page], 0);
    assert_true(kernel.stats.count[SIM_COUNT_host_faults_page] >
                kernel.stats.count[SIM_COUNT_donations]);
}

static void every_fault_of_the_x86_recording_is_predicted_and_no_other(void **state)
{
    struct sim_result result;

    (void)state;
    replay(AMD64_A, "secretmem", "donate.kinds=unmapped", &result);
    assert_true(result.compared);
    assert_int_equal(result.stats.count[SIM_COUNT_initial], 708);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 2555);
    assert_int_equal(result.stats.count[SIM_COUNT_recorded_faults], 566);
    assert_int_equal(result.missed, 0);
    assert_int_equal(result.spurious, 0);
    /* What /proc/vmstat of the recorded kernel counted. */
    assert_int_equal(result.stats.count[SIM_COUNT_direct_map_splits], 3);
}

static void ept_strategy_meets_the_crossing_loads_of_ordinary_guests_too(void **state)
{
    struct sim_result result;

    (void)state;
    replay(AMD64_A, "ept-inject", "check.stale=sampled", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], 566 + 94);
    assert_int_equal(result.stats.count[SIM_COUNT_survived], 566 + 94);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
}

/* The console of the recorded crash names these, and so does the replay. */
static void recorded_crash_is_named_as_its_console_named_it(void **state)
{
    struct sim_result result;

    (void)state;
    replay(CRASH, "el2-bug", "donate.kinds=hypervisor", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_panics], 1);
    assert_int_equal(result.missed, 0);
    assert_int_equal(result.spurious, 0);
    assert_int_equal(result.report_count, 1);
    assert_true(result.report[0].panic);
    assert_int_equal(result.report[0].pc, 0xffff80008046bd58);
    assert_string_equal(result.report[0].place, "link_path_walk.part.0.constprop.0+0xf0");
    assert_int_equal(result.report[0].far, 0xffff000008216000);
    assert_int_equal(result.report[0].ipa >> 8, 0x482160);
    assert_int_equal(result.report[0].owner & 0xff, TRACE_OWNER_HYP);
}

static void recorded_crash_is_survived_by_those_who_repair(void **state)
{
    static const struct {
        const char *strategy;
        uint64_t strays, panics;
    } cases[] = {
        {"none", 0, 0},      {"el2-bug", 1, 1},          {"stage2-only", 1, 1},
        {"sea-fixup", 1, 0}, {"reflect", 1, 0},          {"new-syndrome", 1, 0},
        {"sdei", 1, 0},      {"direct-map-unmap", 1, 0}, {"direct-map-batch", 1, 0},
        {"secretmem", 1, 0}, {"carve-out", 0, 0},
    };
    struct sim_result result;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        replay(CRASH, cases[i].strategy, "check.stale=all", &result);
        assert_int_equal(result.stats.count[SIM_COUNT_strays], cases[i].strays);
        assert_int_equal(result.stats.count[SIM_COUNT_panics], cases[i].panics);
        assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
    }
}

/* 200 pages given to the hypervisor; of the 919 aborts that followed on single pages the replay
 * must take nearly all again, more than four for each page, because broken blocks stay broken. */
static void recorded_crash_shows_four_extra_entries_for_each_page(void **state)
{
    struct sim_result kernel, without;

    (void)state;
    replay(CRASH, "el2-bug", NULL, &kernel);
    replay(CRASH, "none", NULL, &without);
    assert_int_equal(kernel.stats.count[SIM_COUNT_donations], 200);
    assert_in_range(kernel.stats.count[SIM_COUNT_host_faults_page], 4 * 200, 919);
    assert_int_equal(without.stats.count[SIM_COUNT_host_faults_page], 0);
}

static void results_do_not_depend_on_the_number_of_threads(void **state)
{
    static struct sim_result one[3], two[3];
    const struct sim_strategy *strategies[] = {sim_strategy_find("none"), sim_strategy_find("sdei"),
                                               sim_strategy_find("direct-map-batch")};
    struct sim_config config;
    struct sim_error error;

    (void)state;
    sim_config_init(&config);
    set(&config, "tlb.repl=random");
    assert_int_equal(sim_compare(ARM64_P, &config, strategies, 3, 1, one, NULL, NULL, &error),
                     SIM_OK);
    assert_int_equal(sim_compare(ARM64_P, &config, strategies, 3, 2, two, NULL, NULL, &error),
                     SIM_OK);
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(&one[i].stats, &two[i].stats, sizeof(one[i].stats));
        assert_memory_equal(&one[i].mmu, &two[i].mmu, sizeof(one[i].mmu));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_fault_is_predicted_and_no_other),
        cmocka_unit_test(stage2_strategy_meets_the_crossing_loads_of_ordinary_guests_too),
        cmocka_unit_test(pkvm_host_runs_without_a_stray_access),
        cmocka_unit_test(block_with_a_foreign_page_comes_back_page_by_page),
        cmocka_unit_test(every_fault_of_the_x86_recording_is_predicted_and_no_other),
        cmocka_unit_test(ept_strategy_meets_the_crossing_loads_of_ordinary_guests_too),
        cmocka_unit_test(recorded_crash_is_named_as_its_console_named_it),
        cmocka_unit_test(recorded_crash_is_survived_by_those_who_repair),
        cmocka_unit_test(recorded_crash_shows_four_extra_entries_for_each_page),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
