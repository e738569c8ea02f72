/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/decode.h"

#include <Zydis/Zydis.h>

#define PAGE_BYTES UINT64_C(4096)

enum { OPERAND_MAX = 4096, INSTRUCTION_MAX = ZYDIS_MAX_INSTRUCTION_LENGTH };

struct decoded {
    const struct sim_x86_regs *regs;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* ---- bytes ---- */

static bool decode(struct decoded *d, const uint8_t *bytes, size_t size)
{
    ZydisDecoder decoder;

    return ZYAN_SUCCESS(
               ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) &&
           ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, size, &d->insn, d->op));
}

/* The next page only when the instruction reaches into it: it need not be there. */
static bool fetch_and_decode(struct decoded *d, sim_decode_fetch *fetch, void *ctx)
{
    uint8_t bytes[INSTRUCTION_MAX];
    uint64_t rip = d->regs->rip, here = PAGE_BYTES - rip % PAGE_BYTES;
    size_t first = here < INSTRUCTION_MAX ? here : INSTRUCTION_MAX;

    if (!fetch(ctx, rip, bytes, first))
        return false;
    if (decode(d, bytes, first))
        return true;
    return first < INSTRUCTION_MAX &&
           fetch(ctx, rip + first, bytes + first, INSTRUCTION_MAX - first) &&
           decode(d, bytes, INSTRUCTION_MAX);
}

/* ---- addresses ---- */

static unsigned int width_of(ZydisRegister reg)
{
    return ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, reg);
}

static uint64_t reg_value(const struct decoded *d, ZydisRegister reg)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    unsigned int unused = 64u - width_of(reg);

    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
        return d->regs->rip + d->insn.length;
    if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
        return 0;
    return d->regs->gpr[whole - ZYDIS_REGISTER_RAX] << unused >> unused;
}

/* A register as a signed number of its own width. */
static int64_t reg_signed(const struct decoded *d, ZydisRegister reg)
{
    unsigned int unused = 64u - width_of(reg);

    return (int64_t)(reg_value(d, reg) << unused) >> unused;
}

static bool is_stack(const ZydisDecodedOperand *op)
{
    return op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && op->mem.base == ZYDIS_REGISTER_RSP;
}

static uint32_t bytes_of(const ZydisDecodedOperand *op)
{
    return op->size / 8u;
}

/* SDM vol. 2, BT: a bit number in a register reaches beyond the operand, by whole operands. */
static uint64_t bit_string(const struct decoded *d, const ZydisDecodedOperand *op)
{
    const ZydisMnemonic bt[] = {ZYDIS_MNEMONIC_BT, ZYDIS_MNEMONIC_BTC, ZYDIS_MNEMONIC_BTR,
                                ZYDIS_MNEMONIC_BTS};

    for (size_t i = 0; i < sizeof(bt) / sizeof(bt[0]); i++) {
        int64_t bits = op->size;

        if (d->insn.mnemonic != bt[i] || d->op[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        int64_t bit = reg_signed(d, d->op[1].reg.value);
        int64_t words = bit / bits - (bit % bits < 0);

        return (uint64_t)words * bytes_of(op);
    }
    return 0;
}

/* SDM vol. 2, POP: a destination addressed by rsp is found with rsp as it is afterwards. */
static uint64_t popped(const struct decoded *d, const ZydisDecodedOperand *op)
{
    return d->insn.mnemonic == ZYDIS_MNEMONIC_POP && op->mem.base == ZYDIS_REGISTER_RSP &&
                   !is_stack(op)
               ? bytes_of(op)
               : 0;
}

static uint64_t linear_of(const struct decoded *d, const ZydisDecodedOperand *op)
{
    uint64_t address = reg_value(d, op->mem.base) + (uint64_t)op->mem.disp.value;

    if (op->mem.index != ZYDIS_REGISTER_NONE)
        address += reg_value(d, op->mem.index) * op->mem.scale;
    if (d->insn.mnemonic == ZYDIS_MNEMONIC_XLAT) /* al is not listed */
        address += (uint8_t)d->regs->gpr[0];
    address += bit_string(d, op) + popped(d, op);
    /* What is pushed lies below what rsp says now. */
    if (is_stack(op) && op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        address -= bytes_of(op);
    if (d->insn.address_width == 32 && !is_stack(op))
        address = (uint32_t)address;
    if (op->mem.segment == ZYDIS_REGISTER_FS)
        address += d->regs->fs_base;
    if (op->mem.segment == ZYDIS_REGISTER_GS)
        address += d->regs->gs_base;
    return address;
}

/* ---- operands ---- */

/* Operands that are named and never fault: only an address, or a hint. */
static bool is_hint(const struct decoded *d)
{
    return d->insn.meta.category == ZYDIS_CATEGORY_PREFETCH ||
           d->insn.meta.category == ZYDIS_CATEGORY_WIDENOP ||
           d->insn.meta.category == ZYDIS_CATEGORY_NOP || d->insn.mnemonic == ZYDIS_MNEMONIC_INVLPG;
}

/* An iteration of REP is still to come. */
static bool iterates(const struct decoded *d)
{
    const uint64_t rep = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;

    return !(d->insn.attributes & rep) ||
           reg_value(d, d->insn.address_width == 32 ? ZYDIS_REGISTER_ECX : ZYDIS_REGISTER_RCX);
}

static bool is_understood(const struct decoded *d)
{
    if (d->insn.mnemonic == ZYDIS_MNEMONIC_ENTER && d->op[1].imm.value.u)
        return false;
    for (unsigned int i = 0; i < d->insn.operand_count; i++)
        if (d->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (d->op[i].mem.type == ZYDIS_MEMOP_TYPE_VSIB || bytes_of(&d->op[i]) > OPERAND_MAX))
            return false;
    return true;
}

static bool is_access(const ZydisDecodedOperand *op)
{
    return op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
           op->actions && op->size >= 8;
}

static uint32_t access_of(const ZydisDecodedOperand *op)
{
    return (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? HYP_XOM_READ : 0u) |
           (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? HYP_XOM_WRITE : 0u);
}

unsigned int sim_decode(const struct sim_x86_regs *regs, sim_decode_fetch *fetch, void *ctx,
                        struct hyp_xom_operand operands[HYP_XOM_OPERANDS])
{
    struct decoded d = {.regs = regs};
    unsigned int count = 0;

    if (!fetch_and_decode(&d, fetch, ctx) || is_hint(&d) || !iterates(&d) || !is_understood(&d))
        return 0;
    /* What is read comes before what is written; the decoder lists it otherwise. */
    for (unsigned int writes = 0; writes < 2; writes++) {
        for (unsigned int i = 0; i < d.insn.operand_count; i++) {
            const ZydisDecodedOperand *op = &d.op[i];

            if (!is_access(op) || (access_of(op) == HYP_XOM_WRITE) != writes)
                continue;
            if (count == HYP_XOM_OPERANDS)
                return 0;
            operands[count++] =
                (struct hyp_xom_operand){hyp_va(linear_of(&d, op)), bytes_of(op), access_of(op)};
        }
    }
    return count;
}
