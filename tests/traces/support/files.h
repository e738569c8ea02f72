/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scratch files of a test. Each function ends the test when the system refuses. */
#ifndef TESTS_TRACES_FILES_H
#define TESTS_TRACES_FILES_H

#include <stddef.h>
#include <stdint.h>

struct scratch {
    char dir[64];
};

/* A new directory; scratch_remove removes it with all files in it. */
void scratch_make(struct scratch *scratch);
void scratch_remove(struct scratch *scratch);
/* "dir/name" in a static buffer of its own for each of the last four calls. */
const char *scratch_path(const struct scratch *scratch, const char *name);

/* The whole file, to be freed. */
uint8_t *file_read(const char *path, size_t *size);
void file_write(const char *path, const void *from, size_t size);
/* Compresses with the named program's format: "xz" or "zst" at the end of the path. */
void file_write_packed(const char *path, const void *from, size_t size);

#endif
