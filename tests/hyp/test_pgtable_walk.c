/* SPDX-License-Identifier: MIT */
/* The leaf lookup and the walker. */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB UINT64_C(0x40000000)
#define MIB UINT64_C(0x100000)
#define KIB UINT64_C(0x400)
#define RWX HYP_PROT_RWX

static void map(struct table_rig *rig, uint64_t ia, uint64_t size, uint64_t pa)
{
    assert_int_equal(hyp_pgt_map(&rig->pgt, (hyp_ia_t){ia}, size, hyp_pa(pa), RWX, NULL), HYP_OK);
}

static void assert_leaf(const struct table_rig *rig, uint64_t ia, uint64_t pte, unsigned int level)
{
    unsigned int found;

    assert_int_equal(hyp_pgt_leaf(&rig->pgt, (hyp_ia_t){ia}, &found), pte);
    assert_int_equal(found, level);
}

static void the_leaf_says_at_which_level_it_was_found(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 4 * KIB, 4 * GIB);
    map(&rig, GIB + 2 * MIB, 2 * MIB, 4 * GIB);
    map(&rig, 2 * GIB, GIB, 4 * GIB);
    assert_leaf(&rig, GIB + 0xfff, 0x1000007db, 0);
    assert_leaf(&rig, GIB + 0x1000, 0, 0);
    assert_leaf(&rig, GIB + 3 * MIB, 0x1000007d9, 1);
    assert_leaf(&rig, GIB + 4 * MIB, 0, 1);
    assert_leaf(&rig, 3 * GIB - 1, 0x1000007d9, 2);
    assert_leaf(&rig, 3 * GIB, 0, 2);
    assert_leaf(&rig, (UINT64_C(1) << 40) - 1, 0, 2);
    assert_leaf(&rig, UINT64_C(1) << 40, 0, 2);
    assert_leaf(&rig, UINT64_MAX, 0, 2);
    rig_free(&rig);
}

static void kinds_are_told_apart(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    assert_int_equal(hyp_pgt_kind(&rig.pgt, 0, 0), HYP_PTE_EMPTY);
    assert_int_equal(hyp_pgt_kind(&rig.pgt, 2, 0), HYP_PTE_NOTE);
    assert_int_equal(hyp_pgt_kind(&rig.pgt, HYP_BIT(60), 1), HYP_PTE_NOTE);
    assert_int_equal(hyp_pgt_kind(&rig.pgt, 0x100000003, 0), HYP_PTE_LEAF);
    assert_int_equal(hyp_pgt_kind(&rig.pgt, 0x100000003, 1), HYP_PTE_TABLE);
    assert_int_equal(hyp_pgt_kind(&rig.pgt, 0x100000001, 1), HYP_PTE_LEAF);
    rig_free(&rig);
}

/* ---- the walker ---- */

struct record {
    char text[32768];
    size_t used;
    enum hyp_err answer;
    unsigned int stop_after;
};

static enum hyp_err write_down(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct record *record = arg;
    const char *when = ctx->when == HYP_VISIT_LEAF  ? "leaf"
                       : ctx->when == HYP_VISIT_PRE ? "pre"
                                                    : "post";

    record->used += (size_t)snprintf(
        record->text + record->used, sizeof record->text - record->used, "%s%u:%llx-%llx ", when,
        ctx->level, (unsigned long long)ctx->ia.v, (unsigned long long)ctx->end.v);
    if (record->stop_after > 0 && --record->stop_after == 0)
        return record->answer;
    return HYP_OK;
}

static enum hyp_err walk(struct table_rig *rig, uint64_t ia, uint64_t size, unsigned int when,
                         struct record *record)
{
    const struct hyp_visitor visitor = {write_down, record, when};

    record->used = 0;
    record->text[0] = '\0';
    return hyp_pgt_walk(&rig->pgt, (hyp_ia_t){ia}, size, &visitor);
}

static void visits_come_in_order_and_clipped_to_the_range(void **state)
{
    struct table_rig rig;
    struct record record = {.answer = HYP_OK};
    const unsigned int all = HYP_VISIT_LEAF | HYP_VISIT_PRE | HYP_VISIT_POST;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 8 * KIB, 4 * GIB);
    map(&rig, GIB + 2 * MIB, 2 * MIB, 4 * GIB);
    assert_int_equal(walk(&rig, GIB + 4 * KIB, 3 * MIB, all, &record), HYP_OK);
    assert_non_null(strstr(record.text, "pre2:40001000-40301000 pre1:40001000-40200000 "
                                        "leaf0:40001000-40002000 leaf0:40002000-40003000 "));
    assert_non_null(strstr(record.text, "leaf0:401ff000-40200000 post1:40001000-40200000 "
                                        "leaf1:40200000-40301000 post2:40001000-40301000 "));
    rig_free(&rig);
}

static void visitors_see_only_what_they_asked_for(void **state)
{
    struct table_rig rig;
    struct record record = {.answer = HYP_OK};

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 8 * KIB, 4 * GIB);
    assert_int_equal(walk(&rig, GIB, 4 * KIB, HYP_VISIT_PRE, &record), HYP_OK);
    assert_string_equal(record.text, "pre2:40000000-40001000 pre1:40000000-40001000 ");
    assert_int_equal(walk(&rig, GIB, 4 * KIB, HYP_VISIT_POST, &record), HYP_OK);
    assert_string_equal(record.text, "post1:40000000-40001000 post2:40000000-40001000 ");
    assert_int_equal(walk(&rig, GIB, 8 * KIB, HYP_VISIT_LEAF, &record), HYP_OK);
    assert_string_equal(record.text, "leaf0:40000000-40001000 leaf0:40001000-40002000 ");
    assert_int_equal(walk(&rig, 2 * GIB, 2 * GIB, HYP_VISIT_LEAF, &record), HYP_OK);
    assert_string_equal(record.text, "leaf2:80000000-c0000000 leaf2:c0000000-100000000 ");
    rig_free(&rig);
}

static void an_answer_other_than_ok_ends_the_walk(void **state)
{
    struct table_rig rig;
    struct record record;
    const unsigned int all = HYP_VISIT_LEAF | HYP_VISIT_PRE | HYP_VISIT_POST;

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    map(&rig, GIB, 8 * KIB, 4 * GIB);
    for (unsigned int n = 1; n <= 6; n++) {
        record = (struct record){.answer = HYP_EBUSY, .stop_after = n};
        assert_int_equal(walk(&rig, GIB, 8 * KIB, all, &record), HYP_EBUSY);
        assert_int_equal(record.stop_after, 0);
    }
    record = (struct record){.answer = HYP_EBUSY, .stop_after = 7};
    assert_int_equal(walk(&rig, GIB, 8 * KIB, all, &record), HYP_OK);
    assert_int_equal(record.stop_after, 1);
    assert_int_equal(walk(&rig, GIB, 0, all, &record), HYP_EINVAL);
    assert_int_equal(walk(&rig, UINT64_C(1) << 40, 1, all, &record), HYP_ERANGE);
    rig_free(&rig);
}

/* A visitor that puts a table where there was nothing: the walk goes on into it. */
struct installer {
    struct hyp_pgt *pgt;
    unsigned int pages_seen;
};

static enum hyp_err install(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct installer *installer = arg;

    if (ctx->level == 0) {
        installer->pages_seen++;
        return HYP_OK;
    }
    return hyp_pgt_map(installer->pgt, ctx->ia, 4 * KIB, hyp_pa(4 * GIB), RWX, NULL);
}

static void the_entry_is_read_again_after_a_visit(void **state)
{
    struct table_rig rig;
    struct installer installer;
    const struct hyp_visitor visitor = {install, &installer, HYP_VISIT_LEAF};

    (void)state;
    rig_init(&rig, RIG_MODERN, 64);
    installer = (struct installer){&rig.pgt, 0};
    assert_int_equal(hyp_pgt_walk(&rig.pgt, (hyp_ia_t){GIB}, 2 * MIB, &visitor), HYP_OK);
    assert_int_equal(installer.pages_seen, 512);
    assert_table(&rig, "40000000+1000 0 1000007db\n");
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_leaf_says_at_which_level_it_was_found),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(visits_come_in_order_and_clipped_to_the_range),
        cmocka_unit_test(visitors_see_only_what_they_asked_for),
        cmocka_unit_test(an_answer_other_than_ok_ends_the_walk),
        cmocka_unit_test(the_entry_is_read_again_after_a_visit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
