/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stage-1 descriptors, and what both stages have in common. */
#include "mmu/dec_arm64.h"

#include <hyp/bits.h>

#define DESC_VALID HYP_BIT(0)
#define DESC_TABLE HYP_BIT(1) /* at the page level: a page */
#define DESC_AF    HYP_BIT(10)
#define DESC_CONT  HYP_BIT(52)

#define S1_ATTR     HYP_MASK(4, 2)
#define S1_AP_EL0   HYP_BIT(6) /* AP[1] */
#define S1_AP_RO    HYP_BIT(7) /* AP[2] */
#define S1_NG       HYP_BIT(11)
#define S1_DBM      HYP_BIT(51)
#define S1_PXN      HYP_BIT(53)
#define S1_UXN      HYP_BIT(54) /* XN in a regime of one privilege */
#define S1_PXNTABLE HYP_BIT(59)
#define S1_UXNTABLE HYP_BIT(60)
#define S1_APTABLE0 HYP_BIT(61)
#define S1_APTABLE1 HYP_BIT(62)

/* DDI 0487 D8.3: where the output address is. */
static uint64_t output(const struct mmu_tree *tree, uint64_t desc, unsigned int shift)
{
    switch ((enum mmu_oa)tree->oa) {
    case MMU_OA_52_64K:
        return (desc & HYP_MASK(47, shift)) | hyp_field_get(desc, HYP_MASK(15, 12)) << 48;
    case MMU_OA_52_LPA2:
        return (desc & HYP_MASK(49, shift)) | hyp_field_get(desc, HYP_MASK(9, 8)) << 50;
    case MMU_OA_48:
        break;
    }
    return desc & HYP_MASK(47, shift);
}

/* DDI 0487 D8.3: levels that may hold a block. */
static bool block_allowed(const struct mmu_tree *tree, unsigned int level)
{
    switch (tree->page_shift) {
    case 12:
        return level == 1 || level == 2 || (level == 3 && tree->oa == MMU_OA_52_LPA2);
    case 14:
        return level == 1 || (level == 2 && tree->oa == MMU_OA_52_LPA2);
    default:
        return level == 1 || (level == 2 && tree->oa == MMU_OA_52_64K);
    }
}

/* DDI 0487 D8.7: descriptors in a contiguous run. */
static uint8_t run_bits(const struct mmu_tree *tree, unsigned int level)
{
    switch (tree->page_shift) {
    case 12:
        return level <= 2 ? 4 : 0;
    case 14:
        return level == 0 ? 7 : level == 1 ? 5 : 0;
    default:
        return level <= 1 ? 5 : 0;
    }
}

struct mmu_dec mmu_dec_arm64_common(const struct mmu_tree *tree, uint64_t desc, unsigned int level)
{
    struct mmu_dec dec = {.kind = MMU_DEC_INVALID};

    if (!(desc & DESC_VALID))
        return dec;
    if (level != 0 && (desc & DESC_TABLE)) {
        dec.kind = MMU_DEC_TABLE;
        dec.out = output(tree, desc, tree->page_shift);
        return dec;
    }
    if (level != 0 ? !block_allowed(tree, level) : !(desc & DESC_TABLE))
        return dec; /* reserved encodings behave as invalid */
    dec.kind = MMU_DEC_LEAF;
    dec.out = output(tree, desc, hyp_level_shift(tree->page_shift, level));
    dec.af = (desc & DESC_AF) != 0;
    dec.run_bits = (desc & DESC_CONT) ? run_bits(tree, level) : 0;
    return dec;
}

static uint8_t table_limits(uint64_t desc)
{
    return (uint8_t)(((desc & S1_APTABLE0) ? MMU_LIMIT_NO_EL0 : 0) |
                     ((desc & S1_APTABLE1) ? MMU_LIMIT_NO_WRITE : 0) |
                     ((desc & S1_UXNTABLE) ? MMU_LIMIT_UXN : 0) |
                     ((desc & S1_PXNTABLE) ? MMU_LIMIT_PXN : 0));
}

/*
 * DDI 0487 D8.4: direct permissions, then the limits of the tables above, then the two rules that
 * take execution away from what is writable. PAN depends on PSTATE and is applied to the entry.
 */
static unsigned int permissions(const struct mmu_ctx *ctx, uint64_t desc, bool writable,
                                unsigned int limits)
{
    unsigned int perm = MMU_PERM_PR;

    if (writable && !(limits & MMU_LIMIT_NO_WRITE))
        perm |= MMU_PERM_PW;
    if (!ctx->unprivileged) { /* AP[1] is RES1, and there is no PXN */
        if (!(desc & S1_UXN) && !(limits & MMU_LIMIT_UXN))
            perm |= MMU_PERM_PX;
    } else {
        if ((desc & S1_AP_EL0) && !(limits & MMU_LIMIT_NO_EL0))
            perm |= (perm & MMU_PERM_PW) ? MMU_PERM_UR | MMU_PERM_UW : MMU_PERM_UR;
        if (!(desc & S1_UXN) && !(limits & MMU_LIMIT_UXN))
            perm |= MMU_PERM_UX;
        /* What EL0 can write is never executable at EL1 (D8.4). */
        if (!(desc & S1_PXN) && !(limits & MMU_LIMIT_PXN) && !(perm & MMU_PERM_UW))
            perm |= MMU_PERM_PX;
    }
    if (ctx->wxn && (perm & MMU_PERM_PW))
        perm &= ~MMU_PERM_PX;
    if (ctx->wxn && (perm & MMU_PERM_UW))
        perm &= ~MMU_PERM_UX;
    return perm;
}

struct mmu_dec mmu_dec_arm64_s1(const struct mmu_ctx *ctx, const struct mmu_tree *tree,
                                uint64_t desc, unsigned int level, unsigned int limits)
{
    struct mmu_dec dec = mmu_dec_arm64_common(tree, desc, level);

    if (dec.kind == MMU_DEC_TABLE && tree->hierarchical)
        dec.limits = table_limits(desc);
    if (dec.kind != MMU_DEC_LEAF)
        return dec;
    bool managed = ctx->hd && (desc & S1_DBM);
    bool read_only = (desc & S1_AP_RO) != 0;
    dec.perm = (uint8_t)permissions(ctx, desc, !read_only || managed, limits);
    dec.clean = managed && read_only;
    dec.global = !(desc & S1_NG) || !ctx->unprivileged;
    dec.attr = (uint8_t)(ctx->mair >> (8 * hyp_field_get(desc, S1_ATTR)));
    return dec;
}

uint64_t mmu_dec_arm64_s1_touch(uint64_t desc, bool dirty)
{
    return (desc | DESC_AF) & ~(dirty ? S1_AP_RO : 0);
}
