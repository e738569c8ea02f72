/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sdei: stage 2 only; the hypervisor delivers a software-delegated exception to a handler that the
 * host registered.
 *
 * donate, reclaim: as reflect
 * stray:   exception to EL2; event delivered to the host's SDEI entry point; the handler searches
 * the exception table, changes the saved pc and completes the event by a second call to EL2.
 *          Without an entry the page is taken back by force, as reflect does.
 */
#include "sim/strategy/strategy.h"

static enum sim_outcome on_abort(struct sim *sim, const struct sim_stray *stray)
{
    sim_stray_exit(sim);
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, sdei));
    sim_stray_exit(sim);
    if (sim_kernel_fault(sim, stray->pc, SIM_COST(sim, kernel_fault)) == SIM_FIXED)
        return SIM_FIXED;
    return sim_lend_force_reclaim(sim, stray) ? SIM_RETRY : SIM_PANIC;
}

const struct sim_strategy sim_strategy_sdei = {
    .name = "sdei",
    .summary = "stage 2 only; the abort is delivered as an SDEI event and repaired",
    .arch = TRACE_ARCH_ARM64,
    .stage2 = true,
    .stray = FL_STRAY_SDEI,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = on_abort,
};
