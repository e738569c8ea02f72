/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replay: a trace source drives a machine.
 *
 * An access that hits the L1 TLB is served inline; everything else goes through the model's
 * mmu_translate() and the fault handling here. Events change ownership through the strategy.
 * Faults of the recording are never an input: they are compared with the faults that the replay
 * predicts, which must come at the same place, at the same address, from the same instruction.
 */
#include <hyp/bits.h>
#include <inttypes.h>
#include <string.h>

#include "mmu/fast.h"
#include "mmu/x86.h"
#include "sim/machine.h"

static uint64_t placed_va(const struct sim *sim, uint64_t va)
{
    const struct trace_header *header = sim->header;
    hyp_pa_t pa = hyp_pa(va - header->linear_start + header->linear_pa);

    return sim_in_linear(sim, va) ? sim_linear_va(sim, sim_placed_pa(sim, pa)).v : va;
}

/* An access that reaches into the next page: both halves must translate. */
static void access_across(struct sim *sim, struct sim_access *access, bool zeropad,
                          uint64_t recorded)
{
    const uint64_t page = sim_page_bytes(sim);
    uint64_t next = hyp_align_down(access->va, page) + page;
    unsigned int level;

    sim_count(sim, SIM_COUNT_crossings, zeropad);
    if (!sim_access(sim, access, NULL))
        return;
    /* A word load runs into the page that is next in this machine; a buffer of several pages goes
     * on where its next page went. */
    if (sim->moves_pages && !zeropad)
        next = placed_va(sim, hyp_align_down(recorded, page) + page);
    access->va = next;
    if (!sim_in_linear(sim, next) && !host_map_leaf(&sim->map, hyp_va(next), &level)) {
        sim_count(sim, SIM_COUNT_unrecorded, 1);
        return;
    }
    sim_access(sim, access, NULL);
}

/* ---- the loop ---- */

static enum sim_status replay_block(struct sim *sim, struct mmu_cpu *const *cpus,
                                    const struct trace_block *block, struct sim_error *error)
{
    uint64_t events = 0, zeropads = 0;
    const uint64_t page = sim_page_bytes(sim);
    enum mmu_regime regime = sim->regime;
    bool moves = sim->moves_pages;

    for (size_t i = 0; i < block->count; i++) {
        const struct trace_rec *rec = &block->rec[i];

        if (HYP_UNLIKELY(rec->cpu >= sim->cpus))
            return sim_fail(error, SIM_BAD_INPUT, "record %" PRIu64 ": CPU %u, but there are %u",
                            block->first + i, rec->cpu, sim->cpus);
        if (HYP_UNLIKELY(rec->kind != TRACE_ACCESS)) {
            events++;
            sim->position = block->first + i;
            sim_event(sim, rec, &block->events[rec->site]);
            continue;
        }
        const struct trace_site *site = &block->sites[rec->site];
        uint64_t va = HYP_UNLIKELY(moves) ? placed_va(sim, rec->addr) : rec->addr;
        uint64_t size = UINT64_C(1) << site->size_log2;
        hyp_pa_t pa;

        zeropads += site->zeropad;
        bool crosses = (va & (page - 1)) + size > page;

        if (HYP_LIKELY(!crosses) && HYP_LIKELY(!(site->fetch | site->user)) &&
            HYP_LIKELY(
                mmu_hit(cpus[rec->cpu], regime, 1, site->store ? MMU_WRITE : MMU_READ, va, &pa)))
            continue;
        struct sim_access access = {
            .va = va,
            .pc = site->pc,
            .cpu = rec->cpu,
            .el = !site->user,
            .kind = site->fetch   ? MMU_FETCH
                    : site->store ? MMU_WRITE
                                  : MMU_READ,
        };

        sim->position = block->first + i;
        if (crosses)
            access_across(sim, &access, site->zeropad, rec->addr);
        else
            sim_access(sim, &access, NULL);
    }
    sim_count(sim, SIM_COUNT_accesses, block->count - events);
    sim_count(sim, SIM_COUNT_zeropad_loads, zeropads);
    sim_charge(sim, SIM_CAUSE_access, (block->count - events) * SIM_COST(sim, access));
    if (sim->stuck)
        return sim_fail(error, SIM_INTERNAL, "record %" PRIu64 ": an access keeps faulting",
                        sim->position);
    if (sim->bad_record)
        return sim_fail(error, SIM_BAD_INPUT, "record %" PRIu64 ": expected %s", sim->bad_position,
                        sim->bad_record);
    if (sim->tables_full)
        return sim_fail(error, SIM_INTERNAL,
                        "record %" PRIu64 ": the host kernel's table pages are used up",
                        sim->position);
    return SIM_OK;
}

enum sim_status sim_replay(struct sim *sim, struct trace_source *source, sim_progress_fn *progress,
                           void *arg, struct sim_error *error)
{
    struct mmu_cpu *cpus[HYP_CPUS_MAX];
    struct trace_block block;
    struct trace_error trace_error;
    int more;

    for (unsigned int i = 0; i < sim->cpus; i++)
        cpus[i] = mmu_cpu(sim->mmu, i);
    while ((more = source->next(source, &block, &trace_error)) > 0) {
        enum sim_status status = replay_block(sim, cpus, &block, error);

        if (status != SIM_OK)
            return status;
        sim->records = block.first + block.count;
        if (progress)
            progress(arg, sim->records);
    }
    sim_flush_batch(sim);
    if (more < 0)
        return sim_fail(error, SIM_BAD_INPUT, "%s", trace_error.text);
    return SIM_OK;
}

void sim_result(const struct sim *sim, struct sim_result *result)
{
    uint64_t memory = sim_memory_allocated();

    *result = (struct sim_result){
        .strategy = sim->strategy,
        .config = sim->config,
        .stats = sim->stats,
        .records = sim->records,
        .compared = sim->strategy->recorded &&
                    SIM_GET(&sim->config, donate, kinds) == sim->strategy->recorded,
        .report_count = sim->report_count,
        .memory_bytes = memory > sim->memory_before ? memory - sim->memory_before : 0,
    };
    memcpy(result->report, sim->report, sizeof(result->report));
    mmu_counters_sub(&result->mmu, mmu_counters(sim->mmu), &sim->mmu_before);
    uint64_t predicted = sim->stats.count[SIM_COUNT_predicted];

    result->missed = sim->stats.count[SIM_COUNT_recorded_faults] - predicted;
    result->spurious = sim->stats.count[SIM_COUNT_strays] - predicted;
}
