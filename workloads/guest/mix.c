/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A loop for measuring the emulation itself: 11 instructions, two loads and two stores, two basic
 * blocks, over 16 pages that stay in the TLB. bench_guest runs it, and mix_loop alone without any
 * model for comparison.
 *
 * Argument: iterations (100000).
 */
#include "kernel.h"

enum { BYTES = 16 * 4096 };

/* The loop: no stack, no call. Register use is the calling convention's: count, data, mask. */
uint64_t mix_loop(uint64_t count, void *data, uint64_t mask);

#ifdef __aarch64__
__asm__(".pushsection .text.mix_loop, \"ax\"\n"
        ".global mix_loop\n"
        ".type mix_loop, %function\n"
        "mix_loop:\n"
        "	mov	x5, xzr\n"
        "	mov	x6, xzr\n"
        "1:	ldr	x4, [x1]\n"
        "	add	x4, x4, x5\n"
        "	str	x4, [x1, #8]\n"
        "	ldr	x5, [x1, x6]\n"
        "	add	x6, x6, #72\n"
        "	and	x6, x6, x2\n"
        "	tbnz	x6, #63, 2f\n"
        "2:	str	w5, [x1, x6]\n"
        "	eor	x5, x5, x4\n"
        "	subs	x0, x0, #1\n"
        "	b.ne	1b\n"
        "	mov	x0, x5\n"
        "	ret\n"
        ".size mix_loop, . - mix_loop\n"
        ".popsection\n");
#else
__asm__(".pushsection .text.mix_loop, \"ax\"\n"
        ".global mix_loop\n"
        ".type mix_loop, @function\n"
        "mix_loop:\n"
        "	xor	%eax, %eax\n"
        "	xor	%ecx, %ecx\n"
        "1:	mov	(%rsi), %r8\n"
        "	add	%rax, %r8\n"
        "	mov	%r8, 8(%rsi)\n"
        "	mov	(%rsi,%rcx), %rax\n"
        "	add	$72, %rcx\n"
        "	and	%rdx, %rcx\n"
        "	js	2f\n"
        "2:	mov	%eax, (%rsi,%rcx)\n"
        "	xor	%r8, %rax\n"
        "	dec	%rdi\n"
        "	jne	1b\n"
        "	ret\n"
        ".size mix_loop, . - mix_loop\n"
        ".popsection\n");
#endif

int guest_main(void)
{
    uint64_t iterations = fl_argument("iterations", 100000);

    if (iterations == 0) {
        fl_fail("iterations: at least 1\n");
    }
    void *data = fl_va(fl_pages(BYTES / PAGE_SIZE + 1));
    mix_loop(iterations, data, (BYTES - 1) & ~7ull);
    fl_tally("iterations", iterations);
    return 0;
}
