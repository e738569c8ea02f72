/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86 walks without caches: geometry, reference counts, reserved bits, flags, memory types. */
#include "tests/mmu/support/x86.h"

static struct mmu_result walk_once(unsigned int levels, unsigned int ept_levels, unsigned int page,
                                   unsigned int nested_page)
{
    struct x86 x;
    struct mmu_config config = world_bare_config();
    struct mmu_result result;
    uint64_t gpa = ept_levels ? UINT64_C(1) << 39 : UINT64_C(0x40000000);

    x86_open(&x, &config, levels, ept_levels, nested_page);
    x86_map(&x, X86_VA, page, gpa | X86_ALL | (page ? X86_PS : 0));
    if (ept_levels)
        ept_map(&x, gpa, nested_page, UINT64_C(0x80000000) | EPT_ALL | (nested_page ? EPT_PS : 0));
    result = x86_load(&x, X86_VA + 0x234);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.pa.v, (ept_levels ? UINT64_C(0x80000000) : gpa) + 0x234);
    assert_int_equal(result.ipa.v, gpa + 0x234);
    assert_int_equal(result.source, MMU_SRC_WALK);
    x86_close(&x);
    return result;
}

static void assert_references(unsigned int levels, unsigned int ept_levels, unsigned int page,
                              unsigned int nested_page, unsigned int references)
{
    struct mmu_result result = walk_once(levels, ept_levels, page, nested_page);
    unsigned int smaller = ept_levels && nested_page < page ? nested_page : page;

    assert_int_equal(result.refs_s1, levels - page);
    assert_int_equal(result.refs_s1 + result.refs_s2, references);
    assert_int_equal(result.page_shift, 12 + 9 * smaller);
    assert_int_equal(result.level, smaller);
}

static void native_walks_read_one_entry_for_each_level(void **state)
{
    (void)state;
    assert_references(4, 0, 0, 0, 4);
    assert_references(4, 0, 1, 0, 3);
    assert_references(4, 0, 2, 0, 2);
    assert_references(5, 0, 0, 0, 5);
    assert_references(5, 0, 1, 0, 4);
}

static void two_dimensional_walks_have_exact_counts(void **state)
{
    (void)state;
    assert_references(4, 4, 0, 0, 24);
    assert_references(5, 5, 0, 0, 35);
    assert_references(4, 4, 1, 0, 19);
    assert_references(4, 4, 0, 1, 19);
    assert_references(4, 4, 1, 1, 15);
    assert_references(4, 4, 2, 0, 14);
    assert_references(4, 5, 0, 0, 29);
    assert_references(5, 4, 0, 0, 29);
    assert_references(4, 4, 0, 2, 14);
}

static void an_address_that_is_not_canonical_reads_nothing(void **state)
{
    static const struct {
        unsigned int levels;
        uint64_t va;
        bool canonical;
    } rows[] = {
        {4, UINT64_C(0x00007fffffffffff), true},  {4, UINT64_C(0x0000800000000000), false},
        {4, UINT64_C(0xffff800000000000), true},  {4, UINT64_C(0xffff7fffffffffff), false},
        {4, UINT64_C(0x8000000000000000), false}, {5, UINT64_C(0x0000800000000000), true},
        {5, UINT64_C(0x00ffffffffffffff), true},  {5, UINT64_C(0x0100000000000000), false},
        {5, UINT64_C(0xff00000000000000), true},  {5, UINT64_C(0xfeffffffffffffff), false},
    };
    struct mmu_config config = world_bare_config();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct x86 x;
        x86_open(&x, &config, rows[i].levels, 0, 0);
        struct mmu_result result = x86_load(&x, rows[i].va);
        assert_int_equal(result.fault,
                         rows[i].canonical ? MMU_FAULT_TRANSLATION : MMU_FAULT_NONCANONICAL);
        assert_int_equal(result.refs_s1, rows[i].canonical);
        assert_int_equal(result.stage, 1);
        x86_close(&x);
    }
}

/* ---- reserved bits of stage 1 ---- */

static void open_page(struct x86 *x)
{
    struct mmu_config config = world_bare_config();

    x86_open(x, &config, 5, 0, 0);
    x86_map(x, X86_VA, 0, X86_PA | X86_ALL);
}

/* The walk whose entry at `level` is `entry`, with the address it had where that is a table's. */
static struct mmu_result with_entry(struct x86 *x, unsigned int level, uint64_t entry)
{
    uint64_t slot = x86_slot(x, X86_VA, level), was = world_read(&x->world, slot);

    if (level != 0 && !(entry & X86_PS))
        entry |= was & UINT64_C(0x3ffffffff000);
    world_write(&x->world, slot, entry);
    struct mmu_result result = x86_load(x, X86_VA);
    world_write(&x->world, slot, was);
    return result;
}

static void each_reserved_bit_of_each_level_faults_unless_absent(void **state)
{
    struct x86 x;

    (void)state;
    open_page(&x);
    for (unsigned int level = 0; level < 5; level++) {
        for (unsigned int bit = 1; bit < 64; bit++) {
            for (unsigned int ps = 0; ps <= (level == 1 || level == 2 ? 1 : 0); ps++) {
                uint64_t entry = X86_ALL | UINT64_C(1) << bit | (ps ? X86_PS : 0);
                bool large = level > 0 && (entry & X86_PS);
                /* MAXPHYADDR is 46; a large leaf reserves what lies between bit 13 and its
                 * address; PS does not exist above 1G. */
                bool reserved = (bit >= 46 && bit <= 51) || (bit == 7 && level > 2) ||
                                (large && level == 1 && bit >= 13 && bit <= 20) ||
                                (large && level == 2 && bit >= 13 && bit <= 29);
                struct mmu_result result = with_entry(&x, level, entry);
                assert_int_equal(result.fault == MMU_FAULT_RESERVED, reserved);
                if (reserved)
                    assert_int_equal(result.level, level);
                result = with_entry(&x, level, entry & ~X86_P);
                assert_int_equal(result.fault, MMU_FAULT_TRANSLATION);
            }
        }
    }
    x86_close(&x);
}

static void xd_without_nxe_and_1g_pages_without_the_feature_are_reserved(void **state)
{
    struct x86 x;

    (void)state;
    open_page(&x);
    assert_int_equal(with_entry(&x, 2, X86_ALL | X86_PS).fault, MMU_OK);
    for (unsigned int level = 0; level < 5; level++)
        assert_int_equal(with_entry(&x, level, X86_ALL | X86_XD).fault, MMU_OK);
    x.regs.efer = MMU_X86_EFER_LMA;
    x.regs.pages_1g = false;
    x86_set(&x);
    assert_int_equal(with_entry(&x, 2, X86_ALL | X86_PS).fault, MMU_FAULT_RESERVED);
    for (unsigned int level = 0; level < 5; level++)
        assert_int_equal(with_entry(&x, level, X86_ALL | X86_XD).fault, MMU_FAULT_RESERVED);
    x86_close(&x);
}

/* ---- flags ---- */

static void reads_set_accessed_everywhere_and_writes_set_dirty_in_the_leaf(void **state)
{
    struct x86 x;
    struct mmu_config config = world_bare_config();

    (void)state;
    x86_open(&x, &config, 4, 0, 0);
    x86_pages(&x, 1);
    for (unsigned int level = 0; level < 4; level++) {
        uint64_t slot = x86_slot(&x, X86_VA, level);
        world_write(&x.world, slot, world_read(&x.world, slot) & ~(X86_A | X86_D));
    }
    x86_load(&x, X86_VA);
    for (unsigned int level = 0; level < 4; level++)
        assert_int_equal(world_read(&x.world, x86_slot(&x, X86_VA, level)) & (X86_A | X86_D),
                         X86_A);
    assert_int_equal(mmu_counters(x.world.mmu)->af_updates, 4);
    x86_access(&x, X86_VA, MMU_WRITE, 1);
    assert_int_equal(world_read(&x.world, x86_slot(&x, X86_VA, 0)) & (X86_A | X86_D),
                     X86_A | X86_D);
    assert_int_equal(world_read(&x.world, x86_slot(&x, X86_VA, 1)) & X86_D, 0);
    assert_int_equal(mmu_counters(x.world.mmu)->dirty_updates, 1);
    assert_int_equal(x.world.swap_count, 5);
    x86_close(&x);
}

static void a_fault_sets_no_flag(void **state)
{
    struct x86 x;
    struct mmu_config config = world_bare_config();

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 1);
    x.regs.eptp |= MMU_X86_EPTP_AD;
    x86_set(&x);
    x86_map(&x, X86_VA, 0, X86_GPA | X86_P | X86_U);
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 0).fault, MMU_FAULT_PERMISSION);
    assert_int_equal(world_read(&x.world, x86_slot(&x, X86_VA, 0)), X86_GPA | X86_P | X86_U);
    assert_int_equal(world_read(&x.world, ept_slot(&x, X86_GPA, 0)), X86_PA | EPT_ALL);
    x86_close(&x);
}

static void ept_flags_are_set_for_guest_tables_as_writes_and_for_data_by_access(void **state)
{
    struct x86 x;
    struct mmu_config config = world_bare_config();
    uint64_t leaf;

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 1);
    x86_load(&x, X86_VA);
    assert_int_equal(x.world.swap_count, 0); /* EPTP[6] clear: nothing is marked */
    x.regs.eptp |= MMU_X86_EPTP_AD;
    x86_set(&x);
    x86_load(&x, X86_VA);
    leaf = world_read(&x.world, ept_slot(&x, X86_GPA, 0));
    assert_int_equal(leaf, X86_PA | EPT_ALL | EPT_A);
    for (unsigned int level = 1; level < 4; level++)
        assert_int_equal(world_read(&x.world, ept_slot(&x, X86_GPA, level)) & (EPT_A | EPT_D),
                         EPT_A);
    leaf = world_read(&x.world, ept_slot(&x, x.root + X86_DELTA, 0));
    assert_int_equal(leaf & (EPT_A | EPT_D), EPT_A | EPT_D);
    x86_access(&x, X86_VA, MMU_WRITE, 1);
    leaf = world_read(&x.world, ept_slot(&x, X86_GPA, 0));
    assert_int_equal(leaf, X86_PA | EPT_ALL | EPT_A | EPT_D);
    x86_close(&x);
}

static void an_update_that_loses_a_race_is_tried_again(void **state)
{
    struct x86 x;
    struct mmu_config config = world_bare_config();

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 1);
    x.regs.eptp |= MMU_X86_EPTP_AD;
    x86_set(&x);
    x.world.swap_refusals = 2;
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 1).fault, MMU_OK);
    x86_map(&x, X86_VA, 0, X86_GPA | X86_P | X86_W);
    x.world.swap_refusals = 2;
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 1).fault, MMU_OK);
    assert_int_equal(x.world.swap_refusals, 0);
    x86_map(&x, X86_VA, 0, X86_GPA | X86_P | X86_W);
    x.world.swap_refusals = 100;
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 1).fault, MMU_FAULT_EXTERNAL_WALK);
    x86_close(&x);
}

/* ---- memory types ---- */

/* PAT entry n holds the n-th type of: UC, UC, WC, WT, WP, WB, UC-. */
static uint8_t type_of(struct x86 *x, unsigned int index, uint64_t ept_bits)
{
    uint64_t bits = (uint64_t)(index & 3) << 3 | (uint64_t)(index >> 2) << 7;

    x86_map(x, X86_VA, 0, X86_GPA | X86_ALL | bits);
    ept_map(x, X86_GPA, 0, X86_PA | EPT_R | EPT_W | EPT_X | ept_bits);
    return x86_load(x, X86_VA).attr;
}

static void memory_types_combine_as_pat_under_mtrr_unless_pat_is_ignored(void **state)
{
    static const struct {
        uint8_t ept, with[6]; /* UC WC WT WP WB UC- */
    } rows[5] = {
        {0, {0, 1, 0, 0, 0, 0}}, {1, {0, 1, 0, 0, 1, 1}}, {4, {0, 1, 4, 5, 4, 0}},
        {6, {0, 1, 4, 5, 6, 0}}, {5, {0, 1, 4, 5, 5, 1}},
    };
    struct x86 x;
    struct mmu_config config = world_bare_config();

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x.regs.pat = UINT64_C(0x0007060504010000);
    x86_set(&x);
    for (unsigned int row = 0; row < 5; row++)
        for (unsigned int column = 0; column < 6; column++) {
            uint64_t bits = (uint64_t)rows[row].ept << 3;
            assert_int_equal(type_of(&x, column + 1, bits), rows[row].with[column]);
            assert_int_equal(type_of(&x, column + 1, bits | EPT_IPAT), rows[row].ept);
        }
    x86_close(&x);
}

static void without_ept_the_type_is_that_of_the_pat(void **state)
{
    struct x86 x;
    struct mmu_config config = world_bare_config();

    (void)state;
    x86_open(&x, &config, 4, 0, 0);
    x.regs.pat = UINT64_C(0x0605040100070500);
    x86_set(&x);
    x86_map(&x, X86_VA, 0, X86_PA | X86_ALL | 0x08);
    assert_int_equal(x86_load(&x, X86_VA).attr, 5);
    x86_map(&x, X86_VA, 0, X86_PA | X86_ALL | 0x80); /* bit 7 of a page: PAT */
    assert_int_equal(x86_load(&x, X86_VA).attr, 1);
    x86_map(&x, X86_VA, 1, UINT64_C(0x40000000) | X86_ALL | X86_PS | 0x1010); /* bit 12 */
    assert_int_equal(x86_load(&x, X86_VA).attr, 5);
    x86_map(&x, X86_VA, 1, UINT64_C(0x40000000) | X86_ALL | X86_PS | 0x10);
    assert_int_equal(x86_load(&x, X86_VA).attr, 7);
    x86_close(&x);
}

/* ---- paging off ---- */

static void with_paging_off_ept_alone_translates(void **state)
{
    struct x86 x;
    struct mmu_config config = world_bare_config();

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 1);
    x.regs.cr0 = 1;
    x86_set(&x);
    struct mmu_result result = x86_load(&x, X86_GPA + 5);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.pa.v, X86_PA + 5);
    assert_int_equal(result.refs_s1, 0);
    assert_int_equal(result.refs_s2, 4);
    assert_int_equal(result.attr, 6);
    x.regs.ept = false;
    x86_set(&x);
    result = x86_load(&x, 0x1234);
    assert_int_equal(result.source, MMU_SRC_OFF);
    assert_int_equal(result.pa.v, 0x1234);
    x86_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_walks_read_one_entry_for_each_level),
        cmocka_unit_test(two_dimensional_walks_have_exact_counts),
        cmocka_unit_test(an_address_that_is_not_canonical_reads_nothing),
        cmocka_unit_test(each_reserved_bit_of_each_level_faults_unless_absent),
        cmocka_unit_test(xd_without_nxe_and_1g_pages_without_the_feature_are_reserved),
        cmocka_unit_test(reads_set_accessed_everywhere_and_writes_set_dirty_in_the_leaf),
        cmocka_unit_test(a_fault_sets_no_flag),
        cmocka_unit_test(ept_flags_are_set_for_guest_tables_as_writes_and_for_data_by_access),
        cmocka_unit_test(an_update_that_loses_a_race_is_tried_again),
        cmocka_unit_test(memory_types_combine_as_pat_under_mtrr_unless_pat_is_ignored),
        cmocka_unit_test(without_ept_the_type_is_that_of_the_pat),
        cmocka_unit_test(with_paging_off_ept_alone_translates),
    };

    return cmocka_run_group_tests_name("x86_walk", tests, NULL, NULL);
}
