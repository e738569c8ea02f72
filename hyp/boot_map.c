/* SPDX-License-Identifier: MIT */
/* Boot step 2: hyp stage 1 is built, while the old root is still in force; and the fixmap. */
#include "hyp/boot_priv.h"
#include "hyp/pgtable_priv.h"

static enum hyp_err map_linear(struct hyp *hyp, hyp_pa_t pa, uint64_t size, hyp_prot_t prot)
{
    return hyp_pgt_map(&hyp->s1, hyp_ia_from_va(hyp_linear_va(hyp, pa)), size, pa, prot, NULL);
}

/* ---- sections ---- */

/* The upper half of an aligned, doubled range: a stack that overflows hits the unmapped lower half,
 * and one bit of the stack pointer tells the two apart. */
static enum hyp_err map_stack(struct hyp *hyp, const struct hyp_section *section)
{
    uint64_t size = hyp_page_size(hyp);
    uint64_t start;
    enum hyp_err err;

    while (size < section->size)
        size *= 2;
    start = hyp_align_up(hyp->private_cursor, 2 * size);
    err = hyp_private_alloc_at(hyp, start, 2 * size);
    if (err)
        return err;
    return hyp_pgt_map(&hyp->s1, (hyp_ia_t){start + size}, section->size, section->base,
                       HYP_PROT_RW, NULL);
}

static enum hyp_err map_idmap(struct hyp *hyp, const struct hyp_section *section)
{
    enum hyp_err err = hyp_pgt_map(&hyp->s1, (hyp_ia_t){section->base.v}, section->size,
                                   section->base, HYP_PROT_R | HYP_PROT_X, NULL);

    return err ? err : map_linear(hyp, section->base, section->size, HYP_PROT_R | HYP_PROT_X);
}

static enum hyp_err map_section(struct hyp *hyp, const struct hyp_section *section)
{
    switch (section->kind) {
    case HYP_SECTION_TEXT:
        return map_linear(hyp, section->base, section->size, HYP_PROT_R | HYP_PROT_X);
    case HYP_SECTION_RODATA:
        return map_linear(hyp, section->base, section->size, HYP_PROT_R);
    case HYP_SECTION_DATA:
    case HYP_SECTION_BSS:
    case HYP_SECTION_PERCPU:
        return map_linear(hyp, section->base, section->size, HYP_PROT_RW);
    case HYP_SECTION_STACK:
        return map_stack(hyp, section);
    case HYP_SECTION_IDMAP:
        return map_idmap(hyp, section);
    case HYP_SECTION_HOST_RO:
        return map_linear(hyp, section->base, section->size,
                          HYP_PROT_R | hyp_prot_of_state(HYP_PAGE_SHARED_BORROWED));
    }
    return HYP_EINVAL;
}

/* ---- descriptors ---- */

/* Backs the descriptors of each region of RAM with pages of the pool, in order; a page that two
 * regions share is mapped once. */
static enum hyp_err map_vmemmap(struct hyp *hyp)
{
    uint64_t page = hyp_page_size(hyp);
    uint64_t done = 0; /* end of what is mapped */
    uint64_t used = 0; /* pages of the pool */
    unsigned int i;

    for (i = 0; i < hyp->host.region_count; i++) {
        const struct hyp_region *region = &hyp->host.regions[i];
        uint64_t first = region->base.v >> hyp->page_shift;
        uint64_t last = (region->base.v + region->size) >> hyp->page_shift;
        uint64_t start = hyp->layout.vmemmap_base + first * sizeof(struct hyp_page);
        uint64_t end = hyp->layout.vmemmap_base + last * sizeof(struct hyp_page);
        enum hyp_err err;

        start = hyp_align_down(start, page);
        start = start < done ? done : start;
        end = hyp_align_up(end, page);
        if (start >= end)
            continue;
        err = hyp_pgt_map(&hyp->s1, (hyp_ia_t){start}, end - start, hyp_pool_piece(hyp, used),
                          HYP_PROT_RW, NULL);
        if (err)
            return err;
        used += (end - start) >> hyp->page_shift;
        done = end;
    }
    return used <= hyp->carve.vmemmap_pages ? HYP_OK : HYP_ENOMEM;
}

enum hyp_err hyp_boot_map_self(struct hyp *hyp)
{
    struct hyp_pgt_config config = {
        .port = hyp->port,
        .vmemmap = &hyp->vmemmap,
        .page_shift = hyp->page_shift,
        .ia_bits = hyp->va_bits,
    };
    enum hyp_err err;
    unsigned int i;

    hyp_arch_s1(hyp, &config);
    err = hyp_pgt_init(&hyp->s1, &config, NULL, &hyp->s1_early);
    for (i = 0; !err && i < hyp->section_count; i++)
        err = map_section(hyp, &hyp->sections[i]);
    if (!err)
        err = map_linear(hyp, hyp->pool_base, hyp->pool_pages << hyp->page_shift, HYP_PROT_RW);
    return err ? err : map_vmemmap(hyp);
}

/* ---- fixmap ---- */

struct slot_search {
    hyp_pa_t slot;
    uint64_t pte;
};

static enum hyp_err note_slot(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct slot_search *search = arg;

    search->slot = ctx->slot;
    search->pte = ctx->pte;
    return HYP_OK;
}

/*
 * A page is mapped for real, so that the tables exist, and then made invalid in place: the table
 * keeps its count and the slot never needs memory again.
 */
enum hyp_err hyp_fixmap_init(struct hyp *hyp)
{
    struct slot_search search = {{0}, 0};
    struct hyp_visitor visitor = {note_slot, &search, HYP_VISIT_LEAF};
    enum hyp_err err =
        hyp_private_map(hyp, hyp->pool_base, hyp_page_size(hyp), HYP_PROT_RW, &hyp->fixmap_va);

    if (!err)
        err = hyp_pgt_walk(&hyp->s1, (hyp_ia_t){hyp->fixmap_va}, hyp_page_size(hyp), &visitor);
    if (err)
        return err;
    hyp->fixmap_slot = search.slot;
    hyp->fixmap_attrs = search.pte & ~pgt_out(&hyp->s1, ~UINT64_C(0));
    hyp_fixmap_close(hyp);
    return HYP_OK;
}

void hyp_fixmap_open(struct hyp *hyp, hyp_pa_t pa)
{
    const struct hyp_port *port = hyp->port;

    port->pte_store(port->ctx, hyp->fixmap_slot, hyp->fixmap_attrs | pgt_out(&hyp->s1, pa.v));
    pgt_barrier(&hyp->s1, HYP_DSB_ISHST);
    hyp->fixmap_pa = pa;
}

void hyp_fixmap_close(struct hyp *hyp)
{
    const struct hyp_port *port = hyp->port;

    hyp->fixmap_pa = hyp_pa(HYP_FIXMAP_CLOSED);
    port->pte_store(port->ctx, hyp->fixmap_slot, hyp->fixmap_attrs & ~hyp->s1.fmt->valid_mask);
    hyp_pgt_flush_va(&hyp->s1, hyp->fixmap_va, 0, false);
}

void hyp_fixmap_wipe(struct hyp *hyp, hyp_pa_t pa)
{
    const struct hyp_port *port = hyp->port;

    hyp_fixmap_open(hyp, pa);
    port->page_zero(port->ctx, pa, hyp_page_size(hyp));
    if (hyp->arch == HYP_ARCH_ARM64) /* x86: caches are coherent */
        port->cache_sync(port->ctx, pa, hyp_page_size(hyp), HYP_CACHE_CLEAN_POC);
    hyp_fixmap_close(hyp);
}
