/* SPDX-License-Identifier: MIT */
/*
 * Tables of restricted address spaces: entries copied from the kernel's table, the table pages that
 * are owned, and TLB maintenance. Owned pages are a sorted array; every other table that an entry
 * points to is the kernel's and is neither changed nor freed.
 */
#include "hyp/asi_priv.h"

static uint64_t canonical(uint64_t ia)
{
    return ia & HYP_BIT(47) ? ia | HYP_MASK(63, 48) : ia;
}

/* First index of an owned table that is not below `pa`. */
static unsigned int owned_at(const struct hyp_asi *asi, uint64_t pa)
{
    unsigned int low = 0, high = asi->table_count;

    while (low < high) {
        const unsigned int middle = low + (high - low) / 2;

        if (asi->config.tables[middle] < pa)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_owned(const struct hyp_asi *asi, uint64_t pte, unsigned int level)
{
    const uint64_t pa = pgt_target(&asi->pgt, pte).v;
    unsigned int at;

    if (!pgt_is_table(&asi->pgt, pte, level))
        return false;
    at = owned_at(asi, pa);
    return at < asi->table_count && asi->config.tables[at] == pa;
}

static void own(struct hyp_asi *asi, hyp_pa_t pa)
{
    const unsigned int at = owned_at(asi, pa.v);

    for (unsigned int i = asi->table_count; i > at; i--)
        asi->config.tables[i] = asi->config.tables[i - 1];
    asi->config.tables[at] = pa.v;
    asi->table_count++;
}

static void disown(struct hyp_asi *asi, hyp_pa_t pa)
{
    asi->table_count--;
    for (unsigned int i = owned_at(asi, pa.v); i < asi->table_count; i++)
        asi->config.tables[i] = asi->config.tables[i + 1];
}

/* The kernel's entry for ia: the one of `level`, or a leaf or hole above it. */
static struct pgt_entry kernel_entry(const struct hyp_asi *asi, uint64_t ia, unsigned int level)
{
    const struct hyp_pgt *table = asi->config.kernel->table;
    struct pgt_step step = pgt_step_first(table, ia);
    uint64_t pte = pgt_load(table, step.slot);

    while (step.level > level && pgt_is_table(table, pte, step.level)) {
        pgt_step_down(table, &step, ia, pgt_target(table, pte));
        pte = pgt_load(table, step.slot);
    }
    return (struct pgt_entry){.slot = step.slot, .pte = pte, .level = step.level};
}

/* Our entry for ia: the one of `level`, or above it one that is not an owned table. */
static struct pgt_entry own_entry(const struct hyp_asi *asi, uint64_t ia, unsigned int level)
{
    struct pgt_step step = pgt_step_first(&asi->pgt, ia);
    uint64_t pte = pgt_load(&asi->pgt, step.slot);

    while (step.level > level && is_owned(asi, pte, step.level)) {
        pgt_step_down(&asi->pgt, &step, ia, pgt_target(&asi->pgt, pte));
        pte = pgt_load(&asi->pgt, step.slot);
    }
    return (struct pgt_entry){.slot = step.slot, .pte = pte, .level = step.level};
}

static uint64_t after(uint64_t ia, unsigned int level)
{
    return (ia | (asi_size(level) - 1)) + 1;
}

/* A listed range would copy the entry `pte` of `level` at ia itself. */
static bool is_used(const struct hyp_asi *asi, const struct hyp_asi_range *gone, uint64_t ia,
                    uint64_t pte, unsigned int level)
{
    const uint64_t start = hyp_align_down(ia, asi_size(level));
    const struct asi_extent slot = {start, start + asi_size(level)};
    const bool leaf = !pgt_is_table(&asi->pgt, pte, level);

    for (unsigned int i = 0; i < asi->range_count; i++) {
        const struct hyp_asi_range *range = &asi->config.ranges[i];

        if (range != gone && (leaf || asi_level(range->level) >= level) &&
            asi_overlap(hyp_asi_extent(range), slot))
            return true;
    }
    return false;
}

bool hyp_asi_room(const struct hyp_asi *asi, uint64_t tables)
{
    return tables <= asi->config.table_max - asi->table_count &&
           tables <= asi->config.pool->free_pages;
}

/* Tables below `from`, down to the one that holds the entry of level `to`, not counted before. */
static uint64_t missing(uint64_t ia, unsigned int from, unsigned int to, uint64_t last[ASI_TOP])
{
    uint64_t count = 0;

    for (unsigned int level = to; level < from; level++) {
        const uint64_t table = ia / asi_size(level + 1);

        count += last[level] != table;
        last[level] = table;
    }
    return count;
}

enum hyp_err hyp_asi_check(const struct hyp_asi *asi, const struct hyp_asi_range *range,
                           const struct hyp_asi_range *gone, bool lenient, uint64_t *tables)
{
    const struct asi_extent extent = hyp_asi_extent(range);
    uint64_t last[ASI_TOP] = {UINT64_MAX, UINT64_MAX, UINT64_MAX}, ia = extent.start;

    while (ia < extent.end) {
        const struct pgt_entry source = kernel_entry(asi, ia, asi_level(range->level));
        struct pgt_entry old = own_entry(asi, ia, source.level);

        if (gone && old.pte && !is_owned(asi, old.pte, old.level) &&
            asi_overlap(hyp_asi_extent(gone), (struct asi_extent){ia, after(ia, old.level)}) &&
            !is_used(asi, gone, ia, old.pte, old.level))
            old.pte = 0;
        if (source.pte && old.level > source.level && old.pte && !lenient)
            return HYP_EINVAL;
        if (source.pte && old.level == source.level && old.level > 0 && old.pte &&
            old.pte != source.pte && !lenient)
            return HYP_EBUSY;
        if (source.pte && !old.pte)
            *tables += missing(ia, old.level, source.level, last);
        ia = after(ia, source.level);
    }
    return HYP_OK;
}

static void invlpg(const struct hyp_asi *asi, uint64_t ia, unsigned int level)
{
    const struct hyp_tlb_inv inv = {.op = HYP_TLBI_INVLPG_ALL,
                                    .level = (int8_t)level,
                                    .start = canonical(hyp_align_down(ia, asi_size(level))),
                                    .size = asi_size(0)};

    asi->config.port->tlb_inv(asi->config.port->ctx, &inv);
}

/* Whatever a CPU cached through this entry: each leaf under a table. Bounded by level. */
static void invalidate(const struct hyp_asi *asi, uint64_t ia, uint64_t pte, unsigned int level)
{
    const hyp_pa_t table = pgt_target(&asi->pgt, pte);

    ia = hyp_align_down(ia, asi_size(level));
    if (!pgt_is_table(&asi->pgt, pte, level)) {
        invlpg(asi, ia, level);
        return;
    }
    for (unsigned int i = 0; i < pgt_table_entries(&asi->pgt); i++) {
        const uint64_t below = pgt_load(&asi->pgt, hyp_pa_add(table, 8 * i));

        if (pgt_valid(&asi->pgt, below))
            invalidate(asi, ia + i * asi_size(level - 1), below, level - 1);
    }
}

/*
 * The entry for ia becomes pte. The generation moves after the store and before the INVLPG: a CPU
 * that enters in between flushes, and one that is in already gets the INVLPG.
 */
static void set(struct hyp_asi *asi, const struct pgt_entry *old, uint64_t ia, uint64_t pte)
{
    pgt_store(&asi->pgt, old->slot, pte);
    if (pte && !old->pte)
        pgt_count_add(&asi->pgt, old->slot, 1);
    if (!pte && old->pte)
        pgt_count_sub(&asi->pgt, old->slot, 1);
    if (!pgt_valid(&asi->pgt, old->pte))
        return;
    asi->generation++;
    invalidate(asi, ia, old->pte, old->level);
}

/* Makes owned tables until our entry is of `level`. */
static enum hyp_err descend(struct hyp_asi *asi, uint64_t ia, unsigned int level,
                            struct pgt_entry *entry)
{
    *entry = own_entry(asi, ia, level);
    while (entry->level > level && !entry->pte) {
        hyp_pa_t table;
        enum hyp_err err = HYP_ENOMEM;

        if (hyp_asi_room(asi, 1))
            err = hyp_pgt_table_alloc(&asi->pgt, NULL, &table);
        if (err)
            return err;
        own(asi, table);
        set(asi, entry, ia, pgt_table_pte(&asi->pgt, table));
        *entry = own_entry(asi, ia, level);
    }
    return HYP_OK;
}

enum hyp_err hyp_asi_copy(struct hyp_asi *asi, const struct hyp_asi_range *range)
{
    const struct asi_extent extent = hyp_asi_extent(range);
    unsigned int level = asi_level(range->level);
    uint64_t ia = extent.start;

    while (ia < extent.end) {
        const struct pgt_entry source = kernel_entry(asi, ia, level);

        if (source.pte) {
            struct pgt_entry entry;
            const enum hyp_err err = descend(asi, ia, source.level, &entry);

            if (err)
                return err;
            /* A finer range has its own table here: what it shows is completed, not replaced. */
            if (is_owned(asi, entry.pte, entry.level) &&
                pgt_is_table(&asi->pgt, source.pte, source.level)) {
                level = source.level - 1;
                continue;
            }
            if (entry.level == source.level && entry.pte != source.pte && entry.pte != ASI_HIDDEN &&
                !is_owned(asi, entry.pte, entry.level))
                set(asi, &entry, ia, source.pte);
        }
        ia = after(ia, source.level);
        level = asi_level(range->level);
    }
    return HYP_OK;
}

/* Frees the tables on the way to ia that have become empty. Walk caches go with an INVLPG. */
static void prune(struct hyp_asi *asi, uint64_t ia)
{
    for (unsigned int level = 1; level <= ASI_TOP; level++) {
        const struct pgt_entry entry = own_entry(asi, ia, level);
        const hyp_pa_t table = pgt_target(&asi->pgt, entry.pte);

        if (entry.level != level || !is_owned(asi, entry.pte, level))
            continue;
        if (!pgt_table_empty(&asi->pgt, table))
            return;
        pgt_store(&asi->pgt, entry.slot, 0);
        pgt_count_sub(&asi->pgt, entry.slot, 1);
        asi->generation++;
        invlpg(asi, ia, 0);
        disown(asi, table);
        hyp_pgt_table_free(&asi->pgt, table);
    }
}

static bool is_stale(const struct hyp_asi *asi, uint64_t ia, const struct pgt_entry *entry)
{
    const struct pgt_entry source = kernel_entry(asi, ia, entry->level);

    return source.level != entry->level || source.pte != entry->pte;
}

void hyp_asi_clear(struct hyp_asi *asi, struct asi_extent extent, bool stale)
{
    uint64_t ia = extent.start;

    while (ia < extent.end) {
        const struct pgt_entry entry = own_entry(asi, ia, 0);
        const uint64_t next = after(ia, entry.level);

        if (entry.pte && entry.pte != ASI_HIDDEN &&
            (stale ? is_stale(asi, ia, &entry) : !is_used(asi, NULL, ia, entry.pte, entry.level)))
            set(asi, &entry, ia, 0);
        /* Once for each table, when its last entry in the extent is done. */
        if (next >= extent.end || !(next & (asi_size(1) - 1)))
            prune(asi, ia);
        ia = next;
    }
}

enum hyp_err hyp_asi_table_hide(struct hyp_asi *asi, uint64_t ia)
{
    const struct pgt_entry source = kernel_entry(asi, ia, 0);
    struct pgt_entry entry = own_entry(asi, ia, 0);
    enum hyp_err err;

    if (entry.level == 0 && entry.pte == ASI_HIDDEN)
        return HYP_EEXIST;
    if ((source.level > 0 && source.pte) || (entry.level > 0 && entry.pte))
        return HYP_EINVAL;
    if (!hyp_asi_room(asi, entry.level))
        return HYP_ENOMEM;
    err = descend(asi, ia, 0, &entry);
    HYP_ASSERT(asi->config.port, !err);
    set(asi, &entry, ia, ASI_HIDDEN);
    return HYP_OK;
}

enum hyp_err hyp_asi_table_show(struct hyp_asi *asi, uint64_t ia)
{
    const struct pgt_entry source = kernel_entry(asi, ia, 0), entry = own_entry(asi, ia, 0);
    const bool shown =
        source.level == 0 && source.pte && is_used(asi, NULL, ia, source.pte, source.level);

    if (entry.level > 0 || entry.pte != ASI_HIDDEN)
        return HYP_ENOENT;
    set(asi, &entry, ia, shown ? source.pte : 0);
    if (!shown)
        prune(asi, ia);
    return HYP_OK;
}

void hyp_asi_tables_free(struct hyp_asi *asi)
{
    while (asi->table_count > 0)
        hyp_pgt_table_free(&asi->pgt, hyp_pa(asi->config.tables[--asi->table_count]));
    hyp_pool_put_many(asi->config.pool, asi->pgt.root,
                      hyp_page_of(asi->pgt.vmemmap, asi->pgt.root)->refcount);
    asi->pgt.root = hyp_pa(0);
}
