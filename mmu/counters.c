/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts and arithmetic of the counters; who bumps them is the business of the other files. */
#include "mmu/counters.h"

static const struct mmu_counter_text texts[MMU_COUNTER_COUNT] = {
#define MMU_COUNTER(name, unit, meaning) {#name, unit, meaning},
#include "mmu/counters.def"
#undef MMU_COUNTER
};

const struct mmu_counter_text *mmu_counter_text(enum mmu_counter counter)
{
    return &texts[counter];
}

void mmu_counters_sub(struct mmu_counters *difference, const struct mmu_counters *later,
                      const struct mmu_counters *earlier)
{
    for (unsigned int i = 0; i < MMU_COUNTER_COUNT; i++)
        difference->v[i] = later->v[i] - earlier->v[i];
}
