/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry points and interrupt stubs, x86-64. A trap saves struct regs on the stack. */

    .section .text.start, "ax"
    .global _start
_start:
    xor     %ebp, %ebp
    push    %rdi
    push    %rsi
    mov     %rsi, %rdi
    call    fl_cpu_init
    pop     %rsi
    pop     %rdi
    call    fl_start
    ud2

    /* CPUs started by FL_CPU_ON: rdi argument, rsi CPU number. */
    .global fl_start_secondary
fl_start_secondary:
    xor     %ebp, %ebp
    push    %rdi
    push    %rsi
    mov     %rsi, %rdi
    call    fl_cpu_init
    pop     %rsi
    pop     %rdi
    call    fl_secondary
    ud2

    .text
    /* fl_load_segments(cs, ds): reloads all of them, by IRETQ to the caller. */
    .global fl_load_segments
fl_load_segments:
    mov     %rsp, %rax
    add     $8, %rax
    mov     (%rsp), %rdx
    mov     %esi, %ds
    mov     %esi, %es
    push    %rsi
    push    %rax
    pushfq
    push    %rdi
    push    %rdx
    iretq

    /* fl_enter_user(pc, sp, cs, ss, kernel_sp *): to ring 3; comes back by fl_leave_user(). */
    .global fl_enter_user
fl_enter_user:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, (%r8)
    push    %rcx
    push    %rsi
    push    $2
    push    %rdx
    push    %rdi
    iretq

    /* fl_leave_user(kernel_sp, result): returns from fl_enter_user(). */
    .global fl_leave_user
fl_leave_user:
    mov     %rdi, %rsp
    mov     %rsi, %rax
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

common:
    push    %rax
    push    %rcx
    push    %rdx
    push    %rbx
    push    %rbp
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, %rdi
    cld
    call    fl_trap
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rbp
    pop     %rbx
    pop     %rdx
    pop     %rcx
    pop     %rax
    add     $16, %rsp
    iretq

    /* One stub of 16 bytes a vector: vectors 8, 10 to 14, 17, 21, 29 and 30 push a code. */
    .balign 16
    .global fl_stubs
fl_stubs:
    .set    n, 0
    .rept   34
    .balign 16
    .if (0x60227d00 >> n) & 1
    .else
    push    $0
    .endif
    push    $n
    jmp     common
    .set    n, n + 1
    .endr
