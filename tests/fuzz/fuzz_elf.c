/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loader of guest images. */
#define _POSIX_C_SOURCE 200809L

#include "sim/loader.h"
#include "tests/fuzz/scratch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_error error = {.text = ""};
    struct sim_image image;
    uint64_t sum = 0;

    if (sim_image_load(&image, scratch_file("fuzz-elf", data, size), &error) != SIM_OK) {
        if (error.text[0] == '\0')
            abort();
        return 0;
    }
    /* Everything that a loaded image points to is there. */
    for (size_t i = 0; i < image.segments; i++)
        for (uint64_t byte = 0; byte < image.segment[i].file_bytes; byte++)
            sum += image.segment[i].content[byte];
    for (size_t i = 0; i < image.extable_count; i++)
        sum += image.extable[i].pc;
    __asm__ volatile("" : : "r"(sum));
    sim_image_free(&image);
    return 0;
}
