/* SPDX-License-Identifier: MIT */
/*
 * Private to the page-table files: the format record, the arithmetic of entries and slots, and the
 * few functions that cross a file.
 */
#ifndef HYP_PGTABLE_PRIV_H
#define HYP_PGTABLE_PRIV_H

#include <hyp/pgtable.h>

/* Entries that a ranged operation reads at once: one cache-friendly piece of any table. */
#define PGT_CHUNK 64u

/*
 * One entry format, as masks where a mask can say it and as functions where not. `flags` are the
 * HYP_PGT_* flags of the table.
 */
struct hyp_pgt_fmt {
    bool stage2;
    /*
     * Walks see stores in order and caches are coherent, so there are no barriers and no cache
     * maintenance; a live entry may be replaced at once (Intel SDM vol. 3, 4.10.4 and 29.4.3.4),
     * and what goes stale goes by INVEPT or INVLPG.
     */
    bool x86;
    uint64_t valid_mask;  /* any of these set: the entry is valid */
    uint64_t table_mask;  /* of an entry above level 0: these bits ... */
    uint64_t table_type;  /* ... have this value when it points to a table */
    uint64_t table_bits;  /* low bits of an entry that is made to point to a table */
    uint64_t page_bits;   /* type bits of a leaf at level 0 */
    uint64_t block_bits;  /* type bits of a leaf above */
    uint64_t leaf_mask;   /* all type bits of a leaf */
    uint64_t access_bit;  /* set by the CPU, or by mkyoung: the page was used */
    uint64_t write_bit;   /* cleared by wrprotect */
    uint64_t rights_mask; /* the bits that relax may change */
    uint64_t cpu_mask;    /* bits that the CPU sets in a leaf, which make no difference to map */
    /* An annotation: where the kind goes, which payload bits there is room for, how far they are
     * shifted up, and what else is set unless HYP_PGT_EPT_VE; then empty entries have that. */
    uint64_t note_type, note_payload, note_bits;
    unsigned int note_shift;
    /* Attributes of a leaf without type and address; HYP_EINVAL for rights that cannot be said. */
    enum hyp_err (*attrs)(uint64_t flags, hyp_prot_t prot, uint64_t *attrs);
    /* `pte` with the rights of `prot` added; HYP_EINVAL when the sum cannot be said. Stage 2. */
    enum hyp_err (*relax)(uint64_t flags, uint64_t pte, hyp_prot_t prot, uint64_t *relaxed);
    hyp_prot_t (*prot)(uint64_t flags, uint64_t pte);
};

static inline bool pgt_valid(const struct hyp_pgt *pgt, uint64_t pte)
{
    return (pte & pgt->fmt->valid_mask) != 0;
}

static inline bool pgt_is_table(const struct hyp_pgt *pgt, uint64_t pte, unsigned int level)
{
    return level > 0 && (pte & pgt->fmt->table_mask) == pgt->fmt->table_type;
}

/* An annotation as the format holds it. */
static inline uint64_t pgt_note_pte(const struct hyp_pgt *pgt, enum hyp_note type, uint64_t payload)
{
    const struct hyp_pgt_fmt *fmt = pgt->fmt;

    return hyp_field(fmt->note_type, type) | payload << fmt->note_shift |
           (pgt->flags & HYP_PGT_EPT_VE ? 0 : fmt->note_bits);
}

static inline unsigned int pgt_level_shift(const struct hyp_pgt *pgt, unsigned int level)
{
    return hyp_level_shift(pgt->page_shift, level);
}

static inline uint64_t pgt_level_size(const struct hyp_pgt *pgt, unsigned int level)
{
    return hyp_level_size(pgt->page_shift, level);
}

static inline unsigned int pgt_table_entries(const struct hyp_pgt *pgt)
{
    return 1u << hyp_index_bits(pgt->page_shift);
}

static inline uint64_t pgt_page_size(const struct hyp_pgt *pgt)
{
    return UINT64_C(1) << pgt->page_shift;
}

/* Index of the entry for `ia` within a table of `level`; the root may be wider than a table. */
static inline uint64_t pgt_index(const struct hyp_pgt *pgt, uint64_t ia, unsigned int level)
{
    const uint64_t index = ia >> pgt_level_shift(pgt, level);

    return level == pgt->top_level ? index : index & (pgt_table_entries(pgt) - 1);
}

static inline hyp_pa_t pgt_slot(const struct hyp_pgt *pgt, hyp_pa_t table, uint64_t ia,
                                unsigned int level)
{
    return hyp_pa(table.v + 8 * pgt_index(pgt, ia, level));
}

/* One step of a descent: where the entry for an address is, at a level. */
struct pgt_step {
    hyp_pa_t slot;
    unsigned int level;
    unsigned int shift; /* of the address, to a byte offset into the table */
};

static inline struct pgt_step pgt_step_first(const struct hyp_pgt *pgt, uint64_t ia)
{
    const unsigned int level = pgt->top_level;
    const unsigned int shift = pgt_level_shift(pgt, level) - 3;

    return (struct pgt_step){
        .slot = {pgt->root.v + ((ia >> shift) & ~UINT64_C(7))}, .level = level, .shift = shift};
}

static inline void pgt_step_down(const struct hyp_pgt *pgt, struct pgt_step *step, uint64_t ia,
                                 hyp_pa_t table)
{
    const unsigned int index_bits = hyp_index_bits(pgt->page_shift);
    const uint64_t mask = ((UINT64_C(1) << index_bits) - 1) << 3;

    step->level--;
    step->shift -= index_bits;
    step->slot.v = table.v + ((ia >> step->shift) & mask);
}

/* First input address after the table of `level` that covers `ia`. */
static inline uint64_t pgt_table_end(const struct hyp_pgt *pgt, uint64_t ia, unsigned int level)
{
    if (level == pgt->top_level)
        return UINT64_C(1) << pgt->ia_bits;
    return (ia | (pgt_level_size(pgt, level + 1) - 1)) + 1;
}

static inline uint64_t pgt_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* An output address as an entry holds it, and back. */
static inline uint64_t pgt_out(const struct hyp_pgt *pgt, uint64_t pa)
{
    return (pa & pgt->out_mask) | ((pa >> pgt->out_high_shift) & pgt->out_high_mask);
}

static inline hyp_pa_t pgt_target(const struct hyp_pgt *pgt, uint64_t pte)
{
    return hyp_pa((pte & pgt->out_mask) | ((pte & pgt->out_high_mask) << pgt->out_high_shift));
}

static inline uint64_t pgt_leaf_pte(const struct hyp_pgt *pgt, uint64_t pa, uint64_t attrs,
                                    unsigned int level)
{
    return pgt_out(pgt, pa) | attrs | (level == 0 ? pgt->fmt->page_bits : pgt->fmt->block_bits);
}

static inline uint64_t pgt_table_pte(const struct hyp_pgt *pgt, hyp_pa_t table)
{
    return pgt_out(pgt, table.v) | pgt->fmt->table_bits;
}

/* As memory holds it: enough to tell a table. */
static inline uint64_t pgt_load_raw(const struct hyp_pgt *pgt, hyp_pa_t slot)
{
    return pgt->port->pte_load(pgt->port->ctx, slot);
}

static inline uint64_t pgt_seen(const struct hyp_pgt *pgt, uint64_t raw)
{
    return raw == pgt->empty ? 0 : raw;
}

/* The port, with its context filled in. An empty entry is 0 on this side, whatever memory holds. */
static inline uint64_t pgt_load(const struct hyp_pgt *pgt, hyp_pa_t slot)
{
    return pgt_seen(pgt, pgt_load_raw(pgt, slot));
}

static inline void pgt_store(const struct hyp_pgt *pgt, hyp_pa_t slot, uint64_t pte)
{
    // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): it cannot see that paths are filled
    pgt->port->pte_store(pgt->port->ctx, slot, pte ? pte : pgt->empty);
}

static inline void pgt_fill(const struct hyp_pgt *pgt, hyp_pa_t slot, uint64_t first, uint64_t step,
                            unsigned int count)
{
    pgt->port->pte_fill(pgt->port->ctx, slot, first ? first : pgt->empty, step, count);
}

static inline void pgt_read(const struct hyp_pgt *pgt, hyp_pa_t slot, uint64_t *out,
                            unsigned int count)
{
    pgt->port->pte_read(pgt->port->ctx, slot, out, count);
    for (unsigned int i = 0; pgt->empty && i < count; i++)
        out[i] = pgt_seen(pgt, out[i]);
}

static inline void pgt_barrier(const struct hyp_pgt *pgt, enum hyp_barrier kind)
{
    if (!pgt->fmt->x86)
        pgt->port->barrier(pgt->port->ctx, kind);
}

void hyp_pgt_event(const struct hyp_pgt *pgt, enum hyp_event_kind kind, unsigned int level,
                   hyp_pa_t pa, uint64_t size);

/*
 * Entries at `slot` that belong to one piece of PGT_CHUNK entries, so that a read never crosses a
 * granule; at most `count`.
 */
static inline unsigned int pgt_chunk(hyp_pa_t slot, uint64_t count)
{
    const unsigned int room = PGT_CHUNK - (unsigned int)((slot.v >> 3) & (PGT_CHUNK - 1));

    return count < room ? (unsigned int)count : room;
}

/* The entry that decides about `ia`: its slot, level and value. `ia` must be within the table. */
struct pgt_entry {
    hyp_pa_t slot;
    uint64_t pte;
    unsigned int level;
};

/*
 * Goes down from `step` as long as entries point to tables, to `floor` at the lowest. Returns the
 * entry where that ended, as memory holds it. What does not change on the way is read once: the
 * compiler cannot know that the port's loads leave it alone.
 */
static inline uint64_t pgt_go_down(const struct hyp_pgt *pgt, struct pgt_step *step, uint64_t ia,
                                   unsigned int floor)
{
    const uint64_t table_mask = pgt->fmt->table_mask, table_type = pgt->fmt->table_type;
    uint64_t raw = pgt_load_raw(pgt, step->slot);

    while (step->level > floor && (raw & table_mask) == table_type) {
        pgt_step_down(pgt, step, ia, pgt_target(pgt, raw));
        raw = pgt_load_raw(pgt, step->slot);
    }
    return raw;
}

static inline struct pgt_entry pgt_find(const struct hyp_pgt *pgt, uint64_t ia)
{
    struct pgt_step step = pgt_step_first(pgt, ia);
    const uint64_t raw = pgt_go_down(pgt, &step, ia, 0);

    return (struct pgt_entry){.slot = step.slot, .pte = pgt_seen(pgt, raw), .level = step.level};
}

/* ---- references of table pages (pgtable.c) ---- */

/* Boot tables come from the early allocator and are not counted; see struct hyp_pgt. */
static inline bool pgt_counted(const struct hyp_pgt *pgt)
{
    return pgt->early == NULL && pgt->pool != NULL;
}

/* `count` more entries of the table page around `slot` are not zero. */
static inline void pgt_count_add(const struct hyp_pgt *pgt, hyp_pa_t slot, unsigned int count)
{
    struct hyp_page *page;

    if (!pgt_counted(pgt))
        return;
    page = hyp_page_of(pgt->vmemmap, slot);
    HYP_ASSERT(pgt->port, page->refcount > 0 && page->refcount <= UINT16_MAX - count);
    page->refcount = (uint16_t)(page->refcount + count);
}

/* `count` entries became zero. The table's own reference stays, so this never frees it. */
static inline void pgt_count_sub(const struct hyp_pgt *pgt, hyp_pa_t slot, unsigned int count)
{
    struct hyp_page *page;

    if (!pgt_counted(pgt))
        return;
    page = hyp_page_of(pgt->vmemmap, slot);
    HYP_ASSERT(pgt->port, page->refcount > count);
    page->refcount = (uint16_t)(page->refcount - count);
}

/* No counted entry is left in this table. */
static inline bool pgt_table_empty(const struct hyp_pgt *pgt, hyp_pa_t table)
{
    return pgt_counted(pgt) && hyp_page_of(pgt->vmemmap, table)->refcount == 1;
}

/* Rounds [ia, ia + size) out to pages and checks it against the input size. */
HYP_MUST_USE static inline enum hyp_err pgt_range(const struct hyp_pgt *pgt, hyp_ia_t ia,
                                                  uint64_t size, uint64_t *start, uint64_t *end)
{
    const uint64_t limit = UINT64_C(1) << pgt->ia_bits;

    if (HYP_UNLIKELY(size == 0))
        return HYP_EINVAL;
    if (HYP_UNLIKELY(ia.v >= limit || size > limit - ia.v))
        return HYP_ERANGE;
    *start = hyp_align_down(ia.v, pgt_page_size(pgt));
    *end = hyp_align_up(ia.v + size, pgt_page_size(pgt));
    return HYP_OK;
}

HYP_MUST_USE enum hyp_err hyp_pgt_table_alloc(const struct hyp_pgt *pgt, struct hyp_memcache *mc,
                                              hyp_pa_t *table);
/* Frees one table page, whatever it still counts. Its entries must have been dealt with. */
void hyp_pgt_table_free(const struct hyp_pgt *pgt, hyp_pa_t table);
/* Frees all tables on a list. */
void hyp_pgt_tables_free(const struct hyp_pgt *pgt, struct hyp_memcache *tables);
/* Frees a detached table and all tables below it; no TLB maintenance. */
void hyp_pgt_subtree_free(const struct hyp_pgt *pgt, hyp_pa_t table, unsigned int level);

/* ---- break-before-make and invalidation (pgtable_tlb.c) ---- */

/* What the change of a live entry means. */
enum pgt_change {
    PGT_CHANGE_OTHER, /* addresses translate otherwise, or a table goes */
    PGT_CHANGE_LEAF,  /* the same, and `new` is a leaf: the memory it shows is synchronised */
    PGT_CHANGE_NONE,  /* every address translates as before */
};

/*
 * THE way to replace a live entry: `old`, which covers `ia`, becomes `new`. Does not count.
 *
 * arm64: break-before-make, with the flush between; nothing is flushed when `old` was not valid.
 * x86: a store. Unless addresses translate as before *owed is set: an INVEPT is due before the
 * operation ends or frees a table, whichever is first, by pgt_settle().
 */
void hyp_pgt_replace(const struct hyp_pgt *pgt, const struct pgt_entry *old, uint64_t ia,
                     uint64_t new, enum pgt_change change, bool *owed);
/* Pays what is owed. */
void hyp_pgt_settle(const struct hyp_pgt *pgt, bool *owed);
static inline void pgt_settle(const struct hyp_pgt *pgt, bool *owed)
{
    if (HYP_UNLIKELY(*owed))
        hyp_pgt_settle(pgt, owed);
}
/* Stage 2. The IPA flush of one address on all CPUs; level -1: no hint. */
void hyp_pgt_flush_ipa(const struct hyp_pgt *pgt, uint64_t ia, int level);
/* The same on this CPU only; rights were added, so that EPT needs nothing. */
void hyp_pgt_flush_ipa_local(const struct hyp_pgt *pgt, uint64_t ia, int level);
/* A range, by one range instruction where the CPU has it, otherwise the whole vmid. */
void hyp_pgt_flush_range(const struct hyp_pgt *pgt, uint64_t ia, uint64_t size);
/* Stage 1. One last-level entry (or, for a table, all walk caches of the address). */
void hyp_pgt_flush_va(const struct hyp_pgt *pgt, uint64_t va, int level, bool table);
/* Guest memory [pa, pa + size) becomes visible through leaf `pte`: data and instruction caches. */
void hyp_pgt_sync_caches(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size);
static inline void pgt_sync_new(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size)
{
    if (HYP_UNLIKELY(pgt->syncs_data || pgt->syncs_code))
        hyp_pgt_sync_caches(pgt, pte, pa, size);
}

/* The same for instructions alone, when a leaf becomes executable. */
void hyp_pgt_sync_code(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size);
/* Guest memory was mapped cacheable by `pte` until now: clean it unless the CPU has FWB. */
void hyp_pgt_clean_data(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size);
static inline void pgt_sync_old(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size)
{
    if (HYP_UNLIKELY(pgt->syncs_data))
        hyp_pgt_clean_data(pgt, pte, pa, size);
}

#endif
