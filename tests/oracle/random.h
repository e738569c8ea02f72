/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers of the oracles: splitmix64, so that any seed is as good as any other. No two of
 * them in one expression, where each compiler has its own order: a seed is the same case
 * everywhere. */
#ifndef TESTS_ORACLE_RANDOM_H
#define TESTS_ORACLE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct dice {
    uint64_t state;
};

static inline uint64_t roll(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline unsigned int roll_below(struct dice *dice, unsigned int limit)
{
    return (unsigned int)(roll(dice) >> 33) % limit;
}

static inline bool one_in(struct dice *dice, unsigned int n)
{
    return roll_below(dice, n) == 0;
}

/* The lowest `n` bits random, n below 64. */
static inline uint64_t roll_bits(struct dice *dice, unsigned int n)
{
    return roll(dice) & ~(~UINT64_C(0) << n);
}

/* ORACLE_SEED=n in the environment reruns the one world that a difference was reported for. */
static inline const char *wanted_seed(uint64_t *seed)
{
    const char *text = getenv("ORACLE_SEED");

    if (text)
        *seed = strtoull(text, NULL, 0);
    return text;
}

#endif
