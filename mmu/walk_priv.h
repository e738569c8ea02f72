/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the walkers of both architectures have in common: descriptor reads, caches of walk results,
 * hardware updates, failure. */
#ifndef MMU_WALK_PRIV_H
#define MMU_WALK_PRIV_H

#include "mmu/cache.h"
#include "mmu/tlb.h"
#include "mmu/walk.h"

static inline bool fail(struct mmu_walk *walk, enum mmu_fault fault, unsigned int stage,
                        unsigned int level)
{
    walk->fault = (uint8_t)fault;
    walk->stage = (uint8_t)stage;
    walk->level = (uint8_t)level;
    return false;
}

static inline bool fail_s2(struct mmu_walk *walk, enum mmu_fault fault, unsigned int level,
                           uint64_t ipa, bool table)
{
    walk->fault_ipa = ipa;
    walk->s1ptw = table;
    return fail(walk, fault, 2, level);
}

static inline bool read_desc(struct mmu_walk *walk, uint64_t pa, unsigned int stage,
                             unsigned int level, uint64_t *desc)
{
    struct mmu *mmu = walk->mmu;
    bool ok = true;

    *desc = mmu->port.load(mmu->port.ctx, hyp_pa(pa), &ok);
    *(stage == 1 ? &walk->refs_s1 : &walk->refs_s2) += 1;
    if (walk->mode == MMU_WALK_REAL) {
        unsigned int first = stage == 1 ? MMU_COUNTER_refs_s1_l0 : MMU_COUNTER_refs_s2_l0;
        mmu->counters->v[first + level]++;
        walk->cycles += mmu->config.step_cycles + mmu_cache_read(mmu, walk->cpu, pa);
    }
    return ok;
}

/* ---- where walk results are kept ---- */

static inline struct mmu_tlb *walk_array(const struct mmu_walk *walk)
{
    return walk->mmu->config.l2_holds_walks ? &walk->cpu->l2 : &walk->cpu->walk_cache;
}

static inline struct mmu_tlb *ipa_array(const struct mmu_walk *walk)
{
    return walk->mmu->config.l2_holds_walks ? &walk->cpu->l2 : &walk->cpu->ipa_cache;
}

static inline struct mmu_entry *find_cached(struct mmu_walk *walk, struct mmu_tlb *tlb,
                                            enum mmu_kind kind, uint64_t addr)
{
    if (walk->mode != MMU_WALK_REAL || tlb->sets == 0)
        return NULL;
    return mmu_tlb_find(tlb, kind, walk->ctx, addr);
}

static inline void use_cached(struct mmu_walk *walk, struct mmu_tlb *tlb,
                              const struct mmu_entry *entry, uint32_t cycles)
{
    mmu_tlb_use(tlb, entry, ++walk->cpu->tick);
    walk->cycles += cycles;
}

/* ---- hardware updates ---- */

static inline bool update(struct mmu_walk *walk, uint64_t pa, uint64_t desc, uint64_t desired,
                          bool dirty)
{
    struct mmu *mmu = walk->mmu;

    if (walk->mode != MMU_WALK_REAL || desc == desired)
        return true;
    if (!mmu->port.swap(mmu->port.ctx, hyp_pa(pa), desc, desired))
        return false;
    *(dirty ? &mmu->counters->dirty_updates : &mmu->counters->af_updates) += 1;
    return true;
}

/* ---- shared steps ---- */

/* Keeps a result of stage 2. */
void mmu_walk_keep_ipa(struct mmu_walk *walk, uint64_t ipa, const struct mmu_leaf *leaf, bool table,
                       bool replace);

/* mmu_walk_run() for the regime MMU_X86: both stages. */
bool mmu_walk_x86(struct mmu_walk *walk);

/* EPT or nested paging: translates a guest-physical address for a use that needs all of `need`: of
 * the access itself, or (table) of the walker. */
bool mmu_walk_nested(struct mmu_walk *walk, uint64_t gpa, unsigned int need, bool table,
                     struct mmu_leaf *leaf);

#endif
