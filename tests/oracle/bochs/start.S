/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 32-bit entry, long mode, the world switch, and what the guest executes. */
    .section .head, "ax"
    .code32
    .globl image_start
image_start:
    cli
    cld
    movl $boot_stack_top, %esp
    movl $bss_start, %edi
    movl $bss_end, %ecx
    subl %edi, %ecx
    xorl %eax, %eax
    rep stosb

    movl $host_pml4, %edi /* 1 GiB as it is, in pages of 2 MiB */
    movl $host_pdpt + 3, (%edi)
    movl $host_pdpt, %edi
    movl $host_pd + 3, (%edi)
    movl $host_pd, %edi
    movl $0x83, %eax
    movl $512, %ecx
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    loop 1b

    movl %cr4, %eax
    orl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $host_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax /* PG, WP, PE */
    movl %eax, %cr0
    lgdt gdt_desc
    ljmp $0x08, $entry64

    .code64
entry64:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movq $boot_stack_top, %rsp
    call image_main
2:  hlt
    jmp 2b

    .text
/* int vmx_run(uint64_t regs[2], int launched): RAX and RBX of the guest. 0 after an exit, 1 when
 * the entry failed. */
    .globl vmx_run
vmx_run:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdi
    movl $0x6c14, %eax /* host RSP */
    vmwrite %rsp, %rax
    leaq 1f(%rip), %rcx
    movl $0x6c16, %eax /* host RIP */
    vmwrite %rcx, %rax
    testl %esi, %esi /* the flags survive the loads */
    movq (%rdi), %rax
    movq 8(%rdi), %rbx
    jnz 2f
    vmlaunch
    jmp 3f
2:  vmresume
3:  popq %rdi
    movl $1, %eax
    jmp 4f
1:  popq %rdi
    movq %rax, (%rdi)
    movq %rbx, 8(%rdi)
    xorl %eax, %eax
4:  popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

    .globl guest_load, guest_store
guest_load:
    movq (%rbx), %rax
    vmcall
guest_store:
    movq %rax, (%rbx)
    vmcall

    .data
    .balign 16
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 0x08: 64-bit code */
    .quad 0x00cf93000000ffff /* 0x10: data */
gdt_desc:
    .word . - gdt - 1
    .quad gdt

    .bss
    .balign 4096
host_pml4: .skip 4096
host_pdpt: .skip 4096
host_pd:   .skip 4096
    .skip 16384
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
