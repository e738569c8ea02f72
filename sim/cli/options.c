/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/cli/cmd.h"

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

void cli_parse_single(const char *text, const char **argument, struct argp_state *state)
{
    if (*argument)
        argp_usage(state);
    *argument = text;
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
