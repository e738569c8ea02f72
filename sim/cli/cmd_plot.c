/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline plot: results of a sweep as lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cmd.h"
#include "sim/store.h"

enum { CONDITIONS_MAX = 16 };

struct arguments {
    const char *file, *picture, *title;
    const char *x, *y, *line, *over;
    struct sim_condition conditions[CONDITIONS_MAX];
    size_t count;
};

static const struct argp_option options[] = {
    {"x", 'x', "COLUMN", 0, "What varies, usually a knob", 0},
    {"y", 'y', "COLUMN", 0, "What is shown: a counter; default: cycles", 0},
    {"line", 'l', "COLUMN", 0, "A line for each value of this column; default: strategy", 0},
    {"over", 'O', "VALUE", 0, "Take the line of this value off the others, for example none", 0},
    {"only", 'k', "COLUMN=VALUE", 0, "Only runs with this value; may be repeated", 0},
    {"title", 't', "TEXT", 0, "Above the picture; default: the name of the file", 0},
    {"output", 'o', "FILE", 0, "The picture (.png, .svg, .pdf)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;
    struct sim_error error;

    switch (key) {
    case 'x':
        args->x = arg;
        return 0;
    case 'y':
        args->y = arg;
        return 0;
    case 'l':
        args->line = arg;
        return 0;
    case 'O':
        args->over = arg;
        return 0;
    case 't':
        args->title = arg;
        return 0;
    case 'o':
        args->picture = cli_parse_picture(arg, state);
        return 0;
    case 'k':
        if (args->count == CONDITIONS_MAX)
            argp_failure(state, SIM_USAGE, 0, "more than %d conditions", CONDITIONS_MAX);
        else if (sim_condition_parse(&args->conditions[args->count++], arg, &error) != SIM_OK)
            argp_failure(state, SIM_USAGE, 0, "%s", error.text);
        return 0;
    case ARGP_KEY_ARG:
        cli_parse_single(arg, &args->file, state);
        return 0;
    case ARGP_KEY_END:
        if (!args->file || !args->x || !args->picture)
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum sim_status draw(const struct arguments *args, struct sim_error *error)
{
    struct sim_store *store;
    struct sim_point *points = NULL;
    size_t count = 0;
    enum sim_status status = sim_store_open(&store, args->file, false, error);

    if (status != SIM_OK)
        return status;
    status = sim_store_points(store, args->line, args->x, args->y, args->conditions, args->count,
                              &points, &count, error);
    sim_store_close(store);
    if (status == SIM_OK && args->over)
        status = sim_points_over(points, &count, args->over, error);
    if (status == SIM_OK) {
        const struct sim_lines lines = {points,
                                        count,
                                        args->line,
                                        args->x,
                                        args->y,
                                        args->over,
                                        args->title ? args->title : sim_base_name(args->file)};

        status = sim_plot_lines(&lines, args->picture, error);
    }
    free(points);
    return status;
}

int cmd_plot(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "RESULTS -x COLUMN -o PICTURE",
        .doc = "Draws one figure of the runs in RESULTS, a file of 'faultline sweep', over the "
               "values of a knob.\v"
               "Columns are those of 'faultline sweep --format tsv'.",
    };
    struct arguments args = {.y = "cycles", .line = "strategy"};
    struct sim_error error;

    cli_parse(&argp, argc, argv, &args);
    return draw(&args, &error) == SIM_OK ? SIM_OK : cli_fail(&error);
}
