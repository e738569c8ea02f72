/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry points and exception vectors, arm64. A trap saves struct regs on the stack. */

#define REGS_SIZE 288
#define REGS_PC   256

    .section .text.start, "ax"
    .global _start
_start:
    adrp    x9, fl_vectors
    add     x9, x9, :lo12:fl_vectors
    msr     vbar_el1, x9
    isb
    mov     x29, xzr
    mov     x30, xzr
    bl      fl_start
    b       .

    /* CPUs started by FL_CPU_ON: x0 argument, x1 CPU number. */
    .global fl_start_secondary
fl_start_secondary:
    adrp    x9, fl_vectors
    add     x9, x9, :lo12:fl_vectors
    msr     vbar_el1, x9
    isb
    mov     x29, xzr
    mov     x30, xzr
    bl      fl_secondary
    b       .

    /* The SDEI handler: x0 fault address, x1 pc. */
    .global fl_sdei_entry
fl_sdei_entry:
    bl      fl_sdei
    b       .

    .macro  save
    sub     sp, sp, #REGS_SIZE
    stp     x0, x1, [sp, #16 * 0]
    stp     x2, x3, [sp, #16 * 1]
    stp     x4, x5, [sp, #16 * 2]
    stp     x6, x7, [sp, #16 * 3]
    stp     x8, x9, [sp, #16 * 4]
    stp     x10, x11, [sp, #16 * 5]
    stp     x12, x13, [sp, #16 * 6]
    stp     x14, x15, [sp, #16 * 7]
    stp     x16, x17, [sp, #16 * 8]
    stp     x18, x19, [sp, #16 * 9]
    stp     x20, x21, [sp, #16 * 10]
    stp     x22, x23, [sp, #16 * 11]
    stp     x24, x25, [sp, #16 * 12]
    stp     x26, x27, [sp, #16 * 13]
    stp     x28, x29, [sp, #16 * 14]
    add     x21, sp, #REGS_SIZE
    stp     x30, x21, [sp, #16 * 15]
    mrs     x22, elr_el1
    mrs     x23, spsr_el1
    stp     x22, x23, [sp, #REGS_PC]
    mrs     x22, esr_el1
    mrs     x23, far_el1
    stp     x22, x23, [sp, #REGS_PC + 16]
    .endm

    .macro  vector handler
    .balign 128
    b       \handler
    .endm

    .text
    .macro  trap name, function
\name:
    save
    mov     x0, sp
    bl      \function
    b       restore
    .endm

    trap    sync, fl_sync
    trap    irq, fl_irq
    trap    bad, fl_bad_vector

restore:
    ldp     x22, x23, [sp, #REGS_PC]
    msr     elr_el1, x22
    msr     spsr_el1, x23
    ldp     x0, x1, [sp, #16 * 0]
    ldp     x2, x3, [sp, #16 * 1]
    ldp     x4, x5, [sp, #16 * 2]
    ldp     x6, x7, [sp, #16 * 3]
    ldp     x8, x9, [sp, #16 * 4]
    ldp     x10, x11, [sp, #16 * 5]
    ldp     x12, x13, [sp, #16 * 6]
    ldp     x14, x15, [sp, #16 * 7]
    ldp     x16, x17, [sp, #16 * 8]
    ldp     x18, x19, [sp, #16 * 9]
    ldp     x20, x21, [sp, #16 * 10]
    ldp     x22, x23, [sp, #16 * 11]
    ldp     x24, x25, [sp, #16 * 12]
    ldp     x26, x27, [sp, #16 * 13]
    ldp     x28, x29, [sp, #16 * 14]
    ldr     x30, [sp, #16 * 15]
    add     sp, sp, #REGS_SIZE
    eret

    .balign 2048
fl_vectors:
    /* current level, SP_EL0; current level; lower level, AArch64; lower level, AArch32:
     * synchronous, IRQ, FIQ, SError each */
    .rept   4
    vector  bad
    .endr
    vector  sync
    vector  irq
    vector  bad
    vector  bad
    .rept   8
    vector  bad
    .endr
