/* SPDX-License-Identifier: MIT */
/* Changes of rights and of the access flag of stage-2 leaves that stay what they are. */
#include "hyp/pgtable_priv.h"

/* What becomes of the leaves that a change would make different. */
enum attr_how {
    ATTR_LOOK,    /* nothing */
    ATTR_STORE,   /* they are stored */
    ATTR_FLUSH,   /* and flushed */
    ATTR_BARRIER, /* stored, and walkers see it */
};

/* Sets the bits of `set` and clears those of `clear` in each valid leaf of [ia, end). */
struct attr_op {
    const struct hyp_pgt *pgt;
    uint64_t ia, end;
    uint64_t set, clear;
    enum attr_how how;
    uint64_t seen; /* or of all valid leaves, as they were */
    /* From the first leaf that is different now to the last; empty: none is. */
    uint64_t changed_start, changed_end;
};

static void note_change(struct attr_op *op, uint64_t ia, uint64_t size)
{
    if (op->changed_end == 0)
        op->changed_start = ia;
    op->changed_end = ia + size;
}

static uint64_t changed_pte(const struct attr_op *op, uint64_t pte, unsigned int level)
{
    if (!pgt_valid(op->pgt, pte) || pgt_is_table(op->pgt, pte, level))
        return pte;
    return (pte | op->set) & ~op->clear;
}

/* Entries [from, to) become `ptes`; runs with a constant step are stored at once. */
static void store_run(const struct hyp_pgt *pgt, hyp_pa_t slot, const uint64_t *ptes,
                      unsigned int n)
{
    unsigned int from = 0;

    while (from < n) {
        const uint64_t step = from + 1 < n ? ptes[from + 1] - ptes[from] : 0;
        unsigned int to = from + 1;

        while (to < n && ptes[to] == ptes[to - 1] + step)
            to++;
        pgt_fill(pgt, hyp_pa_add(slot, 8 * from), ptes[from], step, to - from);
        from = to;
    }
}

/* `n` entries from `slot`. Returns how many come before one that is a table. */
static unsigned int change_chunk(struct attr_op *op, hyp_pa_t slot, unsigned int n,
                                 unsigned int level)
{
    const uint64_t size = pgt_level_size(op->pgt, level);
    uint64_t ptes[PGT_CHUNK];
    unsigned int first = n, last = 0;
    unsigned int i;

    pgt_read(op->pgt, slot, ptes, n);
    for (i = 0; i < n && !pgt_is_table(op->pgt, ptes[i], level); i++) {
        const uint64_t old = ptes[i];

        if (pgt_valid(op->pgt, old))
            op->seen |= old;
        ptes[i] = changed_pte(op, old, level);
        if (ptes[i] == old)
            continue;
        first = first == n ? i : first;
        last = i;
    }
    if (first == n)
        return i;
    note_change(op, op->ia + first * size, (last - first + 1) * size);
    if (op->how != ATTR_LOOK)
        store_run(op->pgt, hyp_pa_add(slot, 8 * first), ptes + first, last - first + 1);
    return i;
}

/* Entries of one table, from `entry` on; ends before one that is a table. */
static void change_run(struct attr_op *op, const struct pgt_entry *entry)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t size = pgt_level_size(pgt, entry->level);
    const uint64_t end = pgt_min(op->end, pgt_table_end(pgt, op->ia, entry->level));
    hyp_pa_t slot = entry->slot;
    uint64_t left;

    op->ia = hyp_align_down(op->ia, size);
    left = (hyp_align_up(end, size) - op->ia) >> pgt_level_shift(pgt, entry->level);
    while (left > 0) {
        const unsigned int n = pgt_chunk(slot, left);
        const unsigned int done = change_chunk(op, slot, n, entry->level);

        op->ia += done * size;
        if (done < n)
            return;
        slot = hyp_pa_add(slot, 8 * n);
        left -= n;
    }
}

static void finish(const struct hyp_pgt *pgt, uint64_t start, uint64_t end, enum attr_how how)
{
    if (how == ATTR_FLUSH)
        hyp_pgt_flush_range(pgt, start, end - start);
    else if (how == ATTR_BARRIER)
        pgt_barrier(pgt, HYP_DSB_ISHST);
}

static void change_range(struct attr_op *op)
{
    while (op->ia < op->end) {
        const struct pgt_entry entry = pgt_find(op->pgt, op->ia);

        change_run(op, &entry);
    }
    if (op->changed_end > 0)
        finish(op->pgt, op->changed_start, op->changed_end, op->how);
}

/*
 * Does all of an operation; *seen gets the or of all valid leaves, as they were. Most calls are for
 * a page, so that what lies under one entry takes the short way.
 */
HYP_INLINE enum hyp_err change(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, uint64_t set,
                               uint64_t clear, enum attr_how how, uint64_t *seen)
{
    uint64_t start, end, changed;
    struct pgt_entry entry;
    unsigned int shift;
    enum hyp_err err = pgt_range(pgt, ia, size, &start, &end);

    *seen = 0;
    if (err)
        return err;
    if (!pgt->fmt->stage2)
        return HYP_EINVAL;
    entry = pgt_find(pgt, start);
    shift = pgt_level_shift(pgt, entry.level);
    if (HYP_UNLIKELY((start ^ (end - 1)) >> shift)) {
        struct attr_op op = {pgt, start, end, set, clear, how, 0, 0, 0};

        change_range(&op);
        *seen = op.seen;
        return HYP_OK;
    }
    if (!pgt_valid(pgt, entry.pte))
        return HYP_OK;
    *seen = entry.pte;
    changed = (entry.pte | set) & ~clear;
    if (changed == entry.pte || how == ATTR_LOOK)
        return HYP_OK;
    pgt_store(pgt, entry.slot, changed);
    start = start >> shift << shift;
    finish(pgt, start, start + (UINT64_C(1) << shift), how);
    return HYP_OK;
}

enum hyp_err hyp_pgt_wrprotect(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size)
{
    uint64_t seen;

    return change(pgt, ia, size, 0, pgt->fmt->write_bit, ATTR_FLUSH, &seen);
}

enum hyp_err hyp_pgt_test_clear_young(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, bool clear,
                                      bool *young)
{
    const uint64_t bit = pgt->fmt->access_bit;
    uint64_t seen;
    enum hyp_err err = change(pgt, ia, size, 0, bit, clear ? ATTR_STORE : ATTR_LOOK, &seen);

    *young = (seen & bit) != 0;
    return err;
}

void hyp_pgt_mkyoung(struct hyp_pgt *pgt, hyp_ia_t ia)
{
    uint64_t seen;

    (void)change(pgt, ia, 1, pgt->fmt->access_bit, 0, ATTR_BARRIER, &seen);
}

enum hyp_err hyp_pgt_relax(struct hyp_pgt *pgt, hyp_ia_t ia, hyp_prot_t prot)
{
    const uint64_t start = hyp_align_down(ia.v, pgt_page_size(pgt));
    struct pgt_entry entry;
    uint64_t relaxed;
    enum hyp_err err;

    if (ia.v >> pgt->ia_bits)
        return HYP_ERANGE;
    if (!pgt->fmt->stage2 || (prot & ~HYP_PROT_RWX))
        return HYP_EINVAL;
    entry = pgt_find(pgt, start);
    if (!pgt_valid(pgt, entry.pte)) {
        hyp_pgt_flush_ipa_local(pgt, start, (int)entry.level);
        return HYP_EAGAIN;
    }
    err = pgt->fmt->relax(pgt->flags, entry.pte, prot, &relaxed);
    if (err)
        return err;
    if (relaxed != entry.pte) {
        if (pgt->syncs_code && !(hyp_pgt_prot(pgt, entry.pte) & HYP_PROT_X))
            hyp_pgt_sync_code(pgt, relaxed, pgt_target(pgt, relaxed).v,
                              pgt_level_size(pgt, entry.level));
        pgt_store(pgt, entry.slot, relaxed);
    }
    hyp_pgt_flush_ipa_local(pgt, start, (int)entry.level);
    return HYP_OK;
}
