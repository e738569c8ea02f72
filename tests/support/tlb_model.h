/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An oracle for TLB maintenance: a port around a fake port, with a TLB that caches whatever it can,
 * whenever it can, and forgets only what an invalidation names: stage-2 entries by ipa and level,
 * combined entries only as a whole. A translation left in it that the table no longer gives is
 * stale; on arm64 a live entry that changed from valid to valid without a break between is
 * remembered too. EPT entries may change so; there INVEPT is the one invalidation.
 *
 * It watches a window of pages of one stage-2 table whose largest leaf is a block of level 1.
 */
#ifndef TESTS_SUPPORT_TLB_MODEL_H
#define TESTS_SUPPORT_TLB_MODEL_H

#include "tests/support/tables.h"

/* What may be broken on purpose, to see that the oracle notices. */
enum tlb_fault {
    TLB_FAULT_NONE,
    TLB_FAULT_NO_IPA_FLUSH,
    TLB_FAULT_NO_COMBINED_FLUSH,
    TLB_FAULT_NO_RANGE_FLUSH,
    TLB_FAULT_NO_VMID_FLUSH,
    TLB_FAULT_NO_BREAK, /* the invalid entry of break-before-make is never stored */
    TLB_FAULT_NO_INVEPT,
    TLB_FAULT_ENTRY, /* a stored entry loses a bit now and then */
};

/* Where a format has what the oracle looks at. */
struct tlb_bits {
    uint64_t valid;  /* any of them */
    uint64_t access; /* needed to be cached */
    uint64_t write, rights;
    uint64_t cpu;                  /* set by the CPU in a leaf that is mapped already */
    uint64_t page_set, page_clear; /* an entry of a block as one of a page */
    bool breaks;                   /* break-before-make */
};
extern const struct tlb_bits tlb_bits_arm64, tlb_bits_ept;

/* One page: its entry in page format, and the level of the leaf that gives it. */
struct tlb_cell {
    uint64_t pte;
    unsigned int level;
};

struct tlb_model {
    struct hyp_port port;
    struct hyp_port real;
    struct hyp_pgt *pgt;
    const struct tlb_bits *bits;
    uint64_t base, page, block;         /* window start; bytes */
    unsigned int count, per_block;      /* pages */
    struct tlb_cell *stage2, *combined; /* pte 0: not cached */
    uint64_t random;
    enum tlb_fault fault;
    unsigned int stores;
    bool broken; /* break-before-make violated, or an invalidation that makes no sense here */
};

/* Puts itself between the table and its port. */
void tlb_model_init(struct tlb_model *model, struct hyp_pgt *pgt, uint64_t base, unsigned int count,
                    enum tlb_fault fault);
void tlb_model_free(struct tlb_model *model);
uint64_t tlb_model_random(struct tlb_model *model);
/* The hardware looks at some pages. */
void tlb_model_speculate(struct tlb_model *model, unsigned int accesses);
/* What the table says about page `i` of the window. */
struct tlb_cell tlb_model_walk(const struct tlb_model *model, unsigned int i);
/* Nothing is stale and nothing was broken. Software bits and a cleared AF may linger. */
bool tlb_model_consistent(const struct tlb_model *model);

#endif
