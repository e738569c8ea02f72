/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small parts: sparse memory, the host's tables, the histogram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/host_map.h"
#include "sim/stats.h"

#define TABLES UINT64_C(0x100000000)
#define LINEAR UINT64_C(0xffff000000000000)

static void memory_is_zero_until_written_and_after_zeroing(void **state)
{
    struct sim_ram *ram = sim_ram_create();
    hyp_pa_t far = hyp_pa((UINT64_C(1) << 47) - 4096);

    (void)state;
    assert_int_equal(sim_ram_load(ram, far), 0);
    assert_null(sim_ram_peek(ram, far));
    assert_int_equal(sim_ram_pages(ram), 0);
    sim_ram_store(ram, hyp_pa_add(far, 8), 42);
    assert_int_equal(sim_ram_load(ram, hyp_pa_add(far, 8)), 42);
    assert_int_equal(sim_ram_load(ram, far), 0);
    assert_int_equal(sim_ram_pages(ram), 1);
    sim_ram_zero(ram, hyp_pa(far.v - 4096), 8192);
    assert_int_equal(sim_ram_pages(ram), 0);
    assert_int_equal(sim_ram_load(ram, hyp_pa_add(far, 8)), 0);
    sim_ram_store(ram, far, 1);
    assert_int_equal(sim_ram_load(ram, hyp_pa_add(far, 8)), 0);
    sim_ram_destroy(ram);
}

static struct sim_ram *map_begin(struct host_map *map, bool x86, uint64_t pages)
{
    struct sim_ram *ram = sim_ram_create();

    assert_true(host_map_init(map, ram, x86, 12, hyp_pa(TABLES), hyp_pa(TABLES + pages * 4096)));
    return ram;
}

static void split_and_compare(bool x86)
{
    struct host_map map;
    struct sim_ram *ram = map_begin(&map, x86, 16);
    unsigned int level;
    bool full;

    assert_false(host_map_set(&map, hyp_va(LINEAR), hyp_pa(0x40000000), 2, 0, &full));
    assert_false(full);
    assert_true(host_map_split(&map, hyp_va(LINEAR + 0x201000)));
    assert_true(host_map_split(&map, hyp_va(LINEAR + 0x201000)));
    assert_false(host_map_split(&map, hyp_va(LINEAR + 0x201000)));
    for (uint64_t offset = 0; offset < 0x40000000; offset += 0x1000) {
        uint64_t leaf = host_map_leaf(&map, hyp_va(LINEAR + offset), &level);
        unsigned int expected = offset >= 0x200000 && offset < 0x400000 ? 0 : 1;

        assert_int_equal(level, expected);
        assert_int_equal(host_map_pa(&map, leaf, level).v + (offset & (expected ? 0x1fffff : 0)),
                         0x40000000 + offset);
    }
    assert_true(host_map_set_valid(&map, hyp_va(LINEAR + 0x201000), false));
    assert_int_equal(host_map_leaf(&map, hyp_va(LINEAR + 0x201000), &level) & 1, 0);
    assert_true(host_map_set_valid(&map, hyp_va(LINEAR + 0x201000), true));
    assert_false(host_map_set_valid(&map, hyp_va(LINEAR), false));
    sim_ram_destroy(ram);
}

static void block_that_is_split_still_maps_every_page_of_it(void **state)
{
    (void)state;
    split_and_compare(false);
    split_and_compare(true);
}

static void tables_that_run_out_are_reported_and_change_nothing(void **state)
{
    struct host_map map;
    struct sim_ram *ram = map_begin(&map, false, 4);
    unsigned int level;
    bool full;

    (void)state;
    host_map_set(&map, hyp_va(LINEAR), hyp_pa(0x40000000), 0, 0, &full);
    assert_true(full);
    assert_int_equal(host_map_leaf(&map, hyp_va(LINEAR), &level), 0);
    assert_false(host_map_init(&map, ram, false, 12, hyp_pa(TABLES), hyp_pa(TABLES + 4096)));
    sim_ram_destroy(ram);
}

static void contiguous_run_unfolds_as_a_whole(void **state)
{
    struct host_map map;
    struct sim_ram *ram = map_begin(&map, false, 16);
    bool full;

    (void)state;
    for (uint64_t i = 0; i < 32; i++)
        host_map_set(&map, hyp_va(LINEAR + i * 4096), hyp_pa(0x40000000 + i * 4096), 0,
                     HOST_MAP_CONTIG, &full);
    assert_int_equal(host_map_unfold(&map, hyp_va(LINEAR + 5 * 4096)), 16);
    assert_int_equal(host_map_unfold(&map, hyp_va(LINEAR + 5 * 4096)), 0);
    assert_int_equal(host_map_unfold(&map, hyp_va(LINEAR + 16 * 4096)), 16);
    sim_ram_destroy(ram);
}

static void histogram_buckets_are_at_most_a_sixteenth_wide(void **state)
{
    static uint64_t buckets[SIM_HISTOGRAM_BUCKETS];

    (void)state;
    assert_int_equal(sim_histogram_percentile(buckets, 50), 0);
    for (uint64_t value = 1; value < UINT64_C(1) << 62; value += value / 4 + 1) {
        memset(buckets, 0, sizeof(buckets));
        sim_histogram_add(buckets, value);
        uint64_t bound = sim_histogram_percentile(buckets, 100);

        assert_true(bound >= value && bound - value <= value / 16);
    }
    memset(buckets, 0, sizeof(buckets));
    for (uint64_t value = 0; value < 10; value++)
        sim_histogram_add(buckets, value);
    assert_int_equal(sim_histogram_percentile(buckets, 50), 4);
    assert_int_equal(sim_histogram_percentile(buckets, 90), 8);
    assert_int_equal(sim_histogram_percentile(buckets, 100), 9);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zero_until_written_and_after_zeroing),
        cmocka_unit_test(block_that_is_split_still_maps_every_page_of_it),
        cmocka_unit_test(tables_that_run_out_are_reported_and_change_nothing),
        cmocka_unit_test(contiguous_run_unfolds_as_a_whole),
        cmocka_unit_test(histogram_buckets_are_at_most_a_sixteenth_wide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
