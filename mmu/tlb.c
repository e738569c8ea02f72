/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tagged arrays, set-associative or fully associative.
 *
 * A lookup tries each page size that is resident, smallest first, with the key of that size; keys
 * lie beside the entries, so that a set is compared without touching them. A fully associative
 * array finds a key through chains by hash. An invalid way, lowest first, is taken before a victim.
 */
#include "mmu/tlb.h"

#include <hyp/bits.h>
#include <string.h>

#define NO_ENTRY UINT32_MAX

void *mmu_arena_take(struct mmu_arena *arena, size_t count, size_t size)
{
    size_t at = (arena->used + 63) & ~(size_t)63;

    arena->used = at + count * size;
    return arena->base && count ? arena->base + at : NULL;
}

bool mmu_tlb_init(struct mmu_tlb *tlb, struct mmu_arena *arena, const struct mmu_tlb_config *config,
                  uint64_t seed)
{
    uint32_t count = config->entries, ways = config->ways ? config->ways : count;
    uint32_t buckets = 4;

    if (count > (1u << 24) || (count != 0 && count % ways != 0) || config->repl > MMU_REPL_FIFO)
        return false;
    /* Sparse when that is cheap: a chain of two is a branch that nothing predicts. */
    while (buckets < (count <= 4096 ? 8 : 2) * count)
        buckets *= 2;
    uint32_t sets = count ? count / ways : 0;
    bool hashed = sets == 1;
    struct mmu_tlb made = {
        .entries = mmu_arena_take(arena, count ? count : 1, sizeof(struct mmu_entry)),
        .keys = mmu_arena_take(arena, count, sizeof(uint64_t)),
        .stamp = mmu_arena_take(arena, count ? count : 1, sizeof(uint64_t)),
        .epoch = mmu_arena_take(arena, config->repl == MMU_REPL_NRU ? sets : 0, sizeof(uint64_t)),
        .born = mmu_arena_take(arena, config->repl == MMU_REPL_FIFO ? count : 0, sizeof(uint64_t)),
        .hint = mmu_arena_take(arena, sets, sizeof(uint32_t)),
        .bucket = mmu_arena_take(arena, hashed ? buckets : 0, sizeof(uint32_t)),
        .chain = mmu_arena_take(arena, hashed ? count : 0, sizeof(uint32_t)),
        .sets = sets,
        .ways = ways,
        .bucket_mask = hashed ? buckets - 1 : 0,
        .page_shifts = config->page_shifts,
        .hit_cycles = config->hit_cycles,
        .repl = config->repl,
        .random = (seed * UINT64_C(0x9e3779b97f4a7c15)) | 1,
    };
    *tlb = made;
    return true;
}

unsigned int mmu_tlb_native(const struct mmu_tlb *tlb, unsigned int shift)
{
    if (tlb->page_shifts == 0)
        return shift;
    uint32_t sizes = shift >= 31 ? tlb->page_shifts : tlb->page_shifts & ((2u << shift) - 1);
    return sizes ? 31u - (unsigned int)__builtin_clz(sizes) : 0;
}

/* ---- keys ---- */

static uint32_t hash(const struct mmu_tlb *tlb, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & tlb->bucket_mask;
}

static uint32_t set_of(const struct mmu_tlb *tlb, uint64_t key)
{
    uint64_t page = key >> (key & 63);

    if ((tlb->sets & (tlb->sets - 1)) == 0)
        return (uint32_t)page & (tlb->sets - 1);
    return (uint32_t)(page % tlb->sets);
}

/* First match in a set. Without an early exit: where it is cannot be predicted. */
static uint32_t scan(const struct mmu_tlb *tlb, uint64_t key, uint32_t first, uint32_t end)
{
    uint32_t found = NO_ENTRY;

    for (uint32_t index = end; index-- > first;)
        found = tlb->keys[index] == key ? index : found;
    return found;
}

static uint32_t follow(const struct mmu_tlb *tlb, uint64_t key, uint32_t link)
{
    while (link != 0 && tlb->keys[link - 1] != key)
        link = tlb->chain[link - 1];
    return link == 0 ? NO_ENTRY : link - 1;
}

uint32_t mmu_tlb_first(const struct mmu_tlb *tlb, uint64_t key)
{
    if (tlb->sets == 1)
        return follow(tlb, key, tlb->bucket[hash(tlb, key)]);
    uint32_t first = set_of(tlb, key) * tlb->ways;
    return scan(tlb, key, first, first + tlb->ways);
}

uint32_t mmu_tlb_next(const struct mmu_tlb *tlb, uint64_t key, uint32_t index)
{
    if (tlb->sets == 1)
        return follow(tlb, key, tlb->chain[index]);
    uint32_t end = (index / tlb->ways + 1) * tlb->ways;
    return scan(tlb, key, index + 1, end);
}

/* ---- lookup ---- */

static bool same_tags(const struct mmu_entry *entry, const struct mmu_ctx *ctx)
{
    return entry->regime == ctx->regime && entry->root == ctx->root &&
           (entry->vmid == ctx->vmid || (entry->flags & MMU_ENTRY_ANY_VMID)) &&
           ((entry->flags & MMU_ENTRY_GLOBAL) || entry->asid == ctx->asid);
}

struct mmu_entry *mmu_tlb_find(struct mmu_tlb *tlb, enum mmu_kind kind, const struct mmu_ctx *ctx,
                               uint64_t addr)
{
    for (uint64_t shifts = tlb->shifts[kind]; shifts; shifts &= shifts - 1) {
        unsigned int shift = (unsigned int)__builtin_ctzll(shifts);
        uint64_t key = mmu_tlb_key(kind, addr, shift);
        for (uint32_t index = mmu_tlb_first(tlb, key); index != NO_ENTRY;
             index = mmu_tlb_next(tlb, key, index))
            if (same_tags(&tlb->entries[index], ctx))
                return &tlb->entries[index];
    }
    return NULL;
}

/* ---- removal and refill ---- */

static void unlink_chain(struct mmu_tlb *tlb, uint32_t index)
{
    uint32_t *link = &tlb->bucket[hash(tlb, tlb->keys[index])];

    while (*link != index + 1)
        link = &tlb->chain[*link - 1];
    *link = tlb->chain[index];
}

static void account(struct mmu_tlb *tlb, const struct mmu_entry *entry, bool add)
{
    uint32_t *resident = &tlb->resident[entry->kind][entry->shift];
    uint32_t one = add ? 1u : UINT32_MAX;
    uint32_t owner = mmu_tlb_owner(entry->regime, entry->vmid);

    if (tlb->count == 0)
        tlb->owner = owner;
    else if (tlb->owner != owner)
        tlb->owner = MMU_OWNERS_MIXED;
    *resident += one;
    if (*resident == 0)
        tlb->shifts[entry->kind] &= ~HYP_BIT(entry->shift);
    else
        tlb->shifts[entry->kind] |= HYP_BIT(entry->shift);
    tlb->count += one;
    if (entry->kind == MMU_KIND_WALK || entry->kind == MMU_KIND_NEST)
        return;
    bool ipa = entry->kind == MMU_KIND_IPA;
    uint8_t leaf = ipa ? entry->s2_shift : entry->s1_shift;
    if (leaf <= entry->shift)
        return;
    tlb->split[ipa] += one;
    if (leaf > tlb->split_shift[ipa])
        tlb->split_shift[ipa] = leaf;
}

void mmu_tlb_drop(struct mmu_tlb *tlb, uint32_t index)
{
    struct mmu_entry *entry = &tlb->entries[index];
    uint32_t set = index / tlb->ways, way = index % tlb->ways;

    if (tlb->sets == 1)
        unlink_chain(tlb, index);
    account(tlb, entry, false);
    tlb->keys[index] = 0;
    entry->allow = 0;
    entry->gen = 0;
    if (way < tlb->hint[set])
        tlb->hint[set] = way;
}

static void relink(struct mmu_tlb *tlb)
{
    memset(tlb->bucket, 0, (tlb->bucket_mask + 1) * sizeof(tlb->bucket[0]));
    for (uint32_t index = 0; index < tlb->ways; index++) {
        if (tlb->keys[index] == 0)
            continue;
        uint32_t *link = &tlb->bucket[hash(tlb, tlb->keys[index])];
        tlb->chain[index] = *link;
        *link = index + 1;
    }
}

static uint32_t forget(struct mmu_tlb *tlb, enum mmu_kind kind)
{
    uint32_t removed = 0;

    for (uint64_t shifts = tlb->shifts[kind]; shifts; shifts &= shifts - 1) {
        uint32_t *resident = &tlb->resident[kind][__builtin_ctzll(shifts)];
        removed += *resident;
        *resident = 0;
    }
    tlb->shifts[kind] = 0;
    if (kind == MMU_KIND_PAGE || kind == MMU_KIND_IPA)
        tlb->split[kind == MMU_KIND_IPA] = 0;
    return removed;
}

uint64_t mmu_tlb_clear(struct mmu_tlb *tlb, unsigned int kinds)
{
    uint32_t entries = tlb->sets * tlb->ways, removed = 0;

    for (unsigned int kind = 0; kind < MMU_KIND_COUNT; kind++)
        if (kinds >> kind & 1)
            removed += forget(tlb, (enum mmu_kind)kind);
    if (removed == 0)
        return 0;
    tlb->count -= removed;
    for (uint32_t index = 0; index < entries; index++) {
        if (!(kinds >> (tlb->keys[index] >> 6 & 3) & 1))
            continue;
        tlb->keys[index] = 0;
        if (tlb->fronted)
            tlb->entries[index].allow = 0;
    }
    memset(tlb->hint, 0, tlb->sets * sizeof(tlb->hint[0]));
    if (tlb->sets == 1)
        relink(tlb);
    return removed;
}

/* A way of the set for a new entry, empty. */
static uint32_t make_room(struct mmu_tlb *tlb, uint32_t set, uint64_t tick)
{
    uint32_t first = set * tlb->ways;

    for (uint32_t way = tlb->hint[set]; way < tlb->ways; way++)
        if (tlb->keys[first + way] == 0) {
            tlb->hint[set] = way + 1;
            return first + way;
        }
    uint32_t index = first + mmu_repl_victim(tlb, set, tick);
    mmu_tlb_drop(tlb, index);
    tlb->hint[set] = tlb->ways;
    return index;
}

static uint32_t find_same(const struct mmu_tlb *tlb, const struct mmu_entry *entry, uint64_t key)
{
    for (uint32_t index = mmu_tlb_first(tlb, key); index != NO_ENTRY;
         index = mmu_tlb_next(tlb, key, index)) {
        const struct mmu_entry *held = &tlb->entries[index];
        if (held->regime == entry->regime && held->vmid == entry->vmid &&
            held->root == entry->root &&
            (((held->flags | entry->flags) & MMU_ENTRY_GLOBAL) || held->asid == entry->asid))
            return index;
    }
    return NO_ENTRY;
}

/* The way for a new entry: found, or made empty and linked under its key. */
static uint32_t place(struct mmu_tlb *tlb, const struct mmu_entry *entry, uint64_t key,
                      uint64_t tick, bool replace)
{
    uint32_t index = replace ? find_same(tlb, entry, key) : NO_ENTRY;

    if (index != NO_ENTRY) {
        account(tlb, &tlb->entries[index], false);
        return index;
    }
    index = make_room(tlb, tlb->sets == 1 ? 0 : set_of(tlb, key), tick);
    tlb->keys[index] = key;
    if (tlb->sets == 1) {
        uint32_t *link = &tlb->bucket[hash(tlb, key)];
        tlb->chain[index] = *link;
        *link = index + 1;
    }
    return index;
}

struct mmu_entry *mmu_tlb_fill(struct mmu_tlb *tlb, const struct mmu_entry *entry, uint64_t addr,
                               unsigned int shift, uint64_t tick, bool replace)
{
    if (tlb->sets == 0 || shift == 0)
        return NULL;
    uint64_t low = ~(~UINT64_C(0) << shift), offset = addr - entry->va;
    uint32_t index = place(tlb, entry, mmu_tlb_key(entry->kind, addr, shift), tick, replace);
    struct mmu_entry *made = &tlb->entries[index];

    *made = *entry;
    made->shift = (uint8_t)shift;
    made->mask = ~low;
    made->va = addr & ~low;
    if (entry->kind == MMU_KIND_PAGE ||
        entry->kind == MMU_KIND_IPA) { /* a table is not as large as what it translates */
        made->pa = (entry->pa + offset) & ~low;
        made->ipa = (entry->ipa + offset) & ~low;
    }
    tlb->stamp[index] = tick;
    if (tlb->born)
        tlb->born[index] = tick;
    account(tlb, made, true);
    return made;
}
