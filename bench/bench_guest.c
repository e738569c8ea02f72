/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest `mix` through the whole model (both stages, TLBs, cycles, core beneath): nanoseconds
 * for a data access, the machine's construction included. Beside it the same loop in the engine
 * alone, in plain memory, without any hook: what the emulation costs before anything is modelled.
 * Half of the loop's accesses are stores, which the engine makes by a slow path of its own; a loop
 * of loads alone would run there many times as fast as any that asks for each access.
 */
#include "bench/bare.h"
#include "bench/shim.h"
#include "sim/loader.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS = 6000000, ACCESSES = 4, BYTES = 16 * 4096 };

struct mix {
    const char *image, *strategy;
    bool exact;
    struct bare *bare;
};

static void give_up(const char *why)
{
    fprintf(stderr, "bench_guest: %s\n", why);
    exit(1);
}

static uint64_t run_model(void *arg)
{
    const struct mix *mix = arg;
    char arguments[64];
    struct sim_guest_options options = {
        .image = mix->image,
        .strategy = sim_strategy_find(mix->strategy),
        .cpus = 1,
        .memory = UINT64_C(64) << 20,
        .arguments = arguments,
        .exact = mix->exact,
    };
    static struct sim_guest_result result;
    struct sim_error error;

    snprintf(arguments, sizeof(arguments), "iterations=%d", ITERATIONS);
    sim_config_init(&options.config);
    if (sim_guest_run(&options, &result, &error) != SIM_OK)
        give_up(error.text);
    if (result.end != SIM_GUEST_EXITED || result.status)
        give_up(result.text);
    return (uint64_t)ITERATIONS * ACCESSES;
}

static uint64_t run_bare(void *arg)
{
    const struct mix *mix = arg;

    if (!bare_call(mix->bare, ITERATIONS, (BYTES - 1) & ~7))
        give_up("the engine stopped elsewhere");
    return (uint64_t)ITERATIONS * ACCESSES;
}

/* The function mix_loop of the image, in an engine of its own. */
static struct bare *bare_loop(const char *path)
{
    struct sim_image image;
    struct sim_error error;
    struct bare *bare = NULL;

    if (sim_image_load(&image, path, &error) != SIM_OK)
        give_up(error.text);
    const char *name = image.names ? strstr(image.names, " mix_loop\n") : NULL;

    if (!name)
        give_up("the image has no function mix_loop");
    while (name > image.names && name[-1] != '\n')
        name--;
    uint64_t address = strtoull(name, NULL, 16);

    for (size_t i = 0; i < image.segments && !bare; i++) {
        const struct sim_segment *segment = &image.segment[i];
        uint64_t at = address - segment->va;

        if (at < segment->file_bytes)
            bare = bare_open(image.arch == TRACE_ARCH_X86_64, segment->content + at,
                             segment->file_bytes - at);
    }
    sim_image_free(&image);
    if (!bare)
        give_up("the engine refuses the loop");
    return bare;
}

int main(int argc, char **argv)
{
    struct mix arm64 = {.image = GUEST_DIR "/arm64/mix", .strategy = "reflect"};
    struct mix x86 = {.image = GUEST_DIR "/x86/mix", .strategy = "ept-inject"};
    struct mix exact = x86;
    const struct shim_row rows[] = {
        {"arm64, engine alone", NULL, run_bare, NULL, &arm64, 0, 0},
        {"arm64, whole model", NULL, run_model, NULL, &arm64, 0, 33.3},
        {"x86, engine alone", NULL, run_bare, NULL, &x86, 0, 0},
        {"x86, whole model", NULL, run_model, NULL, &x86, 0, 33.3},
        {"x86, whole model, exact", NULL, run_model, NULL, &exact, 0, 55.6},
    };

    exact.exact = true;
    arm64.bare = bare_loop(arm64.image);
    x86.bare = bare_loop(x86.image);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        shim_register(&rows[i]);
    shim_ratio("arm64: speed of the whole model over the engine alone (at least 0.8)",
               "arm64, engine alone", "arm64, whole model");
    shim_ratio("x86: the same (at least 0.8)", "x86, engine alone", "x86, whole model");
    shim_ratio("x86, exact", "x86, engine alone", "x86, whole model, exact");
    int status = shim_main(argc, argv, "Guests: the loop of workloads/guest/mix.c, a data access");

    bare_close(arm64.bare);
    bare_close(x86.bare);
    return status;
}
