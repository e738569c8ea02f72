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

enum { PAGE_SHIFT = 12, FAULTS_MAX = 64 };
#define PAGE_BYTES (UINT64_C(1) << PAGE_SHIFT)

/* One access, as the fault handling needs it. */
struct access {
    uint64_t va, pc;
    uint8_t cpu;
    bool store;
};

static uint64_t placed_va(const struct sim *sim, uint64_t va)
{
    const struct trace_header *header = sim->header;
    hyp_pa_t pa = hyp_pa(va - header->linear_start + header->linear_pa);

    return sim_in_linear(sim, va) ? sim_linear_va(sim, sim_placed_pa(sim, pa)).v : va;
}

/* ---- strays ---- */

/* "function+offset" of a zeropad load, from the recording's facts. */
static void place_of(const struct sim *sim, uint64_t pc, char *place, size_t size)
{
    char key[24];
    const char *line;

    place[0] = '\0';
    if (!sim->header->facts)
        return;
    snprintf(key, sizeof(key), "%" PRIx64 " ", pc);
    line = strstr(sim->header->facts, key);
    if (!line)
        return;
    line += strlen(key);
    line += strcspn(line, " \n");
    line += strspn(line, " ");
    snprintf(place, size, "%.*s", (int)strcspn(line, "\n"), line);
}

/* Keeps the first reports, and a panic rather than a repair. */
static void report(struct sim *sim, const struct sim_stray *stray, const struct sim_page *page,
                   bool panic)
{
    unsigned int at = sim->report_count;

    if (at == SIM_REPORTS_MAX) {
        if (!panic)
            return;
        while (at > 0 && sim->report[at - 1].panic)
            at--;
        if (at == 0)
            return;
        at--;
        memmove(&sim->report[at], &sim->report[at + 1],
                (SIM_REPORTS_MAX - at - 1) * sizeof(sim->report[0]));
        at = SIM_REPORTS_MAX - 1;
    } else {
        sim->report_count++;
    }
    struct sim_stray_report *entry = &sim->report[at];

    *entry = (struct sim_stray_report){
        .position = stray->position,
        .pc = stray->pc,
        .far = stray->request.va,
        .ipa = stray->result.stage == 2 ? stray->pa.v : 0,
        .esr = stray->esr,
        .donated = page ? page->donated : 0,
        .owner = page ? page->owner : 0,
        .cpu = stray->request.cpu,
        .panic = panic,
    };
    place_of(sim, stray->pc, entry->place, sizeof(entry->place));
}

/* The recorded page that a page of this machine stands for. */
static struct sim_page *recorded_page(const struct sim *sim, hyp_pa_t pa)
{
    struct sim_page *page = sim_page_at(sim, pa);

    return page && page->moved ? sim_page_at(sim, sim_placed_pa(sim, pa)) : page;
}

/* What the level that takes the fault is told: ESR, #PF error code, or exit qualification. */
static uint64_t syndrome(const struct sim *sim, const struct mmu_request *request,
                         const struct mmu_result *result)
{
    if (!sim->map.x86)
        return mmu_arm64_esr(request, result, result->stage == 2 ? 2 : 1);
    return result->stage == 2 ? mmu_x86_qualification(request, result)
                              : mmu_x86_pf_code(request, result);
}

/* An access met a lent page: the strategy decides. */
static enum sim_outcome meet_stray(struct sim *sim, const struct access *access,
                                   const struct mmu_request *request,
                                   const struct mmu_result *result, uint64_t begun)
{
    struct sim_stray stray = {
        .request = *request,
        .result = *result,
        .pc = access->pc,
        .position = sim->position,
        .esr = syndrome(sim, request, result),
    };
    enum sim_outcome outcome;

    if (result->stage == 2) {
        stray.pa = hyp_pa(result->ipa.v & ~(PAGE_BYTES - 1));
        outcome = sim->strategy->abort ? sim->strategy->abort(sim, &stray) : SIM_PANIC;
    } else {
        stray.pa = hyp_pa((request->va - sim->header->linear_start + sim->header->linear_pa) &
                          ~(PAGE_BYTES - 1));
        outcome = sim_kernel_fault(sim, access->pc, SIM_COST(sim, kernel_fault));
    }
    sim_count(sim, SIM_COUNT_strays, 1);
    sim_count(sim, outcome == SIM_PANIC ? SIM_COUNT_panics : SIM_COUNT_survived, 1);
    sim_histogram_add(sim->stats.stray_latency, sim_stats_cycles(&sim->stats) - begun);
    report(sim, &stray, recorded_page(sim, stray.pa), outcome == SIM_PANIC);
    sim->pending_position = sim->position + 1;
    sim->pending_far = request->va;
    sim->pending_pc = access->pc;
    return outcome;
}

/* What the core says to a stage-2 fault: true when it mapped something and the access may retry. */
static bool core_maps(struct sim *sim, const struct access *access,
                      const struct mmu_request *request, const struct mmu_result *result)
{
    struct hyp_abort abort = {.far = request->va, .ipa = result->ipa, .ipa_valid = true};
    struct hyp_host_regs regs = {.spsr = 5, .elr = access->pc};

    if (sim->map.x86)
        return hyp_host_touch(&sim->hyp, result->ipa) != HYP_HOST_INJECTED;
    abort.esr = mmu_arm64_esr(request, result, 2);
    return hyp_host_abort(&sim->hyp, &abort, &regs) != HYP_HOST_INJECTED;
}

/* A stage-2 fault: the core's handler, unless the page is lent: then the strategy says what
 * happens, the exit included. */
static enum sim_outcome stage2_fault(struct sim *sim, const struct access *access,
                                     const struct mmu_request *request,
                                     const struct mmu_result *result)
{
    uint64_t begun = sim_stats_cycles(&sim->stats);

    sim->cpu = access->cpu;
    if (core_maps(sim, access, request, result)) {
        sim_count(sim, SIM_COUNT_exits, 1);
        sim_charge(sim, SIM_CAUSE_host_fault, SIM_COST(sim, exit) + SIM_COST(sim, s2_fault));
        return SIM_RETRY;
    }
    return meet_stray(sim, access, request, result, begun);
}

static enum sim_outcome stage1_fault(struct sim *sim, const struct access *access,
                                     const struct mmu_request *request,
                                     const struct mmu_result *result)
{
    hyp_pa_t pa = hyp_pa(request->va - sim->header->linear_start + sim->header->linear_pa);
    bool carve = pa.v - sim->layout.carve.v < sim->layout.carve_end.v - sim->layout.carve.v;

    if (sim_in_linear(sim, request->va) || carve)
        return meet_stray(sim, access, request, result, sim_stats_cycles(&sim->stats));
    sim_count(sim, SIM_COUNT_unrecorded, 1);
    return SIM_FIXED;
}

/* Everything but an L1 hit. False when the access did not complete. */
static bool access_slowly(struct sim *sim, const struct access *access)
{
    struct mmu_request request = {
        .va = access->va,
        .cpu = access->cpu,
        .regime = (uint8_t)sim->regime,
        .el = 1,
        .access = access->store ? MMU_WRITE : MMU_READ,
    };
    struct mmu_result result;

    for (int i = 0; i < FAULTS_MAX; i++) {
        enum sim_outcome outcome;

        mmu_translate(sim->mmu, &request, &result);
        sim_charge(sim, result.source == MMU_SRC_L2 ? SIM_CAUSE_l2_hit : SIM_CAUSE_walk,
                   result.cycles);
        if (result.fault == MMU_OK)
            return true;
        outcome = result.stage == 2 ? stage2_fault(sim, access, &request, &result)
                                    : stage1_fault(sim, access, &request, &result);
        if (outcome != SIM_RETRY)
            return false;
    }
    sim->stuck = true;
    return false;
}

/* An access that reaches into the next page: both halves must translate. */
static void access_across(struct sim *sim, struct access *access, bool zeropad, uint64_t recorded)
{
    uint64_t next = hyp_align_down(access->va, PAGE_BYTES) + PAGE_BYTES;
    unsigned int level;

    sim_count(sim, SIM_COUNT_crossings, zeropad);
    if (!access_slowly(sim, access))
        return;
    /* A word load runs into the page that is next in this machine; a buffer of several pages goes
     * on where its next page went. */
    if (sim->moves_pages && !zeropad)
        next = placed_va(sim, hyp_align_down(recorded, PAGE_BYTES) + PAGE_BYTES);
    access->va = next;
    if (!sim_in_linear(sim, next) && !host_map_leaf(&sim->map, hyp_va(next), &level)) {
        sim_count(sim, SIM_COUNT_unrecorded, 1);
        return;
    }
    access_slowly(sim, access);
}

/* ---- the loop ---- */

static enum sim_status replay_block(struct sim *sim, struct mmu_cpu *const *cpus,
                                    const struct trace_block *block, struct sim_error *error)
{
    uint64_t events = 0, zeropads = 0;
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
        bool crosses = (va & (PAGE_BYTES - 1)) + size > PAGE_BYTES;

        if (HYP_LIKELY(!crosses) &&
            HYP_LIKELY(
                mmu_hit(cpus[rec->cpu], regime, 1, site->store ? MMU_WRITE : MMU_READ, va, &pa)))
            continue;
        struct access access = {.va = va, .pc = site->pc, .cpu = rec->cpu, .store = site->store};

        sim->position = block->first + i;
        if (crosses)
            access_across(sim, &access, site->zeropad, rec->addr);
        else
            access_slowly(sim, &access);
    }
    sim_count(sim, SIM_COUNT_accesses, block->count - events);
    sim_count(sim, SIM_COUNT_zeropad_loads, zeropads);
    sim_charge(sim, SIM_CAUSE_access, (block->count - events) * SIM_COST(sim, access));
    if (sim->stuck)
        return sim_fail(error, SIM_INTERNAL, "record %" PRIu64 ": an access keeps faulting",
                        sim->position);
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
