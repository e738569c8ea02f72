/* SPDX-License-Identifier: MIT */
/* Tables and ranges of restricted address spaces. */
#include "tests/hyp/test_asi_rig.h"

#define VA(v) hyp_va(v)

static void core_mappings_show_what_the_kernel_shows(void **state)
{
    struct asi_rig *rig = rig_start(0);

    (void)state;
    assert_true(rig_shows(rig, &rig->asi, RIG_IMAGE));
    assert_true(rig_shows(rig, &rig->asi, RIG_IMAGE + 0x3fffff));
    assert_true(rig_shows(rig, &rig->asi, RIG_ENTRY + 0xffff));
    assert_true(rig_shows(rig, &rig->asi, RIG_BASE + 0x1000));
    assert_false(rig_shows(rig, &rig->asi, RIG_BASE + 0x2000));
    assert_false(rig_shows(rig, &rig->asi, RIG_PERCPU));
    assert_false(rig_shows(rig, &rig->asi, RIG_STACK));
    rig_end(rig);
}

static void each_flag_maps_its_variable_on_every_cpu(void **state)
{
    (void)state;
    for (unsigned int flag = 0; flag < 5; flag++) {
        struct asi_rig *rig = rig_new(0);

        rig->config.flags = 1u << flag;
        assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), 0);
        for (unsigned int i = 0; i < 5; i++) {
            assert_int_equal(rig_shows(rig, &rig->asi, RIG_PERCPU + 0x1000 * i), i == flag);
            assert_int_equal(rig_shows(rig, &rig->asi, RIG_PERCPU + 0x8000 + 0x1000 * i),
                             i == flag);
        }
        rig_end(rig);
    }
}

/* Without it the first exception would be a triple fault. */
static void the_exception_stacks_are_never_optional(void **state)
{
    struct asi_rig *rig = rig_new(0);
    struct asi_snapshot before;

    (void)state;
    rig->kernel.entry_area.size = 0;
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), HYP_EINVAL);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

static void creation_survives_each_failing_table_allocation(void **state)
{
    struct asi_rig *rig = rig_new(0);
    unsigned int needed;

    (void)state;
    assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), 0);
    needed = rig->asi.table_count;
    assert_true(needed >= 4);
    assert_int_equal(hyp_asi_destroy(&rig->asi), 0);
    assert_int_equal(rig->pool.free_pages, 256);
    for (unsigned int n = 0; n <= needed; n++) {
        hyp_pa_t taken[256];
        unsigned int count = 0;

        while (rig->pool.free_pages > n)
            assert_int_equal(hyp_pool_alloc(&rig->pool, 0, &taken[count++]), 0);
        assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), HYP_ENOMEM);
        assert_int_equal(rig->pool.free_pages, n);
        while (count > 0)
            hyp_pool_put(&rig->pool, taken[--count]);
    }
    assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), 0);
    rig_end(rig);
}

static void a_map_without_memory_changes_nothing(void **state)
{
    (void)state;
    /* Two tables are needed: below another PML4 entry, with a 2 MiB leaf. */
    for (unsigned int n = 0; n <= 2; n++) {
        struct asi_rig *rig = rig_start(0);
        struct asi_snapshot before;
        hyp_pa_t page;

        while (rig->pool.free_pages > n)
            assert_int_equal(hyp_pool_alloc(&rig->pool, 0, &page), 0);
        rig_save(&before, rig);
        assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_HUGE), 0x1000), n < 2 ? HYP_ENOMEM : HYP_OK);
        assert_int_equal(rig_same(&before, rig), n < 2);
        rig_end(rig);
    }
}

static void a_map_without_room_for_a_range_or_table_changes_nothing(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct asi_snapshot before;

    (void)state;
    rig->asi.config.range_max = rig->asi.range_count;
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 1), HYP_ENOMEM);
    assert_true(rig_same(&before, rig));
    rig->asi.config.range_max = 32;
    rig->asi.config.table_max = rig->asi.table_count;
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 1), HYP_ENOMEM);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

static void malformed_ranges_are_refused(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct asi_snapshot before;

    (void)state;
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0), HYP_EINVAL);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(UINT64_C(0x800000000000)), 1), HYP_EINVAL);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(UINT64_C(0x7ffffffff000)), 0x1001), HYP_EINVAL);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(UINT64_MAX), 2), HYP_EINVAL);
    assert_int_equal(hyp_asi_map_range(&rig->asi, VA(RIG_FREE), 1, (enum hyp_asi_level)5, NULL),
                     HYP_EINVAL);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), HYP_ENOENT);
    assert_int_equal(hyp_asi_map_module(&rig->asi, "kv"), HYP_ENOENT);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

static void rounding_is_reported_as_a_leak(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct hyp_asi_leak leak;

    (void)state;
    assert_int_equal(hyp_asi_map_range(&rig->asi, VA(RIG_FREE + 0x123), 0x10, 0, &leak), 0);
    assert_int_equal(leak.before, 0x123);
    assert_int_equal(leak.after, 0xecd);
    assert_int_equal(
        hyp_asi_map_range(&rig->asi, VA(RIG_FREE + 0x201000), 0x1000, HYP_ASI_PMD, &leak), 0);
    assert_int_equal(leak.before, 0x1000);
    assert_int_equal(leak.after, 0x1fe000);
    rig_end(rig);
}

/* Defect: the original's clear at PMD level skipped what is present, so nothing went. */
static void unmapping_pages_clears_them_and_invalidates_each(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct asi_snapshot before;

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE + 0x5000), 0x1000), 0);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0x2000), 0);
    assert_string_equal(rig_calls(rig), "");
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE));
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE + 0x1000));
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x5000));
    /* Defect: no TLB maintenance at all. */
    assert_string_equal(rig_calls(rig),
                        "invlpg:0xffff888000200000/l0 invlpg:0xffff888000201000/l0");
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), HYP_ENOENT);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

static void the_last_page_of_a_table_takes_the_table_with_it(void **state)
{
    struct asi_rig *rig = rig_start(0);
    const uint64_t free_pages = rig->pool.free_pages;
    const unsigned int tables = rig->asi.table_count;

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 1), 0);
    assert_int_equal(rig->pool.free_pages, free_pages - 1);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), 0);
    assert_int_equal(rig->pool.free_pages, free_pages);
    assert_string_equal(rig_calls(rig),
                        "invlpg:0xffff888000200000/l0 invlpg:0xffff888000200000/l0");
    assert_int_equal(rig->asi.table_count, tables);
    assert_int_equal(hyp_asi_destroy(&rig->asi), 0);
    assert_int_equal(rig->pool.free_pages, 256);
    rig_end(rig);
}

static void a_huge_leaf_is_copied_whole_and_gone_by_one_invlpg(void **state)
{
    struct asi_rig *rig = rig_start(0);

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_HUGE + 0x3000), 0x1000), 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_HUGE));
    assert_true(rig_shows(rig, &rig->asi, RIG_HUGE + 0x1ff000));
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_HUGE + 0x3000)), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_HUGE));
    assert_int_equal(strncmp(rig_calls(rig), "invlpg:0xffffc90000000000/l1", 28), 0);
    rig_end(rig);
}

static void a_shared_table_is_never_changed_or_freed(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct asi_snapshot before;
    char *full = fake_table_text(&rig->full), *later;

    (void)state;
    assert_int_equal(hyp_asi_map_range(&rig->asi, VA(RIG_FREE), 1, HYP_ASI_PMD, NULL), 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x1ff000));
    /* Not contained: reaches into a table of the kernel's. */
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE + 0x1ff000), 0x2000), HYP_EINVAL);
    assert_true(rig_same(&before, rig));
    fake_port_reset(&rig->machine.fake);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE));
    assert_int_equal(rig->machine.fake.tlbis[HYP_TLBI_INVLPG_ALL], 512);
    assert_int_equal(hyp_asi_destroy(&rig->asi), 0);
    assert_int_equal(rig->pool.free_pages, 256);
    later = fake_table_text(&rig->full);
    assert_string_equal(full, later);
    assert_true(fake_table_counts_true(&rig->full));
    free(full);
    free(later);
    rig_end(rig);
}

static void a_different_entry_in_the_way_is_busy(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct asi_snapshot before;

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 1), 0);
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_map_range(&rig->asi, VA(RIG_FREE + 0x1000), 1, HYP_ASI_PMD, NULL),
                     HYP_EBUSY);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

/* Defect: ranges of equal start and another size were accepted and then confused. */
static void one_range_only_starts_at_an_address(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct asi_snapshot before;

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0x1000), 0);
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0x1000), HYP_EBUSY);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0x2000), HYP_EBUSY);
    assert_true(rig_same(&before, rig));
    rig_end(rig);
}

static const struct hyp_asi_range *range_of(const struct asi_rig *rig, uint64_t va)
{
    for (unsigned int i = 0; i < rig->asi.range_count; i++) {
        if (rig->ranges[0][i].va.v == va)
            return &rig->ranges[0][i];
    }
    return NULL;
}

/* Defects: touching ranges overlapped on unmap only; a failed map left its counts raised. */
static void overlaps_are_counted_on_both_and_touching_is_none(void **state)
{
    struct asi_rig *rig = rig_start(0);

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0x2000), 0);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE + 0x2000), 0x1000), 0);
    assert_int_equal(range_of(rig, RIG_FREE)->overlaps, 0);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE + 0x1800), 0x1000), 0);
    assert_int_equal(range_of(rig, RIG_FREE)->overlaps, 1);
    assert_int_equal(range_of(rig, RIG_FREE + 0x2000)->overlaps, 1);
    assert_int_equal(range_of(rig, RIG_FREE + 0x1800)->overlaps, 2);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), 0);
    assert_int_equal(range_of(rig, RIG_FREE + 0x2000)->overlaps, 1);
    assert_int_equal(range_of(rig, RIG_FREE + 0x1800)->overlaps, 1);
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE));
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x1000));
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE + 0x1800)), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE + 0x1000));
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x2000));
    assert_int_equal(range_of(rig, RIG_FREE + 0x2000)->overlaps, 0);
    rig_end(rig);
}

static void a_contained_finer_range_outlives_the_coarser_one(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct asi_snapshot before;
    const uint64_t inner = RIG_FREE + 0x7000;
    hyp_pa_t taken[256];
    unsigned int count = 0;

    (void)state;
    assert_int_equal(hyp_asi_map_range(&rig->asi, VA(RIG_FREE), 1, HYP_ASI_PMD, NULL), 0);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(inner), 0x1000), 0);
    while (rig->pool.free_pages > 0)
        assert_int_equal(hyp_pool_alloc(&rig->pool, 0, &taken[count++]), 0);
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), HYP_ENOMEM);
    assert_true(rig_same(&before, rig));
    hyp_pool_put(&rig->pool, taken[0]);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE));
    assert_true(rig_shows(rig, &rig->asi, inner));
    assert_false(rig_shows(rig, &rig->asi, inner + 0x1000));
    rig_end(rig);
}

static void a_coarser_range_within_a_finer_one_keeps_its_pages(void **state)
{
    struct asi_rig *rig = rig_start(0);

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0x400000), 0);
    assert_int_equal(hyp_asi_map_range(&rig->asi, VA(RIG_FREE + 0x200000), 1, HYP_ASI_PMD, NULL),
                     0);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE + 0x1ff000));
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x200000));
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x3ff000));
    rig_end(rig);
}

static void a_pointer_is_remapped_only_when_it_moves(void **state)
{
    struct asi_rig *rig = rig_start(0);
    struct asi_snapshot before;
    hyp_va_t pointer = {0};

    (void)state;
    assert_int_equal(hyp_asi_remap(&rig->asi, &pointer, VA(RIG_FREE), 64), 0);
    assert_true(pointer.v == RIG_FREE);
    rig_save(&before, rig);
    assert_int_equal(hyp_asi_remap(&rig->asi, &pointer, VA(RIG_FREE), 64), 0);
    assert_true(rig_same(&before, rig));
    assert_int_equal(hyp_asi_remap(&rig->asi, &pointer, VA(RIG_FREE + 0x9000), 64), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE));
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x9000));
    assert_int_equal(hyp_asi_remap(&rig->asi, &pointer, VA(RIG_FREE), 0), HYP_EINVAL);
    assert_true(pointer.v == 0);
    rig_end(rig);
}

static void a_percpu_variable_is_mapped_on_all_cpus_or_none(void **state)
{
    struct asi_rig *rig = rig_start(0);
    const unsigned int ranges = rig->asi.range_count;

    (void)state;
    assert_int_equal(hyp_asi_map_percpu(&rig->asi, VA(RIG_PERCPU), 64), 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_PERCPU + 0x8000));
    assert_int_equal(hyp_asi_unmap_percpu(&rig->asi, VA(RIG_PERCPU)), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_PERCPU));
    assert_int_equal(hyp_asi_unmap_percpu(&rig->asi, VA(RIG_PERCPU)), HYP_ENOENT);
    /* The second CPU's is taken. */
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_PERCPU + 0x8000), 1), 0);
    assert_int_equal(hyp_asi_map_percpu(&rig->asi, VA(RIG_PERCPU), 64), HYP_EBUSY);
    assert_false(rig_shows(rig, &rig->asi, RIG_PERCPU));
    assert_int_equal(rig->asi.range_count, ranges + 1);
    rig_end(rig);
}

static void a_module_is_found_by_its_whole_name(void **state)
{
    struct asi_rig *rig = rig_start(0);

    (void)state;
    assert_int_equal(hyp_asi_map_module(&rig->asi, "kvm_intel"), 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x111000));
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE + 0x100000));
    rig_end(rig);
}

/* Defect: the table was copied once, and what the kernel did later was not seen. */
static void a_change_of_the_kernels_table_is_followed(void **state)
{
    struct asi_rig *rig = rig_start(0);
    const hyp_ia_t ia = {(RIG_FREE & HYP_MASK(47, 0)) + 0x1000};

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0x3000), 0);
    assert_int_equal(hyp_pgt_unmap(&rig->full, ia, 0x1000, NULL), 0);
    fake_port_reset(&rig->machine.fake);
    assert_int_equal(hyp_asi_refresh(&rig->asi, VA(RIG_FREE + 0x1000), 0x1000), 0);
    assert_false(rig_shows(rig, &rig->asi, RIG_FREE + 0x1000));
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x2000));
    assert_string_equal(rig_calls(rig), "invlpg:0xffff888000201000/l0");
    rig_full_map(rig, RIG_FREE + 0x1000, 0x1000, 0x90000000, HYP_PROT_R);
    assert_int_equal(hyp_asi_refresh(&rig->asi, VA(RIG_FREE + 0x1000), 0x1000), 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_FREE + 0x1000));
    rig_end(rig);
}

static void a_coarser_range_shown_by_pages_follows_changes_too(void **state)
{
    struct asi_rig *rig = rig_start(0);
    const uint64_t inner = RIG_FREE + 0x200000, hole = inner + 0x5000;

    (void)state;
    assert_int_equal(hyp_pgt_unmap(&rig->full, (hyp_ia_t){hole & HYP_MASK(47, 0)}, 1, NULL), 0);
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_FREE), 0x400000), 0);
    assert_int_equal(hyp_asi_map_range(&rig->asi, VA(inner), 1, HYP_ASI_PMD, NULL), 0);
    assert_int_equal(hyp_asi_unmap(&rig->asi, VA(RIG_FREE)), 0);
    assert_false(rig_shows(rig, &rig->asi, hole));
    rig_full_map(rig, hole, 0x1000, 0x90000000, HYP_PROT_R);
    assert_int_equal(hyp_asi_refresh(&rig->asi, VA(hole), 1), 0);
    assert_true(rig_shows(rig, &rig->asi, hole));
    rig_end(rig);
}

/* The kernel split a huge page, and there is no memory for the table that this takes. */
static void a_refresh_without_memory_leaves_nothing_stale(void **state)
{
    struct asi_rig *rig = rig_start(0);
    const hyp_ia_t ia = {RIG_HUGE & HYP_MASK(47, 0)};
    hyp_pa_t taken[256];
    unsigned int count = 0;

    (void)state;
    assert_int_equal(hyp_asi_map(&rig->asi, VA(RIG_HUGE), 0x2000), 0);
    assert_int_equal(hyp_pgt_unmap(&rig->full, ia, 0x200000, NULL), 0);
    rig_full_map(rig, RIG_HUGE, 0x200000, 0x70001000, HYP_PROT_R);
    while (rig->pool.free_pages > 0)
        assert_int_equal(hyp_pool_alloc(&rig->pool, 0, &taken[count++]), 0);
    rig->asi.config.table_max = rig->asi.table_count - 1;
    assert_int_equal(hyp_asi_refresh(&rig->asi, VA(RIG_HUGE), 0x200000), HYP_ENOMEM);
    assert_false(rig_shows(rig, &rig->asi, RIG_HUGE));
    rig->asi.config.table_max = 64;
    hyp_pool_put(&rig->pool, taken[0]);
    assert_int_equal(hyp_asi_refresh(&rig->asi, VA(RIG_HUGE), 0x200000), 0);
    assert_true(rig_shows(rig, &rig->asi, RIG_HUGE + 0x1000));
    assert_false(rig_shows(rig, &rig->asi, RIG_HUGE + 0x2000));
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_mappings_show_what_the_kernel_shows),
        cmocka_unit_test(each_flag_maps_its_variable_on_every_cpu),
        cmocka_unit_test(the_exception_stacks_are_never_optional),
        cmocka_unit_test(creation_survives_each_failing_table_allocation),
        cmocka_unit_test(a_map_without_memory_changes_nothing),
        cmocka_unit_test(a_map_without_room_for_a_range_or_table_changes_nothing),
        cmocka_unit_test(malformed_ranges_are_refused),
        cmocka_unit_test(rounding_is_reported_as_a_leak),
        cmocka_unit_test(unmapping_pages_clears_them_and_invalidates_each),
        cmocka_unit_test(the_last_page_of_a_table_takes_the_table_with_it),
        cmocka_unit_test(a_huge_leaf_is_copied_whole_and_gone_by_one_invlpg),
        cmocka_unit_test(a_shared_table_is_never_changed_or_freed),
        cmocka_unit_test(a_different_entry_in_the_way_is_busy),
        cmocka_unit_test(one_range_only_starts_at_an_address),
        cmocka_unit_test(overlaps_are_counted_on_both_and_touching_is_none),
        cmocka_unit_test(a_contained_finer_range_outlives_the_coarser_one),
        cmocka_unit_test(a_coarser_range_within_a_finer_one_keeps_its_pages),
        cmocka_unit_test(a_pointer_is_remapped_only_when_it_moves),
        cmocka_unit_test(a_percpu_variable_is_mapped_on_all_cpus_or_none),
        cmocka_unit_test(a_module_is_found_by_its_whole_name),
        cmocka_unit_test(a_change_of_the_kernels_table_is_followed),
        cmocka_unit_test(a_coarser_range_shown_by_pages_follows_changes_too),
        cmocka_unit_test(a_refresh_without_memory_leaves_nothing_stale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
