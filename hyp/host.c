/* SPDX-License-Identifier: MIT */
/*
 * The host's stage 2: regions, the fault handler, and changes of what is foreign. Registers of an
 * injected abort are in host_inject.c; who may own what is decided in owner*.c.
 */
#include "hyp/hyp_priv.h"

#include <hyp/esr.h>

/* ---- regions ---- */

const struct hyp_region *hyp_host_region(const struct hyp_host *host, uint64_t pa, uint64_t *start,
                                         uint64_t *end)
{
    const struct hyp_region *region = hyp_region_near(host, pa);
    const uint64_t base = region->base.v, size = region->size;

    if (HYP_LIKELY(pa - base < size)) {
        *start = base;
        *end = base + size;
        return region;
    }
    if (pa < base) { /* below the first one */
        *start = 0;
        *end = base;
        return NULL;
    }
    *start = base + size;
    region++;
    *end = region < host->regions + host->region_count ? region->base.v : UINT64_MAX;
    return NULL;
}

enum hyp_err hyp_host_check_ram(const struct hyp_host *host, uint64_t pa, uint64_t size)
{
    uint64_t start, end;
    const struct hyp_region *region = hyp_host_region(host, pa, &start, &end);

    if (size > end - pa)
        return HYP_EINVAL;
    return region && !region->nomap ? HYP_OK : HYP_EPERM;
}

/* ---- policy ---- */

static hyp_prot_t default_prot(const struct hyp_host *host, bool is_ram)
{
    return is_ram ? HYP_PROT_RWX : host->device_prot;
}

/*
 * A page mapped inside a block deletes the block and trusts faults to bring the rest back. So a
 * block may only hold what a fault would make; any other attribute exists in the table alone and
 * must be mapped by pages, where nothing else can destroy it.
 */
static bool force_page(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_prot_t prot)
{
    const struct hyp_host *host = (const struct hyp_host *)(const void *)pgt;
    uint64_t start, end;

    if (host->policy.rebuild == HYP_REBUILD_NEVER) {
        unsigned int level;

        (void)hyp_pgt_leaf(pgt, ia, &level);
        if (hyp_level_size(pgt->page_shift, level) < size)
            return true;
    }
    if (host->policy.force_page == HYP_FORCE_NEVER)
        return false;
    return prot != default_prot(host, hyp_host_region(host, ia.v, &start, &end) != NULL);
}

/* ---- construction ---- */

enum hyp_err hyp_host_init(struct hyp *hyp, hyp_pfn_t first, uint64_t pages)
{
    struct hyp_host *host = &hyp->host;
    bool pages_only = host->policy.force_page == HYP_FORCE_ALWAYS;
    struct hyp_pgt_config config = {
        .port = hyp->port,
        .vmemmap = &hyp->vmemmap,
        .page_shift = hyp->page_shift,
        .ia_bits = hyp->pa_bits,
        .flags = HYP_PGT_IDENTITY | HYP_PGT_S1_ATTRS,
        .vmid = 0,
        .force_page = force_page,
        .max_block_level = pages_only ? 0 : host->policy.max_block_level,
    };
    enum hyp_err err;

    err = hyp_pool_init(&host->pool, hyp->port, &hyp->vmemmap, first, pages, 0, &hyp->pool_policy);
    if (err)
        return err;
    hyp_arch_s2(hyp, &config);
    if (hyp->ept_ve)
        config.flags |= HYP_PGT_EPT_VE;
    host->device_prot = hyp_arch_device_prot(hyp);
    err = hyp_pgt_init(&host->pgt, &config, &host->pool, NULL);
    if (!err)
        host->vtcr = hyp_host_root(hyp).tcr;
    return err;
}

uint64_t hyp_host_leaf(const struct hyp *hyp, hyp_ipa_t ipa, unsigned int *level)
{
    return hyp_pgt_leaf(&hyp->host.pgt, hyp_ia_from_ipa(ipa), level);
}

uint64_t hyp_host_tables_used(const struct hyp *hyp)
{
    const struct hyp_pool *pool = &hyp->host.pool;

    return pool->end - pool->first - pool->free_pages;
}

/* ---- changes ---- */

/* Device mappings can always be made again, so they are what gives way when tables run out. */
static void recycle_mmio(struct hyp *hyp)
{
    struct hyp_host *host = &hyp->host;
    uint64_t top = UINT64_C(1) << host->pgt.ia_bits;
    uint64_t start = 0;
    unsigned int i;

    for (i = 0; i <= host->region_count; i++) {
        uint64_t end = i < host->region_count ? host->regions[i].base.v : top;

        if (start < end)
            hyp_host_forget(hyp, hyp_pa(start), end - start);
        if (i < host->region_count)
            start = end + host->regions[i].size;
    }
    hyp_tell(hyp, HYP_EV_HOST_RECYCLE, 0, hyp_pa(0), 0);
}

/* Maps host memory at its own address; `pa` and `size` are a whole leaf, or a range of notes. */
static enum hyp_err map_identity(struct hyp *hyp, uint64_t pa, uint64_t size, hyp_prot_t prot)
{
    hyp_ia_t ia = {pa};
    enum hyp_err err = hyp_pgt_map(&hyp->host.pgt, ia, size, hyp_pa(pa), prot, NULL);

    if (HYP_UNLIKELY(err == HYP_ENOMEM)) {
        recycle_mmio(hyp);
        err = hyp_pgt_map(&hyp->host.pgt, ia, size, hyp_pa(pa), prot, NULL);
    }
    return err;
}

void hyp_host_forget(struct hyp *hyp, hyp_pa_t pa, uint64_t size)
{
    enum hyp_err err = hyp_pgt_unmap(&hyp->host.pgt, (hyp_ia_t){pa.v}, size, NULL);

    HYP_ASSERT(hyp->port, err == HYP_OK);
}

enum hyp_err hyp_host_annotate(struct hyp *hyp, hyp_pa_t pa, uint64_t size, uint64_t payload)
{
    hyp_ia_t ia = {pa.v};
    enum hyp_err err = hyp_pgt_annotate(&hyp->host.pgt, ia, size, HYP_NOTE_DONATED, payload, NULL);

    if (HYP_UNLIKELY(err == HYP_ENOMEM)) {
        hyp_host_forget(hyp, pa, size);
        recycle_mmio(hyp);
        err = hyp_pgt_annotate(&hyp->host.pgt, ia, size, HYP_NOTE_DONATED, payload, NULL);
    }
    if (HYP_UNLIKELY(err))
        hyp_host_forget(hyp, pa, size);
    return err;
}

enum hyp_err hyp_host_map_readonly(struct hyp *hyp, hyp_pa_t pa, uint64_t size)
{
    return hyp_pgt_map(&hyp->host.pgt, (hyp_ia_t){pa.v}, size, pa, HYP_PROT_R, NULL);
}

static enum hyp_err find_foreign(void *arg, const struct hyp_visit_ctx *ctx)
{
    const struct hyp_pgt *pgt = arg;

    switch (hyp_pgt_kind(pgt, ctx->pte, ctx->level)) {
    case HYP_PTE_EMPTY:
        return HYP_OK;
    case HYP_PTE_LEAF:
        return hyp_pgt_prot(pgt, ctx->pte) == HYP_PROT_RWX ? HYP_OK : HYP_EPERM;
    case HYP_PTE_NOTE:
    case HYP_PTE_TABLE:
        break;
    }
    return HYP_EPERM;
}

/* The eager policy: blocks that hold nothing foreign any more become blocks again. */
static void rebuild_blocks(struct hyp *hyp, uint64_t pa)
{
    struct hyp_host *host = &hyp->host;
    struct hyp_visitor visitor = {find_foreign, &host->pgt, HYP_VISIT_LEAF};
    unsigned int leaf_level, level;
    uint64_t start, end;

    (void)hyp_host_region(host, pa, &start, &end);
    (void)hyp_pgt_leaf(&host->pgt, (hyp_ia_t){pa}, &leaf_level);
    for (level = leaf_level + 1; level <= host->pgt.max_block_level; level++) {
        uint64_t size = hyp_level_size(hyp->page_shift, level);
        uint64_t base = hyp_align_down(pa, size);

        if (base < start || size > end - base)
            return;
        if (hyp_pgt_walk(&host->pgt, (hyp_ia_t){base}, size, &visitor) != HYP_OK)
            return;
        if (map_identity(hyp, base, size, HYP_PROT_RWX) != HYP_OK)
            return;
    }
}

void hyp_host_give_back(struct hyp *hyp, hyp_pa_t pa, uint64_t size)
{
    enum hyp_err err = map_identity(hyp, pa.v, size, HYP_PROT_RWX);

    HYP_ASSERT(hyp->port, err == HYP_OK);
    if (hyp->host.policy.rebuild == HYP_REBUILD_EAGER) {
        uint64_t step = hyp_level_size(hyp->page_shift, 1);
        uint64_t at;

        for (at = hyp_align_down(pa.v, step); at < pa.v + size; at += step)
            rebuild_blocks(hyp, at < pa.v ? pa.v : at);
    }
}

/* ---- faults ---- */

/* The largest block around pa that starts no higher than `level` and stays in [start, end). */
static unsigned int level_that_fits(const struct hyp_host *host, uint64_t pa, unsigned int level,
                                    uint64_t start, uint64_t end)
{
    if (level > host->pgt.max_block_level)
        level = host->pgt.max_block_level;
    for (; level; level--) {
        uint64_t size = hyp_level_size(host->pgt.page_shift, level);
        uint64_t base = hyp_align_down(pa, size);

        if (base >= start && base < end && size <= end - base)
            break;
    }
    /* A single page is taken even where a region does not end on one. */
    return level;
}

/* HYP_EEXIST: there is a mapping; HYP_EPERM: foreign. */
static enum hyp_err map_on_demand(struct hyp *hyp, uint64_t pa)
{
    struct hyp_host *host = &hyp->host;
    const struct hyp_region *region;
    unsigned int level;
    uint64_t pte, start, end, size;
    enum hyp_err err;

    if (pa >> host->pgt.ia_bits)
        return HYP_EPERM;
    pte = hyp_pgt_leaf(&host->pgt, (hyp_ia_t){pa}, &level);
    if (pte)
        return hyp_pgt_kind(&host->pgt, pte, level) == HYP_PTE_LEAF ? HYP_EEXIST : HYP_EPERM;
    region = hyp_host_region(host, pa, &start, &end);
    level = level_that_fits(host, pa, level, start, end);
    size = hyp_level_size(hyp->page_shift, level);
    pa = hyp_align_down(pa, size);
    err = map_identity(hyp, pa, size, default_prot(host, region != NULL));
    if (err == HYP_OK)
        hyp_tell(hyp, HYP_EV_HOST_MAP, (int)level, hyp_pa(pa), size);
    return err;
}

enum hyp_host_outcome hyp_host_touch(struct hyp *hyp, hyp_ipa_t ipa)
{
    enum hyp_err err;

    hyp_locks_take(hyp, HYP_LOCK_HOST, 0);
    err = map_on_demand(hyp, ipa.v);
    hyp_locks_drop(hyp, HYP_LOCK_HOST, 0);
    if (err == HYP_OK)
        return HYP_HOST_MAPPED;
    if (err == HYP_EEXIST || err == HYP_EAGAIN)
        return HYP_HOST_SPURIOUS;
    HYP_ASSERT(hyp->port, err == HYP_EPERM);
    return HYP_HOST_INJECTED;
}

enum hyp_host_outcome hyp_host_abort(struct hyp *hyp, const struct hyp_abort *abort,
                                     struct hyp_host_regs *regs)
{
    enum hyp_host_outcome outcome;

    if (!abort->ipa_valid)
        return HYP_HOST_SPURIOUS;
    outcome =
        hyp_esr_is_permission(abort->esr) ? HYP_HOST_INJECTED : hyp_host_touch(hyp, abort->ipa);
    if (outcome == HYP_HOST_INJECTED) {
        hyp_tell(hyp, HYP_EV_HOST_INJECT, 0, hyp_pa_from_identity(abort->ipa), 0);
        hyp_host_inject(abort, regs, hyp->features.mte);
    }
    return outcome;
}
