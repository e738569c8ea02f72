/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The identity of a trace file: a checksum over the checksums of its pieces. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/codec.h"
#include "traces/trace.h"

enum { PIECE = 1 << 20 };

int trace_digest(const char *path, uint64_t *digest, struct trace_error *error)
{
    FILE *file = fopen(path, "rb");
    uint8_t *piece = malloc(PIECE);
    uint64_t chain[2] = {0, 0};
    size_t n;
    int failed = 0;

    if (!file || !piece) {
        trace_fail(error, "%s: %s", path, strerror(file ? ENOMEM : errno));
        failed = -1;
    }
    while (!failed && (n = fread(piece, 1, PIECE, file)) > 0) {
        chain[1] = trace_checksum(piece, n);
        chain[0] = trace_checksum(chain, sizeof(chain));
    }
    if (!failed && ferror(file)) {
        trace_fail(error, "%s: cannot be read to its end", path);
        failed = -1;
    }
    if (file)
        fclose(file);
    free(piece);
    *digest = chain[0];
    return failed;
}
