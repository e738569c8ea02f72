/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mmu_eval(): its contract, and the permission matrix of arm64 stage 2 against rules written down a
 * second time. Those of x86 are in test_x86_ept.c and test_x86_fault.c.
 */
#include <stdlib.h>
#include <string.h>

#include "mmu/eval.h"
#include "tests/mmu/support/world.h"

static bool out_of_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return out_of_memory ? NULL : __real_calloc(count, size);
}

enum mutation {
    AS_IT_IS,
    READ_TO_EXECUTE,   /* a fetch needs S2AP[0] */
    XN_IGNORES_XNX,    /* XN[1] alone decides */
    FLAG_AFTER_RIGHTS, /* a permission fault beats an access flag fault */
    DBM_WITHOUT_HD,
    NO_DIRTY,
    MUTATION_COUNT
};

struct expected {
    enum mmu_fault fault;
    uint64_t esr, leaf;
};

static bool executable(const struct mmu_eval *eval, uint64_t leaf, enum mutation m)
{
    unsigned int xn = (unsigned int)(leaf >> 53 & 3);

    if (!eval->arm64.xnx || m == XN_IGNORES_XNX)
        return (xn & 2) == 0;
    return eval->el == 0 ? xn == 0 || xn == 1 : xn == 0 || xn == 3;
}

static bool permitted(const struct mmu_eval *eval, uint64_t leaf, enum mutation m)
{
    bool dbm = (leaf >> 51 & 1) && (eval->accessed_dirty || m == DBM_WITHOUT_HD);

    switch ((enum mmu_access)eval->access) {
    case MMU_READ:
        return leaf >> 6 & 1;
    case MMU_WRITE:
        return (leaf >> 7 & 1) || dbm;
    case MMU_FETCH:
        break;
    }
    return executable(eval, leaf, m) && (m != READ_TO_EXECUTE || (leaf >> 6 & 1));
}

static struct expected expect(const struct mmu_eval *eval, unsigned int step, unsigned int level,
                              enum mutation m)
{
    uint64_t leaf = eval->entry[step], esr, code;
    struct expected e = {.leaf = leaf};
    bool flag_missing = !(leaf >> 10 & 1) && !eval->accessed_dirty;

    esr = (eval->access == MMU_FETCH ? UINT64_C(0x82000000) : UINT64_C(0x92000000)) |
          (eval->access == MMU_WRITE ? 0x40 : 0);
    if (!(leaf & 1) || (level == 0 && !(leaf & 2))) {
        e.fault = MMU_FAULT_TRANSLATION;
        code = 4;
    } else if (flag_missing && (m != FLAG_AFTER_RIGHTS || permitted(eval, leaf, m))) {
        e.fault = MMU_FAULT_ACCESS_FLAG;
        code = 8;
    } else if (!permitted(eval, leaf, m)) {
        e.fault = MMU_FAULT_PERMISSION;
        code = 12;
    } else {
        e.leaf |= UINT64_C(1) << 10;
        if (eval->access == MMU_WRITE && m != NO_DIRTY)
            e.leaf |= UINT64_C(1) << 7;
        return e;
    }
    e.esr = esr | (code + 3 - level);
    return e;
}

/* Levels and sizes x S2AP x XN x AF x DBM x validity x access x privilege x features. */
static unsigned int matrix(enum mutation m, unsigned int *rows)
{
    unsigned int differ = 0;

    for (unsigned int row = 0; row < 2 * 3 * 4096; row++) {
        unsigned int n = row, levels = 3 + n % 2, level = (n /= 2) % 3, bits = (n /= 3) % 512,
                     step = levels - 1 - level;
        struct mmu_eval eval = {.format = MMU_EVAL_ARM64_S2,
                                .levels = (uint8_t)levels,
                                .addr = UINT64_C(0x1234567890),
                                .el = bits >> 8 & 1,
                                .accessed_dirty = (n / 512) & 1,
                                .arm64 = {.pa_bits = 48, .xnx = n / 1024 & 1}};
        struct mmu_eval_result got;
        for (unsigned int i = 0; i < step; i++)
            eval.entry[i] = UINT64_C(0x40000003);
        eval.entry[step] = UINT64_C(0x40000000) | 0x3c | (level == 0 ? 3 : 1) |
                           (uint64_t)(bits & 3) << 6 | (uint64_t)(bits >> 2 & 3) << 53 |
                           (uint64_t)(bits >> 4 & 1) << 10 | (uint64_t)(bits >> 5 & 1) << 51;
        eval.entry[step] ^= n / 2048 & 1;
        for (unsigned int access = 0; access < 3; access++) {
            eval.access = (uint8_t)access;
            struct expected e = expect(&eval, step, level, m);
            assert_true(mmu_eval(&eval, &got));
            differ += got.result.fault != e.fault || got.syndrome != e.esr ||
                      got.entry[step] != e.leaf || got.result.level != level ||
                      got.reads != step + 1;
            *rows += 1;
        }
    }
    return differ;
}

static void every_row_of_the_arm64_stage_2_matrix_follows_the_rules(void **state)
{
    unsigned int rows = 0;

    (void)state;
    assert_int_equal(matrix(AS_IT_IS, &rows), 0);
    assert_int_equal(rows, 2 * 3 * 4096 * 3);
}

static void a_changed_rule_is_noticed(void **state)
{
    (void)state;
    for (unsigned int m = AS_IT_IS + 1; m < MUTATION_COUNT; m++) {
        unsigned int rows = 0;
        assert_int_not_equal(matrix((enum mutation)m, &rows), 0);
    }
}

/* ---- contract ---- */

static struct mmu_eval good(void)
{
    return (struct mmu_eval){.format = MMU_EVAL_EPT,
                             .levels = 4,
                             .entry = {0x1007, 0x1007, 0x1007, 0x5037},
                             .x86 = {.pa_bits = 46}};
}

static void assert_refused(const struct mmu_eval *eval)
{
    struct mmu_eval_result result, before;

    memset(&before, 0x5a, sizeof(before));
    memset(&result, 0x5a, sizeof(result));
    assert_false(mmu_eval(eval, &result));
    assert_memory_equal(&result, &before, sizeof(result));
}

static void formats_and_depths_that_are_none_are_refused(void **state)
{
    struct mmu_eval eval = good();

    (void)state;
    for (unsigned int format = 0; format < MMU_EVAL_FORMAT_COUNT; format++) {
        bool arm64 = format == MMU_EVAL_ARM64_S2;
        eval = good();
        eval.format = (uint8_t)format;
        eval.levels = arm64 ? 2 : 3;
        assert_refused(&eval);
        eval.levels = arm64 ? 5 : 6;
        assert_refused(&eval);
    }
    eval = good();
    eval.format = MMU_EVAL_FORMAT_COUNT;
    assert_refused(&eval);
}

static void without_memory_nothing_is_evaluated(void **state)
{
    struct mmu_eval eval = good();

    (void)state;
    out_of_memory = true;
    assert_refused(&eval);
    out_of_memory = false;
}

static void entries_are_taken_in_order_and_a_table_at_the_end_leads_nowhere(void **state)
{
    struct mmu_eval eval = good();
    struct mmu_eval_result result;

    (void)state;
    eval.addr = 0xabc;
    assert_true(mmu_eval(&eval, &result));
    assert_int_equal(result.result.fault, MMU_OK);
    assert_int_equal(result.result.pa.v, 0x5abc);
    assert_int_equal(result.reads, 4);
    assert_int_equal(result.syndrome, 0);
    eval.accessed_dirty = true; /* three entries at one address: each gets its own flag */
    assert_true(mmu_eval(&eval, &result));
    for (unsigned int i = 0; i < 4; i++)
        assert_int_equal(result.entry[i], eval.entry[i] | 0x100);
    eval.entry[2] = 0x800000000000b7;
    assert_true(mmu_eval(&eval, &result));
    assert_int_equal(result.result.level, 1);
    assert_int_equal(result.reads, 3);
    assert_int_equal(result.entry[3], eval.entry[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_arm64_stage_2_matrix_follows_the_rules),
        cmocka_unit_test(a_changed_rule_is_noticed),
        cmocka_unit_test(formats_and_depths_that_are_none_are_refused),
        cmocka_unit_test(without_memory_nothing_is_evaluated),
        cmocka_unit_test(entries_are_taken_in_order_and_a_table_at_the_end_leads_nowhere),
    };

    return cmocka_run_group_tests_name("eval", tests, NULL, NULL);
}
