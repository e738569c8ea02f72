/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/gnuplot.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* What follows the last dot. */
static const char *form_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot ? dot + 1 : "";
}

enum sim_status sim_gnuplot_check(const char *path, struct sim_error *error)
{
    const char *form = form_of(path);

    if (strcmp(form, "png") && strcmp(form, "svg") && strcmp(form, "pdf"))
        return sim_fail(error, SIM_USAGE, "%s: expected a name ending in .png, .svg or .pdf", path);
    if (strpbrk(path, "'\n"))
        return sim_fail(error, SIM_USAGE, "%s: quotes and line ends cannot be plotted", path);
    return SIM_OK;
}

enum sim_status sim_gnuplot_open(struct sim_gnuplot *plot, const char *path, unsigned int width,
                                 unsigned int height, unsigned int font, struct sim_error *error)
{
    const char *form = form_of(path);
    enum sim_status status = sim_gnuplot_check(path, error);

    if (status != SIM_OK)
        return status;
    plot->path = path;
    plot->out = popen("gnuplot", "w");
    if (!plot->out)
        return sim_fail(error, SIM_INTERNAL, "gnuplot cannot be started");
    if (!strcmp(form, "pdf"))
        fprintf(plot->out, "set terminal pdfcairo size %u.%uin,%u.%uin", width / 100,
                width / 10 % 10, height / 100, height / 10 % 10);
    else
        fprintf(plot->out, "set terminal %s size %u,%u", strcmp(form, "svg") ? "pngcairo" : "svg",
                width, height);
    fprintf(plot->out, " font 'sans,%u'\nset output '%s'\n", font, path);
    return SIM_OK;
}

enum sim_status sim_gnuplot_finish(struct sim_gnuplot *plot, const char *script,
                                   struct sim_error *error)
{
    fputs(script, plot->out);
    if (pclose(plot->out) || access(plot->path, R_OK))
        return sim_fail(error, SIM_INTERNAL, "%s: gnuplot failed (is gnuplot installed?)",
                        plot->path);
    return SIM_OK;
}

void sim_gnuplot_thousandths(FILE *out, int64_t thousandths)
{
    const uint64_t size = thousandths < 0 ? 0 - (uint64_t)thousandths : (uint64_t)thousandths;

    fprintf(out, " %s%" PRIu64 ".%03" PRIu64, thousandths < 0 ? "-" : "", size / 1000, size % 1000);
}
