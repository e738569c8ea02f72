/* SPDX-License-Identifier: MIT */
/*
 * Memory slots with execute-only aliases: what a table maps after each operation, and after each
 * refused one; every operation with the n-th table page missing. The guest's entries as text and
 * rights.
 */
#include <hyp/xom.h>

#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdlib.h>
#include <string.h>

#define M     40u
#define SLOTS 4u
#define PAGES 64u /* of the pool */

struct guest {
    struct table_rig rig;
    struct hyp_xom xom;
    struct hyp_xom_slot slots[SLOTS];
};

/* Whole blocks, pages that meet no block, and read-only pages without an alias. */
static const struct hyp_xom_slot blocks = {
    .gfn = 0x200, .pages = 0x400, .pfn = 0x200000, .flags = HYP_XOM_EXECONLY};
static const struct hyp_xom_slot odd = {
    .gfn = 0x40001, .pages = 3, .pfn = 0x300005, .flags = HYP_XOM_EXECONLY | HYP_XOM_READONLY};
static const struct hyp_xom_slot plain = {
    .gfn = 0x80000, .pages = 2, .pfn = 0x300010, .flags = HYP_XOM_READONLY};

#define BLOCKS_BASE  "200000+400000 1 80000002000003f7\n"
#define ODD_BASE     "40001000+3000 0 8000000300005175\n"
#define PLAIN_BASE   "80000000+2000 0 8000000300010175\n"
#define BLOCKS_ALIAS "10000200000+400000 1 80000002000001f4\n"
#define ODD_ALIAS    "10040001000+3000 0 8000000300005174\n"

static void open_guest(struct guest *guest)
{
    const struct hyp_pgt_config table = {.fmt = &hyp_fmt_ept,
                                         .page_shift = 12,
                                         .ia_bits = 48,
                                         .flags = HYP_PGT_EPT_XONLY,
                                         .max_block_level = 2,
                                         .pa_bits = 46};
    struct hyp_xom_config config = {.slots = guest->slots,
                                    .slot_count = SLOTS,
                                    .signature = 0x40000000,
                                    .bit = M,
                                    .pgt = &guest->rig.pgt};

    *guest = (struct guest){.xom = {.on = true}};
    rig_init_config(&guest->rig, table, PAGES);
    config.cpu.ept_cap = HYP_EPT_CAP_XONLY | HYP_EPT_CAP_4_LEVELS;
    config.cpu.ept_levels = 4;
    config.cpu.pa_bits = 46;
    assert_int_equal(hyp_xom_init(&guest->xom, &config), HYP_OK);
    assert_false(guest->xom.on);
}

static void open_full(struct guest *guest, bool on)
{
    open_guest(guest);
    assert_int_equal(hyp_xom_create(&guest->xom, 0, &blocks, NULL), HYP_OK);
    assert_int_equal(hyp_xom_create(&guest->xom, 1, &odd, NULL), HYP_OK);
    assert_int_equal(hyp_xom_create(&guest->xom, 2, &plain, NULL), HYP_OK);
    assert_int_equal(hyp_xom_set(&guest->xom, on, NULL), HYP_OK);
}

/* The table as it is, slots and switch included. */
struct snapshot {
    char *text;
    uint64_t pages;
    struct hyp_xom xom;
    struct hyp_xom_slot slots[SLOTS];
};

static struct snapshot snapshot_of(const struct guest *guest)
{
    struct snapshot snapshot = {.text = fake_table_text(&guest->rig.pgt),
                                .pages = fake_table_pages(&guest->rig.pgt),
                                .xom = guest->xom};

    memcpy(snapshot.slots, guest->slots, sizeof snapshot.slots);
    return snapshot;
}

static void expect_same(struct snapshot *before, const struct guest *guest)
{
    assert_table(&guest->rig, before->text);
    assert_int_equal(fake_table_pages(&guest->rig.pgt), before->pages);
    assert_memory_equal(&before->xom, &guest->xom, sizeof guest->xom);
    assert_memory_equal(before->slots, guest->slots, sizeof guest->slots);
    free(before->text);
}

static void aliases_exist_only_while_the_guest_wants_them(void **state)
{
    struct guest guest;

    (void)state;
    open_full(&guest, false);
    assert_table(&guest.rig, BLOCKS_BASE ODD_BASE PLAIN_BASE);
    assert_int_equal(hyp_xom_set(&guest.xom, true, NULL), HYP_OK);
    assert_table(&guest.rig, BLOCKS_BASE ODD_BASE PLAIN_BASE BLOCKS_ALIAS ODD_ALIAS);
    assert_int_equal(hyp_xom_set(&guest.xom, true, NULL), HYP_OK);
    assert_table(&guest.rig, BLOCKS_BASE ODD_BASE PLAIN_BASE BLOCKS_ALIAS ODD_ALIAS);
    rig_reset(&guest.rig);
    hyp_xom_reset(&guest.xom);
    assert_false(guest.xom.on);
    assert_table(&guest.rig, BLOCKS_BASE ODD_BASE PLAIN_BASE);
    assert_true(guest.rig.machine.fake.tlbis[HYP_TLBI_INVEPT] >= 2);
    rig_free(&guest.rig);
}

static void a_slot_made_while_on_has_its_alias_at_once(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    assert_int_equal(hyp_xom_set(&guest.xom, true, NULL), HYP_OK);
    rig_reset(&guest.rig);
    assert_int_equal(hyp_xom_create(&guest.xom, 3, &odd, NULL), HYP_OK);
    assert_int_equal(guest.rig.machine.fake.tlbis[HYP_TLBI_INVEPT], 0); /* nothing was there */
    assert_table(&guest.rig, ODD_BASE ODD_ALIAS);
    assert_int_equal(hyp_xom_delete(&guest.xom, 3), HYP_OK);
    assert_table(&guest.rig, "");
    assert_int_equal(fake_table_pages(&guest.rig.pgt), 1);
    rig_free(&guest.rig);
}

static enum hyp_err create(struct guest *guest, unsigned int index, uint64_t gfn, uint64_t pages,
                           uint64_t pfn, uint32_t flags)
{
    const struct hyp_xom_slot slot = {.gfn = gfn, .pages = pages, .pfn = pfn, .flags = flags};

    return hyp_xom_create(&guest->xom, index, &slot, NULL);
}

static void a_refused_operation_changes_nothing(void **state)
{
    const uint64_t half = UINT64_C(1) << (M - 12);
    struct hyp_xom_slot logged = odd;
    struct snapshot before;
    struct guest guest;
    uint64_t word = 0;

    (void)state;
    logged.dirty = &word;
    open_full(&guest, true);
    before = snapshot_of(&guest);
    assert_int_equal(create(&guest, 0, 0x100000, 1, 1, 0), HYP_EBUSY);
    assert_int_equal(create(&guest, SLOTS, 0x100000, 1, 1, 0), HYP_ENOENT);
    assert_int_equal(create(&guest, 3, 0x100000, 0, 1, 0), HYP_EINVAL);
    assert_int_equal(create(&guest, 3, 0x100000, 1, 1, 4), HYP_EINVAL);
    assert_int_equal(create(&guest, 3, half, 1, 1, 0), HYP_EINVAL);
    assert_int_equal(create(&guest, 3, half - 1, 2, 1, HYP_XOM_EXECONLY), HYP_EINVAL);
    assert_int_equal(create(&guest, 3, 1, UINT64_MAX, 1, 0), HYP_EINVAL);
    assert_int_equal(create(&guest, 3, 0x5ff, 1, 1, 0), HYP_EEXIST);
    assert_int_equal(create(&guest, 3, 0x1ff, 2, 1, 0), HYP_EEXIST);
    assert_int_equal(create(&guest, 3, 0, 0x1000, 1, 0), HYP_EEXIST);
    assert_int_equal(create(&guest, 3, 0x100000, 1, UINT64_C(1) << 34, 0), HYP_ERANGE);
    assert_int_equal(create(&guest, 3, 0x100000, 1, UINT64_C(1) << 53, 0), HYP_ERANGE);
    assert_int_equal(hyp_xom_create(&guest.xom, 3, &logged, NULL), HYP_EINVAL);
    assert_int_equal(hyp_xom_move(&guest.xom, 3, 0x100000, NULL), HYP_ENOENT);
    assert_int_equal(hyp_xom_move(&guest.xom, 0, 0x201, NULL), HYP_EEXIST);
    assert_int_equal(hyp_xom_move(&guest.xom, 0, half - 1, NULL), HYP_EINVAL);
    assert_int_equal(hyp_xom_delete(&guest.xom, 3), HYP_ENOENT);
    assert_int_equal(hyp_xom_set_flags(&guest.xom, 3, 0), HYP_ENOENT);
    for (uint32_t flags = 0; flags < 4; flags++)
        assert_int_equal(hyp_xom_set_flags(&guest.xom, 0, flags),
                         flags == HYP_XOM_EXECONLY ? HYP_OK : HYP_EINVAL);
    assert_int_equal(hyp_xom_log_start(&guest.xom, 0, NULL, NULL), HYP_EINVAL);
    assert_int_equal(hyp_xom_log_start(&guest.xom, 1, &word, NULL), HYP_EINVAL);
    assert_int_equal(hyp_xom_log_start(&guest.xom, 3, &word, NULL), HYP_ENOENT);
    assert_int_equal(hyp_xom_log_stop(&guest.xom, 3), HYP_ENOENT);
    assert_int_equal(hyp_xom_wrprotect(&guest.xom, 0x5ff, 2), HYP_ENOENT);
    assert_int_equal(hyp_xom_wrprotect(&guest.xom, 0x5ff, 0), HYP_EINVAL);
    assert_int_equal(hyp_xom_written(&guest.xom, hyp_ipa(0x40001000)), HYP_EPERM);
    assert_int_equal(hyp_xom_written(&guest.xom, hyp_ipa(0x1000)), HYP_ENOENT);
    expect_same(&before, &guest);
    rig_free(&guest.rig);
}

static void slots_may_touch_each_other_and_the_end_of_their_half(void **state)
{
    const uint64_t half = UINT64_C(1) << (M - 12);
    struct guest guest;

    (void)state;
    open_full(&guest, true);
    assert_int_equal(create(&guest, 3, 0x600, 1, 0x300020, HYP_XOM_EXECONLY), HYP_OK);
    assert_table(&guest.rig,
                 BLOCKS_BASE "600000+1000 0 8000000300020377\n" ODD_BASE PLAIN_BASE BLOCKS_ALIAS
                             "10000600000+1000 0 8000000300020174\n" ODD_ALIAS);
    assert_int_equal(hyp_xom_move(&guest.xom, 3, half - 1, NULL), HYP_OK);
    assert_table(&guest.rig, BLOCKS_BASE ODD_BASE PLAIN_BASE
                 "fffffff000+1000 0 8000000300020377\n" BLOCKS_ALIAS ODD_ALIAS
                 "1fffffff000+1000 0 8000000300020174\n");
    rig_free(&guest.rig);
}

static void the_dirty_log_leaves_the_alias_alone(void **state)
{
    uint64_t dirty[16] = {0};
    struct guest guest;

    (void)state;
    open_full(&guest, true);
    assert_int_equal(hyp_xom_log_start(&guest.xom, 0, dirty, NULL), HYP_OK);
    assert_int_equal(hyp_xom_written(&guest.xom, hyp_ipa(0x241123)), HYP_OK);
    assert_true(dirty[0] == 0 && dirty[1] == 2);
    assert_table(&guest.rig,
                 "200000+41000 0 8000000200000375\n"
                 "241000+1000 0 8000000200041377\n"
                 "242000+3be000 0 8000000200042375\n" ODD_BASE PLAIN_BASE BLOCKS_ALIAS ODD_ALIAS);
    assert_int_equal(hyp_xom_wrprotect(&guest.xom, 0x240, 2), HYP_OK);
    assert_table(&guest.rig,
                 "200000+400000 0 8000000200000375\n" ODD_BASE PLAIN_BASE BLOCKS_ALIAS ODD_ALIAS);
    assert_int_equal(hyp_xom_log_stop(&guest.xom, 0), HYP_OK);
    assert_int_equal(hyp_xom_written(&guest.xom, hyp_ipa(0x200000)), HYP_OK);
    assert_true(dirty[0] == 0 && dirty[1] == 2);
    rig_free(&guest.rig);
}

/* ---- want of table pages ---- */

enum op { CREATE, MOVE, SWITCH_ON, OP_COUNT };

static enum hyp_err perform(struct guest *guest, enum op op)
{
    if (op == CREATE)
        return create(guest, 3, UINT64_C(0x3ffffff), 0x203, 0x400000, HYP_XOM_EXECONLY);
    if (op == MOVE)
        return hyp_xom_move(&guest->xom, 1, UINT64_C(0x7fffffe), NULL);
    return hyp_xom_set(&guest->xom, true, NULL);
}

/* With `left` pages in the pool: true when that was enough. */
static bool works_with(enum op op, uint64_t left)
{
    hyp_pa_t taken[PAGES];
    struct snapshot before;
    struct guest guest;
    unsigned int count = 0;
    enum hyp_err err;

    open_full(&guest, op != SWITCH_ON);
    while (count < PAGES && !hyp_pool_alloc(&guest.rig.machine.pool, 0, &taken[count]))
        count++;
    assert_true(count > left);
    for (uint64_t i = 0; i < left; i++)
        hyp_pool_put(&guest.rig.machine.pool, taken[--count]);
    before = snapshot_of(&guest);
    err = perform(&guest, op);
    if (err == HYP_OK) {
        free(before.text);
    } else {
        assert_int_equal(err, HYP_ENOMEM);
        expect_same(&before, &guest);
        while (count > 0)
            hyp_pool_put(&guest.rig.machine.pool, taken[--count]);
        assert_int_equal(perform(&guest, op), HYP_OK);
    }
    rig_free(&guest.rig);
    return err == HYP_OK;
}

static void want_of_the_nth_table_page_leaves_both_halves_as_they_were(void **state)
{
    static const uint64_t needed[OP_COUNT] = {[CREATE] = 10, [MOVE] = 10, [SWITCH_ON] = 4};

    (void)state;
    for (enum op op = CREATE; op < OP_COUNT; op++) {
        uint64_t left = 0;

        while (!works_with(op, left))
            left++;
        assert_int_equal(left, needed[op]);
    }
}

/* ---- a guest's entries ---- */

static void nr_takes_read_and_write_and_nx_the_rest(void **state)
{
    const uint64_t nr = HYP_BIT(M), nx = HYP_BIT(63), frame = 0x123000;
    const struct {
        uint64_t pte;
        hyp_prot_t rights, while_off;
    } rows[] = {
        {frame | 3, HYP_PROT_RWX, HYP_PROT_RWX},
        {frame | 1, HYP_PROT_R | HYP_PROT_X, HYP_PROT_R | HYP_PROT_X},
        {frame | 3 | nx, HYP_PROT_RW, HYP_PROT_RW},
        {frame | 1 | nx, HYP_PROT_R, HYP_PROT_R},
        {frame | 3 | nr, HYP_PROT_X, 0},
        {frame | 1 | nr, HYP_PROT_X, 0},
        {frame | 3 | nr | nx, 0, 0},
        {frame | 3 | nr << 1, 0, 0},
        {frame | 2, 0, 0},
    };
    struct guest guest;

    (void)state;
    open_guest(&guest);
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++) {
        guest.xom.on = true;
        assert_int_equal(hyp_xom_pte_rights(&guest.xom, rows[i].pte), rows[i].rights);
        guest.xom.on = false;
        assert_int_equal(hyp_xom_pte_rights(&guest.xom, rows[i].pte), rows[i].while_off);
    }
    rig_free(&guest.rig);
}

static void a_dump_shows_nr_beside_nx(void **state)
{
    const uint64_t nr = HYP_BIT(M), nx = HYP_BIT(63);
    char text[HYP_XOM_PTE_TEXT];
    struct guest guest;

    (void)state;
    open_guest(&guest);
    guest.xom.on = true;
    hyp_xom_pte_text(&guest.xom, nr | 0x87, 0, text);
    assert_string_equal(text, "USR RW                 x  NR");
    hyp_xom_pte_text(&guest.xom, nr | nx | 0x19f, 1, text);
    assert_string_equal(text, "USR RW PWT PCD PSE GLB NX NR");
    hyp_xom_pte_text(&guest.xom, 0x1, 0, text);
    assert_string_equal(text, "    ro                 x  r ");
    guest.xom.on = false;
    hyp_xom_pte_text(&guest.xom, nx | nr | 0x1, 0, text);
    assert_string_equal(text, "    ro                 NX r ");
    rig_free(&guest.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aliases_exist_only_while_the_guest_wants_them),
        cmocka_unit_test(a_slot_made_while_on_has_its_alias_at_once),
        cmocka_unit_test(a_refused_operation_changes_nothing),
        cmocka_unit_test(slots_may_touch_each_other_and_the_end_of_their_half),
        cmocka_unit_test(the_dirty_log_leaves_the_alias_alone),
        cmocka_unit_test(want_of_the_nth_table_page_leaves_both_halves_as_they_were),
        cmocka_unit_test(nr_takes_read_and_write_and_nx_the_rest),
        cmocka_unit_test(a_dump_shows_nr_beside_nx),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
