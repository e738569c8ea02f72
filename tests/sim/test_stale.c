/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle for TLB maintenance, with seeded faults: each invalidation that is left out on purpose
 * must be reported as a stale translation in use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim/machine.h"
#include "tests/sim/support/script.h"

enum { PAGE = 100 };

static bool unmap_and_forget_the_flush(struct sim *sim, const struct sim_lend *lend)
{
    sim_direct_map_invalid(sim, lend->cpu, lend->pa);
    return true;
}

static void map_again(struct sim *sim, const struct sim_lend *lend)
{
    sim_direct_map_default(sim, lend->cpu, lend->pa);
}

static const struct sim_strategy forgetful = {
    .name = "forgetful",
    .summary = "secretmem without its flush",
    .edits_direct_map = true,
    .donate = unmap_and_forget_the_flush,
    .reclaim = map_again,
};

/* A page is read on both CPUs, lent, and read on both again. */
static void read_lend_read(struct script *script)
{
    script_init(script);
    uint32_t load = script_site(script, 3, false, true, true);

    for (unsigned int cpu = 0; cpu < 2; cpu++)
        script_access(script, cpu, load, script_va(PAGE, 0));
    script_donate(script, PAGE, TRACE_OWNER_GUEST, 0);
    for (unsigned int cpu = 0; cpu < 2; cpu++)
        script_access(script, cpu, load, script_va(PAGE, 8));
    script_set(script, "check.stale=all");
}

/* Replays with a machine that `spoil` has changed. */
static void replay_spoiled(struct script *script, const struct sim_strategy *strategy,
                           void (*spoil)(struct sim *sim), struct sim_result *result)
{
    struct sim_error error = {0};
    struct sim *sim;

    script->served = false;
    assert_int_equal(sim_open(&sim, &script->config, strategy, &script->header, &error), SIM_OK);
    if (spoil)
        spoil(sim);
    assert_int_equal(sim_replay(sim, &script->source, NULL, NULL, &error), SIM_OK);
    sim_result(sim, result);
    sim_close(sim);
}

static void (*true_inv)(void *ctx, const struct hyp_tlb_inv *inv);
static enum hyp_tlbi dropped;

static void drop_one_kind(void *ctx, const struct hyp_tlb_inv *inv)
{
    if (inv->op != dropped)
        true_inv(ctx, inv);
}

static void spoil_port(struct sim *sim)
{
    true_inv = sim->hyp_port.tlb_inv;
    sim->hyp_port.tlb_inv = drop_one_kind;
}

static void correct_machines_use_no_stale_translation(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    read_lend_read(&script);
    replay_spoiled(&script, sim_strategy_find("reflect"), NULL, &result);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], 2);
}

static void forgotten_kernel_flush_is_reported_on_both_cpus(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    read_lend_read(&script);
    replay_spoiled(&script, &forgetful, NULL, &result);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 2);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], 0);
}

static void ipa_invalidation_alone_leaves_combined_entries_alive(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    read_lend_read(&script);
    dropped = HYP_TLBI_VMALLE1IS;
    replay_spoiled(&script, sim_strategy_find("reflect"), spoil_port, &result);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 2);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], 0);
}

static void sampling_finds_what_is_used_often(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    read_lend_read(&script);
    for (int i = 0; i < 1000; i++)
        script_access(&script, 0, 0, script_va(PAGE, 16));
    script_set(&script, "check.stale=sampled");
    script_set(&script, "check.stale_period=100");
    replay_spoiled(&script, &forgetful, NULL, &result);
    assert_in_range(result.stats.count[SIM_COUNT_stale_uses], 9, 11);
    script_set(&script, "check.stale=off");
    replay_spoiled(&script, &forgetful, NULL, &result);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(correct_machines_use_no_stale_translation),
        cmocka_unit_test(forgotten_kernel_flush_is_reported_on_both_cpus),
        cmocka_unit_test(ipa_invalidation_alone_leaves_combined_entries_alive),
        cmocka_unit_test(sampling_finds_what_is_used_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
