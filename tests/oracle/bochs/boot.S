/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot sector of a raw disk: loads the image_sectors behind it (a symbol, at most 1024) to 64 KiB by
 * INT 13h extensions, 32 KiB at a time, enters 32-bit protected mode, copies them to 1 MiB and jumps
 * there.
 */
    .code16
    .text
    cli
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $0x7c00, %sp
    ljmp    $0, $1f
1:  movb    %dl, drive
    sti
next:
    movw    left, %cx
    testw   %cx, %cx
    jz      loaded
    cmpw    $64, %cx
    jbe     2f
    movw    $64, %cx
2:  movw    %cx, dap_count
    movw    $dap, %si
    movb    $0x42, %ah
    movb    drive, %dl
    int     $0x13
    jc      failed
    movw    dap_count, %cx
    subw    %cx, left
    movzwl  %cx, %eax
    addl    %eax, dap_lba
    shlw    $5, %cx                             /* sectors to paragraphs */
    addw    %cx, dap_segment
    jmp     next
failed:
    hlt
    jmp     failed

loaded:
    cli
    inb     $0x92, %al                          /* fast A20 gate */
    orb     $2, %al
    andb    $0xfe, %al
    outb    %al, $0x92
    lgdtl   gdt_desc
    movl    %cr0, %eax
    orl     $1, %eax
    movl    %eax, %cr0
    ljmpl   $0x08, $protected

    .code32
protected:
    movw    $0x10, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    cld
    movl    $0x10000, %esi
    movl    $0x100000, %edi
    movl    $image_sectors, %ecx
    shll    $7, %ecx
    rep movsl
    movl    $0x100000, %eax
    jmp     *%eax

    .balign 8
gdt:
    .quad   0
    .quad   0x00cf9b000000ffff                  /* 0x08: flat 32-bit code */
    .quad   0x00cf93000000ffff                  /* 0x10: flat data */
gdt_desc:
    .word   . - gdt - 1
    .long   gdt
left:
    .word   image_sectors
drive:
    .byte   0
    .balign 4
dap:
    .byte   16, 0
dap_count:
    .word   0
    .word   0
dap_segment:
    .word   0x1000
dap_lba:
    .long   1, 0

    .org    510
    .word   0xaa55
    .section .note.GNU-stack, "", %progbits
