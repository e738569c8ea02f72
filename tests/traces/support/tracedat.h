/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace.dat files written by hand: format version 6 (trace-cmd.dat.v6(5)), little endian, one CPU,
 * events of the page allocator and markers.
 */
#ifndef TESTS_TRACES_TRACEDAT_H
#define TESTS_TRACES_TRACEDAT_H

#include "traces/bytes.h"

struct tracedat {
    struct trace_bytes file, page; /* page: events of the only ring-buffer page */
    uint64_t last;                 /* ns */
    bool lost;                     /* events before the page: it says so */
};

void tracedat_begin(struct tracedat *dat);
/* Times in ns, ascending; less than 2^27 after the one before. */
void tracedat_alloc(struct tracedat *dat, uint64_t ns, uint32_t pid, uint64_t pfn, uint32_t order);
void tracedat_marker(struct tracedat *dat, uint64_t ns, uint32_t pid, const char *text);
void tracedat_save(struct tracedat *dat, const char *path);

#endif
