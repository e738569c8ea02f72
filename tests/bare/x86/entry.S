/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor: from 32-bit protected mode without paging to main() at the linear address, its
 * exceptions, and the way into a virtual machine and back. The boot root has the first GiB twice:
 * as it is, and at the linear address.
 */
#include "tests/bare/x86/image.h"

#define PA(symbol) (symbol - LINEAR_BIAS)

    .section .head, "ax"
    .code32
    .globl  start
start:
    cli
    cld
    movl    $PA(image_bss), %edi
    movl    $PA(image_end), %ecx
    subl    %edi, %ecx
    xorl    %eax, %eax
    rep stosb
    movl    $host_bss_start, %edi
    movl    $host_stack, %ecx
    subl    %edi, %ecx
    rep stosb

    movl    $PA(boot_pml4), %edi
    movl    $PA(boot_pdpt) + 3, %eax
    movl    %eax, (%edi)
    movl    %eax, 128 * 8(%edi)                 /* 2^46 */
    movl    $PA(boot_pdpt), %edi
    movl    $PA(boot_pd) + 3, (%edi)
    movl    $PA(boot_pd), %edi
    movl    $0x183, %eax                        /* present, writable, 2 MiB, global */
    movl    $512, %ecx
1:  movl    %eax, (%edi)
    addl    $8, %edi
    addl    $0x200000, %eax
    loop    1b

    movl    %cr4, %eax
    orl     $0xa0, %eax                         /* PAE, PGE */
    movl    %eax, %cr4
    movl    $PA(boot_pml4), %eax
    movl    %eax, %cr3
    movl    $0xc0000080, %ecx                   /* EFER: LME, NXE */
    rdmsr
    orl     $0x900, %eax
    wrmsr
    movl    %cr0, %eax
    orl     $0x80010001, %eax                   /* PG, WP, PE */
    movl    %eax, %cr0
    lgdt    PA(gdt_desc)                        /* reads 4 bytes of the base, the physical ones */
    ljmp    $0x08, $PA(entry64)

    .code64
entry64:
    movabsq $high, %rax
    jmp     *%rax
high:
    lgdt    gdt_desc64(%rip)
    movw    $0x10, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    %ax, %fs
    movw    %ax, %gs
    leaq    stack_top(%rip), %rsp
    call    main
1:  hlt
    jmp     1b

    .text
/* int vmx_enter(uint64_t x[15], int launched): RAX, RDI, RSI, RDX, RCX, R8, R9, RBX, RBP, R10..R15
 * of the machine. 0 after its exit, 1 when the entry failed. */
    .globl  vmx_enter
vmx_enter:
    pushq   %rbx
    pushq   %rbp
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    pushq   %rdi
    movl    $0x6c14, %eax                       /* host RSP */
    vmwrite %rsp, %rax
    leaq    1f(%rip), %rcx
    movl    $0x6c16, %eax                       /* host RIP */
    vmwrite %rcx, %rax
    testl   %esi, %esi                          /* the flags survive the loads */
    movq    %rdi, %rax
    movq    8(%rax), %rdi
    movq    16(%rax), %rsi
    movq    24(%rax), %rdx
    movq    32(%rax), %rcx
    movq    40(%rax), %r8
    movq    48(%rax), %r9
    movq    56(%rax), %rbx
    movq    64(%rax), %rbp
    movq    72(%rax), %r10
    movq    80(%rax), %r11
    movq    88(%rax), %r12
    movq    96(%rax), %r13
    movq    104(%rax), %r14
    movq    112(%rax), %r15
    movq    (%rax), %rax
    jnz     2f
    vmlaunch
    jmp     3f
2:  vmresume
3:  popq    %rdi
    movl    $1, %eax
    jmp     4f
1:  pushq   %rax
    movq    8(%rsp), %rax
    movq    %rdi, 8(%rax)
    movq    %rsi, 16(%rax)
    movq    %rdx, 24(%rax)
    movq    %rcx, 32(%rax)
    movq    %r8, 40(%rax)
    movq    %r9, 48(%rax)
    movq    %rbx, 56(%rax)
    movq    %rbp, 64(%rax)
    movq    %r10, 72(%rax)
    movq    %r11, 80(%rax)
    movq    %r12, 88(%rax)
    movq    %r13, 96(%rax)
    movq    %r14, 104(%rax)
    movq    %r15, 112(%rax)
    popq    (%rax)
    popq    %rdi
    xorl    %eax, %eax
4:  popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbp
    popq    %rbx
    ret

/* bool reaches(const void *va): whether the hypervisor can read there. */
    .globl  reaches
reaches:
reaches_load:
    movb    (%rdi), %al
    movl    $1, %eax
    ret
reaches_not:
    xorl    %eax, %eax
    ret

/* Exceptions of the hypervisor itself: broken, but for the load above. */
    .balign 16
    .globl  vectors
vectors:
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .balign 16
    pushq   $\n
    jmp     exception
    .endr
exception:
    popq    %rdi
    cmpq    $14, %rdi
    jne     1f
    leaq    reaches_load(%rip), %rax
    cmpq    %rax, 8(%rsp)
    jne     1f
    leaq    reaches_not(%rip), %rax
    movq    %rax, 8(%rsp)
    addq    $8, %rsp
    iretq
1:  movq    (%rsp), %rsi                        /* error code or RIP */
    movq    8(%rsp), %rdx                       /* RIP or CS */
    movq    %cr2, %rcx
    andq    $-16, %rsp
    call    root_broken

    .section .rodata
    .balign 8
    .globl  kernel_entry, kernel_root
kernel_entry:
    .quad   kernel_start                        /* physical, out of reach of this code */
kernel_root:
    .quad   kernel_pml4

    .data
    .balign 8
gdt:
    .quad   0
    .quad   0x00af9b000000ffff                  /* 0x08: 64-bit code */
    .quad   0x00cf93000000ffff                  /* 0x10: data */
gdt_desc:
    .word   . - gdt - 1
    .long   PA(gdt)
gdt_desc64:
    .word   gdt_desc - gdt - 1
    .quad   gdt

    .bss
    .balign 4096
boot_pml4:
    .skip   4096
boot_pdpt:
    .skip   4096
boot_pd:
    .skip   4096
    .skip   16384
stack_top:
    .section .note.GNU-stack, "", %progbits
