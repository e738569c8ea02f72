/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline mmu-eval: single walks from a table of rows. */
#include "sim/cli/cmd.h"

#include <errno.h>
#include <string.h>

static const struct argp_option options[] = {
    {"csv", 'i', "FILE", 0, "Rows to evaluate ('-' is standard input)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **path = state->input;

    switch (key) {
    case 'i':
        *path = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_usage(state);
        return 0;
    case ARGP_KEY_END:
        if (!*path)
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_mmu_eval(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Evaluates single table walks: each row of the file has format, access, privilege, "
               "address, flags and the entry met at each level; each row of the output has "
               "outcome, level, syndrome, physical address, entries read and entries afterwards. "
               "docs/MODEL.md specifies the columns.",
    };
    const char *path = NULL;
    struct sim_error error;

    cli_parse(&argp, argc, argv, &path);
    FILE *in = !path || !strcmp(path, "-") ? stdin : fopen(path, "r");

    if (!in) {
        sim_fail(&error, SIM_BAD_INPUT, "%s: %s", path, strerror(errno));
        return cli_fail(&error);
    }
    enum sim_status status = sim_mmu_eval(in, path, stdout, &error);

    if (in != stdin)
        fclose(in);
    return status == SIM_OK ? SIM_OK : cli_fail(&error);
}
