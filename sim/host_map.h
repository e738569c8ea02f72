/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host kernel's own stage-1 tables, in simulated memory: 48-bit addresses, one root for kernel
 * addresses (TTBR1) and one for user addresses (TTBR0).
 *
 * Written from the Arm manual (DDI 0487 D8.3 "Translation table descriptor formats"), apart from
 * the core's encoder and the model's decoder. Nothing here flushes a TLB or charges a cycle: it
 * says what was written and the caller accounts for it. Table pages come from a range of physical
 * memory that the recorded machine did not have.
 */
#ifndef SIM_HOST_MAP_H
#define SIM_HOST_MAP_H

#include <hyp/addr.h>
#include <stdio.h>

#include "sim/ram.h"

struct host_map {
    struct sim_ram *ram;
    hyp_pa_t cursor, end; /* table pages not used yet */
    hyp_pa_t kernel_root, user_root;
    unsigned int page_shift; /* 12, 14 or 16; x86: 12 */
    bool x86;
    bool no_globals; /* x86: kernel entries are not global */
    uint64_t nr;     /* x86: the address bit that means "not readable"; 0: none does */
};

/* Attributes of a leaf. */
enum {
    HOST_MAP_DEVICE = 1,
    HOST_MAP_USER = 2,
    HOST_MAP_CONTIG = 4,
    HOST_MAP_CODE = 8, /* the kernel's own */
    HOST_MAP_READONLY = 16,
};

/* False when [tables, tables_end) is too small to hold the two roots. */
bool host_map_init(struct host_map *map, struct sim_ram *ram, bool x86, unsigned int page_shift,
                   hyp_pa_t tables, hyp_pa_t tables_end);
/*
 * Maps one leaf of `level` (0 page, 1 2 MiB, 2 1 GiB; of 16K and 64K pages: 1 32 and 512 MiB). True
 * when an entry was there before; false also stands for "no table page left" with *full set.
 */
bool host_map_set(struct host_map *map, hyp_va_t va, hyp_pa_t pa, unsigned int level,
                  unsigned int attributes, bool *full);
/* The entry that covers va and its level; 0 when a table is absent. */
uint64_t host_map_leaf(const struct host_map *map, hyp_va_t va, unsigned int *level);
hyp_pa_t host_map_pa(const struct host_map *map, uint64_t leaf, unsigned int level);
/* Clears or sets the valid bit of a page; false when va is not mapped by a page. */
bool host_map_set_valid(struct host_map *map, hyp_va_t va, bool valid);
/* Replaces the block that covers va by a table of the next level; false when it is a page, absent,
 * or no table page is left. */
bool host_map_split(struct host_map *map, hyp_va_t va);
/* Pages of a run that has the contiguous hint; and its removal from the run around va: how many
 * entries had it. */
unsigned int host_map_contig(const struct host_map *map);
unsigned int host_map_unfold(struct host_map *map, hyp_va_t va);

/* Prints one root as the kernel's ptdump does: ranges of like entries. */
void host_map_dump(const struct host_map *map, bool user, FILE *out);

#endif
