/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Execute-only memory for a guest of the simulated x86-64 machine: hyp/xom on an EPT of its own,
 * the hardware model below it, and the decoder where the CPU does not tell the linear address.
 *
 * The guest has the machine's memory at its own addresses; a part of it has an alias at bit M that
 * the guest may switch on, and can then only fetch from.
 */
#ifndef SIM_XOM_H
#define SIM_XOM_H

#include "sim/decode.h"
#include "sim/machine.h"

struct sim_xom;

/* First CPUID leaf of the hypervisor. */
#define SIM_XOM_SIGNATURE UINT32_C(0x40000000)

struct sim_xom_config {
    hyp_pa_t start, end; /* the part with an alias; whole pages */
    unsigned int bit;    /* M: 36 to SIM_X86_PA_BITS - 1, above all memory */
    /* The CPU tells the linear address of a violation (bits 7 and 8 of the qualification); without
     * it the instruction is decoded. */
    bool tells_linear;
};

/* SIM_USAGE: the machine is not x86-64, or has no such bit or part. NULL in *xom then. */
enum sim_status sim_xom_open(struct sim_xom **xom, struct sim *sim,
                             const struct sim_xom_config *config, struct sim_error *error);
void sim_xom_close(struct sim_xom *xom); /* NULL is allowed */

/* From now on this CPU runs the guest. */
void sim_xom_enter(struct sim_xom *xom, uint8_t cpu);
/* The guest's switch; off at first. False: no table pages, and it stays off. */
bool sim_xom_set(struct sim_xom *xom, bool on);
/* What the core has to say: CPUID, what a guest entry means, the table. */
const struct hyp_xom *sim_xom_core(const struct sim_xom *xom);

enum sim_xom_verdict {
    SIM_XOM_RETRY,  /* the access may be tried again */
    SIM_XOM_INJECT, /* #PF with cr2 and code */
    SIM_XOM_EXIT,   /* nothing of bit M's, or an instruction that cannot be decoded */
};

struct sim_xom_result {
    enum sim_xom_verdict verdict;
    uint64_t cr2;
    uint32_t code;
};

/* The model refused an access in stage 2. `regs` are the guest's at that instruction. */
struct sim_xom_result sim_xom_violation(struct sim_xom *xom, const struct mmu_request *request,
                                        const struct mmu_result *result,
                                        const struct sim_x86_regs *regs);

#endif
