/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replacement policies and array geometry against naive models that keep the textbook state. */
#include <string.h>

#include "tests/mmu/support/world.h"

#define WAYS_MAX 64u

/* One set of a naive cache of page numbers; way of a page, or -1. */
struct naive {
    enum mmu_repl repl;
    unsigned int ways, filled;
    uint64_t page[WAYS_MAX];
    unsigned int order[WAYS_MAX]; /* LRU and FIFO: ways, oldest first */
    bool node[2 * WAYS_MAX];      /* PLRU: heap of bits, true: the victim is on the right */
};

static void naive_init(struct naive *naive, enum mmu_repl repl, unsigned int ways)
{
    *naive = (struct naive){.repl = repl, .ways = ways};
}

static void move_to_end(struct naive *naive, unsigned int way)
{
    unsigned int at = 0;

    while (naive->order[at] != way)
        at++;
    for (; at + 1 < naive->filled; at++)
        naive->order[at] = naive->order[at + 1];
    naive->order[naive->filled - 1] = way;
}

static unsigned int leaves(const struct naive *naive)
{
    unsigned int count = 1;

    while (count < naive->ways)
        count *= 2;
    return count;
}

/* Every node on the path turns away from the way. */
static void turn_away(struct naive *naive, unsigned int way)
{
    for (unsigned int at = leaves(naive) + way; at > 1; at /= 2)
        naive->node[at / 2] = (at & 1) == 0;
}

static unsigned int point_to(const struct naive *naive)
{
    unsigned int at = 1, count = leaves(naive), size = count, first = 0;

    while (at < count) {
        size /= 2;
        bool right = naive->node[at] && first + size < naive->ways;
        at = 2 * at + right;
        first += right ? size : 0;
    }
    return first;
}

static bool naive_access(struct naive *naive, uint64_t page)
{
    unsigned int way = 0;

    while (way < naive->filled && naive->page[way] != page)
        way++;
    bool hit = way < naive->filled;
    if (!hit && naive->filled < naive->ways) {
        naive->order[naive->filled++] = way;
    } else if (!hit) {
        way = naive->repl == MMU_REPL_PLRU ? point_to(naive) : naive->order[0];
    }
    naive->page[way] = page;
    if (!hit || naive->repl == MMU_REPL_LRU)
        move_to_end(naive, way);
    turn_away(naive, way);
    return hit;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* A flat stage 1 of 4K pages under a TLB of `sets` sets. */
static void open_flat(struct world *world, struct tree *s1, unsigned int entries, unsigned int ways,
                      enum mmu_repl repl, unsigned int pages)
{
    struct mmu_config config = {
        .cpus = 1, .l1d = {.entries = entries, .ways = ways, .repl = repl}, .seed = 7};

    *world = (struct world){0};
    world_open(world, &config);
    tree_init(s1, world, 12, 48, 3, 0);
    tree_range(s1, TWO_VA, (uint64_t)pages << 12, 0, TWO_PA, S1_PAGE);
    world_regs(world, s1, NULL);
}

/* Hits and misses of a random sequence must be those of the naive model, access by access; returns
 * the number of accesses that agreed. `flip` is the seeded fault: one naive answer is inverted. */
static unsigned int agree(enum mmu_repl repl, unsigned int sets, unsigned int ways,
                          unsigned int pages, uint64_t seed, bool fast, unsigned int flip)
{
    struct world world;
    struct tree s1;
    struct naive naive[8];
    unsigned int i;

    open_flat(&world, &s1, sets * ways, sets == 1 ? 0 : ways, repl, pages);
    for (i = 0; i < sets; i++)
        naive_init(&naive[i], repl, ways);
    for (i = 0; i < 20000; i++) {
        /* Half of the accesses go to a small set, so that order matters. */
        uint64_t page = next_random(&seed) % (next_random(&seed) & 1 ? pages : 1 + pages / 4);
        uint64_t va = TWO_VA + (page << 12);
        bool expected = naive_access(&naive[page % sets], page) ^ (i == flip);
        hyp_pa_t pa = {0};
        bool hit = fast && mmu_hit(mmu_cpu(world.mmu, 0), MMU_EL10, 1, MMU_READ, va, &pa);
        if (!hit) {
            struct mmu_result result = world_load(&world, va);
            pa = result.pa;
            hit = result.source == MMU_SRC_L1;
        }
        assert_int_equal(pa.v, TWO_PA + (page << 12));
        if (hit != expected)
            break;
    }
    world_close(&world);
    return i;
}

static void lru_fifo_and_tree_plru_agree_with_naive_models(void **state)
{
    static const enum mmu_repl repl[] = {MMU_REPL_LRU, MMU_REPL_FIFO, MMU_REPL_PLRU};
    static const struct {
        unsigned int sets, ways, pages;
    } shape[] = {{1, 1, 4},  {1, 2, 5},  {1, 8, 20}, {1, 48, 90}, {1, 13, 30},
                 {4, 4, 40}, {3, 5, 40}, {8, 2, 40}, {5, 12, 150}};

    (void)state;
    for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++)
        for (size_t j = 0; j < 3; j++)
            for (unsigned int fast = 0; fast < 2; fast++)
                assert_int_equal(agree(repl[j], shape[i].sets, shape[i].ways, shape[i].pages,
                                       i * 16 + j, fast != 0, UINT32_MAX),
                                 20000);
}

static void the_comparison_notices_a_single_wrong_answer(void **state)
{
    (void)state;
    assert_int_equal(agree(MMU_REPL_LRU, 1, 8, 20, 3, true, 777), 777);
}

static void the_policies_differ_from_each_other(void **state)
{
    static const enum mmu_repl repl[] = {MMU_REPL_LRU, MMU_REPL_FIFO, MMU_REPL_PLRU, MMU_REPL_NRU,
                                         MMU_REPL_RANDOM};
    uint64_t misses[5];

    (void)state;
    for (unsigned int i = 0; i < 5; i++) {
        struct world world;
        struct tree s1;
        uint64_t seed = 5;
        open_flat(&world, &s1, 16, 0, repl[i], 64);
        for (unsigned int n = 0; n < 5000; n++) {
            uint64_t page = next_random(&seed) % (next_random(&seed) & 1 ? 64 : 12);
            world_load(&world, TWO_VA + (page << 12));
        }
        misses[i] = mmu_counters(world.mmu)->l1_misses_read;
        assert_int_equal(mmu_counters(world.mmu)->walks, misses[i]);
        world_close(&world);
    }
    for (unsigned int i = 0; i < 5; i++)
        for (unsigned int j = 0; j < i; j++)
            assert_int_not_equal(misses[i], misses[j]);
}

/* A way that was used since the marks were last cleared is never the victim of NRU. */
static void nru_spares_what_was_used_since_the_marks_were_cleared(void **state)
{
    struct world world;
    struct tree s1;
    uint64_t resident[8], seed = 9;
    bool marked[8];

    (void)state;
    open_flat(&world, &s1, 8, 0, MMU_REPL_NRU, 64);
    for (unsigned int i = 0; i < 8; i++) {
        world_load(&world, TWO_VA + ((uint64_t)i << 12));
        resident[i] = i;
        marked[i] = true;
    }
    for (unsigned int n = 0; n < 3000; n++) {
        uint64_t page = next_random(&seed) % 24;
        bool hit = world_load(&world, TWO_VA + (page << 12)).source == MMU_SRC_L1;
        unsigned int way = 0, unmarked = 0;
        while (way < 8 && resident[way] != page)
            way++;
        assert_int_equal(hit, way < 8);
        if (hit) {
            marked[way] = true;
            continue;
        }
        for (unsigned int i = 0; i < 8; i++)
            unmarked += !marked[i];
        if (unmarked == 0)
            memset(marked, 0, sizeof(marked));
        /* Whom it evicted is found without disturbing anything: a probe of the entries. */
        const struct mmu_tlb *tlb = &mmu_cpu(world.mmu, 0)->l1[0].tlb;
        for (way = 0; way < 8; way++)
            if (tlb->entries[way].va == TWO_VA + (page << 12))
                break;
        assert_true(way < 8);
        assert_false(marked[way]);
        resident[way] = page;
        marked[way] = true;
    }
    world_close(&world);
}

static void random_victims_repeat_with_the_seed_and_reach_every_way(void **state)
{
    uint64_t misses[3];

    (void)state;
    for (unsigned int i = 0; i < 3; i++) {
        struct mmu_config config = {
            .cpus = 1, .l1d = {.entries = 8, .repl = MMU_REPL_RANDOM}, .seed = i == 2 ? 99 : 1};
        struct world world = {0};
        struct tree s1;
        bool seen[8] = {false};
        uint64_t seed = 4;
        world_open(&world, &config);
        tree_init(&s1, &world, 12, 48, 3, 0);
        tree_range(&s1, TWO_VA, 64 << 12, 0, TWO_PA, S1_PAGE);
        world_regs(&world, &s1, NULL);
        for (unsigned int n = 0; n < 2000; n++) {
            uint64_t va = TWO_VA + ((next_random(&seed) % 20) << 12);
            if (world_load(&world, va).source == MMU_SRC_L1)
                continue;
            const struct mmu_tlb *tlb = &mmu_cpu(world.mmu, 0)->l1[0].tlb;
            for (unsigned int way = 0; way < 8; way++)
                seen[way] |= n > 8 && tlb->entries[way].va == va;
        }
        misses[i] = mmu_counters(world.mmu)->l1_misses_read;
        for (unsigned int way = 0; way < 8; way++)
            assert_true(seen[way]);
        world_close(&world);
    }
    assert_int_equal(misses[0], misses[1]);
    assert_int_not_equal(misses[0], misses[2]);
}

/* ---- laws ---- */

static void an_endless_tlb_misses_once_for_each_distinct_page(void **state)
{
    struct world world;
    struct tree s1;
    uint64_t seed = 11, distinct = 0;
    static bool seen[3000];

    (void)state;
    memset(seen, 0, sizeof(seen));
    open_flat(&world, &s1, 4096, 0, MMU_REPL_LRU, 3000);
    for (unsigned int n = 0; n < 20000; n++) {
        uint64_t page = next_random(&seed) % 3000;
        distinct += !seen[page];
        seen[page] = true;
        world_load(&world, TWO_VA + (page << 12));
    }
    assert_int_equal(mmu_counters(world.mmu)->l1_misses_read, distinct);
    assert_int_equal(mmu_counters(world.mmu)->accesses, 20000);
    world_close(&world);
}

static void a_larger_lru_tlb_hits_wherever_a_smaller_one_does(void **state)
{
    struct world world[2];
    struct tree s1[2];
    uint64_t seed = 12;

    (void)state;
    open_flat(&world[0], &s1[0], 8, 0, MMU_REPL_LRU, 64);
    open_flat(&world[1], &s1[1], 12, 0, MMU_REPL_LRU, 64);
    for (unsigned int n = 0; n < 20000; n++) {
        uint64_t va = TWO_VA + ((next_random(&seed) % (next_random(&seed) & 1 ? 64 : 10)) << 12);
        bool small = world_load(&world[0], va).source == MMU_SRC_L1;
        bool large = world_load(&world[1], va).source == MMU_SRC_L1;
        assert_true(large || !small);
    }
    assert_true(mmu_counters(world[0].mmu)->l1_misses_read >
                mmu_counters(world[1].mmu)->l1_misses_read);
    world_close(&world[0]);
    world_close(&world[1]);
}

static void an_lru_tlb_of_n_entries_holds_n_pages_and_thrashes_at_n_plus_1(void **state)
{
    (void)state;
    for (unsigned int pages = 72; pages <= 73; pages++) {
        struct world world;
        struct tree s1;
        open_flat(&world, &s1, 72, 0, MMU_REPL_LRU, 80);
        for (unsigned int n = 0; n < 10 * pages; n++)
            world_load(&world, TWO_VA + ((uint64_t)(n % pages) << 12));
        assert_int_equal(mmu_counters(world.mmu)->l1_misses_read, pages == 72 ? 72 : 730);
        world_close(&world);
    }
}

static void an_invalid_way_is_taken_before_a_victim(void **state)
{
    struct world world;
    struct tree s1;

    (void)state;
    open_flat(&world, &s1, 4, 0, MMU_REPL_LRU, 8);
    for (uint64_t page = 0; page < 4; page++)
        world_load(&world, TWO_VA + (page << 12));
    world_inval(&world, MMU_TLBI_VAE1, TWO_VA + 0x2000, 0);
    world_load(&world, TWO_VA + 0x5000);
    assert_int_equal(world_load(&world, TWO_VA).source, MMU_SRC_L1);
    assert_int_equal(world_load(&world, TWO_VA + 0x1000).source, MMU_SRC_L1);
    assert_int_equal(world_load(&world, TWO_VA + 0x3000).source, MMU_SRC_L1);
    assert_int_equal(world_load(&world, TWO_VA + 0x2000).source, MMU_SRC_WALK);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lru_fifo_and_tree_plru_agree_with_naive_models),
        cmocka_unit_test(the_comparison_notices_a_single_wrong_answer),
        cmocka_unit_test(the_policies_differ_from_each_other),
        cmocka_unit_test(nru_spares_what_was_used_since_the_marks_were_cleared),
        cmocka_unit_test(random_victims_repeat_with_the_seed_and_reach_every_way),
        cmocka_unit_test(an_endless_tlb_misses_once_for_each_distinct_page),
        cmocka_unit_test(a_larger_lru_tlb_hits_wherever_a_smaller_one_does),
        cmocka_unit_test(an_lru_tlb_of_n_entries_holds_n_pages_and_thrashes_at_n_plus_1),
        cmocka_unit_test(an_invalid_way_is_taken_before_a_victim),
    };

    return cmocka_run_group_tests_name("repl", tests, NULL, NULL);
}
