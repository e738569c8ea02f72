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
    bool note;
    bool stage2;
};

/* Where the next run goes. */
struct map_place {
    hyp_pa_t slot;
    unsigned int level;
    bool fresh; /* the table was made by this operation: all of its entries are zero */
};

static uint64_t entry_at(const struct map_op *op, uint64_t pa, unsigned int level)
{
    return op->note ? op->attrs : pgt_leaf_pte(op->pgt, pa, op->attrs, level);
}

static bool block_fits(const struct map_op *op, uint64_t ia, uint64_t pa, unsigned int level)
{
    const uint64_t size = pgt_level_size(op->pgt, level);

    if (level > op->pgt->max_block_level || op->note)
        return false;
    if (((ia | pa) & (size - 1)) != 0 || op->end - ia < size)
        return false;
    return !op->pgt->force_page || !op->pgt->force_page(op->pgt, (hyp_ia_t){ia}, size, op->prot);
}

/* An absent table, or a block that must give way to one. The rest of a lost block faults again. */
static enum hyp_err install_table(const struct map_op *op, const struct map_place *place,
                                  uint64_t old, hyp_pa_t *table)
{
    const struct hyp_pgt *pgt = op->pgt;
    enum hyp_err err;

    if (!op->stage2 && pgt_valid(pgt, old))
        return HYP_EPERM;
    err = hyp_pgt_table_alloc(pgt, op->mc, table);
    if (err)
        return err;
    hyp_pgt_replace(pgt, place->slot, op->ia, place->level, old, pgt_table_pte(pgt, *table), false);
    if (old == 0)
        pgt_count_add(pgt, place->slot, 1);
    if (pgt_valid(pgt, old))
        hyp_pgt_event(pgt, HYP_EV_BLOCK_SPLIT, place->level, pgt_target(pgt, old),
                      pgt_level_size(pgt, place->level));
    return HYP_OK;
}

/* Finds the table and level where the entry for op->ia belongs, making tables on the way. */
static enum hyp_err descend(const struct map_op *op, struct map_place *place)
{
    const struct hyp_pgt *pgt = op->pgt;
    hyp_pa_t table = pgt->root;

    place->fresh = false;
    for (place->level = pgt->top_level;; place->level--) {
        const unsigned int level = place->level;
        uint64_t pte;

        place->slot = pgt_slot(pgt, table, op->ia, level);
        if (level == 0)
            return HYP_OK;
        pte = place->fresh ? 0 : pgt_load(pgt, place->slot);
        if (block_fits(op, op->ia, op->pa, level) &&
            (op->stage2 || !pgt_is_table(pgt, pte, level)))
            return HYP_OK;
        if (pgt_is_table(pgt, pte, level)) {
            table = pgt_target(pgt, pte);
        } else {
            enum hyp_err err = install_table(op, place, pte, &table);

            if (err)
                return err;
            place->fresh = true;
        }
    }
}

/* Entries of this table, from op->ia, that are to be filled at this level. */
static uint64_t run_length(const struct map_op *op, unsigned int level)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t size = pgt_level_size(pgt, level);
    const uint64_t end = pgt_min(op->end, pgt_table_end(pgt, op->ia, level));
    const uint64_t max = (end - op->ia) >> pgt_level_shift(pgt, level);
    uint64_t n = 1;

    if (level == 0 || !pgt->force_page)
        return max;
    while (n < max && block_fits(op, op->ia + n * size, op->pa + n * size, level))
        n++;
    return n;
}

/* Stage 1: a valid entry may only change its software bits. */
static enum hyp_err put_entry_s1(const struct map_op *op, hyp_pa_t slot, uint64_t old, uint64_t new)
{
    if (old == new)
        return HYP_OK;
    if (pgt_valid(op->pgt, old) && ((old ^ new) & ~HYP_PROT_SW_MASK))
        return HYP_EPERM;
    pgt_store(op->pgt, slot, new);
    if (old == 0)
        pgt_count_add(op->pgt, slot, 1);
    return HYP_OK;
}

static enum hyp_err put_entry_s2(const struct map_op *op, hyp_pa_t slot, uint64_t ia,
                                 unsigned int level, uint64_t old, uint64_t new)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t change = old ^ new;

    if (!op->note && pgt_valid(pgt, old)) {
        if ((change & ~pgt->fmt->rights_mask) == 0)
            return HYP_EAGAIN;
        if ((change & ~HYP_PROT_SW_MASK) == 0) {
            pgt_store(pgt, slot, new);
            return HYP_OK;
        }
    }
    hyp_pgt_replace(pgt, slot, ia, level, old, new, !op->note);
    if (old == 0)
        pgt_count_add(pgt, slot, 1);
    if (pgt_is_table(pgt, old, level)) {
        hyp_pgt_event(pgt, HYP_EV_BLOCK_COLLAPSE, level, pgt_target(pgt, new),
                      pgt_level_size(pgt, level));
        hyp_pgt_subtree_free(pgt, pgt_target(pgt, old), level - 1);
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
static void fill_invalid(struct map_op *op, const struct map_place *place, unsigned int n,
                         unsigned int zero)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t size = pgt_level_size(pgt, place->level);
    const uint64_t first = entry_at(op, op->pa, place->level);

    if (!op->note)
        hyp_pgt_sync_new(pgt, first, op->pa, n * size);
    if (n == 1)
        pgt_store(pgt, place->slot, first);
    else
        pgt_fill(pgt, place->slot, first, op->note ? 0 : size, n);
    pgt_count_add(pgt, place->slot, zero);
    advance(op, n * size);
}

/* `n` entries of one table that are `ptes` now. */
static enum hyp_err put_each(struct map_op *op, const struct map_place *place, const uint64_t *ptes,
                             unsigned int n)
{
    const uint64_t size = pgt_level_size(op->pgt, place->level);

    for (unsigned int i = 0; i < n; i++) {
        const hyp_pa_t slot = hyp_pa_add(place->slot, 8 * i);
        const uint64_t new = entry_at(op, op->pa, place->level);
        enum hyp_err err;

        if (op->stage2)
            err = put_entry_s2(op, slot, op->ia, place->level, ptes[i], new);
        else
            err = put_entry_s1(op, slot, ptes[i], new);
        if (err)
            return err;
        advance(op, size);
    }
    return HYP_OK;
}

/* Stage 1 leaves tables alone: a block run ends before one. */
static unsigned int before_table(const struct map_op *op, const uint64_t *ptes, unsigned int n,
                                 unsigned int level)
{
    for (unsigned int i = 0; i < n; i++) {
        if (pgt_is_table(op->pgt, ptes[i], level))
            return i;
    }
    return n;
}

static enum hyp_err fill_run(struct map_op *op, struct map_place *place)
{
    const struct hyp_pgt *pgt = op->pgt;
    uint64_t left = run_length(op, place->level);

    while (left > 0) {
        uint64_t ptes[PGT_CHUNK];
        unsigned int n = pgt_chunk(place->slot, left);
        unsigned int zero = n;
        bool last = false;
        enum hyp_err err = HYP_OK;

        if (n == 1)
            ptes[0] = place->fresh ? 0 : pgt_load(pgt, place->slot);
        else if (!place->fresh)
            pgt_read(pgt, place->slot, ptes, n);
        if (!op->stage2 && place->level > 0 && !place->fresh) {
            const unsigned int usable = before_table(op, ptes, n, place->level);

            if (usable == 0)
                return HYP_OK;
            last = usable < n;
            n = usable;
        }
        if (place->fresh || all_invalid(pgt, ptes, n, &zero))
            fill_invalid(op, place, n, zero);
        else
            err = put_each(op, place, ptes, n);
        if (err || last)
            return err;
        place->slot = hyp_pa_add(place->slot, 8 * n);
        left -= n;
    }
    return HYP_OK;
}

static enum hyp_err map_range(struct map_op *op)
{
    while (op->ia < op->end) {
        struct map_place place;
        enum hyp_err err = descend(op, &place);

        if (!err)
            err = fill_run(op, &place);
        if (err)
            return err;
    }
    return HYP_OK;
}

enum hyp_err hyp_pgt_map(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_pa_t pa,
                         hyp_prot_t prot, struct hyp_memcache *mc)
{
    struct map_op op = {.pgt = pgt, .mc = mc, .prot = prot, .stage2 = pgt->fmt->stage2};
    enum hyp_err err = hyp_pgt_range(pgt, ia, size, &op.ia, &op.end);

    if (err)
        return err;
    if ((pgt->flags & HYP_PGT_IDENTITY) && ia.v != pa.v)
        return HYP_EINVAL;
    op.pa = hyp_align_down(pa.v, pgt_page_size(pgt));
    if (op.pa >> pgt->out_bits || (op.pa + (op.end - op.ia) - 1) >> pgt->out_bits)
        return HYP_ERANGE;
    err = pgt->fmt->attrs(pgt->flags, prot, &op.attrs);
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
    enum hyp_err err = hyp_pgt_range(pgt, ia, size, &op.ia, &op.end);

    if (err)
        return err;
    if (!pgt->fmt->stage2 || type == HYP_NOTE_NONE || type == HYP_NOTE_LOCKED ||
        (payload & ~HYP_NOTE_PAYLOAD_MASK))
        return HYP_EINVAL;
    op.attrs = hyp_field(HYP_NOTE_TYPE_MASK, type) | payload;
    return map_range(&op);
}
