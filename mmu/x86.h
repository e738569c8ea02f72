/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x86 in the hardware model: registers, syndromes and invalidations of the regime MMU_X86.
 *
 * 4- and 5-level paging with PCIDs, and Intel's EPT (or AMD's nested paging) below it. One regime
 * serves the host and each guest of a CPU: mmu_set_x86() is the switch between them. A request has
 * el 0 for user mode (CPL 3) and 1 for supervisor mode. Written from the Intel SDM, volume 3,
 * chapters "Paging", "Caching Translation Information" and "VMX Support for Address Translation".
 *
 * Results (mmu/mmu.h): a fault of stage 1 is #PF, or #GP for MMU_FAULT_NONCANONICAL; one of stage 2
 * is an EPT misconfiguration for MMU_FAULT_MISCONFIG, else an EPT violation. `ipa` is the
 * guest-physical address, `attr` the memory type in PAT encoding (0 UC, 1 WC, 4 WT, 5 WP, 6 WB,
 * 7 UC-), `s1ptw` says that the access was one to a guest paging structure.
 */
#ifndef MMU_X86_H
#define MMU_X86_H

#include "mmu/mmu.h"

/* ---- architectural state ---- */

#define MMU_X86_CR0_WP (UINT64_C(1) << 16)
#define MMU_X86_CR0_PG (UINT64_C(1) << 31)

#define MMU_X86_CR3_NOFLUSH (UINT64_C(1) << 63) /* of the operand; ignored by mmu_set_x86() */

#define MMU_X86_CR4_PAE   (UINT64_C(1) << 5)
#define MMU_X86_CR4_PGE   (UINT64_C(1) << 7)
#define MMU_X86_CR4_LA57  (UINT64_C(1) << 12)
#define MMU_X86_CR4_PCIDE (UINT64_C(1) << 17)
#define MMU_X86_CR4_SMEP  (UINT64_C(1) << 20)
#define MMU_X86_CR4_SMAP  (UINT64_C(1) << 21)

#define MMU_X86_EFER_LMA (UINT64_C(1) << 10)
#define MMU_X86_EFER_NXE (UINT64_C(1) << 11)

#define MMU_X86_EPTP_LEVELS(n) ((uint64_t)((n)-1) << 3)
#define MMU_X86_EPTP_AD        (UINT64_C(1) << 6)
#define MMU_X86_EPTP_WB        UINT64_C(6)

#define MMU_X86_PAT_RESET UINT64_C(0x0007040600070406)

struct mmu_x86_regs {
    /* Paging is off without CR0.PG; with it, long mode (CR4.PAE, EFER.LMA) is taken as given. */
    uint64_t cr0, cr3, cr4, efer, pat;
    uint64_t eptp;   /* with `ept`: EPTP; with `npt`: nCR3 */
    bool ept;        /* the CPU runs a guest over EPT */
    bool npt;        /* ... over AMD nested paging; excludes `ept` */
    bool ac;         /* EFLAGS.AC: lifts SMAP */
    uint16_t vpid;   /* 0: the host, or VPIDs off; with `npt` the ASID */
    uint8_t pa_bits; /* MAXPHYADDR of the hardware, for both stages */
    bool pages_1g;   /* stage 1 has 1G pages (CPUID) */
    bool ept_xo;     /* IA32_VMX_EPT_VPID_CAP[0]: execute-only */
    bool ept_1g;     /* [17]: 1G leaves; 2M leaves are taken as given */
    /* [7]; an EPTP of 5 levels without it is as one of a reserved length. With `npt`: CR4.LA57 of
     * the host, the depth of the nested tables. */
    bool ept_5level;
    bool ept_advanced; /* [22]: qualification bits 9 to 11 */
};

/* Register state of one CPU, regime MMU_X86. Nothing cached is lost: MOV to CR3 and CR4 and VM
 * transitions that flush are operations of mmu_x86_invalidate(), for the caller to issue. A
 * reserved EPTP (which fails VM entry) makes every stage-2 walk fail with MMU_FAULT_MISCONFIG. */
void mmu_set_x86(struct mmu *mmu, unsigned int cpu, const struct mmu_x86_regs *regs);

/* ---- syndromes ---- */

#define MMU_X86_PF_P    UINT64_C(0x01)
#define MMU_X86_PF_W    UINT64_C(0x02)
#define MMU_X86_PF_U    UINT64_C(0x04)
#define MMU_X86_PF_RSVD UINT64_C(0x08)
#define MMU_X86_PF_I    UINT64_C(0x10)

/* Error code of the #PF for a fault of stage 1; CR2 is request->va. */
uint64_t mmu_x86_pf_code(const struct mmu_request *request, const struct mmu_result *result);
/* Exit qualification of an EPT violation (bits 0 to 11); 0 for a misconfiguration, which has none.
 * The guest-physical address is result->ipa, the guest linear address request->va (bit 7 is always
 * set: no access of the model is without one). */
uint64_t mmu_x86_qualification(const struct mmu_request *request, const struct mmu_result *result);
/* EXITINFO1 of a nested page fault (`npt`). */
uint64_t mmu_x86_exitinfo1(const struct mmu_request *request, const struct mmu_result *result);
/* The violation may be delivered as #VE: bit 63 is clear in the entry that is not present, or in
 * the leaf. The other conditions (controls, CR0.PE, the word at +4) are the caller's. */
bool mmu_x86_convertible(const struct mmu_result *result);

/* ---- invalidation ---- */

enum mmu_x86_op {
    MMU_X86_INVLPG,         /* start; pcid is the current one: it, and globals of any PCID */
    MMU_X86_INVPCID_ADDR,   /* type 0: start and pcid, not globals */
    MMU_X86_INVPCID_ONE,    /* type 1: pcid, not globals */
    MMU_X86_INVPCID_ALL,    /* type 2: every PCID, and globals */
    MMU_X86_INVPCID_ALL_NG, /* type 3: every PCID, not globals */
    MMU_X86_MOV_CR3,        /* bit 63 clear: the new pcid, not globals */
    MMU_X86_MOV_CR3_KEEP,   /* bit 63 set: nothing */
    MMU_X86_CR4_GLOBAL,     /* PGE changed, or PCIDE cleared: every PCID, and globals */
    MMU_X86_CR4_PCID,       /* PAE changed, or SMEP set: what was made under pcid */
    MMU_X86_VM_TRANSITION,  /* VM entry or exit without VPIDs: all of VPID 0 */
    MMU_X86_INVVPID_ADDR,   /* type 0: start of vpid, every PCID, and globals */
    MMU_X86_INVVPID_ONE,    /* type 1: vpid */
    MMU_X86_INVVPID_ALL,    /* type 2: every VPID but 0 */
    MMU_X86_INVVPID_ONE_NG, /* type 3: vpid, not globals */
    MMU_X86_INVEPT_ONE,     /* type 1: combined and guest-physical of eptp, any VPID and PCID */
    MMU_X86_INVEPT_ALL,     /* type 2 */
    /* What a fault itself removes; mmu_translate() does this, nobody has to ask for it. */
    MMU_X86_PAGE_FAULT,    /* start under vpid, pcid and eptp, and globals */
    MMU_X86_EPT_VIOLATION, /* the same, and guest-physical of `gpa` and eptp */
    MMU_X86_INVLPGA,       /* AMD: start of the ASID `vpid`, every PCID, and globals */
    MMU_X86_TLB_CONTROL_1, /* AMD: everything, every ASID */
    MMU_X86_TLB_CONTROL_3, /* AMD: the ASID `vpid` */
    MMU_X86_TLB_CONTROL_7, /* AMD: the ASID `vpid`, not globals */
    MMU_X86_OP_COUNT
};

struct mmu_x86_inval {
    uint8_t op; /* enum mmu_x86_op */
    /* All CPUs: what software gets from interrupting each of them; the cost is the caller's. */
    bool broadcast;
    uint8_t cpu;
    uint16_t vpid;  /* current VPID (0 in the host), or that of the operand */
    uint16_t pcid;  /* current, new or operand's, as the operation says; 0 without CR4.PCIDE */
    uint64_t start; /* linear address, any byte of the page */
    uint64_t gpa;
    uint64_t eptp; /* only bits 51:12 count (EPTRTA); 0, which no EPTP is: stage 2 off */
};

/* Removes what the operation gives and nothing else, structure caches included. Operands are not
 * checked: a #GP, #UD or VMfail is the caller's business. */
void mmu_x86_invalidate(struct mmu *mmu, const struct mmu_x86_inval *inval);

#endif
