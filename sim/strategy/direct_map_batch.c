/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * direct-map-batch: the guest_memfd library's shape. As direct-map-unmap, with one flush for
 * donate.batch pages.
 *
 * donate:  the page waits until the batch is full (or one of it is wanted back, a phase ends, the
 *          trace ends); then: invalid for each, one flush_tlb_kernel_range() each contiguous run or
 *          one full flush, hypercall for each. Nothing is half-done in between: a waiting page is
 *          still the host's, so that no stale translation of a lent page can be used.
 * reclaim: as direct-map-unmap
 * stray:   as direct-map-unmap
 */
#include "sim/strategy/strategy.h"

static bool on_donate(struct sim *sim, const struct sim_lend *lend)
{
    sim_direct_map_invalid(sim, lend->cpu, lend->pa);
    return true;
}

static void on_reclaim(struct sim *sim, const struct sim_lend *lend)
{
    sim_lend_reclaim(sim, lend);
    sim_direct_map_default(sim, lend->cpu, lend->pa);
}

/* One flush for all: a range flush where the batch is one run, else everything. */
static void on_flush(struct sim *sim, const struct sim_lend *batch, size_t count)
{
    hyp_pa_t low = batch[0].pa, high = batch[0].pa;

    for (size_t i = 1; i < count; i++) {
        if (batch[i].pa.v < low.v)
            low = batch[i].pa;
        if (batch[i].pa.v > high.v)
            high = batch[i].pa;
    }
    sim_flush_kernel_range(sim, batch[0].cpu, low, ((high.v - low.v) >> 12) + 1);
}

const struct sim_strategy sim_strategy_direct_map_batch = {
    .name = "direct-map-batch",
    .summary = "direct map and stage 2, one flush a batch (guest_memfd library)",
    .edits_direct_map = true,
    .stage2 = true,
    .stray = FL_STRAY_STAGE1,
    .donate = on_donate,
    .flush = on_flush,
    .finish = sim_lend_donate,
    .reclaim = on_reclaim,
};
