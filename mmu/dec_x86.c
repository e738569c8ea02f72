/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of ordinary 4- and 5-level paging (SDM vol. 3, 4.5; APM vol. 2, 5.3 and 15.25). */
#include "mmu/dec_x86.h"

#include <hyp/bits.h>

#define ENTRY_P       HYP_BIT(0)
#define ENTRY_RW      HYP_BIT(1)
#define ENTRY_US      HYP_BIT(2)
#define ENTRY_PWT     HYP_BIT(3)
#define ENTRY_PCD     HYP_BIT(4)
#define ENTRY_PS      HYP_BIT(7) /* at the page level: PAT */
#define ENTRY_G       HYP_BIT(8)
#define ENTRY_PAT_BIG HYP_BIT(12)
#define ENTRY_XD      HYP_BIT(63)
#define ENTRY_ADDRESS HYP_MASK(51, 12)

/* Rights of one entry, before the register state is asked (mmu_perm_now). */
static uint8_t permissions(uint64_t entry)
{
    unsigned int perm = MMU_PERM_PR | MMU_PERM_UR;

    if (entry & ENTRY_RW)
        perm |= MMU_PERM_W;
    if (!(entry & ENTRY_XD))
        perm |= MMU_PERM_PX | MMU_PERM_UX;
    if (!(entry & ENTRY_US))
        perm &= MMU_PERM_PR | MMU_PERM_PW | MMU_PERM_PX;
    return (uint8_t)perm;
}

static uint8_t memory_type(uint64_t pat, uint64_t entry, unsigned int level)
{
    uint64_t high = level == 0 ? ENTRY_PS : ENTRY_PAT_BIG;
    unsigned int index = ((entry & high) ? 4u : 0u) | ((entry & ENTRY_PCD) ? 2u : 0u) |
                         ((entry & ENTRY_PWT) ? 1u : 0u);

    return (uint8_t)(pat >> (8 * index) & 7);
}

static struct mmu_x86_dec decode(uint64_t entry, unsigned int level, uint64_t reserved,
                                 bool pages_1g, uint64_t pat)
{
    struct mmu_x86_dec dec = {.kind = MMU_X86_ABSENT};
    bool leaf = level == 0 || (entry & ENTRY_PS) != 0;

    if (!(entry & ENTRY_P))
        return dec;
    /* Bit 12 of a large leaf is PAT; what is between it and the address is reserved. */
    if (leaf && level != 0)
        reserved |=
            level > 2 || (level == 2 && !pages_1g) ? ENTRY_PS : HYP_MASK(12 + 9 * level - 1, 13);
    dec.kind = MMU_X86_BAD;
    if (entry & reserved)
        return dec;
    dec.kind = leaf ? MMU_X86_LEAF : MMU_X86_TABLE;
    dec.perm = permissions(entry);
    dec.out = entry & ENTRY_ADDRESS;
    if (!leaf)
        return dec;
    dec.out &= ~UINT64_C(0) << hyp_level_shift(12, level);
    dec.attr = memory_type(pat, entry, level);
    dec.global = (entry & ENTRY_G) != 0;
    return dec;
}

struct mmu_x86_dec mmu_dec_x86(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level)
{
    struct mmu_x86_dec dec = decode(entry, level, ctx->reserved[0], ctx->pages_1g, ctx->mair);

    dec.global = dec.global && ctx->globals;
    return dec;
}

/* Every access of the second stage is one of the user: without U/S nothing is allowed. */
struct mmu_x86_dec mmu_dec_npt(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level)
{
    struct mmu_x86_dec dec = decode(entry, level, ctx->reserved[1], ctx->s2_1g, MMU_X86_PAT_RESET);

    dec.perm = (uint8_t)(dec.perm >> 3 | (dec.perm & (MMU_PERM_UR | MMU_PERM_UW | MMU_PERM_UX)));
    return dec;
}
