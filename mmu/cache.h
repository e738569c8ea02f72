/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data caches as far as table reads see them: which level answers, in how many cycles. */
#ifndef MMU_CACHE_H
#define MMU_CACHE_H

#include "mmu/tlb.h"

/* False when the configuration is impossible. */
bool mmu_cache_init(struct mmu_cache *cache, struct mmu_arena *arena,
                    const struct mmu_cache_config *config);

/* Cycles of one descriptor read by `cpu`; its line is in every level afterwards. */
uint32_t mmu_cache_read(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t pa);

#endif
