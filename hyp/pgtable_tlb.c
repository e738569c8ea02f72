/* SPDX-License-Identifier: MIT */
/*
 * What keeps TLBs and caches true to the tables: break-before-make, invalidation sequences and
 * cache maintenance. No other file of the core changes a valid entry into another one that needs
 * these.
 */
#include "hyp/pgtable_priv.h"

static void invalidate(const struct hyp_pgt *pgt, enum hyp_tlbi op, int level, uint64_t start,
                       uint64_t size)
{
    const struct hyp_tlb_inv inv = {
        .op = op, .vmid = pgt->vmid, .level = (int8_t)level, .start = start, .size = size};

    pgt->port->tlb_inv(pgt->port->ctx, &inv);
}

/*
 * Combined stage-1 and stage-2 entries are tagged with the va only, so that invalidating by ipa
 * does not find them: everything of the vmid's stage 1 goes too (DDI 0487 D8.17.5).
 */
void hyp_pgt_flush_ipa(const struct hyp_pgt *pgt, uint64_t ia, int level)
{
    pgt_barrier(pgt, HYP_DSB_ISHST);
    invalidate(pgt, HYP_TLBI_IPAS2E1IS, level, ia, pgt_page_size(pgt));
    pgt_barrier(pgt, HYP_DSB_ISH);
    invalidate(pgt, HYP_TLBI_VMALLE1IS, -1, 0, 0);
    pgt_barrier(pgt, HYP_DSB_ISH);
    pgt_barrier(pgt, HYP_ISB);
}

void hyp_pgt_flush_ipa_local(const struct hyp_pgt *pgt, uint64_t ia, int level)
{
    pgt_barrier(pgt, HYP_DSB_NSH);
    invalidate(pgt, HYP_TLBI_IPAS2E1, level, ia, pgt_page_size(pgt));
    pgt_barrier(pgt, HYP_DSB_NSH);
    invalidate(pgt, HYP_TLBI_VMALLE1, -1, 0, 0);
    pgt_barrier(pgt, HYP_DSB_NSH);
    pgt_barrier(pgt, HYP_ISB);
}

void hyp_pgt_flush_range(const struct hyp_pgt *pgt, uint64_t ia, uint64_t size)
{
    pgt_barrier(pgt, HYP_DSB_ISHST);
    if (pgt->flags & HYP_PGT_RANGE_TLBI) {
        invalidate(pgt, HYP_TLBI_RIPAS2E1IS, -1, ia, size);
        pgt_barrier(pgt, HYP_DSB_ISH);
        invalidate(pgt, HYP_TLBI_VMALLE1IS, -1, 0, 0);
    } else {
        invalidate(pgt, HYP_TLBI_VMALLS12E1IS, -1, 0, 0);
    }
    pgt_barrier(pgt, HYP_DSB_ISH);
    pgt_barrier(pgt, HYP_ISB);
}

void hyp_pgt_flush_va(const struct hyp_pgt *pgt, uint64_t va, int level, bool table)
{
    pgt_barrier(pgt, HYP_DSB_ISHST);
    invalidate(pgt, table ? HYP_TLBI_VAE2IS : HYP_TLBI_VALE2IS, level, va, pgt_page_size(pgt));
    pgt_barrier(pgt, HYP_DSB_ISH);
    pgt_barrier(pgt, HYP_ISB);
}

/*
 * The host sees its own memory through an identity map and keeps its caches itself; pages that a
 * guest gets are synchronised here.
 */
static bool guest_memory(const struct hyp_pgt *pgt, uint64_t pte)
{
    return pgt->fmt->stage2 && !(pgt->flags & HYP_PGT_IDENTITY) && pgt_valid(pgt, pte);
}

static bool cacheable(hyp_prot_t prot)
{
    return !(prot & (HYP_PROT_DEVICE | HYP_PROT_NORMAL_NC));
}

void hyp_pgt_sync_code(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size)
{
    if (!(pgt->flags & HYP_PGT_NO_DIC) || !guest_memory(pgt, pte))
        return;
    if (pgt->fmt->prot(pgt->flags, pte) & HYP_PROT_X)
        pgt->port->cache_sync(pgt->port->ctx, hyp_pa(pa), size, HYP_CACHE_INVAL_POU);
}

void hyp_pgt_clean_data(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size)
{
    if ((pgt->flags & HYP_PGT_FWB) || !guest_memory(pgt, pte))
        return;
    if (cacheable(pgt->fmt->prot(pgt->flags, pte)))
        pgt->port->cache_sync(pgt->port->ctx, hyp_pa(pa), size, HYP_CACHE_CLEAN_POC);
}

void hyp_pgt_sync_caches(const struct hyp_pgt *pgt, uint64_t pte, uint64_t pa, uint64_t size)
{
    hyp_pgt_clean_data(pgt, pte, pa, size);
    hyp_pgt_sync_code(pgt, pte, pa, size);
}

void hyp_pgt_replace(const struct hyp_pgt *pgt, hyp_pa_t slot, uint64_t ia, unsigned int level,
                     uint64_t old, uint64_t new, bool sync)
{
    const uint64_t size = pgt_level_size(pgt, level);

    ia = hyp_align_down(ia, size);
    if (pgt_valid(pgt, old)) {
        pgt_store(pgt, slot, hyp_field(HYP_NOTE_TYPE_MASK, HYP_NOTE_LOCKED));
        if (pgt_is_table(pgt, old, level))
            hyp_pgt_flush_range(pgt, ia, size);
        else
            hyp_pgt_flush_ipa(pgt, ia, (int)level);
    }
    if (sync)
        pgt_sync_new(pgt, new, pgt_target(pgt, new).v, size);
    pgt_store(pgt, slot, new);
}
