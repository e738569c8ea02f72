/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measurements from CSV files, and their patterns on the model, several curves at a time. */
#include "sim/validate_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 17, LINE_MAX_BYTES = 1024, JOBS_MAX = 64, SLOTS_LIMIT = 1 << 24 };
/* Of the columns that are used. */
enum { SERIES = 0, PAGE_KIB = 1, SPACING = 2, SLOTS = 3, MIN_CYCLES = 10, P90_CYCLES = 12 };

enum sim_status sim_validate_machine(struct sim_config *config, const char *machine,
                                     struct sim_error *error)
{
    static const char *const zen4[] = {"cpu.preset=zen4", "tlb.repl=nru"};

    if (strcmp(machine, "zen4"))
        return sim_fail(error, SIM_USAGE, "no measurements of a machine '%s': expected zen4",
                        machine);
    for (size_t i = 0; i < sizeof(zen4) / sizeof(zen4[0]); i++) {
        enum sim_status status = sim_config_set(config, zen4[i], error);
        if (status != SIM_OK)
            return status;
    }
    return SIM_OK;
}

/* ---- reading ---- */

static bool whole(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* "12.34" to 1234; at most two digits after the point. */
static bool hundredths(const char *text, uint64_t *value)
{
    char digits[32];
    size_t length = strcspn(text, "."), fraction = text[length] ? strlen(text + length + 1) : 0;

    if (length == 0 || fraction > 2 || length > 12)
        return false;
    snprintf(digits, sizeof(digits), "%.*s%.*s%.*s", (int)length, text, (int)fraction,
             fraction ? text + length + 1 : "", (int)(2 - fraction), "00");
    return whole(digits, value);
}

/* The curve of this file and series, at the end of the list or made there; NULL without memory. */
static struct sim_validate_curve *curve_of(struct sim_validation *v, unsigned int file,
                                           const char *series)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->curves[i].file == file && !strcmp(v->curves[i].series, series))
            return &v->curves[i];
    struct sim_validate_curve *curves = realloc(v->curves, (v->count + 1) * sizeof(*curves));

    if (!curves)
        return NULL;
    v->curves = curves;
    curves[v->count] = (struct sim_validate_curve){.file = file};
    snprintf(curves[v->count].series, sizeof(curves[0].series), "%s", series);
    return &curves[v->count++];
}

static bool add_point(struct sim_validate_curve *curve, const struct sim_validate_point *point)
{
    struct sim_validate_point *points =
        realloc(curve->points, (curve->count + 1) * sizeof(*points));

    if (!points)
        return false;
    curve->points = points;
    points[curve->count++] = *point;
    return true;
}

/* NULL, or what is wrong with the row. */
static const char *read_row(struct sim_validation *v, unsigned int file, char *line,
                            uint64_t slots_max)
{
    char *column[COLUMNS];
    struct sim_validate_point point = {0};
    uint64_t page_kib, spacing;

    for (size_t i = 0; i < COLUMNS; i++)
        if (!(column[i] = strsep(&line, ",")))
            return "expected 17 columns";
    const struct sim_series *series = sim_series_find(column[SERIES]);

    if (!series)
        return "unknown series";
    if (!whole(column[PAGE_KIB], &page_kib) || !whole(column[SPACING], &spacing) ||
        !sim_series_fits(series, page_kib, spacing))
        return "page_kib or spacing_b is not that of the series";
    if (!whole(column[SLOTS], &point.slots) || point.slots < 1 || point.slots > SLOTS_LIMIT)
        return "slots: expected 1 to 16777216";
    if (!hundredths(column[MIN_CYCLES], &point.measured) || point.measured == 0 ||
        !hundredths(column[P90_CYCLES], &point.p90))
        return "cycles: expected a positive number with two decimals";
    struct sim_validate_curve *curve = curve_of(v, file, column[SERIES]);

    if (!curve)
        return "out of memory";
    if (point.slots <= curve->slots_max)
        return "slots must ascend within a series";
    curve->page_kib = page_kib;
    curve->spacing = spacing;
    curve->slots_max = point.slots;
    if (slots_max && point.slots > slots_max)
        return NULL;
    return add_point(curve, &point) ? NULL : "out of memory";
}

static enum sim_status read_file(struct sim_validation *v, const char *path, unsigned int file,
                                 uint64_t slots_max, struct sim_error *error)
{
    FILE *in = fopen(path, "r");
    char line[LINE_MAX_BYTES];
    const char *wrong = NULL;
    unsigned int row = 0;

    if (!in)
        return sim_fail(error, SIM_BAD_INPUT, "%s: %s", path, strerror(errno));
    while (!wrong && fgets(line, sizeof(line), in)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (++row == 1)
            wrong = strncmp(line, "series,page_kib,spacing_b,slots,", 32)
                        ? "this is no latency measurement: expected series,page_kib,..."
                        : NULL;
        else
            wrong = read_row(v, file, line, slots_max);
    }
    if (!wrong && ferror(in))
        wrong = strerror(errno);
    fclose(in);
    if (!wrong && row < 2)
        wrong = "no measurements";
    return wrong ? sim_fail(error, SIM_BAD_INPUT, "%s:%u: %s", path, row, wrong) : SIM_OK;
}

enum sim_status sim_validate_load(struct sim_validation *out, const char *const *paths,
                                  size_t count, uint64_t slots_max, struct sim_error *error)
{
    *out = (struct sim_validation){0};
    for (unsigned int i = 0; i < count; i++) {
        enum sim_status status = read_file(out, paths[i], i, slots_max, error);
        if (status != SIM_OK) {
            sim_validate_free(out);
            return status;
        }
    }
    return SIM_OK;
}

void sim_validate_free(struct sim_validation *validation)
{
    for (size_t i = 0; i < validation->count; i++)
        free(validation->curves[i].points);
    free(validation->curves);
    *validation = (struct sim_validation){0};
}

/* ---- running ---- */

/* Curves are handed out one by one; the one after the last is the pair of points at the knee of the
 * L1 TLB. */
struct work {
    struct sim_validation *validation;
    const struct sim_config *config;
    pthread_mutex_t lock;
    size_t next;
    bool failed;
};

static bool run_points(const struct sim_config *config, const char *series, uint64_t slots_max,
                       struct sim_validate_point *points, size_t count)
{
    struct sim_validate_vm *vm = sim_validate_vm_create(config, sim_series_find(series), slots_max);

    if (!vm)
        return false;
    for (size_t i = 0; i < count; i++)
        sim_validate_vm_run(vm, &points[i]);
    sim_validate_vm_destroy(vm);
    return true;
}

static void *worker(void *arg)
{
    struct work *work = arg;
    struct sim_validation *v = work->validation;

    for (;;) {
        pthread_mutex_lock(&work->lock);
        size_t mine = work->next++;
        pthread_mutex_unlock(&work->lock);
        if (mine > v->count)
            return NULL;
        bool done =
            mine == v->count
                ? run_points(work->config, "p4k_scatter", v->knee[1].slots, v->knee, 2)
                : run_points(work->config, v->curves[mine].series, v->curves[mine].slots_max,
                             v->curves[mine].points, v->curves[mine].count);
        pthread_mutex_lock(&work->lock);
        work->failed |= !done;
        pthread_mutex_unlock(&work->lock);
    }
}

enum sim_status sim_validate_run(struct sim_validation *validation, const struct sim_config *config,
                                 unsigned int jobs, struct sim_error *error)
{
    struct sim_config resolved = *config;
    struct work work = {.validation = validation, .config = &resolved};
    pthread_t threads[JOBS_MAX];
    unsigned int started = 0;

    sim_config_resolve(&resolved);
    uint64_t l1 = SIM_GET(&resolved, tlb, l1d_entries);

    if (l1 == 0)
        return sim_fail(error, SIM_USAGE, "tlb.l1d_entries: nothing to validate without a TLB");
    validation->knee[0] = (struct sim_validate_point){.slots = l1};
    validation->knee[1] = (struct sim_validate_point){.slots = l1 + 1};
    pthread_mutex_init(&work.lock, NULL);
    while (started + 1 < jobs && started < JOBS_MAX &&
           pthread_create(&threads[started], NULL, worker, &work) == 0)
        started++;
    worker(&work);
    for (unsigned int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&work.lock);
    if (work.failed)
        return sim_fail(error, SIM_INTERNAL, "out of memory, or an impossible TLB geometry");
    return SIM_OK;
}
