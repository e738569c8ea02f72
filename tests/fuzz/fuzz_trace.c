/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The native reader. An input whose first byte is even is a file as it is; checksums stop nearly
 * all of those. An odd one is taken apart into a block's sections, which are packed with right
 * sums, so that the decoder meets content that no writer made. Whatever comes out must satisfy the
 * contract of struct trace_block.
 */
#define _POSIX_C_SOURCE 200809L

#include "tests/fuzz/scratch_file.h"
#include "traces/codec.h"
#include "traces/native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_file_header(struct trace_bytes *out, struct trace_packer *packer)
{
    const struct trace_header header = {.arch = TRACE_ARCH_ARM64, .cpus = 1, .page_shift = 12};
    struct trace_bytes body = {0}, packed = {0};

    native_put_header(&body, &header);
    trace_pack(packer, &packed, body.at, body.size);
    trace_put(out, NATIVE_MAGIC, 8);
    trace_put_fixed(out, TRACE_VERSION, 4);
    trace_put_fixed(out, packed.size, 4);
    trace_put_fixed(out, body.size, 4);
    trace_put_fixed(out, 0, 4);
    trace_put_fixed(out, trace_checksum(packed.at, packed.size), 8);
    trace_put_fixed(out, trace_checksum(out->at, out->size), 8);
    trace_put(out, packed.at, packed.size);
    trace_bytes_free(&body);
    trace_bytes_free(&packed);
}

/* Two bytes: records; eight times two bytes: section sizes; then the sections. */
static void put_block(struct trace_bytes *out, struct trace_packer *packer, struct trace_cursor *in)
{
    struct native_block block = {.records = (uint32_t)trace_get_fixed(in, 2)};
    struct trace_bytes packed = {0};
    size_t sites = 0;

    for (int i = 0; i < NATIVE_SECTION_COUNT; i++)
        block.section[i].raw = (uint32_t)trace_get_fixed(in, 2);
    for (int i = 0; i < NATIVE_SECTION_COUNT; i++) {
        size_t start = packed.size;

        if (block.section[i].raw > trace_left(in))
            block.section[i].raw = (uint32_t)trace_left(in);
        trace_pack(packer, &packed, trace_get_bytes(in, block.section[i].raw),
                   block.section[i].raw);
        block.section[i].packed = (uint32_t)(packed.size - start);
        if (i == NATIVE_SITES)
            sites = packed.size;
    }
    if (packed.size) {
        block.sites_sum = trace_checksum(packed.at, sites);
        block.rest_sum = trace_checksum(packed.at + sites, packed.size - sites);
        native_put_block(out, &block);
        trace_put(out, packed.at, packed.size);
    }
    trace_bytes_free(&packed);
}

static void check_record(const struct trace_block *block, const struct trace_rec *rec)
{
    if (rec->kind >= TRACE_KIND_COUNT)
        abort();
    if (rec->kind == TRACE_ACCESS && rec->site >= block->site_count)
        abort();
    if (rec->kind != TRACE_ACCESS && rec->site >= block->event_count)
        abort();
    if (rec->kind == TRACE_MARK) {
        const struct trace_event *event = &block->events[rec->site];

        if (event->b >= block->text_size || block->text[block->text_size - 1] != '\0')
            abort();
    }
}

static void read_file(const char *path)
{
    struct trace_error error = {""};
    struct trace_source *source = trace_open(path, &error);
    struct trace_block block;
    uint64_t position = 0;

    if (!source)
        return;
    while (source->next(source, &block, &error) == 1) {
        if (block.first != position || block.count == 0)
            abort();
        position += block.count;
        for (size_t i = 0; i < block.count; i++)
            check_record(&block, &block.rec[i]);
    }
    if (trace_seek(source, position / 2, &error) == 0)
        source->next(source, &block, &error);
    source->close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_bytes file = {0};
    struct trace_packer *packer;
    struct trace_cursor in;

    if (size == 0)
        return 0;
    if (!(data[0] & 1)) {
        read_file(scratch_file("fuzz-trace", data + 1, size - 1));
        return 0;
    }
    packer = trace_packer_new(1);
    if (!packer)
        abort();
    in = trace_cursor_of(data + 1, size - 1);
    put_file_header(&file, packer);
    put_block(&file, packer, &in);
    trace_packer_free(packer);
    read_file(scratch_file("fuzz-trace", file.at, file.size));
    trace_bytes_free(&file);
    return 0;
}
