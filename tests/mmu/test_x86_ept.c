/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EPT against rules written down a second time: misconfiguration, violation and qualification, and
 * the flags afterwards, over all permission bits, levels, sizes and accesses, and over random
 * entries. A rule that is changed on purpose must be noticed.
 */
#include "mmu/eval.h"
#include "tests/mmu/support/x86.h"

/* Accesses to data, and the two that a guest walk makes. */
enum how { READ, WRITE, FETCH, TABLE_READ, TABLE_UPDATE, HOW_COUNT };

enum mutation {
    AS_IT_IS,
    LEAF_RIGHTS_ONLY,    /* rights of the leaf, not the AND */
    NO_EXECUTE_ONLY,     /* X alone is always a misconfiguration */
    WRITE_ONLY,          /* W without R is a right like another */
    RIGHTS_BEFORE_BELOW, /* a lack of rights beats a misconfiguration further down */
    TABLES_ARE_READ,     /* with A/D, a guest table access is a read all the same */
    TYPE_CHECKED_ABOVE,  /* the type of a table entry is like that of a leaf */
    ABSENT_IS_CHECKED,   /* reserved bits of an absent entry count */
    NOTHING_IS_DIRTY,    /* writes set no dirty flag */
    BIT_12_IS_FREE,      /* of a large leaf, as in ordinary paging */
    SUPPRESS_EVERYWHERE, /* bit 63 of any entry, not of the last */
    MUTATION_COUNT
};

struct expected {
    enum mmu_fault fault;
    unsigned int level;
    uint64_t qualification, entry[5];
    bool convertible;
};

static bool misconfigured(const struct mmu_eval *eval, uint64_t e, unsigned int level, bool leaf,
                          enum mutation mutation)
{
    unsigned int type = (unsigned int)(e >> 3 & 7), free12 = mutation == BIT_12_IS_FREE;

    if ((e & 3) == 2 && mutation != WRITE_ONLY)
        return true;
    if ((e & 7) == 4 && (!eval->x86.ept_xo || mutation == NO_EXECUTE_ONLY))
        return true;
    for (unsigned int bit = eval->x86.pa_bits; bit < 52; bit++)
        if (e >> bit & 1)
            return true;
    if (!leaf && mutation == TYPE_CHECKED_ABOVE)
        return type == 2 || type == 3 || type == 7;
    if (!leaf)
        return (e >> 3 & 15) != 0;
    if (level > 2 || (level == 2 && !eval->x86.ept_1g))
        return true; /* a leaf where none can be */
    if (level == 2 && (e >> 12 & (0x3ffff ^ free12)) != 0)
        return true;
    if (level == 1 && (e >> 12 & (0x1ff ^ free12)) != 0)
        return true;
    return type == 2 || type == 3 || type == 7;
}

static unsigned int needed(enum how how, bool flags)
{
    switch (how) {
    case READ:
        return 1;
    case WRITE:
        return 2;
    case FETCH:
        return 4;
    case TABLE_READ:
        return flags ? 3 : 1;
    case TABLE_UPDATE:
    case HOW_COUNT:
        break;
    }
    return 3;
}

static struct expected violation(unsigned int level, enum how how, bool flags, unsigned int rights,
                                 bool suppressed, enum mmu_fault fault)
{
    uint64_t qualification = needed(how, flags) | rights << 3 | 0x80;

    return (struct expected){.fault = fault,
                             .level = level,
                             .qualification =
                                 qualification | (how < TABLE_READ ? UINT64_C(0x100) : 0),
                             .convertible = !suppressed};
}

static struct expected expect(const struct mmu_eval *eval, enum how how, enum mutation mutation)
{
    bool flags = eval->accessed_dirty && !(mutation == TABLES_ARE_READ && how >= TABLE_READ);
    unsigned int rights = 7, need = needed(how, flags), step = 0, level = eval->levels;
    struct expected e = {0};
    bool leaf = false, suppressed = false;

    for (; !leaf; step++) {
        uint64_t word = eval->entry[step];
        level--;
        leaf = level == 0 || (word >> 7 & 1);
        suppressed = word >> 63 || (suppressed && mutation == SUPPRESS_EVERYWHERE);
        bool bad = misconfigured(eval, word, level, leaf, mutation);
        if ((word & 7) == 0 && !(mutation == ABSENT_IS_CHECKED && bad))
            return violation(level, how, flags, 0, suppressed, MMU_FAULT_TRANSLATION);
        if (bad)
            return (struct expected){.fault = MMU_FAULT_MISCONFIG, .level = level};
        rights = mutation == LEAF_RIGHTS_ONLY ? word & 7 : rights & word & 7;
        if (mutation == RIGHTS_BEFORE_BELOW && (rights & need) != need)
            break;
    }
    if ((rights & need) != need)
        return violation(level, how, flags, rights, suppressed, MMU_FAULT_PERMISSION);
    for (unsigned int i = 0; i < step && eval->accessed_dirty; i++)
        e.entry[i] = 0x100;
    if (eval->accessed_dirty && (need & 2) && mutation != NOTHING_IS_DIRTY)
        e.entry[step - 1] |= 0x200;
    e.level = level;
    return e;
}

/* Outcome of the model; in the words of the rules. */
static bool agrees(struct mmu_eval *eval, enum how how, enum mutation mutation)
{
    static const uint8_t access[HOW_COUNT] = {MMU_READ, MMU_WRITE, MMU_FETCH, MMU_READ, MMU_WRITE};
    struct expected e = expect(eval, how, mutation);
    struct mmu_eval_result got;
    bool same;

    eval->access = access[how];
    eval->table_access = how >= TABLE_READ;
    assert_true(mmu_eval(eval, &got));
    same = got.result.fault == e.fault && got.result.level == e.level;
    for (unsigned int i = 0; i < 5; i++)
        same = same && got.entry[i] == (eval->entry[i] | e.entry[i]);
    if (e.fault == MMU_OK)
        return same;
    return same && got.syndrome == e.qualification && got.result.stage == 2 &&
           got.result.s1ptw == (how >= TABLE_READ) &&
           mmu_x86_convertible(&got.result) == e.convertible && got.result.ipa.v == eval->addr;
}

static struct mmu_eval base(unsigned int levels, unsigned int size)
{
    struct mmu_eval eval = {.format = MMU_EVAL_EPT,
                            .levels = (uint8_t)levels,
                            .addr = UINT64_C(0x0000123456789abc),
                            .el = 1,
                            .x86 = {.pa_bits = 46, .ept_1g = true, .ept_xo = true}};

    for (unsigned int i = 0; i < levels; i++)
        eval.entry[i] = UINT64_C(0x40000000) | 7;
    eval.entry[levels - 1 - size] |= 0x30 | (size ? 0x80 : 0);
    return eval;
}

/* ---- matrices ---- */

/* Permission bits x level x size x access x A/D x execute-only x depth. */
static unsigned int permission_matrix(enum mutation mutation, unsigned int *rows)
{
    unsigned int differ = 0;

    for (unsigned int row = 0; row < 2 * 3 * 5 * 8 * 4 * HOW_COUNT; row++) {
        unsigned int n = row, levels = 4 + n % 2, size = (n /= 2) % 3, step = (n /= 3) % 5,
                     bits = (n /= 5) % 8, features = (n /= 8) % 4;
        struct mmu_eval eval = base(levels, size);
        if (step > levels - 1 - size)
            continue;
        eval.entry[step] = (eval.entry[step] & ~UINT64_C(7)) | bits;
        eval.accessed_dirty = features & 1;
        eval.x86.ept_xo = features >> 1;
        differ += !agrees(&eval, (enum how)(n / 4), mutation);
        *rows += 1;
    }
    return differ;
}

/* Each other bit of the entry at each level, in present and absent entries. */
static unsigned int bit_matrix(enum mutation mutation, unsigned int *rows)
{
    unsigned int differ = 0;

    for (unsigned int row = 0; row < 2 * 3 * 5 * 61 * 2 * 2; row++) {
        unsigned int n = row, levels = 4 + n % 2, size = (n /= 2) % 3, step = (n /= 3) % 5,
                     bit = 3 + (n /= 5) % 61, present = (n /= 61) % 2;
        struct mmu_eval eval = base(levels, size);
        if (step > levels - 1 - size)
            continue;
        eval.entry[step] ^= UINT64_C(1) << bit;
        if (!present)
            eval.entry[step] &= ~UINT64_C(7);
        eval.accessed_dirty = n / 2;
        differ += !agrees(&eval, bit == 63 ? WRITE : READ, mutation);
        *rows += 1;
    }
    return differ;
}

/* Random entries that are mostly nearly right, at all levels at once. */
static unsigned int random_matrix(enum mutation mutation, unsigned int *rows)
{
    uint64_t seed = 7;
    unsigned int differ = 0;

    for (unsigned int row = 0; row < 6000; row++) {
        uint64_t bits = seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        struct mmu_eval eval = base(4 + (bits >> 20 & 1), (unsigned int)(bits >> 21) % 3);
        for (unsigned int i = 0; i < eval.levels; i++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            uint64_t draw = seed >> 16;
            if (draw & 1)
                eval.entry[i] = (eval.entry[i] & ~UINT64_C(7)) | (draw >> 1 & 7);
            if ((draw >> 4 & 7) == 0)
                eval.entry[i] ^= UINT64_C(1) << (draw >> 8 & 63);
        }
        eval.accessed_dirty = bits >> 30 & 1;
        eval.x86.ept_xo = (bits >> 31 & 3) != 0;
        eval.x86.ept_1g = (bits >> 33 & 3) != 0;
        eval.x86.pa_bits = (uint8_t)(bits >> 35 & 1 ? 52 : 40);
        differ += !agrees(&eval, (enum how)((bits >> 36) % HOW_COUNT), mutation);
        *rows += 1;
    }
    return differ;
}

static unsigned int all(enum mutation mutation, unsigned int *rows)
{
    return permission_matrix(mutation, rows) + bit_matrix(mutation, rows) +
           random_matrix(mutation, rows);
}

static void every_row_of_the_matrices_follows_the_rules(void **state)
{
    unsigned int rows = 0;

    (void)state;
    assert_int_equal(permission_matrix(AS_IT_IS, &rows), 0);
    assert_int_equal(rows, 4 * 8 * 5 * (4 + 3 + 2 + 5 + 4 + 3));
    assert_int_equal(bit_matrix(AS_IT_IS, &rows), 0);
    assert_int_equal(random_matrix(AS_IT_IS, &rows), 0);
}

static void a_changed_rule_is_noticed(void **state)
{
    (void)state;
    for (unsigned int mutation = AS_IT_IS + 1; mutation < MUTATION_COUNT; mutation++) {
        unsigned int rows = 0;
        assert_int_not_equal(all((enum mutation)mutation, &rows), 0);
    }
}

/* ---- single facts, in numbers ---- */

static struct mmu_eval_result run(struct mmu_eval eval, enum mmu_access access, bool table)
{
    struct mmu_eval_result result;

    eval.access = (uint8_t)access;
    eval.table_access = table;
    assert_true(mmu_eval(&eval, &result));
    return result;
}

static void qualifications_are_those_that_real_hardware_gives(void **state)
{
    struct mmu_eval eval = base(4, 0);

    (void)state;
    eval.entry[3] = 0;
    assert_int_equal(run(eval, MMU_READ, false).syndrome, 0x181);
    eval.entry[3] = 0x40000035; /* read and execute */
    assert_int_equal(run(eval, MMU_WRITE, false).syndrome, 0x1aa);
    eval.entry[3] = 0x40000033;
    assert_int_equal(run(eval, MMU_FETCH, false).syndrome, 0x19c);
    eval.entry[3] = 0x40000034;
    assert_int_equal(run(eval, MMU_READ, false).syndrome, 0x1a1);
    assert_int_equal(run(eval, MMU_FETCH, false).result.fault, MMU_OK);
    assert_int_equal(run(eval, MMU_READ, true).syndrome, 0x0a1);
    eval.accessed_dirty = true;
    assert_int_equal(run(eval, MMU_READ, true).syndrome, 0x0a3);
}

static void absent_beats_misconfigured_beats_forbidden(void **state)
{
    struct mmu_eval eval = base(4, 0);

    (void)state;
    eval.entry[1] = 0x40000001; /* forbids a write */
    eval.entry[3] = 0x40000002; /* misconfigured */
    assert_int_equal(run(eval, MMU_WRITE, false).result.fault, MMU_FAULT_MISCONFIG);
    assert_int_equal(run(eval, MMU_WRITE, false).result.level, 0);
    assert_int_equal(run(eval, MMU_WRITE, false).syndrome, 0);
    eval.entry[0] = 0x40000078; /* absent: its reserved bits do not count */
    assert_int_equal(run(eval, MMU_WRITE, false).result.fault, MMU_FAULT_TRANSLATION);
    assert_int_equal(run(eval, MMU_WRITE, false).result.level, 3);
    assert_int_equal(run(eval, MMU_WRITE, false).reads, 1);
    assert_int_equal(run(eval, MMU_WRITE, false).syndrome, 0x182);
}

static void an_eptp_that_fails_vm_entry_translates_nothing(void **state)
{
    static const uint64_t bad[] = {0x18 | 1,
                                   0x10 | 6,
                                   0x20 | 6,
                                   0x18 | 6 | 0x80,
                                   0x18 | 6 | 0x800,
                                   0x18 | 6 | UINT64_C(1) << 46,
                                   0x18 | 6 | UINT64_C(1) << 60};
    struct mmu_config config = world_bare_config();
    struct x86 x;

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 1);
    x.regs.ept_5level = false;
    x86_set(&x);
    assert_int_equal(x86_load(&x, X86_VA).fault, MMU_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        x.regs.eptp = x.ept_root | bad[i];
        x86_set(&x);
        struct mmu_result result = x86_load(&x, X86_VA);
        assert_int_equal(result.fault, MMU_FAULT_MISCONFIG);
        assert_int_equal(result.refs_s1 + result.refs_s2, 0);
    }
    x86_close(&x);
}

static void an_address_beyond_four_levels_is_a_violation_without_a_read(void **state)
{
    struct mmu_eval eval = base(4, 0);
    struct mmu_eval_result result;

    (void)state;
    eval.addr = UINT64_C(1) << 48;
    result = run(eval, MMU_READ, false);
    assert_int_equal(result.result.fault, MMU_FAULT_TRANSLATION);
    assert_int_equal(result.syndrome, 0x181);
    assert_int_equal(result.reads, 0);
    eval = base(5, 0);
    eval.addr = UINT64_C(1) << 48;
    assert_int_equal(run(eval, MMU_READ, false).result.fault, MMU_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_matrices_follows_the_rules),
        cmocka_unit_test(a_changed_rule_is_noticed),
        cmocka_unit_test(qualifications_are_those_that_real_hardware_gives),
        cmocka_unit_test(absent_beats_misconfigured_beats_forbidden),
        cmocka_unit_test(an_eptp_that_fails_vm_entry_translates_nothing),
        cmocka_unit_test(an_address_beyond_four_levels_is_a_violation_without_a_read),
    };

    return cmocka_run_group_tests_name("x86_ept", tests, NULL, NULL);
}
