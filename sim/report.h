/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparisons as one HTML file that needs nothing beside it: tables, pictures, settings. */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include "sim/out.h"

/* One trace under some strategies. */
struct sim_report_part {
    const char *path; /* of the trace */
    const struct sim_result *results;
    size_t count;
    const struct sim_result *check; /* of sim_check_recording() */
};

void sim_report_begin(FILE *out, const char *version);
/* A section with everything about one trace. The picture needs gnuplot and a temporary file. */
enum sim_status sim_report_part(FILE *out, const struct sim_report_part *part,
                                struct sim_error *error);
void sim_report_end(FILE *out);

#endif
