/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * carve-out: lent pages come from a region that was set apart at boot and is not in the direct map.
 *
 * setup:   place.carve_pages pages leave the direct map, one flush for all
 * donate:  the next free page of the region stands for the recorded one; hypercall as stage2-only.
 *          When none is free the region grows by place.carve_grow pages: each is migrated out of
 *          the way and unmapped, then one flush. With place.carve_grow=0 the donation fails.
 * reclaim: hypercall; the page returns to the region, where it is stranded until the next donation
 * stray:   ordinary pages have no lent neighbours, so zeropad loads never reach one; an access that
 *          does take a stage-1 fault, repaired through the exception table, else fatal
 */
#include "sim/strategy/strategy.h"

const struct sim_strategy sim_strategy_carve_out = {
    .name = "carve-out",
    .summary = "lent pages come from a region kept out of the direct map (CMA)",
    .carve_out = true,
    .edits_direct_map = true,
    .stage2 = true,
    .stray = FL_STRAY_STAGE1,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
};
