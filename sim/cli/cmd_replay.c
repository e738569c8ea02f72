/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline replay: one trace, one strategy. */
#include <stdio.h>
#include <stdlib.h>

#include "sim/cli/cmd.h"

struct arguments {
    struct sim_config config;
    const char *trace;
    const struct sim_strategy *strategy;
    enum sim_format format;
    bool dump_tables;
};

static const struct argp_option options[] = {
    {"strategy", 'S', "NAME", 0, "Strategy (see 'faultline strategies'); default reflect", 0},
    {"format", 'f', "FORMAT", 0, "table (default), tsv or json", 0},
    {"dump-tables", 'd', NULL, 0, "Print the page tables of both stages before and after", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->config;
        return 0;
    case 'S':
        args->strategy = cli_parse_strategy(arg, state);
        return 0;
    case 'f':
        cli_parse_format(arg, &args->format, state);
        return 0;
    case 'd':
        args->dump_tables = true;
        return 0;
    case ARGP_KEY_ARG:
        cli_parse_single(arg, &args->trace, state);
        return 0;
    case ARGP_KEY_END:
        if (!args->trace)
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_result(const struct arguments *args, const struct sim_result *result)
{
    if (args->format != SIM_FORMAT_TABLE) {
        sim_out_results(result, 1, args->format, stdout);
        return;
    }
    sim_out_strays(result, 4, stdout);
    sim_out_counters(result, stdout);
    if (result->compared)
        sim_out_check(result, stdout);
}

static enum sim_status run(struct arguments *args, struct sim *sim, struct trace_source *source,
                           struct sim_error *error)
{
    struct cli_progress progress;
    struct sim_result result;

    if (args->dump_tables) {
        printf("=== before ===\n");
        sim_dump_tables(sim, stdout);
    }
    cli_progress_begin(&progress, trace_length(source));
    enum sim_status status = sim_replay(sim, source, cli_progress, &progress, error);

    cli_progress_end(&progress);
    if (args->dump_tables) {
        printf("=== after ===\n");
        sim_dump_tables(sim, stdout);
    }
    sim_result(sim, &result);
    print_result(args, &result);
    if (status == SIM_OK && (result.stats.count[SIM_COUNT_stale_uses] ||
                             (result.compared && (result.missed || result.spurious))))
        return SIM_CHECK_FAILED;
    return status;
}

int cmd_replay(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_config_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE",
        .doc = "Replays TRACE ('-' is standard input) through the hardware model and the "
               "hypervisor core under one strategy, and prints what was counted.\v"
               "Status 1: a translation was used after its invalidation was due, or the recorded "
               "faults were not predicted.",
        .children = children,
    };
    struct arguments args = {.strategy = sim_strategy_find("reflect")};
    struct trace_error trace_error;
    struct sim_error error;
    struct sim *sim;

    sim_config_init(&args.config);
    cli_parse(&argp, argc, argv, &args);
    struct trace_source *source = trace_open(args.trace, &trace_error);

    if (!source) {
        sim_fail(&error, SIM_BAD_INPUT, "%s", trace_error.text);
        return cli_fail(&error);
    }
    enum sim_status status =
        sim_open(&sim, &args.config, args.strategy, source->header(source), &error);

    if (status == SIM_OK) {
        status = run(&args, sim, source, &error);
        sim_close(sim);
    }
    source->close(source);
    return status == SIM_OK || status == SIM_CHECK_FAILED ? (int)status : cli_fail(&error);
}
