/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How records of a trace move the kernel into isolation and out of it, and what that costs. */

#include "tests/support/cmocka_all.h"

#include "tests/sim/support/script.h"

enum { LENT = 100, OTHER = 300 };
/* In the direct map's entry of the root, but outside the direct map. */
#define HOLE (SCRIPT_LINEAR + (UINT64_C(1) << 38))
#define FAR  UINT64_C(0xffffc90000000000)

static struct script script;
static uint32_t word;

/* Isolation by VM records only, unless a test says more. */
static void start(const char *shape)
{
    script_init_x86(&script);
    word = script_site(&script, 3, false, false, false);
    script_set(&script, shape);
    script_set(&script, "asi.enter=vmenter");
    script_set(&script, "check.stale=all");
}

static void event(enum trace_kind kind)
{
    script_event(&script, kind, 0, 0, 0);
}

static void on_cpu_1(void)
{
    script.rec[script.count - 1].cpu = 1;
}

static void touch(uint64_t page)
{
    script_access(&script, 0, word, script_va(page, 0));
}

static void lend(uint64_t page)
{
    script_donate(&script, page, TRACE_OWNER_GUEST, 0);
}

/* Into isolation, and on in the kernel. */
static void run_guest(void)
{
    event(TRACE_VMENTER);
    event(TRACE_VMEXIT);
}

static struct sim_result result;

static void replay(void)
{
    script_run(&script, "asi", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
    assert_int_equal(result.stats.count[SIM_COUNT_donations_failed], 0);
    assert_int_equal(result.stats.count[SIM_COUNT_panics], 0);
    /* Enters and exits alternate; at the end of a trace a CPU may still be in. */
    assert_in_range(result.stats.count[SIM_COUNT_asi_enters] -
                        result.stats.count[SIM_COUNT_asi_exits_fault] -
                        result.stats.count[SIM_COUNT_asi_exits_irq] -
                        result.stats.count[SIM_COUNT_asi_exits_switch] -
                        result.stats.count[SIM_COUNT_asi_exits_work],
                    0, 2);
}

#define COUNT(name)        result.stats.count[SIM_COUNT_##name]
#define EXPECT(name, want) assert_int_equal(COUNT(name), want)
#define KNOB(name)         result.config.value[SIM_KNOB_cost_##name]

static void a_stray_access_leaves_isolation_and_completes(void **state)
{
    (void)state;
    start("asi.shape=targets");
    lend(LENT);
    run_guest();
    touch(OTHER);
    touch(LENT);
    touch(LENT);
    replay();
    EXPECT(strays, 1);
    EXPECT(survived, 1);
    EXPECT(asi_enters, 1);
    EXPECT(asi_faults, 1);
    EXPECT(asi_exits_fault, 1);
    EXPECT(asi_leaked, 1);
    assert_int_equal(result.report_count, 1);
    assert_int_equal(result.report[0].far, script_va(LENT, 0));
    assert_int_equal(result.report[0].esr, 0); /* not present, read, supervisor */
    assert_int_equal(result.stats.cycles[SIM_CAUSE_stray], KNOB(direct_fault));
    /* First entry under a PCID flushes it; the kernel's keeps what it has. The guest's control of
     * predictors is flushed on the way out. */
    assert_int_equal(result.stats.cycles[SIM_CAUSE_isolation],
                     KNOB(cr3_flush) + KNOB(cr3_keep) + KNOB(flush_control));
    EXPECT(asi_flushes, 1);
}

static void in_the_full_address_space_nothing_is_noticed(void **state)
{
    (void)state;
    start("asi.shape=targets");
    lend(LENT);
    touch(LENT);
    replay();
    EXPECT(strays, 0);
    EXPECT(asi_enters, 0);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_isolation], 0);
}

static void a_page_that_comes_back_is_shown_again(void **state)
{
    (void)state;
    start("asi.shape=targets");
    lend(LENT);
    run_guest();
    script_reclaim(&script, LENT, TRACE_OWNER_GUEST);
    run_guest();
    touch(LENT);
    replay();
    EXPECT(asi_exits_work, 1);
    EXPECT(asi_faults, 0);
    EXPECT(strays, 0);
}

static void what_was_cached_under_the_restricted_pcid_is_gone_after_lending(void **state)
{
    (void)state;
    for (int pcid = 0; pcid < 2; pcid++) {
        start("asi.shape=targets");
        script_set(&script, pcid ? "asi.pcid=1" : "asi.pcid=0");
        run_guest();
        touch(LENT); /* cached while it may be seen */
        lend(LENT);  /* isolation is left for this: INVLPG reaches the kernel's PCID only */
        run_guest();
        touch(LENT);
        replay();
        EXPECT(asi_faults, 1);
        /* Entries flush: the first, and the one after the tables changed. Without PCIDs the two
         * exits do, too. */
        EXPECT(asi_flushes, pcid ? 2 : 4);
    }
}

static void tables_that_did_not_change_are_entered_without_a_flush(void **state)
{
    (void)state;
    start("asi.shape=sessions");
    lend(LENT);
    for (int i = 0; i < 5; i++) {
        run_guest();
        event(TRACE_SWITCH);
    }
    replay();
    EXPECT(asi_enters, 5);
    EXPECT(asi_exits_switch, 5);
    EXPECT(asi_flushes, 1);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_isolation],
                     KNOB(cr3_flush) + 9 * KNOB(cr3_keep));
}

static void another_cpu_that_is_isolated_loses_the_page_at_once(void **state)
{
    (void)state;
    start("asi.shape=targets");
    event(TRACE_VMENTER);
    on_cpu_1();
    event(TRACE_VMEXIT);
    on_cpu_1();
    script_access(&script, 1, word, script_va(LENT, 0));
    lend(LENT);
    script_access(&script, 1, word, script_va(LENT, 0));
    replay();
    EXPECT(asi_exits_work, 0); /* only the CPU that lends leaves for it */
    EXPECT(asi_faults, 1);
    EXPECT(strays, 1);
}

static void an_interrupt_ends_a_session(void **state)
{
    (void)state;
    start("asi.shape=sessions");
    lend(LENT);
    run_guest();
    event(TRACE_IRQ);
    touch(LENT);
    event(TRACE_IRQ);
    touch(LENT);
    replay();
    EXPECT(asi_enters, 1);
    EXPECT(asi_exits_irq, 1);
    EXPECT(asi_faults, 0);
}

static void an_interrupt_does_not_end_a_target(void **state)
{
    (void)state;
    start("asi.shape=targets");
    lend(LENT);
    run_guest();
    event(TRACE_IRQ);
    touch(LENT);
    replay();
    EXPECT(asi_exits_irq, 0);
    EXPECT(asi_exits_fault, 1);
}

static void an_interrupt_of_a_guest_that_left_returns_to_the_target(void **state)
{
    (void)state;
    start("asi.shape=targets");
    lend(LENT);
    event(TRACE_VMENTER);
    event(TRACE_IRQ);
    touch(LENT); /* leaves */
    event(TRACE_IRQ);
    touch(LENT); /* isolated again */
    event(TRACE_VMEXIT);
    touch(LENT); /* and again, for the last time: relaxed */
    touch(LENT);
    replay();
    EXPECT(asi_enters, 3);
    EXPECT(asi_exits_fault, 3);
    EXPECT(asi_leaked, 1);
}

static void a_switch_leaves_under_both_shapes(void **state)
{
    static const char *const shapes[] = {"asi.shape=sessions", "asi.shape=targets"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        start(shapes[i]);
        lend(LENT);
        event(TRACE_VMENTER);
        event(TRACE_SWITCH);
        touch(LENT);
        run_guest();
        script_event(&script, TRACE_TLBI, 0, 2, 0); /* a recorded CR3 write */
        touch(LENT);
        run_guest();
        script_event(&script, TRACE_TLBI, 0, 1, 0); /* INVLPG is no switch */
        replay();
        EXPECT(asi_exits_switch, 2);
        EXPECT(asi_enters, 3);
        EXPECT(asi_faults, 0);
    }
}

static void the_knob_says_which_records_enter(void **state)
{
    static const struct {
        const char *enter;
        uint64_t enters;
    } cases[] = {{"asi.enter=vmenter", 0}, {"asi.enter=guest", 2}, {"asi.enter=kernel", 3}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        start("asi.shape=targets");
        script_set(&script, cases[i].enter);
        lend(LENT);
        script_reclaim(&script, LENT, TRACE_OWNER_GUEST);
        event(TRACE_ALLOC); /* in it already: no effect */
        event(TRACE_SWITCH);
        replay();
        EXPECT(asi_enters, cases[i].enters);
        EXPECT(asi_exits_switch, i > 0);
    }
}

static void sessions_log_each_instruction_once(void **state)
{
    (void)state;
    start("asi.shape=sessions");
    uint32_t second = script_site(&script, 3, false, false, false);

    lend(LENT);
    lend(LENT + 1);
    for (int i = 0; i < 3; i++) {
        run_guest();
        touch(LENT + (i & 1));
    }
    run_guest();
    script_access(&script, 0, second, script_va(LENT, 0));
    replay();
    EXPECT(asi_faults, 4);
    EXPECT(asi_fault_sites, 2);
    EXPECT(asi_leaked, 2);
}

static void a_lent_page_that_stage_2_protects_goes_on_as_a_violation(void **state)
{
    (void)state;
    start("asi.shape=targets");
    script_set(&script, "asi.stage2=1");
    uint32_t fixed = script_site(&script, 3, false, true, true);

    lend(LENT);
    run_guest();
    script_access(&script, 0, fixed, script_va(LENT, 0));
    script_access(&script, 0, fixed, script_va(LENT, 0)); /* no longer isolated */
    replay();
    EXPECT(asi_faults, 1);
    EXPECT(strays, 2);
    EXPECT(survived, 2);
    EXPECT(hypercalls, 4); /* the guest is made, and one page given */
    assert_int_equal(result.stats.cycles[SIM_CAUSE_stray],
                     KNOB(direct_fault) + 2 * (KNOB(exit) + KNOB(inject) + KNOB(kernel_fault)));
}

static void what_the_restricted_tables_lack_is_no_stray(void **state)
{
    (void)state;
    start("asi.shape=targets");
    script_event(&script, TRACE_PAGE, HOLE, SCRIPT_RAM + OTHER * SCRIPT_PAGE, 0);
    run_guest();
    script_access(&script, 0, word, HOLE);
    replay();
    EXPECT(asi_faults, 1);
    EXPECT(asi_leaked, 0);
    EXPECT(strays, 0);
    EXPECT(unrecorded, 0);
}

static void far_page(uint64_t page)
{
    script_event(&script, TRACE_PAGE, FAR, SCRIPT_RAM + page * SCRIPT_PAGE, 0);
}

static void a_mapping_of_the_kernels_that_changes_is_followed(void **state)
{
    (void)state;
    start("asi.shape=targets");
    run_guest();
    far_page(OTHER); /* under an entry of the root that was empty */
    script_access(&script, 0, word, FAR);
    far_page(LENT);
    script_access(&script, 0, word, FAR);
    event(TRACE_SWITCH);
    script_access(&script, 0, word, FAR);
    far_page(OTHER); /* cached under the restricted PCID, too */
    script_access(&script, 0, word, FAR);
    run_guest();
    script_access(&script, 0, word, FAR);
    far_page(LENT); /* cached under the kernel's PCID, too */
    event(TRACE_SWITCH);
    script_access(&script, 0, word, FAR);
    replay();
    EXPECT(asi_faults, 0);
    EXPECT(unrecorded, 0);
}

static void a_direct_map_of_blocks_is_split_once_for_each_block(void **state)
{
    (void)state;
    start("asi.shape=targets");
    lend(LENT);
    lend(LENT + 1);
    lend(LENT + 512);
    run_guest();
    for (uint64_t page = 0; page < 1024; page += 64)
        touch(page);
    replay();
    EXPECT(direct_map_splits, 2);
    EXPECT(asi_faults, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stray_access_leaves_isolation_and_completes),
        cmocka_unit_test(in_the_full_address_space_nothing_is_noticed),
        cmocka_unit_test(a_page_that_comes_back_is_shown_again),
        cmocka_unit_test(what_was_cached_under_the_restricted_pcid_is_gone_after_lending),
        cmocka_unit_test(tables_that_did_not_change_are_entered_without_a_flush),
        cmocka_unit_test(another_cpu_that_is_isolated_loses_the_page_at_once),
        cmocka_unit_test(an_interrupt_ends_a_session),
        cmocka_unit_test(an_interrupt_does_not_end_a_target),
        cmocka_unit_test(an_interrupt_of_a_guest_that_left_returns_to_the_target),
        cmocka_unit_test(a_switch_leaves_under_both_shapes),
        cmocka_unit_test(the_knob_says_which_records_enter),
        cmocka_unit_test(sessions_log_each_instruction_once),
        cmocka_unit_test(a_lent_page_that_stage_2_protects_goes_on_as_a_violation),
        cmocka_unit_test(what_the_restricted_tables_lack_is_no_stray),
        cmocka_unit_test(a_mapping_of_the_kernels_that_changes_is_followed),
        cmocka_unit_test(a_direct_map_of_blocks_is_split_once_for_each_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
