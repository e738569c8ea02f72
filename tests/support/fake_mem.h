/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sparse physical memory for tests: 4 KiB frames that come into being, zeroed, when first written.
 * Any address works; two memories can be compared whole.
 */
#ifndef TESTS_SUPPORT_FAKE_MEM_H
#define TESTS_SUPPORT_FAKE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_FRAME_SIZE 4096u

struct fake_frame {
    uint64_t number;
    uint64_t *words; /* NULL: the bucket is free */
};

struct fake_mem {
    struct fake_frame *bucket;
    size_t capacity, count; /* capacity is a power of two */
    uint64_t recent_number; /* the frame used last */
    uint64_t *recent;
};

void fake_mem_init(struct fake_mem *mem);
void fake_mem_free(struct fake_mem *mem);
/* The 64-bit word at a physical address that is a multiple of 8. */
uint64_t fake_mem_load(struct fake_mem *mem, uint64_t pa);
void fake_mem_store(struct fake_mem *mem, uint64_t pa, uint64_t word);
/* Sets `size` bytes from `pa`, both multiples of 8, to copies of one byte. */
void fake_mem_set(struct fake_mem *mem, uint64_t pa, uint8_t byte, uint64_t size);
/* An independent copy; `copy` need not be initialised. */
void fake_mem_copy(struct fake_mem *copy, const struct fake_mem *mem);
/* Same contents everywhere (a frame never written equals a frame of zeroes). */
bool fake_mem_equal(const struct fake_mem *a, const struct fake_mem *b);
bool fake_mem_is_zero(struct fake_mem *mem, uint64_t pa, uint64_t size);

#endif
