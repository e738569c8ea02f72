/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine alone: code under Unicorn in plain memory, without hooks, as a measure for the rest.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bare;

/* An engine with `size` bytes of code, position independent, and 1 MiB of data. NULL: refused. */
struct bare *bare_open(bool x86, const uint8_t *code, size_t size);
/* Calls the code as f(count, data, mask), by the calling convention of its architecture, and waits
 * for its return. False: the engine stopped elsewhere. */
bool bare_call(struct bare *bare, uint64_t count, uint64_t mask);
void bare_close(struct bare *bare);

#endif
