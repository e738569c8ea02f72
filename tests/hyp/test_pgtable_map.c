/* SPDX-License-Identifier: MIT */
/* Map and annotate: what the whole table holds afterwards, allowed or refused. */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB UINT64_C(0x40000000)
#define MIB UINT64_C(0x100000)
#define KIB UINT64_C(0x400)
#define RWX HYP_PROT_RWX
#define RW  HYP_PROT_RW

static enum hyp_err map(struct table_rig *rig, uint64_t ia, uint64_t size, uint64_t pa,
                        hyp_prot_t prot)
{
    return hyp_pgt_map(&rig->pgt, (hyp_ia_t){ia}, size, hyp_pa(pa), prot, NULL);
}

static enum hyp_err annotate(struct table_rig *rig, uint64_t ia, uint64_t size, uint64_t payload)
{
    return hyp_pgt_annotate(&rig->pgt, (hyp_ia_t){ia}, size, HYP_NOTE_DONATED, payload, NULL);
}

static void a_page_needs_two_tables(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB, 4 * KIB, 0x123456000, RWX), HYP_OK);
    assert_table(&rig, "40000000+1000 0 1234567db\n");
    assert_int_equal(fake_table_pages(&rig.pgt), 4);
    assert_int_equal(rig.machine.fake.events[HYP_EV_TABLE_ALLOC], 2);
    rig_free(&rig);
}

static void the_largest_blocks_that_fit_are_used(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB - 2 * MIB - 4 * KIB, GIB + 4 * MIB + 8 * KIB,
                         4 * GIB - 2 * MIB - 4 * KIB, RW),
                     HYP_OK);
    assert_table(&rig, "3fdff000+1000 0 400000ffdff7db\n"
                       "3fe00000+200000 1 400000ffe007d9\n"
                       "40000000+40000000 2 400001000007d9\n"
                       "80000000+200000 1 400001400007d9\n"
                       "80200000+1000 0 400001402007db\n");
    rig_free(&rig);
}

static void blocks_need_both_addresses_aligned(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB, 2 * MIB, 4 * GIB + 4 * KIB, RWX), HYP_OK);
    assert_table(&rig, "40000000+200000 0 1000017db\n");
    rig_free(&rig);
}

static void the_largest_leaf_can_be_limited(void **state)
{
    static const unsigned int tables[] = {2 + 1 + 512, 2 + 1, 2};

    (void)state;
    for (unsigned int level = 0; level < 3; level++) {
        const struct hyp_pgt_config config = {.fmt = &hyp_fmt_arm64_s2,
                                              .page_shift = 12,
                                              .ia_bits = 40,
                                              .flags = RIG_MODERN,
                                              .max_block_level = level};
        struct table_rig rig;

        rig_init_config(&rig, config, 600);
        assert_int_equal(map(&rig, GIB, GIB, 4 * GIB, RWX), HYP_OK);
        assert_int_equal(fake_table_pages(&rig.pgt), tables[level]);
        assert_true(fake_table_counts_true(&rig.pgt));
        rig_free(&rig);
    }
}

static void concatenated_roots_are_one_table(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(rig.pgt.root_entries, 1024);
    assert_int_equal(rig.pgt.root.v % 8192, 0);
    assert_int_equal(map(&rig, 511 * GIB, 2 * GIB, 511 * GIB, RWX), HYP_OK);
    assert_int_equal(map(&rig, 1023 * GIB, GIB, 0, RWX), HYP_OK);
    assert_table(&rig, "7fc0000000+80000000 2 7fc00007d9\n"
                       "ffc0000000+40000000 2 7d9\n");
    rig_free(&rig);
}

static void ranges_are_rounded_out_to_pages(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB + 0xfff, 2, 4 * GIB + 0xfff, RWX), HYP_OK);
    assert_table(&rig, "40000000+2000 0 1000007db\n");
    rig_free(&rig);
}

static void ranges_that_do_not_fit_are_refused(void **state)
{
    const uint64_t limit = UINT64_C(1) << 40;
    struct table_rig rig;
    struct fake_snapshot before;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    fake_snapshot_take(&before, &rig.machine);
    assert_int_equal(map(&rig, GIB, 0, GIB, RWX), HYP_EINVAL);
    assert_int_equal(map(&rig, limit, 4 * KIB, GIB, RWX), HYP_ERANGE);
    assert_int_equal(map(&rig, limit - 4 * KIB, 8 * KIB, GIB, RWX), HYP_ERANGE);
    assert_int_equal(map(&rig, GIB, UINT64_MAX, GIB, RWX), HYP_ERANGE);
    assert_int_equal(map(&rig, UINT64_MAX, 1, GIB, RWX), HYP_ERANGE);
    assert_int_equal(map(&rig, GIB, 4 * KIB, UINT64_C(1) << 48, RWX), HYP_ERANGE);
    assert_int_equal(map(&rig, GIB, 8 * KIB, (UINT64_C(1) << 48) - 4 * KIB, RWX), HYP_ERANGE);
    assert_int_equal(annotate(&rig, limit, 4 * KIB, 2), HYP_ERANGE);
    assert_int_equal(annotate(&rig, GIB, 0, 2), HYP_EINVAL);
    assert_true(fake_snapshot_same(&before, &rig.machine));
    assert_int_equal(map(&rig, limit - 4 * KIB, 4 * KIB, (UINT64_C(1) << 48) - 4 * KIB, RWX),
                     HYP_OK);
    fake_snapshot_free(&before);
    rig_free(&rig);
}

static void an_identity_table_maps_nothing_elsewhere(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN | HYP_PGT_IDENTITY, 64);
    assert_int_equal(map(&rig, GIB, 4 * KIB, 2 * GIB, RWX), HYP_EINVAL);
    assert_table(&rig, "");
    assert_int_equal(map(&rig, GIB, 4 * KIB, GIB, RWX), HYP_OK);
    assert_table(&rig, "40000000+1000 0 400007db\n");
    rig_free(&rig);
}

static void what_is_there_already_or_differs_in_rights_is_left_alone(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB, 8 * KIB, 4 * GIB, RWX), HYP_OK);
    assert_int_equal(map(&rig, GIB, 8 * KIB, 4 * GIB, RWX), HYP_EAGAIN);
    assert_int_equal(map(&rig, GIB, 8 * KIB, 4 * GIB, HYP_PROT_R), HYP_EAGAIN);
    assert_int_equal(map(&rig, GIB - 4 * KIB, 12 * KIB, 4 * GIB - 4 * KIB, RW), HYP_EAGAIN);
    assert_table(&rig, "3ffff000+1000 0 400000fffff7db\n40000000+2000 0 1000007db\n");
    rig_free(&rig);
}

static void software_bits_and_pages_can_change(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB, 12 * KIB, 4 * GIB, RWX), HYP_OK);
    assert_int_equal(map(&rig, GIB, 4 * KIB, 4 * GIB, RWX | HYP_PROT_SW(0)), HYP_OK);
    assert_int_equal(map(&rig, GIB + 4 * KIB, 4 * KIB, 5 * GIB, RWX), HYP_OK);
    assert_table(&rig, "40000000+1000 0 800001000007db\n"
                       "40001000+1000 0 1400007db\n"
                       "40002000+1000 0 1000027db\n");
    rig_free(&rig);
}

static void a_page_in_a_block_leaves_the_rest_to_fault_again(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB, 4 * MIB, 4 * GIB, RWX), HYP_OK);
    assert_int_equal(map(&rig, GIB + 28 * KIB, 4 * KIB, 4 * GIB + 28 * KIB, HYP_PROT_R), HYP_OK);
    assert_table(&rig, "40007000+1000 0 4000010000775b\n40200000+200000 1 1002007d9\n");
    assert_int_equal(rig.machine.fake.events[HYP_EV_BLOCK_SPLIT], 1);
    rig_free(&rig);
}

static void a_page_in_a_large_block_breaks_it_once(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB, GIB, 4 * GIB, RWX), HYP_OK);
    assert_int_equal(annotate(&rig, GIB + 512 * MIB, 4 * KIB, 2), HYP_OK);
    assert_table(&rig, "60000000+1000 0 2000000000000002\n");
    assert_int_equal(rig.machine.fake.events[HYP_EV_BLOCK_SPLIT], 1);
    assert_int_equal(fake_table_pages(&rig.pgt), 4);
    rig_free(&rig);
}

static void a_block_over_tables_frees_them(void **state)
{
    struct table_rig rig;
    uint64_t free_pages;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    free_pages = rig.machine.pool.free_pages;
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(map(&rig, GIB + i * 2 * MIB, 4 * KIB, 4 * GIB, RWX), HYP_OK);
    assert_int_equal(annotate(&rig, GIB + 30 * MIB, 8 * KIB, 2), HYP_OK);
    assert_int_equal(rig.machine.pool.free_pages, free_pages - 12);
    assert_int_equal(map(&rig, GIB, GIB, 4 * GIB, RWX), HYP_OK);
    assert_table(&rig, "40000000+40000000 2 1000007d9\n");
    assert_int_equal(rig.machine.pool.free_pages, free_pages);
    assert_int_equal(rig.machine.fake.events[HYP_EV_TABLE_FREE], 12);
    assert_int_equal(rig.machine.fake.events[HYP_EV_BLOCK_COLLAPSE], 1);
    rig_free(&rig);
}

static void annotations_are_page_granular_and_give_way_to_mappings(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(annotate(&rig, GIB, 2 * MIB, 2), HYP_OK);
    assert_table(&rig, "40000000+200000 0 2000000000000002\n");
    assert_int_equal(annotate(&rig, GIB + 4 * KIB, 4 * KIB, 4), HYP_OK);
    assert_int_equal(map(&rig, GIB + 8 * KIB, 4 * KIB, 4 * GIB, RWX), HYP_OK);
    assert_int_equal(map(&rig, GIB + 2 * MIB - 8 * KIB, 12 * KIB, 5 * GIB, RWX), HYP_OK);
    assert_table(&rig, "40000000+1000 0 2000000000000002\n"
                       "40001000+1000 0 2000000000000004\n"
                       "40002000+1000 0 1000007db\n"
                       "40003000+1fb000 0 2000000000000002\n"
                       "401fe000+3000 0 1400007db\n");
    assert_int_equal(map(&rig, GIB, 2 * MIB, 6 * GIB, RWX), HYP_OK);
    assert_table(&rig, "40000000+200000 1 1800007d9\n40200000+1000 0 1400027db\n");
    rig_free(&rig);
}

static void an_annotation_over_mapped_pages_replaces_them(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, GIB, 1 * MIB, 4 * GIB, RWX), HYP_OK);
    assert_int_equal(annotate(&rig, GIB + MIB - 4 * KIB, 8 * KIB, 2), HYP_OK);
    assert_table(&rig, "40000000+ff000 0 1000007db\n400ff000+2000 0 2000000000000002\n");
    rig_free(&rig);
}

static void annotations_that_say_nothing_are_refused(void **state)
{
    struct table_rig rig;
    const hyp_ia_t ia = {GIB};

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(hyp_pgt_annotate(&rig.pgt, ia, 1, HYP_NOTE_NONE, 2, NULL), HYP_EINVAL);
    assert_int_equal(hyp_pgt_annotate(&rig.pgt, ia, 1, HYP_NOTE_LOCKED, 2, NULL), HYP_EINVAL);
    assert_int_equal(annotate(&rig, GIB, 1, 1), HYP_EINVAL);
    assert_int_equal(annotate(&rig, GIB, 1, HYP_BIT(60)), HYP_EINVAL);
    assert_table(&rig, "");
    assert_int_equal(annotate(&rig, GIB, 1, HYP_NOTE_PAYLOAD_MASK), HYP_OK);
    assert_table(&rig, "40000000+1000 0 2ffffffffffffffe\n");
    rig_free(&rig);
}

/* ---- the force-page policy ---- */

static bool force_unless_rwx(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_prot_t prot)
{
    (void)pgt;
    (void)ia;
    (void)size;
    return prot != RWX;
}

/* Everything in the second 2 MiB of each 4. */
static bool force_odd(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_prot_t prot)
{
    (void)pgt;
    (void)prot;
    return size > 2 * MIB || (ia.v & (2 * MIB)) != 0;
}

static void the_policy_decides_by_rights(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    rig.pgt.force_page = force_unless_rwx;
    assert_int_equal(map(&rig, GIB, 2 * MIB, 4 * GIB, RWX), HYP_OK);
    assert_int_equal(map(&rig, GIB + 2 * MIB, 2 * MIB, 4 * GIB, RW), HYP_OK);
    assert_table(&rig, "40000000+200000 1 1000007d9\n40200000+200000 0 400001000007db\n");
    rig_free(&rig);
}

static void the_policy_is_asked_for_each_block(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    rig.pgt.force_page = force_odd;
    assert_int_equal(map(&rig, GIB, 8 * MIB, 4 * GIB, RWX), HYP_OK);
    assert_table(&rig, "40000000+200000 1 1000007d9\n"
                       "40200000+200000 0 1002007db\n"
                       "40400000+200000 1 1004007d9\n"
                       "40600000+200000 0 1006007db\n");
    rig_free(&rig);
}

/* Everything from the fourth 2 MiB on. */
static bool force_late(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_prot_t prot)
{
    (void)pgt;
    (void)prot;
    return size > 2 * MIB || ia.v >= GIB + 6 * MIB;
}

static void a_run_of_blocks_ends_where_the_policy_says(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    rig.pgt.force_page = force_late;
    assert_int_equal(map(&rig, GIB, 10 * MIB, 4 * GIB, RWX), HYP_OK);
    assert_table(&rig, "40000000+600000 1 1000007d9\n40600000+400000 0 1006007db\n");
    rig_free(&rig);
}

/* ---- want of memory ---- */

/* Pages come from the pool first, then from the cache. */
static void the_memcache_serves_when_the_pool_is_empty(void **state)
{
    struct table_rig rig;
    struct hyp_memcache mc;
    const hyp_pfn_t spare = RIG_FIRST_PFN + 3;

    (void)state;
    rig_init(&rig, RIG_MODERN, 3); /* root and one table */
    hyp_memcache_init(&mc);
    hyp_memcache_push(&mc, &rig.machine.vmemmap, hyp_pa(spare << 12));
    assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){GIB}, 4 * KIB, hyp_pa(GIB), RWX, &mc),
                     HYP_OK);
    assert_int_equal(mc.count, 0);
    assert_table(&rig, "40000000+1000 0 400007db\n");
    /* It comes back to the pool, as an external page. */
    assert_int_equal(hyp_pgt_unmap(&rig.pgt, (hyp_ia_t){GIB}, 4 * KIB, NULL), HYP_OK);
    assert_int_equal(rig.machine.pool.free_pages, 2);
    rig_free(&rig);
}

/* An operation with `pages` table pages at hand beyond the root. */
static enum hyp_err starved(struct table_rig *rig, uint64_t pages, bool note)
{
    const struct hyp_pgt_config config = {.fmt = &hyp_fmt_arm64_s2,
                                          .page_shift = 12,
                                          .ia_bits = 48,
                                          .flags = RIG_MODERN,
                                          .max_block_level = 2};
    const uint64_t ia = 512 * GIB - 2 * MIB - 4 * KIB, size = 4 * MIB + 8 * KIB;

    rig_init_config(rig, config, 1 + pages);
    return note ? annotate(rig, ia, size, 2) : map(rig, ia, size, 8 * GIB + 4 * KIB, RWX);
}

/*
 * Four tables are needed on each side of 512 GiB: one of level 2, one of level 1, two of level 0.
 * With n pages a prefix is done that is as long as n pages allow, and no page is lost.
 */
static void want_of_the_nth_table_leaves_a_prefix(void **state)
{
    static const char *const prefix[] = {"",
                                         "",
                                         "",
                                         "7fffdff000+1000 0 VAL\n",
                                         "7fffdff000+201000 0 VAL\n",
                                         "7fffdff000+201000 0 VAL\n",
                                         "7fffdff000+201000 0 VAL\n",
                                         "7fffdff000+401000 0 VAL\n",
                                         "7fffdff000+402000 0 VAL\n"};

    (void)state;
    for (unsigned int note = 0; note < 2; note++) {
        for (uint64_t n = 0; n <= 8; n++) {
            struct table_rig rig;
            char expected[64], *value;

            assert_int_equal(starved(&rig, n, note), n < 8 ? HYP_ENOMEM : HYP_OK);
            snprintf(expected, sizeof expected, "%s", prefix[n]);
            value = strstr(expected, "VAL");
            if (value)
                snprintf(value, 32, "%s\n", note ? "2000000000000002" : "2000017db");
            assert_table(&rig, expected);
            assert_int_equal(rig.machine.pool.free_pages, 0);
            assert_int_equal(hyp_pgt_unmap(&rig.pgt, (hyp_ia_t){0}, UINT64_C(1) << 40, NULL),
                             HYP_OK);
            assert_int_equal(rig.machine.pool.free_pages, n);
            rig_free(&rig);
        }
    }
}

static void a_block_survives_when_its_table_cannot_be_had(void **state)
{
    struct table_rig rig;
    struct fake_snapshot before;

    (void)state;
    rig_init(&rig, RIG_MODERN, 3);
    assert_int_equal(map(&rig, GIB, 2 * MIB, 4 * GIB, RWX), HYP_OK);
    rig_reset(&rig);
    fake_snapshot_take(&before, &rig.machine);
    assert_int_equal(map(&rig, GIB, 4 * KIB, 4 * GIB, HYP_PROT_R), HYP_ENOMEM);
    assert_int_equal(annotate(&rig, GIB, 4 * KIB, 2), HYP_ENOMEM);
    assert_true(fake_snapshot_same(&before, &rig.machine));
    assert_string_equal(fake_port_text(&rig.machine.fake), "dsb-ishst");
    fake_snapshot_free(&before);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_needs_two_tables),
        cmocka_unit_test(the_largest_blocks_that_fit_are_used),
        cmocka_unit_test(blocks_need_both_addresses_aligned),
        cmocka_unit_test(the_largest_leaf_can_be_limited),
        cmocka_unit_test(concatenated_roots_are_one_table),
        cmocka_unit_test(ranges_are_rounded_out_to_pages),
        cmocka_unit_test(ranges_that_do_not_fit_are_refused),
        cmocka_unit_test(an_identity_table_maps_nothing_elsewhere),
        cmocka_unit_test(what_is_there_already_or_differs_in_rights_is_left_alone),
        cmocka_unit_test(software_bits_and_pages_can_change),
        cmocka_unit_test(a_page_in_a_block_leaves_the_rest_to_fault_again),
        cmocka_unit_test(a_page_in_a_large_block_breaks_it_once),
        cmocka_unit_test(a_block_over_tables_frees_them),
        cmocka_unit_test(annotations_are_page_granular_and_give_way_to_mappings),
        cmocka_unit_test(an_annotation_over_mapped_pages_replaces_them),
        cmocka_unit_test(annotations_that_say_nothing_are_refused),
        cmocka_unit_test(the_policy_decides_by_rights),
        cmocka_unit_test(the_policy_is_asked_for_each_block),
        cmocka_unit_test(a_run_of_blocks_ends_where_the_policy_says),
        cmocka_unit_test(the_memcache_serves_when_the_pool_is_empty),
        cmocka_unit_test(want_of_the_nth_table_leaves_a_prefix),
        cmocka_unit_test(a_block_survives_when_its_table_cannot_be_had),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
