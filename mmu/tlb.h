/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tagged arrays of translations: lookup, refill, removal. The meaning of an invalidation is in
 * inval.c, the choice of a victim in repl.c. */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include "mmu/mmu_priv.h"

/* Memory for the whole machine is carved out of one allocation: a first pass with base NULL only
 * adds up sizes. */
struct mmu_arena {
    unsigned char *base;
    size_t used;
};

/* NULL in the first pass, and for a count of 0. */
void *mmu_arena_take(struct mmu_arena *arena, size_t count, size_t size);

/* False when the configuration is impossible. An array of 0 entries never holds anything, and has
 * one invalid entry so that a way prediction of 0 is safe. */
bool mmu_tlb_init(struct mmu_tlb *tlb, struct mmu_arena *arena, const struct mmu_tlb_config *config,
                  uint64_t seed);

/* log2 of the size in which a leaf of 2^shift bytes is held here; 0: not at all. */
unsigned int mmu_tlb_native(const struct mmu_tlb *tlb, unsigned int shift);

/* The entry that translates `addr` under the tags of `ctx`, or NULL. Does not count as a use. */
struct mmu_entry *mmu_tlb_find(struct mmu_tlb *tlb, enum mmu_kind kind, const struct mmu_ctx *ctx,
                               uint64_t addr);

/*
 * Enters the part of *entry that holds `addr`, 2^shift bytes of it. pa and ipa of *entry are those
 * of its va, aligned or not. With `replace` an entry for the same address, size and tags is
 * replaced in place; without, the caller knows that there is none. NULL when the array holds
 * nothing, or for a shift of 0 (see mmu_tlb_native).
 */
struct mmu_entry *mmu_tlb_fill(struct mmu_tlb *tlb, const struct mmu_entry *entry, uint64_t addr,
                               unsigned int shift, uint64_t tick, bool replace);

void mmu_tlb_drop(struct mmu_tlb *tlb, uint32_t index);

/* Removes every entry whose kind has its bit (1 << kind) in `kinds`; returns how many. */
uint64_t mmu_tlb_clear(struct mmu_tlb *tlb, unsigned int kinds);

static inline uint32_t mmu_tlb_owner(unsigned int regime, unsigned int vmid)
{
    return regime << 16 | vmid;
}

/* Index of the first entry with this key (address, kind and size) at or after the cursor;
 * UINT32_MAX when there is none. A cursor starts with mmu_tlb_first(). */
uint32_t mmu_tlb_first(const struct mmu_tlb *tlb, uint64_t key);
uint32_t mmu_tlb_next(const struct mmu_tlb *tlb, uint64_t key, uint32_t index);

static inline uint64_t mmu_tlb_key(enum mmu_kind kind, uint64_t addr, unsigned int shift)
{
    return (addr & (~UINT64_C(0) << shift)) | (uint64_t)kind << 6 | shift;
}

static inline uint32_t mmu_tlb_index(const struct mmu_tlb *tlb, const struct mmu_entry *entry)
{
    return (uint32_t)(entry - tlb->entries);
}

static inline void mmu_tlb_use(struct mmu_tlb *tlb, const struct mmu_entry *entry, uint64_t tick)
{
    tlb->stamp[mmu_tlb_index(tlb, entry)] = tick;
}

/* Way to be replaced in a set whose ways are all valid (repl.c). `tick` is the present. */
uint32_t mmu_repl_victim(struct mmu_tlb *tlb, uint32_t set, uint64_t tick);

#endif
