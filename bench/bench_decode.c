/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding the bundled traces: from the file to struct trace_rec, one thread. Goal: 6 ns a record.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/shim.h"
#include "traces/trace.h"

#define DATA SOURCE_DIR "/traces/data/"

/* Reads the whole file; the sum keeps the compiler from leaving the reading out. */
static uint64_t decode(void *arg)
{
    struct trace_error error = {""};
    struct trace_source *source = trace_open(arg, &error);
    struct trace_block block;
    uint64_t records = 0;
    int status = -1;

    if (source) {
        while ((status = source->next(source, &block, &error)) == 1)
            records += block.count;
        source->close(source);
    }
    if (status < 0) {
        fprintf(stderr, "bench_decode: %s\n", error.text);
        exit(3);
    }
    return records;
}

static uint64_t file_bytes(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = -1;

    if (file) {
        if (fseek(file, 0, SEEK_END) == 0)
            size = ftell(file);
        fclose(file);
    }
    return size < 0 ? 0 : (uint64_t)size;
}

static void bench_file(const char *name, char *path, uint64_t recorder_bytes)
{
    char figure[64];

    shim_register(&(struct shim_row){.name = name, .run = decode, .arg = path, .goal_ns = 6.0});
    snprintf(figure, sizeof(figure), "%s: size against the recorder's stream", name);
    shim_figure(figure, (double)file_bytes(path) / (double)recorder_bytes, "(at most 1.2)");
}

int main(int argc, char **argv)
{
    static char arm64_a[] = DATA "arm64-a.fltrace", arm64_p[] = DATA "arm64-p.fltrace";
    static char amd64_a[] = DATA "amd64-a.fltrace";

    bench_file("decode arm64-a", arm64_a, 9998469);
    bench_file("decode arm64-p", arm64_p, 4940628);
    bench_file("decode amd64-a", amd64_a, 12106345);
    return shim_main(argc, argv, "Decoding a record of a native trace");
}
