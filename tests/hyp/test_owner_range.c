/* SPDX-License-Identifier: MIT */
/*
 * Ranges between host, hypervisor and secure world: arguments, all-or-nothing, one walk for a
 * range, what is flushed, and want of memory at any point.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#define P         HRIG_PFN
#define RAM0_END  ((HRIG_RAM0 + HRIG_RAM0_SIZE) >> 12)
#define NOMAP_PFN (HRIG_NOMAP >> 12)
#define MMIO_PFN  (UINT64_C(0x9000000) >> 12)
#define PFN_END   (UINT64_C(1) << (40 - 12)) /* of the physical address space */

/* A call on [pfn, pfn + count), as the tests below pass it around. */
typedef enum hyp_err range_fn(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count);

static enum hyp_err share_one(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    return count == 1 ? hyp_host_share_hyp(hyp, pfn) : HYP_EINVAL;
}

static enum hyp_err pin_range(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    return hyp_pin(hyp, hyp_rig_pa(pfn), hyp_rig_pa(pfn + count));
}

static void expect_refusal(struct hyp_rig *rig, range_fn *call, hyp_pfn_t pfn, uint64_t count,
                           enum hyp_err err)
{
    struct hyp_rig_snapshot before;

    hyp_rig_save(&before, rig);
    assert_int_equal(call(&rig->hyp, pfn, count), err);
    assert_true(hyp_rig_same(&before, rig));
    hyp_rig_forget(&before);
}

/* ---- arguments ---- */

static void ranges_outside_usable_ram_are_refused_with_the_error_of_the_table(void **state)
{
    static range_fn *const calls[] = {hyp_host_donate_hyp, hyp_host_share_ffa,
                                      hyp_host_unshare_ffa};
    struct hyp_rig rig;
    size_t i;

    (void)state;
    hyp_rig_start(&rig);
    for (i = 0; i < 3; i++) {
        expect_refusal(&rig, calls[i], P, 0, HYP_EINVAL);
        expect_refusal(&rig, calls[i], PFN_END, 1, HYP_EINVAL);
        expect_refusal(&rig, calls[i], PFN_END - 1, 2, HYP_EINVAL);
        expect_refusal(&rig, calls[i], P, UINT64_MAX, HYP_EINVAL);
        expect_refusal(&rig, calls[i], P, UINT64_C(1) << 52, HYP_EINVAL);
        expect_refusal(&rig, calls[i], UINT64_MAX, 1, HYP_EINVAL);
        expect_refusal(&rig, calls[i], RAM0_END - 1, 2, HYP_EINVAL);
        expect_refusal(&rig, calls[i], RAM0_END, 1, HYP_EPERM);
        expect_refusal(&rig, calls[i], MMIO_PFN, 4, HYP_EPERM);
        expect_refusal(&rig, calls[i], NOMAP_PFN, 1, HYP_EPERM);
        expect_refusal(&rig, calls[i], NOMAP_PFN - 1, 2, HYP_EINVAL);
    }
    hyp_rig_free(&rig);
}

static void single_page_calls_check_ram_in_the_same_way(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    expect_refusal(&rig, share_one, PFN_END, 1, HYP_EINVAL);
    expect_refusal(&rig, share_one, UINT64_MAX >> 12, 1, HYP_EINVAL);
    expect_refusal(&rig, share_one, MMIO_PFN, 1, HYP_EPERM);
    expect_refusal(&rig, share_one, NOMAP_PFN, 1, HYP_EPERM);
    assert_int_equal(hyp_host_unshare_hyp(&rig.hyp, PFN_END), HYP_EINVAL);
    assert_int_equal(hyp_host_unshare_hyp(&rig.hyp, NOMAP_PFN), HYP_EPERM);
    expect_refusal(&rig, pin_range, RAM0_END - 1, 2, HYP_EINVAL);
    expect_refusal(&rig, pin_range, P, 0, HYP_EINVAL);
    assert_int_equal(hyp_force_reclaim(&rig.hyp, hyp_pa(MMIO_PFN << 12)), HYP_EFAULT);
    assert_int_equal(hyp_force_reclaim(&rig.hyp, hyp_pa(UINT64_MAX)), HYP_EFAULT);
    assert_int_equal(hyp_force_reclaim(&rig.hyp, hyp_pa(HRIG_NOMAP)), HYP_EFAULT);
    hyp_rig_free(&rig);
}

static void giving_back_what_has_no_descriptor_is_refused(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    expect_refusal(&rig, hyp_hyp_donate_host, P, 0, HYP_EINVAL);
    expect_refusal(&rig, hyp_hyp_donate_host, PFN_END - 1, 2, HYP_EINVAL);
    expect_refusal(&rig, hyp_hyp_donate_host, MMIO_PFN, 1, HYP_EPERM);
    expect_refusal(&rig, hyp_hyp_donate_host, RAM0_END - 1, 2, HYP_EPERM);
    hyp_rig_free(&rig);
}

static void the_last_and_first_page_of_odd_regions_can_be_donated(void **state)
{
    struct hyp_rig rig;
    hyp_pfn_t first = HRIG_RAM1 >> 12, count = HRIG_RAM1_SIZE >> 12;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, first, count), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, first, count), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

/* ---- all or nothing ---- */

static void one_foreign_page_anywhere_in_a_range_refuses_the_whole(void **state)
{
    struct hyp_rig rig;
    hyp_pfn_t odd;

    (void)state;
    hyp_rig_start(&rig);
    for (odd = P; odd < P + 4; odd++) {
        assert_int_equal(hyp_host_share_hyp(&rig.hyp, odd), HYP_OK);
        expect_refusal(&rig, hyp_host_donate_hyp, P, 4, HYP_EPERM);
        expect_refusal(&rig, hyp_host_share_ffa, P, 4, HYP_EPERM);
        assert_int_equal(hyp_host_unshare_hyp(&rig.hyp, odd), HYP_OK);
    }
    assert_int_equal(hyp_host_share_ffa(&rig.hyp, P, 3), HYP_OK);
    expect_refusal(&rig, hyp_host_unshare_ffa, P, 4, HYP_EPERM);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P + 4, 3), HYP_OK);
    expect_refusal(&rig, hyp_hyp_donate_host, P + 4, 4, HYP_EPERM);
    hyp_rig_free(&rig);
}

static void a_referenced_page_is_not_given_back_and_permission_comes_first(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 3), HYP_OK);
    hyp_rig_page(&rig, P)->refcount = 1;
    expect_refusal(&rig, hyp_hyp_donate_host, P, 3, HYP_EBUSY);
    expect_refusal(&rig, hyp_hyp_donate_host, P, 4, HYP_EPERM);
    hyp_rig_page(&rig, P)->refcount = 0;
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P, 3), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void descriptors_of_given_back_pages_are_clean(void **state)
{
    struct hyp_rig rig;
    const struct hyp_page *page;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 1), HYP_OK);
    hyp_rig_page(&rig, P)->next = 7; /* as a pool or a memcache leaves it */
    hyp_rig_page(&rig, P)->prev = 8;
    hyp_rig_page(&rig, P)->order = HYP_ORDER_TAIL;
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P, 1), HYP_OK);
    page = hyp_rig_page(&rig, P);
    assert_int_equal(page->share_count, 0);
    assert_int_equal(page->borrower, 0);
    assert_int_equal(page->order, 0);
    hyp_rig_free(&rig);
}

/* ---- tables and flushes ---- */

static void a_donated_range_is_mapped_by_pages_and_flushed_once(void **state)
{
    struct hyp_rig rig;
    unsigned int level;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 512), HYP_OK);
    /* Nothing was mapped before, so nothing is invalidated: barriers of publishing only. */
    assert_string_equal(fake_port_text(&rig.fake), HRIG_EITHER("dsb-ishst isb", ""));
    (void)hyp_pgt_leaf(&rig.hyp.s1, hyp_ia_from_va(hyp_linear_va(&rig.hyp, hyp_rig_pa(P))), &level);
    assert_int_equal(level, 0);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void giving_back_one_page_flushes_it_in_hyp_stage_1_only(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 8), HYP_OK);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P + 3, 1), HYP_OK);
    assert_int_equal(rig.fake.tlbis[HRIG_EITHER(HYP_TLBI_VALE2IS, HYP_TLBI_INVLPG_ALL)], 1);
    assert_int_equal(rig.fake.barriers[HYP_ISB], HRIG_EITHER(1, 0));
    assert_int_equal(rig.fake.barriers[HYP_DSB_ISHST] + rig.fake.barriers[HYP_DSB_ISH],
                     HRIG_EITHER(3, 0));
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_IPAS2E1IS], 0);
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_INVEPT], 0);
    hyp_rig_free(&rig);
}

static void sharing_and_unsharing_write_no_table_and_flush_nothing(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    rig.fake.record |= 1u << FAKE_STORE;
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P), HYP_OK);
    assert_int_equal(hyp_host_unshare_hyp(&rig.hyp, P), HYP_OK);
    assert_int_equal(hyp_host_share_ffa(&rig.hyp, P, 4), HYP_OK);
    assert_int_equal(hyp_host_unshare_ffa(&rig.hyp, P, 4), HYP_OK);
    assert_int_equal(rig.fake.call_count, 0);
    hyp_rig_free(&rig);
}

static void pins_count_and_only_the_first_and_last_touch_the_table(void **state)
{
    struct hyp_rig rig;
    hyp_pa_t from = hyp_rig_pa(P);

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P), HYP_OK);
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P + 1), HYP_OK);
    /* From the last byte of the first page to the first byte of the second: both. */
    assert_int_equal(hyp_pin(&rig.hyp, hyp_pa_add(from, 4095), hyp_pa_add(from, 4097)), HYP_OK);
    assert_int_equal(hyp_rig_page(&rig, P)->refcount, 1);
    assert_int_equal(hyp_rig_page(&rig, P + 1)->refcount, 1);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_pin(&rig.hyp, from, hyp_pa_add(from, 1)), HYP_OK);
    hyp_unpin(&rig.hyp, from, hyp_pa_add(from, 1));
    assert_string_equal(fake_port_text(&rig.fake), "");
    assert_true(hyp_rig_sound(&rig));
    hyp_unpin(&rig.hyp, from, hyp_pa_add(from, 8192));
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_VALE2IS], HRIG_EITHER(2, 0));
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_INVLPG_ALL], HRIG_EITHER(0, 3)); /* a table goes */
    assert_true(hyp_rig_sound(&rig));
    assert_true(FAKE_PANICS(&rig.fake, hyp_unpin(&rig.hyp, from, hyp_pa_add(from, 1))));
    hyp_rig_free(&rig);
}

static void a_saturated_pin_count_refuses_instead_of_wrapping(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P), HYP_OK);
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P + 1), HYP_OK);
    assert_int_equal(pin_range(&rig.hyp, P + 1, 1), HYP_OK);
    hyp_rig_page(&rig, P + 1)->refcount = UINT16_MAX;
    expect_refusal(&rig, pin_range, P, 2, HYP_EBUSY);
    hyp_rig_free(&rig);
}

/* ---- want of memory ---- */

/* What a failed call may leave: lazily rebuilt mappings aside, descriptors and soundness decide. */
static void expect_untouched(struct hyp_rig *rig, hyp_pfn_t pfn, uint64_t count,
                             enum hyp_page_state host, enum hyp_page_state hyp)
{
    uint64_t i;

    for (i = 0; i < count; i++) {
        assert_int_equal(hyp_page_host_state(hyp_rig_page(rig, pfn + i)), host);
        assert_int_equal(hyp_page_hyp_state(hyp_rig_page(rig, pfn + i)), hyp);
        assert_int_equal(hyp_rig_page(rig, pfn + i)->refcount, 0);
    }
    assert_true(hyp_rig_sound(rig));
}

/* Runs a call with n free pages in a pool, for each n until it succeeds; returns that n. */
static uint64_t starve(struct hyp_rig *rig, struct hyp_pool *pool, range_fn *call, hyp_pfn_t pfn,
                       uint64_t count, enum hyp_page_state host, enum hyp_page_state hyp)
{
    static struct hyp_rig_drain drain;
    uint64_t left;

    for (left = 0;; left++) {
        enum hyp_err err;

        hyp_rig_drain(&drain, pool, left);
        err = call(&rig->hyp, pfn, count);
        hyp_rig_refill(&drain);
        if (err == HYP_OK)
            return left;
        assert_int_equal(err, HYP_ENOMEM);
        expect_untouched(rig, pfn, count, host, hyp);
    }
}

static void donation_with_too_few_pages_for_either_table_changes_nothing(void **state)
{
    /* Across the border of two level-1 tables, none of which exists yet. */
    const hyp_pfn_t pfn = P + 512 * 3 - 2;
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(
        starve(&rig, &rig.hyp.pool, hyp_host_donate_hyp, pfn, 4, HYP_PAGE_OWNED, HYP_PAGE_NOPAGE),
        2);
    expect_refusal(&rig, hyp_host_donate_hyp, pfn, 4, HYP_EPERM);
    hyp_rig_free(&rig);

    hyp_rig_start(&rig);
    assert_int_equal(starve(&rig, &rig.hyp.host.pool, hyp_host_donate_hyp, pfn, 4, HYP_PAGE_OWNED,
                            HYP_PAGE_NOPAGE),
                     2);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void a_pin_that_runs_out_of_tables_unpins_what_it_had(void **state)
{
    const hyp_pfn_t pfn = P + 512 * 3 - 2;
    struct hyp_rig rig;
    hyp_pfn_t at;

    (void)state;
    hyp_rig_start(&rig);
    for (at = pfn; at < pfn + 4; at++)
        assert_int_equal(hyp_host_share_hyp(&rig.hyp, at), HYP_OK);
    assert_int_equal(starve(&rig, &rig.hyp.pool, pin_range, pfn, 4, HYP_PAGE_SHARED_OWNED,
                            HYP_PAGE_SHARED_BORROWED),
                     2);
    assert_int_equal(hyp_rig_page(&rig, pfn + 3)->refcount, 1);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void donation_takes_device_tables_when_it_must(void **state)
{
    static struct hyp_rig_drain drain;
    struct hyp_rig rig;
    hyp_ipa_t device = hyp_ipa(HRIG_RAM0 + HRIG_RAM0_SIZE + 4096); /* a page-mapped gap */
    unsigned int level;

    (void)state;
    hyp_rig_start(&rig);
    rig.hyp.host.pgt.max_block_level = 0;
    assert_int_equal(hyp_host_touch(&rig.hyp, device), HYP_HOST_MAPPED);
    hyp_rig_drain(&drain, &rig.hyp.host.pool, 0);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 1), HYP_OK);
    assert_int_equal(rig.fake.events[HYP_EV_HOST_RECYCLE], 1);
    assert_int_equal(hyp_host_leaf(&rig.hyp, device, &level), 0);
    hyp_rig_refill(&drain);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

/* ---- locks ---- */

static void each_call_takes_its_locks_once_and_in_order(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    rig.fake.record = 1u << FAKE_LOCK | 1u << FAKE_UNLOCK;
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 1), HYP_OK);
    assert_int_equal(rig.fake.call_count, 2);
    assert_int_equal(rig.fake.calls[0].op, HYP_LOCK_HOST | HYP_LOCK_HYP);
    assert_int_equal(rig.fake.calls[1].kind, FAKE_UNLOCK);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_host_share_ffa(&rig.hyp, P, 1), HYP_EPERM);
    assert_int_equal(rig.fake.call_count, 2);
    assert_int_equal(rig.fake.calls[0].op, HYP_LOCK_HOST);
    assert_int_equal(rig.fake.locks_held, 0);
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_outside_usable_ram_are_refused_with_the_error_of_the_table),
        cmocka_unit_test(single_page_calls_check_ram_in_the_same_way),
        cmocka_unit_test(giving_back_what_has_no_descriptor_is_refused),
        cmocka_unit_test(the_last_and_first_page_of_odd_regions_can_be_donated),
        cmocka_unit_test(one_foreign_page_anywhere_in_a_range_refuses_the_whole),
        cmocka_unit_test(a_referenced_page_is_not_given_back_and_permission_comes_first),
        cmocka_unit_test(descriptors_of_given_back_pages_are_clean),
        cmocka_unit_test(a_donated_range_is_mapped_by_pages_and_flushed_once),
        cmocka_unit_test(giving_back_one_page_flushes_it_in_hyp_stage_1_only),
        cmocka_unit_test(sharing_and_unsharing_write_no_table_and_flush_nothing),
        cmocka_unit_test(pins_count_and_only_the_first_and_last_touch_the_table),
        cmocka_unit_test(a_saturated_pin_count_refuses_instead_of_wrapping),
        cmocka_unit_test(donation_with_too_few_pages_for_either_table_changes_nothing),
        cmocka_unit_test(a_pin_that_runs_out_of_tables_unpins_what_it_had),
        cmocka_unit_test(donation_takes_device_tables_when_it_must),
        cmocka_unit_test(each_call_takes_its_locks_once_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
