/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EL2: from the reset address with the MMU off to main() at the linear address, and the way into
 * the host and back. The boot root has two halves, each of 1 GiB blocks: identity (devices, RAM),
 * and RAM at the linear address.
 */
#define BLOCK_RAM    (0x40000000 | 0x701 | 1 << 6)      /* AF, inner shareable, AttrIndx 0 */
#define BLOCK_DEVICE (0x401 | 1 << 2 | 1 << 6)          /* AF, AttrIndx 1 */

    .section .head, "ax"
    .globl  start
start:
    msr     daifset, #0xf
    adrp    x0, boot_l0
    adrp    x1, boot_l1_low
    adrp    x2, boot_l1_high
    orr     x3, x1, #3
    str     x3, [x0]
    orr     x3, x2, #3
    str     x3, [x0, #256 * 8]
    ldr     x3, =BLOCK_DEVICE
    str     x3, [x1]
    ldr     x3, =BLOCK_RAM
    str     x3, [x1, #8]
    str     x3, [x2]
    msr     ttbr0_el2, x0
    ldr     x3, =(1 << 31 | 1 << 23 | 2 << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 16)
    msr     tcr_el2, x3
    mov     x3, #0x04ff
    msr     mair_el2, x3
    isb
    tlbi    alle2
    dsb     nsh
    ldr     x3, =0x30c51835                             /* RES1, I, C, M, SA */
    msr     sctlr_el2, x3
    isb
    ldr     x3, =high
    br      x3
high:
    ldr     x3, =stack_top
    mov     sp, x3
    ldr     x3, =vectors_el2
    msr     vbar_el2, x3
    isb
    bl      main
1:  wfi
    b       1b

    .text
    .macro  VECTOR label
    .balign 0x80
    b       \label
    .endm
    .balign 0x800
vectors_el2:
    .rept   8                                           /* from EL2 itself: broken */
    VECTOR  broken
    .endr
    VECTOR  host_exit
    .rept   7
    VECTOR  broken
    .endr

broken:
    mrs     x0, esr_el2
    mrs     x1, elr_el2
    mrs     x2, far_el2
    bl      el2_broken

/*
 * void host_enter(struct host_state *state): x0..x30 at 0, pc at 248, pstate at 256. Returns at the
 * host's next exception to EL2.
 */
    .globl  host_enter
host_enter:
    stp     x19, x20, [sp, #-96]!
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    msr     tpidr_el2, x0
    ldp     x1, x2, [x0, #248]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    ldp     x2, x3, [x0, #16]
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
    ldp     x0, x1, [x0]
    eret

host_exit:
    stp     x0, x1, [sp, #-16]!
    mrs     x0, tpidr_el2
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    str     x30, [x0, #240]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0]
    mrs     x1, elr_el2
    mrs     x2, spsr_el2
    stp     x1, x2, [x0, #248]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     x19, x20, [sp], #96
    ret

    .bss
    .balign 4096
boot_l0:
    .skip   4096
boot_l1_low:
    .skip   4096
boot_l1_high:
    .skip   4096
    .skip   16384
stack_top:
    .section .note.GNU-stack, "", %progbits
