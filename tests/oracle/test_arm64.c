/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walker of mmu/ against QEMU's, over random tables of one and two stages. What is not compared
 * and why stands in docs/model-mmu.md, "Oracles"; each such rule is one line of excluded().
 */
#include <inttypes.h>
#include <stdio.h>

#include "mmu/mmu.h"
#include "tests/oracle/arm64_world.h"
#include "tests/oracle/faults.h"
#include "tests/support/cmocka_all.h"

#define WORLDS     2000u /* of AT_QUERIES questions: 200,000 */
#define FIRST_SEED UINT64_C(0xa64)

#define PAR_F   UINT64_C(1)
#define PAR_PTW UINT64_C(0x100)
#define PAR_S   UINT64_C(0x200)
#define PAR_PA  UINT64_C(0x0000fffffffff000)

struct rig {
    struct arm64_world world;
    struct uc_arm64 *engine;
    struct mmu *mmu;
    struct mmu_arm64_regs regs;
    /* The last walk. */
    uint64_t last_word;
    unsigned int loads;
    bool quiet;
    /* Totals. */
    unsigned int asked, differing, size_faults, external, blocks, walk_status, ok, faults[3];
};

static uint64_t port_load(void *ctx, hyp_pa_t pa, bool *ok)
{
    struct rig *rig = ctx;

    rig->loads++;
    *ok = pa.v < ARM64_MEMORY;
    rig->last_word = *ok ? rig->world.words[pa.v / 8] : 0;
    return rig->last_word;
}

/* Never asked for by a probe. */
static bool port_swap(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired)
{
    (void)ctx, (void)pa, (void)old, (void)desired;
    return false;
}

static int open_rig(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct mmu_port port = {rig, port_load, port_swap, NULL};
    struct mmu_config config = {.cpus = 1, .caches_off = true};

    assert_non_null(rig);
    rig->world.words = calloc(1, ARM64_MEMORY);
    assert_non_null(rig->world.words);
    rig->world.next = UC_ARM64_RESERVED;
    rig->engine = uc_arm64_open(rig->world.words, ARM64_MEMORY);
    rig->mmu = mmu_create(&config, &port);
    assert_non_null(rig->engine);
    assert_non_null(rig->mmu);
    rig->world.pa_bits = uc_arm64_pa_bits(rig->engine);
    *state = rig;
    return 0;
}

static int close_rig(void **state)
{
    struct rig *rig = *state;

    uc_arm64_close(rig->engine);
    mmu_destroy(rig->mmu);
    free(rig->world.words);
    free(rig);
    return 0;
}

/* ---- both answers ---- */

/* PAR_EL1 of our walk, FST included (DDI 0487 D24.2, PAR_EL1). */
static uint64_t our_par(struct rig *rig, const struct at_query *query, struct mmu_result *result)
{
    struct mmu_request request = {.va = query->va,
                                  .regime = MMU_EL10,
                                  .el = (query->op & 2) ? 0 : 1,
                                  .access = (query->op & 1) ? MMU_WRITE : MMU_READ,
                                  .probe = true};

    rig->loads = 0;
    rig->last_word = 0;
    mmu_translate(rig->mmu, &request, result);
    /* AT S1E1* and S1E0* stop after stage 1, whose tables are read through stage 2 all the same. */
    if (!(query->op & 4) && (result->fault == MMU_OK || (result->stage == 2 && !result->s1ptw))) {
        result->fault = MMU_OK;
        return result->ipa.v & PAR_PA;
    }
    if (result->fault == MMU_OK)
        return result->pa.v & PAR_PA;
    return PAR_F | (mmu_arm64_esr(&request, result, 2) & 0x3f) << 1 |
           (result->stage == 2 ? PAR_S : 0) | (result->s1ptw ? PAR_PTW : 0);
}

/* The last descriptor read is a block at a level that has none. */
static bool block_out_of_place(const struct rig *rig, const struct at_query *query,
                               const struct mmu_result *result)
{
    const struct arm64_tree *tree =
        result->stage == 2 ? &rig->world.s2 : &rig->world.s1[query->va >> 55 & 1];

    return result->fault == MMU_FAULT_TRANSLATION && rig->loads != 0 && (rig->last_word & 3) == 1 &&
           result->level != 0 && !arm64_block_level(tree->page_shift, result->level);
}

static bool excluded(struct rig *rig, const struct at_query *query, const struct mmu_result *result)
{
    if (result->fault == MMU_FAULT_ADDRESS_SIZE && rig->loads != 0)
        return ++rig->size_faults;
    if (result->fault == MMU_FAULT_EXTERNAL_WALK)
        return ++rig->external;
    if (block_out_of_place(rig, query, result))
        return ++rig->blocks;
    return false;
}

static uint64_t compared_bits(struct rig *rig, uint64_t par)
{
    if (!(par & PAR_F))
        return PAR_F | PAR_PA;
    if (!(par & PAR_PTW))
        return 0x37f;
    rig->walk_status++;
    return PAR_F | PAR_PTW | PAR_S;
}

static void print_difference(const struct rig *rig, uint64_t seed, const struct at_block *block,
                             const struct at_query *query, uint64_t ours)
{
    static const char *const op[AT_COUNT] = {"s1e1r",  "s1e1w",  "s1e0r",  "s1e0w",
                                             "s12e1r", "s12e1w", "s12e0r", "s12e0w"};

    if (rig->quiet || rig->differing > 5)
        return;
    print_message("ORACLE_SEED=%#" PRIx64 ": AT %s, %#" PRIx64 ": ours %#" PRIx64
                  ", the engine's %#" PRIx64 "\n",
                  seed, op[query->op], query->va, ours, query->par);
    print_message("  tcr %#" PRIx64 " ttbr %#" PRIx64 " %#" PRIx64 " sctlr %#" PRIx64
                  " hcr %#" PRIx64 " vtcr %#" PRIx64 " vttbr %#" PRIx64 " last word %#" PRIx64 "\n",
                  block->tcr, block->ttbr0, block->ttbr1, block->sctlr, block->hcr, block->vtcr,
                  block->vttbr, rig->last_word);
}

static void compare_world(struct rig *rig, uint64_t seed)
{
    struct at_block *block = uc_arm64_block(rig->engine);

    arm64_world_build(&rig->world, seed, block);
    rig->regs = (struct mmu_arm64_regs){.sctlr = block->sctlr,
                                        .tcr = block->tcr,
                                        .ttbr0 = block->ttbr0,
                                        .ttbr1 = block->ttbr1,
                                        .hcr = block->hcr,
                                        .vtcr = block->vtcr,
                                        .vttbr = block->vttbr,
                                        .pa_bits = rig->world.pa_bits};
    mmu_set_regs(rig->mmu, 0, MMU_EL10, &rig->regs);
    const char *trouble = uc_arm64_ask(rig->engine);
    if (trouble)
        fail_msg("ORACLE_SEED=%#" PRIx64 ": %s", seed, trouble);
    for (unsigned int i = 0; i < AT_QUERIES; i++) {
        const struct at_query *query = &block->query[i];
        struct mmu_result result;
        uint64_t ours = our_par(rig, query, &result);
        rig->asked++;
        if (excluded(rig, query, &result))
            continue;
        *(result.fault == MMU_OK ? &rig->ok : &rig->faults[result.s1ptw ? 0 : result.stage]) += 1;
        if ((ours ^ query->par) & compared_bits(rig, ours)) {
            rig->differing++;
            print_difference(rig, seed, block, query, ours);
        }
    }
}

/* ---- tests ---- */

static void the_walker_agrees_with_qemu_in_200000_queries(void **state)
{
    struct rig *rig = *state;
    uint64_t seed = FIRST_SEED;
    bool one = wanted_seed(&seed);

    for (unsigned int i = 0; i < (one ? 1 : WORLDS); i++)
        compare_world(rig, seed + i);
    print_message("%u queries from seed %#" PRIx64 ": %u translate, faults: %u of stage 1, %u of "
                  "stage 2, %u of table reads\nnot compared: %u output sizes, %u reads of no "
                  "memory, %u misplaced blocks, %u status codes of table reads\n",
                  rig->asked, seed, rig->ok, rig->faults[1], rig->faults[2], rig->faults[0],
                  rig->size_faults, rig->external, rig->blocks, rig->walk_status);
    assert_int_equal(rig->differing, 0);
    if (one)
        return;
    assert_int_equal(rig->asked, 200000);
    /* The worlds are neither all good nor all bad, and hardly anything is left out. */
    assert_true(rig->ok > 40000 && rig->faults[1] > 20000 && rig->faults[2] > 4000 &&
                rig->faults[0] > 10000);
    assert_true(rig->size_faults + rig->external + rig->blocks < 10000);
}

/* As the test above, until the first difference. */
static void expect_notice(void **state, enum oracle_fault fault)
{
    struct rig *rig = *state;

    rig->quiet = true;
    oracle_seed_fault(fault);
    for (unsigned int i = 0; i < WORLDS && rig->differing == 0; i++)
        compare_world(rig, FIRST_SEED + i);
    oracle_seed_fault(FAULT_NONE);
    assert_int_not_equal(rig->differing, 0);
}

#define NOTICES(name, fault)                                                                       \
    static void qemu_notices_a_walker_that_##name(void **state)                                    \
    {                                                                                              \
        expect_notice(state, fault);                                                               \
    }

NOTICES(ignores_access_flags, FAULT_S1_IGNORES_AF)
NOTICES(ignores_limits_of_tables, FAULT_S1_IGNORES_APTABLE)
NOTICES(walks_a_disabled_half, FAULT_S1_IGNORES_EPD)
NOTICES(applies_disabled_limits, FAULT_S1_KEEPS_HPD)
NOTICES(lets_stage_2_write_what_is_read_only, FAULT_S2_WRITES_READ_ONLY)
NOTICES(knows_no_concatenated_roots, FAULT_S2_HAS_ONE_ROOT)
NOTICES(reports_the_wrong_level, FAULT_S2_LEVEL_ONE_OFF)
NOTICES(does_not_tell_a_table_read, FAULT_S2_HIDES_TABLE_READ)

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_walker_agrees_with_qemu_in_200000_queries),
        TEST(qemu_notices_a_walker_that_ignores_access_flags),
        TEST(qemu_notices_a_walker_that_ignores_limits_of_tables),
        TEST(qemu_notices_a_walker_that_walks_a_disabled_half),
        TEST(qemu_notices_a_walker_that_applies_disabled_limits),
        TEST(qemu_notices_a_walker_that_lets_stage_2_write_what_is_read_only),
        TEST(qemu_notices_a_walker_that_knows_no_concatenated_roots),
        TEST(qemu_notices_a_walker_that_reports_the_wrong_level),
        TEST(qemu_notices_a_walker_that_does_not_tell_a_table_read),
    };

    return cmocka_run_group_tests_name("oracle/arm64", tests, NULL, NULL);
}
