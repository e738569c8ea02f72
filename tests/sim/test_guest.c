/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running guests: the bundled images, small kernels of a few instructions, and their traces. */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/support/run.h"

static void set(struct sim_guest_options *options, const char *assignment)
{
    struct sim_error error;

    assert_int_equal(sim_config_set(&options->config, assignment, &error), SIM_OK);
}

static void assert_same_tallies(const struct sim_guest_result *a, const struct sim_guest_result *b)
{
    assert_int_equal(a->tallies, b->tallies);
    assert_true(a->tallies > 0);
    for (size_t i = 0; i < a->tallies; i++) {
        assert_string_equal(a->tally[i].name, b->tally[i].name);
        assert_int_equal(a->tally[i].value, b->tally[i].value);
    }
}

/* ---- the bundled guests ---- */

static void twice(const char *image, const char *strategy)
{
    struct sim_guest_options options = guest_options(image, strategy);
    struct sim_guest_result one, two;

    options.cpus = 2;
    options.arguments = "rounds=10 iterations=4";
    guest_run_image(&options, &one);
    guest_run_image(&options, &two);
    assert_int_equal(one.end, SIM_GUEST_EXITED);
    assert_int_equal(one.instructions, two.instructions);
    assert_int_equal(one.cycles, two.cycles);
    assert_memory_equal(&one.run.stats, &two.run.stats, sizeof(one.run.stats));
    assert_memory_equal(&one.run.mmu, &two.run.mmu, sizeof(one.run.mmu));
    assert_same_tallies(&one, &two);
}

static void a_run_is_the_same_twice_to_the_cycle(void **state)
{
    (void)state;
    twice(GUESTS "/arm64/churn", "reflect");
    twice(GUESTS "/arm64/smp", "direct-map-unmap");
    twice(GUESTS "/x86/churn", "ept-ve");
    twice(GUESTS "/x86/smp", "ept-inject");
}

static void exact_execution_of_x86_gives_the_same_figures(void **state)
{
    struct sim_guest_options options = guest_options(GUESTS "/x86/zeropad", "ept-inject");
    struct sim_guest_result fast, exact;

    (void)state;
    options.arguments = "iterations=2";
    guest_run_image(&options, &fast);
    options.exact = true;
    guest_run_image(&options, &exact);
    assert_same_tallies(&fast, &exact);
    assert_int_equal(fast.instructions, exact.instructions);
    assert_int_equal(fast.cycles, exact.cycles);
}

/* ---- ends ---- */

static void a_kernel_that_ignores_its_exception_table_panics(void **state)
{
    struct sim_guest_options options = guest_options(GUESTS "/arm64/zeropad", "reflect");
    struct sim_guest_result result;

    (void)state;
    options.arguments = "bug=ignore-table";
    guest_run_image(&options, &result);
    assert_int_equal(result.end, SIM_GUEST_PANIC);
    assert_int_equal(result.status, 1);
    assert_non_null(
        strstr(result.text, "Unable to handle kernel access to hypervisor-protected memory at"));
    assert_memory_equal(result.registers, "CPU 0 pc ffff8000", 17);
    assert_non_null(strstr(result.registers, "\n  x0  "));
    assert_false(sim_guest_as_expected(&result));
}

static void a_hypervisor_that_stops_says_where(void **state)
{
    struct sim_guest_options options = guest_options(GUESTS "/arm64/zeropad", "el2-bug");
    struct sim_guest_result result;

    (void)state;
    guest_run_image(&options, &result);
    assert_int_equal(result.end, SIM_GUEST_STOPPED);
    assert_memory_equal(result.text, "the hypervisor stops: CPU 0 at 0x", 33);
    assert_non_null(strstr(result.registers, "VBAR"));
    assert_true(sim_guest_as_expected(&result));
}

static void an_instruction_limit_ends_the_run(void **state)
{
    struct sim_guest_options options = guest_options(GUESTS "/x86/mix", "none");
    struct sim_guest_result result;

    (void)state;
    options.limit = 50000;
    options.arguments = "iterations=100000000";
    guest_run_image(&options, &result);
    assert_int_equal(result.end, SIM_GUEST_LIMIT);
    assert_in_range(result.instructions, 50000, 70000);
    assert_non_null(strstr(result.text, "instructions have run"));
    assert_non_null(strstr(result.registers, "\n  CR2 "));
}

static void a_good_end_leaves_no_text_and_no_registers(void **state)
{
    struct sim_guest_options options = guest_options(GUESTS "/arm64/zeropad", "reflect");
    struct sim_guest_result result;

    (void)state;
    options.arguments = "iterations=1";
    guest_run_image(&options, &result);
    assert_int_equal(result.end, SIM_GUEST_EXITED);
    assert_string_equal(result.text, "");
    assert_string_equal(result.registers, "");
    assert_string_equal(result.image, "zeropad");
    assert_true(sim_guest_as_expected(&result));
}

/* ---- kernels of a few instructions ---- */

static void run_bytes(enum trace_arch arch, const void *bytes, size_t size,
                      struct sim_guest_result *result)
{
    struct sim_guest_options options = guest_options("", "none");
    struct sim_error error = {0};
    struct elf_file file;

    elf_init(&file, arch);
    memcpy(file.text, bytes, size);
    if (guest_run_file(&file, &options, result, &error) != SIM_OK)
        fail_msg("%s", error.text);
}

static void waiting_without_a_timer_is_a_lock_up(void **state)
{
    const uint32_t wfi = 0xd503207f;
    struct sim_guest_result result;

    (void)state;
    run_bytes(TRACE_ARCH_ARM64, &wfi, sizeof(wfi), &result);
    assert_int_equal(result.end, SIM_GUEST_LOCKUP);
    assert_string_equal(result.text, "every CPU waits and no interrupt is due");
}

static void a_fault_without_a_handler_is_a_lock_up(void **state)
{
    const uint32_t jump[] = {0xd2800801 /* mov x1, #64 */, 0xd61f0020 /* br x1 */};
    struct sim_guest_result result;

    (void)state;
    run_bytes(TRACE_ARCH_ARM64, jump, sizeof(jump), &result);
    assert_int_equal(result.end, SIM_GUEST_LOCKUP);
    assert_non_null(strstr(result.text, "keeps faulting"));
}

static void an_exception_in_its_own_handler_is_a_lock_up(void **state)
{
    /* x1 = the image; msr vbar_el1, x1; udf. The handler, at +0x200, is another. */
    const uint32_t undefined[] = {0xd2ffffe1, 0xf2dfffe1, 0xf2b00001, 0xd518c001, 0};
    struct sim_guest_result result;

    (void)state;
    run_bytes(TRACE_ARCH_ARM64, undefined, sizeof(undefined), &result);
    assert_int_equal(result.end, SIM_GUEST_LOCKUP);
    assert_non_null(strstr(result.text, "the instruction at 0xffffffff80000200 keeps faulting"));
}

static void an_instruction_that_is_not_modelled_ends_the_run(void **state)
{
    const uint8_t in_string[] = {0x6c}; /* insb */
    struct sim_guest_result result;

    (void)state;
    run_bytes(TRACE_ARCH_X86_64, in_string, sizeof(in_string), &result);
    assert_int_equal(result.end, SIM_GUEST_UNKNOWN);
    assert_memory_equal(result.text, "CPU 0 at 0xffffffff80000000: ", 29);
}

static void an_image_larger_than_the_memory_is_refused(void **state)
{
    struct sim_guest_options options = guest_options("", "none");
    struct sim_guest_result result;
    struct sim_error error = {0};
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_DATA].p_memsz = UINT64_C(64) << 20;
    options.memory = UINT64_C(64) << 20;
    assert_int_equal(guest_run_file(&file, &options, &result, &error), SIM_USAGE);
    assert_string_equal(error.text, "67108864 bytes of memory, but the image needs 69218304");
}

/* ---- strategies and arguments ---- */

static void strategies_fit_by_architecture_and_by_who_owns_the_tables(void **state)
{
    static const char *const arm64[] = {
        "none", "el2-bug",          "stage2-only",      "sea-fixup", "reflect", "new-syndrome",
        "sdei", "direct-map-unmap", "direct-map-batch", "secretmem", NULL};
    static const char *const x86[] = {
        "none", "direct-map-unmap", "direct-map-batch", "secretmem", "ept-inject", "ept-ve", NULL};
    static const struct {
        enum trace_arch arch;
        const char *const *names;
    } lists[] = {{TRACE_ARCH_ARM64, arm64}, {TRACE_ARCH_X86_64, x86}};

    (void)state;
    for (size_t list = 0; list < 2; list++) {
        size_t expected = 0, fit = 0;

        for (; lists[list].names[expected]; expected++)
            assert_true(
                sim_guest_fits(sim_strategy_find(lists[list].names[expected]), lists[list].arch));
        for (size_t i = 0; sim_strategy_at(i); i++)
            fit += sim_guest_fits(sim_strategy_at(i), lists[list].arch);
        assert_int_equal(fit, expected);
    }
}

static void refused(const struct sim_guest_options *options, const char *text)
{
    struct sim_guest_result result;
    struct sim_error error = {0};

    assert_int_equal(sim_guest_run(options, &result, &error), SIM_USAGE);
    assert_string_equal(error.text, text);
}

static void options_out_of_range_are_refused(void **state)
{
    struct sim_guest_options options = guest_options(GUESTS "/arm64/mix", "ept-inject");
    char long_argument[257];

    (void)state;
    refused(&options, "strategy ept-inject does not fit this guest");
    options.cpus = 0;
    refused(&options, "0 CPUs, expected 1 to 8");
    options.cpus = 1;
    options.memory++;
    refused(&options, "268435457 bytes of memory, expected 64 MiB to 1 TiB in steps of 2 MiB");
    options.memory--;
    memset(long_argument, 'x', 256);
    long_argument[256] = '\0';
    options.arguments = long_argument;
    refused(&options, "256 bytes of arguments for the guest, expected at most 255");
}

static void arguments_reach_the_guest(void **state)
{
    struct sim_guest_options options = guest_options(GUESTS "/arm64/mix", "none");
    struct sim_guest_result small, large;

    (void)state;
    options.arguments = "iterations=10";
    guest_run_image(&options, &small);
    options.arguments = "iterations=1000";
    guest_run_image(&options, &large);
    assert_string_equal(small.tally[0].name, "iterations");
    assert_int_equal(small.tally[0].value, 10);
    assert_int_equal(large.tally[0].value, 1000);
    assert_true(large.instructions > small.instructions + 990);
}

/* ---- recording and replay ---- */

static void replay(const char *path, const struct sim_guest_options *options,
                   struct sim_result *result)
{
    struct trace_error trace_error;
    struct trace_source *source = trace_open(path, &trace_error);
    struct sim_error error = {0};
    struct sim *sim;

    assert_non_null(source);
    if (sim_open(&sim, &options->config, options->strategy, source->header(source), &error) !=
            SIM_OK ||
        sim_replay(sim, source, NULL, NULL, &error) != SIM_OK)
        fail_msg("%s", error.text);
    sim_result(sim, result);
    sim_close(sim);
    source->close(source);
}

static void record_and_replay(struct sim_guest_options *options, struct sim_guest_result *live,
                              struct sim_result *result)
{
    char path[] = "/tmp/faultline-guest-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    options->record = path;
    guest_run_image(options, live);
    replay(path, options, result);
    unlink(path);
}

static void assert_replays_alike(const char *image, const char *strategy)
{
    struct sim_guest_options options = guest_options(image, strategy);
    struct sim_guest_result live;
    struct sim_result replayed;

    options.cpus = 2;
    options.arguments = "rounds=4 iterations=2";
    set(&options, "check.stale=all");
    record_and_replay(&options, &live, &replayed);
    assert_int_equal(live.end, SIM_GUEST_EXITED);
    assert_int_equal(live.run.records, replayed.records);
    for (unsigned int i = 0; i < SIM_COUNT_COUNT; i++)
        if (live.run.stats.count[i] != replayed.stats.count[i])
            fail_msg("%s, %s: count %u is %lu live and %lu replayed", image, strategy, i,
                     live.run.stats.count[i], replayed.stats.count[i]);
    assert_memory_equal(&live.run.stats, &replayed.stats, sizeof(replayed.stats));
    assert_memory_equal(&live.run.mmu, &replayed.mmu, sizeof(replayed.mmu));
    assert_int_equal(replayed.stats.count[SIM_COUNT_stale_uses], 0);
}

static void a_recorded_run_replays_exactly_on_arm64(void **state)
{
    (void)state;
    assert_replays_alike(GUESTS "/arm64/zeropad", "reflect");
    assert_replays_alike(GUESTS "/arm64/churn", "direct-map-unmap");
    assert_replays_alike(GUESTS "/arm64/smp", "none");
}

static void a_recorded_run_replays_exactly_on_x86(void **state)
{
    (void)state;
    assert_replays_alike(GUESTS "/x86/zeropad", "ept-inject");
    assert_replays_alike(GUESTS "/x86/churn", "ept-ve");
    assert_replays_alike(GUESTS "/x86/smp", "none");
    assert_replays_alike(GUESTS "/x86/xom", "ept-inject");
    assert_replays_alike(GUESTS "/x86/asi", "ept-inject");
}

static void a_flush_that_is_left_out_is_found(const char *image)
{
    struct sim_guest_options options = guest_options(image, "none");
    struct sim_guest_result live;
    struct sim_result replayed;

    options.cpus = 2;
    options.arguments = "rounds=10 bug=skip-tlbi";
    set(&options, "check.stale=all");
    record_and_replay(&options, &live, &replayed);
    assert_true(guest_count(&live, SIM_COUNT_stale_uses) > 0);
    assert_int_equal(replayed.stats.count[SIM_COUNT_stale_uses],
                     guest_count(&live, SIM_COUNT_stale_uses));
    assert_false(sim_guest_as_expected(&live));
}

static void a_missing_invalidation_is_found_live_and_in_the_trace(void **state)
{
    (void)state;
    a_flush_that_is_left_out_is_found(GUESTS "/arm64/smp");
    a_flush_that_is_left_out_is_found(GUESTS "/x86/smp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_the_same_twice_to_the_cycle),
        cmocka_unit_test(exact_execution_of_x86_gives_the_same_figures),
        cmocka_unit_test(a_kernel_that_ignores_its_exception_table_panics),
        cmocka_unit_test(a_hypervisor_that_stops_says_where),
        cmocka_unit_test(an_instruction_limit_ends_the_run),
        cmocka_unit_test(a_good_end_leaves_no_text_and_no_registers),
        cmocka_unit_test(waiting_without_a_timer_is_a_lock_up),
        cmocka_unit_test(a_fault_without_a_handler_is_a_lock_up),
        cmocka_unit_test(an_exception_in_its_own_handler_is_a_lock_up),
        cmocka_unit_test(an_instruction_that_is_not_modelled_ends_the_run),
        cmocka_unit_test(an_image_larger_than_the_memory_is_refused),
        cmocka_unit_test(strategies_fit_by_architecture_and_by_who_owns_the_tables),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(arguments_reach_the_guest),
        cmocka_unit_test(a_recorded_run_replays_exactly_on_arm64),
        cmocka_unit_test(a_recorded_run_replays_exactly_on_x86),
        cmocka_unit_test(a_missing_invalidation_is_found_live_and_in_the_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
