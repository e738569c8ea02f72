/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x86-64 around the engine: the state that it does not hold, and the trapped instructions of the
 * one-byte map. The engine runs everything in ring 0; the guest's ring is ours. References are to
 * the SDM.
 */
#include <string.h>

#include "cpu/x86_priv.h"

/* Paging on, write protection, protected mode; physical address extension, SSE. */
#define CR0_RESET UINT64_C(0x80010031)
#define CR4_RESET UINT64_C(0x620)

bool x86_leave(struct cpu_exit *exit, enum cpu_exit_kind kind, const char *why)
{
    exit->kind = kind;
    exit->why = why;
    return false;
}

bool x86_exception(struct cpu_exit *exit, uint8_t vector)
{
    /* Vol. 3, 6.15: #DF, #TS to #PF, #AC have an error code. */
    bool has_code = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;

    exit->exception = (struct cpu_exception){.vector = vector, .has_code = has_code};
    return x86_leave(exit, CPU_EXIT_EXCEPTION, NULL);
}

bool x86_retire(struct cpu *cpu, const struct x86_insn *insn)
{
    cpu->pc += insn->length;
    cpu->retired++;
    return true;
}

void x86_set_flags(struct cpu *cpu, uint64_t value)
{
    engine_set(cpu, CPU_FLAGS, (value & UINT64_C(0x3c7fd7) & ~FLAG_TF) | 2);
}

void x86_set_cs(struct cpu *cpu, uint16_t selector)
{
    cpu->x86.selector[SEG_CS] = selector;
    cpu->el = (selector & 3) == 3 ? 0 : 1;
}

uint64_t x86_get(const struct cpu *cpu, unsigned int reg)
{
    switch (reg) {
    case CPU_CR2:
        return cpu->x86.cr2;
    case CPU_GDT_BASE:
        return cpu->x86.gdt_base;
    case CPU_GDT_LIMIT:
        return cpu->x86.gdt_limit;
    case CPU_IDT_BASE:
        return cpu->x86.idt_base;
    case CPU_IDT_LIMIT:
        return cpu->x86.idt_limit;
    case CPU_CS:
        return cpu->x86.selector[SEG_CS];
    case CPU_SS:
        return cpu->x86.selector[SEG_SS];
    case CPU_FLAGS:
        return engine_get(cpu, CPU_FLAGS) | 2;
    default:
        return engine_get(cpu, reg);
    }
}

void x86_set(struct cpu *cpu, unsigned int reg, uint64_t value)
{
    switch (reg) {
    case CPU_CR2:
        cpu->x86.cr2 = value;
        break;
    case CPU_GDT_BASE:
        cpu->x86.gdt_base = value;
        break;
    case CPU_GDT_LIMIT:
        cpu->x86.gdt_limit = (uint32_t)value;
        break;
    case CPU_IDT_BASE:
        cpu->x86.idt_base = value;
        break;
    case CPU_IDT_LIMIT:
        cpu->x86.idt_limit = (uint32_t)value;
        break;
    case CPU_CS:
        x86_set_cs(cpu, (uint16_t)value);
        break;
    case CPU_SS:
        cpu->x86.selector[SEG_SS] = (uint16_t)value;
        break;
    case CPU_FLAGS:
        x86_set_flags(cpu, value);
        break;
    default:
        engine_set(cpu, reg, value);
    }
}

void x86_reset(struct cpu *cpu)
{
    cpu->sysreg[CPU_CR0] = CR0_RESET;
    cpu->sysreg[CPU_CR4] = CR4_RESET;
    x86_set_cs(cpu, 8);
    cpu->x86.selector[SEG_SS] = 16;
    x86_set_flags(cpu, 0);
}

/* ---- trapped instructions ---- */

static bool interrupt(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    uint8_t vector = insn->opcode == 0xcc   ? VECTOR_BP
                     : insn->opcode == 0xf1 ? VECTOR_DB
                                            : insn->immediate;

    x86_retire(cpu, insn);
    exit->exception =
        (struct cpu_exception){.vector = vector, .software = true, .length = insn->length};
    return x86_leave(exit, CPU_EXIT_EXCEPTION, NULL);
}

static bool input_output(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    if (insn->opcode < 0xe0)
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "INS or OUTS");
    exit->io_out = insn->opcode & 2;
    exit->io_size = !(insn->opcode & 1) ? 1 : insn->opsize ? 2 : 4;
    exit->io_port = insn->opcode & 8 ? (uint16_t)engine_get(cpu, RDX) : insn->immediate;
    if (exit->io_out)
        exit->io_value = (uint32_t)engine_get(cpu, RAX) & UINT32_MAX >> (32 - 8 * exit->io_size);
    x86_retire(cpu, insn);
    return x86_leave(exit, CPU_EXIT_IO, NULL);
}

/* Selectors are kept, not checked: all segments are flat in 64-bit mode but FS and GS, whose base
 * a selector clears (vol. 3, 3.4.4). */
static bool segment(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    unsigned int which = insn->modrm >> 3 & 7;
    uint16_t selector = 0;

    if (which > SEG_GS || (insn->opcode == 0x8e && which == SEG_CS))
        return x86_exception(exit, VECTOR_UD);
    if (insn->opcode == 0x8c) {
        selector = cpu->x86.selector[which];
        if (!x86_is_memory(insn))
            engine_set(cpu, x86_modrm_rm(insn), selector);
        else if (!cpu_store(cpu, x86_address(cpu, insn), &selector, 2, cpu->el))
            return cpu_exit_fault(cpu, exit);
        return x86_retire(cpu, insn);
    }
    if (!x86_is_memory(insn))
        selector = (uint16_t)engine_get(cpu, x86_modrm_rm(insn));
    else if (!cpu_load(cpu, x86_address(cpu, insn), &selector, 2, cpu->el))
        return cpu_exit_fault(cpu, exit);
    cpu->x86.selector[which] = selector;
    if (which >= SEG_FS)
        engine_set(cpu, which == SEG_FS ? CPU_FS_BASE : CPU_GS_BASE, 0);
    return x86_retire(cpu, insn);
}

/* POPF of a program: IF and IOPL stay (vol. 2, POPF). */
static bool pop_flags(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    uint64_t value = 0, rsp = engine_get(cpu, CPU_SP), old = x86_get(cpu, CPU_FLAGS);
    uint64_t keep = FLAG_IF | FLAG_IOPL | (insn->opsize ? ~UINT64_C(0xffff) : 0);

    if (!cpu_load(cpu, rsp, &value, insn->opsize ? 2 : 8, cpu->el))
        return cpu_exit_fault(cpu, exit);
    x86_set_flags(cpu, (value & ~keep) | (old & keep));
    engine_set(cpu, CPU_SP, rsp + (insn->opsize ? 2 : 8));
    return x86_retire(cpu, insn);
}

static bool one_byte(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    switch (insn->opcode) {
    case 0x8c:
    case 0x8e:
        return segment(cpu, insn, exit);
    case 0x9d:
        return pop_flags(cpu, insn, exit);
    case 0xcb:
        return x86_lret(cpu, insn, exit);
    case 0xcc:
    case 0xcd:
    case 0xf1:
        return interrupt(cpu, insn, exit);
    case 0xcf:
        return x86_iret(cpu, insn, exit);
    case 0xf4:
        if (cpu->el == 0)
            return x86_exception(exit, VECTOR_GP);
        x86_retire(cpu, insn);
        return x86_leave(exit, CPU_EXIT_HALT, NULL);
    case 0xfa:
    case 0xfb:
        return x86_exception(exit, VECTOR_GP);
    case 0xca:
    case 0xff:
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "a far CALL, JMP or RET n");
    default:
        if (cpu->el == 0)
            return x86_exception(exit, VECTOR_GP);
        return input_output(cpu, insn, exit);
    }
}

bool x86_trap(struct cpu *cpu, struct cpu_exit *exit)
{
    uint8_t bytes[X86_INSN_MAX];
    struct x86_insn insn;

    if (!x86_read_insn(cpu, cpu->pc, bytes, &insn))
        return cpu_exit_fault(cpu, exit);
    if (x86_is_trapped(cpu, &insn))
        return insn.map == 0 ? one_byte(cpu, &insn, exit) : x86_system(cpu, &insn, exit);
    if (cpu->pc != cpu->block)
        return true; /* may be the mark of a page's end: a block of its own will tell */
    return x86_exception(exit, VECTOR_UD);
}

bool x86_raise(struct cpu *cpu, struct cpu_exit *exit)
{
    if (cpu->intno > 31) {
        cpu->why = "the engine raised an exception that it cannot have";
        return x86_leave(exit, CPU_EXIT_BROKEN, cpu->why);
    }
    return x86_exception(exit, (uint8_t)cpu->intno);
}
