/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sea-fixup: as stage2-only, but do_sea() consults the exception table.
 *
 * donate, reclaim: as stage2-only
 * stray:   exception to EL2; SEA injected into EL1; handler searches the exception table and
 * repairs the load. An instruction without an entry is fatal.
 */
#include "sim/strategy/strategy.h"

static enum sim_outcome on_abort(struct sim *sim, const struct sim_stray *stray)
{
    sim_stray_exit(sim);
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, inject));
    return sim_kernel_fault(sim, stray->pc, SIM_COST(sim, kernel_fault));
}

const struct sim_strategy sim_strategy_sea_fixup = {
    .name = "sea-fixup",
    .summary = "stage 2 only; the external-abort handler repairs through the exception table",
    .arch = TRACE_ARCH_ARM64,
    .stage2 = true,
    .stray = FL_STRAY_SEA_FIXUP,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = on_abort,
};
