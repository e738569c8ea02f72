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
#include "sim/machine.h"

enum { PAGE_SHIFT = 12, KPF_BUDDY = 10, FAULTS_MAX = 64 };
#define PAGE_BYTES (UINT64_C(1) << PAGE_SHIFT)

/* One access, as the fault handling needs it. */
struct access {
    uint64_t va, pc;
    uint8_t cpu;
    bool store;
};

static bool in_linear(const struct sim *sim, uint64_t va)
{
    return va - sim->header->linear_start < sim->header->linear_end - sim->header->linear_start;
}

/* The recorded page at a physical address, or NULL outside the recorded RAM. */
static struct sim_page *page_at(const struct sim *sim, hyp_pa_t pa)
{
    uint64_t index = (pa.v - sim->layout.ram_start.v) >> PAGE_SHIFT;

    return pa.v >= sim->layout.ram_start.v && index < sim->page_count ? &sim->pages[index] : NULL;
}

/* Where a recorded physical address is in this machine. */
static hyp_pa_t placed_pa(const struct sim *sim, hyp_pa_t pa)
{
    const struct sim_page *page = page_at(sim, pa);
    uint64_t offset = pa.v - sim->layout.ram_start.v;

    if (!page || !page->moved)
        return pa;
    return hyp_pa_add(sim->layout.ram_start, offset ^ (uint64_t)page->moved << PAGE_SHIFT);
}

static uint64_t placed_va(const struct sim *sim, uint64_t va)
{
    if (!in_linear(sim, va))
        return va;
    return sim_linear_va(
               sim, placed_pa(sim, hyp_pa(va - sim->header->linear_start + sim->header->linear_pa)))
        .v;
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
    struct sim_page *page = page_at(sim, pa);

    return page && page->moved ? page_at(sim, placed_pa(sim, pa)) : page;
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
        .esr = mmu_arm64_esr(request, result, result->stage == 2 ? 2 : 1),
    };
    enum sim_outcome outcome;

    if (result->stage == 2) {
        stray.pa = hyp_pa(result->ipa.v & ~(PAGE_BYTES - 1));
        stray.hpfar = mmu_arm64_hpfar(result);
        outcome = sim->strategy->abort ? sim->strategy->abort(sim, &stray) : SIM_PANIC;
    } else {
        stray.pa = hyp_pa((request->va - sim->header->linear_start + sim->header->linear_pa) &
                          ~(PAGE_BYTES - 1));
        outcome = sim_kernel_fault(sim, access->pc);
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

/* A stage-2 fault: exception to EL2, and the core's abort handler. */
static enum sim_outcome stage2_fault(struct sim *sim, const struct access *access,
                                     const struct mmu_request *request,
                                     const struct mmu_result *result)
{
    uint64_t begun = sim_stats_cycles(&sim->stats);
    struct hyp_abort abort = {
        .esr = mmu_arm64_esr(request, result, 2),
        .far = request->va,
        .ipa = result->ipa,
        .ipa_valid = true,
    };
    struct hyp_host_regs regs = {.spsr = 5, .elr = access->pc};

    sim->cpu = access->cpu;
    sim_count(sim, SIM_COUNT_exits, 1);
    if (hyp_host_abort(&sim->hyp, &abort, &regs) != HYP_HOST_INJECTED) {
        sim_charge(sim, SIM_CAUSE_host_fault, SIM_COST(sim, exit) + SIM_COST(sim, s2_fault));
        return SIM_RETRY;
    }
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, exit));
    return meet_stray(sim, access, request, result, begun);
}

static enum sim_outcome stage1_fault(struct sim *sim, const struct access *access,
                                     const struct mmu_request *request,
                                     const struct mmu_result *result)
{
    hyp_pa_t pa = hyp_pa(request->va - sim->header->linear_start + sim->header->linear_pa);
    bool carve = pa.v - sim->layout.carve.v < sim->layout.carve_end.v - sim->layout.carve.v;

    if (in_linear(sim, request->va) || carve)
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
        .regime = MMU_EL10,
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
    if (!in_linear(sim, next) && !host_map_leaf(&sim->map, hyp_va(next), &level)) {
        sim_count(sim, SIM_COUNT_unrecorded, 1);
        return;
    }
    access_slowly(sim, access);
}

/* ---- donations ---- */

static bool complete(struct sim *sim, const struct sim_lend *lend, bool done)
{
    lend->page->lent = done ? SIM_LENT : SIM_NOT_LENT;
    sim_count(sim, done ? SIM_COUNT_donations : SIM_COUNT_donations_failed, 1);
    return done;
}

static void flush_batch(struct sim *sim)
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
    struct sim_lend lend = {.recorded = pa, .pa = pa, .page = page_at(sim, pa), .cpu = cpu};

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
        flush_batch(sim);
}

static void reclaim_page(struct sim *sim, uint8_t cpu, hyp_pa_t pa)
{
    struct sim_lend lend = {.recorded = pa, .page = page_at(sim, pa), .cpu = cpu};

    if (!lend.page)
        return;
    if (lend.page->lent == SIM_LENT_WAITS)
        flush_batch(sim);
    if (lend.page->lent != SIM_LENT)
        return;
    lend.pa = placed_pa(sim, pa);
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
    if (!in_linear(sim, rec->addr) || event->c == TRACE_OUTCOME_OTHER)
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
        struct sim_page *page = page_at(sim, hyp_pa_add(pa, i << PAGE_SHIFT));

        if (!page)
            return;
        page->free = free;
    }
}

/* A run of pages with like flags. Only the first page of a free block has the buddy flag, the rest
 * of it has none at all. */
static void page_flags(struct sim *sim, hyp_pa_t pa, const struct trace_event *event)
{
    bool head = event->b >> KPF_BUDDY & 1;
    const struct sim_page *before = page_at(sim, hyp_pa(pa.v - PAGE_BYTES));

    mark_free(sim, pa, event->a, head || (event->b == 0 && before && before->free));
}

static bool counts_as_donation(const struct sim *sim, const struct trace_event *event)
{
    return !sim->strategy->baseline &&
           (SIM_GET(&sim->config, donate, kinds) == 0 || event->b & TRACE_DONATE_UNMAPPED);
}

static void share_pages(struct sim *sim, uint8_t cpu, const struct trace_rec *rec,
                        const struct trace_event *event)
{
    if (!sim->strategy->stage2 || (event->owner & 0xff) != TRACE_OWNER_HYP)
        return;
    for (uint64_t i = 0; i < event->a; i++) {
        hyp_pfn_t pfn = placed_pa(sim, hyp_pa(rec->addr + (i << PAGE_SHIFT))).v >> PAGE_SHIFT;
        enum hyp_err err;

        sim->cpu = cpu;
        sim_charge(sim, SIM_CAUSE_hypercall, SIM_COST(sim, exit) + SIM_COST(sim, hypercall));
        sim_count(sim, SIM_COUNT_hypercalls, 1);
        sim_count(sim, SIM_COUNT_exits, 1);
        err = rec->kind == TRACE_SHARE ? hyp_host_share_hyp(&sim->hyp, pfn)
                                       : hyp_host_unshare_hyp(&sim->hyp, pfn);
        (void)err; /* a page the recording shares twice stays shared */
    }
}

static void do_event(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event)
{
    hyp_pa_t pa = hyp_pa(rec->addr);

    switch ((enum trace_kind)rec->kind) {
    case TRACE_PAGE:
        if (!in_linear(sim, rec->addr))
            sim_host_page(sim, rec->cpu, hyp_va(rec->addr), placed_pa(sim, hyp_pa(event->a)),
                          event->b != 0);
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
        for (uint64_t i = 0; counts_as_donation(sim, event) && i < event->a; i++)
            donate_page(sim, rec->cpu, hyp_pa_add(pa, i << PAGE_SHIFT), event->owner);
        break;
    case TRACE_RECLAIM:
        for (uint64_t i = 0; i < event->a; i++)
            reclaim_page(sim, rec->cpu, hyp_pa_add(pa, i << PAGE_SHIFT));
        break;
    case TRACE_SHARE:
    case TRACE_UNSHARE:
        share_pages(sim, rec->cpu, rec, event);
        break;
    case TRACE_KFAULT:
        compare_fault(sim, rec, event);
        break;
    case TRACE_MARK:
        flush_batch(sim);
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
    case TRACE_KIND_COUNT:
        break;
    }
}

/* ---- the loop ---- */

static enum sim_status replay_block(struct sim *sim, struct mmu_cpu *const *cpus,
                                    const struct trace_block *block, struct sim_error *error)
{
    uint64_t events = 0, zeropads = 0;
    bool moves = sim->moves_pages;

    for (size_t i = 0; i < block->count; i++) {
        const struct trace_rec *rec = &block->rec[i];

        if (HYP_UNLIKELY(rec->cpu >= sim->cpus))
            return sim_fail(error, SIM_BAD_INPUT, "record %" PRIu64 ": CPU %u, but there are %u",
                            block->first + i, rec->cpu, sim->cpus);
        if (HYP_UNLIKELY(rec->kind != TRACE_ACCESS)) {
            events++;
            sim->position = block->first + i;
            do_event(sim, rec, &block->events[rec->site]);
            continue;
        }
        const struct trace_site *site = &block->sites[rec->site];
        uint64_t va = HYP_UNLIKELY(moves) ? placed_va(sim, rec->addr) : rec->addr;
        uint64_t size = UINT64_C(1) << site->size_log2;
        hyp_pa_t pa;

        zeropads += site->zeropad;
        bool crosses = (va & (PAGE_BYTES - 1)) + size > PAGE_BYTES;

        if (HYP_LIKELY(!crosses) &&
            HYP_LIKELY(mmu_hit(cpus[rec->cpu], MMU_EL10, 1, site->store ? MMU_WRITE : MMU_READ, va,
                               &pa)))
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
    flush_batch(sim);
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
        .compared = sim->strategy->recorded && SIM_GET(&sim->config, donate, kinds) == 1,
        .report_count = sim->report_count,
        .memory_bytes = memory > sim->memory_before ? memory - sim->memory_before : 0,
    };
    memcpy(result->report, sim->report, sizeof(result->report));
    mmu_counters_sub(&result->mmu, mmu_counters(sim->mmu), &sim->mmu_before);
    uint64_t predicted = sim->stats.count[SIM_COUNT_predicted];

    result->missed = sim->stats.count[SIM_COUNT_recorded_faults] - predicted;
    result->spurious = sim->stats.count[SIM_COUNT_strays] - predicted;
}
