/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks of one or two stages. Reads descriptors through the port, asks and fills the walk and ipa
 * caches, sets access flags and dirty state; knows nothing of the TLBs proper. */
#ifndef MMU_WALK_H
#define MMU_WALK_H

#include "mmu/mmu_priv.h"

enum mmu_walk_mode {
    MMU_WALK_REAL,  /* caches, counters, flag updates */
    MMU_WALK_PROBE, /* none of them; faults are those of the access */
    MMU_WALK_TRUTH, /* none of them; a clear access flag or missing permission is no fault */
};

/* What a stage says about one address. */
struct mmu_leaf {
    uint64_t out;  /* of the very address */
    uint8_t shift; /* log2 of the leaf, contiguous run included */
    uint8_t level; /* MMU_LEVEL_NONE: stage off */
    uint8_t perm, attr;
    bool global, clean;
    bool no_ve; /* EPT: bit 63 */
};

struct mmu_walk {
    struct mmu *mmu;
    struct mmu_cpu *cpu;
    const struct mmu_ctx *ctx;
    uint64_t va;
    uint8_t access, el, mode;
    /* Outcome. */
    bool used_walk, used_ipa; /* a cached step was believed */
    bool s1ptw;
    uint8_t fault, stage, level; /* as in struct mmu_result */
    uint8_t refs_s1, refs_s2;
    uint8_t x86_rights, x86_flags; /* as in struct mmu_result */
    uint32_t cycles;
    uint64_t fault_ipa;
    struct mmu_leaf s1, s2;
};

/* False: walk->fault says why. */
bool mmu_walk_run(struct mmu_walk *walk);

#endif
