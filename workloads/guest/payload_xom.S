/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What xom copies into pages: a function, and programs for ring 3, which find an address on their
 * stack and end by INT 33. All of it runs at any address. */

    .section .payload, "a"
    .global xom_function, xom_function_end
xom_function: /* 3 x rdi + 1 */
    lea     1(%rdi, %rdi, 2), %rax
    ret
xom_function_end:

    .balign 64
    .global xom_programs, xom_programs_end, user_read, user_write, user_call, user_exit
xom_programs:
user_read:
    pop     %rdi
    mov     (%rdi), %rax
    int     $33
user_write:
    pop     %rdi
    mov     %rdi, (%rdi)
    xor     %eax, %eax
    int     $33
user_call:
    pop     %rdx
    mov     $5, %edi
    call    *%rdx
    int     $33
user_exit: /* from the fault handler */
    int     $33
xom_programs_end:
