/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * new-syndrome: as reflect, with a fault status code of its own instead of a borrowed marker bit.
 *
 * donate, reclaim: as reflect
 * stray:   exception to EL2; data abort with the architected status injected; its handler goes
 *          straight to the exception table, and to forced reclaim without an entry. The handler
 *          needs no AT re-walk to tell the fault from its own (cost.direct_fault, assumed).
 */
#include "sim/strategy/strategy.h"

static enum sim_outcome on_abort(struct sim *sim, const struct sim_stray *stray)
{
    sim_stray_exit(sim);
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, inject));
    if (sim_kernel_fault(sim, stray->pc, SIM_COST(sim, direct_fault)) == SIM_FIXED)
        return SIM_FIXED;
    return sim_lend_force_reclaim(sim, stray) ? SIM_RETRY : SIM_PANIC;
}

const struct sim_strategy sim_strategy_new_syndrome = {
    .name = "new-syndrome",
    .summary = "stage 2 only; the abort is injected with an architected status of its own",
    .arch = TRACE_ARCH_ARM64,
    .stage2 = true,
    .stray = FL_STRAY_SYNDROME,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = on_abort,
};
