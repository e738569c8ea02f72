/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random registers and tables of EL1&0, one or two stages, valid and not. Descriptors are written
 * from DDI 0487 D8.3 and share nothing with mmu/.
 *
 * A world is first built so that its interesting addresses translate, then some of its descriptors
 * are spoiled. A table pointer always leads to a table of the level below: reading a table at
 * another level than it was written for would mix the rules of levels up, which the oracle ignores.
 */
#ifndef TESTS_ORACLE_ARM64_WORLD_H
#define TESTS_ORACLE_ARM64_WORLD_H

#include "tests/oracle/random.h"
#include "tests/oracle/uc_arm64.h"

#define ARM64_MEMORY UINT64_C(0x4000000) /* answers at [0, ARM64_MEMORY) */

#define ARM64_SLOTS 2048u
#define ARM64_GOALS 64u

struct arm64_tree {
    uint64_t root; /* physical; that of stage 1 as stage 1 sees it in root_ipa */
    uint64_t root_ipa;
    unsigned int page_shift, ia_bits, start;
    uint64_t prefix[4]; /* addresses share these upper bits, so that tables are shared */
};

struct arm64_slot {
    uint64_t pa;
    uint8_t stage, level, page_shift;
};

struct arm64_world {
    uint64_t *words;
    uint64_t next; /* first byte of memory not used */
    struct dice dice;
    uint8_t pa_bits;
    bool s1_on, s2_on;
    struct arm64_tree s1[2], s2;
    struct arm64_slot slot[ARM64_SLOTS];
    unsigned int slots;
    struct {
        uint64_t ipa, pa;
    } table[ARM64_SLOTS]; /* tables of stage 1 */
    unsigned int tables;
    uint64_t goal[ARM64_GOALS]; /* addresses worth a question */
    unsigned int goals;
};

/* World number `seed` into memory and `block`: registers and AT_QUERIES questions. */
void arm64_world_build(struct arm64_world *world, uint64_t seed, struct at_block *block);

/* DDI 0487 D8.3: levels that may hold a block, without 52-bit addresses. */
bool arm64_block_level(unsigned int page_shift, unsigned int level);

#endif
