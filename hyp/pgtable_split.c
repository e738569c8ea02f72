/* SPDX-License-Identifier: MIT */
/* Blocks into tables and back, without losing or changing a translation. */
#include "hyp/pgtable_priv.h"

struct split_op {
    const struct hyp_pgt *pgt;
    struct hyp_memcache *mc;
    uint64_t ia, end;
};

/* A leaf of `level` that translates the same way at the level below. */
static uint64_t first_child(const struct hyp_pgt *pgt, uint64_t block, unsigned int level)
{
    const struct hyp_pgt_fmt *fmt = pgt->fmt;

    return (block & ~fmt->leaf_mask) | (level == 1 ? fmt->page_bits : fmt->block_bits);
}

/*
 * Builds a table that stands for the `block` at `ia` of `level`, and below it further tables for
 * what of the range it covers; nothing of it is live yet. HYP_ENOMEM with *table.v == 0: nothing
 * was built; with a table: it is complete, but part of the range stays in smaller blocks.
 */
static enum hyp_err build(const struct split_op *op, uint64_t block, uint64_t ia,
                          unsigned int level, hyp_pa_t *table)
{
    const struct hyp_pgt *pgt = op->pgt;
    const unsigned int entries = pgt_table_entries(pgt);
    const uint64_t step = pgt_level_size(pgt, level - 1);
    const uint64_t first = first_child(pgt, block, level);
    enum hyp_err err = hyp_pgt_table_alloc(pgt, op->mc, table);

    if (err) {
        *table = hyp_pa(0);
        return err;
    }
    pgt_fill(pgt, *table, first, step, entries);
    pgt_count_add(pgt, *table, entries);
    if (level == 1)
        return HYP_OK;
    for (unsigned int i = 0; i < entries && !err; i++) {
        const uint64_t child_ia = ia + i * step;
        hyp_pa_t child;

        if (child_ia + step <= op->ia || child_ia >= op->end)
            continue;
        err = build(op, first + i * step, child_ia, level - 1, &child);
        if (child.v == 0)
            break;
        pgt_store(pgt, hyp_pa_add(*table, 8 * i), pgt_table_pte(pgt, child));
        hyp_pgt_event(pgt, HYP_EV_BLOCK_SPLIT, level - 1, pgt_target(pgt, first + i * step), step);
    }
    return err;
}

static enum hyp_err split_block(const struct split_op *op, const struct pgt_entry *entry,
                                uint64_t ia)
{
    const struct hyp_pgt *pgt = op->pgt;
    const uint64_t size = pgt_level_size(pgt, entry->level);
    bool owed = false; /* stays so */
    hyp_pa_t table;
    enum hyp_err err;

    ia = hyp_align_down(ia, size);
    err = build(op, entry->pte, ia, entry->level, &table);
    if (table.v == 0)
        return err;
    hyp_pgt_replace(pgt, entry, ia, pgt_table_pte(pgt, table), PGT_CHANGE_NONE, &owed);
    hyp_pgt_event(pgt, HYP_EV_BLOCK_SPLIT, entry->level,
                  hyp_pgt_target(pgt, entry->pte, entry->level), size);
    return err;
}

/* Below a table of pages there is nothing to split: it is stepped over whole. */
static enum hyp_err split_range(const struct split_op *op)
{
    const struct hyp_pgt *pgt = op->pgt;
    uint64_t ia = op->ia;

    while (ia < op->end) {
        const struct pgt_entry entry = pgt_find(pgt, ia);
        const unsigned int step = entry.level == 0 ? 1 : entry.level;

        if (entry.level > 0 && pgt_valid(pgt, entry.pte)) {
            enum hyp_err err = split_block(op, &entry, ia);

            if (err)
                return err;
        }
        ia = (ia | (pgt_level_size(pgt, step) - 1)) + 1;
    }
    return HYP_OK;
}

enum hyp_err hyp_pgt_split(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, struct hyp_memcache *mc)
{
    struct split_op op = {.pgt = pgt, .mc = mc};
    enum hyp_err err = pgt_range(pgt, ia, size, &op.ia, &op.end);

    if (err)
        return err;
    if (!pgt->fmt->stage2)
        return HYP_EINVAL;
    err = split_range(&op);
    pgt_barrier(pgt, HYP_DSB_ISHST);
    return err;
}

/* All entries of a table continue `first` by `step`. *cpu_set: what the CPU has set in any. */
static bool table_is_run(const struct hyp_pgt *pgt, hyp_pa_t table, uint64_t first, uint64_t step,
                         uint64_t *cpu_set)
{
    const uint64_t cpu_mask = pgt->fmt->cpu_mask;
    const unsigned int entries = pgt_table_entries(pgt);
    uint64_t ptes[PGT_CHUNK];
    uint64_t expected = first, diff = 0;

    for (unsigned int at = 0; at < entries; at += PGT_CHUNK) {
        pgt_read(pgt, hyp_pa_add(table, 8 * at), ptes, PGT_CHUNK);
        for (unsigned int i = 0; i < PGT_CHUNK; i++, expected += step)
            diff |= ptes[i] ^ expected;
        if ((diff & ~cpu_mask) != 0)
            return false;
    }
    *cpu_set = (first | diff) & cpu_mask;
    return true;
}

/* The entry of `level` that covers ia, when it points to a table. */
static bool find_table(const struct hyp_pgt *pgt, uint64_t ia, unsigned int level,
                       struct pgt_entry *entry)
{
    struct pgt_step step = pgt_step_first(pgt, ia);

    entry->pte = pgt_go_down(pgt, &step, ia, level);
    entry->slot = step.slot;
    entry->level = step.level;
    return step.level == level && pgt_is_table(pgt, entry->pte, level);
}

static bool collapsible(const struct hyp_pgt *pgt, hyp_pa_t table, uint64_t ia, unsigned int level,
                        uint64_t first, uint64_t *cpu_set)
{
    const uint64_t size = pgt_level_size(pgt, level);

    if (!pgt_valid(pgt, first) || pgt_is_table(pgt, first, level - 1) ||
        (pgt_target(pgt, first).v & (size - 1)) != 0)
        return false;
    if (!table_is_run(pgt, table, first, pgt_level_size(pgt, level - 1), cpu_set))
        return false;
    return !pgt->force_page ||
           !pgt->force_page(pgt, (hyp_ia_t){ia}, size, hyp_pgt_prot(pgt, first));
}

enum hyp_err hyp_pgt_collapse(struct hyp_pgt *pgt, hyp_ia_t ia, unsigned int level)
{
    const struct hyp_pgt_fmt *fmt = pgt->fmt;
    struct pgt_entry entry;
    uint64_t start, end, first, block, cpu_set;
    bool owed = false;
    hyp_pa_t table;
    enum hyp_err err = pgt_range(pgt, ia, 1, &start, &end);

    if (err)
        return err;
    if (!fmt->stage2 || level == 0 || level > pgt->max_block_level)
        return HYP_EINVAL;
    start = hyp_align_down(start, pgt_level_size(pgt, level));
    if (!find_table(pgt, start, level, &entry))
        return HYP_EAGAIN;
    table = pgt_target(pgt, entry.pte);
    first = pgt_load(pgt, table);
    if (!collapsible(pgt, table, start, level, first, &cpu_set))
        return HYP_EAGAIN;

    block = (first & ~fmt->leaf_mask) | fmt->block_bits | cpu_set;
    hyp_pgt_replace(pgt, &entry, start, block, PGT_CHANGE_OTHER, &owed);
    pgt_settle(pgt, &owed);
    hyp_pgt_event(pgt, HYP_EV_BLOCK_COLLAPSE, level, pgt_target(pgt, block),
                  pgt_level_size(pgt, level));
    hyp_pgt_table_free(pgt, table);
    pgt_barrier(pgt, HYP_DSB_ISHST);
    return HYP_OK;
}
