/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/out.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

bool sim_format_parse(const char *text, enum sim_format *format)
{
    static const char *const names[] = {"table", "tsv", "json"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]))
            continue;
        *format = (enum sim_format)i;
        return true;
    }
    return false;
}

const char *sim_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

const struct sim_result *sim_out_baseline(const struct sim_result *results, size_t count)
{
    const struct sim_strategy *baseline = sim_strategy_at(0);

    for (size_t i = 0; i < count; i++)
        if (results[i].strategy == baseline)
            return &results[i];
    return NULL;
}

/* By how many thousandths `value` is over `base`. */
static int64_t permille_over(uint64_t value, uint64_t base)
{
    return base ? ((int64_t)value - (int64_t)base) * 1000 / (int64_t)base : 0;
}

/* Millions with two digits, into one of a caller's buffers. */
static const char *millions(uint64_t value, char *text, size_t size)
{
    uint64_t hundredths = (value + 5000) / 10000;

    snprintf(text, size, "%" PRIu64 ".%02" PRIu64, hundredths / 100, hundredths % 100);
    return text;
}

static void table_outcome(const struct sim_result *results, size_t count, FILE *out)
{
    const struct sim_result *base = sim_out_baseline(results, count);

    fprintf(out, "%-17s %9s %8s %10s %7s %8s %7s %9s %7s %7s\n", "strategy", "Mcycles", "vs none",
            "cyc/donate", "strays", "survived", "PANICS", "stray p50", "p99", "tables");
    for (size_t i = 0; i < count; i++) {
        const struct sim_result *r = &results[i];
        const uint64_t *n = r->stats.count;
        uint64_t cycles = sim_stats_cycles(&r->stats);
        char text[32], versus[24] = "", each[24] = "-";

        if (base) {
            int64_t over = permille_over(cycles, sim_stats_cycles(&base->stats));
            uint64_t size = (uint64_t)(over < 0 ? -over : over);

            snprintf(versus, sizeof(versus), "%c%" PRIu64 ".%" PRIu64 "%%", over < 0 ? '-' : '+',
                     size / 10, size % 10);
            if (n[SIM_COUNT_donations])
                snprintf(each, sizeof(each), "%" PRId64,
                         ((int64_t)cycles - (int64_t)sim_stats_cycles(&base->stats)) /
                             (int64_t)n[SIM_COUNT_donations]);
        }
        fprintf(out,
                "%-17s %9s %8s %10s %7" PRIu64 " %8" PRIu64 " %7" PRIu64 " %9" PRIu64 " %7" PRIu64
                " %7" PRIu64 "\n",
                sim_strategy_name(r->strategy), millions(cycles, text, sizeof(text)), versus, each,
                n[SIM_COUNT_strays], n[SIM_COUNT_survived], n[SIM_COUNT_panics],
                sim_histogram_percentile(r->stats.stray_latency, 50),
                sim_histogram_percentile(r->stats.stray_latency, 99), n[SIM_COUNT_s2_tables_peak]);
    }
}

void sim_out_causes(const struct sim_result *results, size_t count, bool used[SIM_CAUSE_COUNT])
{
    for (size_t c = 0; c < SIM_CAUSE_COUNT; c++) {
        used[c] = false;
        for (size_t i = 0; i < count; i++)
            used[c] |= results[i].stats.cycles[c] != 0;
    }
}

const char *sim_out_verdict(const struct sim_result *result, char *text, size_t size)
{
    const uint64_t panics = result->stats.count[SIM_COUNT_panics];

    if (panics)
        snprintf(text, size, "%" PRIu64 " panic%s", panics, panics == 1 ? "" : "s");
    else
        snprintf(text, size, "%s", result->stats.count[SIM_COUNT_strays] ? "survives" : "no stray");
    return text;
}

static void table_causes(const struct sim_result *results, size_t count, FILE *out)
{
    bool used[SIM_CAUSE_COUNT];

    sim_out_causes(results, count, used);
    fprintf(out, "\n%-17s", "Mcycles by cause");
    for (size_t c = 0; c < SIM_CAUSE_COUNT; c++) {
        if (used[c])
            fprintf(out, " %*s", (int)strlen(sim_causes[c].name) < 7 ? 7 : 10, sim_causes[c].name);
    }
    fprintf(out, "\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-17s", sim_strategy_name(results[i].strategy));
        for (size_t c = 0; c < SIM_CAUSE_COUNT; c++) {
            char text[32];

            if (used[c])
                fprintf(out, " %*s", (int)strlen(sim_causes[c].name) < 7 ? 7 : 10,
                        millions(results[i].stats.cycles[c], text, sizeof(text)));
        }
        fprintf(out, "\n");
    }
}

/* A name made of two parts. */
static void put_column(sim_column_fn *column, void *arg, const char *group, const char *name,
                       uint64_t value)
{
    char joined[96];

    snprintf(joined, sizeof(joined), "%s%s", group, name);
    column(arg, joined, NULL, value);
}

void sim_out_columns(const struct sim_result *result, sim_column_fn *column, void *arg)
{
    column(arg, "strategy", sim_strategy_name(result->strategy), 0);
    column(arg, "records", NULL, result->records);
    column(arg, "cycles", NULL, sim_stats_cycles(&result->stats));
    for (size_t i = 0; i < SIM_CAUSE_COUNT; i++)
        put_column(column, arg, "cycles.", sim_causes[i].name, result->stats.cycles[i]);
    for (size_t i = 0; i < SIM_COUNT_COUNT; i++)
        column(arg, sim_counts[i].name, NULL, result->stats.count[i]);
    column(arg, "stray_p50", NULL, sim_histogram_percentile(result->stats.stray_latency, 50));
    column(arg, "stray_p90", NULL, sim_histogram_percentile(result->stats.stray_latency, 90));
    column(arg, "stray_p99", NULL, sim_histogram_percentile(result->stats.stray_latency, 99));
    for (unsigned int i = 0; i < MMU_COUNTER_COUNT; i++)
        put_column(column, arg, "mmu.", mmu_counter_text((enum mmu_counter)i)->name,
                   result->mmu.v[i]);
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++) {
        char text[64];

        sim_config_format(&result->config, (enum sim_knob)i, text, sizeof(text));
        column(arg, sim_knobs[i].key, text, 0);
    }
}

static void each_of_result(const void *rows, size_t index, sim_column_fn *column, void *arg)
{
    sim_out_columns((const struct sim_result *)rows + index, column, arg);
}

struct tsv {
    FILE *out;
    bool names, started;
};

static void tsv_column(void *arg, const char *name, const char *text, uint64_t value)
{
    struct tsv *tsv = arg;

    if (tsv->started)
        fputc('\t', tsv->out);
    tsv->started = true;
    if (tsv->names)
        fputs(name, tsv->out);
    else if (text)
        fputs(text, tsv->out);
    else
        fprintf(tsv->out, "%" PRIu64, value);
}

void sim_out_tsv(sim_each_fn *each, const void *rows, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        struct tsv names = {out, true, false}, values = {out, false, false};

        if (i == 0) {
            each(rows, i, tsv_column, &names);
            fputc('\n', out);
        }
        each(rows, i, tsv_column, &values);
        fputc('\n', out);
    }
}

static void json_column(void *arg, const char *name, const char *text, uint64_t value)
{
    json_t *object = arg;

    json_object_set_new(object, name, text ? json_string(text) : json_integer((json_int_t)value));
}

void sim_out_json(sim_each_fn *each, const void *rows, size_t count, FILE *out)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *object = json_object();

        each(rows, i, json_column, object);
        json_array_append_new(array, object);
    }
    json_dumpf(array, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(array);
}

void sim_out_results(const struct sim_result *results, size_t count, enum sim_format format,
                     FILE *out)
{
    switch (format) {
    case SIM_FORMAT_TABLE:
        table_outcome(results, count, out);
        table_causes(results, count, out);
        break;
    case SIM_FORMAT_TSV:
        sim_out_tsv(each_of_result, results, count, out);
        break;
    case SIM_FORMAT_JSON:
        sim_out_json(each_of_result, results, count, out);
        break;
    }
}

void sim_out_check(const struct sim_result *result, FILE *out)
{
    fprintf(out,
            "recorded faults: %" PRIu64 ", predicted: %" PRIu64 ", missed: %" PRIu64
            ", spurious: %" PRIu64 "\n",
            result->stats.count[SIM_COUNT_recorded_faults],
            result->stats.count[SIM_COUNT_predicted], result->missed, result->spurious);
}

static void print_stray(const struct sim_stray_report *r, FILE *out)
{
    static const char *const owners[] = {"the host", "the hypervisor", "guest"};

    fprintf(out, "%s at record %" PRIu64 " on CPU %u\n", r->panic ? "PANIC" : "repaired",
            r->position, r->cpu);
    fprintf(out, "  instruction 0x%016" PRIx64 " %s\n", r->pc, r->place);
    fprintf(out, "  FAR 0x%016" PRIx64 " ESR 0x%08" PRIx64, r->far, r->esr);
    if (r->ipa)
        fprintf(out, " HPFAR 0x%016" PRIx64, r->ipa >> 8);
    fprintf(out, "\n  page 0x%" PRIx64 " was donated to %s", r->ipa >> 12,
            owners[(r->owner & 0xff) % 3]);
    if ((r->owner & 0xff) == TRACE_OWNER_GUEST)
        fprintf(out, " %" PRIu32, r->owner >> 8);
    fprintf(out, " at record %" PRIu64 "\n", r->donated);
}

void sim_out_strays(const struct sim_result *result, unsigned int limit, FILE *out)
{
    for (int panic = 1; panic >= 0; panic--) {
        for (unsigned int i = 0; i < result->report_count && limit > 0; i++) {
            if (result->report[i].panic != panic)
                continue;
            print_stray(&result->report[i], out);
            limit--;
        }
    }
}

void sim_out_counters(const struct sim_result *result, FILE *out)
{
    char text[32];

    fprintf(out, "%-24s %16" PRIu64 "  trace records\n", "records", result->records);
    fprintf(out, "%-24s %16" PRIu64 "  cycles in all\n", "cycles",
            sim_stats_cycles(&result->stats));
    for (size_t i = 0; i < SIM_CAUSE_COUNT; i++)
        if (result->stats.cycles[i])
            fprintf(out, "cycles.%-17s %16" PRIu64 "  %s\n", sim_causes[i].name,
                    result->stats.cycles[i], sim_causes[i].help);
    for (size_t i = 0; i < SIM_COUNT_COUNT; i++)
        if (result->stats.count[i])
            fprintf(out, "%-24s %16" PRIu64 "  %s\n", sim_counts[i].name, result->stats.count[i],
                    sim_counts[i].help);
    for (unsigned int i = 0; i < MMU_COUNTER_COUNT; i++)
        if (result->mmu.v[i])
            fprintf(out, "mmu.%-20s %16" PRIu64 "  %s\n",
                    mmu_counter_text((enum mmu_counter)i)->name, result->mmu.v[i],
                    mmu_counter_text((enum mmu_counter)i)->meaning);
    if (result->memory_bytes)
        fprintf(out, "%-24s %16s  MB allocated for the machine\n", "memory",
                millions(result->memory_bytes, text, sizeof(text)));
}

/* ---- guests ---- */

static void each_of_guest(const void *rows, size_t index, sim_column_fn *column, void *arg)
{
    const struct sim_guest_result *guest = (const struct sim_guest_result *)rows + index;

    column(arg, "guest.image", guest->image, 0);
    column(arg, "guest.end", sim_guest_end_name(guest->end), 0);
    column(arg, "guest.status", NULL, guest->status);
    column(arg, "guest.text", guest->text, 0);
    column(arg, "guest.instructions", NULL, guest->instructions);
    column(arg, "guest.cycles", NULL, guest->cycles);
    for (size_t i = 0; i < guest->tallies; i++)
        put_column(column, arg, "tally.", guest->tally[i].name, guest->tally[i].value);
    sim_out_columns(&guest->run, column, arg);
}

static void guest_table(const struct sim_guest_result *guests, size_t count, FILE *out)
{
    fprintf(out, "%-17s %-16s %9s %9s %7s %8s %7s %7s %6s\n", "strategy", "ends", "Minsns",
            "Mcycles", "strays", "repaired", "exits", "flushes", "stale");
    for (size_t i = 0; i < count; i++) {
        const struct sim_guest_result *g = &guests[i];
        const uint64_t *n = g->run.stats.count;
        char insns[32], cycles[32];

        fprintf(out,
                "%-17s %-16s %9s %9s %7" PRIu64 " %8" PRIu64 " %7" PRIu64 " %7" PRIu64 " %6" PRIu64
                "\n",
                sim_strategy_name(g->run.strategy),
                g->end == SIM_GUEST_EXITED && g->status ? "FAILED" : sim_guest_end_name(g->end),
                millions(g->instructions, insns, sizeof(insns)),
                millions(g->cycles, cycles, sizeof(cycles)), n[SIM_COUNT_strays],
                n[SIM_COUNT_survived], n[SIM_COUNT_exits], n[SIM_COUNT_flushes],
                n[SIM_COUNT_stale_uses]);
    }
}

/* What the guests counted, a column each: those of the run that counted most kinds. */
static void guest_tallies(const struct sim_guest_result *guests, size_t count, FILE *out)
{
    const struct sim_guest_result *most = &guests[0];

    for (size_t i = 1; i < count; i++)
        if (guests[i].tallies > most->tallies)
            most = &guests[i];
    if (!most->tallies)
        return;
    fprintf(out, "\n%-17s", "the guest's tally");
    for (size_t t = 0; t < most->tallies; t++)
        fprintf(out, " %12s", most->tally[t].name);
    fputc('\n', out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-17s", sim_strategy_name(guests[i].run.strategy));
        for (size_t t = 0; t < guests[i].tallies; t++)
            fprintf(out, " %*" PRIu64,
                    (int)(strlen(most->tally[t].name) > 12 ? strlen(most->tally[t].name) : 12),
                    guests[i].tally[t].value);
        fputc('\n', out);
    }
}

void sim_out_guests(const struct sim_guest_result *guests, size_t count, enum sim_format format,
                    FILE *out)
{
    switch (format) {
    case SIM_FORMAT_TABLE:
        guest_table(guests, count, out);
        guest_tallies(guests, count, out);
        for (size_t i = 0; i < count; i++)
            if (guests[i].text[0])
                fprintf(out, "%s%s: %s\n", i ? "" : "\n", sim_strategy_name(guests[i].run.strategy),
                        guests[i].text);
        break;
    case SIM_FORMAT_TSV:
        sim_out_tsv(each_of_guest, guests, count, out);
        break;
    case SIM_FORMAT_JSON:
        sim_out_json(each_of_guest, guests, count, out);
        break;
    }
}
