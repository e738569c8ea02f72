/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each strategy does to a stray access, and what that costs, in exact cycles. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/support/script.h"

enum { LENT = 100, BESIDE = 99 };

/* A page is lent, and the word at the end of the page before it is read. */
static void stray(struct script *script, bool fixup, enum trace_owner owner)
{
    script_init(script);
    uint32_t word = script_site(script, 3, false, true, fixup);

    script_access(script, 0, word, script_va(BESIDE, 0));
    script_donate(script, LENT, owner, TRACE_DONATE_UNMAPPED);
    script_access(script, 0, word, script_va(BESIDE, SCRIPT_PAGE - 3));
    script_reclaim(script, LENT, owner);
    script_access(script, 0, word, script_va(LENT, 0));
}

static uint64_t knob(const struct sim_result *result, enum sim_knob which)
{
    return result->config.value[which];
}

static void expect(const struct sim_result *result, uint64_t strays, uint64_t survived,
                   uint64_t panics)
{
    assert_int_equal(result->stats.count[SIM_COUNT_strays], strays);
    assert_int_equal(result->stats.count[SIM_COUNT_survived], survived);
    assert_int_equal(result->stats.count[SIM_COUNT_panics], panics);
    assert_int_equal(result->stats.count[SIM_COUNT_donations_failed], 0);
    assert_int_equal(result->stats.count[SIM_COUNT_stale_uses], 0);
}

static void run_checked(struct script *script, const char *strategy, struct sim_result *result)
{
    script_set(script, "check.stale=all");
    script_run(script, strategy, result);
}

static void baseline_ignores_donations(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "none", &result);
    expect(&result, 0, 0, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 0);
    assert_int_equal(result.stats.count[SIM_COUNT_crossings], 1);
}

static void el2_bug_stops_on_a_stray_read(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "el2-bug", &result);
    expect(&result, 1, 0, 1);
    /* The report names what the console of the recorded crash names. */
    assert_int_equal(result.report_count, 1);
    assert_true(result.report[0].panic);
    assert_int_equal(result.report[0].pc, script_pc(0));
    assert_int_equal(result.report[0].far, script_va(LENT, 0));
    assert_int_equal(result.report[0].ipa, SCRIPT_RAM + LENT * SCRIPT_PAGE);
    assert_int_equal(result.report[0].esr & 0xfc00003f, 0x90000007);
    assert_int_equal(result.report[0].donated, 1);
}

static void stage2_only_panics_because_sea_has_no_fixup(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "stage2-only", &result);
    expect(&result, 1, 0, 1);
}

static void sea_fixup_repairs_with_an_entry_and_panics_without(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "sea-fixup", &result);
    expect(&result, 1, 1, 0);
    stray(&script, false, TRACE_OWNER_GUEST);
    run_checked(&script, "sea-fixup", &result);
    expect(&result, 1, 0, 1);
}

static void reflect_costs_exit_injection_fault_and_search(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "reflect", &result);
    expect(&result, 1, 1, 0);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_stray],
                     knob(&result, SIM_KNOB_cost_exit) + knob(&result, SIM_KNOB_cost_inject) +
                         knob(&result, SIM_KNOB_cost_kernel_fault));
    assert_int_equal(result.stats.cycles[SIM_CAUSE_fixup], knob(&result, SIM_KNOB_cost_extable));
}

static void reflect_takes_a_guest_page_back_by_force_without_an_entry(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, false, TRACE_OWNER_GUEST);
    run_checked(&script, "reflect", &result);
    expect(&result, 1, 1, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_forced_reclaims], 1);
}

static void reflect_cannot_take_a_page_from_the_hypervisor(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, false, TRACE_OWNER_HYP);
    run_checked(&script, "reflect", &result);
    expect(&result, 1, 0, 1);
    assert_int_equal(result.stats.count[SIM_COUNT_forced_reclaims], 0);
}

static void new_syndrome_and_sdei_repair_too(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "new-syndrome", &result);
    expect(&result, 1, 1, 0);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_stray],
                     knob(&result, SIM_KNOB_cost_exit) + knob(&result, SIM_KNOB_cost_inject) +
                         knob(&result, SIM_KNOB_cost_direct_fault));
    run_checked(&script, "sdei", &result);
    expect(&result, 1, 1, 0);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_stray],
                     2 * knob(&result, SIM_KNOB_cost_exit) + knob(&result, SIM_KNOB_cost_sdei) +
                         knob(&result, SIM_KNOB_cost_kernel_fault));
}

static void direct_map_unmap_faults_in_stage_1_without_an_exit(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "direct-map-unmap", &result);
    expect(&result, 1, 1, 0);
    assert_int_equal(result.report[0].ipa, 0);
    assert_int_equal(result.report[0].esr, 0x96000007);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_stray],
                     knob(&result, SIM_KNOB_cost_kernel_fault));
    assert_int_equal(result.stats.count[SIM_COUNT_direct_map_edits], 2);
    assert_int_equal(result.stats.count[SIM_COUNT_flushes], 1);
}

static void secretmem_edits_the_direct_map_and_makes_no_hypercall(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "secretmem", &result);
    expect(&result, 1, 1, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_hypercalls], 0);
    assert_int_equal(
        result.stats.cycles[SIM_CAUSE_table_edit] -
            result.stats.count[SIM_COUNT_host_faults] *
                (knob(&result, SIM_KNOB_cost_pte_write) + knob(&result, SIM_KNOB_cost_barrier)),
        2 * knob(&result, SIM_KNOB_cost_page_attr));
    assert_int_equal(result.stats.cycles[SIM_CAUSE_shootdown],
                     knob(&result, SIM_KNOB_cost_shootdown));
}

static void batch_flushes_once_for_all_its_pages(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    script_init(&script);
    for (uint64_t page = 200; page < 208; page++)
        script_donate(&script, page, TRACE_OWNER_GUEST, 0);
    script_set(&script, "donate.batch=4");
    run_checked(&script, "direct-map-batch", &result);
    expect(&result, 0, 0, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 8);
    assert_int_equal(result.stats.count[SIM_COUNT_flushes], 2);
    assert_int_equal(result.stats.count[SIM_COUNT_direct_map_edits], 8);
}

static void batch_that_is_wanted_back_early_is_completed_first(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    script_init(&script);
    script_donate(&script, 200, TRACE_OWNER_GUEST, 0);
    script_donate(&script, 201, TRACE_OWNER_GUEST, 0);
    script_reclaim(&script, 200, TRACE_OWNER_GUEST);
    run_checked(&script, "direct-map-batch", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 2);
    assert_int_equal(result.stats.count[SIM_COUNT_reclaims], 1);
    assert_int_equal(result.stats.count[SIM_COUNT_flushes], 1);
}

static void carve_out_never_lends_a_neighbour(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    run_checked(&script, "carve-out", &result);
    expect(&result, 0, 0, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 1);
    assert_int_equal(result.stats.count[SIM_COUNT_stranded_peak],
                     knob(&result, SIM_KNOB_place_carve_pages));
}

static void as_a_place_the_carve_out_stays_in_the_direct_map(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    script_set(&script, "place.policy=carve-out");
    run_checked(&script, "reflect", &result);
    expect(&result, 0, 0, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 1);
    assert_int_equal(result.stats.count[SIM_COUNT_stranded_peak],
                     knob(&result, SIM_KNOB_place_carve_pages));
    assert_int_equal(result.stats.count[SIM_COUNT_flushes], 0);
    run_checked(&script, "none", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_stranded_peak], 0);
}

static void carve_out_grows_when_exhausted_and_fails_when_it_may_not(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    script_init(&script);
    for (uint64_t page = 200; page < 203; page++)
        script_donate(&script, page, TRACE_OWNER_GUEST, 0);
    script_set(&script, "place.carve_pages=2");
    script_set(&script, "place.carve_grow=1");
    script_run(&script, "carve-out", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 3);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_migrate],
                     knob(&result, SIM_KNOB_cost_migrate_page));
    script_set(&script, "place.carve_grow=0");
    script_run(&script, "carve-out", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 2);
    assert_int_equal(result.stats.count[SIM_COUNT_donations_failed], 1);
}

static void completed_access_survives_every_strategy_after_reclaim(void **state)
{
    static struct script script;
    const struct sim_strategy *strategy;
    struct sim_result result;

    (void)state;
    for (size_t i = 0; (strategy = sim_strategy_at(i)); i++) {
        script_init(&script);
        if (!sim_strategy_fits(strategy, &script.header))
            script.header.arch = TRACE_ARCH_X86_64;
        uint32_t load = script_site(&script, 3, false, false, false);

        for (int round = 0; round < 3; round++) {
            script_access(&script, 0, load, script_va(LENT, 8));
            script_access(&script, 1, load, script_va(LENT, 16));
            script_donate(&script, LENT, TRACE_OWNER_GUEST, TRACE_DONATE_UNMAPPED);
            script_reclaim(&script, LENT, TRACE_OWNER_GUEST);
        }
        script_access(&script, 1, load, script_va(LENT, 24));
        run_checked(&script, sim_strategy_name(strategy), &result);
        expect(&result, 0, 0, 0);
    }
}

static void lent_page_faults_on_both_cpus_under_every_strategy_that_keeps_it(void **state)
{
    static const char *const names[] = {"el2-bug", "stage2-only",  "sea-fixup",
                                        "reflect", "new-syndrome", "direct-map-unmap",
                                        "sdei",    "secretmem"};
    static struct script script;
    struct sim_result result;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        script_init(&script);
        uint32_t word = script_site(&script, 3, false, true, true);

        /* Both CPUs have translations of the page before it is lent. */
        script_access(&script, 0, word, script_va(LENT, 0));
        script_access(&script, 1, word, script_va(LENT, 0));
        script_donate(&script, LENT, TRACE_OWNER_GUEST, TRACE_DONATE_UNMAPPED);
        script_access(&script, 0, word, script_va(LENT, 0));
        script_access(&script, 1, word, script_va(LENT, 0));
        run_checked(&script, names[i], &result);
        assert_int_equal(result.stats.count[SIM_COUNT_strays], 2);
        assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
    }
}

/* The stray of the arm64 tests, on x86-64. */
static void stray_x86(struct script *script, bool fixup)
{
    stray(script, fixup, TRACE_OWNER_GUEST);
    script->header.arch = TRACE_ARCH_X86_64;
}

static void ept_inject_costs_exit_injection_fault_and_search(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    stray_x86(&script, true);
    run_checked(&script, "ept-inject", &result);
    expect(&result, 1, 1, 0);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_stray],
                     knob(&result, SIM_KNOB_cost_exit) + knob(&result, SIM_KNOB_cost_inject) +
                         knob(&result, SIM_KNOB_cost_kernel_fault));
    /* Read, not present, linear address valid, final access. */
    assert_int_equal(result.report[0].esr, 0x181);
    assert_int_equal(result.report[0].ipa, SCRIPT_RAM + LENT * SCRIPT_PAGE);
    stray_x86(&script, false);
    run_checked(&script, "ept-inject", &result);
    expect(&result, 1, 1, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_forced_reclaims], 1);
}

static void ept_ve_repairs_without_an_exit(void **state)
{
    static struct script script;
    struct sim_result inject, ve;

    (void)state;
    stray_x86(&script, true);
    run_checked(&script, "ept-inject", &inject);
    run_checked(&script, "ept-ve", &ve);
    expect(&ve, 1, 1, 0);
    assert_int_equal(ve.stats.cycles[SIM_CAUSE_stray],
                     knob(&ve, SIM_KNOB_cost_ve) + knob(&ve, SIM_KNOB_cost_direct_fault));
    assert_int_equal(ve.stats.count[SIM_COUNT_exits], inject.stats.count[SIM_COUNT_exits] - 1);
}

static void x86_kernel_splits_a_block_of_its_direct_map_once(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    script_init_x86(&script);
    uint32_t word = script_site(&script, 3, false, true, true);

    script_access(&script, 0, word, script_va(LENT, 0));
    script_access(&script, 1, word, script_va(LENT, 0));
    script_donate(&script, LENT, TRACE_OWNER_GUEST, TRACE_DONATE_UNMAPPED);
    script_donate(&script, LENT + 7, TRACE_OWNER_GUEST, TRACE_DONATE_UNMAPPED);
    script_access(&script, 0, word, script_va(LENT, 0));
    script_access(&script, 1, word, script_va(LENT + 7, 0));
    script_access(&script, 1, word, script_va(LENT + 8, 0));
    run_checked(&script, "secretmem", &result);
    expect(&result, 2, 2, 0);
    assert_int_equal(result.stats.count[SIM_COUNT_direct_map_splits], 1);
    assert_int_equal(result.report[0].esr, 0); /* #PF: not present, read, supervisor */
}

static void strategies_of_the_other_architecture_are_refused(void **state)
{
    static struct script script;
    struct sim_result result;
    struct sim_error error;

    (void)state;
    stray(&script, true, TRACE_OWNER_GUEST);
    assert_int_equal(script_try(&script, "ept-inject", &result, &error), SIM_USAGE);
    stray_x86(&script, true);
    assert_int_equal(script_try(&script, "reflect", &result, &error), SIM_USAGE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(baseline_ignores_donations),
        cmocka_unit_test(el2_bug_stops_on_a_stray_read),
        cmocka_unit_test(stage2_only_panics_because_sea_has_no_fixup),
        cmocka_unit_test(sea_fixup_repairs_with_an_entry_and_panics_without),
        cmocka_unit_test(reflect_costs_exit_injection_fault_and_search),
        cmocka_unit_test(reflect_takes_a_guest_page_back_by_force_without_an_entry),
        cmocka_unit_test(reflect_cannot_take_a_page_from_the_hypervisor),
        cmocka_unit_test(new_syndrome_and_sdei_repair_too),
        cmocka_unit_test(direct_map_unmap_faults_in_stage_1_without_an_exit),
        cmocka_unit_test(secretmem_edits_the_direct_map_and_makes_no_hypercall),
        cmocka_unit_test(batch_flushes_once_for_all_its_pages),
        cmocka_unit_test(batch_that_is_wanted_back_early_is_completed_first),
        cmocka_unit_test(carve_out_never_lends_a_neighbour),
        cmocka_unit_test(as_a_place_the_carve_out_stays_in_the_direct_map),
        cmocka_unit_test(carve_out_grows_when_exhausted_and_fails_when_it_may_not),
        cmocka_unit_test(completed_access_survives_every_strategy_after_reclaim),
        cmocka_unit_test(ept_inject_costs_exit_injection_fault_and_search),
        cmocka_unit_test(ept_ve_repairs_without_an_exit),
        cmocka_unit_test(x86_kernel_splits_a_block_of_its_direct_map_once),
        cmocka_unit_test(strategies_of_the_other_architecture_are_refused),
        cmocka_unit_test(lent_page_faults_on_both_cpus_under_every_strategy_that_keeps_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
