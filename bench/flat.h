/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port for benchmarks: memory at a constant offset, barriers and invalidations that only stop the
 * compiler. In a translation unit of its own, so that every use goes through the port's table.
 */
#ifndef BENCH_FLAT_H
#define BENCH_FLAT_H

#include <hyp/port.h>

struct flat {
    struct hyp_port port; /* port.ctx is this struct */
    uintptr_t bias;       /* pa + bias: where it is */
    void *memory;
    uint64_t size;
    uint64_t unzeroed_from, unzeroed_size; /* physical addresses that page_zero leaves alone */
};

/* Physical memory [base, base + size), zero, backed when touched. Exits when there is none. */
void flat_init(struct flat *flat, uint64_t base, uint64_t size);
void flat_free(struct flat *flat);
/* Lets page_zero leave [from, from + size) as it is, from now on; nothing for a size of 0. */
void flat_leave(struct flat *flat, uint64_t from, uint64_t size);
/* Zeroed memory of the benchmark itself, for descriptors. Never freed. Exits when there is none. */
void *flat_memory(uint64_t bytes);
/* The generator of all workloads: xorshift64 with shifts 13, 7, 17. */
uint64_t flat_random(uint64_t *state);
/* 0 .. count-1 in the order of a Fisher-Yates shuffle with this seed. Never freed. */
uint32_t *flat_permutation(uint32_t count, uint64_t seed);

#endif
