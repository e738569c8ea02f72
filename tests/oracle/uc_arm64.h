/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's MMU, as Unicorn carries it, asked through the AT instructions at EL2 (DDI 0487 C5.5,
 * D8.14). Registers, questions and answers pass through a block in the memory that the engine
 * shares with the caller.
 */
#ifndef TESTS_ORACLE_UC_ARM64_H
#define TESTS_ORACLE_UC_ARM64_H

#include <stdint.h>

enum at_op { /* bit 0: write, bit 1: EL0, bit 2: both stages */
             AT_S1E1R,
             AT_S1E1W,
             AT_S1E0R,
             AT_S1E0W,
             AT_S12E1R,
             AT_S12E1W,
             AT_S12E0R,
             AT_S12E0W,
             AT_COUNT
};

#define AT_QUERIES 100u

struct at_query {
    uint64_t va, op, par, unused;
};

struct at_block {
    uint64_t tcr, ttbr0, ttbr1, sctlr, hcr, vtcr, vttbr, count;
    struct at_query query[AT_QUERIES];
};

#define UC_ARM64_RESERVED UINT64_C(0x100000) /* code and block; tables lie above */

struct uc_arm64;

/* An engine whose physical memory is [memory, memory + bytes) at 0; NULL: there is none. */
struct uc_arm64 *uc_arm64_open(void *memory, uint64_t bytes);
void uc_arm64_close(struct uc_arm64 *engine);
struct at_block *uc_arm64_block(struct uc_arm64 *engine);
/* Implemented physical address size. */
uint8_t uc_arm64_pa_bits(struct uc_arm64 *engine);
/* Loads the registers and answers the queries of the block. NULL, or what went wrong. */
const char *uc_arm64_ask(struct uc_arm64 *engine);

#endif
