/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flat port. */
#include "bench/flat.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static _Atomic uint64_t *word_at(void *ctx, hyp_pa_t pa)
{
    const struct flat *flat = ctx;

    return (_Atomic uint64_t *)(flat->bias + pa.v);
}

static uint64_t flat_load(void *ctx, hyp_pa_t slot)
{
    return atomic_load_explicit(word_at(ctx, slot), memory_order_relaxed);
}

static void flat_store(void *ctx, hyp_pa_t slot, uint64_t pte)
{
    atomic_store_explicit(word_at(ctx, slot), pte, memory_order_release);
}

static void flat_fill(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step, unsigned int count)
{
    const struct flat *flat = ctx;
    uint64_t *word = (uint64_t *)(flat->bias + slot.v);

    atomic_thread_fence(memory_order_release);
    for (unsigned int i = 0; i < count; i++)
        word[i] = first + i * step;
}

static void flat_read(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count)
{
    const struct flat *flat = ctx;

    memcpy(out, (const void *)(flat->bias + slot.v), 8 * (size_t)count);
}

static void flat_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    const struct flat *flat = ctx;

    if (page.v - flat->unzeroed_from < flat->unzeroed_size)
        return;
    memset((void *)(flat->bias + page.v), 0, (size_t)size);
}

static void flat_barrier(void *ctx, enum hyp_barrier kind)
{
    (void)ctx;
    (void)kind;
    atomic_signal_fence(memory_order_seq_cst);
}

static void flat_tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    (void)ctx;
    (void)inv;
    atomic_signal_fence(memory_order_seq_cst);
}

static void flat_cache_sync(void *ctx, hyp_pa_t base, uint64_t size, enum hyp_cache_op op)
{
    (void)ctx;
    (void)base;
    (void)size;
    (void)op;
    atomic_signal_fence(memory_order_seq_cst);
}

static void flat_root_set(void *ctx, const struct hyp_root *root)
{
    (void)ctx;
    (void)root;
}

static void flat_panic(void *ctx, const char *what, const char *file, int line)
{
    (void)ctx;
    fprintf(stderr, "panic at %s:%d: %s\n", file, line, what);
    abort();
}

static void *map_memory(uint64_t size)
{
    void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(4);
    }
    return memory;
}

void flat_init(struct flat *flat, uint64_t base, uint64_t size)
{
    flat->size = size;
    flat->memory = map_memory(size);
    /* The anchor's memory was mapped by 4 KiB pages: no better here. */
    (void)madvise(flat->memory, (size_t)size, MADV_NOHUGEPAGE);
    flat->bias = (uintptr_t)flat->memory - (uintptr_t)base;
    flat->port = (struct hyp_port){
        .ctx = flat,
        .pte_load = flat_load,
        .pte_store = flat_store,
        .pte_fill = flat_fill,
        .pte_read = flat_read,
        .page_zero = flat_zero,
        .barrier = flat_barrier,
        .tlb_inv = flat_tlb_inv,
        .cache_sync = flat_cache_sync,
        .root_set = flat_root_set,
        .panic = flat_panic,
    };
}

void flat_free(struct flat *flat)
{
    munmap(flat->memory, (size_t)flat->size);
}

void flat_leave(struct flat *flat, uint64_t from, uint64_t size)
{
    flat->unzeroed_from = from;
    flat->unzeroed_size = size;
}

void *flat_memory(uint64_t bytes)
{
    return map_memory(bytes);
}

uint64_t flat_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}

uint32_t *flat_permutation(uint32_t count, uint64_t seed)
{
    uint32_t *order = flat_memory(4 * (uint64_t)count);

    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count - 1; i > 0; i--) {
        const uint32_t j = (uint32_t)(flat_random(&seed) % (i + 1));
        const uint32_t t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
    return order;
}
