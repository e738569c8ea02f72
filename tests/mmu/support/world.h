/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small machine for the tests of the hardware model: flat memory, hand-made tables, a log of
 * stale uses. Descriptors are written as plain numbers here, from the manual, and share nothing
 * with mmu/.
 */
#ifndef TESTS_MMU_WORLD_H
#define TESTS_MMU_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mmu/fast.h"
#include "mmu/mmu.h"

#define WORLD_BYTES     (UINT64_C(64) << 20) /* memory answers at [0, WORLD_BYTES) */
#define WORLD_STALE_MAX 16u

struct world {
    uint64_t *words;
    uint64_t next; /* first address not yet handed out as a table */
    struct mmu *mmu;
    struct mmu_arm64_regs regs;
    struct mmu_stale stale[WORLD_STALE_MAX];
    unsigned int stale_count, swap_count, swap_refusals;
    bool frozen; /* updates succeed and change nothing */
};

/* Tables of one stage. Addresses in descriptors are physical + delta. */
struct tree {
    struct world *world;
    uint64_t root, delta;
    unsigned int page_shift, ia_bits, start_level;
    bool lpa2;
};

/* A machine without any cache: 1 CPU, 40-bit addresses, 4K granule. */
struct mmu_config world_bare_config(void);
/* One CPU with L1s, L2, walk and ipa cache, and distinct latencies for each thing that costs. */
struct mmu_config world_full_config(void);
/* Replaces the model, keeps memory and registers. */
void world_open(struct world *world, const struct mmu_config *config);
void world_close(struct world *world);

uint64_t world_alloc(struct world *world, uint64_t bytes);
uint64_t world_read(const struct world *world, uint64_t pa);
void world_write(struct world *world, uint64_t pa, uint64_t word);

void tree_init(struct tree *tree, struct world *world, unsigned int page_shift,
               unsigned int ia_bits, unsigned int start_level, uint64_t delta);
/* Physical address of the entry of `ia` at `level`, tables above it made where missing. */
uint64_t tree_slot(struct tree *tree, uint64_t ia, unsigned int level);
void tree_set(struct tree *tree, uint64_t ia, unsigned int level, uint64_t desc);
/* Identity plus offset over [ia, ia + size) with leaves of `level`. */
void tree_range(struct tree *tree, uint64_t ia, uint64_t size, unsigned int level, uint64_t out,
                uint64_t attrs);

/* Leaf attributes: valid, access flag set. */
#define S1_PAGE   UINT64_C(0x703) /* page; EL1 read-write, global, executable by both */
#define S1_BLOCK  UINT64_C(0x701)
#define S1_EL0    UINT64_C(0x40) /* AP[1] */
#define S1_RO     UINT64_C(0x80) /* AP[2] */
#define S1_NG     (UINT64_C(1) << 11)
#define S1_DBM    (UINT64_C(1) << 51)
#define S1_PXN    (UINT64_C(1) << 53)
#define S1_UXN    (UINT64_C(1) << 54)
#define S2_PAGE   UINT64_C(0x7ff) /* page; write-back, read-write, executable */
#define S2_BLOCK  UINT64_C(0x7fd)
#define S2_R      UINT64_C(0x40)
#define S2_W      UINT64_C(0x80)
#define S2_DBM    (UINT64_C(1) << 51)
#define DESC_AF   UINT64_C(0x400)
#define DESC_CONT (UINT64_C(1) << 52)

/* Registers for EL1&0: granule, sizes, and where the tables are. Stage 2 NULL: off. `s1` serves
 * both halves of the va space. */
void world_regs(struct world *world, const struct tree *s1, const struct tree *s2);
void world_set(struct world *world, enum mmu_regime regime); /* world->regs, on every CPU */
void world_asid(struct world *world, unsigned int asid);
void world_vmid(struct world *world, unsigned int vmid);

struct mmu_result world_access(struct world *world, uint64_t va, enum mmu_access access,
                               unsigned int el);
struct mmu_result world_request(struct world *world, struct mmu_request request);
static inline struct mmu_result world_load(struct world *world, uint64_t va)
{
    return world_access(world, va, MMU_READ, 1);
}
void world_inval(struct world *world, enum mmu_tlbi op, uint64_t start, uint64_t size);

/* Both stages over 4K pages: va 0xffff000000000000 + n * 4K -> ipa 2^32 + n * 4K -> pa 2^33 + n *
 * 4K, for n below `pages`; the stage-1 tables are at their physical address + 2^35 in ipa space. */
#define TWO_VA    UINT64_C(0xffff000000000000)
#define TWO_IPA   (UINT64_C(1) << 32)
#define TWO_PA    (UINT64_C(1) << 33)
#define TWO_DELTA (UINT64_C(1) << 35)
struct two_stage {
    struct world world;
    struct tree s1, s2;
};
void two_stage_open(struct two_stage *two, const struct mmu_config *config, unsigned int pages);
void two_stage_close(struct two_stage *two);

#endif
