/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results in an SQLite file: one row a run, in a table `runs`, with a column for each figure of
 * sim_out_columns() and four more that say what was run: the trace's name and digest, the digest of
 * the sources that counted, and the settings that differ from their defaults. A run is in the file
 * at most once.
 *
 * Each row is a transaction of its own, so that whatever ends the program leaves whole rows. Not
 * thread-safe; several programs may share a file.
 */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "sim/out.h"

struct sim_store;

/* What all runs of a sweep have in common. */
struct sim_subject {
    const char *trace; /* its file name */
    uint64_t digest;   /* trace_digest() */
    const char *model; /* digest of the program's sources, as far as results depend on them */
};

/* Opens a file of results, or makes it when `create`; NULL is one in memory. SIM_BAD_INPUT for a
 * file that is not one, or one with other columns. */
enum sim_status sim_store_open(struct sim_store **store, const char *path, bool create,
                               struct sim_error *error);
void sim_store_close(struct sim_store *store);

enum sim_status sim_store_has(struct sim_store *store, const struct sim_subject *subject,
                              const struct sim_run *run, bool *has, struct sim_error *error);
/* Adds the row, or replaces it. */
enum sim_status sim_store_put(struct sim_store *store, const struct sim_subject *subject,
                              const struct sim_run *run, const struct sim_result *result,
                              struct sim_error *error);
/* Calls `column` for each column of a row; *found is false when there is none. */
enum sim_status sim_store_get(struct sim_store *store, const struct sim_subject *subject,
                              const struct sim_run *run, sim_column_fn *column, void *arg,
                              bool *found, struct sim_error *error);

/* ---- reading for plots ---- */

struct sim_condition {
    char column[96], value[96];
};

/* "column=value"; SIM_USAGE for anything else. */
enum sim_status sim_condition_parse(struct sim_condition *condition, const char *text,
                                    struct sim_error *error);

struct sim_point {
    char line[96], x[96]; /* as texts */
    int64_t y;
};

/*
 * All rows that meet the conditions, as (line, x, y) of three columns, ordered by line and x,
 * numbers before texts. The caller frees *points. SIM_USAGE for a column that is not there, a y
 * that is no number, no row at all, and when two rows have the same line and x: the message tells
 * in which columns they differ.
 */
enum sim_status sim_store_points(struct sim_store *store, const char *line, const char *x,
                                 const char *y, const struct sim_condition *conditions,
                                 size_t count, struct sim_point **points, size_t *point_count,
                                 struct sim_error *error);
/*
 * Takes the values of line `base` off those of the other lines at the same x, and drops it.
 * SIM_USAGE when it has no value there.
 */
enum sim_status sim_points_over(struct sim_point *points, size_t *count, const char *base,
                                struct sim_error *error);

enum { SIM_PLOT_PLACES_MAX = 1024 };

struct sim_lines {
    const struct sim_point *points;
    size_t count;
    const char *line, *x, *y; /* the columns */
    const char *over;         /* the base line, or NULL */
    const char *title;
};

/* A picture of lines at `path` (.png, .svg, .pdf). */
enum sim_status sim_plot_lines(const struct sim_lines *lines, const char *path,
                               struct sim_error *error);

#endif
