/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads native traces, from files and pipes. A block's checksums are verified before any of it is
 * used, so the caller sees whole and true blocks or a message. Decoding is in native_decode.c.
 */
#include <errno.h>

#include "traces/codec.h"
#include "traces/native.h"

/* Bytes are read from the file in steps of this many, so that a broken length costs no memory. */
#define READ_STEP (1u << 20)

struct reader {
    struct trace_source source; /* first: a source is cast back to its reader */
    FILE *in;
    char *path;
    struct trace_header header;
    struct trace_unpacker *unpacker;
    struct native_decoder decoder;
    struct trace_bytes packed;
    struct trace_site *sites;
    size_t site_count, site_room;
    uint64_t offset;           /* bytes read */
    uint64_t position;         /* of the next record */
    uint64_t block;            /* number of the next block */
    uint64_t skip;             /* records to pass over after a seek */
    bool open, ended;          /* a block is being decoded; the index has been read */
    struct trace_error broken; /* repeated by each call after the first failure */
    bool failed;
};

typedef unsigned long long ull;

static const struct trace_header *reader_header(struct trace_source *source)
{
    return &((struct reader *)source)->header;
}

static void reader_close(struct trace_source *source)
{
    struct reader *reader = (struct reader *)source;

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

/* Reads up to `size` bytes after what `to` holds; fewer only at the end of the file. */
static size_t read_more(struct reader *reader, struct trace_bytes *to, uint64_t size)
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

static int truncated(struct reader *reader, const char *inside, uint64_t begins,
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

static int corrupt(struct reader *reader, uint64_t begins, const char *what,
                   struct trace_error *error)
{
    return trace_fail(error, "%s: block %llu at byte %llu (position %llu): %s", reader->path,
                      (ull)reader->block, (ull)begins, (ull)reader->position, what);
}

/* ---- file header ---- */

static int check_fixed(struct reader *reader, struct trace_error *error)
{
    struct trace_cursor in = trace_cursor_of(reader->packed.at, NATIVE_HEADER_SIZE);
    uint64_t version;

    if (memcmp(trace_get_bytes(&in, 8), NATIVE_MAGIC, 8) != 0)
        return trace_fail(error, "%s: not a native trace: expected FLTRACE at byte 0",
                          reader->path);
    version = trace_get_fixed(&in, 4);
    if (version != TRACE_VERSION)
        return trace_fail(error, "%s: format version %llu at byte 8, expected %d", reader->path,
                          (ull)version, TRACE_VERSION);
    in.at = reader->packed.at + NATIVE_HEADER_SIZE - 8;
    if (trace_get_fixed(&in, 8) != trace_checksum(reader->packed.at, NATIVE_HEADER_SIZE - 8))
        return trace_fail(error, "%s: the checksum of the file header (byte 32) does not match",
                          reader->path);
    return 0;
}

static int read_header(struct reader *reader, struct trace_error *error)
{
    struct trace_bytes *packed = &reader->packed;
    struct trace_cursor in;
    uint64_t size, raw, sum;
    uint8_t *body;
    int status;

    if (read_more(reader, packed, NATIVE_HEADER_SIZE) < NATIVE_HEADER_SIZE) {
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
    if (read_more(reader, packed, size) < size)
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

/* NULL, or what is wrong. */
static const char *get_sites(struct reader *reader, const uint8_t *raw, size_t size)
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
static const char *unpack(struct reader *reader, const struct native_block *block)
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
    wrong = get_sites(reader, decoder->section[NATIVE_SITES], block->section[NATIVE_SITES].raw);
    return wrong ? wrong : native_decoder_start(decoder, block, reader->site_count);
}

static int load_block(struct reader *reader, uint64_t begins, struct trace_error *error)
{
    struct trace_bytes *packed = &reader->packed;
    struct native_block block;
    const char *wrong = native_get_block(packed->at, &block);
    uint64_t size;

    if (wrong)
        return corrupt(reader, begins, wrong, error);
    if (block.first != reader->position || block.sites_before != reader->site_count)
        return corrupt(reader, begins, "it does not continue the block before it", error);
    size = native_packed_size(&block);
    packed->size = 0;
    if (read_more(reader, packed, size) < size)
        return truncated(reader, "a block", begins, error);
    wrong = unpack(reader, &block);
    if (wrong)
        return corrupt(reader, begins, wrong, error);
    reader->open = true;
    reader->block++;
    return 0;
}

static int bad_index(struct reader *reader, uint64_t begins, const char *what,
                     struct trace_error *error)
{
    return trace_fail(error, "%s: index at byte %llu: %s; all %llu records before it are usable",
                      reader->path, (ull)begins, what, (ull)reader->position);
}

/* The index begins; its fixed part and perhaps more is in `packed`. */
static int check_index(struct reader *reader, uint64_t begins, struct trace_error *error)
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
        read_more(reader, packed, NATIVE_INDEX_SIZE + size - packed->size) == 0)
        return bad_index(reader, begins, "truncated", error);
    if (packed->size < NATIVE_INDEX_SIZE + size)
        return bad_index(reader, begins, "truncated", error);
    if (sum != trace_checksum(packed->at + NATIVE_INDEX_SIZE, size - NATIVE_FOOTER_SIZE))
        return bad_index(reader, begins, "the checksum of its entries does not match", error);
    in = trace_cursor_of(packed->at + packed->size - NATIVE_FOOTER_SIZE, NATIVE_FOOTER_SIZE);
    if (packed->size != NATIVE_INDEX_SIZE + size || trace_get_fixed(&in, 8) != begins ||
        memcmp(trace_get_bytes(&in, 8), NATIVE_FOOTER, 8) != 0)
        return bad_index(reader, begins, "the footer after it is broken", error);
    if (read_more(reader, packed, 1) != 0)
        return bad_index(reader, begins, "more bytes follow it", error);
    return 0;
}

/* Reads the next block or the index. 1 a block, 0 the end, -1 an error. */
static int load(struct reader *reader, struct trace_error *error)
{
    struct trace_bytes *packed = &reader->packed;
    uint64_t begins = reader->offset;

    packed->size = 0;
    read_more(reader, packed, NATIVE_INDEX_SIZE);
    if (packed->size == NATIVE_INDEX_SIZE && memcmp(packed->at, NATIVE_INDEX, 8) == 0)
        return check_index(reader, begins, error) < 0 ? -1 : 0;
    if (packed->size == NATIVE_INDEX_SIZE)
        read_more(reader, packed, NATIVE_BLOCK_SIZE - NATIVE_INDEX_SIZE);
    if (packed->size < NATIVE_BLOCK_SIZE)
        return truncated(reader, "a block header or the index", begins, error);
    return load_block(reader, begins, error) < 0 ? -1 : 1;
}

static int reader_fail(struct reader *reader, const struct trace_error *error)
{
    reader->failed = true;
    if (error)
        reader->broken = *error;
    return -1;
}

static void fill(struct reader *reader, struct trace_block *block, size_t count)
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

static int reader_next(struct trace_source *source, struct trace_block *block,
                       struct trace_error *error)
{
    struct reader *reader = (struct reader *)source;

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
            return reader_fail(reader, error);
        reader->ended = status == 0;
    }
    return 0;
}

struct trace_source *trace_open(const char *path, struct trace_error *error)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    bool pipe = strcmp(path, "-") == 0;

    if (!reader) {
        trace_fail(error, "%s: out of memory", path);
        return NULL;
    }
    reader->source = (struct trace_source){reader_header, reader_next, reader_close};
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

/* ---- seeking ---- */

/* Reads `size` bytes at `offset` into `packed`. */
static bool read_at(struct reader *reader, uint64_t offset, uint64_t size)
{
    reader->packed.size = 0;
    if (offset > INT64_MAX || fseek(reader->in, (long)offset, SEEK_SET) != 0)
        return false;
    reader->offset = offset;
    return read_more(reader, &reader->packed, size) == size;
}

/* Finds the index by the footer and leaves its entries in `packed`. NULL, or what is wrong. */
static const char *find_index(struct reader *reader, uint64_t *blocks, uint64_t *total)
{
    struct trace_cursor in;
    uint64_t at, size;
    long end;

    if (fseek(reader->in, 0, SEEK_END) != 0 || (end = ftell(reader->in)) < 0)
        return "it cannot be searched (a pipe?)";
    if (end < NATIVE_FOOTER_SIZE + NATIVE_INDEX_SIZE ||
        !read_at(reader, (uint64_t)end - NATIVE_FOOTER_SIZE, NATIVE_FOOTER_SIZE) ||
        memcmp(reader->packed.at + 8, NATIVE_FOOTER, 8) != 0)
        return "it has no index at its end; it is truncated";
    in = trace_cursor_of(reader->packed.at, 8);
    at = trace_get_fixed(&in, 8);
    if (!read_at(reader, at, NATIVE_INDEX_SIZE) || memcmp(reader->packed.at, NATIVE_INDEX, 8) != 0)
        return "its footer does not lead to the index";
    in = trace_cursor_of(reader->packed.at + 8, NATIVE_INDEX_SIZE - 8);
    *total = trace_get_fixed(&in, 8);
    *blocks = trace_get_fixed(&in, 4);
    in.at += 12;
    size = trace_get_fixed(&in, 8);
    if (trace_get_fixed(&in, 8) != trace_checksum(reader->packed.at, NATIVE_INDEX_SIZE - 8))
        return "the checksum of its index does not match";
    if (!read_at(reader, at + NATIVE_INDEX_SIZE, *blocks * NATIVE_ENTRY_SIZE) ||
        size != trace_checksum(reader->packed.at, reader->packed.size))
        return "the checksum of its index entries does not match";
    return NULL;
}

static struct native_entry get_entry(const uint8_t *from)
{
    struct trace_cursor in = trace_cursor_of(from, NATIVE_ENTRY_SIZE);
    struct native_entry entry = {.offset = trace_get_fixed(&in, 8)};

    entry.first = trace_get_fixed(&in, 8);
    entry.records = (uint32_t)trace_get_fixed(&in, 4);
    entry.sites_before = (uint32_t)trace_get_fixed(&in, 4);
    return entry;
}

/* Adds the sites that the block at `offset` defines, unless they are known. */
static const char *learn_sites(struct reader *reader, const struct native_entry *entry)
{
    struct native_block block;
    const char *wrong;
    uint8_t *raw;

    if (entry->sites_before < reader->site_count)
        return NULL;
    if (!read_at(reader, entry->offset, NATIVE_BLOCK_SIZE))
        return "truncated";
    wrong = native_get_block(reader->packed.at, &block);
    if (wrong)
        return wrong;
    if (block.first != entry->first || block.sites_before != reader->site_count)
        return "it is not the block of the index";
    reader->packed.size = 0;
    if (read_more(reader, &reader->packed, block.section[NATIVE_SITES].packed) <
            block.section[NATIVE_SITES].packed ||
        trace_checksum(reader->packed.at, reader->packed.size) != block.sites_sum)
        return "the checksum of its sites does not match";
    raw = malloc(block.section[NATIVE_SITES].raw + (size_t)1);
    if (!raw)
        return "out of memory";
    if (trace_unpack(reader->unpacker, raw, block.section[NATIVE_SITES].raw, reader->packed.at,
                     reader->packed.size) < 0)
        wrong = "broken site definitions";
    else
        wrong = get_sites(reader, raw, block.section[NATIVE_SITES].raw);
    free(raw);
    return wrong;
}

/* Goes to the block with `position`, of which `entries` has the index. */
static int go(struct reader *reader, const uint8_t *entries, uint64_t blocks, uint64_t position,
              struct trace_error *error)
{
    uint64_t number = 0;
    struct native_entry entry = get_entry(entries);

    while (number + 1 < blocks) {
        struct native_entry after = get_entry(entries + (number + 1) * NATIVE_ENTRY_SIZE);
        const char *wrong;

        if (after.first > position)
            break;
        wrong = learn_sites(reader, &entry);
        if (wrong) {
            reader->block = number;
            reader->position = entry.first;
            return corrupt(reader, entry.offset, wrong, error);
        }
        entry = after;
        number++;
    }
    if (entry.sites_before > reader->site_count)
        return corrupt(reader, entry.offset, "it needs sites that are not defined", error);
    /* Sites of this block are defined again when it is read. */
    reader->site_count = entry.sites_before;
    reader->offset = entry.offset;
    reader->block = number;
    reader->position = entry.first;
    reader->skip = position - entry.first;
    if (fseek(reader->in, (long)entry.offset, SEEK_SET) != 0)
        return trace_fail(error, "%s: cannot seek: %s", reader->path, strerror(errno));
    return 0;
}

int trace_seek(struct trace_source *source, uint64_t position, struct trace_error *error)
{
    struct reader *reader = (struct reader *)source;
    uint64_t blocks = 0, total = 0;
    uint8_t *entries;
    const char *wrong;
    int status;

    if (source->next != reader_next)
        return trace_fail(error, "only a native trace file can be searched");
    wrong = find_index(reader, &blocks, &total);
    if (wrong)
        return trace_fail(error, "%s: cannot go to position %llu: %s", reader->path, (ull)position,
                          wrong);
    if (position >= total)
        return trace_fail(error, "%s: cannot go to position %llu: it has %llu records",
                          reader->path, (ull)position, (ull)total);
    entries = malloc(reader->packed.size + 1);
    if (!entries)
        return trace_fail(error, "%s: out of memory", reader->path);
    memcpy(entries, reader->packed.at, reader->packed.size);
    reader->open = reader->ended = reader->failed = false;
    status = go(reader, entries, blocks, position, error);
    free(entries);
    return status < 0 ? reader_fail(reader, error) : 0;
}
