/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reflect: pKVM since the abort is injected. A stray access comes back as the same translation
 * fault, taken at EL1, with S1PTW set as the marker.
 *
 * donate, reclaim: as stage2-only
 * stray:   exception to EL2; same-level data abort injected; do_page_fault() finds no mapping fault
 *          of its own, __do_kernel_fault() repairs through the exception table. Without an entry
 * the page is taken back by force (wiped, the guest's entry poisoned) and the access retried; a
 * page of the hypervisor stays fatal.
 */
#include "sim/strategy/strategy.h"

enum sim_outcome sim_reflect_abort(struct sim *sim, const struct sim_stray *stray)
{
    sim_stray_exit(sim);
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, inject));
    if (sim_kernel_fault(sim, stray->pc, SIM_COST(sim, kernel_fault)) == SIM_FIXED)
        return SIM_FIXED;
    return sim_lend_force_reclaim(sim, stray) ? SIM_RETRY : SIM_PANIC;
}

const struct sim_strategy sim_strategy_reflect = {
    .name = "reflect",
    .summary =
        "stage 2 only; the abort is injected as a marked translation fault and repaired (pKVM)",
    .arch = TRACE_ARCH_ARM64,
    .stage2 = true,
    .stray = FL_STRAY_REFLECT,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = sim_reflect_abort,
};
