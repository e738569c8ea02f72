/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/mmu/support/world.h"

#include <stdlib.h>
#include <string.h>

static uint64_t port_load(void *ctx, hyp_pa_t pa, bool *ok)
{
    struct world *world = ctx;

    *ok = pa.v < WORLD_BYTES;
    return *ok ? world->words[pa.v / 8] : 0;
}

static bool port_swap(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired)
{
    struct world *world = ctx;

    world->swap_count++;
    if (world->swap_refusals != 0) {
        world->swap_refusals--;
        return false;
    }
    assert_true(pa.v < WORLD_BYTES);
    if (world->frozen)
        return true;
    assert_int_equal(world->words[pa.v / 8], old);
    world->words[pa.v / 8] = desired;
    return true;
}

static void port_stale(void *ctx, const struct mmu_stale *stale)
{
    struct world *world = ctx;

    if (world->stale_count < WORLD_STALE_MAX)
        world->stale[world->stale_count] = *stale;
    world->stale_count++;
}

struct mmu_config world_bare_config(void)
{
    return (struct mmu_config){.cpus = 1, .caches_off = true, .memory_cycles = 100};
}

struct mmu_config world_full_config(void)
{
    return (struct mmu_config){
        .cpus = 1,
        .l1i = {.entries = 8},
        .l1d = {.entries = 16},
        .l2 = {.entries = 512, .ways = 4, .hit_cycles = 7},
        .walk_cache = {.entries = 64, .ways = 4, .hit_cycles = 2},
        .ipa_cache = {.entries = 64, .ways = 4, .hit_cycles = 3},
        .cache = {{32768, 8, 64, 4}, {1u << 20, 8, 64, 14}, {4u << 20, 16, 64, 50}},
        .memory_cycles = 500,
        .walk_cycles = 22,
        .step_cycles = 1,
        .seed = 1,
    };
}

void world_open(struct world *world, const struct mmu_config *config)
{
    struct mmu_port port = {world, port_load, port_swap, port_stale};

    if (!world->words)
        world->words = calloc(1, WORLD_BYTES);
    assert_non_null(world->words);
    if (world->next == 0)
        world->next = 0x10000;
    mmu_destroy(world->mmu);
    world->mmu = mmu_create(config, &port);
    assert_non_null(world->mmu);
    if (world->regs.pa_bits == 0)
        world->regs = (struct mmu_arm64_regs){.pa_bits = 48, .mair = 0xff, .xnx = true};
}

void world_close(struct world *world)
{
    mmu_destroy(world->mmu);
    free(world->words);
    *world = (struct world){0};
}

uint64_t world_alloc(struct world *world, uint64_t bytes)
{
    uint64_t at = (world->next + bytes - 1) & ~(bytes - 1);

    assert_true(at + bytes <= WORLD_BYTES);
    world->next = at + bytes;
    return at;
}

uint64_t world_read(const struct world *world, uint64_t pa)
{
    assert_true(pa < WORLD_BYTES);
    return world->words[pa / 8];
}

void world_write(struct world *world, uint64_t pa, uint64_t word)
{
    assert_true(pa < WORLD_BYTES);
    world->words[pa / 8] = word;
}

/* ---- tables ---- */

static unsigned int shift_of(const struct tree *tree, unsigned int level)
{
    return tree->page_shift + level * (tree->page_shift - 3);
}

void tree_init(struct tree *tree, struct world *world, unsigned int page_shift,
               unsigned int ia_bits, unsigned int start_level, uint64_t delta)
{
    *tree = (struct tree){.world = world,
                          .delta = delta,
                          .page_shift = page_shift,
                          .ia_bits = ia_bits,
                          .start_level = start_level};
    unsigned int bits = ia_bits - shift_of(tree, start_level);
    uint64_t bytes = UINT64_C(8) << bits, page = UINT64_C(1) << page_shift;
    tree->root = world_alloc(world, bytes < page ? page : bytes);
}

uint64_t tree_slot(struct tree *tree, uint64_t ia, unsigned int level)
{
    uint64_t table = tree->root, page = UINT64_C(1) << tree->page_shift;
    unsigned int at = tree->start_level, bits = tree->ia_bits - shift_of(tree, at);

    for (;; at--) {
        uint64_t index = (ia >> shift_of(tree, at)) & ((UINT64_C(1) << bits) - 1);
        uint64_t slot = table + index * 8;
        if (at == level)
            return slot;
        uint64_t desc = world_read(tree->world, slot);
        if ((desc & 3) != 3) {
            uint64_t fresh = world_alloc(tree->world, page);
            desc = (fresh + tree->delta) | 3;
            world_write(tree->world, slot, desc);
        }
        table = (desc & UINT64_C(0x0000fffffffff000) & ~(page - 1)) - tree->delta;
        bits = tree->page_shift - 3;
    }
}

void tree_set(struct tree *tree, uint64_t ia, unsigned int level, uint64_t desc)
{
    world_write(tree->world, tree_slot(tree, ia, level), desc);
}

void tree_range(struct tree *tree, uint64_t ia, uint64_t size, unsigned int level, uint64_t out,
                uint64_t attrs)
{
    uint64_t step = UINT64_C(1) << shift_of(tree, level);

    for (uint64_t done = 0; done < size; done += step)
        tree_set(tree, ia + done, level, (out + done) | attrs);
}

/* ---- registers ---- */

static uint64_t tg0(unsigned int page_shift)
{
    return page_shift == 12 ? 0 : page_shift == 16 ? 1 : 2;
}

static uint64_t tg1(unsigned int page_shift)
{
    return page_shift == 12 ? 2 : page_shift == 16 ? 3 : 1;
}

void world_regs(struct world *world, const struct tree *s1, const struct tree *s2)
{
    struct mmu_arm64_regs *regs = &world->regs;
    uint64_t vmid = regs->vttbr & ~UINT64_C(0xffffffffffff),
             asid = regs->ttbr0 & ~UINT64_C(0xffffffffffff);

    regs->sctlr = s1 ? 1 : 0;
    if (s1) {
        uint64_t txsz = 64 - s1->ia_bits;
        /* IPS = 48 bits, or 52; AS = 1. */
        regs->tcr = txsz | txsz << 16 | tg0(s1->page_shift) << 14 | tg1(s1->page_shift) << 30 |
                    UINT64_C(5) << 32 | UINT64_C(1) << 36;
        regs->ttbr0 = (s1->root + s1->delta) | asid;
        regs->ttbr1 = s1->root + s1->delta;
    }
    regs->hcr = s2 ? 1 : 0;
    if (s2) {
        /* Start level: SL0 counts from the top for 4K, the other way round for 16K and 64K. */
        static const uint64_t sl0_4k[] = {3, 0, 1, 2};
        uint64_t sl0 = s2->page_shift == 12 ? sl0_4k[s2->start_level] : s2->start_level;
        regs->vtcr = UINT64_C(0x80000000) | (64 - s2->ia_bits) | sl0 << 6 |
                     tg0(s2->page_shift) << 14 | UINT64_C(5) << 16 | UINT64_C(1) << 19;
        regs->vttbr = s2->root | vmid;
    }
    world_set(world, MMU_EL10);
}

void world_set(struct world *world, enum mmu_regime regime)
{
    for (unsigned int cpu = 0; mmu_cpu(world->mmu, cpu); cpu++)
        mmu_set_regs(world->mmu, cpu, regime, &world->regs);
}

void world_asid(struct world *world, unsigned int asid)
{
    world->regs.ttbr0 = (world->regs.ttbr0 & UINT64_C(0xffffffffffff)) | (uint64_t)asid << 48;
    world_set(world, MMU_EL10);
}

void world_vmid(struct world *world, unsigned int vmid)
{
    world->regs.vttbr = (world->regs.vttbr & UINT64_C(0xffffffffffff)) | (uint64_t)vmid << 48;
    world_set(world, MMU_EL10);
}

/* ---- accesses ---- */

struct mmu_result world_request(struct world *world, struct mmu_request request)
{
    struct mmu_result result;

    memset(&result, 0xa5, sizeof(result));
    mmu_translate(world->mmu, &request, &result);
    return result;
}

struct mmu_result world_access(struct world *world, uint64_t va, enum mmu_access access,
                               unsigned int el)
{
    return world_request(
        world, (struct mmu_request){
                   .va = va, .regime = MMU_EL10, .el = (uint8_t)el, .access = (uint8_t)access});
}

void world_inval(struct world *world, enum mmu_tlbi op, uint64_t start, uint64_t size)
{
    struct mmu_inval inval = {.op = (uint8_t)op,
                              .broadcast = true,
                              .vmid = (uint16_t)(world->regs.vttbr >> 48),
                              .asid = (uint16_t)(world->regs.ttbr0 >> 48),
                              .ttl = -1,
                              .start = start,
                              .size = size};

    mmu_invalidate(world->mmu, &inval);
}

/* ---- two stages ---- */

void two_stage_open(struct two_stage *two, const struct mmu_config *config, unsigned int pages)
{
    *two = (struct two_stage){0};
    world_open(&two->world, config);
    tree_init(&two->s1, &two->world, 12, 48, 3, TWO_DELTA);
    tree_init(&two->s2, &two->world, 12, 40, 2, 0);
    tree_range(&two->s1, TWO_VA, (uint64_t)pages << 12, 0, TWO_IPA, S1_PAGE);
    tree_range(&two->s2, TWO_IPA, (uint64_t)pages << 12, 0, TWO_PA, S2_PAGE);
    /* All of memory, for the tables of stage 1; pages, so that single ones can be taken away. */
    tree_range(&two->s2, TWO_DELTA, UINT64_C(4) << 20, 0, 0, S2_PAGE);
    world_regs(&two->world, &two->s1, &two->s2);
}

void two_stage_close(struct two_stage *two)
{
    world_close(&two->world);
}
