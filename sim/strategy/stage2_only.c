/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stage2-only: a page leaves stage 2 only; a stray access comes back as a synchronous external
 * abort.
 *
 * donate:  hypercall; guest map; host leaf annotated
 * reclaim: hypercall; the reverse
 * stray:   exception to EL2; SEA injected into EL1; do_sea() does not look into the exception
 * table, the kernel dies. Counted, and the replay goes on.
 */
#include "sim/strategy/strategy.h"

static enum sim_outcome on_abort(struct sim *sim, const struct sim_stray *stray)
{
    (void)stray;
    sim_stray_exit(sim);
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, inject) + SIM_COST(sim, kernel_fault));
    return SIM_PANIC;
}

const struct sim_strategy sim_strategy_stage2_only = {
    .name = "stage2-only",
    .summary =
        "stage 2 only; a stray access is an external abort, the host panics (Gunyah as shipped)",
    .arch = TRACE_ARCH_ARM64,
    .stage2 = true,
    .stray = FL_STRAY_SEA,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = on_abort,
};
