/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * el2-bug: stock pKVM of Linux 6.12. A page leaves stage 2 only; the host's direct map keeps it.
 *
 * donate:  hypercall; hyp stage-1 map or guest stage-2 map; host leaf annotated (break-before-make)
 * reclaim: hypercall; the reverse
 * stray:   exception to EL2; the page is not the host's, and the hypervisor itself stops (BUG in
 * the host abort handler; recorded in the crash consoles). Counted, and the replay goes on.
 */
#include "sim/strategy/strategy.h"

static enum sim_outcome on_abort(struct sim *sim, const struct sim_stray *stray)
{
    (void)stray;
    sim_stray_exit(sim);
    return SIM_PANIC;
}

const struct sim_strategy sim_strategy_el2_bug = {
    .name = "el2-bug",
    .summary = "stage 2 only; the hypervisor stops on a stray access (pKVM 6.12)",
    .recorded = SIM_KINDS_HYPERVISOR,
    .arch = TRACE_ARCH_ARM64,
    .stage2 = true,
    .stray = FL_STRAY_STOP,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = on_abort,
};
