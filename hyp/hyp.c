/* SPDX-License-Identifier: MIT */
/* One instance: the configuration is checked and taken over here; boot.c brings it to life. */
#include "hyp/hyp_priv.h"

static bool is_aligned(const struct hyp_config *config, uint64_t v)
{
    return !(v & ((UINT64_C(1) << config->page_shift) - 1));
}

static bool regions_valid(const struct hyp_config *config)
{
    uint64_t limit = UINT64_C(1) << hyp_arch_pa_bits(config);
    uint64_t end = 0;
    unsigned int i;

    if (!config->regions || !config->region_count || config->region_count > HYP_REGIONS_MAX)
        return false;
    for (i = 0; i < config->region_count; i++) {
        const struct hyp_region *region = &config->regions[i];

        if (!region->size || !is_aligned(config, region->base.v | region->size) ||
            region->base.v < end || region->base.v >= limit ||
            region->size > limit - region->base.v)
            return false;
        end = region->base.v + region->size;
    }
    return config->vmemmap_first <= config->regions[0].base.v >> config->page_shift;
}

/* Usable RAM of one region. */
static bool range_in_ram(const struct hyp_config *config, uint64_t base, uint64_t size)
{
    unsigned int i;

    for (i = 0; i < config->region_count; i++) {
        const struct hyp_region *region = &config->regions[i];

        if (!region->nomap && base >= region->base.v && base - region->base.v <= region->size &&
            size <= region->size - (base - region->base.v))
            return true;
    }
    return false;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static bool sections_valid(const struct hyp_config *config)
{
    uint64_t pool_size = config->pool_pages << config->page_shift;
    unsigned int i;

    if (config->section_count > HYP_SECTIONS_MAX || (config->section_count && !config->sections))
        return false;
    for (i = 0; i < config->section_count; i++) {
        const struct hyp_section *section = &config->sections[i];

        if (!section->size || !is_aligned(config, section->base.v | section->size) ||
            !range_in_ram(config, section->base.v, section->size) ||
            overlap(section->base.v, section->size, config->pool.v, pool_size))
            return false;
    }
    return true;
}

static bool pool_valid(const struct hyp_config *config)
{
    return config->pool_pages && config->pool_pages < UINT32_MAX &&
           is_aligned(config, config->pool.v) &&
           range_in_ram(config, config->pool.v, config->pool_pages << config->page_shift);
}

static bool config_valid(const struct hyp_config *config)
{
    unsigned int shift = config->page_shift;

    if (!config->port || !config->vmemmap || (shift != 12 && shift != 14 && shift != 16))
        return false;
    if (!hyp_arch_config_valid(config))
        return false;
    if (!config->cpu_count || config->cpu_count > HYP_CPUS_MAX || config->vm_count > HYP_VMS_MAX ||
        (config->vm_count && !config->vms))
        return false;
    if (config->host_policy.force_page > HYP_FORCE_NEVER ||
        config->host_policy.rebuild > HYP_REBUILD_NEVER ||
        !hyp_pool_policy_valid(&config->pool_policy))
        return false;
    return regions_valid(config) && pool_valid(config) && sections_valid(config);
}

enum hyp_err hyp_init(struct hyp *hyp, const struct hyp_config *config)
{
    struct hyp_layout layout;
    struct hyp_carve carve;
    unsigned int i;

    if (!config_valid(config) || hyp_boot_layout(config, &layout) != HYP_OK)
        return HYP_EINVAL;
    hyp_boot_carve(config, &carve);
    *hyp = (struct hyp){
        .port = config->port,
        .arch = config->arch,
        .ept_cap = config->ept_cap,
        .ept_ve = config->ept_ve,
        .vmemmap = {config->vmemmap, config->vmemmap_first, config->page_shift},
        .pfn_end = UINT64_C(1) << (hyp_arch_pa_bits(config) - config->page_shift),
        .page_shift = config->page_shift,
        .pa_bits = hyp_arch_pa_bits(config),
        .va_bits = hyp_config_va_bits(config),
        .cpu_count = config->cpu_count,
        .vm_count = config->vm_count,
        .features = config->features,
        .layout = layout,
        .carve = carve,
        .private_cursor = layout.private_base,
        .vms = config->vms,
        .pool_policy = config->pool_policy,
        .pool_base = config->pool,
        .pool_pages = config->pool_pages,
        .boot_root = config->boot_root,
        .sections = config->sections,
        .section_count = config->section_count,
    };
    hyp->host.policy = config->host_policy;
    hyp->host.region_count = config->region_count;
    for (i = 0; i < config->region_count; i++)
        hyp->host.regions[i] = config->regions[i];
    return HYP_OK;
}

uint64_t hyp_s1_tables_used(const struct hyp *hyp)
{
    return hyp->pool.end - hyp->pool.first - hyp->pool.free_pages;
}
