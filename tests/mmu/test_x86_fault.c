/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page faults of x86 stage 1 against rules written down a second time, with their error codes; and
 * violations met while the guest's own tables are walked.
 */
#include "mmu/eval.h"
#include "tests/mmu/support/x86.h"

enum mutation {
    AS_IT_IS,
    LEAF_RIGHTS_ONLY,
    WP_FOR_USERS,      /* CR0.WP = 0 lets the user write too */
    SMEP_EVERYWHERE,   /* SMEP forbids every supervisor fetch */
    SMAP_IGNORES_AC,   /* EFLAGS.AC does not lift SMAP */
    SMAP_FOR_FETCHES,  /* SMAP forbids fetches too */
    XD_FOR_USERS_ONLY, /* the supervisor executes all */
    FETCH_ALWAYS_TOLD, /* bit 4 without NXE and SMEP */
    RESERVED_IS_ABSENT,
    NO_DIRTY_ON_WRITE,
    MUTATION_COUNT
};

struct expected {
    enum mmu_fault fault;
    unsigned int level;
    uint64_t code, leaf;
};

/* SDM vol. 3, 4.6: the rights of user and supervisor pages. */
static bool allowed(const struct mmu_eval *eval, bool user_page, bool writable, bool xd,
                    enum mutation m)
{
    bool wp = eval->x86.cr0 >> 16 & 1, smep = eval->x86.cr4 >> 20 & 1, ac = eval->x86.ac;
    bool smap = (eval->x86.cr4 >> 21 & 1) && !(ac && m != SMAP_IGNORES_AC), user = eval->el == 0;
    bool fetch = eval->access == MMU_FETCH;

    if (user && !user_page)
        return false;
    if (fetch) {
        if (!user && user_page && smap && m == SMAP_FOR_FETCHES)
            return false;
        if (!user && smep && (user_page || m == SMEP_EVERYWHERE))
            return false;
        return !xd || (!user && m == XD_FOR_USERS_ONLY);
    }
    if (!user && user_page && smap)
        return false;
    return eval->access == MMU_READ || writable || (!wp && (!user || m == WP_FOR_USERS));
}

static uint64_t code_of(const struct mmu_eval *eval, enum mmu_fault fault, enum mutation m)
{
    bool told = (eval->x86.efer >> 11 & 1) || (eval->x86.cr4 >> 20 & 1) || m == FETCH_ALWAYS_TOLD;

    return (fault == MMU_FAULT_TRANSLATION ? 0u : 1u) | (eval->access == MMU_WRITE ? 2u : 0u) |
           (eval->el == 0 ? 4u : 0u) | (fault == MMU_FAULT_RESERVED ? 8u : 0u) |
           (eval->access == MMU_FETCH && told ? 16u : 0u);
}

static struct expected expect(const struct mmu_eval *eval, enum mutation m)
{
    bool user_page = true, writable = true, xd = false, nxe = eval->x86.efer >> 11 & 1;
    struct expected e = {0};
    unsigned int step = 0, level = eval->levels - 1u;

    for (;; step++, level--) {
        uint64_t word = eval->entry[step];
        if (!(word & 1))
            e.fault = MMU_FAULT_TRANSLATION;
        else if (word >> 63 && !nxe)
            e.fault = m == RESERVED_IS_ABSENT ? MMU_FAULT_TRANSLATION : MMU_FAULT_RESERVED;
        e.level = level;
        e.code = code_of(eval, e.fault, m);
        if (e.fault != MMU_OK)
            return e;
        bool fresh = m == LEAF_RIGHTS_ONLY;
        user_page = (user_page || fresh) && (word >> 2 & 1);
        writable = (writable || fresh) && (word >> 1 & 1);
        xd = (xd && !fresh) || word >> 63;
        if (level == 0 || (word >> 7 & 1))
            break;
    }
    e.leaf =
        eval->entry[step] | 0x20 | (eval->access == MMU_WRITE && m != NO_DIRTY_ON_WRITE ? 0x40 : 0);
    if (!allowed(eval, user_page, writable, xd, m))
        e = (struct expected){.fault = MMU_FAULT_PERMISSION,
                              .level = level,
                              .code = code_of(eval, MMU_FAULT_PERMISSION, m)};
    return e;
}

static bool agrees(const struct mmu_eval *eval, unsigned int leaf, enum mutation m)
{
    struct expected e = expect(eval, m);
    struct mmu_eval_result got;
    bool same = mmu_eval(eval, &got) && got.result.fault == e.fault && got.result.level == e.level;

    if (e.fault == MMU_OK)
        return same && got.entry[leaf] == e.leaf;
    for (unsigned int i = 0; i < 5; i++)
        same = same && got.entry[i] == eval->entry[i];
    return same && got.result.stage == 1 && got.syndrome == e.code;
}

static struct mmu_eval base(unsigned int levels, unsigned int size)
{
    struct mmu_eval eval = {.format = MMU_EVAL_X86,
                            .levels = (uint8_t)levels,
                            .addr = UINT64_C(0x00000123456789ab),
                            .x86 = {.pa_bits = 46, .pages_1g = true}};

    for (unsigned int i = 0; i < levels; i++)
        eval.entry[i] = UINT64_C(0x40000000) | X86_P | X86_W | X86_U;
    eval.entry[levels - 1 - size] |= size ? X86_PS : 0;
    return eval;
}

/* Sets CR0.WP, SMEP, SMAP, AC, NXE, privilege and access from a number below 192. */
static void set_state(struct mmu_eval *eval, unsigned int n)
{
    eval->x86.cr0 = (n & 1) ? MMU_X86_CR0_WP : 0;
    eval->x86.cr4 = ((n & 2) ? MMU_X86_CR4_SMEP : 0) | ((n & 4) ? MMU_X86_CR4_SMAP : 0);
    eval->x86.ac = n >> 3 & 1;
    eval->x86.efer = (n & 16) ? MMU_X86_EFER_NXE : 0;
    eval->el = n >> 5 & 1;
    eval->access = (uint8_t)(n >> 6);
}

/* P, R/W, U/S, XD of one upper entry and of the leaf, at each level and size, in every state. */
static unsigned int matrix(enum mutation m)
{
    unsigned int differ = 0;

    for (unsigned int shape = 0; shape < 5; shape++) {
        unsigned int levels = shape == 4 ? 5 : 4, size = shape == 4 ? 0 : shape % 3;
        unsigned int leaf = levels - 1 - size, upper = shape == 3 ? 0 : leaf - 1;
        for (unsigned int bits = 0; bits < 256; bits++) {
            struct mmu_eval eval = base(levels, size);
            unsigned int above = bits >> 4;
            eval.entry[leaf] &= ~UINT64_C(7);
            eval.entry[leaf] |= (bits & 7) | (bits & 8 ? X86_XD : 0);
            eval.entry[upper] &= ~UINT64_C(7);
            eval.entry[upper] |= (above & 7) | (above & 8 ? X86_XD : 0);
            for (unsigned int n = 0; n < 192; n += m == AS_IT_IS ? 1 : 5) {
                set_state(&eval, n);
                differ += !agrees(&eval, leaf, m);
            }
        }
    }
    return differ;
}

static void every_row_of_the_matrix_follows_the_rules(void **state)
{
    (void)state;
    assert_int_equal(matrix(AS_IT_IS), 0);
}

static void a_changed_rule_is_noticed(void **state)
{
    (void)state;
    for (unsigned int m = AS_IT_IS + 1; m < MUTATION_COUNT; m++)
        assert_int_not_equal(matrix((enum mutation)m), 0);
}

static void error_codes_are_those_of_the_manual(void **state)
{
    static const struct {
        uint64_t leaf;
        uint8_t el, access;
        uint64_t code;
    } rows[] = {
        {0, 1, MMU_READ, 0x00},
        {0, 0, MMU_READ, 0x04},
        {0, 0, MMU_WRITE, 0x06},
        {0, 1, MMU_FETCH, 0x10},
        {X86_P | X86_U, 0, MMU_WRITE, 0x07},
        {X86_P, 0, MMU_READ, 0x05},
        {X86_P | X86_XD, 1, MMU_FETCH, 0x11},
        {X86_P | (UINT64_C(1) << 51), 0, MMU_READ, 0x0d},
        {X86_P | (UINT64_C(1) << 46), 1, MMU_WRITE, 0x0b},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mmu_eval eval = base(4, 0);
        struct mmu_eval_result result;
        eval.entry[3] = rows[i].leaf;
        eval.el = rows[i].el;
        eval.access = rows[i].access;
        eval.x86.cr0 = MMU_X86_CR0_WP;
        eval.x86.efer = MMU_X86_EFER_NXE;
        assert_true(mmu_eval(&eval, &result));
        assert_int_equal(result.syndrome, rows[i].code);
    }
}

/* ---- violations on the guest's own tables ---- */

/* A load or store whose level-1 guest table lies in a page with these EPT bits. */
static struct mmu_result through_table(struct x86 *x, uint64_t ept_bits, uint64_t guest_flags,
                                       enum mmu_access access, uint64_t *qualification)
{
    uint64_t table = world_read(&x->world, x86_slot(x, X86_VA, 1)) & UINT64_C(0xffffffffff000);
    uint64_t leaf = X86_GPA | X86_P | X86_W | X86_U | guest_flags;
    struct mmu_request request = x86_request(X86_VA, access, 1);

    x86_map(x, X86_VA, 0, leaf);
    ept_map(x, table, 0, (table - X86_DELTA) | EPT_WB | ept_bits);
    struct mmu_result result = world_request(&x->world, request);
    *qualification = result.fault ? mmu_x86_qualification(&request, &result) : 0;
    if (result.fault) {
        assert_true(result.s1ptw);
        assert_int_equal(result.stage, 2);
        assert_int_equal(result.ipa.v, table);
        assert_int_equal(world_read(&x->world, x86_slot(x, X86_VA, 0)), leaf);
    }
    return result;
}

static void a_guest_table_needs_read_for_walking_and_write_for_flags(void **state)
{
    struct mmu_config config = world_bare_config();
    struct x86 x;
    uint64_t q;

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 1);
    assert_int_equal(through_table(&x, 0, X86_A, MMU_READ, &q).fault, MMU_FAULT_TRANSLATION);
    assert_int_equal(q, 0x081);
    assert_int_equal(through_table(&x, EPT_X, X86_A, MMU_READ, &q).fault, MMU_FAULT_PERMISSION);
    assert_int_equal(q, 0x0a1);
    assert_int_equal(through_table(&x, EPT_X, X86_A, MMU_FETCH, &q).fault, MMU_FAULT_PERMISSION);
    assert_int_equal(q, 0x0a1);
    assert_int_equal(through_table(&x, EPT_R, X86_A, MMU_READ, &q).fault, MMU_OK);
    assert_int_equal(through_table(&x, EPT_R, 0, MMU_READ, &q).fault, MMU_FAULT_PERMISSION);
    assert_int_equal(q, 0x08b);
    assert_int_equal(through_table(&x, EPT_R, X86_A, MMU_WRITE, &q).fault, MMU_FAULT_PERMISSION);
    assert_int_equal(q, 0x08b);
    assert_int_equal(through_table(&x, EPT_R, X86_A | X86_D, MMU_WRITE, &q).fault, MMU_OK);
    x.regs.eptp |= MMU_X86_EPTP_AD;
    x86_set(&x);
    assert_int_equal(through_table(&x, EPT_R, X86_A | X86_D, MMU_READ, &q).fault,
                     MMU_FAULT_PERMISSION);
    assert_int_equal(q, 0x08b);
    x86_close(&x);
}

static void virtualisation_exceptions_are_suppressed_by_bit_63_of_the_last_entry(void **state)
{
    struct mmu_config config = world_bare_config();
    struct mmu_result result;
    struct x86 x;
    uint64_t q;

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 1);
    result = through_table(&x, EPT_R, 0, MMU_READ, &q);
    assert_true(mmu_x86_convertible(&result));
    result = through_table(&x, EPT_R | EPT_NO_VE, 0, MMU_READ, &q);
    assert_false(mmu_x86_convertible(&result));
    result = through_table(&x, EPT_NO_VE, X86_A, MMU_READ, &q);
    assert_false(mmu_x86_convertible(&result));
    result = through_table(&x, EPT_R | EPT_W | EPT_NO_VE, 0, MMU_READ, &q);
    assert_int_equal(result.fault, MMU_OK);
    assert_false(mmu_x86_convertible(&result));
    result = through_table(&x, EPT_W, 0, MMU_READ, &q);
    assert_int_equal(result.fault, MMU_FAULT_MISCONFIG);
    assert_int_equal(q, 0);
    assert_false(mmu_x86_convertible(&result));
    x86_close(&x);
}

static void advanced_information_tells_of_the_linear_address_when_asked_for(void **state)
{
    static const struct {
        uint64_t leaf, bits;
    } rows[] = {
        {X86_P | X86_W | X86_U, 0x600},
        {X86_P | X86_U, 0x200},
        {X86_P | X86_W, 0x400},
        {X86_P | X86_U | X86_XD, 0xa00},
    };
    struct mmu_config config = world_bare_config();
    struct mmu_request request = x86_request(X86_VA, MMU_READ, 1);
    struct x86 x;

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 1);
    ept_map(&x, X86_GPA, 0, X86_PA | EPT_X | EPT_WB);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        x86_map(&x, X86_VA, 0, X86_GPA | rows[i].leaf);
        for (unsigned int advanced = 0; advanced < 2; advanced++) {
            x.regs.ept_advanced = advanced;
            x86_set(&x);
            struct mmu_result result = world_request(&x.world, request);
            assert_int_equal(mmu_x86_qualification(&request, &result),
                             0x1a1 | (advanced ? rows[i].bits : 0));
        }
    }
    x86_close(&x);
}

/* ---- AMD nested paging ---- */

static struct mmu_eval_result nested(uint64_t leaf, enum mmu_access access, bool table)
{
    struct mmu_eval eval = base(4, 0);
    struct mmu_eval_result result;

    eval.format = MMU_EVAL_NPT;
    eval.entry[3] = leaf;
    eval.access = (uint8_t)access;
    eval.table_access = table;
    eval.el = 1;
    assert_true(mmu_eval(&eval, &result));
    return result;
}

static void nested_pages_are_walked_as_user_accesses(void **state)
{
    struct mmu_eval_result result;

    (void)state;
    assert_int_equal(nested(0, MMU_READ, false).syndrome, UINT64_C(0x100000004));
    assert_int_equal(nested(X86_P, MMU_READ, false).syndrome, UINT64_C(0x100000005));
    assert_int_equal(nested(X86_P | X86_U, MMU_WRITE, false).syndrome, UINT64_C(0x100000007));
    assert_int_equal(nested(X86_P | X86_U | X86_XD, MMU_FETCH, false).syndrome,
                     UINT64_C(0x100000015));
    assert_int_equal(nested(X86_P | X86_U | UINT64_C(1) << 50, MMU_READ, false).syndrome,
                     UINT64_C(0x10000000d));
    assert_int_equal(nested(X86_P | X86_U, MMU_READ, true).syndrome, UINT64_C(0x200000007));
    result = nested(X86_P | X86_U | X86_W, MMU_READ, false);
    assert_int_equal(result.result.fault, MMU_OK);
    assert_int_equal(result.entry[3], X86_P | X86_U | X86_W | X86_A);
    result = nested(X86_P | X86_U | X86_W, MMU_READ, true);
    assert_int_equal(result.entry[3], X86_ALL);
    assert_int_equal(result.entry[2] & (X86_A | X86_D), X86_A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_matrix_follows_the_rules),
        cmocka_unit_test(a_changed_rule_is_noticed),
        cmocka_unit_test(error_codes_are_those_of_the_manual),
        cmocka_unit_test(a_guest_table_needs_read_for_walking_and_write_for_flags),
        cmocka_unit_test(virtualisation_exceptions_are_suppressed_by_bit_63_of_the_last_entry),
        cmocka_unit_test(advanced_information_tells_of_the_linear_address_when_asked_for),
        cmocka_unit_test(nested_pages_are_walked_as_user_accesses),
    };

    return cmocka_run_group_tests_name("x86_fault", tests, NULL, NULL);
}
