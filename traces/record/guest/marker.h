/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Markers tell the recorder in QEMU what is going on.  Each is one instruction
 * without any architectural effect, whose encoding carries an 8-bit code:
 *	arm64	movz xzr, #0x5aNN
 *	x86-64	nopl 0x5a5000NN(%rax,%rax,1)
 */
#ifndef MARKER_H
#define MARKER_H

enum { MARK_EVENTS_ON = 1, MARK_START = 2, MARK_STOP = 3, MARK_PHASE = 16 };

#if defined(__aarch64__)
#define marker(code) asm volatile(".inst 0xd280001f | ((0x5a00 | %0) << 5)" ::"i"(code) : "memory")
#elif defined(__x86_64__)
#define marker(code)                                                                               \
    asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t.long 0x5a500000 | %c0" ::"i"(code) : "memory")
#endif

#endif
