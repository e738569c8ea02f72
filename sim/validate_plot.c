/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plot of a validation, by gnuplot: the script is plots/validate.gp, which the build embeds. */
#include "sim/validate.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

extern const char sim_plot_validate_script[]; /* made from plots/validate.gp by the build */

static const char *terminal_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    if (dot && !strcmp(dot, ".png"))
        return "pngcairo size 1500,1200 font 'sans,10'";
    if (dot && !strcmp(dot, ".svg"))
        return "svg size 1500,1200 font 'sans,10'";
    if (dot && !strcmp(dot, ".pdf"))
        return "pdfcairo size 15in,12in font 'sans,10'";
    return NULL;
}

static void put_cycles(FILE *out, uint64_t hundredths)
{
    fprintf(out, " %" PRIu64 ".%02" PRIu64, hundredths / 100, hundredths % 100);
}

static void put_curve(FILE *out, const struct sim_validate_curve *curve, size_t index)
{
    fprintf(out, "$curve%zu << EOD\n", index);
    for (size_t i = 0; i < curve->count; i++) {
        fprintf(out, "%" PRIu64, curve->points[i].slots);
        put_cycles(out, curve->points[i].measured);
        put_cycles(out, curve->points[i].p90);
        put_cycles(out, curve->points[i].model);
        fputc('\n', out);
    }
    fprintf(out, "EOD\n");
}

enum sim_status sim_validate_plot(const struct sim_validation *validation, const char *path,
                                  struct sim_error *error)
{
    const char *terminal = terminal_of(path);

    if (!terminal)
        return sim_fail(error, SIM_USAGE, "%s: expected a name ending in .png, .svg or .pdf", path);
    if (strpbrk(path, "'\n"))
        return sim_fail(error, SIM_USAGE, "%s: quotes and line ends cannot be plotted", path);
    FILE *out = popen("gnuplot", "w");

    if (!out)
        return sim_fail(error, SIM_INTERNAL, "gnuplot cannot be started");
    fprintf(out,
            "set terminal %s\nset output '%s'\ntitle_text = \"model against hardware\"\n"
            "series = %zu\nrows = %zu\nnames = \"",
            terminal, path, validation->count, (validation->count + 2) / 3);
    for (size_t i = 0; i < validation->count; i++)
        fprintf(out, "%s ", validation->curves[i].series);
    fprintf(out, "\"\n");
    for (size_t i = 0; i < validation->count; i++)
        put_curve(out, &validation->curves[i], i);
    fputs(sim_plot_validate_script, out);
    if (pclose(out) || access(path, R_OK))
        return sim_fail(error, SIM_INTERNAL, "%s: gnuplot failed (is gnuplot installed?)", path);
    return SIM_OK;
}
