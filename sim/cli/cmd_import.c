/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline import: a recording becomes a trace. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cmd.h"

struct arguments {
    const char *input, *output, *entries, *facts;
    int level;
    const struct importer *importer; /* NULL: by what the input is */
};

typedef int import_fn(const char *path, const char *out, int level,
                      struct trace_import_stats *stats, struct trace_error *error);

/* In the order of enum trace_input_kind. */
static const struct importer {
    const char *name;
    import_fn *run;
} importers[] = {
    {"ftrace", trace_import_ftrace},       {"perf", trace_import_perf},
    {"trace.dat", trace_import_trace_dat}, {"lackey", trace_import_lackey},
    {"recording", trace_import_recording},
};

enum { IMPORTERS = sizeof(importers) / sizeof(importers[0]) };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Trace to write ('-' is standard output)", 0},
    {"level", 'l', "N", 0, "zstd level, 1 to 22; default 19", 0},
    {"from", 'f', "KIND", 0,
     "recording, ftrace, perf, trace.dat or lackey; default: what INPUT looks like", 0},
    {"facts", 'F', "DIR", 0,
     "INPUT is the console of a crash; DIR is a recording of the same kernel and machine", 0},
    {"entries", 'e', "FILE", 0, "With --facts: the exceptions to EL2 before the crash", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;
    char *end;

    switch (key) {
    case 'o':
        args->output = arg;
        return 0;
    case 'f':
        for (size_t i = 0; i < IMPORTERS; i++) {
            if (!strcmp(importers[i].name, arg))
                args->importer = &importers[i];
        }
        if (!args->importer)
            argp_failure(state, SIM_USAGE, 0,
                         "--from takes recording, ftrace, perf, trace.dat or lackey, not '%s'",
                         arg);
        return 0;
    case 'e':
        args->entries = arg;
        return 0;
    case 'F':
        args->facts = arg;
        return 0;
    case 'l':
        args->level = (int)strtol(arg, &end, 10);
        if (*end || args->level < 1 || args->level > 22)
            argp_failure(state, SIM_USAGE, 0, "--level takes 1 to 22, not '%s'", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (args->input)
            argp_usage(state);
        args->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (!args->input || !args->output)
            argp_usage(state);
        if (args->importer && (args->facts || args->entries))
            argp_failure(state, SIM_USAGE, 0,
                         "--facts and --entries go with the console of a crash, not with --from");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int import(const struct arguments *args, struct trace_import_stats *stats,
                  struct trace_error *error)
{
    const struct importer *importer = args->importer;
    enum trace_input_kind kind;

    if (args->facts || args->entries)
        return trace_import_crash(args->input, args->entries, args->facts, args->output,
                                  args->level, stats, error);
    if (!importer) {
        if (trace_recognise(args->input, &kind, error) < 0)
            return -1;
        importer = &importers[kind];
    }
    return importer->run(args->input, args->output, args->level, stats, error);
}

int cmd_import(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "INPUT",
        .doc =
            "Turns INPUT into a trace: a recording directory, ftrace text, the output of perf "
            "script, a trace.dat of trace-cmd, the output of valgrind's lackey, or the console of "
            "a host that crashed (docs/RECORDING.md).",
    };
    struct arguments args = {0};
    struct trace_import_stats stats = {0};
    struct trace_error error;

    cli_parse(&argp, argc, argv, &args);
    if (import(&args, &stats, &error) < 0) {
        fprintf(stderr, "faultline: %s\n", error.text);
        return SIM_BAD_INPUT;
    }
    fprintf(stderr,
            "%s: %" PRIu64 " accesses, %" PRIu64 " events, %" PRIu64 " donations, %" PRIu64
            " reclaims, %" PRIu64 " faults\n",
            args.output, stats.accesses, stats.events, stats.donations, stats.reclaims,
            stats.faults);
    return SIM_OK;
}
