/* SPDX-License-Identifier: MIT */
/* Unmap of both stages, and hyp stage 1 altogether. */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdlib.h>

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

static enum hyp_err unmap(struct table_rig *rig, uint64_t ia, uint64_t size, uint64_t *bytes)
{
    return hyp_pgt_unmap(&rig->pgt, (hyp_ia_t){ia}, size, bytes);
}

/* Both ways of stage 2: with a range flush at the end, and leaf by leaf. */
static const uint64_t columns[] = {RIG_MODERN, RIG_OLD};

static void unmap_takes_pages_out_and_keeps_the_table_while_it_is_used(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        struct table_rig rig;
        uint64_t bytes;

        rig_init(&rig, columns[i], 64);
        assert_int_equal(map(&rig, GIB, 1 * MIB, 4 * GIB, RW), HYP_OK);
        assert_int_equal(unmap(&rig, GIB + 256 * KIB, 512 * KIB, &bytes), HYP_OK);
        assert_int_equal(bytes, 512 * KIB);
        assert_table(&rig,
                     i == 0 ? "40000000+40000 0 400001000007db\n400c0000+40000 0 400001000c07db\n"
                            : "40000000+40000 0 400001000007ff\n400c0000+40000 0 400001000c07ff\n");
        assert_int_equal(fake_table_pages(&rig.pgt), 4);
        rig_free(&rig);
    }
}

static void the_last_entry_takes_its_tables_along(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        struct table_rig rig;
        struct fake_snapshot before;

        rig_init(&rig, columns[i], 64);
        fake_snapshot_take(&before, &rig.machine);
        assert_int_equal(map(&rig, GIB - 4 * KIB, 8 * KIB, 4 * GIB, RWX), HYP_OK);
        assert_int_equal(fake_table_pages(&rig.pgt), 6);
        assert_int_equal(unmap(&rig, GIB - 4 * KIB, 8 * KIB, NULL), HYP_OK);
        assert_table(&rig, "");
        assert_int_equal(fake_table_pages(&rig.pgt), 2);
        assert_int_equal(rig.machine.pool.free_pages, before.pool.free_pages);
        assert_true(fake_mem_equal(&before.mem, &rig.machine.fake.mem));
        fake_snapshot_free(&before);
        rig_free(&rig);
    }
}

static void a_block_that_is_touched_goes_whole(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        struct table_rig rig;
        uint64_t bytes;

        rig_init(&rig, columns[i], 64);
        assert_int_equal(map(&rig, GIB, 6 * MIB, 4 * GIB, RWX), HYP_OK);
        assert_int_equal(unmap(&rig, GIB + MIB, 2 * MIB, &bytes), HYP_OK);
        assert_int_equal(bytes, 4 * MIB);
        assert_table(&rig,
                     i == 0 ? "40400000+200000 1 1004007d9\n" : "40400000+200000 1 1004007fd\n");
        assert_int_equal(unmap(&rig, GIB + 5 * MIB, 4 * KIB, &bytes), HYP_OK);
        assert_int_equal(bytes, 2 * MIB);
        assert_table(&rig, "");
        rig_free(&rig);
    }
}

static void annotations_go_too_but_are_not_counted_as_unmapped(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        struct table_rig rig;
        uint64_t bytes;

        rig_init(&rig, columns[i], 64);
        assert_int_equal(
            hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){GIB}, 4 * MIB, HYP_NOTE_POISONED, 0, NULL),
            HYP_OK);
        rig_reset(&rig);
        assert_int_equal(unmap(&rig, GIB, 4 * MIB, &bytes), HYP_OK);
        assert_int_equal(bytes, 0);
        assert_table(&rig, "");
        assert_int_equal(fake_table_pages(&rig.pgt), 2);
        rig_free(&rig);
    }
}

static void a_mixed_range_is_cleared_whole(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        struct table_rig rig;
        uint64_t bytes;

        rig_init(&rig, columns[i], 64);
        assert_int_equal(map(&rig, GIB, 2 * MIB, 4 * GIB, RWX), HYP_OK);
        assert_int_equal(map(&rig, GIB + 2 * MIB, 4 * KIB, 4 * GIB, RWX), HYP_OK);
        assert_int_equal(map(&rig, GIB + 4 * MIB, 4 * MIB, 4 * GIB, RWX), HYP_OK);
        assert_int_equal(map(&rig, 2 * GIB, 2 * GIB, 8 * GIB, RWX), HYP_OK);
        assert_int_equal(map(&rig, 5 * GIB, 4 * KIB, 4 * GIB, RWX), HYP_OK);
        assert_int_equal(unmap(&rig, 0, 8 * GIB, &bytes), HYP_OK);
        assert_int_equal(bytes, 2 * GIB + 6 * MIB + 8 * KIB);
        assert_table(&rig, "");
        assert_int_equal(fake_table_pages(&rig.pgt), 2);
        rig_free(&rig);
    }
}

static void unmap_of_nothing_is_fine_and_a_wrong_range_is_not(void **state)
{
    struct table_rig rig;
    uint64_t bytes = 1;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(unmap(&rig, GIB, 8 * GIB, &bytes), HYP_OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(unmap(&rig, GIB, 0, &bytes), HYP_EINVAL);
    assert_int_equal(unmap(&rig, UINT64_C(1) << 40, 1, &bytes), HYP_ERANGE);
    assert_string_equal(fake_port_text(&rig.machine.fake), "");
    rig_free(&rig);
}

/* ---- hyp stage 1 ---- */

static void init_s1(struct table_rig *rig, uint64_t pages)
{
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_arm64_s1, .page_shift = 12, .ia_bits = 48, .max_block_level = 2};

    rig_init_config(rig, config, pages);
}

static void stage_one_may_repeat_itself_and_change_software_bits(void **state)
{
    struct table_rig rig;

    (void)state;
    init_s1(&rig, 64);
    assert_int_equal(map(&rig, GIB, 8 * KIB, 4 * GIB, RW), HYP_OK);
    assert_int_equal(map(&rig, GIB, 8 * KIB, 4 * GIB, RW), HYP_OK);
    assert_int_equal(map(&rig, GIB, 4 * KIB, 4 * GIB, RW | HYP_PROT_SW(0)), HYP_OK);
    assert_table(&rig, "40000000+1000 0 c0000100000743\n40001000+1000 0 40000100001743\n");
    rig_free(&rig);
}

static void stage_one_refuses_any_other_change(void **state)
{
    struct table_rig rig;

    (void)state;
    init_s1(&rig, 64);
    assert_int_equal(map(&rig, GIB, 4 * KIB, 4 * GIB, RW), HYP_OK);
    assert_int_equal(map(&rig, GIB + 4 * MIB, 2 * MIB, 4 * GIB, RW), HYP_OK);
    assert_int_equal(map(&rig, GIB, 4 * KIB, 4 * GIB, HYP_PROT_R), HYP_EPERM);
    assert_int_equal(map(&rig, GIB, 4 * KIB, 5 * GIB, RW), HYP_EPERM);
    assert_int_equal(map(&rig, GIB + 5 * MIB, 4 * KIB, 4 * GIB + MIB, RW), HYP_EPERM);
    assert_int_equal(map(&rig, GIB + 4 * MIB, 2 * MIB, 6 * GIB, RW), HYP_EPERM);
    assert_table(&rig, "40000000+1000 0 40000100000743\n40400000+200000 1 40000100000741\n");
    rig_free(&rig);
}

static void stage_one_uses_blocks_but_leaves_tables_alone(void **state)
{
    struct table_rig rig;

    (void)state;
    init_s1(&rig, 64);
    assert_int_equal(map(&rig, GIB + 2 * MIB, 4 * KIB, 4 * GIB + 2 * MIB, RW), HYP_OK);
    assert_int_equal(map(&rig, GIB, 6 * MIB, 4 * GIB, RW), HYP_OK);
    assert_table(&rig, "40000000+200000 1 40000100000741\n"
                       "40200000+200000 0 40000100200743\n"
                       "40400000+200000 1 40000100400741\n");
    rig_free(&rig);
}

static void stage_one_unmaps_exactly(void **state)
{
    struct table_rig rig;
    uint64_t bytes;

    (void)state;
    init_s1(&rig, 64);
    assert_int_equal(map(&rig, GIB, 12 * KIB, 4 * GIB, RW), HYP_OK);
    assert_int_equal(map(&rig, GIB + 4 * MIB, 2 * MIB, 4 * GIB, RW), HYP_OK);
    assert_int_equal(unmap(&rig, GIB + 4 * KIB, 12 * KIB, &bytes), HYP_EINVAL);
    assert_int_equal(bytes, 8 * KIB);
    assert_int_equal(unmap(&rig, GIB + 4 * MIB, MIB, &bytes), HYP_EINVAL);
    assert_int_equal(bytes, 0);
    assert_int_equal(unmap(&rig, GIB + 5 * MIB, MIB, &bytes), HYP_EINVAL);
    assert_int_equal(unmap(&rig, 3 * GIB, 4 * KIB, &bytes), HYP_EINVAL);
    assert_table(&rig, "40000000+1000 0 40000100000743\n40400000+200000 1 40000100000741\n");
    assert_int_equal(unmap(&rig, GIB + 4 * MIB, 2 * MIB, &bytes), HYP_OK);
    assert_int_equal(bytes, 2 * MIB);
    assert_int_equal(unmap(&rig, GIB, 4 * KIB, &bytes), HYP_OK);
    assert_table(&rig, "");
    assert_int_equal(rig.machine.pool.free_pages, 63);
    rig_free(&rig);
}

static void stage_one_has_no_stage_two_operations(void **state)
{
    struct table_rig rig;
    const hyp_ia_t ia = {GIB};
    bool young = true;

    (void)state;
    init_s1(&rig, 64);
    assert_int_equal(map(&rig, GIB, 2 * MIB, 4 * GIB, RW), HYP_OK);
    rig_reset(&rig);
    assert_int_equal(hyp_pgt_annotate(&rig.pgt, ia, 1, HYP_NOTE_DONATED, 2, NULL), HYP_EINVAL);
    assert_int_equal(hyp_pgt_relax(&rig.pgt, ia, HYP_PROT_R), HYP_EINVAL);
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, ia, 1), HYP_EINVAL);
    assert_int_equal(hyp_pgt_test_clear_young(&rig.pgt, ia, 1, true, &young), HYP_EINVAL);
    assert_int_equal(hyp_pgt_split(&rig.pgt, ia, 1, NULL), HYP_EINVAL);
    assert_int_equal(hyp_pgt_collapse(&rig.pgt, ia, 1), HYP_EINVAL);
    hyp_pgt_mkyoung(&rig.pgt, ia);
    assert_string_equal(fake_port_text(&rig.machine.fake), "");
    assert_table(&rig, "40000000+200000 1 40000100000741\n");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unmap_takes_pages_out_and_keeps_the_table_while_it_is_used),
        cmocka_unit_test(the_last_entry_takes_its_tables_along),
        cmocka_unit_test(a_block_that_is_touched_goes_whole),
        cmocka_unit_test(annotations_go_too_but_are_not_counted_as_unmapped),
        cmocka_unit_test(a_mixed_range_is_cleared_whole),
        cmocka_unit_test(unmap_of_nothing_is_fine_and_a_wrong_range_is_not),
        cmocka_unit_test(stage_one_may_repeat_itself_and_change_software_bits),
        cmocka_unit_test(stage_one_refuses_any_other_change),
        cmocka_unit_test(stage_one_uses_blocks_but_leaves_tables_alone),
        cmocka_unit_test(stage_one_unmaps_exactly),
        cmocka_unit_test(stage_one_has_no_stage_two_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
