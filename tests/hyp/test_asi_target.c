/* SPDX-License-Identifier: MIT */
/* Targets and taints: when CR3 is written, and what is flushed before and after. */
#include "tests/hyp/test_asi_rig.h"

/* One after the other what the hardware sees: a CR3 value, or a flush as its taints. */
struct target_log {
    struct hyp_port port;
    struct hyp_asi_cpu *cpu;
    uint64_t seen[32];
    const struct hyp_asi *current[32]; /* what an interrupt at this point would find */
    unsigned int count;
};

static void log_root(void *ctx, const struct hyp_root *root)
{
    struct target_log *log = ctx;

    assert_true(log->count < 32);
    log->current[log->count] = log->cpu->current;
    log->seen[log->count++] = root->tcr;
}

static void log_flush(void *ctx, unsigned int taints)
{
    struct target_log *log = ctx;

    assert_true(log->count < 32);
    log->current[log->count] = log->cpu->current;
    log->seen[log->count++] = taints;
}

static struct asi_rig *logged(struct target_log *log, struct hyp_asi_policy policy)
{
    struct asi_rig *rig = rig_new(0);
    struct hyp_asi_config other = rig_other_config(rig);

    rig->config.policy = policy;
    assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), 0);
    assert_int_equal(hyp_asi_create(&rig->other, &other), 0);
    *log = (struct target_log){.port = rig->machine.fake.port, .cpu = &rig->cpus[0]};
    log->port.ctx = log;
    log->port.root_set = log_root;
    rig->cpus[0].port = &log->port;
    rig->cpus[0].flush = log_flush;
    rig->cpus[0].flush_ctx = log;
    return rig;
}

static void control_is_flushed_before_cr3_and_data_after(void **state)
{
    struct target_log log;
    struct asi_rig *rig =
        logged(&log, (struct hyp_asi_policy){HYP_ASI_USER_CONTROL | HYP_ASI_OTHER_CONTROL,
                                             HYP_ASI_KERNEL_DATA | HYP_ASI_OTHER_DATA,
                                             HYP_ASI_GUEST_CONTROL | HYP_ASI_GUEST_DATA});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    cpu->taints = HYP_ASI_TAINTS & ~HYP_ASI_OTHER_DATA;
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    assert_int_equal(log.count, 3);
    assert_int_equal(log.seen[0], HYP_ASI_USER_CONTROL | HYP_ASI_OTHER_CONTROL);
    assert_true(log.seen[1] == rig->asi.pgt.root.v);
    assert_int_equal(log.seen[2], HYP_ASI_KERNEL_DATA);
    assert_int_equal(cpu->taints, HYP_ASI_USER_DATA | HYP_ASI_GUEST_DATA | HYP_ASI_GUEST_CONTROL);
    rig_end(rig);
}

/* Every policy against every set of taints: what is flushed where, and what is left. */
static void the_flush_table_holds_for_every_policy_and_taint(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    for (unsigned int policy = 0; policy <= HYP_ASI_TAINTS; policy++) {
        for (unsigned int taints = 0; taints <= HYP_ASI_TAINTS; taints++) {
            const unsigned int early = policy & taints & 0x70, late = policy & taints & 0x0f;
            unsigned int left = taints & ~policy, at = 0;

            rig->asi.config.policy = (struct hyp_asi_policy){policy & 0x70, policy & 0x0f, 0};
            cpu->taints = (uint8_t)taints;
            log.count = 0;
            assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
            if (early)
                assert_int_equal(log.seen[at++], early);
            assert_true(log.seen[at++] == rig->asi.pgt.root.v);
            if (late)
                assert_int_equal(log.seen[at++], late);
            assert_int_equal(log.count, at);
            assert_int_equal(cpu->taints, left);
            log.count = at = 0;
            hyp_asi_target_exit(cpu);
            if (left & 0x70)
                assert_int_equal(log.seen[at++], left & 0x70);
            assert_true(log.seen[at++] == RIG_CR3);
            assert_int_equal(log.count, at);
            assert_int_equal(cpu->taints, (left & 0x0f) | HYP_ASI_KERNEL_DATA);
        }
    }
    rig_end(rig);
}

static void an_interrupting_exit_always_finds_what_to_leave(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});

    (void)state;
    assert_int_equal(hyp_asi_target_enter(&rig->cpus[0], &rig->asi), 0);
    hyp_asi_target_exit(&rig->cpus[0]);
    assert_int_equal(log.count, 2);
    assert_ptr_equal(log.current[0], &rig->asi);
    assert_ptr_equal(log.current[1], &rig->asi);
    assert_null(rig->cpus[0].current);
    hyp_asi_target_exit(&rig->cpus[0]);
    assert_int_equal(log.count, 2);
    rig_end(rig);
}

static void interrupts_alone_do_not_leave(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    hyp_asi_interrupt_enter(cpu);
    hyp_asi_interrupt_exit(cpu);
    assert_int_equal(log.count, 1);
    assert_ptr_equal(cpu->current, &rig->asi);
    rig_end(rig);
}

static void the_outermost_interrupt_returns_to_the_target(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    hyp_asi_interrupt_enter(cpu);
    hyp_asi_interrupt_enter(cpu);
    hyp_asi_target_exit(cpu); /* a fault, say */
    hyp_asi_interrupt_exit(cpu);
    assert_null(cpu->current);
    assert_int_equal(log.count, 2);
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->other), HYP_EINVAL);
    hyp_asi_interrupt_exit(cpu);
    assert_ptr_equal(cpu->current, &rig->asi);
    assert_int_equal(log.count, 3);
    rig_end(rig);
}

static void a_relaxed_cpu_is_not_sent_back(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    hyp_asi_target_relax(cpu);
    assert_ptr_equal(cpu->current, &rig->asi);
    assert_int_equal(log.count, 1);
    hyp_asi_interrupt_enter(cpu);
    hyp_asi_target_exit(cpu);
    hyp_asi_interrupt_exit(cpu);
    assert_null(cpu->current);
    rig_end(rig);
}

static void one_restricted_space_leads_directly_to_another(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->other), 0);
    assert_int_equal(log.count, 2);
    assert_true(log.seen[1] == rig->other.pgt.root.v);
    hyp_asi_target_exit(cpu);
    assert_true(log.seen[2] == RIG_CR3);
    rig_end(rig);
}

static void a_kernel_change_on_the_way_is_remembered_until_exit(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    cpu->tag_base = 8;
    for (unsigned int change = 0; change < 2; change++) {
        assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
        if (change)
            assert_int_equal(hyp_asi_refresh(&rig->asi, hyp_va(RIG_FREE), 1), 0);
        assert_int_equal(hyp_asi_target_enter(cpu, &rig->other), 0);
        hyp_asi_target_exit(cpu);
        assert_true(log.seen[log.count - 1] == (change ? RIG_CR3 : RIG_CR3 | HYP_BIT(63)));
    }
    rig_end(rig);
}

static void each_space_has_its_own_pcid_until_there_are_no_more(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    cpu->tag_base = 8;
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->other), 0);
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    assert_true(log.seen[0] == (rig->asi.pgt.root.v | 8));
    assert_true(log.seen[1] == (rig->other.pgt.root.v | 9));
    assert_true(log.seen[2] == (rig->asi.pgt.root.v | 8 | HYP_BIT(63)));
    /* Its PCID went to another: flushed under the next one. */
    cpu->tags[0].asi = NULL;
    cpu->tag_next = 5;
    hyp_asi_target_exit(cpu);
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    assert_true(log.seen[4] == (rig->asi.pgt.root.v | 13));
    assert_int_equal(cpu->tag_next, 0);
    rig_end(rig);
}

static void another_mm_makes_taints_those_of_others(void **state)
{
    static const uint8_t cases[][2] = {
        {HYP_ASI_USER_DATA, HYP_ASI_OTHER_DATA},
        {HYP_ASI_GUEST_DATA, HYP_ASI_OTHER_DATA},
        {HYP_ASI_USER_CONTROL, HYP_ASI_OTHER_CONTROL},
        {HYP_ASI_GUEST_CONTROL, HYP_ASI_OTHER_CONTROL},
        {HYP_ASI_KERNEL_DATA, HYP_ASI_KERNEL_DATA},
        {HYP_ASI_OTHER_DATA | HYP_ASI_OTHER_CONTROL, HYP_ASI_OTHER_DATA | HYP_ASI_OTHER_CONTROL},
    };
    struct hyp_asi_cpu cpu = {0};

    (void)state;
    for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++) {
        cpu.taints = cases[i][0];
        hyp_asi_switch_mm(&cpu);
        assert_int_equal(cpu.taints, cases[i][1]);
    }
}

static void a_target_keeps_its_space_from_being_destroyed(void **state)
{
    struct target_log log;
    struct asi_rig *rig = logged(&log, (struct hyp_asi_policy){0});
    struct hyp_asi_cpu *cpu = &rig->cpus[0];

    (void)state;
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    assert_int_equal(hyp_asi_enter(cpu, &rig->asi, &rig_task), HYP_EBUSY);
    assert_int_equal(hyp_asi_destroy(&rig->asi), HYP_EBUSY);
    hyp_asi_target_relax(cpu);
    assert_int_equal(hyp_asi_destroy(&rig->asi), HYP_EBUSY);
    assert_int_equal(hyp_asi_target_enter(cpu, &rig->asi), 0);
    hyp_asi_target_exit(cpu);
    assert_int_equal(hyp_asi_destroy(&rig->asi), HYP_EBUSY);
    hyp_asi_target_relax(cpu);
    assert_int_equal(hyp_asi_destroy(&rig->asi), 0);
    rig_end(rig);
}

static void policy_bits_out_of_place_are_refused(void **state)
{
    static const struct hyp_asi_policy bad[] = {
        {HYP_ASI_USER_DATA, 0, 0}, {0, HYP_ASI_USER_CONTROL, 0}, {0, 0, 0x80}};
    struct asi_rig *rig = rig_new(0);

    (void)state;
    for (unsigned int i = 0; i < 3; i++) {
        struct asi_snapshot before;

        rig->config.policy = bad[i];
        rig_save(&before, rig);
        assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), HYP_EINVAL);
        assert_true(rig_same(&before, rig));
    }
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_is_flushed_before_cr3_and_data_after),
        cmocka_unit_test(the_flush_table_holds_for_every_policy_and_taint),
        cmocka_unit_test(an_interrupting_exit_always_finds_what_to_leave),
        cmocka_unit_test(interrupts_alone_do_not_leave),
        cmocka_unit_test(the_outermost_interrupt_returns_to_the_target),
        cmocka_unit_test(a_relaxed_cpu_is_not_sent_back),
        cmocka_unit_test(one_restricted_space_leads_directly_to_another),
        cmocka_unit_test(a_kernel_change_on_the_way_is_remembered_until_exit),
        cmocka_unit_test(each_space_has_its_own_pcid_until_there_are_no_more),
        cmocka_unit_test(another_mm_makes_taints_those_of_others),
        cmocka_unit_test(a_target_keeps_its_space_from_being_destroyed),
        cmocka_unit_test(policy_bits_out_of_place_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
