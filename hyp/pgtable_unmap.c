/* SPDX-License-Identifier: MIT */
/* Unmap, for stage 2 (forgiving) and for hyp stage 1 (exact). Tables that become empty are freed.
 */
#include "hyp/pgtable_priv.h"

struct unmap_op {
    struct hyp_pgt *pgt;
    uint64_t ia, end;
    uint64_t bytes; /* cleared */
    /* What is owed a flush: the range, and blocks that stick out of it. Empty: nothing. */
    uint64_t flush_start, flush_end;
    bool defer;                /* one range flush at the end instead of one for each leaf */
    struct hyp_memcache empty; /* EPT: tables that wait for the one INVEPT */
};

/* Frees the tables above `slot` that ended with the range and that are empty, upwards. */
static void free_empty(struct unmap_op *op, hyp_pa_t slot, unsigned int level, uint64_t last)
{
    const struct hyp_pgt *pgt = op->pgt;

    for (; level < pgt->top_level; level++) {
        const hyp_pa_t table = hyp_pa(hyp_align_down(slot.v, pgt_page_size(pgt)));
        struct pgt_step parent;

        if (!pgt_table_empty(pgt, table) ||
            op->ia < pgt_min(op->end, pgt_table_end(pgt, last, level)))
            return;
        parent = pgt_step_first(pgt, last);
        (void)pgt_go_down(pgt, &parent, last, level + 1);
        slot = parent.slot;
        pgt_store(pgt, slot, 0);
        pgt_count_sub(pgt, slot, 1);
        if (pgt->fmt->stage2 && pgt->fmt->x86) {
            hyp_memcache_push(&op->empty, pgt->vmemmap, table);
            continue;
        }
        if (pgt->fmt->stage2)
            hyp_pgt_flush_ipa(pgt, last, -1);
        else
            hyp_pgt_flush_va(pgt, last, -1, true);
        hyp_pgt_table_free(pgt, table);
    }
}

/* Leaves from `ia` on were valid until now; their flush can wait. */
static void owe_flush(struct unmap_op *op, uint64_t ia, uint64_t size)
{
    op->flush_start = pgt_min(op->flush_start, ia);
    if (op->flush_end < ia + size)
        op->flush_end = ia + size;
}

/* One entry that is not zero, with all that is due for it alone. */
static inline void clear_entry(struct unmap_op *op, hyp_pa_t slot, uint64_t ia, unsigned int level,
                               uint64_t pte)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t size = pgt_level_size(pgt, level);

    pgt_store(pgt, slot, 0);
    if (pgt_valid(pgt, pte)) {
        op->bytes += size;
        if (op->defer)
            owe_flush(op, ia, size);
        else
            hyp_pgt_flush_ipa(pgt, ia, (int)level);
    }
    pgt_count_sub(pgt, slot, 1);
    pgt_sync_old(pgt, pte, pgt_target(pgt, pte).v, size);
}

/*
 * Clears `n` entries from `slot` on. Returns how many were dealt with: fewer than n when a table is
 * in the way.
 */
static unsigned int clear_chunk(struct unmap_op *op, hyp_pa_t slot, unsigned int n,
                                unsigned int level)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t size = pgt_level_size(pgt, level);
    uint64_t ptes[PGT_CHUNK];
    unsigned int used = 0, valid = 0;
    unsigned int i;

    pgt_read(pgt, slot, ptes, n);
    for (i = 0; i < n && !pgt_is_table(pgt, ptes[i], level); i++) {
        used += ptes[i] != 0;
        valid += pgt_valid(pgt, ptes[i]);
    }
    for (unsigned int at = 0; !op->defer && at < i; at++) {
        if (ptes[at] != 0)
            clear_entry(op, hyp_pa_add(slot, 8 * at), op->ia + at * size, level, ptes[at]);
    }
    if (!op->defer || used == 0)
        return i;
    pgt_fill(pgt, slot, 0, 0, i);
    pgt_count_sub(pgt, slot, used);
    op->bytes += valid * size;
    if (valid > 0)
        owe_flush(op, op->ia, i * size);
    return i;
}

/* Clears within the table of `entry`, up to its end or to an entry that is a table. */
static void clear_run(struct unmap_op *op, const struct pgt_entry *entry)
{
    const struct hyp_pgt *pgt = op->pgt;
    const unsigned int level = entry->level, shift = pgt_level_shift(pgt, level);
    const uint64_t size = UINT64_C(1) << shift;
    hyp_pa_t slot = entry->slot;
    uint64_t left;

    op->ia = op->ia >> shift << shift; /* whole blocks, even when partly covered */
    if (op->end - op->ia <= size) {
        if (entry->pte != 0)
            clear_entry(op, slot, op->ia, level, entry->pte);
        op->ia += size;
        return;
    }
    left = pgt_min(op->end, pgt_table_end(pgt, op->ia, level)) - op->ia;
    left = (left + size - 1) >> shift;
    while (left > 0) {
        const unsigned int n = pgt_chunk(slot, left);
        const unsigned int done = clear_chunk(op, slot, n, level);

        op->ia += done * size;
        if (done < n)
            return;
        slot = hyp_pa_add(slot, 8 * n);
        left -= n;
    }
}

static void unmap_stage2(struct unmap_op *op)
{
    while (op->ia < op->end) {
        const uint64_t from = op->ia;
        const struct pgt_entry entry = pgt_find(op->pgt, from);

        clear_run(op, &entry);
        if (pgt_table_empty(op->pgt, entry.slot) && entry.level < op->pgt->top_level)
            free_empty(op, entry.slot, entry.level, from);
    }
    if (op->flush_end > 0 || op->empty.count > 0)
        hyp_pgt_flush_range(op->pgt, op->flush_start, op->flush_end - op->flush_start);
    if (op->empty.count > 0)
        hyp_pgt_tables_free(op->pgt, &op->empty);
}

/* Clears leaves from op->ia on, up to the end of the table of `entry` or to what is no whole leaf.
 */
static enum hyp_err clear_leaves(struct unmap_op *op, const struct pgt_entry *entry)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t size = pgt_level_size(pgt, entry->level);
    const uint64_t end = pgt_min(op->end, pgt_table_end(pgt, op->ia, entry->level));
    const uint64_t from = op->ia;
    hyp_pa_t slot = entry->slot;
    uint64_t pte = entry->pte;

    while (pgt_valid(pgt, pte) && !pgt_is_table(pgt, pte, entry->level) && !(op->ia & (size - 1)) &&
           op->end - op->ia >= size) {
        pgt_store(pgt, slot, 0);
        hyp_pgt_flush_va(pgt, op->ia, (int)entry->level, false);
        op->ia += size;
        if (op->ia >= end)
            break;
        slot = hyp_pa_add(slot, 8);
        pte = pgt_load(pgt, slot);
    }
    if (op->ia == from)
        return HYP_EINVAL;
    op->bytes += op->ia - from;
    pgt_count_sub(pgt, entry->slot, (unsigned int)((op->ia - from) / size));
    return HYP_OK;
}

static enum hyp_err unmap_stage1(struct unmap_op *op)
{
    while (op->ia < op->end) {
        const uint64_t from = op->ia;
        const struct pgt_entry entry = pgt_find(op->pgt, from);
        enum hyp_err err = clear_leaves(op, &entry);

        if (err)
            return err;
        if (pgt_table_empty(op->pgt, entry.slot) && entry.level < op->pgt->top_level)
            free_empty(op, entry.slot, entry.level, from);
    }
    return HYP_OK;
}

enum hyp_err hyp_pgt_unmap(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, uint64_t *unmapped)
{
    const uint64_t batch = HYP_PGT_FWB | HYP_PGT_RANGE_TLBI;
    struct unmap_op op = {.pgt = pgt, .defer = (pgt->flags & batch) == batch};
    enum hyp_err err = pgt_range(pgt, ia, size, &op.ia, &op.end);

    if (unmapped)
        *unmapped = 0;
    if (err)
        return err;
    op.flush_start = op.end;
    op.empty.head = HYP_PAGE_NONE;
    if (pgt->fmt->stage2)
        unmap_stage2(&op);
    else
        err = unmap_stage1(&op);
    if (unmapped)
        *unmapped = op.bytes;
    return err;
}
