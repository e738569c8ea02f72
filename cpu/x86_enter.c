/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the rings: interrupts and exceptions (SDM vol. 3, 6.12, 6.14), IRET, SYSCALL. */
#include <string.h>

#include "cpu/x86_priv.h"

#define GATE_INTERRUPT 0xe
#define GATE_TRAP      0xf
#define TSS_RSP0       4
#define TSS_IST1       36

struct gate {
    uint64_t offset;
    uint16_t selector;
    uint8_t ist, type, dpl;
    bool present;
};

static bool read_gate(struct cpu *cpu, uint8_t vector, struct gate *gate, struct cpu_exit *exit)
{
    uint64_t low, high;

    if (vector * 16u + 15 > cpu->x86.idt_limit)
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "an exception beyond the IDT's limit");
    if (!cpu_load(cpu, cpu->x86.idt_base + vector * 16u, &low, 8, 1) ||
        !cpu_load(cpu, cpu->x86.idt_base + vector * 16u + 8, &high, 8, 1))
        return cpu_exit_fault(cpu, exit);
    gate->offset = (low & 0xffff) | (low >> 48) << 16 | high << 32;
    gate->selector = (uint16_t)(low >> 16);
    gate->ist = low >> 32 & 7;
    gate->type = low >> 40 & 15;
    gate->dpl = low >> 45 & 3;
    gate->present = low >> 47 & 1;
    return true;
}

static bool find_stack(struct cpu *cpu, const struct gate *gate, uint64_t *rsp,
                       struct cpu_exit *exit)
{
    uint64_t at = cpu->x86.tr_base;

    *rsp = engine_get(cpu, CPU_SP);
    if (!gate->ist && cpu->el == 1)
        return true;
    at += gate->ist ? TSS_IST1 + 8u * (gate->ist - 1u) : TSS_RSP0;
    if (at - cpu->x86.tr_base + 7 > cpu->x86.tr_limit)
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "the task state segment has no such stack");
    return cpu_load(cpu, at, rsp, 8, 1) || cpu_exit_fault(cpu, exit);
}

/* Words below *rsp, the last one lowest; all or none. */
static bool push_all(struct cpu *cpu, uint64_t *rsp, const uint64_t *words, unsigned int count)
{
    uint8_t *at[6];

    for (unsigned int i = 0; i < count; i++) {
        at[i] = cpu_translate(cpu, *rsp - 8 * (i + 1), 8, CPU_WRITE, 1);
        if (!at[i])
            return false;
    }
    for (unsigned int i = 0; i < count; i++) {
        memcpy(at[i], &words[i], 8);
        code_written(cpu, at[i], 8);
    }
    *rsp -= 8 * count;
    return true;
}

bool x86_take(struct cpu *cpu, const struct cpu_exception *exception, struct cpu_exit *exit)
{
    uint64_t flags = x86_get(cpu, CPU_FLAGS), rsp;
    uint64_t words[6] = {cpu->x86.selector[SEG_SS],
                         engine_get(cpu, CPU_SP),
                         flags,
                         cpu->x86.selector[SEG_CS],
                         cpu->pc,
                         exception->code};
    struct gate gate = {0};

    if (!read_gate(cpu, exception->vector, &gate, exit))
        return false;
    if (exception->software && cpu->el == 0 && gate.dpl < 3) {
        struct cpu_exception refused = {
            .vector = VECTOR_GP, .has_code = true, .code = exception->vector * 8u + 2};
        cpu->pc -= exception->length; /* a fault is reported at the instruction */
        return x86_take(cpu, &refused, exit);
    }
    if (!gate.present || (gate.type != GATE_INTERRUPT && gate.type != GATE_TRAP))
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "an IDT entry that is no gate");
    if (!find_stack(cpu, &gate, &rsp, exit))
        return false;
    rsp &= ~UINT64_C(15);
    if (!push_all(cpu, &rsp, words, exception->has_code ? 6 : 5))
        return cpu_exit_fault(cpu, exit);
    if (exception->has_address)
        cpu->x86.cr2 = exception->address;
    if (cpu->el == 0)
        cpu->x86.selector[SEG_SS] = 0;
    x86_set_cs(cpu, gate.selector & 0xfffc);
    engine_set(cpu, CPU_SP, rsp);
    x86_set_flags(cpu, flags & ~(FLAG_NT | (gate.type == GATE_INTERRUPT ? FLAG_IF : 0)));
    cpu->pc = gate.offset;
    return true;
}

static bool pop_words(struct cpu *cpu, uint64_t *words, unsigned int count)
{
    uint64_t rsp = engine_get(cpu, CPU_SP);

    for (unsigned int i = 0; i < count; i++)
        if (!cpu_load(cpu, rsp + 8 * i, &words[i], 8, cpu->el))
            return false;
    return true;
}

bool x86_iret(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    uint64_t frame[5], keep = cpu->el == 0 ? FLAG_IF | FLAG_IOPL : 0;
    uint64_t flags = x86_get(cpu, CPU_FLAGS);

    if (!(insn->rex & 8))
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "IRET without REX.W");
    if (!pop_words(cpu, frame, 5))
        return cpu_exit_fault(cpu, exit);
    if ((frame[1] & 3) != 3 && cpu->el == 0)
        return x86_exception(exit, VECTOR_GP);
    cpu->retired++;
    cpu->pc = frame[0];
    x86_set_flags(cpu, (frame[2] & ~keep) | (flags & keep));
    engine_set(cpu, CPU_SP, frame[3]);
    cpu->x86.selector[SEG_SS] = (uint16_t)frame[4];
    x86_set_cs(cpu, (uint16_t)frame[1]);
    return true;
}

/* Within one ring: how kernels load CS. */
bool x86_lret(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    uint64_t frame[2];

    if (!(insn->rex & 8))
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "RETF without REX.W");
    if (!pop_words(cpu, frame, 2))
        return cpu_exit_fault(cpu, exit);
    if (((frame[1] & 3) == 3) != (cpu->el == 0))
        return x86_exception(exit, VECTOR_GP);
    cpu->retired++;
    cpu->pc = frame[0];
    x86_set_cs(cpu, (uint16_t)frame[1]);
    engine_set(cpu, CPU_SP, engine_get(cpu, CPU_SP) + 16);
    return true;
}

bool x86_syscall(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    uint64_t star = engine_msr_get(cpu, MSR_STAR), flags = x86_get(cpu, CPU_FLAGS);

    if (!engine_msr_get(cpu, MSR_LSTAR))
        return x86_exception(exit, VECTOR_UD);
    x86_retire(cpu, insn);
    engine_set(cpu, RCX, cpu->pc);
    engine_set(cpu, R11, flags);
    cpu->pc = engine_msr_get(cpu, MSR_LSTAR);
    x86_set_flags(cpu, flags & ~engine_msr_get(cpu, MSR_FMASK));
    x86_set_cs(cpu, (uint16_t)(star >> 32) & 0xfffc);
    cpu->x86.selector[SEG_SS] = (uint16_t)((star >> 32 & 0xfffc) + 8);
    return true;
}

bool x86_sysret(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    uint64_t star = engine_msr_get(cpu, MSR_STAR);

    if (cpu->el == 0)
        return x86_exception(exit, VECTOR_GP);
    if (!(insn->rex & 8))
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "SYSRET to 32-bit code");
    cpu->retired++;
    cpu->pc = engine_get(cpu, RCX);
    x86_set_flags(cpu, engine_get(cpu, R11));
    x86_set_cs(cpu, (uint16_t)(((star >> 48) + 16) | 3));
    cpu->x86.selector[SEG_SS] = (uint16_t)(((star >> 48) + 8) | 3);
    return true;
}
