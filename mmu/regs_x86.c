/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control registers and EPTP to geometry and rules. */
#include <hyp/bits.h>

#include "mmu/dec_x86.h"

#define EPTP_TYPE   HYP_MASK(2, 0)
#define EPTP_LEVELS HYP_MASK(5, 3)
#define EPTP_ZERO   HYP_MASK(11, 7) /* bit 7: supervisor shadow stacks, not modelled */
#define CR3_PCID    HYP_MASK(11, 0)
#define ROOT        HYP_MASK(51, 12)

static void set_tree(struct mmu_tree *tree, uint64_t root, bool five, uint8_t pa_bits)
{
    tree->page_shift = 12;
    tree->start_level = five ? 4 : 3;
    tree->ia_bits = five ? 57 : 48;
    tree->oa_bits = pa_bits;
    tree->root = root & ROOT;
}

static uint64_t beyond(uint8_t pa_bits)
{
    return pa_bits < 52 ? HYP_MASK(51, pa_bits) : 0;
}

/* SDM vol. 3, 26.2.1.1: what VM entry requires of an EPTP. */
static bool eptp_valid(const struct mmu_x86_regs *regs)
{
    uint64_t eptp = regs->eptp, type = hyp_field_get(eptp, EPTP_TYPE);
    uint64_t levels = hyp_field_get(eptp, EPTP_LEVELS);

    return (type == 0 || type == 6) && (levels == 3 || (levels == 4 && regs->ept_5level)) &&
           !(eptp & (EPTP_ZERO | HYP_MASK(63, 52) | beyond(regs->pa_bits)));
}

static void set_second(struct mmu_ctx *ctx, const struct mmu_x86_regs *regs)
{
    bool five = regs->npt ? regs->ept_5level : hyp_field_get(regs->eptp, EPTP_LEVELS) == 4;

    set_tree(&ctx->s2, regs->eptp, five, regs->pa_bits);
    ctx->s2_on = true;
    ctx->npt = regs->npt;
    ctx->reserved[1] = beyond(regs->pa_bits);
    ctx->s2_1g = regs->ept_1g;
    /* AMD tags everything by ASID, Intel what passed through EPT by its root. */
    if (regs->npt) {
        ctx->s2_hd = true;
        return;
    }
    ctx->root = mmu_x86_root_tag(regs->eptp);
    ctx->s2_hd = (regs->eptp & MMU_X86_EPTP_AD) != 0;
    ctx->ept_xo = regs->ept_xo;
    ctx->ept_advanced = regs->ept_advanced;
    if (!eptp_valid(regs))
        ctx->s2.fault = MMU_FAULT_MISCONFIG;
}

void mmu_regs_x86(struct mmu_ctx *ctx, const struct mmu_x86_regs *regs)
{
    uint32_t gen = ctx->gen;
    uint64_t cr4 = regs->cr4;
    bool nxe = (regs->efer & MMU_X86_EFER_NXE) != 0;

    *ctx = (struct mmu_ctx){.gen = gen,
                            .regime = MMU_X86,
                            .x86 = true,
                            .unprivileged = true,
                            .hd = true,
                            .pa_bits = regs->pa_bits,
                            .mair = regs->pat,
                            .vmid = regs->vpid,
                            .pages_1g = regs->pages_1g};
    set_tree(&ctx->s1[0], regs->cr3, (cr4 & MMU_X86_CR4_LA57) != 0, regs->pa_bits);
    ctx->s1[0].root &= ~beyond(regs->pa_bits);
    ctx->s1_on = (regs->cr0 & MMU_X86_CR0_PG) != 0;
    if (ctx->s1_on) {
        ctx->asid = (cr4 & MMU_X86_CR4_PCIDE) ? (uint16_t)(regs->cr3 & CR3_PCID) : 0;
        ctx->write_all = !(regs->cr0 & MMU_X86_CR0_WP);
        ctx->smep = (cr4 & MMU_X86_CR4_SMEP) != 0;
        ctx->pan = (cr4 & MMU_X86_CR4_SMAP) && !regs->ac;
        ctx->globals = (cr4 & MMU_X86_CR4_PGE) != 0;
    }
    /* SDM vol. 3, 4.7: bit 4 of the error code. */
    ctx->fetch_reported = nxe || ctx->smep;
    ctx->reserved[0] = beyond(regs->pa_bits) | (nxe ? 0 : HYP_BIT(63));
    if (regs->ept || regs->npt)
        set_second(ctx, regs);
}
