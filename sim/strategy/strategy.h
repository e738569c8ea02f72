/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strategies under test, one file each. */
#ifndef SIM_STRATEGY_H
#define SIM_STRATEGY_H

#include "sim/machine.h"
#include "workloads/guest/abi.h"

extern const struct sim_strategy sim_strategy_none;
extern const struct sim_strategy sim_strategy_el2_bug;
extern const struct sim_strategy sim_strategy_stage2_only;
extern const struct sim_strategy sim_strategy_direct_map_unmap;
extern const struct sim_strategy sim_strategy_direct_map_batch;
extern const struct sim_strategy sim_strategy_sea_fixup;
extern const struct sim_strategy sim_strategy_reflect;
extern const struct sim_strategy sim_strategy_new_syndrome;
extern const struct sim_strategy sim_strategy_sdei;
extern const struct sim_strategy sim_strategy_carve_out;
extern const struct sim_strategy sim_strategy_secretmem;
extern const struct sim_strategy sim_strategy_ept_inject;
extern const struct sim_strategy sim_strategy_ept_ve;
extern const struct sim_strategy sim_strategy_asi;

/* reflect's, which ept-inject shares. */
enum sim_outcome sim_reflect_abort(struct sim *sim, const struct sim_stray *stray);

#endif
