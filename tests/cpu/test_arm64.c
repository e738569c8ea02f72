/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arm64: instructions that concern levels, exceptions and translation; counting. */
#define RIG_UNIT uint32_t
#include <string.h>

#include "tests/cpu/support/rig.h"

#define VECTORS (RIG_CODE + 0x800)
#define USER    UINT64_C(0x400000)

static const struct cpu_config arm64 = {.arch = CPU_ARM64};

static int setup(void **state)
{
    *state = rig_create(&arm64, NULL);
    return 0;
}

static int teardown(void **state)
{
    rig_destroy(*state);
    return 0;
}

static void a_loop_counts_its_instructions(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xd2807d00 /* mov x0, #1000 */, 0xf1000400 /* subs x0, x0, #1 */,
                0x54ffffe1 /* b.ne #-4 */, 0xd40000e2 /* hvc #7 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig->exit.immediate, 7);
    assert_int_equal(rig->exit.pc, RIG_CODE + 16);
    assert_int_equal(cpu_retired(rig->cpu), 1 + 2 * 1000 + 1);
    /* One fetch a block: the first has three instructions, and the last is HVC's. */
    assert_int_equal(rig->accesses[CPU_FETCH], 1000 + 1);
}

static void a_budget_ends_the_run_before_a_block(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0x91000400 /* add x0, x0, #1 */, 0x17ffffff /* b #-4 */);
    cpu_run(rig->cpu, 100, &rig->exit);
    assert_int_equal(rig->exit.kind, CPU_EXIT_BUDGET);
    assert_int_equal(cpu_retired(rig->cpu), 100);
    assert_int_equal(rig_get(rig, 0), 50);
    assert_int_equal(rig_get(rig, CPU_PC), RIG_CODE);
    cpu_run(rig->cpu, 1, &rig->exit);
    assert_int_equal(cpu_retired(rig->cpu), 102);
}

static void an_idle_guest_halts_behind_wfi(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xd503201f /* nop */, 0xd503207f /* wfi */, 0xd4000022 /* hvc #1 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HALT);
    assert_int_equal(rig->exit.pc, RIG_CODE + 8);
    assert_int_equal(cpu_retired(rig->cpu), 2);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
}

static void smc_is_refused(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xd503201f /* nop */, 0xd4000003 /* smc #0 */);
    cpu_run(rig->cpu, 100, &rig->exit);
    assert_int_equal(rig->exit.kind, CPU_EXIT_UNKNOWN);
    assert_string_equal(rig->exit.why, "SMC");
    assert_int_equal(rig->exit.pc, RIG_CODE + 4);
}

static void an_undefined_instruction_is_an_exception_of_class_0(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xd503201f /* nop */, 0x00000001 /* udf #1 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig->exit.exception.esr, 0x02000000);
    assert_int_equal(rig->exit.pc, RIG_CODE + 4);
    assert_int_equal(cpu_retired(rig->cpu), 1);
}

static void brk_reports_its_immediate_at_the_instruction(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xd503201f /* nop */, 0xd4202460 /* brk #0x123 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig->exit.exception.esr, 0xf2000123);
    assert_int_equal(rig->exit.pc, RIG_CODE + 4);
}

/* Handler: tells class and return address by hypercall and returns. */
static void put_handler(struct rig *rig, uint64_t offset)
{
    rig_set(rig, CPU_VBAR, VECTORS);
    RIG_CODE_AT(rig, VECTORS + offset, 0xd538520a /* mrs x10, esr_el1 */,
                0xd538402b /* mrs x11, elr_el1 */, 0xd538400c /* mrs x12, spsr_el1 */,
                0xd538600d /* mrs x13, far_el1 */, 0xd538424e /* mrs x14, currentel */,
                0xd4000c62 /* hvc #99 */, 0xd69f03e0 /* eret */);
}

static void enter_user(struct rig *rig)
{
    rig_map(rig, USER, 5, RIG_R | RIG_X | RIG_USER);
    rig_set(rig, CPU_ELR, USER);
    rig_set(rig, CPU_SPSR, UINT64_C(0x60000000)); /* Z and C, EL0t */
    rig_set(rig, CPU_SP_EL0, 0x7000);
    RIG_CODE_AT(rig, RIG_CODE, 0xd69f03e0 /* eret */);
}

static void a_program_calls_its_kernel_and_goes_on(void **state)
{
    struct rig *rig = *state;

    put_handler(rig, 0x400);
    enter_user(rig);
    RIG_CODE_AT(rig, USER, 0x910003e1 /* mov x1, sp */, 0xd40000a1 /* svc #5 */,
                0x910003e2 /* mov x2, sp */, 0x9a9f17e3 /* cset x3, eq */, 0xd40000c1 /* svc #6 */);
    rig_set(rig, CPU_PC, RIG_CODE);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(cpu_el(rig->cpu), 0);
    assert_int_equal(rig->exit.exception.esr, 0x56000005);
    assert_int_equal(rig->exit.pc, USER + 8);
    assert_int_equal(rig_get(rig, 1), 0x7000);
    assert_true(cpu_take(rig->cpu, &rig->exit.exception, &rig->exit));
    assert_int_equal(rig_get(rig, CPU_PC), VECTORS + 0x400);
    assert_int_equal(cpu_el(rig->cpu), 1);
    assert_int_equal(rig_get(rig, CPU_SP), RIG_STACK + 4096);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, 10), 0x56000005);
    assert_int_equal(rig_get(rig, 11), USER + 8);
    assert_int_equal(rig_get(rig, 12), 0x60000000);
    assert_int_equal(rig_get(rig, 14), 4); /* CurrentEL: 1 */
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig->exit.exception.esr, 0x56000006);
    assert_int_equal(rig_get(rig, 2), 0x7000);
    assert_int_equal(rig_get(rig, 3), 1);
}

static void a_program_may_not_touch_what_is_the_kernels(void **state)
{
    static const uint32_t forbidden[] = {
        0xd5182000 /* msr ttbr0_el1, x0 */,
        0xd5385200 /* mrs x0, esr_el1 */,
        0xd508871f /* tlbi vmalle1 */,
        0xd69f03e0 /* eret */,
        0xd4000002 /* hvc #0 */,
        0xd4000003 /* smc #0 */,
        0xd50342df /* msr daifset, #2 */,
        0xd50041bf /* msr spsel, #1 */,
        0xd5380000 /* mrs x0, midr_el1 */,
        0xd53b4220 /* mrs x0, daif */,
        0xd5087800 /* at s1e1r, x0 */,
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        cpu_set(rig->cpu, CPU_FLAGS, 0x3c5);
        enter_user(rig);
        rig_code(rig, USER, &forbidden[i], 4);
        rig_set(rig, CPU_PC, RIG_CODE);
        assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
        assert_int_equal(rig->exit.exception.esr, 0x02000000);
        assert_int_equal(rig->exit.pc, USER);
    }
    assert_int_equal(rig->sysregs + rig->invals, 0);
}

static void code_of_both_levels_is_translated_for_each(void **state)
{
    struct rig *rig = *state;

    rig_map(rig, USER, 5, RIG_R | RIG_X | RIG_USER);
    RIG_CODE_AT(rig, USER, 0xd5385200 /* mrs x0, esr_el1 */, 0xd4000022 /* hvc #1 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    rig_set(rig, CPU_PC, USER);
    rig_set(rig, CPU_FLAGS, 0);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig->exit.pc, USER);
}

static void vectors_depend_on_where_the_exception_comes_from(void **state)
{
    static const struct {
        unsigned int mode;
        bool irq;
        uint64_t offset;
    } rows[] = {
        {4, false, 0x000}, {4, true, 0x080},  {5, false, 0x200},
        {5, true, 0x280},  {0, false, 0x400}, {0, true, 0x480},
    };
    struct rig *rig = *state;

    rig_set(rig, CPU_VBAR, VECTORS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cpu_exception exception = {.esr = 0x1234, .irq = rows[i].irq};
        rig_set(rig, CPU_ESR, 0x77);
        rig_set(rig, CPU_FLAGS, rows[i].mode);
        rig_set(rig, CPU_PC, 0x1000);
        assert_true(cpu_takes_irq(rig->cpu));
        assert_true(cpu_take(rig->cpu, &exception, &rig->exit));
        assert_int_equal(rig_get(rig, CPU_PC), VECTORS + rows[i].offset);
        assert_int_equal(rig_get(rig, CPU_SPSR), rows[i].mode);
        assert_int_equal(rig_get(rig, CPU_ELR), 0x1000);
        assert_int_equal(rig_get(rig, CPU_FLAGS), 0x3c5);
        assert_int_equal(rig_get(rig, CPU_ESR), rows[i].irq ? 0x77 : 0x1234);
        assert_false(cpu_takes_irq(rig->cpu));
    }
}

static void an_interrupt_comes_at_the_end_of_a_budget(void **state)
{
    struct rig *rig = *state;
    const struct cpu_exception irq = {.irq = true};

    put_handler(rig, 0x280);
    RIG_CODE_AT(rig, RIG_CODE, 0xd50342ff /* msr daifclr, #2 */, 0x91000400 /* add x0, x0, #1 */,
                0x17ffffff /* b #-4 */);
    cpu_run(rig->cpu, 0, &rig->exit);
    assert_false(cpu_takes_irq(rig->cpu));
    cpu_run(rig->cpu, 101, &rig->exit);
    assert_int_equal(rig->exit.kind, CPU_EXIT_BUDGET);
    assert_true(cpu_takes_irq(rig->cpu));
    assert_true(cpu_take(rig->cpu, &irq, &rig->exit));
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, 11), RIG_CODE + 4);
    cpu_run(rig->cpu, 1, &rig->exit); /* eret */
    assert_int_equal(rig_get(rig, CPU_PC), RIG_CODE + 4);
    assert_true(cpu_takes_irq(rig->cpu));
}

static void translation_registers_go_to_the_port_and_read_back(void **state)
{
    struct rig *rig = *state;

    rig_set(rig, 0, 0x1005);
    RIG_CODE_AT(rig, RIG_CODE, 0xd5181000 /* msr sctlr_el1, x0 */,
                0xd5182000 /* msr ttbr0_el1, x0 */, 0xd5182020 /* msr ttbr1_el1, x0 */,
                0xd5182040 /* msr tcr_el1, x0 */, 0xd518a200 /* msr mair_el1, x0 */,
                0xd5033fdf /* isb */, 0xd5381001 /* mrs x1, sctlr_el1 */,
                0xd518203f /* msr ttbr1_el1, xzr */, 0xd5382022 /* mrs x2, ttbr1_el1 */,
                0xd538205f /* mrs xzr, tcr_el1 */, 0xd4000002 /* hvc #0 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig->sysregs, 6);
    assert_int_equal(rig->sysreg, CPU_TTBR1_EL1);
    assert_int_equal(rig->value, 0);
    assert_int_equal(rig_get(rig, 1), 0x1005);
    assert_int_equal(rig_get(rig, 2), 0);
    assert_int_equal(cpu_sysreg_get(rig->cpu, CPU_TCR_EL1), 0x1005);
    assert_int_equal(cpu_retired(rig->cpu), 11);
}

static void tlb_maintenance_reaches_the_port_with_its_operand(void **state)
{
    struct rig *rig = *state;

    rig_set(rig, 3, 0x123456);
    RIG_CODE_AT(rig, RIG_CODE, 0xd50883a3 /* tlbi vale1is, x3 */, 0xd5033b9f /* dsb ish */,
                0xd508871f /* tlbi vmalle1 */, 0xd4000002 /* hvc #0 */);
    cpu_run(rig->cpu, 1, &rig->exit);
    assert_int_equal(rig->invals, 1);
    assert_int_equal(rig->inval.crn, 8);
    assert_int_equal(rig->inval.crm, 3);
    assert_int_equal(rig->inval.op1, 0);
    assert_int_equal(rig->inval.op2, 5);
    assert_int_equal(rig->inval.value, 0x123456);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig->invals, 2);
    assert_int_equal(rig->inval.crm, 7);
    assert_int_equal(rig->inval.value, 0);
}

static void what_nobody_models_is_undefined(void **state)
{
    static const uint32_t undefined[] = {
        0xd5087800 /* at s1e1r, x0 */, 0xd50b7420 /* dc zva, x0 */,
        0xd50c871f /* tlbi alle2 */,   0xd53b2400 /* mrs x0, rndr */,
        0xd4400020 /* hlt #1 */,       0xd53c1000 /* mrs x0, sctlr_el2 */,
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(undefined) / sizeof(undefined[0]); i++) {
        rig_code(rig, RIG_CODE, &undefined[i], 4);
        assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
        assert_int_equal(rig->exit.exception.esr, 0x02000000);
    }
}

static void stack_pointers_are_banked(void **state)
{
    struct rig *rig = *state;

    rig_set(rig, 0, 0x5000);
    RIG_CODE_AT(rig, RIG_CODE, 0xd5184100 /* msr sp_el0, x0 */, 0xd5384201 /* mrs x1, spsel */,
                0xd50040bf /* msr spsel, #0 */, 0x910003e2 /* mov x2, sp */,
                0x910043ff /* add sp, sp, #16 */, 0xd50041bf /* msr spsel, #1 */,
                0xd5384103 /* mrs x3, sp_el0 */, 0x910003e4 /* mov x4, sp */,
                0xd4000002 /* hvc #0 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, 1), 1);
    assert_int_equal(rig_get(rig, 2), 0x5000);
    assert_int_equal(rig_get(rig, 3), 0x5010);
    assert_int_equal(rig_get(rig, CPU_SP_EL0), 0x5010);
    assert_int_equal(rig_get(rig, 4), RIG_STACK + 4096);
}

static void counters_count_instructions(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xd503201f /* nop */, 0xd53be040 /* mrs x0, cntvct_el0 */,
                0xd503201f /* nop */, 0xd53be041 /* mrs x1, cntvct_el0 */, 0xd4000002 /* hvc #0 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, 0), 1);
    assert_int_equal(rig_get(rig, 1), 3);
}

static void a_return_to_a_state_of_el2_is_refused(void **state)
{
    struct rig *rig = *state;

    rig_set(rig, CPU_SPSR, 0x3c9);
    RIG_CODE_AT(rig, RIG_CODE, 0xd69f03e0 /* eret */);
    cpu_run(rig->cpu, 10, &rig->exit);
    assert_int_equal(rig->exit.kind, CPU_EXIT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_loop_counts_its_instructions, setup, teardown),
        cmocka_unit_test_setup_teardown(a_budget_ends_the_run_before_a_block, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_guest_halts_behind_wfi, setup, teardown),
        cmocka_unit_test_setup_teardown(smc_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_undefined_instruction_is_an_exception_of_class_0, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(brk_reports_its_immediate_at_the_instruction, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_program_calls_its_kernel_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_may_not_touch_what_is_the_kernels, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(code_of_both_levels_is_translated_for_each, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(vectors_depend_on_where_the_exception_comes_from, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_interrupt_comes_at_the_end_of_a_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(translation_registers_go_to_the_port_and_read_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tlb_maintenance_reaches_the_port_with_its_operand, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_nobody_models_is_undefined, setup, teardown),
        cmocka_unit_test_setup_teardown(stack_pointers_are_banked, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_count_instructions, setup, teardown),
        cmocka_unit_test_setup_teardown(a_return_to_a_state_of_el2_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
