/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Meaning of x86 paging entries of both stages (SDM vol. 3, 4.5 and 28.3). Pure functions of an
 * entry and the register state; what a walk does with them is the business of walk_x86.c and
 * walk_nested.c.
 */
#ifndef MMU_DEC_X86_H
#define MMU_DEC_X86_H

#include "mmu/mmu_priv.h"
#include "mmu/x86.h"

/* Both formats of stage 2 and that of stage 1 have the same kinds. */
enum mmu_x86_kind {
    MMU_X86_ABSENT,
    MMU_X86_BAD, /* present, but a reserved bit is set or the combination is none */
    MMU_X86_TABLE,
    MMU_X86_LEAF
};

struct mmu_x86_dec {
    uint64_t out; /* next table, or output of the leaf's first address */
    uint8_t kind; /* enum mmu_x86_kind */
    uint8_t perm; /* of this entry alone; those of a walk are the AND over its entries */
    uint8_t attr; /* leaf: stage 1 a memory type, EPT bits 6:3 */
    bool global;  /* leaf */
    bool no_ve;   /* EPT: bit 63, also of an absent entry */
};

struct mmu_x86_dec mmu_dec_x86(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level);
struct mmu_x86_dec mmu_dec_ept(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level);
/* AMD nested paging: an ordinary table, walked as user accesses (APM vol. 2, 15.25). */
struct mmu_x86_dec mmu_dec_npt(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level);

#define MMU_DEC_X86_A HYP_BIT(5)
#define MMU_DEC_X86_D HYP_BIT(6)
#define MMU_DEC_EPT_A HYP_BIT(8)
#define MMU_DEC_EPT_D HYP_BIT(9)

/* Memory type of both stages together. */
uint8_t mmu_dec_x86_combine(const struct mmu_ctx *ctx, uint8_t s1_type, uint8_t s2_attr);

/* EPTRTA as a tag: never 0, which is that of linear mappings. */
static inline uint64_t mmu_x86_root_tag(uint64_t eptp)
{
    return (eptp & UINT64_C(0x000ffffffffff000)) | 1;
}

/* *ctx from the registers; gen is left alone. */
void mmu_regs_x86(struct mmu_ctx *ctx, const struct mmu_x86_regs *regs);

/* ---- details of a fault, in struct mmu_result ---- */

/* x86_rights: bits 0 to 2, R W X of stage 2, from a permission set. */
#define MMU_X86_RIGHTS(perm) ((uint8_t)((perm) & (MMU_PERM_PR | MMU_PERM_PW | MMU_PERM_PX)))

/* x86_flags. */
#define MMU_X86_FLAG_FETCH       0x01u /* the #PF code has bit 4 on a fetch */
#define MMU_X86_FLAG_NO_VE       0x02u
#define MMU_X86_FLAG_TABLE_WRITE 0x04u /* the access to the guest's table counts as a write */
#define MMU_X86_FLAG_ADVANCED    0x08u /* the next three are known */
#define MMU_X86_FLAG_USER        0x10u
#define MMU_X86_FLAG_WRITABLE    0x20u
#define MMU_X86_FLAG_XD          0x40u

/* Flags of a fault of the access itself, whose stage 1 gave `s1_perm`. */
uint8_t mmu_x86_flags(const struct mmu_ctx *ctx, unsigned int s1_perm, bool no_ve);

/* Removes what a fault removes by itself. */
void mmu_x86_drop_faulting(struct mmu *mmu, const struct mmu_request *request,
                           const struct mmu_result *result);

#endif
