/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trap saves on the stack, in the order of start_*.S. */
#ifndef GUEST_REGS_H
#define GUEST_REGS_H

#include <stdint.h>

#if defined(__aarch64__)
struct regs {
    uint64_t x[31], sp;
    uint64_t pc, pstate;
    uint64_t esr, far;
};
#else
struct regs {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t di, si, bp, bx, dx, cx, ax;
    uint64_t vector, code;
    uint64_t pc, cs, flags, sp, ss;
};
#endif

#endif
