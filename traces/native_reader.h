/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The native reader's state, shared by reading in order (native_read.c) and seeking
 * (native_seek.c). */
#ifndef TRACES_NATIVE_READER_H
#define TRACES_NATIVE_READER_H

#include "traces/codec.h"
#include "traces/native.h"

typedef unsigned long long ull;

struct native_reader {
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

int native_reader_next(struct trace_source *source, struct trace_block *block,
                       struct trace_error *error);
/* Reads up to `size` bytes after what `to` holds; fewer only at the end of the file. */
size_t native_reader_read(struct native_reader *reader, struct trace_bytes *to, uint64_t size);
/* Adds the sites of section 0. NULL, or what is wrong. */
const char *native_reader_sites(struct native_reader *reader, const uint8_t *raw, size_t size);
/* The message about a broken block that begins at this byte; -1. */
int native_reader_corrupt(const struct native_reader *reader, uint64_t begins, const char *what,
                          struct trace_error *error);
/* Remembers the message, so that each later call repeats it; -1. */
int native_reader_fail(struct native_reader *reader, const struct trace_error *error);

#endif
