/* SPDX-License-Identifier: MIT */
/* Making and destroying tables, whatever their geometry. */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdlib.h>

#define GIB UINT64_C(0x40000000)
#define MIB UINT64_C(0x100000)
#define KIB UINT64_C(0x400)
#define RWX HYP_PROT_RWX

static void a_table_that_cannot_be_is_refused(void **state)
{
    static const struct {
        unsigned int page_shift, ia_bits;
        uint64_t flags;
        enum hyp_err err;
    } rows[] = {
        {12, 40, 0, HYP_OK},
        {13, 40, 0, HYP_EINVAL},
        {12, 49, 0, HYP_EINVAL},
        {12, 52, HYP_PGT_LPA2, HYP_OK},
        {12, 24, 0, HYP_EINVAL},
        {16, 40, HYP_PGT_LPA2, HYP_EINVAL},
        {16, 52, 0, HYP_OK},
        {16, 29, 0, HYP_EINVAL},
        {14, 52, HYP_PGT_LPA2, HYP_OK},
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_machine machine;
        struct hyp_pgt pgt;
        struct hyp_pgt_config config = {.fmt = &hyp_fmt_arm64_s2,
                                        .page_shift = rows[i].page_shift,
                                        .ia_bits = rows[i].ia_bits,
                                        .flags = rows[i].flags};

        fake_machine_init(&machine, 12, RIG_FIRST_PFN, 64, 64);
        config.port = &machine.fake.port;
        config.vmemmap = &machine.vmemmap;
        assert_int_equal(hyp_pgt_init(&pgt, &config, &machine.pool, NULL), rows[i].err);
        assert_int_equal(hyp_pgt_init(&pgt, &config, NULL, NULL), HYP_EINVAL);
        fake_machine_free(&machine);
    }
}

static void a_root_can_be_brought_along(void **state)
{
    struct fake_machine machine;
    struct hyp_pgt pgt;
    struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_arm64_s2, .page_shift = 12, .ia_bits = 40, .max_block_level = 2};

    (void)state;
    fake_machine_init(&machine, 12, RIG_FIRST_PFN, 64, 16);
    config.port = &machine.fake.port;
    config.vmemmap = &machine.vmemmap;
    assert_int_equal(
        hyp_pgt_init_at(&pgt, &config, &machine.pool, hyp_pa((RIG_FIRST_PFN + 17) << 12)),
        HYP_EINVAL);
    assert_int_equal(
        hyp_pgt_init_at(&pgt, &config, &machine.pool, hyp_pa((RIG_FIRST_PFN + 18) << 12)), HYP_OK);
    assert_int_equal(hyp_pgt_map(&pgt, (hyp_ia_t){GIB}, 4 * KIB, hyp_pa(GIB), RWX, NULL), HYP_OK);
    assert_true(fake_table_counts_true(&pgt));
    hyp_pgt_destroy(&pgt);
    assert_int_equal(machine.pool.free_pages, 18);
    fake_machine_free(&machine);
}

static void boot_tables_are_neither_counted_nor_freed(void **state)
{
    struct fake_machine machine;
    struct hyp_early early;
    struct hyp_pgt pgt;
    struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_arm64_s2, .page_shift = 12, .ia_bits = 40, .max_block_level = 2};

    (void)state;
    fake_machine_init(&machine, 12, RIG_FIRST_PFN, 64, 0);
    config.port = &machine.fake.port;
    config.vmemmap = &machine.vmemmap;
    hyp_early_init(&early, &machine.fake.port, 12, hyp_pa((RIG_FIRST_PFN + 1) << 12), 6 << 12);
    assert_int_equal(hyp_pgt_init(&pgt, &config, NULL, &early), HYP_OK);
    assert_int_equal(pgt.root.v, (RIG_FIRST_PFN + 2) << 12); /* aligned to its two pages */
    assert_int_equal(hyp_pgt_map(&pgt, (hyp_ia_t){GIB}, 4 * KIB, hyp_pa(GIB), RWX, NULL), HYP_OK);
    assert_int_equal(hyp_early_used(&early), 5);
    assert_int_equal(hyp_pgt_unmap(&pgt, (hyp_ia_t){GIB}, 4 * KIB, NULL), HYP_OK);
    for (unsigned int i = 0; i < 64; i++)
        assert_int_equal(machine.vmemmap.base[i].refcount, 0);
    assert_int_equal(hyp_pgt_map(&pgt, (hyp_ia_t){GIB + 2 * MIB}, 4 * KIB, hyp_pa(GIB), RWX, NULL),
                     HYP_OK);
    assert_int_equal(hyp_pgt_map(&pgt, (hyp_ia_t){GIB + 4 * MIB}, 4 * KIB, hyp_pa(GIB), RWX, NULL),
                     HYP_ENOMEM);
    fake_machine_free(&machine);
}

static void a_root_that_cannot_be_had_is_refused(void **state)
{
    struct fake_machine machine;
    struct hyp_early early;
    struct hyp_pgt pgt;
    struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_arm64_s2, .page_shift = 12, .ia_bits = 40, .max_block_level = 2};

    (void)state;
    fake_machine_init(&machine, 12, RIG_FIRST_PFN, 64, 1);
    config.port = &machine.fake.port;
    config.vmemmap = &machine.vmemmap;
    assert_int_equal(hyp_pgt_init(&pgt, &config, &machine.pool, NULL), HYP_ENOMEM);
    assert_int_equal(machine.pool.free_pages, 1);
    /* One page, and none of it aligned to two. */
    hyp_early_init(&early, &machine.fake.port, 12, hyp_pa((RIG_FIRST_PFN + 1) << 12), 2 << 12);
    assert_int_equal(hyp_pgt_init(&pgt, &config, NULL, &early), HYP_ENOMEM);
    hyp_early_init(&early, &machine.fake.port, 12, hyp_pa((RIG_FIRST_PFN + 1) << 12), 0);
    assert_int_equal(hyp_pgt_init(&pgt, &config, NULL, &early), HYP_ENOMEM);
    config.page_shift = 13;
    assert_int_equal(hyp_pgt_init_at(&pgt, &config, &machine.pool, hyp_pa(0)), HYP_EINVAL);
    fake_machine_free(&machine);
}

static void destroy_of_a_boot_table_frees_nothing(void **state)
{
    struct fake_machine machine;
    struct hyp_early early;
    struct hyp_pgt pgt;
    struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_arm64_s1, .page_shift = 12, .ia_bits = 48, .max_block_level = 2};

    (void)state;
    fake_machine_init(&machine, 12, RIG_FIRST_PFN, 64, 4);
    config.port = &machine.fake.port;
    config.vmemmap = &machine.vmemmap;
    hyp_early_init(&early, &machine.fake.port, 12, hyp_pa((RIG_FIRST_PFN + 8) << 12), 8 << 12);
    assert_int_equal(hyp_pgt_init(&pgt, &config, &machine.pool, &early), HYP_OK);
    assert_int_equal(hyp_pgt_map(&pgt, (hyp_ia_t){GIB}, 4 * KIB, hyp_pa(GIB), HYP_PROT_RW, NULL),
                     HYP_OK);
    hyp_pgt_destroy(&pgt);
    assert_int_equal(machine.pool.free_pages, 4);
    assert_int_equal(hyp_early_used(&early), 4);
    assert_int_equal(machine.fake.events[HYP_EV_TABLE_FREE], 0);
    fake_machine_free(&machine);
}

static void destroy_gives_everything_back(void **state)
{
    struct fake_machine machine;
    struct fake_snapshot before;
    struct table_rig rig;

    (void)state;
    fake_machine_init(&machine, 12, RIG_FIRST_PFN, 64 + 128, 128);
    fake_snapshot_take(&before, &machine);
    fake_machine_free(&machine);

    rig_init(&rig, RIG_MODERN, 128);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){i * (GIB + 2 * MIB)}, 12 * KIB,
                                     hyp_pa(4 * GIB), RWX, NULL),
                         HYP_OK);
    assert_int_equal(
        hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){600 * GIB}, 4 * MIB, HYP_NOTE_DONATED, 2, NULL),
        HYP_OK);
    hyp_pgt_destroy(&rig.pgt);
    assert_int_equal(rig.machine.pool.free_pages, 128);
    assert_true(fake_mem_equal(&before.mem, &rig.machine.fake.mem));
    fake_snapshot_free(&before);
    rig_free(&rig);
}

/* Two mappings far apart in a table of 52-bit addresses, and back. */
static void assert_wide(struct hyp_pgt_config config, unsigned int levels, uint64_t root_pages)
{
    const uint64_t last = (UINT64_C(1) << 52) - (UINT64_C(1) << config.page_shift);
    const hyp_prot_t prot = HYP_PROT_RW;
    struct table_rig rig;
    unsigned int level;
    uint64_t pte;

    assert_int_equal(hyp_pgt_levels(&config), levels);
    assert_int_equal(hyp_pgt_root_pages(&config), root_pages);
    rig_init_config(&rig, config, 64);
    assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){last}, 1, hyp_pa(last), prot, NULL), HYP_OK);
    assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){0}, 1, hyp_pa(last), prot, NULL), HYP_OK);
    pte = hyp_pgt_leaf(&rig.pgt, (hyp_ia_t){last}, &level);
    assert_int_equal(level, 0);
    assert_int_equal(hyp_pgt_target(&rig.pgt, pte, level).v, last);
    assert_int_equal(fake_table_pages(&rig.pgt), root_pages + 2 * (levels - 1));
    assert_true(fake_table_counts_true(&rig.pgt));
    assert_int_equal(hyp_pgt_unmap(&rig.pgt, (hyp_ia_t){last}, 1, NULL), HYP_OK);
    assert_int_equal(hyp_pgt_unmap(&rig.pgt, (hyp_ia_t){0}, 1, NULL), HYP_OK);
    assert_int_equal(fake_table_pages(&rig.pgt), root_pages);
    assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){0}, 1, hyp_pa(last + 1 + 0xffff), prot, NULL),
                     HYP_ERANGE);
    rig_free(&rig);
}

static void wide_addresses_reach_the_last_page(void **state)
{
    struct hyp_pgt_config config = {.fmt = &hyp_fmt_arm64_s2,
                                    .page_shift = 12,
                                    .ia_bits = 52,
                                    .flags = RIG_MODERN | HYP_PGT_LPA2,
                                    .max_block_level = 2};

    (void)state;
    assert_wide(config, 4, 16);
    config.page_shift = 14;
    assert_wide(config, 4, 1);
    config.page_shift = 16;
    config.flags = RIG_MODERN;
    assert_wide(config, 3, 1);
    config.fmt = &hyp_fmt_arm64_s1;
    assert_wide(config, 3, 1);
    config.page_shift = 12;
    config.flags = HYP_PGT_LPA2;
    assert_wide(config, 5, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_that_cannot_be_is_refused),
        cmocka_unit_test(a_root_can_be_brought_along),
        cmocka_unit_test(boot_tables_are_neither_counted_nor_freed),
        cmocka_unit_test(a_root_that_cannot_be_had_is_refused),
        cmocka_unit_test(destroy_of_a_boot_table_frees_nothing),
        cmocka_unit_test(destroy_gives_everything_back),
        cmocka_unit_test(wide_addresses_reach_the_last_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
