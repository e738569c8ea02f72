/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of faultline, one file each, and the options that several of them share. */
#ifndef SIM_CLI_CMD_H
#define SIM_CLI_CMD_H

#include <argp.h>

#include "sim/out.h"
#include "sim/sim.h"

/* A subcommand gets its own argv, argv[0] being "faultline NAME"; it returns an enum sim_status. */
int cmd_replay(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_guest(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_knobs(int argc, char **argv);
int cmd_presets(int argc, char **argv);
int cmd_strategies(int argc, char **argv);
int cmd_selftest(int argc, char **argv);
int cmd_mmu_eval(int argc, char **argv);
int cmd_validate(int argc, char **argv);

/* ---- shared (sim/cli/options.c) ---- */

/* -s key=value, -c FILE: into a configuration. Child parser; its input is a struct sim_config. */
extern const struct argp cli_config_argp;

/* Arguments that end the program when they are wrong. */
void cli_parse_format(const char *text, enum sim_format *format, struct argp_state *state);
const struct sim_strategy *cli_parse_strategy(const char *name, struct argp_state *state);
/* The name of a picture, as gnuplot can make it. */
const char *cli_parse_picture(const char *path, struct argp_state *state);
/* The one argument of its kind: a second one is a usage error. */
void cli_parse_single(const char *text, const char **argument, struct argp_state *state);

/* Records of a trace, 0 where only reading it would tell. */
uint64_t cli_trace_length(const char *path);
/* What commands with many runs of one trace have in common: TRACE, which is read more than once,
 * and -S, -f, -j. Child parser; its input is a struct cli_runs that cli_runs_init() filled. */
struct cli_runs {
    const char *trace;
    const struct sim_strategy *strategies[SIM_STRATEGIES_MAX];
    size_t count; /* of strategies; 0: all that fit, see cli_runs_strategies() */
    enum sim_format format;
    unsigned int jobs;
};

extern const struct argp cli_runs_argp;
void cli_runs_init(struct cli_runs *runs);
/* Fills in all strategies that fit the trace when none was named. */
enum sim_status cli_runs_strategies(struct cli_runs *runs, struct sim_error *error);

/* Runs argp with the exit status of this program for usage errors. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input);
/* Prints "faultline: ..." and gives back the status. */
int cli_fail(const struct sim_error *error);

/* Progress on a terminal's standard error, and nothing anywhere else. */
struct cli_progress {
    uint64_t total; /* records; 0: unknown */
    uint64_t shown;
    bool on;
};

void cli_progress_begin(struct cli_progress *progress, uint64_t total);
void cli_progress(void *progress, uint64_t position); /* a sim_progress_fn */
void cli_progress_end(struct cli_progress *progress);

#endif
