/* SPDX-License-Identifier: MIT */
/*
 * The ten steps of boot, in order, and the way back from each. What the hypervisor maps of itself
 * is in boot_map.c, who owns it afterwards in boot_own.c.
 */
#include "hyp/boot_priv.h"

/* ---- steps ---- */

static enum hyp_err carve_pool(struct hyp *hyp)
{
    const struct hyp_carve *carve = &hyp->carve;
    const struct hyp_port *port = hyp->port;
    uint64_t s1_base = hyp_pool_piece(hyp, carve->vmemmap_pages + carve->vm_table_pages).v;

    if (hyp_boot_pool_pages(carve) > hyp->pool_pages)
        return HYP_ENOMEM;
    port->page_zero(port->ctx, hyp->pool_base,
                    (carve->vmemmap_pages + carve->vm_table_pages) << hyp->page_shift);
    hyp_early_init(&hyp->s1_early, port, hyp->page_shift, hyp_pa(s1_base),
                   carve->s1_pages << hyp->page_shift);
    return HYP_OK;
}

static enum hyp_err switch_root(struct hyp *hyp)
{
    struct hyp_root root = hyp_arch_s1_root(hyp);

    hyp_arch_set_s1_root(hyp, &root);
    return HYP_OK;
}

/* From here on the descriptors are mapped, and table pages are counted. */
static enum hyp_err start_pool(struct hyp *hyp)
{
    enum hyp_err err =
        hyp_pool_init(&hyp->pool, hyp->port, &hyp->vmemmap, hyp->s1_early.base.v >> hyp->page_shift,
                      hyp->carve.s1_pages, hyp_early_used(&hyp->s1_early), &hyp->pool_policy);

    hyp->s1.early = NULL;
    hyp->s1.pool = &hyp->pool;
    return err;
}

static enum hyp_err start_host(struct hyp *hyp)
{
    const struct hyp_carve *carve = &hyp->carve;
    hyp_pa_t base =
        hyp_pool_piece(hyp, carve->vmemmap_pages + carve->vm_table_pages + carve->s1_pages);

    return hyp_host_init(hyp, base.v >> hyp->page_shift, carve->host_s2_pages);
}

/* The early allocator could not count: one reference for each entry that is there. */
static enum hyp_err count_entry(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct hyp *hyp = arg;

    if (ctx->pte)
        hyp_pool_get(&hyp->pool, hyp_pa(hyp_align_down(ctx->slot.v, hyp_page_size(hyp))));
    return HYP_OK;
}

static enum hyp_err fix_counts(struct hyp *hyp)
{
    struct hyp_visitor visitor = {count_entry, hyp, HYP_VISIT_LEAF | HYP_VISIT_PRE};

    return hyp_pgt_walk(&hyp->s1, (hyp_ia_t){0}, UINT64_C(1) << hyp->va_bits, &visitor);
}

static bool always_page(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_prot_t prot)
{
    (void)pgt, (void)ia, (void)size, (void)prot;
    return true;
}

static enum hyp_err start_vms(struct hyp *hyp)
{
    unsigned int i;

    for (i = 0; i < hyp->vm_count; i++)
        hyp->vms[i].state = HYP_VM_EMPTY;
    /* What is mapped from now on comes and goes by single pages. */
    hyp->s1.force_page = always_page;
    hyp->booted = true;
    return HYP_OK;
}

static enum hyp_err (*const steps[])(struct hyp *) = {
    carve_pool, hyp_boot_map_self, switch_root,       start_pool,         start_host,
    fix_counts, hyp_fixmap_init,   hyp_boot_own_self, hyp_boot_check_own, start_vms,
};

#define STEP_SWITCH_ROOT 2u

/* ---- the way back ---- */

static void undo(struct hyp *hyp, unsigned int failed)
{
    unsigned int i;

    hyp->private_cursor = hyp->layout.private_base;
    if (failed <= STEP_SWITCH_ROOT)
        return; /* nothing but pages of the pool was touched */
    for (i = 0; i < hyp->host.region_count; i++) {
        const struct hyp_region *region = &hyp->host.regions[i];
        struct hyp_page *page = hyp_page_of(&hyp->vmemmap, region->base);
        uint64_t n;

        for (n = 0; n < region->size >> hyp->page_shift; n++)
            page[n] = (struct hyp_page){0};
    }
    hyp_arch_set_s1_root(hyp, &hyp->boot_root);
}

enum hyp_err hyp_boot(struct hyp *hyp)
{
    unsigned int i;

    if (hyp->booted)
        return HYP_EPERM;
    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum hyp_err err = steps[i](hyp);

        if (err) {
            undo(hyp, i);
            return err;
        }
    }
    return HYP_OK;
}

/* ---- each CPU ---- */

static enum hyp_err finalize_locked(struct hyp *hyp, unsigned int cpu)
{
    if (hyp->cpus[cpu].finalised)
        return HYP_EPERM;
    hyp_arch_set_host_root(hyp);
    hyp->cpus[cpu].finalised = true;
    hyp->finalised_count++;
    return HYP_OK;
}

enum hyp_err hyp_prot_finalize(struct hyp *hyp, unsigned int cpu)
{
    enum hyp_err err;

    if (cpu >= hyp->cpu_count)
        return HYP_EINVAL;
    if (!hyp->booted)
        return HYP_EPERM;
    hyp_locks_take(hyp, HYP_LOCK_HOST, 0);
    err = finalize_locked(hyp, cpu);
    hyp_locks_drop(hyp, HYP_LOCK_HOST, 0);
    return err;
}
