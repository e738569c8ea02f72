/* SPDX-License-Identifier: MIT */
/* Changes of rights and of the access flag of stage-2 leaves that stay what they are. */
#include "hyp/pgtable_priv.h"

/* Sets the bits of `set` and clears those of `clear` in each valid leaf of [ia, end). */
struct attr_op {
    const struct hyp_pgt *pgt;
    uint64_t ia, end;
    uint64_t set, clear;
    bool dry;      /* look only */
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
    if (!op->dry)
        store_run(op->pgt, hyp_pa_add(slot, 8 * first), ptes + first, last - first + 1);
    return i;
}

static void change_one(struct attr_op *op, const struct pgt_entry *entry)
{
    const uint64_t new = changed_pte(op, entry->pte, entry->level);
    const uint64_t size = pgt_level_size(op->pgt, entry->level);

    if (pgt_valid(op->pgt, entry->pte))
        op->seen |= entry->pte;
    if (new == entry->pte)
        return;
    note_change(op, hyp_align_down(op->ia, size), size);
    if (!op->dry)
        pgt_store(op->pgt, entry->slot, new);
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
    if (left == 1) {
        change_one(op, entry);
        op->ia += size;
        return;
    }
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

static void change_range(struct attr_op *op)
{
    if (op->end - op->ia == pgt_page_size(op->pgt)) {
        const struct pgt_entry entry = pgt_find(op->pgt, op->ia);

        change_one(op, &entry);
        return;
    }
    while (op->ia < op->end) {
        const struct pgt_entry entry = pgt_find(op->pgt, op->ia);

        change_run(op, &entry);
    }
}

enum hyp_err hyp_pgt_wrprotect(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size)
{
    struct attr_op op = {.pgt = pgt, .clear = pgt->fmt->write_bit};
    enum hyp_err err = pgt_range(pgt, ia, size, &op.ia, &op.end);

    if (err)
        return err;
    if (!pgt->fmt->stage2)
        return HYP_EINVAL;
    change_range(&op);
    if (op.changed_end > 0)
        hyp_pgt_flush_range(pgt, op.changed_start, op.changed_end - op.changed_start);
    return HYP_OK;
}

enum hyp_err hyp_pgt_test_clear_young(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, bool clear,
                                      bool *young)
{
    struct attr_op op = {.pgt = pgt, .clear = pgt->fmt->access_bit, .dry = !clear};
    enum hyp_err err = pgt_range(pgt, ia, size, &op.ia, &op.end);

    *young = false;
    if (err)
        return err;
    if (!pgt->fmt->stage2)
        return HYP_EINVAL;
    change_range(&op);
    *young = (op.seen & pgt->fmt->access_bit) != 0;
    return HYP_OK;
}

void hyp_pgt_mkyoung(struct hyp_pgt *pgt, hyp_ia_t ia)
{
    struct attr_op op = {.pgt = pgt, .set = pgt->fmt->access_bit};

    if (!pgt->fmt->stage2 || pgt_range(pgt, ia, 1, &op.ia, &op.end))
        return;
    change_range(&op);
    if (op.changed_end > 0)
        pgt_barrier(pgt, HYP_DSB_ISHST);
}

enum hyp_err hyp_pgt_relax(struct hyp_pgt *pgt, hyp_ia_t ia, hyp_prot_t prot)
{
    struct pgt_entry entry;
    uint64_t start, end, relaxed;
    enum hyp_err err = pgt_range(pgt, ia, 1, &start, &end);

    if (err)
        return err;
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
        if ((pgt->flags & HYP_PGT_NO_DIC) && !(hyp_pgt_prot(pgt, entry.pte) & HYP_PROT_X))
            hyp_pgt_sync_code(pgt, relaxed, pgt_target(pgt, relaxed).v,
                              pgt_level_size(pgt, entry.level));
        pgt_store(pgt, entry.slot, relaxed);
    }
    hyp_pgt_flush_ipa_local(pgt, start, (int)entry.level);
    return HYP_OK;
}
