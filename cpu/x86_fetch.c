/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine sees of x86 code. It reads byte by byte, so instructions are followed from the
 * start of each block. A trapped instruction begins with 06 instead, which is invalid in 64-bit
 * mode. A block ends at the end of its page in the same way, unless its first instruction goes
 * across: otherwise a fetch that faults beyond the end would take back what ran before it.
 */
#include <string.h>

#include "cpu/x86_priv.h"

#define INVALID_OPCODE 0x06

static bool one_byte_is_trapped(const struct cpu *cpu, const struct x86_insn *insn)
{
    uint8_t op = insn->opcode, reg = insn->modrm >> 3 & 7;

    switch (op) {
    case 0x8c: /* MOV from and to segment registers */
    case 0x8e:
    case 0xca: /* RETF */
    case 0xcb:
    case 0xcc: /* INT3, INT n */
    case 0xcd:
    case 0xcf: /* IRET */
    case 0xf1: /* INT1 */
    case 0xf4: /* HLT */
        return true;
    case 0x9d: /* POPF: IF and IOPL are not for programs */
    case 0xfa: /* CLI, STI */
    case 0xfb:
        return cpu->el == 0;
    case 0xff: /* far CALL and JMP */
        return reg == 3 || reg == 5;
    default: /* INS, OUTS; IN, OUT */
        return (op >= 0x6c && op <= 0x6f) || (op >= 0xe4 && op <= 0xe7) ||
               (op >= 0xec && op <= 0xef);
    }
}

static bool two_byte_is_trapped(const struct cpu *cpu, const struct x86_insn *insn)
{
    switch (insn->opcode) {
    case 0x01:
        if (insn->modrm == 0xd0) /* XGETBV */
            return false;
        return cpu->el == 0 || insn->modrm != 0xf8; /* SWAPGS */
    case 0x00:                                      /* LTR and kin */
    case 0x05:                                      /* SYSCALL, SYSRET */
    case 0x07:
    case 0x20: /* MOV from and to CR, DR */
    case 0x21:
    case 0x22:
    case 0x23:
    case 0x31: /* RDTSC, RDPMC */
    case 0x33:
    case 0x34: /* SYSENTER, SYSEXIT */
    case 0x35:
        return true;
    case 0x06: /* CLTS */
    case 0x08: /* INVD, WBINVD */
    case 0x09:
    case 0x30: /* WRMSR, RDMSR */
    case 0x32:
        return cpu->el == 0;
    case 0xc7: /* RDRAND, RDSEED, VMX */
        return (insn->modrm >> 3 & 7) >= 6;
    default:
        return false;
    }
}

bool x86_is_trapped(const struct cpu *cpu, const struct x86_insn *insn)
{
    if (insn->map == 0)
        return one_byte_is_trapped(cpu, insn);
    if (insn->map == 1)
        return two_byte_is_trapped(cpu, insn);
    return insn->map == 2 && insn->opcode >= 0x80 && insn->opcode <= 0x82; /* INVPCID */
}

bool x86_read_insn(struct cpu *cpu, uint64_t va, uint8_t bytes[X86_INSN_MAX], struct x86_insn *insn)
{
    unsigned int room = (unsigned int)(PAGE_BYTES - (va & PAGE_MASK));
    unsigned int size = room < X86_INSN_MAX ? room : X86_INSN_MAX;
    const uint8_t *host = cpu_translate(cpu, va, size, CPU_FETCH_CODE, cpu->el);

    if (!host)
        return false;
    memset(bytes, 0, X86_INSN_MAX);
    memcpy(bytes, host, size);
    if (x86_decode(bytes, size, insn))
        return true;
    host = cpu_translate(cpu, va + size, X86_INSN_MAX - size, CPU_FETCH_CODE, cpu->el);
    if (!host)
        return false;
    memcpy(bytes + size, host, X86_INSN_MAX - size);
    return x86_decode(bytes, X86_INSN_MAX, insn);
}

static void note(struct cpu *cpu, uint64_t va, unsigned int size)
{
    const uint8_t *host = cpu_translate(cpu, va, size, CPU_FETCH_CODE, cpu->el);

    if (host)
        code_translated(cpu, va, host, size);
}

/* The engine begins to read an instruction. */
static bool begin(struct cpu *cpu, uint64_t va)
{
    unsigned int room = (unsigned int)(PAGE_BYTES - (va & PAGE_MASK));
    struct x86_insn insn;
    uint8_t *host;

    if (cpu->insn_end == 0 || va != cpu->insn_va + cpu->insn_length)
        cpu->insn_block = va;
    cpu->insn_va = va;
    cpu->insn_end = va;
    if (va != cpu->insn_block && ((va ^ cpu->insn_block) & ~PAGE_MASK)) {
        cpu->insn_length = 1; /* another page: a block of its own */
        cpu->insn_trapped = true;
        return true;
    }
    host = cpu_translate(cpu, va, 1, CPU_FETCH_CODE, cpu->el);
    if (!host)
        return false;
    if (va != cpu->insn_block && room < X86_INSN_MAX && !x86_decode(host, room, &insn)) {
        cpu->insn_length = 1;
        cpu->insn_trapped = true;
        code_translated(cpu, va, host, room);
        return true;
    }
    if (!x86_read_insn(cpu, va, cpu->insn_bytes, &insn))
        return false;
    cpu->insn_length = insn.length;
    cpu->insn_trapped = x86_is_trapped(cpu, &insn);
    if (insn.length <= room) {
        code_translated(cpu, va, host, insn.length);
    } else {
        note(cpu, va, room);
        note(cpu, va + room, insn.length - room);
    }
    return true;
}

bool x86_fetch(struct cpu *cpu, uint64_t va, unsigned int size, uint8_t *to)
{
    unsigned int at;

    if ((cpu->insn_end != va || va >= cpu->insn_va + cpu->insn_length) && !begin(cpu, va))
        return false;
    at = (unsigned int)(va - cpu->insn_va);
    memset(to, INVALID_OPCODE, size);
    if (at < X86_INSN_MAX && !cpu->insn_trapped)
        memcpy(to, cpu->insn_bytes + at, size < X86_INSN_MAX - at ? size : X86_INSN_MAX - at);
    cpu->insn_end = va + size;
    return true;
}

/* The length of an instruction that the engine has translated. */
static unsigned int length_at(struct cpu *cpu, uint64_t va)
{
    unsigned int room = (unsigned int)(PAGE_BYTES - (va & PAGE_MASK));
    unsigned int size = room < X86_INSN_MAX ? room : X86_INSN_MAX;
    const uint8_t *host = code_at(cpu, va), *far;
    uint8_t bytes[X86_INSN_MAX] = {0};
    struct x86_insn insn;

    if (!host)
        return 1;
    if (x86_decode(host, size, &insn))
        return insn.length;
    memcpy(bytes, host, size);
    far = code_at(cpu, va + size);
    if (far)
        memcpy(bytes + size, far, X86_INSN_MAX - size);
    x86_decode(bytes, X86_INSN_MAX, &insn);
    return insn.length;
}

bool x86_crosses_page(struct cpu *cpu, uint64_t va)
{
    return ((va + length_at(cpu, va) - 1) ^ va) & ~PAGE_MASK;
}

static unsigned int count(struct cpu *cpu, uint64_t va, uint64_t end)
{
    unsigned int instructions = 0;

    for (; va < end; va += length_at(cpu, va))
        instructions++;
    return instructions;
}

unsigned int x86_count(struct cpu *cpu, uint64_t va, uint64_t end)
{
    struct code_block *block = &cpu->blocks[(va ^ va >> 12) % CODE_BLOCKS];

    if (block->va != va || block->size != end - va) {
        block->va = va;
        block->size = (uint32_t)(end - va);
        block->count = count(cpu, va, end);
    }
    return block->count;
}
