/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of results: rows come back as they went in, once each, and foreign files are refused. */
#include "sim/store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/support/script.h"
#include "tests/support/cmocka_all.h"

static const struct sim_subject subject = {"one.fltrace", 0xfedcba9876543210, "1.2.3"};

static struct sim_run run_of(const char *strategy, const char *setting)
{
    struct sim_run run = {.strategy = sim_strategy_find(strategy)};
    struct sim_error error;

    sim_config_init(&run.config);
    if (setting)
        assert_int_equal(sim_config_set(&run.config, setting, &error), SIM_OK);
    return run;
}

/* A result that a run could have had; `cycles` of one cause. */
static struct sim_result result_of(const struct sim_run *run, uint64_t cycles)
{
    struct sim_result result = {.strategy = run->strategy, .config = run->config, .records = 5};

    result.stats.cycles[SIM_CAUSE_walk] = cycles;
    result.stats.count[SIM_COUNT_strays] = UINT64_C(1) << 60;
    return result;
}

static struct sim_store *open_memory(void)
{
    struct sim_store *store;
    struct sim_error error = {0};

    if (sim_store_open(&store, NULL, true, &error) != SIM_OK)
        fail_msg("%s", error.text);
    return store;
}

static void put(struct sim_store *store, const char *strategy, const char *setting, uint64_t cycles)
{
    const struct sim_run run = run_of(strategy, setting);
    const struct sim_result result = result_of(&run, cycles);
    struct sim_error error = {0};

    if (sim_store_put(store, &subject, &run, &result, &error) != SIM_OK)
        fail_msg("%s", error.text);
}

/* Columns one after the other, as text. */
struct listing {
    char text[32768];
    size_t used;
};

static void list(void *arg, const char *name, const char *text, uint64_t value)
{
    struct listing *l = arg;
    char number[32];

    snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
    l->used += (size_t)snprintf(l->text + l->used, sizeof(l->text) - l->used, "%s=%s\n", name,
                                text ? text : number);
}

static void a_row_comes_back_as_it_was_put(void **state)
{
    static struct listing expected, got;
    struct sim_store *store = open_memory();
    const struct sim_run run = run_of("reflect", "cpu.count=16");
    const struct sim_result result = result_of(&run, 1234567);
    struct sim_error error;
    bool found;

    (void)state;
    put(store, "none", NULL, 1);
    put(store, "reflect", "cpu.count=16", 1234567);
    assert_int_equal(sim_store_get(store, &subject, &run, list, &got, &found, &error), SIM_OK);
    assert_true(found);
    list(&expected, "trace", "one.fltrace", 0);
    list(&expected, "digest", "fedcba9876543210", 0);
    list(&expected, "model", "1.2.3", 0);
    list(&expected, "settings", "cpu.count=16", 0);
    sim_out_columns(&result, list, &expected);
    assert_string_equal(got.text, expected.text);
    sim_store_close(store);
}

static void a_run_is_there_once_and_only_as_itself(void **state)
{
    struct sim_store *store = open_memory();
    const struct sim_run run = run_of("reflect", NULL), other = run_of("none", NULL),
                         set = run_of("reflect", "donate.batch=2");
    const struct sim_subject elsewhere = {"one.fltrace", 1, "1.2.3"},
                             later = {"one.fltrace", subject.digest, "1.2.4"},
                             renamed = {"two.fltrace", subject.digest, "1.2.3"};
    const struct {
        const struct sim_subject *subject;
        const struct sim_run *run;
        bool has;
    } cases[] = {{&subject, &run, true},  {&renamed, &run, true}, {&subject, &other, false},
                 {&subject, &set, false}, {&later, &run, false},  {&elsewhere, &run, false}};
    struct sim_point *points;
    struct sim_error error;
    size_t count;
    bool has;

    (void)state;
    put(store, "reflect", NULL, 1);
    put(store, "reflect", NULL, 2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sim_store_has(store, cases[i].subject, cases[i].run, &has, &error),
                         SIM_OK);
        assert_int_equal(has, cases[i].has);
    }
    assert_int_equal(sim_store_points(store, "strategy", "cpu.count", "cycles", NULL, 0, &points,
                                      &count, &error),
                     SIM_OK);
    assert_int_equal(count, 1);
    assert_int_equal(points[0].y, 2);
    free(points);
    sim_store_close(store);
}

static void points_are_ordered_by_line_and_number(void **state)
{
    struct sim_store *store = open_memory();
    struct sim_condition only;
    struct sim_point *points;
    struct sim_error error;
    size_t count;

    (void)state;
    put(store, "reflect", "cpu.count=16", 30);
    put(store, "reflect", "cpu.count=2", 20);
    put(store, "none", "cpu.count=16", 12);
    put(store, "none", "cpu.count=2", 11);
    assert_int_equal(sim_store_points(store, "strategy", "cpu.count", "cycles.walk", NULL, 0,
                                      &points, &count, &error),
                     SIM_OK);
    assert_int_equal(count, 4);
    assert_string_equal(points[0].line, "none");
    assert_string_equal(points[0].x, "2");
    assert_int_equal(points[1].y, 12);
    assert_int_equal(points[3].y, 30);
    assert_int_equal(sim_points_over(points, &count, "none", &error), SIM_OK);
    assert_int_equal(count, 2);
    assert_string_equal(points[0].line, "reflect");
    assert_int_equal(points[0].y, 9);
    assert_int_equal(points[1].y, 18);
    assert_int_equal(sim_points_over(points, &count, "sdei", &error), SIM_USAGE);
    free(points);
    assert_int_equal(sim_condition_parse(&only, "cpu.count=2", &error), SIM_OK);
    assert_int_equal(sim_store_points(store, "strategy", "cpu.count", "cycles", &only, 1, &points,
                                      &count, &error),
                     SIM_OK);
    assert_int_equal(count, 2);
    free(points);
    assert_int_equal(sim_condition_parse(&only, "cpu.count", &error), SIM_USAGE);
    sim_store_close(store);
}

static void expect_no_points(struct sim_store *store, const char *line, const char *x,
                             const char *y, const struct sim_condition *only, const char *message)
{
    struct sim_point *points;
    struct sim_error error;
    size_t count;

    assert_int_equal(
        sim_store_points(store, line, x, y, only, only != NULL, &points, &count, &error),
        SIM_USAGE);
    assert_null(points);
    if (!strstr(error.text, message))
        fail_msg("'%s' is not in '%s'", message, error.text);
}

static void what_cannot_be_plotted_is_refused_with_the_reason(void **state)
{
    struct sim_store *store = open_memory();
    const struct sim_condition nobody = {"strategy", "secretmem"}, quote = {"strategy", "a'b\""};

    (void)state;
    put(store, "reflect", "s2.block=page", 1);
    put(store, "reflect", "s2.block=2m", 2);
    expect_no_points(store, "strategy", "cpu.count", "cycles", NULL, "they differ in s2.block:");
    expect_no_points(store, "strategy", "cpu.count\"; DROP TABLE runs", "cycles", NULL,
                     "no column");
    expect_no_points(store, "strategy", "s2.block", "cycle", NULL, "no column 'cycle'");
    expect_no_points(store, "strategy", "s2.block", "cpu.preset", NULL, "is no number");
    expect_no_points(store, "strategy", "s2.block", "cycles", &nobody, "no run meets");
    expect_no_points(store, "strategy", "s2.block", "cycles", &quote, "no run meets");
    sim_store_close(store);
}

/* ---- files ---- */

static char path[] = "/tmp/faultline-store-XXXXXX";

static void expect_bad_file(bool create, const char *message)
{
    struct sim_store *store;
    struct sim_error error;

    assert_int_equal(sim_store_open(&store, path, create, &error), SIM_BAD_INPUT);
    assert_null(store);
    if (!strstr(error.text, message) || !strstr(error.text, path))
        fail_msg("'%s' is not in '%s'", message, error.text);
}

static void by_sql(const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void files_that_are_no_results_are_left_alone(void **state)
{
    int fd = mkstemp(path);
    struct sim_store *store;
    struct sim_error error;

    (void)state;
    assert_true(fd >= 0);
    unlink(path);
    expect_bad_file(false, "unable to open");
    assert_int_equal(write(fd, "", 0), 0);
    close(fd);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("strategy\tcycles\nnone\t1\nnone\t1\nnone\t1\nnone\t1\n", file);
    fclose(file);
    expect_bad_file(true, "not a database");
    unlink(path);
    by_sql("CREATE TABLE runs (a); INSERT INTO runs VALUES (1)");
    expect_bad_file(true, "not one of faultline's results");
    expect_bad_file(false, "not one of faultline's results");
    unlink(path);
    assert_int_equal(sim_store_open(&store, path, true, &error), SIM_OK);
    put(store, "none", NULL, 1);
    sim_store_close(store);
    assert_int_equal(sim_store_open(&store, path, false, &error), SIM_OK);
    sim_store_close(store);
    by_sql("ALTER TABLE runs ADD COLUMN later");
    expect_bad_file(true, "columns that this one does not know");
    by_sql("ALTER TABLE runs DROP COLUMN later; ALTER TABLE runs RENAME COLUMN strays TO lost");
    expect_bad_file(true, "column strays expected");
    unlink(path);
}

static void a_file_that_cannot_be_written_says_so(void **state)
{
    const struct sim_run run = run_of("none", NULL);
    const struct sim_result result = result_of(&run, 1);
    struct sim_store *store;
    struct sim_error error;

    (void)state;
    assert_int_equal(sim_store_open(&store, path, true, &error), SIM_OK);
    sim_store_close(store);
    assert_int_equal(sim_store_open(&store, path, false, &error), SIM_OK);
    assert_int_equal(sim_store_put(store, &subject, &run, &result, &error), SIM_BAD_INPUT);
    assert_non_null(strstr(error.text, "readonly"));
    sim_store_close(store);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_comes_back_as_it_was_put),
        cmocka_unit_test(a_run_is_there_once_and_only_as_itself),
        cmocka_unit_test(points_are_ordered_by_line_and_number),
        cmocka_unit_test(what_cannot_be_plotted_is_refused_with_the_reason),
        cmocka_unit_test(files_that_are_no_results_are_left_alone),
        cmocka_unit_test(a_file_that_cannot_be_written_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
