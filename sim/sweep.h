/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grids of runs: every combination of the values of some knobs, each under some strategies. A point
 * is one combination with one strategy; points are numbered with the strategy running fastest, then
 * the last axis.
 */
#ifndef SIM_SWEEP_H
#define SIM_SWEEP_H

#include "sim/sim.h"

enum { SIM_AXES_MAX = 8, SIM_AXIS_VALUES_MAX = 256, SIM_POINTS_MAX = 100000 };

struct sim_axis {
    enum sim_knob knob;
    size_t count;
    uint64_t value[SIM_AXIS_VALUES_MAX];
};

/*
 * "knob=ITEM,ITEM,...". An item is a value as sim_config_set() takes it; for a number also
 * FIRST..LAST (all numbers), FIRST..LAST+STEP or FIRST..LAST*FACTOR. SIM_USAGE for an unknown knob,
 * a value out of its range, one given twice, a range that is empty or runs backwards, too many
 * values.
 */
enum sim_status sim_axis_parse(struct sim_axis *axis, const char *text, struct sim_error *error);

struct sim_grid {
    struct sim_config base;
    const struct sim_strategy *strategies[SIM_STRATEGIES_MAX];
    size_t strategy_count;
    struct sim_axis axes[SIM_AXES_MAX];
    size_t axis_count;
};

/* SIM_USAGE when two axes have one knob, or the points are none or more than SIM_POINTS_MAX. */
enum sim_status sim_grid_check(const struct sim_grid *grid, struct sim_error *error);
size_t sim_grid_points(const struct sim_grid *grid);
/* The run of a point. */
void sim_grid_run(const struct sim_grid *grid, size_t point, struct sim_run *run);

#endif
