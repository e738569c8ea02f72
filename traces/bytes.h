/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte strings: a buffer that grows, and a cursor that reads with bounds.
 *
 * Both remember the first failure instead of returning it from each call: put or get a whole
 * structure, then look at `failed` once. A failed cursor yields zeros.
 *
 * u is LEB128: seven bits a byte, lowest first, bit 7 set on all but the last. s is the u of
 * (n << 1) ^ (n >> 63), so that small numbers of either sign are short.
 */
#ifndef TRACES_BYTES_H
#define TRACES_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "traces/trace.h"

struct trace_bytes {
    uint8_t *at;
    size_t size, room;
    bool failed; /* out of memory */
};

/* Room for `more` bytes after `size`; false and `failed` when there is no memory. */
static inline bool trace_bytes_reserve(struct trace_bytes *bytes, size_t more)
{
    size_t room = bytes->room ? bytes->room : 256;
    uint8_t *at;

    if (bytes->room - bytes->size >= more)
        return true;
    while (room - bytes->size < more)
        room *= 2;
    at = bytes->failed ? NULL : realloc(bytes->at, room);
    if (!at) {
        bytes->failed = true;
        return false;
    }
    bytes->at = at;
    bytes->room = room;
    return true;
}

static inline void trace_bytes_free(struct trace_bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct trace_bytes){0};
}

static inline void trace_put(struct trace_bytes *bytes, const void *from, size_t size)
{
    if (size == 0 || !trace_bytes_reserve(bytes, size))
        return;
    memcpy(bytes->at + bytes->size, from, size);
    bytes->size += size;
}

static inline void trace_put_byte(struct trace_bytes *bytes, uint8_t value)
{
    if (!trace_bytes_reserve(bytes, 1))
        return;
    bytes->at[bytes->size++] = value;
}

/* Little-endian, in `size` bytes. */
static inline void trace_put_fixed(struct trace_bytes *bytes, uint64_t value, unsigned int size)
{
    for (unsigned int i = 0; i < size; i++)
        trace_put_byte(bytes, (uint8_t)(value >> (8 * i)));
}

static inline void trace_put_u(struct trace_bytes *bytes, uint64_t value)
{
    while (value >= 0x80) {
        trace_put_byte(bytes, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    trace_put_byte(bytes, (uint8_t)value);
}

static inline uint64_t trace_zigzag(uint64_t value)
{
    return (value << 1) ^ (0 - (value >> 63));
}

static inline uint64_t trace_unzigzag(uint64_t value)
{
    return (value >> 1) ^ (0 - (value & 1));
}

static inline void trace_put_s(struct trace_bytes *bytes, uint64_t value)
{
    trace_put_u(bytes, trace_zigzag(value));
}

struct trace_cursor {
    const uint8_t *at, *end;
    bool failed;  /* ended early, or a number of more than 64 bits */
    bool starved; /* a user found no memory for what it read */
};

static inline struct trace_cursor trace_cursor_of(const void *at, size_t size)
{
    const uint8_t *from = at;

    return (struct trace_cursor){.at = from, .end = size ? from + size : from};
}

static inline size_t trace_left(const struct trace_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static inline uint8_t trace_get_byte(struct trace_cursor *cursor)
{
    if (cursor->at == cursor->end) {
        cursor->failed = true;
        return 0;
    }
    return *cursor->at++;
}

static inline uint64_t trace_get_fixed(struct trace_cursor *cursor, unsigned int size)
{
    uint64_t value = 0;

    for (unsigned int i = 0; i < size; i++)
        value |= (uint64_t)trace_get_byte(cursor) << (8 * i);
    return value;
}

static inline uint64_t trace_get_u(struct trace_cursor *cursor)
{
    uint64_t value = 0;

    for (unsigned int shift = 0; shift < 64; shift += 7) {
        uint8_t byte = trace_get_byte(cursor);

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (shift == 63 && byte > 1)
            break;
        if (!(byte & 0x80))
            return cursor->failed ? 0 : value;
    }
    cursor->failed = true;
    return 0;
}

static inline uint64_t trace_get_s(struct trace_cursor *cursor)
{
    return trace_unzigzag(trace_get_u(cursor));
}

/* The next `size` bytes in place, or NULL. */
static inline const uint8_t *trace_get_bytes(struct trace_cursor *cursor, size_t size)
{
    const uint8_t *at = cursor->at;

    if (cursor->failed || trace_left(cursor) < size) {
        cursor->failed = true;
        return NULL;
    }
    cursor->at += size;
    return at;
}

/* Fills the error; always -1, so that a failing function can return it. */
int trace_fail(struct trace_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
