/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Benchmarks in C: a row is a name and functions. The shim behind this header runs the rows through
 * Google Benchmark and prints, for each, the time of one operation, its ratio to reference loops
 * measured in the same process just before and after, and, where it is known, the same of the code
 * that we measure ourselves against (the anchor).
 *
 *   chase   one load of a dependent pointer chase through 512 pointers, in a random cycle
 *   lock    taking and releasing a ticket lock that nobody else wants
 *   memset  zeroing one page of 4 KiB again and again
 *   l3      zeroing a page, 128 in a row, of 2,048 again and again
 *   wipe    zeroing one of 16,384 pages that follow each other and are in no cache
 *
 * us/them compares the fastest passes, which other work on the machine disturbs least: ours by our
 * fastest chase, the anchor's by its chase. The part of the anchor's time that goes to locks and to
 * zeroing, which differ more from machine to machine than anything else, is compared by those.
 * Where pages are zeroed, `unzeroed` is the row with that left out, and the us/them behind it
 * compares that alone. A row is called slower by the last ratio, if it stays above 1 by more than
 * the anchor's own spread when it is run again.
 */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include <stdbool.h>
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
    /* ns of one operation by the anchor, in its fastest pass (its median, where cold pages are
     * zeroed: there its passes are as far apart as its spread); 0: no anchor. */
    double anchor_ns;
    double goal_ns; /* absolute goal for one operation; 0: none */
};

/* The anchor's own reference loops: ratios are compared, not times. */
#define SHIM_ANCHOR_CHASE_NS  1.09
#define SHIM_ANCHOR_MEMSET_NS 36.0
#define SHIM_ANCHOR_LOCK_NS   2.3
/* Derived from rows that are this and little else: A6 of order 7 (6157 ns) less its three levels,
 * 25 each, and A3 in order (117 ns) less a put and a merge, 20 together, both by A1 and A1b. */
#define SHIM_ANCHOR_L3_NS   47.4
#define SHIM_ANCHOR_WIPE_NS 97.0
/* How far its runs lay apart, and those of rows that touch memory outside the caches. */
#define SHIM_ANCHOR_SPREAD      0.03
#define SHIM_ANCHOR_COLD_SPREAD 0.15

/* Where the pages lie that a row zeroes: the reference of that name. */
enum shim_zeroed { SHIM_MEMSET, SHIM_L3, SHIM_WIPE };

/* Copies the row; its strings and `arg` must live until shim_main() returns. */
void shim_register(const struct shim_row *row);
/* One operation of the anchor in this row takes so many locks and zeroes so many pages, and they
 * are much of its time. Rows outside the near caches have the wider spread. */
void shim_bound(const char *row, unsigned int locks, unsigned int pages, enum shim_zeroed where);
/* Lets the rows that zero pages be measured once more with `off`, where nothing is zeroed: the
 * whole says more of the machine than of the code. */
void shim_without_zeroing(void (*set)(void *arg, bool off), void *arg);
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
