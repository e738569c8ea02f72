/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86-64: instructions that concern rings, exceptions and translation; counting. */
#define RIG_UNIT uint8_t
#include <string.h>

#include "tests/cpu/support/rig.h"

#define USER       UINT64_C(0x400000)
#define USER_STACK UINT64_C(0x500000)
#define TABLES     UINT64_C(0xffff000000300000) /* IDT, GDT at +0xc00, TSS at +0xd00 */
#define GDT        (TABLES + 0xc00)
#define TSS        (TABLES + 0xd00)
#define HANDLER    (RIG_CODE + 0x800)

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10 };

static const struct cpu_config x86 = {.arch = CPU_X86_64, .exact = true};

static void put_gate(struct rig *rig, unsigned int vector, uint64_t handler, uint64_t rights)
{
    rig_put(rig, TABLES + 16 * vector,
            (handler & 0xffff) | 8 << 16 | rights << 32 | (handler >> 16 & 0xffff) << 48);
    rig_put(rig, TABLES + 16 * vector + 8, handler >> 32);
}

static int setup(void **state)
{
    struct rig *rig = rig_create(&x86, NULL);

    *state = rig;
    rig_map(rig, TABLES, 3, RIG_R | RIG_W);
    for (unsigned int vector = 0; vector < 64; vector++)
        put_gate(rig, vector, HANDLER, 0x8e00);
    put_gate(rig, 0x21, HANDLER, 0xef00); /* trap gate for programs */
    put_gate(rig, 0x22, HANDLER, 0x8e01); /* on stack IST1 */
    rig_put(rig, GDT + 0x28,
            0x67 | (TSS & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (TSS >> 24 & 0xff) << 56);
    rig_put(rig, GDT + 0x30, TSS >> 32);
    rig_put(rig, TSS + 4, RIG_STACK + 0x800);
    rig_put(rig, TSS + 36, RIG_STACK + 0x400);
    rig_set(rig, CPU_IDT_BASE, TABLES);
    rig_set(rig, CPU_IDT_LIMIT, 0xbff);
    rig_set(rig, CPU_GDT_BASE, GDT);
    rig_set(rig, CPU_GDT_LIMIT, 0x7f);
    RIG_CODE_AT(rig, RIG_CODE, 0xb8, 0x28, 0x00, 0x00, 0x00 /* mov eax, 0x28 */, 0x0f, 0x00,
                0xd8 /* ltr ax */, 0x0f, 0x01, 0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    return 0;
}

static int teardown(void **state)
{
    rig_destroy(*state);
    return 0;
}

static void enter_user(struct rig *rig)
{
    rig_map(rig, USER, 5, RIG_R | RIG_X | RIG_USER);
    rig_map(rig, USER_STACK, 6, RIG_R | RIG_W | RIG_USER);
    rig_set(rig, CPU_CS, 0x33);
    rig_set(rig, CPU_SS, 0x2b);
    rig_set(rig, CPU_SP, USER_STACK + 0x800);
    rig_set(rig, CPU_PC, USER);
}

static void a_loop_counts_its_instructions(void **state)
{
    struct rig *rig = *state;
    uint64_t before = cpu_retired(rig->cpu);

    RIG_CODE_AT(rig, RIG_CODE, 0xb9, 0xe8, 0x03, 0x00, 0x00 /* mov ecx, 1000 */, 0xff,
                0xc9 /* dec ecx */, 0x75, 0xfc /* jne -4 */, 0x0f, 0x01, 0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig->exit.pc, RIG_CODE + 12);
    assert_int_equal(cpu_retired(rig->cpu) - before, 1 + 2 * 1000 + 1);
}

static void a_budget_ends_the_run_before_a_block(void **state)
{
    struct rig *rig = *state;
    uint64_t before = cpu_retired(rig->cpu);

    RIG_CODE_AT(rig, RIG_CODE, 0x48, 0xff, 0xc3 /* inc rbx */, 0xeb, 0xfb /* jmp -5 */);
    cpu_run(rig->cpu, 100, &rig->exit);
    assert_int_equal(rig->exit.kind, CPU_EXIT_BUDGET);
    assert_int_equal(cpu_retired(rig->cpu) - before, 100);
    assert_int_equal(rig_get(rig, RBX), 50);
    assert_int_equal(rig_get(rig, CPU_PC), RIG_CODE);
}

static void an_idle_guest_halts_behind_hlt(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xfb /* sti */, 0xf4 /* hlt */, 0x0f, 0x01, 0xd9 /* vmmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HALT);
    assert_int_equal(rig->exit.pc, RIG_CODE + 2);
    assert_true(cpu_takes_irq(rig->cpu));
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
}

static void control_registers_go_to_the_port_and_read_back(void **state)
{
    struct rig *rig = *state;

    rig_set(rig, RAX, UINT64_C(0x8000000000123005));
    RIG_CODE_AT(rig, RIG_CODE, 0x0f, 0x22, 0xd8 /* mov cr3, rax */, 0x0f, 0x20,
                0xdb /* mov rbx, cr3 */, 0x0f, 0x20, 0xc1 /* mov rcx, cr0 */, 0x41, 0x0f, 0x20,
                0xe1 /* mov r9, cr4 */, 0x41, 0x0f, 0x22, 0xe1 /* mov cr4, r9 */, 0x0f, 0x22,
                0xd0 /* mov cr2, rax */, 0x41, 0x0f, 0x20, 0xd2 /* mov r10, cr2 */, 0x0f, 0x01,
                0xc1 /* vmcall */);
    cpu_run(rig->cpu, 1, &rig->exit);
    assert_int_equal(rig->sysreg, CPU_CR3);
    assert_int_equal(rig->value, 0x123005);
    assert_int_equal(rig->inval.x86, CPU_X86_MOV_CR3);
    assert_int_equal(rig->inval.value, UINT64_C(0x8000000000123005));
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, RBX), 0x123005);
    assert_int_equal(rig_get(rig, RCX), 0x80010031); /* with paging */
    assert_int_equal(rig_get(rig, R10), UINT64_C(0x8000000000123005));
    assert_int_equal(rig->sysregs, 2);
    assert_int_equal(rig->inval.x86, CPU_X86_MOV_CR4);
}

static void tlb_maintenance_reaches_the_port_with_its_operands(void **state)
{
    struct rig *rig = *state;

    rig_put(rig, RIG_DATA + 0x10, 0x7);
    rig_put(rig, RIG_DATA + 0x18, 0x123000);
    rig_set(rig, RBX, RIG_DATA);
    rig_set(rig, RCX, 4);
    RIG_CODE_AT(rig, RIG_CODE, 0xba, 0x01, 0x00, 0x00, 0x00 /* mov edx, 1 */, 0x0f, 0x01, 0xbc,
                0xcb, 0x45, 0x23, 0x01, 0x00 /* invlpg [rbx + rcx*8 + 0x12345] */, 0xeb,
                0x00 /* jmp 0 */, 0x66, 0x0f, 0x38, 0x82, 0x53,
                0x10 /* invpcid rdx, [rbx + 0x10] */, 0x0f, 0x01, 0xc1 /* vmcall */);
    cpu_run(rig->cpu, 2, &rig->exit);
    assert_int_equal(rig->invals, 1);
    assert_int_equal(rig->inval.x86, CPU_X86_INVLPG);
    assert_int_equal(rig->inval.va, RIG_DATA + 32 + 0x12345);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig->invals, 2);
    assert_int_equal(rig->inval.x86, CPU_X86_INVPCID);
    assert_int_equal(rig->inval.type, 1);
    assert_int_equal(rig->inval.pcid, 7);
    assert_int_equal(rig->inval.va, 0x123000);
}

static void bytes_that_only_look_like_a_trapped_instruction_run(void **state)
{
    struct rig *rig = *state;

    /* The immediate is the code of INVLPG [rax], HLT. */
    RIG_CODE_AT(rig, RIG_CODE, 0xb8, 0x0f, 0x01, 0x38, 0xf4 /* mov eax, 0xf438010f */, 0x0f, 0x01,
                0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, RAX), 0xf438010f);
    assert_int_equal(rig->invals, 0);
}

static void cpuid_is_the_ports_or_the_engines(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xb8, 0x00, 0x00, 0x00, 0x40 /* mov eax, 0x40000000 */, 0xb9, 0x05,
                0x00, 0x00, 0x00 /* mov ecx, 5 */, 0x0f, 0xa2 /* cpuid */, 0x41, 0x89,
                0xc0 /* mov r8d, eax */, 0x41, 0x89, 0xd9 /* mov r9d, ebx */, 0x41, 0x89,
                0xd2 /* mov r10d, edx */, 0x31, 0xc0 /* xor eax, eax */, 0x0f, 0xa2 /* cpuid */,
                0x0f, 0x01, 0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, R8), 0x11111111);
    assert_int_equal(rig_get(rig, R9), 0x22222222);
    assert_int_equal(rig_get(rig, R10), 5);
    assert_int_equal(rig_get(rig, RBX), 0x756e6547); /* "Genu" */
}

static void ports_end_the_run_behind_the_instruction(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0xba, 0xf8, 0x03, 0x00, 0x00 /* mov edx, 0x3f8 */, 0xb8, 0x78, 0x56,
                0x34, 0x12 /* mov eax, 0x12345678 */, 0xee /* out dx, al */, 0x66, 0xe7,
                0x80 /* out 0x80, ax */, 0xed /* in eax, dx */, 0x89, 0xc3 /* mov ebx, eax */, 0x0f,
                0x01, 0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_IO);
    assert_true(rig->exit.io_out);
    assert_int_equal(rig->exit.io_port, 0x3f8);
    assert_int_equal(rig->exit.io_size, 1);
    assert_int_equal(rig->exit.io_value, 0x78);
    assert_int_equal(rig->exit.pc, RIG_CODE + 11);
    assert_int_equal(rig_run(rig), CPU_EXIT_IO);
    assert_int_equal(rig->exit.io_port, 0x80);
    assert_int_equal(rig->exit.io_value, 0x5678);
    assert_int_equal(rig_run(rig), CPU_EXIT_IO);
    assert_false(rig->exit.io_out);
    assert_int_equal(rig->exit.io_size, 4);
    rig_set(rig, 0, 77);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, RBX), 77);
}

static void an_invalid_instruction_is_exception_6_at_it(void **state)
{
    struct rig *rig = *state;
    uint64_t before = cpu_retired(rig->cpu);

    RIG_CODE_AT(rig, RIG_CODE, 0x90 /* nop */, 0x0f, 0x0b /* ud2 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig->exit.exception.vector, 6);
    assert_false(rig->exit.exception.has_code);
    assert_int_equal(rig->exit.pc, RIG_CODE + 1);
    assert_int_equal(cpu_retired(rig->cpu) - before, 1);
}

/* Handler: keeps what it got in registers and tells by hypercall. */
static void put_handler(struct rig *rig)
{
    RIG_CODE_AT(rig, HANDLER, 0x4c, 0x8b, 0x04, 0x24 /* mov r8, [rsp] */, 0x4c, 0x8b, 0x4c, 0x24,
                0x08 /* mov r9, [rsp + 8] */, 0x4c, 0x8b, 0x54, 0x24,
                0x10 /* mov r10, [rsp + 16] */, 0x41, 0x0f, 0x20, 0xd3 /* mov r11, cr2 */, 0x0f,
                0x01, 0xc1 /* vmcall */, 0x48, 0xcf /* iretq */);
}

static void divisions_by_zero_are_delivered_each_time(void **state)
{
    struct rig *rig = *state;

    put_handler(rig);
    RIG_CODE_AT(rig, RIG_CODE, 0xf7, 0xf1 /* div ecx */);
    for (unsigned int i = 0; i < 5; i++) {
        rig_set(rig, CPU_PC, RIG_CODE);
        rig_set(rig, CPU_SP, RIG_STACK + 4096);
        rig_set(rig, RCX, 0);
        rig_set(rig, RBX, 1000 + i);
        assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
        assert_int_equal(rig->exit.exception.vector, 0);
        assert_int_equal(rig->exit.pc, RIG_CODE);
        assert_true(cpu_take(rig->cpu, &rig->exit.exception, &rig->exit));
        assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
        assert_int_equal(rig_get(rig, R8), RIG_CODE);
        assert_int_equal(rig_get(rig, RBX), 1000 + i);
    }
}

static void a_page_fault_pushes_its_code_and_sets_cr2(void **state)
{
    struct rig *rig = *state;
    const struct cpu_exception fault = {
        .vector = 14, .has_code = true, .code = 2, .has_address = true, .address = 0x1234000};

    put_handler(rig);
    rig_set(rig, CPU_PC, 0x777000);
    rig_set(rig, CPU_FLAGS, 0x246);
    assert_true(cpu_take(rig->cpu, &fault, &rig->exit));
    assert_int_equal(rig_get(rig, CPU_FLAGS), 0x46); /* interrupt gate */
    assert_int_equal(rig_get(rig, CPU_SP), RIG_STACK + 4096 - 48);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, R8), 2);
    assert_int_equal(rig_get(rig, R9), 0x777000);
    assert_int_equal(rig_get(rig, R10), 8);
    assert_int_equal(rig_get(rig, 11), 0x1234000);
    assert_int_equal(rig_word(rig, RIG_STACK + 4096 - 48 + 24), 0x246);
}

static void a_program_calls_its_kernel_and_goes_on(void **state)
{
    struct rig *rig = *state;

    put_handler(rig);
    enter_user(rig);
    RIG_CODE_AT(rig, USER, 0x53 /* push rbx */, 0xcd, 0x21 /* int 0x21 */, 0x59 /* pop rcx */, 0x0f,
                0x0b /* ud2 */);
    rig_set(rig, RBX, 0x5555);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_true(rig->exit.exception.software);
    assert_int_equal(rig->exit.exception.vector, 0x21);
    assert_int_equal(cpu_el(rig->cpu), 0);
    assert_true(cpu_take(rig->cpu, &rig->exit.exception, &rig->exit));
    assert_int_equal(cpu_el(rig->cpu), 1);
    assert_int_equal(rig_get(rig, CPU_SP), RIG_STACK + 0x800 - 40);
    assert_int_equal(rig_word(rig, RIG_STACK + 0x800 - 16), USER_STACK + 0x800 - 8);
    assert_int_equal(rig_word(rig, RIG_STACK + 0x800 - 8), 0x2b);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, R8), USER + 3);
    assert_int_equal(rig_get(rig, R9), 0x33);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(cpu_el(rig->cpu), 0);
    assert_int_equal(rig_get(rig, RCX), 0x5555);
    assert_int_equal(rig->exit.exception.vector, 6);
    assert_int_equal(rig_get(rig, CPU_SP), USER_STACK + 0x800);
}

static void an_interrupt_of_a_kernel_gate_is_refused_to_programs(void **state)
{
    struct rig *rig = *state;

    put_handler(rig);
    enter_user(rig);
    RIG_CODE_AT(rig, USER, 0xcd, 0x20 /* int 0x20 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_true(cpu_take(rig->cpu, &rig->exit.exception, &rig->exit));
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, R8), 0x20 * 8 + 2); /* #GP */
    assert_int_equal(rig_get(rig, R9), USER);
}

static void a_program_may_not_do_what_is_the_kernels(void **state)
{
    static const struct {
        uint8_t code[4], vector;
    } rows[] = {
        {{0xf4}, 13} /* hlt */,
        {{0xfa}, 13} /* cli */,
        {{0xfb}, 13} /* sti */,
        {{0x0f, 0x20, 0xc0}, 13} /* mov rax, cr0 */,
        {{0x0f, 0x22, 0xd8}, 13} /* mov cr3, rax */,
        {{0x0f, 0x01, 0x38}, 13} /* invlpg [rax] */,
        {{0x0f, 0x01, 0x10}, 13} /* lgdt [rax] */,
        {{0x0f, 0x01, 0xf8}, 13} /* swapgs */,
        {{0x0f, 0x30}, 13} /* wrmsr */,
        {{0x0f, 0x32}, 13} /* rdmsr */,
        {{0x0f, 0x09}, 13} /* wbinvd */,
        {{0xec}, 13} /* in al, dx */,
        {{0x0f, 0x01, 0xc1}, 6} /* vmcall */,
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enter_user(rig);
        rig_code(rig, USER, rows[i].code, 4);
        assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
        assert_int_equal(rig->exit.exception.vector, rows[i].vector);
        assert_int_equal(rig->exit.exception.has_code, rows[i].vector == 13);
        assert_int_equal(rig->exit.pc, USER);
    }
    assert_int_equal(rig->sysregs + rig->invals, 0);
}

static void programs_cannot_mask_interrupts_by_popf(void **state)
{
    struct rig *rig = *state;

    enter_user(rig);
    rig_set(rig, CPU_FLAGS, 0x202);
    RIG_CODE_AT(rig, USER, 0x6a, 0x41 /* push 0x41 */, 0x9d /* popfq */, 0x0f, 0x0b /* ud2 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig_get(rig, CPU_FLAGS), 0x243);
}

static void an_ist_stack_is_used(void **state)
{
    struct rig *rig = *state;
    const struct cpu_exception exception = {.vector = 0x22, .irq = true};

    rig_set(rig, CPU_PC, 0x777000);
    assert_true(cpu_take(rig->cpu, &exception, &rig->exit));
    assert_int_equal(rig_get(rig, CPU_SP), RIG_STACK + 0x400 - 40);
}

static void a_frame_that_does_not_fit_changes_nothing(void **state)
{
    struct rig *rig = *state;
    const struct cpu_exception exception = {.vector = 6};

    rig_set(rig, CPU_SP, RIG_STACK + 16); /* one word fits */
    rig_set(rig, CPU_PC, 0x777000);
    rig_put(rig, RIG_STACK + 8, 0x1111);
    assert_false(cpu_take(rig->cpu, &exception, &rig->exit));
    assert_int_equal(rig->exit.kind, CPU_EXIT_FAULT);
    assert_int_equal(rig->exit.va, RIG_STACK - 8);
    assert_int_equal(rig->exit.access, CPU_WRITE);
    assert_int_equal(rig_word(rig, RIG_STACK + 8), 0x1111);
    assert_int_equal(rig_get(rig, CPU_PC), 0x777000);
    assert_int_equal(rig_get(rig, CPU_SP), RIG_STACK + 16);
}

static void vectors_without_a_gate_are_told(void **state)
{
    struct rig *rig = *state;
    struct cpu_exception exception = {.vector = 0xc0};

    assert_false(cpu_take(rig->cpu, &exception, &rig->exit));
    assert_int_equal(rig->exit.kind, CPU_EXIT_UNKNOWN);
    exception.vector = 0x50;
    assert_false(cpu_take(rig->cpu, &exception, &rig->exit));
    assert_int_equal(rig->exit.kind, CPU_EXIT_UNKNOWN);
}

static void syscall_and_sysret_change_rings(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(
        rig, RIG_CODE, 0xb9, 0x81, 0x00, 0x00, 0xc0 /* mov ecx, 0xc0000081 */, 0xba, 0x08, 0x00,
        0x23, 0x00 /* mov edx, 0x00230008 */, 0x31, 0xc0 /* xor eax, eax */, 0x0f, 0x30 /* wrmsr */,
        0xff, 0xc1 /* inc ecx */, 0xb8, 0x00, 0x01, 0x00, 0x08 /* mov eax, 0x08000100 */, 0xba,
        0x00, 0x80, 0xff, 0xff /* mov edx, 0xffff8000 */, 0x0f, 0x30 /* wrmsr */, 0xb9, 0x84, 0x00,
        0x00, 0xc0 /* mov ecx, 0xc0000084 */, 0xb8, 0x00, 0x02, 0x00, 0x00 /* mov eax, 0x200 */,
        0x31, 0xd2 /* xor edx, edx */, 0x0f, 0x30 /* wrmsr */, 0x0f, 0x01, 0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    RIG_CODE_AT(rig, RIG_CODE + 0x100, 0x48, 0x89, 0xcb /* mov rbx, rcx */, 0x48, 0x0f,
                0x07 /* sysretq */);
    enter_user(rig);
    rig_set(rig, CPU_FLAGS, 0x202);
    RIG_CODE_AT(rig, USER, 0x0f, 0x05 /* syscall */, 0x0f, 0x0b /* ud2 */);
    assert_int_equal(rig_run(rig), CPU_EXIT_EXCEPTION);
    assert_int_equal(rig->exit.pc, USER + 2);
    assert_int_equal(rig_get(rig, RBX), USER + 2);
    assert_int_equal(rig_get(rig, 11), 0x202);
    assert_int_equal(rig_get(rig, CPU_FLAGS), 0x202);
    assert_int_equal(rig_get(rig, CPU_CS), 0x33);
    assert_int_equal(rig_get(rig, CPU_SS), 0x2b);
}

static void descriptor_tables_load_and_store(void **state)
{
    struct rig *rig = *state;

    rig_put(rig, RIG_DATA, UINT64_C(0x556677880fff));
    rig_put(rig, RIG_DATA + 8, UINT64_C(0xffff));
    rig_set(rig, RBX, RIG_DATA);
    RIG_CODE_AT(rig, RIG_CODE, 0x0f, 0x01, 0x1b /* lidt [rbx] */, 0x0f, 0x01, 0x4b,
                0x20 /* sidt [rbx + 32] */, 0x8c, 0xc8 /* mov ax, cs */, 0x41, 0x8c,
                0xd0 /* mov r8d, ss */, 0x66, 0x41, 0x0f, 0x00, 0xc9 /* str r9w */, 0x0f, 0x01,
                0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, CPU_IDT_BASE), UINT64_C(0xffff000055667788));
    assert_int_equal(rig_get(rig, CPU_IDT_LIMIT), 0xfff);
    assert_int_equal(rig_word(rig, RIG_DATA + 32), UINT64_C(0x556677880fff));
    assert_int_equal(rig_get(rig, RAX) & 0xffff, 8);
    assert_int_equal(rig_get(rig, R8), 16);
    assert_int_equal(rig_get(rig, R9), 0x28);
}

static void kernels_load_cs_by_a_far_return(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0x6a, 0x10 /* push 0x10 */, 0x48, 0x8d, 0x05, 0x03, 0x00, 0x00,
                0x00 /* lea rax, [rip + 3] */, 0x50 /* push rax */, 0x48, 0xcb /* retfq */, 0x0f,
                0x01, 0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, CPU_CS), 0x10);
    assert_int_equal(rig_get(rig, CPU_SP), RIG_STACK + 4096);
}

static void time_is_instructions(void **state)
{
    struct rig *rig = *state;

    RIG_CODE_AT(rig, RIG_CODE, 0x0f, 0x31 /* rdtsc */, 0x89, 0xc3 /* mov ebx, eax */,
                0x90 /* nop */, 0x0f, 0x31 /* rdtsc */, 0x29, 0xd8 /* sub eax, ebx */, 0x0f, 0x01,
                0xc1 /* vmcall */);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, RAX), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_loop_counts_its_instructions, setup, teardown),
        cmocka_unit_test_setup_teardown(a_budget_ends_the_run_before_a_block, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_guest_halts_behind_hlt, setup, teardown),
        cmocka_unit_test_setup_teardown(control_registers_go_to_the_port_and_read_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tlb_maintenance_reaches_the_port_with_its_operands, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bytes_that_only_look_like_a_trapped_instruction_run, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cpuid_is_the_ports_or_the_engines, setup, teardown),
        cmocka_unit_test_setup_teardown(ports_end_the_run_behind_the_instruction, setup, teardown),
        cmocka_unit_test_setup_teardown(an_invalid_instruction_is_exception_6_at_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(divisions_by_zero_are_delivered_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_fault_pushes_its_code_and_sets_cr2, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_calls_its_kernel_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupt_of_a_kernel_gate_is_refused_to_programs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_program_may_not_do_what_is_the_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_cannot_mask_interrupts_by_popf, setup, teardown),
        cmocka_unit_test_setup_teardown(an_ist_stack_is_used, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_that_does_not_fit_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(vectors_without_a_gate_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(syscall_and_sysret_change_rings, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptor_tables_load_and_store, setup, teardown),
        cmocka_unit_test_setup_teardown(kernels_load_cs_by_a_far_return, setup, teardown),
        cmocka_unit_test_setup_teardown(time_is_instructions, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
