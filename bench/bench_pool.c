/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buddy pool under suite A: 16384 pages of 4 KiB, naturally aligned at 3 GiB, fresh for each
 * pass. The anchor is Linux 7.3's own pool, measured in user space.
 *
 * A0, A3, A4 and the large orders of A6 are zeroing of memory that is not in the cache, which the
 * floor rows do alone; what is left without it stands in the column `unzeroed`.
 */
#include "bench/flat.h"
#include "bench/shim.h"

#include <hyp/pool.h>

#include <stdlib.h>

#define PAGES      16384u
#define BASE       (UINT64_C(3) << 30)
#define LIVE_MAX   PAGES
#define A4_SEED    UINT64_C(0x9E3779B97F4A7C15)
#define A4_ROUNDS  200000u
#define SHORT_LOOP 20000u

struct pool_bench {
    struct flat flat;
    struct hyp_vmemmap vmemmap;
    struct hyp_pool pool;
    hyp_pa_t *page; /* allocated pages, in order of allocation */
    uint32_t *ascending, *descending, *shuffled;
    hyp_pa_t live[LIVE_MAX];
    unsigned int live_count;
    uint64_t random;
};

struct order_arg {
    struct pool_bench *bench;
    unsigned int order;
    const uint32_t *sequence;
};

static void must(enum hyp_err err)
{
    if (err)
        abort();
}

static void fresh(void *arg)
{
    struct pool_bench *b = arg;

    must(hyp_pool_init(&b->pool, &b->flat.port, &b->vmemmap, BASE >> 12, PAGES, 0, NULL));
}

static uint64_t a0_init(void *arg)
{
    fresh(arg);
    return PAGES;
}

static uint64_t a1_alloc_put(void *arg)
{
    struct pool_bench *b = arg;

    for (unsigned int i = 0; i < SHORT_LOOP; i++) {
        hyp_pa_t pa;

        must(hyp_pool_alloc(&b->pool, 0, &pa));
        hyp_pool_put(&b->pool, pa);
    }
    return SHORT_LOOP;
}

/* A neighbour is held: its buddy neither splits nor merges. */
static void fresh_neighbour(void *arg)
{
    struct pool_bench *b = arg;

    fresh(b);
    must(hyp_pool_alloc(&b->pool, 0, &b->page[0]));
}

static void alloc_all(struct pool_bench *b)
{
    for (unsigned int i = 0; i < PAGES; i++)
        must(hyp_pool_alloc(&b->pool, 0, &b->page[i]));
}

static void put_all(struct pool_bench *b, const uint32_t *sequence)
{
    for (unsigned int i = 0; i < PAGES; i++)
        hyp_pool_put(&b->pool, b->page[sequence[i]]);
}

static void fresh_full(void *arg)
{
    const struct order_arg *a = arg;

    fresh(a->bench);
    alloc_all(a->bench);
}

static void fresh_cycled(void *arg)
{
    const struct order_arg *a = arg;

    fresh_full(arg);
    put_all(a->bench, a->sequence);
}

static uint64_t a2_alloc(void *arg)
{
    const struct order_arg *a = arg;

    alloc_all(a->bench);
    return PAGES;
}

static uint64_t a3_put(void *arg)
{
    const struct order_arg *a = arg;

    put_all(a->bench, a->sequence);
    return PAGES;
}

/* Orders 0 to 3, weighted 8:4:2:1. */
static unsigned int random_order(struct pool_bench *b)
{
    const unsigned int r = (unsigned int)(flat_random(&b->random) % 15);

    return r < 8 ? 0 : r < 12 ? 1 : r < 14 ? 2 : 3;
}

static void fill_three_quarters(void *arg)
{
    struct pool_bench *b = arg;

    fresh(b);
    b->random = A4_SEED;
    b->live_count = 0;
    while (b->pool.free_pages > PAGES / 4)
        must(hyp_pool_alloc(&b->pool, random_order(b), &b->live[b->live_count++]));
}

static uint64_t a4_mixed(void *arg)
{
    struct pool_bench *b = arg;

    for (unsigned int i = 0; i < A4_ROUNDS; i++) {
        hyp_pa_t *slot = &b->live[flat_random(&b->random) % b->live_count];

        hyp_pool_put(&b->pool, *slot);
        must(hyp_pool_alloc(&b->pool, random_order(b), slot));
    }
    return A4_ROUNDS;
}

static uint64_t a5_get_put(void *arg)
{
    struct pool_bench *b = arg;

    for (unsigned int i = 0; i < 10 * SHORT_LOOP; i++) {
        hyp_pool_get(&b->pool, b->page[0]);
        hyp_pool_put(&b->pool, b->page[0]);
    }
    return 10 * SHORT_LOOP;
}

static void fresh_for_order(void *arg)
{
    const struct order_arg *a = arg;

    fresh(a->bench);
}

static uint64_t a6_order(void *arg)
{
    const struct order_arg *a = arg;
    const unsigned int rounds = a->order < 7 ? SHORT_LOOP / 4 : 200;

    for (unsigned int i = 0; i < rounds; i++) {
        hyp_pa_t pa;

        must(hyp_pool_alloc(&a->bench->pool, a->order, &pa));
        hyp_pool_put(&a->bench->pool, pa);
    }
    return rounds;
}

/* What zeroing alone costs for the pages of a pass: no pool can be faster than this. */
static uint64_t floor_zero(void *arg)
{
    const struct order_arg *a = arg;
    const struct hyp_port *port = &a->bench->flat.port;

    for (unsigned int i = 0; i < PAGES; i++)
        port->page_zero(port->ctx, hyp_pa(BASE + ((uint64_t)a->sequence[i] << 12)), 4096);
    return PAGES;
}

static void unzero(void *arg, bool off)
{
    struct pool_bench *b = arg;

    flat_leave(&b->flat, BASE, off ? (uint64_t)PAGES << 12 : 0);
}

static struct pool_bench *bench_new(void)
{
    struct pool_bench *b = flat_memory(sizeof *b);

    flat_init(&b->flat, BASE, (uint64_t)PAGES << 12);
    b->vmemmap.base = flat_memory(PAGES * sizeof *b->vmemmap.base);
    b->vmemmap.first = BASE >> 12;
    b->vmemmap.page_shift = 12;
    b->page = flat_memory(PAGES * sizeof *b->page);
    b->ascending = flat_memory(4 * PAGES);
    b->descending = flat_memory(4 * PAGES);
    for (uint32_t i = 0; i < PAGES; i++) {
        b->ascending[i] = i;
        b->descending[i] = PAGES - 1 - i;
    }
    b->shuffled = flat_permutation(PAGES, 12345);
    return b;
}

int main(int argc, char **argv)
{
    struct pool_bench *b = bench_new();
    struct order_arg fifo = {b, 0, b->ascending};
    struct order_arg lifo = {b, 0, b->descending};
    struct order_arg random = {b, 0, b->shuffled};
    struct order_arg o1 = {b, 1, NULL}, o4 = {b, 4, NULL}, o7 = {b, 7, NULL}, o10 = {b, 10, NULL};
    const struct shim_row rows[] = {
        {"floor: zero 64 MiB in order, per page", NULL, floor_zero, NULL, &fifo, 0, 0},
        {"floor: zero 64 MiB reverse, per page", NULL, floor_zero, NULL, &lifo, 0, 0},
        {"floor: zero 64 MiB at random, per page", NULL, floor_zero, NULL, &random, 0, 0},
        {"A0 pool_init, per page", NULL, a0_init, NULL, b, 124, 0},
        {"A1 alloc0+put0, 10 levels", fresh, a1_alloc_put, NULL, b, 300, 0},
        {"A1b alloc0+put0, no split or merge", fresh_neighbour, a1_alloc_put, NULL, b, 49, 0},
        {"A2 alloc0, fifo pass", fresh_cycled, a2_alloc, NULL, &fifo, 33, 0},
        {"A2 alloc0, lifo pass", fresh_cycled, a2_alloc, NULL, &lifo, 38, 0},
        {"A2 alloc0, random pass", fresh_cycled, a2_alloc, NULL, &random, 27, 0},
        {"A3 put0 in order of allocation", fresh_full, a3_put, NULL, &fifo, 117, 0},
        {"A3 put0 reverse", fresh_full, a3_put, NULL, &lifo, 277, 0},
        {"A3 put0 random", fresh_full, a3_put, NULL, &random, 330, 0},
        {"A4 mixed orders, fragmented", fill_three_quarters, a4_mixed, NULL, b, 480, 0},
        {"A5 get+put reference", fresh_neighbour, a5_get_put, NULL, b, 4.4, 0},
        {"A6 alloc+put order 1", fresh_for_order, a6_order, NULL, &o1, 327, 0},
        {"A6 alloc+put order 4", fresh_for_order, a6_order, NULL, &o4, 1004, 0},
        {"A6 alloc+put order 7", fresh_for_order, a6_order, NULL, &o7, 6157, 0},
        {"A6 alloc+put order 10", fresh_for_order, a6_order, NULL, &o10, 121647, 0},
    };

    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++)
        shim_register(&rows[i]);
    /* Blocks are used in turn: A6 goes through 16 of them. */
    shim_bound("A0 pool_init, per page", 0, 1, SHIM_WIPE);
    shim_bound("A1 alloc0+put0, 10 levels", 0, 1, SHIM_MEMSET);
    shim_bound("A1b alloc0+put0, no split or merge", 0, 1, SHIM_MEMSET);
    shim_bound("A3 put0 in order of allocation", 0, 1, SHIM_WIPE);
    shim_bound("A3 put0 reverse", 0, 1, SHIM_WIPE);
    shim_bound("A3 put0 random", 0, 1, SHIM_WIPE);
    shim_bound("A4 mixed orders, fragmented", 0, 2, SHIM_WIPE);
    shim_bound("A5 get+put reference", 2, 0, SHIM_MEMSET);
    shim_bound("A6 alloc+put order 1", 0, 2, SHIM_MEMSET);
    shim_bound("A6 alloc+put order 4", 0, 16, SHIM_MEMSET);
    shim_bound("A6 alloc+put order 7", 0, 128, SHIM_L3);
    shim_bound("A6 alloc+put order 10", 0, 1024, SHIM_WIPE);
    shim_without_zeroing(unzero, b);
    return shim_main(argc, argv, "hyp/pool: suite A, anchor Linux 7.3 (gcc -O2)");
}
