/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recorder's access stream (docs/RECORDING.md describes its bytes). */
#ifndef TRACES_ZPREC_H
#define TRACES_ZPREC_H

#include "traces/input.h"

enum zprec_op {
    ZPREC_END,
    ZPREC_SITE,
    ZPREC_PAGE,
    ZPREC_CPU,
    ZPREC_EVENT,
    ZPREC_MARK,
    ZPREC_REPAIRED,
    ZPREC_TLBI,
    ZPREC_GAP,
    ZPREC_HYPERCALL,
    ZPREC_ACCESS = 16,
};

struct zprec_site {
    struct trace_site site;
    uint64_t last;
};

struct zprec_record {
    enum zprec_op op;
    uint32_t site; /* SITE, ACCESS */
    uint64_t va;   /* ACCESS */
    uint64_t a, b; /* the other records' fields in order; code addresses are absolute */
};

struct zprec {
    struct trace_input *input;
    unsigned int arch, cpus, page_shift;
    uint64_t linear_start, linear_end, linear_pa, text;
    struct zprec_site *sites;
    size_t site_count, site_room;
    unsigned int cpu;
    uint64_t clock; /* instructions up to the last event or mark */
    uint64_t pc, page, accesses, left_out, instructions;
};

/* Opens and reads the header. 0, or -1 with the error set and nothing held. */
int zprec_open(struct zprec *stream, const char *path, struct trace_error *error);
/* 1 with a record, 0 after the end record, -1. */
int zprec_next(struct zprec *stream, struct zprec_record *record, struct trace_error *error);
void zprec_close(struct zprec *stream);

#endif
