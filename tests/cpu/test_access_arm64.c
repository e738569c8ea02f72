/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arm64: an access that faults has done nothing, and is made again as a whole. */
#define RIG_UNIT uint32_t
#include <string.h>

#include "tests/cpu/support/rig.h"

#define FAR (RIG_DATA + 4096)

static const struct cpu_config arm64 = {.arch = CPU_ARM64};

static int setup(void **state)
{
    struct rig *rig = rig_create(&arm64, NULL);

    *state = rig;
    for (unsigned int i = 0; i < 256; i++)
        rig->memory[4096 + 3840 + i] = (uint8_t)i; /* the end of the data page */
    for (unsigned int i = 0; i < 256; i++)
        rig->memory[8 * 4096 + i] = (uint8_t)(0x80 + i); /* what will be behind it */
    return 0;
}

static int teardown(void **state)
{
    rig_destroy(*state);
    return 0;
}

/* add x0, x0, #1; subs xzr, x5, x5; the instruction; hvc #1 */
static void put(struct rig *rig, uint32_t insn, uint64_t address)
{
    const uint32_t code[] = {0x91000400 /* add x0, x0, #1 */, 0xeb0500bf /* cmp x5, x5 */, insn,
                             0xd4000022 /* hvc #1 */};

    for (unsigned int i = 0; i <= 30; i++)
        rig_set(rig, i, UINT64_C(0x1111111111111111) * (i % 15));
    rig_set(rig, 1, address);
    rig_code(rig, RIG_CODE, code, sizeof(code));
}

/* The far page is missing: the instruction faults there and has changed no register. `written`:
 * bytes before the page's end that a first element may have changed. */
static void expect_fault(struct rig *rig, uint64_t va, unsigned int size, enum cpu_access access,
                         unsigned int written)
{
    uint64_t before[31], retired = cpu_retired(rig->cpu);
    uint8_t page[4096];

    memcpy(page, rig->memory + 4096, sizeof(page));
    for (unsigned int i = 0; i <= 30; i++)
        before[i] = rig_get(rig, i);
    before[0]++;
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.pc, RIG_CODE + 8);
    assert_int_equal(rig->exit.va, va);
    assert_int_equal(rig->exit.size, size);
    assert_int_equal(rig->exit.access, access);
    assert_int_equal(cpu_retired(rig->cpu) - retired, 2);
    assert_int_equal(rig_get(rig, CPU_FLAGS) >> 28, 6); /* of the comparison */
    for (unsigned int i = 0; i <= 30; i++)
        assert_int_equal(rig_get(rig, i), before[i]);
    assert_memory_equal(page, rig->memory + 4096, sizeof(page) - written);
}

static void expect_success(struct rig *rig)
{
    uint64_t retired = cpu_retired(rig->cpu);

    rig_map(rig, FAR, 8, RIG_KERNEL);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(cpu_retired(rig->cpu) - retired, 2);
}

static void a_load_faults_on_the_far_page_and_is_made_again(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xf9400022 /* ldr x2, [x1] */, FAR - 3);
    expect_fault(rig, FAR, 5, CPU_READ, 0);
    expect_success(rig);
    assert_int_equal(rig_get(rig, 2), UINT64_C(0x8483828180fffefd));
}

static void a_load_faults_on_the_near_page_first(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xf9400022 /* ldr x2, [x1] */, FAR - 3);
    rig_unmap(rig, RIG_DATA);
    expect_fault(rig, FAR - 3, 3, CPU_READ, 0);
    rig_map(rig, RIG_DATA, 1, RIG_KERNEL);
    rig_set(rig, CPU_PC, RIG_CODE);
    expect_fault(rig, FAR, 5, CPU_READ, 0);
}

static void a_load_with_write_back_moves_its_base_once(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xb8410422 /* ldr w2, [x1], #16 */, FAR - 1);
    expect_fault(rig, FAR, 3, CPU_READ, 0);
    expect_success(rig);
    assert_int_equal(rig_get(rig, 2), 0x828180ff);
    assert_int_equal(rig_get(rig, 1), FAR + 15);
}

static void a_store_has_written_nothing_when_the_far_page_faults(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xf8008c22 /* str x2, [x1, #8]! */, FAR - 13);
    expect_fault(rig, FAR, 3, CPU_WRITE, 0);
    expect_success(rig);
    assert_int_equal(rig_word(rig, FAR - 8), UINT64_C(0x2222222222faf9f8));
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0x8786858483222222));
    assert_int_equal(rig_get(rig, 1), FAR - 5);
}

static void a_store_to_a_read_only_far_page_faults_as_a_write(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xb9000022 /* str w2, [x1] */, FAR - 2);
    rig_map(rig, FAR, 8, RIG_R);
    expect_fault(rig, FAR, 2, CPU_WRITE, 0);
}

static void a_pair_of_loads_changes_no_register_when_the_second_faults(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xa8c10c22 /* ldp x2, x3, [x1], #16 */, FAR - 8);
    expect_fault(rig, FAR, 8, CPU_READ, 0);
    expect_success(rig);
    assert_int_equal(rig_get(rig, 2), UINT64_C(0xfffefdfcfbfaf9f8));
    assert_int_equal(rig_get(rig, 3), UINT64_C(0x8786858483828180));
    assert_int_equal(rig_get(rig, 1), FAR + 8);
}

static void a_pair_that_loads_its_own_base_is_made_again(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xa9400821 /* ldp x1, x2, [x1] */, FAR - 8);
    expect_fault(rig, FAR, 8, CPU_READ, 0);
    expect_success(rig);
    assert_int_equal(rig_get(rig, 1), UINT64_C(0xfffefdfcfbfaf9f8));
}

static void a_pair_of_stores_keeps_its_registers_when_the_second_faults(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xa9bf0c22 /* stp x2, x3, [x1, #-16]! */, FAR + 8);
    expect_fault(rig, FAR, 8, CPU_WRITE, 8);
    expect_success(rig);
    assert_int_equal(rig_word(rig, FAR - 8), UINT64_C(0x2222222222222222));
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0x3333333333333333));
    assert_int_equal(rig_get(rig, 1), FAR - 8);
}

static void every_misalignment_across_the_page_end_loads_and_stores(void **state)
{
    struct rig *rig = *state;

    rig_map(rig, FAR, 8, RIG_KERNEL);
    for (uint64_t at = FAR - 7; at < FAR; at++) {
        uint64_t expected = 0, near = FAR - at;
        memcpy(&expected, rig_at(rig, at), near);
        memcpy((uint8_t *)&expected + near, rig_at(rig, FAR), 8 - near);
        put(rig, 0xf9400022 /* ldr x2, [x1] */, at);
        rig->accesses[CPU_READ] = 0;
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_get(rig, 2), expected);
        assert_int_equal(rig->accesses[CPU_READ], 2);
        put(rig, 0xf9000023 /* str x3, [x1] */, at);
        rig->accesses[CPU_WRITE] = 0;
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(*rig_at(rig, at), 0x33);
        assert_int_equal(rig->memory[8 * 4096 + 7 - near], 0x33);
        assert_int_equal(rig->accesses[CPU_WRITE], 2);
    }
}

static void misaligned_accesses_inside_a_page_are_asked_for_once(void **state)
{
    struct rig *rig = *state;

    /* Every place around 1 KiB, which is the engine's own page. */
    for (uint64_t at = RIG_DATA + 1016; at <= RIG_DATA + 1024; at++) {
        rig_put(rig, at, UINT64_C(0x0123456789abcdef));
        put(rig, 0xf9400022 /* ldr x2, [x1] */, at);
        memset(rig->accesses, 0, sizeof(rig->accesses));
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_get(rig, 2), UINT64_C(0x0123456789abcdef));
        put(rig, 0xf9000024 /* str x4, [x1] */, at);
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_word(rig, at), UINT64_C(0x4444444444444444));
        assert_int_equal(rig->accesses[CPU_READ], 1);
        assert_int_equal(rig->accesses[CPU_WRITE], 1);
    }
}

static void exclusives_fault_and_are_made_again(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xc85f7c22 /* ldxr x2, [x1] */, FAR);
    expect_fault(rig, FAR, 8, CPU_READ, 0);
    expect_success(rig);
    assert_int_equal(rig_get(rig, 2), UINT64_C(0x8786858483828180));
    RIG_CODE_AT(rig, RIG_CODE, 0xc85f7c22 /* ldxr x2, [x1] */, 0x91000442 /* add x2, x2, #1 */,
                0xc8037c22 /* stxr w3, x2, [x1] */, 0xd4000022 /* hvc #1 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, 3), 0);
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0x8786858483828181));
    rig_map(rig, FAR, 8, RIG_R);
    rig_set(rig, CPU_PC, RIG_CODE);
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.pc, RIG_CODE + 8);
    assert_int_equal(rig->exit.access, CPU_WRITE);
    assert_int_equal(rig_get(rig, 3), 0);
    rig_map(rig, FAR, 8, RIG_KERNEL);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0x8786858483828182));
}

static void atomics_fault_and_are_made_again(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xf8e20023 /* ldaddal x2, x3, [x1] */, FAR);
    expect_fault(rig, FAR, 8, CPU_READ, 0);
    rig_map(rig, FAR, 8, RIG_R);
    rig_set(rig, CPU_PC, RIG_CODE);
    expect_fault(rig, FAR, 8, CPU_WRITE, 0);
    expect_success(rig);
    assert_int_equal(rig_get(rig, 3), UINT64_C(0x8786858483828180));
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0xa9a8a7a6a5a4a3a2));
    put(rig, 0xc8e3fc24 /* casal x3, x4, [x1] */, FAR);
    rig_set(rig, 3, UINT64_C(0xa9a8a7a6a5a4a3a2));
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0x4444444444444444));
}

static void a_misaligned_exclusive_is_an_alignment_fault(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xc85f7c22 /* ldxr x2, [x1] */, RIG_DATA + 3);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig->exit.exception.esr, 0x96000021);
    assert_int_equal(rig->exit.exception.address, RIG_DATA + 3);
    assert_int_equal(rig->exit.pc, RIG_CODE + 8);
}

static void vectors_cross_in_pieces(void **state)
{
    struct rig *rig = *state;

    put(rig, 0x3dc00020 /* ldr q0, [x1] */, FAR - 11);
    expect_fault(rig, FAR, 5, CPU_READ, 0);
    expect_success(rig);
    RIG_CODE_AT(rig, RIG_CODE, 0x4e183c02 /* umov x2, v0.d[1] */, 0xd4000022 /* hvc #1 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, 2), UINT64_C(0x8483828180fffefd));
}

static void a_fetch_that_faults_is_at_the_target(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xd61f0020 /* br x1 */, FAR + 0x40);
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.access, CPU_FETCH);
    assert_int_equal(rig->exit.pc, FAR + 0x40);
    assert_int_equal(rig->exit.va, FAR + 0x40);
    assert_int_equal(cpu_retired(rig->cpu), 3);
    rig_map(rig, FAR, 8, RIG_KERNEL);
    RIG_CODE_AT(rig, FAR + 0x40, 0xd4000062 /* hvc #3 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig->exit.immediate, 3);
}

static void a_misaligned_branch_is_an_alignment_fault_of_the_counter(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xd61f0020 /* br x1 */, RIG_CODE + 0x42);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig->exit.exception.esr, 0x8a000000);
    assert_int_equal(rig->exit.exception.address, RIG_CODE + 0x42);
}

static void addresses_of_no_half_and_the_last_page_reach_the_port(void **state)
{
    static const uint64_t addresses[] = {UINT64_C(0x0001000000000000), UINT64_C(0x8000000000000000),
                                         UINT64_C(0xfffffffffffffff2), UINT64_C(0xfffefffffffffff8),
                                         0};
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        put(rig, 0xf9400022 /* ldr x2, [x1] */, addresses[i]);
        expect_fault(rig, addresses[i], 8, CPU_READ, 0);
        put(rig, 0xf9000022 /* str x2, [x1] */, addresses[i]);
        expect_fault(rig, addresses[i], 8, CPU_WRITE, 0);
        put(rig, 0xd61f0020 /* br x1 */, addresses[i] & ~UINT64_C(3));
        assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
        assert_int_equal(rig->exit.pc, addresses[i] & ~UINT64_C(3));
    }
}

static void a_port_can_stop_the_run_at_an_access(void **state)
{
    struct rig *rig = *state;

    put(rig, 0xf9400022 /* ldr x2, [x1] */, RIG_DATA);
    rig->stop_at_reads = 1;
    assert_int_equal(rig_run(rig), CPU_EXIT_STOPPED);
    assert_int_equal(rig->exit.pc, RIG_CODE + 8);
    assert_int_equal(rig_get(rig, 2), UINT64_C(0x2222222222222222));
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, 2), 0);
}

static void the_guests_handler_repairs_a_load_across_the_end(void **state)
{
    struct rig *rig = *state;
    struct cpu_exception fault = {.esr = 0x96000007, .has_address = true};

    /* The handler puts zero into x2 and goes on behind the load. */
    rig_set(rig, CPU_VBAR, RIG_CODE + 0x800);
    RIG_CODE_AT(rig, RIG_CODE + 0xa00, 0xd2800002 /* mov x2, #0 */,
                0xd538402a /* mrs x10, elr_el1 */, 0x9100114a /* add x10, x10, #4 */,
                0xd518402a /* msr elr_el1, x10 */, 0xd538600b /* mrs x11, far_el1 */,
                0xd69f03e0 /* eret */);
    for (unsigned int i = 0; i < 100; i++) {
        put(rig, 0xf9400022 /* ldr x2, [x1] */, FAR - 7 + i % 7);
        assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
        fault.address = rig->exit.va;
        assert_true(cpu_take(rig->cpu, &fault, &rig->exit));
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_get(rig, 2), 0);
        assert_int_equal(rig_get(rig, 11), FAR);
        assert_int_equal(rig_get(rig, CPU_FLAGS), 0x600003c5);
    }
    assert_int_equal(cpu_retired(rig->cpu), 100 * (2 + 6 + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_load_faults_on_the_far_page_and_is_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_load_faults_on_the_near_page_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_load_with_write_back_moves_its_base_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_store_has_written_nothing_when_the_far_page_faults, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_store_to_a_read_only_far_page_faults_as_a_write, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pair_of_loads_changes_no_register_when_the_second_faults,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_pair_that_loads_its_own_base_is_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pair_of_stores_keeps_its_registers_when_the_second_faults,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(every_misalignment_across_the_page_end_loads_and_stores,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(misaligned_accesses_inside_a_page_are_asked_for_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(exclusives_fault_and_are_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(atomics_fault_and_are_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_misaligned_exclusive_is_an_alignment_fault, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(vectors_cross_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fetch_that_faults_is_at_the_target, setup, teardown),
        cmocka_unit_test_setup_teardown(a_misaligned_branch_is_an_alignment_fault_of_the_counter,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_of_no_half_and_the_last_page_reach_the_port,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_port_can_stop_the_run_at_an_access, setup, teardown),
        cmocka_unit_test_setup_teardown(the_guests_handler_repairs_a_load_across_the_end, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
