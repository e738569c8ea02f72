/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels with pages of 16 and 64 KiB: their tables, their page ends, what a donation costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/support/script.h"
#include "workloads/workload.h"

static void begin(struct script *script, unsigned int page_shift)
{
    script_init(script);
    script->header.page_shift = page_shift;
}

/* Pages of the script have 4 KiB: the first one of page `page` of the machine. */
static uint64_t first_of(const struct script *script, uint64_t page)
{
    return page << (script->header.page_shift - 12);
}

static uint64_t descriptors_read(unsigned int page_shift, const char *block)
{
    static struct script script;
    struct sim_result result;
    uint64_t sum = 0;

    begin(&script, page_shift);
    script_set(&script, "s2.enable=0");
    script_set(&script, "wcache.in_l2=0");
    script_set(&script, "wcache.entries=0");
    script_set(&script, block);
    script_access(&script, 0, script_site(&script, 3, false, false, false), script_va(4096, 0));
    script_run(&script, "none", &result);
    for (unsigned int level = 0; level < 5; level++)
        sum += (&result.mmu.refs_s1_l0)[level];
    return sum;
}

static void cold_access_reads_one_descriptor_a_level(void **state)
{
    (void)state;
    assert_int_equal(descriptors_read(12, "s1.block=page"), 4);
    assert_int_equal(descriptors_read(12, "s1.block=2m"), 3);
    assert_int_equal(descriptors_read(14, "s1.block=page"), 4);
    assert_int_equal(descriptors_read(14, "s1.block=2m"), 3); /* of 32 MiB */
    assert_int_equal(descriptors_read(14, "s1.block=1g"), 3); /* which is the largest */
    assert_int_equal(descriptors_read(16, "s1.block=page"), 3);
    assert_int_equal(descriptors_read(16, "s1.block=2m"), 3); /* 64 MiB of RAM hold no block */
}

/* A word across the end of the page in front of a lent one, or across an end of 4 KiB inside it. */
static void cross(unsigned int page_shift, const char *strategy, bool at_the_end)
{
    static struct script script;
    struct sim_result result;
    const uint64_t lent = 20;

    begin(&script, page_shift);
    script_set(&script, "donate.batch=1");
    uint32_t word = script_site(&script, 3, false, true, true);

    script_donate(&script, first_of(&script, lent), TRACE_OWNER_GUEST, 0);
    script_access(&script, 0, word,
                  script_va(first_of(&script, lent) - (at_the_end ? 1 : 2), SCRIPT_PAGE - 5));
    script_run(&script, strategy, &result);
    assert_int_equal(result.stats.count[SIM_COUNT_donations], 1);
    assert_int_equal(result.stats.count[SIM_COUNT_donations_failed], 0);
    assert_int_equal(result.stats.count[SIM_COUNT_crossings], at_the_end);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], at_the_end);
    assert_int_equal(result.stats.count[SIM_COUNT_survived], at_the_end);
}

static void word_is_stray_at_the_end_of_a_page_and_nowhere_in_it(void **state)
{
    static const char *const strategies[] = {"reflect", "sea-fixup", "direct-map-unmap",
                                             "direct-map-batch", "secretmem"};

    (void)state;
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++) {
        for (unsigned int page_shift = 14; page_shift <= 16; page_shift += 2) {
            cross(page_shift, strategies[i], true);
            cross(page_shift, strategies[i], false);
        }
    }
}

static void split_of_a_block_writes_a_whole_table(void **state)
{
    static struct script script;
    struct sim_result result;

    (void)state;
    begin(&script, 14);
    script_set(&script, "s1.block=2m");
    script_set(&script, "s1.bbm=2");
    script_set(&script, "cost.clear_page=1000");
    script_set(&script, "cost.pte_write=1");
    script_set(&script, "cost.shootdown=0");
    script_set(&script, "cost.shootdown_cpu=0");
    script_donate(&script, first_of(&script, 20), TRACE_OWNER_GUEST, 0);
    script_run(&script, "secretmem", &result);
    assert_int_equal(result.stats.count[SIM_COUNT_direct_map_splits], 1);
    assert_int_equal(result.stats.cycles[SIM_CAUSE_split], 4 * 1000 + 2048);
}

static void x86_has_pages_of_4_kib_alone(void **state)
{
    static struct script script;
    struct sim_result result;
    struct sim_error error = {0};

    (void)state;
    script_init_x86(&script);
    script.header.page_shift = 14;
    assert_int_equal(script_try(&script, "none", &result, &error), SIM_BAD_INPUT);
    assert_non_null(strstr(error.text, "page shift 14"));
    begin(&script, 13);
    assert_int_equal(script_try(&script, "none", &result, &error), SIM_BAD_INPUT);
}

/* Everything that is counted as stale is a bug of the kernel model, the core or the model. */
static void busy(unsigned int page_shift, const char *strategy, const char *block)
{
    struct wl_options options = wl_defaults();
    struct trace_error trace_error = {""};
    struct sim_error error = {0};
    struct sim_config config;
    struct sim_result result;
    struct sim *sim;

    options.page_shift = page_shift;
    options.ram_bytes = UINT64_C(1) << 30;
    options.working_set = 1024;
    options.accesses = 100000;
    options.donate_every = 200;
    options.batch = 4;
    options.lifetime = 5000;
    options.crossings = 5000;
    struct trace_source *source = wl_open(&options, &trace_error);

    assert_non_null(source);
    sim_config_init(&config);
    assert_int_equal(sim_config_set(&config, "check.stale=all", &error), SIM_OK);
    assert_int_equal(sim_config_set(&config, "s1.bbm=2", &error), SIM_OK);
    assert_int_equal(sim_config_set(&config, block, &error), SIM_OK);
    if (sim_open(&sim, &config, sim_strategy_find(strategy), source->header(source), &error) ||
        sim_replay(sim, source, NULL, NULL, &error))
        fail_msg("%s: %s", strategy, error.text);
    sim_result(sim, &result);
    assert_int_equal(result.stats.count[SIM_COUNT_stale_uses], 0);
    assert_true(result.stats.count[SIM_COUNT_strays] > 0);
    assert_int_equal(result.stats.count[SIM_COUNT_strays], result.stats.count[SIM_COUNT_survived]);
    assert_int_equal(result.stats.count[SIM_COUNT_donations_failed], 0);
    sim_close(sim);
    source->close(source);
}

static void busy_kernels_meet_no_stale_translation(void **state)
{
    static const char *const blocks[] = {"s1.block=page", "s1.block=2m", "s1.contig=1"};
    static const char *const strategies[] = {"reflect", "direct-map-unmap", "direct-map-batch"};

    (void)state;
    for (unsigned int page_shift = 12; page_shift <= 16; page_shift += 2) {
        for (size_t i = 0; i < 9; i++)
            busy(page_shift, strategies[i % 3], blocks[i / 3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_access_reads_one_descriptor_a_level),
        cmocka_unit_test(word_is_stray_at_the_end_of_a_page_and_nowhere_in_it),
        cmocka_unit_test(split_of_a_block_writes_a_whole_table),
        cmocka_unit_test(x86_has_pages_of_4_kib_alone),
        cmocka_unit_test(busy_kernels_meet_no_stale_translation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
