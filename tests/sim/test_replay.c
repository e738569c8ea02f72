/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replay: recorded faults against predicted ones, placement, and what bad records get. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/support/script.h"

enum { LENT = 100, BESIDE = 99 };

/* One repaired load as a recording shows it: the attempt, then the fault. */
static void recorded_fault(struct script *script, uint32_t word)
{
    script_access(script, 0, word, script_va(BESIDE, SCRIPT_PAGE - 5));
    script_kfault(script, word, script_va(LENT, 0));
}

static uint32_t begin(struct script *script)
{
    script_init(script);
    script_set(script, "donate.kinds=unmapped");
    uint32_t word = script_site(script, 3, false, true, true);

    script_donate(script, LENT, TRACE_OWNER_GUEST, TRACE_DONATE_UNMAPPED);
    return word;
}

static void verify(struct script *script, uint64_t recorded, uint64_t missed, uint64_t spurious)
{
    struct sim_result result;

    script_run(script, "secretmem", &result);
    assert_true(result.compared);
    assert_int_equal(result.stats.count[SIM_COUNT_recorded_faults], recorded);
    assert_int_equal(result.missed, missed);
    assert_int_equal(result.spurious, spurious);
}

static void recorded_fault_is_predicted_at_its_place(void **state)
{
    static struct script script;

    (void)state;
    uint32_t word = begin(&script);

    recorded_fault(&script, word);
    recorded_fault(&script, word);
    verify(&script, 2, 0, 0);
}

static void fault_at_another_address_counts_as_missed_and_spurious(void **state)
{
    static struct script script;

    (void)state;
    uint32_t word = begin(&script);

    script_access(&script, 0, word, script_va(BESIDE, SCRIPT_PAGE - 5));
    script_kfault(&script, word, script_va(LENT + 1, 0));
    verify(&script, 1, 1, 1);
}

static void fault_of_another_instruction_counts_as_missed_and_spurious(void **state)
{
    static struct script script;

    (void)state;
    uint32_t word = begin(&script);
    uint32_t other = script_site(&script, 3, false, true, true);

    script_access(&script, 0, word, script_va(BESIDE, SCRIPT_PAGE - 5));
    script_kfault(&script, other, script_va(LENT, 0));
    verify(&script, 1, 1, 1);
}

static void fault_one_record_late_counts_as_missed_and_spurious(void **state)
{
    static struct script script;

    (void)state;
    uint32_t word = begin(&script);

    script_access(&script, 0, word, script_va(BESIDE, SCRIPT_PAGE - 5));
    script_access(&script, 0, word, script_va(BESIDE, 0));
    script_kfault(&script, word, script_va(LENT, 0));
    verify(&script, 1, 1, 1);
}

static void recorded_fault_without_a_lent_page_is_missed(void **state)
{
    static struct script script;

    (void)state;
    uint32_t word = begin(&script);

    script_reclaim(&script, LENT, TRACE_OWNER_GUEST);
    recorded_fault(&script, word);
    verify(&script, 1, 1, 0);
}

static void completed_access_to_a_lent_page_is_spurious(void **state)
{
    static struct script script;

    (void)state;
    uint32_t word = begin(&script);

    script_access(&script, 0, word, script_va(LENT, 0));
    verify(&script, 0, 0, 1);
}

static void pages_that_stayed_mapped_are_left_alone_by_kind_unmapped(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    uint32_t word = begin(&script);

    script_donate(&script, LENT + 5, TRACE_OWNER_GUEST, 0);
    script_access(&script, 0, word, script_va(LENT + 5, 0));
    verify(&script, 0, 0, 0);
    script_set(&script, "donate.kinds=all");
    script_run(&script, "secretmem", &result);
    assert_false(result.compared);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], 1);
}

static void placement_moves_the_lent_page_away_from_its_neighbour(void **state)
{
    static const char *const policies[] = {"place.policy=random", "place.policy=clustered",
                                           "place.policy=huge-first"};
    static struct script script;
    struct sim_result result;

    (void)state;
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        script_init(&script);
        uint32_t word = script_site(&script, 3, false, true, true);

        /* Pages from 4096 on are free, the others in use. */
        script_event(&script, TRACE_PAGE_FLAGS, SCRIPT_RAM, 4096, 1u << 7);
        script_event(&script, TRACE_PAGE_FLAGS, SCRIPT_RAM + 4096 * SCRIPT_PAGE, 4096, 1u << 10);
        script_donate(&script, LENT, TRACE_OWNER_GUEST, 0);
        script_access(&script, 0, word, script_va(BESIDE, SCRIPT_PAGE - 3));
        script_access(&script, 0, word, script_va(LENT, 0));
        script_set(&script, policies[i]);
        script_run(&script, "direct-map-unmap", &result);
        /* The word's neighbour is an ordinary page now; the lent page itself still faults. */
        assert_int_equal(result.stats.count[SIM_COUNT_strays], 1);
        assert_true(result.report[0].far > script_va(4095, 0));
    }
}

static void result_is_the_same_twice(void **state)
{
    static struct script script;
    struct sim_result first, second;

    (void)state;
    uint32_t word = begin(&script);

    for (int i = 0; i < 20; i++)
        recorded_fault(&script, word);
    script_set(&script, "tlb.repl=random");
    script_run(&script, "reflect", &first);
    script_run(&script, "reflect", &second);
    assert_memory_equal(&first.stats, &second.stats, sizeof(first.stats));
    assert_memory_equal(&first.mmu, &second.mmu, sizeof(first.mmu));
}

static void record_of_an_unknown_cpu_is_refused_with_its_position(void **state)
{
    static struct script script;
    struct sim_result result;
    struct sim_error error;

    (void)state;
    uint32_t word = begin(&script);

    script_access(&script, 7, word, script_va(BESIDE, 0));
    assert_int_equal(script_try(&script, "none", &result, &error), SIM_BAD_INPUT);
    assert_non_null(strstr(error.text, "record 1: CPU 7"));
}

static void refused(struct script *script, const char *text)
{
    struct sim_result result;
    struct sim_error error;

    assert_int_equal(script_try(script, "none", &result, &error), SIM_BAD_INPUT);
    assert_string_equal(error.text, text);
}

static void more_pages_than_the_machine_has_are_refused(void **state)
{
    static struct script script;

    (void)state;
    script_init(&script);
    script_event(&script, TRACE_RECLAIM, SCRIPT_RAM, UINT64_MAX, 0);
    refused(&script, "record 0: expected at most as many pages as the machine has");
}

static void words_outside_ram_are_refused(void **state)
{
    static const uint64_t places[] = {0, SCRIPT_RAM - 8, SCRIPT_RAM + 4, UINT64_MAX - 7};
    static struct script script;

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        script_init(&script);
        script_event(&script, TRACE_WORD, places[i], 1, 0);
        refused(&script, "record 0: expected a word of the machine's RAM");
    }
}

static void impossible_machines_are_refused(void **state)
{
    static struct script script;
    struct sim_result result;
    struct sim_error error;

    (void)state;
    begin(&script);
    script.ram.end = script.ram.start;
    assert_int_equal(script_try(&script, "none", &result, &error), SIM_BAD_INPUT);
    begin(&script);
    script.header.linear_end = script.header.linear_start;
    assert_int_equal(script_try(&script, "none", &result, &error), SIM_BAD_INPUT);
    begin(&script);
    script.header.cpus = 0;
    assert_int_equal(script_try(&script, "none", &result, &error), SIM_BAD_INPUT);
    begin(&script);
    script.header.arch = (enum trace_arch)7;
    assert_int_equal(script_try(&script, "none", &result, &error), SIM_BAD_INPUT);
    begin(&script);
    script_set(&script, "cpu.preset=zen4");
    assert_int_equal(script_try(&script, "none", &result, &error), SIM_USAGE);
    begin(&script);
    script_set(&script, "s1.block=2m");
    assert_int_equal(script_try(&script, "secretmem", &result, &error), SIM_USAGE);
    assert_non_null(strstr(error.text, "s1.bbm=2"));
    begin(&script);
    script_set(&script, "s2.enable=0");
    assert_int_equal(script_try(&script, "reflect", &result, &error), SIM_USAGE);
    begin(&script);
    script_set(&script, "pool.pages=3");
    assert_int_equal(script_try(&script, "reflect", &result, &error), SIM_USAGE);
}

static void block_mapped_direct_map_is_split_where_a_page_is_lent(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    uint32_t word = begin(&script);

    script_access(&script, 0, word, script_va(LENT + 20, 0));
    recorded_fault(&script, word);
    script_set(&script, "s1.block=2m");
    script_set(&script, "s1.bbm=2");
    script_set(&script, "check.stale=all");
    script_run(&script, "direct-map-unmap", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_direct_map_splits], 1);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], 1);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_fault_is_predicted_at_its_place),
        cmocka_unit_test(fault_at_another_address_counts_as_missed_and_spurious),
        cmocka_unit_test(fault_of_another_instruction_counts_as_missed_and_spurious),
        cmocka_unit_test(fault_one_record_late_counts_as_missed_and_spurious),
        cmocka_unit_test(recorded_fault_without_a_lent_page_is_missed),
        cmocka_unit_test(completed_access_to_a_lent_page_is_spurious),
        cmocka_unit_test(pages_that_stayed_mapped_are_left_alone_by_kind_unmapped),
        cmocka_unit_test(placement_moves_the_lent_page_away_from_its_neighbour),
        cmocka_unit_test(result_is_the_same_twice),
        cmocka_unit_test(record_of_an_unknown_cpu_is_refused_with_its_position),
        cmocka_unit_test(more_pages_than_the_machine_has_are_refused),
        cmocka_unit_test(words_outside_ram_are_refused),
        cmocka_unit_test(impossible_machines_are_refused),
        cmocka_unit_test(block_mapped_direct_map_is_split_where_a_page_is_lent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
