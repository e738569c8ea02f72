/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block headers and site definitions, to and from bytes (docs/TRACE_FORMAT.md). */
#include "traces/codec.h"
#include "traces/native.h"

#define SITE_STORE   8u
#define SITE_ZEROPAD 16u
#define SITE_FETCH   32u
#define SITE_USER    64u

void native_put_block(struct trace_bytes *out, const struct native_block *block)
{
    size_t start = out->size;

    trace_put(out, NATIVE_BLOCK, 8);
    trace_put_fixed(out, block->first, 8);
    trace_put_fixed(out, block->records, 4);
    trace_put_fixed(out, block->sites_before, 4);
    for (int i = 0; i < NATIVE_SECTION_COUNT; i++) {
        trace_put_fixed(out, block->section[i].raw, 4);
        trace_put_fixed(out, block->section[i].packed, 4);
    }
    trace_put_fixed(out, block->sites_sum, 8);
    trace_put_fixed(out, block->rest_sum, 8);
    if (!out->failed)
        trace_put_fixed(out, trace_checksum(out->at + start, out->size - start), 8);
}

/* Columns have one byte for each access, so their sizes must agree. */
static const char *check_sections(const struct native_block *block)
{
    uint32_t accesses = block->section[NATIVE_CLASS].raw;
    uint32_t high = block->section[NATIVE_SITE_HIGH].raw;

    if (block->records == 0 || block->records > NATIVE_BLOCK_RECORDS_MAX)
        return "impossible number of records";
    if (accesses > block->records || block->section[NATIVE_SITE_LOW].raw != accesses ||
        block->section[NATIVE_SITE_MID].raw != accesses || (high != 0 && high != accesses))
        return "columns of different lengths";
    if (block->section[NATIVE_PAYLOAD].raw > 8 * (uint64_t)accesses)
        return "impossible length of the payload";
    for (int i = 0; i < NATIVE_SECTION_COUNT; i++) {
        if (block->section[i].raw > NATIVE_SECTION_MAX ||
            block->section[i].packed > NATIVE_SECTION_MAX ||
            (block->section[i].raw == 0) != (block->section[i].packed == 0))
            return "impossible length of a section";
    }
    return NULL;
}

const char *native_get_block(const uint8_t from[NATIVE_BLOCK_SIZE], struct native_block *block)
{
    struct trace_cursor in = trace_cursor_of(from, NATIVE_BLOCK_SIZE);

    if (memcmp(trace_get_bytes(&in, 8), NATIVE_BLOCK, 8) != 0)
        return "neither a block nor the index begins here";
    block->first = trace_get_fixed(&in, 8);
    block->records = (uint32_t)trace_get_fixed(&in, 4);
    block->sites_before = (uint32_t)trace_get_fixed(&in, 4);
    for (int i = 0; i < NATIVE_SECTION_COUNT; i++) {
        block->section[i].raw = (uint32_t)trace_get_fixed(&in, 4);
        block->section[i].packed = (uint32_t)trace_get_fixed(&in, 4);
    }
    block->sites_sum = trace_get_fixed(&in, 8);
    block->rest_sum = trace_get_fixed(&in, 8);
    if (trace_get_fixed(&in, 8) != trace_checksum(from, NATIVE_BLOCK_SIZE - 8))
        return "the checksum of the block header does not match";
    return check_sections(block);
}

uint64_t native_packed_size(const struct native_block *block)
{
    uint64_t size = 0;

    for (int i = 0; i < NATIVE_SECTION_COUNT; i++)
        size += block->section[i].packed;
    return size;
}

void native_put_site(struct trace_bytes *out, const struct trace_site *site, uint64_t *last_pc)
{
    unsigned int attributes = site->size_log2 & 7u;

    if (site->store)
        attributes |= SITE_STORE;
    if (site->zeropad)
        attributes |= SITE_ZEROPAD;
    if (site->fetch)
        attributes |= SITE_FETCH;
    if (site->user)
        attributes |= SITE_USER;
    trace_put_s(out, site->pc - *last_pc);
    trace_put_byte(out, (uint8_t)attributes);
    *last_pc = site->pc;
}

bool native_get_site(struct trace_cursor *in, struct trace_site *site, uint64_t *last_pc)
{
    uint8_t attributes;

    *last_pc += trace_get_s(in);
    attributes = trace_get_byte(in);
    *site = (struct trace_site){
        .pc = *last_pc,
        .size_log2 = attributes & 7u,
        .store = (attributes & SITE_STORE) != 0,
        .zeropad = (attributes & SITE_ZEROPAD) != 0,
        .fetch = (attributes & SITE_FETCH) != 0,
        .user = (attributes & SITE_USER) != 0,
    };
    return !in->failed && attributes < 2 * SITE_USER;
}
