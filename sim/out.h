/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results on paper: table, TSV, JSON, and the plot. */
#ifndef SIM_OUT_H
#define SIM_OUT_H

#include "sim/sim.h"

enum sim_format { SIM_FORMAT_TABLE, SIM_FORMAT_TSV, SIM_FORMAT_JSON };

/* "table", "tsv", "json"; false for anything else. */
bool sim_format_parse(const char *text, enum sim_format *format);

/* A path without its folders, as names stand in tables and titles. */
const char *sim_base_name(const char *path);
/* Which causes anything was charged to, in any of the runs. */
void sim_out_causes(const struct sim_result *results, size_t count, bool used[SIM_CAUSE_COUNT]);
/* What became of the host: "2 panics", "survives", or "no stray" where there was nothing to
 * survive; in `text`, of 40 bytes or more. */
const char *sim_out_verdict(const struct sim_result *result, char *text, size_t size);
/* The result of the run without donations, or NULL. */
const struct sim_result *sim_out_baseline(const struct sim_result *results, size_t count);
/* One row a result. The first result with the baseline strategy is what others are compared with.
 */
void sim_out_results(const struct sim_result *results, size_t count, enum sim_format format,
                     FILE *out);
/* Calls `column` for every figure of a result, in one fixed order: a name, and either a text or a
 * value. Knobs come last. */
typedef void sim_column_fn(void *arg, const char *name, const char *text, uint64_t value);
void sim_out_columns(const struct sim_result *result, sim_column_fn *column, void *arg);

/* The columns of row `index`; what the rows are is the function's business. */
typedef void sim_each_fn(const void *rows, size_t index, sim_column_fn *column, void *arg);
/* Rows as TSV with a line of names, or as a JSON array of objects. */
void sim_out_tsv(sim_each_fn *each, const void *rows, size_t count, FILE *out);
void sim_out_json(sim_each_fn *each, const void *rows, size_t count, FILE *out);

/* "recorded faults: N, predicted: N, missed: N, spurious: N". */
void sim_out_check(const struct sim_result *result, FILE *out);
/* One paragraph for each stray that a result reports, panics first. */
void sim_out_strays(const struct sim_result *result, unsigned int limit, FILE *out);
/* Everything one run counted, a line each, zeroes left out. */
void sim_out_counters(const struct sim_result *result, FILE *out);

/* Guests: how each ended, what it counted itself; one row a run. */
void sim_out_guests(const struct sim_guest_result *guests, size_t count, enum sim_format format,
                    FILE *out);

/*
 * Cycles by cause, stacked, a bar for each strategy, panics marked. The ending of `path` chooses
 * the form: png, svg or pdf. Needs gnuplot.
 */
enum sim_status sim_plot_compare(const struct sim_result *results, size_t count, const char *title,
                                 const char *path, struct sim_error *error);

#endif
