/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeking in a native file: the index says where the block of a position is; the sites that blocks
 * before it define are collected from their section 0 alone.
 */
#include <errno.h>

#include "traces/native_reader.h"

/* Reads `size` bytes at `offset` into `packed`. */
static bool read_at(struct native_reader *reader, uint64_t offset, uint64_t size)
{
    reader->packed.size = 0;
    if (offset > INT64_MAX || fseek(reader->in, (long)offset, SEEK_SET) != 0)
        return false;
    reader->offset = offset;
    return native_reader_read(reader, &reader->packed, size) == size;
}

/* Finds the index by the footer and leaves its entries in `packed`. NULL, or what is wrong. */
static const char *find_index(struct native_reader *reader, uint64_t *blocks, uint64_t *total)
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
static const char *learn_sites(struct native_reader *reader, const struct native_entry *entry)
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
    if (native_reader_read(reader, &reader->packed, block.section[NATIVE_SITES].packed) <
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
        wrong = native_reader_sites(reader, raw, block.section[NATIVE_SITES].raw);
    free(raw);
    return wrong;
}

/* Goes to the block with `position`, of which `entries` has the index. */
static int go(struct native_reader *reader, const uint8_t *entries, uint64_t blocks,
              uint64_t position, struct trace_error *error)
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
            return native_reader_corrupt(reader, entry.offset, wrong, error);
        }
        entry = after;
        number++;
    }
    if (entry.sites_before > reader->site_count)
        return native_reader_corrupt(reader, entry.offset, "it needs sites that are not defined",
                                     error);
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
    struct native_reader *reader = (struct native_reader *)source;
    uint64_t blocks = 0, total = 0;
    uint8_t *entries;
    const char *wrong;
    int status;

    if (source->next != native_reader_next)
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
    return status < 0 ? native_reader_fail(reader, error) : 0;
}

uint64_t trace_length(const struct trace_source *source)
{
    const struct native_reader *reader = (const struct native_reader *)source;
    struct native_reader probe = {0};
    uint64_t blocks = 0, total = 0;
    long back;

    if (source->next != native_reader_next || (back = ftell(reader->in)) < 0)
        return 0;
    /* The reader's own buffer and place stay as they are: only the stream moves, and returns. */
    probe.in = reader->in;
    if (find_index(&probe, &blocks, &total) != NULL)
        total = 0;
    trace_bytes_free(&probe.packed);
    clearerr(reader->in);
    if (fseek(reader->in, back, SEEK_SET) != 0)
        return 0;
    return total;
}
