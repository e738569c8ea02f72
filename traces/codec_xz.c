/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xz, for the text files of recordings. */
#include <stdlib.h>

#include <lzma.h>

#include "traces/codec.h"

/* `xz -9` needs 65 MiB to decompress; more than this is not a recording. */
#define XZ_MEMORY (256u << 20)

void *trace_xz_open(void)
{
    lzma_stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return NULL;
    if (lzma_stream_decoder(stream, XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

int trace_xz_step(void *opened, struct trace_inflate *io)
{
    lzma_stream *stream = opened;
    lzma_ret got;

    stream->next_in = io->in;
    stream->avail_in = io->in_size;
    stream->next_out = io->out;
    stream->avail_out = io->out_size;
    /* Without input the file has ended: only then can liblzma tell a whole file from a cut one. */
    got = lzma_code(stream, io->in_size ? LZMA_RUN : LZMA_FINISH);
    io->in = stream->next_in;
    io->in_size = stream->avail_in;
    io->out = stream->next_out;
    io->out_size = stream->avail_out;
    if (got == LZMA_STREAM_END)
        return 1;
    return got == LZMA_OK ? 0 : -1;
}

void trace_xz_close(void *opened)
{
    if (!opened)
        return;
    lzma_end(opened);
    free(opened);
}
