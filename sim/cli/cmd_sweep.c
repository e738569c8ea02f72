/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline sweep: one trace under every combination of some knobs' values; results in a file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faultline_version.h"
#include "sim/cli/cmd.h"
#include "sim/store.h"
#include "sim/sweep.h"

struct arguments {
    struct sim_grid grid;
    struct cli_runs runs;
    const char *file;
    bool again;
};

static const struct argp_option options[] = {
    {"axis", 'a', "KNOB=VALUES", 0,
     "Vary a knob: values between commas, or FIRST..LAST, FIRST..LAST+STEP, FIRST..LAST*FACTOR; "
     "may "
     "be repeated",
     0},
    {"output", 'o', "FILE", 0,
     "Keep results in this SQLite file, and take from it what is there already", 0},
    {"again", 'A', 0, 0, "Run what is there already, too", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;
    struct sim_grid *grid = &args->grid;
    struct sim_error error;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->runs;
        state->child_inputs[1] = &grid->base;
        return 0;
    case 'a':
        if (grid->axis_count == SIM_AXES_MAX)
            argp_failure(state, SIM_USAGE, 0, "more than %d axes", SIM_AXES_MAX);
        else if (sim_axis_parse(&grid->axes[grid->axis_count++], arg, &error) != SIM_OK)
            argp_failure(state, SIM_USAGE, 0, "%s", error.text);
        return 0;
    case 'o':
        args->file = arg;
        return 0;
    case 'A':
        args->again = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A sweep under way. */
struct sweep {
    const struct arguments *args;
    struct sim_store *store;
    struct sim_subject subject;
    struct sim_run *runs; /* that are to be made */
    size_t count, taken;
    size_t impossible, first; /* how many, and the first of them */
    struct sim_error reason;  /* of the first */
    struct cli_progress progress;
};

static enum sim_status keep(void *arg, size_t index, const struct sim_result *result,
                            struct sim_error *error)
{
    struct sweep *sweep = arg;

    if (result)
        return sim_store_put(sweep->store, &sweep->subject, &sweep->runs[index], result, error);
    if (error->status != SIM_USAGE)
        return error->status;
    /* Some combinations make no machine; the others can be run all the same. */
    if (!sweep->impossible++ || index < sweep->first) {
        sweep->first = index;
        sweep->reason = *error;
    }
    return SIM_OK;
}

static void show(void *arg, uint64_t position)
{
    struct sweep *sweep = arg;

    cli_progress(&sweep->progress, position);
}

/* Which points are to be run. */
static enum sim_status choose(struct sweep *sweep, struct sim_error *error)
{
    const struct sim_grid *grid = &sweep->args->grid;
    const size_t points = sim_grid_points(grid);
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < points && status == SIM_OK; i++) {
        struct sim_run *run = &sweep->runs[sweep->count];
        bool has = false;

        sim_grid_run(grid, i, run);
        if (!sweep->args->again)
            status = sim_store_has(sweep->store, &sweep->subject, run, &has, error);
        sweep->taken += has;
        sweep->count += !has;
    }
    return status;
}

/* ---- output ---- */

struct rows {
    struct sweep *sweep;
    struct sim_error *error;
    enum sim_status *status; /* of reading them */
};

static void row_columns(const void *rows, size_t index, sim_column_fn *column, void *arg)
{
    const struct rows *r = rows;
    bool found;

    if (*r->status == SIM_OK)
        *r->status = sim_store_get(r->sweep->store, &r->sweep->subject, &r->sweep->runs[index],
                                   column, arg, &found, r->error);
}

struct figures {
    uint64_t cycles, strays, survived, panics, exits, flushes;
};

static void pick(void *arg, const char *name, const char *text, uint64_t value)
{
    struct figures *f = arg;
    const struct {
        const char *name;
        uint64_t *to;
    } wanted[] = {{"cycles", &f->cycles}, {"strays", &f->strays}, {"survived", &f->survived},
                  {"panics", &f->panics}, {"exits", &f->exits},   {"flushes", &f->flushes}};

    for (size_t i = 0; !text && i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!strcmp(name, wanted[i].name))
            *wanted[i].to = value;
}

static int axis_width(const struct sim_axis *axis)
{
    const int length = (int)strlen(sim_knobs[axis->knob].key);

    return length < 12 ? 12 : length;
}

static void table(const struct rows *rows, const struct sim_grid *grid, size_t count)
{
    for (size_t a = 0; a < grid->axis_count; a++)
        printf("%-*s ", axis_width(&grid->axes[a]), sim_knobs[grid->axes[a].knob].key);
    printf("%-17s %9s %7s %8s %7s %8s %8s\n", "strategy", "Mcycles", "strays", "survived", "PANICS",
           "exits", "flushes");
    for (size_t i = 0; i < count; i++) {
        const struct sim_run *run = &rows->sweep->runs[i];
        struct figures f = {0};

        row_columns(rows, i, pick, &f);
        f.cycles = (f.cycles + 5000) / 10000; /* hundredths of a million */
        for (size_t a = 0; a < grid->axis_count; a++) {
            char text[64];

            sim_config_format(&run->config, grid->axes[a].knob, text, sizeof(text));
            printf("%-*s ", axis_width(&grid->axes[a]), text);
        }
        printf("%-17s %6" PRIu64 ".%02" PRIu64 " %7" PRIu64 " %8" PRIu64 " %7" PRIu64 " %8" PRIu64
               " %8" PRIu64 "\n",
               sim_strategy_name(run->strategy), f.cycles / 100, f.cycles % 100, f.strays,
               f.survived, f.panics, f.exits, f.flushes);
    }
}

/* The rows of all points that could be run, in the order of the grid. */
static enum sim_status print(struct sweep *sweep, struct sim_error *error)
{
    const struct sim_grid *grid = &sweep->args->grid;
    const size_t points = sim_grid_points(grid);
    enum sim_status status = SIM_OK;
    const struct rows rows = {sweep, error, &status};
    size_t count = 0;

    for (size_t i = 0; i < points && status == SIM_OK; i++) {
        bool has;

        sim_grid_run(grid, i, &sweep->runs[count]);
        status = sim_store_has(sweep->store, &sweep->subject, &sweep->runs[count], &has, error);
        count += has;
    }
    if (status != SIM_OK)
        return status;
    switch (sweep->args->runs.format) {
    case SIM_FORMAT_TABLE:
        table(&rows, grid, count);
        break;
    case SIM_FORMAT_TSV:
        sim_out_tsv(row_columns, &rows, count, stdout);
        break;
    case SIM_FORMAT_JSON:
        sim_out_json(row_columns, &rows, count, stdout);
        break;
    }
    return status;
}

static enum sim_status run(struct sweep *sweep, struct sim_error *error)
{
    const struct arguments *args = sweep->args;
    enum sim_status status = choose(sweep, error);

    if (status != SIM_OK)
        return status;
    cli_progress_begin(&sweep->progress, cli_trace_length(args->runs.trace) * sweep->count);
    status = sim_run_many(args->runs.trace, sweep->runs, sweep->count, args->runs.jobs, keep,
                          sweep->progress.on ? show : NULL, sweep, error);
    cli_progress_end(&sweep->progress);
    if (status != SIM_OK)
        return status;
    fprintf(stderr, "sweep: %zu runs made, %zu taken from %s\n", sweep->count - sweep->impossible,
            sweep->taken, args->file ? args->file : "nowhere");
    status = print(sweep, error);
    if (status == SIM_OK && sweep->impossible) {
        fprintf(stderr, "sweep: impossible combinations: %zu; the first: %s\n", sweep->impossible,
                sweep->reason.text);
        status = SIM_CHECK_FAILED;
    }
    return status;
}

static enum sim_status open_and_run(struct arguments *args, struct sim_error *error)
{
    struct sweep sweep = {.args = args,
                          .subject = {sim_base_name(args->runs.trace), 0, FAULTLINE_MODEL}};
    struct trace_error trace_error;
    enum sim_status status = cli_runs_strategies(&args->runs, error);

    if (status == SIM_OK) {
        memcpy(args->grid.strategies, args->runs.strategies, sizeof(args->grid.strategies));
        args->grid.strategy_count = args->runs.count;
        status = sim_grid_check(&args->grid, error);
    }
    if (status != SIM_OK)
        return status;
    if (trace_digest(args->runs.trace, &sweep.subject.digest, &trace_error))
        return sim_fail(error, SIM_BAD_INPUT, "%s", trace_error.text);
    sweep.runs = calloc(sim_grid_points(&args->grid) + 1, sizeof(*sweep.runs));
    if (!sweep.runs)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    status = sim_store_open(&sweep.store, args->file, true, error);
    if (status == SIM_OK)
        status = run(&sweep, error);
    sim_store_close(sweep.store);
    free(sweep.runs);
    return status;
}

int cmd_sweep(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&cli_runs_argp, 0, NULL, 0}, {&cli_config_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE",
        .doc = "Replays TRACE under each strategy with each combination of the axes' values, and "
               "prints a row for each. With --output every run is kept as soon as it ends: a sweep "
               "that was interrupted, or one with more values, only makes the runs that are not "
               "there yet.\v"
               "Status 1: some combinations make no machine; all others were run.",
        .children = children,
    };
    static struct arguments args;
    struct sim_error error;

    cli_runs_init(&args.runs);
    sim_config_init(&args.grid.base);
    cli_parse(&argp, argc, argv, &args);

    enum sim_status status = open_and_run(&args, &error);

    return status == SIM_OK || status == SIM_CHECK_FAILED ? (int)status : cli_fail(&error);
}
