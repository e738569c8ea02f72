/* SPDX-License-Identifier: MIT */
/*
 * Where things go: the EL2 address space, the pieces of the pool, and private addresses. Pure
 * arithmetic, apart from hyp_private_map().
 */
#include "hyp/hyp_priv.h"

#include <hyp/sizing.h>

/* The identity page decides which half of the address space is taken; without one, the lower. */
static uint64_t idmap_address(const struct hyp_config *config)
{
    unsigned int i;

    for (i = 0; i < config->section_count; i++) {
        if (config->sections[i].kind == HYP_SECTION_IDMAP)
            return config->sections[i].base.v;
    }
    return 0;
}

enum hyp_err hyp_boot_layout(const struct hyp_config *config, struct hyp_layout *layout)
{
    unsigned int va_bits = hyp_config_va_bits(config);
    const struct hyp_region *last = &config->regions[config->region_count - 1];
    uint64_t half, quarter, idmap, ram, linear, other, pages;

    if (va_bits < 32 || va_bits > 48)
        return HYP_EINVAL;
    half = UINT64_C(1) << (va_bits - 1);
    quarter = half / 2;
    idmap = idmap_address(config);
    if (idmap >> va_bits)
        return HYP_EINVAL;
    linear = idmap & half ? 0 : half;
    other = half - linear;
    /* RAM keeps its offset within the largest block, so that the linear map can use blocks. */
    ram = hyp_align_down(config->regions[0].base.v, hyp_level_size(config->page_shift, 2));
    if (last->base.v + last->size - ram > half)
        return HYP_EINVAL;
    layout->physvirt_offset = ram - linear;
    layout->private_base = other + (idmap & quarter ? 0 : quarter);
    layout->vmemmap_base = layout->private_base + quarter / 2;
    layout->private_end = layout->vmemmap_base;
    layout->vmemmap_end = layout->private_base + quarter;
    pages = (last->base.v + last->size) >> config->page_shift;
    if (pages > quarter / 2 / sizeof(struct hyp_page))
        return HYP_EINVAL;
    return HYP_OK;
}

/* ---- sizes ---- */

void hyp_boot_carve(const struct hyp_config *config, struct hyp_carve *carve)
{
    struct hyp_sizing_rules rules = hyp_sizing_rules(config->page_shift);
    struct hyp_sizing sizing;
    unsigned int i;

    hyp_sizing_begin(&sizing, &rules);
    for (i = 0; i < config->region_count; i++)
        hyp_sizing_add(&sizing, config->regions[i].base, config->regions[i].size);
    hyp_sizing_end(&sizing);
    *carve = (struct hyp_carve){
        .vmemmap_pages = sizing.vmemmap,
        .vm_table_pages = sizing.vm_table,
        .s1_pages = config->s1_pages ? config->s1_pages : sizing.hyp_s1,
        .host_s2_pages = config->host_s2_pages ? config->host_s2_pages : sizing.host_s2,
        .ffa_pages = sizing.ffa,
    };
}

uint64_t hyp_boot_pool_pages(const struct hyp_carve *carve)
{
    return carve->vmemmap_pages + carve->vm_table_pages + carve->s1_pages + carve->host_s2_pages +
           carve->ffa_pages;
}

/* ---- private addresses ---- */

enum hyp_err hyp_private_alloc_at(struct hyp *hyp, uint64_t start, uint64_t size)
{
    uint64_t page = hyp_page_size(hyp);

    if (!size || start < hyp->private_cursor || (start & (page - 1)))
        return HYP_EINVAL;
    if (start > hyp->layout.private_end || size > hyp->layout.private_end - start)
        return HYP_ENOMEM;
    hyp->private_cursor = hyp_align_up(start + size, page);
    return HYP_OK;
}

enum hyp_err hyp_private_alloc(struct hyp *hyp, uint64_t size, uint64_t *va)
{
    *va = hyp->private_cursor;
    return hyp_private_alloc_at(hyp, *va, size);
}

enum hyp_err hyp_private_map(struct hyp *hyp, hyp_pa_t pa, uint64_t size, hyp_prot_t prot,
                             uint64_t *va)
{
    enum hyp_err err;

    if ((pa.v | size) & (hyp_page_size(hyp) - 1))
        return HYP_EINVAL;
    err = hyp_private_alloc(hyp, size, va);
    if (err)
        return err;
    return hyp_pgt_map(&hyp->s1, (hyp_ia_t){*va}, size, pa, prot, NULL);
}
