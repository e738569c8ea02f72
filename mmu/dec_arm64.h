/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Meaning of AArch64 descriptors, VMSAv8-64 (DDI 0487 D8.3). Pure functions of a descriptor and the
 * register state; what a walk does with them is the business of walk.c.
 */
#ifndef MMU_DEC_ARM64_H
#define MMU_DEC_ARM64_H

#include "mmu/mmu_priv.h"

enum mmu_dec_kind { MMU_DEC_INVALID, MMU_DEC_TABLE, MMU_DEC_LEAF };

/* Limits that table descriptors put on what is below them (DDI 0487 D8.4). */
#define MMU_LIMIT_NO_EL0   0x1u /* APTable[0] */
#define MMU_LIMIT_NO_WRITE 0x2u /* APTable[1] */
#define MMU_LIMIT_UXN      0x4u /* UXNTable, or XNTable in a regime of one privilege */
#define MMU_LIMIT_PXN      0x8u /* PXNTable */

struct mmu_dec {
    uint64_t out;     /* next table, or output of the leaf's first address */
    uint8_t kind;     /* enum mmu_dec_kind */
    uint8_t perm;     /* leaf: MMU_PERM_*, hardware dirty marking taken as done */
    uint8_t attr;     /* leaf: MAIR byte (stage 1) or MemAttr (stage 2) */
    uint8_t limits;   /* table: MMU_LIMIT_* */
    uint8_t run_bits; /* leaf: log2 of the contiguous run in descriptors; 0 without the hint */
    bool af, global;
    bool clean; /* leaf: writes are allowed, the first one must mark the descriptor */
};

struct mmu_dec mmu_dec_arm64_s1(const struct mmu_ctx *ctx, const struct mmu_tree *tree,
                                uint64_t desc, unsigned int level, unsigned int limits);
struct mmu_dec mmu_dec_arm64_s2(const struct mmu_ctx *ctx, uint64_t desc, unsigned int level);

/* The parts that both stages have in common: kind, output address, AF, contiguous run. */
struct mmu_dec mmu_dec_arm64_common(const struct mmu_tree *tree, uint64_t desc, unsigned int level);

/* Descriptor as hardware leaves it: access flag set, and marked dirty when `dirty`. */
uint64_t mmu_dec_arm64_s1_touch(uint64_t desc, bool dirty);
uint64_t mmu_dec_arm64_s2_touch(uint64_t desc, bool dirty);

/* Memory type of both stages together, as a MAIR byte (DDI 0487 D8.6). */
uint8_t mmu_dec_arm64_combine(uint8_t s1_attr, uint8_t s2_memattr, bool fwb);

/* *ctx from the registers of a regime; gen is left alone. */
void mmu_regs_arm64(struct mmu_ctx *ctx, enum mmu_regime regime, const struct mmu_arm64_regs *regs);

#endif
