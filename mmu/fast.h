/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hit path of the L1 TLBs, inline: what a replay loop runs for each access.
 *
 * mmu_hit() is exactly the part of mmu_translate() that ends in an L1 hit without fault, flag
 * update or stale check: the same outcome, the same replacement state, the same counters. In every
 * other case it changes nothing and returns false, and the caller calls mmu_translate().
 */
#ifndef MMU_FAST_H
#define MMU_FAST_H

#include <hyp/bits.h>

#include "mmu/mmu_priv.h"

static inline bool mmu_entry_hits(const struct mmu_entry *entry, uint64_t va, uint32_t gen,
                                  unsigned int need)
{
    return (((va ^ entry->va) & entry->mask) | (entry->gen ^ gen)) == 0 &&
           (entry->allow & need) != 0;
}

/*
 * An access by `cpu` (from mmu_cpu()) that does not cross a page end. True: it hit, *pa is its
 * physical address, and it cost what the L1 hit_cycles say. False: nothing happened.
 */
static inline bool mmu_hit(struct mmu_cpu *cpu, enum mmu_regime regime, unsigned int el,
                           enum mmu_access access, uint64_t va, hyp_pa_t *pa)
{
    struct mmu_l1 *l1 = &cpu->l1[access == MMU_FETCH];
    unsigned int need = mmu_perm_bit(access, el);
    uint32_t gen = cpu->ctx[regime].gen, index = l1->front[(va >> 12) % MMU_FRONT_PAGES];
    const struct mmu_entry *entry = &l1->tlb.entries[index];

    if (HYP_UNLIKELY(!mmu_entry_hits(entry, va, gen, need))) {
        index = l1->blocks[(va >> 21) % MMU_FRONT_BLOCKS];
        entry = &l1->tlb.entries[index];
        if (!mmu_entry_hits(entry, va, gen, need))
            return false;
    }
    if (HYP_UNLIKELY(cpu->tick >= cpu->check_at))
        return false;
    l1->tlb.stamp[index] = ++cpu->tick;
    cpu->l1_hits[access]++;
    pa->v = entry->pa + (va & ~entry->mask);
    return true;
}

#endif
