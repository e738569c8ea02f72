/* SPDX-License-Identifier: MIT */
/* VTCR_EL2 and the geometry that goes with it, against what Linux 7.3 computes. */
#include "tests/support/cmocka_all.h"

#include <hyp/pgtable.h>

static void control_and_root_are_those_of_linux(void **state)
{
    static const struct {
        unsigned int page_shift, ia_bits, pa_range;
        bool lpa2;
        uint64_t vtcr;
        unsigned int start_level; /* in the manual's numbering */
        uint64_t root_bytes;
    } rows[] = {
        {12, 40, 2, false, 0x802a3558, 1, 8192},  {12, 48, 5, false, 0x802d3590, 0, 4096},
        {12, 52, 6, true, 0x1802e358c, 0, 65536}, {14, 40, 2, false, 0x802ab558, 2, 262144},
        {16, 40, 2, false, 0x802a7558, 2, 65536},
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hyp_pgt_config config = {.fmt = &hyp_fmt_arm64_s2,
                                              .page_shift = rows[i].page_shift,
                                              .ia_bits = rows[i].ia_bits,
                                              .flags = rows[i].lpa2 ? HYP_PGT_LPA2 : 0};

        assert_int_equal(hyp_arm64_vtcr(rows[i].page_shift, rows[i].ia_bits, rows[i].pa_range, true,
                                        rows[i].lpa2),
                         rows[i].vtcr);
        assert_int_equal(HYP_ARM64_LEVEL(hyp_pgt_levels(&config) - 1), rows[i].start_level);
        assert_int_equal(hyp_pgt_root_pages(&config) << rows[i].page_shift, rows[i].root_bytes);
    }
}

static void eight_bit_vmids_clear_vs(void **state)
{
    (void)state;
    assert_int_equal(hyp_arm64_vtcr(12, 40, 2, false, false), 0x80223558);
}

/* 52-bit output addresses need LPA2 or 64K granule. */
static void the_output_size_is_what_the_format_can_hold(void **state)
{
    (void)state;
    assert_int_equal((hyp_arm64_vtcr(12, 40, 6, true, false) >> 16) & 7, 5);
    assert_int_equal((hyp_arm64_vtcr(14, 40, 6, true, false) >> 16) & 7, 5);
    assert_int_equal((hyp_arm64_vtcr(16, 40, 6, true, false) >> 16) & 7, 6);
    assert_int_equal((hyp_arm64_vtcr(12, 40, 0, true, false) >> 16) & 7, 0);
}

static void stage_one_takes_as_many_levels_as_the_address_needs(void **state)
{
    static const struct {
        unsigned int page_shift, ia_bits, levels;
    } rows[] = {{12, 39, 3}, {12, 48, 4}, {12, 52, 5}, {14, 47, 3},
                {14, 48, 4}, {16, 42, 2}, {16, 48, 3}, {16, 52, 3}};

    (void)state;
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hyp_pgt_config config = {
            .fmt = &hyp_fmt_arm64_s1, .page_shift = rows[i].page_shift, .ia_bits = rows[i].ia_bits};

        assert_int_equal(hyp_pgt_levels(&config), rows[i].levels);
        assert_int_equal(hyp_pgt_root_pages(&config), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_and_root_are_those_of_linux),
        cmocka_unit_test(eight_bit_vmids_clear_vs),
        cmocka_unit_test(the_output_size_is_what_the_format_can_hold),
        cmocka_unit_test(stage_one_takes_as_many_levels_as_the_address_needs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
