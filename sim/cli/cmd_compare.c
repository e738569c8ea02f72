/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline compare: one trace, many strategies, a table and a plot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cmd.h"

enum { PLOTS_MAX = 4 };

struct arguments {
    struct sim_config config;
    struct cli_runs runs;
    const char *plots[PLOTS_MAX];
    size_t plot_count;
};

static const struct argp_option options[] = {
    {"plot", 'p', "FILE", 0, "Draw cycles by cause into FILE (.png, .svg, .pdf); may be repeated",
     0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->runs;
        state->child_inputs[1] = &args->config;
        return 0;
    case 'p':
        if (args->plot_count == PLOTS_MAX)
            argp_failure(state, SIM_USAGE, 0, "too many plots");
        else
            args->plots[args->plot_count++] = cli_parse_picture(arg, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum sim_status run(const struct arguments *args, struct sim_result *results,
                           struct sim_error *error)
{
    const struct cli_runs *runs = &args->runs;
    static struct sim_result check;
    struct cli_progress progress;
    FILE *check_out = runs->format == SIM_FORMAT_TABLE ? stdout : stderr;
    bool stale = false;

    cli_progress_begin(&progress, cli_trace_length(runs->trace) * runs->count);
    enum sim_status status =
        sim_compare(runs->trace, &args->config, runs->strategies, runs->count, runs->jobs, results,
                    progress.on ? cli_progress : NULL, &progress, error);

    cli_progress_end(&progress);
    if (status != SIM_OK)
        return status;
    sim_out_results(results, runs->count, runs->format, stdout);
    status = sim_check_recording(runs->trace, &args->config, &check, error);
    if (status != SIM_OK)
        return status;
    fprintf(check_out, "\n");
    sim_out_check(&check, check_out);
    for (size_t i = 0; i < args->plot_count && status == SIM_OK; i++)
        status = sim_plot_compare(results, runs->count, runs->trace, args->plots[i], error);
    for (size_t i = 0; i < runs->count; i++)
        stale |= results[i].stats.count[SIM_COUNT_stale_uses] != 0;
    if (status == SIM_OK && (stale || check.missed || check.spurious))
        return SIM_CHECK_FAILED;
    return status;
}

int cmd_compare(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&cli_runs_argp, 0, NULL, 0}, {&cli_config_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE",
        .doc = "Replays TRACE under each strategy and prints a comparison; then replays what the "
               "recorded kernel itself did, and compares the faults it repaired with those the "
               "replay predicts.\v"
               "Status 1: a recorded fault was missed, another one was predicted, or a stale "
               "translation was used.",
        .children = children,
    };
    struct arguments args = {0};
    struct sim_error error;

    cli_runs_init(&args.runs);
    sim_config_init(&args.config);
    cli_parse(&argp, argc, argv, &args);
    if (cli_runs_strategies(&args.runs, &error) != SIM_OK)
        return cli_fail(&error);
    struct sim_result *results = calloc(args.runs.count, sizeof(*results));

    if (!results) {
        sim_fail(&error, SIM_INTERNAL, "out of memory");
        return cli_fail(&error);
    }
    enum sim_status status = run(&args, results, &error);

    free(results);
    return status == SIM_OK || status == SIM_CHECK_FAILED ? (int)status : cli_fail(&error);
}
