/* SPDX-License-Identifier: MIT */
/* Boot steps 8 and 9: the host learns what is no longer its own, and nothing was forgotten. */
#include "hyp/boot_priv.h"

static bool is_ram(const struct hyp *hyp, hyp_pa_t pa)
{
    uint64_t start, end;

    return hyp_host_region(&hyp->host, pa.v, &start, &end) != NULL;
}

/* ---- step 8 ---- */

static enum hyp_err own(struct hyp *hyp, hyp_pa_t pa, uint64_t size, hyp_prot_t prot)
{
    struct hyp_page *page = hyp_page_of(&hyp->vmemmap, pa);
    uint64_t i;

    for (i = 0; i < size >> hyp->page_shift; i++) {
        hyp_page_set_hyp_state(&page[i], HYP_PAGE_OWNED);
        hyp_page_set_host_state(&page[i], HYP_PAGE_NOPAGE);
    }
    /* The host's kernel patches and disassembles itself: it may go on reading our code. */
    if (prot & HYP_PROT_PX)
        return hyp_host_map_readonly(hyp, pa, size);
    return hyp_host_annotate(hyp, pa, size, hyp_note_of_hyp());
}

/* The page stays the host's; the reference stands for the mapping and forbids to unshare it. */
static enum hyp_err borrow(struct hyp *hyp, hyp_pa_t pa, uint64_t size)
{
    struct hyp_page *page = hyp_page_of(&hyp->vmemmap, pa);
    uint64_t i;

    for (i = 0; i < size >> hyp->page_shift; i++) {
        hyp_page_set_hyp_state(&page[i], HYP_PAGE_SHARED_BORROWED);
        hyp_page_set_host_state(&page[i], HYP_PAGE_SHARED_OWNED);
        page[i].borrower = HYP_BORROWER_HYP;
        page[i].refcount = 1;
    }
    return HYP_OK;
}

static enum hyp_err visit_own(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct hyp *hyp = arg;
    hyp_prot_t prot;
    hyp_pa_t pa;

    if (hyp_pgt_kind(&hyp->s1, ctx->pte, ctx->level) != HYP_PTE_LEAF)
        return HYP_OK;
    pa = hyp_pgt_target(&hyp->s1, ctx->pte, ctx->level);
    if (!is_ram(hyp, pa))
        return HYP_OK;
    prot = hyp_pgt_prot(&hyp->s1, ctx->pte);
    if (hyp_state_of_pte(ctx->pte) == HYP_PAGE_SHARED_BORROWED)
        return borrow(hyp, pa, hyp_level_size(hyp->page_shift, ctx->level));
    return own(hyp, pa, hyp_level_size(hyp->page_shift, ctx->level), prot);
}

static enum hyp_err walk_private(struct hyp *hyp, const struct hyp_visitor *visitor)
{
    uint64_t size = hyp->private_cursor - hyp->layout.private_base;

    return hyp_pgt_walk(&hyp->s1, (hyp_ia_t){hyp->layout.private_base}, size, visitor);
}

enum hyp_err hyp_boot_own_self(struct hyp *hyp)
{
    struct hyp_visitor visitor = {visit_own, hyp, HYP_VISIT_LEAF};
    enum hyp_err err = HYP_OK;
    unsigned int i;

    for (i = 0; !err && i < hyp->host.region_count; i++) {
        const struct hyp_region *region = &hyp->host.regions[i];

        err = hyp_pgt_walk(&hyp->s1, hyp_ia_from_va(hyp_linear_va(hyp, region->base)), region->size,
                           &visitor);
    }
    return err ? err : walk_private(hyp, &visitor);
}

/* ---- step 9 ---- */

static enum hyp_err visit_check(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct hyp *hyp = arg;
    const struct hyp_page *page;
    unsigned int level;
    uint64_t note;
    hyp_pa_t pa;

    if (hyp_pgt_kind(&hyp->s1, ctx->pte, ctx->level) != HYP_PTE_LEAF)
        return HYP_OK;
    pa = hyp_pgt_target(&hyp->s1, ctx->pte, ctx->level);
    if (!is_ram(hyp, pa))
        return HYP_OK;
    page = hyp_page_of(&hyp->vmemmap, pa);
    note = hyp_pgt_leaf(&hyp->host.pgt, (hyp_ia_t){pa.v}, &level);
    note = hyp_pgt_note(&hyp->host.pgt, note);
    if (hyp_page_hyp_state(page) != HYP_PAGE_OWNED || page->host_state != HYP_PAGE_NOPAGE ||
        hyp_field_get(note, HYP_NOTE_TYPE_MASK) != HYP_NOTE_DONATED ||
        hyp_field_get(note, HYP_NOTE_OWNER) != HYP_OWNER_HYP)
        return HYP_EPERM;
    return HYP_OK;
}

enum hyp_err hyp_boot_check_own(struct hyp *hyp)
{
    struct hyp_visitor visitor = {visit_check, hyp, HYP_VISIT_LEAF};

    return walk_private(hyp, &visitor);
}
