/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * new-syndrome: as reflect, with a fault status code of its own instead of a borrowed marker bit.
 *
 * donate, reclaim: as reflect
 * stray:   exception to EL2; data abort with the architected status injected; its handler goes
 *          straight to the exception table, and to forced reclaim without an entry. The handler
 *          needs no AT re-walk to tell the fault from its own, hence no more than the table search
 *          and half of a kernel fault are charged (assumed; sweep cost.kernel_fault).
 */
#include "sim/strategy/strategy.h"

static enum sim_outcome on_abort(struct sim *sim, const struct sim_stray *stray)
{
    uint64_t before = sim->stats.cycles[SIM_CAUSE_stray];
    enum sim_outcome outcome = sim_kernel_fault(sim, stray->pc);
    uint64_t handler = sim->stats.cycles[SIM_CAUSE_stray] - before;

    sim->stats.cycles[SIM_CAUSE_stray] -= handler / 2;
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, inject));
    if (outcome == SIM_FIXED)
        return SIM_FIXED;
    return sim_lend_force_reclaim(sim, stray) ? SIM_RETRY : SIM_PANIC;
}

const struct sim_strategy sim_strategy_new_syndrome = {
    .name = "new-syndrome",
    .summary = "stage 2 only; the abort is injected with an architected status of its own",
    .stage2 = true,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = on_abort,
};
