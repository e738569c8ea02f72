/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ept-ve: as ept-inject, but the CPU delivers a virtualization exception (#VE) to the host kernel
 * itself: no exit.
 *
 * donate, reclaim: as ept-inject; the note leaves suppress-#VE clear, and every other entry of the
 *          host's EPT has it set, so that memory that is merely not mapped yet exits as ever
 * stray:   #VE; its handler goes straight to the exception table (cost.direct_fault). Without an
 *          entry it asks for the page by hypercall, as reflect does.
 */
#include "mmu/x86.h"
#include "sim/strategy/strategy.h"

static enum sim_outcome on_abort(struct sim *sim, const struct sim_stray *stray)
{
    if (!mmu_x86_convertible(&stray->result))
        return sim_reflect_abort(sim, stray);
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, ve));
    if (sim_kernel_fault(sim, stray->pc, SIM_COST(sim, direct_fault)) == SIM_FIXED)
        return SIM_FIXED;
    return sim_lend_force_reclaim(sim, stray) ? SIM_RETRY : SIM_PANIC;
}

const struct sim_strategy sim_strategy_ept_ve = {
    .name = "ept-ve",
    .summary = "EPT only; the CPU delivers the violation as #VE, without an exit",
    .arch = TRACE_ARCH_X86_64,
    .stage2 = true,
    .stray = FL_STRAY_VE,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = on_abort,
};
