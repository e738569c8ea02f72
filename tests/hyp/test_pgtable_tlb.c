/* SPDX-License-Identifier: MIT */
/*
 * What each operation tells TLBs and caches, word for word, on a current CPU (FWB, range
 * invalidation) and on an Armv8.0 one. The counts agree with what was counted in Linux 7.3; see the
 * header for the two places where this core does more (wrprotect) or less (annotations).
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#define GIB UINT64_C(0x40000000)
#define MIB UINT64_C(0x100000)
#define KIB UINT64_C(0x400)
#define RWX HYP_PROT_RWX

#define IPA_FLUSH(where)  "dsb-ishst ipas2e1is:" where " dsb-ish vmalle1is dsb-ish isb"
#define RANGE_FLUSH(what) "dsb-ishst ripas2e1is:" what " dsb-ish vmalle1is dsb-ish isb"
#define VMID_FLUSH        "dsb-ishst vmalls12e1is dsb-ish isb"
#define LOCAL_FLUSH(what) "dsb-nsh ipas2e1:" what " dsb-nsh vmalle1 dsb-nsh isb"
#define VA_FLUSH(where)   "dsb-ishst " where " dsb-ish isb"

static void expect(struct table_rig *rig, const char *calls)
{
    assert_string_equal(fake_port_text(&rig->machine.fake), calls);
    rig_reset(rig);
}

static void map(struct table_rig *rig, uint64_t ia, uint64_t size, uint64_t pa, hyp_prot_t prot)
{
    assert_int_equal(hyp_pgt_map(&rig->pgt, (hyp_ia_t){ia}, size, hyp_pa(pa), prot, NULL), HYP_OK);
}

static void unmap(struct table_rig *rig, uint64_t ia, uint64_t size)
{
    assert_int_equal(hyp_pgt_unmap(&rig->pgt, (hyp_ia_t){ia}, size, NULL), HYP_OK);
}

static void annotate(struct table_rig *rig, uint64_t ia, uint64_t size)
{
    assert_int_equal(hyp_pgt_annotate(&rig->pgt, (hyp_ia_t){ia}, size, HYP_NOTE_DONATED, 2, NULL),
                     HYP_OK);
}

static void first_mappings_need_one_barrier_and_cleaning_without_fwb(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    expect(&rig, "dsb-ishst");
    map(&rig, GIB + 2 * MIB, 4 * MIB, 4 * GIB, RWX);
    expect(&rig, "dsb-ishst");
    rig_free(&rig);

    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    expect(&rig, "clean:0x100000000+0x1000 dsb-ishst");
    map(&rig, GIB + 2 * MIB, 4 * MIB, 4 * GIB, RWX);
    expect(&rig, "clean:0x100000000+0x400000 dsb-ishst");
    map(&rig, GIB + 16 * MIB, 4 * KIB, 4 * GIB, HYP_PROT_RW | HYP_PROT_DEVICE);
    expect(&rig, "dsb-ishst");
    rig_free(&rig);
}

static void the_hosts_own_memory_is_never_cleaned(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_OLD | HYP_PGT_IDENTITY | HYP_PGT_NO_DIC, 64);
    map(&rig, GIB, 4 * KIB, GIB, RWX);
    expect(&rig, "dsb-ishst");
    unmap(&rig, GIB, 4 * KIB);
    expect(&rig,
           IPA_FLUSH("0x40000000/l0") " " IPA_FLUSH("0x40000000") " " IPA_FLUSH("0x40000000"));
    rig_free(&rig);
}

static void code_is_invalidated_where_the_instruction_cache_asks_for_it(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN | HYP_PGT_NO_DIC, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    expect(&rig, "icache:0x100000000+0x1000 dsb-ishst");
    map(&rig, GIB + 4 * KIB, 4 * KIB, 4 * GIB, HYP_PROT_RW);
    expect(&rig, "dsb-ishst");
    assert_int_equal(hyp_pgt_relax(&rig.pgt, (hyp_ia_t){GIB + 4 * KIB}, HYP_PROT_X), HYP_OK);
    expect(&rig, "icache:0x100000000+0x1000 " LOCAL_FLUSH("0x40001000/l0"));
    rig_free(&rig);
}

static void another_page_is_broken_before_it_is_made(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    rig.machine.fake.record |= 1u << FAKE_STORE;
    map(&rig, GIB, 4 * KIB, 5 * GIB, RWX);
    expect(&rig, "store:0xc0003000=0x1000000000000000 " IPA_FLUSH(
                     "0x40000000/l0") " store:0xc0003000=0x1400007db dsb-ishst");
    rig_free(&rig);

    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    map(&rig, GIB, 4 * KIB, 5 * GIB, RWX);
    expect(&rig, IPA_FLUSH("0x40000000/l0") " clean:0x140000000+0x1000 dsb-ishst");
    rig_free(&rig);
}

static void software_bits_and_refusals_flush_nothing(void **state)
{
    struct table_rig rig;
    const hyp_ia_t ia = {GIB};

    (void)state;
    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX | HYP_PROT_SW(1));
    expect(&rig, "dsb-ishst");
    assert_int_equal(
        hyp_pgt_map(&rig.pgt, ia, 4 * KIB, hyp_pa(4 * GIB), RWX | HYP_PROT_SW(1), NULL),
        HYP_EAGAIN);
    expect(&rig, "dsb-ishst");
    rig_free(&rig);
}

static void a_block_that_loses_a_page_is_flushed_once(void **state)
{
    static const uint64_t flags[] = {RIG_MODERN, RIG_OLD};
    struct table_rig rig;

    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        rig_init(&rig, flags[i], 64);
        map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
        rig_reset(&rig);
        map(&rig, GIB + 28 * KIB, 4 * KIB, 4 * GIB, HYP_PROT_R);
        expect(&rig, i == 0 ? IPA_FLUSH("0x40000000/l1") " dsb-ishst"
                            : IPA_FLUSH("0x40000000/l1") " clean:0x100000000+0x1000 dsb-ishst");
        map(&rig, GIB + 2 * MIB, 2 * MIB, 4 * GIB, RWX);
        rig_reset(&rig);
        annotate(&rig, GIB + 2 * MIB, 4 * KIB);
        expect(&rig, IPA_FLUSH("0x40200000/l1"));
        rig_free(&rig);
    }
}

static void a_split_is_one_flush_and_a_barrier(void **state)
{
    static const uint64_t flags[] = {RIG_MODERN, RIG_OLD};
    struct table_rig rig;

    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        rig_init(&rig, flags[i], 64);
        map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
        rig_reset(&rig);
        assert_int_equal(hyp_pgt_split(&rig.pgt, (hyp_ia_t){GIB}, 2 * MIB, NULL), HYP_OK);
        expect(&rig, IPA_FLUSH("0x40000000/l1") " dsb-ishst");
        rig_free(&rig);
    }
}

static void a_table_that_becomes_a_block_is_flushed_as_a_range(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
    expect(&rig, RANGE_FLUSH("0x40000000+0x200000") " dsb-ishst");
    rig_free(&rig);

    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
    expect(&rig, VMID_FLUSH " clean:0x100000000+0x200000 dsb-ishst");
    rig_free(&rig);
}

static void collapse_flushes_the_range_and_cleans_nothing(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
    assert_int_equal(hyp_pgt_split(&rig.pgt, (hyp_ia_t){GIB}, 2 * MIB, NULL), HYP_OK);
    rig_reset(&rig);
    assert_int_equal(hyp_pgt_collapse(&rig.pgt, (hyp_ia_t){GIB}, 1), HYP_OK);
    expect(&rig, VMID_FLUSH " dsb-ishst");
    rig_free(&rig);
}

static void annotations_flush_only_what_was_mapped(void **state)
{
    static const uint64_t flags[] = {RIG_MODERN, RIG_OLD};
    struct table_rig rig;

    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        rig_init(&rig, flags[i], 64);
        annotate(&rig, GIB, 4 * KIB);
        expect(&rig, "");
        annotate(&rig, GIB, 8 * KIB);
        expect(&rig, "");
        map(&rig, GIB + 8 * KIB, 8 * KIB, 4 * GIB, RWX);
        rig_reset(&rig);
        annotate(&rig, GIB + 4 * KIB, 12 * KIB);
        expect(&rig, IPA_FLUSH("0x40002000/l0") " " IPA_FLUSH("0x40003000/l0"));
        rig_free(&rig);
    }
}

static void unmap_flushes_the_range_once_where_it_can(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    unmap(&rig, GIB, 4 * KIB);
    expect(&rig, RANGE_FLUSH("0x40000000+0x1000"));
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    unmap(&rig, GIB, 8 * KIB);
    expect(&rig, RANGE_FLUSH("0x40000000+0x2000"));
    unmap(&rig, GIB, 8 * KIB);
    expect(&rig, "");
    unmap(&rig, GIB + 8 * KIB, 8 * KIB);
    expect(&rig, IPA_FLUSH("0x40002000") " " IPA_FLUSH("0x40002000") " " RANGE_FLUSH(
                     "0x40002000+0x2000"));
    rig_free(&rig);
}

static void unmap_flushes_and_cleans_each_leaf_where_it_must(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    unmap(&rig, GIB, 8 * KIB);
    expect(&rig, IPA_FLUSH("0x40000000/l0") " clean:0x100000000+0x1000 " IPA_FLUSH(
                     "0x40001000/l0") " clean:0x100001000+0x1000");
    rig_free(&rig);

    /* FWB alone does not batch, but needs no cleaning. */
    rig_init(&rig, HYP_PGT_FWB, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    unmap(&rig, GIB, 4 * KIB);
    expect(&rig, IPA_FLUSH("0x40000000/l0"));
    rig_free(&rig);
}

static void rights_are_flushed_here_and_ageing_nowhere(void **state)
{
    struct table_rig rig;
    bool young;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, HYP_PROT_RW);
    rig_reset(&rig);
    assert_int_equal(hyp_pgt_relax(&rig.pgt, (hyp_ia_t){GIB}, RWX), HYP_OK);
    expect(&rig, LOCAL_FLUSH("0x40000000/l0"));
    assert_int_equal(hyp_pgt_relax(&rig.pgt, (hyp_ia_t){3 * GIB}, RWX), HYP_EAGAIN);
    expect(&rig, LOCAL_FLUSH("0xc0000000/l2"));
    assert_int_equal(hyp_pgt_test_clear_young(&rig.pgt, (hyp_ia_t){GIB}, 16 * KIB, true, &young),
                     HYP_OK);
    expect(&rig, "");
    hyp_pgt_mkyoung(&rig.pgt, (hyp_ia_t){GIB});
    expect(&rig, "dsb-ishst");
    hyp_pgt_mkyoung(&rig.pgt, (hyp_ia_t){GIB});
    expect(&rig, "");
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){GIB}, 16 * KIB), HYP_OK);
    expect(&rig, RANGE_FLUSH("0x40000000+0x4000"));
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){GIB}, 16 * KIB), HYP_OK);
    expect(&rig, "");
    rig_free(&rig);

    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, HYP_PROT_RW);
    rig_reset(&rig);
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){GIB}, 16 * KIB), HYP_OK);
    expect(&rig, VMID_FLUSH);
    rig_free(&rig);
}

static void destroy_tells_nobody(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    hyp_pgt_destroy(&rig.pgt);
    expect(&rig, "");
    rig_free(&rig);
}

static void every_invalidation_names_the_vmid_of_the_table(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_OLD, 64);
    map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    unmap(&rig, GIB, 4 * KIB);
    for (size_t i = 0; i < rig.machine.fake.call_count; i++) {
        if (rig.machine.fake.calls[i].kind == FAKE_TLBI)
            assert_int_equal(rig.machine.fake.calls[i].vmid, 7);
    }
    assert_int_equal(rig.machine.fake.tlbis[HYP_TLBI_VMALLE1IS], 4);
    rig_free(&rig);
}

static void stage_one_uses_addresses_of_el2(void **state)
{
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_arm64_s1, .page_shift = 12, .ia_bits = 48, .max_block_level = 2};
    struct table_rig rig;

    (void)state;
    rig_init_config(&rig, config, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, HYP_PROT_RW);
    expect(&rig, "dsb-ishst isb");
    unmap(&rig, GIB, 8 * KIB);
    expect(&rig, VA_FLUSH("vale2is:0x40000000/l0") " " VA_FLUSH("vale2is:0x40001000/l0"));
    unmap(&rig, GIB + 8 * KIB, 8 * KIB);
    expect(&rig,
           VA_FLUSH("vale2is:0x40002000/l0") " " VA_FLUSH("vale2is:0x40003000/l0") " " VA_FLUSH(
               "vae2is:0x40002000") " " VA_FLUSH("vae2is:0x40002000") " " VA_FLUSH("vae2is:"
                                                                                   "0x40002000"));
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_mappings_need_one_barrier_and_cleaning_without_fwb),
        cmocka_unit_test(the_hosts_own_memory_is_never_cleaned),
        cmocka_unit_test(code_is_invalidated_where_the_instruction_cache_asks_for_it),
        cmocka_unit_test(another_page_is_broken_before_it_is_made),
        cmocka_unit_test(software_bits_and_refusals_flush_nothing),
        cmocka_unit_test(a_block_that_loses_a_page_is_flushed_once),
        cmocka_unit_test(a_split_is_one_flush_and_a_barrier),
        cmocka_unit_test(a_table_that_becomes_a_block_is_flushed_as_a_range),
        cmocka_unit_test(collapse_flushes_the_range_and_cleans_nothing),
        cmocka_unit_test(annotations_flush_only_what_was_mapped),
        cmocka_unit_test(unmap_flushes_the_range_once_where_it_can),
        cmocka_unit_test(unmap_flushes_and_cleans_each_leaf_where_it_must),
        cmocka_unit_test(rights_are_flushed_here_and_ageing_nowhere),
        cmocka_unit_test(destroy_tells_nobody),
        cmocka_unit_test(every_invalidation_names_the_vmid_of_the_table),
        cmocka_unit_test(stage_one_uses_addresses_of_el2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
