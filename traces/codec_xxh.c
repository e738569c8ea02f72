/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checksum of native traces. */
#include <xxhash.h>

#include "traces/codec.h"

uint64_t trace_checksum(const void *from, size_t size)
{
    return XXH64(from, size, 0);
}
