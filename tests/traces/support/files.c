/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scratch files; see files.h. */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lzma.h>
#include <zstd.h>

#include "tests/traces/support/files.h"

static void must(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

void scratch_make(struct scratch *scratch)
{
    snprintf(scratch->dir, sizeof(scratch->dir), "/tmp/faultline-test-XXXXXX");
    must(mkdtemp(scratch->dir) != NULL, "mkdtemp");
}

void scratch_remove(struct scratch *scratch)
{
    DIR *dir = opendir(scratch->dir);
    struct dirent *entry;

    must(dir != NULL, "opendir");
    while ((entry = readdir(dir)) != NULL)
        remove(scratch_path(scratch, entry->d_name));
    closedir(dir);
    rmdir(scratch->dir);
}

const char *scratch_path(const struct scratch *scratch, const char *name)
{
    static char paths[4][512];
    static unsigned int at;
    char *path = paths[at++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", scratch->dir, name);
    return path;
}

uint8_t *file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long end = 0;

    must(file != NULL, path);
    must(fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0, path);
    rewind(file);
    *size = (size_t)end;
    bytes = malloc(*size + 1);
    must(bytes != NULL && fread(bytes, 1, *size, file) == *size, path);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

void file_write(const char *path, const void *from, size_t size)
{
    FILE *file = fopen(path, "wb");

    must(file != NULL, path);
    must((size == 0 || fwrite(from, 1, size, file) == size) && fclose(file) == 0, path);
}

void file_write_packed(const char *path, const void *from, size_t size)
{
    size_t room = size + size / 2 + 4096, done = 0;
    uint8_t *packed = malloc(room);

    must(packed != NULL, "malloc");
    if (strcmp(path + strlen(path) - 3, ".xz") == 0) {
        must(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, from, size, packed, &done, room) ==
                 LZMA_OK,
             "lzma");
    } else {
        done = ZSTD_compress(packed, room, from, size, 1);
        must(!ZSTD_isError(done), "zstd");
    }
    file_write(path, packed, done);
    free(packed);
}
