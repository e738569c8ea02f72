/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One value of a knob, as text. */
static enum sim_status parse_value(enum sim_knob knob, const char *text, uint64_t *value,
                                   struct sim_error *error)
{
    struct sim_config config;
    char assignment[160];

    *value = 0;
    if (snprintf(assignment, sizeof(assignment), "%s=%s", sim_knobs[knob].key, text) >=
        (int)sizeof(assignment))
        return sim_fail(error, SIM_USAGE, "%s: '%.32s...' is no value", sim_knobs[knob].key, text);
    sim_config_init(&config);
    enum sim_status status = sim_config_set(&config, assignment, error);

    *value = config.value[knob];
    return status;
}

static enum sim_status add_value(struct sim_axis *axis, uint64_t value, struct sim_error *error)
{
    struct sim_config config;
    char text[64];

    sim_config_init(&config);
    config.value[axis->knob] = value;
    sim_config_format(&config, axis->knob, text, sizeof(text));
    for (size_t i = 0; i < axis->count; i++)
        if (axis->value[i] == value)
            return sim_fail(error, SIM_USAGE, "%s: %s is given twice", sim_knobs[axis->knob].key,
                            text);
    if (axis->count == SIM_AXIS_VALUES_MAX)
        return sim_fail(error, SIM_USAGE, "%s: more than %d values", sim_knobs[axis->knob].key,
                        SIM_AXIS_VALUES_MAX);
    axis->value[axis->count++] = value;
    return SIM_OK;
}

/* FIRST..LAST, FIRST..LAST+STEP, FIRST..LAST*FACTOR; `dots` is where the dots are. */
static enum sim_status add_range(struct sim_axis *axis, char *item, char *dots,
                                 struct sim_error *error)
{
    const char *key = sim_knobs[axis->knob].key;
    char whole[128], *rest = dots + 2;
    char *sign = rest + strcspn(rest, "+*");
    const bool factor = *sign == '*';
    uint64_t first, last, step = 1;
    enum sim_status status;

    snprintf(whole, sizeof(whole), "%s", item);
    if (*sign) {
        char *end;

        step = strtoull(sign + 1, &end, 10);
        if (*end || end == sign + 1 || step < (factor ? 2 : 1))
            return sim_fail(error, SIM_USAGE, "%s: '%s': expected a step of at least %d after '%c'",
                            key, whole, factor ? 2 : 1, *sign);
    }
    *dots = *sign = '\0';
    if ((status = parse_value(axis->knob, item, &first, error)) != SIM_OK ||
        (status = parse_value(axis->knob, rest, &last, error)) != SIM_OK)
        return status;
    if (sim_knobs[axis->knob].choices || first > last || (factor && first == 0))
        return sim_fail(error, SIM_USAGE, "%s: '%s' is no range: expected two numbers, upwards%s",
                        key, whole, factor ? " from 1 or more" : "");
    while (status == SIM_OK) {
        status = add_value(axis, first, error);
        /* `last` is within the knob's bounds, so that a step can only overflow when it is huge. */
        if (factor ? first > last / step : step > last - first)
            break;
        first = factor ? first * step : first + step;
    }
    return status;
}

enum sim_status sim_axis_parse(struct sim_axis *axis, const char *text, struct sim_error *error)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    char list[4096], *next = list, *item;
    enum sim_status status = SIM_OK;

    if (!equals || !equals[1] || strlen(equals + 1) >= sizeof(list))
        return sim_fail(error, SIM_USAGE, "'%.64s' is no axis: expected KNOB=VALUE,VALUE,...",
                        text);
    axis->count = 0;
    axis->knob = 0;
    while (axis->knob < SIM_KNOB_COUNT &&
           (strncmp(sim_knobs[axis->knob].key, text, length) || sim_knobs[axis->knob].key[length]))
        axis->knob++;
    if (axis->knob == SIM_KNOB_COUNT)
        return sim_fail(error, SIM_USAGE, "'%.*s' is no knob (see 'faultline knobs')", (int)length,
                        text);
    snprintf(list, sizeof(list), "%s", equals + 1);
    while (status == SIM_OK && (item = strsep(&next, ","))) {
        char *dots = strstr(item, "..");
        uint64_t value;

        if (dots) {
            status = add_range(axis, item, dots, error);
            continue;
        }
        status = parse_value(axis->knob, item, &value, error);
        if (status == SIM_OK)
            status = add_value(axis, value, error);
    }
    return status;
}

size_t sim_grid_points(const struct sim_grid *grid)
{
    size_t points = grid->strategy_count;

    /* At most 32 * 256^8: saturates instead. */
    for (size_t i = 0; i < grid->axis_count && points <= SIM_POINTS_MAX; i++)
        points *= grid->axes[i].count;
    return points;
}

enum sim_status sim_grid_check(const struct sim_grid *grid, struct sim_error *error)
{
    const size_t points = sim_grid_points(grid);

    for (size_t i = 0; i < grid->axis_count; i++)
        for (size_t j = 0; j < i; j++)
            if (grid->axes[i].knob == grid->axes[j].knob)
                return sim_fail(error, SIM_USAGE, "%s is an axis twice",
                                sim_knobs[grid->axes[i].knob].key);
    if (points == 0)
        return sim_fail(error, SIM_USAGE, "no strategy to run");
    if (points > SIM_POINTS_MAX)
        return sim_fail(error, SIM_USAGE, "more than %d points", SIM_POINTS_MAX);
    return SIM_OK;
}

void sim_grid_run(const struct sim_grid *grid, size_t point, struct sim_run *run)
{
    run->config = grid->base;
    run->strategy = grid->strategies[point % grid->strategy_count];
    point /= grid->strategy_count;
    for (size_t i = grid->axis_count; i-- > 0;) {
        const struct sim_axis *axis = &grid->axes[i];

        run->config.value[axis->knob] = axis->value[point % axis->count];
        point /= axis->count;
    }
}
