/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of the bare-metal test share: where things are, and what they ask each other.
 * The machine is QEMU's "virt": RAM from 1 GiB on, a PL011 at 0x09000000.
 */
#ifndef TESTS_BARE_ARM64_IMAGE_H
#define TESTS_BARE_ARM64_IMAGE_H

#define RAM_BASE  0x40000000
#define RAM_SIZE  0x08000000 /* 128 MiB */
#define POOL_BASE 0x41000000 /* reserved for the hypervisor */
#define HOST_BASE 0x44000000 /* the host's program; see image.ld */
#define ARENA     0x45000000 /* pages that change hands, 2 MiB aligned */
#define UART_BASE 0x09000000

/* EL2's linear map is RAM at the middle of 48 bits: va = pa + LINEAR_BIAS. main.c checks it. */
#define LINEAR_BIAS 0x7fffc0000000

/* Calls of the host beyond those of hyp/hcall.h. */
#define CALL_CHECK     0x1000 /* (enum check, whether it holds, a value to show) */
#define CALL_GIVE_BACK 0x1001 /* (pfn, count): the hypervisor returns pages */
#define CALL_END       0x1002 /* () */
#define CALL_ADDRESSES 0x1003 /* (): of the hypervisor's code, of its data */

#endif
