/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator, as the command line, the tests and the benchmarks see it: configure a machine,
 * choose a strategy, replay a trace, read the figures.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdio.h>

#include "mmu/counters.h"
#include "sim/config.h"
#include "sim/error.h"
#include "sim/stats.h"
#include "traces/trace.h"

struct sim;
struct sim_strategy;

/* ---- strategies ---- */

/* The strategy of that name; NULL when there is none. */
const struct sim_strategy *sim_strategy_find(const char *name);
/* The n-th strategy, for lists; NULL past the end. The first is the baseline without donations. */
const struct sim_strategy *sim_strategy_at(size_t index);
/* Some are of one architecture only. */
bool sim_strategy_fits(const struct sim_strategy *strategy, const struct trace_header *header);
const char *sim_strategy_name(const struct sim_strategy *strategy);
const char *sim_strategy_summary(const struct sim_strategy *strategy);
/* ---- one run ---- */

/* A machine for traces with this header. The configuration is copied and resolved. */
enum sim_status sim_open(struct sim **sim, const struct sim_config *config,
                         const struct sim_strategy *strategy, const struct trace_header *header,
                         struct sim_error *error);
void sim_close(struct sim *sim);

/* Called now and then while a replay runs; position is the number of records done. */
typedef void sim_progress_fn(void *arg, uint64_t position);

/* Replays the source to its end. Allocates nothing per record. */
enum sim_status sim_replay(struct sim *sim, struct trace_source *source, sim_progress_fn *progress,
                           void *arg, struct sim_error *error);

/* ---- results ---- */

/* One access to a lent page that the machine would not have survived, or that was repaired. */
struct sim_stray_report {
    uint64_t position; /* record in the trace */
    uint64_t pc, far;  /* instruction and fault address */
    uint64_t ipa;      /* of the page; 0 for a stage-1 fault */
    uint64_t esr;      /* as the level that takes the fault sees it */
    uint64_t donated;  /* position of the donation */
    uint32_t owner;    /* enum trace_owner, guest number << 8 */
    uint8_t cpu;
    bool panic;
    char place[64]; /* function and offset, where the trace names it */
};

enum { SIM_REPORTS_MAX = 16 };

struct sim_result {
    const struct sim_strategy *strategy;
    struct sim_config config;
    struct sim_stats stats;
    struct mmu_counters mmu;
    uint64_t records;
    bool compared; /* the recorded faults were compared with the predicted ones */
    uint64_t missed, spurious;
    unsigned int report_count;
    struct sim_stray_report report[SIM_REPORTS_MAX]; /* the first ones: panics before repairs */
    uint64_t memory_bytes;                           /* allocated for the machine, by jemalloc */
};

void sim_result(const struct sim *sim, struct sim_result *result);

/* The page tables of the host's stage 1 and stage 2 and of the hypervisor, as ptdump prints them.
 */
void sim_dump_tables(const struct sim *sim, FILE *out);

/* Evaluates single walks: rows of `in` (called `name` in messages) to rows of `out`. */
enum sim_status sim_mmu_eval(FILE *in, const char *name, FILE *out, struct sim_error *error);

/* Bytes in use by the allocator (jemalloc's own statistics); 0 when built without it. */
uint64_t sim_memory_allocated(void);

/* ---- many runs (sim/compare.c) ---- */

enum { SIM_STRATEGIES_MAX = 32 };

/* The strategies that fit the machine of the trace at `path`, at most SIM_STRATEGIES_MAX. */
enum sim_status sim_strategies_for(const char *path, const struct sim_strategy **strategies,
                                   size_t *count, struct sim_error *error);

/*
 * The run that is held against the recording: what the recorded machine itself did (memfd_secret,
 * or a hypervisor that stops), and nothing else. result->missed and ->spurious tell.
 */
enum sim_status sim_check_recording(const char *path, const struct sim_config *config,
                                    struct sim_result *result, struct sim_error *error);

struct sim_run {
    const struct sim_strategy *strategy;
    struct sim_config config;
};

/*
 * Gets each run as it ends, in any order, but one at a time: its result, or NULL and what was wrong
 * with it. Anything but SIM_OK (with the error filled, if it was not) ends the other runs, too.
 */
typedef enum sim_status sim_done_fn(void *arg, size_t index, const struct sim_result *result,
                                    struct sim_error *error);

/* Replays the trace at `path` for each run, `jobs` at a time; results do not depend on `jobs`. */
enum sim_status sim_run_many(const char *path, const struct sim_run *runs, size_t count,
                             unsigned int jobs, sim_done_fn *done, sim_progress_fn *progress,
                             void *arg, struct sim_error *error);

/*
 * The same with one configuration under each strategy. results[i] belongs to strategies[i].
 */
enum sim_status sim_compare(const char *path, const struct sim_config *config,
                            const struct sim_strategy *const *strategies, size_t count,
                            unsigned int jobs, struct sim_result *results,
                            sim_progress_fn *progress, void *arg, struct sim_error *error);

/* ---- running guests (sim/guest.c) ---- */

enum { SIM_GUEST_CPUS_MAX = 8, SIM_TALLIES_MAX = 16 };

struct sim_guest_options {
    const char *image; /* a freestanding ELF file, see docs/GUESTS.md */
    struct sim_config config;
    const struct sim_strategy *strategy;
    unsigned int cpus;     /* 1 to SIM_GUEST_CPUS_MAX */
    uint64_t memory;       /* bytes of RAM, 64 MiB to 1 TiB, a multiple of 2 MiB */
    const char *arguments; /* for the guest, at most 255 characters */
    const char *record;    /* NULL, or where the run is written as a trace */
    bool exact;            /* x86: every instruction pointer and flag exact */
    uint64_t limit;        /* instructions; 0: none. Guests may loop for ever */
    FILE *console;         /* NULL: what the guest prints is dropped */
};

enum sim_guest_end {
    SIM_GUEST_EXITED,  /* status says whether the guest was content */
    SIM_GUEST_PANIC,   /* the kernel died */
    SIM_GUEST_STOPPED, /* the hypervisor stopped */
    SIM_GUEST_LOCKUP,  /* no progress: faults in its own fault handler, or nobody runs */
    SIM_GUEST_LIMIT,   /* the instruction limit */
    SIM_GUEST_UNKNOWN, /* an instruction or an I/O that is not modelled */
};

struct sim_tally {
    char name[32];
    uint64_t value;
};

struct sim_guest_result {
    struct sim_result run;
    enum sim_guest_end end;
    uint64_t status;
    char text[256];       /* why, for all ends but a good exit */
    char registers[1024]; /* of the CPU that ended it, unless the guest exited; else empty */
    uint64_t instructions;
    uint64_t cycles; /* instructions at the base cost, and everything in run.stats */
    struct sim_tally tally[SIM_TALLIES_MAX];
    size_t tallies;
    char image[64]; /* file name */
};

/* The architecture of an image, for the choice of strategies. */
enum sim_status sim_guest_arch(const char *image, enum trace_arch *arch, struct sim_error *error);
/* Whether the guest died as it must under this strategy, or went well where it must not. */
bool sim_guest_as_expected(const struct sim_guest_result *result);
/* Strategies that a guest can be run under; others choose the pages, or the tables, themselves. */
bool sim_guest_fits(const struct sim_strategy *strategy, enum trace_arch arch);
/*
 * Runs an image to its end. An error is one of ours or of the image; how the guest ended is in the
 * result. The same image and options give the same result, to the cycle.
 */
enum sim_status sim_guest_run(const struct sim_guest_options *options,
                              struct sim_guest_result *result, struct sim_error *error);
const char *sim_guest_end_name(enum sim_guest_end end);

#endif
