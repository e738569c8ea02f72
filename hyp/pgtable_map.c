/* SPDX-License-Identifier: MIT */
/*
 * Map and annotate. Both fill a range with entries that differ by a constant step, so that one
 * engine serves both: it descends to the table that holds the next entries, and there works on runs
 * of them. A run of entries that were all empty costs one bulk read, one bulk store and one update
 * of the table's count.
 */
#include "hyp/pgtable_priv.h"

struct map_op {
    const struct hyp_pgt *pgt;
    struct hyp_memcache *mc;
    uint64_t ia, end; /* what is left to do */
    uint64_t pa;      /* of ia */
    uint64_t attrs;   /* of leaves; for an annotation the whole entry */
    hyp_prot_t prot;
    unsigned int max_level; /* of a leaf */
    bool note;
    bool stage2;
    bool owed; /* see hyp_pgt_replace() */
};

/* Where the next run goes. */
struct map_place {
    struct pgt_step at;
    uint64_t pte; /* what is there */
    bool fresh;   /* the table was made by this operation: all of its entries are zero */
};

static uint64_t entry_at(const struct map_op *op, uint64_t pa, unsigned int level)
{
    return op->note ? op->attrs : pgt_leaf_pte(op->pgt, pa, op->attrs, level);
}

/* The table has a policy. */
static bool forced(const struct map_op *op, uint64_t ia, unsigned int level)
{
    const struct hyp_pgt *pgt = op->pgt;

    return pgt->force_page(pgt, (hyp_ia_t){ia}, pgt_level_size(pgt, level), op->prot);
}

/* Level of the largest leaf for op->ia. */
static unsigned int leaf_level(const struct map_op *op)
{
    const struct hyp_pgt *pgt = op->pgt;
    const unsigned int index_bits = hyp_index_bits(pgt->page_shift);
    const uint64_t low_bits = op->ia | op->pa, left = op->end - op->ia;
    unsigned int level = 0;

    for (uint64_t size = pgt_page_size(pgt) << index_bits; level < op->max_level; level++) {
        if ((low_bits & (size - 1)) != 0 || left < size)
            break;
        size <<= index_bits;
    }
    while (pgt->force_page && level > 0 && forced(op, op->ia, level))
        level--;
    return level;
}

/* An absent table, or a block that must give way to one. The rest of a lost block faults again. */
static enum hyp_err install_table(struct map_op *op, const struct pgt_step *at, uint64_t old,
                                  hyp_pa_t *table)
{
    const struct hyp_pgt *pgt = op->pgt;
    const struct pgt_entry entry = {.slot = at->slot, .pte = old, .level = at->level};
    enum hyp_err err;

    if (!op->stage2 && pgt_valid(pgt, old))
        return HYP_EPERM;
    err = hyp_pgt_table_alloc(pgt, op->mc, table);
    if (err)
        return err;
    hyp_pgt_replace(pgt, &entry, op->ia, pgt_table_pte(pgt, *table), PGT_CHANGE_OTHER, &op->owed);
    if (old == 0)
        pgt_count_add(pgt, at->slot, 1);
    if (pgt_valid(pgt, old))
        hyp_pgt_event(pgt, HYP_EV_BLOCK_SPLIT, at->level, hyp_pgt_target(pgt, old, at->level),
                      pgt_level_size(pgt, at->level));
    return HYP_OK;
}

/* Finds the place for the entry of op->ia, making tables on the way down to `level`. */
static inline enum hyp_err descend(struct map_op *op, unsigned int level, struct map_place *place)
{
    const struct hyp_pgt *pgt = op->pgt;
    struct pgt_step at = pgt_step_first(pgt, op->ia);
    /* Stage 1 leaves tables alone, even where a block would fit. */
    uint64_t pte = pgt_seen(pgt, pgt_go_down(pgt, &at, op->ia, op->stage2 ? level : 0));
    bool fresh = false;

    while (HYP_UNLIKELY(at.level > level)) {
        hyp_pa_t table;
        enum hyp_err err = install_table(op, &at, pte, &table);

        if (err)
            return err;
        pgt_step_down(pgt, &at, op->ia, table);
        pte = 0;
        fresh = true;
    }
    *place = (struct map_place){at, pte, fresh};
    return HYP_OK;
}

/* Entries of this table, from op->ia, that are to be filled at this level. */
static uint64_t run_length(const struct map_op *op, unsigned int level)
{
    const struct hyp_pgt *pgt = op->pgt;
    const unsigned int shift = pgt_level_shift(pgt, level);
    uint64_t max = (op->end - op->ia) >> shift;
    uint64_t n = 1;

    if (max > 1)
        max = pgt_min(max, (pgt_table_end(pgt, op->ia, level) - op->ia) >> shift);
    if (level == 0 || !pgt->force_page)
        return max;
    while (n < max && !forced(op, op->ia + (n << shift), level))
        n++;
    return n;
}

/* Stage 1: a valid entry may only change its software bits. */
static enum hyp_err change_entry_s1(const struct map_op *op, const struct pgt_step *at,
                                    uint64_t old, uint64_t new)
{
    if ((old ^ new) & ~(HYP_PROT_SW_MASK | op->pgt->fmt->cpu_mask))
        return HYP_EPERM;
    if (old != new)
        pgt_store(op->pgt, at->slot, new);
    return HYP_OK;
}

/* Stage 2: a valid entry is counted already, and stays counted. */
static enum hyp_err change_entry_s2(struct map_op *op, const struct pgt_step *at, uint64_t old,
                                    uint64_t new)
{
    const struct hyp_pgt *pgt = op->pgt;
    const struct pgt_entry entry = {.slot = at->slot, .pte = old, .level = at->level};
    const uint64_t change = (old ^ new) & ~pgt->fmt->cpu_mask;

    if (!op->note && (change & ~pgt->fmt->rights_mask) == 0)
        return HYP_EAGAIN;
    if (!op->note && (change & ~HYP_PROT_SW_MASK) == 0) {
        pgt_store(pgt, at->slot, (new & ~pgt->fmt->cpu_mask) | (old & pgt->fmt->cpu_mask));
        return HYP_OK;
    }
    hyp_pgt_replace(pgt, &entry, op->ia, new, op->note ? PGT_CHANGE_OTHER : PGT_CHANGE_LEAF,
                    &op->owed);
    if (pgt_is_table(pgt, old, at->level)) {
        hyp_pgt_event(pgt, HYP_EV_BLOCK_COLLAPSE, at->level, hyp_pgt_target(pgt, new, at->level),
                      pgt_level_size(pgt, at->level));
        pgt_settle(pgt, &op->owed);
        hyp_pgt_subtree_free(pgt, pgt_target(pgt, old), at->level - 1);
    }
    return HYP_OK;
}

/* True when all are invalid; *zero tells how many of them are not counted yet. */
static bool all_invalid(const struct hyp_pgt *pgt, const uint64_t *ptes, unsigned int n,
                        unsigned int *zero)
{
    uint64_t any = 0;

    for (unsigned int i = 0; i < n; i++)
        any |= ptes[i];
    if (any == 0) {
        *zero = n;
        return true;
    }
    if (pgt_valid(pgt, any))
        return false;
    *zero = 0;
    for (unsigned int i = 0; i < n; i++)
        *zero += ptes[i] == 0;
    return true;
}

static void advance(struct map_op *op, uint64_t bytes)
{
    op->ia += bytes;
    op->pa += bytes;
}

/* `n` entries of one table, none of them valid so far, of which `zero` are empty. */
static void fill_invalid(struct map_op *op, const struct pgt_step *at, unsigned int n,
                         unsigned int zero)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t size = pgt_level_size(pgt, at->level);
    const uint64_t first = entry_at(op, op->pa, at->level);

    if (!op->note)
        pgt_sync_new(pgt, first, op->pa, n * size);
    pgt_fill(pgt, at->slot, first, op->note ? 0 : size, n);
    pgt_count_add(pgt, at->slot, zero);
    advance(op, n * size);
}

/* One entry of a table, whatever it is now. */
HYP_INLINE enum hyp_err put_one(struct map_op *op, const struct pgt_step *at, uint64_t old)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t new = entry_at(op, op->pa, at->level);
    enum hyp_err err;

    if (!pgt_valid(pgt, old)) {
        if (!op->note)
            pgt_sync_new(pgt, new, op->pa, pgt_level_size(pgt, at->level));
        pgt_store(pgt, at->slot, new);
        if (old == 0)
            pgt_count_add(pgt, at->slot, 1);
    } else {
        err = op->stage2 ? change_entry_s2(op, at, old, new) : change_entry_s1(op, at, old, new);
        if (err)
            return err;
    }
    advance(op, pgt_level_size(pgt, at->level));
    return HYP_OK;
}

/* `n` entries of one table that are `ptes` now. Stage 1 stops before one that is a table. */
static enum hyp_err put_each(struct map_op *op, const struct pgt_step *at, const uint64_t *ptes,
                             unsigned int n, bool *stopped)
{
    struct pgt_step each = *at;

    for (unsigned int i = 0; i < n; i++) {
        enum hyp_err err;

        if (!op->stage2 && pgt_is_table(op->pgt, ptes[i], each.level)) {
            *stopped = true;
            return HYP_OK;
        }
        err = put_one(op, &each, ptes[i]);
        if (err)
            return err;
        each.slot = hyp_pa_add(each.slot, 8);
    }
    return HYP_OK;
}

/* `left` entries of one table, in pieces. */
static enum hyp_err fill_run(struct map_op *op, const struct map_place *place, uint64_t left)
{
    const struct hyp_pgt *pgt = op->pgt;
    struct pgt_step at = place->at;
    bool stopped = false;

    while (left > 0 && !stopped) {
        uint64_t ptes[PGT_CHUNK];
        const unsigned int n = pgt_chunk(at.slot, left);
        unsigned int zero = n;
        enum hyp_err err = HYP_OK;

        if (!place->fresh)
            pgt_read(pgt, at.slot, ptes, n);
        if (place->fresh || all_invalid(pgt, ptes, n, &zero))
            fill_invalid(op, &at, n, zero);
        else
            err = put_each(op, &at, ptes, n, &stopped);
        if (err)
            return err;
        at.slot = hyp_pa_add(at.slot, 8 * n);
        left -= n;
    }
    return HYP_OK;
}

static enum hyp_err map_runs(struct map_op *op)
{
    /* Most calls are for a page: there is no leaf to choose and no run to measure. */
    const bool page = op->end - op->ia == pgt_page_size(op->pgt);

    while (op->ia < op->end) {
        struct map_place place;
        uint64_t left;
        enum hyp_err err = descend(op, page ? 0 : leaf_level(op), &place);

        if (err)
            return err;
        left = page ? 1 : run_length(op, place.at.level);
        if (left == 1)
            err = put_one(op, &place.at, place.pte);
        else
            err = fill_run(op, &place, left);
        if (err)
            return err;
    }
    return HYP_OK;
}

static enum hyp_err map_range(struct map_op *op)
{
    enum hyp_err err = map_runs(op);

    pgt_settle(op->pgt, &op->owed);
    return err;
}

/* The rights in the entry format, from the last time if they are the same. */
static enum hyp_err encode(struct hyp_pgt *pgt, hyp_prot_t prot, uint64_t *attrs)
{
    enum hyp_err err;

    if (HYP_LIKELY(prot == pgt->recent_prot)) {
        *attrs = pgt->recent_attrs;
        return HYP_OK;
    }
    err = pgt->fmt->attrs(pgt->flags, prot, attrs);
    if (err)
        return err;
    pgt->recent_prot = prot;
    pgt->recent_attrs = *attrs;
    return HYP_OK;
}

enum hyp_err hyp_pgt_map(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_pa_t pa,
                         hyp_prot_t prot, struct hyp_memcache *mc)
{
    struct map_op op = {.pgt = pgt,
                        .mc = mc,
                        .prot = prot,
                        .max_level = pgt->max_block_level,
                        .stage2 = pgt->fmt->stage2};
    enum hyp_err err = pgt_range(pgt, ia, size, &op.ia, &op.end);

    if (err)
        return err;
    if ((pgt->flags & HYP_PGT_IDENTITY) && ia.v != pa.v)
        return HYP_EINVAL;
    op.pa = hyp_align_down(pa.v, pgt_page_size(pgt));
    if (op.pa >> pgt->out_bits || (op.pa + (op.end - op.ia) - 1) >> pgt->out_bits)
        return HYP_ERANGE;
    err = encode(pgt, prot, &op.attrs);
    if (err)
        return err;

    err = map_range(&op);
    pgt_barrier(pgt, HYP_DSB_ISHST);
    if (!op.stage2)
        pgt_barrier(pgt, HYP_ISB);
    return err;
}

enum hyp_err hyp_pgt_annotate(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, enum hyp_note type,
                              uint64_t payload, struct hyp_memcache *mc)
{
    struct map_op op = {.pgt = pgt, .mc = mc, .note = true, .stage2 = true};
    enum hyp_err err = pgt_range(pgt, ia, size, &op.ia, &op.end);

    if (err)
        return err;
    if (!pgt->fmt->stage2 || type == HYP_NOTE_NONE || type == HYP_NOTE_LOCKED ||
        (payload & ~pgt->fmt->note_payload))
        return HYP_EINVAL;
    op.attrs = pgt_note_pte(pgt, type, payload);
    return map_range(&op);
}
