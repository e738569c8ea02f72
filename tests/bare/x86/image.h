/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of the bare-metal test share: where things are, and what they ask each other.
 * The machine is a PC of 64 MiB as Bochs emulates it; image.ld has the image's own addresses.
 */
#ifndef TESTS_BARE_X86_IMAGE_H
#define TESTS_BARE_X86_IMAGE_H

#define LOW_SIZE  0x9f000 /* RAM below the BIOS's data and the VGA */
#define HIGH_BASE 0x100000
#define HIGH_SIZE 0x3e00000 /* the last MiB is left to the BIOS */
#define ARENA     0x1000000 /* pages that change hands, 2 MiB aligned */
#define POOL_BASE 0x2000000 /* reserved for the hypervisor */
#define VGA_TEXT  0xb8000
#define BIOS_ROM  0xf0000
#define APIC_BASE 0xfee00000

/* The hypervisor's linear map is RAM at the middle of 47 bits: va = pa + LINEAR_BIAS. main.c checks
 * it. */
#define LINEAR_BIAS 0x400000000000

/* Calls of the host beyond those of hyp/hcall.h. */
#define CALL_CHECK 0x1000 /* (enum check, whether it holds, a value to show) */
/* (pfn, count): the hypervisor returns pages; in args 0 and 1 whether it reached the first one
 * before, and after. */
#define CALL_GIVE_BACK 0x1001
#define CALL_END       0x1002 /* () */
#define CALL_ADDRESSES 0x1003 /* (): of the hypervisor's code, of its data */
/* (): the loaded vCPU runs until it calls (RUN_CALLED, its EBX) or meets a page that it lacks
 * (RUN_FAULTED, ipa, exit qualification). A vCPU starts anew when it has been put. */
#define CALL_RUN         0x1004
#define CALL_RECLAIM_TWO 0x1005 /* (handle, gfn): this page and the next, in one exit */
#define CALL_XONLY       0x1006 /* (): whether the CPU is said to have execute-only pages */
#define CALL_PEEK        0x1007 /* (va): 32 bits there, of the hypervisor's addresses */

#define RUN_CALLED  0
#define RUN_FAULTED 1

/* Guests: 32-bit programs without paging, whose addresses are their ipas. */
#define GUEST_CODE   0x80000
#define GUEST_DATA   0x81000
#define GUEST_SPARE  0x90000 /* two pages that it never touches */
#define GUEST_CALL   0x2000  /* in EAX: to the host, with EBX */
#define GUEST_SECRET 0x5ec2e75e
#define GUEST_RUNS   0x600d

#endif
