/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One walk without tables: given the entry that is met at each level, what comes of an access?
 * For comparing the walkers with rules and tables from outside.
 */
#ifndef MMU_EVAL_H
#define MMU_EVAL_H

#include "mmu/x86.h"

enum mmu_eval_format {
    MMU_EVAL_EPT,      /* addr is guest-physical */
    MMU_EVAL_X86,      /* addr is linear, no second stage */
    MMU_EVAL_NPT,      /* addr is guest-physical */
    MMU_EVAL_ARM64_S2, /* addr is an ipa; 4K granule, stage 1 off */
    MMU_EVAL_FORMAT_COUNT
};

#define MMU_EVAL_LEVELS 5u

struct mmu_eval {
    uint8_t format; /* enum mmu_eval_format */
    uint8_t levels; /* depth of the tree: 4 or 5; arm64: 3 or 4 */
    uint8_t access; /* enum mmu_access */
    uint8_t el;     /* 0 user, 1 supervisor or EL1 */
    uint64_t addr;
    uint64_t entry[MMU_EVAL_LEVELS]; /* in the order of the walk, the root's first */
    bool accessed_dirty;             /* EPT: EPTP[6]; arm64: VTCR_EL2.HA and HD */
    /* EPT and NPT: the access is one to a guest paging structure: a read of an entry, or the update
     * of its flags for MMU_WRITE. */
    bool table_access;
    /* Features, CR0, CR4, EFER, PAT and pa_bits; cr3 and eptp are made up, as are CR0.PG and
     * CR4.LA57. */
    struct mmu_x86_regs x86;
    struct mmu_arm64_regs arm64; /* features and pa_bits */
};

struct mmu_eval_result {
    struct mmu_result result;
    uint64_t entry[MMU_EVAL_LEVELS]; /* afterwards */
    uint64_t syndrome; /* of a fault: #PF code, qualification, EXITINFO1, ESR of an abort to EL2 */
    uint8_t reads;     /* entries looked at */
};

/* Entries are read in order, wherever they point; a walk that is deeper than `levels` ends in
 * MMU_FAULT_EXTERNAL_WALK. False when memory runs out, or the format or depth is none; *out is not
 * touched then. */
bool mmu_eval(const struct mmu_eval *eval, struct mmu_eval_result *out);

#endif
