/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads native traces in order, from files and pipes. A block's checksums are verified before any
 * of it is used, so the caller sees whole and true blocks or a message. Decoding is in
 * native_decode.c.
 */
#include <errno.h>

#include "traces/native_reader.h"

/* Bytes are read from the file in steps of this many, so that a broken length costs no memory. */
#define READ_STEP (1u << 20)

static const struct trace_header *reader_header(struct trace_source *source)
{
    return &((struct native_reader *)source)->header;
}

static void reader_close(struct trace_source *source)
{
    struct native_reader *reader = (struct native_reader *)source;

    if (!reader)
        return;
    if (reader->in && reader->in != stdin)
        fclose(reader->in);
    trace_header_free(&reader->header);
    trace_unpacker_free(reader->unpacker);
    native_decoder_free(&reader->decoder);
    trace_bytes_free(&reader->packed);
    free(reader->sites);
    free(reader->path);
    free(reader);
}

size_t native_reader_read(struct native_reader *reader, struct trace_bytes *to, uint64_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t step = size - done < READ_STEP ? (size_t)(size - done) : READ_STEP;
        size_t got;

        if (!trace_bytes_reserve(to, step))
            break;
        got = fread(to->at + to->size, 1, step, reader->in);
        to->size += got;
        done += got;
        if (got < step)
            break;
    }
    reader->offset += done;
    return done;
}

static int truncated(struct native_reader *reader, const char *inside, uint64_t begins,
                     struct trace_error *error)
{
    if (reader->packed.failed)
        return trace_fail(error, "%s: out of memory at position %llu", reader->path,
                          (ull)reader->position);
    if (ferror(reader->in))
        return trace_fail(error, "%s: cannot read at byte %llu: %s", reader->path,
                          (ull)reader->offset, strerror(errno));
    return trace_fail(error,
                      "%s: truncated: the file ends at byte %llu inside %s, which begins at byte "
                      "%llu; block %llu and all records from position %llu are missing",
                      reader->path, (ull)reader->offset, inside, (ull)begins, (ull)reader->block,
                      (ull)reader->position);
}

int native_reader_corrupt(const struct native_reader *reader, uint64_t begins, const char *what,
                          struct trace_error *error)
{
    return trace_fail(error, "%s: block %llu at byte %llu (position %llu): %s", reader->path,
                      (ull)reader->block, (ull)begins, (ull)reader->position, what);
}

/* ---- file header ---- */

static int check_fixed(struct native_reader *reader, struct trace_error *error)
{
    struct trace_cursor in = trace_cursor_of(reader->packed.at, NATIVE_HEADER_SIZE);
    uint64_t version;

    if (memcmp(trace_get_bytes(&in, 8), NATIVE_MAGIC, 8) != 0)
        return trace_fail(error, "%s: not a native trace: expected FLTRACE at byte 0",
                          reader->path);
    version = trace_get_fixed(&in, 4);
    if (version < 1 || version > TRACE_VERSION)
        return trace_fail(error, "%s: format version %llu at byte 8, expected 1 to %d",
                          reader->path, (ull)version, TRACE_VERSION);
    in.at = reader->packed.at + NATIVE_HEADER_SIZE - 8;
    if (trace_get_fixed(&in, 8) != trace_checksum(reader->packed.at, NATIVE_HEADER_SIZE - 8))
        return trace_fail(error, "%s: the checksum of the file header (byte 32) does not match",
                          reader->path);
    return 0;
}

static int read_header(struct native_reader *reader, struct trace_error *error)
{
    struct trace_bytes *packed = &reader->packed;
    struct trace_cursor in;
    uint64_t size, raw, sum;
    uint8_t *body;
    int status;

    if (native_reader_read(reader, packed, NATIVE_HEADER_SIZE) < NATIVE_HEADER_SIZE) {
        if (packed->size >= 8 && memcmp(packed->at, NATIVE_MAGIC, 8) != 0)
            return trace_fail(error, "%s: not a native trace: expected FLTRACE at byte 0",
                              reader->path);
        return truncated(reader, "the file header", 0, error);
    }
    if (check_fixed(reader, error) < 0)
        return -1;
    in = trace_cursor_of(packed->at + 12, NATIVE_HEADER_SIZE - 12);
    size = trace_get_fixed(&in, 4);
    raw = trace_get_fixed(&in, 4);
    trace_get_fixed(&in, 4);
    sum = trace_get_fixed(&in, 8);
    if (size > NATIVE_BODY_MAX || raw > NATIVE_BODY_MAX)
        return trace_fail(error, "%s: impossible length in the file header", reader->path);
    packed->size = 0;
    if (native_reader_read(reader, packed, size) < size)
        return truncated(reader, "the machine facts", NATIVE_HEADER_SIZE, error);
    body = malloc(raw + 1);
    if (!body)
        return trace_fail(error, "%s: out of memory", reader->path);
    in = trace_cursor_of(body, raw);
    status = sum == trace_checksum(packed->at, size) &&
                     trace_unpack(reader->unpacker, body, raw, packed->at, size) == 0
                 ? native_get_header(&in, &reader->header)
                 : -1;
    free(body);
    if (status < 0 && in.starved)
        return trace_fail(error, "%s: out of memory", reader->path);
    if (status < 0)
        return trace_fail(error, "%s: the machine facts at byte %d are broken", reader->path,
                          NATIVE_HEADER_SIZE);
    return 0;
}

/* ---- blocks ---- */

const char *native_reader_sites(struct native_reader *reader, const uint8_t *raw, size_t size)
{
    struct trace_cursor in = trace_cursor_of(raw, size);
    uint64_t pc = 0;

    while (trace_left(&in)) {
        if (reader->site_count == NATIVE_SITES_MAX)
            return "too many access sites";
        if (reader->site_count == reader->site_room) {
            size_t room = reader->site_room ? 2 * reader->site_room : 4096;
            struct trace_site *sites = realloc(reader->sites, room * sizeof(*sites));

            if (!sites)
                return "out of memory";
            reader->sites = sites;
            reader->site_room = room;
        }
        if (!native_get_site(&in, &reader->sites[reader->site_count], &pc))
            return "broken site definitions";
        reader->site_count++;
    }
    return NULL;
}

/* Verifies and unpacks the sections, which are in `packed`. NULL, or what is wrong. */
static const char *unpack(struct native_reader *reader, const struct native_block *block)
{
    struct native_decoder *decoder = &reader->decoder;
    const uint8_t *at = reader->packed.at;
    const char *wrong;
    size_t sites = block->section[NATIVE_SITES].packed;

    if (trace_checksum(at, sites) != block->sites_sum ||
        trace_checksum(at + sites, reader->packed.size - sites) != block->rest_sum)
        return "the checksum does not match";
    if (!native_decoder_place(decoder, block))
        return "out of memory";
    for (int i = 0; i < NATIVE_SECTION_COUNT; i++) {
        uint8_t *raw = decoder->raw + (decoder->section[i] - decoder->raw);

        if (trace_unpack(reader->unpacker, raw, block->section[i].raw, at,
                         block->section[i].packed) < 0)
            return "a section cannot be decompressed";
        at += block->section[i].packed;
    }
    wrong = native_reader_sites(reader, decoder->section[NATIVE_SITES],
                                block->section[NATIVE_SITES].raw);
    return wrong ? wrong : native_decoder_start(decoder, block, reader->site_count);
}

static int load_block(struct native_reader *reader, uint64_t begins, struct trace_error *error)
{
    struct trace_bytes *packed = &reader->packed;
    struct native_block block;
    const char *wrong = native_get_block(packed->at, &block);
    uint64_t size;

    if (wrong)
        return native_reader_corrupt(reader, begins, wrong, error);
    if (block.first != reader->position || block.sites_before != reader->site_count)
        return native_reader_corrupt(reader, begins, "it does not continue the block before it",
                                     error);
    size = native_packed_size(&block);
    packed->size = 0;
    if (native_reader_read(reader, packed, size) < size)
        return truncated(reader, "a block", begins, error);
    wrong = unpack(reader, &block);
    if (wrong)
        return native_reader_corrupt(reader, begins, wrong, error);
    reader->open = true;
    reader->block++;
    return 0;
}

static int bad_index(struct native_reader *reader, uint64_t begins, const char *what,
                     struct trace_error *error)
{
    return trace_fail(error, "%s: index at byte %llu: %s; all %llu records before it are usable",
                      reader->path, (ull)begins, what, (ull)reader->position);
}

/* The index begins; its fixed part and perhaps more is in `packed`. */
static int check_index(struct native_reader *reader, uint64_t begins, struct trace_error *error)
{
    struct trace_bytes *packed = &reader->packed;
    struct trace_cursor in;
    uint64_t total, blocks, sites, at, sum, size;

    in = trace_cursor_of(packed->at + 8, NATIVE_INDEX_SIZE - 8);
    total = trace_get_fixed(&in, 8);
    blocks = trace_get_fixed(&in, 4);
    sites = trace_get_fixed(&in, 4);
    at = trace_get_fixed(&in, 8);
    sum = trace_get_fixed(&in, 8);
    if (trace_get_fixed(&in, 8) != trace_checksum(packed->at, NATIVE_INDEX_SIZE - 8))
        return bad_index(reader, begins, "its checksum does not match", error);
    if (total != reader->position || blocks != reader->block || at != begins)
        return bad_index(reader, begins, "it belongs to another file", error);
    (void)sites;
    size = blocks * NATIVE_ENTRY_SIZE + NATIVE_FOOTER_SIZE;
    if (packed->size < NATIVE_INDEX_SIZE + size &&
        native_reader_read(reader, packed, NATIVE_INDEX_SIZE + size - packed->size) == 0)
        return bad_index(reader, begins, "truncated", error);
    if (packed->size < NATIVE_INDEX_SIZE + size)
        return bad_index(reader, begins, "truncated", error);
    if (sum != trace_checksum(packed->at + NATIVE_INDEX_SIZE, size - NATIVE_FOOTER_SIZE))
        return bad_index(reader, begins, "the checksum of its entries does not match", error);
    in = trace_cursor_of(packed->at + packed->size - NATIVE_FOOTER_SIZE, NATIVE_FOOTER_SIZE);
    if (packed->size != NATIVE_INDEX_SIZE + size || trace_get_fixed(&in, 8) != begins ||
        memcmp(trace_get_bytes(&in, 8), NATIVE_FOOTER, 8) != 0)
        return bad_index(reader, begins, "the footer after it is broken", error);
    if (native_reader_read(reader, packed, 1) != 0)
        return bad_index(reader, begins, "more bytes follow it", error);
    return 0;
}

/* Reads the next block or the index. 1 a block, 0 the end, -1 an error. */
static int load(struct native_reader *reader, struct trace_error *error)
{
    struct trace_bytes *packed = &reader->packed;
    uint64_t begins = reader->offset;

    packed->size = 0;
    native_reader_read(reader, packed, NATIVE_INDEX_SIZE);
    if (packed->size == NATIVE_INDEX_SIZE && memcmp(packed->at, NATIVE_INDEX, 8) == 0)
        return check_index(reader, begins, error) < 0 ? -1 : 0;
    if (packed->size == NATIVE_INDEX_SIZE)
        native_reader_read(reader, packed, NATIVE_BLOCK_SIZE - NATIVE_INDEX_SIZE);
    if (packed->size < NATIVE_BLOCK_SIZE)
        return truncated(reader, "a block header or the index", begins, error);
    return load_block(reader, begins, error) < 0 ? -1 : 1;
}

int native_reader_fail(struct native_reader *reader, const struct trace_error *error)
{
    reader->failed = true;
    if (error)
        reader->broken = *error;
    return -1;
}

static void fill(struct native_reader *reader, struct trace_block *block, size_t count)
{
    struct native_decoder *decoder = &reader->decoder;

    *block = (struct trace_block){
        .first = reader->position,
        .rec = decoder->batch,
        .count = count,
        .events = decoder->events,
        .event_count = decoder->event_count,
        .text = (const char *)decoder->section[NATIVE_TEXT],
        .text_size = decoder->section_size[NATIVE_TEXT],
        .sites = reader->sites,
        .site_count = reader->site_count,
    };
    reader->position += count;
    if (reader->skip) {
        size_t skip = reader->skip < count ? (size_t)reader->skip : count;

        block->rec += skip;
        block->count -= skip;
        block->first += skip;
        reader->skip -= skip;
    }
}

int native_reader_next(struct trace_source *source, struct trace_block *block,
                       struct trace_error *error)
{
    struct native_reader *reader = (struct native_reader *)source;

    if (reader->failed)
        return trace_fail(error, "%s", reader->broken.text);
    while (!reader->ended) {
        size_t count = reader->open ? native_decoder_next(&reader->decoder) : 0;
        int status;

        if (count) {
            fill(reader, block, count);
            if (block->count)
                return 1;
            continue;
        }
        reader->open = false;
        status = load(reader, error);
        if (status < 0)
            return native_reader_fail(reader, error);
        reader->ended = status == 0;
    }
    return 0;
}

struct trace_source *trace_open(const char *path, struct trace_error *error)
{
    struct native_reader *reader = calloc(1, sizeof(*reader));
    bool pipe = strcmp(path, "-") == 0;

    if (!reader) {
        trace_fail(error, "%s: out of memory", path);
        return NULL;
    }
    reader->source = (struct trace_source){reader_header, native_reader_next, reader_close};
    reader->path = calloc(strlen(path) + sizeof("standard input"), 1);
    reader->unpacker = trace_unpacker_new();
    if (!reader->path || !reader->unpacker) {
        trace_fail(error, "%s: out of memory", path);
        goto fail;
    }
    memcpy(reader->path, pipe ? "standard input" : path,
           pipe ? sizeof("standard input") : strlen(path) + 1);
    reader->in = pipe ? stdin : fopen(path, "rb");
    if (!reader->in) {
        trace_fail(error, "%s: cannot open: %s", path, strerror(errno));
        goto fail;
    }
    if (read_header(reader, error) < 0)
        goto fail;
    return &reader->source;
fail:
    reader_close(&reader->source);
    return NULL;
}
