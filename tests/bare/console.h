/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an image says, on any machine. */
#ifndef TESTS_BARE_CONSOLE_H
#define TESTS_BARE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

/* The machine's own; main.c. */
void print(const char *text);

void print_hex(uint64_t value);
/* A line for a check; `value` explains one that does not hold. */
void check(const char *what, bool holds, uint64_t value);
/* How many did not hold. */
unsigned int checks_failed(void);

#endif
