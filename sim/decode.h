/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x86-64 instructions, as far as a hypervisor must understand them: which memory the one that
 * faulted accesses. The only place that knows the decoder (Zydis).
 */
#ifndef SIM_DECODE_H
#define SIM_DECODE_H

#include <hyp/xom.h>

/* General registers in instruction-set order: rax rcx rdx rbx rsp rbp rsi rdi r8 to r15. */
struct sim_x86_regs {
    uint64_t gpr[16];
    uint64_t rip;
    uint64_t fs_base, gs_base;
};

/* Reads `size` bytes of code at `va`, all in one page; false: they may not be fetched. */
typedef bool sim_decode_fetch(void *ctx, uint64_t va, uint8_t *to, size_t size);

/*
 * The memory operands of the 64-bit instruction at regs->rip, implicit ones on the stack included,
 * in the order in which they are accessed. Of a string instruction under REP it is the iteration
 * that the registers stand at. 0: no operand in memory; or the bytes cannot be fetched, are no
 * instruction, or access memory in a way that this does not know: gathers and scatters, ENTER with
 * a nesting level, what the CPU pushes for an exception.
 */
unsigned int sim_decode(const struct sim_x86_regs *regs, sim_decode_fetch *fetch, void *ctx,
                        struct hyp_xom_operand operands[HYP_XOM_OPERANDS]);

#endif
