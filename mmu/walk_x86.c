/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks of 4- and 5-level paging (SDM vol. 3, 4.5 to 4.8), alone or over a second stage.
 *
 * Absent and reserved are decided entry by entry from the root, rights at the end by the AND over
 * the entries, then the flags of all entries used are set, then the second stage of the result.
 * A table is kept in the structure cache when the walk has ended well: its flags are set by then.
 */
#include <hyp/bits.h>

#include "mmu/dec_x86.h"
#include "mmu/walk_priv.h"

#define TRIES   4u
#define TYPE_WB 6u

/* One table on the way, and the entry read from it. */
struct step {
    uint64_t ipa, pa;     /* of the table */
    uint64_t slot, entry; /* slot: offset of the entry in the table */
    unsigned int perm;    /* AND over what is above the table */
    struct mmu_leaf s2;   /* of the page that holds it */
    bool cached;          /* came out of the structure cache */
};

struct path {
    struct step step[5]; /* by level */
    unsigned int first, leaf;
    struct mmu_x86_dec dec; /* of the last entry read */
};

static bool fail_first(struct mmu_walk *walk, enum mmu_fault fault, unsigned int level)
{
    walk->x86_flags = mmu_x86_flags(walk->ctx, 0, false);
    return fail(walk, fault, 1, level);
}

static void start(struct mmu_walk *walk, struct path *path)
{
    const struct mmu_tree *tree = &walk->ctx->s1[0];
    struct mmu_tlb *tlb = walk_array(walk);
    struct mmu_entry *entry = find_cached(walk, tlb, MMU_KIND_WALK, walk->va);

    path->first = tree->start_level;
    path->step[path->first] = (struct step){.ipa = tree->root, .perm = MMU_PERM_ALL};
    if (entry) {
        walk->used_walk = true;
        walk->mmu->counters->walk_cache_hits++;
        use_cached(walk, tlb, entry, walk->cpu->walk_cache.hit_cycles);
        path->first = entry->s1_level - 1u;
        path->step[path->first] =
            (struct step){.ipa = entry->ipa,
                          .pa = entry->pa,
                          .perm = entry->s1_perm,
                          .s2 = {.level = entry->s2_level,
                                 .perm = entry->s2_perm,
                                 .no_ve = (entry->flags & MMU_ENTRY_NO_VE) != 0},
                          .cached = true};
    } else if (walk->mode == MMU_WALK_REAL && tlb->sets) {
        walk->mmu->counters->walk_cache_misses++;
    }
}

static bool read_entry(struct mmu_walk *walk, struct step *at, unsigned int level)
{
    /* With accessed and dirty flags in EPT, every access to a guest table is a write (SDM vol. 3,
     * 28.3.5). */
    unsigned int need = walk->ctx->s2_hd ? MMU_PERM_PR | MMU_PERM_PW : MMU_PERM_PR;

    at->slot = (walk->va >> hyp_level_shift(12, level) & 511) * 8;
    if (!at->cached) {
        if (!mmu_walk_nested(walk, at->ipa + at->slot, need, true, &at->s2))
            return false;
        at->pa = at->s2.out - at->slot;
    }
    if (!read_desc(walk, at->pa + at->slot, 1, level, &at->entry))
        return fail_first(walk, MMU_FAULT_EXTERNAL_WALK, level);
    return true;
}

static bool descend(struct mmu_walk *walk, struct path *path)
{
    start(walk, path);
    for (unsigned int level = path->first;; level--) {
        struct step *at = &path->step[level];
        if (!read_entry(walk, at, level))
            return false;
        path->dec = mmu_dec_x86(walk->ctx, at->entry, level);
        if (path->dec.kind == MMU_X86_ABSENT)
            return fail_first(walk, MMU_FAULT_TRANSLATION, level);
        if (path->dec.kind == MMU_X86_BAD)
            return fail_first(walk, MMU_FAULT_RESERVED, level);
        path->leaf = level;
        if (path->dec.kind == MMU_X86_LEAF)
            return true;
        path->step[level - 1] =
            (struct step){.ipa = path->dec.out, .perm = at->perm & path->dec.perm};
    }
}

/* The second stage lets the walker write the entry. */
static bool table_writable(struct mmu_walk *walk, const struct step *at)
{
    if (walk->mode != MMU_WALK_REAL || !walk->ctx->s2_on || (at->s2.perm & MMU_PERM_PW))
        return true;
    walk->x86_rights = MMU_X86_RIGHTS(at->s2.perm);
    walk->x86_flags = (uint8_t)(MMU_X86_FLAG_TABLE_WRITE | (at->s2.no_ve ? MMU_X86_FLAG_NO_VE : 0));
    return fail_s2(walk, MMU_FAULT_PERMISSION, at->s2.level, at->ipa + at->slot, true);
}

/* Sets the flags of every entry on the path. *again: memory changed under an update. */
static bool mark(struct mmu_walk *walk, const struct path *path, bool *again)
{
    for (unsigned int level = path->first + 1; level-- > path->leaf;) {
        const struct step *at = &path->step[level];
        uint64_t desired = at->entry | MMU_DEC_X86_A;
        bool dirty =
            level == path->leaf && walk->access == MMU_WRITE && !(at->entry & MMU_DEC_X86_D);
        if (dirty)
            desired |= MMU_DEC_X86_D;
        if (desired == at->entry)
            continue;
        if (!table_writable(walk, at))
            return false;
        if (!update(walk, at->pa + at->slot, at->entry, desired, dirty)) {
            *again = true;
            return true;
        }
    }
    return true;
}

static void keep_tables(struct mmu_walk *walk, const struct path *path)
{
    struct mmu_tlb *tlb = walk_array(walk);

    if (walk->mode != MMU_WALK_REAL || tlb->sets == 0)
        return;
    for (unsigned int level = path->first; level-- > path->leaf;) {
        const struct step *at = &path->step[level];
        unsigned int shift = hyp_level_shift(12, level + 1);
        struct mmu_entry entry = {
            .va = walk->va,
            .ipa = at->ipa,
            .pa = at->pa,
            .kind = MMU_KIND_WALK,
            .regime = walk->ctx->regime,
            .vmid = walk->ctx->vmid,
            .asid = walk->ctx->asid,
            .root = walk->ctx->root,
            .flags = (uint8_t)((walk->ctx->s2_on ? MMU_ENTRY_S2 : 0) |
                               (at->s2.no_ve ? MMU_ENTRY_NO_VE : 0)),
            .s1_perm = (uint8_t)at->perm,
            .s2_perm = at->s2.perm,
            .s1_level = (uint8_t)(level + 1),
            .s2_level = at->s2.level,
            .s1_shift = (uint8_t)shift,
        };
        mmu_tlb_fill(tlb, &entry, walk->va, shift, ++walk->cpu->tick, false);
    }
}

static bool finish(struct mmu_walk *walk, const struct path *path, bool *again)
{
    const struct step *at = &path->step[path->leaf];
    unsigned int need = mmu_perm_bit(walk->access, walk->el);
    unsigned int shift = hyp_level_shift(12, path->leaf);
    uint64_t offset = walk->va & ~(~UINT64_C(0) << shift);

    walk->s1 = (struct mmu_leaf){.out = path->dec.out | offset,
                                 .shift = (uint8_t)shift,
                                 .level = (uint8_t)path->leaf,
                                 .perm = (uint8_t)(at->perm & path->dec.perm),
                                 .attr = path->dec.attr,
                                 .global = path->dec.global};
    if (walk->mode == MMU_WALK_TRUTH)
        return true;
    if (!(mmu_perm_now(walk->ctx, walk->s1.perm) & need))
        return fail_first(walk, MMU_FAULT_PERMISSION, path->leaf);
    if (!mark(walk, path, again))
        return false;
    walk->s1.clean = walk->access != MMU_WRITE && !(at->entry & MMU_DEC_X86_D);
    if (!*again)
        keep_tables(walk, path);
    return true;
}

static bool first_stage(struct mmu_walk *walk)
{
    const struct mmu_tree *tree = &walk->ctx->s1[0];
    uint64_t upper = walk->va >> (tree->ia_bits - 1);
    struct path path;

    if (!walk->ctx->s1_on) { /* flat; PAT type write-back (SDM vol. 3, 28.3.7.2) */
        walk->s1 = (struct mmu_leaf){.out = walk->va,
                                     .shift = 63,
                                     .level = MMU_LEVEL_NONE,
                                     .perm = MMU_PERM_ALL,
                                     .attr = TYPE_WB,
                                     .global = true};
        return true;
    }
    if (upper != 0 && upper != UINT64_MAX >> (tree->ia_bits - 1))
        return fail_first(walk, MMU_FAULT_NONCANONICAL, tree->start_level);
    for (unsigned int attempt = 0; attempt < TRIES; attempt++) {
        bool again = false;
        if (!descend(walk, &path) || !finish(walk, &path, &again))
            return false;
        if (!again)
            return true;
    }
    return fail_first(walk, MMU_FAULT_EXTERNAL_WALK, path.leaf); /* refuses every update */
}

bool mmu_walk_x86(struct mmu_walk *walk)
{
    return first_stage(walk) &&
           mmu_walk_nested(walk, walk->s1.out, mmu_perm_bit(walk->access, walk->el), false,
                           &walk->s2);
}
