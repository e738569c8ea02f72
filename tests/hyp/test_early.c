/* SPDX-License-Identifier: MIT */
/* The early allocator. */
#include "tests/support/cmocka_all.h"
#include "tests/support/fake_port.h"

#define BASE UINT64_C(0x80000000)

static void pages_come_in_order_and_zeroed(void **state)
{
    struct fake_port fake;
    struct hyp_early early;
    hyp_pa_t pa;

    (void)state;
    fake_port_init(&fake);
    fake_mem_set(&fake.mem, BASE, 0x5a, 8 * 4096);
    hyp_early_init(&early, &fake.port, 12, hyp_pa(BASE), 8 * 4096);
    assert_int_equal(hyp_early_used(&early), 0);
    assert_int_equal(hyp_early_alloc(&early, 1, &pa), HYP_OK);
    assert_int_equal(pa.v, BASE);
    assert_int_equal(hyp_early_alloc(&early, 3, &pa), HYP_OK);
    assert_int_equal(pa.v, BASE + 4096);
    assert_true(fake_mem_is_zero(&fake.mem, BASE, 4 * 4096));
    assert_false(fake_mem_is_zero(&fake.mem, BASE + 4 * 4096, 8));
    assert_int_equal(hyp_early_used(&early), 4);
    fake_port_free(&fake);
}

static void too_much_or_nothing_is_refused_and_changes_nothing(void **state)
{
    struct fake_port fake;
    struct hyp_early early;
    hyp_pa_t pa = {1};

    (void)state;
    fake_port_init(&fake);
    hyp_early_init(&early, &fake.port, 12, hyp_pa(BASE), 4 * 4096);
    assert_int_equal(hyp_early_alloc(&early, 0, &pa), HYP_EINVAL);
    assert_int_equal(hyp_early_alloc(&early, 5, &pa), HYP_ENOMEM);
    assert_int_equal(hyp_early_alloc(&early, UINT64_MAX, &pa), HYP_ENOMEM);
    assert_int_equal(hyp_early_used(&early), 0);
    assert_int_equal(fake.zeroed_bytes, 0);
    assert_int_equal(hyp_early_alloc(&early, 4, &pa), HYP_OK);
    assert_int_equal(hyp_early_alloc(&early, 1, &pa), HYP_ENOMEM);
    fake_port_free(&fake);
}

static void only_whole_pages_are_used(void **state)
{
    struct fake_port fake;
    struct hyp_early early;
    hyp_pa_t pa;

    (void)state;
    fake_port_init(&fake);
    hyp_early_init(&early, &fake.port, 16, hyp_pa(BASE + 8), 3 * 65536);
    assert_int_equal(hyp_early_alloc(&early, 2, &pa), HYP_OK);
    assert_int_equal(pa.v, BASE + 65536);
    assert_int_equal(hyp_early_alloc(&early, 1, &pa), HYP_ENOMEM);
    hyp_early_init(&early, &fake.port, 12, hyp_pa(BASE + 8), 4096);
    assert_int_equal(hyp_early_alloc(&early, 1, &pa), HYP_ENOMEM);
    fake_port_free(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_come_in_order_and_zeroed),
        cmocka_unit_test(too_much_or_nothing_is_refused_and_changes_nothing),
        cmocka_unit_test(only_whole_pages_are_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
