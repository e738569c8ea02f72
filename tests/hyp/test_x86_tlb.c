/* SPDX-License-Identifier: MIT */
/*
 * TLB maintenance of EPT and of the hypervisor's own x86 tables: which operation invalidates, how
 * often, and what is stored before. There are no barriers and no cache maintenance. Which change
 * owes an INVEPT is Intel SDM volume 3, 29.4.3.4.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdlib.h>

#define KIB  UINT64_C(1024)
#define MIB  (1024 * KIB)
#define GIB  (1024 * MIB)
#define RW   HYP_PROT_RW
#define RWX  HYP_PROT_RWX
#define ROOT "invept:0xc0000000" /* the first page of the rig's pool */

static void start(struct table_rig *rig)
{
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 40, .vmid = 7, .max_block_level = 2};

    rig_init_config(rig, config, 2048);
    assert_int_equal(rig->pgt.root.v, RIG_FIRST_PFN << 12);
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

/* What was called since the last time, and forgets it. */
static void expect(struct table_rig *rig, const char *calls)
{
    assert_string_equal(fake_port_text(&rig->machine.fake), calls);
    rig_reset(rig);
}

static void first_mappings_and_notes_need_nothing(void **state)
{
    struct table_rig rig;

    (void)state;
    start(&rig);
    map(&rig, GIB, 64 * KIB, 4 * GIB, RWX);
    map(&rig, 2 * GIB, GIB, 8 * GIB, RWX);
    annotate(&rig, 4 * GIB, 64 * KIB);
    map(&rig, 4 * GIB, 4 * KIB, 4 * GIB, RWX); /* over a note */
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX | HYP_PROT_SW(0));
    expect(&rig, "");
    rig_free(&rig);
}

static void added_rights_need_nothing_and_lost_ones_one_invept(void **state)
{
    struct table_rig rig;
    bool young;

    (void)state;
    start(&rig);
    map(&rig, GIB, 64 * KIB, 4 * GIB, HYP_PROT_R);
    rig_reset(&rig);
    assert_int_equal(hyp_pgt_relax(&rig.pgt, (hyp_ia_t){GIB}, RWX), HYP_OK);
    assert_int_equal(hyp_pgt_relax(&rig.pgt, (hyp_ia_t){8 * GIB}, RWX), HYP_EAGAIN);
    assert_int_equal(hyp_pgt_test_clear_young(&rig.pgt, (hyp_ia_t){GIB}, 64 * KIB, true, &young),
                     HYP_OK);
    hyp_pgt_mkyoung(&rig.pgt, (hyp_ia_t){GIB});
    expect(&rig, "");
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){GIB}, 64 * KIB), HYP_OK);
    expect(&rig, ROOT);
    assert_int_equal(hyp_pgt_wrprotect(&rig.pgt, (hyp_ia_t){GIB}, 64 * KIB), HYP_OK);
    expect(&rig, ""); /* nothing had it any more */
    rig_free(&rig);
}

static void a_live_entry_is_replaced_by_one_store(void **state)
{
    struct table_rig rig;
    const struct fake_call *call;

    (void)state;
    start(&rig);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    rig.machine.fake.record |= 1u << FAKE_STORE;
    map(&rig, GIB, 4 * KIB, 5 * GIB, RWX);
    call = rig.machine.fake.calls;
    assert_int_equal(rig.machine.fake.call_count, 2);
    assert_true(call[0].kind == FAKE_STORE && call[0].value == (5 * GIB | 0x8000000000000377));
    assert_true(call[1].kind == FAKE_TLBI && call[1].op == HYP_TLBI_INVEPT);
    assert_int_equal(call[1].addr, rig.pgt.root.v);
    rig_free(&rig);
}

static void a_ranged_operation_owes_one_invept_however_much_it_replaces(void **state)
{
    struct table_rig rig;

    (void)state;
    start(&rig);
    for (unsigned int i = 0; i < 1024; i++)
        map(&rig, GIB + i * 4 * KIB, 4 * KIB, 4 * GIB + i * 4 * KIB, RW);
    rig_reset(&rig);
    annotate(&rig, GIB, 64 * KIB);
    expect(&rig, ROOT);
    annotate(&rig, GIB, 64 * KIB); /* notes over notes */
    expect(&rig, "");
    annotate(&rig, GIB + 60 * KIB, 8 * KIB); /* one page of it was valid */
    expect(&rig, ROOT);
    map(&rig, GIB + 2 * MIB, MIB, 9 * GIB, RW);
    expect(&rig, ROOT);
    rig_free(&rig);
}

static void a_block_that_loses_a_page_owes_one_invept(void **state)
{
    struct table_rig rig;

    (void)state;
    start(&rig);
    map(&rig, GIB, GIB, 4 * GIB, RWX);
    rig_reset(&rig);
    annotate(&rig, GIB + 5 * MIB, 4 * KIB);
    expect(&rig, ROOT);
    assert_table(&rig, "40500000+1000 0 8800000000000008\n");
    rig_free(&rig);
}

static void a_split_translates_as_before_and_owes_nothing(void **state)
{
    struct table_rig rig;

    (void)state;
    start(&rig);
    map(&rig, GIB, GIB, 4 * GIB, RWX);
    rig_reset(&rig);
    assert_int_equal(hyp_pgt_split(&rig.pgt, (hyp_ia_t){GIB}, 2 * MIB, NULL), HYP_OK);
    expect(&rig, "");
    assert_table(&rig, "40000000+200000 0 8000000100000377\n"
                       "40200000+3fe00000 1 80000001002003f7\n");
    rig_free(&rig);
}

static void tables_are_freed_only_after_the_invept(void **state)
{
    struct table_rig rig;
    unsigned int freed = 0, inveptd = 0;

    (void)state;
    start(&rig);
    map(&rig, GIB, 8 * MIB, 4 * GIB + 4 * KIB, RWX); /* by pages: five tables below the root's */
    map(&rig, 4 * GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    rig.machine.fake.record |= 1u << FAKE_EVENT;
    unmap(&rig, GIB, 8 * MIB);
    for (size_t i = 0; i < rig.machine.fake.call_count; i++) {
        const struct fake_call *call = &rig.machine.fake.calls[i];

        inveptd += call->kind == FAKE_TLBI;
        if (call->kind == FAKE_EVENT && call->op == HYP_EV_TABLE_FREE) {
            freed++;
            assert_int_equal(inveptd, 1);
        }
    }
    assert_int_equal(inveptd, 1);
    assert_int_equal(freed, 5);
    assert_table(&rig, "100000000+1000 0 8000000100000377\n");
    unmap(&rig, 4 * GIB, 4 * KIB);
    hyp_pgt_destroy(&rig.pgt);
    assert_int_equal(rig.machine.pool.free_pages, 2048);
    rig_free(&rig);
}

static void unmapping_nothing_but_notes_owes_an_invept_only_for_their_tables(void **state)
{
    struct table_rig rig;

    (void)state;
    start(&rig);
    annotate(&rig, GIB, 8 * KIB);
    rig_reset(&rig);
    unmap(&rig, GIB, 4 * KIB);
    expect(&rig, "");
    unmap(&rig, GIB + 4 * KIB, 4 * KIB);
    expect(&rig, ROOT); /* the tables may be in paging-structure caches */
    rig_free(&rig);
}

static void a_block_over_a_table_invalidates_before_the_table_goes(void **state)
{
    struct table_rig rig;

    (void)state;
    start(&rig);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    rig_reset(&rig);
    rig.machine.fake.record |= 1u << FAKE_EVENT | 1u << FAKE_STORE;
    map(&rig, GIB, 2 * MIB, 4 * GIB, RWX);
    assert_int_equal(rig.machine.fake.call_count, 4);
    assert_int_equal(rig.machine.fake.calls[0].kind, FAKE_STORE);
    assert_int_equal(rig.machine.fake.calls[1].op, HYP_EV_BLOCK_COLLAPSE);
    assert_int_equal(rig.machine.fake.calls[2].kind, FAKE_TLBI);
    assert_int_equal(rig.machine.fake.calls[3].op, HYP_EV_TABLE_FREE);

    assert_int_equal(hyp_pgt_split(&rig.pgt, (hyp_ia_t){GIB}, 2 * MIB, NULL), HYP_OK);
    rig_reset(&rig);
    rig.machine.fake.record = 1u << FAKE_TLBI | 1u << FAKE_BARRIER;
    assert_int_equal(hyp_pgt_collapse(&rig.pgt, (hyp_ia_t){GIB}, 1), HYP_OK);
    expect(&rig, ROOT);
    rig_free(&rig);
}

static void an_operation_that_fails_half_way_pays_what_it_owes(void **state)
{
    struct table_rig rig;
    hyp_pa_t page;

    (void)state;
    start(&rig);
    map(&rig, GIB, 4 * KIB, 4 * GIB, RWX);
    map(&rig, GIB + 2 * MIB, 4 * KIB, 5 * GIB, RWX);
    while (hyp_pool_alloc(&rig.machine.pool, 0, &page) == HYP_OK)
        continue;
    rig_reset(&rig);
    /* The first 4 MiB have tables, the next have none. */
    assert_int_equal(
        hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){GIB}, 6 * MIB, HYP_NOTE_DONATED, 2, NULL),
        HYP_ENOMEM);
    expect(&rig, ROOT);
    rig_free(&rig);
}

static void cache_maintenance_is_arm64s_alone(void **state)
{
    const struct hyp_pgt_config config = {.fmt = &hyp_fmt_ept,
                                          .page_shift = 12,
                                          .ia_bits = 40,
                                          .flags = HYP_PGT_NO_DIC,
                                          .max_block_level = 2};
    struct table_rig rig;

    (void)state;
    rig_init_config(&rig, config, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB, HYP_PROT_R);
    assert_int_equal(hyp_pgt_relax(&rig.pgt, (hyp_ia_t){GIB}, RWX), HYP_OK);
    map(&rig, GIB, 4 * KIB, 5 * GIB, RWX);
    unmap(&rig, GIB, 4 * KIB);
    assert_int_equal(rig.machine.fake.cache_bytes[HYP_CACHE_CLEAN_POC], 0);
    assert_int_equal(rig.machine.fake.cache_bytes[HYP_CACHE_INVAL_POU], 0);
    rig_free(&rig);
}

static void flush_all_is_one_invept_or_one_vmid(void **state)
{
    struct table_rig rig;

    (void)state;
    start(&rig);
    hyp_pgt_flush_all(&rig.pgt);
    expect(&rig, ROOT);
    rig_free(&rig);
    rig_init(&rig, HYP_PGT_FWB, 64);
    hyp_pgt_flush_all(&rig.pgt);
    expect(&rig, "dsb-ishst vmalls12e1is dsb-ish isb");
    rig_free(&rig);
}

static void our_own_tables_use_invlpg_by_address(void **state)
{
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_x86, .page_shift = 12, .ia_bits = 47, .max_block_level = 2};
    struct table_rig rig;

    (void)state;
    rig_init_config(&rig, config, 64);
    map(&rig, GIB, 16 * KIB, 4 * GIB, RW);
    expect(&rig, "");
    unmap(&rig, GIB, 8 * KIB);
    expect(&rig, "invlpg:0x40000000/l0 invlpg:0x40001000/l0");
    unmap(&rig, GIB + 8 * KIB, 8 * KIB);
    expect(&rig, "invlpg:0x40002000/l0 invlpg:0x40003000/l0 invlpg:0x40002000 invlpg:0x40002000 "
                 "invlpg:0x40002000");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_mappings_and_notes_need_nothing),
        cmocka_unit_test(added_rights_need_nothing_and_lost_ones_one_invept),
        cmocka_unit_test(a_live_entry_is_replaced_by_one_store),
        cmocka_unit_test(a_ranged_operation_owes_one_invept_however_much_it_replaces),
        cmocka_unit_test(a_block_that_loses_a_page_owes_one_invept),
        cmocka_unit_test(a_split_translates_as_before_and_owes_nothing),
        cmocka_unit_test(tables_are_freed_only_after_the_invept),
        cmocka_unit_test(unmapping_nothing_but_notes_owes_an_invept_only_for_their_tables),
        cmocka_unit_test(a_block_over_a_table_invalidates_before_the_table_goes),
        cmocka_unit_test(an_operation_that_fails_half_way_pays_what_it_owes),
        cmocka_unit_test(cache_maintenance_is_arm64s_alone),
        cmocka_unit_test(flush_all_is_one_invept_or_one_vmid),
        cmocka_unit_test(our_own_tables_use_invlpg_by_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
