/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline validate: the model held against measured hardware. */
#include <stdlib.h>
#include <unistd.h>

#include "sim/cli/cmd.h"
#include "sim/validate.h"

enum { FILES_MAX = 8 };

struct arguments {
    struct sim_config config; /* what the machine sets, then the options in their order */
    const char *machine;
    const char *files[FILES_MAX];
    size_t file_count;
    const char *plot;
    uint64_t slots_max;
    unsigned int jobs;
    bool summary;
};

static const struct argp_option options[] = {
    {"machine", 'm', "NAME", 0, "Machine that was measured: zen4 (default)", 0},
    {"data", 'd', "FILE", 0, "Measurements (CSV); may be repeated, and given without --data", 0},
    {"plot", 'p', "FILE", 0, "Draw both curves of every series into FILE (.png, .svg, .pdf)", 0},
    {"max-slots", 'n', "N", 0, "Leave out points of more than N slots", 0},
    {"summary", 'q', NULL, 0, "Scores and checks only, no points", 0},
    {"jobs", 'j', "N", 0, "Curves at a time; default: one for each processor", 0},
    {0},
};

static void add_file(struct arguments *args, const char *path, struct argp_state *state)
{
    if (args->file_count == FILES_MAX)
        argp_failure(state, SIM_USAGE, 0, "too many files");
    else
        args->files[args->file_count++] = path;
}

static uint64_t number(const char *option, const char *text, uint64_t max, struct argp_state *state)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || value < 1 || value > max)
        argp_failure(state, SIM_USAGE, 0, "%s takes 1 to %llu, not '%s'", option,
                     (unsigned long long)max, text);
    return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *args = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->config;
        return 0;
    case 'm':
        args->machine = arg;
        return 0;
    case 'd':
    case ARGP_KEY_ARG:
        add_file(args, arg, state);
        return 0;
    case 'p':
        args->plot = cli_parse_picture(arg, state);
        return 0;
    case 'n':
        args->slots_max = number("--max-slots", arg, UINT64_C(1) << 24, state);
        return 0;
    case 'q':
        args->summary = true;
        return 0;
    case 'j':
        args->jobs = (unsigned int)number("--jobs", arg, 64, state);
        return 0;
    case ARGP_KEY_END:
        if (!args->file_count)
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum sim_status run(const struct arguments *args, struct sim_validation *validation,
                           struct sim_error *error)
{
    enum sim_status status = sim_validate_run(validation, &args->config, args->jobs, error);

    if (status != SIM_OK)
        return status;
    bool pass = sim_validate_report(validation, !args->summary, stdout);

    if (args->plot)
        status = sim_validate_plot(validation, args->plot, error);
    return status == SIM_OK && !pass ? SIM_CHECK_FAILED : status;
}

int cmd_validate(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_config_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[FILE...]",
        .doc = "Runs the access patterns of latency measurements on the model and prints measured "
               "and modelled cycles, errors and acceptance checks.\v"
               "Status 1: a check failed. docs/VALIDATION.md tells what each check means.",
        .children = children,
    };
    struct arguments args = {.machine = "zen4"};
    struct sim_validation validation;
    struct sim_error error;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    args.jobs = processors < 1 ? 1 : processors > 64 ? 64 : (unsigned int)processors;
    sim_config_init(&args.config);
    /* The options come later and win; there is one machine so far. */
    if (sim_validate_machine(&args.config, "zen4", &error) != SIM_OK)
        return cli_fail(&error);
    cli_parse(&argp, argc, argv, &args);
    struct sim_config unused = args.config;
    enum sim_status status = sim_validate_machine(&unused, args.machine, &error);

    if (status == SIM_OK)
        status =
            sim_validate_load(&validation, args.files, args.file_count, args.slots_max, &error);
    if (status != SIM_OK)
        return cli_fail(&error);
    status = run(&args, &validation, &error);
    sim_validate_free(&validation);
    return status == SIM_OK || status == SIM_CHECK_FAILED ? (int)status : cli_fail(&error);
}
