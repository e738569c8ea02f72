/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/strategy/strategy.h"

#include <string.h>

static const struct sim_strategy *const strategies[] = {
    &sim_strategy_none,
    &sim_strategy_el2_bug,
    &sim_strategy_stage2_only,
    &sim_strategy_sea_fixup,
    &sim_strategy_reflect,
    &sim_strategy_new_syndrome,
    &sim_strategy_sdei,
    &sim_strategy_direct_map_unmap,
    &sim_strategy_direct_map_batch,
    &sim_strategy_secretmem,
    &sim_strategy_carve_out,
    &sim_strategy_ept_inject,
    &sim_strategy_ept_ve,
    &sim_strategy_asi,
};

const struct sim_strategy *sim_strategy_at(size_t index)
{
    return index < sizeof(strategies) / sizeof(strategies[0]) ? strategies[index] : NULL;
}

const struct sim_strategy *sim_strategy_find(const char *name)
{
    const struct sim_strategy *strategy;

    for (size_t i = 0; (strategy = sim_strategy_at(i)); i++)
        if (!strcmp(strategy->name, name))
            return strategy;
    return NULL;
}

bool sim_strategy_fits(const struct sim_strategy *strategy, const struct trace_header *header)
{
    return !strategy->arch || strategy->arch == header->arch;
}

const char *sim_strategy_name(const struct sim_strategy *strategy)
{
    return strategy->name;
}

const char *sim_strategy_summary(const struct sim_strategy *strategy)
{
    return strategy->summary;
}
