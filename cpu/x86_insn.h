/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lengths and operands of 64-bit x86 instructions. */
#ifndef CPU_X86_INSN_H
#define CPU_X86_INSN_H

#include <stdbool.h>
#include <stdint.h>

#define X86_INSN_MAX 15

struct x86_insn {
    uint8_t length;
    uint8_t map; /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A; 4: VEX */
    uint8_t opcode, rex, modrm, sib;
    bool has_modrm, has_sib;
    bool opsize, addr32, rep; /* prefixes 66, 67, F3 */
    uint8_t segment;          /* FS: 4, GS: 5, else 0 */
    int32_t disp;
    uint8_t immediate; /* first byte */
};

/* False: the instruction needs more than `size` bytes (15 are always enough). */
bool x86_decode(const uint8_t *bytes, unsigned int size, struct x86_insn *insn);

static inline unsigned int x86_modrm_reg(const struct x86_insn *insn)
{
    return (insn->modrm >> 3 & 7) | (insn->rex & 4) << 1;
}

static inline unsigned int x86_modrm_rm(const struct x86_insn *insn)
{
    return (insn->modrm & 7) | (insn->rex & 1) << 3;
}

static inline bool x86_is_memory(const struct x86_insn *insn)
{
    return insn->modrm < 0xc0;
}

#endif
