/* SPDX-License-Identifier: MIT */
/* The memcache. */
#include "tests/support/cmocka_all.h"
#include "tests/support/fake_port.h"

#define FIRST UINT64_C(0x80000)

static void pages_come_back_last_in_first_out_and_zeroed(void **state)
{
    struct fake_machine machine;
    struct hyp_memcache mc;
    hyp_pa_t pa;

    (void)state;
    fake_machine_init(&machine, 12, FIRST, 8, 0);
    hyp_memcache_init(&mc);
    for (uint64_t i = 0; i < 3; i++) {
        fake_mem_set(&machine.fake.mem, (FIRST + i) << 12, 0xee, 4096);
        hyp_memcache_push(&mc, &machine.vmemmap, hyp_pa((FIRST + i) << 12));
        assert_int_equal(mc.count, i + 1);
    }
    for (uint64_t i = 3; i-- > 0;) {
        const struct hyp_page *page = &machine.vmemmap.base[i];

        assert_int_equal(hyp_memcache_pop(&mc, &machine.fake.port, &machine.vmemmap, &pa), HYP_OK);
        assert_int_equal(pa.v, (FIRST + i) << 12);
        assert_true(fake_mem_is_zero(&machine.fake.mem, pa.v, 4096));
        assert_int_equal(page->refcount, 1);
        assert_int_equal(page->order, 0);
        assert_int_equal(page->next, 0);
        assert_int_equal(page->prev, 0);
    }
    assert_int_equal(hyp_memcache_pop(&mc, &machine.fake.port, &machine.vmemmap, &pa), HYP_ENOMEM);
    assert_int_equal(mc.count, 0);
    assert_int_equal(mc.head, HYP_PAGE_NONE);
    fake_machine_free(&machine);
}

static void what_a_page_contains_does_not_lead_the_cache_astray(void **state)
{
    struct fake_machine machine;
    struct hyp_memcache mc;
    hyp_pa_t pa;

    (void)state;
    fake_machine_init(&machine, 12, FIRST, 8, 0);
    hyp_memcache_init(&mc);
    hyp_memcache_push(&mc, &machine.vmemmap, hyp_pa((FIRST + 1) << 12));
    hyp_memcache_push(&mc, &machine.vmemmap, hyp_pa((FIRST + 2) << 12));
    fake_mem_set(&machine.fake.mem, (FIRST + 2) << 12, 0x77, 4096);
    assert_int_equal(hyp_memcache_pop(&mc, &machine.fake.port, &machine.vmemmap, &pa), HYP_OK);
    assert_int_equal(hyp_memcache_pop(&mc, &machine.fake.port, &machine.vmemmap, &pa), HYP_OK);
    assert_int_equal(pa.v, (FIRST + 1) << 12);
    fake_machine_free(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_come_back_last_in_first_out_and_zeroed),
        cmocka_unit_test(what_a_page_contains_does_not_lead_the_cache_astray),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
