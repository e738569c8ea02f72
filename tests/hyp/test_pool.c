/* SPDX-License-Identifier: MIT */
/* The buddy pool as its users see it; test_pool_model.c goes through all it can do. */
#include "tests/support/cmocka_all.h"
#include "tests/support/fake_port.h"

#define BIG_FIRST UINT64_C(0xc0000)

static struct hyp_page *descriptor(struct fake_machine *machine, hyp_pa_t pa)
{
    return hyp_page_of(&machine->vmemmap, pa);
}

static void a_fresh_pool_is_one_list_of_largest_blocks_in_order(void **state)
{
    struct fake_machine machine;

    (void)state;
    fake_machine_init(&machine, 12, BIG_FIRST, 4096, 4096);
    assert_int_equal(machine.pool.max_order, 10);
    assert_int_equal(machine.pool.free_pages, 4096);
    for (unsigned int order = 0; order < 10; order++)
        assert_int_equal(machine.pool.head[order], HYP_PAGE_NONE);
    for (uint32_t i = 0; i < 4096; i += 1024) {
        assert_int_equal(machine.vmemmap.base[i].order, 10);
        assert_int_equal(machine.vmemmap.base[i].next, i + 1024 < 4096 ? i + 1024 : HYP_PAGE_NONE);
    }
    fake_machine_free(&machine);
}

static void the_largest_order_follows_from_the_number_of_pages(void **state)
{
    static const struct {
        uint64_t count;
        unsigned int order;
    } rows[] = {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {1023, 10}, {1025, 10}, {5000, 10}};

    (void)state;
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_machine machine;

        fake_machine_init(&machine, 12, BIG_FIRST, 5000, rows[i].count);
        assert_int_equal(machine.pool.max_order, rows[i].order);
        assert_int_equal(machine.pool.free_pages, rows[i].count);
        fake_machine_free(&machine);
    }
}

static void all_pages_come_and_go_and_the_pool_is_whole_again(void **state)
{
    struct fake_machine machine;
    struct fake_snapshot before;
    hyp_pa_t pa[1024], one;

    (void)state;
    fake_machine_init(&machine, 12, BIG_FIRST, 1024, 1024);
    fake_snapshot_take(&before, &machine);
    for (unsigned int i = 0; i < 1024; i++) {
        assert_int_equal(hyp_pool_alloc(&machine.pool, 0, &pa[i]), HYP_OK);
        assert_int_equal(pa[i].v, (BIG_FIRST + i) << 12);
        fake_mem_set(&machine.fake.mem, pa[i].v, 0xa5, 4096);
    }
    assert_int_equal(hyp_pool_alloc(&machine.pool, 0, &one), HYP_ENOMEM);
    for (unsigned int i = 0; i < 1024; i++)
        hyp_pool_put(&machine.pool, pa[(i * 389) % 1024]);
    assert_true(fake_snapshot_same(&before, &machine));
    fake_snapshot_free(&before);
    fake_machine_free(&machine);
}

static void a_refused_allocation_changes_nothing(void **state)
{
    struct fake_machine machine;
    struct fake_snapshot before;
    hyp_pa_t pa;

    (void)state;
    fake_machine_init(&machine, 12, BIG_FIRST, 64, 64);
    assert_int_equal(hyp_pool_alloc(&machine.pool, 0, &pa), HYP_OK);
    fake_snapshot_take(&before, &machine);
    assert_int_equal(hyp_pool_alloc(&machine.pool, 6, &pa), HYP_ENOMEM);
    assert_int_equal(hyp_pool_alloc(&machine.pool, HYP_MAX_ORDER + 1, &pa), HYP_ENOMEM);
    assert_true(fake_snapshot_same(&before, &machine));
    fake_snapshot_free(&before);
    fake_machine_free(&machine);
}

static void page_states_survive_the_pool(void **state)
{
    struct fake_machine machine;
    struct hyp_page *page;

    (void)state;
    fake_machine_init(&machine, 12, BIG_FIRST, 8, 0);
    page = &machine.vmemmap.base[1];
    hyp_page_set_hyp_state(page, HYP_PAGE_OWNED);
    page->host_state = HYP_PAGE_NOPAGE;
    assert_int_equal(
        hyp_pool_init(&machine.pool, &machine.fake.port, &machine.vmemmap, BIG_FIRST, 8, 0, NULL),
        HYP_OK);
    assert_int_equal(hyp_page_hyp_state(page), HYP_PAGE_OWNED);
    assert_int_equal(hyp_page_host_state(page), HYP_PAGE_NOPAGE);
    fake_machine_free(&machine);
}

static void what_the_descriptors_held_before_does_not_matter(void **state)
{
    struct fake_machine clean, used;

    (void)state;
    fake_machine_init(&clean, 12, BIG_FIRST, 16, 0);
    fake_machine_init(&used, 12, BIG_FIRST, 16, 0);
    for (unsigned int i = 0; i < 16; i++) {
        used.vmemmap.base[i].next = i + 1;
        used.vmemmap.base[i].prev = i + 2;
        used.vmemmap.base[i].refcount = 3;
        used.vmemmap.base[i].order = 2;
    }
    assert_int_equal(
        hyp_pool_init(&clean.pool, &clean.fake.port, &clean.vmemmap, BIG_FIRST, 16, 5, NULL),
        HYP_OK);
    assert_int_equal(
        hyp_pool_init(&used.pool, &used.fake.port, &used.vmemmap, BIG_FIRST, 16, 5, NULL), HYP_OK);
    assert_memory_equal(clean.vmemmap.base, used.vmemmap.base, 16 * sizeof(struct hyp_page));
    fake_machine_free(&clean);
    fake_machine_free(&used);
}

static void a_pool_that_cannot_be_is_refused(void **state)
{
    struct fake_machine machine;
    struct hyp_pool pool;
    const struct hyp_port *port = &machine.fake.port;

    (void)state;
    fake_machine_init(&machine, 12, BIG_FIRST, 8, 0);
    assert_int_equal(hyp_pool_init(&pool, port, &machine.vmemmap, BIG_FIRST, 8, 9, NULL),
                     HYP_EINVAL);
    assert_int_equal(hyp_pool_init(&pool, port, &machine.vmemmap, BIG_FIRST - 1, 8, 0, NULL),
                     HYP_EINVAL);
    assert_int_equal(
        hyp_pool_init(&pool, port, &machine.vmemmap, BIG_FIRST, UINT64_C(0x100000000), 0, NULL),
        HYP_EINVAL);
    fake_machine_free(&machine);
}

static void a_policy_that_does_not_exist_is_refused(void **state)
{
    const struct hyp_pool_policy reuse = {(enum hyp_reuse)2, 0}, order = {0, HYP_MAX_ORDER + 1};
    struct fake_machine machine;
    struct hyp_pool pool;

    (void)state;
    fake_machine_init(&machine, 12, BIG_FIRST, 16, 16);
    assert_int_equal(
        hyp_pool_init(&pool, &machine.fake.port, &machine.vmemmap, BIG_FIRST, 8, 0, &reuse),
        HYP_EINVAL);
    assert_int_equal(
        hyp_pool_init(&pool, &machine.fake.port, &machine.vmemmap, BIG_FIRST, 8, 0, &order),
        HYP_EINVAL);
    fake_machine_free(&machine);
}

static void reference_counts_neither_overflow_nor_underflow(void **state)
{
    struct fake_machine machine;
    hyp_pa_t pa;

    (void)state;
    fake_machine_init(&machine, 12, BIG_FIRST, 8, 8);
    assert_int_equal(hyp_pool_alloc(&machine.pool, 0, &pa), HYP_OK);
    hyp_pool_get_many(&machine.pool, pa, UINT16_MAX - 1);
    assert_int_equal(descriptor(&machine, pa)->refcount, UINT16_MAX);
    assert_true(FAKE_PANICS(&machine.fake, hyp_pool_get(&machine.pool, pa)));
    hyp_pool_put_many(&machine.pool, pa, UINT16_MAX - 1);
    assert_int_equal(descriptor(&machine, pa)->refcount, 1);
    assert_true(FAKE_PANICS(&machine.fake, hyp_pool_put_many(&machine.pool, pa, 2)));
    hyp_pool_put(&machine.pool, pa);
    assert_true(FAKE_PANICS(&machine.fake, hyp_pool_put(&machine.pool, pa)));
    assert_true(FAKE_PANICS(&machine.fake, hyp_pool_get(&machine.pool, pa)));
    assert_true(FAKE_PANICS(&machine.fake, hyp_pool_split(&machine.pool, pa)));
    fake_machine_free(&machine);
}

static void an_external_page_is_zeroed_queued_and_never_merged(void **state)
{
    struct fake_machine machine;
    const hyp_pa_t outside[] = {{(BIG_FIRST + 2) << 12}, {(BIG_FIRST + 3) << 12}};
    hyp_pa_t pa;

    (void)state;
    fake_machine_init(&machine, 12, BIG_FIRST, 8, 0);
    for (unsigned int i = 0; i < 2; i++) {
        descriptor(&machine, outside[i])->refcount = 1;
        fake_mem_set(&machine.fake.mem, outside[i].v, 0xff, 4096);
        hyp_pool_put(&machine.pool, outside[i]);
        assert_true(fake_mem_is_zero(&machine.fake.mem, outside[i].v, 4096));
    }
    assert_int_equal(machine.pool.free_pages, 2);
    assert_int_equal(hyp_pool_alloc(&machine.pool, 1, &pa), HYP_ENOMEM);
    for (unsigned int i = 0; i < 2; i++) {
        assert_int_equal(hyp_pool_alloc(&machine.pool, 0, &pa), HYP_OK);
        assert_int_equal(pa.v, outside[i].v);
    }
    fake_machine_free(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_that_does_not_exist_is_refused),
        cmocka_unit_test(a_fresh_pool_is_one_list_of_largest_blocks_in_order),
        cmocka_unit_test(the_largest_order_follows_from_the_number_of_pages),
        cmocka_unit_test(all_pages_come_and_go_and_the_pool_is_whole_again),
        cmocka_unit_test(a_refused_allocation_changes_nothing),
        cmocka_unit_test(page_states_survive_the_pool),
        cmocka_unit_test(what_the_descriptors_held_before_does_not_matter),
        cmocka_unit_test(a_pool_that_cannot_be_is_refused),
        cmocka_unit_test(reference_counts_neither_overflow_nor_underflow),
        cmocka_unit_test(an_external_page_is_zeroed_queued_and_never_merged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
