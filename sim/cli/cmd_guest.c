/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline guest: an ELF image, one strategy or all that fit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cmd.h"

struct arguments {
    struct sim_guest_options options;
    const char *strategy; /* a name, or "all" */
    enum sim_format format;
    bool counters;
};

enum { KEY_ARGS = 256, KEY_EXACT, KEY_LIMIT, KEY_COUNTERS };

static const struct argp_option options[] = {
    {"strategy", 'S', "NAME", 0, "Strategy, or 'all' that fit; default reflect or ept-inject", 0},
    {"cpus", 'j', "N", 0, "CPUs of the guest, 1 to 8; default 1", 0},
    {"memory", 'm', "SIZE", 0, "RAM, with K, M, G or T; default 1G", 0},
    {"args", KEY_ARGS, "WORDS", 0, "Arguments for the guest: 'name=value ...'", 0},
    {"record", 'r', "FILE", 0, "Write the run as a trace", 0},
    {"exact", KEY_EXACT, NULL, 0, "x86: every instruction pointer and flag exact; slower", 0},
    {"limit", KEY_LIMIT, "N", 0, "Stop after about N instructions; default 1 G, 0: never", 0},
    {"counters", KEY_COUNTERS, NULL, 0, "Print everything that was counted", 0},
    {"format", 'f', "FORMAT", 0, "table (default), tsv or json", 0},
    {0},
};

static uint64_t parse_number(const char *text, const char *what, struct argp_state *state)
{
    static const char suffixes[] = "KMGT";
    char *end;
    uint64_t value;
    unsigned int shift = 0;

    errno = 0;
    value = strtoull(text, &end, 0);
    if (end != text && *end && strchr(suffixes, *end)) {
        shift = 10 * (unsigned int)(strchr(suffixes, *end) - suffixes + 1);
        end++;
    }
    if (end == text || *end || errno || text[0] == '-' || value > UINT64_MAX >> shift)
        argp_failure(state, SIM_USAGE, 0, "%s: '%s' is no number", what, text);
    return value << shift;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;
    struct sim_guest_options *guest = &args->options;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &guest->config;
        return 0;
    case 'S':
        args->strategy = arg;
        if (strcmp(arg, "all") != 0)
            guest->strategy = cli_parse_strategy(arg, state);
        return 0;
    case 'j':
        guest->cpus = (unsigned int)parse_number(arg, "--cpus", state);
        return 0;
    case 'm':
        guest->memory = parse_number(arg, "--memory", state);
        return 0;
    case KEY_ARGS:
        guest->arguments = arg;
        return 0;
    case 'r':
        guest->record = arg;
        return 0;
    case KEY_EXACT:
        guest->exact = true;
        return 0;
    case KEY_LIMIT:
        guest->limit = parse_number(arg, "--limit", state);
        return 0;
    case KEY_COUNTERS:
        args->counters = true;
        return 0;
    case 'f':
        cli_parse_format(arg, &args->format, state);
        return 0;
    case ARGP_KEY_ARG:
        cli_parse_single(arg, &guest->image, state);
        return 0;
    case ARGP_KEY_END:
        if (!guest->image)
            argp_usage(state);
        if (guest->record && args->strategy && !strcmp(args->strategy, "all"))
            argp_failure(state, SIM_USAGE, 0, "--record takes one strategy, not all");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One run, or one for each strategy that fits; *count results. */
static enum sim_status run(struct arguments *args, struct sim_guest_result *results, size_t *count,
                           struct sim_error *error)
{
    struct sim_guest_options *guest = &args->options;
    enum trace_arch arch;
    enum sim_status status = sim_guest_arch(guest->image, &arch, error);

    *count = 0;
    if (status != SIM_OK)
        return status;
    if (!args->strategy)
        guest->strategy = sim_strategy_find(arch == TRACE_ARCH_ARM64 ? "reflect" : "ept-inject");
    if (guest->strategy) {
        *count = 1;
        guest->console = args->format == SIM_FORMAT_TABLE ? stdout : stderr;
        return sim_guest_run(guest, results, error);
    }
    for (size_t i = 0; sim_strategy_at(i) && status == SIM_OK; i++) {
        guest->strategy = sim_strategy_at(i);
        if (!sim_guest_fits(guest->strategy, arch))
            continue;
        status = sim_guest_run(guest, &results[(*count)++], error);
    }
    return status;
}

int cmd_guest(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_config_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "IMAGE",
        .doc = "Runs IMAGE, a freestanding ELF kernel for arm64 or x86-64 (docs/GUESTS.md), with "
               "every access translated by the hardware model and the hypervisor core beneath "
               "it.\v"
               "Status 1: a guest did not end as it must under its strategy, or a translation was "
               "used after its invalidation was due.",
        .children = children,
    };
    struct arguments args = {
        .options = {.cpus = 1, .memory = UINT64_C(1) << 30, .limit = UINT64_C(1) << 30}};
    struct sim_guest_result *results = calloc(SIM_STRATEGIES_MAX, sizeof(*results));
    struct sim_error error;
    size_t count;

    sim_config_init(&args.options.config);
    cli_parse(&argp, argc, argv, &args);
    if (!results) {
        sim_fail(&error, SIM_INTERNAL, "out of memory");
        return cli_fail(&error);
    }
    enum sim_status status = run(&args, results, &count, &error);

    if (status == SIM_OK) {
        sim_out_guests(results, count, args.format, stdout);
        if (count == 1 && results[0].registers[0] && args.format == SIM_FORMAT_TABLE)
            printf("%s\n", results[0].registers);
        if (args.counters && args.format == SIM_FORMAT_TABLE)
            sim_out_counters(&results[0].run, stdout);
    }
    for (size_t i = 0; status == SIM_OK && i < count; i++)
        if (!sim_guest_as_expected(&results[i]))
            status = SIM_CHECK_FAILED;
    free(results);
    return status == SIM_OK || status == SIM_CHECK_FAILED ? (int)status : cli_fail(&error);
}
