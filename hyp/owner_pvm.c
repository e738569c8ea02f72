/* SPDX-License-Identifier: MIT */
/*
 * Transitions with protected guests: the host gives pages away, the guest may lend them back, and
 * the hypervisor takes them from a dying guest, or by force from a living one when the host's
 * kernel has stumbled over one and cannot recover otherwise.
 */
#include "hyp/hyp_priv.h"

#define HOST_AND_GUEST (HYP_LOCK_HOST | HYP_LOCK_GUEST)

/* ---- donation ---- */

static enum hyp_err donate_guest_locked(struct hyp *hyp, struct hyp_vcpu *vcpu, hyp_pfn_t pfn,
                                        uint64_t gfn)
{
    struct hyp_page *page = hyp_pages_at(hyp, pfn);
    struct hyp_vm *vm = vcpu->vm;
    hyp_pa_t pa = hyp_pfn_pa(hyp, pfn);
    uint64_t size = hyp_page_size(hyp);
    enum hyp_err err;

    if (page->host_state != HYP_PAGE_OWNED)
        return HYP_EPERM;
    if (!hyp_gfn_range_valid(hyp, vm, gfn, 1))
        return HYP_ERANGE;
    if (hyp_guest_leaf_at(hyp, vm, gfn).state != HYP_GUEST_NOPAGE)
        return HYP_EPERM;
    if (vcpu->mc.count < hyp_vcpu_refill_min(vcpu))
        return HYP_ENOMEM;
    err = hyp_host_annotate(hyp, pa, size, hyp_note_of_guest(vm, gfn));
    if (err)
        return err;
    err = hyp_pgt_map(&vm->pgt, hyp_gfn_ia(hyp, gfn), size, pa,
                      HYP_PROT_RWX | hyp_prot_of_state(HYP_PAGE_OWNED), &vcpu->mc);
    HYP_ASSERT(hyp->port, err == HYP_OK);
    hyp_page_set_host_state(page, HYP_PAGE_NOPAGE);
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_HOST_DONATE_GUEST, pa, size);
    return HYP_OK;
}

enum hyp_err hyp_host_donate_guest(struct hyp *hyp, struct hyp_vcpu *vcpu, hyp_pfn_t pfn,
                                   uint64_t gfn)
{
    enum hyp_err err;

    if (!vcpu->vm->is_protected)
        return HYP_EPERM;
    err = hyp_check_ram_pages(hyp, pfn, 1);
    if (err)
        return err;
    hyp_locks_take(hyp, HOST_AND_GUEST, vcpu->vm->slot);
    err = donate_guest_locked(hyp, vcpu, pfn, gfn);
    hyp_locks_drop(hyp, HOST_AND_GUEST, vcpu->vm->slot);
    return err;
}

/* ---- the guest lends to the host, and takes back ---- */

/* Only the software bits of the guest's entry change: no TLB maintenance is due. */
static void set_guest_state(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn,
                            const struct hyp_guest_leaf *leaf, hyp_pa_t pa,
                            enum hyp_page_state state)
{
    hyp_prot_t prot = hyp_pgt_prot(&vm->pgt, leaf->pte) & ~HYP_PROT_SW_MASK;
    enum hyp_err err = hyp_pgt_map(&vm->pgt, hyp_gfn_ia(hyp, gfn), hyp_page_size(hyp), pa,
                                   prot | hyp_prot_of_state(state), NULL);

    HYP_ASSERT(hyp->port, err == HYP_OK);
}

static enum hyp_err guest_share_locked(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn)
{
    struct hyp_guest_leaf leaf;
    struct hyp_page *page;
    hyp_pa_t pa;
    enum hyp_err err = hyp_guest_page_at(hyp, vm, gfn, &leaf, &pa);

    if (err)
        return err;
    page = hyp_page_of(&hyp->vmemmap, pa);
    if (leaf.state != HYP_GUEST_OWNED || page->host_state != HYP_PAGE_NOPAGE)
        return HYP_EPERM;
    set_guest_state(hyp, vm, gfn, &leaf, pa, HYP_PAGE_SHARED_OWNED);
    hyp_page_set_host_state(page, HYP_PAGE_SHARED_BORROWED);
    hyp_host_give_back(hyp, pa, hyp_page_size(hyp));
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_GUEST_SHARE_HOST, pa, hyp_page_size(hyp));
    return HYP_OK;
}

enum hyp_err hyp_guest_share_host(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn)
{
    enum hyp_err err;

    hyp_locks_take(hyp, HOST_AND_GUEST, vm->slot);
    err = guest_share_locked(hyp, vm, gfn);
    hyp_locks_drop(hyp, HOST_AND_GUEST, vm->slot);
    return err;
}

static enum hyp_err guest_unshare_locked(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn)
{
    struct hyp_guest_leaf leaf;
    struct hyp_page *page;
    hyp_pa_t pa;
    enum hyp_err err = hyp_guest_page_at(hyp, vm, gfn, &leaf, &pa);

    if (err)
        return err;
    page = hyp_page_of(&hyp->vmemmap, pa);
    if (leaf.state != HYP_GUEST_SHARED_OWNED || page->host_state != HYP_PAGE_SHARED_BORROWED)
        return HYP_EPERM;
    err = hyp_host_annotate(hyp, pa, hyp_page_size(hyp), hyp_note_of_guest(vm, gfn));
    if (err)
        return err;
    set_guest_state(hyp, vm, gfn, &leaf, pa, HYP_PAGE_OWNED);
    hyp_page_set_host_state(page, HYP_PAGE_NOPAGE);
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_GUEST_UNSHARE_HOST, pa, hyp_page_size(hyp));
    return HYP_OK;
}

enum hyp_err hyp_guest_unshare_host(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn)
{
    enum hyp_err err;

    hyp_locks_take(hyp, HOST_AND_GUEST, vm->slot);
    err = guest_unshare_locked(hyp, vm, gfn);
    hyp_locks_drop(hyp, HOST_AND_GUEST, vm->slot);
    return err;
}

/* ---- reclaim ---- */

static enum hyp_err reclaim_locked(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn)
{
    struct hyp_guest_leaf leaf;
    hyp_pa_t pa;
    enum hyp_err err = hyp_guest_page_at(hyp, vm, gfn, &leaf, &pa);

    if (err == HYP_EHWPOISON)
        return HYP_OK; /* the host has had it back since the page was taken by force */
    if (err)
        return err;
    if (leaf.state != HYP_GUEST_OWNED && leaf.state != HYP_GUEST_SHARED_OWNED)
        return HYP_EPERM;
    err = hyp_pgt_unmap(&vm->pgt, hyp_gfn_ia(hyp, gfn), hyp_page_size(hyp), NULL);
    HYP_ASSERT(hyp->port, err == HYP_OK);
    if (leaf.state == HYP_GUEST_OWNED) {
        hyp_fixmap_wipe(hyp, pa);
        hyp_host_give_back(hyp, pa, hyp_page_size(hyp));
    }
    hyp_page_set_host_state(hyp_page_of(&hyp->vmemmap, pa), HYP_PAGE_OWNED);
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_RECLAIM_GUEST, pa, hyp_page_size(hyp));
    return HYP_OK;
}

enum hyp_err hyp_reclaim_guest_page(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn)
{
    enum hyp_err err;

    hyp_locks_take(hyp, HOST_AND_GUEST, vm->slot);
    err = reclaim_locked(hyp, vm, gfn);
    hyp_locks_drop(hyp, HOST_AND_GUEST, vm->slot);
    return err;
}

/* ---- by force ---- */

/* Which guest has a page, by the note in the host's table. */
static enum hyp_err find_owner(struct hyp *hyp, hyp_pa_t pa, struct hyp_vm **vm, uint64_t *gfn)
{
    unsigned int level;
    uint64_t pte = hyp_pgt_leaf(&hyp->host.pgt, (hyp_ia_t){pa.v}, &level);
    uint64_t note = hyp_pgt_note(&hyp->host.pgt, pte);

    if (hyp_field_get(note, HYP_NOTE_TYPE_MASK) != HYP_NOTE_DONATED ||
        hyp_field_get(note, HYP_NOTE_OWNER) != HYP_OWNER_GUEST)
        return HYP_EPERM;
    *vm = hyp_vm_find(hyp, (hyp_handle_t)hyp_field_get(note, HYP_NOTE_HANDLE));
    *gfn = hyp_field_get(note, HYP_NOTE_GFN);
    return *vm ? HYP_OK : HYP_EAGAIN;
}

static enum hyp_err poison_locked(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn, hyp_pa_t pa)
{
    struct hyp_guest_leaf leaf;
    hyp_pa_t mapped;
    enum hyp_err err = hyp_guest_page_at(hyp, vm, gfn, &leaf, &mapped);

    if (err)
        return err;
    if (mapped.v != pa.v || leaf.state != HYP_GUEST_OWNED)
        return HYP_EPERM;
    /* The guest may be running: it loses the page before it is wiped. */
    err = hyp_pgt_annotate(&vm->pgt, hyp_gfn_ia(hyp, gfn), hyp_page_size(hyp), HYP_NOTE_POISONED, 0,
                           NULL);
    HYP_ASSERT(hyp->port, err == HYP_OK);
    hyp_fixmap_wipe(hyp, pa);
    hyp_host_give_back(hyp, pa, hyp_page_size(hyp));
    hyp_page_set_host_state(hyp_page_of(&hyp->vmemmap, pa), HYP_PAGE_OWNED);
    hyp_tell(hyp, HYP_EV_TRANSITION, HYP_TR_FORCE_RECLAIM, pa, hyp_page_size(hyp));
    return HYP_OK;
}

static enum hyp_err force_reclaim_locked(struct hyp *hyp, hyp_pa_t pa)
{
    struct hyp_vm *vm;
    uint64_t gfn;
    enum hyp_err err;

    if (hyp_page_of(&hyp->vmemmap, pa)->host_state != HYP_PAGE_NOPAGE)
        return HYP_EAGAIN;
    err = find_owner(hyp, pa, &vm, &gfn);
    if (err)
        return err;
    hyp_locks_take(hyp, HYP_LOCK_GUEST, vm->slot);
    err = poison_locked(hyp, vm, gfn, pa);
    hyp_locks_drop(hyp, HYP_LOCK_GUEST, vm->slot);
    return err;
}

enum hyp_err hyp_force_reclaim(struct hyp *hyp, hyp_pa_t pa)
{
    unsigned int set = HYP_LOCK_VM_TABLE | HYP_LOCK_HOST;
    enum hyp_err err;

    pa.v = hyp_align_down(pa.v, hyp_page_size(hyp));
    if (hyp_check_ram_pages(hyp, pa.v >> hyp->page_shift, 1))
        return HYP_EFAULT;
    hyp_locks_take(hyp, set, 0);
    err = force_reclaim_locked(hyp, pa);
    hyp_locks_drop(hyp, set, 0);
    return err;
}

int hyp_vcpu_in_poison_fault(struct hyp *hyp, const struct hyp_vcpu *vcpu)
{
    uint64_t gfn = vcpu->fault_ipa.v >> hyp->page_shift;
    struct hyp_guest_leaf leaf;

    if (vcpu->cpu == HYP_CPU_NONE || !hyp_arch_fault_is_translation(hyp, vcpu->fault_esr) ||
        !hyp_gfn_range_valid(hyp, vcpu->vm, gfn, 1))
        return HYP_EINVAL;
    hyp_locks_take(hyp, HYP_LOCK_GUEST, vcpu->vm->slot);
    leaf = hyp_guest_leaf_at(hyp, vcpu->vm, gfn);
    hyp_locks_drop(hyp, HYP_LOCK_GUEST, vcpu->vm->slot);
    return leaf.state == HYP_GUEST_POISONED && leaf.level == 0;
}
