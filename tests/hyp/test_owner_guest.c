/* SPDX-License-Identifier: MIT */
/*
 * Transitions with guests beyond the single-page table: blocks, share counts, memcache conditions,
 * contents of pages that come back, arguments, and what is flushed.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#define P       HRIG_PFN
#define G       HRIG_GFN
#define BLOCK   UINT64_C(512)
#define GFN_END (UINT64_C(1) << (40 - 12))

/* expect_same(rig, call, err): the call is refused with err and nothing has changed. */
#define expect_same(rig, call, err)                                                                \
    do {                                                                                           \
        struct hyp_rig_snapshot before_;                                                           \
        hyp_rig_save(&before_, (rig));                                                             \
        assert_int_equal((call), (err));                                                           \
        assert_true(hyp_rig_same(&before_, (rig)));                                                \
        hyp_rig_forget(&before_);                                                                  \
    } while (0)

static uint64_t guest_pte(const struct hyp_rig *rig, unsigned int which, uint64_t gfn,
                          unsigned int *level)
{
    return hyp_pgt_leaf(&rig->vcpu[which]->vm->pgt, (hyp_ia_t){gfn << 12}, level);
}

/* ---- sharing with guests that are not protected ---- */

static void share_refuses_bad_arguments_in_the_order_of_the_table(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G, 1, HYP_PROT_RW | HYP_PROT_DEVICE),
                HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G, 1, HYP_PROT_R | HYP_PROT_SW(0)),
                HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G, 0, HYP_PROT_RWX), HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G, 2, HYP_PROT_RWX), HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G, BLOCK - 1, HYP_PROT_RWX),
                HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P + 1, G, BLOCK, HYP_PROT_RWX),
                HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G + 1, BLOCK, HYP_PROT_RWX),
                HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, GFN_END, G, 1, HYP_PROT_RWX), HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, UINT64_MAX, G, 1, HYP_PROT_RWX),
                HYP_EINVAL);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, 0x9000, G, 1, HYP_PROT_RWX), HYP_EPERM);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, GFN_END, 1, HYP_PROT_RWX), HYP_ERANGE);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, UINT64_MAX, 1, HYP_PROT_RWX),
                HYP_ERANGE);
    hyp_rig_free(&rig);
}

static void a_block_is_shared_as_one_leaf_and_unshared_as_one_leaf(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;
    unsigned int level;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_NP]->vm;
    assert_int_equal(hyp_host_share_guest(&rig.hyp, rig.vcpu[HRIG_NP], P, G, BLOCK, HYP_PROT_RWX),
                     HYP_OK);
    assert_true(guest_pte(&rig, HRIG_NP, G + 5, &level) & 1);
    assert_int_equal(level, 1);
    assert_int_equal(hyp_rig_page(&rig, P)->share_count, 1);
    assert_int_equal(hyp_rig_page(&rig, P + BLOCK - 1)->share_count, 1);
    assert_int_equal(hyp_rig_page(&rig, P + BLOCK)->share_count, 0);
    assert_true(hyp_rig_sound(&rig));
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, vm, G, 1), HYP_E2BIG);
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, vm, G, 2), HYP_EINVAL);
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, vm, G + 1, BLOCK), HYP_EINVAL);
    assert_int_equal(hyp_host_unshare_guest(&rig.hyp, vm, G, BLOCK), HYP_OK);
    assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P + 7)), HYP_PAGE_OWNED);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void a_page_leaf_is_not_unshared_as_a_block(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_NP]->vm;
    assert_int_equal(hyp_host_share_guest(&rig.hyp, rig.vcpu[HRIG_NP], P, G, 1, HYP_PROT_R),
                     HYP_OK);
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, vm, G, BLOCK), HYP_E2BIG);
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, vm, GFN_END, 1), HYP_ENOENT);
    hyp_rig_free(&rig);
}

static void a_block_is_refused_when_any_guest_page_under_it_is_taken(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P + BLOCK, G + BLOCK - 1, 1, HYP_PROT_RWX),
                     HYP_OK);
    hyp_rig_fill(&rig, np, 4);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G, BLOCK, HYP_PROT_RWX), HYP_EPERM);
    /* And when any host page of it is not to be had. */
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P + 300), HYP_OK);
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G + BLOCK, BLOCK, HYP_PROT_RWX),
                HYP_EPERM);
    hyp_rig_free(&rig);
}

static void a_page_shared_twice_stays_shared_until_the_last_unshare(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P, G, 1, HYP_PROT_RWX), HYP_OK);
    hyp_rig_fill(&rig, np, 4);
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P, G + 9, 1, HYP_PROT_RWX), HYP_OK);
    assert_int_equal(hyp_rig_page(&rig, P)->share_count, 2);
    assert_true(hyp_rig_sound(&rig));
    assert_int_equal(hyp_host_unshare_guest(&rig.hyp, np->vm, G, 1), HYP_OK);
    assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P)), HYP_PAGE_SHARED_OWNED);
    assert_true(hyp_rig_sound(&rig));
    assert_int_equal(hyp_host_unshare_guest(&rig.hyp, np->vm, G + 9, 1), HYP_OK);
    assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P)), HYP_PAGE_OWNED);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void each_page_of_a_block_counts_its_own_shares(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P + 7, G + BLOCK, 1, HYP_PROT_R), HYP_OK);
    hyp_rig_fill(&rig, np, 4);
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P, G, BLOCK, HYP_PROT_RWX), HYP_OK);
    for (uint64_t i = 0; i < BLOCK; i++)
        assert_int_equal(hyp_rig_page(&rig, P + i)->share_count, i == 7 ? 2 : 1);
    assert_true(hyp_rig_sound(&rig));
    assert_int_equal(hyp_host_unshare_guest(&rig.hyp, np->vm, G, BLOCK), HYP_OK);
    for (uint64_t i = 0; i < BLOCK; i++) {
        assert_int_equal(hyp_rig_page(&rig, P + i)->share_count, i == 7);
        assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P + i)),
                         i == 7 ? HYP_PAGE_SHARED_OWNED : HYP_PAGE_OWNED);
    }
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void a_saturated_share_count_is_busy(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P, G, 1, HYP_PROT_RWX), HYP_OK);
    hyp_rig_fill(&rig, np, 4);
    hyp_rig_page(&rig, P)->share_count = UINT32_MAX;
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P, G + 1, 1, HYP_PROT_RWX), HYP_EBUSY);
    hyp_rig_free(&rig);
}

static void sharing_needs_a_full_walk_in_the_memcache_even_if_tables_exist(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np, *pv;
    uint32_t min;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    pv = rig.vcpu[HRIG_PV];
    min = HRIG_EITHER(2, 3); /* 40 bits: 3 levels, and always 4 with EPT */
    assert_int_equal(hyp_vcpu_refill_min(np), min);
    hyp_rig_fill(&rig, np,
                 min + 2); /* on x86 one of 3 tables is the page left over from the root */
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P, G, 1, HYP_PROT_RWX), HYP_OK);
    assert_int_equal(np->mc.count, min);
    np->mc.count = min - 1; /* one page short; the tables for G + 1 are there */
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, np, P + 1, G + 1, 1, HYP_PROT_RWX),
                HYP_ENOMEM);
    np->mc.count = min;
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P + 1, G + 1, 1, HYP_PROT_RWX), HYP_OK);
    assert_int_equal(np->mc.count, min);
    pv->mc.count = 1;
    expect_same(&rig, hyp_host_donate_guest(&rig.hyp, pv, P + 2, G), HYP_ENOMEM);
    hyp_rig_free(&rig);
}

static void calls_for_one_kind_of_guest_refuse_the_other(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np, *pv;
    bool young;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    pv = rig.vcpu[HRIG_PV];
    expect_same(&rig, hyp_host_share_guest(&rig.hyp, pv, P, G, 1, HYP_PROT_RWX), HYP_EPERM);
    expect_same(&rig, hyp_host_unshare_guest(&rig.hyp, pv->vm, G, 1), HYP_EPERM);
    expect_same(&rig, hyp_guest_relax(&rig.hyp, pv, G, HYP_PROT_RWX), HYP_EPERM);
    expect_same(&rig, hyp_guest_wrprotect(&rig.hyp, pv->vm, G, 1), HYP_EPERM);
    expect_same(&rig, hyp_guest_test_clear_young(&rig.hyp, pv->vm, G, 1, true, &young), HYP_EPERM);
    expect_same(&rig, hyp_guest_mkyoung(&rig.hyp, pv, G), HYP_EPERM);
    expect_same(&rig, hyp_host_donate_guest(&rig.hyp, np, P, G), HYP_EPERM);
    hyp_rig_free(&rig);
}

/* ---- rights ---- */

static void rights_follow_wrprotect_and_relax(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np;
    unsigned int level;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    expect_same(&rig, hyp_guest_relax(&rig.hyp, np, G, HYP_PROT_RWX | HYP_PROT_DEVICE), HYP_EINVAL);
    expect_same(&rig, hyp_guest_relax(&rig.hyp, np, G, HYP_PROT_RWX), HYP_EAGAIN);
    expect_same(&rig, hyp_guest_relax(&rig.hyp, np, GFN_END, HYP_PROT_RWX), HYP_ERANGE);
    expect_same(&rig, hyp_guest_wrprotect(&rig.hyp, np->vm, G, 3), HYP_EINVAL);
    expect_same(&rig, hyp_guest_wrprotect(&rig.hyp, np->vm, GFN_END, 1), HYP_ERANGE);
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P + 3, G + 3, 1, HYP_PROT_RWX), HYP_OK);
    /* The range starts with pages that are not mapped: they are skipped. */
    assert_int_equal(hyp_guest_wrprotect(&rig.hyp, np->vm, G, BLOCK), HYP_OK);
    assert_int_equal(hyp_pgt_prot(&np->vm->pgt, guest_pte(&rig, HRIG_NP, G + 3, &level)) &
                         HYP_PROT_RWX,
                     HYP_PROT_R | HYP_PROT_X);
    assert_true(hyp_rig_sound(&rig));
    assert_int_equal(hyp_guest_relax(&rig.hyp, np, G + 3, HYP_PROT_RWX), HYP_OK);
    assert_int_equal(hyp_pgt_prot(&np->vm->pgt, guest_pte(&rig, HRIG_NP, G + 3, &level)) &
                         HYP_PROT_RWX,
                     HYP_PROT_RWX);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void ageing_clears_and_sets_without_any_flush(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *np;
    bool young;

    (void)state;
    hyp_rig_start(&rig);
    np = rig.vcpu[HRIG_NP];
    assert_int_equal(hyp_host_share_guest(&rig.hyp, np, P + 3, G + 3, 1, HYP_PROT_RWX), HYP_OK);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_guest_test_clear_young(&rig.hyp, np->vm, G, BLOCK, false, &young), HYP_OK);
    assert_true(young);
    assert_int_equal(hyp_guest_test_clear_young(&rig.hyp, np->vm, G, BLOCK, true, &young), HYP_OK);
    assert_true(young);
    assert_int_equal(hyp_guest_test_clear_young(&rig.hyp, np->vm, G, BLOCK, true, &young), HYP_OK);
    assert_false(young);
    assert_int_equal(hyp_guest_mkyoung(&rig.hyp, np, G + 3), HYP_OK);
    assert_int_equal(hyp_guest_test_clear_young(&rig.hyp, np->vm, G + 3, 1, false, &young), HYP_OK);
    assert_true(young);
    /* One barrier publishes the bit that mkyoung sets; no translation is invalidated. */
    assert_string_equal(fake_port_text(&rig.fake), HRIG_EITHER("dsb-ishst", ""));
    hyp_rig_free(&rig);
}

/* ---- protected guests ---- */

static void a_donated_page_names_its_guest_in_the_hosts_table(void **state)
{
    struct hyp_rig rig;
    unsigned int level;
    uint64_t note;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, 0x12345), HYP_OK);
    note = hyp_host_leaf(&rig.hyp, hyp_ipa(P << 12), &level);
    /* Slot 1, so handle 0x1001; otherwise the golden value of the specification. */
    assert_int_equal(note, HRIG_EITHER(UINT64_C(0x2000001234510014),
                                       HRIG_EPT_NOTE(UINT64_C(0x8000048d1440050))));
    assert_int_equal(hyp_pgt_note(&rig.hyp.host.pgt, note), UINT64_C(0x2000001234510014));
    assert_int_equal(level, 0);
    hyp_rig_free(&rig);
}

static void a_reclaimed_page_comes_back_wiped(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_PV]->vm;
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    hyp_rig_dirty(&rig, P, 0xa5); /* the guest's secret */
    hyp_rig_dirty(&rig, P - 1, 0x11);
    hyp_rig_dirty(&rig, P + 1, 0x22);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_reclaim_guest_page(&rig.hyp, vm, G), HYP_OK);
    assert_true(hyp_rig_is_zero(&rig, P));
    assert_false(hyp_rig_is_zero(&rig, P - 1));
    assert_false(hyp_rig_is_zero(&rig, P + 1));
    assert_int_equal(rig.fake.cache_bytes[HYP_CACHE_CLEAN_POC], HRIG_EITHER(4096, 0));
    /* Taken from the guest, wiped through the fixmap, and only then given to the host. */
    assert_int_equal(rig.fake.tlbis[HRIG_EITHER(HYP_TLBI_VALE2IS, HYP_TLBI_INVLPG_ALL)], 1);
    assert_int_equal(hyp_reclaim_guest_page(&rig.hyp, vm, GFN_END), HYP_ERANGE);
    hyp_rig_free(&rig);
}

static void a_page_that_the_guest_lent_is_reclaimed_as_it_is(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_PV]->vm;
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    assert_int_equal(hyp_guest_share_host(&rig.hyp, vm, G), HYP_OK);
    hyp_rig_dirty(&rig, P, 0xa5); /* the host has read it anyway */
    assert_int_equal(hyp_reclaim_guest_page(&rig.hyp, vm, G), HYP_OK);
    assert_false(hyp_rig_is_zero(&rig, P));
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void a_page_taken_by_force_is_wiped_and_poisoned_for_good(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;
    unsigned int level;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_PV]->vm;
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    hyp_rig_dirty(&rig, P, 0xa5);
    fake_port_reset(&rig.fake);
    /* Any byte of the page will do: it is a fault address. */
    assert_int_equal(hyp_force_reclaim(&rig.hyp, hyp_pa((P << 12) + 0x123)), HYP_OK);
    assert_true(hyp_rig_is_zero(&rig, P));
    assert_int_equal(rig.fake.cache_bytes[HYP_CACHE_CLEAN_POC], HRIG_EITHER(4096, 0));
    assert_int_equal(guest_pte(&rig, HRIG_PV, G, &level),
                     HRIG_EITHER(UINT64_C(0x3000000000000000), UINT64_C(0x8c00000000000000)));
    assert_int_equal(level, 0);
    hyp_rig_fill(&rig, rig.vcpu[HRIG_PV], 4);
    expect_same(&rig, hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_EPERM);
    expect_same(&rig, hyp_guest_share_host(&rig.hyp, vm, G), HYP_EHWPOISON);
    expect_same(&rig, hyp_reclaim_guest_page(&rig.hyp, vm, G), HYP_OK);
    hyp_rig_free(&rig);
}

static void force_does_not_work_on_what_a_guest_that_is_gone_left(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_PV]->vm;
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    vm->state = HYP_VM_EMPTY;
    expect_same(&rig, hyp_force_reclaim(&rig.hyp, hyp_rig_pa(P)), HYP_EAGAIN);
    vm->state = HYP_VM_DYING;
    assert_int_equal(hyp_force_reclaim(&rig.hyp, hyp_rig_pa(P)), HYP_OK);
    hyp_rig_free(&rig);
}

static void lending_back_changes_software_bits_of_the_guest_only(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;
    unsigned int level;
    uint64_t before, after;

    (void)state;
    hyp_rig_start(&rig);
    vm = rig.vcpu[HRIG_PV]->vm;
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    before = guest_pte(&rig, HRIG_PV, G, &level);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_guest_share_host(&rig.hyp, vm, G), HYP_OK);
    after = guest_pte(&rig, HRIG_PV, G, &level);
    assert_int_equal(before ^ after, HYP_BIT(55));
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_IPAS2E1IS], 0);
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_INVEPT], 0);
    assert_int_equal(hyp_guest_unshare_host(&rig.hyp, vm, G), HYP_OK);
    assert_int_equal(guest_pte(&rig, HRIG_PV, G, &level), before);
    /* The host's mapping had to be broken. */
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_IPAS2E1IS], HRIG_EITHER(1, 0));
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_VMALLE1IS], HRIG_EITHER(1, 0));
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_INVEPT], HRIG_EITHER(0, 1));
    hyp_rig_free(&rig);
}

static void donation_to_a_guest_without_host_tables_changes_nothing(void **state)
{
    static struct hyp_rig_drain drain;
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    hyp_rig_drain(&drain, &rig.hyp.host.pool, 0);
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_ENOMEM);
    hyp_rig_refill(&drain);
    assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P)), HYP_PAGE_OWNED);
    assert_true(hyp_rig_sound(&rig));
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    hyp_rig_free(&rig);
}

/* ---- poison faults ---- */

static void a_poison_fault_is_told_from_others_by_the_saved_fault(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *pv;

    (void)state;
    hyp_rig_start(&rig);
    pv = rig.vcpu[HRIG_PV];
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, pv, P, G), HYP_OK);
    assert_int_equal(hyp_force_reclaim(&rig.hyp, hyp_rig_pa(P)), HYP_OK);
    pv->fault_esr = 0x92000007;
    pv->fault_ipa = hyp_ipa((G << 12) + 8);
    assert_int_equal(hyp_vcpu_in_poison_fault(&rig.hyp, pv), HYP_EINVAL); /* not loaded */
    assert_int_equal(hyp_vcpu_load(&rig.hyp, 1, hyp_vm_handle(pv->vm), 0), HYP_OK);
    assert_int_equal(hyp_vcpu_in_poison_fault(&rig.hyp, pv), 1);
    pv->fault_ipa = hyp_ipa((G + 1) << 12);
    assert_int_equal(hyp_vcpu_in_poison_fault(&rig.hyp, pv), 0);
    pv->fault_ipa = hyp_ipa(G << 12);
    pv->fault_esr = 0x9200000f; /* permission */
    assert_int_equal(hyp_vcpu_in_poison_fault(&rig.hyp, pv), HYP_EINVAL);
    pv->fault_esr = 0x92000007;
    pv->fault_ipa = hyp_ipa(GFN_END << 12);
    assert_int_equal(hyp_vcpu_in_poison_fault(&rig.hyp, pv), HYP_EINVAL);
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(share_refuses_bad_arguments_in_the_order_of_the_table),
        cmocka_unit_test(a_block_is_shared_as_one_leaf_and_unshared_as_one_leaf),
        cmocka_unit_test(a_page_leaf_is_not_unshared_as_a_block),
        cmocka_unit_test(a_block_is_refused_when_any_guest_page_under_it_is_taken),
        cmocka_unit_test(a_page_shared_twice_stays_shared_until_the_last_unshare),
        cmocka_unit_test(each_page_of_a_block_counts_its_own_shares),
        cmocka_unit_test(a_saturated_share_count_is_busy),
        cmocka_unit_test(sharing_needs_a_full_walk_in_the_memcache_even_if_tables_exist),
        cmocka_unit_test(calls_for_one_kind_of_guest_refuse_the_other),
        cmocka_unit_test(rights_follow_wrprotect_and_relax),
        cmocka_unit_test(ageing_clears_and_sets_without_any_flush),
        cmocka_unit_test(a_donated_page_names_its_guest_in_the_hosts_table),
        cmocka_unit_test(a_reclaimed_page_comes_back_wiped),
        cmocka_unit_test(a_page_that_the_guest_lent_is_reclaimed_as_it_is),
        cmocka_unit_test(a_page_taken_by_force_is_wiped_and_poisoned_for_good),
        cmocka_unit_test(force_does_not_work_on_what_a_guest_that_is_gone_left),
        cmocka_unit_test(lending_back_changes_software_bits_of_the_guest_only),
        cmocka_unit_test(donation_to_a_guest_without_host_tables_changes_nothing),
        cmocka_unit_test(a_poison_fault_is_told_from_others_by_the_saved_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
