/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The allocator's own statistics. Without jemalloc (sanitizer builds) there are none. */
#include "sim/sim.h"

#ifdef FAULTLINE_JEMALLOC
#include <jemalloc/jemalloc.h>

uint64_t sim_memory_allocated(void)
{
    uint64_t epoch = 1;
    size_t size = sizeof(epoch), allocated = 0;

    if (mallctl("epoch", &epoch, &size, &epoch, size))
        return 0;
    size = sizeof(allocated);
    return mallctl("stats.allocated", &allocated, &size, NULL, 0) ? 0 : allocated;
}

#else

uint64_t sim_memory_allocated(void)
{
    return 0;
}

#endif
