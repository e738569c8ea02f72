/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random x86 registers over random memory: whatever software writes, the model answers, and a
 * machine with every cache answers as one without any, as long as nothing in it is stale.
 */
#include "tests/mmu/support/x86.h"

#define TABLE_BYTES (UINT64_C(1) << 20)
#define TABLES      (TABLE_BYTES - 0x1000)

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 31 ^ *seed << 33;
}

/*
 * The lower half of memory holds ordinary tables, the upper half EPT; both lead back into memory,
 * so that any page of it is a table of its kind, at any level.
 */
static void scatter(struct world *world, uint64_t *seed)
{
    for (uint64_t pa = 0; pa < TABLE_BYTES; pa += 8) {
        uint64_t word = next_random(seed), kind = next_random(seed);
        bool ept = pa >= TABLE_BYTES / 2;
        uint64_t entry = word & (TABLES / 2 & ~UINT64_C(0xfff));
        if (ept)
            entry |= (kind & 7 ? TABLE_BYTES / 2 : 0) | 7 | (word & EPT_NO_VE);
        else
            entry |= X86_P | (word & (X86_W | X86_U | X86_A | X86_D | X86_G)) |
                     (word >> 1 & word & X86_XD) | (kind & 7 ? X86_W | X86_U : 0);
        if ((kind >> 8 & 31) == 0)
            entry &= ~UINT64_C(7) | (word >> 40 & 7);
        if ((kind >> 16 & 63) == 0)
            entry ^= UINT64_C(1) << (word >> 50 & 63);
        if ((kind >> 24 & 15) == 0) /* a large leaf, aligned or not */
            entry = (entry | X86_PS) & (kind >> 30 & 1 ? ~UINT64_C(0x3ffff000) : ~UINT64_C(0));
        world_write(world, pa, entry);
    }
}

static struct mmu_x86_regs any_registers(uint64_t *seed)
{
    uint64_t bits = next_random(seed);
    struct mmu_x86_regs regs = {
        .cr0 = (bits & 15 ? MMU_X86_CR0_PG : 0) | (bits & 0x10 ? MMU_X86_CR0_WP : 0),
        .cr3 = (next_random(seed) & (TABLES / 2 & ~UINT64_C(0xfff))) | (bits >> 40 & 3),
        .cr4 = MMU_X86_CR4_PAE | (bits & 0x20 ? MMU_X86_CR4_PGE : 0) |
               (bits & 0x40 ? MMU_X86_CR4_LA57 : 0) | (bits & 0x80 ? MMU_X86_CR4_PCIDE : 0) |
               (bits & 0x100 ? MMU_X86_CR4_SMEP : 0) | (bits & 0x200 ? MMU_X86_CR4_SMAP : 0),
        .efer = MMU_X86_EFER_LMA | (bits & 0x1c00 ? MMU_X86_EFER_NXE : 0),
        .pat = MMU_X86_PAT_RESET,
        .eptp = (next_random(seed) & (TABLES / 2 & ~UINT64_C(0xfff))) | TABLE_BYTES / 2 |
                (bits & 0x2000 ? 0x1e : 0x26) | (bits & 0x4000 ? MMU_X86_EPTP_AD : 0),
        .ept = bits >> 15 & 3,
        .ac = bits >> 17 & 1,
        .vpid = bits >> 18 & 1,
        .pa_bits = bits >> 19 & 1 ? 46 : 52,
        .pages_1g = bits >> 20 & 1,
        .ept_xo = bits >> 21 & 1,
        .ept_1g = bits >> 22 & 1,
        .ept_5level = (bits >> 23 & 7) != 0,
        .ept_advanced = bits >> 26 & 1,
    };

    /* Nested tables are ordinary ones: those of the lower half. */
    if (!regs.ept && (bits >> 27 & 3) == 0) {
        regs.npt = true;
        regs.eptp &= TABLES / 2;
    }
    return regs;
}

static struct mmu_request any_request(uint64_t *seed)
{
    uint64_t bits = next_random(seed), va = next_random(seed) >> (17 + bits % 44);

    return x86_request(bits >> 8 & 1 ? ~va : va, (enum mmu_access)((bits >> 16) % 3),
                       (unsigned int)(bits >> 12 & 1));
}

/* The size may be smaller with caches: that of a piece of a leaf. */
static bool same_outcome(const struct mmu_result *cached, const struct mmu_result *plain)
{
    return cached->fault == plain->fault && cached->stage == plain->stage &&
           cached->level == plain->level && cached->s1ptw == plain->s1ptw &&
           cached->pa.v == plain->pa.v && cached->ipa.v == plain->ipa.v &&
           cached->attr == plain->attr && cached->page_shift <= plain->page_shift &&
           cached->x86_rights == plain->x86_rights && cached->x86_flags == plain->x86_flags;
}

struct chaos {
    struct world world; /* with caches */
    struct mmu *bare;   /* without; the same memory */
    uint64_t seed;
    unsigned int translated, violations, faults;
};

static void flush(struct mmu *mmu)
{
    struct mmu_x86_inval all = {.op = MMU_X86_TLB_CONTROL_1};

    mmu_x86_invalidate(mmu, &all);
}

static void compare(struct chaos *chaos, const struct mmu_request *request)
{
    struct mmu_result cached, plain, again;

    mmu_translate(chaos->world.mmu, request, &cached);
    mmu_translate(chaos->bare, request, &plain);
    assert_true(same_outcome(&cached, &plain));
    /* Now from the TLB, if it was worth keeping. */
    mmu_translate(chaos->world.mmu, request, &again);
    assert_true(same_outcome(&again, &plain));
    assert_true((plain.fault == MMU_OK) == (plain.stage == 0));
    chaos->translated += plain.fault == MMU_OK && plain.source != MMU_SRC_OFF;
    chaos->violations += plain.stage == 2;
    chaos->faults += plain.stage == 1;
}

static void round_of(struct chaos *chaos, bool resting)
{
    struct mmu_request near = any_request(&chaos->seed);
    struct mmu_x86_regs regs = any_registers(&chaos->seed);

    mmu_set_x86(chaos->world.mmu, 0, &regs);
    mmu_set_x86(chaos->bare, 0, &regs);
    flush(chaos->world.mmu);
    for (unsigned int i = 0; i < 64; i++) {
        struct mmu_request request = any_request(&chaos->seed);
        if (i % 4) /* close to each other, so that tables are shared */
            request.va = near.va ^ (request.va & 0x3fffff);
        if (!resting)
            flush(chaos->world.mmu);
        compare(chaos, &request);
    }
}

static void run(bool resting, bool l2_holds_walks)
{
    struct chaos chaos = {.seed = 77};
    struct mmu_config config = world_full_config(), plain = world_bare_config();

    chaos.world.frozen = true; /* any page may be a table of both kinds */
    world_open(&chaos.world, &plain);
    chaos.bare = chaos.world.mmu;
    chaos.world.mmu = NULL;
    config.ipa_cache_tables = true;
    config.l2_holds_walks = l2_holds_walks;
    config.ipa_cache.page_shifts = 1u << 12 | 1u << 21;
    world_open(&chaos.world, &config);
    for (unsigned int round = 0; round < 800; round++) {
        if (round % 20 == 0)
            scatter(&chaos.world, &chaos.seed);
        round_of(&chaos, resting);
    }
    /* Walks go deep, fail in all ways, and caches are used, often enough to mean something. */
    assert_in_range(chaos.translated, 2000, 51200);
    assert_in_range(chaos.violations, 2000, 51200);
    assert_in_range(chaos.faults, 2000, 51200);
    assert_true(!resting || mmu_counters(chaos.world.mmu)->walk_cache_hits > 1000);
    assert_true(!resting || mmu_counters(chaos.world.mmu)->ipa_cache_hits > 1000);
    mmu_destroy(chaos.bare);
    world_close(&chaos.world);
}

static void a_flushed_machine_answers_as_one_without_caches(void **state)
{
    (void)state;
    run(false, false);
}

static void over_resting_tables_no_flush_is_needed_for_that(void **state)
{
    (void)state;
    run(true, false);
}

static void nor_is_one_when_the_l2_holds_walk_results(void **state)
{
    (void)state;
    run(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flushed_machine_answers_as_one_without_caches),
        cmocka_unit_test(over_resting_tables_no_flush_is_needed_for_that),
        cmocka_unit_test(nor_is_one_when_the_l2_holds_walk_results),
    };

    return cmocka_run_group_tests_name("x86_chaos", tests, NULL, NULL);
}
