/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests that run, with the options that tests start from. */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include "tests/sim/support/elf.h"

/* One CPU, 256 MiB, a limit of 100 M instructions. */
struct sim_guest_options guest_options(const char *image, const char *strategy);
/* Runs; asserts that it can. */
void guest_run_image(const struct sim_guest_options *options, struct sim_guest_result *result);
/* Runs an image made by hand. */
enum sim_status guest_run_file(const struct elf_file *file, struct sim_guest_options *options,
                               struct sim_guest_result *result, struct sim_error *error);
uint64_t guest_count(const struct sim_guest_result *result, enum sim_count which);

#endif
