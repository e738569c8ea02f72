/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds one simulated machine from configuration, strategy and trace header, and takes it apart.
 */
#include "sim/machine.h"
#include "sim/asi.h"
#include "sim/guest_x86.h"

#include <hyp/ept.h>

#include <hyp/bits.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/guest/abi.h"

enum { REGIONS_MAX = HYP_REGIONS_MAX, CARVE_GROWTHS = 64 };
#define HUGE_BYTES  (UINT64_C(1) << 21)
#define TABLE_BYTES (UINT64_C(256) << 20) /* host stage-1 tables, at least */
#define META_BYTES  (UINT64_C(256) << 20)
#define PA_LIMIT    (UINT64_C(1) << 47)

static struct mmu_tlb_config tlb(const struct sim_config *config, uint64_t entries, uint64_t ways,
                                 uint64_t shifts, uint64_t cycles)
{
    return (struct mmu_tlb_config){
        .entries = (uint32_t)entries,
        .ways = (uint32_t)ways,
        .repl = (enum mmu_repl)SIM_GET(config, tlb, repl),
        .page_shifts = (uint32_t)shifts,
        .hit_cycles = (uint32_t)cycles,
    };
}

static struct mmu_config mmu_config(const struct sim_config *config, unsigned int cpus, bool x86)
{
#define G(group, name) SIM_GET(config, group, name)
    uint64_t l1_shifts = G(tlb, l1_shifts), l2_shifts = G(tlb, l2_shifts);
    struct mmu_config mmu = {
        .cpus = cpus,
        .l1i = tlb(config, G(tlb, l1i_entries), G(tlb, l1i_ways), l1_shifts, 0),
        .l1d = tlb(config, G(tlb, l1d_entries), G(tlb, l1d_ways), l1_shifts, 0),
        .l2 = tlb(config, G(tlb, l2_entries), G(tlb, l2_ways), l2_shifts, G(tlb, l2_cycles)),
        .walk_cache = tlb(config, G(wcache, entries), G(wcache, ways), 0, 0),
        /* A76, N1: the L2 TLB keeps ipa results of large blocks only. */
        .ipa_cache =
            tlb(config, G(wcache, ipa_entries), G(wcache, ipa_ways),
                G(wcache, in_l2) ? 1u << 21 | 1u << 25 | 1u << 29 | 1u << 30 : l2_shifts, 0),
        .l2_holds_walks = G(wcache, in_l2) != 0,
        .ipa_cache_tables = x86, /* costs 1.2: nested walk caches of Intel and AMD */
        .memory_cycles = (uint32_t)G(cache, memory_cycles),
        .walk_cycles = (uint32_t)G(cost, walk),
        .seed = G(tlb, seed),
        .stale_period = (uint32_t)G(check, stale_period),
    };
    static const uint32_t line_bytes = 64;

    mmu.cache[0] =
        (struct mmu_cache_config){(uint32_t)G(cache, l1_bytes), (uint32_t)G(cache, l1_ways),
                                  line_bytes, (uint32_t)G(cache, l1_cycles)};
    mmu.cache[1] =
        (struct mmu_cache_config){(uint32_t)G(cache, l2_bytes), (uint32_t)G(cache, l2_ways),
                                  line_bytes, (uint32_t)G(cache, l2_cycles)};
    mmu.cache[2] =
        (struct mmu_cache_config){(uint32_t)G(cache, l3_bytes), (uint32_t)G(cache, l3_ways),
                                  line_bytes, (uint32_t)G(cache, l3_cycles)};
    if (G(check, stale) == 1)
        mmu.stale = MMU_STALE_SAMPLED;
    else if (G(check, stale) == 2)
        mmu.stale = MMU_STALE_ALL;
#undef G
    return mmu;
}

/* Cuts [*cursor, *cursor + bytes) off, 2 MiB aligned at both ends. */
static void cut(hyp_pa_t *cursor, uint64_t bytes, hyp_pa_t *start, hyp_pa_t *end)
{
    *start = *cursor;
    *end = *cursor = hyp_pa_add(*cursor, hyp_align_up(bytes, HUGE_BYTES));
}

static bool is_granule(const struct trace_header *header)
{
    return header->page_shift == 12 || (header->arch == TRACE_ARCH_ARM64 &&
                                        (header->page_shift == 14 || header->page_shift == 16));
}

static enum sim_status check_header(const struct trace_header *header, struct sim_error *error)
{
    if (header->arch != TRACE_ARCH_ARM64 && header->arch != TRACE_ARCH_X86_64)
        return sim_fail(error, SIM_BAD_INPUT, "unknown architecture %u",
                        (unsigned int)header->arch);
    if (!is_granule(header) || !header->ram_count || header->ram_count > REGIONS_MAX ||
        !header->cpus || header->cpus > HYP_CPUS_MAX)
        return sim_fail(error, SIM_BAD_INPUT,
                        "impossible machine: page shift %u, %zu RAM ranges, %u CPUs",
                        header->page_shift, header->ram_count, header->cpus);
    for (size_t i = 0; i < header->ram_count; i++) {
        const struct trace_range *ram = &header->ram[i], whole = sim_ram_range(header, i);

        if (ram->end > PA_LIMIT || whole.start >= whole.end ||
            (i && ram->start < header->ram[i - 1].end))
            return sim_fail(error, SIM_BAD_INPUT,
                            "impossible RAM range 0x%" PRIx64 "-0x%" PRIx64
                            ": expected sorted, at least a page, below 2^47",
                            ram->start, ram->end);
    }
    if (header->linear_start >= header->linear_end || header->linear_start < (UINT64_C(1) << 63) ||
        (header->linear_start | header->linear_pa) & ((UINT64_C(1) << header->page_shift) - 1))
        return sim_fail(error, SIM_BAD_INPUT, "impossible direct map 0x%" PRIx64 "-0x%" PRIx64,
                        header->linear_start, header->linear_end);
    return SIM_OK;
}

/* Host stage-1 tables: an entry of 8 bytes for each page of RAM, and room for all others. */
static uint64_t table_bytes(const struct sim *sim)
{
    const struct sim_layout *layout = &sim->layout;
    uint64_t entries = (layout->ram_end.v - layout->ram_start.v) / sim_page_bytes(sim) * 8;

    return entries + TABLE_BYTES / 2 > TABLE_BYTES ? entries + TABLE_BYTES / 2 : TABLE_BYTES;
}

/* Recorded RAM; the model's own memory, up to `end`, follows the last range. */
static void regions_of(const struct sim *sim, hyp_pa_t end, struct hyp_region *regions)
{
    size_t count = sim->header->ram_count;

    for (size_t i = 0; i < count; i++) {
        struct trace_range ram = sim_ram_range(sim->header, i);

        regions[i] = (struct hyp_region){
            .base = hyp_pa(ram.start),
            .size = (i + 1 == count ? end.v : ram.end) - ram.start,
        };
    }
}

static struct hyp_config hyp_config(struct sim *sim, const struct hyp_region *regions)
{
    const struct sim_config *config = &sim->config;

    bool x86 = sim->header->arch == TRACE_ARCH_X86_64;

    return (struct hyp_config){
        .port = &sim->hyp_port,
        .arch = x86 ? HYP_ARCH_X86 : HYP_ARCH_ARM64,
        .pa_bits = x86 ? SIM_X86_PA_BITS : 0,
        .ept_ve = sim->strategy->stray == FL_STRAY_VE,
        .ept_cap = HYP_EPT_CAP_XONLY | HYP_EPT_CAP_4_LEVELS | HYP_EPT_CAP_WB | HYP_EPT_CAP_2M |
                   HYP_EPT_CAP_1G | HYP_EPT_CAP_INVEPT | HYP_EPT_CAP_INVEPT_SINGLE | HYP_EPT_CAP_UC,
        .features =
            {
                .pa_range = (unsigned int)SIM_GET(config, s2, pa_range),
                .fwb = SIM_GET(config, s2, fwb) != 0,
                .range_tlbi = SIM_GET(config, s1, range_tlbi) != 0,
                .xnx = true,
            },
        .page_shift = sim_page_shift(sim),
        .cpu_count = sim->cpus,
        .regions = regions,
        .region_count = (unsigned int)sim->header->ram_count,
        .vmemmap_first = sim->layout.ram_start.v >> sim_page_shift(sim),
        .vm_count = HYP_VMS_MAX,
        .host_policy =
            {
                .force_page = (enum hyp_force_page)SIM_GET(config, s2, force_page),
                .rebuild = (enum hyp_rebuild)SIM_GET(config, s2, rebuild),
                .max_block_level = (unsigned int)SIM_GET(config, s2, block),
            },
        .pool_policy =
            {
                .reuse = (enum hyp_reuse)SIM_GET(config, pool, reuse),
                .max_order = (unsigned int)SIM_GET(config, pool, max_order),
            },
    };
}

/* Lays the model's own memory out behind the recorded RAM. */
static void lay_out(struct sim *sim, struct hyp_region *regions, struct hyp_config *hyp)
{
    const struct trace_header *header = sim->header;
    struct sim_layout *layout = &sim->layout;
    uint64_t carve = SIM_GET(&sim->config, place, carve_pages) +
                     CARVE_GROWTHS * SIM_GET(&sim->config, place, carve_grow);
    uint64_t pool_pages = SIM_GET(&sim->config, pool, pages);

    layout->ram_start = hyp_pa(sim_ram_range(header, 0).start);
    layout->ram_end = hyp_pa(sim_ram_range(header, header->ram_count - 1).end);
    hyp_pa_t cursor = hyp_pa(hyp_align_up(layout->ram_end.v, HUGE_BYTES));

    cut(&cursor, table_bytes(sim), &layout->tables, &layout->tables_end);
    cut(&cursor, META_BYTES, &layout->meta, &layout->meta_end);
    cut(&cursor, carve * sim_page_bytes(sim), &layout->carve, &layout->carve_end);
    layout->pool = cursor;
    regions_of(sim, cursor, regions);
    *hyp = hyp_config(sim, regions);
    if (!pool_pages) {
        /* The sizing depends on RAM, which contains the pool: a little more than twice settles it.
         */
        struct hyp_carve sizes;

        for (int i = 0; i < 3; i++) {
            hyp_boot_carve(hyp, &sizes);
            pool_pages = hyp_boot_pool_pages(&sizes);
            regions_of(sim, hyp_pa_add(cursor, pool_pages * sim_page_bytes(sim)), regions);
        }
    }
    cut(&cursor, pool_pages * sim_page_bytes(sim), &layout->pool, &layout->pool_end);
    regions_of(sim, cursor, regions);
    hyp->pool = layout->pool;
    hyp->pool_pages = (layout->pool_end.v - layout->pool.v) >> sim_page_shift(sim);
    sim->meta_cursor = layout->meta;
    sim->page_count = (layout->ram_end.v - layout->ram_start.v) >> sim_page_shift(sim);
}

static enum sim_status boot_hypervisor(struct sim *sim, struct hyp_config *config,
                                       struct sim_error *error)
{
    uint64_t descriptors =
        (sim->layout.pool_end.v - sim->layout.ram_start.v) >> sim_page_shift(sim);

    if (!SIM_GET(&sim->config, s2, enable)) {
        /* Without one, those that edit the direct map do that alone. */
        if (sim->strategy->stage2 && !sim->strategy->edits_direct_map)
            return sim_fail(error, SIM_USAGE, "%s needs a hypervisor, and s2.enable is 0",
                            sim->strategy->name);
        return SIM_OK;
    }
    sim->vmemmap = calloc(descriptors, sizeof(*sim->vmemmap));
    sim->vms = calloc(HYP_VMS_MAX, sizeof(*sim->vms));
    if (!sim->vmemmap || !sim->vms)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    config->vmemmap = sim->vmemmap;
    config->vms = sim->vms;
    enum hyp_err err = hyp_init(&sim->hyp, config);

    if (err == HYP_OK)
        err = hyp_boot(&sim->hyp);
    for (unsigned int cpu = 0; err == HYP_OK && cpu < sim->cpus; cpu++) {
        sim->cpu = (uint8_t)cpu;
        err = hyp_prot_finalize(&sim->hyp, cpu);
    }
    sim->cpu = 0;
    if (err != HYP_OK)
        return sim_fail(error, SIM_USAGE,
                        "the hypervisor does not boot on this machine (error %d); check pool.pages "
                        "and s2.pa_range",
                        (int)err);
    return SIM_OK;
}

static enum sim_status build(struct sim *sim, struct sim_error *error)
{
    struct hyp_region regions[REGIONS_MAX];
    struct hyp_config hyp;
    struct mmu_port port;
    struct mmu_config mmu = mmu_config(&sim->config, sim->cpus, sim->regime == MMU_X86);
    enum sim_status status;

    sim_port_hyp(sim, &sim->hyp_port);
    sim_port_mmu(sim, &port);
    lay_out(sim, regions, &hyp);
    sim->ram = sim_ram_create();
    sim->mmu = mmu_create(&mmu, &port);
    /* The carve-out has entries of its own: its pages are lent under the recorded ones' names. */
    sim->pages = calloc(sim->page_count, sizeof(*sim->pages));
    sim->batch = calloc(SIM_GET(&sim->config, donate, batch), sizeof(*sim->batch));
    if (!sim->ram || !sim->mmu || !sim->pages || !sim->batch)
        return sim_fail(error, SIM_INTERNAL, "out of memory, or an impossible TLB geometry");
    if ((status = sim_host_boot(sim, error)) != SIM_OK ||
        (status = boot_hypervisor(sim, &hyp, error)) != SIM_OK ||
        (status = sim_place_boot(sim, error)) != SIM_OK)
        return status;
    if (sim->strategy->setup && (status = sim->strategy->setup(sim, error)) != SIM_OK)
        return status;
    return SIM_OK;
}

static enum sim_status choose_preset(struct sim_config *config, const struct sim_strategy *strategy,
                                     const struct trace_header *header, struct sim_error *error)
{
    bool x86 = header->arch == TRACE_ARCH_X86_64;
    uint64_t preset = sim_preset_for(SIM_GET(config, cpu, preset), x86);

    if (preset == SIM_PRESETS)
        return sim_fail(error, SIM_USAGE,
                        "cpu.preset: the trace is of an %s machine, the preset is not",
                        x86 ? "x86-64" : "arm64");
    if (!sim_strategy_fits(strategy, header))
        return sim_fail(error, SIM_USAGE,
                        "%s is a strategy for %s machines, the trace is of another", strategy->name,
                        x86 ? "arm64" : "x86-64");
    SIM_GET(config, cpu, preset) = preset;
    return SIM_OK;
}

enum sim_status sim_open(struct sim **out, const struct sim_config *config,
                         const struct sim_strategy *strategy, const struct trace_header *header,
                         struct sim_error *error)
{
    enum sim_status status = check_header(header, error);
    uint64_t memory_before = sim_memory_allocated();

    *out = NULL;
    if (status != SIM_OK)
        return status;
    struct sim *sim = calloc(1, sizeof(*sim));

    if (!sim)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    sim->config = *config;
    status = choose_preset(&sim->config, strategy, header, error);
    if (status != SIM_OK) {
        free(sim);
        return status;
    }
    sim_config_resolve(&sim->config);
    sim->strategy = strategy;
    sim->header = header;
    sim->regime = header->arch == TRACE_ARCH_X86_64 ? MMU_X86 : MMU_EL10;
    sim->memory_before = memory_before;
    sim->cpus = (unsigned int)SIM_GET(config, cpu, count);
    if (sim->cpus < header->cpus)
        sim->cpus = header->cpus;
    status = build(sim, error);
    if (status != SIM_OK) {
        sim_close(sim);
        return status;
    }
    /* What setting the machine up cost is not the trace's; what it holds is. */
    uint64_t tables = sim->stats.count[SIM_COUNT_s2_tables_peak];
    uint64_t stranded = sim->stats.count[SIM_COUNT_stranded_peak];

    memset(&sim->stats, 0, sizeof(sim->stats));
    sim->stats.count[SIM_COUNT_s2_tables_peak] = tables;
    sim->stats.count[SIM_COUNT_stranded_peak] = stranded;
    sim->mmu_before = *mmu_counters(sim->mmu);
    *out = sim;
    return SIM_OK;
}

void sim_close(struct sim *sim)
{
    if (!sim)
        return;
    sim_asi_close(sim);
    sim_guest_x86_close(sim);
    mmu_destroy(sim->mmu);
    sim_ram_destroy(sim->ram);
    free(sim->vmemmap);
    free(sim->vms);
    free(sim->pages);
    free(sim->batch);
    free(sim->carve_free);
    free(sim);
}
