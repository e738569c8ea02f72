/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot sector of a raw disk: loads the IMAGE_SECTORS behind it to 64 KiB by INT 13h extensions,
 * enters 32-bit protected mode, copies the image to 1 MiB and jumps to it.
 */
#define IMAGE_SECTORS 64

    .code16
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    ljmp $0, $1f
1:  sti
    movw $dap, %si
    movb $0x42, %ah
    int $0x13
    jc failed
    cli
    inb $0x92, %al /* fast A20 gate */
    orb $2, %al
    andb $0xfe, %al
    outb %al, $0x92
    lgdtl gdt_desc
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x08, $protected
failed:
    hlt
    jmp failed

    .code32
protected:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    cld
    movl $0x10000, %esi
    movl $0x100000, %edi
    movl $(IMAGE_SECTORS * 128), %ecx
    rep movsl
    movl $0x100000, %eax
    jmp *%eax

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 0x08: flat 32-bit code */
    .quad 0x00cf93000000ffff /* 0x10: flat data */
gdt_desc:
    .word . - gdt - 1
    .long gdt
    .balign 4
dap:
    .byte 16, 0
    .word IMAGE_SECTORS
    .word 0, 0x1000
    .long 1, 0

    .org 510
    .word 0xaa55
