/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes native traces. A block is gathered in memory as columns, packed when it is full, and
 * written at once, so that what reaches the disk or the pipe is always whole blocks.
 */
#include <errno.h>

#include "traces/codec.h"
#include "traces/native.h"

/* zstd level: the best that still writes 40 million records in half a minute. */
#define DEFAULT_LEVEL 19

struct trace_writer {
    FILE *out;
    char *path;
    bool pipe;
    struct trace_packer *packer;
    uint64_t offset; /* bytes written */
    uint64_t position;
    uint32_t block_records;
    /* The block being gathered. */
    struct trace_bytes section[NATIVE_SECTION_COUNT];
    struct trace_bytes packed;
    uint32_t records;
    uint64_t run; /* accesses since the last item of the events section */
    unsigned int cpu;
    uint64_t addr[TRACE_KIND_COUNT], a[TRACE_KIND_COUNT], clock;
    /* All sites so far; `chains` is a hash table with open addressing of index + 1. */
    struct trace_site *sites;
    uint64_t *last_va;
    uint32_t *chains;
    size_t site_count, site_room, sites_before, chain_room;
    uint64_t last_pc;
    bool failed; /* out of memory while adding a site */
    struct native_entry *index;
    size_t index_count, index_room;
};

static void writer_free(struct trace_writer *writer)
{
    for (int i = 0; i < NATIVE_SECTION_COUNT; i++)
        trace_bytes_free(&writer->section[i]);
    trace_bytes_free(&writer->packed);
    trace_packer_free(writer->packer);
    free(writer->sites);
    free(writer->last_va);
    free(writer->chains);
    free(writer->index);
    free(writer->path);
    free(writer);
}

static int no_memory(const struct trace_writer *writer, struct trace_error *error)
{
    return trace_fail(error, "%s: out of memory while writing position %llu", writer->path,
                      (unsigned long long)writer->position);
}

static int emit(struct trace_writer *writer, const struct trace_bytes *bytes,
                struct trace_error *error)
{
    if (bytes->failed)
        return no_memory(writer, error);
    if (bytes->size && fwrite(bytes->at, 1, bytes->size, writer->out) != bytes->size)
        return trace_fail(error, "%s: cannot write at byte %llu: %s", writer->path,
                          (unsigned long long)writer->offset, strerror(errno));
    writer->offset += bytes->size;
    return 0;
}

static int write_header(struct trace_writer *writer, const struct trace_header *header,
                        struct trace_error *error)
{
    struct trace_bytes body = {0}, packed = {0}, fixed = {0};
    int status = -1;

    native_put_header(&body, header);
    if (body.failed || trace_pack(writer->packer, &packed, body.at, body.size) < 0) {
        no_memory(writer, error);
        goto out;
    }
    trace_put(&fixed, NATIVE_MAGIC, 8);
    trace_put_fixed(&fixed, TRACE_VERSION, 4);
    trace_put_fixed(&fixed, packed.size, 4);
    trace_put_fixed(&fixed, body.size, 4);
    trace_put_fixed(&fixed, 0, 4);
    trace_put_fixed(&fixed, trace_checksum(packed.at, packed.size), 8);
    if (!fixed.failed)
        trace_put_fixed(&fixed, trace_checksum(fixed.at, fixed.size), 8);
    trace_put(&fixed, packed.at, packed.size);
    status = emit(writer, &fixed, error);
out:
    trace_bytes_free(&body);
    trace_bytes_free(&packed);
    trace_bytes_free(&fixed);
    return status;
}

/* Closes and, when it is a file, removes what has been written; frees the writer. */
static void writer_abandon(struct trace_writer *writer)
{
    if (writer->out && !writer->pipe) {
        fclose(writer->out);
        remove(writer->path);
    }
    writer_free(writer);
}

struct trace_writer *trace_create(const char *path, const struct trace_header *header, int level,
                                  struct trace_error *error)
{
    struct trace_writer *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        trace_fail(error, "%s: out of memory", path);
        return NULL;
    }
    writer->block_records = NATIVE_BLOCK_RECORDS;
    writer->pipe = strcmp(path, "-") == 0;
    writer->path = calloc(strlen(path) + 16, 1);
    writer->packer = trace_packer_new(level ? level : DEFAULT_LEVEL);
    if (!writer->path || !writer->packer) {
        trace_fail(error, "%s: out of memory", path);
        writer_free(writer);
        return NULL;
    }
    memcpy(writer->path, writer->pipe ? "standard output" : path,
           writer->pipe ? sizeof("standard output") : strlen(path) + 1);
    writer->out = writer->pipe ? stdout : fopen(path, "wb");
    if (!writer->out) {
        trace_fail(error, "%s: cannot create: %s", path, strerror(errno));
        writer_free(writer);
        return NULL;
    }
    if (write_header(writer, header, error) < 0) {
        writer_abandon(writer);
        return NULL;
    }
    return writer;
}

void trace_writer_block(struct trace_writer *writer, uint32_t records)
{
    if (records >= 1 && records <= NATIVE_BLOCK_RECORDS_MAX)
        writer->block_records = records;
}

uint64_t trace_writer_position(const struct trace_writer *writer)
{
    return writer->position;
}

/* ---- sites ---- */

static size_t site_hash(const struct trace_site *site)
{
    uint64_t key = site->pc ^ (uint64_t)site->size_log2 << 56 ^ (uint64_t)site->store << 60 ^
                   (uint64_t)site->zeropad << 61 ^ (uint64_t)site->fetch << 62 ^
                   (uint64_t)site->user << 63;

    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 20);
}

static bool same_site(const struct trace_site *a, const struct trace_site *b)
{
    return a->pc == b->pc && a->size_log2 == b->size_log2 && a->store == b->store &&
           a->zeropad == b->zeropad && a->fetch == b->fetch && a->user == b->user;
}

/* The slot of this site, or the empty slot where it belongs. */
static size_t find_site(const struct trace_writer *writer, const struct trace_site *site)
{
    size_t at = site_hash(site) & (writer->chain_room - 1);

    while (writer->chains[at] && !same_site(&writer->sites[writer->chains[at] - 1], site))
        at = (at + 1) & (writer->chain_room - 1);
    return at;
}

/* Doubles the room for sites and rebuilds the hash table. */
static bool grow_sites(struct trace_writer *writer)
{
    size_t room = writer->site_room ? 2 * writer->site_room : 4096;
    struct trace_site *sites = realloc(writer->sites, room * sizeof(*sites));
    uint64_t *last_va;
    uint32_t *chains;

    if (sites)
        writer->sites = sites;
    last_va = sites ? realloc(writer->last_va, room * sizeof(*last_va)) : NULL;
    if (last_va)
        writer->last_va = last_va;
    chains = last_va ? calloc(4 * room, sizeof(*chains)) : NULL;
    if (!chains)
        return false;
    free(writer->chains);
    writer->chains = chains;
    writer->chain_room = 4 * room;
    writer->site_room = room;
    for (size_t i = 0; i < writer->site_count; i++)
        writer->chains[find_site(writer, &writer->sites[i])] = (uint32_t)i + 1;
    return true;
}

uint32_t trace_write_site(struct trace_writer *writer, const struct trace_site *site)
{
    size_t slot;

    if (writer->site_count == writer->site_room && !grow_sites(writer)) {
        writer->failed = true;
        return 0;
    }
    slot = find_site(writer, site);
    if (writer->chains[slot])
        return writer->chains[slot] - 1;
    if (writer->site_count == NATIVE_SITES_MAX) {
        writer->failed = true;
        return 0;
    }
    writer->sites[writer->site_count] = *site;
    writer->last_va[writer->site_count] = 0;
    writer->chains[slot] = (uint32_t)++writer->site_count;
    native_put_site(&writer->section[NATIVE_SITES], site, &writer->last_pc);
    return (uint32_t)writer->site_count - 1;
}

/* ---- blocks ---- */

static bool add_entry(struct trace_writer *writer)
{
    if (writer->index_count == writer->index_room) {
        size_t room = writer->index_room ? 2 * writer->index_room : 64;
        struct native_entry *index = realloc(writer->index, room * sizeof(*index));

        if (!index)
            return false;
        writer->index = index;
        writer->index_room = room;
    }
    writer->index[writer->index_count++] = (struct native_entry){
        .offset = writer->offset,
        .first = writer->position - writer->records,
        .records = writer->records,
        .sites_before = (uint32_t)writer->sites_before,
    };
    return true;
}

/* The column of high site bytes is written only where it is needed. */
static void drop_high_column(struct trace_writer *writer)
{
    if (writer->site_count <= 1u << 16)
        writer->section[NATIVE_SITE_HIGH].size = 0;
}

static int pack_sections(struct trace_writer *writer, struct native_block *block)
{
    size_t start = 0, sites_end = 0;

    for (int i = 0; i < NATIVE_SECTION_COUNT; i++) {
        struct trace_bytes *raw = &writer->section[i];

        start = writer->packed.size;
        if (raw->failed || trace_pack(writer->packer, &writer->packed, raw->at, raw->size) < 0)
            return -1;
        block->section[i].raw = (uint32_t)raw->size;
        block->section[i].packed = (uint32_t)(writer->packed.size - start);
        if (i == NATIVE_SITES)
            sites_end = writer->packed.size;
    }
    block->sites_sum = trace_checksum(writer->packed.at, sites_end);
    block->rest_sum =
        trace_checksum(writer->packed.at + sites_end, writer->packed.size - sites_end);
    return 0;
}

static void begin_block(struct trace_writer *writer)
{
    for (int i = 0; i < NATIVE_SECTION_COUNT; i++)
        writer->section[i].size = 0;
    memset(writer->addr, 0, sizeof(writer->addr));
    memset(writer->a, 0, sizeof(writer->a));
    if (writer->site_count)
        memset(writer->last_va, 0, writer->site_count * sizeof(*writer->last_va));
    writer->clock = writer->run = writer->last_pc = 0;
    writer->sites_before = writer->site_count;
    writer->records = 0;
    writer->cpu = 0;
}

static int flush_block(struct trace_writer *writer, struct trace_error *error)
{
    struct native_block block = {
        .first = writer->position - writer->records,
        .records = writer->records,
        .sites_before = (uint32_t)writer->sites_before,
    };
    struct trace_bytes head = {0};
    int status = -1;

    if (writer->records == 0)
        return 0;
    drop_high_column(writer);
    writer->packed.size = 0;
    if (writer->failed || pack_sections(writer, &block) < 0 || !add_entry(writer)) {
        no_memory(writer, error);
        goto out;
    }
    native_put_block(&head, &block);
    status = emit(writer, &head, error);
    if (status == 0)
        status = emit(writer, &writer->packed, error);
    if (status == 0)
        begin_block(writer);
out:
    trace_bytes_free(&head);
    return status;
}

static int count_record(struct trace_writer *writer, struct trace_error *error)
{
    writer->position++;
    if (++writer->records < writer->block_records)
        return 0;
    return flush_block(writer, error);
}

static void put_cpu(struct trace_writer *writer, unsigned int cpu)
{
    struct trace_bytes *events = &writer->section[NATIVE_EVENTS];

    trace_put_u(events, writer->run);
    trace_put_u(events, NATIVE_OP_CPU);
    trace_put_u(events, cpu);
    writer->run = 0;
    writer->cpu = cpu;
}

static void put_class(struct trace_writer *writer, uint64_t value)
{
    unsigned int size = 0;

    if (value < NATIVE_CLASS_WIDE) {
        trace_put_byte(&writer->section[NATIVE_CLASS], (uint8_t)value);
        return;
    }
    for (uint64_t rest = value; rest; rest >>= 8)
        size++;
    trace_put_byte(&writer->section[NATIVE_CLASS], (uint8_t)(NATIVE_CLASS_WIDE + size));
    trace_put_fixed(&writer->section[NATIVE_PAYLOAD], value, size);
}

int trace_write_access(struct trace_writer *writer, unsigned int cpu, uint32_t site, uint64_t va,
                       struct trace_error *error)
{
    if (site >= writer->site_count)
        return writer->failed
                   ? no_memory(writer, error)
                   : trace_fail(error, "%s: position %llu: site %u is not defined", writer->path,
                                (unsigned long long)writer->position, site);
    if (cpu >= NATIVE_CPUS_MAX)
        return trace_fail(error, "%s: position %llu: CPU %u is impossible", writer->path,
                          (unsigned long long)writer->position, cpu);
    if (cpu != writer->cpu)
        put_cpu(writer, cpu);
    trace_put_byte(&writer->section[NATIVE_SITE_LOW], (uint8_t)site);
    trace_put_byte(&writer->section[NATIVE_SITE_MID], (uint8_t)(site >> 8));
    trace_put_byte(&writer->section[NATIVE_SITE_HIGH], (uint8_t)(site >> 16));
    put_class(writer, trace_zigzag(va - writer->last_va[site]));
    writer->last_va[site] = va;
    writer->run++;
    return count_record(writer, error);
}

int trace_write_event(struct trace_writer *writer, enum trace_kind kind, unsigned int cpu,
                      uint64_t addr, const struct trace_event *event, const char *text,
                      struct trace_error *error)
{
    struct trace_bytes *out = &writer->section[NATIVE_EVENTS];
    struct trace_bytes *strings = &writer->section[NATIVE_TEXT];
    uint64_t b = kind == TRACE_MARK ? strings->size : event->b;

    if (kind <= TRACE_ACCESS || kind >= TRACE_KIND_COUNT || cpu >= NATIVE_CPUS_MAX)
        return trace_fail(error, "%s: position %llu: an event of kind %u on CPU %u is impossible",
                          writer->path, (unsigned long long)writer->position, (unsigned int)kind,
                          cpu);
    if (cpu != writer->cpu)
        put_cpu(writer, cpu);
    if (kind == TRACE_MARK)
        trace_put(strings, text ? text : "", text ? strlen(text) + 1 : 1);
    trace_put_u(out, writer->run);
    trace_put_u(out, kind);
    trace_put_s(out, addr - writer->addr[kind]);
    trace_put_s(out, event->a - writer->a[kind]);
    trace_put_u(out, b);
    trace_put_u(out, event->c);
    trace_put_u(out, event->task);
    trace_put_u(out, event->owner);
    trace_put_s(out, event->clock - writer->clock);
    writer->addr[kind] = addr;
    writer->a[kind] = event->a;
    writer->clock = event->clock;
    writer->run = 0;
    return count_record(writer, error);
}

/* ---- the end ---- */

static int write_index(struct trace_writer *writer, struct trace_error *error)
{
    struct trace_bytes out = {0}, entries = {0};
    int status = -1;

    for (size_t i = 0; i < writer->index_count; i++) {
        trace_put_fixed(&entries, writer->index[i].offset, 8);
        trace_put_fixed(&entries, writer->index[i].first, 8);
        trace_put_fixed(&entries, writer->index[i].records, 4);
        trace_put_fixed(&entries, writer->index[i].sites_before, 4);
    }
    trace_put(&out, NATIVE_INDEX, 8);
    trace_put_fixed(&out, writer->position, 8);
    trace_put_fixed(&out, writer->index_count, 4);
    trace_put_fixed(&out, writer->sites_before, 4);
    trace_put_fixed(&out, writer->offset, 8);
    if (!entries.failed && !out.failed) {
        trace_put_fixed(&out, trace_checksum(entries.at, entries.size), 8);
        trace_put_fixed(&out, trace_checksum(out.at, out.size), 8);
        trace_put(&out, entries.at, entries.size);
        trace_put_fixed(&out, writer->offset, 8);
        trace_put(&out, NATIVE_FOOTER, 8);
        status = emit(writer, &out, error);
    } else {
        no_memory(writer, error);
    }
    trace_bytes_free(&out);
    trace_bytes_free(&entries);
    return status;
}

int trace_finish(struct trace_writer *writer, struct trace_error *error)
{
    int status = flush_block(writer, error);

    if (status == 0)
        status = write_index(writer, error);
    if (status == 0 && fflush(writer->out) != 0)
        status = trace_fail(error, "%s: cannot write at byte %llu: %s", writer->path,
                            (unsigned long long)writer->offset, strerror(errno));
    if (status < 0) {
        writer_abandon(writer);
        return -1;
    }
    if (!writer->pipe && fclose(writer->out) != 0) {
        status = trace_fail(error, "%s: cannot close: %s", writer->path, strerror(errno));
        remove(writer->path);
    }
    writer_free(writer);
    return status;
}

void trace_abandon(struct trace_writer *writer)
{
    if (writer)
        writer_abandon(writer);
}
