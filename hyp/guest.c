/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls that a protected guest makes. Function numbers are those of Linux's vendor-specific
 * hypervisor service for memory sharing; the calling convention is Arm DEN 0028 (SMCCC).
 */
#include "hyp/hyp_priv.h"

/* Fast 64-bit calls of the vendor hypervisor service: bits 31, 30, and owner 6 in [29:24]. */
#define CALL_MEMINFO UINT64_C(0xc6000002)
#define CALL_SHARE   UINT64_C(0xc6000003)
#define CALL_UNSHARE UINT64_C(0xc6000004)

#define RET_SUCCESS           UINT64_C(0)
#define RET_INVALID_PARAMETER (~UINT64_C(0) - 2) /* -3 */

/* The host is to see a write of the guest to a page that is not there. */
static enum hyp_guest_exit ask_host_for_page(const struct hyp *hyp, struct hyp_vcpu *vcpu,
                                             struct hyp_guest_regs *regs)
{
    regs->pc -= hyp_arch_hcall_bytes(hyp);
    vcpu->fault_esr = hyp_arch_fault_of_write(hyp);
    vcpu->fault_ipa = hyp_ipa(regs->x[1]);
    return HYP_GUEST_TO_HOST;
}

static enum hyp_guest_exit answer(struct hyp_guest_regs *regs, uint64_t result)
{
    regs->x[0] = result;
    return HYP_GUEST_RESUME;
}

static enum hyp_guest_exit share_or_unshare(struct hyp *hyp, struct hyp_vcpu *vcpu,
                                            struct hyp_guest_regs *regs, bool share)
{
    uint64_t gfn = regs->x[1] >> hyp->page_shift;
    enum hyp_err err;

    if ((regs->x[1] & (hyp_page_size(hyp) - 1)) || regs->x[2] || regs->x[3])
        return answer(regs, RET_INVALID_PARAMETER);
    err = share ? hyp_guest_share_host(hyp, vcpu->vm, gfn)
                : hyp_guest_unshare_host(hyp, vcpu->vm, gfn);
    if (share && err == HYP_ENOENT)
        return ask_host_for_page(hyp, vcpu, regs);
    return answer(regs, err ? RET_INVALID_PARAMETER : RET_SUCCESS);
}

enum hyp_guest_exit hyp_guest_hcall(struct hyp *hyp, struct hyp_vcpu *vcpu,
                                    struct hyp_guest_regs *regs)
{
    if (!vcpu->vm->is_protected)
        return HYP_GUEST_TO_HOST;
    switch (regs->x[0]) {
    case CALL_MEMINFO:
        if (regs->x[1] || regs->x[2] || regs->x[3])
            return answer(regs, RET_INVALID_PARAMETER);
        return answer(regs, hyp_page_size(hyp));
    case CALL_SHARE:
        return share_or_unshare(hyp, vcpu, regs, true);
    case CALL_UNSHARE:
        return share_or_unshare(hyp, vcpu, regs, false);
    default:
        return HYP_GUEST_TO_HOST;
    }
}
