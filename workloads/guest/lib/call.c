/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hypercalls. */
#include "kernel.h"

struct fl_answer fl_call6(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                          uint64_t e, uint64_t f)
{
#if defined(__aarch64__)
    register uint64_t x0 __asm__("x0") = number;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;
    register uint64_t x4 __asm__("x4") = d;
    register uint64_t x5 __asm__("x5") = e;
    register uint64_t x6 __asm__("x6") = f;
    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6)
                     :
                     : "memory");
    return (struct fl_answer){x0, {x1, x2}};
#else
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    __asm__ volatile("vmcall"
                     : "+a"(number), "+D"(a), "+S"(b), "+d"(c), "+c"(d), "+r"(r8), "+r"(r9)
                     :
                     : "memory");
    return (struct fl_answer){number, {a, b}};
#endif
}

int64_t fl_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
    return (int64_t)fl_call6(number, a, b, c, 0, 0, 0).value;
}

void fl_exit(uint64_t status)
{
    for (;;)
        fl_call(FL_EXIT, status, 0, 0);
}

void fl_mark(const char *name)
{
    fl_call(FL_MARK, (uint64_t)name, strlen(name), 0);
}

void fl_tally(const char *name, uint64_t value)
{
    fl_call(FL_TALLY, (uint64_t)name, strlen(name), value);
}
