/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/guest_x86.h"

#include <hyp/asi.h>
#include <stdlib.h>

#include "sim/asi.h"
#include "sim/pool.h"
#include "workloads/guest/abi.h"

enum { PAGE_SHIFT = 12, RANGES = 64, TABLES = 512, XOM_BIT = SIM_X86_PA_BITS - 1 };
#define PAGE_BYTES UINT64_C(4096)
/* CPUID: address widths; leaves of hypervisors. */
#define LEAF_WIDTHS    UINT32_C(0x80000008)
#define LEAF_IS_HYP(l) ((l) >> 16 == 0x4000)
#define LINEAR_BITS    48u

struct sim_guest_x86 {
    struct sim_xom *xom;
    /* isolation */
    bool isolates; /* `asi` exists */
    struct hyp_port port;
    struct sim_pool pool;
    struct hyp_pgt full; /* the kernel's tables */
    struct hyp_asi_kernel kernel;
    struct hyp_asi_cpu cpus[HYP_CPUS_MAX];
    struct hyp_asi asi;
    struct hyp_asi_range ranges[RANGES];
    uint64_t tables[TABLES];
};

static struct sim_guest_x86 *state_of(struct sim *sim)
{
    if (!sim->guest_x86)
        sim->guest_x86 = calloc(1, sizeof(*sim->guest_x86));
    return sim->guest_x86;
}

void sim_guest_x86_close(struct sim *sim)
{
    if (!sim->guest_x86)
        return;
    sim_xom_close(sim->guest_x86->xom);
    sim_pool_close(&sim->guest_x86->pool);
    free(sim->guest_x86);
}

uint64_t sim_guest_features(const struct sim *sim)
{
    if (!sim->map.x86)
        return 0;
    return FL_FEATURE_ASI | (SIM_GET(&sim->config, s2, enable) ? FL_FEATURE_XOM : 0);
}

/* ---- execute-only memory ---- */

bool sim_guest_cpuid(const struct sim *sim, uint32_t leaf, uint32_t out[4])
{
    const struct hyp_xom xom = {.signature = SIM_XOM_SIGNATURE, .bit = XOM_BIT};
    struct hyp_xom_cpuid answer = {0};

    if (!(sim_guest_features(sim) & FL_FEATURE_XOM) || (leaf != LEAF_WIDTHS && !LEAF_IS_HYP(leaf)))
        return false;
    if (leaf == LEAF_WIDTHS)
        answer.eax = LINEAR_BITS << 8 | SIM_X86_PA_BITS;
    hyp_xom_cpuid(&xom, leaf, &answer);
    out[0] = answer.eax;
    out[1] = answer.ebx;
    out[2] = answer.ecx;
    out[3] = answer.edx;
    return true;
}

/* The machine's memory, all of it with an alias. */
static bool open_xom(struct sim *sim)
{
    const struct sim_xom_config config = {.start = sim->layout.ram_start,
                                          .end = sim->layout.ram_end,
                                          .bit = XOM_BIT,
                                          .tells_linear = SIM_GET(&sim->config, s2, tells_linear)};
    struct sim_guest_x86 *x86 = state_of(sim);
    struct sim_error error;

    if (!x86 || !(sim_guest_features(sim) & FL_FEATURE_XOM))
        return false;
    return x86->xom || sim_xom_open(&x86->xom, sim, &config, &error) == SIM_OK;
}

static int64_t xom_call(struct sim *sim, uint8_t cpu, uint64_t operation)
{
    bool on = operation == FL_XOM_ON;

    sim_hypercall(sim, cpu);
    if ((!on && operation != FL_XOM_OFF) || !open_xom(sim) || !sim_xom_set(sim->guest_x86->xom, on))
        return -1;
    for (unsigned int i = 0; i < sim->cpus; i++) {
        sim->cpu_state[i].own_stage2 = true;
        sim_xom_enter(sim->guest_x86->xom, (uint8_t)i);
    }
    return on ? XOM_BIT : 0;
}

struct sim_xom_result sim_guest_violation(struct sim *sim, const struct sim_met *met,
                                          const struct sim_x86_regs *regs)
{
    return sim_xom_violation(sim->guest_x86->xom, &met->request, &met->result, regs);
}

/* ---- isolation ---- */

/* Once: pages for tables, one for the sessions, the state of the CPUs. */
static bool open_asi(struct sim *sim)
{
    struct sim_guest_x86 *x86 = state_of(sim);
    struct hyp_pgt_config full = {.fmt = &hyp_fmt_x86,
                                  .page_shift = PAGE_SHIFT,
                                  .ia_bits = LINEAR_BITS,
                                  .max_block_level = 2};
    hyp_pa_t sessions;

    if (!x86 || x86->isolates)
        return false;
    if (x86->pool.vmemmap.base)
        return true;
    sim_asi_port(sim, &x86->port);
    full.port = &x86->port;
    sessions = sim_pool_take(sim, 1);
    if (!sessions.v || sim_pool_open(&x86->pool, sim, &x86->port, TABLES) != HYP_OK ||
        hyp_pgt_init_at(&x86->full, &full, NULL, sim->map.kernel_root) != HYP_OK)
        return false;
    x86->kernel = (struct hyp_asi_kernel){.table = &x86->full,
                                          .entry_area = sim_asi_entry_area(),
                                          .sessions = {sim_linear_va(sim, sessions), PAGE_BYTES}};
    for (unsigned int i = 0; i < sim->cpus; i++)
        hyp_asi_cpu_init(&x86->cpus[i], &x86->port, sim->cpu_state[i].reg[TRACE_CR3],
                         sim->cpu_state[i].reg[TRACE_CR4], 0);
    return true;
}

static int64_t create(struct sim *sim, uint64_t image, uint64_t size)
{
    if (!open_asi(sim))
        return -1;
    struct sim_guest_x86 *x86 = sim->guest_x86;
    const struct hyp_asi_config config = {
        .port = &x86->port,
        .vmemmap = &x86->pool.vmemmap,
        .pool = &x86->pool.pool,
        .kernel = &x86->kernel,
        .cpus = x86->cpus,
        .cpu_count = sim->cpus,
        .ranges = x86->ranges,
        .range_max = RANGES,
        .tables = x86->tables,
        .table_max = TABLES,
    };

    x86->kernel.image = (struct hyp_asi_area){hyp_va(image), size};
    x86->isolates = hyp_asi_create(&x86->asi, &config) == HYP_OK;
    return x86->isolates ? 0 : -1;
}

static int64_t destroy(struct sim_guest_x86 *x86)
{
    x86->isolates = hyp_asi_destroy(&x86->asi) != HYP_OK;
    return x86->isolates ? -1 : 0;
}

static int64_t answer_of(enum hyp_err err)
{
    return err == HYP_OK ? 0 : -1;
}

static int64_t asi_call(struct sim *sim, uint8_t cpu, const uint64_t args[HYP_HCALL_ARGS])
{
    struct sim_guest_x86 *x86 = sim->guest_x86;
    struct hyp_asi_cpu *own = x86 ? &x86->cpus[cpu] : NULL;
    const struct hyp_asi_task task = {.stack = {hyp_va(args[1]), args[2]}};
    struct hyp_asi_fault report;

    if (args[0] == FL_ASI_CREATE)
        return create(sim, args[1], args[2]);
    if (!x86 || !x86->isolates) /* the brackets of entry code have nothing to do */
        return args[0] == FL_ASI_START_ABORT || args[0] == FL_ASI_FINISH_ABORT ? 0 : -1;
    switch (args[0]) {
    case FL_ASI_MAP:
        return answer_of(hyp_asi_map(&x86->asi, hyp_va(args[1]), args[2]));
    case FL_ASI_UNMAP:
        return answer_of(hyp_asi_unmap(&x86->asi, hyp_va(args[1])));
    case FL_ASI_ENTER:
        return answer_of(hyp_asi_enter(own, &x86->asi, &task));
    case FL_ASI_EXIT:
        hyp_asi_exit(own);
        return 0;
    case FL_ASI_START_ABORT:
        hyp_asi_start_abort(own);
        return 0;
    case FL_ASI_FINISH_ABORT:
        hyp_asi_finish_abort(own);
        return 0;
    case FL_ASI_FAULT:
        return hyp_asi_fault(own, args[1], hyp_va(args[2]), &report);
    case FL_ASI_DESTROY:
        return destroy(x86);
    default:
        return -1;
    }
}

int64_t sim_guest_x86_call(struct sim *sim, uint8_t cpu, uint64_t number,
                           const uint64_t args[HYP_HCALL_ARGS])
{
    if (!sim->map.x86)
        return -1;
    sim->cpu = cpu;
    return number == FL_XOM ? xom_call(sim, cpu, args[0]) : asi_call(sim, cpu, args);
}
