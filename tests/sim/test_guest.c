/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running guests: the bundled images, and small kernels of a few instructions. Golden figures stand
 * for the whole model of cost: a change of any of them is meant, or a mistake.
 */
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/machine.h"
#include "tests/sim/support/elf.h"
#include "workloads/guest/abi.h"

static struct sim_guest_options options_of(const char *image, const char *strategy)
{
    struct sim_guest_options options = {
        .image = image,
        .strategy = sim_strategy_find(strategy),
        .cpus = 1,
        .memory = UINT64_C(256) << 20,
        .limit = UINT64_C(100) << 20,
    };

    assert_non_null(options.strategy);
    sim_config_init(&options.config);
    return options;
}

static void set(struct sim_guest_options *options, const char *assignment)
{
    struct sim_error error;

    assert_int_equal(sim_config_set(&options->config, assignment, &error), SIM_OK);
}

static void run(const struct sim_guest_options *options, struct sim_guest_result *result)
{
    struct sim_error error = {0};

    if (sim_guest_run(options, result, &error) != SIM_OK)
        fail_msg("%s: %s", options->image, error.text);
}

static uint64_t count(const struct sim_guest_result *result, enum sim_count which)
{
    return result->run.stats.count[which];
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
    struct sim_guest_options options = options_of(image, strategy);
    struct sim_guest_result one, two;

    options.cpus = 2;
    options.arguments = "rounds=10 iterations=4";
    run(&options, &one);
    run(&options, &two);
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
    struct sim_guest_options options = options_of(GUESTS "/x86/zeropad", "ept-inject");
    struct sim_guest_result fast, exact;

    (void)state;
    options.arguments = "iterations=2";
    run(&options, &fast);
    options.exact = true;
    run(&options, &exact);
    assert_same_tallies(&fast, &exact);
    assert_int_equal(fast.instructions, exact.instructions);
    assert_int_equal(fast.cycles, exact.cycles);
}

/* ---- ends ---- */

static void a_kernel_that_ignores_its_exception_table_panics(void **state)
{
    struct sim_guest_options options = options_of(GUESTS "/arm64/zeropad", "reflect");
    struct sim_guest_result result;

    (void)state;
    options.arguments = "bug=ignore-table";
    run(&options, &result);
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
    struct sim_guest_options options = options_of(GUESTS "/arm64/zeropad", "el2-bug");
    struct sim_guest_result result;

    (void)state;
    run(&options, &result);
    assert_int_equal(result.end, SIM_GUEST_STOPPED);
    assert_memory_equal(result.text, "the hypervisor stops: CPU 0 at 0x", 33);
    assert_non_null(strstr(result.registers, "VBAR"));
    assert_true(sim_guest_as_expected(&result));
}

static void an_instruction_limit_ends_the_run(void **state)
{
    struct sim_guest_options options = options_of(GUESTS "/x86/mix", "none");
    struct sim_guest_result result;

    (void)state;
    options.limit = 50000;
    options.arguments = "iterations=100000000";
    run(&options, &result);
    assert_int_equal(result.end, SIM_GUEST_LIMIT);
    assert_in_range(result.instructions, 50000, 70000);
    assert_non_null(strstr(result.text, "instructions have run"));
    assert_non_null(strstr(result.registers, "\n  CR2 "));
}

static void a_good_end_leaves_no_text_and_no_registers(void **state)
{
    struct sim_guest_options options = options_of(GUESTS "/arm64/zeropad", "reflect");
    struct sim_guest_result result;

    (void)state;
    options.arguments = "iterations=1";
    run(&options, &result);
    assert_int_equal(result.end, SIM_GUEST_EXITED);
    assert_string_equal(result.text, "");
    assert_string_equal(result.registers, "");
    assert_string_equal(result.image, "zeropad");
    assert_true(sim_guest_as_expected(&result));
}

/* ---- kernels of a few instructions ---- */

static enum sim_status run_code(const struct elf_file *file, struct sim_guest_options *options,
                                struct sim_guest_result *result, struct sim_error *error)
{
    char path[64];
    enum sim_status status;

    elf_write(file, sizeof(*file), path);
    options->image = path;
    status = sim_guest_run(options, result, error);
    unlink(path);
    options->image = "";
    return status;
}

static void run_bytes(enum trace_arch arch, const void *bytes, size_t size,
                      struct sim_guest_result *result)
{
    struct sim_guest_options options = options_of("", "none");
    struct sim_error error = {0};
    struct elf_file file;

    elf_init(&file, arch);
    memcpy(file.text, bytes, size);
    if (run_code(&file, &options, result, &error) != SIM_OK)
        fail_msg("%s", error.text);
}

/*
 * Both kernels write a word into each of 64 free pages, lend the first four to the hypervisor,
 * read the second word of the first, skip that instruction in their handler, take the pages back
 * and exit. As machine code: compilers differ.
 */
static const uint32_t lender_arm64[] = {
    0xaa0003f4, 0xf9400695, 0xf9400a96, 0xf9401297, 0xcb1602f8, 0x8b150318, 0x10000301,
    0xd2820120, 0xd4000002, 0xd2800802, 0xaa1803e3, 0xf9000062, 0x91400463, 0xf1000442,
    0x54ffffa1, 0xd28200a0, 0xaa1703e1, 0xd2800002, 0xd2800083, 0xd4000002, 0xaa0003f9,
    0xf9400704, 0xd28200c0, 0xaa1703e1, 0xd2800082, 0xd4000002, 0xaa000339, 0xd2820000,
    0xaa1903e1, 0xd4000002, 0x91001021, 0xd2820140, 0xd28003e2, 0xd2800003, 0xd4000002};
static const uint8_t lender_x86[] = {
    0x48, 0x8b, 0x5f, 0x08, 0x48, 0x2b, 0x5f, 0x10, 0x48, 0x8b, 0x6f, 0x20, 0x48, 0x01, 0xeb,
    0x48, 0x83, 0xec, 0x10, 0x66, 0xc7, 0x44, 0x24, 0x06, 0xff, 0x0f, 0x48, 0xc7, 0xc0, 0x00,
    0x10, 0x00, 0x80, 0x48, 0x89, 0x44, 0x24, 0x08, 0x0f, 0x01, 0x5c, 0x24, 0x06, 0xb9, 0x40,
    0x00, 0x00, 0x00, 0x48, 0x89, 0xd8, 0x48, 0x89, 0x08, 0x48, 0x05, 0x00, 0x10, 0x00, 0x00,
    0xff, 0xc9, 0x75, 0xf3, 0xb8, 0x05, 0x10, 0x00, 0x00, 0x48, 0x89, 0xef, 0x31, 0xf6, 0xba,
    0x04, 0x00, 0x00, 0x00, 0x0f, 0x01, 0xc1, 0x49, 0x89, 0xc4, 0x48, 0x8b, 0x4b, 0x08, 0xb8,
    0x06, 0x10, 0x00, 0x00, 0x48, 0x89, 0xef, 0xbe, 0x04, 0x00, 0x00, 0x00, 0x0f, 0x01, 0xc1,
    0x49, 0x09, 0xc4, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x4c, 0x89, 0xe7, 0x0f, 0x01, 0xc1, 0x48,
    0x83, 0xc4, 0x08, 0x48, 0x83, 0x04, 0x24, 0x04, 0x48, 0xcf};
enum { LENDER_X86_HANDLER = 119 };

struct golden {
    uint64_t instructions, cycles, strays, exits, hypercalls;
};

static void assert_golden(const struct elf_file *file, const char *strategy, struct golden golden)
{
    struct sim_guest_options options = options_of("", strategy);
    struct sim_guest_result result;
    struct sim_error error = {0};

    if (run_code(file, &options, &result, &error) != SIM_OK)
        fail_msg("%s", error.text);
    assert_string_equal(result.text, "");
    assert_int_equal(result.instructions, golden.instructions);
    assert_int_equal(count(&result, SIM_COUNT_strays), golden.strays);
    assert_int_equal(count(&result, SIM_COUNT_survived), golden.strays);
    assert_int_equal(count(&result, SIM_COUNT_exits), golden.exits);
    assert_int_equal(count(&result, SIM_COUNT_hypercalls), golden.hypercalls);
    assert_int_equal(result.cycles, golden.cycles);
}

static void a_stray_on_arm64_costs_what_it_did(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_ARM64);
    memcpy(file.text, lender_arm64, sizeof(lender_arm64));
    assert_golden(&file, "sdei", (struct golden){286, 42198, 1, 14, 9});
    assert_golden(&file, "none", (struct golden){282, 15004, 0, 2, 0});
}

static void a_stray_on_x86_costs_what_it_did(void **state)
{
    const uint64_t handler = ELF_BASE + LENDER_X86_HANDLER;
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    memcpy(file.text, lender_x86, sizeof(lender_x86));
    /* The gate of #PF: present, interrupt gate, selector 8 (SDM vol. 3, 6.14.1). */
    file.data[2 * 14] = (handler & 0xffff) | UINT64_C(8) << 16 | UINT64_C(0x8e) << 40 |
                        (handler >> 16 & 0xffff) << 48;
    file.data[2 * 14 + 1] = handler >> 32;
    assert_golden(&file, "ept-inject", (struct golden){284, 72723, 1, 15, 9});
    assert_golden(&file, "none", (struct golden){282, 20023, 0, 3, 0});
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
    struct sim_guest_options options = options_of("", "none");
    struct sim_guest_result result;
    struct sim_error error = {0};
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_DATA].p_memsz = UINT64_C(64) << 20;
    options.memory = UINT64_C(64) << 20;
    assert_int_equal(run_code(&file, &options, &result, &error), SIM_USAGE);
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
    struct sim_guest_options options = options_of(GUESTS "/arm64/mix", "ept-inject");
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
    struct sim_guest_options options = options_of(GUESTS "/arm64/mix", "none");
    struct sim_guest_result small, large;

    (void)state;
    options.arguments = "iterations=10";
    run(&options, &small);
    options.arguments = "iterations=1000";
    run(&options, &large);
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
    run(options, live);
    replay(path, options, result);
    unlink(path);
}

static void assert_replays_alike(const char *image, const char *strategy)
{
    struct sim_guest_options options = options_of(image, strategy);
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
    struct sim_guest_options options = options_of(image, "none");
    struct sim_guest_result live;
    struct sim_result replayed;

    options.cpus = 2;
    options.arguments = "rounds=10 bug=skip-tlbi";
    set(&options, "check.stale=all");
    record_and_replay(&options, &live, &replayed);
    assert_true(count(&live, SIM_COUNT_stale_uses) > 0);
    assert_int_equal(replayed.stats.count[SIM_COUNT_stale_uses],
                     count(&live, SIM_COUNT_stale_uses));
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
        cmocka_unit_test(a_stray_on_arm64_costs_what_it_did),
        cmocka_unit_test(a_stray_on_x86_costs_what_it_did),
        cmocka_unit_test(a_kernel_that_ignores_its_exception_table_panics),
        cmocka_unit_test(a_hypervisor_that_stops_says_where),
        cmocka_unit_test(an_instruction_limit_ends_the_run),
        cmocka_unit_test(a_good_end_leaves_no_text_and_no_registers),
        cmocka_unit_test(waiting_without_a_timer_is_a_lock_up),
        cmocka_unit_test(a_fault_without_a_handler_is_a_lock_up),
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
