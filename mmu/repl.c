/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replacement. A use only leaves its tick in the entry; every policy is computed from the ticks
 * when a victim is wanted, so that a hit costs the same under all of them:
 *
 *   LRU     the oldest tick;
 *   PLRU    a node of the tree points away from its last used half, which is the half that has the
 *           younger tick;
 *   NRU     the reference bit of a way is set when it was used after the bits of its set were last
 *           cleared; they are cleared when a victim is wanted and all are set; random among the
 * rest; FIFO    the oldest fill.
 */
#include "mmu/tlb.h"

/* xorshift64*: good enough for victims, and small. */
static uint64_t next_random(struct mmu_tlb *tlb)
{
    uint64_t x = tlb->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    tlb->random = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

static uint32_t random_below(struct mmu_tlb *tlb, uint32_t limit)
{
    return (uint32_t)((next_random(tlb) >> 32) * limit >> 32);
}

static uint32_t oldest_use(const struct mmu_entry *entries, uint32_t ways)
{
    uint32_t victim = 0;

    for (uint32_t way = 1; way < ways; way++)
        if (entries[way].stamp < entries[victim].stamp)
            victim = way;
    return victim;
}

static uint32_t oldest_fill(const uint64_t *born, uint32_t ways)
{
    uint32_t victim = 0;

    for (uint32_t way = 1; way < ways; way++)
        if (born[way] < born[victim])
            victim = way;
    return victim;
}

static uint64_t youngest(const struct mmu_entry *entries, uint32_t first, uint32_t end)
{
    uint64_t stamp = 0;

    for (uint32_t way = first; way < end; way++)
        if (entries[way].stamp > stamp)
            stamp = entries[way].stamp;
    return stamp;
}

/* The tree has the next power of two of leaves; those past the last way are never chosen. */
static uint32_t tree_victim(const struct mmu_entry *entries, uint32_t ways)
{
    uint32_t first = 0, size = 1;

    while (size < ways)
        size *= 2;
    for (size /= 2; size > 0; size /= 2) {
        uint32_t middle = first + size, end = middle + size < ways ? middle + size : ways;
        if (middle < ways && youngest(entries, middle, end) < youngest(entries, first, middle))
            first = middle;
    }
    return first;
}

static uint32_t unreferenced(struct mmu_tlb *tlb, uint32_t set, uint64_t tick)
{
    const struct mmu_entry *entries = &tlb->entries[(size_t)set * tlb->ways];
    uint32_t candidates = 0;

    for (uint32_t way = 0; way < tlb->ways; way++)
        candidates += entries[way].stamp <= tlb->epoch[set];
    if (candidates == 0) {
        tlb->epoch[set] = tick;
        return random_below(tlb, tlb->ways);
    }
    uint32_t pick = random_below(tlb, candidates);
    for (uint32_t way = 0;; way++)
        if (entries[way].stamp <= tlb->epoch[set] && pick-- == 0)
            return way;
}

uint32_t mmu_repl_victim(struct mmu_tlb *tlb, uint32_t set, uint64_t tick)
{
    const struct mmu_entry *entries = &tlb->entries[(size_t)set * tlb->ways];

    switch (tlb->repl) {
    case MMU_REPL_PLRU:
        return tree_victim(entries, tlb->ways);
    case MMU_REPL_NRU:
        return unreferenced(tlb, set, tick);
    case MMU_REPL_RANDOM:
        return random_below(tlb, tlb->ways);
    case MMU_REPL_FIFO:
        return oldest_fill(&tlb->born[(size_t)set * tlb->ways], tlb->ways);
    case MMU_REPL_LRU:
        break;
    }
    return oldest_use(entries, tlb->ways);
}
