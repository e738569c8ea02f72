/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline trace: info, dump, filter. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cmd.h"

struct arguments {
    const char *verb, *input, *output;
    struct trace_filter filter;
    bool filtered; /* some record is not wanted */
    int level;
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "filter: trace to write ('-' is standard output)", 0},
    {"level", 'l', "N", 0, "filter: zstd level, 1 to 22", 0},
    {"from", 'a', "N", 0, "Begin at record N", 1},
    {"to", 'b', "N", 0, "End before record N", 1},
    {"phase", 'p', "NAME", 0, "Only this phase", 1},
    {"kinds", 'k', "A,B,...", 0, "Only records of these kinds (see 'trace info')", 1},
    {"cpu", 'u', "N", 0, "Only accesses and events of this CPU", 1},
    {"keep", 'K', "N", 0, "Sampling: keep N accesses ...", 1},
    {"skip", 'X', "N", 0, "... then skip N", 1},
    {0},
};

static uint64_t parse_number(const char *text, uint64_t max, struct argp_state *state)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);

    if (*text < '0' || *text > '9' || *end || value > max)
        argp_failure(state, SIM_USAGE, 0, "'%s' is not a number up to %" PRIu64, text, max);
    return value;
}

static uint64_t parse_kinds(char *list, struct argp_state *state)
{
    uint64_t kinds = 0;

    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        int kind = 0;

        while (kind < TRACE_KIND_COUNT && strcmp(name, trace_kind_name((enum trace_kind)kind)))
            kind++;
        if (kind == TRACE_KIND_COUNT)
            argp_failure(state, SIM_USAGE, 0, "unknown kind of record '%s'", name);
        kinds |= UINT64_C(1) << kind;
    }
    return kinds;
}

static error_t parse_argument(struct arguments *args, char *arg, struct argp_state *state)
{
    if (!args->verb && (!strcmp(arg, "info") || !strcmp(arg, "dump") || !strcmp(arg, "filter")))
        args->verb = arg;
    else if (args->verb && !args->input)
        args->input = arg;
    else
        argp_usage(state);
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;

    args->filtered |= key > ' ' && key < 0x7f && strchr("abpkuKX", key);
    switch (key) {
    case 'o':
        args->output = arg;
        return 0;
    case 'l':
        args->level = (int)parse_number(arg, 22, state);
        return 0;
    case 'a':
        args->filter.from = parse_number(arg, UINT64_MAX - 1, state);
        return 0;
    case 'b':
        args->filter.to = parse_number(arg, UINT64_MAX - 1, state);
        return 0;
    case 'p':
        args->filter.phase = arg;
        return 0;
    case 'k':
        args->filter.kinds = parse_kinds(arg, state);
        return 0;
    case 'u':
        args->filter.cpu = (int)parse_number(arg, 255, state);
        return 0;
    case 'K':
        args->filter.sample_keep = parse_number(arg, UINT64_MAX - 1, state);
        return 0;
    case 'X':
        args->filter.sample_skip = parse_number(arg, UINT64_MAX - 1, state);
        return 0;
    case ARGP_KEY_ARG:
        return parse_argument(args, arg, state);
    case ARGP_KEY_END:
        if (!args->verb || !args->input || (!strcmp(args->verb, "filter") && !args->output))
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int info(struct trace_source *source, struct trace_error *error)
{
    struct trace_summary summary;
    int status = trace_summarise(source, &summary, error);

    trace_summary_print(&summary, source->header(source), stdout);
    trace_summary_free(&summary);
    return status;
}

static int filter(struct trace_source *source, const struct arguments *args,
                  struct trace_error *error)
{
    struct trace_writer *writer =
        trace_create(args->output, source->header(source), args->level, error);
    struct trace_error finish_error;
    int status;

    if (!writer)
        return -1;
    status = trace_copy(source, writer, error);
    /* What was copied before a truncation is kept: the message says what is missing. */
    if (trace_finish(writer, &finish_error) < 0 && status >= 0) {
        *error = finish_error;
        status = -1;
    }
    return status;
}

int cmd_trace(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "info TRACE\ndump TRACE\nfilter TRACE -o FILE",
        .doc =
            "Tells what is in a trace, prints its records, or cuts a trace from it. A cut begins "
            "with the state it needs, so that it replays on its own. '-' is standard input.",
    };
    struct arguments args = {.filter = {.cpu = -1}};
    struct trace_error error;
    int status;

    cli_parse(&argp, argc, argv, &args);
    struct trace_source *source = trace_open(args.input, &error);

    if (source && args.filtered)
        source = trace_filter_open(source, &args.filter, &error);
    if (!source) {
        fprintf(stderr, "faultline: %s\n", error.text);
        return SIM_BAD_INPUT;
    }
    if (!strcmp(args.verb, "info"))
        status = info(source, &error);
    else if (!strcmp(args.verb, "dump"))
        status = trace_dump(source, stdout, &error);
    else
        status = filter(source, &args, &error);
    source->close(source);
    if (status >= 0)
        return SIM_OK;
    fprintf(stderr, "faultline: %s\n", error.text);
    return SIM_BAD_INPUT;
}
