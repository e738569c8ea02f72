/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces written by hand: a small machine, a few records, one run, and what came of it.
 *
 * The machine has 64 MiB of RAM at 1 GiB, two CPUs, and the direct map at the start of the kernel's
 * half. Each site's instruction may have an exception-table entry.
 */
#ifndef TESTS_SIM_SCRIPT_H
#define TESTS_SIM_SCRIPT_H

#include "sim/sim.h"

enum { SCRIPT_RECORDS = 4096, SCRIPT_SITES = 16, SCRIPT_PAGE = 4096 };

#define SCRIPT_RAM    UINT64_C(0x40000000)
#define SCRIPT_LINEAR UINT64_C(0xffff888000000000)
#define SCRIPT_PC     UINT64_C(0xffff800080010000)

struct script {
    struct trace_header header;
    struct trace_range ram;
    struct trace_extable extable[SCRIPT_SITES];
    struct trace_site site[SCRIPT_SITES];
    size_t site_count;
    struct trace_rec rec[SCRIPT_RECORDS];
    size_t count;
    struct trace_event event[SCRIPT_RECORDS];
    size_t event_count;
    struct sim_config config;
    bool served; /* the one block was handed out */
    struct trace_source source;
};

void script_init(struct script *script);
/* The same machine as x86-64. */
void script_init_x86(struct script *script);
/* A new access site; `fixup` gives its instruction an exception-table entry. */
uint32_t script_site(struct script *script, unsigned int size_log2, bool store, bool zeropad,
                     bool fixup);
/* pc of a site. */
uint64_t script_pc(uint32_t site);
/* Direct-map address of byte `offset` of RAM page `page`. */
uint64_t script_va(uint64_t page, uint64_t offset);

void script_access(struct script *script, unsigned int cpu, uint32_t site, uint64_t va);
void script_donate(struct script *script, uint64_t page, enum trace_owner owner, uint64_t flags);
void script_reclaim(struct script *script, uint64_t page, enum trace_owner owner);
void script_kfault(struct script *script, uint32_t site, uint64_t far);
void script_event(struct script *script, enum trace_kind kind, uint64_t addr, uint64_t a,
                  uint64_t b);
void script_set(struct script *script, const char *assignment);

/* Replays under a strategy; asserts that it succeeds. */
void script_run(struct script *script, const char *strategy, struct sim_result *result);
/* The same, giving back what went wrong. */
enum sim_status script_try(struct script *script, const char *strategy, struct sim_result *result,
                           struct sim_error *error);

#endif
