/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conformance trace: a fixed pseudo-random sequence of ownership transitions over 64 pages, one
 * guest that is not protected and one that is. The hashes of all results and of the final state are
 * known for the real pKVM code (Linux 7.3.4, run in user space on the same sequence), so equal
 * hashes say that the core takes the same decisions.
 *
 * Self-contained: brings its own memory and port, and needs nothing but the core and libc.
 */
#ifndef SIM_PKVM_TRACE_H
#define SIM_PKVM_TRACE_H

#include <hyp/hyp.h>

#include <stdio.h>

#define PKVM_TRACE_SEED  UINT64_C(0x123456789abcdef)
#define PKVM_TRACE_OPS   21
#define PKVM_TRACE_PAGES 64
#define PKVM_TRACE_RCS   8 /* different results of one operation */

/* How often an operation returned what. Unused entries have count 0. */
struct pkvm_trace_tally {
    int rc[PKVM_TRACE_RCS];
    uint64_t count[PKVM_TRACE_RCS];
};

struct pkvm_trace; /* one run */

/* Boots a hypervisor on fresh memory. NULL: out of memory, or boot failed. */
struct pkvm_trace *pkvm_trace_open(uint64_t seed);
/* The same on a machine of choice; ownership, and so both hashes, do not depend on it. */
struct pkvm_trace *pkvm_trace_open_on(enum hyp_arch arch, uint64_t seed);
void pkvm_trace_close(struct pkvm_trace *trace);
/* Performs `steps` more operations. */
void pkvm_trace_run(struct pkvm_trace *trace, uint64_t steps);

uint64_t pkvm_trace_steps(const struct pkvm_trace *trace);
/* FNV-1a over all results so far, and over the state of the 64 pages and both guests now. */
uint64_t pkvm_trace_rc_hash(const struct pkvm_trace *trace);
uint64_t pkvm_trace_state_hash(const struct pkvm_trace *trace);
const char *pkvm_trace_op_name(unsigned int op);
const struct pkvm_trace_tally *pkvm_trace_tally(const struct pkvm_trace *trace, unsigned int op);
/* For checks between steps, and for faults put in on purpose. */
struct hyp *pkvm_trace_hyp(struct pkvm_trace *trace);
/* First of the pages that the sequence works on. */
hyp_pfn_t pkvm_trace_arena(void);

/*
 * A whole run: prints the tallies of every operation, then, as the last line,
 * "step N rc-hash H state-hash H". False when it could not start.
 */
bool pkvm_trace_print(FILE *out, uint64_t seed, uint64_t steps);

#endif
