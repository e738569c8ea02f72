/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the events of a trace do to a machine: pages change hands through the strategy, mappings
 * appear, and the faults of the recording are held against those the replay predicts.
 */
#include "sim/machine.h"

enum { KPF_BUDDY = 10 };

/* ---- donations ---- */

static bool complete(struct sim *sim, const struct sim_lend *lend, bool done)
{
    lend->page->lent = done ? SIM_LENT : SIM_NOT_LENT;
    sim_count(sim, done ? SIM_COUNT_donations : SIM_COUNT_donations_failed, 1);
    return done;
}

void sim_flush_batch(struct sim *sim)
{
    const struct sim_strategy *strategy = sim->strategy;

    if (!sim->batch_count)
        return;
    for (size_t i = 0; i < sim->batch_count; i++)
        strategy->donate(sim, &sim->batch[i]);
    strategy->flush(sim, sim->batch, sim->batch_count);
    for (size_t i = 0; i < sim->batch_count; i++)
        complete(sim, &sim->batch[i], strategy->finish(sim, &sim->batch[i]));
    sim->batch_count = 0;
}

static void donate_page(struct sim *sim, uint8_t cpu, hyp_pa_t pa, uint32_t owner)
{
    struct sim_lend lend = {.recorded = pa, .pa = pa, .page = sim_page_at(sim, pa), .cpu = cpu};

    if (!lend.page || lend.page->lent != SIM_NOT_LENT)
        return;
    lend.page->owner = owner;
    lend.page->donated = sim->position;
    if (!sim_place(sim, &lend)) {
        complete(sim, &lend, false);
        return;
    }
    if (!sim->strategy->flush) {
        if (!complete(sim, &lend, sim->strategy->donate(sim, &lend)))
            sim_unplace(sim, &lend);
        return;
    }
    lend.page->lent = SIM_LENT_WAITS;
    sim->batch[sim->batch_count++] = lend;
    if (sim->batch_count == SIM_GET(&sim->config, donate, batch))
        sim_flush_batch(sim);
}

static void donate(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event)
{
    for (uint64_t i = 0; i < event->a; i++)
        donate_page(sim, rec->cpu, hyp_pa(rec->addr + (i << sim_page_shift(sim))), event->owner);
}

/* Pages that were lent before the recording began are lent now, but what that costs is not part of
 * the recording. */
static void donate_initial(struct sim *sim, const struct trace_rec *rec,
                           const struct trace_event *event)
{
    struct sim_stats before = sim->stats;

    donate(sim, rec, event);
    sim_flush_batch(sim);
    before.count[SIM_COUNT_initial] +=
        sim->stats.count[SIM_COUNT_donations] - before.count[SIM_COUNT_donations];
    before.count[SIM_COUNT_s2_tables_peak] = sim->stats.count[SIM_COUNT_s2_tables_peak];
    before.count[SIM_COUNT_stranded_peak] = sim->stats.count[SIM_COUNT_stranded_peak];
    before.count[SIM_COUNT_donations_failed] = sim->stats.count[SIM_COUNT_donations_failed];
    sim->stats = before;
}

static void reclaim_page(struct sim *sim, uint8_t cpu, hyp_pa_t pa)
{
    struct sim_lend lend = {.recorded = pa, .page = sim_page_at(sim, pa), .cpu = cpu};

    if (!lend.page)
        return;
    if (lend.page->lent == SIM_LENT_WAITS)
        sim_flush_batch(sim);
    if (lend.page->lent != SIM_LENT)
        return;
    lend.pa = sim_placed_pa(sim, pa);
    sim->strategy->reclaim(sim, &lend);
    lend.page->lent = SIM_NOT_LENT;
    sim_count(sim, SIM_COUNT_reclaims, 1);
    sim_unplace(sim, &lend);
}

/* ---- events ---- */

/* The recorded kernel repaired (or did not survive) a fault: did the replay predict it, here? */
static void compare_fault(struct sim *sim, const struct trace_rec *rec,
                          const struct trace_event *event)
{
    if (!sim_in_linear(sim, rec->addr) || event->c == TRACE_OUTCOME_OTHER)
        return;
    sim_count(sim, SIM_COUNT_recorded_faults, 1);
    if (sim->pending_position == sim->position && sim->pending_far == rec->addr &&
        sim->pending_pc == event->a) {
        sim_count(sim, SIM_COUNT_predicted, 1);
        sim->pending_position = 0;
    }
}

static void mark_free(struct sim *sim, hyp_pa_t pa, uint64_t pages, bool free)
{
    for (uint64_t i = 0; i < pages; i++) {
        struct sim_page *page = sim_page_at(sim, hyp_pa_add(pa, i << sim_page_shift(sim)));

        if (!page)
            return;
        page->free = free;
    }
}

/* A run of pages with like flags: the allocator has those with the buddy flag. */
static void page_flags(struct sim *sim, hyp_pa_t pa, const struct trace_event *event)
{
    mark_free(sim, pa, event->a, event->b >> KPF_BUDDY & 1);
}

static bool counts_as_donation(const struct sim *sim, const struct trace_event *event)
{
    if (sim->strategy->baseline)
        return false;
    switch (SIM_GET(&sim->config, donate, kinds)) {
    case SIM_KINDS_UNMAPPED:
        return event->b & TRACE_DONATE_UNMAPPED;
    case SIM_KINDS_HYPERVISOR:
        return (event->owner & 0xff) == TRACE_OWNER_HYP;
    default:
        return true;
    }
}

static void share_pages(struct sim *sim, uint8_t cpu, const struct trace_rec *rec,
                        const struct trace_event *event)
{
    if (!sim->strategy->stage2 || (event->owner & 0xff) != TRACE_OWNER_HYP)
        return;
    for (uint64_t i = 0; i < event->a; i++) {
        hyp_pfn_t pfn = sim_placed_pa(sim, hyp_pa(rec->addr + (i << sim_page_shift(sim)))).v >>
                        sim_page_shift(sim);
        enum hyp_err err;

        sim_hypercall(sim, cpu);
        err = rec->kind == TRACE_SHARE ? hyp_host_share_hyp(&sim->hyp, pfn)
                                       : hyp_host_unshare_hyp(&sim->hyp, pfn);
        (void)err; /* a page the recording shares twice stays shared */
    }
}

static bool counts_pages(uint8_t kind)
{
    return kind == TRACE_DONATE || kind == TRACE_RECLAIM || kind == TRACE_SHARE ||
           kind == TRACE_UNSHARE;
}

void sim_event(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event)
{
    hyp_pa_t pa = hyp_pa(rec->addr);

    if (counts_pages(rec->kind) && event->a > sim->page_count) {
        sim_bad_record(sim, "at most as many pages as the machine has");
        return;
    }

    switch ((enum trace_kind)rec->kind) {
    case TRACE_PAGE:
        if (!sim_in_linear(sim, rec->addr))
            sim_host_page(sim, rec->cpu, hyp_va(rec->addr), sim_placed_pa(sim, hyp_pa(event->a)),
                          (unsigned int)event->b);
        break;
    case TRACE_ALLOC:
        mark_free(sim, pa, UINT64_C(1) << (event->a & 31), false);
        break;
    case TRACE_FREE:
        mark_free(sim, pa, UINT64_C(1) << (event->a & 31), true);
        break;
    case TRACE_PAGE_FLAGS:
        page_flags(sim, pa, event);
        break;
    case TRACE_DONATE:
        if (!counts_as_donation(sim, event))
            break;
        if (event->b & TRACE_DONATE_INITIAL)
            donate_initial(sim, rec, event);
        else
            donate(sim, rec, event);
        break;
    case TRACE_RECLAIM:
        for (uint64_t i = 0; i < event->a; i++)
            reclaim_page(sim, rec->cpu, hyp_pa_add(pa, i << sim_page_shift(sim)));
        break;
    case TRACE_SHARE:
    case TRACE_UNSHARE:
        share_pages(sim, rec->cpu, rec, event);
        break;
    case TRACE_KFAULT:
        compare_fault(sim, rec, event);
        break;
    case TRACE_MARK:
        sim_flush_batch(sim);
        break;
    case TRACE_ACCESS:
    case TRACE_FLUSH:
    case TRACE_TLBI:
    case TRACE_HYPERCALL:
    case TRACE_SWITCH:
    case TRACE_IRQ:
    case TRACE_VMENTER:
    case TRACE_VMEXIT:
    case TRACE_CLEAR:
        break;
    case TRACE_WORD:
    case TRACE_SYSREG:
    case TRACE_INVALIDATE:
    case TRACE_ARGS:
    case TRACE_CALL:
        sim_guest_event(sim, rec, event);
        break;
    case TRACE_KIND_COUNT:
        break;
    }
    if (sim->strategy->event)
        sim->strategy->event(sim, rec, event);
}
