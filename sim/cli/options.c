/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cli/cmd.h"
#include "sim/gnuplot.h"

static error_t parse_config(int key, char *arg, struct argp_state *state)
{
    struct sim_config *config = state->input;
    struct sim_error error;

    switch (key) {
    case 's':
        if (sim_config_set(config, arg, &error) != SIM_OK)
            argp_failure(state, SIM_USAGE, 0, "%s", error.text);
        return 0;
    case 'c':
        if (sim_config_load(config, arg, &error) != SIM_OK)
            argp_failure(state, SIM_USAGE, 0, "%s", error.text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option config_options[] = {
    {"set", 's', "KNOB=VALUE", 0, "Set a knob (see 'faultline knobs'); may be repeated", 10},
    {"config", 'c', "FILE", 0, "Read knobs from a YAML file; later settings win", 10},
    {0},
};

const struct argp cli_config_argp = {.options = config_options, .parser = parse_config};

void cli_parse_format(const char *text, enum sim_format *format, struct argp_state *state)
{
    if (!sim_format_parse(text, format))
        argp_failure(state, SIM_USAGE, 0, "unknown format '%s': expected table, tsv or json", text);
}

const struct sim_strategy *cli_parse_strategy(const char *name, struct argp_state *state)
{
    const struct sim_strategy *strategy = sim_strategy_find(name);

    if (!strategy)
        argp_failure(state, SIM_USAGE, 0, "unknown strategy '%s' (see 'faultline strategies')",
                     name);
    return strategy;
}

uint64_t cli_trace_length(const char *path)
{
    struct trace_error error;
    struct trace_source *source = trace_open(path, &error);
    uint64_t length = source ? trace_length(source) : 0;

    if (source)
        source->close(source);
    return length;
}

const char *cli_parse_picture(const char *path, struct argp_state *state)
{
    struct sim_error error;

    if (sim_gnuplot_check(path, &error) != SIM_OK)
        argp_failure(state, SIM_USAGE, 0, "%s", error.text);
    return path;
}

void cli_parse_single(const char *text, const char **argument, struct argp_state *state)
{
    if (*argument)
        argp_usage(state);
    *argument = text;
}

/* ---- many runs ---- */

static void parse_strategies(struct cli_runs *runs, char *list, struct argp_state *state)
{
    runs->count = 0;
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        const struct sim_strategy *strategy = cli_parse_strategy(name, state);

        if (runs->count == SIM_STRATEGIES_MAX)
            argp_failure(state, SIM_USAGE, 0, "too many strategies");
        else
            runs->strategies[runs->count++] = strategy;
    }
}

static void parse_jobs(struct cli_runs *runs, const char *text, struct argp_state *state)
{
    char *end;
    unsigned long jobs = strtoul(text, &end, 10);

    if (*end || !jobs || jobs > 64)
        argp_failure(state, SIM_USAGE, 0, "--jobs takes 1 to 64, not '%s'", text);
    runs->jobs = (unsigned int)jobs;
}

static error_t parse_runs(int key, char *arg, struct argp_state *state)
{
    struct cli_runs *runs = state->input;

    switch (key) {
    case 'S':
        parse_strategies(runs, arg, state);
        return 0;
    case 'f':
        cli_parse_format(arg, &runs->format, state);
        return 0;
    case 'j':
        parse_jobs(runs, arg, state);
        return 0;
    case ARGP_KEY_ARG:
        cli_parse_single(arg, &runs->trace, state);
        return 0;
    case ARGP_KEY_END:
        if (!runs->trace)
            argp_usage(state);
        else if (!strcmp(runs->trace, "-"))
            argp_failure(state, SIM_USAGE, 0,
                         "the trace is read more than once: standard input will not do");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option runs_options[] = {
    {"strategies", 'S', "A,B,...", 0, "Strategies to run; default: all that fit the machine", 5},
    {"format", 'f', "FORMAT", 0, "table (default), tsv or json", 5},
    {"jobs", 'j', "N", 0, "Runs at a time; default: one for each processor", 5},
    {0},
};

const struct argp cli_runs_argp = {.options = runs_options, .parser = parse_runs};

void cli_runs_init(struct cli_runs *runs)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *runs = (struct cli_runs){.jobs = processors < 1    ? 1
                                      : processors > 64 ? 64
                                                        : (unsigned int)processors};
}

enum sim_status cli_runs_strategies(struct cli_runs *runs, struct sim_error *error)
{
    return runs->count ? SIM_OK
                       : sim_strategies_for(runs->trace, runs->strategies, &runs->count, error);
}

void cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    argp_err_exit_status = SIM_USAGE;
    argp_parse(argp, argc, argv, 0, NULL, input);
}

int cli_fail(const struct sim_error *error)
{
    fprintf(stderr, "faultline: %s\n", error->text);
    return error->status;
}

void cli_progress_begin(struct cli_progress *progress, uint64_t total)
{
    *progress = (struct cli_progress){.total = total, .on = isatty(STDERR_FILENO) != 0};
}

void cli_progress(void *arg, uint64_t position)
{
    struct cli_progress *progress = arg;
    static const uint64_t step = 1 << 20;
    enum { WIDTH = 40 };
    char bar[WIDTH + 1];

    if (!progress->on || position - progress->shown < step)
        return;
    progress->shown = position;
    if (!progress->total) {
        fprintf(stderr, "\r%6.1f million records", (double)position / 1e6);
        return;
    }
    uint64_t done = position < progress->total ? position : progress->total;

    for (uint64_t i = 0; i < WIDTH; i++)
        bar[i] = i < done * WIDTH / progress->total ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3u%%", bar, (unsigned int)(done * 100 / progress->total));
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->on)
        fprintf(stderr, "\r%60s\r", "");
}
