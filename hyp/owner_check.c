/* SPDX-License-Identifier: MIT */
/*
 * The ownership table of owner.h as an invariant over descriptors and tables: what each state says
 * about a page must be what all four places say. It reads everything and repairs nothing.
 */
#include "hyp/hyp_priv.h"

struct page_view {
    const struct hyp *hyp;
    const struct hyp_page *page;
    hyp_pa_t pa;
    uint64_t host_pte, host_note;
    enum hyp_pte_kind host_kind;
    uint64_t s1_pte; /* of the linear map; 0 when not mapped */
};

/* ---- guests, by walking all of their leaves ---- */

struct leaf_search {
    const struct hyp *hyp;
    const struct hyp_vm *vm;
    hyp_pfn_t pfn;
    uint64_t count;
    enum hyp_page_state state; /* counted: leaves of this state that cover page pfn */
    uint64_t found;
    struct hyp_violation *violation;
};

/* Pages [*first, *first + *count) that a guest's entry maps; false when it is no leaf. */
static bool leaf_pages(const struct leaf_search *search, const struct hyp_visit_ctx *ctx,
                       hyp_pfn_t *first, uint64_t *count)
{
    const struct hyp_pgt *pgt = &search->vm->pgt;

    if (hyp_pgt_kind(pgt, ctx->pte, ctx->level) != HYP_PTE_LEAF)
        return false;
    *first = hyp_pgt_target(pgt, ctx->pte, ctx->level).v >> pgt->page_shift;
    *count = UINT64_C(1) << (ctx->level * hyp_index_bits(pgt->page_shift));
    return true;
}

static enum hyp_err count_leaf(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct leaf_search *search = arg;
    hyp_pfn_t first;
    uint64_t count;

    if (leaf_pages(search, ctx, &first, &count) && search->pfn - first < count &&
        hyp_state_of_pte(ctx->pte) == search->state)
        search->found++;
    return HYP_OK;
}

static enum hyp_err walk_guest(struct leaf_search *search,
                               enum hyp_err (*visit)(void *, const struct hyp_visit_ctx *))
{
    struct hyp_visitor visitor = {visit, search, HYP_VISIT_LEAF};

    return hyp_pgt_walk(&search->vm->pgt, (hyp_ia_t){0}, UINT64_C(1) << search->vm->pgt.ia_bits,
                        &visitor);
}

/* The guest of a slot if it has a table, else NULL. */
static const struct hyp_vm *guest_of_slot(const struct hyp *hyp, unsigned int slot)
{
    return hyp_vm_find(hyp, (hyp_handle_t)(HYP_HANDLE_BASE + slot));
}

static uint64_t guest_leaves(const struct hyp *hyp, hyp_pfn_t pfn, enum hyp_page_state state)
{
    struct leaf_search search = {.hyp = hyp, .pfn = pfn, .state = state};
    unsigned int slot;

    for (slot = 0; slot < hyp->vm_count; slot++) {
        search.vm = guest_of_slot(hyp, slot);
        if (search.vm && walk_guest(&search, count_leaf) != HYP_OK)
            return UINT64_MAX;
    }
    return search.found;
}

/* ---- one page ---- */

static bool host_entry_is_lazy(const struct page_view *view)
{
    return view->host_kind == HYP_PTE_EMPTY ||
           (view->host_kind == HYP_PTE_LEAF &&
            hyp_pgt_prot(&view->hyp->host.pgt, view->host_pte) == HYP_PROT_RWX);
}

static bool host_entry_names(const struct page_view *view, enum hyp_owner owner)
{
    return view->host_kind == HYP_PTE_NOTE &&
           hyp_field_get(view->host_note, HYP_NOTE_TYPE_MASK) == HYP_NOTE_DONATED &&
           hyp_field_get(view->host_note, HYP_NOTE_OWNER) == (uint64_t)owner;
}

static const char *check_owned(const struct page_view *view)
{
    const struct hyp_page *page = view->page;

    if (hyp_page_hyp_state(page) != HYP_PAGE_NOPAGE)
        return "host owns, but the hypervisor has a claim";
    if (page->borrower || page->share_count || page->refcount)
        return "host owns, but sharers or references are left";
    if (!host_entry_is_lazy(view))
        return "host owns, but its entry is not what a fault would make";
    return view->s1_pte ? "host owns, but the hypervisor maps it" : NULL;
}

static const char *check_lent(const struct page_view *view)
{
    const struct hyp_page *page = view->page;
    bool to_hyp = page->borrower == HYP_BORROWER_HYP;
    bool to_guest = page->borrower == HYP_BORROWER_GUEST;
    uint64_t sharers = to_guest ? guest_leaves(view->hyp, view->pa.v >> view->hyp->page_shift,
                                               HYP_PAGE_SHARED_BORROWED)
                                : 0;

    if (!to_hyp && !to_guest && page->borrower != HYP_BORROWER_FFA)
        return "host shares, but not with exactly one party";
    if (hyp_page_hyp_state(page) != (to_hyp ? HYP_PAGE_SHARED_BORROWED : HYP_PAGE_NOPAGE))
        return "host shares, and the hypervisor's state does not say the same";
    if (page->share_count != sharers || (to_guest && !sharers))
        return "share count is not the number of guests that map the page";
    if ((view->s1_pte != 0) != (page->refcount != 0) || (page->refcount && !to_hyp))
        return "pinned is not the same as mapped by the hypervisor";
    return host_entry_is_lazy(view) ? NULL : "host shares, but its entry is foreign";
}

static const char *check_borrowed(const struct page_view *view)
{
    if (hyp_page_hyp_state(view->page) != HYP_PAGE_NOPAGE || view->s1_pte)
        return "guest shares with the host, but the hypervisor has a claim";
    if (!host_entry_is_lazy(view))
        return "guest shares with the host, but the host's entry is foreign";
    if (guest_leaves(view->hyp, view->pa.v >> view->hyp->page_shift, HYP_PAGE_SHARED_OWNED) != 1)
        return "host borrows, but not from exactly one guest";
    return NULL;
}

struct private_search {
    const struct hyp *hyp;
    hyp_pa_t pa;
    bool found;
};

static enum hyp_err find_private(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct private_search *search = arg;
    const struct hyp_pgt *pgt = &search->hyp->s1;

    if (hyp_pgt_kind(pgt, ctx->pte, ctx->level) == HYP_PTE_LEAF &&
        search->pa.v - hyp_pgt_target(pgt, ctx->pte, ctx->level).v <
            hyp_level_size(pgt->page_shift, ctx->level))
        search->found = true;
    return HYP_OK;
}

static bool is_private(const struct hyp *hyp, hyp_pa_t pa)
{
    struct private_search search = {hyp, pa, false};
    struct hyp_visitor visitor = {find_private, &search, HYP_VISIT_LEAF};
    uint64_t size = hyp->private_cursor - hyp->layout.private_base;

    return size &&
           hyp_pgt_walk(&hyp->s1, (hyp_ia_t){hyp->layout.private_base}, size, &visitor) == HYP_OK &&
           search.found;
}

static const char *check_hyps(const struct page_view *view)
{
    const struct hyp_pgt *s1 = &view->hyp->s1;

    if (!view->s1_pte && !is_private(view->hyp, view->pa))
        return "hypervisor owns, but does not map";
    if (view->s1_pte && (hyp_pgt_prot(s1, view->s1_pte) & HYP_PROT_PX)) {
        bool readable = view->host_kind == HYP_PTE_LEAF &&
                        hyp_pgt_prot(&view->hyp->host.pgt, view->host_pte) == HYP_PROT_R;

        return readable ? NULL : "hypervisor's text is not readable by the host, or is writable";
    }
    return host_entry_names(view, HYP_OWNER_HYP) ? NULL
                                                 : "hypervisor owns, and the host's entry does "
                                                   "not say so";
}

static const char *check_guests(const struct page_view *view)
{
    uint64_t gfn = hyp_field_get(view->host_note, HYP_NOTE_GFN);
    const struct hyp *hyp = view->hyp;
    struct hyp_guest_leaf leaf;
    const struct hyp_vm *vm;
    hyp_pa_t pa;

    if (!host_entry_names(view, HYP_OWNER_GUEST) || view->s1_pte)
        return "no party owns the page";
    vm = hyp_vm_find(hyp, (hyp_handle_t)hyp_field_get(view->host_note, HYP_NOTE_HANDLE));
    if (!vm || hyp_guest_page_at(hyp, vm, gfn, &leaf, &pa) != HYP_OK || pa.v != view->pa.v ||
        leaf.state != HYP_GUEST_OWNED)
        return "host's entry names a guest that does not own the page";
    return NULL;
}

static const char *check_page(const struct hyp *hyp, hyp_pfn_t pfn)
{
    struct page_view view = {
        .hyp = hyp, .page = hyp_pages_at(hyp, pfn), .pa = hyp_pfn_pa(hyp, pfn)};
    unsigned int level;
    uint64_t pte;

    view.host_pte = hyp_pgt_leaf(&hyp->host.pgt, (hyp_ia_t){view.pa.v}, &level);
    view.host_kind = hyp_pgt_kind(&hyp->host.pgt, view.host_pte, level);
    view.host_note = hyp_pgt_note(&hyp->host.pgt, view.host_pte);
    if (view.host_kind == HYP_PTE_LEAF &&
        hyp_pgt_target(&hyp->host.pgt, view.host_pte, level).v !=
            hyp_align_down(view.pa.v, hyp_level_size(hyp->page_shift, level)))
        return "host's entry is not the identity";
    pte = hyp_pgt_leaf(&hyp->s1, hyp_ia_from_va(hyp_linear_va(hyp, view.pa)), &level);
    if (hyp_pgt_kind(&hyp->s1, pte, level) == HYP_PTE_LEAF) {
        view.s1_pte = pte;
        if (hyp_pgt_target(&hyp->s1, pte, level).v !=
            hyp_align_down(view.pa.v, hyp_level_size(hyp->page_shift, level)))
            return "hypervisor's linear map is not linear";
    }
    switch (hyp_page_host_state(view.page)) {
    case HYP_PAGE_OWNED:
        return check_owned(&view);
    case HYP_PAGE_SHARED_OWNED:
        return check_lent(&view);
    case HYP_PAGE_SHARED_BORROWED:
        return check_borrowed(&view);
    case HYP_PAGE_NOPAGE:
        break;
    }
    if (hyp_page_hyp_state(view.page) == HYP_PAGE_OWNED)
        return check_hyps(&view);
    if (hyp_page_hyp_state(view.page) != HYP_PAGE_NOPAGE)
        return "hypervisor borrows what the host does not have";
    return check_guests(&view);
}

/* ---- the other direction: every leaf of every guest is justified ---- */

static const char *check_leaf_page(const struct leaf_search *search, hyp_pfn_t pfn, uint64_t pte,
                                   uint64_t gfn)
{
    const struct hyp *hyp = search->hyp;
    const struct hyp_page *page = hyp_pages_at(hyp, pfn);
    const struct hyp_pgt *host = &hyp->host.pgt;
    unsigned int level;
    uint64_t note =
        hyp_pgt_note(host, hyp_pgt_leaf(host, (hyp_ia_t){pfn << hyp->page_shift}, &level));

    switch (hyp_state_of_pte(pte)) {
    case HYP_PAGE_OWNED:
        if (page->host_state != HYP_PAGE_NOPAGE ||
            (note & HYP_NOTE_PAYLOAD_MASK) != hyp_note_of_guest(search->vm, gfn))
            return "guest maps as its own what the host's table does not give it";
        return NULL;
    case HYP_PAGE_SHARED_OWNED:
        return page->host_state == HYP_PAGE_SHARED_BORROWED
                   ? NULL
                   : "guest shares with a host that does not borrow";
    case HYP_PAGE_SHARED_BORROWED:
        return page->host_state == HYP_PAGE_SHARED_OWNED && page->borrower == HYP_BORROWER_GUEST
                   ? NULL
                   : "guest borrows what the host does not share with guests";
    case HYP_PAGE_NOPAGE:
        break;
    }
    return "guest maps a page that it says it does not have";
}

static enum hyp_err visit_leaf(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct leaf_search *search = arg;
    hyp_pfn_t first;
    uint64_t count, i;

    if (!leaf_pages(search, ctx, &first, &count))
        return HYP_OK;
    for (i = 0; i < count; i++) {
        if (first + i - search->pfn >= search->count)
            continue;
        search->violation->what = check_leaf_page(search, first + i, ctx->pte,
                                                  (ctx->ia.v >> search->hyp->page_shift) + i);
        search->violation->pfn = first + i;
        if (search->violation->what)
            return HYP_EPERM;
    }
    return HYP_OK;
}

bool hyp_check(const struct hyp *hyp, hyp_pfn_t pfn, uint64_t count,
               struct hyp_violation *violation)
{
    struct leaf_search search = {.hyp = hyp, .pfn = pfn, .count = count, .violation = violation};
    unsigned int slot;
    uint64_t i;

    for (i = 0; i < count; i++) {
        *violation = (struct hyp_violation){check_page(hyp, pfn + i), pfn + i};
        if (violation->what)
            return false;
    }
    for (slot = 0; slot < hyp->vm_count; slot++) {
        search.vm = guest_of_slot(hyp, slot);
        if (search.vm && walk_guest(&search, visit_leaf) != HYP_OK)
            return false;
    }
    return true;
}
