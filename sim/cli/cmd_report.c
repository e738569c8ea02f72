/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline report: comparisons of some traces as one HTML file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faultline_version.h"
#include "sim/cli/cmd.h"
#include "sim/report.h"

enum { TRACES_MAX = 16 };

struct arguments {
    struct sim_config config;
    struct cli_runs runs;
    const char *traces[TRACES_MAX];
    size_t count;
    const char *file;
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "The page to write; default: report.html", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->config;
        return 0;
    case 'o':
        args->file = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (args->count == TRACES_MAX)
            argp_failure(state, SIM_USAGE, 0, "more than %d traces", TRACES_MAX);
        else
            args->traces[args->count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!args->count)
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One trace under every strategy that fits it. */
static enum sim_status add_trace(FILE *out, struct arguments *args, const char *path, bool *failed,
                                 struct sim_error *error)
{
    static struct sim_result results[SIM_STRATEGIES_MAX], check;
    struct cli_runs *runs = &args->runs;
    struct cli_progress progress;

    cli_runs_init(runs);
    runs->trace = path;
    enum sim_status status = cli_runs_strategies(runs, error);

    if (status != SIM_OK)
        return status;
    cli_progress_begin(&progress, cli_trace_length(path) * runs->count);
    status = sim_compare(path, &args->config, runs->strategies, runs->count, runs->jobs, results,
                         progress.on ? cli_progress : NULL, &progress, error);
    cli_progress_end(&progress);
    if (status == SIM_OK)
        status = sim_check_recording(path, &args->config, &check, error);
    if (status != SIM_OK)
        return status;
    *failed |= check.missed || check.spurious;
    return sim_report_part(out, &(struct sim_report_part){path, results, runs->count, &check},
                           error);
}

/* Written beside its place and moved there, so that no half of a page is ever found. */
static enum sim_status write_page(struct arguments *args, const char *beside,
                                  struct sim_error *error)
{
    FILE *out = fopen(beside, "w");
    enum sim_status status = SIM_OK;
    bool failed = false;

    if (!out)
        return sim_fail(error, SIM_USAGE, "%s: %s", args->file, strerror(errno));
    sim_report_begin(out, FAULTLINE_VERSION ", model " FAULTLINE_MODEL);
    for (size_t i = 0; i < args->count && status == SIM_OK; i++)
        status = add_trace(out, args, args->traces[i], &failed, error);
    sim_report_end(out);
    if ((fclose(out) || (status == SIM_OK && rename(beside, args->file))) && status == SIM_OK)
        status = sim_fail(error, SIM_INTERNAL, "%s: %s", args->file, strerror(errno));
    if (status != SIM_OK)
        remove(beside);
    return status == SIM_OK && failed ? SIM_CHECK_FAILED : status;
}

int cmd_report(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_config_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE...",
        .doc =
            "Replays each TRACE under every strategy that fits it, and writes one HTML page with "
            "tables, pictures and settings; nothing else is needed to read it.\v"
            "Status 1: a recorded fault was missed, or another one was predicted.",
        .children = children,
    };
    static struct arguments args = {.file = "report.html"};
    struct sim_error error;
    char beside[4096];

    sim_config_init(&args.config);
    cli_parse(&argp, argc, argv, &args);
    snprintf(beside, sizeof(beside), "%s.part", args.file);

    enum sim_status status = write_page(&args, beside, &error);

    return status == SIM_OK || status == SIM_CHECK_FAILED ? (int)status : cli_fail(&error);
}
