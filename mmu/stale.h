/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Detection of cached translations that outlived their tables. */
#ifndef MMU_STALE_H
#define MMU_STALE_H

#include "mmu/walk.h"

/* First tick at which a check is due, from the configuration. */
uint64_t mmu_stale_start(const struct mmu_config *config);

/* True when the access at hand is to be checked; counts it and sets the next one. */
bool mmu_stale_due(struct mmu *mmu, struct mmu_cpu *cpu);

/* `entry` is about to translate the access, from the L1 or L2 TLB. */
void mmu_stale_check_hit(struct mmu *mmu, struct mmu_cpu *cpu, const struct mmu_request *request,
                         const struct mmu_entry *entry, enum mmu_source source);

/* A walk that believed a walk or ipa cache has ended; `walked` is what it returned. */
void mmu_stale_check_walk(const struct mmu_walk *walk, const struct mmu_request *request,
                          bool walked);

#endif
