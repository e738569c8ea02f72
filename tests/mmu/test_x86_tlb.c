/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86 with caches: what an entry stands for, and which tags and flags it is found by. */
#include "mmu/eval.h"
#include "tests/mmu/support/x86.h"

static void open_full(struct x86 *x, unsigned int ept_levels)
{
    struct mmu_config config = world_full_config();

    config.l1d.entries = 64;
    config.walk_cache = (struct mmu_tlb_config){.entries = 64, .hit_cycles = 2};
    config.ipa_cache = (struct mmu_tlb_config){.entries = 64, .hit_cycles = 3};
    x86_open(x, &config, 4, ept_levels, 0);
    x86_pages(x, 8);
}

static void set_pcid(struct x86 *x, unsigned int pcid)
{
    x->regs.cr3 = (x->regs.cr3 & ~UINT64_C(0xfff)) | pcid;
    x86_set(x);
}

static void a_second_page_is_walked_from_the_cached_table(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 4);
    x86_load(&x, X86_VA);
    struct mmu_result result = x86_load(&x, X86_VA + 0x1000);
    assert_int_equal(result.refs_s1, 1);
    assert_int_equal(result.refs_s2, 4); /* of the page: its guest table came translated */
    assert_int_equal(mmu_counters(x.world.mmu)->walk_cache_hits, 1);
    x86_close(&x);
}

static void tables_of_the_second_stage_are_cached_when_asked_for(void **state)
{
    struct mmu_config config = world_full_config();
    struct x86 x;

    (void)state;
    config.ipa_cache_tables = true;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 2);
    x86_load(&x, X86_VA);
    struct mmu_result result = x86_load(&x, X86_VA + 0x1000);
    assert_int_equal(result.refs_s1, 1);
    assert_int_equal(result.refs_s2, 1);
    x86_close(&x);
}

static void a_fault_of_a_walk_drops_the_structures_it_used(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 0);
    x86_load(&x, X86_VA);
    assert_int_equal(x86_load(&x, X86_VA + 0x9000).fault, MMU_FAULT_TRANSLATION);
    assert_int_equal(x86_load(&x, X86_VA + 0x1000).refs_s1, 4);
    assert_int_equal(x86_load(&x, X86_VA).source, MMU_SRC_L1);
    x86_close(&x);
}

static void a_write_after_a_read_walks_again_and_marks_both_stages(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 4);
    x.regs.eptp |= MMU_X86_EPTP_AD;
    x86_set(&x);
    x86_map(&x, X86_VA, 0, X86_GPA | X86_P | X86_W | X86_U);
    x86_load(&x, X86_VA);
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 1).source, MMU_SRC_WALK);
    assert_int_equal(world_read(&x.world, x86_slot(&x, X86_VA, 0)), X86_GPA | X86_ALL);
    assert_int_equal(world_read(&x.world, ept_slot(&x, X86_GPA, 0)),
                     X86_PA | EPT_ALL | EPT_A | EPT_D);
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 1).source, MMU_SRC_L1);
    x86_close(&x);
}

static void a_write_after_a_read_marks_without_a_second_stage_too(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 0);
    x86_map(&x, X86_VA, 0, X86_PA | X86_P | X86_W | X86_U);
    x86_load(&x, X86_VA);
    assert_int_equal(world_read(&x.world, x86_slot(&x, X86_VA, 0)) & X86_D, 0);
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 1).source, MMU_SRC_WALK);
    assert_int_equal(world_read(&x.world, x86_slot(&x, X86_VA, 0)), X86_PA | X86_ALL);
    x86_close(&x);
}

static void a_cached_table_remembers_what_ept_said_of_it(void **state)
{
    struct x86 x;

    (void)state;
    for (unsigned int suppressed = 0; suppressed < 2; suppressed++) {
        open_full(&x, 4);
        uint64_t table = world_read(&x.world, x86_slot(&x, X86_VA, 1)) & UINT64_C(0xffffffffff000);
        ept_map(&x, table, 0, (table - X86_DELTA) | EPT_WB | EPT_R | (suppressed ? EPT_NO_VE : 0));
        x86_map(&x, X86_VA + 0x1000, 0, (X86_GPA + 0x1000) | X86_P);
        x86_load(&x, X86_VA);
        struct mmu_result result = x86_load(&x, X86_VA + 0x1000); /* A is to be set */
        struct mmu_request request = x86_request(X86_VA + 0x1000, MMU_READ, 1);
        assert_int_equal(result.refs_s1, 1);
        assert_int_equal(mmu_x86_qualification(&request, &result), 0x08b);
        assert_int_equal(mmu_x86_convertible(&result), !suppressed);
        x86_close(&x);
    }
}

static void a_clean_guest_physical_entry_is_walked_again_for_a_write(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 4);
    x.regs.eptp |= MMU_X86_EPTP_AD;
    x86_set(&x);
    x86_map(&x, X86_VA + 0x1000, 0, X86_GPA | X86_ALL); /* the same page twice */
    x86_load(&x, X86_VA);
    x86_access(&x, X86_VA + 0x1000, MMU_WRITE, 1);
    assert_int_equal(world_read(&x.world, ept_slot(&x, X86_GPA, 0)) & EPT_D, EPT_D);
    x86_close(&x);
}

static void a_refill_for_marking_leaves_entries_of_other_roots_alone(void **state)
{
    struct x86 x;
    uint64_t eptp, other;

    (void)state;
    open_full(&x, 4);
    eptp = x.regs.eptp;
    other = world_alloc(&x.world, 4096);
    for (unsigned int i = 0; i < 512; i++)
        world_write(&x.world, other + i * 8, world_read(&x.world, x.ept_root + i * 8));
    x86_map(&x, X86_VA, 0, X86_GPA | X86_P | X86_W | X86_U);
    x.regs.eptp = other | (eptp & 0xfff);
    x86_set(&x);
    x86_load(&x, X86_VA);
    x.regs.eptp = eptp;
    x86_set(&x);
    x86_load(&x, X86_VA);
    x.regs.eptp = other | (eptp & 0xfff);
    x86_set(&x);
    x86_access(&x, X86_VA, MMU_WRITE, 1);
    x.regs.eptp = eptp;
    x86_set(&x);
    assert_int_equal(x86_load(&x, X86_VA).source, MMU_SRC_L1);
    x86_close(&x);
}

static void a_table_is_cached_only_when_it_is_marked(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 0);
    for (unsigned int level = 0; level < 4; level++) {
        uint64_t slot = x86_slot(&x, X86_VA, level);
        world_write(&x.world, slot, world_read(&x.world, slot) & ~X86_A);
    }
    x.world.swap_refusals = 1;
    assert_int_equal(x86_load(&x, X86_VA).fault, MMU_OK);
    assert_int_equal(mmu_cpu(x.world.mmu, 0)->walk_cache.count, 3);
    for (unsigned int level = 0; level < 4; level++)
        assert_true(world_read(&x.world, x86_slot(&x, X86_VA, level)) & X86_A);
    x86_close(&x);
}

static void entries_are_found_by_pcid_unless_global_or_pcids_are_off(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 0);
    x86_map(&x, X86_VA + 0x1000, 0, (X86_PA + 0x1000) | X86_ALL | X86_G);
    set_pcid(&x, 1);
    x86_load(&x, X86_VA);
    x86_load(&x, X86_VA + 0x1000);
    set_pcid(&x, 2);
    assert_int_equal(x86_load(&x, X86_VA).source, MMU_SRC_WALK);
    assert_int_equal(x86_load(&x, X86_VA + 0x1000).source, MMU_SRC_L1);
    x.regs.cr4 &= ~MMU_X86_CR4_PCIDE;
    set_pcid(&x, 3);
    assert_int_equal(x86_load(&x, X86_VA).source, MMU_SRC_WALK);
    set_pcid(&x, 4); /* bits of no meaning now */
    assert_int_equal(x86_load(&x, X86_VA).source, MMU_SRC_L1);
    x86_close(&x);
}

static void without_pge_no_page_is_global(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 0);
    x.regs.cr4 &= ~MMU_X86_CR4_PGE;
    x86_map(&x, X86_VA, 0, X86_PA | X86_ALL | X86_G);
    set_pcid(&x, 1);
    x86_load(&x, X86_VA);
    set_pcid(&x, 2);
    assert_int_equal(x86_load(&x, X86_VA).source, MMU_SRC_WALK);
    x86_close(&x);
}

static void guest_physical_entries_serve_every_vpid_of_their_root(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 4);
    x86_load(&x, X86_VA);
    x.regs.vpid = 7;
    x86_set(&x);
    struct mmu_result result = x86_load(&x, X86_VA);
    assert_int_equal(result.source, MMU_SRC_WALK);
    assert_int_equal(result.refs_s1, 4);
    assert_int_equal(result.refs_s2, 0);
    x86_close(&x);
}

static void rights_follow_control_registers_without_a_flush(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 0);
    x86_map(&x, X86_VA, 0, X86_PA | X86_P | X86_U | X86_A | X86_D);
    x86_load(&x, X86_VA);
    x.regs.cr0 &= ~MMU_X86_CR0_WP;
    x86_set(&x);
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 1).source, MMU_SRC_L1);
    x.regs.cr4 |= MMU_X86_CR4_SMAP;
    x86_set(&x);
    struct mmu_result result = x86_access(&x, X86_VA, MMU_WRITE, 1);
    assert_int_equal(result.fault, MMU_FAULT_PERMISSION);
    assert_int_equal(result.source, MMU_SRC_L1);
    x.regs.ac = true;
    x86_set(&x);
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 1).fault, MMU_OK);
    x86_close(&x);
}

static void a_root_has_no_bits_beyond_the_physical_address(void **state)
{
    struct x86 x;

    (void)state;
    open_full(&x, 0);
    x.regs.cr3 |= UINT64_C(1) << 50 | MMU_X86_CR3_NOFLUSH;
    x86_set(&x);
    assert_int_equal(x86_load(&x, X86_VA).pa.v, X86_PA);
    x86_close(&x);
}

static void with_paging_off_advanced_information_is_that_of_a_user_page(void **state)
{
    struct mmu_eval eval = {
        .format = MMU_EVAL_EPT, .levels = 4, .x86 = {.pa_bits = 46, .ept_advanced = true}};
    struct mmu_eval_result result;

    (void)state;
    assert_true(mmu_eval(&eval, &result));
    assert_int_equal(result.syndrome, 0x781);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_page_is_walked_from_the_cached_table),
        cmocka_unit_test(tables_of_the_second_stage_are_cached_when_asked_for),
        cmocka_unit_test(a_fault_of_a_walk_drops_the_structures_it_used),
        cmocka_unit_test(a_write_after_a_read_walks_again_and_marks_both_stages),
        cmocka_unit_test(a_write_after_a_read_marks_without_a_second_stage_too),
        cmocka_unit_test(a_cached_table_remembers_what_ept_said_of_it),
        cmocka_unit_test(a_clean_guest_physical_entry_is_walked_again_for_a_write),
        cmocka_unit_test(a_refill_for_marking_leaves_entries_of_other_roots_alone),
        cmocka_unit_test(a_table_is_cached_only_when_it_is_marked),
        cmocka_unit_test(entries_are_found_by_pcid_unless_global_or_pcids_are_off),
        cmocka_unit_test(without_pge_no_page_is_global),
        cmocka_unit_test(guest_physical_entries_serve_every_vpid_of_their_root),
        cmocka_unit_test(rights_follow_control_registers_without_a_flush),
        cmocka_unit_test(a_root_has_no_bits_beyond_the_physical_address),
        cmocka_unit_test(with_paging_off_advanced_information_is_that_of_a_user_page),
    };

    return cmocka_run_group_tests_name("x86_tlb", tests, NULL, NULL);
}
