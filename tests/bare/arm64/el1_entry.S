/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host at EL1: its first instruction, its vectors, and its hypercall. */
    .text
    .globl  host_start
host_start:
    ldr     x0, =host_stack
    mov     sp, x0
    ldr     x0, =host_vectors
    msr     vbar_el1, x0
    isb
    b       host_main

    .globl  hvc
/* int64_t hvc(id, args[6]): arguments in x1..x6, results in x0 and args 0, 1. */
hvc:
    stp     x1, x30, [sp, #-16]!
    mov     x7, x1
    ldp     x1, x2, [x7]
    ldp     x3, x4, [x7, #16]
    ldp     x5, x6, [x7, #32]
    hvc     #0
    ldp     x7, x30, [sp], #16
    stp     x1, x2, [x7]
    ret

    .balign 0x800
host_vectors:
    .rept   4
    .balign 0x80
    b       .
    .endr
    .balign 0x80
    b       host_sync
    .rept   11
    .balign 0x80
    b       .
    .endr

/* A synchronous exception: told to host_fault(), and the access that was refused is stepped over. */
host_sync:
    stp     x0, x1, [sp, #-160]!
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x30, [sp, #144]
    mrs     x0, esr_el1
    mrs     x1, far_el1
    bl      host_fault
    mrs     x0, elr_el1
    add     x0, x0, #4
    msr     elr_el1, x0
    ldp     x18, x30, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp], #160
    eret
    .section .note.GNU-stack, "", %progbits
