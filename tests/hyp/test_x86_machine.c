/* SPDX-License-Identifier: MIT */
/*
 * Boot on x86: which configurations are refused, the roots that CPUs get, what the capabilities of
 * a CPU change, and the fixmap. Ownership is tested on both machines by the tests of it.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#include <hyp/ept.h>

#include "hyp/hyp_priv.h"

#define PA (HRIG_PFN << 12)

static void init(struct hyp_rig *rig)
{
    hyp_rig_init(rig);
    rig->config.arch = HYP_ARCH_X86;
}

static void boot(struct hyp_rig *rig)
{
    assert_int_equal(hyp_rig_boot(rig), HYP_OK);
}

/* ---- configurations ---- */

static void expect_init(enum hyp_err err, void (*change)(struct hyp_config *config))
{
    struct hyp_rig rig;

    init(&rig);
    change(&rig.config);
    assert_int_equal(hyp_init(&rig.hyp, &rig.config), err);
    assert_int_equal(rig.fake.call_count, 0);
    hyp_rig_free(&rig);
}

static void nothing(struct hyp_config *config)
{
    (void)config;
}

static void larger_pages(struct hyp_config *config)
{
    config->page_shift = 14;
}

static void wide_linear(struct hyp_config *config)
{
    config->va_bits = 48;
}

static void narrow_linear(struct hyp_config *config)
{
    config->va_bits = 46;
}

static void few_bits(struct hyp_config *config)
{
    config->pa_bits = 31;
}

static void many_bits(struct hyp_config *config)
{
    config->pa_bits = 53;
    config->ept_cap |= HYP_EPT_CAP_5_LEVELS;
}

static void odd_bits(struct hyp_config *config)
{
    config->pa_bits = 39;
}

static void no_capabilities(struct hyp_config *config)
{
    config->ept_cap = 0;
}

static void no_single_invept(struct hyp_config *config)
{
    config->ept_cap &= ~HYP_EPT_CAP_INVEPT_SINGLE;
}

static void no_write_back(struct hyp_config *config)
{
    config->ept_cap &= ~HYP_EPT_CAP_WB;
}

static void no_luxury(struct hyp_config *config)
{
    config->ept_cap &= ~(HYP_EPT_CAP_2M | HYP_EPT_CAP_1G | HYP_EPT_CAP_AD | HYP_EPT_CAP_XONLY);
}

static void another_machine(struct hyp_config *config)
{
    config->arch = (enum hyp_arch)2;
}

static void configurations_that_x86_cannot_serve_are_refused(void **state)
{
    (void)state;
    expect_init(HYP_OK, nothing);
    expect_init(HYP_OK, narrow_linear);
    expect_init(HYP_OK, odd_bits);
    expect_init(HYP_OK, no_luxury);
    expect_init(HYP_EINVAL, larger_pages);
    expect_init(HYP_EINVAL, wide_linear);
    expect_init(HYP_EINVAL, few_bits);
    expect_init(HYP_EINVAL, many_bits);
    expect_init(HYP_EINVAL, no_capabilities);
    expect_init(HYP_EINVAL, no_single_invept);
    expect_init(HYP_EINVAL, no_write_back);
    expect_init(HYP_EINVAL, another_machine);
}

static void pa_bits_beyond_48_need_five_levels_of_ept(void **state)
{
    static const struct {
        unsigned int pa_bits, pa_range;
        uint64_t cap;
        unsigned int expected, levels;
    } cases[] = {
        {0, 2, HRIG_EPT_CAP, 40, 4},
        {39, 2, HRIG_EPT_CAP, 39, 4},
        {46, 2, HRIG_EPT_CAP, 46, 4},
        {52, 2, HRIG_EPT_CAP, 48, 4},
        {0, 6, HRIG_EPT_CAP, 48, 4},
        {52, 2, HRIG_EPT_CAP | HYP_EPT_CAP_5_LEVELS, 52, 5},
        {48, 2, HRIG_EPT_CAP | HYP_EPT_CAP_5_LEVELS, 48, 4},
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hyp_rig rig;

        init(&rig);
        rig.config.pa_bits = cases[i].pa_bits;
        rig.config.features.pa_range = cases[i].pa_range;
        rig.config.ept_cap = cases[i].cap;
        boot(&rig);
        assert_int_equal(rig.hyp.pa_bits, cases[i].expected);
        assert_int_equal(rig.hyp.host.pgt.top_level + 1, cases[i].levels);
        assert_int_equal(rig.hyp.host.vtcr >> 3 & 7, cases[i].levels - 1);
        assert_true(hyp_rig_sound(&rig));
        hyp_rig_free(&rig);
    }
}

/* ---- what capabilities change ---- */

static unsigned int level_of_touch(uint64_t cap, uint64_t pa)
{
    struct hyp_rig rig;
    unsigned int level;

    init(&rig);
    rig.config.ept_cap = cap;
    boot(&rig);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(pa)), HYP_HOST_MAPPED);
    (void)hyp_host_leaf(&rig.hyp, hyp_ipa(pa), &level);
    hyp_rig_free(&rig);
    return level;
}

static void blocks_are_as_large_as_the_cpu_allows(void **state)
{
    const uint64_t no_1g = HRIG_EPT_CAP & ~HYP_EPT_CAP_1G, no_2m = no_1g & ~HYP_EPT_CAP_2M;

    (void)state;
    assert_int_equal(level_of_touch(HRIG_EPT_CAP, 0), 2);
    assert_int_equal(level_of_touch(no_1g, 0), 1);
    assert_int_equal(level_of_touch(no_2m, 0), 0);
    assert_int_equal(level_of_touch(HRIG_EPT_CAP, PA), 1);
    assert_int_equal(level_of_touch(no_2m, PA), 0);
}

static void execute_only_and_accessed_bits_follow_the_capabilities(void **state)
{
    static const uint64_t without[] = {0, HYP_EPT_CAP_XONLY, HYP_EPT_CAP_AD};

    (void)state;
    for (unsigned int i = 0; i < 3; i++) {
        struct hyp_rig rig;

        init(&rig);
        rig.config.ept_cap = HRIG_EPT_CAP & ~without[i];
        boot(&rig);
        assert_int_equal(
            hyp_pgt_map(&rig.hyp.host.pgt, (hyp_ia_t){PA}, 4096, hyp_pa(PA), HYP_PROT_X, NULL),
            without[i] == HYP_EPT_CAP_XONLY ? HYP_EINVAL : HYP_OK);
        assert_int_equal(rig.hyp.host.vtcr >> 6 & 1, without[i] != HYP_EPT_CAP_AD);
        hyp_rig_free(&rig);
    }
}

/* ---- roots ---- */

static void the_new_root_is_one_write_of_cr3(void **state)
{
    struct hyp_rig rig;

    (void)state;
    init(&rig);
    rig.fake.record = 1u << FAKE_ROOT | 1u << FAKE_TLBI | 1u << FAKE_BARRIER | 1u << FAKE_CACHE;
    boot(&rig);
    assert_int_equal(rig.fake.calls[0].kind, FAKE_ROOT);
    assert_int_equal(rig.fake.calls[0].op, HYP_ROOT_EL2_STAGE1);
    assert_int_equal(rig.fake.calls[0].addr, rig.hyp.s1.root.v);
    assert_int_equal(rig.fake.calls[0].value, rig.hyp.s1.root.v);
    /* Then the fixmap's first close, and nothing else. */
    assert_int_equal(rig.fake.call_count, 2);
    assert_int_equal(rig.fake.calls[1].op, HYP_TLBI_INVLPG_ALL);
    assert_int_equal(rig.fake.calls[1].addr, rig.hyp.fixmap_va);
    assert_int_equal(rig.hyp.va_bits, 47);
    hyp_rig_free(&rig);
}

static void finalize_gives_each_cpu_the_eptp(void **state)
{
    struct hyp_rig rig;
    uint64_t eptp;

    (void)state;
    init(&rig);
    boot(&rig);
    fake_port_reset(&rig.fake);
    rig.fake.record |= 1u << FAKE_ROOT;
    eptp = rig.hyp.host.pgt.root.v | 0x5e; /* write-back, 4 levels, accessed and dirty */
    assert_int_equal(hyp_prot_finalize(&rig.hyp, 0), HYP_OK);
    assert_int_equal(rig.fake.call_count, 2);
    assert_int_equal(rig.fake.calls[0].op, HYP_ROOT_STAGE2);
    assert_int_equal(rig.fake.calls[0].addr, rig.hyp.host.pgt.root.v);
    assert_int_equal(rig.fake.calls[0].value, eptp);
    assert_int_equal(rig.fake.calls[1].op, HYP_TLBI_INVEPT);
    assert_int_equal(rig.fake.calls[1].addr, rig.hyp.host.pgt.root.v);
    assert_int_equal(rig.hyp.host.vtcr, eptp);
    assert_int_equal(hyp_prot_finalize(&rig.hyp, 0), HYP_EPERM);
    hyp_rig_free(&rig);
}

static struct hyp_vm *make_guest(struct hyp_rig *rig, unsigned int ipa_bits, enum hyp_err expected)
{
    const struct hyp_vm_params params = {.is_protected = true,
                                         .ipa_bits = ipa_bits,
                                         .meta = {PA},
                                         .meta_pages = 1,
                                         .pgd = {PA + 0x1000},
                                         .pgd_pages = 1};
    hyp_handle_t handle;

    assert_int_equal(hyp_vm_reserve(&rig->hyp, &handle), HYP_OK);
    assert_int_equal(hyp_vm_init(&rig->hyp, handle, &params), expected);
    return hyp_vm_find(&rig->hyp, handle);
}

static void guests_have_an_eptp_of_their_own(void **state)
{
    struct hyp_rig rig;
    struct hyp_root root;
    struct hyp_vm *vm;

    (void)state;
    init(&rig);
    boot(&rig);
    assert_int_equal(hyp_vm_root_pages(&rig.hyp, 40), 1);
    vm = make_guest(&rig, 40, HYP_OK);
    root = hyp_vm_root(&rig.hyp, vm);
    assert_int_equal(root.kind, HYP_ROOT_STAGE2);
    assert_int_equal(root.pgd.v, PA + 0x1000);
    assert_int_equal(root.tcr, (PA + 0x1000) | 0x5e);
    assert_int_equal(root.vmid, 1);
    hyp_rig_free(&rig);
}

static void roots_on_arm64_are_as_before(void **state)
{
    struct hyp_rig rig;
    struct hyp_root root;

    (void)state;
    hyp_rig_init(&rig);
    rig.config.arch = HYP_ARCH_ARM64;
    boot(&rig);
    root = hyp_host_root(&rig.hyp);
    assert_int_equal(root.tcr, 0x802a3558);
    assert_int_equal(root.pgd.v, rig.hyp.host.pgt.root.v);
    assert_int_equal(root.vmid, 0);
    hyp_rig_free(&rig);
}

/* A gfn of more than 36 bits does not fit into the note that names the owner. */
static void guests_have_at_most_48_bits(void **state)
{
    struct hyp_rig rig;

    (void)state;
    init(&rig);
    rig.config.pa_bits = 52;
    rig.config.ept_cap |= HYP_EPT_CAP_5_LEVELS;
    boot(&rig);
    assert_null(make_guest(&rig, 49, HYP_EINVAL));
    assert_non_null(make_guest(&rig, 48, HYP_OK));
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void the_last_page_of_a_guest_can_be_named(void **state)
{
    const uint64_t gfn = (UINT64_C(1) << 36) - 1;
    struct hyp_rig rig;
    struct hyp_vm *vm;
    unsigned int level;
    uint64_t note;

    (void)state;
    init(&rig);
    rig.config.pa_bits = 48;
    boot(&rig);
    vm = make_guest(&rig, 48, HYP_OK);
    assert_int_equal(hyp_vcpu_init(&rig.hyp, hyp_vm_handle(vm), hyp_pa(PA + 0x2000)), HYP_OK);
    hyp_rig_fill(&rig, &vm->vcpus[0], 3);
    assert_int_equal(hyp_host_donate_guest(&rig.hyp, &vm->vcpus[0], HRIG_PFN + 16, gfn), HYP_OK);
    note = hyp_pgt_note(&rig.hyp.host.pgt, hyp_host_leaf(&rig.hyp, hyp_ipa(PA + 0x10000), &level));
    assert_int_equal(hyp_field_get(note, HYP_NOTE_GFN), gfn);
    assert_int_equal(hyp_field_get(note, HYP_NOTE_HANDLE), 0x1000);
    assert_true(hyp_rig_sound(&rig));
    assert_int_equal(hyp_force_reclaim(&rig.hyp, hyp_pa(PA + 0x10000)), HYP_OK);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

/* ---- the host ---- */

static void foreign_pages_and_misses_are_told_apart(void **state)
{
    struct hyp_rig rig;
    unsigned int level;

    (void)state;
    init(&rig);
    boot(&rig);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa(PA), &level), PA | 0x80000000000003b7);
    fake_port_reset(&rig.fake);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, HRIG_PFN + 7, 2), HYP_OK);
    /* One INVEPT for the block and both notes; no barrier. */
    assert_int_equal(rig.fake.call_count, 1);
    assert_int_equal(rig.fake.tlbis[HYP_TLBI_INVEPT], 1);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA + 0x7000)), HYP_HOST_INJECTED);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA + 0x6000)), HYP_HOST_MAPPED);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA + 0x6000)), HYP_HOST_SPURIOUS);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(UINT64_C(1) << 40)), HYP_HOST_INJECTED);
    hyp_rig_free(&rig);
}

static void a_wipe_needs_neither_barriers_nor_cleaning(void **state)
{
    struct hyp_rig rig;
    const struct fake_call *call;

    (void)state;
    init(&rig);
    boot(&rig);
    fake_port_reset(&rig.fake);
    rig.fake.record |= 1u << FAKE_STORE | 1u << FAKE_ZERO;
    hyp_rig_dirty(&rig, HRIG_PFN, 0xa5);
    hyp_fixmap_wipe(&rig.hyp, hyp_rig_pa(HRIG_PFN));
    assert_true(hyp_rig_is_zero(&rig, HRIG_PFN));
    call = rig.fake.calls;
    assert_int_equal(rig.fake.call_count, 4);
    assert_true(call[0].kind == FAKE_STORE && call[0].addr == rig.hyp.fixmap_slot.v);
    assert_int_equal(call[0].value, PA | 0x8000000000000063);
    assert_true(call[1].kind == FAKE_ZERO && call[1].addr == PA);
    assert_true(call[2].kind == FAKE_STORE && !(call[2].value & 1));
    assert_true(call[3].kind == FAKE_TLBI && call[3].op == HYP_TLBI_INVLPG_ALL);
    assert_int_equal(call[3].addr, rig.hyp.fixmap_va);
    hyp_rig_free(&rig);
}

static void the_linear_map_stays_below_the_hole(void **state)
{
    struct hyp_rig rig;
    unsigned int level;

    (void)state;
    init(&rig);
    boot(&rig);
    assert_true(hyp_linear_va(&rig.hyp, hyp_pa(HRIG_RAM0)).v >> 47 == 0);
    assert_true(rig.hyp.layout.vmemmap_end <= UINT64_C(1) << 47);
    assert_int_equal(hyp_pgt_leaf(&rig.hyp.s1,
                                  hyp_ia_from_va(hyp_linear_va(&rig.hyp, hyp_pa(HRIG_RAM0))),
                                  &level),
                     HRIG_RAM0 | UINT64_C(0x80000000000000e3));
    assert_int_equal(level, 1);
    assert_true(fake_table_counts_true(&rig.hyp.s1));
    assert_true(fake_table_counts_true(&rig.hyp.host.pgt));
    hyp_rig_free(&rig);
}

/* ---- failure ---- */

static void a_failed_boot_puts_the_old_root_back(void **state)
{
    struct hyp_rig rig;

    (void)state;
    init(&rig);
    rig.config.host_s2_pages = 2; /* a root and one table */
    rig.fake.record = 1u << FAKE_ROOT;
    assert_int_equal(hyp_rig_boot(&rig), HYP_ENOMEM);
    assert_int_equal(rig.fake.call_count, 2);
    assert_int_equal(rig.fake.calls[1].addr, rig.config.boot_root.pgd.v);
    for (uint64_t i = 0; i < rig.descriptor_count; i++) {
        static const struct hyp_page zero;

        assert_memory_equal(&rig.descriptors[i], &zero, sizeof(zero));
    }
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_that_x86_cannot_serve_are_refused),
        cmocka_unit_test(pa_bits_beyond_48_need_five_levels_of_ept),
        cmocka_unit_test(blocks_are_as_large_as_the_cpu_allows),
        cmocka_unit_test(execute_only_and_accessed_bits_follow_the_capabilities),
        cmocka_unit_test(the_new_root_is_one_write_of_cr3),
        cmocka_unit_test(finalize_gives_each_cpu_the_eptp),
        cmocka_unit_test(guests_have_an_eptp_of_their_own),
        cmocka_unit_test(roots_on_arm64_are_as_before),
        cmocka_unit_test(guests_have_at_most_48_bits),
        cmocka_unit_test(the_last_page_of_a_guest_can_be_named),
        cmocka_unit_test(foreign_pages_and_misses_are_told_apart),
        cmocka_unit_test(a_wipe_needs_neither_barriers_nor_cleaning),
        cmocka_unit_test(the_linear_map_stays_below_the_hole),
        cmocka_unit_test(a_failed_boot_puts_the_old_root_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
