/* SPDX-License-Identifier: MIT */
/* Guests from reservation to the return of their last page, memcaches, and their hypercalls. */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#include <stdlib.h>

#define P HRIG_PFN
#define G HRIG_GFN

#define expect_same(rig, call, err)                                                                \
    do {                                                                                           \
        struct hyp_rig_snapshot before_;                                                           \
        hyp_rig_save(&before_, (rig));                                                             \
        assert_int_equal((call), (err));                                                           \
        assert_true(hyp_rig_same(&before_, (rig)));                                                \
        hyp_rig_forget(&before_);                                                                  \
    } while (0)

static struct hyp_vm_params params_at(hyp_pfn_t pfn, bool is_protected)
{
    return (struct hyp_vm_params){.is_protected = is_protected,
                                  .ipa_bits = 40,
                                  .pgd = hyp_rig_pa(pfn),
                                  .pgd_pages = 4,
                                  .meta = hyp_rig_pa(pfn + 8),
                                  .meta_pages = 2};
}

/* ---- slots ---- */

static void handles_count_up_from_their_base_until_slots_run_out(void **state)
{
    struct hyp_rig rig;
    hyp_handle_t handle;

    (void)state;
    hyp_rig_start(&rig); /* two of four slots are taken */
    assert_int_equal(hyp_vm_handle(rig.vcpu[HRIG_NP]->vm), 0x1000);
    assert_int_equal(hyp_vm_handle(rig.vcpu[HRIG_PV]->vm), 0x1001);
    assert_int_equal(rig.vcpu[HRIG_PV]->vm->pgt.vmid, 2);
    assert_int_equal(hyp_vm_reserve(&rig.hyp, &handle), HYP_OK);
    assert_int_equal(handle, 0x1002);
    assert_null(hyp_vm_find(&rig.hyp, handle));
    assert_int_equal(hyp_vm_reserve(&rig.hyp, &handle), HYP_OK);
    expect_same(&rig, hyp_vm_reserve(&rig.hyp, &handle), HYP_ENOMEM);
    assert_int_equal(hyp_vm_unreserve(&rig.hyp, 0x1002), HYP_OK);
    expect_same(&rig, hyp_vm_unreserve(&rig.hyp, 0x1002), HYP_ENOENT);
    expect_same(&rig, hyp_vm_unreserve(&rig.hyp, 0x1000), HYP_ENOENT);
    expect_same(&rig, hyp_vm_unreserve(&rig.hyp, 0xfff), HYP_ENOENT);
    expect_same(&rig, hyp_vm_unreserve(&rig.hyp, 0x1004), HYP_ENOENT);
    assert_int_equal(hyp_vm_reserve(&rig.hyp, &handle), HYP_OK);
    assert_int_equal(handle, 0x1002);
    hyp_rig_free(&rig);
}

static void init_refuses_bad_pages_and_donates_nothing_then(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm_params good = params_at(P, true), bad;
    hyp_handle_t handle;

    (void)state;
    hyp_rig_start(&rig);
    expect_same(&rig, hyp_vm_init(&rig.hyp, 0x1002, &good), HYP_ENOENT);
    expect_same(&rig, hyp_vm_init(&rig.hyp, 0x1000, &good), HYP_ENOENT);
    assert_int_equal(hyp_vm_reserve(&rig.hyp, &handle), HYP_OK);
    bad = good;
    bad.ipa_bits = 41;
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EINVAL);
    bad.ipa_bits = 31;
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EINVAL);
    bad = good;
    bad.pgd_pages = HRIG_EITHER(1, 0); /* the root has two, and one with EPT */
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EINVAL);
    bad = good;
    bad.pgd = HRIG_EITHER(hyp_rig_pa(P + 1), hyp_pa_add(hyp_rig_pa(P), 8));
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EINVAL);
    bad = good;
    bad.meta.v += 8;
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EINVAL);
    bad = good;
    bad.meta_pages = 0;
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EINVAL);
    bad = good;
    bad.meta = hyp_pa(HRIG_NOMAP);
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EPERM);
    bad = good;
    bad.pgd = hyp_pa(HRIG_NOMAP);
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EPERM);
    bad.pgd = hyp_pa(UINT64_C(1) << 40);
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &bad), HYP_EINVAL);
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P + 9), HYP_OK);
    expect_same(&rig, hyp_vm_init(&rig.hyp, handle, &good), HYP_EPERM);
    assert_int_equal(hyp_host_unshare_hyp(&rig.hyp, P + 9), HYP_OK);
    /* The second donation fails: the first is taken back. */
    assert_int_equal(hyp_host_share_hyp(&rig.hyp, P + 3), HYP_OK);
    assert_int_equal(hyp_vm_init(&rig.hyp, handle, &good), HYP_EPERM);
    assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P + 8)), HYP_PAGE_OWNED);
    assert_true(hyp_rig_sound(&rig));
    assert_null(hyp_vm_find(&rig.hyp, handle));
    assert_int_equal(hyp_host_unshare_hyp(&rig.hyp, P + 3), HYP_OK);
    assert_int_equal(hyp_vm_init(&rig.hyp, handle, &good), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void init_with_too_few_tables_donates_nothing(void **state)
{
    static struct hyp_rig_drain drain;
    struct hyp_rig rig;
    struct hyp_vm_params params = params_at(P, true);
    hyp_handle_t handle;
    uint64_t left;

    (void)state;
    params.pgd = hyp_rig_pa(P + 512 * 4 - 2); /* its pages need two tables */
    hyp_rig_start(&rig);
    assert_int_equal(hyp_vm_reserve(&rig.hyp, &handle), HYP_OK);
    for (left = 0;; left++) {
        enum hyp_err err;

        hyp_rig_drain(&drain, &rig.hyp.pool, left);
        err = hyp_vm_init(&rig.hyp, handle, &params);
        hyp_rig_refill(&drain);
        assert_true(hyp_rig_sound(&rig));
        if (err == HYP_OK)
            break;
        assert_int_equal(err, HYP_ENOMEM);
        assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P + 8)), HYP_PAGE_OWNED);
        assert_null(hyp_vm_find(&rig.hyp, handle));
    }
    assert_int_equal(left, 3);
    hyp_rig_free(&rig);
}

static void metadata_starts_out_empty(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm_params params = params_at(P, true);
    hyp_handle_t handle;

    (void)state;
    hyp_rig_start(&rig);
    hyp_rig_dirty(&rig, P + 8, 0xa5); /* what the host would like to be registers */
    hyp_rig_dirty(&rig, P + 9, 0xa5);
    hyp_rig_dirty(&rig, P + 16, 0xa5);
    assert_int_equal(hyp_vm_reserve(&rig.hyp, &handle), HYP_OK);
    assert_int_equal(hyp_vm_init(&rig.hyp, handle, &params), HYP_OK);
    assert_int_equal(hyp_vcpu_init(&rig.hyp, handle, hyp_rig_pa(P + 16)), HYP_OK);
    assert_true(hyp_rig_is_zero(&rig, P + 8));
    assert_true(hyp_rig_is_zero(&rig, P + 9));
    assert_true(hyp_rig_is_zero(&rig, P + 16));
    hyp_rig_free(&rig);
}

static void references_saturate_instead_of_wrapping(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    hyp_rig_page(&rig, rig.vms[0].meta.v >> 12)->refcount = UINT16_MAX;
    assert_null(hyp_vm_get(&rig.hyp, 0x1000));
    expect_same(&rig, hyp_vcpu_load(&rig.hyp, 0, 0x1000, 0), HYP_EBUSY);
    hyp_rig_free(&rig);
}

static void vcpus_are_added_until_there_are_enough(void **state)
{
    struct hyp_rig rig;
    unsigned int i;

    (void)state;
    hyp_rig_start(&rig);
    expect_same(&rig, hyp_vcpu_init(&rig.hyp, 0x1000, hyp_pa((P << 12) + 8)), HYP_EINVAL);
    expect_same(&rig, hyp_vcpu_init(&rig.hyp, 0x1000, hyp_pa(HRIG_NOMAP)), HYP_EPERM);
    expect_same(&rig, hyp_vcpu_init(&rig.hyp, 0x1002, hyp_rig_pa(P)), HYP_ENOENT);
    for (i = 1; i < HYP_VCPUS_MAX; i++)
        assert_int_equal(hyp_vcpu_init(&rig.hyp, 0x1000, hyp_rig_pa(P + i)), HYP_OK);
    expect_same(&rig, hyp_vcpu_init(&rig.hyp, 0x1000, hyp_rig_pa(P + i)), HYP_EINVAL);
    expect_same(&rig, hyp_vcpu_init(&rig.hyp, 0x1001, hyp_rig_pa(P + 1)), HYP_EPERM);
    assert_int_equal(rig.vms[0].vcpu_count, HYP_VCPUS_MAX);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

/* ---- load ---- */

static void a_vcpu_is_loaded_on_one_cpu_and_a_cpu_loads_one_vcpu(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    expect_same(&rig, hyp_vcpu_load(&rig.hyp, HRIG_CPUS, 0x1000, 0), HYP_EINVAL);
    expect_same(&rig, hyp_vcpu_load(&rig.hyp, 0, 0x1003, 0), HYP_ENOENT);
    expect_same(&rig, hyp_vcpu_load(&rig.hyp, 0, 0x1000, 1), HYP_ENOENT);
    assert_int_equal(hyp_vcpu_load(&rig.hyp, 0, 0x1000, 0), HYP_OK);
    assert_ptr_equal(hyp_vcpu_loaded(&rig.hyp, 0), rig.vcpu[HRIG_NP]);
    assert_null(hyp_vcpu_loaded(&rig.hyp, 1));
    expect_same(&rig, hyp_vcpu_load(&rig.hyp, 1, 0x1000, 0), HYP_EBUSY);
    expect_same(&rig, hyp_vcpu_load(&rig.hyp, 0, 0x1001, 0), HYP_EBUSY);
    expect_same(&rig, hyp_vm_start_teardown(&rig.hyp, 0x1000), HYP_EINVAL);
    assert_int_equal(hyp_vcpu_put(&rig.hyp, 0), HYP_OK);
    expect_same(&rig, hyp_vcpu_put(&rig.hyp, 0), HYP_EINVAL);
    expect_same(&rig, hyp_vcpu_put(&rig.hyp, 99), HYP_EINVAL);
    assert_int_equal(hyp_vcpu_load(&rig.hyp, 1, 0x1000, 0), HYP_OK);
    hyp_rig_free(&rig);
}

static void a_reference_keeps_teardown_away(void **state)
{
    struct hyp_rig rig;
    struct hyp_vm *vm;

    (void)state;
    hyp_rig_start(&rig);
    vm = hyp_vm_get(&rig.hyp, 0x1000);
    assert_ptr_equal(vm, &rig.vms[0]);
    expect_same(&rig, hyp_vm_start_teardown(&rig.hyp, 0x1000), HYP_EINVAL);
    hyp_vm_put(&rig.hyp, vm);
    assert_int_equal(hyp_vm_start_teardown(&rig.hyp, 0x1000), HYP_OK);
    expect_same(&rig, hyp_vm_start_teardown(&rig.hyp, 0x1000), HYP_EINVAL);
    assert_null(hyp_vm_get(&rig.hyp, 0x1000));
    expect_same(&rig, hyp_vcpu_load(&rig.hyp, 0, 0x1000, 0), HYP_ENOENT);
    assert_true(FAKE_PANICS(&rig.fake, hyp_vm_put(&rig.hyp, vm)));
    hyp_rig_free(&rig);
}

/* ---- memcache ---- */

static void a_refill_trusts_a_link_only_after_the_donation(void **state)
{
    struct hyp_rig rig;
    struct hyp_vcpu *vcpu;
    struct hyp_host_memcache mc = {hyp_rig_pa(P), 3};

    (void)state;
    hyp_rig_start(&rig);
    vcpu = rig.vcpu[HRIG_NP];
    fake_mem_store(&rig.fake.mem, P << 12, (P + 5) << 12);
    fake_mem_store(&rig.fake.mem, (P + 5) << 12, ((P + 6) << 12) + 8);
    rig.fake.record = 1u << FAKE_LOCK;
    assert_int_equal(hyp_vcpu_refill(&rig.hyp, vcpu, &mc, 6), HYP_OK);
    assert_int_equal(vcpu->mc.count, 6);
    assert_int_equal(mc.count, 1);
    assert_int_equal(hyp_page_hyp_state(hyp_rig_page(&rig, P + 5)), HYP_PAGE_OWNED);
    /* The next link points into the middle of a page. */
    expect_same(&rig, hyp_vcpu_refill(&rig.hyp, vcpu, &mc, 7), HYP_EINVAL);
    /* A page that is not the host's ends it, with what was moved kept. */
    mc = (struct hyp_host_memcache){hyp_rig_pa(P), 1};
    expect_same(&rig, hyp_vcpu_refill(&rig.hyp, vcpu, &mc, 7), HYP_EPERM);
    assert_int_equal(mc.count, 1);
    mc.count = 0;
    expect_same(&rig, hyp_vcpu_refill(&rig.hyp, vcpu, &mc, 7), HYP_ENOMEM);
    assert_int_equal(hyp_vcpu_refill(&rig.hyp, vcpu, &mc, 6), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

/* ---- teardown ---- */

static void a_guest_is_finalised_only_when_nothing_is_mapped(void **state)
{
    struct hyp_rig rig;
    struct hyp_host_memcache out = {{0}, 0};

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    expect_same(&rig, hyp_vm_reclaim_page(&rig.hyp, 0x1001, G), HYP_EINVAL);
    expect_same(&rig, hyp_vm_finalize(&rig.hyp, 0x1001, &out), HYP_EINVAL);
    assert_int_equal(hyp_vm_start_teardown(&rig.hyp, 0x1001), HYP_OK);
    expect_same(&rig, hyp_vm_finalize(&rig.hyp, 0x1001, &out), HYP_EBUSY);
    assert_int_equal(hyp_vm_reclaim_page(&rig.hyp, 0x1001, G), HYP_OK);
    expect_same(&rig, hyp_vm_reclaim_page(&rig.hyp, 0x1001, G), HYP_ENOENT);
    assert_int_equal(hyp_vm_finalize(&rig.hyp, 0x1001, &out), HYP_OK);
    assert_null(hyp_vm_find(&rig.hyp, 0x1001));
    expect_same(&rig, hyp_vm_reclaim_page(&rig.hyp, 0x1001, G), HYP_EINVAL);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

/* Host pages that the host does not own any more. */
static unsigned int foreign_pages(struct hyp_rig *rig)
{
    hyp_pfn_t pfn, end = (HRIG_RAM0 + HRIG_RAM0_SIZE) >> 12;
    unsigned int count = 0;

    for (pfn = HRIG_PFN; pfn < end; pfn++)
        count += hyp_page_host_state(hyp_rig_page(rig, pfn)) != HYP_PAGE_OWNED;
    return count;
}

/* One invalidation of the whole VMID, with its barriers around it. */
static void expect_vmid_flush(const struct hyp_rig *rig, unsigned int vmid)
{
    const struct fake_call *call = rig->fake.calls;
    size_t i, found = 0;

    if (hyp_rig_is_x86()) {
        assert_int_equal(rig->fake.tlbis[HYP_TLBI_INVEPT], 1);
        return;
    }
    for (i = 1; i + 2 < rig->fake.call_count; i++) {
        if (call[i].kind != FAKE_TLBI || call[i].op != HYP_TLBI_VMALLS12E1IS)
            continue;
        found++;
        assert_int_equal(call[i].vmid, vmid);
        assert_true(call[i - 1].kind == FAKE_BARRIER && call[i - 1].op == HYP_DSB_ISHST);
        assert_true(call[i + 1].kind == FAKE_BARRIER && call[i + 1].op == HYP_DSB_ISH);
        assert_true(call[i + 2].kind == FAKE_BARRIER && call[i + 2].op == HYP_ISB);
    }
    assert_int_equal(found, 1);
}

static void the_host_gets_every_page_back_wiped_and_chained(void **state)
{
    struct hyp_rig rig;
    struct hyp_host_memcache out = {{0}, 0};
    hyp_pa_t page, meta;
    unsigned int g, count = 0;

    (void)state;
    hyp_rig_start(&rig);
    meta = rig.vms[1].meta;
    for (g = 0; g < 4; g++) { /* far apart: many tables */
        hyp_rig_fill(&rig, rig.vcpu[HRIG_PV], 4);
        assert_int_equal(
            hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P + g, (uint64_t)g << 20), HYP_OK);
        hyp_rig_dirty(&rig, P + g, 0xa5);
    }
    assert_int_equal(hyp_force_reclaim(&rig.hyp, hyp_rig_pa(P)), HYP_OK); /* poison stays behind */
    assert_int_equal(hyp_vm_start_teardown(&rig.hyp, 0x1001), HYP_OK);
    for (g = 0; g < 4; g++)
        assert_int_equal(hyp_vm_reclaim_page(&rig.hyp, 0x1001, (uint64_t)g << 20), HYP_OK);
    hyp_rig_dirty(&rig, rig.vcpu[HRIG_PV]->meta.v >> 12, 0xa5);
    hyp_rig_dirty(&rig, meta.v >> 12, 0xa5); /* metadata: the guest's registers */
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_vm_finalize(&rig.hyp, 0x1001, &out), HYP_OK);
    expect_vmid_flush(&rig, 2);
    for (page = out.head; count < out.count; count++) {
        uint64_t next = fake_mem_load(&rig.fake.mem, page.v);

        assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, page.v >> 12)), HYP_PAGE_OWNED);
        fake_mem_store(&rig.fake.mem, page.v, 0);
        assert_true(hyp_rig_is_zero(&rig, page.v >> 12)); /* apart from the link */
        page = hyp_pa(next);
    }
    assert_int_equal(page.v, 0);
    assert_true(out.count >= 2 + 4);
    assert_true(hyp_rig_is_zero(&rig, meta.v >> 12));
    assert_true(hyp_rig_is_zero(&rig, rig.vcpu[HRIG_PV]->meta.v >> 12));
    /* What is left away belongs to the other guest: root, metadata, vCPU, memcache. */
    assert_int_equal(foreign_pages(&rig), 2 + 1 + 1 + 4);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void a_slot_can_be_used_again_after_finalize(void **state)
{
    struct hyp_rig rig;
    struct hyp_host_memcache out = {{0}, 0};
    struct hyp_vm_params params = params_at(P, false);
    hyp_handle_t handle;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_vm_start_teardown(&rig.hyp, 0x1001), HYP_OK);
    assert_int_equal(hyp_vm_finalize(&rig.hyp, 0x1001, &out), HYP_OK);
    assert_int_equal(hyp_vm_reserve(&rig.hyp, &handle), HYP_OK);
    assert_int_equal(handle, 0x1001);
    assert_int_equal(hyp_vm_init(&rig.hyp, handle, &params), HYP_OK);
    assert_int_equal(hyp_vm_find(&rig.hyp, handle)->vcpu_count, 0);
    expect_same(&rig, hyp_vcpu_load(&rig.hyp, 0, handle, 0), HYP_ENOENT);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

/* ---- the guest's own hypercalls ---- */

#define MEMINFO UINT64_C(0xc6000002)
#define SHARE   UINT64_C(0xc6000003)
#define UNSHARE UINT64_C(0xc6000004)
#define INVALID (~UINT64_C(0) - 2)

static uint64_t call_guest(struct hyp_rig *rig, uint64_t id, uint64_t x1, uint64_t x2, uint64_t x3)
{
    struct hyp_guest_regs regs = {{id, x1, x2, x3}, 0x1004};

    assert_int_equal(hyp_guest_hcall(&rig->hyp, rig->vcpu[HRIG_PV], &regs), HYP_GUEST_RESUME);
    assert_int_equal(regs.pc, 0x1004);
    return regs.x[0];
}

static void a_guest_shares_and_unshares_its_page(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, rig.vcpu[HRIG_PV], P, G), HYP_OK);
    assert_int_equal(call_guest(&rig, MEMINFO, 0, 0, 0), 4096);
    assert_int_equal(call_guest(&rig, MEMINFO, 1, 0, 0), INVALID);
    assert_int_equal(call_guest(&rig, SHARE, G << 12, 0, 0), 0);
    assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P)), HYP_PAGE_SHARED_BORROWED);
    assert_int_equal(call_guest(&rig, SHARE, G << 12, 0, 0), INVALID);
    assert_int_equal(call_guest(&rig, UNSHARE, (G << 12) + 8, 0, 0), INVALID);
    assert_int_equal(call_guest(&rig, UNSHARE, G << 12, 1, 0), INVALID);
    assert_int_equal(call_guest(&rig, UNSHARE, G << 12, 0, 1), INVALID);
    assert_int_equal(call_guest(&rig, UNSHARE, G << 12, 0, 0), 0);
    assert_int_equal(hyp_page_host_state(hyp_rig_page(&rig, P)), HYP_PAGE_NOPAGE);
    assert_int_equal(call_guest(&rig, UNSHARE, (G + 1) << 12, 0, 0), INVALID);
    assert_int_equal(call_guest(&rig, SHARE, UINT64_C(1) << 40, 0, 0), INVALID);
    hyp_rig_free(&rig);
}

static void sharing_a_missing_page_asks_the_host_for_it(void **state)
{
    struct hyp_rig rig;
    struct hyp_guest_regs regs = {{SHARE, G << 12, 0, 0}, 0x1004};

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_guest_hcall(&rig.hyp, rig.vcpu[HRIG_PV], &regs), HYP_GUEST_TO_HOST);
    assert_int_equal(regs.pc, HRIG_EITHER(0x1000, 0x1001)); /* the call runs again */
    assert_int_equal(regs.x[0], SHARE);
    assert_int_equal(rig.vcpu[HRIG_PV]->fault_esr, HRIG_EITHER(0x92000047, 2));
    assert_int_equal(rig.vcpu[HRIG_PV]->fault_ipa.v, G << 12);
    hyp_rig_free(&rig);
}

static void other_calls_and_other_guests_go_to_the_host(void **state)
{
    struct hyp_rig rig;
    struct hyp_guest_regs regs = {{0x84000000, 0, 0, 0}, 0x1004};

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_guest_hcall(&rig.hyp, rig.vcpu[HRIG_PV], &regs), HYP_GUEST_TO_HOST);
    assert_int_equal(regs.pc, 0x1004);
    regs.x[0] = MEMINFO;
    assert_int_equal(hyp_guest_hcall(&rig.hyp, rig.vcpu[HRIG_NP], &regs), HYP_GUEST_TO_HOST);
    assert_int_equal(regs.x[0], MEMINFO);
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_count_up_from_their_base_until_slots_run_out),
        cmocka_unit_test(init_refuses_bad_pages_and_donates_nothing_then),
        cmocka_unit_test(init_with_too_few_tables_donates_nothing),
        cmocka_unit_test(metadata_starts_out_empty),
        cmocka_unit_test(references_saturate_instead_of_wrapping),
        cmocka_unit_test(vcpus_are_added_until_there_are_enough),
        cmocka_unit_test(a_vcpu_is_loaded_on_one_cpu_and_a_cpu_loads_one_vcpu),
        cmocka_unit_test(a_reference_keeps_teardown_away),
        cmocka_unit_test(a_refill_trusts_a_link_only_after_the_donation),
        cmocka_unit_test(a_guest_is_finalised_only_when_nothing_is_mapped),
        cmocka_unit_test(the_host_gets_every_page_back_wiped_and_chained),
        cmocka_unit_test(a_slot_can_be_used_again_after_finalize),
        cmocka_unit_test(a_guest_shares_and_unshares_its_page),
        cmocka_unit_test(sharing_a_missing_page_asks_the_host_for_it),
        cmocka_unit_test(other_calls_and_other_guests_go_to_the_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
