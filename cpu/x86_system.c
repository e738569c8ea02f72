/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trapped instructions of the two-byte map, and INVPCID: control registers, tables, TLBs. */
#include <string.h>

#include "cpu/x86_priv.h"

#define CR3_NO_FLUSH (UINT64_C(1) << 63)

/* The linear address of a memory operand (SDM vol. 2, 2.1.5 and 2.2.1). */
uint64_t x86_address(const struct cpu *cpu, const struct x86_insn *insn)
{
    uint64_t address = (uint64_t)(int64_t)insn->disp;
    unsigned int mod = insn->modrm >> 6, base = (insn->modrm & 7) | (insn->rex & 1) << 3;

    if (insn->has_sib) {
        unsigned int index = (insn->sib >> 3 & 7) | (insn->rex & 2) << 2;
        base = (insn->sib & 7) | (insn->rex & 1) << 3;
        if (index != RSP)
            address += engine_get(cpu, index) << (insn->sib >> 6);
        if ((base & 7) != RBP || mod != 0)
            address += engine_get(cpu, base);
    } else if (mod == 0 && (base & 7) == RBP) {
        address += cpu->pc + insn->length;
    } else {
        address += engine_get(cpu, base);
    }
    if (insn->addr32)
        address &= UINT32_MAX;
    if (insn->segment)
        address += engine_get(cpu, insn->segment == SEG_FS ? CPU_FS_BASE : CPU_GS_BASE);
    return address;
}

static bool undefined(struct cpu_exit *exit)
{
    return x86_exception(exit, VECTOR_UD);
}

static void invalidate(struct cpu *cpu, struct cpu_inval inval)
{
    if (cpu->port.invalidate)
        cpu->port.invalidate(cpu->port.ctx, &inval);
}

static bool read_control(struct cpu *cpu, unsigned int number, uint64_t *value)
{
    static const uint8_t index[] = {CPU_CR0, 0, 0, CPU_CR3, CPU_CR4};

    if (number == 2)
        *value = cpu->x86.cr2;
    else if (number == 8)
        *value = 0;
    else if (number == 0 || number == 3 || number == 4)
        *value = cpu->sysreg[index[number]];
    else
        return false;
    return true;
}

static bool write_control(struct cpu *cpu, unsigned int number, uint64_t value)
{
    switch (number) {
    case 0:
        cpu_write_sysreg(cpu, CPU_CR0, value);
        return true;
    case 2:
        cpu->x86.cr2 = value;
        return true;
    case 3: /* bit 63 is an operand, no part of the register (vol. 3, 4.10.4.1) */
        cpu_write_sysreg(cpu, CPU_CR3, value & ~CR3_NO_FLUSH);
        invalidate(cpu, (struct cpu_inval){.x86 = CPU_X86_MOV_CR3, .value = value});
        return true;
    case 4:
        cpu_write_sysreg(cpu, CPU_CR4, value);
        invalidate(cpu, (struct cpu_inval){.x86 = CPU_X86_MOV_CR4, .value = value});
        return true;
    case 8:
        return true;
    default:
        return false;
    }
}

static bool move_control(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    unsigned int number = x86_modrm_reg(insn), reg = x86_modrm_rm(insn);
    uint64_t value;

    if (insn->opcode & 1) {
        exit->why = "a debug register";
        return x86_leave(exit, CPU_EXIT_UNKNOWN, exit->why);
    }
    if (insn->opcode == 0x22) {
        if (!write_control(cpu, number, engine_get(cpu, reg)))
            return undefined(exit);
        return x86_retire(cpu, insn);
    }
    if (!read_control(cpu, number, &value))
        return undefined(exit);
    engine_set(cpu, reg, value);
    return x86_retire(cpu, insn);
}

/* LTR: the base is in the descriptor (vol. 3, 7.2.3). */
static bool load_task(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit,
                      uint16_t selector)
{
    uint64_t low, high, at = cpu->x86.gdt_base + (selector & 0xfff8);

    if ((selector & 0xfff8u) + 15 > cpu->x86.gdt_limit)
        return x86_exception(exit, VECTOR_GP);
    if (!cpu_load(cpu, at, &low, 8, 1) || !cpu_load(cpu, at + 8, &high, 8, 1))
        return cpu_exit_fault(cpu, exit);
    cpu->x86.tr = selector;
    cpu->x86.tr_base = (low >> 16 & 0xffffff) | (low >> 56) << 24 | high << 32;
    cpu->x86.tr_limit = (uint32_t)((low & 0xffff) | (low >> 32 & 0xf0000));
    return x86_retire(cpu, insn);
}

/* 0F 00: SLDT, STR, LLDT, LTR. */
static bool group6(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    unsigned int operation = insn->modrm >> 3 & 7;
    uint16_t value = operation == 0 ? cpu->x86.ldt : cpu->x86.tr;

    if (operation > 3)
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "VERR or VERW");
    if (operation < 2) {
        if (!x86_is_memory(insn))
            engine_set(cpu, x86_modrm_rm(insn), value);
        else if (!cpu_store(cpu, x86_address(cpu, insn), &value, 2, cpu->el))
            return cpu_exit_fault(cpu, exit);
        return x86_retire(cpu, insn);
    }
    if (cpu->el == 0)
        return x86_exception(exit, VECTOR_GP);
    if (!x86_is_memory(insn))
        value = (uint16_t)engine_get(cpu, x86_modrm_rm(insn));
    else if (!cpu_load(cpu, x86_address(cpu, insn), &value, 2, cpu->el))
        return cpu_exit_fault(cpu, exit);
    if (operation == 3)
        return load_task(cpu, insn, exit, value);
    cpu->x86.ldt = value;
    return x86_retire(cpu, insn);
}

/* SGDT, SIDT, LGDT, LIDT. */
static bool table_register(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    unsigned int operation = insn->modrm >> 3 & 7;
    uint64_t *base = operation & 1 ? &cpu->x86.idt_base : &cpu->x86.gdt_base;
    uint32_t *limit = operation & 1 ? &cpu->x86.idt_limit : &cpu->x86.gdt_limit;
    uint64_t address = x86_address(cpu, insn);
    uint8_t operand[10];
    uint16_t size;

    if (operation < 2) {
        size = (uint16_t)*limit;
        memcpy(operand, &size, 2);
        memcpy(operand + 2, base, 8);
        if (!cpu_store(cpu, address, operand, 10, cpu->el))
            return cpu_exit_fault(cpu, exit);
        return x86_retire(cpu, insn);
    }
    if (cpu->el == 0)
        return x86_exception(exit, VECTOR_GP);
    if (!cpu_load(cpu, address, operand, 10, cpu->el))
        return cpu_exit_fault(cpu, exit);
    memcpy(&size, operand, 2);
    memcpy(base, operand + 2, 8);
    *limit = size;
    return x86_retire(cpu, insn);
}

/* RDTSC, RDTSCP: time is instructions, so that runs repeat exactly. */
static bool read_time(struct cpu *cpu, const struct x86_insn *insn)
{
    engine_set(cpu, RAX, cpu->retired & UINT32_MAX);
    engine_set(cpu, RDX, cpu->retired >> 32);
    if (insn->opcode == 0x01)
        engine_set(cpu, RCX, 0);
    return x86_retire(cpu, insn);
}

/* 0F 01 with a register operand: an instruction each. */
static bool group7_register(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    uint64_t flags = x86_get(cpu, CPU_FLAGS);

    switch (insn->modrm) {
    case 0xc1: /* VMCALL, VMMCALL */
    case 0xd9:
        if (cpu->el == 0)
            return undefined(exit);
        x86_retire(cpu, insn);
        return x86_leave(exit, CPU_EXIT_HYPERCALL, NULL);
    case 0xca: /* CLAC, STAC */
    case 0xcb:
        if (cpu->el == 0)
            return undefined(exit);
        x86_set_flags(cpu, insn->modrm & 1 ? flags | FLAG_AC : flags & ~FLAG_AC);
        return x86_retire(cpu, insn);
    case 0xf9:
        return read_time(cpu, insn);
    case 0xf8: /* SWAPGS */
        return x86_exception(exit, VECTOR_GP);
    default:
        if ((insn->modrm >> 3 & 7) == 4) { /* SMSW */
            engine_set(cpu, x86_modrm_rm(insn), cpu->sysreg[CPU_CR0] & UINT32_MAX);
            return x86_retire(cpu, insn);
        }
        return undefined(exit);
    }
}

static bool group7(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    unsigned int operation = insn->modrm >> 3 & 7;

    if (!x86_is_memory(insn))
        return group7_register(cpu, insn, exit);
    if (operation < 4)
        return table_register(cpu, insn, exit);
    if (operation != 7)
        return x86_leave(exit, CPU_EXIT_UNKNOWN, "SMSW or LMSW with memory");
    if (cpu->el == 0)
        return x86_exception(exit, VECTOR_GP);
    invalidate(cpu, (struct cpu_inval){.x86 = CPU_X86_INVLPG, .va = x86_address(cpu, insn)});
    return x86_retire(cpu, insn);
}

static bool invpcid(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    uint64_t descriptor[2], address = x86_address(cpu, insn);

    if (insn->opcode != 0x82 || !insn->opsize || !x86_is_memory(insn))
        return undefined(exit);
    if (cpu->el == 0)
        return x86_exception(exit, VECTOR_GP);
    if (!cpu_load(cpu, address, &descriptor[0], 8, 1) ||
        !cpu_load(cpu, address + 8, &descriptor[1], 8, 1))
        return cpu_exit_fault(cpu, exit);
    invalidate(cpu, (struct cpu_inval){
                        .x86 = CPU_X86_INVPCID,
                        .type = engine_get(cpu, x86_modrm_reg(insn)),
                        .pcid = descriptor[0],
                        .va = descriptor[1],
                    });
    return x86_retire(cpu, insn);
}

bool x86_system(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit)
{
    if (insn->map == 2)
        return invpcid(cpu, insn, exit);
    switch (insn->opcode) {
    case 0x00:
        return group6(cpu, insn, exit);
    case 0x01:
        return group7(cpu, insn, exit);
    case 0x05:
        return x86_syscall(cpu, insn, exit);
    case 0x07:
        return x86_sysret(cpu, insn, exit);
    case 0x31:
        return read_time(cpu, insn);
    case 0x33:
    case 0x34:
    case 0x35:
    case 0xc7:
        return undefined(exit);
    default:
        if (cpu->el == 0)
            return x86_exception(exit, VECTOR_GP);
        return move_control(cpu, insn, exit);
    }
}
