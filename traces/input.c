/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input files; see input.h. */
#include <errno.h>

#include "traces/input.h"

char *trace_path_join(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);

    if (path)
        snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static bool ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), tail = strlen(end);

    return length >= tail && strcmp(path + length - tail, end) == 0;
}

void trace_input_close(struct trace_input *input)
{
    if (!input)
        return;
    if (input->stream)
        input->close(input->stream);
    if (input->file)
        fclose(input->file);
    free(input->buffer);
    free(input->packed);
    free(input->path);
    free(input);
}

/* False without memory. */
static bool choose_codec(struct trace_input *input)
{
    if (ends_with(input->path, ".xz")) {
        input->stream = trace_xz_open();
        input->step = trace_xz_step;
        input->close = trace_xz_close;
    } else if (ends_with(input->path, ".zst")) {
        input->stream = trace_zstd_open();
        input->step = trace_zstd_step;
        input->close = trace_zstd_close;
    } else {
        return true;
    }
    input->packed = malloc(TRACE_INPUT_BUFFER);
    return input->stream && input->packed;
}

static struct trace_input *make_input(const char *path, bool packed, struct trace_error *error)
{
    struct trace_input *input = calloc(1, sizeof(*input));

    if (!input) {
        trace_fail(error, "%s: out of memory", path);
        return NULL;
    }
    input->path = malloc(strlen(path) + 1);
    input->buffer = malloc(TRACE_INPUT_BUFFER + 1);
    if (input->path)
        memcpy(input->path, path, strlen(path) + 1);
    if (!input->path || !input->buffer || (packed && !choose_codec(input))) {
        trace_fail(error, "%s: out of memory", path);
        trace_input_close(input);
        return NULL;
    }
    return input;
}

struct trace_input *trace_input_of(FILE *file, const char *path, struct trace_error *error)
{
    struct trace_input *input = make_input(path, false, error);

    if (input)
        input->file = file;
    else
        fclose(file);
    return input;
}

struct trace_input *trace_input_open(const char *path, struct trace_error *error)
{
    struct trace_input *input = make_input(path, true, error);

    if (!input)
        return NULL;
    input->file = fopen(path, "rb");
    if (!input->file) {
        trace_fail(error, "%s: cannot open: %s", path, strerror(errno));
        trace_input_close(input);
        return NULL;
    }
    return input;
}

/* Reads packed or plain bytes from the file. */
static int take(struct trace_input *input, uint8_t *to, size_t size, size_t *got,
                struct trace_error *error)
{
    *got = fread(to, 1, size, input->file);
    input->taken += *got;
    if (ferror(input->file))
        return trace_fail(error, "%s: cannot read at byte %llu: %s", input->path,
                          (unsigned long long)input->taken, strerror(errno));
    return 0;
}

static int inflate_more(struct trace_input *input, struct trace_error *error)
{
    struct trace_inflate io;
    int status;

    if (input->packed_left == 0) {
        if (take(input, input->packed, TRACE_INPUT_BUFFER, &input->packed_left, error) < 0)
            return -1;
        input->packed_at = input->packed;
    }
    /* One zstd frame after another is one file; so it is with xz, which liblzma does itself. */
    if (input->packed_left == 0 && input->whole) {
        input->ended = true;
        return 0;
    }
    io = (struct trace_inflate){input->packed_at, input->packed_left, input->buffer + input->end,
                                TRACE_INPUT_BUFFER - input->end};
    status = input->step(input->stream, &io);
    if (status < 0 && input->packed_left)
        return trace_fail(error, "%s: the compressed data is broken near byte %llu", input->path,
                          (unsigned long long)(input->taken - io.in_size));
    input->whole = status == 1;
    if (input->packed_left == 0 && !input->whole && io.out == input->buffer + input->end)
        return trace_fail(error,
                          "%s: truncated: the compressed data ends at byte %llu before its "
                          "end mark",
                          input->path, (unsigned long long)input->taken);
    input->packed_at = io.in;
    input->packed_left = io.in_size;
    input->end = TRACE_INPUT_BUFFER - io.out_size;
    return 0;
}

static int more(struct trace_input *input, struct trace_error *error)
{
    size_t got;

    if (input->step)
        return inflate_more(input, error);
    if (take(input, input->buffer + input->end, TRACE_INPUT_BUFFER - input->end, &got, error) < 0)
        return -1;
    input->end += got;
    input->ended = got == 0;
    return 0;
}

int trace_input_need(struct trace_input *input, size_t size, struct trace_error *error)
{
    if (trace_input_left(input) >= size || input->ended)
        return 0;
    memmove(input->buffer, input->buffer + input->start, trace_input_left(input));
    input->end -= input->start;
    input->start = 0;
    while (input->end < size && !input->ended) {
        if (more(input, error) < 0)
            return -1;
    }
    return 0;
}

int trace_input_line(struct trace_input *input, char **line, struct trace_error *error)
{
    uint8_t *from, *end;
    size_t left;

    if (trace_input_need(input, TRACE_LINE_MAX, error) < 0)
        return -1;
    left = trace_input_left(input);
    if (left == 0)
        return 0;
    from = input->buffer + input->start;
    end = memchr(from, '\n', left);
    input->line++;
    if (left >= TRACE_LINE_MAX && (!end || end - from >= (ptrdiff_t)TRACE_LINE_MAX))
        return trace_fail(error, "%s: line %llu is longer than %u bytes", input->path,
                          (unsigned long long)input->line, TRACE_LINE_MAX);
    if (end)
        *end = '\0';
    else
        from[left] = '\0';
    trace_input_skip(input, end ? (size_t)(end - from) + 1 : left);
    *line = (char *)from;
    return 1;
}
