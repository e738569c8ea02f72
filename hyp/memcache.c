/* SPDX-License-Identifier: MIT */
/*
 * The memcache: single pages set aside for one vCPU, so that a later operation cannot run out of
 * table pages half way. The links are in the descriptors: what a page contains is never trusted.
 */
#include <hyp/pool.h>

void hyp_memcache_init(struct hyp_memcache *mc)
{
    mc->head = HYP_PAGE_NONE;
    mc->count = 0;
}

void hyp_memcache_push(struct hyp_memcache *mc, const struct hyp_vmemmap *vmemmap, hyp_pa_t page)
{
    const uint32_t index = (uint32_t)((page.v >> vmemmap->page_shift) - vmemmap->first);

    vmemmap->base[index].next = mc->head;
    vmemmap->base[index].prev = HYP_PAGE_NONE;
    mc->head = index;
    mc->count++;
}

enum hyp_err hyp_memcache_pop(struct hyp_memcache *mc, const struct hyp_port *port,
                              const struct hyp_vmemmap *vmemmap, hyp_pa_t *page)
{
    struct hyp_page *descriptor;

    if (mc->count == 0)
        return HYP_ENOMEM;
    descriptor = &vmemmap->base[mc->head];
    *page = hyp_pa((vmemmap->first + mc->head) << vmemmap->page_shift);
    mc->head = descriptor->next;
    mc->count--;
    descriptor->next = 0;
    descriptor->prev = 0;
    descriptor->refcount = 1;
    descriptor->order = 0;
    port->page_zero(port->ctx, *page, UINT64_C(1) << vmemmap->page_shift);
    return HYP_OK;
}
