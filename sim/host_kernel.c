/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host kernel, as far as lending pages concerns it: its direct map and other kernel mappings,
 * the changes it makes to them, the flushes they need, and what its fault handlers do.
 *
 * Where each rule comes from is said in docs/MODEL.md.
 */
#include <hyp/bits.h>
#include <inttypes.h>

#include "sim/asi.h"
#include "sim/machine.h"

enum { LEVEL_PAGE = 0 };

static enum sim_status out_of_tables(struct sim_error *error)
{
    return sim_fail(error, SIM_INTERNAL, "the host kernel's table pages are used up");
}

/* Maps [start, end) of the direct map by the largest leaves that policy and alignment allow. */
static bool map_linear(struct sim *sim, hyp_pa_t start, hyp_pa_t end)
{
    const unsigned int shift = sim_page_shift(sim);
    unsigned int largest = (unsigned int)SIM_GET(&sim->config, s1, block);
    unsigned int attributes = SIM_GET(&sim->config, s1, contig) ? HOST_MAP_CONTIG : 0;
    bool full = false;

    if (shift != 12 && largest > 1) /* DDI 0487 D8.3: no larger blocks with 48-bit addresses */
        largest = 1;
    for (hyp_pa_t pa = start; pa.v < end.v && !full;) {
        unsigned int level = largest;
        hyp_va_t va = sim_linear_va(sim, pa);

        while (level > LEVEL_PAGE && ((pa.v | va.v) & (hyp_level_size(shift, level) - 1) ||
                                      end.v - pa.v < hyp_level_size(shift, level)))
            level--;
        host_map_set(&sim->map, va, pa, level, level == LEVEL_PAGE ? attributes : 0, &full);
        pa = hyp_pa_add(pa, hyp_level_size(shift, level));
    }
    return !full;
}

enum sim_status sim_host_boot(struct sim *sim, struct sim_error *error)
{
    const struct trace_header *header = sim->header;
    bool x86 = header->arch == TRACE_ARCH_X86_64;
    uint64_t linear = header->linear_end - header->linear_start;

    if (!x86 && sim->strategy->edits_direct_map && SIM_GET(&sim->config, s1, block) != LEVEL_PAGE &&
        SIM_GET(&sim->config, s1, bbm) < 2)
        return sim_fail(
            error, SIM_USAGE,
            "%s takes pages out of the direct map: without s1.bbm=2 a live block cannot "
            "be split, so s1.block must be 'page'",
            sim->strategy->name);
    if (!host_map_init(&sim->map, sim->ram, x86, header->page_shift, sim->layout.tables,
                       sim->layout.tables_end))
        return out_of_tables(error);
    sim->map.no_globals = sim->strategy->isolates;
    for (size_t i = 0; i < header->ram_count; i++) {
        uint64_t start = sim_ram_range(header, i).start, end = sim_ram_range(header, i).end;

        if (start < header->linear_pa || end > header->linear_pa + linear)
            return sim_fail(error, SIM_BAD_INPUT,
                            "RAM 0x%" PRIx64 "-0x%" PRIx64 " lies outside the direct map", start,
                            end);
        if (!map_linear(sim, hyp_pa(start), hyp_pa(end)))
            return out_of_tables(error);
    }
    for (unsigned int cpu = 0; cpu < sim->cpus; cpu++) {
        sim_host_regs_init(sim, cpu);
        sim_host_regs(sim, cpu);
    }
    return SIM_OK;
}

void sim_host_page(struct sim *sim, uint8_t cpu, hyp_va_t va, hyp_pa_t pa, unsigned int flags)
{
    unsigned int attributes = (flags & TRACE_PAGE_DEVICE ? HOST_MAP_DEVICE : 0) |
                              (flags & TRACE_PAGE_CODE ? HOST_MAP_CODE : 0) |
                              (flags & TRACE_PAGE_READONLY ? HOST_MAP_READONLY : 0);
    unsigned int level;
    uint64_t leaf = host_map_leaf(&sim->map, va, &level);
    bool full;

    if (leaf && host_map_pa(&sim->map, leaf, level).v == pa.v)
        return;
    if (!(va.v >> 63))
        attributes |= HOST_MAP_USER;
    if (host_map_set(&sim->map, va, pa, LEVEL_PAGE, attributes, &full))
        /* The recorded kernel switched or changed an address space here; its own flush, whatever
         * it was, has been recorded apart and costs the same under every strategy. */
        sim_host_invalidate_page(sim, cpu, va.v);
    else if (sim->asi)
        sim_asi_appeared(sim, va);
    if (full)
        sim->tables_full = true;
}

void sim_flush_kernel_range(struct sim *sim, uint8_t cpu, hyp_pa_t pa, uint64_t pages)
{
    bool range = SIM_GET(&sim->config, s1, range_tlbi) != 0;

    sim_count(sim, SIM_COUNT_flushes, 1);
    if (pages > SIM_GET(&sim->config, s1, flush_max)) {
        sim_host_invalidate_all(sim, cpu);
        sim_charge(sim, SIM_CAUSE_shootdown, sim_shootdown_cycles(sim, 1, true));
        return;
    }
    sim_host_invalidate_range(sim, cpu, sim_linear_va(sim, pa).v, pages);
    sim_charge(sim, SIM_CAUSE_shootdown, sim_shootdown_cycles(sim, pages, range));
}

/* Each time a new table, all its entries and a flush of the block. */
void sim_direct_map_split(struct sim *sim, uint8_t cpu, hyp_pa_t pa)
{
    hyp_va_t va = sim_linear_va(sim, pa);
    unsigned int level;

    while (host_map_leaf(&sim->map, va, &level) && level > LEVEL_PAGE) {
        uint64_t size = hyp_level_size(sim_page_shift(sim), level);

        if (!host_map_split(&sim->map, va)) {
            sim->tables_full = true;
            return;
        }
        sim_host_invalidate_page(sim, cpu, hyp_align_down(va.v, size));
        sim_count(sim, SIM_COUNT_direct_map_splits, 1);
        sim_charge(sim, SIM_CAUSE_split,
                   sim_clear_cycles(sim, sim_page_bytes(sim)) +
                       sim_page_bytes(sim) / 8 * SIM_COST(sim, pte_write) +
                       sim_shootdown_cycles(sim, 1, true));
    }
}

/* The contiguous hint goes from all entries of a run before one of them may change. */
static void unfold(struct sim *sim, uint8_t cpu, hyp_va_t va)
{
    const uint64_t page = sim_page_bytes(sim), run = host_map_contig(&sim->map);
    unsigned int changed = host_map_unfold(&sim->map, va);

    if (!changed)
        return;
    for (uint64_t i = 0; i < run; i++)
        sim_host_invalidate_page(sim, cpu, hyp_align_down(va.v, run * page) + i * page);
    sim_charge(sim, SIM_CAUSE_split,
               changed * SIM_COST(sim, pte_write) + sim_shootdown_cycles(sim, run, false));
}

void sim_direct_map_invalid(struct sim *sim, uint8_t cpu, hyp_pa_t pa)
{
    hyp_va_t va = sim_linear_va(sim, pa);

    sim_direct_map_split(sim, cpu, pa);
    unfold(sim, cpu, va);
    if (host_map_set_valid(&sim->map, va, false)) {
        sim_count(sim, SIM_COUNT_direct_map_edits, 1);
        sim_charge(sim, SIM_CAUSE_table_edit, SIM_COST(sim, page_attr));
    }
}

void sim_direct_map_default(struct sim *sim, uint8_t cpu, hyp_pa_t pa)
{
    (void)cpu;
    if (host_map_set_valid(&sim->map, sim_linear_va(sim, pa), true)) {
        sim_count(sim, SIM_COUNT_direct_map_edits, 1);
        sim_charge(sim, SIM_CAUSE_table_edit, SIM_COST(sim, page_attr));
    }
}

bool sim_host_extend(struct sim *sim, hyp_pa_t start, hyp_pa_t end)
{
    return map_linear(sim, start, end);
}

void sim_stray_exit(struct sim *sim)
{
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, exit));
    sim_count(sim, SIM_COUNT_exits, 1);
}

enum sim_outcome sim_kernel_fault(struct sim *sim, uint64_t pc, uint64_t entry_cycles)
{
    const struct trace_header *header = sim->header;
    size_t low = 0, high = header->extable_count;

    sim_charge(sim, SIM_CAUSE_stray, entry_cycles);
    sim_charge(sim, SIM_CAUSE_fixup, SIM_COST(sim, extable));
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (header->extable[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < header->extable_count && header->extable[low].pc == pc ? SIM_FIXED : SIM_PANIC;
}
