/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/stats.h"

const struct sim_stat_info sim_causes[SIM_CAUSE_COUNT] = {
#define CAUSE(name, label, help) {#name, label, help},
#define COUNT(name, help)
#include "sim/stats.def"
#undef CAUSE
#undef COUNT
};

const struct sim_stat_info sim_counts[SIM_COUNT_COUNT] = {
#define CAUSE(name, label, help)
#define COUNT(name, help) {#name, #name, help},
#include "sim/stats.def"
#undef CAUSE
#undef COUNT
};

uint64_t sim_stats_cycles(const struct sim_stats *stats)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < SIM_CAUSE_COUNT; i++)
        sum += stats->cycles[i];
    return sum;
}

/* Values below 16 have a bucket each; above, the four bits below the highest one choose. */
static size_t bucket_of(uint64_t value)
{
    if (value < 16)
        return value;
    unsigned int top = 63 - (unsigned int)__builtin_clzll(value);

    return (top - 3) * 16 + (value >> (top - 4) & 15);
}

/* The largest value that falls into a bucket. */
static uint64_t bucket_bound(size_t bucket)
{
    if (bucket < 16)
        return bucket;
    unsigned int top = (unsigned int)(bucket / 16) + 3;

    return ((UINT64_C(16) + bucket % 16 + 1) << (top - 4)) - 1;
}

void sim_histogram_add(uint64_t *buckets, uint64_t value)
{
    buckets[bucket_of(value)]++;
}

uint64_t sim_histogram_percentile(const uint64_t *buckets, unsigned int percent)
{
    uint64_t total = 0, seen = 0;

    for (size_t i = 0; i < SIM_HISTOGRAM_BUCKETS; i++)
        total += buckets[i];
    for (size_t i = 0; i < SIM_HISTOGRAM_BUCKETS; i++) {
        seen += buckets[i];
        if (seen && seen * 100 >= total * percent)
            return bucket_bound(i);
    }
    return 0;
}
