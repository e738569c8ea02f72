/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/pool.h"

#include <stdlib.h>

enum { PAGE_SHIFT = 12 };

hyp_pa_t sim_pool_take(struct sim *sim, uint64_t count)
{
    uint64_t left = (sim->map.end.v - sim->map.cursor.v) >> PAGE_SHIFT;

    if (count > left / 2)
        return hyp_pa(0);
    sim->map.end = hyp_pa(sim->map.end.v - (count << PAGE_SHIFT));
    return sim->map.end;
}

enum hyp_err sim_pool_open(struct sim_pool *pool, struct sim *sim, const struct hyp_port *port,
                           uint64_t count)
{
    hyp_pa_t start = sim_pool_take(sim, count);

    if (!start.v)
        return HYP_ENOMEM;
    pool->vmemmap = (struct hyp_vmemmap){.base = calloc(count, sizeof(struct hyp_page)),
                                         .first = start.v >> PAGE_SHIFT,
                                         .page_shift = PAGE_SHIFT};
    if (!pool->vmemmap.base)
        return HYP_ENOMEM;
    return hyp_pool_init(&pool->pool, port, &pool->vmemmap, pool->vmemmap.first, count, 0,
                         &sim->hyp.pool_policy);
}

void sim_pool_close(struct sim_pool *pool)
{
    free(pool->vmemmap.base);
}
