/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traces with known records, and comparing what a source yields with them. */
#ifndef TESTS_TRACES_SAMPLE_H
#define TESTS_TRACES_SAMPLE_H

#include "traces/trace.h"

struct sample_record {
    enum trace_kind kind;
    unsigned int cpu;
    uint64_t addr;
    struct trace_site site;   /* accesses */
    struct trace_event event; /* others */
    char text[24];            /* marks */
};

struct sample {
    struct trace_header header;
    struct sample_record *record;
    size_t count;
};

/* `count` records of all kinds, the same for the same seed. */
void sample_make(struct sample *sample, size_t count, uint64_t seed);
void sample_free(struct sample *sample);
/* Writes it in blocks of so many records; ends the test on failure. */
void sample_write(const struct sample *sample, const char *path, uint32_t block);
/* The header of the samples, with all fields in use. */
struct trace_header sample_header(void);

/*
 * Reads the source and compares with the sample from record `first` on, which must have position
 * `position`. Returns the number of records that came; *status is what the last call gave. A
 * difference ends the test with both records printed.
 */
size_t sample_compare(const struct sample *sample, struct trace_source *source, size_t first,
                      uint64_t position, int *status, struct trace_error *error);

uint64_t sample_random(uint64_t *state);

#endif
