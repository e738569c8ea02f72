/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reader for the recorder's access stream; see zprec.h. */
#include "traces/zprec.h"

#include "traces/native.h"

#define HEADER_SIZE  64u
#define RECORD_MAX   64u /* the longest record has four numbers of ten bytes */
#define SITE_STORE   8u
#define SITE_ZEROPAD 16u

static int broken(const struct zprec *stream, const char *what, struct trace_error *error)
{
    return trace_fail(error, "%s: byte %llu of the decompressed stream: %s", stream->input->path,
                      (unsigned long long)stream->input->offset, what);
}

static int read_header(struct zprec *stream, struct trace_error *error)
{
    struct trace_cursor in;

    if (trace_input_need(stream->input, HEADER_SIZE, error) < 0)
        return -1;
    in = trace_cursor_of(stream->input->buffer, trace_input_left(stream->input));
    if (trace_left(&in) < HEADER_SIZE || memcmp(in.at, "ZPREC001", 8) != 0)
        return broken(stream, "not an access stream: expected ZPREC001", error);
    in.at += 8;
    stream->arch = trace_get_byte(&in);
    stream->cpus = trace_get_byte(&in);
    in.at += 2;
    stream->page_shift = (unsigned int)trace_get_fixed(&in, 4);
    stream->linear_start = trace_get_fixed(&in, 8);
    stream->linear_end = trace_get_fixed(&in, 8);
    stream->linear_pa = trace_get_fixed(&in, 8);
    stream->text = trace_get_fixed(&in, 8);
    if (stream->arch != TRACE_ARCH_ARM64 && stream->arch != TRACE_ARCH_X86_64)
        return broken(stream, "unknown architecture, expected 1 or 2 in byte 8", error);
    if (stream->cpus < 1 || stream->page_shift != 12 || stream->linear_end <= stream->linear_start)
        return broken(stream, "impossible machine in the stream's header", error);
    trace_input_skip(stream->input, HEADER_SIZE);
    return 0;
}

int zprec_open(struct zprec *stream, const char *path, struct trace_error *error)
{
    *stream = (struct zprec){.input = trace_input_open(path, error)};
    if (!stream->input)
        return -1;
    if (read_header(stream, error) == 0)
        return 0;
    zprec_close(stream);
    return -1;
}

void zprec_close(struct zprec *stream)
{
    trace_input_close(stream->input);
    free(stream->sites);
    *stream = (struct zprec){0};
}

static const char *define_site(struct zprec *stream, struct trace_cursor *in)
{
    uint8_t attributes;

    if (stream->site_count == stream->site_room) {
        size_t room = stream->site_room ? 2 * stream->site_room : 4096;
        struct zprec_site *sites = realloc(stream->sites, room * sizeof(*sites));

        if (!sites)
            return "out of memory";
        stream->sites = sites;
        stream->site_room = room;
    }
    stream->pc += trace_get_s(in);
    attributes = trace_get_byte(in);
    if (attributes >= 2 * SITE_ZEROPAD || stream->site_count == NATIVE_SITES_MAX)
        return "impossible access site";
    stream->sites[stream->site_count++] = (struct zprec_site){
        .site = {.pc = stream->pc,
                 .size_log2 = attributes & 7u,
                 .store = (attributes & SITE_STORE) != 0,
                 .zeropad = (attributes & SITE_ZEROPAD) != 0},
    };
    return NULL;
}

/* Everything but accesses. NULL, or what is wrong. */
static const char *get_other(struct zprec *stream, struct trace_cursor *in,
                             struct zprec_record *record)
{
    switch (record->op) {
    case ZPREC_END:
        record->a = trace_get_u(in);
        stream->left_out = trace_get_u(in);
        stream->instructions = trace_get_u(in);
        return record->a == stream->accesses
                   ? NULL
                   : "the end record promises another number of accesses than came";
    case ZPREC_SITE:
        record->site = (uint32_t)stream->site_count;
        return define_site(stream, in);
    case ZPREC_PAGE:
        record->a = stream->page += trace_get_s(in);
        record->b = trace_get_u(in);
        return NULL;
    case ZPREC_CPU:
        record->a = trace_get_u(in);
        if (record->a >= stream->cpus)
            return "a vCPU that the header does not have";
        stream->cpu = (unsigned int)record->a;
        return NULL;
    case ZPREC_EVENT:
    case ZPREC_MARK:
        record->a = trace_get_u(in);
        stream->clock += trace_get_u(in);
        return NULL;
    case ZPREC_REPAIRED:
    case ZPREC_HYPERCALL:
        record->a = trace_get_u(in) + stream->text;
        return NULL;
    case ZPREC_TLBI:
    case ZPREC_GAP:
        record->a = trace_get_u(in);
        return NULL;
    case ZPREC_ACCESS:
        break;
    }
    return "an unknown record";
}

int zprec_next(struct zprec *stream, struct zprec_record *record, struct trace_error *error)
{
    struct trace_input *input = stream->input;
    struct trace_cursor in;
    const uint8_t *from;
    const char *wrong = NULL;
    uint64_t op;

    if (trace_input_left(input) < RECORD_MAX && trace_input_need(input, RECORD_MAX, error) < 0)
        return -1;
    from = input->buffer + input->start;
    in = trace_cursor_of(from, trace_input_left(input));
    op = trace_get_u(&in);
    if (op >= ZPREC_ACCESS && op - ZPREC_ACCESS < stream->site_count) {
        struct zprec_site *site = &stream->sites[op - ZPREC_ACCESS];

        site->last += trace_get_s(&in);
        stream->accesses++;
        record->op = ZPREC_ACCESS;
        record->site = (uint32_t)(op - ZPREC_ACCESS);
        record->va = site->last;
    } else if (op >= ZPREC_ACCESS) {
        wrong = "an access by a site that is not defined";
    } else {
        record->op = (enum zprec_op)op;
        wrong = get_other(stream, &in, record);
    }
    if (in.failed)
        wrong = trace_left(&in) ? "a number of more than 64 bits"
                                : "truncated: expected records up to the end record";
    if (wrong)
        return broken(stream, wrong, error);
    trace_input_skip(input, (size_t)(in.at - from));
    if (record->op != ZPREC_END)
        return 1;
    if (trace_input_need(input, 1, error) < 0)
        return -1;
    return trace_input_left(input) ? broken(stream, "bytes follow the end record", error) : 0;
}
