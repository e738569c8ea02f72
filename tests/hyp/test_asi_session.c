/* SPDX-License-Identifier: MIT */
/* Sessions: CR3 writes, aborts, barriers, PCIDs and the fault log. */
#include "tests/hyp/test_asi_rig.h"

#define KEEP HYP_BIT(63)

/* CR3 writes and invalidations from here on. */
static struct asi_rig *watched(uint16_t tag_base)
{
    struct asi_rig *rig = rig_start(tag_base);

    rig->machine.fake.record = 1u << FAKE_ROOT | 1u << FAKE_TLBI | 1u << FAKE_STORE;
    return rig;
}

static uint64_t root_written(const struct asi_rig *rig, unsigned int back)
{
    for (size_t i = rig->machine.fake.call_count; i-- > 0;) {
        if (rig->machine.fake.calls[i].kind == FAKE_ROOT && back-- == 0)
            return rig->machine.fake.calls[i].value;
    }
    return UINT64_MAX;
}

static unsigned int roots_written(const struct asi_rig *rig)
{
    unsigned int count = 0;

    for (size_t i = 0; i < rig->machine.fake.call_count; i++)
        count += rig->machine.fake.calls[i].kind == FAKE_ROOT;
    return count;
}

static void enter(struct asi_rig *rig)
{
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &rig_task), 0);
}

/* Defect: the preemption count leaked with each pair of enter and exit. */
static void enter_and_exit_leave_nothing_behind(void **state)
{
    struct asi_rig *rig = watched(0);
    const struct hyp_asi_cpu cpu = rig->cpus[0];
    const unsigned int ranges = rig->asi.range_count, tables = rig->asi.table_count;
    char *before = fake_table_text(&rig->asi.pgt), *after;

    (void)state;
    enter(rig);
    assert_int_equal(rig->cpus[0].state, HYP_ASI_ACTIVE);
    assert_true(root_written(rig, 0) == rig->asi.pgt.root.v);
    assert_true(rig_shows(rig, &rig->asi, RIG_STACK + 0x3000));
    hyp_asi_exit(&rig->cpus[0]);
    assert_true(root_written(rig, 0) == RIG_CR3);
    assert_memory_equal(&cpu, &rig->cpus[0], sizeof cpu);
    assert_int_equal(rig->asi.range_count, ranges);
    assert_int_equal(rig->asi.table_count, tables);
    after = fake_table_text(&rig->asi.pgt);
    assert_string_equal(before, after);
    free(before);
    free(after);
    rig_end(rig);
}

/* Defect: the stack's unmapping relied on the CR3 write, which other CPUs do not see. */
static void exit_writes_cr3_first_and_then_invalidates_the_stack(void **state)
{
    struct asi_rig *rig = watched(0);

    (void)state;
    enter(rig);
    fake_port_reset(&rig->machine.fake);
    hyp_asi_exit(&rig->cpus[0]);
    assert_int_equal(rig->machine.fake.calls[0].kind, FAKE_ROOT);
    assert_int_equal(roots_written(rig), 1);
    assert_int_equal(rig->machine.fake.tlbis[HYP_TLBI_INVLPG_ALL], 4);
    rig_end(rig);
}

static void entering_again_is_no_effect_and_another_is_busy(void **state)
{
    struct asi_rig *rig = watched(0);
    struct hyp_asi_config config = rig_other_config(rig);
    struct asi_snapshot before;

    (void)state;
    assert_int_equal(hyp_asi_create(&rig->other, &config), 0);
    enter(rig);
    rig_save(&before, rig);
    enter(rig);
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->other, &rig_task), HYP_EBUSY);
    assert_int_equal(hyp_asi_target_enter(&rig->cpus[0], &rig->other), HYP_EBUSY);
    assert_true(rig_same(&before, rig));
    hyp_asi_start_abort(&rig->cpus[0]);
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &rig_task), HYP_EBUSY);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

static void a_failed_enter_maps_neither_stack_nor_task(void **state)
{
    struct asi_rig *rig = rig_new(0);
    const struct hyp_asi_task task = {.stack = {{RIG_STACK}, 0x1000}, .task = {{RIG_STACK}, 64}};
    struct asi_snapshot before;

    (void)state;
    rig->config.flags = HYP_ASI_CURRENT_TASK;
    assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), 0);
    rig->asi.generation = 0;
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &task), HYP_EBUSY);
    rig->asi.generation = 0; /* what was unmapped again was INVLPG'd */
    memset(&rig->ranges[0][rig->asi.range_count], 0, sizeof rig->ranges[0][0]);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

static void the_task_is_mapped_with_its_flag_only(void **state)
{
    const struct hyp_asi_task task = {.stack = {{RIG_STACK}, 64}, .task = {{RIG_FREE}, 64}};

    (void)state;
    for (unsigned int flags = 0; flags <= HYP_ASI_CURRENT_TASK; flags += HYP_ASI_CURRENT_TASK) {
        struct asi_rig *rig = rig_new(0);

        rig->config.flags = flags;
        assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), 0);
        assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &task), 0);
        assert_int_equal(rig_shows(rig, &rig->asi, RIG_FREE), flags != 0);
        hyp_asi_exit(&rig->cpus[0]);
        assert_false(rig_shows(rig, &rig->asi, RIG_FREE));
        rig_end(rig);
    }
}

/* Defect: destroying an address space in use was not noticed. */
static void destroy_is_refused_while_a_cpu_is_in_it_or_aborted_from_it(void **state)
{
    struct asi_rig *rig = watched(0);
    struct asi_snapshot before;

    (void)state;
    enter(rig);
    for (unsigned int i = 0; i < 2; i++) {
        rig_save(&before, rig);
        assert_int_equal(hyp_asi_destroy(&rig->asi), HYP_EBUSY);
        assert_true(rig_same(&before, rig));
        hyp_asi_start_abort(&rig->cpus[0]);
    }
    hyp_asi_exit(&rig->cpus[0]);
    assert_int_equal(hyp_asi_destroy(&rig->asi), 0);
    assert_int_equal(rig->pool.free_pages, 256);
    assert_int_equal(hyp_asi_destroy(NULL), 0);
    rig_end(rig);
}

static void nested_aborts_end_the_session_with_the_outermost(void **state)
{
    struct asi_rig *rig = watched(0);
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    hyp_asi_start_abort(cpu); /* outside a session: no effect */
    hyp_asi_finish_abort(cpu);
    assert_int_equal(roots_written(rig), 0);
    enter(rig);
    hyp_asi_start_abort(cpu);
    assert_int_equal(cpu->state, HYP_ASI_ABORTED);
    assert_true(cpu->cr3 == RIG_CR3);
    hyp_asi_start_abort(cpu);
    assert_int_equal(cpu->abort_depth, 2);
    assert_int_equal(roots_written(rig), 2);
    hyp_asi_finish_abort(cpu);
    assert_int_equal(cpu->state, HYP_ASI_ABORTED);
    hyp_asi_finish_abort(cpu);
    assert_int_equal(cpu->state, HYP_ASI_INACTIVE);
    assert_int_equal(cpu->abort_depth, 0);
    rig_end(rig);
}

static void a_context_switch_resets_the_depth(void **state)
{
    struct asi_rig *rig = watched(0);
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    enter(rig);
    hyp_asi_start_abort(cpu);
    hyp_asi_abort(cpu);
    assert_int_equal(cpu->abort_depth, 0);
    enter(rig);
    hyp_asi_finish_abort(cpu); /* of the handler that had scheduled */
    assert_int_equal(cpu->state, HYP_ASI_ACTIVE);
    rig_end(rig);
}

static void an_abort_between_barriers_is_undone_at_their_end(void **state)
{
    struct asi_rig *rig = watched(0);
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    enter(rig);
    hyp_asi_barrier_begin(cpu);
    hyp_asi_start_abort(cpu);
    hyp_asi_start_abort(cpu);
    assert_int_equal(roots_written(rig), 3); /* restored again by the second */
    hyp_asi_finish_abort(cpu);
    hyp_asi_finish_abort(cpu);
    assert_int_equal(cpu->state, HYP_ASI_ABORTED);
    fake_port_reset(&rig->machine.fake);
    hyp_asi_barrier_end(cpu);
    assert_true(root_written(rig, 0) == RIG_CR3);
    assert_int_equal(cpu->state, HYP_ASI_INACTIVE);
    rig_end(rig);
}

static void barriers_without_an_abort_change_nothing(void **state)
{
    struct asi_rig *rig = watched(0);
    struct asi_snapshot before;

    (void)state;
    enter(rig);
    rig_save(&before, rig);
    hyp_asi_barrier_begin(&rig->cpus[0]);
    hyp_asi_barrier_end(&rig->cpus[0]);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

/* An interrupt arrives when everything but the CR3 write is done. */
struct interrupting {
    struct hyp_port port;
    struct fake_port *fake;
    struct hyp_asi_cpu *cpu;
    unsigned int seen;
};

static void interrupting_root_set(void *ctx, const struct hyp_root *root)
{
    struct interrupting *in = ctx;

    if (in->seen++ == 0) {
        hyp_asi_start_abort(in->cpu);
        hyp_asi_finish_abort(in->cpu);
    }
    in->fake->port.root_set(in->fake, root);
}

static void an_interrupt_before_the_cr3_write_does_not_leave_the_cpu_restricted(void **state)
{
    struct asi_rig *rig = watched(0);
    struct interrupting in = {.fake = &rig->machine.fake, .cpu = &rig->cpus[0]};

    (void)state;
    in.port.ctx = &in;
    in.port.root_set = interrupting_root_set;
    rig->cpus[0].port = &in.port;
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &rig_task), HYP_EAGAIN);
    assert_true(root_written(rig, 1) == rig->asi.pgt.root.v);
    assert_true(root_written(rig, 0) == RIG_CR3);
    assert_int_equal(rig->cpus[0].state, HYP_ASI_INACTIVE);
    assert_false(rig_shows(rig, &rig->asi, RIG_STACK));
    rig_end(rig);
}

static void control_registers_are_read_from_the_session(void **state)
{
    struct asi_rig *rig = watched(0);

    (void)state;
    enter(rig);
    rig->cpus[0].cr3 = rig->cpus[0].cr4 = 0; /* their usual home is not mapped */
    assert_true(hyp_asi_cr3(&rig->cpus[0]) == rig->asi.pgt.root.v);
    assert_true(hyp_asi_cr4(&rig->cpus[0]) == 0x20);
    hyp_asi_exit(&rig->cpus[0]);
    assert_true(hyp_asi_cr3(&rig->cpus[0]) == RIG_CR3);
    rig_end(rig);
}

/* Defect: everything ran with PCID 0. */
static void a_tagged_address_space_flushes_once_and_after_changes(void **state)
{
    struct asi_rig *rig = watched(8);
    struct hyp_asi_cpu *cpu = &rig->cpus[0];
    const struct hyp_asi_task none = {0};
    const uint64_t cr3 = rig->asi.pgt.root.v | 8;

    (void)state;
    assert_int_equal(hyp_asi_enter(cpu, &rig->asi, &none), 0);
    assert_true(root_written(rig, 0) == cr3);
    hyp_asi_exit(cpu);
    assert_true(root_written(rig, 0) == (RIG_CR3 | KEEP));
    assert_int_equal(hyp_asi_enter(cpu, &rig->asi, &none), 0);
    assert_true(root_written(rig, 0) == (cr3 | KEEP));
    hyp_asi_exit(cpu);
    assert_int_equal(hyp_asi_map(&rig->asi, hyp_va(RIG_FREE + 0x1000), 1), 0);
    assert_int_equal(hyp_asi_map(&rig->asi, hyp_va(RIG_FREE), 1), 0); /* nothing went */
    assert_int_equal(hyp_asi_enter(cpu, &rig->asi, &none), 0);
    assert_true(root_written(rig, 0) == (cr3 | KEEP));
    hyp_asi_exit(cpu);
    assert_int_equal(hyp_asi_unmap(&rig->asi, hyp_va(RIG_FREE)), 0);
    assert_int_equal(hyp_asi_enter(cpu, &rig->asi, &none), 0);
    assert_true(root_written(rig, 0) == cr3);
    rig_end(rig);
}

static void a_change_of_the_kernels_table_flushes_its_pcid_on_exit(void **state)
{
    struct asi_rig *rig = watched(8);

    (void)state;
    enter(rig);
    assert_int_equal(hyp_asi_refresh(&rig->asi, hyp_va(RIG_FREE), 1), 0);
    hyp_asi_exit(&rig->cpus[0]);
    assert_true(root_written(rig, 0) == RIG_CR3);
    rig_end(rig);
}

static void a_tag_does_not_vouch_for_a_later_address_space(void **state)
{
    struct asi_rig *rig = watched(8);
    const struct hyp_asi_task none = {0};

    (void)state;
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &none), 0);
    hyp_asi_exit(&rig->cpus[0]);
    assert_int_equal(hyp_asi_destroy(&rig->asi), 0);
    assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), 0);
    assert_int_equal(hyp_asi_enter(&rig->cpus[0], &rig->asi, &none), 0);
    assert_int_equal(root_written(rig, 0) & KEEP, 0);
    rig_end(rig);
}

static void only_kernel_faults_of_the_aborting_exception_are_ours(void **state)
{
    struct asi_rig *rig = watched(0);
    struct hyp_asi_cpu *cpu = &rig->cpus[0];
    struct hyp_asi_fault report;
    struct asi_snapshot before;

    (void)state;
    assert_false(hyp_asi_fault(cpu, 1, hyp_va(RIG_FREE), &report));
    enter(rig);
    hyp_asi_start_abort(cpu);
    rig_save(&before, rig);
    assert_false(hyp_asi_fault(cpu, 1, hyp_va(0x1000), &report));
    assert_true(rig_same(&before, rig));
    assert_true(hyp_asi_fault(cpu, 1, hyp_va(RIG_FREE), &report));
    assert_int_equal(report.kind, HYP_ASI_FAULT_NEW);
    hyp_asi_start_abort(cpu);
    rig_save(&before, rig);
    assert_false(hyp_asi_fault(cpu, 2, hyp_va(RIG_FREE), &report));
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

static void the_log_keeps_128_distinct_instructions(void **state)
{
    struct asi_rig *rig = watched(0);
    struct hyp_asi_cpu *cpu = &rig->cpus[0];
    struct hyp_asi_fault report;

    (void)state;
    enter(rig);
    hyp_asi_start_abort(cpu);
    for (unsigned int i = 0; i < 128; i++) {
        rig->asi.fault_stack = i == 5;
        assert_true(hyp_asi_fault(cpu, 0x1000 + i, hyp_va(RIG_FREE), &report));
        assert_int_equal(report.kind, HYP_ASI_FAULT_NEW);
        assert_int_equal(report.index, i);
        assert_int_equal(report.stack, i == 5);
    }
    assert_true(hyp_asi_fault(cpu, 0x1005, hyp_va(RIG_FREE), &report));
    assert_int_equal(report.kind, HYP_ASI_FAULT_REPEAT);
    assert_int_equal(report.index, 5);
    assert_true(hyp_asi_fault(cpu, 0x2000, hyp_va(RIG_FREE), &report));
    assert_int_equal(report.kind, HYP_ASI_FAULT_FULL);
    assert_true(hyp_asi_fault(cpu, 0x2000, hyp_va(RIG_FREE), &report));
    assert_int_equal(report.kind, HYP_ASI_FAULT_OVERFLOW);
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enter_and_exit_leave_nothing_behind),
        cmocka_unit_test(exit_writes_cr3_first_and_then_invalidates_the_stack),
        cmocka_unit_test(entering_again_is_no_effect_and_another_is_busy),
        cmocka_unit_test(a_failed_enter_maps_neither_stack_nor_task),
        cmocka_unit_test(the_task_is_mapped_with_its_flag_only),
        cmocka_unit_test(destroy_is_refused_while_a_cpu_is_in_it_or_aborted_from_it),
        cmocka_unit_test(nested_aborts_end_the_session_with_the_outermost),
        cmocka_unit_test(a_context_switch_resets_the_depth),
        cmocka_unit_test(an_abort_between_barriers_is_undone_at_their_end),
        cmocka_unit_test(barriers_without_an_abort_change_nothing),
        cmocka_unit_test(an_interrupt_before_the_cr3_write_does_not_leave_the_cpu_restricted),
        cmocka_unit_test(control_registers_are_read_from_the_session),
        cmocka_unit_test(a_tagged_address_space_flushes_once_and_after_changes),
        cmocka_unit_test(a_change_of_the_kernels_table_flushes_its_pcid_on_exit),
        cmocka_unit_test(a_tag_does_not_vouch_for_a_later_address_space),
        cmocka_unit_test(only_kernel_faults_of_the_aborting_exception_are_ours),
        cmocka_unit_test(the_log_keeps_128_distinct_instructions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
