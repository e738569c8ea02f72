/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many runs of one trace. Each run has a machine and a reader of its own, so the results are the
 * same on any number of threads.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "sim/sim.h"

struct plan {
    const char *path;
    const struct sim_run *runs;
    size_t count;
    atomic_size_t next;
    atomic_bool failed;
    pthread_mutex_t lock; /* of what follows */
    sim_done_fn *done;
    sim_progress_fn *progress;
    void *arg;
    uint64_t position;
    enum sim_status status; /* of the first failure, by the order of runs */
    size_t first;
    struct sim_error *error;
};

struct ticker {
    struct plan *plan;
    uint64_t last;
};

static void tick(void *arg, uint64_t position)
{
    struct ticker *ticker = arg;
    struct plan *plan = ticker->plan;

    pthread_mutex_lock(&plan->lock);
    plan->position += position - ticker->last;
    plan->progress(plan->arg, plan->position);
    pthread_mutex_unlock(&plan->lock);
    ticker->last = position;
}

static enum sim_status run_one(struct plan *plan, size_t i, struct sim_result *result,
                               struct sim_error *error)
{
    struct ticker ticker = {.plan = plan};
    struct trace_error trace_error;
    struct trace_source *source = trace_open(plan->path, &trace_error);
    struct sim *sim;

    if (!source)
        return sim_fail(error, SIM_BAD_INPUT, "%s", trace_error.text);
    enum sim_status status = sim_open(&sim, &plan->runs[i].config, plan->runs[i].strategy,
                                      source->header(source), error);

    if (status == SIM_OK) {
        status = sim_replay(sim, source, plan->progress ? tick : NULL, &ticker, error);
        sim_result(sim, result);
        sim_close(sim);
    }
    source->close(source);
    return status;
}

static void *worker(void *arg)
{
    struct plan *plan = arg;
    struct sim_result *result = malloc(sizeof(*result));
    size_t i;

    while (!atomic_load(&plan->failed) && (i = atomic_fetch_add(&plan->next, 1)) < plan->count) {
        struct sim_error error = {.status = SIM_OK};
        enum sim_status status = result ? run_one(plan, i, result, &error)
                                        : sim_fail(&error, SIM_INTERNAL, "out of memory");

        pthread_mutex_lock(&plan->lock);
        status = plan->done(plan->arg, i, status == SIM_OK ? result : NULL, &error);
        if (status != SIM_OK && i < plan->first) {
            plan->first = i;
            plan->status = status;
            *plan->error = error;
        }
        pthread_mutex_unlock(&plan->lock);
        if (status != SIM_OK)
            atomic_store(&plan->failed, true);
    }
    free(result);
    return NULL;
}

enum sim_status sim_run_many(const char *path, const struct sim_run *runs, size_t count,
                             unsigned int jobs, sim_done_fn *done, sim_progress_fn *progress,
                             void *arg, struct sim_error *error)
{
    struct plan plan = {
        .path = path,
        .runs = runs,
        .count = count,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .done = done,
        .progress = progress,
        .arg = arg,
        .first = SIZE_MAX,
        .error = error,
    };
    pthread_t threads[64];
    unsigned int started = 0;

    while (started + 1 < jobs && started + 1 < count &&
           started < sizeof(threads) / sizeof(threads[0]) &&
           !pthread_create(&threads[started], NULL, worker, &plan))
        started++;
    worker(&plan);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    return plan.status;
}

/* ---- one configuration, many strategies ---- */

struct comparison {
    struct sim_result *results;
    sim_progress_fn *progress;
    void *arg;
};

static enum sim_status keep_result(void *arg, size_t index, const struct sim_result *result,
                                   struct sim_error *error)
{
    struct comparison *comparison = arg;

    if (!result)
        return error->status;
    comparison->results[index] = *result;
    return SIM_OK;
}

static void pass_progress(void *arg, uint64_t position)
{
    struct comparison *comparison = arg;

    comparison->progress(comparison->arg, position);
}

enum sim_status sim_compare(const char *path, const struct sim_config *config,
                            const struct sim_strategy *const *strategies, size_t count,
                            unsigned int jobs, struct sim_result *results,
                            sim_progress_fn *progress, void *arg, struct sim_error *error)
{
    struct comparison comparison = {results, progress, arg};
    struct sim_run *runs = calloc(count ? count : 1, sizeof(*runs));

    if (!runs)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    for (size_t i = 0; i < count; i++)
        runs[i] = (struct sim_run){strategies[i], *config};
    enum sim_status status = sim_run_many(path, runs, count, jobs, keep_result,
                                          progress ? pass_progress : NULL, &comparison, error);

    free(runs);
    return status;
}

enum sim_status sim_strategies_for(const char *path, const struct sim_strategy **strategies,
                                   size_t *count, struct sim_error *error)
{
    struct trace_error trace_error;
    struct trace_source *source = trace_open(path, &trace_error);
    const struct sim_strategy *strategy;

    if (!source)
        return sim_fail(error, SIM_BAD_INPUT, "%s", trace_error.text);
    *count = 0;
    for (size_t i = 0; i < SIM_STRATEGIES_MAX && (strategy = sim_strategy_at(i)); i++)
        if (sim_strategy_fits(strategy, source->header(source)))
            strategies[(*count)++] = strategy;
    source->close(source);
    return SIM_OK;
}

static bool among(const char *name, const struct sim_strategy *const *strategies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strategies[i] == sim_strategy_find(name))
            return true;
    return false;
}

enum sim_status sim_check_recording(const char *path, const struct sim_config *config,
                                    struct sim_result *result, struct sim_error *error)
{
    /* What a recorded machine did, and what it takes to do the same. */
    static const char *const machines[][4] = {
        {"secretmem", "donate.kinds=unmapped", "place.policy=recorded", "s1.bbm=2"},
        {"el2-bug", "donate.kinds=hypervisor", "place.policy=recorded", "s2.enable=1"},
    };
    const struct sim_strategy *fitting[SIM_STRATEGIES_MAX];
    size_t count = 0;
    enum sim_status status = sim_strategies_for(path, fitting, &count, error);

    for (size_t i = 0; i < 2 && status == SIM_OK; i++) {
        const struct sim_strategy *strategy = sim_strategy_find(machines[i][0]);
        struct sim_config check = *config;

        if (!among(machines[i][0], fitting, count))
            break;
        for (size_t k = 1; k < 4 && status == SIM_OK; k++)
            status = sim_config_set(&check, machines[i][k], error);
        if (status == SIM_OK)
            status = sim_compare(path, &check, &strategy, 1, 1, result, NULL, NULL, error);
        if (status == SIM_OK &&
            result->stats.count[SIM_COUNT_donations] + result->stats.count[SIM_COUNT_initial])
            break;
    }
    return status;
}
