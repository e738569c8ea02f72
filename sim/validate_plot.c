/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plot of a validation, by gnuplot: the script is plots/validate.gp, which the build embeds. */
#include "sim/validate.h"

#include <inttypes.h>

#include "sim/gnuplot.h"

extern const char sim_plot_validate_script[]; /* made from plots/validate.gp by the build */

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
    struct sim_gnuplot plot;
    enum sim_status status = sim_gnuplot_open(&plot, path, 1500, 1200, 10, error);

    if (status != SIM_OK)
        return status;
    fprintf(plot.out,
            "title_text = \"model against hardware\"\nseries = %zu\nrows = %zu\nnames = \"",
            validation->count, (validation->count + 2) / 3);
    for (size_t i = 0; i < validation->count; i++)
        fprintf(plot.out, "%s ", validation->curves[i].series);
    fprintf(plot.out, "\"\n");
    for (size_t i = 0; i < validation->count; i++)
        put_curve(plot.out, &validation->curves[i], i);
    return sim_gnuplot_finish(&plot, sim_plot_validate_script, error);
}
