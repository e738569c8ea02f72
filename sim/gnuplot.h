/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gnuplot as a pipe: terminal and output by the name of the picture, then data, then a script. */
#ifndef SIM_GNUPLOT_H
#define SIM_GNUPLOT_H

#include <stdint.h>
#include <stdio.h>

#include "sim/error.h"

struct sim_gnuplot {
    FILE *out; /* the caller writes variables and data blocks here */
    const char *path;
};

/* SIM_USAGE unless `path` ends in .png, .svg or .pdf, and gnuplot can write it down. */
enum sim_status sim_gnuplot_check(const char *path, struct sim_error *error);
/* A picture of width x height points at `path`, which is checked first. */
enum sim_status sim_gnuplot_open(struct sim_gnuplot *plot, const char *path, unsigned int width,
                                 unsigned int height, unsigned int font, struct sim_error *error);
/* Sends the script and waits for the picture. */
enum sim_status sim_gnuplot_finish(struct sim_gnuplot *plot, const char *script,
                                   struct sim_error *error);
/* 64-bit numbers as gnuplot reads them: thousandths as a decimal. */
void sim_gnuplot_thousandths(FILE *out, int64_t thousandths);

#endif
