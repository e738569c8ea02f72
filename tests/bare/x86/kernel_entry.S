/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's kernel: its first instruction, its fault handler, its hypercall, its tables; and the
 * programs that it gives to guests. */
#include "tests/bare/x86/image.h"

    .text
    .globl  kernel_start
kernel_start:
    leaq    host_stack(%rip), %rsp
    lgdt    kernel_gdt_desc(%rip)
    call    kernel_main
1:  jmp     1b

    .globl  vmcall
/* int64_t vmcall(id, args[6]): in RAX, RDI, RSI, RDX, RCX, R8, R9; results in RAX and args 0, 1. */
vmcall:
    pushq   %rsi
    movq    %rdi, %rax
    movq    %rsi, %r10
    movq    (%r10), %rdi
    movq    8(%r10), %rsi
    movq    16(%r10), %rdx
    movq    24(%r10), %rcx
    movq    32(%r10), %r8
    movq    40(%r10), %r9
    vmcall
    popq    %r10
    movq    %rdi, (%r10)
    movq    %rsi, 8(%r10)
    ret

/* The accesses that may be refused: three bytes each, which kernel_fault() steps over. */
    .globl  load, store
load:
    xorl    %eax, %eax
    movq    (%rdi), %rax
    ret
store:
    movq    %rsi, (%rdi)
    ret

/* #PF and #GP have the same frame, error code first. */
    .globl  fault_entry
fault_entry:
    pushq   %rax
    pushq   %rcx
    pushq   %rdx
    pushq   %rsi
    pushq   %rdi
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11
    subq    $8, %rsp
    leaq    80(%rsp), %rdi
    movq    %cr2, %rsi
    call    kernel_fault
    addq    $8, %rsp
    popq    %r11
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rdi
    popq    %rsi
    popq    %rdx
    popq    %rcx
    popq    %rax
    addq    $8, %rsp
    iretq

/* 4 GiB as they are, in pages of 2 MiB. */
    .balign 4096
    .globl  kernel_pml4
kernel_pml4:
    .quad   kernel_pdpt + 3
    .skip   4096 - 8
    .globl  kernel_pdpt
kernel_pdpt:
    .quad   kernel_pd + 3, kernel_pd + 0x1003, kernel_pd + 0x2003, kernel_pd + 0x3003
    .skip   4096 - 32
kernel_pd:
    .set    at, 0x83
    .rept   2048
    .quad   at
    .set    at, at + 0x200000
    .endr
kernel_gdt:
    .quad   0
    .quad   0x00af9b000000ffff                  /* 0x08: 64-bit code */
    .quad   0x00cf93000000ffff                  /* 0x10: data */
kernel_gdt_desc:
    .word   . - kernel_gdt - 1
    .quad   kernel_gdt

/* ---- guests ---- */

    .code32
/* Writes a page, lends it (the call is the hypervisor's), takes it back, and reads it again. */
    .globl  guest_program, guest_program_end
guest_program:
    movl    $GUEST_DATA, %ebx
    movl    $GUEST_SECRET, 8(%ebx)
    xorl    %ecx, %ecx
    xorl    %edx, %edx
    movl    $0xc6000003, %eax                   /* share */
    vmcall
    movl    %eax, %ebx
    movl    $GUEST_CALL, %eax
    vmcall
    movl    $GUEST_DATA, %ebx
    movl    $0xc6000004, %eax                   /* unshare */
    vmcall
    movl    %eax, %ebx
    movl    $GUEST_CALL, %eax
    vmcall
    movl    GUEST_DATA + 8, %ebx
    movl    $GUEST_CALL, %eax
    vmcall
guest_program_end:

/* Says that it runs, and reads itself. */
    .globl  xonly_program, xonly_program_end
xonly_program:
    movl    $GUEST_RUNS, %ebx
    movl    $GUEST_CALL, %eax
    vmcall
    movl    GUEST_CODE, %ebx
    movl    $GUEST_CALL, %eax
    vmcall
xonly_program_end:
    .section .note.GNU-stack, "", %progbits
