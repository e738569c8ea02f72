/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counters of one machine, made from counters.def: struct, names, and subtraction. */
#ifndef MMU_COUNTERS_H
#define MMU_COUNTERS_H

#include <stdint.h>

enum mmu_counter {
#define MMU_COUNTER(name, unit, meaning) MMU_COUNTER_##name,
#include "mmu/counters.def"
#undef MMU_COUNTER
    MMU_COUNTER_COUNT
};

/* Every counter by name, and all of them in the order of counters.def. */
struct mmu_counters {
    union {
        struct {
#define MMU_COUNTER(name, unit, meaning) uint64_t name;
#include "mmu/counters.def"
#undef MMU_COUNTER
        };
        uint64_t v[MMU_COUNTER_COUNT];
    };
};

struct mmu_counter_text {
    const char *name, *unit, *meaning;
};

/* Text of one counter; `counter` is below MMU_COUNTER_COUNT. */
const struct mmu_counter_text *mmu_counter_text(enum mmu_counter counter);

/* *difference = later - earlier, counter by counter. */
void mmu_counters_sub(struct mmu_counters *difference, const struct mmu_counters *later,
                      const struct mmu_counters *earlier);

#endif
