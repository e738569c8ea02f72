/* SPDX-License-Identifier: MIT */
/*
 * Who owns which page: the state machine, one function for each edge.
 *
 * Parties: host, hypervisor, guests, and the secure world (FF-A). The states of host and hypervisor
 * are in the page descriptor, a guest's state is in the software bits of its leaf entry. A page
 * that is not the host's has an annotation in the host's stage 2 that names the owner.
 *
 *                        host             hyp               guest             host stage 2
 *   host owns            OWNED            NOPAGE            NOPAGE            lazy
 *   shared with hyp      SHARED_OWNED     SHARED_BORROWED   NOPAGE            lazy
 *   shared with FF-A     SHARED_OWNED     NOPAGE            NOPAGE            lazy
 *   shared with guests   SHARED_OWNED     NOPAGE            SHARED_BORROWED   lazy
 *   hypervisor owns      NOPAGE           OWNED             NOPAGE            note: hyp
 *   guest owns           NOPAGE           NOPAGE            OWNED             note: guest, handle,
 * gfn guest shares         SHARED_BORROWED  NOPAGE            SHARED_OWNED      mapped RWX taken by
 * force       OWNED            NOPAGE            poisoned          lazy
 *
 * Every function checks in the order in which its comment lists the errors, returns the first that
 * applies, and has changed nothing then; mappings that a fault would rebuild do not count as state.
 * Each takes the locks it needs, in the order of enum hyp_lock. `RAM` below stands for: the range
 * lies inside one region (HYP_EINVAL) that is usable RAM (HYP_EPERM). `PA` stands for: not empty,
 * and below the end of the physical address space (HYP_EINVAL).
 *
 * pfn and gfn count granules. A refused allocation is HYP_ENOMEM.
 */
#ifndef HYP_OWNER_H
#define HYP_OWNER_H

#include <hyp/pgtable.h>

struct hyp;
struct hyp_vm;
struct hyp_vcpu;

/* Owners named by annotations of the host's stage 2. */
enum hyp_owner { HYP_OWNER_HOST = 0, HYP_OWNER_HYP = 1, HYP_OWNER_GUEST = 2 };

/* Fields of the payload of a HYP_NOTE_DONATED annotation. */
#define HYP_NOTE_OWNER  HYP_MASK(3, 1)
#define HYP_NOTE_HANDLE HYP_MASK(19, 4)
#define HYP_NOTE_GFN    HYP_MASK(59, 20)

/* Transitions, as reported in hyp_event.level of HYP_EV_TRANSITION. */
enum hyp_transition {
    HYP_TR_HOST_SHARE_HYP,
    HYP_TR_HOST_UNSHARE_HYP,
    HYP_TR_HOST_DONATE_HYP,
    HYP_TR_HYP_DONATE_HOST,
    HYP_TR_HOST_SHARE_FFA,
    HYP_TR_HOST_UNSHARE_FFA,
    HYP_TR_HOST_SHARE_GUEST,
    HYP_TR_HOST_UNSHARE_GUEST,
    HYP_TR_HOST_DONATE_GUEST,
    HYP_TR_GUEST_SHARE_HOST,
    HYP_TR_GUEST_UNSHARE_HOST,
    HYP_TR_RECLAIM_GUEST,
    HYP_TR_FORCE_RECLAIM,
    HYP_TR_COUNT
};

/* ---- host and hypervisor ---- */

/* RAM; host OWNED, hyp NOPAGE (HYP_EPERM). No table is written. */
HYP_MUST_USE enum hyp_err hyp_host_share_hyp(struct hyp *hyp, hyp_pfn_t pfn);
/* RAM; host SHARED_OWNED, hyp SHARED_BORROWED (HYP_EPERM); not pinned (HYP_EBUSY). */
HYP_MUST_USE enum hyp_err hyp_host_unshare_hyp(struct hyp *hyp, hyp_pfn_t pfn);
/*
 * Pins every page that [from, to) touches. RAM; host SHARED_OWNED, hyp SHARED_BORROWED (HYP_EPERM);
 * reference count saturated (HYP_EBUSY). The first pin of a page maps it RW in hyp stage 1.
 */
HYP_MUST_USE enum hyp_err hyp_pin(struct hyp *hyp, hyp_pa_t from, hyp_pa_t to);
/* Reverses one hyp_pin of the same range; the last unpin unmaps, with TLBI. Not pinned: panics. */
void hyp_unpin(struct hyp *hyp, hyp_pa_t from, hyp_pa_t to);
/*
 * PA; RAM; all host OWNED, all hyp NOPAGE (HYP_EPERM). The host's entries become annotations, by
 * break-before-make; hyp stage 1 maps the range RW by pages. One walk of each table for the range.
 */
HYP_MUST_USE enum hyp_err hyp_host_donate_hyp(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count);
/*
 * PA; all hyp OWNED, all host NOPAGE (HYP_EPERM); no references (HYP_EBUSY). Hyp stage 1 is
 * unmapped with TLBI, the host gets the range RWX, by blocks where it covers them and the policy
 * allows it. The contents are the hypervisor's business: it wipes what must not be seen before the
 * call.
 */
HYP_MUST_USE enum hyp_err hyp_hyp_donate_host(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count);

/* ---- secure world ---- */

/* PA; RAM; all host OWNED (HYP_EPERM). */
HYP_MUST_USE enum hyp_err hyp_host_share_ffa(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count);
/* PA; RAM; all host SHARED_OWNED, and with the secure world (HYP_EPERM). */
HYP_MUST_USE enum hyp_err hyp_host_unshare_ffa(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count);

/* ---- host and guests that are not protected ---- */

/*
 * Not protected (HYP_EPERM); `prot` within RWX, PA, `count` 1 or one block of level 1 with pfn and
 * gfn aligned to it (HYP_EINVAL); RAM; gfn in range (HYP_ERANGE); guest NOPAGE (HYP_EPERM); host
 * OWNED or already shared with guests (HYP_EPERM), its share count not saturated (HYP_EBUSY);
 * memcache holds what a walk may need (HYP_ENOMEM).
 */
HYP_MUST_USE enum hyp_err hyp_host_share_guest(struct hyp *hyp, struct hyp_vcpu *vcpu,
                                               hyp_pfn_t pfn, uint64_t gfn, uint64_t count,
                                               hyp_prot_t prot);
/*
 * Not protected (HYP_EPERM); size rule as above (HYP_EINVAL); mapped (HYP_ENOENT), by one leaf of
 * this size (HYP_E2BIG); guest SHARED_BORROWED, host SHARED_OWNED (HYP_EPERM). The last sharer's
 * leave returns the page to OWNED.
 */
HYP_MUST_USE enum hyp_err hyp_host_unshare_guest(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn,
                                                 uint64_t count);
/* Protected vm (HYP_EPERM); prot within RWX (HYP_EINVAL); nothing mapped (HYP_EAGAIN). Local TLBI.
 */
HYP_MUST_USE enum hyp_err hyp_guest_relax(struct hyp *hyp, struct hyp_vcpu *vcpu, uint64_t gfn,
                                          hyp_prot_t prot);
/* Protected vm (HYP_EPERM); size rule (HYP_EINVAL). Pages that are not mapped are skipped. */
HYP_MUST_USE enum hyp_err hyp_guest_wrprotect(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn,
                                              uint64_t count);
/* As above; *young tells whether the range was accessed. No TLBI. */
HYP_MUST_USE enum hyp_err hyp_guest_test_clear_young(struct hyp *hyp, struct hyp_vm *vm,
                                                     uint64_t gfn, uint64_t count, bool clear,
                                                     bool *young);
HYP_MUST_USE enum hyp_err hyp_guest_mkyoung(struct hyp *hyp, struct hyp_vcpu *vcpu, uint64_t gfn);

/* ---- host and protected guests ---- */

/* Protected (HYP_EPERM); RAM; host OWNED (HYP_EPERM); gfn in range (HYP_ERANGE); guest NOPAGE and
 * not poisoned (HYP_EPERM); memcache (HYP_ENOMEM). The page becomes the guest's, RWX; the host's
 * entry names handle and gfn. */
HYP_MUST_USE enum hyp_err hyp_host_donate_guest(struct hyp *hyp, struct hyp_vcpu *vcpu,
                                                hyp_pfn_t pfn, uint64_t gfn);
/* Poisoned (HYP_EHWPOISON); mapped (HYP_ENOENT); by a page (HYP_E2BIG); guest OWNED and host NOPAGE
 * (HYP_EPERM). The guest's entry changes in its software bits only; the host gets a mapping. */
HYP_MUST_USE enum hyp_err hyp_guest_share_host(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn);
/* The same lookups; guest SHARED_OWNED and host SHARED_BORROWED (HYP_EPERM). */
HYP_MUST_USE enum hyp_err hyp_guest_unshare_host(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn);
/*
 * Takes one page of a dying guest back (the caller has made sure that it is dying). Poisoned:
 * HYP_OK, nothing to do; mapped (HYP_ENOENT); by a page (HYP_E2BIG); guest OWNED or SHARED_OWNED
 * (HYP_EPERM). A page that the guest had to itself is wiped and cleaned to the point of coherency
 * first.
 */
HYP_MUST_USE enum hyp_err hyp_reclaim_guest_page(struct hyp *hyp, struct hyp_vm *vm, uint64_t gfn);
/*
 * The host touched a guest's page and cannot repair that: the page is taken by force. Not RAM
 * (HYP_EFAULT); host has it (HYP_EAGAIN); owner is not a guest (HYP_EPERM), or is gone
 * (HYP_EAGAIN); guest lookups as above; guest OWNED (HYP_EPERM). Wiped; the guest's entry becomes a
 * poison note.
 */
HYP_MUST_USE enum hyp_err hyp_force_reclaim(struct hyp *hyp, hyp_pa_t pa);
/* 1 if the saved translation fault of the loaded vCPU is on a poisoned page, 0 if not; otherwise
 * HYP_EINVAL. The ipa is the saved one, never the host's word. */
int hyp_vcpu_in_poison_fault(struct hyp *hyp, const struct hyp_vcpu *vcpu);

/* ---- invariants ---- */

/* What a check found first; `what` is NULL when all is well. */
struct hyp_violation {
    const char *what;
    hyp_pfn_t pfn;
};

/*
 * The whole state machine as one invariant: for every page of [pfn, pfn + count), which must be
 * RAM, descriptor, host entry, hyp stage 1 entry and the entries of all guests agree with one row
 * of the table at the top; and every leaf of every guest that points into the range is justified by
 * it. Takes no lock; slow. Returns true when all agree.
 */
bool hyp_check(const struct hyp *hyp, hyp_pfn_t pfn, uint64_t count,
               struct hyp_violation *violation);

#endif
