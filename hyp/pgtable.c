/* SPDX-License-Identifier: MIT */
/*
 * The page-table object: geometry, its root, table pages, the leaf lookup and the walker.
 * Operations that change entries are in the pgtable_*.c files beside this one.
 */
#include "hyp/pgtable_priv.h"

/* Levels that `bits` of input need (DDI 0487 D8.2): the page takes page_shift, each level 8-byte
 * entries of one granule. */
static unsigned int levels_needed(unsigned int page_shift, unsigned int bits)
{
    return (bits - 4) / hyp_index_bits(page_shift);
}

/*
 * Stage 2 may start with up to 16 concatenated tables instead of one more level (DDI 0487 D8.2.8
 * "Concatenated translation tables"); the lookup then has at least two levels.
 */
unsigned int hyp_pgt_levels(const struct hyp_pgt_config *config)
{
    unsigned int levels;

    if (config->fmt->x86)
        return config->ia_bits > 48 ? 5 : 4;
    if (!config->fmt->stage2)
        return levels_needed(config->page_shift, config->ia_bits);
    levels = levels_needed(config->page_shift, config->ia_bits - 4);
    return levels < 2 ? 2 : levels;
}

/* EPT has 4 or 5 levels whatever the input size (Intel SDM vol. 3, 29.3.2), our own tables 4. */
static bool config_valid_x86(const struct hyp_pgt_config *config)
{
    const unsigned int pa_bits = config->pa_bits ? config->pa_bits : 52;

    return config->page_shift == 12 && config->ia_bits >= 25 &&
           config->ia_bits <= (config->fmt->stage2 ? 57u : 48u) && pa_bits >= 32 && pa_bits <= 52;
}

static bool config_valid(const struct hyp_pgt_config *config)
{
    const unsigned int shift = config->page_shift;
    const bool wide = shift == 16 || (config->flags & HYP_PGT_LPA2);

    if (config->fmt->x86)
        return config_valid_x86(config);
    if (shift != 12 && shift != 14 && shift != 16)
        return false;
    if (shift == 16 && (config->flags & HYP_PGT_LPA2))
        return false; /* DS has no meaning with 64K granule */
    if (config->ia_bits < 25 || config->ia_bits > (wide ? 52u : 48u))
        return false;
    return config->ia_bits > hyp_level_shift(shift, hyp_pgt_levels(config) - 1);
}

uint64_t hyp_pgt_root_pages(const struct hyp_pgt_config *config)
{
    const unsigned int above = hyp_level_shift(config->page_shift, hyp_pgt_levels(config));

    return config->ia_bits > above ? UINT64_C(1) << (config->ia_bits - above) : 1;
}

static void geometry_init(struct hyp_pgt *pgt, const struct hyp_pgt_config *config)
{
    const unsigned int shift = config->page_shift;
    const unsigned int largest = shift == 12 ? 2 : 1; /* 1G; 32M, 512M */
    unsigned int block = config->max_block_level;

    pgt->page_shift = (uint8_t)shift;
    pgt->ia_bits = (uint8_t)config->ia_bits;
    pgt->top_level = (uint8_t)(hyp_pgt_levels(config) - 1);
    block = block > largest ? largest : block;
    block = block > pgt->top_level ? pgt->top_level : block;
    pgt->max_block_level = (uint8_t)block;
    if (config->fmt->x86) {
        pgt->root_entries = UINT32_C(1) << hyp_index_bits(shift);
        pgt->out_mask = HYP_MASK(51, 12);
        pgt->out_high_mask = 0;
        pgt->out_high_shift = 0;
        pgt->out_bits = (uint8_t)(config->pa_bits ? config->pa_bits : 52);
        return;
    }
    pgt->root_entries = UINT32_C(1) << (config->ia_bits - hyp_level_shift(shift, pgt->top_level));
    pgt->out_mask = HYP_MASK(47, shift);
    pgt->out_high_mask = 0;
    pgt->out_high_shift = 0;
    pgt->out_bits = 48;
    if (shift == 16) {
        pgt->out_high_mask = HYP_MASK(15, 12); /* pa[51:48] */
        pgt->out_high_shift = 48 - 12;
        pgt->out_bits = 52;
    } else if (config->flags & HYP_PGT_LPA2) {
        pgt->out_mask = HYP_MASK(49, shift);
        pgt->out_high_mask = HYP_MASK(9, 8); /* pa[51:50] */
        pgt->out_high_shift = 50 - 8;
        pgt->out_bits = 52;
    }
}

/* Everything but the root. */
static enum hyp_err pgt_setup(struct hyp_pgt *pgt, const struct hyp_pgt_config *config,
                              struct hyp_pool *pool, struct hyp_early *early)
{
    bool guest;

    if (!config_valid(config))
        return HYP_EINVAL;
    pgt->fmt = config->fmt;
    pgt->port = config->port;
    pgt->vmemmap = config->vmemmap;
    pgt->force_page = config->force_page;
    pgt->pool = pool;
    pgt->early = early;
    pgt->flags = config->flags;
    if (config->fmt->x86) /* caches are coherent, and one invalidation takes all of a table */
        pgt->flags = (config->flags | HYP_PGT_FWB | HYP_PGT_RANGE_TLBI) & ~HYP_PGT_NO_DIC;
    pgt->empty = pgt->flags & HYP_PGT_EPT_VE ? config->fmt->note_bits : 0;
    guest = config->fmt->stage2 && !(pgt->flags & HYP_PGT_IDENTITY);
    pgt->syncs_data = guest && !(pgt->flags & HYP_PGT_FWB);
    pgt->syncs_code = guest && (pgt->flags & HYP_PGT_NO_DIC);
    pgt->vmid = config->vmid;
    pgt->root = hyp_pa(0);
    pgt->recent_prot = ~UINT64_C(0);
    pgt->recent_attrs = 0;
    geometry_init(pgt, config);
    return HYP_OK;
}

/* A zeroed table is empty, but where empty entries are not zero: EPT, whose root is one page. */
static void clear(const struct hyp_pgt *pgt, hyp_pa_t table)
{
    if (pgt->empty)
        pgt_fill(pgt, table, 0, 0, pgt_table_entries(pgt));
}

static enum hyp_err root_from_early(struct hyp_early *early, uint64_t pages, hyp_pa_t *root)
{
    const uint64_t align = pages << early->page_shift;
    const uint64_t gap = hyp_align_up(early->cursor.v, align) - early->cursor.v;
    enum hyp_err err;

    if (gap > 0) {
        err = hyp_early_alloc(early, gap >> early->page_shift, root);
        if (err)
            return err;
    }
    return hyp_early_alloc(early, pages, root);
}

enum hyp_err hyp_pgt_init(struct hyp_pgt *pgt, const struct hyp_pgt_config *config,
                          struct hyp_pool *pool, struct hyp_early *early)
{
    enum hyp_err err = pgt_setup(pgt, config, pool, early);
    unsigned int order = 0;
    uint64_t pages;

    if (err)
        return err;
    pages = hyp_pgt_root_pages(config);
    if (early) {
        err = root_from_early(early, pages, &pgt->root);
        if (!err)
            clear(pgt, pgt->root);
        return err;
    }
    if (!pool)
        return HYP_EINVAL;
    while ((UINT64_C(1) << order) < pages)
        order++;
    err = hyp_pool_alloc(pool, order, &pgt->root);
    if (err)
        return err;
    /* Each page of the root counts its own entries. */
    hyp_pool_split(pool, pgt->root);
    clear(pgt, pgt->root);
    return HYP_OK;
}

enum hyp_err hyp_pgt_init_at(struct hyp_pgt *pgt, const struct hyp_pgt_config *config,
                             struct hyp_pool *pool, hyp_pa_t root)
{
    enum hyp_err err = pgt_setup(pgt, config, pool, NULL);
    uint64_t pages;

    if (err)
        return err;
    pages = hyp_pgt_root_pages(config);
    if (root.v & ((pages << config->page_shift) - 1))
        return HYP_EINVAL;
    pgt->root = root;
    clear(pgt, root);
    for (uint64_t i = 0; pool && i < pages; i++) {
        struct hyp_page *page = hyp_page_of(pgt->vmemmap, root) + i;

        if (page->refcount == 0) {
            page->refcount = 1;
            page->order = 0;
        }
    }
    return HYP_OK;
}

void hyp_pgt_event(const struct hyp_pgt *pgt, enum hyp_event_kind kind, unsigned int level,
                   hyp_pa_t pa, uint64_t size)
{
    const struct hyp_event event = {.kind = kind, .level = (int)level, .pa = pa, .size = size};

    if (pgt->port->event)
        pgt->port->event(pgt->port->ctx, &event);
}

enum hyp_err hyp_pgt_table_alloc(const struct hyp_pgt *pgt, struct hyp_memcache *mc,
                                 hyp_pa_t *table)
{
    enum hyp_err err = HYP_ENOMEM;

    if (pgt->early)
        err = hyp_early_alloc(pgt->early, 1, table);
    else if (pgt->pool)
        err = hyp_pool_alloc(pgt->pool, 0, table);
    if (err && mc)
        err = hyp_memcache_pop(mc, pgt->port, pgt->vmemmap, table);
    if (err)
        return err;
    clear(pgt, *table);
    hyp_pgt_event(pgt, HYP_EV_TABLE_ALLOC, 0, *table, pgt_page_size(pgt));
    return HYP_OK;
}

void hyp_pgt_table_free(const struct hyp_pgt *pgt, hyp_pa_t table)
{
    if (!pgt_counted(pgt))
        return;
    hyp_pgt_event(pgt, HYP_EV_TABLE_FREE, 0, table, pgt_page_size(pgt));
    hyp_pool_put_many(pgt->pool, table, hyp_page_of(pgt->vmemmap, table)->refcount);
}

void hyp_pgt_tables_free(const struct hyp_pgt *pgt, struct hyp_memcache *tables)
{
    while (tables->count > 0) {
        struct hyp_page *page = &pgt->vmemmap->base[tables->head];
        const hyp_pa_t pa =
            hyp_pa((pgt->vmemmap->first + tables->head) << pgt->vmemmap->page_shift);

        tables->head = page->next;
        tables->count--;
        page->next = 0;
        page->prev = 0;
        hyp_pgt_table_free(pgt, pa);
    }
}

/* Frees what hangs below `count` entries of a detached table of `level`. */
static void children_free(const struct hyp_pgt *pgt, hyp_pa_t table, uint64_t count,
                          unsigned int level)
{
    uint64_t ptes[PGT_CHUNK];

    if (level == 0)
        return;
    while (count > 0) {
        const unsigned int n = pgt_chunk(table, count);

        pgt_read(pgt, table, ptes, n);
        for (unsigned int i = 0; i < n; i++) {
            if (pgt_is_table(pgt, ptes[i], level))
                hyp_pgt_subtree_free(pgt, pgt_target(pgt, ptes[i]), level - 1);
        }
        table = hyp_pa_add(table, 8 * n);
        count -= n;
    }
}

void hyp_pgt_subtree_free(const struct hyp_pgt *pgt, hyp_pa_t table, unsigned int level)
{
    children_free(pgt, table, pgt_table_entries(pgt), level);
    hyp_pgt_table_free(pgt, table);
}

void hyp_pgt_destroy(struct hyp_pgt *pgt)
{
    const uint64_t bytes = hyp_align_up(8 * (uint64_t)pgt->root_entries, pgt_page_size(pgt));

    children_free(pgt, pgt->root, pgt->root_entries, pgt->top_level);
    /* The root was no HYP_EV_TABLE_ALLOC, so it is no HYP_EV_TABLE_FREE either. */
    for (uint64_t at = 0; pgt_counted(pgt) && at < bytes; at += pgt_page_size(pgt)) {
        const hyp_pa_t page = hyp_pa_add(pgt->root, at);

        hyp_pool_put_many(pgt->pool, page, hyp_page_of(pgt->vmemmap, page)->refcount);
    }
    pgt->root = hyp_pa(0);
}

uint64_t hyp_pgt_leaf(const struct hyp_pgt *pgt, hyp_ia_t ia, unsigned int *level)
{
    struct pgt_entry entry = {.level = pgt->top_level};

    if (HYP_LIKELY(!(ia.v >> pgt->ia_bits)))
        entry = pgt_find(pgt, ia.v);
    *level = entry.level;
    return entry.pte;
}

enum hyp_pte_kind hyp_pgt_kind(const struct hyp_pgt *pgt, uint64_t pte, unsigned int level)
{
    if (pte == 0)
        return HYP_PTE_EMPTY;
    if (!pgt_valid(pgt, pte))
        return HYP_PTE_NOTE;
    return pgt_is_table(pgt, pte, level) ? HYP_PTE_TABLE : HYP_PTE_LEAF;
}

hyp_pa_t hyp_pgt_target(const struct hyp_pgt *pgt, uint64_t pte, unsigned int level)
{
    const hyp_pa_t pa = pgt_target(pgt, pte);

    return pgt_is_table(pgt, pte, level) ? pa
                                         : hyp_pa(hyp_align_down(pa.v, pgt_level_size(pgt, level)));
}

hyp_prot_t hyp_pgt_prot(const struct hyp_pgt *pgt, uint64_t pte)
{
    return pgt->fmt->prot(pgt->flags, pte);
}

uint64_t hyp_pgt_note(const struct hyp_pgt *pgt, uint64_t pte)
{
    const struct hyp_pgt_fmt *fmt = pgt->fmt;

    if (pgt_valid(pgt, pte))
        return 0;
    return hyp_field(HYP_NOTE_TYPE_MASK, hyp_field_get(pte, fmt->note_type)) |
           ((pte >> fmt->note_shift) & fmt->note_payload);
}
