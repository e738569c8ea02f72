/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second stage of x86: extended page tables, or AMD's nested ones.
 *
 * Entry by entry from the root: absent before misconfigured, a misconfigured entry further down
 * before a lack of rights (SDM vol. 3, 28.3.3); then the accessed and dirty flags of all entries
 * used. Rights are the AND over the entries.
 */
#include <hyp/bits.h>

#include "mmu/dec_x86.h"
#include "mmu/walk_priv.h"

#define TRIES 4u

/* The entries of one walk, by level. */
struct path {
    uint64_t slot[5], entry[5], table[5];
    unsigned int first;     /* level of the first entry read: the highest */
    unsigned int leaf;      /* level */
    unsigned int perm;      /* AND over the walk, cached part included */
    unsigned int above[5];  /* the same over what is above the level */
    struct mmu_x86_dec dec; /* of the last entry read */
};

static bool fail_nested(struct mmu_walk *walk, enum mmu_fault fault, unsigned int level,
                        uint64_t gpa, bool table, unsigned int rights, bool no_ve)
{
    const struct mmu_ctx *ctx = walk->ctx;

    walk->x86_rights = MMU_X86_RIGHTS(rights);
    if (table)
        walk->x86_flags = (uint8_t)((no_ve ? MMU_X86_FLAG_NO_VE : 0) |
                                    (ctx->s2_hd ? MMU_X86_FLAG_TABLE_WRITE : 0));
    else
        walk->x86_flags = mmu_x86_flags(ctx, walk->s1.perm, no_ve);
    return fail_s2(walk, fault, level, gpa, table);
}

static struct mmu_x86_dec decode(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level)
{
    return ctx->npt ? mmu_dec_npt(ctx, entry, level) : mmu_dec_ept(ctx, entry, level);
}

/* Starts at the lowest cached table of the address, else at the root. */
static void start(struct mmu_walk *walk, uint64_t gpa, struct path *path)
{
    const struct mmu_tree *tree = &walk->ctx->s2;
    struct mmu_tlb *tlb = ipa_array(walk);
    struct mmu_entry *entry = NULL;

    if (walk->mmu->config.ipa_cache_tables)
        entry = find_cached(walk, tlb, MMU_KIND_NEST, gpa);
    *path = (struct path){.first = tree->start_level, .perm = MMU_PERM_ALL};
    path->table[path->first] = tree->root;
    if (!entry)
        return;
    walk->used_ipa = true;
    use_cached(walk, tlb, entry, walk->cpu->ipa_cache.hit_cycles);
    path->first = entry->s2_level - 1u;
    path->table[path->first] = entry->pa;
    path->perm = entry->s2_perm;
}

static bool descend(struct mmu_walk *walk, uint64_t gpa, bool table, struct path *path)
{
    const struct mmu_tree *tree = &walk->ctx->s2;
    enum mmu_fault bad = walk->ctx->npt ? MMU_FAULT_RESERVED : MMU_FAULT_MISCONFIG;

    if (tree->fault != MMU_OK)
        return fail_nested(walk, (enum mmu_fault)tree->fault, tree->start_level, gpa, table, 0,
                           false);
    /* Assumption: an address beyond the reach of the tables is as one that is not mapped. */
    if (gpa >> tree->ia_bits)
        return fail_nested(walk, MMU_FAULT_TRANSLATION, tree->start_level, gpa, table, 0, true);
    start(walk, gpa, path);
    for (unsigned int level = path->first;; level--) {
        path->above[level] = path->perm;
        path->slot[level] = path->table[level] + (gpa >> hyp_level_shift(12, level) & 511) * 8;
        if (!read_desc(walk, path->slot[level], 2, level, &path->entry[level]))
            return fail_nested(walk, MMU_FAULT_EXTERNAL_WALK, level, gpa, table, 0, true);
        path->dec = decode(walk->ctx, path->entry[level], level);
        if (path->dec.kind == MMU_X86_ABSENT)
            return fail_nested(walk, MMU_FAULT_TRANSLATION, level, gpa, table, 0, path->dec.no_ve);
        if (path->dec.kind == MMU_X86_BAD)
            return fail_nested(walk, bad, level, gpa, table, 0, true);
        path->perm &= path->dec.perm;
        path->leaf = level;
        if (path->dec.kind == MMU_X86_LEAF)
            return true;
        path->table[level - 1] = path->dec.out;
    }
}

/* Sets the flags of every entry on the path. False: memory changed under an update. */
static bool mark(struct mmu_walk *walk, const struct path *path, bool dirty)
{
    bool npt = walk->ctx->npt;
    uint64_t accessed = npt ? MMU_DEC_X86_A : MMU_DEC_EPT_A;
    uint64_t written = npt ? MMU_DEC_X86_D : MMU_DEC_EPT_D;

    for (unsigned int level = path->first + 1; level-- > path->leaf;) {
        uint64_t entry = path->entry[level], desired = entry | accessed;
        bool sets_dirty = level == path->leaf && dirty && !(entry & written);
        if (sets_dirty)
            desired |= written;
        if (!update(walk, path->slot[level], entry, desired, sets_dirty))
            return false;
    }
    return true;
}

/* Keeps the tables below the root that were reached. */
static void keep_tables(struct mmu_walk *walk, uint64_t gpa, const struct path *path)
{
    struct mmu_tlb *tlb = ipa_array(walk);

    if (walk->mode != MMU_WALK_REAL || tlb->sets == 0 || !walk->mmu->config.ipa_cache_tables)
        return;
    for (unsigned int level = path->first; level-- > path->leaf;) {
        unsigned int shift = hyp_level_shift(12, level + 1);
        bool any = walk->ctx->root != 0;
        struct mmu_entry entry = {
            .va = gpa,
            .ipa = gpa,
            .pa = path->table[level],
            .kind = MMU_KIND_NEST,
            .regime = walk->ctx->regime,
            .vmid = any ? 0 : walk->ctx->vmid,
            .root = walk->ctx->root,
            .flags = (uint8_t)(MMU_ENTRY_GLOBAL | MMU_ENTRY_S2 | (any ? MMU_ENTRY_ANY_VMID : 0)),
            .s2_perm = (uint8_t)path->above[level],
            .s1_level = MMU_LEVEL_NONE,
            .s2_level = (uint8_t)(level + 1),
            .s2_shift = (uint8_t)shift,
        };
        mmu_tlb_fill(tlb, &entry, gpa, shift, ++walk->cpu->tick, false);
    }
}

static bool allowed(struct mmu_walk *walk, uint64_t gpa, unsigned int need, bool table,
                    const struct mmu_leaf *leaf)
{
    if (walk->mode == MMU_WALK_TRUTH || (leaf->perm & need) == need)
        return true;
    return fail_nested(walk, MMU_FAULT_PERMISSION, leaf->level, gpa, table, leaf->perm,
                       leaf->no_ve);
}

static bool walk_tables(struct mmu_walk *walk, uint64_t gpa, unsigned int need, bool table,
                        struct mmu_leaf *leaf)
{
    uint64_t written = walk->ctx->npt ? MMU_DEC_X86_D : MMU_DEC_EPT_D;
    bool dirty = (need & MMU_PERM_W) != 0;
    struct path path;

    for (unsigned int attempt = 0; attempt < TRIES; attempt++) {
        if (!descend(walk, gpa, table, &path))
            return false;
        unsigned int shift = hyp_level_shift(12, path.leaf);
        *leaf = (struct mmu_leaf){.out = path.dec.out | (gpa & ~(~UINT64_C(0) << shift)),
                                  .shift = (uint8_t)shift,
                                  .level = (uint8_t)path.leaf,
                                  .perm = (uint8_t)path.perm,
                                  .attr = path.dec.attr,
                                  .no_ve = path.dec.no_ve};
        if (!allowed(walk, gpa, need, table, leaf))
            return false;
        leaf->clean = walk->ctx->s2_hd && !dirty && !(path.entry[path.leaf] & written);
        if (!walk->ctx->s2_hd || mark(walk, &path, dirty)) {
            keep_tables(walk, gpa, &path);
            return true;
        }
    }
    return fail_nested(walk, MMU_FAULT_EXTERNAL_WALK, path.leaf, gpa, table, 0, true);
}

bool mmu_walk_nested(struct mmu_walk *walk, uint64_t gpa, unsigned int need, bool table,
                     struct mmu_leaf *leaf)
{
    struct mmu_counters *counters = walk->mmu->counters;
    struct mmu_entry *entry;

    if (!walk->ctx->s2_on) {
        *leaf = (struct mmu_leaf){
            .out = gpa, .shift = 63, .level = MMU_LEVEL_NONE, .perm = MMU_PERM_ALL};
        return true;
    }
    entry = find_cached(walk, ipa_array(walk), MMU_KIND_IPA, gpa);
    if (entry && !((entry->flags & MMU_ENTRY_DIRTY2) && (need & MMU_PERM_W))) {
        walk->used_ipa = true;
        counters->ipa_cache_hits++;
        use_cached(walk, ipa_array(walk), entry, walk->cpu->ipa_cache.hit_cycles);
        *leaf = (struct mmu_leaf){.out = entry->pa + (gpa & ~entry->mask),
                                  .shift = entry->shift,
                                  .level = entry->s2_level,
                                  .perm = entry->s2_perm,
                                  .attr = entry->attr,
                                  .clean = (entry->flags & MMU_ENTRY_DIRTY2) != 0,
                                  .no_ve = (entry->flags & MMU_ENTRY_NO_VE) != 0};
        return allowed(walk, gpa, need, table, leaf);
    }
    if (walk->mode == MMU_WALK_REAL && ipa_array(walk)->sets)
        counters->ipa_cache_misses++;
    if (!walk_tables(walk, gpa, need, table, leaf))
        return false;
    mmu_walk_keep_ipa(walk, gpa, leaf, table, entry != NULL);
    return true;
}
