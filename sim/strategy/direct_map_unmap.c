/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * direct-map-unmap: patch 19/35 of the Gunyah series. The page leaves the host's direct map, then
 * stage 2.
 *
 * donate:  set_direct_map_invalid_noflush() (block split first where there is one);
 *          flush_tlb_kernel_range() of the page; hypercall as stage2-only
 * reclaim: hypercall; set_direct_map_default_noflush(); invalid to valid needs no flush
 * stray:   stage-1 translation fault, no exit; repaired through the exception table, else fatal
 */
#include "sim/strategy/strategy.h"

static bool on_donate(struct sim *sim, const struct sim_lend *lend)
{
    sim_direct_map_invalid(sim, lend->cpu, lend->pa);
    sim_flush_kernel_range(sim, lend->cpu, lend->pa, 1);
    if (sim_lend_donate(sim, lend))
        return true;
    sim_direct_map_default(sim, lend->cpu, lend->pa);
    return false;
}

static void on_reclaim(struct sim *sim, const struct sim_lend *lend)
{
    sim_lend_reclaim(sim, lend);
    sim_direct_map_default(sim, lend->cpu, lend->pa);
}

const struct sim_strategy sim_strategy_direct_map_unmap = {
    .name = "direct-map-unmap",
    .summary = "direct map and stage 2, one flush a page (Gunyah v17 19/35)",
    .recorded = SIM_KINDS_UNMAPPED,
    .edits_direct_map = true,
    .stage2 = true,
    .stray = FL_STRAY_STAGE1,
    .donate = on_donate,
    .reclaim = on_reclaim,
};
