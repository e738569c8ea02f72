/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86-64: an access that faults has done nothing, and is made again as a whole. */
#define RIG_UNIT uint8_t
#include <string.h>

#include "tests/cpu/support/rig.h"

#define FAR (RIG_DATA + 4096)

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

static const struct cpu_config x86 = {.arch = CPU_X86_64, .exact = true};

static void fill(struct rig *rig)
{
    for (unsigned int i = 0; i < 256; i++)
        rig->memory[4096 + 3840 + i] = (uint8_t)i; /* the end of the data page */
    for (unsigned int i = 0; i < 256; i++)
        rig->memory[8 * 4096 + i] = (uint8_t)(0x80 + i); /* what will be behind it */
}

static int setup(void **state)
{
    *state = rig_create(&x86, NULL);
    fill(*state);
    return 0;
}

static int setup_sites(void **state)
{
    static const uint64_t sites[] = {RIG_CODE + 5, RIG_CODE + 0x105};
    static const struct cpu_config config = {
        .arch = CPU_X86_64, .exact_at = sites, .exact_count = 2};

    *state = rig_create(&config, NULL);
    fill(*state);
    return 0;
}

static int teardown(void **state)
{
    rig_destroy(*state);
    return 0;
}

/* inc r8d; cmp r9d, r9d; the instruction; vmcall */
static void put(struct rig *rig, const uint8_t *insn, size_t size, uint64_t address)
{
    static const uint8_t before[] = {0x41, 0xff, 0xc0 /* inc r8d */,
                                     0x45, 0x39, 0xc9 /* cmp r9d, r9d */},
                         after[] = {0x0f, 0x01, 0xc1 /* vmcall */};
    uint8_t code[32];

    _Static_assert(sizeof(before) == 6, "the address of the instruction");
    memcpy(code, before, sizeof(before));
    memcpy(code + sizeof(before), insn, size);
    memcpy(code + sizeof(before) + size, after, sizeof(after));
    for (unsigned int i = 0; i < 16; i++)
        if (i != RSP)
            rig_set(rig, i, UINT64_C(0x1111111111111111) * i);
    rig_set(rig, RBX, address);
    rig_set(rig, CPU_FLAGS, 0x202);
    rig_code(rig, RIG_CODE, code, sizeof(before) + size + sizeof(after));
}

#define PUT(rig, address, ...)                                                                     \
    do {                                                                                           \
        static const uint8_t insn_[] = {__VA_ARGS__};                                              \
        put(rig, insn_, sizeof(insn_), address);                                                   \
    } while (0)

/* The instruction faults and has changed no register, flag or memory. */
static void expect_fault(struct rig *rig, uint64_t va, unsigned int size, enum cpu_access access)
{
    uint64_t before[16], retired = cpu_retired(rig->cpu);
    uint8_t page[4096];

    memcpy(page, rig->memory + 4096, sizeof(page));
    for (unsigned int i = 0; i < 16; i++)
        before[i] = rig_get(rig, i);
    before[8] = (before[8] + 1) & UINT32_MAX;
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.pc, RIG_CODE + 6);
    assert_int_equal(rig->exit.va, va);
    assert_int_equal(rig->exit.size, size);
    assert_int_equal(rig->exit.access, access);
    assert_int_equal(cpu_retired(rig->cpu) - retired, 2);
    assert_int_equal(rig_get(rig, CPU_FLAGS), 0x246); /* of the comparison */
    for (unsigned int i = 0; i < 16; i++)
        assert_int_equal(rig_get(rig, i), before[i]);
    assert_memory_equal(page, rig->memory + 4096, sizeof(page));
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

    PUT(rig, FAR - 3, 0x48, 0x8b, 0x03 /* mov rax, [rbx] */);
    expect_fault(rig, FAR, 5, CPU_READ);
    expect_success(rig);
    assert_int_equal(rig_get(rig, RAX), UINT64_C(0x8483828180fffefd));
}

static void a_load_faults_on_the_near_page_first(void **state)
{
    struct rig *rig = *state;

    PUT(rig, FAR - 3, 0x48, 0x03, 0x03 /* add rax, [rbx] */);
    rig_unmap(rig, RIG_DATA);
    expect_fault(rig, FAR - 3, 3, CPU_READ);
}

static void a_store_has_written_nothing_when_the_far_page_faults(void **state)
{
    struct rig *rig = *state;

    PUT(rig, FAR - 5, 0x48, 0x89, 0x13 /* mov [rbx], rdx */);
    expect_fault(rig, FAR, 3, CPU_WRITE);
    expect_success(rig);
    assert_int_equal(rig_word(rig, FAR - 8), UINT64_C(0x2222222222faf9f8));
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0x8786858483222222));
}

static void a_change_in_memory_is_made_once(void **state)
{
    struct rig *rig = *state;

    PUT(rig, FAR - 2, 0x01, 0x13 /* add dword ptr [rbx], edx */);
    expect_fault(rig, FAR, 2, CPU_READ);
    rig_map(rig, FAR, 8, RIG_R);
    rig_set(rig, CPU_PC, RIG_CODE);
    expect_fault(rig, FAR, 2, CPU_WRITE);
    expect_success(rig);
    assert_int_equal(rig_word(rig, FAR - 2) & UINT32_MAX, 0x8180fffe + 0x22222222u);
}

static void a_push_leaves_the_stack_pointer(void **state)
{
    struct rig *rig = *state;

    PUT(rig, 0, 0x52 /* push rdx */);
    rig_set(rig, CPU_SP, FAR + 4);
    expect_fault(rig, FAR, 4, CPU_WRITE);
    expect_success(rig);
    assert_int_equal(rig_get(rig, CPU_SP), FAR - 4);
    assert_int_equal(rig_word(rig, FAR - 4), UINT64_C(0x2222222222222222));
}

static void a_pop_leaves_its_register_and_the_stack_pointer(void **state)
{
    struct rig *rig = *state;

    PUT(rig, 0, 0x5a /* pop rdx */);
    rig_set(rig, CPU_SP, FAR - 1);
    expect_fault(rig, FAR, 7, CPU_READ);
    expect_success(rig);
    assert_int_equal(rig_get(rig, RDX), UINT64_C(0x86858483828180ff));
}

static void locked_instructions_fault_and_are_made_again(void **state)
{
    struct rig *rig = *state;

    PUT(rig, FAR, 0xf0, 0x48, 0x0f, 0xc1, 0x13 /* lock xadd [rbx], rdx */);
    expect_fault(rig, FAR, 8, CPU_READ);
    rig_map(rig, FAR, 8, RIG_R);
    rig_set(rig, CPU_PC, RIG_CODE);
    expect_fault(rig, FAR, 8, CPU_WRITE);
    expect_success(rig);
    assert_int_equal(rig_get(rig, RDX), UINT64_C(0x8786858483828180));
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0xa9a8a7a6a5a4a3a2));
    rig_unmap(rig, FAR);
    PUT(rig, FAR, 0x48, 0x87, 0x13 /* xchg [rbx], rdx */);
    expect_fault(rig, FAR, 8, CPU_READ);
    expect_success(rig);
    assert_int_equal(rig_word(rig, FAR), UINT64_C(0x2222222222222222));
    rig_unmap(rig, FAR);
    PUT(rig, FAR - 4, 0xf0, 0x48, 0x0f, 0xb1, 0x13 /* lock cmpxchg [rbx], rdx */);
    expect_fault(rig, FAR, 4, CPU_READ);
}

static void a_rep_string_stops_at_the_element_that_faults(void **state)
{
    struct rig *rig = *state;

    /* 16 bytes from before the page's end: 6 are copied. */
    PUT(rig, 0, 0xf3, 0xa4 /* rep movsb */);
    rig_set(rig, RSI, FAR - 6);
    rig_set(rig, RDI, RIG_DATA);
    rig_set(rig, RCX, 16);
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.pc, RIG_CODE + 6);
    assert_int_equal(rig->exit.va, FAR);
    assert_int_equal(rig->exit.access, CPU_READ);
    assert_int_equal(rig_get(rig, RCX), 10);
    assert_int_equal(rig_get(rig, RSI), FAR);
    assert_int_equal(rig_get(rig, RDI), RIG_DATA + 6);
    assert_int_equal(rig_get(rig, CPU_FLAGS), 0x246);
    rig_map(rig, FAR, 8, RIG_KERNEL);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, RCX), 0);
    assert_int_equal(rig_word(rig, RIG_DATA), UINT64_C(0x8180fffefdfcfbfa));
    assert_int_equal(rig_word(rig, RIG_DATA + 8), UINT64_C(0x8988878685848382));
    assert_int_equal(rig->accesses[CPU_READ], 17);
    assert_int_equal(rig->accesses[CPU_WRITE], 16);
}

static void a_rep_element_that_crosses_is_made_again(void **state)
{
    struct rig *rig = *state;

    PUT(rig, 0, 0xf3, 0x48, 0xab /* rep stosq */);
    rig_set(rig, RDI, FAR - 12);
    rig_set(rig, RAX, UINT64_C(0x5555555555555555));
    rig_set(rig, RCX, 2);
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.va, FAR);
    assert_int_equal(rig->exit.size, 4);
    assert_int_equal(rig_get(rig, RCX), 1);
    assert_int_equal(rig_get(rig, RDI), FAR - 4);
    assert_int_equal(*rig_at(rig, FAR - 4), 0xfc); /* nothing of the second */
    rig_map(rig, FAR, 8, RIG_KERNEL);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(*rig_at(rig, FAR + 3), 0x55);
    assert_int_equal(*rig_at(rig, FAR + 4), 0x84);
}

static void every_misalignment_across_the_page_end_loads_and_stores(void **state)
{
    struct rig *rig = *state;

    rig_map(rig, FAR, 8, RIG_KERNEL);
    for (uint64_t at = FAR - 7; at < FAR; at++) {
        uint64_t expected = 0, near = FAR - at;
        memcpy(&expected, rig_at(rig, at), near);
        memcpy((uint8_t *)&expected + near, rig_at(rig, FAR), 8 - near);
        PUT(rig, at, 0x48, 0x8b, 0x03 /* mov rax, [rbx] */);
        rig->accesses[CPU_READ] = 0;
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_get(rig, RAX), expected);
        assert_int_equal(rig->accesses[CPU_READ], 2);
        PUT(rig, at, 0x48, 0x89, 0x13 /* mov [rbx], rdx */);
        rig->accesses[CPU_WRITE] = 0;
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(*rig_at(rig, at), 0x22);
        assert_int_equal(rig->memory[8 * 4096 + 7 - near], 0x22);
        assert_int_equal(rig->accesses[CPU_WRITE], 2);
    }
}

static void misaligned_accesses_inside_a_page_are_asked_for_once(void **state)
{
    struct rig *rig = *state;

    for (uint64_t at = RIG_DATA + 1016; at <= RIG_DATA + 1024; at++) {
        rig_put(rig, at, UINT64_C(0x0123456789abcdef));
        memset(rig->accesses, 0, sizeof(rig->accesses));
        PUT(rig, at, 0x48, 0x31, 0x13 /* xor [rbx], rdx */);
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_word(rig, at),
                         UINT64_C(0x0123456789abcdef) ^ UINT64_C(0x2222222222222222));
        assert_int_equal(rig->accesses[CPU_READ], 1);
        assert_int_equal(rig->accesses[CPU_WRITE], 1);
    }
}

static void shifts_in_memory_set_the_carry(void **state)
{
    struct rig *rig = *state;

    for (unsigned int shift = 1; shift < 8; shift++) {
        rig_put(rig, RIG_DATA, 0xa5);
        PUT(rig, RIG_DATA, 0xd2, 0x3b /* sar byte ptr [rbx], cl */);
        rig_set(rig, RCX, shift);
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_get(rig, CPU_FLAGS) & 1, 0xa5 >> (shift - 1) & 1);
    }
}

static void sse_accesses_are_exact(void **state)
{
    struct rig *rig = *state;

    PUT(rig, FAR - 11, 0x0f, 0x10, 0x03 /* movups xmm0, [rbx] */);
    expect_fault(rig, FAR, 5, CPU_READ);
    expect_success(rig);
    PUT(rig, FAR + 64, 0x0f, 0x11, 0x03 /* movups [rbx], xmm0 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_word(rig, FAR + 72), UINT64_C(0x8483828180fffefd));
}

static void an_instruction_across_a_page_end_faults_on_the_far_part(void **state)
{
    struct rig *rig = *state;
    static const uint8_t code[] = {
        0x90 /* nop */,     0xb8, 0x78, 0x56, 0x34, 0x12 /* mov eax, 0x12345678 */, 0xff,
        0xc0 /* inc eax */, 0x0f, 0x01, 0xc1 /* vmcall */};
    uint64_t retired;

    /* The mov begins 2 bytes before the end. */
    memcpy(rig->memory + 4096 + 4096 - 3, code, 3);
    memcpy(rig->memory + 8 * 4096, code + 3, sizeof(code) - 3);
    rig_set(rig, CPU_PC, FAR - 3);
    retired = cpu_retired(rig->cpu);
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.access, CPU_FETCH);
    assert_int_equal(rig->exit.pc, FAR - 2);
    assert_int_equal(rig->exit.va, FAR);
    assert_int_equal(cpu_retired(rig->cpu) - retired, 1);
    rig_map(rig, FAR, 8, RIG_KERNEL);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, RAX), 0x12345679);
    assert_int_equal(cpu_retired(rig->cpu) - retired, 4);
    /* Once more, with the far page gone: the code is known, but it may not be fetched. */
    rig_unmap(rig, FAR);
    rig_set(rig, CPU_PC, FAR - 3);
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.pc, FAR - 2);
    assert_int_equal(rig->exit.va, FAR);
    /* Other memory behind the end. */
    rig_map(rig, FAR, 9, RIG_KERNEL);
    memcpy(rig->memory + 9 * 4096, code + 3, sizeof(code) - 3);
    rig->memory[9 * 4096] = 0x77;
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, RAX), 0x12347779);
}

static void every_instruction_across_a_page_end_is_read_whole(void **state)
{
    struct rig *rig = *state;
    static const uint8_t code[] = {0x90 /* nop */,
                                   0x48,
                                   0xb8,
                                   0xf0,
                                   0xde,
                                   0xbc,
                                   0x9a,
                                   0x78,
                                   0x56,
                                   0x34,
                                   0x12 /* movabs rax, 0x123456789abcdef0 */,
                                   0xb9,
                                   0x44,
                                   0x33,
                                   0x22,
                                   0x11 /* mov ecx, 0x11223344 */,
                                   0xc7,
                                   0x83,
                                   0x78,
                                   0x56,
                                   0x34,
                                   0x12,
                                   0x88,
                                   0x77,
                                   0x66,
                                   0x55 /* mov dword ptr [rbx + 0x12345678], 0x55667788 */,
                                   0x48,
                                   0x8d,
                                   0x94,
                                   0x81,
                                   0x44,
                                   0x55,
                                   0x66,
                                   0x77 /* lea rdx, [rcx + rax*4 + 0x77665544] */,
                                   0x0f,
                                   0x01,
                                   0xc1 /* vmcall */};
    uint64_t retired = 0;

    rig_map(rig, FAR, 8, RIG_KERNEL);
    for (uint64_t at = FAR - sizeof(code); at <= FAR; at++) {
        memset(rig_at(rig, FAR - 64), 0x90, 64);
        for (unsigned int i = 0; i < sizeof(code); i++)
            *rig_at(rig, at + i) = code[i];
        cpu_code_changed(rig->cpu, at, sizeof(code));
        rig_set(rig, CPU_PC, at);
        rig_set(rig, RBX, RIG_STACK - 0x12345678);
        rig_put(rig, RIG_STACK, 0);
        retired = cpu_retired(rig->cpu);
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_get(rig, RAX), UINT64_C(0x123456789abcdef0));
        assert_int_equal(rig_get(rig, RCX), 0x11223344);
        assert_int_equal(rig_word(rig, RIG_STACK), 0x55667788);
        assert_int_equal(rig_get(rig, RDX), UINT64_C(0x48d159e26af37bc0) + 0x11223344 + 0x77665544);
        assert_int_equal(cpu_retired(rig->cpu) - retired, 6);
    }
}

static void code_that_runs_into_a_missing_page_has_run_up_to_it(void **state)
{
    struct rig *rig = *state;
    uint64_t retired = cpu_retired(rig->cpu);

    rig_set(rig, RAX, 5);
    RIG_CODE_AT(rig, FAR - 4, 0xff, 0xc0 /* inc eax */, 0xff, 0xc0 /* inc eax */);
    assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.pc, FAR);
    assert_int_equal(rig->exit.va, FAR);
    assert_int_equal(rig_get(rig, RAX), 7);
    assert_int_equal(cpu_retired(rig->cpu) - retired, 2);
}

static void addresses_of_no_half_and_the_last_page_reach_the_port(void **state)
{
    static const uint64_t addresses[] = {UINT64_C(0x0001000000000000), UINT64_C(0x8000000000000000),
                                         UINT64_C(0xfffffffffffffff2), UINT64_C(0xfffefffffffffff8),
                                         0};
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        PUT(rig, addresses[i], 0x48, 0x8b, 0x03 /* mov rax, [rbx] */);
        expect_fault(rig, addresses[i], 8, CPU_READ);
        PUT(rig, addresses[i], 0x48, 0x89, 0x03 /* mov [rbx], rax */);
        expect_fault(rig, addresses[i], 8, CPU_WRITE);
        PUT(rig, addresses[i], 0xff, 0xe3 /* jmp rbx */);
        assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
        assert_int_equal(rig->exit.pc, addresses[i]);
    }
}

static void listed_sites_are_exact_without_the_price(void **state)
{
    struct rig *rig = *state;

    for (unsigned int i = 0; i < 2; i++) {
        /* sub sets flags that are only known when they are asked for */
        RIG_CODE_AT(rig, RIG_CODE + 0x100, 0xb8, 0x05, 0x00, 0x00, 0x00 /* mov eax, 5 */, 0x48,
                    0x03, 0x13 /* add rdx, [rbx] */, 0x0f, 0x01, 0xc1 /* vmcall */);
        RIG_CODE_AT(rig, RIG_CODE, 0x29, 0xc8 /* sub eax, ecx */, 0x0f, 0x1f, 0x00 /* nop */, 0x48,
                    0x03, 0x13 /* add rdx, [rbx] */, 0x0f, 0x01, 0xc1 /* vmcall */);
        rig_set(rig, RAX, 1);
        rig_set(rig, RCX, 2);
        rig_set(rig, RBX, FAR - 1);
        assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
        assert_int_equal(rig->exit.pc, RIG_CODE + 5);
        assert_int_equal(rig_get(rig, CPU_FLAGS) & 0x8d5, 0x95); /* C, P, A, S */
        rig_set(rig, CPU_PC, RIG_CODE + 0x100);
        assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
        assert_int_equal(rig->exit.pc, RIG_CODE + 0x105);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_load_faults_on_the_far_page_and_is_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_load_faults_on_the_near_page_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_has_written_nothing_when_the_far_page_faults, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_change_in_memory_is_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_push_leaves_the_stack_pointer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pop_leaves_its_register_and_the_stack_pointer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(locked_instructions_fault_and_are_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rep_string_stops_at_the_element_that_faults, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rep_element_that_crosses_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(every_misalignment_across_the_page_end_loads_and_stores,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(misaligned_accesses_inside_a_page_are_asked_for_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(shifts_in_memory_set_the_carry, setup, teardown),
        cmocka_unit_test_setup_teardown(sse_accesses_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(an_instruction_across_a_page_end_faults_on_the_far_part,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(every_instruction_across_a_page_end_is_read_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(code_that_runs_into_a_missing_page_has_run_up_to_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(addresses_of_no_half_and_the_last_page_reach_the_port,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(listed_sites_are_exact_without_the_price, setup_sites,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
