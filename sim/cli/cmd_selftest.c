/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline selftest: the core against sequences whose outcome is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cmd.h"
#include "sim/pkvm_trace.h"

struct arguments {
    uint64_t seed, steps;
    bool named;
};

static const struct argp_option options[] = {
    {"seed", 'r', "S", 0, "Seed of the sequence; default: the one with known hashes", 0},
    {"steps", 'n', "N", 0, "Steps; default 100000", 0},
    {0},
};

static uint64_t parse_number(const char *option, const char *text, struct argp_state *state)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);

    if (*text < '0' || *text > '9' || *end || !value)
        argp_failure(state, SIM_USAGE, 0, "--%s takes a number above 0, not '%s'", option, text);
    return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;

    switch (key) {
    case 'r':
        args->seed = parse_number("seed", arg, state);
        return 0;
    case 'n':
        args->steps = parse_number("steps", arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (args->named || strcmp(arg, "pkvm-trace"))
            argp_usage(state);
        args->named = true;
        return 0;
    case ARGP_KEY_END:
        if (!args->named)
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_selftest(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "pkvm-trace",
        .doc = "Runs the core through a pseudo-random sequence of ownership transitions and prints "
               "hashes of all results and of the final state. With the default seed they are known "
               "for the real pKVM code at 1000, 10000 and 100000 steps.",
    };
    struct arguments args = {.seed = PKVM_TRACE_SEED, .steps = 100000};

    cli_parse(&argp, argc, argv, &args);
    if (!pkvm_trace_print(stdout, args.seed, args.steps)) {
        fprintf(stderr, "faultline: the conformance trace could not start\n");
        return SIM_INTERNAL;
    }
    return SIM_OK;
}
