/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parsers of text. The first byte says what the rest is: a console or ftrace text, imported
 * with the machine facts of the test corpus, the machine facts themselves, or what perf and lackey
 * print.
 */
#define _POSIX_C_SOURCE 200809L

#include "tests/fuzz/scratch_file.h"
#include "traces/recording.h"

#define FACTS SOURCE_DIR "/tests/traces/corpus"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void import_text(const uint8_t *data, size_t size)
{
    struct trace_import_stats stats;
    struct trace_error error = {""};
    char out[160];

    snprintf(out, sizeof(out), "/tmp/fuzz-ftrace-out-%ld", (long)getpid());
    if (trace_import_crash(scratch_file("fuzz-ftrace", data, size), NULL, FACTS, out, 1, &stats,
                           &error) < 0 &&
        error.text[0] == '\0')
        abort();
}

/* perf script, or lackey. */
static void import_foreign(const uint8_t *data, size_t size, bool perf)
{
    struct trace_import_stats stats;
    struct trace_error error = {""};
    const char *path = scratch_file("fuzz-ftrace", data, size);
    enum trace_input_kind kind;
    struct rec_text text;
    char out[160];

    snprintf(out, sizeof(out), "/tmp/fuzz-ftrace-out-%ld", (long)getpid());
    if (trace_recognise(path, &kind, &error) < 0 && error.text[0] == '\0')
        abort();
    if (perf && rec_read_text(&text, path, REC_PERF, &error) == 0)
        rec_free_text(&text);
    else if (!perf && trace_import_lackey(path, out, 1, &stats, &error) < 0 &&
             error.text[0] == '\0')
        abort();
}

static void parse_text(const uint8_t *data, size_t size)
{
    struct trace_error error = {""};
    struct rec_text text;

    if (rec_read_text(&text, scratch_file("fuzz-ftrace", data, size), REC_RECORDING, &error) < 0) {
        if (error.text[0] == '\0')
            abort();
        return;
    }
    for (size_t i = 0; i < text.count; i++) {
        if (text.line[i].event == REC_NONE || text.line[i].event > REC_UNKNOWN)
            abort();
    }
    rec_free_text(&text);
}

/* The facts need a directory of their own. */
static void parse_facts(const uint8_t *data, size_t size)
{
    struct trace_error error = {""};
    struct trace_header header;
    uint64_t origin;
    char dir[128], path[160];
    FILE *file;

    snprintf(dir, sizeof(dir), "/tmp/fuzz-facts-%ld", (long)getpid());
    snprintf(path, sizeof(path), "mkdir -p %s", dir);
    if (access(dir, F_OK) != 0 && system(path) != 0)
        abort();
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, i ? "extable.txt" : "facts.txt");
        file = fopen(path, "wb");
        if (!file)
            abort();
        fwrite(data, 1, i ? size / 4 : size, file);
        fclose(file);
    }
    if (rec_read_facts(&header, &origin, dir, &error) == 0)
        trace_header_free(&header);
    else if (error.text[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] % 8) {
    case 0:
        parse_text(data + 1, size - 1);
        break;
    case 1:
        parse_facts(data + 1, size - 1);
        break;
    case 2:
    case 3:
        import_foreign(data + 1, size - 1, data[0] % 8 == 2);
        break;
    default:
        import_text(data + 1, size - 1);
        break;
    }
    return 0;
}
