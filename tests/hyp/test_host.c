/* SPDX-License-Identifier: MIT */
/*
 * The host's stage 2: which region an address lies in, what a fault maps, what stays a table, and
 * what happens when tables run out.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#define P    HRIG_PFN
#define PA   (HRIG_PFN << 12)
#define M2   UINT64_C(0x200000)
#define G1   UINT64_C(0x40000000)
#define MMIO UINT64_C(0x9000000)

/* ---- regions ---- */

struct found {
    const struct hyp_region *region;
    uint64_t start, end;
};

static struct found find(const struct hyp_host *host, uint64_t pa)
{
    struct found found;

    found.region = hyp_host_region(host, pa, &found.start, &found.end);
    return found;
}

/* The same by looking at every region in turn. */
static struct found find_slowly(const struct hyp_host *host, uint64_t pa)
{
    struct found found = {NULL, 0, UINT64_MAX};
    unsigned int i;

    for (i = 0; i < host->region_count; i++) {
        const struct hyp_region *region = &host->regions[i];
        uint64_t end = region->base.v + region->size;

        if (pa >= region->base.v && pa < end)
            return (struct found){region, region->base.v, end};
        if (end <= pa && end > found.start)
            found.start = end;
        if (region->base.v > pa && region->base.v < found.end)
            found.end = region->base.v;
    }
    return found;
}

static void lookup_finds_region_or_gap_for_every_number_of_regions(void **state)
{
    static struct hyp_host host;
    unsigned int count, i;

    (void)state;
    for (count = 1; count <= HYP_REGIONS_MAX; count++) {
        host.region_count = count;
        for (i = 0; i < count; i++)
            host.regions[i] =
                (struct hyp_region){{0x100000 + i * 0x10000}, 0x1000 * (1 + i % 15), false};
        for (i = 0; i < 0x1000 * 17; i++) {
            uint64_t pa = 0x0f0000 + (uint64_t)i * 0x800 % (0x10000 * (count + 3));
            struct found fast = find(&host, pa), slow = find_slowly(&host, pa);

            assert_ptr_equal(fast.region, slow.region);
            assert_int_equal(fast.start, slow.start);
            assert_int_equal(fast.end, slow.end);
            i += count; /* fewer addresses, as there are more regions */
        }
    }
}

static void lookup_is_exact_at_the_first_and_last_byte(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    assert_null(find(&rig.hyp.host, HRIG_RAM0 - 1).region);
    assert_int_equal(find(&rig.hyp.host, HRIG_RAM0 - 1).start, 0);
    assert_int_equal(find(&rig.hyp.host, HRIG_RAM0 - 1).end, HRIG_RAM0);
    assert_ptr_equal(find(&rig.hyp.host, HRIG_RAM0).region, &rig.hyp.host.regions[0]);
    assert_non_null(find(&rig.hyp.host, HRIG_RAM0 + HRIG_RAM0_SIZE - 1).region);
    assert_null(find(&rig.hyp.host, HRIG_RAM0 + HRIG_RAM0_SIZE).region);
    assert_int_equal(find(&rig.hyp.host, HRIG_RAM0 + HRIG_RAM0_SIZE).end, HRIG_RAM1);
    assert_null(find(&rig.hyp.host, UINT64_MAX).region);
    assert_int_equal(find(&rig.hyp.host, UINT64_MAX).end, UINT64_MAX);
    hyp_rig_free(&rig);
}

/* ---- what a fault maps ---- */

/* Golden leaves without their address; on x86 write-back and uncacheable with PAT, bit 63 set. */
#define RAM_PAGE     HRIG_EITHER(UINT64_C(0x7df), UINT64_C(0x8000000000000337))
#define RAM_BLOCK    HRIG_EITHER(UINT64_C(0x7dd), UINT64_C(0x80000000000003b7))
#define DEVICE_PAGE  HRIG_EITHER(UINT64_C(0x00400000000007df), UINT64_C(0x8000000000000303))
#define DEVICE_BLOCK HRIG_EITHER(UINT64_C(0x00400000000007dd), UINT64_C(0x8000000000000383))
#define NOTE_OF_HYP                                                                                \
    HRIG_EITHER(UINT64_C(0x2000000000000002), HRIG_EPT_NOTE(UINT64_C(0x800000000000008)))

static uint64_t leaf_at(const struct hyp_rig *rig, uint64_t pa, unsigned int *level)
{
    return hyp_host_leaf(&rig->hyp, hyp_ipa(pa), level);
}

static void expect_leaf(const struct hyp_rig *rig, uint64_t pa, uint64_t pte, unsigned int level)
{
    unsigned int found;

    assert_int_equal(leaf_at(rig, pa, &found), pte);
    assert_int_equal(found, level);
}

static void a_fault_maps_the_largest_block_inside_the_region(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    /* Inside 64 MiB only blocks of 2 MiB fit; attributes come from stage 1. */
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA + 0x12345)), HYP_HOST_MAPPED);
    expect_leaf(&rig, PA, PA | RAM_BLOCK, 1);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA + 0x12345)), HYP_HOST_SPURIOUS);
    /* RAM1 starts and ends on an odd page: pages at its ends, blocks within. */
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(HRIG_RAM1)), HYP_HOST_MAPPED);
    expect_leaf(&rig, HRIG_RAM1, HRIG_RAM1 | RAM_PAGE, 0);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(0x48201000)), HYP_HOST_MAPPED);
    expect_leaf(&rig, 0x48201000, UINT64_C(0x48200000) | RAM_BLOCK, 1);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(HRIG_RAM1 + HRIG_RAM1_SIZE - 1)),
                     HYP_HOST_MAPPED);
    expect_leaf(&rig, HRIG_RAM1 + HRIG_RAM1_SIZE - 4096,
                (HRIG_RAM1 + HRIG_RAM1_SIZE - 4096) | RAM_PAGE, 0);
    assert_int_equal(rig.fake.events[HYP_EV_HOST_MAP], 4);
    hyp_rig_free(&rig);
}

static void device_memory_is_mapped_without_execute_by_the_gap_around_it(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(MMIO)), HYP_HOST_MAPPED);
    expect_leaf(&rig, MMIO, DEVICE_BLOCK, 2); /* the golden 1 GiB block at 0 */
    /* A gap of 4 KiB between regions. */
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(HRIG_RAM1 - 4096)), HYP_HOST_MAPPED);
    expect_leaf(&rig, HRIG_RAM1 - 4096, DEVICE_PAGE | (HRIG_RAM1 - 4096), 0);
    /* The last block of the address space, and what lies beyond it. */
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa((UINT64_C(1) << 40) - 1)), HYP_HOST_MAPPED);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(UINT64_C(1) << 40)), HYP_HOST_INJECTED);
    /* RAM that the firmware keeps is RAM for the host. */
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(HRIG_NOMAP)), HYP_HOST_MAPPED);
    expect_leaf(&rig, HRIG_NOMAP, HRIG_NOMAP | RAM_PAGE, 0);
    hyp_rig_free(&rig);
}

static void next_to_a_foreign_page_faults_map_page_by_page_for_ever(void **state)
{
    struct hyp_rig rig;
    unsigned int level;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P + 7, 1), HYP_OK);
    expect_leaf(&rig, PA + 0x7000, NOTE_OF_HYP, 0);
    expect_leaf(&rig, PA, 0, 0); /* the block is gone, the rest faults again */
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    expect_leaf(&rig, PA, PA | RAM_PAGE, 0);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA + 0x7000)), HYP_HOST_INJECTED);
    /* Given back, the table stays a table. */
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P + 7, 1), HYP_OK);
    expect_leaf(&rig, PA + 0x7000, (PA + 0x7000) | RAM_PAGE, 0);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA + 0x8000)), HYP_HOST_MAPPED);
    expect_leaf(&rig, PA + 0x8000, (PA + 0x8000) | RAM_PAGE, 0);
    (void)leaf_at(&rig, PA + 0x9000, &level);
    assert_int_equal(level, 0);
    hyp_rig_free(&rig);
}

static void a_give_back_of_a_whole_block_makes_it_a_block_again(void **state)
{
    struct hyp_rig rig;
    uint64_t tables;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    tables = hyp_host_tables_used(&rig.hyp);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 512), HYP_OK);
    assert_int_equal(hyp_host_tables_used(&rig.hyp), tables + 1);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P, 512), HYP_OK);
    expect_leaf(&rig, PA, PA | RAM_BLOCK, 1);
    assert_int_equal(hyp_host_tables_used(&rig.hyp), tables);
    hyp_rig_free(&rig);
}

/* ---- policies ---- */

static void the_eager_policy_rebuilds_a_block_when_its_last_foreign_page_returns(void **state)
{
    struct hyp_host_policy policy = {HYP_FORCE_BY_PROT, HYP_REBUILD_EAGER, 2};
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start_with(&rig, policy);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P + 7, 2), HYP_OK);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P + 7, 1), HYP_OK);
    expect_leaf(&rig, PA + 0x7000, (PA + 0x7000) | RAM_PAGE, 0); /* one is still away */
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P + 8, 1), HYP_OK);
    expect_leaf(&rig, PA + 0x7000, PA | RAM_BLOCK, 1);
    assert_true(hyp_rig_sound(&rig));
    /* Not across the border of a region. */
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, HRIG_RAM1 >> 12, 1), HYP_OK);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, HRIG_RAM1 >> 12, 1), HYP_OK);
    expect_leaf(&rig, HRIG_RAM1, HRIG_RAM1 | RAM_PAGE, 0);
    hyp_rig_free(&rig);
}

static void the_eager_policy_handles_a_range_over_several_blocks(void **state)
{
    struct hyp_host_policy policy = {HYP_FORCE_BY_PROT, HYP_REBUILD_EAGER, 2};
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start_with(&rig, policy);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P + 500, 600), HYP_OK);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P + 500, 600), HYP_OK);
    expect_leaf(&rig, PA, PA | RAM_BLOCK, 1);
    expect_leaf(&rig, PA + M2, (PA + M2) | RAM_BLOCK, 1);
    expect_leaf(&rig, PA + 2 * M2, (PA + 2 * M2) | RAM_BLOCK, 1);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void the_never_policy_keeps_a_table_even_for_a_whole_block(void **state)
{
    struct hyp_host_policy policy = {HYP_FORCE_BY_PROT, HYP_REBUILD_NEVER, 2};
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start_with(&rig, policy);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    expect_leaf(&rig, PA, PA | RAM_BLOCK, 1); /* no table yet: a block */
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 512), HYP_OK);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P, 512), HYP_OK);
    expect_leaf(&rig, PA, PA | RAM_PAGE, 0);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void the_block_level_and_the_always_policy_bound_every_leaf(void **state)
{
    struct hyp_host_policy level1 = {HYP_FORCE_BY_PROT, HYP_REBUILD_LAZY, 1};
    struct hyp_host_policy always = {HYP_FORCE_ALWAYS, HYP_REBUILD_LAZY, 2};
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start_with(&rig, level1);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(MMIO)), HYP_HOST_MAPPED);
    expect_leaf(&rig, MMIO, MMIO | DEVICE_BLOCK, 1);
    hyp_rig_free(&rig);

    hyp_rig_start_with(&rig, always);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    expect_leaf(&rig, PA, PA | RAM_PAGE, 0);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 512), HYP_OK);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, P, 512), HYP_OK);
    expect_leaf(&rig, PA, PA | RAM_PAGE, 0);
    hyp_rig_free(&rig);
}

static void only_default_attributes_may_become_a_block(void **state)
{
    struct hyp_rig rig;
    const struct hyp_pgt *pgt = &rig.hyp.host.pgt;

    (void)state;
    hyp_rig_start(&rig);
    assert_false(pgt->force_page(pgt, (hyp_ia_t){PA}, M2, HYP_PROT_RWX));
    assert_true(pgt->force_page(pgt, (hyp_ia_t){PA}, M2, HYP_PROT_RW));
    assert_true(pgt->force_page(pgt, (hyp_ia_t){PA}, M2, HYP_PROT_R));
    assert_true(pgt->force_page(pgt, (hyp_ia_t){PA}, M2, HYP_PROT_RWX | HYP_PROT_SW(0)));
    assert_false(pgt->force_page(pgt, (hyp_ia_t){0}, G1,
                                 HRIG_EITHER(HYP_PROT_RW, HYP_PROT_RW | HYP_PROT_DEVICE)));
    assert_int_equal(pgt->force_page(pgt, (hyp_ia_t){0}, G1, HYP_PROT_RW), hyp_rig_is_x86());
    assert_true(pgt->force_page(pgt, (hyp_ia_t){0}, G1, HYP_PROT_RWX));
    rig.hyp.host.policy.force_page = HYP_FORCE_NEVER;
    assert_false(pgt->force_page(pgt, (hyp_ia_t){PA}, M2, HYP_PROT_R));
    hyp_rig_free(&rig);
}

/* ---- want of tables ---- */

static void device_mappings_give_way_when_tables_run_out(void **state)
{
    static struct hyp_rig_drain drain;
    struct hyp_rig rig;
    hyp_ipa_t device = hyp_ipa(HRIG_RAM1 - 4096);
    unsigned int level;

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(UINT64_C(0x80000000))), HYP_HOST_MAPPED);
    assert_int_equal(hyp_host_touch(&rig.hyp, device), HYP_HOST_MAPPED);
    hyp_rig_drain(&drain, &rig.hyp.host.pool, 0);
    /* RAM1's first page needs a table; the device page above shares its own with nobody. */
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(HRIG_RAM1 + HRIG_RAM1_SIZE - 4096)),
                     HYP_HOST_MAPPED);
    assert_int_equal(rig.fake.events[HYP_EV_HOST_RECYCLE], 1);
    assert_int_equal(hyp_host_leaf(&rig.hyp, device, &level), 0);
    assert_int_equal(hyp_host_leaf(&rig.hyp, hyp_ipa(UINT64_C(0x80000000)), &level), 0);
    hyp_rig_refill(&drain);
    assert_true(hyp_rig_sound(&rig));
    hyp_rig_free(&rig);
}

static void the_second_failure_stops_the_core(void **state)
{
    static struct hyp_rig_drain drain;
    struct hyp_rig rig;

    (void)state;
    hyp_rig_start(&rig);
    hyp_rig_drain(&drain, &rig.hyp.host.pool, 0);
    assert_true(FAKE_PANICS(&rig.fake, (void)hyp_host_touch(&rig.hyp, hyp_ipa(HRIG_RAM1))));
    hyp_rig_free(&rig);
}

/* ---- aborts ---- */

static void an_abort_without_an_address_is_retried(void **state)
{
    struct hyp_rig rig;
    struct hyp_abort abort = {0x92000007, PA, {PA}, false};
    struct hyp_host_regs regs = {.spsr = 5};

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_abort(&rig.hyp, &abort, &regs), HYP_HOST_SPURIOUS);
    abort.ipa_valid = true;
    assert_int_equal(hyp_host_abort(&rig.hyp, &abort, &regs), HYP_HOST_MAPPED);
    assert_int_equal(regs.esr_el1, 0);
    assert_int_equal(hyp_host_abort(&rig.hyp, &abort, &regs), HYP_HOST_SPURIOUS);
    hyp_rig_free(&rig);
}

static void an_abort_on_a_foreign_page_is_injected(void **state)
{
    struct hyp_rig rig;
    struct hyp_abort abort = {0x92000007, UINT64_C(0xffff000001000010), {PA}, true};
    struct hyp_host_regs regs = {
        .spsr = 5, .elr = 0x1234, .vbar = UINT64_C(0xffff800008010000), .sctlr = HYP_BIT(23)};

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, P, 1), HYP_OK);
    assert_int_equal(hyp_host_abort(&rig.hyp, &abort, &regs), HYP_HOST_INJECTED);
    assert_int_equal(regs.esr_el1, 0x96000087);
    assert_int_equal(regs.far_el1, abort.far);
    assert_int_equal(regs.elr_el1, 0x1234);
    assert_int_equal(regs.elr, UINT64_C(0xffff800008010200));
    assert_int_equal(rig.fake.events[HYP_EV_HOST_INJECT], 1);
    hyp_rig_free(&rig);
}

static void a_permission_fault_is_injected_even_on_a_mapped_page(void **state)
{
    struct hyp_rig rig;
    struct hyp_abort abort = {0x9200004f, PA, {PA}, true};
    struct hyp_host_regs regs = {.spsr = 5};

    (void)state;
    hyp_rig_start(&rig);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    assert_int_equal(hyp_host_abort(&rig.hyp, &abort, &regs), HYP_HOST_INJECTED);
    assert_int_equal(regs.esr_el1, 0x960000cf);
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup_finds_region_or_gap_for_every_number_of_regions),
        cmocka_unit_test(lookup_is_exact_at_the_first_and_last_byte),
        cmocka_unit_test(a_fault_maps_the_largest_block_inside_the_region),
        cmocka_unit_test(device_memory_is_mapped_without_execute_by_the_gap_around_it),
        cmocka_unit_test(next_to_a_foreign_page_faults_map_page_by_page_for_ever),
        cmocka_unit_test(a_give_back_of_a_whole_block_makes_it_a_block_again),
        cmocka_unit_test(the_eager_policy_rebuilds_a_block_when_its_last_foreign_page_returns),
        cmocka_unit_test(the_eager_policy_handles_a_range_over_several_blocks),
        cmocka_unit_test(the_never_policy_keeps_a_table_even_for_a_whole_block),
        cmocka_unit_test(the_block_level_and_the_always_policy_bound_every_leaf),
        cmocka_unit_test(only_default_attributes_may_become_a_block),
        cmocka_unit_test(device_mappings_give_way_when_tables_run_out),
        cmocka_unit_test(the_second_failure_stops_the_core),
        cmocka_unit_test(an_abort_without_an_address_is_retried),
        cmocka_unit_test(an_abort_on_a_foreign_page_is_injected),
        cmocka_unit_test(a_permission_fault_is_injected_even_on_a_mapped_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
