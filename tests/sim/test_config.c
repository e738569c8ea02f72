/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Knobs: what is understood, and what every kind of mistake is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/config.h"

static void numbers_take_hexadecimal_and_suffixes(void **state)
{
    struct sim_config config;
    struct sim_error error;

    (void)state;
    sim_config_init(&config);
    assert_int_equal(sim_config_set(&config, "cache.l2_bytes=512K", &error), SIM_OK);
    assert_int_equal(SIM_GET(&config, cache, l2_bytes), 512 * 1024);
    assert_int_equal(sim_config_set(&config, "tlb.l1_shifts=0x201000", &error), SIM_OK);
    assert_int_equal(SIM_GET(&config, tlb, l1_shifts), 0x201000);
    assert_int_equal(sim_config_set(&config, "place.policy=clustered", &error), SIM_OK);
    assert_int_equal(SIM_GET(&config, place, policy), 2);
}

static void bad_assignments_are_named_and_change_nothing(void **state)
{
    static const struct {
        const char *assignment, *says;
    } cases[] = {
        {"cost.exit", "not of the form"},
        {"=5", "not of the form"},
        {"cost.exits=5", "unknown knob 'cost.exits'"},
        {"cost.exit=", "is not a number"},
        {"cost.exit=-1", "is not a number"},
        {"cost.exit=12cycles", "is not a number"},
        {"cost.exit=99999999999999999999", "is not a number"},
        {"cost.exit=17179869184G", "is not a number"},
        {"cost.exit=2000000", "out of range, expected 0 to 1000000"},
        {"cpu.preset=pentium", "is not one of auto|neoverse-n1|"},
        {"cpu.preset=neoverse", "is not one of"},
    };
    struct sim_config config, before;
    struct sim_error error;

    (void)state;
    sim_config_init(&config);
    before = config;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sim_config_set(&config, cases[i].assignment, &error), SIM_USAGE);
        assert_non_null(strstr(error.text, cases[i].says));
        assert_memory_equal(&config, &before, sizeof(config));
    }
}

/* Loads a configuration from text. */
static enum sim_status load(struct sim_config *config, const char *text, struct sim_error *error)
{
    char path[] = "/tmp/faultline-config-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    enum sim_status status = sim_config_load(config, path, error);

    unlink(path);
    return status;
}

static void file_takes_groups_and_dotted_keys(void **state)
{
    struct sim_config config;
    struct sim_error error;

    (void)state;
    sim_config_init(&config);
    assert_int_equal(load(&config, "cpu:\n  preset: cortex-a55\ntlb.l2_entries: 2K\n", &error),
                     SIM_OK);
    assert_int_equal(SIM_GET(&config, cpu, preset), 2);
    assert_int_equal(SIM_GET(&config, tlb, l2_entries), 2048);
}

static void bad_files_are_named_with_line_and_column_and_change_nothing(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"cpu:\n  preset: z80\n", ":2:11: cpu.preset: 'z80' is not one of"},
        {"cpu:\n  speed: 3\n", ":2:10: unknown knob 'cpu.speed'"},
        {"just words\n", ":1:1: expected a mapping"},
        {"- a\n- b\n", ":1:1: expected 'group:'"},
        {"cpu: [1, 2]\n", ":1:6: expected 'group:'"},
        {"cpu:\n  a:\n    b: 1\n", ":3:5: expected 'group:'"},
        {"cpu: {preset: cortex-a55\n", ":2:1: "},
        {"cost.exit: 5\ncost.walk: 9999999\n", ":2:12: cost.walk: 9999999 is out of range"},
        {"\xff\xfe\x01", ":1:1: "},
    };
    struct sim_config config, before;
    struct sim_error error;

    (void)state;
    sim_config_init(&config);
    before = config;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(load(&config, cases[i].text, &error), SIM_USAGE);
        if (!strstr(error.text, cases[i].says))
            fail_msg("case %zu says '%s'", i, error.text);
        assert_memory_equal(&config, &before, sizeof(config));
    }
    assert_int_equal(sim_config_load(&config, "/no/such/file", &error), SIM_USAGE);
    assert_non_null(strstr(error.text, "/no/such/file: "));
}

static void preset_fills_what_was_not_set_and_nothing_else(void **state)
{
    struct sim_config config;
    struct sim_error error;

    (void)state;
    sim_config_init(&config);
    assert_int_equal(sim_config_set(&config, "cpu.preset=cortex-a55", &error), SIM_OK);
    assert_int_equal(sim_config_set(&config, "cost.exit=7", &error), SIM_OK);
    sim_config_resolve(&config);
    assert_int_equal(SIM_GET(&config, tlb, l1d_entries), 16);
    assert_int_equal(SIM_GET(&config, cost, exit), 7);
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++)
        assert_true(config.value[i] != SIM_FROM_PRESET);
}

static void every_preset_figure_is_within_its_knobs_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++) {
        for (uint64_t preset = 0; preset < SIM_PRESETS; preset++) {
            uint64_t value;
            char evidence;
            bool has = sim_preset_value(preset, (enum sim_knob)i, &value, &evidence);

            assert_int_equal(has, sim_knobs[i].initial == SIM_FROM_PRESET);
            if (!has)
                continue;
            if (!sim_knobs[i].choices)
                assert_in_range(value, sim_knobs[i].min, sim_knobs[i].max);
            assert_non_null(strchr("SKMDA", evidence));
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_take_hexadecimal_and_suffixes),
        cmocka_unit_test(bad_assignments_are_named_and_change_nothing),
        cmocka_unit_test(file_takes_groups_and_dotted_keys),
        cmocka_unit_test(bad_files_are_named_with_line_and_column_and_change_nothing),
        cmocka_unit_test(preset_fills_what_was_not_set_and_nothing_else),
        cmocka_unit_test(every_preset_figure_is_within_its_knobs_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
