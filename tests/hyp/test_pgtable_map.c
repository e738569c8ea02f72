/* SPDX-License-Identifier: MIT */
/* Map and annotate: what the table holds afterwards, and what was told to TLBs and caches. */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdlib.h>

#define G1 UINT64_C(0x40000000)
#define M2 UINT64_C(0x200000)
#define K4 UINT64_C(0x1000)

static void assert_table(const struct table_rig *rig, const char *expected)
{
    char *text = fake_table_text(&rig->pgt);

    assert_string_equal(text, expected);
    free(text);
    assert_true(fake_table_counts_true(&rig->pgt));
}

static enum hyp_err map(struct table_rig *rig, uint64_t ia, uint64_t size, uint64_t pa,
                        hyp_prot_t prot)
{
    rig_reset(rig);
    return hyp_pgt_map(&rig->pgt, (hyp_ia_t){ia}, size, hyp_pa(pa), prot, NULL);
}

static void assert_calls(struct table_rig *rig, const char *expected)
{
    assert_string_equal(fake_port_text(&rig->machine.fake), expected);
}

static void a_page_needs_two_tables_and_one_barrier(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, G1, K4, 0x123456000, HYP_PROT_RWX), HYP_OK);
    assert_calls(&rig, "dsb-ishst");
    assert_table(&rig, "40000000+1000 0 1234567db\n");
    assert_int_equal(fake_table_pages(&rig.pgt), 4);
    rig_free(&rig);
}

static void the_largest_blocks_that_fit_are_used(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(map(&rig, G1 - M2 - K4, G1 + 2 * M2 + 2 * K4, 4 * G1 - M2 - K4, HYP_PROT_RW),
                     HYP_OK);
    assert_table(&rig, "3fdff000+1000 0 400000ffdff7db\n"
                       "3fe00000+200000 1 400000ffe007d9\n"
                       "40000000+40000000 2 400001000007d9\n"
                       "80000000+200000 1 400001400007d9\n"
                       "80200000+1000 0 400001402007db\n");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_needs_two_tables_and_one_barrier),
        cmocka_unit_test(the_largest_blocks_that_fit_are_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
