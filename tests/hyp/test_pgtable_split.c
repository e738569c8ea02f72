/* SPDX-License-Identifier: MIT */
/* Blocks into tables and back: no address may translate differently, or not at all. */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdlib.h>

#define GIB UINT64_C(0x40000000)
#define MIB UINT64_C(0x100000)
#define KIB UINT64_C(0x400)
#define RWX HYP_PROT_RWX

static void map(struct table_rig *rig, uint64_t ia, uint64_t size, uint64_t pa, hyp_prot_t prot)
{
    assert_int_equal(hyp_pgt_map(&rig->pgt, (hyp_ia_t){ia}, size, hyp_pa(pa), prot, NULL), HYP_OK);
}

static enum hyp_err split(struct table_rig *rig, uint64_t ia, uint64_t size)
{
    return hyp_pgt_split(&rig->pgt, (hyp_ia_t){ia}, size, NULL);
}

static enum hyp_err collapse(struct table_rig *rig, uint64_t ia, unsigned int level)
{
    return hyp_pgt_collapse(&rig->pgt, (hyp_ia_t){ia}, level);
}

static void a_block_becomes_pages_that_say_the_same(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 4 * MIB, 4 * GIB, HYP_PROT_R | HYP_PROT_SW(1));
    assert_int_equal(split(&rig, GIB + MIB, 4 * KIB), HYP_OK);
    assert_table(&rig, "40000000+200000 0 14000010000075b\n40200000+200000 1 140000100200759\n");
    assert_int_equal(rig.machine.fake.events[HYP_EV_BLOCK_SPLIT], 1);
    rig_free(&rig);
}

static void a_large_block_is_split_only_where_it_must(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, GIB, 4 * GIB, RWX);
    rig_reset(&rig);
    assert_int_equal(split(&rig, GIB + 4 * MIB + 4 * KIB, 2 * MIB), HYP_OK);
    assert_table(&rig, "40000000+400000 1 1000007d9\n"
                       "40400000+400000 0 1004007db\n"
                       "40800000+3f800000 1 1008007d9\n");
    assert_int_equal(rig.machine.fake.tlbis[HYP_TLBI_IPAS2E1IS], 1);
    assert_int_equal(fake_table_pages(&rig.pgt), 2 + 1 + 2);
    assert_int_equal(rig.machine.fake.events[HYP_EV_BLOCK_SPLIT], 1 + 2);
    rig_free(&rig);
}

static void a_whole_large_block_takes_513_tables_and_one_flush(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 600);
    map(&rig, GIB, GIB, 4 * GIB, RWX);
    rig_reset(&rig);
    assert_int_equal(split(&rig, GIB, GIB), HYP_OK);
    assert_table(&rig, "40000000+40000000 0 1000007db\n");
    assert_int_equal(fake_table_pages(&rig.pgt), 2 + 513);
    assert_int_equal(rig.machine.fake.tlbis[HYP_TLBI_IPAS2E1IS], 1);
    rig_free(&rig);
}

static void holes_and_annotations_and_pages_are_passed_over(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB + 2 * MIB, 4 * KIB, 4 * GIB, RWX);
    map(&rig, GIB + 6 * MIB, 2 * MIB, 4 * GIB, RWX);
    assert_int_equal(
        hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){GIB + 4 * MIB}, 4 * KIB, HYP_NOTE_DONATED, 2, NULL),
        HYP_OK);
    assert_int_equal(split(&rig, 0, 4 * GIB), HYP_OK);
    assert_table(&rig, "40200000+1000 0 1000007db\n"
                       "40400000+1000 0 2000000000000002\n"
                       "40600000+200000 0 1000007db\n");
    assert_int_equal(split(&rig, GIB, 0), HYP_EINVAL);
    assert_int_equal(split(&rig, UINT64_C(1) << 40, 1), HYP_ERANGE);
    rig_free(&rig);
}

/* Every address of the two blocks translates as before, whatever happened. */
static void assert_same_translation(struct table_rig *rig)
{
    for (uint64_t at = 0; at < 2 * GIB; at += MIB + 4 * KIB) {
        unsigned int level;
        const uint64_t pte = hyp_pgt_leaf(&rig->pgt, (hyp_ia_t){GIB + at}, &level);
        const uint64_t size = hyp_level_size(12, level);

        assert_int_equal(hyp_pgt_kind(&rig->pgt, pte, level), HYP_PTE_LEAF);
        assert_int_equal(hyp_pgt_target(&rig->pgt, pte, level).v + (at & (size - 1)), 4 * GIB + at);
        assert_int_equal(hyp_pgt_prot(&rig->pgt, pte), RWX);
    }
}

static void want_of_the_nth_table_loses_no_mapping(void **state)
{
    (void)state;
    for (uint64_t n = 0; n <= 8; n++) {
        struct table_rig rig;
        struct hyp_memcache mc;

        /* Two large blocks; 3 tables are wanted in the first and 3 in the second. */
        rig_init(&rig, RIG_MODERN, 2);
        hyp_memcache_init(&mc);
        for (uint64_t i = 0; i < n; i++)
            hyp_memcache_push(&mc, &rig.machine.vmemmap, hyp_pa((RIG_FIRST_PFN + 2 + i) << 12));
        map(&rig, GIB, 2 * GIB, 4 * GIB, RWX);
        assert_int_equal(hyp_pgt_split(&rig.pgt, (hyp_ia_t){2 * GIB - 4 * MIB}, 8 * MIB, &mc),
                         n < 6 ? HYP_ENOMEM : HYP_OK);
        assert_same_translation(&rig);
        assert_true(fake_table_counts_true(&rig.pgt));
        assert_int_equal(fake_table_pages(&rig.pgt), 2 + (n < 6 ? n : 6));
        assert_int_equal(mc.count, n < 6 ? 0 : n - 6);
        if (n == 0)
            assert_table(&rig, "40000000+80000000 2 1000007d9\n");
        rig_free(&rig);
    }
}

static void split_and_collapse_are_each_others_reverse(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 600);
    map(&rig, GIB, GIB, 4 * GIB, RWX);
    assert_int_equal(split(&rig, GIB, GIB), HYP_OK);
    for (uint64_t at = 0; at < GIB; at += 2 * MIB)
        assert_int_equal(collapse(&rig, GIB + at + MIB, 1), HYP_OK);
    assert_table(&rig, "40000000+40000000 1 1000007d9\n");
    assert_int_equal(collapse(&rig, GIB + MIB, 2), HYP_OK);
    assert_table(&rig, "40000000+40000000 2 1000007d9\n");
    assert_int_equal(fake_table_pages(&rig.pgt), 2);
    assert_int_equal(rig.machine.pool.free_pages, 598);
    rig_free(&rig);
}

/* One table of 512 pages with one thing wrong; collapse must refuse and change nothing. */
static void assert_refused(struct table_rig *rig, unsigned int level, enum hyp_err err)
{
    struct fake_snapshot before;

    rig_reset(rig);
    fake_snapshot_take(&before, &rig->machine);
    assert_int_equal(collapse(rig, GIB, level), err);
    assert_true(fake_snapshot_same(&before, &rig->machine));
    assert_string_equal(fake_port_text(&rig->machine.fake), "");
    fake_snapshot_free(&before);
}

static void a_table_with_an_odd_page_does_not_collapse(void **state)
{
    static const uint64_t odd[] = {0, 1, 63, 64, 300, 511};

    (void)state;
    for (unsigned int i = 0; i < sizeof odd / sizeof *odd; i++) {
        for (unsigned int what = 0; what < 4; what++) {
            const hyp_ia_t ia = {GIB + odd[i] * 4 * KIB};
            const hyp_pa_t pa = {4 * GIB + odd[i] * 4 * KIB};
            struct table_rig rig;
            enum hyp_err err = HYP_OK;
            bool young;

            rig_init(&rig, RIG_MODERN, 64);
            map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
            assert_int_equal(split(&rig, GIB, 2 * MIB), HYP_OK);
            if (what == 0)
                err = hyp_pgt_unmap(&rig.pgt, ia, 1, NULL);
            else if (what == 1)
                err = hyp_pgt_annotate(&rig.pgt, ia, 1, HYP_NOTE_DONATED, 2, NULL);
            else if (what == 2)
                err = hyp_pgt_map(&rig.pgt, ia, 1, pa, RWX | HYP_PROT_SW(0), NULL);
            else
                err = hyp_pgt_test_clear_young(&rig.pgt, ia, 1, true, &young);
            assert_int_equal(err, HYP_OK);
            assert_refused(&rig, 1, HYP_EAGAIN);
            rig_free(&rig);
        }
    }
}

static bool never(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_prot_t prot)
{
    (void)pgt;
    return ia.v == GIB && size == 2 * MIB && prot == RWX;
}

static void collapse_obeys_alignment_level_and_policy(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_refused(&rig, 1, HYP_EAGAIN);
    assert_refused(&rig, 0, HYP_EINVAL);
    assert_refused(&rig, 3, HYP_EINVAL);
    assert_int_equal(collapse(&rig, UINT64_C(1) << 40, 1), HYP_ERANGE);
    map(&rig, GIB, 2 * MIB, 4 * GIB + 4 * KIB, RWX);
    assert_refused(&rig, 1, HYP_EAGAIN);
    assert_refused(&rig, 2, HYP_EAGAIN);
    map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
    assert_refused(&rig, 1, HYP_EAGAIN); /* a block already */
    assert_int_equal(split(&rig, GIB, 2 * MIB), HYP_OK);
    rig.pgt.force_page = never;
    assert_refused(&rig, 1, HYP_EAGAIN);
    rig.pgt.force_page = NULL;
    assert_int_equal(collapse(&rig, GIB, 1), HYP_OK);
    assert_table(&rig, "40000000+200000 1 1000007d9\n");
    rig_free(&rig);
}

/* A guest writes what looks like a table into its own block. */
static void collapse_never_reads_guest_memory(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
    for (uint64_t i = 0; i < 512; i++)
        fake_mem_store(&rig.machine.fake.mem, 4 * GIB + 8 * i, (6 * GIB + i * 4 * KIB) | 0x7db);
    assert_refused(&rig, 1, HYP_EAGAIN);
    assert_table(&rig, "40000000+200000 1 1000007d9\n");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_becomes_pages_that_say_the_same),
        cmocka_unit_test(a_large_block_is_split_only_where_it_must),
        cmocka_unit_test(a_whole_large_block_takes_513_tables_and_one_flush),
        cmocka_unit_test(holes_and_annotations_and_pages_are_passed_over),
        cmocka_unit_test(want_of_the_nth_table_loses_no_mapping),
        cmocka_unit_test(split_and_collapse_are_each_others_reverse),
        cmocka_unit_test(a_table_with_an_odd_page_does_not_collapse),
        cmocka_unit_test(collapse_obeys_alignment_level_and_policy),
        cmocka_unit_test(collapse_never_reads_guest_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
