/* SPDX-License-Identifier: MIT */
/*
 * Stage 2 of the host: a lazy identity map.
 *
 * Nothing is mapped until the host touches it. An abort maps the largest block that lies inside one
 * region of RAM, or inside one gap between regions (device memory). Ownership is not kept here but
 * in the page descriptors; the table holds only what must stop an access: an entry of a page that
 * is not the host's is invalid and carries an annotation that names the owner. Everything else may
 * be dropped at any time and comes back by a fault.
 */
#ifndef HYP_HOST_H
#define HYP_HOST_H

#include <hyp/pgtable.h>

struct hyp;

#define HYP_REGIONS_MAX 128

/* One range of RAM. Regions are sorted, disjoint, and granule aligned. */
struct hyp_region {
    hyp_pa_t base;
    uint64_t size;
    bool nomap; /* RAM that no one may share or donate (firmware's); the host may access it */
};

/* When a mapping of the host must be made of pages although a block would fit. */
enum hyp_force_page {
    HYP_FORCE_BY_PROT, /* unless it is exactly what the fault handler would make: the 2021 rule */
    HYP_FORCE_ALWAYS,
    HYP_FORCE_NEVER,
};

/* Whether a range that once held a table can be mapped by a block again. */
enum hyp_rebuild {
    HYP_REBUILD_LAZY,  /* as the kernel: only when a single give-back covers the whole block */
    HYP_REBUILD_EAGER, /* a give-back that leaves no foreign page under a block rebuilds the block
                        */
    HYP_REBUILD_NEVER, /* a table stays a table */
};

struct hyp_host_policy {
    enum hyp_force_page force_page;
    enum hyp_rebuild rebuild;
    unsigned int max_block_level; /* largest leaf: 0 pages, 1 = 2 MiB, 2 = 1 GiB with 4K granule */
};

struct hyp_host {
    struct hyp_pgt pgt;
    struct hyp_pool pool;   /* table pages; what is in use: see hyp_host_tables_used() */
    uint64_t vtcr;          /* VTCR_EL2; x86: EPTP */
    hyp_prot_t device_prot; /* of what is not RAM: RW, and on x86 uncacheable */
    struct hyp_host_policy policy;
    unsigned int region_count;
    struct hyp_region regions[HYP_REGIONS_MAX];
};

/*
 * The part of the host's state that an abort brings along and an injection changes. `spsr` and
 * `elr` are those of EL2: where the host was. `vbar` and `sctlr` are read only.
 */
struct hyp_host_regs {
    uint64_t spsr;     /* in: SPSR_EL2; out: PSTATE with which the host continues */
    uint64_t elr;      /* in: ELR_EL2; out: address at which the host continues */
    uint64_t vbar;     /* in: VBAR_EL1 */
    uint64_t sctlr;    /* in: SCTLR_EL1 */
    uint64_t esr_el1;  /* out, on injection only */
    uint64_t far_el1;  /* out, on injection only */
    uint64_t elr_el1;  /* out, on injection only */
    uint64_t spsr_el1; /* out, on injection only */
};

struct hyp_abort {
    uint64_t esr; /* ESR_EL2 */
    uint64_t far; /* FAR_EL2 */
    hyp_ipa_t ipa;
    /*
     * HPFAR_EL2 is not valid for every fault (DDI 0487 D17.2.64); the caller then finds the ipa by
     * AT S1E1R. False: that translation failed, the access is to be retried.
     */
    bool ipa_valid;
};

enum hyp_host_outcome {
    HYP_HOST_MAPPED,   /* a mapping was made: run the access again */
    HYP_HOST_SPURIOUS, /* already mapped, or the ipa is unknown: run the access again */
    HYP_HOST_INJECTED, /* the page is not the host's: `regs` now enter the host's own vector */
};

/*
 * A stage-2 abort of the host on arm64. Takes the host lock. RAM is mapped RWX, everything else RW;
 * want of table pages drops all device mappings and tries once more, a second failure panics. A
 * permission fault is always injected: no mapping of this map can cure it. TLB maintenance: that of
 * a first mapping, or of dropping device mappings.
 */
enum hyp_host_outcome hyp_host_abort(struct hyp *hyp, const struct hyp_abort *abort,
                                     struct hyp_host_regs *regs);

/* An EPT violation of the host, as the exit tells it. */
struct hyp_ept_exit {
    uint64_t qualification; /* SDM vol. 3, table 28-7; hyp/ept.h */
    hyp_ipa_t gpa;
    hyp_va_t linear; /* means nothing where the qualification says so */
    uint8_t cpl;     /* 0 for an implicit supervisor access, whatever the CPL is */
    /* EFER.NXE or CR4.SMEP of the host: error codes of fetches have bit 4. */
    bool tells_fetch;
};

/* What the host gets for it: the exception that VM entry is to deliver. CR2 is the caller's to
 * write, VM entry does not load it. */
struct hyp_host_exception {
    uint8_t vector; /* #PF, or #GP */
    uint32_t code;
    hyp_va_t cr2; /* of #PF */
};

/*
 * The twin of hyp_host_abort() on x86; `exception` is written when the outcome is an injection.
 *
 * A page that is not the host's is a #PF of one that is not present (P = 0): the host's tables say
 * otherwise, so it knows that stage 2 has spoken. A right that the map does not give is one with
 * P = 1, and always injected. W, U and I are of the access; of one that stage 2 stopped on the way
 * through the host's tables, only U is known, and it is told as a read. Without a linear address
 * there is no #PF: #GP(0), as for a load of PDPTEs that cannot be used.
 */
enum hyp_host_outcome hyp_host_violation(struct hyp *hyp, const struct hyp_ept_exit *exit,
                                         struct hyp_host_exception *exception);

/*
 * The same for a plain translation fault, on either machine and without registers. Injected means
 * "not the host's", and nothing else has been done: the caller delivers what it has for it.
 */
enum hyp_host_outcome hyp_host_touch(struct hyp *hyp, hyp_ipa_t ipa);

/*
 * What an injection does (spec: DDI 0487 D1.4 exception entry): the abort becomes one of the same
 * level if it came from EL1, ESR_EL1 gets bit 7 (S1PTW) as a marker that hardware never sets, FAR,
 * ELR and SPSR of EL1 are written, and the host continues at its synchronous vector in EL1h with
 * DAIF masked. `mte`: FEAT_MTE is there, PSTATE.TCO is set.
 */
void hyp_host_inject(const struct hyp_abort *abort, struct hyp_host_regs *regs, bool mte);

/* The region that holds pa, or NULL; [*start, *end) is then that region, else the gap around pa. */
const struct hyp_region *hyp_host_region(const struct hyp_host *host, uint64_t pa, uint64_t *start,
                                         uint64_t *end);
/* HYP_EINVAL unless [pa, pa + size) lies in one region or gap; HYP_EPERM unless that is usable RAM.
 */
HYP_MUST_USE enum hyp_err hyp_host_check_ram(const struct hyp_host *host, uint64_t pa,
                                             uint64_t size);

/* The host's stage-2 entry of an ipa, and its level. No lock: for dumps and checks. */
uint64_t hyp_host_leaf(const struct hyp *hyp, hyp_ipa_t ipa, unsigned int *level);
/* Table pages in use by the host's stage 2, the root included. */
uint64_t hyp_host_tables_used(const struct hyp *hyp);

#endif
