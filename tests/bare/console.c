/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bare/console.h"

static unsigned int failed;

void print_hex(uint64_t value)
{
    char text[20] = "0x0000000000000000";

    for (unsigned int i = 0; i < 16; i++, value >>= 4)
        text[17 - i] = "0123456789abcdef"[value & 15];
    print(text);
}

void check(const char *what, bool holds, uint64_t value)
{
    failed += !holds;
    print(holds ? "ok    " : "WRONG "), print(what);
    if (!holds)
        print(": "), print_hex(value);
    print("\n");
}

unsigned int checks_failed(void)
{
    return failed;
}
