/* SPDX-License-Identifier: MIT */
/* Capability checks and EPTP values, against the bit tables of the Intel SDM, volume 3, A.10 and
 * 25.6.11. */
#include "tests/support/cmocka_all.h"

#include <hyp/ept.h>

/* A CPU with everything, written as the manual numbers the bits. */
#define CAP_ALL                                                                                    \
    (HYP_BIT(0) | HYP_BIT(6) | HYP_BIT(7) | HYP_BIT(8) | HYP_BIT(14) | HYP_BIT(16) | HYP_BIT(17) | \
     HYP_BIT(20) | HYP_BIT(21) | HYP_BIT(25))

static const struct hyp_ept_needs all_of_4 = {4, 2, true, true};
static const struct hyp_ept_needs all_of_5 = {5, 2, true, true};

static void each_missing_capability_has_its_own_reason(void **state)
{
    static const struct {
        unsigned int bit;
        enum hyp_ept_lack lack;
    } cases[] = {
        {0, HYP_EPT_LACKS_XONLY},   {6, HYP_EPT_LACKS_LEVELS},  {7, HYP_EPT_LACKS_NOTHING},
        {8, HYP_EPT_LACKS_NOTHING}, {14, HYP_EPT_LACKS_WB},     {16, HYP_EPT_LACKS_2M},
        {17, HYP_EPT_LACKS_1G},     {20, HYP_EPT_LACKS_INVEPT}, {21, HYP_EPT_LACKS_AD},
        {25, HYP_EPT_LACKS_INVEPT},
    };

    (void)state;
    assert_int_equal(hyp_ept_check(CAP_ALL, &all_of_4), HYP_EPT_LACKS_NOTHING);
    assert_int_equal(hyp_ept_check(CAP_ALL, &all_of_5), HYP_EPT_LACKS_NOTHING);
    assert_int_equal(hyp_ept_check(CAP_ALL & ~HYP_BIT(7), &all_of_5), HYP_EPT_LACKS_LEVELS);
    for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(hyp_ept_check(CAP_ALL & ~HYP_BIT(cases[i].bit), &all_of_4), cases[i].lack);
    assert_int_equal(hyp_ept_check(0, &all_of_4), HYP_EPT_LACKS_LEVELS);
}

static void what_is_not_needed_is_not_asked_for(void **state)
{
    const struct hyp_ept_needs least = {.levels = 4};
    const struct hyp_ept_needs blocks = {.levels = 4, .max_block_level = 1};
    const uint64_t needed = HYP_BIT(6) | HYP_BIT(14) | HYP_BIT(20) | HYP_BIT(25);

    (void)state;
    assert_int_equal(hyp_ept_check(needed, &least), HYP_EPT_LACKS_NOTHING);
    assert_int_equal(hyp_ept_check(needed, &blocks), HYP_EPT_LACKS_2M);
    assert_int_equal(hyp_ept_check(needed | HYP_BIT(16), &blocks), HYP_EPT_LACKS_NOTHING);
}

static void other_numbers_of_levels_do_not_exist(void **state)
{
    (void)state;
    for (unsigned int levels = 0; levels < 8; levels++) {
        const struct hyp_ept_needs needs = {.levels = levels};

        assert_int_equal(hyp_ept_check(CAP_ALL, &needs),
                         levels == 4 || levels == 5 ? HYP_EPT_LACKS_NOTHING : HYP_EPT_LACKS_LEVELS);
    }
}

static void every_reason_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    assert_null(hyp_ept_lack_text(HYP_EPT_LACKS_NOTHING));
    for (int i = HYP_EPT_LACKS_NOTHING + 1; i < HYP_EPT_LACK_COUNT; i++) {
        assert_non_null(hyp_ept_lack_text((enum hyp_ept_lack)i));
        for (int k = HYP_EPT_LACKS_NOTHING + 1; k < i; k++)
            assert_string_not_equal(hyp_ept_lack_text((enum hyp_ept_lack)i),
                                    hyp_ept_lack_text((enum hyp_ept_lack)k));
    }
}

static void expect_best(uint64_t cap, unsigned int ia_bits, struct hyp_ept_needs expected)
{
    const struct hyp_ept_needs best = hyp_ept_best(cap, ia_bits);

    assert_int_equal(best.levels, expected.levels);
    assert_int_equal(best.max_block_level, expected.max_block_level);
    assert_int_equal(best.ad, expected.ad);
    assert_int_equal(best.xonly, expected.xonly);
}

static void the_best_use_of_a_cpu_follows_its_capabilities(void **state)
{
    (void)state;
    expect_best(CAP_ALL, 48, all_of_4);
    expect_best(CAP_ALL, 49, all_of_5);
    expect_best(CAP_ALL, 32, all_of_4);
    expect_best(CAP_ALL & ~HYP_BIT(17), 48, (struct hyp_ept_needs){4, 1, true, true});
    expect_best(CAP_ALL & ~HYP_BIT(16), 48, (struct hyp_ept_needs){4, 0, true, true});
    expect_best(CAP_ALL & ~HYP_BIT(21), 48, (struct hyp_ept_needs){4, 2, false, true});
    expect_best(CAP_ALL & ~HYP_BIT(0), 48, (struct hyp_ept_needs){4, 2, true, false});
}

static void eptp_values_are_those_of_the_manual(void **state)
{
    const hyp_pa_t root = hyp_pa(0x123456000);

    (void)state;
    /* Write-back 6, levels less one in 5:3, accessed and dirty in 6, the root from bit 12 on. */
    assert_int_equal(hyp_ept_eptp(root, 4, true), 0x12345605e);
    assert_int_equal(hyp_ept_eptp(root, 4, false), 0x12345601e);
    assert_int_equal(hyp_ept_eptp(root, 5, true), 0x123456066);
    assert_int_equal(hyp_ept_eptp(root, 5, false), 0x123456026);
    assert_int_equal(hyp_ept_eptp(hyp_pa(0xfffffffffffff), 4, true), 0xffffffffff05e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_missing_capability_has_its_own_reason),
        cmocka_unit_test(what_is_not_needed_is_not_asked_for),
        cmocka_unit_test(other_numbers_of_levels_do_not_exist),
        cmocka_unit_test(every_reason_has_a_sentence_of_its_own),
        cmocka_unit_test(the_best_use_of_a_cpu_follows_its_capabilities),
        cmocka_unit_test(eptp_values_are_those_of_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
