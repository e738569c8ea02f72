/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an x86-64 kernel that runs may ask for beside lending: execute-only memory (hyp/xom by
 * sim/xom) and address space isolation (hyp/asi). Both follow its FL_XOM and FL_ASI calls, which a
 * recording holds, so that a replay does the same.
 */
#ifndef SIM_GUEST_X86_H
#define SIM_GUEST_X86_H

#include <hyp/hcall.h>

#include "sim/xom.h"

struct sim_guest_x86;

/* FL_FEATURE_* of this machine. */
uint64_t sim_guest_features(const struct sim *sim);
/* What CPUID says, where it is this machine's word; false: the CPU's own. */
bool sim_guest_cpuid(const struct sim *sim, uint32_t leaf, uint32_t out[4]);
/*
 * FL_XOM and FL_ASI: the answer. The caller adds what the kernel does not say: FL_ASI_CREATE
 * (start, size) of the image, FL_ASI_ENTER (start, size) of the stack.
 */
int64_t sim_guest_x86_call(struct sim *sim, uint8_t cpu, uint64_t number,
                           const uint64_t args[HYP_HCALL_ARGS]);
/* A data access met the EPT that execute-only memory gave this CPU. */
struct sim_xom_result sim_guest_violation(struct sim *sim, const struct sim_met *met,
                                          const struct sim_x86_regs *regs);
void sim_guest_x86_close(struct sim *sim);

#endif
