/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the VMs of churn run, at any address, translation off: x0 is the address of a page of theirs,
 * and an operation in its low bits (enum churn_operation). */
#include "abi.h"

    .section .payload, "a"
    and     x9, x0, #0xff
    bic     x1, x0, #0xff
    mov     x10, x1
    cbz     x9, fill
    cmp     x9, #1
    b.eq    share
    cmp     x9, #2
    b.eq    unshare
    /* 3: the sum of the page */
    mov     x2, xzr
    mov     x3, #512
1:  ldr     x4, [x10], #8
    add     x2, x2, x4
    subs    x3, x3, #1
    b.ne    1b
    mov     x1, x2
    b       exit

fill: /* 0: word n of the page is its address times 3 */
    mov     x3, #512
1:  add     x4, x10, x10, lsl #1
    str     x4, [x10], #8
    subs    x3, x3, #1
    b.ne    1b
    mov     x1, xzr
    b       exit

share: /* 1 */
    mov     x0, #FL_VM_SHARE
    hvc     #0
    mov     x1, x0
    b       exit

unshare: /* 2 */
    mov     x0, #FL_VM_UNSHARE
    hvc     #0
    mov     x1, x0

exit:
    mov     x0, #FL_VM_EXIT
    hvc     #0
    b       exit
