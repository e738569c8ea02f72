/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compressors and the checksum that files are made of. Nothing else names zstd, lzma, xxhash.
 */
#ifndef TRACES_CODEC_H
#define TRACES_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "traces/bytes.h"

struct trace_packer;

/* A compressor for whole sections; NULL without memory. level as zstd counts. */
struct trace_packer *trace_packer_new(int level);
void trace_packer_free(struct trace_packer *packer);
/* Appends one zstd frame with `size` bytes to `out` (nothing when size is 0). 0 or -1. */
int trace_pack(struct trace_packer *packer, struct trace_bytes *out, const void *from, size_t size);

struct trace_unpacker;

struct trace_unpacker *trace_unpacker_new(void);
void trace_unpacker_free(struct trace_unpacker *unpacker);
/* The frame must hold exactly `size` bytes. 0 or -1. */
int trace_unpack(struct trace_unpacker *unpacker, void *to, size_t size, const void *packed,
                 size_t packed_size);

/* Stream decompression for inputs. `in` and `out` advance; returns 1 at the end of the data, 0 when
 * more input or room is needed, -1 when the data is broken. */
struct trace_inflate {
    const uint8_t *in;
    size_t in_size;
    uint8_t *out;
    size_t out_size;
};

void *trace_zstd_open(void);
int trace_zstd_step(void *stream, struct trace_inflate *io);
void trace_zstd_close(void *stream);

void *trace_xz_open(void);
int trace_xz_step(void *stream, struct trace_inflate *io);
void trace_xz_close(void *stream);

/* XXH64 with seed 0. */
uint64_t trace_checksum(const void *from, size_t size);

#endif
