/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole replay of a bundled recording, one thread, decoding included: nanoseconds for an
 * access. Beside it decoding alone, so that the share of the model can be seen. Memory is what
 * jemalloc says was allocated for the machine.
 */
#include "bench/shim.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define ARM64_A SOURCE_DIR "/traces/data/arm64-a.fltrace"
#define AMD64_A SOURCE_DIR "/traces/data/amd64-a.fltrace"

struct replay {
    const char *path, *strategy;
    struct sim_result result;
};

static void give_up(const char *why)
{
    fprintf(stderr, "bench_replay: %s\n", why);
    exit(1);
}

static uint64_t decode(void *arg)
{
    struct trace_error error;
    struct trace_block block;
    struct trace_source *source = trace_open(ARM64_A, &error);
    uint64_t records = 0;
    int more;

    (void)arg;
    if (!source)
        give_up(error.text);
    while ((more = source->next(source, &block, &error)) > 0)
        records += block.count;
    source->close(source);
    if (more < 0)
        give_up(error.text);
    return records;
}

static uint64_t replay(void *arg)
{
    struct replay *bench = arg;
    const struct sim_strategy *strategy = sim_strategy_find(bench->strategy);
    struct sim_config config;
    struct sim_error error;

    sim_config_init(&config);
    if (sim_compare(bench->path, &config, &strategy, 1, 1, &bench->result, NULL, NULL, &error))
        give_up(error.text);
    return bench->result.stats.count[SIM_COUNT_accesses];
}

int main(int argc, char **argv)
{
    static struct replay none = {.path = ARM64_A, .strategy = "none"},
                         reflect = {.path = ARM64_A, .strategy = "reflect"},
                         unmap = {.path = ARM64_A, .strategy = "direct-map-unmap"},
                         inject = {.path = AMD64_A, .strategy = "ept-inject"};
    const struct shim_row rows[] = {
        {"decode arm64-a, per record", NULL, decode, NULL, NULL, 0, 0},
        {"replay arm64-a, none", NULL, replay, NULL, &none, 0, 25},
        {"replay arm64-a, reflect", NULL, replay, NULL, &reflect, 0, 25},
        {"replay arm64-a, direct-map-unmap", NULL, replay, NULL, &unmap, 0, 25},
        {"replay amd64-a, ept-inject", NULL, replay, NULL, &inject, 0, 28.6},
    };

    for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        shim_register(&rows[i]);
    shim_ratio("reflect on arm64-a over decoding alone", rows[2].name, rows[0].name);
    replay(&reflect);
    shim_figure("memory for the machine, reflect", (double)reflect.result.memory_bytes / 1048576.0,
                "MiB, at most 256");
    return shim_main(
        argc, argv,
        "replay of traces/data, neoverse-n1 and zen4, decode included; goals: 40 million "
        "accesses a second on arm64, 35 million on x86-64");
}
