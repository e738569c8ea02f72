/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest images: freestanding ELF executables, checked and read into memory. */
#ifndef SIM_LOADER_H
#define SIM_LOADER_H

#include "sim/error.h"
#include "traces/trace.h"

enum { SIM_SEGMENTS_MAX = 16 };

struct sim_segment {
    uint64_t va, bytes; /* in memory; va is page aligned, segments are sorted and apart by pages */
    uint64_t file_bytes;
    const uint8_t *content;
    bool writable, executable;
};

struct sim_image {
    enum trace_arch arch;
    uint64_t entry;
    struct sim_segment segment[SIM_SEGMENTS_MAX];
    size_t segments;
    struct trace_extable *extable; /* section __ex_table, sorted by pc */
    size_t extable_count;
    char *names; /* "ADDRESS NAME" lines of the functions, for reports */
    void *file;
};

/*
 * Reads the image at `path`. Refused: what is no ELF executable of a machine that is modelled, has
 * no loadable segment or more than SIM_SEGMENTS_MAX, an address below the kernel's half, an entry
 * point outside executable segments, or an exception table that is cut short. The message says
 * where in the file, and what was expected.
 */
enum sim_status sim_image_load(struct sim_image *image, const char *path, struct sim_error *error);
void sim_image_free(struct sim_image *image);

#endif
