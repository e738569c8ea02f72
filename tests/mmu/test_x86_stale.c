/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stale translations on x86: which forgotten invalidation is noticed, what it is called, and what
 * needs none. */
#include "tests/mmu/support/x86.h"

static void open_checked(struct x86 *x, unsigned int ept_levels)
{
    struct mmu_config config = world_full_config();

    config.stale = MMU_STALE_ALL;
    config.ipa_cache_tables = true;
    x86_open(x, &config, 4, ept_levels, 0);
    x86_pages(x, 4);
    x86_load(x, X86_VA);
    x86_load(x, X86_VA + 0x1000);
}

static void assert_stale(struct x86 *x, uint64_t va, enum mmu_access access, const char *missing)
{
    unsigned int before = x->world.stale_count;

    assert_int_equal(x86_access(x, va, access, 1).fault, MMU_OK);
    assert_int_equal(x->world.stale_count, before + 1);
    assert_string_equal(x->world.stale[before].missing, missing);
}

static void assert_silent(struct x86 *x, uint64_t va, enum mmu_access access)
{
    unsigned int before = x->world.stale_count;

    x86_access(x, va, access, 1);
    assert_int_equal(x->world.stale_count, before);
}

static void a_page_taken_away_or_moved_needs_invlpg(void **state)
{
    struct x86 x;

    (void)state;
    open_checked(&x, 0);
    x86_map(&x, X86_VA, 0, 0);
    assert_stale(&x, X86_VA, MMU_READ, "INVLPG");
    x86_inval(&x, MMU_X86_INVLPG, X86_VA);
    assert_silent(&x, X86_VA, MMU_READ);
    x86_map(&x, X86_VA + 0x1000, 0, (X86_PA + 0x9000) | X86_ALL);
    assert_stale(&x, X86_VA + 0x1000, MMU_READ, "INVLPG");
    assert_int_equal(x.world.stale[1].table_pa.v, X86_PA + 0x9000);
    assert_int_equal(x.world.stale[1].cached_pa.v, X86_PA + 0x1000);
    x86_close(&x);
}

static void a_right_taken_away_needs_invlpg(void **state)
{
    struct x86 x;

    (void)state;
    open_checked(&x, 0);
    x86_access(&x, X86_VA, MMU_WRITE, 1);
    x86_map(&x, X86_VA, 0, X86_PA | X86_P | X86_U | X86_A | X86_D);
    assert_silent(&x, X86_VA, MMU_READ);
    assert_stale(&x, X86_VA, MMU_WRITE, "INVLPG");
    assert_true(x.world.stale[0].permission);
    x86_close(&x);
}

static void an_ept_entry_taken_away_needs_invept_and_invvpid_is_not_enough(void **state)
{
    struct x86 x;

    (void)state;
    open_checked(&x, 4);
    ept_map(&x, X86_GPA, 0, 0);
    assert_stale(&x, X86_VA, MMU_READ, "INVEPT single-context");
    /* The combined entry goes, the guest-physical one stays. */
    x86_inval(&x, MMU_X86_INVVPID_ONE, 0);
    assert_stale(&x, X86_VA, MMU_READ, "INVEPT single-context");
    assert_int_equal(x.world.stale[1].source, MMU_SRC_WALK);
    x86_inval(&x, MMU_X86_INVEPT_ONE, 0);
    assert_silent(&x, X86_VA, MMU_READ);
    assert_int_equal(x86_load(&x, X86_VA).fault, MMU_FAULT_TRANSLATION);
    x86_close(&x);
}

static void invept_of_another_root_does_not_help(void **state)
{
    struct x86 x;
    struct mmu_x86_inval in = {.op = MMU_X86_INVEPT_ONE};

    (void)state;
    open_checked(&x, 4);
    ept_map(&x, X86_GPA, 0, X86_PA | EPT_X | EPT_WB);
    in.eptp = x.regs.eptp + 0x1000;
    mmu_x86_invalidate(x.world.mmu, &in);
    assert_stale(&x, X86_VA, MMU_READ, "INVEPT single-context");
    assert_true(x.world.stale[0].permission);
    x86_close(&x);
}

static void a_guest_table_taken_away_misleads_a_walk_through_the_structure_cache(void **state)
{
    struct x86 x;

    (void)state;
    open_checked(&x, 0);
    x86_map(&x, X86_VA, 1, 0);
    assert_stale(&x, X86_VA + 0x2000, MMU_READ, "INVLPG");
    assert_int_equal(x.world.stale[0].source, MMU_SRC_WALK);
    /* INVLPG of any address clears the structure cache of the PCID. */
    x86_inval(&x, MMU_X86_INVLPG, UINT64_C(0xffff800000000000));
    assert_silent(&x, X86_VA + 0x3000, MMU_READ);
    x86_close(&x);
}

static void more_rights_a_new_page_and_cleared_flags_need_nothing(void **state)
{
    struct x86 x;

    (void)state;
    open_checked(&x, 4);
    ept_map(&x, X86_GPA, 0, X86_PA | EPT_R | EPT_WB);
    x86_inval(&x, MMU_X86_INVEPT_ONE, 0);
    x86_load(&x, X86_VA);
    ept_map(&x, X86_GPA, 0, X86_PA | EPT_ALL);
    assert_silent(&x, X86_VA, MMU_WRITE); /* one spurious violation */
    assert_silent(&x, X86_VA, MMU_WRITE);
    assert_silent(&x, X86_VA + 0x8000, MMU_READ);
    x86_map(&x, X86_VA + 0x8000, 0, (X86_GPA + 0x1000) | X86_ALL);
    assert_silent(&x, X86_VA + 0x8000, MMU_READ);
    x86_map(&x, X86_VA + 0x1000, 0, (X86_GPA + 0x1000) | X86_P | X86_W | X86_U);
    assert_silent(&x, X86_VA + 0x1000, MMU_READ);
    assert_int_equal(x.world.stale_count, 0);
    x86_close(&x);
}

static void mov_cr3_with_bit_63_keeps_stale_entries_of_the_pcid(void **state)
{
    struct x86 x;

    (void)state;
    open_checked(&x, 0);
    x86_map(&x, X86_VA, 0, 0);
    x86_inval(&x, MMU_X86_MOV_CR3_KEEP, 0);
    assert_stale(&x, X86_VA, MMU_READ, "INVLPG");
    x86_inval(&x, MMU_X86_MOV_CR3, 0);
    assert_silent(&x, X86_VA, MMU_READ);
    x86_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_taken_away_or_moved_needs_invlpg),
        cmocka_unit_test(a_right_taken_away_needs_invlpg),
        cmocka_unit_test(an_ept_entry_taken_away_needs_invept_and_invvpid_is_not_enough),
        cmocka_unit_test(invept_of_another_root_does_not_help),
        cmocka_unit_test(a_guest_table_taken_away_misleads_a_walk_through_the_structure_cache),
        cmocka_unit_test(more_rights_a_new_page_and_cleared_flags_need_nothing),
        cmocka_unit_test(mov_cr3_with_bit_63_keeps_stale_entries_of_the_pcid),
    };

    return cmocka_run_group_tests_name("x86_stale", tests, NULL, NULL);
}
