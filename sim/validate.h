/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model against measured hardware: latency of dependent loads by footprint.
 *
 * A measurement is a CSV file of curves (bench/hardware/README.md); each curve is one access
 * pattern at many footprints. The same patterns run on a small machine made of the hardware model
 * with a core preset, a second stage of 4K pages and data caches shared by loads and table reads.
 * All times are in hundredths of a core cycle.
 */
#ifndef SIM_VALIDATE_H
#define SIM_VALIDATE_H

#include "sim/config.h"

#include <stdio.h>

struct sim_validate_point {
    uint64_t slots;                   /* loads in one lap, each of a line of its own */
    uint64_t measured, p90;           /* lowest and 90th percentile of the samples */
    uint64_t model;                   /* 0 until sim_validate_run() has done it */
    uint64_t loads, l1_misses, walks; /* of the model's measured laps */
};

struct sim_validate_curve {
    char series[24];
    unsigned int file;  /* index of the path it came from */
    uint64_t page_kib;  /* first-stage page */
    uint64_t spacing;   /* bytes between slots */
    uint64_t slots_max; /* the largest footprint: how much memory the frames are scattered over */
    struct sim_validate_point *points; /* by slots, ascending */
    size_t count;
};

struct sim_validation {
    struct sim_validate_curve *curves;
    size_t count;
    struct sim_validate_point knee[2]; /* the L1 TLB filled exactly, and by one page too much */
};

/* Names a machine that can be validated ("zen4"); sets the preset and the knobs that belong to it.
 * SIM_USAGE for another name. */
enum sim_status sim_validate_machine(struct sim_config *config, const char *machine,
                                     struct sim_error *error);

/* Reads measurements. Points of more than `slots_max` slots are left out (0: none is), but count
 * for the span of their curve. On failure nothing is kept. */
enum sim_status sim_validate_load(struct sim_validation *out, const char *const *paths,
                                  size_t count, uint64_t slots_max, struct sim_error *error);
void sim_validate_free(struct sim_validation *validation);

/* Runs every pattern at every footprint, `jobs` curves at a time; the result does not depend on
 * `jobs`. */
enum sim_status sim_validate_run(struct sim_validation *validation, const struct sim_config *config,
                                 unsigned int jobs, struct sim_error *error);

/* ---- scores ---- */

enum { SIM_VALIDATE_REGIONS = 4 }; /* to 2048 slots, to 40000, beyond, all */

/* Mean of |model - measured| / measured in permille by region, and how many points that is. */
struct sim_validate_score {
    uint64_t error[SIM_VALIDATE_REGIONS], points[SIM_VALIDATE_REGIONS];
};

/* Of one curve. */
void sim_validate_score(const struct sim_validate_curve *curve, struct sim_validate_score *score);

enum { SIM_VALIDATE_CHECKS_MAX = 16 };

struct sim_validate_check {
    char name[64];
    char value[64], limit[64];
    bool pass;
};

/* The acceptance lines that the measurements at hand can decide; returns how many. Mean errors are
 * of the first file, the L2 TLB is judged by the curve that has most points there. */
size_t sim_validate_checks(const struct sim_validation *validation,
                           struct sim_validate_check *checks);

/* Curves (each point when `points`), scores and checks; true when every check holds. */
bool sim_validate_report(const struct sim_validation *validation, bool points, FILE *out);
/* Both curves of every series. The ending of `path` chooses the form: png, svg or pdf. */
enum sim_status sim_validate_plot(const struct sim_validation *validation, const char *path,
                                  struct sim_error *error);

#endif
