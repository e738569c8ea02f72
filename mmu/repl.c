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

static uint64_t younger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t older(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Way with the smallest tick; ticks differ. Two chains without branches, because the place of the
 * smallest one cannot be predicted and this is most of the cost of a refill. */
static uint32_t oldest(const uint64_t *ticks, uint32_t ways)
{
    uint64_t even = UINT64_MAX, odd = UINT64_MAX;
    uint32_t even_way = 0, odd_way = 0, way;

    for (way = 0; way + 2 <= ways; way += 2) {
        uint64_t a = ticks[way], b = ticks[way + 1];
        even_way = a < even ? way : even_way;
        even = older(a, even);
        odd_way = b < odd ? way + 1 : odd_way;
        odd = older(b, odd);
    }
    if (way < ways && ticks[way] < even) {
        even = ticks[way];
        even_way = way;
    }
    return even < odd ? even_way : odd_way;
}

static uint64_t youngest(const uint64_t *stamp, uint32_t first, uint32_t end)
{
    uint64_t tick = 0;

    for (uint32_t way = first; way < end; way++)
        tick = younger(tick, stamp[way]);
    return tick;
}

/* The tree has the next power of two of leaves; those past the last way are never chosen. */
static uint32_t tree_victim(const uint64_t *stamp, uint32_t ways)
{
    uint32_t first = 0, size = 1;

    while (size < ways)
        size *= 2;
    for (size /= 2; size > 0; size /= 2) {
        uint32_t middle = first + size, end = middle + size < ways ? middle + size : ways;
        if (middle < ways && youngest(stamp, middle, end) < youngest(stamp, first, middle))
            first = middle;
    }
    return first;
}

static uint32_t unreferenced(struct mmu_tlb *tlb, uint32_t set, const uint64_t *stamp,
                             uint64_t tick)
{
    uint32_t candidates = 0;

    for (uint32_t way = 0; way < tlb->ways; way++)
        candidates += stamp[way] <= tlb->epoch[set];
    if (candidates == 0) {
        tlb->epoch[set] = tick - 1; /* the refill at hand counts already */
        return random_below(tlb, tlb->ways);
    }
    uint32_t pick = random_below(tlb, candidates);
    for (uint32_t way = 0;; way++)
        if (stamp[way] <= tlb->epoch[set] && pick-- == 0)
            return way;
}

uint32_t mmu_repl_victim(struct mmu_tlb *tlb, uint32_t set, uint64_t tick)
{
    size_t first = (size_t)set * tlb->ways;

    switch (tlb->repl) {
    case MMU_REPL_PLRU:
        return tree_victim(&tlb->stamp[first], tlb->ways);
    case MMU_REPL_NRU:
        return unreferenced(tlb, set, &tlb->stamp[first], tick);
    case MMU_REPL_RANDOM:
        return random_below(tlb, tlb->ways);
    case MMU_REPL_FIFO:
        return oldest(&tlb->born[first], tlb->ways);
    case MMU_REPL_LRU:
        break;
    }
    return oldest(&tlb->stamp[first], tlb->ways);
}
