/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended page table entries and the combination of memory types (SDM vol. 3, 28.3.2, 28.3.3.1 and
 * 28.3.7). Mode-based execute control, sub-page permissions, guest-paging verification and
 * supervisor shadow stacks are off: their bits are ignored.
 */
#include <hyp/bits.h>

#include "mmu/dec_x86.h"

#define EPT_R       HYP_BIT(0)
#define EPT_W       HYP_BIT(1)
#define EPT_X       HYP_BIT(2)
#define EPT_TYPE    HYP_MASK(5, 3)
#define EPT_IPAT    HYP_BIT(6)
#define EPT_ATTR    HYP_MASK(6, 3)
#define EPT_LEAF    HYP_BIT(7) /* ignored at the page level */
#define EPT_NO_VE   HYP_BIT(63)
#define EPT_ADDRESS HYP_MASK(51, 12)
#define ATTR_IPAT   8u /* in struct mmu_x86_dec.attr */

static uint8_t permissions(uint64_t entry)
{
    return (uint8_t)(((entry & EPT_R) ? MMU_PERM_PR | MMU_PERM_UR : 0) |
                     ((entry & EPT_W) ? MMU_PERM_W : 0) |
                     ((entry & EPT_X) ? MMU_PERM_PX | MMU_PERM_UX : 0));
}

/* 28.3.3.1: what makes a present entry an EPT misconfiguration. */
static bool misconfigured(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level, bool leaf)
{
    uint64_t reserved = ctx->reserved[1], type = hyp_field_get(entry, EPT_TYPE);

    if (!(entry & EPT_R) && ((entry & EPT_W) || !ctx->ept_xo))
        return true;
    if (!leaf)
        reserved |= EPT_ATTR;
    else if (level > 2 || (level == 2 && !ctx->s2_1g))
        reserved |= EPT_LEAF;
    else if (level != 0)
        reserved |= HYP_MASK(12 + 9 * level - 1, 12);
    if (entry & reserved)
        return true;
    return leaf && (type == 2 || type == 3 || type == 7);
}

struct mmu_x86_dec mmu_dec_ept(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level)
{
    struct mmu_x86_dec dec = {.kind = MMU_X86_ABSENT, .no_ve = (entry & EPT_NO_VE) != 0};
    bool leaf = level == 0 || (entry & EPT_LEAF) != 0;

    if (!(entry & (EPT_R | EPT_W | EPT_X)))
        return dec;
    dec.kind = MMU_X86_BAD;
    if (misconfigured(ctx, entry, level, leaf))
        return dec;
    dec.kind = leaf ? MMU_X86_LEAF : MMU_X86_TABLE;
    dec.perm = permissions(entry);
    dec.out = entry & EPT_ADDRESS;
    if (leaf) {
        dec.out &= ~UINT64_C(0) << hyp_level_shift(12, level);
        dec.attr = (uint8_t)hyp_field_get(entry, EPT_ATTR);
    }
    return dec;
}

/*
 * The PAT type of the guest (second index) under an EPT type (first), which stands where the MTRR
 * type would (SDM vol. 3, 11.5.2.2). Types: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB, 7 UC-.
 */
static const uint8_t under_ept[7][8] = {
    [0] = {[0] = 0, [1] = 1, [4] = 0, [5] = 0, [6] = 0, [7] = 0},
    [1] = {[0] = 0, [1] = 1, [4] = 0, [5] = 0, [6] = 1, [7] = 1},
    [4] = {[0] = 0, [1] = 1, [4] = 4, [5] = 5, [6] = 4, [7] = 0},
    [5] = {[0] = 0, [1] = 1, [4] = 4, [5] = 5, [6] = 5, [7] = 1},
    [6] = {[0] = 0, [1] = 1, [4] = 4, [5] = 5, [6] = 6, [7] = 0},
};

uint8_t mmu_dec_x86_combine(const struct mmu_ctx *ctx, uint8_t s1_type, uint8_t s2_attr)
{
    if (ctx->npt) /* nested type write-back is the only one modelled */
        return s1_type;
    if (s2_attr & ATTR_IPAT)
        return s2_attr & 7;
    return under_ept[s2_attr & 7][s1_type & 7];
}
