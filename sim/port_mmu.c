/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hardware model's port: it reads tables from simulated memory and reports stale translations.
 */
#include <inttypes.h>
#include <stdio.h>

#include "sim/machine.h"

static uint64_t load(void *ctx, hyp_pa_t pa, bool *ok)
{
    const struct sim *sim = ctx;

    *ok = true;
    return sim_ram_load(sim->ram, pa);
}

static bool swap(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired)
{
    struct sim *sim = ctx;

    if (sim_ram_load(sim->ram, pa) != old)
        return false;
    sim_ram_store(sim->ram, pa, desired);
    return true;
}

static void stale(void *ctx, const struct mmu_stale *stale)
{
    struct sim *sim = ctx;
    char tables[40] = "fault";

    if (sim->stats.count[SIM_COUNT_stale_uses]++ != 0)
        return;
    if (stale->table_fault == MMU_OK)
        snprintf(tables, sizeof(tables), "pa 0x%" PRIx64 "%s", stale->table_pa.v,
                 stale->permission ? " with fewer rights" : "");
    fprintf(stderr,
            "faultline: stale translation used at record %" PRIu64 ": CPU %u, va 0x%016" PRIx64
            ": the TLB gives pa 0x%" PRIx64 ", the tables give %s; missing: %s\n",
            sim->position, stale->request.cpu, stale->request.va, stale->cached_pa.v, tables,
            stale->missing);
}

void sim_port_mmu(struct sim *sim, struct mmu_port *port)
{
    *port = (struct mmu_port){.ctx = sim, .load = load, .swap = swap, .stale = stale};
}
