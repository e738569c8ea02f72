/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hardware model: the hit path of the L1 TLB, what a miss costs, and invalidation.
 *
 * Geometry of a Neoverse N1 (48-entry L1s, 1280 x 5 L2 that also holds walks); stage 1 of 4K pages
 * over stage 2 of 2M blocks. For x86 that of a Zen 4 (72 entries, 3072 x 24, tables and
 * guest-physical results apart); 4K pages over EPT of 2M. Page numbers come from a sequence made
 * before the clock starts.
 */
#include <stdlib.h>

#include "bench/shim.h"
#include "mmu/fast.h"
#include "mmu/x86.h"

#define SEQUENCE 65536u
#define PAGES    16384u
#define BASE     UINT64_C(0xffffff8000000000) /* start of the upper half, 39 bits */

struct tlb_bench {
    uint64_t *memory;
    struct mmu *mmu;
    struct mmu_cpu *cpu;
    uint32_t *sequence; /* page numbers */
    uint64_t sum;
};

struct sequence_arg {
    struct tlb_bench *bench;
    uint32_t pages; /* drawn from so many */
    uint32_t hot;   /* of these, 15 of 16 accesses go to so many; 0: all alike */
    bool translate; /* leave the fast path out */
};

static uint64_t load(void *ctx, hyp_pa_t pa, bool *ok)
{
    struct tlb_bench *b = ctx;

    *ok = true;
    return b->memory[pa.v / 8];
}

static bool swap(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired)
{
    struct tlb_bench *b = ctx;

    (void)old;
    b->memory[pa.v / 8] = desired;
    return true;
}

/* Stage 1 at 0x10000 (root), 0x11000 (level 1), 0x100000 (pages); stage 2 at 0x20000. */
static void write_tables(uint64_t *memory)
{
    memory[0x10000 / 8] = 0x11003;
    for (uint64_t i = 0; i < PAGES / 512; i++)
        memory[0x11000 / 8 + i] = (0x100000 + i * 4096) | 3;
    for (uint64_t i = 0; i < PAGES; i++)
        memory[0x100000 / 8 + i] = (0x40000000 + i * 4096) | 0x703;
    for (uint64_t g = 0; g < 4; g++) {
        memory[0x20000 / 8 + g] = (0x24000 + g * 4096) | 3;
        for (uint64_t i = 0; i < 512; i++)
            memory[0x24000 / 8 + g * 512 + i] = (g << 30) | (i << 21) | 0x7fd;
    }
}

static struct mmu_config n1_config(void)
{
    const uint32_t sizes = 1u << 12 | 1u << 14 | 1u << 16 | 1u << 21;

    return (struct mmu_config){
        .cpus = 1,
        .l1i = {.entries = 48, .page_shifts = sizes | 1u << 25},
        .l1d = {.entries = 48, .page_shifts = sizes | 1u << 29},
        .l2 = {.entries = 1280, .ways = 5, .hit_cycles = 5, .page_shifts = sizes | 7u << 28},
        .l2_holds_walks = true,
        .ipa_cache = {.page_shifts = 1u << 21 | 1u << 30},
        .cache = {{65536, 4, 64, 4}, {1u << 20, 8, 64, 11}, {32u << 20, 16, 64, 90}},
        .memory_cycles = 300,
        .walk_cycles = 10,
    };
}

static void open_model(struct tlb_bench *b, const struct mmu_config *config)
{
    struct mmu_port port = {b, load, swap, NULL};
    struct mmu_arm64_regs regs = {.sctlr = 1,
                                  .tcr = 25 | 25 << 16 | UINT64_C(2) << 30 | UINT64_C(5) << 32,
                                  .ttbr0 = 0x10000,
                                  .ttbr1 = 0x10000,
                                  .mair = 0xff,
                                  .hcr = 1,
                                  .vtcr = UINT64_C(0x80000000) | 24 | 1 << 6 | 5 << 16,
                                  .vttbr = 0x20000,
                                  .pa_bits = 48};

    mmu_destroy(b->mmu);
    b->mmu = mmu_create(config, &port);
    if (!b->mmu)
        abort();
    mmu_set_regs(b->mmu, 0, MMU_EL10, &regs);
    b->cpu = mmu_cpu(b->mmu, 0);
}

/* Entries of x86: the tables of the guest from 0x800000 (gpa = pa), EPT from 0x30000. */
static void write_x86_tables(uint64_t *memory)
{
    memory[0x800000 / 8 + 511] = 0x801027;
    memory[0x801000 / 8] = 0x802027;
    for (uint64_t i = 0; i < PAGES / 512; i++)
        memory[0x802000 / 8 + i] = (0x810000 + i * 4096) | 0x27;
    for (uint64_t i = 0; i < PAGES; i++)
        memory[0x810000 / 8 + i] = (0x40000000 + i * 4096) | 0x63;
    memory[0x30000 / 8] = 0x31007;
    for (uint64_t g = 0; g < 4; g++) {
        memory[0x31000 / 8 + g] = (0x34000 + g * 4096) | 7;
        for (uint64_t i = 0; i < 512; i++)
            memory[0x34000 / 8 + g * 512 + i] = (g << 30) | (i << 21) | 0xb7;
    }
}

static struct mmu_config zen4_config(void)
{
    return (struct mmu_config){
        .cpus = 1,
        .l1i = {.entries = 64},
        .l1d = {.entries = 72},
        .l2 = {.entries = 3072,
               .ways = 24,
               .repl = MMU_REPL_NRU,
               .hit_cycles = 7,
               .page_shifts = 1u << 12 | 1u << 21},
        .walk_cache = {.entries = 64},
        .ipa_cache = {.entries = 64},
        .ipa_cache_tables = true,
        .cache = {{32768, 8, 64, 4}, {1u << 20, 8, 64, 14}, {32u << 20, 16, 64, 52}},
        .memory_cycles = 535,
        .walk_cycles = 10,
    };
}

static void set_x86(struct tlb_bench *b)
{
    struct mmu_x86_regs regs = {.cr0 = MMU_X86_CR0_PG | MMU_X86_CR0_WP,
                                .cr3 = 0x800000,
                                .cr4 = MMU_X86_CR4_PAE | MMU_X86_CR4_PGE,
                                .efer = MMU_X86_EFER_LMA | MMU_X86_EFER_NXE,
                                .pat = MMU_X86_PAT_RESET,
                                .eptp = 0x30000 | MMU_X86_EPTP_LEVELS(4) | MMU_X86_EPTP_WB,
                                .ept = true,
                                .vpid = 1,
                                .pa_bits = 46};

    mmu_set_x86(b->mmu, 0, &regs);
}

static uint64_t run_x86(void *arg)
{
    const struct sequence_arg *a = arg;
    struct tlb_bench *b = a->bench;

    for (uint32_t i = 0; i < SEQUENCE; i++) {
        uint64_t va = BASE + ((uint64_t)b->sequence[i] << 12) + 64;
        hyp_pa_t pa;
        if (!mmu_hit(b->cpu, MMU_X86, 1, MMU_READ, va, &pa)) {
            struct mmu_request request = {.va = va, .el = 1, .regime = MMU_X86};
            struct mmu_result result;
            mmu_translate(b->mmu, &request, &result);
            pa = result.pa;
        }
        b->sum += pa.v;
    }
    return SEQUENCE;
}

static uint64_t run_sequence(void *arg)
{
    const struct sequence_arg *a = arg;
    struct tlb_bench *b = a->bench;

    for (uint32_t i = 0; i < SEQUENCE; i++) {
        uint64_t va = BASE + ((uint64_t)b->sequence[i] << 12) + 64;
        hyp_pa_t pa;
        if (a->translate || !mmu_hit(b->cpu, MMU_EL10, 1, MMU_READ, va, &pa)) {
            struct mmu_request request = {.va = va, .el = 1};
            struct mmu_result result;
            mmu_translate(b->mmu, &request, &result);
            pa = result.pa;
        }
        b->sum += pa.v;
    }
    return SEQUENCE;
}

static void draw_sequence(const struct sequence_arg *a)
{
    uint64_t seed = 1;

    for (uint32_t i = 0; i < SEQUENCE; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t range = a->hot && (seed >> 60) != 0 ? a->hot : a->pages;
        a->bench->sequence[i] = (uint32_t)((seed >> 20) % range);
    }
}

static void prepare_sequence(void *arg)
{
    draw_sequence(arg);
    run_sequence(arg); /* warm */
}

static void prepare_bare(void *arg)
{
    const struct sequence_arg *a = arg;
    struct mmu_config config = n1_config();

    config.caches_off = true;
    open_model(a->bench, &config);
    prepare_sequence(arg);
}

static void finish_bare(void *arg)
{
    const struct sequence_arg *a = arg;
    struct mmu_config config = n1_config();

    open_model(a->bench, &config);
}

static void prepare_x86(void *arg)
{
    const struct sequence_arg *a = arg;
    struct mmu_config config = zen4_config();

    open_model(a->bench, &config);
    set_x86(a->bench);
    draw_sequence(a);
    run_x86(arg); /* warm */
}

static void prepare_x86_bare(void *arg)
{
    const struct sequence_arg *a = arg;
    struct mmu_config config = zen4_config();

    config.caches_off = true;
    open_model(a->bench, &config);
    set_x86(a->bench);
    draw_sequence(a);
}

/* INVLPG of a resident page, and what brings it back: it clears the structure cache too. */
static uint64_t run_invlpg(void *arg)
{
    const struct sequence_arg *a = arg;
    struct tlb_bench *b = a->bench;
    struct mmu_x86_inval inval = {.op = MMU_X86_INVLPG, .broadcast = true, .vpid = 1};
    struct mmu_request request = {.el = 1, .regime = MMU_X86};
    struct mmu_result result;

    for (uint32_t i = 0; i < SEQUENCE / 16; i++) {
        inval.start = request.va = BASE + ((uint64_t)b->sequence[i] << 12);
        mmu_x86_invalidate(b->mmu, &inval);
        mmu_translate(b->mmu, &request, &result);
    }
    return SEQUENCE / 16;
}

/* INVEPT, and the walks that bring the resident pages back. */
static uint64_t run_invept(void *arg)
{
    const struct sequence_arg *a = arg;
    struct mmu_x86_inval inval = {.op = MMU_X86_INVEPT_ONE, .broadcast = true, .eptp = 0x3001e};
    struct mmu_request request = {.el = 1, .regime = MMU_X86};
    struct mmu_result result;

    for (uint32_t round = 0; round < 64; round++) {
        mmu_x86_invalidate(a->bench->mmu, &inval);
        for (uint32_t page = 0; page < a->pages; page++) {
            request.va = BASE + ((uint64_t)page << 12);
            mmu_translate(a->bench->mmu, &request, &result);
        }
    }
    return 64;
}

/* One invalidation of a page that is resident, and the walk that brings it back. */
static uint64_t run_invalidate_page(void *arg)
{
    const struct sequence_arg *a = arg;
    struct tlb_bench *b = a->bench;
    struct mmu_inval inval = {.op = MMU_TLBI_VALE1, .broadcast = true, .ttl = 0};
    struct mmu_request request = {.el = 1};
    struct mmu_result result;

    for (uint32_t i = 0; i < SEQUENCE / 16; i++) {
        inval.start = request.va = BASE + ((uint64_t)b->sequence[i] << 12);
        mmu_invalidate(b->mmu, &inval);
        mmu_translate(b->mmu, &request, &result);
    }
    return SEQUENCE / 16;
}

/* Everything of a VMID invalidated, and the walks that bring the resident pages back. */
static uint64_t run_invalidate_all(void *arg)
{
    const struct sequence_arg *a = arg;
    struct mmu_inval inval = {.op = MMU_TLBI_VMALLE1, .broadcast = true, .ttl = -1};
    struct mmu_request request = {.el = 1};
    struct mmu_result result;

    for (uint32_t round = 0; round < 64; round++) {
        mmu_invalidate(a->bench->mmu, &inval);
        for (uint32_t page = 0; page < a->pages; page++) {
            request.va = BASE + ((uint64_t)page << 12);
            mmu_translate(a->bench->mmu, &request, &result);
        }
    }
    return 64;
}

struct draws {
    struct sequence_arg hot16, hot48, full, second, walks, mixed;
};

static void register_arm64(struct draws *draws)
{
    const struct shim_row rows[] = {
        {.name = "l1_hit/16_pages",
         .prepare = prepare_sequence,
         .run = run_sequence,
         .arg = &draws->hot16,
         .goal_ns = 6},
        {.name = "l1_hit/48_pages",
         .prepare = prepare_sequence,
         .run = run_sequence,
         .arg = &draws->hot48,
         .goal_ns = 6},
        {.name = "l1_hit/mmu_translate",
         .prepare = prepare_sequence,
         .run = run_sequence,
         .arg = &draws->full},
        {.name = "mixed/94_percent_hot",
         .prepare = prepare_sequence,
         .run = run_sequence,
         .arg = &draws->mixed},
        {.name = "l2_hit", .prepare = prepare_sequence, .run = run_sequence, .arg = &draws->second},
        {.name = "walk/cached",
         .prepare = prepare_sequence,
         .run = run_sequence,
         .arg = &draws->walks},
        {.name = "walk/11_references",
         .prepare = prepare_bare,
         .run = run_sequence,
         .finish = finish_bare,
         .arg = &draws->walks},
        {.name = "tlbi/page_and_refill",
         .prepare = prepare_sequence,
         .run = run_invalidate_page,
         .arg = &draws->second},
        {.name = "tlbi/all_and_900_walks",
         .prepare = prepare_sequence,
         .run = run_invalidate_all,
         .arg = &draws->second},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        shim_register(&rows[i]);
}

static void register_x86(struct draws *draws)
{
    const struct shim_row rows[] = {
        {.name = "x86/l1_hit/48_pages",
         .prepare = prepare_x86,
         .run = run_x86,
         .arg = &draws->hot48,
         .goal_ns = 6},
        {.name = "x86/mixed/94_percent_hot",
         .prepare = prepare_x86,
         .run = run_x86,
         .arg = &draws->mixed},
        {.name = "x86/l2_hit", .prepare = prepare_x86, .run = run_x86, .arg = &draws->second},
        {.name = "x86/walk/cached", .prepare = prepare_x86, .run = run_x86, .arg = &draws->walks},
        {.name = "x86/walk/19_references",
         .prepare = prepare_x86_bare,
         .run = run_x86,
         .arg = &draws->walks},
        {.name = "x86/invlpg/page_and_refill",
         .prepare = prepare_x86,
         .run = run_invlpg,
         .arg = &draws->second},
        {.name = "x86/invept_and_900_walks",
         .prepare = prepare_x86,
         .run = run_invept,
         .arg = &draws->second},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        shim_register(&rows[i]);
}

int main(int argc, char **argv)
{
    struct tlb_bench bench = {0};
    struct mmu_config config = n1_config();
    struct draws draws = {
        .hot16 = {.bench = &bench, .pages = 16},
        .hot48 = {.bench = &bench, .pages = 48},
        .full = {.bench = &bench, .pages = 16, .translate = true},
        .second = {.bench = &bench, .pages = 900},
        .walks = {.bench = &bench, .pages = PAGES},
        .mixed = {.bench = &bench, .pages = 1000, .hot = 40},
    };

    bench.memory = calloc(1, UINT64_C(16) << 20);
    bench.sequence = calloc(SEQUENCE, sizeof(*bench.sequence));
    if (!bench.memory || !bench.sequence)
        return 4;
    write_tables(bench.memory);
    write_x86_tables(bench.memory);
    open_model(&bench, &config);
    register_arm64(&draws);
    register_x86(&draws);
    int status = shim_main(argc, argv, "TLB model");
    mmu_destroy(bench.mmu);
    free(bench.memory);
    free(bench.sequence);
    return status;
}
