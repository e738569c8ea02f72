/* SPDX-License-Identifier: MIT */
/*
 * Restricted address spaces: creation with the core mappings, destruction, and the list of ranges.
 * Each operation checks everything first, down to the number of free table pages, and then does
 * what cannot fail.
 */
#include "hyp/asi_priv.h"

#define IA_END HYP_BIT(48)

struct asi_extent hyp_asi_extent(const struct hyp_asi_range *range)
{
    const uint64_t size = asi_size(asi_level(range->level)), ia = range->va.v & (IA_END - 1);

    return (struct asi_extent){hyp_align_down(ia, size), hyp_align_up(ia + range->size, size)};
}

static bool inside(struct asi_extent a, struct asi_extent b)
{
    return b.start <= a.start && a.end <= b.end;
}

/* Not empty, and within one canonical half. */
static bool area_valid(hyp_va_t va, uint64_t size)
{
    const uint64_t high = va.v >> 47;

    return size && (high == 0 || high == HYP_MASK(16, 0)) &&
           size <= HYP_BIT(47) - (va.v & HYP_MASK(46, 0));
}

static unsigned int range_at(const struct hyp_asi *asi, hyp_va_t va)
{
    unsigned int i = 0;

    while (i < asi->range_count && asi->config.ranges[i].va.v != va.v)
        i++;
    return i;
}

/* Ranges that meet the extent count one overlap more or less; how many they are. */
static unsigned int count_overlaps(struct hyp_asi *asi, struct asi_extent extent, bool more)
{
    unsigned int count = 0;

    for (unsigned int i = 0; i < asi->range_count; i++) {
        struct hyp_asi_range *range = &asi->config.ranges[i];

        if (!asi_overlap(hyp_asi_extent(range), extent))
            continue;
        count++;
        range->overlaps = more ? range->overlaps + 1 : range->overlaps - 1;
    }
    return count;
}

static bool is_contained(const struct hyp_asi *asi, struct asi_extent extent)
{
    for (unsigned int i = 0; i < asi->range_count; i++) {
        if (inside(extent, hyp_asi_extent(&asi->config.ranges[i])))
            return true;
    }
    return false;
}

enum hyp_err hyp_asi_map_range(struct hyp_asi *asi, hyp_va_t va, uint64_t size,
                               enum hyp_asi_level level, struct hyp_asi_leak *leak)
{
    struct hyp_asi_range range = {.va = va, .size = size, .level = level};
    struct asi_extent extent;
    uint64_t tables = 0;
    enum hyp_err err;

    if ((unsigned int)level > HYP_ASI_PGD || !area_valid(va, size))
        return HYP_EINVAL;
    if (range_at(asi, va) < asi->range_count)
        return HYP_EBUSY;
    if (asi->range_count == asi->config.range_max)
        return HYP_ENOMEM;
    extent = hyp_asi_extent(&range);
    if (!is_contained(asi, extent)) {
        err = hyp_asi_check(asi, &range, NULL, false, &tables);
        if (!err && !hyp_asi_room(asi, tables))
            err = HYP_ENOMEM;
        if (err)
            return err;
        err = hyp_asi_copy(asi, &range);
        HYP_ASSERT(asi->config.port, !err);
    }
    range.overlaps = count_overlaps(asi, extent, true);
    asi->config.ranges[asi->range_count++] = range;
    if (leak) {
        leak->before = (va.v & (IA_END - 1)) - extent.start;
        leak->after = extent.end - (va.v & (IA_END - 1)) - size;
    }
    return HYP_OK;
}

enum hyp_err hyp_asi_map(struct hyp_asi *asi, hyp_va_t va, uint64_t size)
{
    return hyp_asi_map_range(asi, va, size, HYP_ASI_PTE, NULL);
}

/* Copies the listed ranges that meet the extent, coarsest first: finer ones then find it done. */
static enum hyp_err copy_again(struct hyp_asi *asi, struct asi_extent extent)
{
    enum hyp_err err = HYP_OK;

    for (unsigned int level = ASI_TOP + 1; level-- > 0;) {
        for (unsigned int i = 0; i < asi->range_count; i++) {
            const struct hyp_asi_range *range = &asi->config.ranges[i];

            if (asi_level(range->level) == level && asi_overlap(hyp_asi_extent(range), extent)) {
                const enum hyp_err e = hyp_asi_copy(asi, range);

                err = err ? err : e;
            }
        }
    }
    return err;
}

enum hyp_err hyp_asi_unmap(struct hyp_asi *asi, hyp_va_t va)
{
    const unsigned int at = range_at(asi, va);
    const struct hyp_asi_range *range = &asi->config.ranges[at];
    struct asi_extent extent;
    uint64_t tables = 0;
    enum hyp_err err = HYP_OK;

    if (at == asi->range_count)
        return HYP_ENOENT;
    extent = hyp_asi_extent(range);
    for (unsigned int i = 0; i < asi->range_count; i++) {
        if (i != at && asi_overlap(hyp_asi_extent(&asi->config.ranges[i]), extent))
            err = hyp_asi_check(asi, &asi->config.ranges[i], range, true, &tables);
        HYP_ASSERT(asi->config.port, !err);
    }
    if (!hyp_asi_room(asi, tables))
        return HYP_ENOMEM;
    (void)count_overlaps(asi, extent, false);
    asi->range_count--;
    for (unsigned int i = at; i < asi->range_count; i++)
        asi->config.ranges[i] = asi->config.ranges[i + 1];
    hyp_asi_clear(asi, extent, false);
    err = copy_again(asi, extent);
    HYP_ASSERT(asi->config.port, !err);
    return HYP_OK;
}

enum hyp_err hyp_asi_remap(struct hyp_asi *asi, hyp_va_t *mapping, hyp_va_t va, uint64_t size)
{
    enum hyp_err err;

    if (mapping->v == va.v)
        return HYP_OK;
    if (mapping->v) {
        err = hyp_asi_unmap(asi, *mapping);
        if (err)
            return err;
    }
    err = hyp_asi_map(asi, va, size);
    mapping->v = err ? 0 : va.v;
    return err;
}

static hyp_va_t percpu_va(const struct hyp_asi *asi, hyp_va_t va, unsigned int cpu)
{
    return hyp_va(va.v + asi->config.kernel->percpu_offset[cpu]);
}

/* Takes back what this very call mapped, newest first: nothing was listed after it, and what it
 * covered had its own entries already. */
static void take_back(struct hyp_asi *asi, hyp_va_t va)
{
    const enum hyp_err err = hyp_asi_unmap(asi, va);

    HYP_ASSERT(asi->config.port, !err);
}

enum hyp_err hyp_asi_map_percpu(struct hyp_asi *asi, hyp_va_t va, uint64_t size)
{
    for (unsigned int cpu = 0; cpu < asi->config.cpu_count; cpu++) {
        const enum hyp_err err = hyp_asi_map(asi, percpu_va(asi, va, cpu), size);

        if (!err)
            continue;
        while (cpu-- > 0)
            take_back(asi, percpu_va(asi, va, cpu));
        return err;
    }
    return HYP_OK;
}

enum hyp_err hyp_asi_unmap_percpu(struct hyp_asi *asi, hyp_va_t va)
{
    for (unsigned int cpu = 0; cpu < asi->config.cpu_count; cpu++) {
        if (range_at(asi, percpu_va(asi, va, cpu)) == asi->range_count)
            return HYP_ENOENT;
    }
    for (unsigned int cpu = 0; cpu < asi->config.cpu_count; cpu++)
        take_back(asi, percpu_va(asi, va, cpu));
    return HYP_OK;
}

static bool same_name(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

enum hyp_err hyp_asi_map_module(struct hyp_asi *asi, const char *name)
{
    const struct hyp_asi_kernel *kernel = asi->config.kernel;

    for (unsigned int i = 0; i < kernel->module_count; i++) {
        if (same_name(kernel->modules[i].name, name))
            return hyp_asi_map(asi, kernel->modules[i].core.va, kernel->modules[i].core.size);
    }
    return HYP_ENOENT;
}

enum hyp_err hyp_asi_refresh(struct hyp_asi *asi, hyp_va_t va, uint64_t size)
{
    const struct hyp_asi_range change = {.va = va, .size = size, .level = HYP_ASI_PTE};
    struct asi_extent extent;

    if (!area_valid(va, size))
        return HYP_EINVAL;
    extent = hyp_asi_extent(&change);
    asi->kernel_generation++;
    /* What shared tables showed went with them, and is cached under PCIDs that nobody runs now. */
    asi->generation++;
    hyp_asi_clear(asi, extent, true);
    return copy_again(asi, extent);
}

/* Without these the next exception would find no stack, or no session to leave. */
static bool is_core(const struct hyp_asi *asi, uint64_t ia)
{
    const struct hyp_asi_area core[2] = {asi->config.kernel->entry_area,
                                         asi->config.kernel->sessions};

    for (unsigned int i = 0; i < 2; i++) {
        const struct hyp_asi_range range = {
            .va = core[i].va, .size = core[i].size, .level = HYP_ASI_PTE};
        const struct asi_extent page = {ia, ia + asi_size(0)};

        if (asi_overlap(hyp_asi_extent(&range), page))
            return true;
    }
    return false;
}

enum hyp_err hyp_asi_hide(struct hyp_asi *asi, hyp_va_t va)
{
    const uint64_t ia = va.v & (IA_END - 1);

    if (!area_valid(va, asi_size(0)) || (va.v & (asi_size(0) - 1)))
        return HYP_EINVAL;
    return is_core(asi, ia) ? HYP_EBUSY : hyp_asi_table_hide(asi, ia);
}

enum hyp_err hyp_asi_show(struct hyp_asi *asi, hyp_va_t va)
{
    if (!area_valid(va, asi_size(0)) || (va.v & (asi_size(0) - 1)))
        return HYP_ENOENT;
    return hyp_asi_table_show(asi, va.v & (IA_END - 1));
}

static enum hyp_err map_core(struct hyp_asi *asi)
{
    const struct hyp_asi_kernel *kernel = asi->config.kernel;
    enum hyp_err err = HYP_OK;

    if (kernel->image.size)
        err = hyp_asi_map_range(asi, kernel->image.va, kernel->image.size, HYP_ASI_PMD, NULL);
    if (!err)
        err = hyp_asi_map_range(asi, kernel->entry_area.va, kernel->entry_area.size, HYP_ASI_P4D,
                                NULL);
    if (!err)
        err = hyp_asi_map(asi, kernel->sessions.va, kernel->sessions.size);
    for (unsigned int i = 0; i < sizeof kernel->percpu / sizeof *kernel->percpu && !err; i++) {
        if ((asi->config.flags & 1u << i) && kernel->percpu[i].size)
            err = hyp_asi_map_percpu(asi, kernel->percpu[i].va, kernel->percpu[i].size);
    }
    return err;
}

enum hyp_err hyp_asi_create(struct hyp_asi *asi, const struct hyp_asi_config *config)
{
    const struct hyp_asi_kernel *kernel = config->kernel;
    const struct hyp_pgt_config table = {.fmt = &hyp_fmt_x86,
                                         .port = config->port,
                                         .vmemmap = config->vmemmap,
                                         .page_shift = 12,
                                         .ia_bits = 48,
                                         .max_block_level = 2};
    enum hyp_err err;

    if (!kernel->entry_area.size || !kernel->sessions.size || !kernel->table ||
        kernel->table->fmt != &hyp_fmt_x86 || kernel->table->top_level != ASI_TOP ||
        (config->flags & ~0x1fu) || (config->policy.prevent_control & ~HYP_ASI_CONTROL) ||
        (config->policy.protect_data & ~HYP_ASI_DATA) || (config->policy.set & ~HYP_ASI_TAINTS))
        return HYP_EINVAL;
    *asi = (struct hyp_asi){.config = *config};
    err = hyp_pgt_init(&asi->pgt, &table, config->pool, NULL);
    if (err)
        return err;
    err = map_core(asi);
    if (err)
        hyp_asi_tables_free(asi);
    return err;
}

enum hyp_err hyp_asi_destroy(struct hyp_asi *asi)
{
    if (!asi)
        return HYP_OK;
    for (unsigned int i = 0; i < asi->config.cpu_count; i++) {
        const struct hyp_asi_cpu *cpu = &asi->config.cpus[i];

        if (cpu->asi == asi || cpu->current == asi || cpu->target == asi)
            return HYP_EBUSY;
    }
    /* A tag that outlives its address space would vouch for the next one at this place. */
    for (unsigned int i = 0; i < asi->config.cpu_count; i++) {
        for (unsigned int k = 0; k < HYP_ASI_TAGS; k++) {
            if (asi->config.cpus[i].tags[k].asi == asi)
                asi->config.cpus[i].tags[k] = (struct hyp_asi_tag){0};
        }
    }
    hyp_asi_tables_free(asi);
    asi->range_count = 0;
    return HYP_OK;
}
