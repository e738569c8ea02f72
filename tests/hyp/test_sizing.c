/* SPDX-License-Identifier: MIT */
/*
 * The reservation at boot, against figures that Linux 7.3, 6.12 and 6.1 compute for themselves, and
 * against what a 6.12 kernel printed when it booted.
 */
#include "tests/support/cmocka_all.h"

#include <hyp/sizing.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

struct region {
    uint64_t base, size;
};

static struct hyp_sizing compute(const struct hyp_sizing_rules *rules, const struct region *regions,
                                 unsigned int count)
{
    struct hyp_sizing sizing;

    hyp_sizing_begin(&sizing, rules);
    for (unsigned int i = 0; i < count; i++)
        hyp_sizing_add(&sizing, hyp_pa(regions[i].base), regions[i].size);
    hyp_sizing_end(&sizing);
    return sizing;
}

/* Linux 7.3: 8-byte descriptors of all RAM. */
static struct hyp_sizing_rules rules_7_3(unsigned int page_shift)
{
    struct hyp_sizing_rules rules = hyp_sizing_rules(page_shift);

    rules.descriptor_size = 8;
    return rules;
}

/* Linux 6.12: 4-byte descriptors, all else alike. */
static struct hyp_sizing_rules rules_6_12(unsigned int page_shift)
{
    struct hyp_sizing_rules rules = hyp_sizing_rules(page_shift);

    rules.descriptor_size = 4;
    return rules;
}

/* Linux 6.1: descriptors of the pool only, four levels, neither a VM table nor FF-A. */
static struct hyp_sizing_rules rules_6_1(unsigned int page_shift)
{
    struct hyp_sizing_rules rules = rules_6_12(page_shift);

    rules.table_levels = 4;
    rules.descriptors_of_pool = true;
    rules.vm_slots = 0;
    rules.ffa_mailboxes = 0;
    rules.ffa_descriptor_bytes = 0;
    return rules;
}

struct row {
    unsigned int page_shift;
    uint64_t ram_gib, tables, s1, s2, vmemmap, vm_table, ffa, pages, reserved_mib, with_selftest;
};

static const struct row rows_7_3[] = {
    {12, 1, 516, 1032, 1048, 512, 1, 11, 2604, 12, 2636},
    {12, 4, 2055, 2571, 2587, 2048, 1, 11, 7218, 30, 7250},
    {12, 16, 8211, 8727, 8743, 8192, 1, 11, 25674, 102, 25706},
    {12, 64, 32835, 33351, 33367, 32768, 1, 11, 99498, 390, 99530},
    {14, 1, 36, 72, 88, 32, 1, 5, 198, 32, 230},
    {14, 4, 132, 168, 184, 128, 1, 5, 486, 32, 518},
    {14, 16, 516, 552, 568, 512, 1, 5, 1638, 32, 1670},
    {14, 64, 2052, 2088, 2104, 2048, 1, 5, 6246, 128, 6278},
    {16, 1, 6, 12, 28, 2, 1, 3, 46, 512, 78},
    {16, 4, 12, 18, 34, 8, 1, 3, 64, 512, 96},
    {16, 16, 36, 42, 58, 32, 1, 3, 136, 512, 168},
    {16, 64, 132, 138, 154, 128, 1, 3, 424, 512, 456},
};

static void assert_row(const struct row *row)
{
    struct hyp_sizing_rules rules = rules_7_3(row->page_shift);
    const struct region ram = {2 * GIB, row->ram_gib * GIB};
    struct hyp_sizing sizing = compute(&rules, &ram, 1);

    assert_int_equal(sizing.tables, row->tables);
    assert_int_equal(sizing.hyp_s1, row->s1);
    assert_int_equal(sizing.host_s2, row->s2);
    assert_int_equal(sizing.vmemmap, row->vmemmap);
    assert_int_equal(sizing.vm_table, row->vm_table);
    assert_int_equal(sizing.ffa, row->ffa);
    assert_int_equal(sizing.selftest, 0);
    assert_int_equal(sizing.pages, row->pages);
    assert_int_equal(sizing.reserved_bytes, row->reserved_mib * MIB);

    rules.selftest_pages = 32;
    sizing = compute(&rules, &ram, 1);
    assert_int_equal(sizing.pages, row->with_selftest);
}

static void one_region_of_ram_needs_what_linux_7_3_reserves(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < sizeof rows_7_3 / sizeof *rows_7_3; i++)
        assert_row(&rows_7_3[i]);
}

static void half_a_gib_needs_1836_pages(void **state)
{
    const struct hyp_sizing_rules rules = rules_7_3(12);
    const struct region ram = {GIB, 512 * MIB};

    (void)state;
    assert_int_equal(compute(&rules, &ram, 1).pages, 1836);
}

static void tables_are_counted_for_each_region_by_itself(void **state)
{
    const struct hyp_sizing_rules rules = rules_7_3(12);
    const struct region equal[] = {{2 * GIB, 2 * GIB}, {34 * GIB, 2 * GIB}};
    const struct region unequal[] = {{2 * GIB, 2 * GIB}, {34 * GIB, 14 * GIB}};
    const struct hyp_sizing sizing = compute(&rules, equal, 2);

    (void)state;
    assert_int_equal(sizing.pages, 7224);
    assert_int_equal(sizing.hyp_s1, 2574);
    assert_int_equal(sizing.host_s2, 2590);
    assert_int_equal(compute(&rules, unequal, 2).pages, 25680);
}

static void odd_regions_round_their_descriptors_out_to_pages(void **state)
{
    const struct hyp_sizing_rules rules = rules_7_3(12);
    struct region regions[16];
    struct hyp_sizing sizing;

    (void)state;
    for (unsigned int i = 0; i < 16; i++) {
        regions[i].base = 2 * GIB + 4096 + i * 256 * MIB;
        regions[i].size = 255 * MIB + 4096;
    }
    sizing = compute(&rules, regions, 16);
    assert_int_equal(sizing.tables, 2112);
    assert_int_equal(sizing.hyp_s1, 2628);
    assert_int_equal(sizing.host_s2, 2644);
    assert_int_equal(sizing.vmemmap, 2048);
    assert_int_equal(sizing.pages, 7332);
}

static void a_large_machine_needs_1542_mib(void **state)
{
    const struct hyp_sizing_rules rules = rules_7_3(12);
    const struct region ram = {GIB, 256 * GIB};
    const struct hyp_sizing sizing = compute(&rules, &ram, 1);

    (void)state;
    assert_int_equal(sizing.pages, 394794);
    assert_int_equal(sizing.pages * 4096 / MIB, 1542);
}

static void linux_6_12_differs_by_its_descriptors_only(void **state)
{
    const struct hyp_sizing_rules rules = rules_6_12(12);
    const struct region ram = {2 * GIB, 4 * GIB};
    const struct hyp_sizing sizing = compute(&rules, &ram, 1);

    (void)state;
    assert_int_equal(sizing.vmemmap, 1024);
    assert_int_equal(sizing.pages, 6194);
}

static void linux_6_1_describes_the_pool_alone(void **state)
{
    const struct hyp_sizing_rules rules = rules_6_1(12);
    const struct region ram = {2 * GIB, 4 * GIB};
    const struct hyp_sizing sizing = compute(&rules, &ram, 1);

    (void)state;
    assert_int_equal(sizing.hyp_s1, 2569);
    assert_int_equal(sizing.host_s2, 2585);
    assert_int_equal(sizing.vmemmap, 10);
    assert_int_equal(sizing.pages, 5164);
}

/* "kvm [0]: Reserved N MiB" of a 6.12 kernel on QEMU's virt board, RAM from 1 GiB on. */
static void a_booted_6_12_kernel_reserved_exactly_this(void **state)
{
    static const struct {
        uint64_t ram_mib, reserved_mib;
    } boots[] = {{512, 8}, {1024, 10}, {2048, 16}, {4096, 26}, {8192, 46}, {16384, 86}};
    const struct hyp_sizing_rules rules = rules_6_12(12);

    (void)state;
    for (unsigned int i = 0; i < sizeof boots / sizeof *boots; i++) {
        const struct region ram = {GIB, boots[i].ram_mib * MIB};

        assert_int_equal(compute(&rules, &ram, 1).reserved_bytes, boots[i].reserved_mib * MIB);
    }
}

static void this_core_pays_for_twelve_bytes_a_page(void **state)
{
    const struct hyp_sizing_rules rules = hyp_sizing_rules(12);
    const struct region ram = {2 * GIB, 4 * GIB};
    const struct hyp_sizing sizing = compute(&rules, &ram, 1);

    (void)state;
    assert_int_equal(rules.descriptor_size, 12);
    assert_int_equal(sizing.vmemmap, 3072);
    assert_int_equal(sizing.pages, 7218 + 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_region_of_ram_needs_what_linux_7_3_reserves),
        cmocka_unit_test(half_a_gib_needs_1836_pages),
        cmocka_unit_test(tables_are_counted_for_each_region_by_itself),
        cmocka_unit_test(odd_regions_round_their_descriptors_out_to_pages),
        cmocka_unit_test(a_large_machine_needs_1542_mib),
        cmocka_unit_test(linux_6_12_differs_by_its_descriptors_only),
        cmocka_unit_test(linux_6_1_describes_the_pool_alone),
        cmocka_unit_test(a_booted_6_12_kernel_reserved_exactly_this),
        cmocka_unit_test(this_core_pays_for_twelve_bytes_a_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
