/* SPDX-License-Identifier: MIT */
/* The two gates, the kinds of guests, and one pass through every hypercall. */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#include <hyp/hcall.h>

#define P HRIG_PFN
#define G HRIG_GFN

/* A call on CPU 0 with up to six arguments. */
#define CALL(rig, id, ...) hyp_hcall(&(rig)->hyp, 0, (id), (uint64_t[HYP_HCALL_ARGS]){__VA_ARGS__})

#define expect_same(rig, call, err)                                                                \
    do {                                                                                           \
        struct hyp_rig_snapshot before_;                                                           \
        hyp_rig_save(&before_, (rig));                                                             \
        assert_int_equal((call), (err));                                                           \
        assert_true(hyp_rig_same(&before_, (rig)));                                                \
        hyp_rig_forget(&before_);                                                                  \
    } while (0)

/* ---- gates ---- */

static void before_the_hypervisor_is_live_only_early_calls_pass(void **state)
{
    struct hyp_rig rig;
    uint64_t id;

    (void)state;
    hyp_rig_init(&rig);
    assert_int_equal(hyp_init(&rig.hyp, &rig.config), HYP_OK);
    for (id = HYP_HCALL_FIRST_RUNTIME; id < HYP_HCALL_COUNT; id++)
        expect_same(&rig, CALL(&rig, id, P, 1), HYP_HCALL_NOT_SUPPORTED);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PROT_FINALIZE, 0), HYP_EPERM);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PRIVATE_MAP, 0, 4096, HYP_PROT_RW | HYP_PROT_DEVICE),
                HYP_EPERM);
    assert_int_equal(CALL(&rig, HYP_HCALL_BOOT, 0), HYP_OK);
    expect_same(&rig, CALL(&rig, HYP_HCALL_BOOT, 0), HYP_EPERM);
    assert_int_equal(CALL(&rig, HYP_HCALL_PROT_FINALIZE, 0), HYP_OK);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PROT_FINALIZE, 0), HYP_EPERM);
    /* One of two CPUs is not under stage 2 yet. */
    for (id = HYP_HCALL_FIRST_RUNTIME; id < HYP_HCALL_COUNT; id++)
        expect_same(&rig, CALL(&rig, id, P, 1), HYP_HCALL_NOT_SUPPORTED);
    hyp_rig_free(&rig);
}

static void afterwards_early_calls_are_refused(void **state)
{
    struct hyp_rig rig;
    uint64_t id;

    (void)state;
    hyp_rig_start(&rig);
    for (id = 0; id < HYP_HCALL_FIRST_RUNTIME; id++)
        expect_same(&rig, CALL(&rig, id, 0, 4096, HYP_PROT_RW | HYP_PROT_DEVICE),
                    HYP_HCALL_NOT_SUPPORTED);
    hyp_rig_free(&rig);
}

static void unknown_numbers_and_cpus_are_refused_at_any_time(void **state)
{
    static const uint64_t ids[] = {HYP_HCALL_COUNT, 1000, UINT64_MAX, UINT64_C(1) << 32};
    struct hyp_rig rig;
    uint64_t args[HYP_HCALL_ARGS] = {P};
    size_t i;

    (void)state;
    hyp_rig_start(&rig);
    for (i = 0; i < 4; i++)
        expect_same(&rig, CALL(&rig, ids[i], P), HYP_HCALL_NOT_SUPPORTED);
    expect_same(&rig, hyp_hcall(&rig.hyp, HRIG_CPUS, HYP_HCALL_HOST_SHARE_HYP, args),
                HYP_HCALL_NOT_SUPPORTED);
    hyp_rig_free(&rig);
}

static void only_device_memory_may_be_mapped_privately(void **state)
{
    const uint64_t device = HYP_PROT_RW | HYP_PROT_DEVICE;
    struct hyp_rig rig;
    int64_t va;
    unsigned int level;

    (void)state;
    hyp_rig_init(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PRIVATE_MAP, P << 12, 4096, device), HYP_EPERM);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PRIVATE_MAP, HRIG_RAM0 - 4096, 8192, device), HYP_EPERM);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PRIVATE_MAP, UINT64_MAX - 4095, 8192, device),
                HYP_EPERM);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PRIVATE_MAP, 0x9000000, 4096, HYP_PROT_RW), HYP_EINVAL);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PRIVATE_MAP, 0x9000800, 4096, device), HYP_EINVAL);
    expect_same(&rig, CALL(&rig, HYP_HCALL_PRIVATE_MAP, 0x9000000, 0, device), HYP_EINVAL);
    va = CALL(&rig, HYP_HCALL_PRIVATE_MAP, 0x9000000, 0x1000, device);
    assert_true(va > 0);
    assert_int_equal(hyp_pgt_leaf(&rig.hyp.s1, (hyp_ia_t){(uint64_t)va}, &level),
                     HRIG_EITHER(UINT64_C(0x0040000009000753), UINT64_C(0x8000000009000073)));
    hyp_rig_free(&rig);
}

/* ---- kinds of guests ---- */

static void calls_for_one_kind_of_guest_refuse_the_other(void **state)
{
    static const uint64_t of_loaded_np[] = {HYP_HCALL_HOST_SHARE_GUEST, HYP_HCALL_GUEST_RELAX,
                                            HYP_HCALL_GUEST_MKYOUNG};
    static const uint64_t of_loaded_pv[] = {HYP_HCALL_HOST_DONATE_GUEST,
                                            HYP_HCALL_VCPU_IN_POISON_FAULT};
    static const uint64_t of_np_handle[] = {HYP_HCALL_HOST_UNSHARE_GUEST, HYP_HCALL_GUEST_WRPROTECT,
                                            HYP_HCALL_GUEST_TEST_CLEAR_YOUNG};
    struct hyp_rig rig;
    size_t i;

    (void)state;
    hyp_rig_start(&rig);
    /* Nothing is loaded at all. */
    for (i = 0; i < 3; i++)
        expect_same(&rig, CALL(&rig, of_loaded_np[i], P, G, 1, 7), HYP_EINVAL);
    for (i = 0; i < 2; i++)
        expect_same(&rig, CALL(&rig, of_loaded_pv[i], P, G), HYP_EINVAL);
    expect_same(&rig, CALL(&rig, HYP_HCALL_VCPU_REFILL, P << 12, 1, 9), HYP_EINVAL);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_LOAD, 0x1001, 0), HYP_OK);
    for (i = 0; i < 3; i++)
        expect_same(&rig, CALL(&rig, of_loaded_np[i], P, G, 1, 7), HYP_EINVAL);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_PUT, 0), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_LOAD, 0x1000, 0), HYP_OK);
    for (i = 0; i < 2; i++)
        expect_same(&rig, CALL(&rig, of_loaded_pv[i], P, G), HYP_EINVAL);
    for (i = 0; i < 3; i++) {
        expect_same(&rig, CALL(&rig, of_np_handle[i], 0x1001, G, 1), HYP_EINVAL);
        expect_same(&rig, CALL(&rig, of_np_handle[i], 0x1003, G, 1), HYP_EINVAL);
        expect_same(&rig, CALL(&rig, of_np_handle[i], 0x11000, G, 1), HYP_EINVAL);
        expect_same(&rig, CALL(&rig, of_np_handle[i], 0, G, 1), HYP_EINVAL);
    }
    hyp_rig_free(&rig);
}

/* ---- one pass ---- */

static void the_hosts_pages_go_to_the_hypervisor_by_calls(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(CALL(&rig, HYP_HCALL_HOST_SHARE_HYP, P), HYP_OK);
    expect_same(&rig, CALL(&rig, HYP_HCALL_HOST_SHARE_HYP, P), HYP_EPERM);
    assert_int_equal(CALL(&rig, HYP_HCALL_HOST_UNSHARE_HYP, P), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_HOST_DONATE_HYP, P, 3), HYP_OK);
    assert_int_equal(hyp_page_hyp_state(hyp_rig_page(&rig, P + 2)), HYP_PAGE_OWNED);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void an_unprotected_guest_lives_by_calls(void **state)
{
    struct hyp_rig rig;
    uint64_t args[HYP_HCALL_ARGS] = {P << 12, 1, 5};

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_LOAD, 0x1000, 0), HYP_OK);
    fake_mem_store(&rig.fake.mem, P << 12, 0x1234000);
    assert_int_equal(hyp_hcall(&rig.hyp, 0, HYP_HCALL_VCPU_REFILL, args), HYP_OK);
    assert_int_equal(args[0], 0x1234000);
    assert_int_equal(args[1], 0);
    assert_int_equal(rig.vcpu[HRIG_NP]->mc.count, 5);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_REFILL, 0, 0, UINT64_C(1) << 32), HYP_EINVAL);
    assert_int_equal(CALL(&rig, HYP_HCALL_HOST_SHARE_GUEST, P + 1, G, 1, HYP_PROT_R), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_GUEST_RELAX, G, HYP_PROT_RWX), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_GUEST_WRPROTECT, 0x1000, G, 1), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_GUEST_TEST_CLEAR_YOUNG, 0x1000, G, 1, 1), 1);
    assert_int_equal(CALL(&rig, HYP_HCALL_GUEST_TEST_CLEAR_YOUNG, 0x1000, G, 1, 1), 0);
    assert_int_equal(CALL(&rig, HYP_HCALL_GUEST_MKYOUNG, G), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_GUEST_TEST_CLEAR_YOUNG, 0x1000, G, 1, 0), 1);
    assert_int_equal(CALL(&rig, HYP_HCALL_HOST_UNSHARE_GUEST, 0x1000, G, 1), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_VM_START_TEARDOWN, 0x1000), HYP_EINVAL);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_PUT, 0), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_PUT, 0), HYP_EINVAL);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void a_protected_guest_is_born_and_dies_by_calls(void **state)
{
    struct hyp_rig rig;
    uint64_t args[HYP_HCALL_ARGS] = {0x1002};
    const unsigned int pages = HRIG_EITHER(2, 3); /* tables below the root */

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(CALL(&rig, HYP_HCALL_VM_RESERVE, 0), 0x1002);
    assert_int_equal(CALL(&rig, HYP_HCALL_VM_UNRESERVE, 0x1002), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_VM_UNRESERVE, UINT64_C(0x11002)), HYP_ENOENT);
    assert_int_equal(CALL(&rig, HYP_HCALL_VM_RESERVE, 0), 0x1002);
    /* Protected, 40 bits; a surplus of pages in the root instead of a memcache refill. */
    assert_int_equal(
        CALL(&rig, HYP_HCALL_VM_INIT, 0x1002, 1 | 40 << 8, (P + 16) << 12, 1, P << 12, 8), HYP_OK);
    assert_true(rig.vms[2].is_protected);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_INIT, 0x1002, (P + 17) << 12), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_LOAD, 0x1002, HYP_VCPUS_MAX), HYP_ENOENT);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_LOAD, 0x1002, 0), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_HOST_DONATE_GUEST, P + 20, G), HYP_ENOMEM);
    fake_mem_store(&rig.fake.mem, (P + 30) << 12, (P + 31) << 12);
    fake_mem_store(&rig.fake.mem, (P + 31) << 12, (P + 32) << 12);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_REFILL, (P + 30) << 12, pages, pages), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_HOST_DONATE_GUEST, P + 20, G), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_HOST_DONATE_GUEST, P + 21, G + 1), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_FORCE_RECLAIM, (P + 21) << 12), HYP_OK);
    rig.vms[2].vcpus[0].fault_esr = HRIG_EITHER(0x92000007, 1);
    rig.vms[2].vcpus[0].fault_ipa = hyp_ipa((G + 1) << 12);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_IN_POISON_FAULT, 0), 1);
    assert_int_equal(CALL(&rig, HYP_HCALL_VCPU_PUT, 0), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_VM_RECLAIM_PAGE, 0x1002, G), HYP_EINVAL);
    assert_int_equal(CALL(&rig, HYP_HCALL_VM_START_TEARDOWN, 0x1002), HYP_OK);
    assert_int_equal(CALL(&rig, HYP_HCALL_VM_RECLAIM_PAGE, 0x1002, G), HYP_OK);
    assert_int_equal(hyp_hcall(&rig.hyp, 0, HYP_HCALL_VM_FINALIZE, args), HYP_OK);
    assert_int_equal(args[1], 8 + pages);
    assert_int_equal(args[0] & 4095, 0);
    assert_in_range(args[0] >> 12, P, P + 29 + pages); /* the last page that was chained */
    assert_int_equal(hyp_hcall(&rig.hyp, 0, HYP_HCALL_VM_FINALIZE, args), HYP_EINVAL);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_hypervisor_is_live_only_early_calls_pass),
        cmocka_unit_test(afterwards_early_calls_are_refused),
        cmocka_unit_test(unknown_numbers_and_cpus_are_refused_at_any_time),
        cmocka_unit_test(only_device_memory_may_be_mapped_privately),
        cmocka_unit_test(calls_for_one_kind_of_guest_refuse_the_other),
        cmocka_unit_test(the_hosts_pages_go_to_the_hypervisor_by_calls),
        cmocka_unit_test(an_unprotected_guest_lives_by_calls),
        cmocka_unit_test(a_protected_guest_is_born_and_dies_by_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
