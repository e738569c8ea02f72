/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Table pages for one table of the core that is neither the hypervisor's nor the host's own. */
#ifndef SIM_POOL_H
#define SIM_POOL_H

#include "sim/machine.h"

struct sim_pool {
    struct hyp_vmemmap vmemmap;
    struct hyp_pool pool;
};

/* `count` pages from the end of the host's table pages, of which half may go; 0: too few. */
hyp_pa_t sim_pool_take(struct sim *sim, uint64_t count);
/* Those pages as a pool. HYP_ENOMEM. */
enum hyp_err sim_pool_open(struct sim_pool *pool, struct sim *sim, const struct hyp_port *port,
                           uint64_t count);
void sim_pool_close(struct sim_pool *pool);

#endif
