/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workloads without a recording: a seeded generator of records, which is a trace source like a
 * file.
 *
 * Memory is a machine's RAM of which the first `working_set` pages are used by the kernel: seven of
 * eight are accessed, the eighth may be lent. So each lent page has a neighbour that a
 * load_unaligned_zeropad() at its end can reach into it from. Behind them eight times as many
 * pages, or all there are, are free, for placement to take; the rest of RAM is never mentioned.
 */
#ifndef WORKLOADS_WORKLOAD_H
#define WORKLOADS_WORKLOAD_H

#include "traces/trace.h"

enum wl_pattern {
    WL_UNIFORM, /* every page alike */
    WL_SKEWED,  /* four of five accesses go to a fifth of the pages, and so on within that fifth */
    WL_STREAM,  /* one cache line after the other, each CPU in a part of its own */
};

struct wl_options {
    enum trace_arch arch;
    unsigned int page_shift; /* 12; arm64 also 14 and 16 */
    unsigned int cpus;       /* 1 to 256 */
    uint64_t ram_bytes;      /* 64 MiB to 1 TiB, a multiple of 2 MiB */
    uint64_t working_set;    /* pages: 64 up to half of RAM, and a multiple of 8 */
    uint64_t accesses;       /* at least 1 */
    enum wl_pattern pattern;
    unsigned int stores; /* per cent of the accesses, 0 to 100 */
    unsigned int
        crossings; /* of a million accesses, zeropad loads across a page's end; to 1000000 */
    uint64_t donate_every; /* accesses from one donation to the next; 0: none */
    unsigned int batch;    /* pages of a donation, 1 to 512 */
    uint64_t lifetime;     /* accesses until a page comes back; 0: never */
    uint64_t seed;         /* not 0 */
};

/* What is used when nothing is said: a small arm64 machine that lends now and then. */
struct wl_options wl_defaults(void);
/* NULL, with the error set, for an option out of its range. Same options, same records. */
struct trace_source *wl_open(const struct wl_options *options, struct trace_error *error);

#endif
