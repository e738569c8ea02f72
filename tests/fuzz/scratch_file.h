/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives the bytes of a fuzzer's input a path, because the readers open paths. */
#ifndef TESTS_FUZZ_SCRATCH_FILE_H
#define TESTS_FUZZ_SCRATCH_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Writes the bytes into "/tmp/NAME-PID", which stays there for the next input. */
static inline const char *scratch_file(const char *name, const void *from, size_t size)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "/tmp/%s-%ld", name, (long)getpid());
    file = fopen(path, "wb");
    if (!file || (size && fwrite(from, 1, size, file) != size) || fclose(file) != 0)
        abort();
    return path;
}

#endif
