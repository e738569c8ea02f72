/* SPDX-License-Identifier: MIT */
/* Rights and ageing. */
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

static enum hyp_err relax(struct table_rig *rig, uint64_t ia, hyp_prot_t prot)
{
    return hyp_pgt_relax(&rig->pgt, (hyp_ia_t){ia}, prot);
}

static bool clear_young(struct table_rig *rig, uint64_t ia, uint64_t size, bool clear)
{
    bool young = false;

    assert_int_equal(hyp_pgt_test_clear_young(&rig->pgt, (hyp_ia_t){ia}, size, clear, &young),
                     HYP_OK);
    return young;
}

static void relax_adds_rights_and_takes_none(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, HYP_PROT_R);
    assert_int_equal(relax(&rig, GIB, HYP_PROT_W), HYP_OK);
    assert_int_equal(relax(&rig, GIB + 4 * KIB, HYP_PROT_X), HYP_OK);
    assert_int_equal(relax(&rig, GIB + 8 * KIB, RWX), HYP_OK);
    assert_int_equal(relax(&rig, GIB + 8 * KIB, HYP_PROT_R), HYP_OK);
    assert_table(&rig, "40000000+1000 0 400001000007db\n"
                       "40001000+1000 0 10000175b\n"
                       "40002000+1000 0 1000027db\n"
                       "40003000+1000 0 4000010000375b\n");
    rig_free(&rig);
}

static void relax_keeps_software_bits_and_blocks(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 2 * MIB, 4 * GIB, HYP_PROT_R | HYP_PROT_SW(2));
    assert_int_equal(relax(&rig, GIB + MIB, HYP_PROT_W), HYP_OK);
    assert_table(&rig, "40000000+200000 1 2400001000007d9\n");
    rig_free(&rig);
}

static void relax_of_separate_execute_rights_joins_them(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN | HYP_PGT_XNX, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, HYP_PROT_R | HYP_PROT_PX);
    assert_int_equal(relax(&rig, GIB, HYP_PROT_UX), HYP_OK);
    assert_table(&rig, "40000000+1000 0 10000075b\n");
    rig_free(&rig);
}

static void relax_refuses_what_it_cannot_do(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, HYP_PROT_R);
    map(&rig, GIB + 4 * KIB, 4 * KIB, 4 * GIB, HYP_PROT_R | HYP_PROT_DEVICE);
    assert_int_equal(hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){2 * GIB}, 1, HYP_NOTE_DONATED, 2, NULL),
                     HYP_OK);
    assert_int_equal(relax(&rig, GIB, HYP_PROT_R | HYP_PROT_SW(0)), HYP_EINVAL);
    assert_int_equal(relax(&rig, GIB, HYP_PROT_R | HYP_PROT_DEVICE), HYP_EINVAL);
    assert_int_equal(relax(&rig, GIB, HYP_PROT_PX), HYP_EINVAL);
    assert_int_equal(relax(&rig, GIB + 4 * KIB, HYP_PROT_X), HYP_EINVAL);
    assert_int_equal(relax(&rig, UINT64_C(1) << 40, HYP_PROT_W), HYP_ERANGE);
    assert_int_equal(relax(&rig, 2 * GIB, HYP_PROT_W), HYP_EAGAIN);
    assert_int_equal(relax(&rig, 3 * GIB, HYP_PROT_W), HYP_EAGAIN);
    assert_table(&rig, "40000000+1000 0 4000010000075b\n"
                       "40001000+1000 0 40000100000747\n"
                       "80000000+1000 0 2000000000000002\n");
    rig_free(&rig);
}

static void wrprotect_takes_writing_from_all_and_passes_over_holes(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
    map(&rig, GIB + 2 * MIB + 8 * KIB, 1 * MIB, 5 * GIB, RWX);
    map(&rig, GIB + 6 * MIB, 4 * KIB, 6 * GIB, HYP_PROT_R);
    map(&rig, GIB + 8 * MIB, 4 * MIB, 7 * GIB, RWX);
    assert_int_equal(
        hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){GIB + 2 * MIB}, 8 * KIB, HYP_NOTE_DONATED, 2, NULL),
        HYP_OK);
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){GIB}, 10 * MIB), HYP_OK);
    assert_table(&rig, "40000000+200000 1 100000759\n"
                       "40200000+2000 0 2000000000000002\n"
                       "40202000+100000 0 14000075b\n"
                       "40600000+1000 0 4000018000075b\n"
                       "40800000+200000 1 1c0000759\n"
                       "40a00000+200000 1 1c02007d9\n");
    rig_free(&rig);
}

static void entries_without_a_common_step_are_protected_too(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    for (uint64_t i = 0; i < 100; i++) {
        if (i % 7 != 3)
            map(&rig, GIB + i * 4 * KIB, 4 * KIB, 4 * GIB + ((i * 37) % 101) * 4 * KIB, RWX);
    }
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){GIB}, 99 * 4 * KIB), HYP_OK);
    for (uint64_t i = 0; i < 100; i++) {
        const uint64_t pa = 4 * GIB + ((i * 37) % 101) * 4 * KIB;
        const uint64_t expected = i % 7 == 3 ? 0 : i < 99 ? pa | 0x75b : pa | 0x7db;
        unsigned int level;

        assert_int_equal(hyp_pgt_leaf(&rig.pgt, (hyp_ia_t){GIB + i * 4 * KIB}, &level), expected);
    }
    assert_true(fake_table_counts_true(&rig.pgt));
    rig_free(&rig);
}

static void young_is_found_and_cleared_and_set(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 12 * KIB, 4 * GIB, RWX);
    assert_true(clear_young(&rig, GIB + 4 * KIB, 4 * KIB, false));
    assert_table(&rig, "40000000+3000 0 1000007db\n");
    assert_true(clear_young(&rig, GIB + 4 * KIB, 4 * KIB, true));
    assert_table(&rig, "40000000+1000 0 1000007db\n"
                       "40001000+1000 0 1000013db\n"
                       "40002000+1000 0 1000027db\n");
    assert_false(clear_young(&rig, GIB + 4 * KIB, 4 * KIB, true));
    assert_true(clear_young(&rig, GIB, GIB, true));
    assert_false(clear_young(&rig, GIB, GIB, false));
    assert_false(clear_young(&rig, 3 * GIB, GIB, true));
    assert_table(&rig, "40000000+3000 0 1000003db\n");
    hyp_pgt_mkyoung(&rig.pgt, (hyp_ia_t){GIB + 8 * KIB});
    hyp_pgt_mkyoung(&rig.pgt, (hyp_ia_t){3 * GIB});
    hyp_pgt_mkyoung(&rig.pgt, (hyp_ia_t){UINT64_C(1) << 40});
    assert_table(&rig, "40000000+2000 0 1000003db\n40002000+1000 0 1000027db\n");
    rig_free(&rig);
}

static void wrong_ranges_are_refused(void **state)
{
    struct table_rig rig;
    bool young;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){GIB}, 0), HYP_EINVAL);
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){UINT64_C(1) << 40}, 1), HYP_ERANGE);
    assert_int_equal(hyp_pgt_test_clear_young(&rig.pgt, (hyp_ia_t){GIB}, 0, true, &young),
                     HYP_EINVAL);
    assert_false(young);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relax_adds_rights_and_takes_none),
        cmocka_unit_test(relax_keeps_software_bits_and_blocks),
        cmocka_unit_test(relax_of_separate_execute_rights_joins_them),
        cmocka_unit_test(relax_refuses_what_it_cannot_do),
        cmocka_unit_test(wrprotect_takes_writing_from_all_and_passes_over_holes),
        cmocka_unit_test(entries_without_a_common_step_are_protected_too),
        cmocka_unit_test(young_is_found_and_cleared_and_set),
        cmocka_unit_test(wrong_ranges_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
