/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random registers over random memory: whatever software writes, the model answers, and a machine
 * with every cache answers as one without any, as long as nothing in it is stale.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/mmu/support/world.h"

#define TABLE_BYTES (UINT64_C(1) << 20)

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 31 ^ *seed << 33;
}

/* Mostly valid descriptors whose addresses stay inside the tables. No contiguous hints: a run that
 * is none makes its neighbours wrong, in any machine with a TLB. */
static void scatter(struct world *world, uint64_t *seed)
{
    for (uint64_t pa = 0; pa < TABLE_BYTES; pa += 8) {
        uint64_t word = next_random(seed);
        uint64_t kind = next_random(seed) & 63;
        word &= UINT64_C(0xffe8000000000fff) | (TABLE_BYTES - 0x1000);
        if (kind != 0)
            word |= 3; /* a table, or a page */
        if (kind > 52)
            word ^= 2; /* a block */
        if (kind > 2)
            word |= DESC_AF;
        if (kind == 2)
            word |= next_random(seed) & UINT64_C(0x0000fffffff00000);
        world_write(world, pa, word);
    }
}

static struct mmu_arm64_regs any_registers(uint64_t *seed)
{
    static const uint8_t pa_bits[] = {32, 36, 40, 44, 48, 52};
    uint64_t flags = next_random(seed), tables = TABLE_BYTES - 0x1000;
    struct mmu_arm64_regs regs = {
        .sctlr = (next_random(seed) & 0x80000) | (flags % 8 != 0),
        .tcr = next_random(seed),
        .ttbr0 = next_random(seed) & (tables | UINT64_C(0xffff000000000000)),
        .ttbr1 = next_random(seed) & (tables | UINT64_C(0xffff000000000000)),
        .mair = next_random(seed),
        .hcr = (flags >> 3) % 4 != 0,
        .vtcr = next_random(seed),
        .vttbr = next_random(seed) & (tables | UINT64_C(0xffff000000000000)),
        .pa_bits = pa_bits[(flags >> 5) % 6],
        .lpa2 = flags >> 8 & 1,
        .hafdbs = flags >> 9 & 1,
        .xnx = flags >> 10 & 1,
        .fwb = flags >> 11 & 1,
        .pan = flags >> 12 & 1,
    };

    if (flags >> 13 & 3) { /* sizes that make sense, mostly */
        uint64_t txsz = 16 + (flags >> 16) % 24;
        regs.tcr = (regs.tcr & ~UINT64_C(0x7003fffff)) | txsz | txsz << 16 | UINT64_C(5) << 32;
        regs.vtcr = (regs.vtcr & ~UINT64_C(0x300070fff)) | 24 | 1 << 6 | 5 << 16;
    }
    return regs;
}

static struct mmu_request any_request(uint64_t *seed)
{
    uint64_t bits = next_random(seed), va = next_random(seed) >> (bits % 48);

    return (struct mmu_request){.va = bits >> 8 & 1 ? ~va : va,
                                .regime = (uint8_t)((bits >> 9) % 3),
                                .el = (uint8_t)((bits >> 12) % 3),
                                .access = (uint8_t)((bits >> 16) % 3)};
}

/* The size may be smaller with caches: that of a piece in the ipa cache, met twice in one walk. */
static bool same_outcome(const struct mmu_result *cached, const struct mmu_result *plain)
{
    return cached->fault == plain->fault && cached->stage == plain->stage &&
           cached->level == plain->level && cached->s1ptw == plain->s1ptw &&
           cached->pa.v == plain->pa.v && cached->ipa.v == plain->ipa.v &&
           cached->attr == plain->attr && cached->page_shift <= plain->page_shift;
}

static void flush(struct mmu *mmu)
{
    struct mmu_inval all = {.op = MMU_TLBI_ALLE1, .ttl = -1};

    mmu_invalidate(mmu, &all);
    all.op = MMU_TLBI_ALLE2;
    mmu_invalidate(mmu, &all);
}

struct chaos {
    struct world world; /* with caches */
    struct mmu *bare;   /* without; the same memory */
    uint64_t seed;
    bool resting; /* tables do not change, so nothing is flushed within a round */
    unsigned int translated, walk_hits;
};

static void compare(struct chaos *chaos, const struct mmu_request *request)
{
    struct mmu_result cached, plain, again;

    if (!chaos->resting)
        flush(chaos->world.mmu);
    mmu_translate(chaos->world.mmu, request, &cached);
    mmu_translate(chaos->bare, request, &plain);
    assert_true(same_outcome(&cached, &plain));
    /* Now from the TLB, if it was worth keeping: the same place and the same rights. */
    mmu_translate(chaos->world.mmu, request, &again);
    assert_int_equal(again.pa.v, plain.pa.v);
    assert_int_equal(again.fault, plain.fault);
    assert_true((plain.fault == MMU_OK) == (plain.stage == 0));
    chaos->translated += plain.fault == MMU_OK && plain.source != MMU_SRC_OFF;
}

static void round_of(struct chaos *chaos)
{
    struct mmu_request near = any_request(&chaos->seed);

    chaos->world.regs = any_registers(&chaos->seed);
    if (chaos->resting)
        chaos->world.regs.hafdbs = false;
    for (unsigned int regime = 0; regime < MMU_X86; regime++) {
        world_set(&chaos->world, (enum mmu_regime)regime);
        mmu_set_regs(chaos->bare, 0, (enum mmu_regime)regime, &chaos->world.regs);
    }
    flush(chaos->world.mmu);
    for (unsigned int i = 0; i < 64; i++) {
        struct mmu_request request = any_request(&chaos->seed);
        if (i % 2) { /* close to each other, so that tables are shared */
            request.va = near.va ^ (request.va & 0x3fffff);
            request.regime = near.regime;
        }
        compare(chaos, &request);
    }
}

static void run(bool resting)
{
    struct chaos chaos = {.seed = 2024, .resting = resting};
    struct mmu_config config = world_full_config(), plain = world_bare_config();

    world_open(&chaos.world, &plain);
    chaos.bare = chaos.world.mmu;
    chaos.world.mmu = NULL;
    config.ipa_cache.page_shifts = 1u << 12 | 1u << 21;
    world_open(&chaos.world, &config);
    for (unsigned int round = 0; round < 600; round++) {
        if (round % 20 == 0)
            scatter(&chaos.world, &chaos.seed);
        round_of(&chaos);
    }
    /* Walks go deep, and caches are used, often enough to mean something. */
    assert_in_range(chaos.translated, 1000, 38400);
    assert_true(!resting || mmu_counters(chaos.world.mmu)->walk_cache_hits > 1000);
    mmu_destroy(chaos.bare);
    world_close(&chaos.world);
}

static void a_flushed_machine_answers_as_one_without_caches(void **state)
{
    (void)state;
    run(false);
}

static void over_resting_tables_no_flush_is_needed_for_that(void **state)
{
    (void)state;
    run(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flushed_machine_answers_as_one_without_caches),
        cmocka_unit_test(over_resting_tables_no_flush_is_needed_for_that),
    };

    return cmocka_run_group_tests_name("chaos", tests, NULL, NULL);
}
