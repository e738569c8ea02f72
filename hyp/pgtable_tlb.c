/* SPDX-License-Identifier: MIT */
/*
 * What keeps TLBs and caches true to the tables: break-before-make, invalidation sequences and
 * cache maintenance. No other file of the core changes a valid entry into another one that needs
 * these.
 */
#include "hyp/pgtable_priv.h"

/* The port's two callbacks that a flush alternates between, looked up once. */
struct flusher {
    void *ctx;
    void (*barrier)(void *ctx, enum hyp_barrier kind);
    void (*tlb_inv)(void *ctx, const struct hyp_tlb_inv *inv);
};

static struct flusher flusher_of(const struct hyp_pgt *pgt)
{
    return (struct flusher){pgt->port->ctx, pgt->port->barrier, pgt->port->tlb_inv};
}

static struct hyp_tlb_inv by_address(const struct hyp_pgt *pgt, enum hyp_tlbi op, int level,
                                     uint64_t start, uint64_t size)
{
    return (struct hyp_tlb_inv){
        .op = op, .vmid = pgt->vmid, .level = (int8_t)level, .start = start, .size = size};
}

static struct hyp_tlb_inv by_vmid(const struct hyp_pgt *pgt, enum hyp_tlbi op)
{
    return (struct hyp_tlb_inv){.op = op, .vmid = pgt->vmid, .level = -1};
}

/* x86: everything of an EPT table, wherever it is cached. */
static void invept(const struct hyp_pgt *pgt)
{
    const struct hyp_tlb_inv inv = {.op = HYP_TLBI_INVEPT, .level = -1, .root = pgt->root};

    pgt->port->tlb_inv(pgt->port->ctx, &inv);
}

/* `first` and, when it is by ipa, `second` with the barrier between; `done` ends each. */
static inline void flush(const struct hyp_pgt *pgt, enum hyp_barrier before, enum hyp_barrier done,
                         const struct hyp_tlb_inv *first, const struct hyp_tlb_inv *second)
{
    const struct flusher f = flusher_of(pgt);

    f.barrier(f.ctx, before);
    f.tlb_inv(f.ctx, first);
    f.barrier(f.ctx, done);
    if (second) {
        f.tlb_inv(f.ctx, second);
        f.barrier(f.ctx, done);
    }
    f.barrier(f.ctx, HYP_ISB);
}

/*
 * Combined stage-1 and stage-2 entries are tagged with the va only, so that invalidating by ipa
 * does not find them: everything of the vmid's stage 1 goes too (DDI 0487 D8.17.5).
 */
void hyp_pgt_flush_ipa(const struct hyp_pgt *pgt, uint64_t ia, int level)
{
    const struct hyp_tlb_inv stage2 =
        by_address(pgt, HYP_TLBI_IPAS2E1IS, level, ia, pgt_page_size(pgt));
    const struct hyp_tlb_inv combined = by_vmid(pgt, HYP_TLBI_VMALLE1IS);

    if (pgt->fmt->x86)
        invept(pgt);
    else
        flush(pgt, HYP_DSB_ISHST, HYP_DSB_ISH, &stage2, &combined);
}

void hyp_pgt_flush_ipa_local(const struct hyp_pgt *pgt, uint64_t ia, int level)
{
    const struct hyp_tlb_inv stage2 =
        by_address(pgt, HYP_TLBI_IPAS2E1, level, ia, pgt_page_size(pgt));
    const struct hyp_tlb_inv combined = by_vmid(pgt, HYP_TLBI_VMALLE1);

    /* An EPT violation drops what it met, and other CPUs fault again (SDM vol. 3, 29.4.3.1). */
    if (!pgt->fmt->x86)
        flush(pgt, HYP_DSB_NSH, HYP_DSB_NSH, &stage2, &combined);
}

void hyp_pgt_flush_range(const struct hyp_pgt *pgt, uint64_t ia, uint64_t size)
{
    const struct hyp_tlb_inv range = by_address(pgt, HYP_TLBI_RIPAS2E1IS, -1, ia, size);
    const struct hyp_tlb_inv combined = by_vmid(pgt, HYP_TLBI_VMALLE1IS);

    if (pgt->fmt->x86)
        invept(pgt);
    else if (pgt->flags & HYP_PGT_RANGE_TLBI)
        flush(pgt, HYP_DSB_ISHST, HYP_DSB_ISH, &range, &combined);
    else
        hyp_pgt_flush_all(pgt);
}

void hyp_pgt_flush_all(const struct hyp_pgt *pgt)
{
    const struct hyp_tlb_inv all = by_vmid(pgt, HYP_TLBI_VMALLS12E1IS);

    if (pgt->fmt->x86)
        invept(pgt);
    else
        flush(pgt, HYP_DSB_ISHST, HYP_DSB_ISH, &all, NULL);
}

void hyp_pgt_flush_va(const struct hyp_pgt *pgt, uint64_t va, int level, bool table)
{
    const enum hyp_tlbi op = table ? HYP_TLBI_VAE2IS : HYP_TLBI_VALE2IS;
    const struct hyp_tlb_inv inv =
        by_address(pgt, pgt->fmt->x86 ? HYP_TLBI_INVLPG_ALL : op, level, va, pgt_page_size(pgt));

    /* INVLPG drops all that is cached of table entries, too (SDM vol. 3, 4.10.4.1). */
    if (pgt->fmt->x86)
        pgt->port->tlb_inv(pgt->port->ctx, &inv);
    else
        flush(pgt, HYP_DSB_ISHST, HYP_DSB_ISH, &inv, NULL);
}

static bool cacheable(hyp_prot_t prot)
{
    return !(prot & (HYP_PROT_DEVICE | HYP_PROT_NORMAL_NC));
}

void hyp_pgt_sync_code(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size)
{
    if (!pgt->syncs_code || !pgt_valid(pgt, pte))
        return;
    if (pgt->fmt->prot(pgt->flags, pte) & HYP_PROT_X)
        pgt->port->cache_sync(pgt->port->ctx, hyp_pa(pa), size, HYP_CACHE_INVAL_POU);
}

void hyp_pgt_clean_data(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size)
{
    if (!pgt->syncs_data || !pgt_valid(pgt, pte))
        return;
    if (cacheable(pgt->fmt->prot(pgt->flags, pte)))
        pgt->port->cache_sync(pgt->port->ctx, hyp_pa(pa), size, HYP_CACHE_CLEAN_POC);
}

void hyp_pgt_sync_caches(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size)
{
    hyp_pgt_clean_data(pgt, pte, pa, size);
    hyp_pgt_sync_code(pgt, pte, pa, size);
}

static void break_before_make(const struct hyp_pgt *pgt, const struct pgt_entry *old, uint64_t ia,
                              uint64_t new, enum pgt_change change)
{
    const uint64_t size = pgt_level_size(pgt, old->level);

    ia = hyp_align_down(ia, size);
    if (pgt_valid(pgt, old->pte)) {
        pgt_store(pgt, old->slot, pgt_note_pte(pgt, HYP_NOTE_LOCKED, 0));
        if (pgt_is_table(pgt, old->pte, old->level))
            hyp_pgt_flush_range(pgt, ia, size);
        else
            hyp_pgt_flush_ipa(pgt, ia, (int)old->level);
    }
    if (change == PGT_CHANGE_LEAF)
        pgt_sync_new(pgt, new, pgt_target(pgt, new).v, size);
    pgt_store(pgt, old->slot, new);
}

void hyp_pgt_replace(const struct hyp_pgt *pgt, const struct pgt_entry *old, uint64_t ia,
                     uint64_t new, enum pgt_change change, bool *owed)
{
    if (!pgt->fmt->x86) {
        break_before_make(pgt, old, ia, new, change);
        return;
    }
    pgt_store(pgt, old->slot, new);
    if (pgt_valid(pgt, old->pte) && change != PGT_CHANGE_NONE)
        *owed = true;
}

void hyp_pgt_settle(const struct hyp_pgt *pgt, bool *owed)
{
    invept(pgt);
    *owed = false;
}
