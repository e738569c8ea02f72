/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookup of the region of an address, D1: equal regions with 1 MiB between them, 8 GiB in all from
 * 2 GiB, addresses at random. The anchor is Linux 7.3's own code, measured in user space.
 */
#include "bench/flat.h"
#include "bench/shim.h"

#include <hyp/host.h>

#define BASE    (UINT64_C(2) << 30)
#define LOOKUPS 1000000u

struct lookup_bench {
    struct hyp_host host;
    uint64_t *addresses;
    uint64_t sum;
};

static uint64_t d1_lookup(void *arg)
{
    struct lookup_bench *b = arg;
    uint64_t start, end, sum = 0;

    for (unsigned int i = 0; i < LOOKUPS; i++) {
        (void)hyp_host_region(&b->host, b->addresses[i & 4095], &start, &end);
        sum += start;
    }
    b->sum += sum;
    return LOOKUPS;
}

static void register_lookup(const char *name, unsigned int count, double anchor)
{
    struct lookup_bench *b = flat_memory(sizeof(*b));
    struct shim_row row = {.name = name, .run = d1_lookup, .arg = b, .anchor_ns = anchor};
    uint64_t size = (UINT64_C(8) << 30) / count, seed = 88172645463325252u;

    b->host.region_count = count;
    for (unsigned int i = 0; i < count; i++)
        b->host.regions[i] = (struct hyp_region){{BASE + i * (size + (1 << 20))}, size, false};
    b->addresses = flat_memory(4096 * sizeof(*b->addresses));
    for (unsigned int i = 0; i < 4096; i++)
        b->addresses[i] = BASE + flat_random(&seed) % (count * (size + (1 << 20)));
    shim_register(&row);
}

int main(int argc, char **argv)
{
    register_lookup("D1 region lookup, 1 region", 1, 1.9);
    register_lookup("D1 region lookup, 8 regions", 8, 13.3);
    register_lookup("D1 region lookup, 32 regions", 32, 20.4);
    register_lookup("D1 region lookup, 128 regions", 128, 28.7);
    return shim_main(argc, argv, "Region lookup (D1), anchor Linux 7.3 (gcc -O2)");
}
