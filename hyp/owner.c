/* SPDX-License-Identifier: MIT */
/*
 * Transitions between host, hypervisor and secure world. Guests are in owner_guest.c and
 * owner_pvm.c, the invariant that all of them keep is in owner_check.c.
 *
 * Each function is: range checks, locks, state checks, then changes that cannot fail. The one thing
 * that can fail late is a table page; it is asked for first, and what was done for it is undone.
 */
#include "hyp/hyp_priv.h"

#define HOST_AND_HYP (HYP_LOCK_HOST | HYP_LOCK_HYP)

/* ---- states of a run of pages ---- */

static bool all_host_owned(const struct hyp_page *page, uint64_t count)
{
    uint64_t i;

    for (i = 0; i < count; i++) {
        if (page[i].host_state != HYP_PAGE_OWNED || page[i].hyp_state_compl)
            return false;
    }
    return true;
}

static void set_states(struct hyp_page *page, uint64_t count, enum hyp_page_state host,
                       enum hyp_page_state hyp)
{
    uint64_t i;

    for (i = 0; i < count; i++) {
        hyp_page_set_host_state(&page[i], host);
        hyp_page_set_hyp_state(&page[i], hyp);
    }
}

static bool is_borrowed_by_hyp(const struct hyp_page *page)
{
    return page->host_state == HYP_PAGE_SHARED_OWNED &&
           page->hyp_state_compl == (HYP_PAGE_SHARED_BORROWED ^ HYP_PAGE_NOPAGE);
}

/* ---- share and unshare with the hypervisor ---- */

enum hyp_err hyp_host_share_hyp(struct hyp *hyp, hyp_pfn_t pfn)
{
    enum hyp_err err = hyp_check_ram_pages(hyp, pfn, 1);
    struct hyp_page *page;

    if (err)
        return err;
    page = hyp_pages_at(hyp, pfn);
    hyp_locks_take(hyp, HOST_AND_HYP, 0);
    if (HYP_LIKELY(all_host_owned(page, 1))) {
        set_states(page, 1, HYP_PAGE_SHARED_OWNED, HYP_PAGE_SHARED_BORROWED);
        page->borrower = HYP_BORROWER_HYP;
        hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HOST_SHARE_HYP, hyp_pfn_pa(hyp, pfn),
                 hyp_page_size(hyp));
    } else {
        err = HYP_EPERM;
    }
    hyp_locks_drop(hyp, HOST_AND_HYP, 0);
    return err;
}

enum hyp_err hyp_host_unshare_hyp(struct hyp *hyp, hyp_pfn_t pfn)
{
    enum hyp_err err = hyp_check_ram_pages(hyp, pfn, 1);
    struct hyp_page *page;

    if (err)
        return err;
    page = hyp_pages_at(hyp, pfn);
    hyp_locks_take(hyp, HOST_AND_HYP, 0);
    if (HYP_UNLIKELY(!is_borrowed_by_hyp(page))) {
        err = HYP_EPERM;
    } else if (HYP_UNLIKELY(page->refcount)) {
        err = HYP_EBUSY;
    } else {
        set_states(page, 1, HYP_PAGE_OWNED, HYP_PAGE_NOPAGE);
        page->borrower = 0;
        hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HOST_UNSHARE_HYP, hyp_pfn_pa(hyp, pfn),
                 hyp_page_size(hyp));
    }
    hyp_locks_drop(hyp, HOST_AND_HYP, 0);
    return err;
}

/* ---- pins ---- */

static void unpin_page(struct hyp *hyp, hyp_pfn_t pfn)
{
    struct hyp_page *page = hyp_pages_at(hyp, pfn);
    enum hyp_err err = HYP_OK;

    HYP_ASSERT(hyp->port, page->refcount);
    if (--page->refcount == 0)
        err = hyp_pgt_unmap(&hyp->s1, hyp_ia_from_va(hyp_linear_va(hyp, hyp_pfn_pa(hyp, pfn))),
                            hyp_page_size(hyp), NULL);
    HYP_ASSERT(hyp->port, err == HYP_OK);
}

static enum hyp_err pin_page(struct hyp *hyp, hyp_pfn_t pfn)
{
    struct hyp_page *page = hyp_pages_at(hyp, pfn);
    hyp_pa_t pa = hyp_pfn_pa(hyp, pfn);
    enum hyp_err err = HYP_OK;

    if (!page->refcount)
        err = hyp_pgt_map(&hyp->s1, hyp_ia_from_va(hyp_linear_va(hyp, pa)), hyp_page_size(hyp), pa,
                          HYP_PROT_RW | hyp_prot_of_state(HYP_PAGE_SHARED_BORROWED), NULL);
    if (err == HYP_OK)
        page->refcount++;
    return err;
}

static enum hyp_err check_pinnable(const struct hyp_page *page, uint64_t count)
{
    bool saturated = false;
    uint64_t i;

    for (i = 0; i < count; i++) {
        if (!is_borrowed_by_hyp(&page[i]))
            return HYP_EPERM;
        saturated |= page[i].refcount == UINT16_MAX;
    }
    return saturated ? HYP_EBUSY : HYP_OK;
}

enum hyp_err hyp_pin(struct hyp *hyp, hyp_pa_t from, hyp_pa_t to)
{
    hyp_pfn_t pfn = from.v >> hyp->page_shift;
    uint64_t count = from.v < to.v ? ((to.v - 1) >> hyp->page_shift) + 1 - pfn : 0;
    enum hyp_err err = hyp_check_ram_pages(hyp, pfn, count);
    uint64_t done = 0;

    if (err)
        return err;
    hyp_locks_take(hyp, HOST_AND_HYP, 0);
    err = check_pinnable(hyp_pages_at(hyp, pfn), count);
    while (!err && done < count) {
        err = pin_page(hyp, pfn + done);
        done += !err;
    }
    while (err && done)
        unpin_page(hyp, pfn + --done);
    hyp_locks_drop(hyp, HOST_AND_HYP, 0);
    return err;
}

void hyp_unpin(struct hyp *hyp, hyp_pa_t from, hyp_pa_t to)
{
    hyp_pfn_t pfn = from.v >> hyp->page_shift;
    hyp_pfn_t end = ((to.v - 1) >> hyp->page_shift) + 1;

    hyp_locks_take(hyp, HOST_AND_HYP, 0);
    for (; pfn < end; pfn++)
        unpin_page(hyp, pfn);
    hyp_locks_drop(hyp, HOST_AND_HYP, 0);
}

/* ---- donation ---- */

/* Whatever part of a range is mapped goes; unmapping stops at the first page that is not. */
static void s1_undo(struct hyp *hyp, hyp_pa_t pa, uint64_t size)
{
    enum hyp_err err = hyp_pgt_unmap(&hyp->s1, hyp_ia_from_va(hyp_linear_va(hyp, pa)), size, NULL);

    HYP_ASSERT(hyp->port, err == HYP_OK || err == HYP_EINVAL);
}

enum hyp_err hyp_donate_hyp_locked(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    hyp_pa_t pa = hyp_pfn_pa(hyp, pfn);
    uint64_t size = count << hyp->page_shift;
    enum hyp_err err;

    if (!all_host_owned(hyp_pages_at(hyp, pfn), count))
        return HYP_EPERM;
    err = hyp_host_annotate(hyp, pa, size, hyp_note_of_hyp());
    if (err)
        return err;
    err =
        hyp_pgt_map(&hyp->s1, hyp_ia_from_va(hyp_linear_va(hyp, pa)), size, pa, HYP_PROT_RW, NULL);
    if (HYP_UNLIKELY(err)) {
        s1_undo(hyp, pa, size);
        hyp_host_forget(hyp, pa, size);
        return err;
    }
    set_states(hyp_pages_at(hyp, pfn), count, HYP_PAGE_NOPAGE, HYP_PAGE_OWNED);
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HOST_DONATE_HYP, pa, size);
    return HYP_OK;
}

enum hyp_err hyp_host_donate_hyp(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    enum hyp_err err = hyp_check_ram_pages(hyp, pfn, count);

    if (err)
        return err;
    hyp_locks_take(hyp, HOST_AND_HYP, 0);
    err = hyp_donate_hyp_locked(hyp, pfn, count);
    hyp_locks_drop(hyp, HOST_AND_HYP, 0);
    return err;
}

static enum hyp_err check_only_hyps(const struct hyp_page *page, uint64_t count)
{
    bool referenced = false;
    uint64_t i;

    for (i = 0; i < count; i++) {
        if (hyp_page_hyp_state(&page[i]) != HYP_PAGE_OWNED || page[i].host_state != HYP_PAGE_NOPAGE)
            return HYP_EPERM;
        referenced |= page[i].refcount != 0;
    }
    return referenced ? HYP_EBUSY : HYP_OK;
}

enum hyp_err hyp_donate_host_locked(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    struct hyp_page *page = hyp_pages_at(hyp, pfn);
    hyp_pa_t pa = hyp_pfn_pa(hyp, pfn);
    uint64_t size = count << hyp->page_shift;
    enum hyp_err err = check_only_hyps(page, count);
    uint64_t i;

    if (err)
        return err;
    err = hyp_pgt_unmap(&hyp->s1, hyp_ia_from_va(hyp_linear_va(hyp, pa)), size, NULL);
    HYP_ASSERT(hyp->port, err == HYP_OK);
    /* The host reads descriptors of its pages as "zero is the plain case": leave nothing behind. */
    for (i = 0; i < count; i++)
        page[i] = (struct hyp_page){0};
    hyp_host_give_back(hyp, pa, size);
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HYP_DONATE_HOST, pa, size);
    return HYP_OK;
}

enum hyp_err hyp_hyp_donate_host(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    enum hyp_err err;

    if (!hyp_pa_range_valid(hyp, pfn, count))
        return HYP_EINVAL;
    /* Only RAM has descriptors; what is no RAM, or spans regions, is not the hypervisor's. */
    if (hyp_check_ram_pages(hyp, pfn, count))
        return HYP_EPERM;
    hyp_locks_take(hyp, HOST_AND_HYP, 0);
    err = hyp_donate_host_locked(hyp, pfn, count);
    hyp_locks_drop(hyp, HOST_AND_HYP, 0);
    return err;
}

/* ---- secure world ---- */

enum hyp_err hyp_host_share_ffa(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    enum hyp_err err = hyp_check_ram_pages(hyp, pfn, count);
    struct hyp_page *page;
    uint64_t i;

    if (err)
        return err;
    page = hyp_pages_at(hyp, pfn);
    hyp_locks_take(hyp, HYP_LOCK_HOST, 0);
    if (!all_host_owned(page, count))
        err = HYP_EPERM;
    for (i = 0; !err && i < count; i++) {
        hyp_page_set_host_state(&page[i], HYP_PAGE_SHARED_OWNED);
        page[i].borrower = HYP_BORROWER_FFA;
    }
    if (!err)
        hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HOST_SHARE_FFA, hyp_pfn_pa(hyp, pfn),
                 count << hyp->page_shift);
    hyp_locks_drop(hyp, HYP_LOCK_HOST, 0);
    return err;
}

static bool all_borrowed_by_ffa(const struct hyp_page *page, uint64_t count)
{
    uint64_t i;

    for (i = 0; i < count; i++) {
        if (page[i].host_state != HYP_PAGE_SHARED_OWNED || page[i].borrower != HYP_BORROWER_FFA)
            return false;
    }
    return true;
}

enum hyp_err hyp_host_unshare_ffa(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    enum hyp_err err = hyp_check_ram_pages(hyp, pfn, count);
    struct hyp_page *page;
    uint64_t i;

    if (err)
        return err;
    page = hyp_pages_at(hyp, pfn);
    hyp_locks_take(hyp, HYP_LOCK_HOST, 0);
    if (!all_borrowed_by_ffa(page, count))
        err = HYP_EPERM;
    for (i = 0; !err && i < count; i++) {
        hyp_page_set_host_state(&page[i], HYP_PAGE_OWNED);
        page[i].borrower = 0;
    }
    if (!err)
        hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HOST_UNSHARE_FFA, hyp_pfn_pa(hyp, pfn),
                 count << hyp->page_shift);
    hyp_locks_drop(hyp, HYP_LOCK_HOST, 0);
    return err;
}
