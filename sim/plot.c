/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plots, by gnuplot: the script is plots/compare.gp, which the build embeds. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/gnuplot.h"
#include "sim/out.h"

extern const char sim_plot_compare_script[]; /* made from plots/compare.gp by the build */

/* Colours that stay apart for colour-blind readers and in print (after Okabe and Ito). */
static const char *const colours[] = {
    "#56b4e9", "#0072b2", "#009e73", "#d55e00", "#e69f00", "#cc79a7",
    "#999999", "#f0e442", "#8c564b", "#7f3c8d", "#444444", "#bcbd22",
};

/* Cycles of a cause over the baseline; what a strategy saves is not stacked. */
static uint64_t over(const struct sim_result *result, const struct sim_result *base, size_t cause)
{
    uint64_t cycles = result->stats.cycles[cause];
    uint64_t without = base ? base->stats.cycles[cause] : 0;

    return cycles > without ? cycles - without : 0;
}

/* What bars are made of: causes that some bar has a piece of, or all when none has any. */
struct shown {
    bool cause[SIM_CAUSE_COUNT];
};

static struct shown shown_of(const struct sim_result *results, size_t count)
{
    const struct sim_result *base = sim_out_baseline(results, count);
    struct shown shown = {{false}};
    bool any = false;

    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < SIM_CAUSE_COUNT; c++)
            if (&results[i] != base && c != SIM_CAUSE_access && over(&results[i], base, c) > 0)
                any = shown.cause[c] = true;
    for (size_t c = 0; !any && c < SIM_CAUSE_COUNT; c++)
        shown.cause[c] = c != SIM_CAUSE_access;
    return shown;
}

static void put_millions(FILE *out, uint64_t cycles)
{
    sim_gnuplot_thousandths(out, (int64_t)(cycles / 1000));
}

/* What stands above the bars: of those that panic, or of all others. A point far outside
 * keeps the block from being empty, which gnuplot refuses. */
static void put_labels(FILE *out, const struct sim_result *results, size_t count, bool panics)
{
    const struct sim_result *base = sim_out_baseline(results, count);

    fprintf(out, "$%s << EOD\nx -99 0 \"\"\n", panics ? "panics" : "survives");
    for (size_t i = 0, column = 0; i < count; i++) {
        const bool panicked = results[i].stats.count[SIM_COUNT_panics] != 0;
        uint64_t height = 0;
        char verdict[40];

        if (&results[i] == base)
            continue;
        for (size_t c = 0; c < SIM_CAUSE_COUNT; c++)
            height += c == SIM_CAUSE_access ? 0 : over(&results[i], base, c);
        if (panics == panicked) {
            fprintf(out, "x %zu", column);
            put_millions(out, height);
            fprintf(out, " \"%s\"\n", sim_out_verdict(&results[i], verdict, sizeof(verdict)));
        }
        column++;
    }
    fprintf(out, "EOD\n");
}

static void put_data(FILE *out, const struct sim_result *results, size_t count,
                     const struct shown *shown)
{
    const struct sim_result *base = sim_out_baseline(results, count);

    fprintf(out, "$costs << EOD\nstrategy");
    for (size_t c = 0; c < SIM_CAUSE_COUNT; c++)
        if (shown->cause[c])
            fprintf(out, " \"%s\"", sim_causes[c].label);
    fprintf(out, "\n");
    for (size_t i = 0; i < count; i++) {
        if (&results[i] == base)
            continue;
        fprintf(out, "\"%s\"", sim_strategy_name(results[i].strategy));
        for (size_t c = 0; c < SIM_CAUSE_COUNT; c++)
            if (shown->cause[c])
                put_millions(out, over(&results[i], base, c));
        fprintf(out, "\n");
    }
    fprintf(out, "EOD\n");
    put_labels(out, results, count, true);
    put_labels(out, results, count, false);
}

enum sim_status sim_plot_compare(const struct sim_result *results, size_t count, const char *title,
                                 const char *path, struct sim_error *error)
{
    const struct shown shown = shown_of(results, count);
    const bool has_base = sim_out_baseline(results, count) != NULL;
    struct sim_gnuplot plot;

    if (strpbrk(title, "\"\\\n"))
        return sim_fail(error, SIM_USAGE, "%s: quotes and line ends cannot be plotted", title);
    if (count == has_base)
        return sim_fail(error, SIM_USAGE, "%s: nothing to draw: no strategy but the baseline",
                        path);
    enum sim_status status = sim_gnuplot_open(&plot, path, 1200, 720, 11, error);

    if (status != SIM_OK)
        return status;
    fprintf(plot.out, "title_text = \"%s: what each strategy adds\"\nbars = %zu\ncolours = \"",
            sim_base_name(title), count - has_base);
    for (size_t c = 0; c < SIM_CAUSE_COUNT; c++)
        if (shown.cause[c])
            fprintf(plot.out, "%s ", colours[(c - 1) % (sizeof(colours) / sizeof(colours[0]))]);
    fprintf(plot.out, "\"\n");
    put_data(plot.out, results, count, &shown);
    return sim_gnuplot_finish(&plot, sim_plot_compare_script, error);
}
