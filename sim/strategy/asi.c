/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * asi: address space isolation. The kernel runs on restricted tables that show everything but the
 * lent pages, and leaves them when it must.
 *
 * enter:   CR3 write to the restricted PCID, kept unless its tables changed since (sim/asi.c)
 * donate:  isolation is left; block split first where there is one; the page's entry in the
 *          restricted tables goes, INVLPG on every CPU. With asi.stage2 hypercall as ept-inject
 * reclaim: isolation is left; the entry comes back, no flush
 * stray:   isolated: page fault, CR3 write to the full tables, the access is tried again and
 *          completes; with asi.stage2 it is an EPT violation, and goes on as under ept-inject.
 *          In the full address space without asi.stage2 it completes, and nothing is noticed
 */
#include "sim/asi.h"
#include "sim/strategy/strategy.h"

static bool on_donate(struct sim *sim, const struct sim_lend *lend)
{
    sim_asi_leave_for_work(sim, lend->cpu);
    sim_direct_map_split(sim, lend->cpu, lend->pa);
    if (!sim_asi_hide(sim, lend->pa))
        return false;
    if (!SIM_GET(&sim->config, asi, stage2) || sim_lend_donate(sim, lend))
        return true;
    sim_asi_show(sim, lend->pa);
    return false;
}

static void on_reclaim(struct sim *sim, const struct sim_lend *lend)
{
    sim_asi_leave_for_work(sim, lend->cpu);
    if (SIM_GET(&sim->config, asi, stage2))
        sim_lend_reclaim(sim, lend);
    sim_asi_show(sim, lend->pa);
}

const struct sim_strategy sim_strategy_asi = {
    .name = "asi",
    .summary =
        "the kernel runs in an address space without the lent pages, and leaves it on a fault",
    .arch = TRACE_ARCH_X86_64,
    .isolates = true,
    .setup = sim_asi_boot,
    .donate = on_donate,
    .reclaim = on_reclaim,
    .event = sim_asi_event,
    .abort = sim_reflect_abort,
};
