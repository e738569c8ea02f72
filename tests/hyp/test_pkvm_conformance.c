/* SPDX-License-Identifier: MIT */
/*
 * The conformance trace against the figures of the real pKVM code (Linux 7.3.4), the invariant
 * after every step, and faults put in on purpose that hashes and invariant must notice.
 */
#include "sim/pkvm_trace.h"
#include "tests/support/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

/* The machine: arm64, or by the environment x86, whose ownership must be the same to the bit. */
static enum hyp_arch arch(void)
{
    const char *name = getenv("FAULTLINE_TEST_ARCH");

    return name && strcmp(name, "x86") == 0 ? HYP_ARCH_X86 : HYP_ARCH_ARM64;
}

static struct pkvm_trace *open_at(uint64_t steps)
{
    struct pkvm_trace *trace = pkvm_trace_open_on(arch(), PKVM_TRACE_SEED);

    assert_non_null(trace);
    pkvm_trace_run(trace, steps);
    return trace;
}

static void results_and_state_match_the_real_code_at_each_milestone(void **state)
{
    static const struct {
        uint64_t steps, rc_hash, state_hash;
    } known[] = {
        {1000, UINT64_C(0x7ce3997f885bddd2), UINT64_C(0xe155c3afe0c9eeb4)},
        {10000, UINT64_C(0xa1ed3e732fdc4b7d), UINT64_C(0x93198f0b48bc3cfa)},
        {100000, UINT64_C(0x99eefbdca3f90b51), UINT64_C(0xf4830746df9e2eee)},
    };
    struct pkvm_trace *trace = open_at(0);
    size_t k;

    (void)state;
    for (k = 0; k < 3; k++) {
        pkvm_trace_run(trace, known[k].steps - pkvm_trace_steps(trace));
        assert_int_equal(pkvm_trace_steps(trace), known[k].steps);
        assert_int_equal(pkvm_trace_rc_hash(trace), known[k].rc_hash);
        assert_int_equal(pkvm_trace_state_hash(trace), known[k].state_hash);
    }
    pkvm_trace_close(trace);
}

/* How often each operation returned what in the first 100000 steps of the real code. */
static const struct known_tally {
    unsigned int op;
    int rc;
    uint64_t count;
} known_tallies[] = {
    {0, 0, 553},     {0, -1, 4239},   {1, 0, 517},     {1, -1, 2643},  {1, -16, 1660},
    {2, 0, 493},     {2, -1, 4173},   {3, 0, 499},     {3, -1, 4249},  {4, 0, 518},
    {4, -1, 4255},   {5, 0, 514},     {5, 1, 4291},    {6, 0, 1762},   {6, -1, 2611},
    {6, 1, 441},     {7, 0, 1681},    {7, 1, 3017},    {8, 0, 894},    {8, -1, 3750},
    {9, 0, 882},     {9, -2, 3935},   {10, 0, 483},    {10, -1, 4401}, {11, 0, 324},
    {11, -1, 175},   {11, -2, 4075},  {11, -133, 157}, {12, 0, 168},   {12, -1, 299},
    {12, -2, 4150},  {12, -133, 188}, {13, 0, 642},    {13, -2, 4168}, {14, 0, 3},
    {14, -1, 15},    {14, -11, 66},   {15, 0, 7699},   {15, 1, 1745},  {16, 0, 153},
    {16, -1, 4706},  {17, 0, 140},    {17, -1, 4613},  {18, 0, 4720},  {19, 0, 811},
    {19, -11, 3806}, {20, 0, 4278},   {20, 1, 438},
};

static uint64_t tally_of(const struct pkvm_trace *trace, unsigned int op, int rc)
{
    const struct pkvm_trace_tally *tally = pkvm_trace_tally(trace, op);
    unsigned int k;

    for (k = 0; k < PKVM_TRACE_RCS; k++) {
        if (tally->count[k] && tally->rc[k] == rc)
            return tally->count[k];
    }
    return 0;
}

static void each_operation_is_refused_as_often_as_by_the_real_code(void **state)
{
    struct pkvm_trace *trace = open_at(100000);
    uint64_t sum = 0;
    size_t k;

    (void)state;
    for (k = 0; k < sizeof(known_tallies) / sizeof(known_tallies[0]); k++) {
        const struct known_tally *known = &known_tallies[k];

        assert_int_equal(tally_of(trace, known->op, known->rc), known->count);
        sum += known->count;
    }
    assert_int_equal(sum, 100000);
    pkvm_trace_close(trace);
}

static void the_printed_run_ends_in_the_line_of_hashes(void **state)
{
    static const char last[] = "step 1000 rc-hash 7ce3997f885bddd2 state-hash e155c3afe0c9eeb4\n";
    FILE *out = tmpfile();
    char line[200] = "";
    unsigned int lines = 0;

    (void)state;
    assert_non_null(out);
    assert_true(pkvm_trace_print(out, PKVM_TRACE_SEED, 1000));
    rewind(out);
    while (fgets(line, sizeof(line), out))
        lines++;
    fclose(out);
    assert_int_equal(lines, PKVM_TRACE_OPS + 1);
    assert_string_equal(line, last);
}

static void another_seed_gives_another_run(void **state)
{
    struct pkvm_trace *one = open_at(1000);
    struct pkvm_trace *other = pkvm_trace_open_on(arch(), 42);

    (void)state;
    assert_non_null(other);
    pkvm_trace_run(other, 1000);
    assert_int_not_equal(pkvm_trace_rc_hash(one), pkvm_trace_rc_hash(other));
    pkvm_trace_close(one);
    pkvm_trace_close(other);
}

static void the_ownership_invariant_holds_after_every_step_of_any_seed(void **state)
{
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 4; seed++) {
        struct pkvm_trace *trace = pkvm_trace_open_on(arch(), seed);
        struct hyp_violation violation = {NULL, 0};
        unsigned int step;

        assert_non_null(trace);
        for (step = 0; step < 1500; step++) {
            pkvm_trace_run(trace, 1);
            if (!hyp_check(pkvm_trace_hyp(trace), pkvm_trace_arena(), PKVM_TRACE_PAGES, &violation))
                fail_msg("seed %u step %u: page %u: %s", (unsigned int)seed, step,
                         (unsigned int)(violation.pfn - pkvm_trace_arena()), violation.what);
        }
        pkvm_trace_close(trace);
    }
}

/* ---- seeded faults ---- */

static bool is_sound(struct pkvm_trace *trace)
{
    struct hyp_violation violation;

    return hyp_check(pkvm_trace_hyp(trace), pkvm_trace_arena(), PKVM_TRACE_PAGES, &violation);
}

/* Whether the invariant notices when one descriptor is replaced by another value of it. */
static void expect_noticed(struct pkvm_trace *trace, struct hyp_page *page, struct hyp_page wrong)
{
    struct hyp_page right = *page;

    if (memcmp(&right, &wrong, sizeof(right)) == 0)
        return;
    *page = wrong;
    assert_false(is_sound(trace));
    *page = right;
}

static void any_wrong_field_of_any_descriptor_breaks_the_invariant(void **state)
{
    struct pkvm_trace *trace = open_at(1000);
    struct hyp *hyp = pkvm_trace_hyp(trace);
    unsigned int i, s;

    (void)state;
    assert_true(is_sound(trace));
    for (i = 0; i < PKVM_TRACE_PAGES; i++) {
        struct hyp_page *page = hyp_page_of_pfn(&hyp->vmemmap, pkvm_trace_arena() + i);
        struct hyp_page wrong;

        for (s = 0; s < 4; s++) {
            wrong = *page;
            wrong.host_state = s & 3;
            expect_noticed(trace, page, wrong);
            wrong = *page;
            wrong.hyp_state_compl = s & 3;
            expect_noticed(trace, page, wrong);
        }
        if (page->host_state != HYP_PAGE_OWNED && page->host_state != HYP_PAGE_SHARED_OWNED)
            continue;
        wrong = *page;
        wrong.share_count++;
        expect_noticed(trace, page, wrong);
        wrong = *page;
        wrong.borrower ^= HYP_BORROWER_GUEST;
        expect_noticed(trace, page, wrong);
        wrong = *page;
        wrong.refcount = wrong.refcount ? 0 : 1;
        expect_noticed(trace, page, wrong);
    }
    assert_true(is_sound(trace));
    pkvm_trace_close(trace);
}

static void a_mapping_that_nobody_recorded_breaks_the_invariant(void **state)
{
    struct pkvm_trace *trace = open_at(1000);
    struct hyp *hyp = pkvm_trace_hyp(trace);
    unsigned int i, found = 0;

    (void)state;
    for (i = 0; i < PKVM_TRACE_PAGES; i++) {
        hyp_pa_t pa = hyp_pa((pkvm_trace_arena() + i) << 12);
        hyp_ia_t va = hyp_ia_from_va(hyp_linear_va(hyp, pa));

        if (hyp_page_of(&hyp->vmemmap, pa)->host_state != HYP_PAGE_OWNED)
            continue;
        found++;
        assert_int_equal(hyp_pgt_map(&hyp->s1, va, 4096, pa, HYP_PROT_RW, NULL), HYP_OK);
        assert_false(is_sound(trace));
        assert_int_equal(hyp_pgt_unmap(&hyp->s1, va, 4096, NULL), HYP_OK);
        assert_true(is_sound(trace));
    }
    assert_true(found > 0);
    pkvm_trace_close(trace);
}

static void a_state_changed_behind_the_core_changes_the_hashes(void **state)
{
    struct pkvm_trace *trace = open_at(500);
    struct hyp *hyp = pkvm_trace_hyp(trace);
    unsigned int i;

    (void)state;
    for (i = 0; i < PKVM_TRACE_PAGES; i++) {
        struct hyp_page *page = hyp_page_of_pfn(&hyp->vmemmap, pkvm_trace_arena() + i);

        if (page->host_state == HYP_PAGE_OWNED)
            page->share_count = 1;
    }
    pkvm_trace_run(trace, 500);
    assert_int_not_equal(pkvm_trace_state_hash(trace), UINT64_C(0xe155c3afe0c9eeb4));
    pkvm_trace_close(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_state_match_the_real_code_at_each_milestone),
        cmocka_unit_test(each_operation_is_refused_as_often_as_by_the_real_code),
        cmocka_unit_test(the_printed_run_ends_in_the_line_of_hashes),
        cmocka_unit_test(another_seed_gives_another_run),
        cmocka_unit_test(the_ownership_invariant_holds_after_every_step_of_any_seed),
        cmocka_unit_test(any_wrong_field_of_any_descriptor_breaks_the_invariant),
        cmocka_unit_test(a_mapping_that_nobody_recorded_breaks_the_invariant),
        cmocka_unit_test(a_state_changed_behind_the_core_changes_the_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
