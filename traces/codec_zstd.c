/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zstd, for the sections of native traces and for recorded access streams. */
#include <stdlib.h>

#include <zstd.h>

#include "traces/codec.h"

/* A window as long as the longest column of a block of the default size (4 Mi records). */
#define PACK_WINDOW_LOG 24
/* Recorded streams are compressed with a 128 MiB window. */
#define STREAM_WINDOW_LOG 27

struct trace_packer {
    ZSTD_CCtx *context;
};

struct trace_unpacker {
    ZSTD_DCtx *context;
};

void trace_packer_free(struct trace_packer *packer)
{
    if (!packer)
        return;
    ZSTD_freeCCtx(packer->context);
    free(packer);
}

struct trace_packer *trace_packer_new(int level)
{
    struct trace_packer *packer = calloc(1, sizeof(*packer));

    if (!packer)
        return NULL;
    packer->context = ZSTD_createCCtx();
    if (!packer->context ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->context, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->context, ZSTD_c_windowLog, PACK_WINDOW_LOG))) {
        trace_packer_free(packer);
        return NULL;
    }
    return packer;
}

int trace_pack(struct trace_packer *packer, struct trace_bytes *out, const void *from, size_t size)
{
    size_t done;

    if (size == 0)
        return 0;
    if (!trace_bytes_reserve(out, ZSTD_compressBound(size)))
        return -1;
    done = ZSTD_compress2(packer->context, out->at + out->size, out->room - out->size, from, size);
    if (ZSTD_isError(done))
        return -1;
    out->size += done;
    return 0;
}

void trace_unpacker_free(struct trace_unpacker *unpacker)
{
    if (!unpacker)
        return;
    ZSTD_freeDCtx(unpacker->context);
    free(unpacker);
}

struct trace_unpacker *trace_unpacker_new(void)
{
    struct trace_unpacker *unpacker = calloc(1, sizeof(*unpacker));

    if (!unpacker)
        return NULL;
    unpacker->context = ZSTD_createDCtx();
    if (!unpacker->context) {
        trace_unpacker_free(unpacker);
        return NULL;
    }
    return unpacker;
}

int trace_unpack(struct trace_unpacker *unpacker, void *to, size_t size, const void *packed,
                 size_t packed_size)
{
    if (size == 0)
        return packed_size == 0 ? 0 : -1;
    if (ZSTD_getFrameContentSize(packed, packed_size) != size)
        return -1;
    if (ZSTD_decompressDCtx(unpacker->context, to, size, packed, packed_size) != size)
        return -1;
    return 0;
}

struct zstd_stream {
    ZSTD_DStream *context;
};

void *trace_zstd_open(void)
{
    struct zstd_stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return NULL;
    stream->context = ZSTD_createDStream();
    if (!stream->context || ZSTD_isError(ZSTD_DCtx_setParameter(
                                stream->context, ZSTD_d_windowLogMax, STREAM_WINDOW_LOG))) {
        trace_zstd_close(stream);
        return NULL;
    }
    return stream;
}

int trace_zstd_step(void *opened, struct trace_inflate *io)
{
    struct zstd_stream *stream = opened;
    ZSTD_inBuffer in = {io->in, io->in_size, 0};
    ZSTD_outBuffer out = {io->out, io->out_size, 0};
    size_t hint = ZSTD_decompressStream(stream->context, &out, &in);

    if (ZSTD_isError(hint))
        return -1;
    io->in += in.pos;
    io->in_size -= in.pos;
    io->out += out.pos;
    io->out_size -= out.pos;
    return hint == 0;
}

void trace_zstd_close(void *opened)
{
    struct zstd_stream *stream = opened;

    if (!stream)
        return;
    ZSTD_freeDStream(stream->context);
    free(stream);
}
