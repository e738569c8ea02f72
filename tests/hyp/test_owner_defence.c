/* SPDX-License-Identifier: MIT */
/*
 * The second line: what the core does when its own state is not as it left it, at the edges of
 * ranges, and what it tells listeners. A state that contradicts itself is refused, never followed.
 */
#include "hyp/hyp_priv.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#define P       HRIG_PFN
#define G       HRIG_GFN
#define GFN_END (UINT64_C(1) << (40 - 12))

#define expect_same(rig, call, err)                                                                \
    do {                                                                                           \
        struct hyp_rig_snapshot before_;                                                           \
        hyp_rig_save(&before_, (rig));                                                             \
        assert_int_equal((call), (err));                                                           \
        assert_true(hyp_rig_same(&before_, (rig)));                                                \
        hyp_rig_forget(&before_);                                                                  \
    } while (0)

/* Writes a guest's entry behind the core's back. */
static void plant(struct hyp_rig *rig, unsigned int which, uint64_t gfn, hyp_pfn_t pfn,
                  uint64_t count, enum hyp_page_state state)
{
    struct hyp_vcpu *vcpu = rig->vcpu[which];

    hyp_rig_fill(rig, vcpu, 4);
    assert_int_equal(hyp_pgt_map(&vcpu->vm->pgt, (hyp_ia_t){gfn << 12}, count << 12,
                                 hyp_rig_pa(pfn), HYP_PROT_RWX | hyp_prot_of_state(state),
                                 &vcpu->mc),
                     HYP_OK);
}

/* ---- contradictions ---- */

static void a_guests_entry_without_the_hosts_consent_is_not_unshared(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_NP]->vm;
    plant(&rig, HRIG_NP, G, P, 1, HYP_PAGE_SHARED_BORROWED);
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, vm, G, 1), HYP_EPERM);
    assert_int_equal(hyp_host_share_ffa(&rig.hyp, P, 1), HYP_OK);
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, vm, G, 1), HYP_EPERM);
    plant(&rig, HRIG_NP, G + 1, P + 1, 1, HYP_PAGE_OWNED);
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, vm, G + 1, 1), HYP_EPERM);
    hyp_rig_free(&rig);
}

static void one_wrong_page_of_a_block_refuses_its_unsharing(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;
    unsigned int i;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_NP]->vm;
    assert_int_equal(hyp_host_share_guest(&rig.hyp, rig.vcpu[HRIG_NP], P, G, 512, HYP_PROT_RWX),
                     HYP_OK);
    for (i = 0; i < 512; i += 101) {
        hyp_rig_page(&rig, P + i)->borrower = HYP_BORROWER_FFA;
        assert_int_equal(hyp_host_unshare_guest(&rig.hyp, vm, G, 512), HYP_EPERM);
        hyp_rig_page(&rig, P + i)->borrower = HYP_BORROWER_GUEST;
        hyp_rig_page(&rig, P + i)->host_state = HYP_PAGE_OWNED;
        assert_int_equal(hyp_host_unshare_guest(&rig.hyp, vm, G, 512), HYP_EPERM);
        hyp_rig_page(&rig, P + i)->host_state = HYP_PAGE_SHARED_OWNED;
    }
    assert_int_equal(hyp_host_unshare_guest(&rig.hyp, vm, G, 512), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void both_sides_must_agree_before_a_guest_lends_or_takes_back(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_PV]->vm;
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    hyp_page_set_host_state(hyp_rig_page(&rig, P), HYP_PAGE_OWNED);
    expect_same(&rig, hyp_guest_share_host(&rig.hyp, vm, G), HYP_EPERM);
    hyp_page_set_host_state(hyp_rig_page(&rig, P), HYP_PAGE_NOPAGE);
    assert_int_equal(hyp_guest_share_host(&rig.hyp, vm, G), HYP_OK);
    hyp_page_set_host_state(hyp_rig_page(&rig, P), HYP_PAGE_OWNED);
    expect_same(&rig, hyp_guest_unshare_host(&rig.hyp, vm, G), HYP_EPERM);
    hyp_rig_free(&rig);
}

static void a_block_of_a_protected_guest_is_too_big_for_page_calls(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_PV]->vm;
    plant(&rig, HRIG_PV, G, P, 512, HYP_PAGE_OWNED);
    expect_same(&rig, hyp_guest_share_host(&rig.hyp, vm, G + 3), HYP_E2BIG);
    expect_same(&rig, hyp_guest_unshare_host(&rig.hyp, vm, G), HYP_E2BIG);
    expect_same(&rig, hyp_reclaim_guest_page(&rig.hyp, vm, G), HYP_E2BIG);
    hyp_rig_free(&rig);
}

static void what_a_guest_borrows_is_not_reclaimed_from_it(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    plant(&rig, HRIG_PV, G, P, 1, HYP_PAGE_SHARED_BORROWED);
    expect_same(&rig, hyp_reclaim_guest_page(&rig.hyp, rig.vcpu[HRIG_PV]->vm, G), HYP_EPERM);
    hyp_rig_free(&rig);
}

static void force_follows_a_note_only_to_the_page_it_names(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;
    hyp_ia_t ia = {G << 12};

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_PV]->vm;
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    hyp_rig_dirty(&rig, P, 0xa5);
    /* The guest's entry is gone, then names another page, then says that it is lent. */
    assert_int_equal(hyp_pgt_unmap(&vm->pgt, ia, 4096, NULL), HYP_OK);
    expect_same(&rig, hyp_force_reclaim(&rig.hyp, hyp_rig_pa(P)), HYP_ENOENT);
    plant(&rig, HRIG_PV, G, P + 1, 1, HYP_PAGE_OWNED);
    expect_same(&rig, hyp_force_reclaim(&rig.hyp, hyp_rig_pa(P)), HYP_EPERM);
    assert_int_equal(hyp_pgt_unmap(&vm->pgt, ia, 4096, NULL), HYP_OK);
    plant(&rig, HRIG_PV, G, P, 1, HYP_PAGE_SHARED_OWNED);
    expect_same(&rig, hyp_force_reclaim(&rig.hyp, hyp_rig_pa(P)), HYP_EPERM);
    hyp_rig_free(&rig);
}

static void notes_other_than_poison_are_no_page_for_a_guest(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *pv;

    (void)state;
    hyp_rig_start(&rig);
    pv = rig.vcpu[HRIG_PV];
    assert_int_equal(hyp_pgt_annotate(&pv->vm->pgt, (hyp_ia_t){G << 12}, 4096, HYP_NOTE_DONATED,
                                      hyp_note_of_hyp(), &pv->mc),
                     HYP_OK);
    expect_same(&rig, hyp_guest_share_host(&rig.hyp, pv->vm, G), HYP_ENOENT);
    expect_same(&rig, hyp_reclaim_guest_page(&rig.hyp, pv->vm, G), HYP_ENOENT);
    hyp_rig_free(&rig);
}

/* ---- edges ---- */

static void donation_to_a_guest_checks_pages_and_addresses(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *pv;

    (void)state;
    hyp_rig_start(&rig);
    pv = rig.vcpu[HRIG_PV];
    expect_same(&rig, hyp_host_donate_guest(&rig.hyp, pv, HRIG_NOMAP >> 12, G), HYP_EPERM);
    expect_same(&rig, hyp_host_donate_guest(&rig.hyp, pv, 0x9000, G), HYP_EPERM);
    expect_same(&rig, hyp_host_donate_guest(&rig.hyp, pv, UINT64_C(1) << 28, G), HYP_EINVAL);
    expect_same(&rig, hyp_host_donate_guest(&rig.hyp, pv, P, GFN_END), HYP_ERANGE);
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, pv, P, GFN_END - 1), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void the_neighbour_of_a_block_does_not_matter(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P + 512, G + 512, 1, HYP_PROT_RWX), HYP_OK);
    hyp_rig_fill(&rig, np, 4);
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P, G, 512, HYP_PROT_RWX), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void an_empty_pin_is_refused_wherever_it_is(void **state)
{
    struct hyp_rig rig;
    hyp_pa_t pa = hyp_rig_pa(P);

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P), HYP_OK);
    expect_same(&rig, hyp_pin(&rig.hyp, pa, pa), HYP_EINVAL);
    expect_same(&rig, hyp_pin(&rig.hyp, hyp_pa_add(pa, 8), hyp_pa_add(pa, 8)), HYP_EINVAL);
    expect_same(&rig, hyp_pin(&rig.hyp, hyp_pa_add(pa, 16), hyp_pa_add(pa, 8)), HYP_EINVAL);
    hyp_rig_free(&rig);
}

static void a_pinned_page_is_marked_as_borrowed_in_hyp_stage_1(void **state)
{
    struct hyp_rig rig;
    hyp_pa_t pa = hyp_rig_pa(P);
    unsigned int level;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P), HYP_OK);
    assert_int_equal(hyp_pin(&rig.hyp, pa, hyp_pa_add(pa, 1)), HYP_OK);
    assert_int_equal(hyp_pgt_leaf(&rig.hyp.s1, hyp_ia_from_va(hyp_linear_va(&rig.hyp, pa)), &level),
                     HRIG_EITHER(UINT64_C(0x0140000000000743), UINT64_C(0x8100000000000063)) |
                         pa.v);
    hyp_rig_free(&rig);
}

static void ram_checks_are_exact_at_both_ends(void **state)
{
    struct hyp_rig rig;
    const struct hyp_host *host = &rig.hyp.host;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_check_ram(host, HRIG_RAM1, HRIG_RAM1_SIZE), HYP_OK);
    assert_int_equal(hyp_host_check_ram(host, HRIG_RAM1, HRIG_RAM1_SIZE + 1), HYP_EINVAL);
    assert_int_equal(hyp_host_check_ram(host, HRIG_RAM1 - 1, 2), HYP_EINVAL);
    assert_int_equal(hyp_host_check_ram(host, HRIG_RAM1 - 1, 1), HYP_EPERM);
    assert_int_equal(hyp_host_check_ram(host, HRIG_RAM1 + HRIG_RAM1_SIZE - 1, 1), HYP_OK);
    assert_int_equal(hyp_host_check_ram(host, HRIG_RAM1 + HRIG_RAM1_SIZE, 1), HYP_EPERM);
    hyp_rig_free(&rig);
}

static void eager_rebuilding_stays_inside_the_region(void **state)
{
    struct hyp_host_policy policy = {HYP_FORCE_BY_PROT, HYP_REBUILD_EAGER, 2};
    struct hyp_rig rig;
    hyp_pfn_t first = HRIG_RAM1 >> 12, end = (HRIG_RAM1 + HRIG_RAM1_SIZE) >> 12;
    unsigned int level;

    (void)state;
    hyp_rig_start_with(&rig, policy);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, first, 1), HYP_OK);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, first, 1), HYP_OK);
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa((first - 1) << 12), &level), 0);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, end - 1, 1), HYP_OK);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, end - 1, 1), HYP_OK);
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa(end << 12), &level), 0);
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa((end - 2) << 12), &level), 0);
    hyp_rig_free(&rig);
}

static void eager_rebuilding_reaches_the_last_block_of_a_region(void **state)
{
    struct hyp_host_policy policy = {HYP_FORCE_BY_PROT, HYP_REBUILD_EAGER, 2};
    struct hyp_rig rig;
    hyp_pfn_t end = (HRIG_RAM0 + HRIG_RAM0_SIZE) >> 12;
    unsigned int level;

    (void)state;
    hyp_rig_start_with(&rig, policy);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, end - 1, 1), HYP_OK);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, end - 1, 1), HYP_OK);
    assert_true(hyp_host_leaf(&rig.hyp, hyp_ipa((end - 1) << 12), &level) & 1);
    assert_int_equal(level, 1);
    hyp_rig_free(&rig);
}

static void a_fault_maps_one_leaf_of_the_allowed_size_and_no_more(void **state)
{
    struct hyp_host_policy policy = {HYP_FORCE_BY_PROT, HYP_REBUILD_LAZY, 1};
    struct hyp_rig rig;
    unsigned int level;

    (void)state;
    hyp_rig_start_with(&rig, policy);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(0x9000000)), HYP_HOST_MAPPED);
    assert_true(hyp_host_leaf(&rig.hyp, hyp_ipa(0x9000000), &level) & 1);
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa(0x9200000), &level), 0);
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa(0x8fff000), &level), 0);
    hyp_rig_free(&rig);
}

static void taking_back_a_lent_page_without_tables_changes_nothing(void **state)
{
    static struct hyp_rig_drain drain;
    struct hyp_host_policy policy = {HYP_FORCE_BY_PROT, HYP_REBUILD_EAGER, 2};
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start_with(&rig, policy);
    vm = rig.vcpu[HRIG_PV]->vm;
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    assert_int_equal(hyp_guest_share_host(&rig.hyp, vm, G), HYP_OK);
    /* The host has one block there by now, which has to be broken again. */
    hyp_rig_drain(&drain, &rig.hyp.host.pool, 0);
    assert_int_equal(hyp_guest_unshare_host(&rig.hyp, vm, G), HYP_ENOMEM);
    hyp_rig_refill(&drain);
    assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P)), HYP_PAGE_SHARED_BORROWED);
    assert_true(hyp_rig_sound(&rig));
    assert_int_equal(hyp_guest_unshare_host(&rig.hyp, vm, G), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

/* ---- what listeners hear ---- */

static void expect_transition(struct hyp_rig *rig, enum hyp_transition transition, uint64_t count)
{
    size_t i, heard = 0;

    for (i = 0; i < rig->fake.call_count; i++) {
        const struct fake_call *call = &rig->fake.calls[i];

        if (call->kind != FAKE_EVENT || call->op != HYP_EV_TRANSITION)
            continue;
        heard++;
        assert_int_equal(call->level, transition);
        assert_int_equal(call->addr, P << 12);
        assert_int_equal(call->size, count << 12);
    }
    assert_int_equal(heard, 1);
    fake_port_reset(&rig->fake);
}

static void each_transition_is_told_once(void **state)
{
    struct hyp_rig rig;
    struct hyp *hyp = &rig.hyp;
    struct hyp_vcpu *np, *pv;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    pv = rig.vcpu[HRIG_PV];
    rig.fake.record = 1u << FAKE_EVENT;
    assert_int_equal(hyp_host_share_hyp(hyp, P), HYP_OK);
    expect_transition(&rig, HYP_TR_HOST_SHARE_HYP, 1);
    assert_int_equal(hyp_host_unshare_hyp(hyp, P), HYP_OK);
    expect_transition(&rig, HYP_TR_HOST_UNSHARE_HYP, 1);
    assert_int_equal(hyp_host_donate_hyp(hyp, P, 3), HYP_OK);
    expect_transition(&rig, HYP_TR_HOST_DONATE_HYP, 3);
    assert_int_equal(hyp_hyp_donate_host(hyp, P, 3), HYP_OK);
    expect_transition(&rig, HYP_TR_HYP_DONATE_HOST, 3);
    assert_int_equal(hyp_host_share_ffa(hyp, P, 2), HYP_OK);
    expect_transition(&rig, HYP_TR_HOST_SHARE_FFA, 2);
    assert_int_equal(hyp_host_unshare_ffa(hyp, P, 2), HYP_OK);
    expect_transition(&rig, HYP_TR_HOST_UNSHARE_FFA, 2);
    assert_int_equal(hyp_host_share_guest(hyp, np, P, G, 1, HYP_PROT_RWX), HYP_OK);
    expect_transition(&rig, HYP_TR_HOST_SHARE_GUEST, 1);
    assert_int_equal(hyp_host_unshare_guest(hyp, np->vm, G, 1), HYP_OK);
    expect_transition(&rig, HYP_TR_HOST_UNSHARE_GUEST, 1);
    assert_int_equal(hyp_host_donate_guest(hyp, pv, P, G), HYP_OK);
    expect_transition(&rig, HYP_TR_HOST_DONATE_GUEST, 1);
    assert_int_equal(hyp_guest_share_host(hyp, pv->vm, G), HYP_OK);
    expect_transition(&rig, HYP_TR_GUEST_SHARE_HOST, 1);
    assert_int_equal(hyp_guest_unshare_host(hyp, pv->vm, G), HYP_OK);
    expect_transition(&rig, HYP_TR_GUEST_UNSHARE_HOST, 1);
    assert_int_equal(hyp_reclaim_guest_page(hyp, pv->vm, G), HYP_OK);
    expect_transition(&rig, HYP_TR_RECLAIM_GUEST, 1);
    hyp_rig_fill(&rig, pv, 4);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_host_donate_guest(hyp, pv, P, G), HYP_OK);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_force_reclaim(hyp, hyp_rig_pa(P)), HYP_OK);
    expect_transition(&rig, HYP_TR_FORCE_RECLAIM, 1);
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guests_entry_without_the_hosts_consent_is_not_unshared),
        cmocka_unit_test(one_wrong_page_of_a_block_refuses_its_unsharing),
        cmocka_unit_test(both_sides_must_agree_before_a_guest_lends_or_takes_back),
        cmocka_unit_test(a_block_of_a_protected_guest_is_too_big_for_page_calls),
        cmocka_unit_test(what_a_guest_borrows_is_not_reclaimed_from_it),
        cmocka_unit_test(force_follows_a_note_only_to_the_page_it_names),
        cmocka_unit_test(notes_other_than_poison_are_no_page_for_a_guest),
        cmocka_unit_test(donation_to_a_guest_checks_pages_and_addresses),
        cmocka_unit_test(the_neighbour_of_a_block_does_not_matter),
        cmocka_unit_test(an_empty_pin_is_refused_wherever_it_is),
        cmocka_unit_test(a_pinned_page_is_marked_as_borrowed_in_hyp_stage_1),
        cmocka_unit_test(ram_checks_are_exact_at_both_ends),
        cmocka_unit_test(eager_rebuilding_stays_inside_the_region),
        cmocka_unit_test(eager_rebuilding_reaches_the_last_block_of_a_region),
        cmocka_unit_test(a_fault_maps_one_leaf_of_the_allowed_size_and_no_more),
        cmocka_unit_test(taking_back_a_lent_page_without_tables_changes_nothing),
        cmocka_unit_test(each_transition_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
