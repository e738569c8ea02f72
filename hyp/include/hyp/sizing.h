/* SPDX-License-Identifier: MIT */
/*
 * How much memory the hypervisor must be given at boot, so that it can never run out: tables for
 * the worst case (every page of RAM mapped by a page), descriptors, and a few fixed pieces.
 *
 * The formula is one; kernels differ in what they put into it, so those are parameters. All counts
 * are pages of the granule in use unless a name says bytes. Pure arithmetic.
 */
#ifndef HYP_SIZING_H
#define HYP_SIZING_H

#include <hyp/addr.h>

struct hyp_sizing_rules {
    unsigned int page_shift;
    unsigned int table_levels;    /* levels for which tables are provided */
    unsigned int descriptor_size; /* bytes of one page descriptor */
    bool descriptors_of_pool;     /* descriptors for the reserved pages only, not for all RAM */
    uint64_t private_bytes;       /* hyp stage 1: private mappings */
    uint64_t device_bytes;        /* host stage 2: device memory */
    uint64_t root_pages;          /* host stage 2: concatenated roots */
    uint64_t vm_slots, vm_slot_bytes;
    uint64_t ffa_mailboxes; /* one page each */
    uint64_t ffa_descriptor_bytes;
    uint64_t selftest_pages;
};

struct hyp_sizing {
    struct hyp_sizing_rules rules;
    uint64_t tables; /* tables that map all of RAM once */
    uint64_t hyp_s1, host_s2, vmemmap, vm_table, ffa, selftest;
    uint64_t pages;          /* sum of the line above */
    uint64_t reserved_bytes; /* the same, rounded up to a block of level 1 */
};

/* The rules of this core: as Linux 7.3, but with the size of struct hyp_page. */
struct hyp_sizing_rules hyp_sizing_rules(unsigned int page_shift);
/* begin, then add each region of RAM in ascending order, then end fills in the results. */
void hyp_sizing_begin(struct hyp_sizing *sizing, const struct hyp_sizing_rules *rules);
void hyp_sizing_add(struct hyp_sizing *sizing, hyp_pa_t base, uint64_t size);
void hyp_sizing_end(struct hyp_sizing *sizing);

#endif
