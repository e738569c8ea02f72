/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/report.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char style[] =
    "body{font:15px/1.5 sans-serif;max-width:76em;margin:2em auto;padding:0 1em;color:#222}\n"
    "h1{font-size:1.6em}h2{margin-top:2em;border-bottom:1px solid #ccc}\n"
    "table{border-collapse:collapse;margin:1em 0}\n"
    "th,td{padding:.15em .7em;text-align:right;border-bottom:1px solid #eee;white-space:nowrap}\n"
    "th{background:#f4f4f4}th:first-child,td:first-child{text-align:left}\n"
    ".wide{overflow-x:auto}img{max-width:100%}\n"
    ".panic{color:#b00020;font-weight:bold}.good{color:#2e7d32}\n"
    "pre{background:#f7f7f7;padding:.7em;overflow-x:auto}\n";

/* ---- texts ---- */

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* A cell with cycles over a base, in millions. */
static void put_millions(FILE *out, uint64_t cycles, uint64_t base)
{
    const uint64_t size = cycles < base ? base - cycles : cycles - base;
    const uint64_t hundredths = (size + 5000) / 10000;

    fprintf(out, "<td>%s%" PRIu64 ".%02" PRIu64 "</td>", cycles < base ? "&minus;" : "",
            hundredths / 100, hundredths % 100);
}

void sim_report_begin(FILE *out, const char *version)
{
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<title>faultline report</title>\n<style>\n%s</style></head><body>\n"
            "<h1>What it costs to take pages away from a host kernel</h1>\n"
            "<p>Recorded kernel traces, replayed by faultline %s through a model of the MMU and "
            "through "
            "the hypervisor core, under each strategy. Cycles are the model's.</p>\n",
            style, version);
}

void sim_report_end(FILE *out)
{
    fputs("</body></html>\n", out);
}

/* ---- one trace ---- */

static enum sim_status put_machine(FILE *out, const char *path, struct sim_error *error)
{
    struct trace_error trace_error;
    struct trace_source *source = trace_open(path, &trace_error);

    if (!source)
        return sim_fail(error, SIM_BAD_INPUT, "%s", trace_error.text);
    const struct trace_header *header = source->header(source);
    uint64_t bytes = 0;

    for (size_t i = 0; i < header->ram_count; i++)
        bytes += header->ram[i].end - header->ram[i].start;
    fprintf(out, "<p>%s, %u CPUs, %" PRIu64 " MiB of RAM, %" PRIu64 " records; ",
            header->arch == TRACE_ARCH_X86_64 ? "x86-64" : "arm64", header->cpus, bytes >> 20,
            trace_length(source));
    put_text(out, header->provenance ? header->provenance : "");
    fputs("</p>\n", out);
    if (header->facts && *header->facts) {
        fputs("<details><summary>The recorded machine</summary><pre>", out);
        put_text(out, header->facts);
        fputs("</pre></details>\n", out);
    }
    source->close(source);
    return SIM_OK;
}

static void put_check(FILE *out, const struct sim_result *check)
{
    const uint64_t *n = check->stats.count;
    const bool good = !check->missed && !check->spurious;

    fprintf(out,
            "<p>Held against the recording: <span class=\"%s\">recorded faults: %" PRIu64
            ", predicted: %" PRIu64 ", missed: %" PRIu64 ", spurious: %" PRIu64 "</span>.</p>\n",
            good ? "good" : "panic", n[SIM_COUNT_recorded_faults], n[SIM_COUNT_predicted],
            check->missed, check->spurious);
}

static void put_outcome(FILE *out, const struct sim_report_part *part)
{
    const struct sim_result *base = sim_out_baseline(part->results, part->count);

    fputs("<div class=\"wide\"><table><tr><th>strategy</th><th>million cycles</th><th>over "
          "none</th><th>strays</th><th>repaired</th><th>the kernel</th><th>stray p50</th><th>stray "
          "p99</th>"
          "<th>exits</th><th>flushes</th></tr>\n",
          out);
    for (size_t i = 0; i < part->count; i++) {
        const struct sim_result *r = &part->results[i];
        const uint64_t *n = r->stats.count;
        const uint64_t cycles = sim_stats_cycles(&r->stats);
        const uint64_t below = base ? sim_stats_cycles(&base->stats) : cycles;
        char verdict[40];

        fprintf(out, "<tr><td title=\"");
        put_text(out, sim_strategy_summary(r->strategy));
        fprintf(out, "\">%s</td>", sim_strategy_name(r->strategy));
        put_millions(out, cycles, 0);
        put_millions(out, cycles, below);
        fprintf(out, "<td>%" PRIu64 "</td><td>%" PRIu64 "</td>", n[SIM_COUNT_strays],
                n[SIM_COUNT_survived]);
        fprintf(out, "<td class=\"%s\">%s</td>", n[SIM_COUNT_panics] ? "panic" : "good",
                sim_out_verdict(r, verdict, sizeof(verdict)));
        fprintf(out,
                "<td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64
                "</td></tr>\n",
                sim_histogram_percentile(r->stats.stray_latency, 50),
                sim_histogram_percentile(r->stats.stray_latency, 99), n[SIM_COUNT_exits],
                n[SIM_COUNT_flushes]);
    }
    fputs("</table></div>\n", out);
}

static void put_causes(FILE *out, const struct sim_report_part *part)
{
    bool used[SIM_CAUSE_COUNT];

    sim_out_causes(part->results, part->count, used);
    fputs("<div class=\"wide\"><table><tr><th>million cycles by cause</th>", out);
    for (size_t c = 0; c < SIM_CAUSE_COUNT; c++) {
        if (used[c])
            fprintf(out, "<th title=\"%s\">%s</th>", sim_causes[c].help, sim_causes[c].label);
    }
    fputs("</tr>\n", out);
    for (size_t i = 0; i < part->count; i++) {
        fprintf(out, "<tr><td>%s</td>", sim_strategy_name(part->results[i].strategy));
        for (size_t c = 0; c < SIM_CAUSE_COUNT; c++)
            if (used[c])
                put_millions(out, part->results[i].stats.cycles[c], 0);
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

static void put_settings(FILE *out, const struct sim_config *config)
{
    fputs("<details><summary>All settings</summary><pre>", out);
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++) {
        char text[64];

        sim_config_format(config, (enum sim_knob)i, text, sizeof(text));
        fprintf(out, "%-22s %-16s ", sim_knobs[i].key, text);
        put_text(out, sim_knobs[i].help);
        fputc('\n', out);
    }
    fputs("</pre></details>\n", out);
}

/* ---- the picture ---- */

/* A file's bytes as a URL of their own, so that pictures know nothing of each other's names. */
static enum sim_status put_picture(FILE *out, const char *path, struct sim_error *error)
{
    FILE *file = fopen(path, "rb");
    int byte;

    if (!file)
        return sim_fail(error, SIM_INTERNAL, "%s: %s", path, strerror(errno));
    fputs("<p><img alt=\"Cycles by cause over the run without donations\" "
          "src=\"data:image/svg+xml,",
          out);
    while ((byte = fgetc(file)) != EOF) {
        if (isalnum(byte) || strchr(" -_.~/:;=,()+*!", byte))
            fputc(byte, out);
        else
            fprintf(out, "%%%02X", (unsigned int)byte);
    }
    fputs("\"></p>\n", out);
    fclose(file);
    return SIM_OK;
}

static enum sim_status draw(FILE *out, const struct sim_report_part *part, struct sim_error *error)
{
    char path[] = "/tmp/faultline-XXXXXX.svg";
    int fd = mkstemps(path, 4);
    enum sim_status status;

    if (fd < 0)
        return sim_fail(error, SIM_INTERNAL, "/tmp: no temporary file: %s", strerror(errno));
    close(fd);
    status = sim_plot_compare(part->results, part->count, part->path, path, error);
    if (status == SIM_OK)
        status = put_picture(out, path, error);
    unlink(path);
    return status;
}

enum sim_status sim_report_part(FILE *out, const struct sim_report_part *part,
                                struct sim_error *error)
{
    enum sim_status status;

    fputs("<h2>", out);
    put_text(out, sim_base_name(part->path));
    fputs("</h2>\n", out);
    status = put_machine(out, part->path, error);
    if (status != SIM_OK)
        return status;
    put_check(out, part->check);
    status = draw(out, part, error);
    put_outcome(out, part);
    put_causes(out, part);
    if (part->count)
        put_settings(out, &part->results[0].config);
    return status;
}
