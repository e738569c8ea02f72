/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System registers to geometry: which tables, how deep, which addresses are too large. */
#include <hyp/bits.h>

#include "mmu/dec_arm64.h"

#define SCTLR_M   HYP_BIT(0)
#define SCTLR_WXN HYP_BIT(19)

#define HCR_VM  HYP_BIT(0)
#define HCR_PTW HYP_BIT(2)
#define HCR_DC  HYP_BIT(12)

/* TCR_EL1, and TCR_EL2 with E2H = 1 (DDI 0487 D24.2). */
#define TCR_T0SZ HYP_MASK(5, 0)
#define TCR_EPD0 HYP_BIT(7)
#define TCR_TG0  HYP_MASK(15, 14)
#define TCR_T1SZ HYP_MASK(21, 16)
#define TCR_A1   HYP_BIT(22)
#define TCR_EPD1 HYP_BIT(23)
#define TCR_TG1  HYP_MASK(31, 30)
#define TCR_IPS  HYP_MASK(34, 32)
#define TCR_AS   HYP_BIT(36)
#define TCR_HA   HYP_BIT(39)
#define TCR_HD   HYP_BIT(40)
#define TCR_HPD0 HYP_BIT(41)
#define TCR_HPD1 HYP_BIT(42)
#define TCR_DS   HYP_BIT(59)

/* TCR_EL2 with E2H = 0, and VTCR_EL2 where the two agree. */
#define TCR2_PS  HYP_MASK(18, 16)
#define TCR2_HA  HYP_BIT(21)
#define TCR2_HD  HYP_BIT(22)
#define TCR2_HPD HYP_BIT(24)
#define TCR2_DS  HYP_BIT(32)

#define VTCR_SL0 HYP_MASK(7, 6)
#define VTCR_VS  HYP_BIT(19)
#define VTCR_SL2 HYP_BIT(33)

#define TTBR_ID HYP_MASK(63, 48) /* ASID, or VMID */

static uint8_t granule0(uint64_t tg)
{
    static const uint8_t shift[4] = {12, 16, 14, 12};

    return shift[tg];
}

static uint8_t granule1(uint64_t tg)
{
    static const uint8_t shift[4] = {12, 14, 12, 16};

    return shift[tg];
}

/* Output size that PS asks for, no larger than what is implemented or the descriptors can say. */
static void set_output(struct mmu_tree *tree, uint64_t ps, const struct mmu_arm64_regs *regs,
                       bool ds)
{
    static const uint8_t bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};
    uint8_t limit;

    if (tree->page_shift == 16)
        tree->oa = regs->pa_bits > 48 ? MMU_OA_52_64K : MMU_OA_48;
    else
        tree->oa = ds && regs->lpa2 ? MMU_OA_52_LPA2 : MMU_OA_48;
    limit = tree->oa == MMU_OA_48 ? 48 : 52;
    tree->oa_bits = bits[ps] < regs->pa_bits ? bits[ps] : regs->pa_bits;
    if (tree->oa_bits > limit)
        tree->oa_bits = limit;
}

static void set_root(struct mmu_tree *tree, uint64_t ttbr)
{
    unsigned int index_bits = tree->ia_bits - hyp_level_shift(tree->page_shift, tree->start_level);
    uint64_t root = ttbr & HYP_MASK(47, 1);

    /* BADDR[51:48] is in bits 5:2 when addresses have 52 bits (DDI 0487 D24.2). */
    if (tree->oa != MMU_OA_48)
        root = (root & ~HYP_MASK(5, 1)) | hyp_field_get(ttbr, HYP_MASK(5, 2)) << 48;
    tree->root = hyp_align_down(root, UINT64_C(8) << index_bits);
    if (tree->fault == MMU_OK && tree->root >> tree->oa_bits)
        tree->fault = MMU_FAULT_ADDRESS_SIZE;
}

/* Stage 1: depth follows from the size (DDI 0487 D8.2). */
static void set_size(struct mmu_tree *tree, uint64_t txsz)
{
    bool large = tree->oa != MMU_OA_48;
    unsigned int index_bits = hyp_index_bits(tree->page_shift);

    /* A TxSZ out of range gives a translation fault at level 0, one of the allowed choices. The
     * upper limit is that of an implementation without FEAT_TTST. */
    if (txsz < (large ? 12u : 16u) || txsz > 39) {
        tree->fault = MMU_FAULT_TRANSLATION;
        txsz = txsz > 39 ? 39 : 16;
    }
    tree->ia_bits = (uint8_t)(64 - txsz);
    tree->start_level = (uint8_t)((tree->ia_bits - tree->page_shift - 1u) / index_bits);
}

static void set_two_ranges(struct mmu_ctx *ctx, const struct mmu_arm64_regs *regs)
{
    uint64_t tcr = regs->tcr, ps = hyp_field_get(tcr, TCR_IPS);
    bool ds = (tcr & TCR_DS) != 0;

    ctx->s1[0].page_shift = granule0(hyp_field_get(tcr, TCR_TG0));
    ctx->s1[1].page_shift = granule1(hyp_field_get(tcr, TCR_TG1));
    for (unsigned int i = 0; i < 2; i++) {
        struct mmu_tree *tree = &ctx->s1[i];
        set_output(tree, ps, regs, ds);
        set_size(tree, hyp_field_get(tcr, i ? TCR_T1SZ : TCR_T0SZ));
        if (tcr & (i ? TCR_EPD1 : TCR_EPD0))
            tree->fault = MMU_FAULT_TRANSLATION;
        set_root(tree, i ? regs->ttbr1 : regs->ttbr0);
        tree->hierarchical = !(tcr & (i ? TCR_HPD1 : TCR_HPD0));
    }
    ctx->asid = (uint16_t)hyp_field_get((tcr & TCR_A1) ? regs->ttbr1 : regs->ttbr0, TTBR_ID);
    if (!(tcr & TCR_AS))
        ctx->asid &= 0xff;
    ctx->ha = regs->hafdbs && (tcr & TCR_HA);
    ctx->hd = ctx->ha && (tcr & TCR_HD);
}

static void set_one_range(struct mmu_ctx *ctx, const struct mmu_arm64_regs *regs)
{
    struct mmu_tree *tree = &ctx->s1[0];
    uint64_t tcr = regs->tcr;

    tree->page_shift = granule0(hyp_field_get(tcr, TCR_TG0));
    set_output(tree, hyp_field_get(tcr, TCR2_PS), regs, (tcr & TCR2_DS) != 0);
    set_size(tree, hyp_field_get(tcr, TCR_T0SZ));
    set_root(tree, regs->ttbr0);
    tree->hierarchical = !(tcr & TCR2_HPD);
    ctx->ha = regs->hafdbs && (tcr & TCR2_HA);
    ctx->hd = ctx->ha && (tcr & TCR2_HD);
}

/* VTCR_EL2.{SL2, SL0} to the start level in this project's numbers; -1: reserved
 * (DDI 0487 D24.2). */
static int stage2_start(const struct mmu_tree *tree, uint64_t vtcr)
{
    static const int8_t start[3][4] = {
        {1, 2, 3, -1}, /* 4K; the page level only with FEAT_TTST */
        {0, 1, 2, 3},  /* 16K; level 0 of the manual only with DS */
        {0, 1, 2, -1}, /* 64K */
    };
    unsigned int sl0 = (unsigned int)hyp_field_get(vtcr, VTCR_SL0);

    if (tree->page_shift == 12 && tree->oa == MMU_OA_52_LPA2 && (vtcr & VTCR_SL2))
        return sl0 == 0 ? 4 : -1;
    if (tree->page_shift == 14 && sl0 == 3 && tree->oa != MMU_OA_52_LPA2)
        return -1;
    return start[(tree->page_shift - 12) / 2][sl0];
}

static void set_stage2(struct mmu_ctx *ctx, const struct mmu_arm64_regs *regs)
{
    struct mmu_tree *tree = &ctx->s2;
    uint64_t vtcr = regs->vtcr;
    unsigned int t0sz = (unsigned int)hyp_field_get(vtcr, TCR_T0SZ);
    int start;

    tree->page_shift = granule0(hyp_field_get(vtcr, TCR_TG0));
    set_output(tree, hyp_field_get(vtcr, TCR2_PS), regs, (vtcr & TCR2_DS) != 0);
    start = stage2_start(tree, vtcr);
    tree->start_level = (uint8_t)(start < 0 ? 0 : start);
    tree->ia_bits = (uint8_t)(64 - t0sz);
    /* The first lookup resolves 1 to index_bits + 4 bits: up to 16 tables are concatenated
     * (DDI 0487 D8.2). Anything else is a translation fault at level 0. */
    unsigned int covered = hyp_level_shift(tree->page_shift, tree->start_level);
    if (start < 0 || t0sz < 12 || t0sz > 39 || tree->ia_bits > regs->pa_bits ||
        tree->ia_bits <= covered ||
        tree->ia_bits > covered + hyp_index_bits(tree->page_shift) + (start == 4 ? 0 : 4)) {
        tree->fault = MMU_FAULT_TRANSLATION;
        tree->ia_bits = (uint8_t)(covered + 1);
    }
    set_root(tree, regs->vttbr);
    ctx->s2_ha = regs->hafdbs && (vtcr & TCR2_HA);
    ctx->s2_hd = ctx->s2_ha && (vtcr & TCR2_HD);
    ctx->xnx = regs->xnx;
    ctx->fwb = regs->fwb;
    ctx->protect_walk = (regs->hcr & HCR_PTW) != 0;
}

void mmu_regs_arm64(struct mmu_ctx *ctx, enum mmu_regime regime, const struct mmu_arm64_regs *regs)
{
    uint32_t gen = ctx->gen;

    *ctx = (struct mmu_ctx){.gen = gen, .regime = (uint8_t)regime, .pa_bits = regs->pa_bits};
    ctx->mair = regs->mair;
    ctx->wxn = (regs->sctlr & SCTLR_WXN) != 0;
    ctx->s1_on = (regs->sctlr & SCTLR_M) != 0;
    ctx->two_ranges = ctx->unprivileged = regime != MMU_EL2;
    if (ctx->two_ranges)
        set_two_ranges(ctx, regs);
    else
        set_one_range(ctx, regs);
    ctx->pan = regs->pan && ctx->unprivileged && ctx->s1_on;
    if (regime != MMU_EL10)
        return;
    /* HCR_EL2.DC makes VM read as 1 and SCTLR_EL1.M as 0 (DDI 0487 D24.2). */
    ctx->default_cacheable = (regs->hcr & HCR_DC) != 0;
    ctx->s2_on = (regs->hcr & (HCR_VM | HCR_DC)) != 0;
    if (ctx->default_cacheable)
        ctx->s1_on = ctx->pan = false;
    /* The VMID tags EL1&0 whether stage 2 is on or not (DDI 0487 D8.16). */
    ctx->vmid = (uint16_t)hyp_field_get(regs->vttbr, TTBR_ID);
    if (!(regs->vtcr & VTCR_VS))
        ctx->vmid &= 0xff;
    if (ctx->s2_on)
        set_stage2(ctx, regs);
}
