/* SPDX-License-Identifier: MIT */
/*
 * Boot: what is mapped and owned afterwards, and that failure at any allocation of any step leaves
 * the host as it was.
 */
#include "hyp/boot_priv.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#include <string.h>

#define SECTIONS_AT UINT64_C(0x42000000)
#define TEXT        SECTIONS_AT
#define RODATA      (SECTIONS_AT + 0x80000)
#define DATA        (SECTIONS_AT + 0x90000)
#define BSS         (SECTIONS_AT + 0xa0000)
#define HOST_RO     (SECTIONS_AT + 0xb0000)
#define IDMAP       (SECTIONS_AT + 0xc0000)
#define PERCPU      (SECTIONS_AT + 0xd0000)
#define STACK0      (SECTIONS_AT + 0xe0000)
#define STACK1      (SECTIONS_AT + 0xf0000)

static const struct hyp_section sections[] = {
    {HYP_SECTION_TEXT, {TEXT}, 0x80000},      {HYP_SECTION_RODATA, {RODATA}, 0x2000},
    {HYP_SECTION_DATA, {DATA}, 0x1000},       {HYP_SECTION_BSS, {BSS}, 0x3000},
    {HYP_SECTION_HOST_RO, {HOST_RO}, 0x2000}, {HYP_SECTION_IDMAP, {IDMAP}, 0x1000},
    {HYP_SECTION_PERCPU, {PERCPU}, 0x8000},   {HYP_SECTION_STACK, {STACK0}, 0x1000},
    {HYP_SECTION_STACK, {STACK1}, 0x3000},
};

static void init_with_sections(struct hyp_rig *rig)
{
    hyp_rig_init(rig);
    rig->config.sections = sections;
    rig->config.section_count = sizeof(sections) / sizeof(sections[0]);
    fake_mem_set(&rig->fake.mem, SECTIONS_AT, 0x5a, 0x100000);  /* the image */
    fake_mem_set(&rig->fake.mem, HRIG_PFN << 12, 0xa5, 0x3000); /* the host's */
}

/* ---- success ---- */

static uint64_t s1_leaf(const struct hyp_rig *rig, uint64_t va, unsigned int *level)
{
    return hyp_pgt_leaf(&rig->hyp.s1, (hyp_ia_t){va}, level);
}

static uint64_t linear(const struct hyp_rig *rig, uint64_t pa)
{
    return hyp_linear_va(&rig->hyp, hyp_pa(pa)).v;
}

static void expect_linear(const struct hyp_rig *rig, uint64_t pa, uint64_t attrs)
{
    unsigned int level;
    uint64_t pte = s1_leaf(rig, linear(rig, pa), &level);
    uint64_t low = level ? 0xffd : 0xfff;

    assert_int_equal(pte & HYP_MASK(47, 12), hyp_align_down(pa, hyp_level_size(12, level)));
    assert_int_equal(pte & (HYP_MASK(63, 48) | low), attrs & (HYP_MASK(63, 48) | low));
}

static void sections_are_mapped_with_their_rights(void **state)
{
    struct hyp_rig rig;
    unsigned int level;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    /* The golden attributes: RW, RO, RX of hyp stage 1 without E2H. */
    expect_linear(&rig, TEXT, UINT64_C(0x00000000000007c3));
    expect_linear(&rig, RODATA + 0x1000, UINT64_C(0x00400000000007c3));
    expect_linear(&rig, DATA, UINT64_C(0x0040000000000743));
    expect_linear(&rig, BSS + 0x2000, UINT64_C(0x0040000000000743));
    expect_linear(&rig, PERCPU, UINT64_C(0x0040000000000743));
    expect_linear(&rig, HRIG_RAM0, UINT64_C(0x0040000000000743)); /* the pool */
    expect_linear(&rig, HOST_RO, UINT64_C(0x01400000000007c3));   /* borrowed */
    assert_int_equal(s1_leaf(&rig, IDMAP, &level) & HYP_MASK(47, 12), IDMAP);
    assert_int_equal(s1_leaf(&rig, linear(&rig, HRIG_PFN << 12), &level), 0);
    assert_true(fake_table_counts_true(&rig.hyp.s1));
    assert_true(fake_table_counts_true(&rig.hyp.host.pgt));
    assert_int_equal(fake_table_pages(&rig.hyp.s1), hyp_s1_tables_used(&rig.hyp));
    assert_int_equal(fake_table_pages(&rig.hyp.host.pgt), hyp_host_tables_used(&rig.hyp));
    hyp_rig_free(&rig);
}

static void a_stack_lies_above_an_unmapped_guard_of_its_size(void **state)
{
    struct hyp_rig rig;
    const struct hyp_layout *layout = &rig.hyp.layout;
    unsigned int level;
    uint64_t va;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    va = layout->private_base; /* aligned to everything */
    assert_int_equal(s1_leaf(&rig, va, &level), 0);
    assert_int_equal(s1_leaf(&rig, va + 0x1000, &level) & HYP_MASK(47, 12), STACK0);
    /* Three pages: rounded up to four, aligned to eight; guard of four. */
    va = hyp_align_up(va + 0x2000, 0x8000);
    assert_int_equal(s1_leaf(&rig, va + 0x3000, &level), 0);
    assert_int_equal(s1_leaf(&rig, va + 0x4000, &level) & HYP_MASK(47, 12), STACK1);
    assert_int_equal(s1_leaf(&rig, va + 0x6000, &level) & HYP_MASK(47, 12), STACK1 + 0x2000);
    assert_int_equal(s1_leaf(&rig, va + 0x7000, &level), 0);
    /* Stacks are not in the linear map. */
    assert_int_equal(s1_leaf(&rig, linear(&rig, STACK0), &level), 0);
    hyp_rig_free(&rig);
}

static void descriptors_are_mapped_once_from_the_start_of_the_pool(void **state)
{
    struct hyp_rig rig;
    uint64_t pages = 0;
    unsigned int level, i;
    uint64_t va, next = HRIG_RAM0;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    for (i = 0; i < HRIG_REGIONS; i++) {
        uint64_t first = rig.regions[i].base.v >> 12;
        uint64_t end = first + (rig.regions[i].size >> 12);
        uint64_t start = hyp_align_down(first * sizeof(struct hyp_page), 4096);

        for (va = start; va < end * sizeof(struct hyp_page); va += 4096, pages++, next += 4096)
            assert_int_equal(
                s1_leaf(&rig, rig.hyp.layout.vmemmap_base + va, &level) & HYP_MASK(47, 12), next);
    }
    assert_int_equal(pages, rig.hyp.carve.vmemmap_pages);
    hyp_rig_free(&rig);
}

static enum hyp_page_state host_state(struct hyp_rig *rig, uint64_t pa)
{
    return hyp_page_host_state(hyp_rig_page(rig, pa >> 12));
}

static void what_is_mapped_is_owned_and_foreign_to_the_host(void **state)
{
    static const uint64_t owned[] = {RODATA, DATA, BSS, IDMAP, PERCPU, STACK0, STACK1, HRIG_RAM0};
    struct hyp_rig rig;
    unsigned int level;
    size_t i;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    for (i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        assert_int_equal(host_state(&rig, owned[i]), HYP_PAGE_NOPAGE);
        assert_int_equal(hyp_page_hyp_state(hyp_rig_page(&rig, owned[i] >> 12)), HYP_PAGE_OWNED);
    }
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa(DATA), &level), UINT64_C(0x2000000000000002));
    /* Text is the hypervisor's but may be read, by pages. */
    assert_int_equal(host_state(&rig, TEXT), HYP_PAGE_NOPAGE);
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa(TEXT), &level),
                     TEXT | UINT64_C(0x004000000000075f));
    assert_int_equal(level, 0);
    /* What the host lends stays its own, and cannot be withdrawn. */
    assert_int_equal(host_state(&rig, HOST_RO), HYP_PAGE_SHARED_OWNED);
    assert_int_equal(hyp_host_unshare_hyp(&rig.hyp, HOST_RO >> 12), HYP_EBUSY);
    assert_int_equal(host_state(&rig, HRIG_PFN << 12), HYP_PAGE_OWNED);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(STACK1)), HYP_HOST_INJECTED);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(TEXT)), HYP_HOST_SPURIOUS);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void the_check_pass_finds_a_stack_that_the_host_can_reach(void **state)
{
    struct hyp_rig rig;
    struct hyp_page *page;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    assert_int_equal(hyp_boot_check_own(&rig.hyp), HYP_OK);
    page = hyp_rig_page(&rig, STACK1 >> 12);
    hyp_page_set_host_state(page, HYP_PAGE_OWNED);
    assert_int_equal(hyp_boot_check_own(&rig.hyp), HYP_EPERM);
    hyp_page_set_host_state(page, HYP_PAGE_NOPAGE);
    hyp_page_set_hyp_state(page, HYP_PAGE_NOPAGE);
    assert_int_equal(hyp_boot_check_own(&rig.hyp), HYP_EPERM);
    hyp_page_set_hyp_state(page, HYP_PAGE_OWNED);
    hyp_host_forget(&rig.hyp, hyp_pa(STACK1), 4096);
    assert_int_equal(hyp_boot_check_own(&rig.hyp), HYP_EPERM);
    hyp_rig_free(&rig);
}

static void the_new_root_is_set_once_with_a_clean_tlb(void **state)
{
    struct hyp_rig rig;
    const struct fake_call *call;
    size_t i, roots = 0;

    (void)state;
    init_with_sections(&rig);
    rig.fake.record = 1u << FAKE_ROOT | 1u << FAKE_TLBI | 1u << FAKE_BARRIER;
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    call = rig.fake.calls;
    for (i = 0; i < rig.fake.call_count; i++) {
        if (call[i].kind != FAKE_ROOT)
            continue;
        roots++;
        assert_int_equal(call[i].addr, rig.hyp.s1.root.v);
        /* 48 bits, write-back inner shareable walks, 4K, 40-bit output, and the RES1 bits. */
        assert_int_equal(call[i].value, UINT64_C(0x80823510));
        assert_true(call[i - 1].kind == FAKE_BARRIER && call[i - 1].op == HYP_DSB_ISHST);
        assert_true(call[i + 1].kind == FAKE_TLBI && call[i + 1].op == HYP_TLBI_ALLE2);
        assert_true(call[i + 2].kind == FAKE_BARRIER && call[i + 2].op == HYP_DSB_NSH);
        assert_true(call[i + 3].kind == FAKE_BARRIER && call[i + 3].op == HYP_ISB);
    }
    assert_int_equal(roots, 1);
    hyp_rig_free(&rig);
}

static void boot_happens_once(void **state)
{
    struct hyp_rig rig;
    struct hyp_rig_snapshot before;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_prot_finalize(&rig.hyp, 0), HYP_EINVAL); /* no CPU before hyp_init */
    assert_int_equal(hyp_init(&rig.hyp, &rig.config), HYP_OK);
    assert_int_equal(hyp_prot_finalize(&rig.hyp, 0), HYP_EPERM);
    assert_int_equal(hyp_boot(&rig.hyp), HYP_OK);
    hyp_rig_save(&before, &rig);
    assert_int_equal(hyp_boot(&rig.hyp), HYP_EPERM);
    assert_true(hyp_rig_same(&before, &rig));
    hyp_rig_forget(&before);
    hyp_rig_free(&rig);
}

static void finalize_puts_each_cpu_under_stage_2_once(void **state)
{
    struct hyp_rig rig;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    fake_port_reset(&rig.fake);
    rig.fake.record = 1u << FAKE_ROOT | 1u << FAKE_TLBI | 1u << FAKE_BARRIER;
    assert_false(hyp_is_live(&rig.hyp));
    assert_int_equal(hyp_prot_finalize(&rig.hyp, 1), HYP_OK);
    assert_int_equal(rig.fake.call_count, 4);
    assert_int_equal(rig.fake.calls[0].op, HYP_ROOT_STAGE2);
    assert_int_equal(rig.fake.calls[0].addr, rig.hyp.host.pgt.root.v);
    assert_int_equal(rig.fake.calls[1].op, HYP_TLBI_VMALLS12E1);
    assert_int_equal(rig.fake.calls[2].op, HYP_DSB_NSH);
    assert_int_equal(rig.fake.calls[3].op, HYP_ISB);
    assert_int_equal(hyp_prot_finalize(&rig.hyp, 1), HYP_EPERM);
    assert_int_equal(hyp_prot_finalize(&rig.hyp, HRIG_CPUS), HYP_EINVAL);
    assert_false(hyp_is_live(&rig.hyp));
    assert_int_equal(hyp_prot_finalize(&rig.hyp, 0), HYP_OK);
    assert_true(hyp_is_live(&rig.hyp));
    assert_int_equal(rig.hyp.host.vtcr, 0x802a3558);
    hyp_rig_free(&rig);
}

static void the_fixmap_shows_a_page_only_while_it_is_open(void **state)
{
    struct hyp_rig rig;
    hyp_pa_t pa = hyp_rig_pa(HRIG_PFN);
    unsigned int level;
    uint64_t used;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    used = hyp_s1_tables_used(&rig.hyp);
    assert_int_equal(s1_leaf(&rig, rig.hyp.fixmap_va, &level) & 1, 0);
    hyp_fixmap_open(&rig.hyp, pa);
    assert_int_equal(s1_leaf(&rig, rig.hyp.fixmap_va, &level), pa.v | UINT64_C(0x0040000000000743));
    assert_int_equal(hyp_el2_va(&rig.hyp, pa).v, rig.hyp.fixmap_va);
    hyp_fixmap_close(&rig.hyp);
    assert_int_equal(s1_leaf(&rig, rig.hyp.fixmap_va, &level) & 1, 0);
    assert_int_equal(hyp_el2_va(&rig.hyp, pa).v, linear(&rig, pa.v));
    assert_int_equal(hyp_s1_tables_used(&rig.hyp), used);
    assert_true(fake_table_counts_true(&rig.hyp.s1));
    hyp_rig_free(&rig);
}

static void a_wipe_opens_the_fixmap_zeroes_cleans_and_closes(void **state)
{
    struct hyp_rig rig;
    const struct fake_call *call;

    (void)state;
    init_with_sections(&rig);
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    fake_port_reset(&rig.fake);
    rig.fake.record |= 1u << FAKE_STORE | 1u << FAKE_ZERO;
    hyp_fixmap_wipe(&rig.hyp, hyp_rig_pa(HRIG_PFN));
    call = rig.fake.calls;
    assert_int_equal(rig.fake.call_count, 9);
    assert_true(call[0].kind == FAKE_STORE && call[0].addr == rig.hyp.fixmap_slot.v);
    assert_int_equal(call[0].value, HRIG_PFN << 12 | UINT64_C(0x0040000000000743));
    assert_true(call[1].kind == FAKE_BARRIER && call[1].op == HYP_DSB_ISHST);
    assert_true(call[2].kind == FAKE_ZERO && call[2].addr == HRIG_PFN << 12);
    assert_true(call[3].kind == FAKE_CACHE && call[3].op == HYP_CACHE_CLEAN_POC);
    assert_true(call[4].kind == FAKE_STORE && !(call[4].value & 1));
    assert_true(call[5].kind == FAKE_BARRIER && call[5].op == HYP_DSB_ISHST);
    assert_true(call[6].kind == FAKE_TLBI && call[6].op == HYP_TLBI_VALE2IS);
    assert_int_equal(call[6].addr, rig.hyp.fixmap_va);
    assert_true(call[7].kind == FAKE_BARRIER && call[7].op == HYP_DSB_ISH);
    assert_true(call[8].kind == FAKE_BARRIER && call[8].op == HYP_ISB);
    hyp_rig_free(&rig);
}

/* ---- failure ---- */

/* Every descriptor zero, the old root in force, and not a word outside the pool changed. */
static void expect_host_untouched(struct hyp_rig *rig, const struct fake_mem *before)
{
    struct fake_mem after;
    uint64_t i, pool_size = rig->config.pool_pages << 12;
    uint64_t root = rig->config.boot_root.pgd.v;

    for (i = 0; i < rig->descriptor_count; i++) {
        static const struct hyp_page zero;

        assert_memory_equal(&rig->descriptors[i], &zero, sizeof(zero));
    }
    for (i = 0; i < rig->fake.call_count; i++) {
        if (rig->fake.calls[i].kind == FAKE_ROOT)
            root = rig->fake.calls[i].addr;
    }
    assert_int_equal(root, rig->config.boot_root.pgd.v);
    fake_mem_copy(&after, &rig->fake.mem);
    fake_mem_set(&after, HRIG_RAM0, 0, pool_size);
    assert_true(fake_mem_equal(&after, before));
    fake_mem_free(&after);
    assert_false(rig->hyp.booted);
    assert_int_equal(rig->hyp.private_cursor, rig->hyp.layout.private_base);
    assert_int_equal(rig->fake.locks_held, 0);
}

/* Boots with a bound on one of the two kinds of tables; returns whether that was enough. */
static bool boot_with(uint64_t s1_pages, uint64_t host_pages)
{
    struct hyp_rig rig;
    struct fake_mem before;
    struct hyp_carve carve;
    enum hyp_err err;

    init_with_sections(&rig);
    rig.config.s1_pages = s1_pages;
    rig.config.host_s2_pages = host_pages;
    hyp_boot_carve(&rig.config, &carve);
    rig.config.pool_pages = hyp_boot_pool_pages(&carve);
    rig.fake.record = 1u << FAKE_ROOT;
    fake_mem_copy(&before, &rig.fake.mem);
    err = hyp_rig_boot(&rig);
    if (err) {
        assert_int_equal(err, HYP_ENOMEM);
        expect_host_untouched(&rig, &before);
        assert_int_equal(hyp_prot_finalize(&rig.hyp, 0), HYP_EPERM);
        assert_int_equal(hyp_boot(&rig.hyp), HYP_ENOMEM); /* once more, to the same effect */
        expect_host_untouched(&rig, &before);
    } else {
        assert_true(hyp_rig_sound(&rig));
    }
    fake_mem_free(&before);
    hyp_rig_free(&rig);
    return err == HYP_OK;
}

static void each_missing_page_of_hyp_stage_1_fails_boot_without_a_trace(void **state)
{
    uint64_t pages = 1;

    (void)state;
    while (!boot_with(pages, 0))
        pages++;
    /* Root, identity, linear, descriptors, private: so many that all steps were cut short. */
    assert_in_range(pages, 12, 32);
}

static void each_missing_page_of_the_hosts_stage_2_fails_boot_without_a_trace(void **state)
{
    uint64_t pages = 1;

    (void)state;
    while (!boot_with(0, pages))
        pages++;
    assert_in_range(pages, 5, 16);
}

static void a_pool_smaller_than_the_formula_is_refused(void **state)
{
    struct hyp_rig rig;
    struct fake_mem before;

    (void)state;
    init_with_sections(&rig);
    rig.fake.record = 1u << FAKE_ROOT;
    rig.config.pool_pages--;
    fake_mem_copy(&before, &rig.fake.mem);
    assert_int_equal(hyp_rig_boot(&rig), HYP_ENOMEM);
    expect_host_untouched(&rig, &before);
    fake_mem_free(&before);
    hyp_rig_free(&rig);
}

static void the_test_of_untouchedness_notices_a_word_and_a_descriptor(void **state)
{
    struct hyp_rig rig;
    struct fake_mem before;

    (void)state;
    init_with_sections(&rig);
    fake_mem_copy(&before, &rig.fake.mem);
    fake_mem_store(&rig.fake.mem, HRIG_PFN << 12, 1);
    assert_false(fake_mem_equal(&rig.fake.mem, &before));
    fake_mem_free(&before);
    hyp_rig_free(&rig);
}

static void overlapping_sections_fail_boot(void **state)
{
    static const struct hyp_section twice[] = {
        {HYP_SECTION_DATA, {DATA}, 0x2000},
        {HYP_SECTION_RODATA, {DATA + 0x1000}, 0x1000},
    };
    struct hyp_rig rig;
    struct fake_mem before;

    (void)state;
    init_with_sections(&rig);
    rig.config.sections = twice;
    rig.config.section_count = 2;
    fake_mem_copy(&before, &rig.fake.mem);
    assert_int_equal(hyp_rig_boot(&rig), HYP_EPERM);
    expect_host_untouched(&rig, &before);
    fake_mem_free(&before);
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_are_mapped_with_their_rights),
        cmocka_unit_test(a_stack_lies_above_an_unmapped_guard_of_its_size),
        cmocka_unit_test(descriptors_are_mapped_once_from_the_start_of_the_pool),
        cmocka_unit_test(what_is_mapped_is_owned_and_foreign_to_the_host),
        cmocka_unit_test(the_check_pass_finds_a_stack_that_the_host_can_reach),
        cmocka_unit_test(the_new_root_is_set_once_with_a_clean_tlb),
        cmocka_unit_test(boot_happens_once),
        cmocka_unit_test(finalize_puts_each_cpu_under_stage_2_once),
        cmocka_unit_test(the_fixmap_shows_a_page_only_while_it_is_open),
        cmocka_unit_test(a_wipe_opens_the_fixmap_zeroes_cleans_and_closes),
        cmocka_unit_test(each_missing_page_of_hyp_stage_1_fails_boot_without_a_trace),
        cmocka_unit_test(each_missing_page_of_the_hosts_stage_2_fails_boot_without_a_trace),
        cmocka_unit_test(a_pool_smaller_than_the_formula_is_refused),
        cmocka_unit_test(the_test_of_untouchedness_notices_a_word_and_a_descriptor),
        cmocka_unit_test(overlapping_sections_fail_boot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
