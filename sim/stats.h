/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of a run: plain numbers that subtract. Printing is elsewhere (sim/out.c). */
#ifndef SIM_STATS_H
#define SIM_STATS_H

#include <stddef.h>
#include <stdint.h>

enum sim_cause {
#define CAUSE(name, label, help) SIM_CAUSE_##name,
#define COUNT(name, help)
#include "sim/stats.def"
#undef CAUSE
#undef COUNT
    SIM_CAUSE_COUNT
};

enum sim_count {
#define CAUSE(name, label, help)
#define COUNT(name, help) SIM_COUNT_##name,
#include "sim/stats.def"
#undef CAUSE
#undef COUNT
    SIM_COUNT_COUNT
};

/* A histogram of cycle counts: sixteen buckets for each power of two, so 6 % wide at most. */
enum { SIM_HISTOGRAM_BUCKETS = 64 * 16 };

struct sim_stats {
    uint64_t cycles[SIM_CAUSE_COUNT];
    uint64_t count[SIM_COUNT_COUNT];
    uint64_t stray_latency[SIM_HISTOGRAM_BUCKETS];
};

struct sim_stat_info {
    const char *name, *label, *help;
};

extern const struct sim_stat_info sim_causes[SIM_CAUSE_COUNT];
extern const struct sim_stat_info sim_counts[SIM_COUNT_COUNT];

uint64_t sim_stats_cycles(const struct sim_stats *stats);
void sim_histogram_add(uint64_t *buckets, uint64_t value);
/* The smallest bucket bound that `percent` of the values do not exceed; 0 when empty. */
uint64_t sim_histogram_percentile(const uint64_t *buckets, unsigned int percent);

#endif
