/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model against measured hardware, at footprints that a sanitized build can afford, and the
 * scores themselves against curves whose errors are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/validate.h"

#define KNEES  SOURCE_DIR "/bench/hardware/zen4_knees.csv"
#define HEADER "series,page_kib,spacing_b,slots,footprint_kib,...\n"

static struct sim_config zen4(void)
{
    struct sim_config config;
    struct sim_error error;

    sim_config_init(&config);
    assert_int_equal(sim_validate_machine(&config, "zen4", &error), SIM_OK);
    return config;
}

/* Loads measurements from text. */
static enum sim_status load(struct sim_validation *v, const char *text, uint64_t slots_max,
                            struct sim_error *error)
{
    char path[] = "/tmp/faultline-validate-XXXXXX";
    const char *paths[] = {path};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    enum sim_status status = sim_validate_load(v, paths, 1, slots_max, error);

    unlink(path);
    return status;
}

static const struct sim_validate_check *check_of(const struct sim_validation *v, const char *name)
{
    static struct sim_validate_check found;
    struct sim_validate_check checks[SIM_VALIDATE_CHECKS_MAX];
    size_t count = sim_validate_checks(v, checks);

    for (size_t i = 0; i < count; i++)
        if (!strcmp(checks[i].name, name)) {
            found = checks[i];
            return &found;
        }
    return NULL;
}

static void rows_become_points_in_hundredths(void **state)
{
    struct sim_validation v;
    struct sim_error error;

    (void)state;
    assert_int_equal(load(&v,
                          HEADER "p2m_4k,2048,4096,4,16,1,1,1,1,1,4.02,5,6.5,3,1,1,1\n"
                                 "p2m_4k,2048,4096,9,16,1,1,1,1,1,11,5,12.25,3,1,1,1\n"
                                 "p4k_contig,4,4096,7,16,1,1,1,1,1,22.14,5,30.00,3,1,1,1\n",
                          8, &error),
                     SIM_OK);
    assert_int_equal(v.count, 2);
    assert_string_equal(v.curves[0].series, "p2m_4k");
    assert_int_equal(v.curves[0].count, 1); /* 9 slots are more than asked for */
    assert_int_equal(v.curves[0].slots_max, 9);
    assert_int_equal(v.curves[0].points[0].slots, 4);
    assert_int_equal(v.curves[0].points[0].measured, 402);
    assert_int_equal(v.curves[0].points[0].p90, 650);
    assert_string_equal(v.curves[1].series, "p4k_contig");
    assert_int_equal(v.curves[1].points[0].measured, 2214);
    sim_validate_free(&v);
    assert_null(v.curves);
}

static void bad_measurements_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"slots,series\n", ":1: this is no latency measurement"},
        {HEADER, ":1: no measurements"},
        {HEADER "p2m_4k,2048,4096,4\n", ":2: expected 17 columns"},
        {HEADER "p3m_4k,2048,4096,4,16,1,1,1,1,1,4,5,6,3,1,1,1\n", ":2: unknown series"},
        {HEADER "p2m_4k,4,4096,4,16,1,1,1,1,1,4,5,6,3,1,1,1\n", ":2: page_kib or spacing_b"},
        {HEADER "p2m_4k,2048,64,4,16,1,1,1,1,1,4,5,6,3,1,1,1\n", ":2: page_kib or spacing_b"},
        {HEADER "p2m_4k,2048,4096,0,16,1,1,1,1,1,4,5,6,3,1,1,1\n", ":2: slots: expected"},
        {HEADER "p2m_4k,2048,4096,16777217,16,1,1,1,1,1,4,5,6,3,1,1,1\n", ":2: slots: expected"},
        {HEADER "p2m_4k,2048,4096,4,16,1,1,1,1,1,0.00,5,6,3,1,1,1\n", ":2: cycles: expected"},
        {HEADER "p2m_4k,2048,4096,4,16,1,1,1,1,1,4.023,5,6,3,1,1,1\n", ":2: cycles: expected"},
        {HEADER "p2m_4k,2048,4096,4,16,1,1,1,1,1,4,5,6,3,1,1,1\n"
                "p2m_4k,2048,4096,4,16,1,1,1,1,1,4,5,6,3,1,1,1\n",
         ":3: slots must ascend"},
    };
    struct sim_validation v;
    struct sim_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(load(&v, cases[i].text, 0, &error), SIM_BAD_INPUT);
        assert_non_null(strstr(error.text, cases[i].says));
        assert_null(v.curves);
        assert_int_equal(v.count, 0);
    }
}

static void only_the_measured_machine_can_be_validated(void **state)
{
    struct sim_config config, before;
    struct sim_error error;

    (void)state;
    sim_config_init(&config);
    before = config;
    assert_int_equal(sim_validate_machine(&config, "skylake-sp", &error), SIM_USAGE);
    assert_memory_equal(&config, &before, sizeof(config));
}

static void errors_are_averaged_by_region(void **state)
{
    struct sim_validate_point points[] = {
        {.slots = 4, .measured = 400, .model = 440},       /* 10 % */
        {.slots = 2048, .measured = 400, .model = 320},    /* 20 % */
        {.slots = 2049, .measured = 1000, .model = 1003},  /* 0.3 % */
        {.slots = 40000, .measured = 1000, .model = 1001}, /* 0.1 % */
        {.slots = 40001, .measured = 1000, .model = 1500}, /* 50 % */
    };
    struct sim_validate_curve curve = {.series = "p2m_4k", .points = points, .count = 5};
    struct sim_validate_score score;

    (void)state;
    sim_validate_score(&curve, &score);
    assert_int_equal(score.error[0], 150);
    assert_int_equal(score.error[1], 2);
    assert_int_equal(score.error[2], 500);
    assert_int_equal(score.error[3], 160); /* (100 + 200 + 3 + 1 + 500) / 5 */
    assert_int_equal(score.points[0], 2);
    assert_int_equal(score.points[1], 2);
    assert_int_equal(score.points[2], 1);
    assert_int_equal(score.points[3], 5);
}

static void a_page_size_out_of_order_is_found(void **state)
{
    struct sim_validate_point points[4] = {
        {.slots = 8192, .measured = 100, .model = 100, .loads = 1},
        {.slots = 8192, .measured = 100, .model = 102, .loads = 1},
        {.slots = 8192, .measured = 100, .model = 110, .loads = 1},
        {.slots = 8192, .measured = 100, .model = 120, .loads = 1},
    };
    struct sim_validate_curve curves[] = {
        {.series = "p2m_4k", .points = &points[0], .count = 1},
        {.series = "p1g_4k", .points = &points[1], .count = 1},
        {.series = "p4k_contig", .points = &points[2], .count = 1},
        {.series = "p4k_scatter", .points = &points[3], .count = 1},
    };
    struct sim_validation v = {.curves = curves, .count = 4};
    static const char *const name = "1G = 2M < 4K contiguous < scattered";

    (void)state;
    assert_true(check_of(&v, name)->pass);
    points[3].model = 110;
    assert_false(check_of(&v, name)->pass);
    points[3].model = 120;
    points[2].model = 101;
    assert_false(check_of(&v, name)->pass);
    points[2].model = 110;
    points[1].model = 104;
    assert_false(check_of(&v, name)->pass);
}

/* Runs every fourth measured point of the series that begin with `series`. */
static struct sim_validation run_knees(const struct sim_config *config, const char *series,
                                       uint64_t slots_max)
{
    FILE *in = fopen(KNEES, "r");
    char line[512], *text = NULL;
    size_t size = 0;
    struct sim_validation v;
    struct sim_error error;

    assert_non_null(in);
    FILE *thin = open_memstream(&text, &size);

    for (unsigned int row = 0; fgets(line, sizeof(line), in); row++)
        if (row == 0 || (row % 4 == 0 && !strncmp(line, series, strlen(series))))
            fputs(line, thin);
    fclose(in);
    fclose(thin);
    assert_int_equal(load(&v, text, slots_max, &error), SIM_OK);
    free(text);
    assert_int_equal(sim_validate_run(&v, config, 2, &error), SIM_OK);
    return v;
}

static void the_measured_knees_are_met(void **state)
{
    struct sim_config config = zen4();
    struct sim_validation v = run_knees(&config, "p", 5200);
    struct sim_validate_check checks[SIM_VALIDATE_CHECKS_MAX];
    size_t count = sim_validate_checks(&v, checks);

    (void)state;
    for (size_t i = 0; i < count; i++)
        if (!checks[i].pass)
            fail_msg("%s: %s, expected %s", checks[i].name, checks[i].value, checks[i].limit);
    assert_int_equal(count, 7);
    assert_int_equal(v.knee[0].slots, 72);
    assert_int_equal(v.knee[0].l1_misses, 0);
    assert_int_equal(v.knee[1].l1_misses, v.knee[1].loads);
    sim_validate_free(&v);
}

static void results_do_not_depend_on_the_number_of_threads(void **state)
{
    const char *paths[] = {KNEES};
    struct sim_config config = zen4();
    struct sim_validation v[2];
    struct sim_error error;

    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        assert_int_equal(sim_validate_load(&v[i], paths, 1, 40, &error), SIM_OK);
        assert_int_equal(sim_validate_run(&v[i], &config, 1 + 2 * i, &error), SIM_OK);
    }
    assert_int_equal(v[0].count, 2);
    for (size_t i = 0; i < v[0].count; i++)
        assert_memory_equal(v[0].curves[i].points, v[1].curves[i].points,
                            v[0].curves[i].count * sizeof(v[0].curves[i].points[0]));
    sim_validate_free(&v[0]);
    sim_validate_free(&v[1]);
}

/* A seeded fault for each kind of check. */
static void a_wrong_machine_is_found(void **state)
{
    static const struct {
        const char *knob, *check;
    } cases[] = {
        {"tlb.l1d_entries=64", "L1 data TLB knee"},
        {"tlb.l2_cycles=12", "error to 2048 slots"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_config config = zen4();
        struct sim_error error;

        assert_int_equal(sim_config_set(&config, cases[i].knob, &error), SIM_OK);
        struct sim_validation v = run_knees(&config, "p4k", 200);

        assert_false(check_of(&v, cases[i].check)->pass);
        sim_validate_free(&v);
    }
}

static void the_wrong_replacement_is_found(void **state)
{
    struct sim_config config = zen4();
    struct sim_error error;

    (void)state;
    assert_int_equal(sim_config_set(&config, "tlb.repl=lru", &error), SIM_OK);
    struct sim_validation v = run_knees(&config, "p2m_4k", 5200);

    assert_false(check_of(&v, "L2 TLB miss ratio, mean")->pass);
    sim_validate_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_points_in_hundredths),
        cmocka_unit_test(bad_measurements_are_refused_with_their_place),
        cmocka_unit_test(only_the_measured_machine_can_be_validated),
        cmocka_unit_test(errors_are_averaged_by_region),
        cmocka_unit_test(a_page_size_out_of_order_is_found),
        cmocka_unit_test(the_measured_knees_are_met),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(a_wrong_machine_is_found),
        cmocka_unit_test(the_wrong_replacement_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
