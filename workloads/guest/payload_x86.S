/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the VMs of churn run, at any address, translation off: rdi is the address of a page of
 * theirs, and an operation in its low bits (enum churn_operation). No stack. */
#include "abi.h"

    .section .payload, "a"
    movzbl  %dil, %r9d
    and     $-256, %rdi
    mov     %rdi, %r10
    mov     $512, %ecx
    cmp     $1, %r9d
    jb      fill
    je      share
    cmp     $2, %r9d
    je      unshare
    /* 3: the sum of the page */
    xor     %r8d, %r8d
1:  add     (%r10), %r8
    add     $8, %r10
    dec     %ecx
    jnz     1b
    mov     %r8, %rdi
    jmp     exit

fill: /* 0: word n of the page is its address times 3 */
    lea     (%r10, %r10, 2), %rax
    mov     %rax, (%r10)
    add     $8, %r10
    dec     %ecx
    jnz     fill
    xor     %edi, %edi
    jmp     exit

share: /* 1 */
    mov     $FL_VM_SHARE, %eax
    vmcall
    mov     %rax, %rdi
    jmp     exit

unshare: /* 2 */
    mov     $FL_VM_UNSHARE, %eax
    vmcall
    mov     %rax, %rdi

exit:
    mov     $FL_VM_EXIT, %eax
    vmcall
    jmp     exit
