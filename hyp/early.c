/* SPDX-License-Identifier: MIT */
/*
 * The early allocator: a cursor over the memory that the host gave up at boot. It never frees; the
 * buddy pool takes over once there are page descriptors.
 */
#include <hyp/pool.h>

void hyp_early_init(struct hyp_early *early, const struct hyp_port *port, unsigned int page_shift,
                    hyp_pa_t base, uint64_t size)
{
    const uint64_t page = UINT64_C(1) << page_shift;

    early->port = port;
    early->page_shift = page_shift;
    early->base = hyp_pa(hyp_align_up(base.v, page));
    early->end = hyp_pa(hyp_align_down(base.v + size, page));
    early->cursor = early->base;
}

enum hyp_err hyp_early_alloc(struct hyp_early *early, uint64_t count, hyp_pa_t *pa)
{
    uint64_t size;

    if (count == 0)
        return HYP_EINVAL;
    if (early->end.v <= early->cursor.v ||
        count > (early->end.v - early->cursor.v) >> early->page_shift)
        return HYP_ENOMEM;
    size = count << early->page_shift;
    *pa = early->cursor;
    early->cursor = hyp_pa_add(early->cursor, size);
    early->port->page_zero(early->port->ctx, *pa, size);
    return HYP_OK;
}

uint64_t hyp_early_used(const struct hyp_early *early)
{
    return (early->cursor.v - early->base.v) >> early->page_shift;
}
