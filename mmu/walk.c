/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks (DDI 0487 D8.2). Stage 1 reads its tables at intermediate addresses, so each of its reads
 * is itself translated by stage 2: g levels over n levels cost g(n + 1) + n reads.
 *
 * Order of checks for a leaf, each stage: output address size, access flag, permission; then the
 * hardware updates; then the next stage (DDI 0487 D8.15 and the pseudocode).
 */
#include "mmu/walk.h"

#include <hyp/bits.h>

#include "mmu/dec_arm64.h"
#include "mmu/walk_priv.h"

#define MANUAL_LEVEL_0 3

void mmu_walk_keep_ipa(struct mmu_walk *walk, uint64_t ipa, const struct mmu_leaf *leaf, bool table,
                       bool replace)
{
    struct mmu_tlb *tlb = ipa_array(walk);
    unsigned int shift = leaf->shift;
    bool any_vmid = walk->ctx->root != 0;

    if (walk->mode != MMU_WALK_REAL || tlb->sets == 0)
        return;
    if (!walk->mmu->config.l2_holds_walks)
        shift = mmu_tlb_native(tlb, shift);
    else if (!table && mmu_tlb_native(&walk->cpu->ipa_cache, shift) == 0)
        return;
    struct mmu_entry entry = {
        .va = ipa,
        .ipa = ipa,
        .pa = leaf->out,
        .kind = MMU_KIND_IPA,
        .regime = walk->ctx->regime,
        .vmid = any_vmid ? 0 : walk->ctx->vmid,
        .root = walk->ctx->root,
        .flags =
            (uint8_t)(MMU_ENTRY_GLOBAL | MMU_ENTRY_S2 | (leaf->clean ? MMU_ENTRY_DIRTY2 : 0) |
                      (any_vmid ? MMU_ENTRY_ANY_VMID : 0) | (leaf->no_ve ? MMU_ENTRY_NO_VE : 0)),
        .s2_perm = leaf->perm,
        .s1_level = MMU_LEVEL_NONE,
        .s2_level = leaf->level,
        .s2_shift = (uint8_t)hyp_level_shift(walk->ctx->s2.page_shift, leaf->level),
        .attr = leaf->attr,
    };
    mmu_tlb_fill(tlb, &entry, ipa, shift, ++walk->cpu->tick, replace);
}

/* Size of a leaf: the contiguous run when it is well formed, else the descriptor alone. */
static uint8_t leaf_shift(const struct mmu_tree *tree, const struct mmu_dec *dec,
                          unsigned int level, uint64_t addr)
{
    unsigned int shift = hyp_level_shift(tree->page_shift, level), run = shift + dec->run_bits;

    if (((dec->out ^ addr) & HYP_MASK(run - 1, 0) & (~UINT64_C(0) << shift)) != 0)
        return (uint8_t)shift;
    return (uint8_t)run;
}

/* ---- stage 2 ---- */

/* The leaf descriptor of an ipa, and where it is. */
static bool find_leaf_s2(struct mmu_walk *walk, uint64_t ipa, bool table, struct mmu_dec *dec,
                         uint64_t *desc, uint64_t *desc_pa, unsigned int *leaf_level)
{
    const struct mmu_tree *tree = &walk->ctx->s2;
    uint64_t base = tree->root, index;
    unsigned int level = tree->start_level, top = tree->ia_bits;

    if (tree->fault != MMU_OK)
        return fail_s2(walk, tree->fault, MANUAL_LEVEL_0, ipa, table);
    if (ipa >> tree->ia_bits)
        return fail_s2(walk, MMU_FAULT_TRANSLATION, MANUAL_LEVEL_0, ipa, table);
    for (;; level--) {
        unsigned int shift = hyp_level_shift(tree->page_shift, level);
        index = (ipa & HYP_MASK(top - 1, 0)) >> shift;
        top = shift;
        *desc_pa = base + index * 8;
        if (!read_desc(walk, *desc_pa, 2, level, desc))
            return fail_s2(walk, MMU_FAULT_EXTERNAL_WALK, level, ipa, table);
        *dec = mmu_dec_arm64_s2(walk->ctx, *desc, level);
        if (dec->kind == MMU_DEC_INVALID)
            return fail_s2(walk, MMU_FAULT_TRANSLATION, level, ipa, table);
        if (dec->out >> tree->oa_bits)
            return fail_s2(walk, MMU_FAULT_ADDRESS_SIZE, level, ipa, table);
        if (dec->kind == MMU_DEC_LEAF)
            break;
        base = dec->out;
    }
    *leaf_level = level;
    return true;
}

/* A stage-1 table in memory that stage 2 makes Device, with HCR_EL2.PTW set (D24.2). */
static bool table_in_device(const struct mmu_walk *walk, bool table, uint8_t memattr)
{
    if (!table || !walk->ctx->protect_walk)
        return false;
    return walk->ctx->fwb ? (memattr & 4) == 0 : (memattr & 0xc) == 0;
}

static bool allowed_s2(struct mmu_walk *walk, uint64_t ipa, const struct mmu_leaf *leaf,
                       unsigned int need, bool table)
{
    if (walk->mode == MMU_WALK_TRUTH)
        return true;
    if ((leaf->perm & need) && !table_in_device(walk, table, leaf->attr))
        return true;
    return fail_s2(walk, MMU_FAULT_PERMISSION, leaf->level, ipa, table);
}

static bool walk_s2(struct mmu_walk *walk, uint64_t ipa, unsigned int need, bool table,
                    struct mmu_leaf *leaf)
{
    uint64_t desc, desc_pa, desired;
    struct mmu_dec dec;
    unsigned int level;

    for (unsigned int attempt = 0; attempt < 4; attempt++) {
        if (!find_leaf_s2(walk, ipa, table, &dec, &desc, &desc_pa, &level))
            return false;
        uint64_t offset = ipa & (hyp_level_size(walk->ctx->s2.page_shift, level) - 1);
        *leaf = (struct mmu_leaf){.out = dec.out + offset,
                                  .shift = leaf_shift(&walk->ctx->s2, &dec, level, ipa),
                                  .level = (uint8_t)level,
                                  .perm = dec.perm,
                                  .attr = dec.attr,
                                  .clean = dec.clean};
        if (!dec.af && !walk->ctx->s2_ha && walk->mode != MMU_WALK_TRUTH)
            return fail_s2(walk, MMU_FAULT_ACCESS_FLAG, level, ipa, table);
        if (!allowed_s2(walk, ipa, leaf, need, table))
            return false;
        bool dirty = dec.clean && (need & MMU_PERM_W) != 0;
        desired = mmu_dec_arm64_s2_touch(desc, dirty);
        if (update(walk, desc_pa, desc, desired, dirty)) {
            leaf->clean = dec.clean && !dirty;
            return true;
        }
    }
    return fail_s2(walk, MMU_FAULT_EXTERNAL_WALK, level, ipa, table);
}

/* Translates an ipa for a use that needs `need`: of the access itself, or (table) of the walker. */
static bool stage2(struct mmu_walk *walk, uint64_t ipa, unsigned int need, bool table,
                   struct mmu_leaf *leaf)
{
    struct mmu_counters *counters = walk->mmu->counters;
    struct mmu_entry *entry;

    if (!walk->ctx->s2_on) {
        *leaf = (struct mmu_leaf){
            .out = ipa, .shift = 63, .level = MMU_LEVEL_NONE, .perm = MMU_PERM_ALL};
        return true;
    }
    entry = find_cached(walk, ipa_array(walk), MMU_KIND_IPA, ipa);
    if (entry && !((entry->flags & MMU_ENTRY_DIRTY2) && (need & MMU_PERM_W))) {
        walk->used_ipa = true;
        counters->ipa_cache_hits++;
        use_cached(walk, ipa_array(walk), entry, walk->cpu->ipa_cache.hit_cycles);
        *leaf = (struct mmu_leaf){.out = entry->pa + (ipa & ~entry->mask),
                                  .shift = entry->shift,
                                  .level = entry->s2_level,
                                  .perm = entry->s2_perm,
                                  .attr = entry->attr,
                                  .clean = (entry->flags & MMU_ENTRY_DIRTY2) != 0};
        return allowed_s2(walk, ipa, leaf, need, table);
    }
    if (walk->mode == MMU_WALK_REAL && ipa_array(walk)->sets)
        counters->ipa_cache_misses++;
    if (!walk_s2(walk, ipa, need, table, leaf))
        return false;
    mmu_walk_keep_ipa(walk, ipa, leaf, table, entry != NULL);
    return true;
}

/* ---- stage 1 ---- */

/* The table at hand: its address in both spaces, and what stage 2 says of it. */
struct position {
    uint64_t ipa, pa;
    unsigned int level, limits;
    bool translated; /* pa and s2 are known */
    struct mmu_leaf s2;
};

/* Starts at the lowest cached table of the address, else at the root. */
static void start_s1(struct mmu_walk *walk, const struct mmu_tree *tree, struct position *at)
{
    struct mmu_tlb *tlb = walk_array(walk);
    struct mmu_entry *entry = find_cached(walk, tlb, MMU_KIND_WALK, walk->va);

    *at = (struct position){.ipa = tree->root, .level = tree->start_level};
    if (entry) {
        walk->used_walk = true;
        walk->mmu->counters->walk_cache_hits++;
        use_cached(walk, tlb, entry, walk->cpu->walk_cache.hit_cycles);
        *at = (struct position){.ipa = entry->ipa,
                                .pa = entry->pa,
                                .level = entry->s1_level - 1u,
                                .limits = entry->s1_perm,
                                .translated = true,
                                .s2 = {.level = entry->s2_level,
                                       .perm = entry->s2_perm,
                                       .clean = (entry->flags & MMU_ENTRY_DIRTY2) != 0}};
    } else if (walk->mode == MMU_WALK_REAL && tlb->sets) {
        walk->mmu->counters->walk_cache_misses++;
    }
}

/* Keeps the table that was just reached; not when stage 2 scatters it (leaf smaller than table). */
static void keep_table(struct mmu_walk *walk, const struct mmu_tree *tree,
                       const struct position *at)
{
    struct mmu_tlb *tlb = walk_array(walk);
    unsigned int shift = hyp_level_shift(tree->page_shift, at->level + 1);

    if (walk->mode != MMU_WALK_REAL || tlb->sets == 0 || at->level == tree->start_level ||
        at->s2.shift < tree->page_shift)
        return;
    struct mmu_entry entry = {
        .va = walk->va,
        .ipa = at->ipa,
        .pa = at->pa,
        .kind = MMU_KIND_WALK,
        .regime = walk->ctx->regime,
        .vmid = walk->ctx->vmid,
        .asid = walk->ctx->asid, /* also of global leaves: D8.17, TLBI VAE1 */
        .flags = (uint8_t)((walk->ctx->s2_on ? MMU_ENTRY_S2 : 0) |
                           (at->s2.clean ? MMU_ENTRY_DIRTY2 : 0)),
        .s1_perm = (uint8_t)at->limits,
        .s2_perm = at->s2.perm,
        .s1_level = (uint8_t)(at->level + 1),
        .s2_level = at->s2.level,
        .s1_shift = (uint8_t)shift,
    };
    mmu_tlb_fill(tlb, &entry, walk->va, shift, ++walk->cpu->tick, false);
}

/* A stage-2 write to the table for a flag update (D8.5): permission and dirty state of its page. */
static bool table_writable(struct mmu_walk *walk, const struct position *at, uint64_t desc_ipa)
{
    struct mmu_leaf leaf;

    if (walk->mode != MMU_WALK_REAL || !walk->ctx->s2_on)
        return true;
    if (!(at->s2.perm & MMU_PERM_PW))
        return fail_s2(walk, MMU_FAULT_PERMISSION, at->s2.level, desc_ipa, true);
    return at->s2.clean ? stage2(walk, desc_ipa, MMU_PERM_PW, true, &leaf) : true;
}

/* The leaf of stage 1: checks, then updates. *again: memory changed under the update. */
static bool finish_s1(struct mmu_walk *walk, const struct mmu_tree *tree, const struct position *at,
                      const struct mmu_dec *dec, uint64_t desc, uint64_t desc_ipa, uint64_t desc_pa,
                      bool *again)
{
    unsigned int need = mmu_perm_bit(walk->access, walk->el);
    uint64_t offset = walk->va & (hyp_level_size(tree->page_shift, at->level) - 1);

    walk->s1 = (struct mmu_leaf){.out = dec->out + offset,
                                 .shift = leaf_shift(tree, dec, at->level, walk->va),
                                 .level = (uint8_t)at->level,
                                 .perm = dec->perm,
                                 .attr = dec->attr,
                                 .global = dec->global,
                                 .clean = dec->clean};
    if (walk->mode == MMU_WALK_TRUTH)
        return true;
    if (!dec->af && !walk->ctx->ha)
        return fail(walk, MMU_FAULT_ACCESS_FLAG, 1, at->level);
    if (!(mmu_perm_now(walk->ctx, dec->perm) & need))
        return fail(walk, MMU_FAULT_PERMISSION, 1, at->level);
    bool dirty = dec->clean && (need & MMU_PERM_W) != 0;
    uint64_t desired = mmu_dec_arm64_s1_touch(desc, dirty);
    if (desired == desc)
        return true;
    if (!table_writable(walk, at, desc_ipa))
        return false;
    *again = !update(walk, desc_pa, desc, desired, dirty);
    walk->s1.clean = dec->clean && !dirty;
    return true;
}

static bool descend_s1(struct mmu_walk *walk, const struct mmu_tree *tree, bool *again)
{
    struct position at;
    uint64_t desc;

    start_s1(walk, tree, &at);
    for (;;) {
        unsigned int bits = at.level == tree->start_level
                                ? tree->ia_bits - hyp_level_shift(tree->page_shift, at.level)
                                : hyp_index_bits(tree->page_shift);
        uint64_t index =
            (walk->va >> hyp_level_shift(tree->page_shift, at.level)) & ~(~UINT64_C(0) << bits);
        uint64_t desc_ipa = at.ipa + index * 8;
        if (!at.translated) {
            if (!stage2(walk, desc_ipa, MMU_PERM_PR, true, &at.s2))
                return false;
            at.pa = at.s2.out - index * 8;
            keep_table(walk, tree, &at);
        }
        uint64_t desc_pa = at.pa + index * 8;
        if (!read_desc(walk, desc_pa, 1, at.level, &desc))
            return fail(walk, MMU_FAULT_EXTERNAL_WALK, 1, at.level);
        struct mmu_dec dec = mmu_dec_arm64_s1(walk->ctx, tree, desc, at.level, at.limits);
        if (dec.kind == MMU_DEC_INVALID)
            return fail(walk, MMU_FAULT_TRANSLATION, 1, at.level);
        if (dec.out >> tree->oa_bits)
            return fail(walk, MMU_FAULT_ADDRESS_SIZE, 1, at.level);
        if (dec.kind == MMU_DEC_LEAF)
            return finish_s1(walk, tree, &at, &dec, desc, desc_ipa, desc_pa, again);
        at = (struct position){
            .ipa = dec.out, .level = at.level - 1, .limits = at.limits | dec.limits};
    }
}

/* Stage 1 off: flat, Device unless default cacheable (D8.2). */
static bool flat_s1(struct mmu_walk *walk)
{
    const struct mmu_ctx *ctx = walk->ctx;

    if (walk->va >> ctx->pa_bits)
        return fail(walk, MMU_FAULT_ADDRESS_SIZE, 1, MANUAL_LEVEL_0);
    walk->s1 = (struct mmu_leaf){.out = walk->va,
                                 .shift = 63,
                                 .level = MMU_LEVEL_NONE,
                                 .perm = MMU_PERM_ALL,
                                 .attr = ctx->default_cacheable ? 0xff : 0,
                                 .global = true};
    return true;
}

static bool stage1(struct mmu_walk *walk)
{
    const struct mmu_ctx *ctx = walk->ctx;
    bool upper = ctx->two_ranges && (walk->va & HYP_BIT(55)) != 0;
    const struct mmu_tree *tree = &ctx->s1[upper];
    bool again = false;

    if (!ctx->s1_on)
        return flat_s1(walk);
    /* Top bits that are no copy of bit 55: a hole (D8.2). TBI is not modelled. */
    if ((upper ? ~walk->va : walk->va) >> tree->ia_bits)
        return fail(walk, MMU_FAULT_TRANSLATION, 1, MANUAL_LEVEL_0);
    if (tree->fault != MMU_OK)
        return fail(walk, tree->fault, 1, MANUAL_LEVEL_0);
    for (unsigned int attempt = 0; attempt < 4; attempt++) {
        again = false;
        if (!descend_s1(walk, tree, &again))
            return false;
        if (!again)
            return true;
    }
    return fail(walk, MMU_FAULT_EXTERNAL_WALK, 1, 0); /* memory that refuses every update */
}

bool mmu_walk_run(struct mmu_walk *walk)
{
    if (walk->mode == MMU_WALK_REAL) {
        walk->mmu->counters->walks++;
        walk->cycles += walk->mmu->config.walk_cycles;
    }
    if (walk->ctx->x86)
        return mmu_walk_x86(walk);
    if (!stage1(walk))
        return false;
    return stage2(walk, walk->s1.out, mmu_perm_bit(walk->access, walk->el), false, &walk->s2);
}
