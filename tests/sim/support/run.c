/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/support/run.h"

#include <unistd.h>

#include "tests/support/cmocka_all.h"

struct sim_guest_options guest_options(const char *image, const char *strategy)
{
    struct sim_guest_options options = {
        .image = image,
        .strategy = sim_strategy_find(strategy),
        .cpus = 1,
        .memory = UINT64_C(256) << 20,
        .limit = UINT64_C(100) << 20,
    };

    assert_non_null(options.strategy);
    sim_config_init(&options.config);
    return options;
}

void guest_run_image(const struct sim_guest_options *options, struct sim_guest_result *result)
{
    struct sim_error error = {0};

    if (sim_guest_run(options, result, &error) != SIM_OK)
        fail_msg("%s: %s", options->image, error.text);
}

uint64_t guest_count(const struct sim_guest_result *result, enum sim_count which)
{
    return result->run.stats.count[which];
}

enum sim_status guest_run_file(const struct elf_file *file, struct sim_guest_options *options,
                               struct sim_guest_result *result, struct sim_error *error)
{
    char path[64];
    enum sim_status status;

    elf_write(file, sizeof(*file), path);
    options->image = path;
    status = sim_guest_run(options, result, error);
    unlink(path);
    options->image = "";
    return status;
}
