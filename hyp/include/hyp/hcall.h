/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of the host: numbers, arguments, and the two gates.
 *
 * Before protected mode is live (booted, all CPUs finalised) only the early calls are accepted,
 * afterwards only the others; anything else returns HYP_HCALL_NOT_SUPPORTED and does nothing.
 * Calls for guests that are not protected refuse protected ones with HYP_EINVAL, and the reverse.
 */
#ifndef HYP_HCALL_H
#define HYP_HCALL_H

#include <hyp/hyp.h>

#define HYP_HCALL_NOT_SUPPORTED (-1)
#define HYP_HCALL_ARGS          6

enum hyp_hcall {
    /* early */
    HYP_HCALL_BOOT,          /* () */
    HYP_HCALL_PRIVATE_MAP,   /* (pa, size, prot): va, for device memory only */
    HYP_HCALL_PROT_FINALIZE, /* () on each CPU */
    /* runtime */
    HYP_HCALL_HOST_SHARE_HYP,         /* (pfn) */
    HYP_HCALL_HOST_UNSHARE_HYP,       /* (pfn) */
    HYP_HCALL_HOST_DONATE_HYP,        /* (pfn, count) */
    HYP_HCALL_HOST_SHARE_GUEST,       /* (pfn, gfn, count, prot) for the loaded vCPU */
    HYP_HCALL_HOST_UNSHARE_GUEST,     /* (handle, gfn, count) */
    HYP_HCALL_GUEST_RELAX,            /* (gfn, prot) for the loaded vCPU */
    HYP_HCALL_GUEST_WRPROTECT,        /* (handle, gfn, count) */
    HYP_HCALL_GUEST_TEST_CLEAR_YOUNG, /* (handle, gfn, count, clear): 0 or 1 */
    HYP_HCALL_GUEST_MKYOUNG,          /* (gfn) for the loaded vCPU */
    HYP_HCALL_HOST_DONATE_GUEST,      /* (pfn, gfn) for the loaded vCPU */
    HYP_HCALL_FORCE_RECLAIM,          /* (pa) */
    HYP_HCALL_VCPU_IN_POISON_FAULT,   /* () for the loaded vCPU: 0 or 1 */
    HYP_HCALL_VM_RESERVE,             /* (): handle */
    HYP_HCALL_VM_UNRESERVE,           /* (handle) */
    HYP_HCALL_VM_INIT,           /* (handle, protected | ipa_bits << 8, meta, pages, pgd, pages) */
    HYP_HCALL_VCPU_INIT,         /* (handle, meta) */
    HYP_HCALL_VCPU_LOAD,         /* (handle, index) */
    HYP_HCALL_VCPU_PUT,          /* () */
    HYP_HCALL_VCPU_REFILL,       /* (head, count, min): new head and count in args 0 and 1 */
    HYP_HCALL_VM_START_TEARDOWN, /* (handle) */
    HYP_HCALL_VM_RECLAIM_PAGE,   /* (handle, gfn) */
    HYP_HCALL_VM_FINALIZE,       /* (handle): head and count of the given-back pages in args 0, 1 */
    HYP_HCALL_COUNT
};

#define HYP_HCALL_FIRST_RUNTIME HYP_HCALL_HOST_SHARE_HYP

/* One hypercall, made on a CPU. `args` beyond those of the call are ignored. */
int64_t hyp_hcall(struct hyp *hyp, unsigned int cpu, uint64_t id, uint64_t args[HYP_HCALL_ARGS]);

#endif
