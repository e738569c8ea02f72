/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Benchmarks in C: a row is a name and functions. The shim behind this header runs the rows through
 * Google Benchmark and prints, for each, the time of one operation, its ratio to two reference
 * loops measured in the same process just before, and, where it is known, the same of the code that
 * we measure ourselves against.
 *
 *   chase   one load of a dependent pointer chase through 512 pointers, in a random cycle
 *   memset  zeroing one page of 4 KiB that is in the cache
 *   lock    taking and releasing a ticket lock that nobody else wants
 *
 *   wipe    zeroing one of 16,384 pages that follow each other and are in no cache
 *
 * us/them compares ratios to chase, and for the part of the anchor's time that goes to locks or to
 * zeroing, which differ more from machine to machine than anything else, ratios to those.
 */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Each part gets `arg`. `prepare` and `finish` are not timed and may be NULL. */
struct shim_row {
    const char *name;
    void (*prepare)(void *arg);
    uint64_t (*run)(void *arg); /* one pass; returns the operations that it did */
    void (*finish)(void *arg);
    void *arg;
    double anchor_ns; /* ns of one operation by the anchor, on its machine; 0: no anchor */
    double goal_ns;   /* absolute goal for one operation; 0: none */
};

/* The anchor's own reference loops: ratios are compared, not times. */
#define SHIM_ANCHOR_CHASE_NS  1.09
#define SHIM_ANCHOR_MEMSET_NS 36.0
#define SHIM_ANCHOR_LOCK_NS   2.3
/* Derived: its row A3 in order is this wipe and little else (117 ns, +-15 %). */
#define SHIM_ANCHOR_WIPE_NS 112.0

/* Copies the row; its strings and `arg` must live until shim_main() returns. */
void shim_register(const struct shim_row *row);
/* One operation of the anchor in this row takes so many locks and zeroes so many pages that are in
 * the cache (hot) or in none (cold), and they are most of its time. */
void shim_bound(const char *row, unsigned int locks, unsigned int hot, unsigned int cold);
/* A figure that is not a time, for example bytes for a record; printed below the table. */
void shim_figure(const char *name, double value, const char *unit);
/* The time of one row over that of another, printed below the table. */
void shim_ratio(const char *name, const char *row, const char *base);
/*
 * Runs the registered rows and prints the table under `title`. Takes Google Benchmark's options.
 * Returns the exit status of the program: 0, or 2 for wrong options.
 */
int shim_main(int argc, char **argv, const char *title);

#ifdef __cplusplus
}
#endif

#endif
