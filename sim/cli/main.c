/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline: the table of subcommands. */
#include <stdio.h>
#include <string.h>

#include "faultline_version.h"
#include "sim/cli/cmd.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"replay", cmd_replay, "replay one trace under one strategy"},
    {"compare", cmd_compare, "replay one trace under many strategies; table and plot"},
    {"sweep", cmd_sweep, "replay one trace with every combination of some parameters"},
    {"plot", cmd_plot, "draw the results of a sweep"},
    {"report", cmd_report, "compare some traces on one HTML page"},
    {"guest", cmd_guest, "run a guest image under one strategy or all"},
    {"generate", cmd_generate, "make a trace without a recording"},
    {"import", cmd_import, "turn a recording into a trace"},
    {"trace", cmd_trace, "look at, print or cut a trace"},
    {"knobs", cmd_knobs, "list every parameter"},
    {"presets", cmd_presets, "list the core presets with the evidence for each figure"},
    {"strategies", cmd_strategies, "list the strategies"},
    {"selftest", cmd_selftest, "run the core against its conformance trace"},
    {"validate", cmd_validate, "hold the model against measured hardware"},
    {"mmu-eval", cmd_mmu_eval, "evaluate single table walks from a CSV file"},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void usage(FILE *out)
{
    fprintf(out, "usage: faultline COMMAND [ARGUMENT...]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
    fprintf(out,
            "\n'faultline COMMAND --help' tells the rest. Exit status: 0 done; 1 done, but a "
            "check failed;\n2 usage or configuration; 3 unreadable input; 4 internal error.\n");
}

int main(int argc, char **argv)
{
    char name[64];

    if (argc < 2) {
        usage(stderr);
        return SIM_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return SIM_OK;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("faultline %s, model %s\n", FAULTLINE_VERSION, FAULTLINE_MODEL);
        return SIM_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name))
            continue;
        snprintf(name, sizeof(name), "faultline %s", commands[i].name);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "faultline: unknown command '%s' (see 'faultline --help')\n", argv[1]);
    return SIM_USAGE;
}
