/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ept-inject: the x86 twin of reflect. A page leaves EPT only.
 *
 * donate:  hypercall; guest EPT entry; host EPT entry becomes a note, INVEPT on every CPU
 * reclaim: hypercall; the reverse
 * stray:   EPT violation; #PF with P=0 injected; repaired through the exception table. Without an
 *          entry the page is taken back by force, as reflect does.
 */
#include "sim/strategy/strategy.h"

const struct sim_strategy sim_strategy_ept_inject = {
    .name = "ept-inject",
    .summary = "EPT only; the violation is injected as a page fault and repaired",
    .arch = TRACE_ARCH_X86_64,
    .stage2 = true,
    .stray = FL_STRAY_PF,
    .donate = sim_lend_donate,
    .reclaim = sim_lend_reclaim,
    .abort = sim_reflect_abort,
};
