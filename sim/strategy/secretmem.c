/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secretmem: what the recorded kernel did for memfd_secret(). The page leaves the direct map at its
 * allocation and returns when it is freed; no hypervisor takes part.
 *
 * donate:  page cleared (by the allocator, in the trace); set_direct_map_invalid_noflush();
 *          flush_tlb_kernel_range() of the page
 * reclaim: set_direct_map_default_noflush(); page cleared before its next user
 * stray:   stage-1 translation fault, repaired through the exception table, else fatal
 */
#include "sim/strategy/strategy.h"

static bool on_donate(struct sim *sim, const struct sim_lend *lend)
{
    sim_direct_map_invalid(sim, lend->cpu, lend->pa);
    sim_flush_kernel_range(sim, lend->cpu, lend->pa, 1);
    return true;
}

static void on_reclaim(struct sim *sim, const struct sim_lend *lend)
{
    sim_direct_map_default(sim, lend->cpu, lend->pa);
}

const struct sim_strategy sim_strategy_secretmem = {
    .name = "secretmem",
    .summary = "direct map only, one flush a page (mm/secretmem)",
    .recorded = SIM_KINDS_UNMAPPED,
    .edits_direct_map = true,
    .stray = FL_STRAY_STAGE1,
    .donate = on_donate,
    .reclaim = on_reclaim,
};
