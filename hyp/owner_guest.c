/* SPDX-License-Identifier: MIT */
/*
 * What every guest's table says about a page, and the transitions with guests that are not
 * protected: the host lends them pages, as many guests as it likes at once, and may change their
 * rights. Protected guests are in owner_pvm.c.
 */
#include "hyp/hyp_priv.h"

#define HOST_AND_GUEST (HYP_LOCK_HOST | HYP_LOCK_GUEST)

/* ---- lookups ---- */

struct hyp_guest_leaf hyp_guest_leaf_at(const struct hyp *hyp, const struct hyp_vm *vm,
                                        uint64_t gfn)
{
    struct hyp_guest_leaf leaf = {.state = HYP_GUEST_NOPAGE};

    leaf.pte = hyp_pgt_leaf(&vm->pgt, hyp_gfn_ia(hyp, gfn), &leaf.level);
    if (leaf.pte && hyp_pgt_kind(&vm->pgt, leaf.pte, leaf.level) == HYP_PTE_LEAF)
        leaf.state = (enum hyp_guest_state)hyp_state_of_pte(leaf.pte);
    else if (hyp_field_get(hyp_pgt_note(&vm->pgt, leaf.pte), HYP_NOTE_TYPE_MASK) ==
             HYP_NOTE_POISONED)
        leaf.state = HYP_GUEST_POISONED;
    return leaf;
}

enum hyp_err hyp_guest_page_at(const struct hyp *hyp, const struct hyp_vm *vm, uint64_t gfn,
                               struct hyp_guest_leaf *leaf, hyp_pa_t *pa)
{
    if (!hyp_gfn_range_valid(hyp, vm, gfn, 1))
        return HYP_ERANGE;
    *leaf = hyp_guest_leaf_at(hyp, vm, gfn);
    if (leaf->state == HYP_GUEST_POISONED)
        return HYP_EHWPOISON;
    if (leaf->state == HYP_GUEST_NOPAGE)
        return HYP_ENOENT;
    if (leaf->level)
        return HYP_E2BIG;
    *pa = hyp_pgt_target(&vm->pgt, leaf->pte, 0);
    return HYP_OK;
}

/* One page, or one block of level 1 of which every number given is a multiple. */
static bool size_is_legal(const struct hyp *hyp, uint64_t numbers, uint64_t count)
{
    uint64_t block = UINT64_C(1) << hyp_index_bits(hyp->page_shift);

    return count == 1 || (count == block && !(numbers & (block - 1)));
}

static bool guest_has_none(const struct hyp *hyp, const struct hyp_vm *vm, uint64_t gfn,
                           uint64_t count)
{
    uint64_t i = 0;

    while (i < count) {
        struct hyp_guest_leaf leaf = hyp_guest_leaf_at(hyp, vm, gfn + i);

        if (leaf.state != HYP_GUEST_NOPAGE)
            return false;
        /* An absent table answers for all that it would cover. */
        i += UINT64_C(1) << (leaf.level * hyp_index_bits(hyp->page_shift));
    }
    return true;
}

/* ---- share ---- */

/*
 * A block is 512 descriptors to look at and to change. Nearly always all of them say the same, that
 * the host has the page to itself or that just one guest borrows it, and nothing else; then they
 * are compared and stored as one word each.
 */
static const struct hyp_page plain_owned = {0};
static const struct hyp_page plain_lent = {
    .share_count = 1, .host_state = HYP_PAGE_SHARED_OWNED, .borrower = HYP_BORROWER_GUEST};

static inline uint64_t word_of(const struct hyp_page *page)
{
    return page->share_count | (uint64_t)page->states << 32;
}

static inline uint64_t differ(const struct hyp_page *page, const struct hyp_page *like)
{
    return word_of(page) ^ word_of(like);
}

static inline void set(struct hyp_page *page, const struct hyp_page *like)
{
    page->share_count = like->share_count;
    page->states = like->states;
}

/* Four at a time: one is so little that where its loop happens to lie would decide its speed. */
HYP_INLINE bool all_are(const struct hyp_page *page, uint64_t count, const struct hyp_page *like)
{
    uint64_t differences = 0;

    for (; count >= 4; page += 4, count -= 4)
        differences |= differ(&page[0], like) | differ(&page[1], like) | differ(&page[2], like) |
                       differ(&page[3], like);
    for (; count; page++, count--)
        differences |= differ(page, like);
    return !differences;
}

HYP_INLINE void become(struct hyp_page *page, uint64_t count, const struct hyp_page *like)
{
    for (; count >= 4; page += 4, count -= 4)
        set(&page[0], like), set(&page[1], like), set(&page[2], like), set(&page[3], like);
    for (; count; page++, count--)
        set(page, like);
}

static bool is_host_owned(const struct hyp_page *page)
{
    return page->host_state == HYP_PAGE_OWNED && !page->hyp_state_compl;
}

static bool is_lent(const struct hyp_page *page)
{
    return page->host_state == HYP_PAGE_SHARED_OWNED && page->borrower == HYP_BORROWER_GUEST;
}

static enum hyp_err check_lendable(const struct hyp_page *page, uint64_t count)
{
    bool saturated = false;
    uint64_t i;

    for (i = 0; i < count; i++) {
        if (is_host_owned(&page[i]))
            continue;
        if (!is_lent(&page[i]))
            return HYP_EPERM;
        saturated |= page[i].share_count == UINT32_MAX;
    }
    return saturated ? HYP_EBUSY : HYP_OK;
}

static void add_shares(struct hyp_page *page, uint64_t count)
{
    for (; count; page++, count--) {
        page->share_count++;
        page->borrower = HYP_BORROWER_GUEST;
        hyp_page_set_host_state(page, HYP_PAGE_SHARED_OWNED);
    }
}

static enum hyp_err share_guest_locked(struct hyp *hyp, struct hyp_vcpu *vcpu, hyp_pfn_t pfn,
                                       uint64_t gfn, uint64_t count, hyp_prot_t prot)
{
    struct hyp_page *page = hyp_pages_at(hyp, pfn);
    struct hyp_vm *vm = vcpu->vm;
    uint64_t size = count << hyp->page_shift;
    enum hyp_err err;
    bool plain = all_are(page, count, &plain_owned);

    if (!guest_has_none(hyp, vm, gfn, count))
        return HYP_EPERM;
    err = plain ? HYP_OK : check_lendable(page, count);
    if (err)
        return err;
    if (vcpu->mc.count < hyp_vcpu_refill_min(vcpu))
        return HYP_ENOMEM;
    err = hyp_pgt_map(&vm->pgt, hyp_gfn_ia(hyp, gfn), size, hyp_pfn_pa(hyp, pfn),
                      prot | hyp_prot_of_state(HYP_PAGE_SHARED_BORROWED), &vcpu->mc);
    if (err)
        return err;
    if (plain)
        become(page, count, &plain_lent);
    else
        add_shares(page, count);
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HOST_SHARE_GUEST, hyp_pfn_pa(hyp, pfn), size);
    return HYP_OK;
}

enum hyp_err hyp_host_share_guest(struct hyp *hyp, struct hyp_vcpu *vcpu, hyp_pfn_t pfn,
                                  uint64_t gfn, uint64_t count, hyp_prot_t prot)
{
    enum hyp_err err;

    if (vcpu->vm->is_protected)
        return HYP_EPERM;
    if ((prot & ~HYP_PROT_RWX) || !hyp_pa_range_valid(hyp, pfn, count) ||
        !size_is_legal(hyp, pfn | gfn, count))
        return HYP_EINVAL;
    err = hyp_check_ram_pages(hyp, pfn, count);
    if (err)
        return err;
    if (!hyp_gfn_range_valid(hyp, vcpu->vm, gfn, count))
        return HYP_ERANGE;
    hyp_locks_take(hyp, HOST_AND_GUEST, vcpu->vm->slot);
    err = share_guest_locked(hyp, vcpu, pfn, gfn, count, prot);
    hyp_locks_drop(hyp, HOST_AND_GUEST, vcpu->vm->slot);
    return err;
}

/* ---- unshare ---- */

/* Lent to guests says that a share count is not zero. */
static bool all_lent(const struct hyp_page *page, uint64_t count)
{
    for (; count; page++, count--) {
        if (!is_lent(page))
            return false;
    }
    return true;
}

static void drop_shares(struct hyp_page *page, uint64_t count)
{
    for (; count; page++, count--) {
        if (--page->share_count)
            continue;
        page->borrower = 0;
        hyp_page_set_host_state(page, HYP_PAGE_OWNED);
    }
}

static enum hyp_err unshare_guest_locked(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn,
                                         uint64_t count)
{
    struct hyp_guest_leaf leaf = hyp_guest_leaf_at(hyp, vm, gfn);
    uint64_t size = count << hyp->page_shift;
    struct hyp_page *page;
    enum hyp_err err;
    hyp_pa_t pa;
    bool plain;

    if (leaf.state == HYP_GUEST_NOPAGE || leaf.state == HYP_GUEST_POISONED)
        return HYP_ENOENT;
    if (hyp_level_size(hyp->page_shift, leaf.level) != size)
        return HYP_E2BIG;
    pa = hyp_pgt_target(&vm->pgt, leaf.pte, leaf.level);
    page = hyp_page_of(&hyp->vmemmap, pa);
    plain = all_are(page, count, &plain_lent);
    if (leaf.state != HYP_GUEST_SHARED_BORROWED || (!plain && !all_lent(page, count)))
        return HYP_EPERM;
    err = hyp_pgt_unmap(&vm->pgt, hyp_gfn_ia(hyp, gfn), size, NULL);
    HYP_ASSERT(hyp->port, err == HYP_OK);
    if (plain)
        become(page, count, &plain_owned);
    else
        drop_shares(page, count);
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HOST_UNSHARE_GUEST, pa, size);
    return HYP_OK;
}

enum hyp_err hyp_host_unshare_guest(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn,
                                    uint64_t count)
{
    enum hyp_err err;

    if (vm->is_protected)
        return HYP_EPERM;
    if (!size_is_legal(hyp, gfn, count))
        return HYP_EINVAL;
    if (!hyp_gfn_range_valid(hyp, vm, gfn, count))
        return HYP_ENOENT;
    hyp_locks_take(hyp, HOST_AND_GUEST, vm->slot);
    err = unshare_guest_locked(hyp, vm, gfn, count);
    hyp_locks_drop(hyp, HOST_AND_GUEST, vm->slot);
    return err;
}

/* ---- attributes ---- */

enum hyp_err hyp_guest_relax(struct hyp *hyp, struct hyp_vcpu *vcpu, uint64_t gfn, hyp_prot_t prot)
{
    struct hyp_vm *vm = vcpu->vm;
    enum hyp_err err;

    if (vm->is_protected)
        return HYP_EPERM;
    if (prot & ~HYP_PROT_RWX)
        return HYP_EINVAL;
    if (!hyp_gfn_range_valid(hyp, vm, gfn, 1))
        return HYP_ERANGE;
    hyp_locks_take(hyp, HYP_LOCK_GUEST, vm->slot);
    err = hyp_pgt_relax(&vm->pgt, hyp_gfn_ia(hyp, gfn), prot);
    hyp_locks_drop(hyp, HYP_LOCK_GUEST, vm->slot);
    return err;
}

static enum hyp_err check_attr_range(const struct hyp *hyp, const struct hyp_vm *vm, uint64_t gfn,
                                     uint64_t count)
{
    if (vm->is_protected)
        return HYP_EPERM;
    if (!size_is_legal(hyp, gfn, count))
        return HYP_EINVAL;
    return hyp_gfn_range_valid(hyp, vm, gfn, count) ? HYP_OK : HYP_ERANGE;
}

enum hyp_err hyp_guest_wrprotect(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn, uint64_t count)
{
    enum hyp_err err = check_attr_range(hyp, vm, gfn, count);

    if (err)
        return err;
    hyp_locks_take(hyp, HYP_LOCK_GUEST, vm->slot);
    err = hyp_pgt_wrprotect(&vm->pgt, hyp_gfn_ia(hyp, gfn), count << hyp->page_shift);
    hyp_locks_drop(hyp, HYP_LOCK_GUEST, vm->slot);
    return err == HYP_EAGAIN ? HYP_OK : err;
}

enum hyp_err hyp_guest_test_clear_young(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn,
                                        uint64_t count, bool clear, bool *young)
{
    enum hyp_err err = check_attr_range(hyp, vm, gfn, count);

    *young = false;
    if (err)
        return err;
    hyp_locks_take(hyp, HYP_LOCK_GUEST, vm->slot);
    err = hyp_pgt_test_clear_young(&vm->pgt, hyp_gfn_ia(hyp, gfn), count << hyp->page_shift, clear,
                                   young);
    hyp_locks_drop(hyp, HYP_LOCK_GUEST, vm->slot);
    return err == HYP_EAGAIN ? HYP_OK : err;
}

enum hyp_err hyp_guest_mkyoung(struct hyp *hyp, struct hyp_vcpu *vcpu, uint64_t gfn)
{
    struct hyp_vm *vm = vcpu->vm;
    enum hyp_err err = check_attr_range(hyp, vm, gfn, 1);

    if (err)
        return err;
    hyp_locks_take(hyp, HYP_LOCK_GUEST, vm->slot);
    hyp_pgt_mkyoung(&vm->pgt, hyp_gfn_ia(hyp, gfn));
    hyp_locks_drop(hyp, HYP_LOCK_GUEST, vm->slot);
    return HYP_OK;
}
