/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First touch of much memory, then strided reads and writes of it: what lazy stage 2 mapping and
 * block sizes cost.
 *
 * Arguments: size (all that is free), stride (4k; a multiple of 8), passes (1) over what was
 * touched, order=random, seed.
 */
#include "kernel.h"

struct area {
    uint64_t pa, stride, places;
    bool random;
    uint64_t factor; /* of a permutation, for order=random */
};

/* The i-th place to touch. An odd factor permutes the numbers below a power of two; those that
 * are not places are walked on from, along the permutation's cycle. */
static uint64_t place(const struct area *area, uint64_t i)
{
    if (!area->random)
        return i;
    uint64_t mask = area->places > 1 ? ~0ull >> __builtin_clzll(area->places - 1) : 0;
    do {
        i = (i * area->factor + 1) & mask;
    } while (i >= area->places);
    return i;
}

static volatile uint64_t *word(const struct area *area, uint64_t i)
{
    return fl_va(area->pa + place(area, i) * area->stride);
}

static uint64_t value(uint64_t i, uint64_t pass)
{
    return (i + 1) * 0x9e3779b97f4a7c15ull + pass;
}

static void first_touch(const struct area *area)
{
    for (uint64_t i = 0; i < area->places; i++)
        *word(area, i) = value(i, 0);
}

static void again(const struct area *area, uint64_t pass)
{
    for (uint64_t i = 0; i < area->places; i++) {
        volatile uint64_t *at = word(area, i);
        if (*at != value(i, pass))
            fl_fail("place %lu in pass %lu holds %lx\n", i, pass, *at);
        *at = value(i, pass + 1);
    }
}

int guest_main(void)
{
    uint64_t free = fl_pages_left() * PAGE_SIZE;
    uint64_t size = fl_argument("size", free);
    uint64_t seed = fl_argument("seed", 1) * 2 + 1;
    uint64_t passes = fl_argument("passes", 1);
    struct area area = {.stride = fl_argument("stride", PAGE_SIZE),
                        .random = fl_argument_is("order", "random")};

    if (area.stride < 8 || area.stride % 8 != 0 || size < area.stride)
        fl_fail("stride %lu: a multiple of 8, at most the size of %lu bytes\n", area.stride, size);
    area.pa = fl_pages((size + PAGE_SIZE - 1) / PAGE_SIZE);
    area.places = size / area.stride;
    area.factor = (fl_random(&seed) & ~7ull) | 5; /* and an odd addend: one cycle of full length */

    fl_mark("first touch");
    first_touch(&area);
    fl_mark("again");
    for (uint64_t pass = 0; pass < passes; pass++)
        again(&area, pass);
    fl_tally("bytes", size);
    fl_tally("places", area.places);
    fl_tally("accesses", area.places * (1 + 2 * passes));
    fl_print("%lu places in %lu MiB\n", area.places, size >> 20);
    return 0;
}
