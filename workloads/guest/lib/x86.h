/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only x86-64 guests use. */
#ifndef GUEST_X86_H
#define GUEST_X86_H

#include "kernel.h"

#define PF_P    0x01u
#define PF_W    0x02u
#define PF_U    0x04u
#define PF_RSVD 0x08u
#define PF_I    0x10u

#define VECTOR_PF   14
#define VECTOR_VE   20
#define VECTOR_USER 33 /* programs end by INT 33, with their result in rax */

struct cpuid {
    uint32_t a, b, c, d;
};
struct cpuid fl_cpuid(uint32_t leaf, uint32_t subleaf);

void fl_cpu_init(uint64_t cpu);
/* Runs the code at `pc` in ring 3, until INT 33: its rax. */
uint64_t fl_user(uint64_t pc, uint64_t sp);

#endif
