/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input files as one run of bytes or lines: plain, .xz or .zst by the name's end. Broken or cut
 * compressed data gives a message with the file and the offset in it.
 */
#ifndef TRACES_INPUT_H
#define TRACES_INPUT_H

#include "traces/codec.h"

#define TRACE_INPUT_BUFFER (1u << 18)
#define TRACE_LINE_MAX     8192u

struct trace_input {
    char *path;
    FILE *file;
    int (*step)(void *stream, struct trace_inflate *io); /* NULL: plain */
    void (*close)(void *stream);
    void *stream;
    uint8_t *buffer, *packed;
    size_t start, end; /* what the buffer holds */
    const uint8_t *packed_at;
    size_t packed_left;
    uint64_t offset; /* of buffer[start] in the decompressed data */
    uint64_t taken;  /* bytes read from the file */
    uint64_t line;   /* number of the line returned last, from 1 */
    bool ended, whole;
};

/* NULL with the error set: no such file, no memory. */
struct trace_input *trace_input_open(const char *path, struct trace_error *error);
/* The same of an open file, plain, which is closed with it (or here, on failure); path: its name in
 * messages. */
struct trace_input *trace_input_of(FILE *file, const char *path, struct trace_error *error);
void trace_input_close(struct trace_input *input);
/* Makes at least `size` (up to 64 Ki) bytes available unless the data ends first. 0 or -1. */
int trace_input_need(struct trace_input *input, size_t size, struct trace_error *error);
/* The next line without its end, valid until the next call: 1, 0 at the end of the data, or -1. */
int trace_input_line(struct trace_input *input, char **line, struct trace_error *error);

static inline size_t trace_input_left(const struct trace_input *input)
{
    return input->end - input->start;
}

static inline void trace_input_skip(struct trace_input *input, size_t size)
{
    input->start += size;
    input->offset += size;
}

/* "DIR/name", to be freed; NULL without memory. */
char *trace_path_join(const char *dir, const char *name);

#endif
