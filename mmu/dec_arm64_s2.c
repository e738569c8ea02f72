/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stage-2 descriptors, and the combination of memory types. */
#include <hyp/bits.h>

#include "mmu/dec_arm64.h"

#define S2_MEMATTR HYP_MASK(5, 2)
#define S2_READ    HYP_BIT(6)
#define S2_WRITE   HYP_BIT(7)
#define S2_AF      HYP_BIT(10)
#define S2_DBM     HYP_BIT(51)
#define S2_XN      HYP_MASK(54, 53)

/* DDI 0487 D8.4, stage 2: XN[1:0] with FEAT_XNX, else XN[1] alone. Reading is no condition of
 * executing, so execute-only exists. */
static unsigned int execute(const struct mmu_ctx *ctx, uint64_t desc)
{
    uint64_t xn = hyp_field_get(desc, S2_XN);

    if (!ctx->xnx)
        return (xn & 2) ? 0 : MMU_PERM_PX | MMU_PERM_UX;
    switch (xn) {
    case 0:
        return MMU_PERM_PX | MMU_PERM_UX;
    case 1:
        return MMU_PERM_UX;
    case 2:
        return 0;
    default:
        return MMU_PERM_PX;
    }
}

struct mmu_dec mmu_dec_arm64_s2(const struct mmu_ctx *ctx, uint64_t desc, unsigned int level)
{
    struct mmu_dec dec = mmu_dec_arm64_common(&ctx->s2, desc, level);

    if (dec.kind != MMU_DEC_LEAF)
        return dec;
    bool managed = ctx->s2_hd && (desc & S2_DBM);
    unsigned int perm = execute(ctx, desc);
    if (desc & S2_READ)
        perm |= MMU_PERM_PR | MMU_PERM_UR;
    if ((desc & S2_WRITE) || managed)
        perm |= MMU_PERM_W;
    dec.perm = (uint8_t)perm;
    dec.clean = managed && !(desc & S2_WRITE);
    dec.attr = (uint8_t)hyp_field_get(desc, S2_MEMATTR);
    return dec;
}

uint64_t mmu_dec_arm64_s2_touch(uint64_t desc, bool dirty)
{
    return desc | S2_AF | (dirty ? S2_WRITE : 0);
}

static bool is_device(uint8_t attr)
{
    return (attr & 0xf0) == 0;
}

/* Cacheability of one half of a MAIR byte as a rank: 1 non-cacheable, 2 write-through, 3
 * write-back. The encodings 00RW (write-through transient) and 01RW (write-back transient, but 0100
 * is non-cacheable) rank with their permanent kin (DDI 0487 D24.2, MAIR_EL1). */
static unsigned int rank(unsigned int nibble)
{
    if (nibble == 4)
        return 1;
    return (nibble & 4) ? 3 : 2;
}

static uint8_t from_ranks(unsigned int outer, unsigned int inner)
{
    static const uint8_t nibble[4] = {0, 0x4, 0xb, 0xf};

    return (uint8_t)(nibble[outer] << 4 | nibble[inner]);
}

static unsigned int lower(unsigned int a, unsigned int b)
{
    return a < b ? a : b;
}

static uint8_t combine_device(uint8_t s1_attr, uint8_t s2_memattr)
{
    uint8_t s2 = (uint8_t)((s2_memattr & 3) << 2);

    return is_device(s1_attr) ? (uint8_t)lower(s1_attr & 0xc, s2) : s2;
}

/* DDI 0487 D8.6, with FEAT_S2FWB: MemAttr[2:0]. */
static uint8_t combine_fwb(uint8_t s1_attr, uint8_t s2_memattr)
{
    if (!(s2_memattr & 4))
        return combine_device(s1_attr, s2_memattr);
    switch (s2_memattr & 7) {
    case 6:
        return 0xff;
    case 5:
        return is_device(s1_attr) ? s1_attr : 0x44;
    default:
        return s1_attr;
    }
}

uint8_t mmu_dec_arm64_combine(uint8_t s1_attr, uint8_t s2_memattr, bool fwb)
{
    if (fwb)
        return combine_fwb(s1_attr, s2_memattr);
    if ((s2_memattr & 0xc) == 0)
        return combine_device(s1_attr, s2_memattr);
    if (is_device(s1_attr))
        return s1_attr;
    unsigned int outer = (s2_memattr >> 2) & 3, inner = s2_memattr & 3;
    return from_ranks(lower(rank(s1_attr >> 4), outer),
                      lower(rank(s1_attr & 0xf), inner == 0 ? 1 : inner));
}
