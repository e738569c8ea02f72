/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One access, from the TLB to whoever answers for its fault: the core, which maps host memory as it
 * is touched; the strategy, for a lent page; or nobody. Replays and running guests share it.
 */
#include <hyp/bits.h>
#include <inttypes.h>
#include <string.h>

#include "mmu/x86.h"
#include "sim/asi.h"
#include "sim/machine.h"

enum { FAULTS_MAX = 64 };

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

/* The page behind a direct-map address. */
static hyp_pa_t direct_pa(const struct sim *sim, uint64_t va)
{
    return hyp_pa((va - sim->header->linear_start + sim->header->linear_pa) &
                  ~(sim_page_bytes(sim) - 1));
}

static bool is_isolated(const struct sim *sim, uint8_t cpu)
{
    return sim->asi && sim_asi_isolated(sim, cpu);
}

/* An access met a lent page: the strategy decides. */
static enum sim_outcome meet_stray(struct sim *sim, const struct sim_access *access,
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
        stray.pa = hyp_pa(result->ipa.v & ~(sim_page_bytes(sim) - 1));
        outcome = sim->strategy->abort ? sim->strategy->abort(sim, &stray) : SIM_PANIC;
    } else {
        stray.pa = direct_pa(sim, request->va);
        if (is_isolated(sim, access->cpu)) {
            sim_asi_fault(sim, access, recorded_page(sim, stray.pa));
            outcome = SIM_RETRY;
        } else {
            outcome = sim_kernel_fault(sim, access->pc, SIM_COST(sim, kernel_fault));
        }
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
static bool core_maps(struct sim *sim, const struct sim_access *access,
                      const struct mmu_request *request, const struct mmu_result *result,
                      struct sim_met *met)
{
    struct hyp_abort abort = {.far = request->va, .ipa = result->ipa, .ipa_valid = true};
    struct hyp_host_regs none = {.spsr = 5, .elr = access->pc}, *regs = met ? &met->regs : &none;

    if (sim->map.x86)
        return hyp_host_touch(&sim->hyp, result->ipa) != HYP_HOST_INJECTED;
    abort.esr = mmu_arm64_esr(request, result, 2);
    return hyp_host_abort(&sim->hyp, &abort, regs) != HYP_HOST_INJECTED;
}

/* A stage-2 fault: the core's handler, unless the page is lent: then the strategy says what
 * happens, the exit included. */
static enum sim_outcome stage2_fault(struct sim *sim, const struct sim_access *access,
                                     const struct mmu_request *request,
                                     const struct mmu_result *result, struct sim_met *met)
{
    uint64_t begun = sim_stats_cycles(&sim->stats);

    sim->cpu = access->cpu;
    if (core_maps(sim, access, request, result, met)) {
        sim_count(sim, SIM_COUNT_exits, 1);
        sim_charge(sim, SIM_CAUSE_host_fault, SIM_COST(sim, exit) + SIM_COST(sim, s2_fault));
        return SIM_RETRY;
    }
    return meet_stray(sim, access, request, result, begun);
}

/* The page at a direct-map address is lent; in a recording, whatever faults there is. */
static bool is_stray(const struct sim *sim, uint64_t va)
{
    hyp_pa_t pa = hyp_pa(va - sim->header->linear_start + sim->header->linear_pa);
    bool carve = pa.v - sim->layout.carve.v < sim->layout.carve_end.v - sim->layout.carve.v;
    const struct sim_page *page;

    if (!sim_in_linear(sim, va) && !carve)
        return false;
    page = sim->runs_guest ? sim_page_at(sim, pa) : NULL;
    return !sim->runs_guest || (page && page->lent == SIM_LENT);
}

/* A CPU on the restricted tables: what they do not show it looks up in the full ones. */
static enum sim_outcome isolation_fault(struct sim *sim, const struct sim_access *access,
                                        const struct mmu_request *request,
                                        const struct mmu_result *result)
{
    const struct sim_page *page = recorded_page(sim, direct_pa(sim, access->va));
    bool lent = sim_in_linear(sim, access->va) && page && page->lent == SIM_LENT;

    /* Where stage 2 protects the page, too, the stray access is the one that comes next. */
    if (lent && !SIM_GET(&sim->config, asi, stage2))
        return meet_stray(sim, access, request, result, sim_stats_cycles(&sim->stats));
    sim_asi_fault(sim, access, lent ? page : NULL);
    return SIM_RETRY;
}

static enum sim_outcome stage1_fault(struct sim *sim, const struct sim_access *access,
                                     const struct mmu_request *request,
                                     const struct mmu_result *result)
{
    if (result->fault == MMU_FAULT_TRANSLATION && is_isolated(sim, access->cpu))
        return isolation_fault(sim, access, request, result);
    if (result->fault == MMU_FAULT_TRANSLATION && is_stray(sim, request->va))
        return meet_stray(sim, access, request, result, sim_stats_cycles(&sim->stats));
    sim_count(sim, SIM_COUNT_unrecorded, 1);
    return SIM_FIXED;
}

/* Nobody below repairs it: a VM's fault is its host's business, a violation in execute-only memory
 * the kernel's that asked for it. */
static bool is_final(const struct sim *sim, unsigned int cpu, const struct mmu_result *result)
{
    const struct sim_cpu_state *state = &sim->cpu_state[cpu];

    return sim->runs_guest && (state->vm || (state->own_stage2 && result->stage == 2));
}

bool sim_access(struct sim *sim, const struct sim_access *access, struct sim_met *met)
{
    struct mmu_request request = {
        .va = access->va,
        .cpu = access->cpu,
        .regime = (uint8_t)sim->regime,
        .el = access->el,
        .access = access->kind,
    };
    struct mmu_result result;

    for (int i = 0; i < FAULTS_MAX; i++) {
        enum sim_outcome outcome = SIM_PANIC;

        mmu_translate(sim->mmu, &request, &result);
        sim_charge(sim, result.source == MMU_SRC_L2 ? SIM_CAUSE_l2_hit : SIM_CAUSE_walk,
                   result.cycles);
        if (met)
            met->result = result;
        if (result.fault == MMU_OK)
            return true;
        if (!is_final(sim, access->cpu, &result))
            outcome = result.stage == 2 ? stage2_fault(sim, access, &request, &result, met)
                                        : stage1_fault(sim, access, &request, &result);
        if (outcome == SIM_RETRY)
            continue;
        if (met)
            met->request = request;
        return false;
    }
    sim->stuck = true;
    return false;
}
