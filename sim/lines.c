/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines over a parameter, by gnuplot: the script is plots/lines.gp, which the build embeds. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/gnuplot.h"
#include "sim/store.h"

extern const char sim_plot_lines_script[]; /* made from plots/lines.gp by the build */

static bool is_number(const char *text, int64_t *value)
{
    char *end;

    *value = strtoll(text, &end, 10);
    return end != text && !*end;
}

/* Where a text stands among those of its column: numbers by value, choices and strategies by their
 * tables, everything else in one place, to be ordered by its letters. */
static int64_t rank_of(const char *column, const char *text)
{
    int64_t value;

    if (is_number(text, &value))
        return value;
    for (size_t i = 0; !strcmp(column, "strategy") && sim_strategy_at(i); i++)
        if (!strcmp(text, sim_strategy_name(sim_strategy_at(i))))
            return (int64_t)i;
    for (size_t k = 0; k < SIM_KNOB_COUNT; k++) {
        struct sim_config config;
        char assignment[200];
        struct sim_error error;

        if (strcmp(sim_knobs[k].key, column) || !sim_knobs[k].choices)
            continue;
        sim_config_init(&config);
        snprintf(assignment, sizeof(assignment), "%s=%s", column, text);
        if (sim_config_set(&config, assignment, &error) == SIM_OK)
            return (int64_t)config.value[k];
    }
    return 0;
}

struct ranked {
    struct sim_point point;
    int64_t line, x;
};

static int compare_points(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    int by_line = strcmp(a->point.line, b->point.line);

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (by_line)
        return by_line;
    if (a->x != b->x)
        return a->x < b->x ? -1 : 1;
    return strcmp(a->point.x, b->point.x);
}

/* Places on the x axis: numbers stand for themselves, texts are counted in the order of ranks. */
struct axis {
    bool numbers, logarithmic;
    const char *label[SIM_PLOT_PLACES_MAX];
    int64_t rank[SIM_PLOT_PLACES_MAX];
    size_t count;
};

static enum sim_status find_places(struct axis *axis, const struct ranked *points, size_t count,
                                   struct sim_error *error)
{
    int64_t value;

    *axis = (struct axis){.numbers = true};
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;

        axis->numbers &= is_number(points[i].point.x, &value);
        while (at < axis->count &&
               (points[i].x > axis->rank[at] ||
                (points[i].x == axis->rank[at] && strcmp(points[i].point.x, axis->label[at]) > 0)))
            at++;
        if (at < axis->count && !strcmp(points[i].point.x, axis->label[at]))
            continue;
        if (axis->count == SIM_PLOT_PLACES_MAX)
            return sim_fail(error, SIM_USAGE, "more than %d values on the x axis",
                            SIM_PLOT_PLACES_MAX);
        memmove(&axis->label[at + 1], &axis->label[at],
                (axis->count - at) * sizeof(axis->label[0]));
        memmove(&axis->rank[at + 1], &axis->rank[at], (axis->count - at) * sizeof(axis->rank[0]));
        axis->label[at] = points[i].point.x;
        axis->rank[at] = points[i].x;
        axis->count++;
    }
    axis->logarithmic = axis->numbers && axis->count > 2 && axis->rank[0] > 0 &&
                        axis->rank[axis->count - 1] / axis->rank[0] >= 16;
    return SIM_OK;
}

/* A text for gnuplot, in quotes. */
static void put_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++)
        fputc(*text == '"' || *text == '\\' || iscntrl((unsigned char)*text) ? '_' : *text, out);
    fputc('"', out);
}

static void put_lines(FILE *out, const struct axis *axis, const struct ranked *points, size_t count,
                      bool millions)
{
    size_t lines = 0;

    for (size_t i = 0; i < count; i++) {
        size_t place = 0;

        if (i == 0 || strcmp(points[i].point.line, points[i - 1].point.line)) {
            fprintf(out, "%s$line%zu << EOD\nx ", i ? "EOD\n" : "", lines++);
            put_text(out, points[i].point.line);
            fputc('\n', out);
        }
        while (strcmp(axis->label[place], points[i].point.x))
            place++;
        fprintf(out, "%" PRId64, axis->numbers ? axis->rank[place] : (int64_t)place);
        if (millions)
            sim_gnuplot_thousandths(out, points[i].point.y / 1000);
        else
            fprintf(out, " %" PRId64, points[i].point.y);
        fputc('\n', out);
    }
    fprintf(out, "EOD\nlines = %zu\n", lines);
}

static void put_tics(FILE *out, const struct axis *axis, bool all_zero)
{
    fprintf(out, "logarithmic = %d\nall_zero = %d\n", axis->logarithmic, all_zero);
    if (axis->numbers)
        return;
    fprintf(out, "set xtics (");
    for (size_t i = 0; i < axis->count; i++) {
        fputs(i ? ", " : "", out);
        put_text(out, axis->label[i]);
        fprintf(out, " %zu", i);
    }
    fprintf(out, ")\n");
}

static void put_labels(FILE *out, const struct sim_lines *lines, bool millions)
{
    char text[256];

    fprintf(out, "title_text = ");
    put_text(out, lines->title);
    fprintf(out, "\nx_text = ");
    put_text(out, lines->x);
    snprintf(text, sizeof(text), "%s%s%s%s", lines->y, lines->over ? " over " : "",
             lines->over ? lines->over : "", millions ? " (millions)" : "");
    fprintf(out, "\ny_text = ");
    put_text(out, text);
    fputc('\n', out);
}

enum sim_status sim_plot_lines(const struct sim_lines *lines, const char *path,
                               struct sim_error *error)
{
    struct ranked *points = calloc(lines->count ? lines->count : 1, sizeof(*points));
    struct sim_gnuplot plot;
    struct axis axis;
    bool millions = false, all_zero = true;
    enum sim_status status;

    if (!points)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    for (size_t i = 0; i < lines->count; i++) {
        points[i] = (struct ranked){lines->points[i], rank_of(lines->line, lines->points[i].line),
                                    rank_of(lines->x, lines->points[i].x)};
        all_zero &= lines->points[i].y == 0;
        millions |= lines->points[i].y >= 1000000 || lines->points[i].y <= -1000000;
    }
    qsort(points, lines->count, sizeof(*points), compare_points);
    status = find_places(&axis, points, lines->count, error);
    if (status == SIM_OK)
        status = sim_gnuplot_open(&plot, path, 1000, 600, 11, error);
    if (status == SIM_OK) {
        put_labels(plot.out, lines, millions);
        put_tics(plot.out, &axis, all_zero);
        put_lines(plot.out, &axis, points, lines->count, millions);
        status = sim_gnuplot_finish(&plot, sim_plot_lines_script, error);
    }
    free(points);
    return status;
}
