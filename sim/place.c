/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement: which page is donated in place of the recorded one.
 *
 * A placed page and the free page that it went to change places: each stands for the other from
 * then on, so that every recorded access keeps its data and only the neighbourhood changes. The
 * carve-out lends pages of a region of its own and takes them back on reclaim. As a policy it only
 * decides about the place; under the strategy of that name the region is out of the direct map,
 * too.
 */
#include <hyp/bits.h>
#include <stdlib.h>

#include "sim/machine.h"

enum { RANDOM_TRIES = 64 };
enum policy { RECORDED, RANDOM, CLUSTERED, HUGE_FIRST, CARVE_OUT };

static uint64_t index_of(const struct sim *sim, hyp_pa_t pa)
{
    return (pa.v - sim->layout.ram_start.v) >> sim_page_shift(sim);
}

static hyp_pa_t pa_of(const struct sim *sim, uint64_t index)
{
    return hyp_pa_add(sim->layout.ram_start, index << sim_page_shift(sim));
}

/* Sets `pages` more pages apart for the carve-out. */
static bool carve_grow(struct sim *sim, uint64_t pages, bool migrate)
{
    hyp_pa_t start = sim->carve_limit, end = hyp_pa_add(start, pages << sim_page_shift(sim));

    if (!pages || end.v > sim->layout.carve_end.v)
        return false;
    if (!sim_host_extend(sim, start, end))
        return false;
    for (uint64_t i = 0; i < pages; i++) {
        hyp_pa_t pa = hyp_pa_add(start, i << sim_page_shift(sim));

        if (sim->strategy->carve_out)
            sim_direct_map_invalid(sim, sim->cpu, pa);
        if (migrate)
            sim_charge(sim, SIM_CAUSE_migrate, SIM_COST(sim, migrate_page));
        sim->carve_free[sim->carve_free_count++] =
            (uint32_t)(((end.v - sim->layout.carve.v) >> sim_page_shift(sim)) - i - 1);
    }
    if (sim->strategy->carve_out)
        sim_flush_kernel_range(sim, sim->cpu, start, pages);
    sim->carve_limit = end;
    if (sim->carve_free_count > sim->stats.count[SIM_COUNT_stranded_peak])
        sim->stats.count[SIM_COUNT_stranded_peak] = sim->carve_free_count;
    return true;
}

enum sim_status sim_place_boot(struct sim *sim, struct sim_error *error)
{
    uint64_t pages = (sim->layout.carve_end.v - sim->layout.carve.v) >> sim_page_shift(sim);

    sim->carves = sim->strategy->carve_out || SIM_GET(&sim->config, place, policy) == CARVE_OUT;
    sim->moves_pages = sim->carves || SIM_GET(&sim->config, place, policy) != RECORDED;
    sim->place_random = SIM_GET(&sim->config, place, seed);
    sim->carve_limit = sim->layout.carve;
    sim->carve_free = calloc(pages ? pages : 1, sizeof(*sim->carve_free));
    if (!sim->carve_free)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    if (sim->carves && !sim->strategy->baseline &&
        !carve_grow(sim, SIM_GET(&sim->config, place, carve_pages), false))
        return sim_fail(error, SIM_USAGE, "place.carve_pages: the carve-out does not fit");
    return SIM_OK;
}

static bool place_in_carve_out(struct sim *sim, struct sim_lend *lend)
{
    uint64_t grow = SIM_GET(&sim->config, place, carve_grow);

    if (!sim->carve_free_count && !carve_grow(sim, grow, true))
        return false;
    lend->pa = hyp_pa_add(sim->layout.carve, (uint64_t)sim->carve_free[--sim->carve_free_count]
                                                 << sim_page_shift(sim));
    lend->page->moved = (uint32_t)(index_of(sim, lend->pa) ^ index_of(sim, lend->recorded));
    return true;
}

static bool usable(const struct sim *sim, uint64_t index)
{
    const struct sim_page *page = &sim->pages[index];

    return page->free && page->lent == SIM_NOT_LENT && !page->moved;
}

static uint64_t next_random(struct sim *sim)
{
    uint64_t x = sim->place_random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return sim->place_random = x;
}

/* The next usable page from the cursor on, once around; page_count when there is none. */
static uint64_t next_usable(struct sim *sim)
{
    for (uint64_t i = 0; i < sim->page_count; i++) {
        uint64_t index = (sim->place_cursor + i) % sim->page_count;

        if (usable(sim, index)) {
            sim->place_cursor = index + 1;
            return index;
        }
    }
    return sim->page_count;
}

/* Pages of a block. */
static uint64_t huge_pages(const struct sim *sim)
{
    return sim_page_bytes(sim) / 8;
}

/* The first run of usable pages that make a block: the cursor moves there. */
static void seek_huge(struct sim *sim)
{
    const uint64_t huge = huge_pages(sim);

    for (uint64_t base = 0; base + huge <= sim->page_count; base += huge) {
        uint64_t n = 0;

        while (n < huge && usable(sim, base + n))
            n++;
        if (n == huge) {
            sim->place_cursor = base;
            return;
        }
    }
}

static uint64_t choose(struct sim *sim, enum policy policy)
{
    if (policy == RANDOM) {
        for (int i = 0; i < RANDOM_TRIES; i++) {
            uint64_t index = next_random(sim) % sim->page_count;

            if (usable(sim, index))
                return index;
        }
    }
    if (policy == HUGE_FIRST && (sim->place_cursor % huge_pages(sim) == 0 ||
                                 !usable(sim, sim->place_cursor % sim->page_count)))
        seek_huge(sim);
    return next_usable(sim);
}

bool sim_place(struct sim *sim, struct sim_lend *lend)
{
    enum policy policy = (enum policy)SIM_GET(&sim->config, place, policy);
    uint64_t from = index_of(sim, lend->recorded);

    if (sim->carves)
        return place_in_carve_out(sim, lend);
    lend->pa = pa_of(sim, from ^ lend->page->moved);
    if (policy == RECORDED || lend->page->moved)
        return true;
    uint64_t to = choose(sim, policy);

    if (to == sim->page_count || to == from)
        return true;
    sim->pages[to].moved = lend->page->moved = (uint32_t)(from ^ to);
    lend->pa = pa_of(sim, to);
    return true;
}

void sim_unplace(struct sim *sim, struct sim_lend *lend)
{
    if (!sim->carves)
        return;
    sim->carve_free[sim->carve_free_count++] =
        (uint32_t)((lend->pa.v - sim->layout.carve.v) >> sim_page_shift(sim));
    if (sim->carve_free_count > sim->stats.count[SIM_COUNT_stranded_peak])
        sim->stats.count[SIM_COUNT_stranded_peak] = sim->carve_free_count;
    lend->page->moved = 0;
}
