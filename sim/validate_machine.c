/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One guest on one CPU that chases pointers: page tables of both stages in simulated memory, the
 * hardware model, and data caches that loads and table reads share.
 *
 * The hardware model's own caches for table reads are switched off. Its port sees every table
 * read, so the read is looked up and charged here, in the caches that the loads go through too.
 */
#include "sim/validate_priv.h"

#include <stdlib.h>
#include <string.h>

#include "mmu/mmu.h"
#include "mmu/x86.h"
#include "sim/ram.h"

#define KIB       UINT64_C(1024)
#define MIB       (KIB * KIB)
#define GIB       (MIB * KIB)
#define PAGE      (4 * KIB)
#define LINE      UINT64_C(64)
#define ENTRY     UINT64_C(0x67) /* present, writable, user, accessed, dirty */
#define LARGE     UINT64_C(0x80)
#define ADDRESS   UINT64_C(0x000ffffffffff000)
#define VA_BASE   UINT64_C(0x7f0000000000)
#define GUEST_TOP (UINT64_C(1) << 24) /* frames below are data, guest tables follow */
#define HOST_BITS 28                  /* frames of the host: 1 TiB */
#define HALF_HOST (UINT64_C(1) << (HOST_BITS - 1))
#define MIN_LOADS 40000 /* of a measurement of few slots, as the measuring program does it */
/* Laps longer than this are cut: twice as many lines as the last cache holds, read just before the
 * measurement, are all that the model can remember, and a stretch of a random lap is as good a
 * sample as the whole. */
#define WARM_MAX     (UINT64_C(1) << 20)
#define MEASURED_MAX (UINT64_C(1) << 16)

/* ---- the series (bench/hardware/README.md) ---- */

enum order { ASCENDING, DESCENDING, SCATTERED };

struct sim_series {
    const char *name;
    uint64_t page, spacing;
    enum order order;   /* of the guest frames of 4K pages */
    uint64_t block;     /* shuffled inside blocks of so many slots; 0: all */
    unsigned int level; /* of the first-stage leaf */
};

static const struct sim_series all_series[] = {
    {"p4k_scatter", 4 * KIB, 4 * KIB, SCATTERED, 0, 0},
    {"p4k_contig", 4 * KIB, 4 * KIB, DESCENDING, 0, 0},
    {"p2m_4k", 2 * MIB, 4 * KIB, ASCENDING, 0, 1},
    {"p2m_2m", 2 * MIB, 2 * MIB, ASCENDING, 0, 1},
    {"p2m_dense", 2 * MIB, 64, ASCENDING, 0, 1},
    {"p2m_blocked", 2 * MIB, 320, ASCENDING, 13107, 1},
    {"p1g_4k", 1 * GIB, 4 * KIB, ASCENDING, 0, 2},
};

const struct sim_series *sim_series_find(const char *name)
{
    for (size_t i = 0; i < sizeof(all_series) / sizeof(all_series[0]); i++)
        if (!strcmp(all_series[i].name, name))
            return &all_series[i];
    return NULL;
}

bool sim_series_fits(const struct sim_series *series, uint64_t page_kib, uint64_t spacing)
{
    return series->page == page_kib * KIB && series->spacing == spacing;
}

/* Where in the region slot i is: the line rule of the measuring program. */
static uint64_t slot_at(const struct sim_series *series, uint64_t i)
{
    uint64_t at = i * series->spacing, line = LINE * ((2 * (i % 32) + i / 32) % 64);

    if (series->spacing < PAGE)
        return at;
    if (series->spacing == PAGE)
        return at + line;
    return at + PAGE * ((i * UINT64_C(0x9e3779b97f4a7c15)) >> 55) + line;
}

/* ---- data caches: true LRU, filled at every level ---- */

struct cache {
    uint64_t *lines; /* by set, most recent first: line + 1 */
    uint64_t sets;
    unsigned int ways;
    uint64_t cycles;
};

struct sim_validate_vm {
    const struct sim_series *series;
    struct sim_ram *ram;
    struct mmu *mmu;
    struct cache cache[3];
    uint64_t memory_cycles;
    uint64_t cycles; /* of caches and memory, since the last reset */
    uint64_t nested_root, guest_root, nested_tables, guest_tables;
    uint32_t *order, *frames; /* of a lap; guest frame of each 4K page, for SCATTERED */
    uint64_t slots_max, pages, random;
};

static bool make_cache(struct cache *cache, uint64_t bytes, uint64_t ways, uint64_t cycles)
{
    *cache = (struct cache){.ways = (unsigned int)ways, .cycles = cycles};
    if (bytes == 0)
        return true;
    if (ways == 0 || bytes / LINE < ways)
        return false;
    cache->sets = bytes / LINE / ways;
    cache->lines = calloc(cache->sets * ways, sizeof(*cache->lines));
    return cache->lines != NULL;
}

/* Moves the line to the front of its set, and says whether it was there. */
static bool touch(const struct cache *cache, uint64_t line)
{
    uint64_t *ways = &cache->lines[line % cache->sets * cache->ways], carried = line + 1;

    for (unsigned int way = 0; way < cache->ways; way++) {
        uint64_t held = ways[way];
        ways[way] = carried;
        if (held == line + 1)
            return true;
        carried = held;
    }
    return false;
}

static void charge(struct sim_validate_vm *vm, uint64_t pa)
{
    for (size_t i = 0; i < 3; i++)
        if (vm->cache[i].lines && touch(&vm->cache[i], pa / LINE)) {
            vm->cycles += vm->cache[i].cycles;
            return;
        }
    vm->cycles += vm->memory_cycles;
}

/* ---- memory ---- */

/* A bijection on HOST_BITS bits: the host gives out frames in no order that a cache could see. */
static uint64_t host_frame(uint64_t x)
{
    const uint64_t mask = (UINT64_C(1) << HOST_BITS) - 1;

    for (int round = 0; round < 2; round++) {
        x ^= x >> 15;
        x = x * UINT64_C(0x2c1b3c6d) & mask;
        x ^= x >> 12;
        x = x * UINT64_C(0x297a2d39) & mask;
    }
    return x ^ x >> 15;
}

static hyp_pa_t host_of(uint64_t gpa)
{
    return hyp_pa(host_frame(gpa / PAGE) * PAGE + gpa % PAGE);
}

/* Address of the table below an entry of the second stage; made when there is none. */
static uint64_t nested_next(struct sim_validate_vm *vm, hyp_pa_t slot)
{
    uint64_t entry = sim_ram_load(vm->ram, slot);

    if (entry == 0) {
        entry = host_frame(HALF_HOST + vm->nested_tables++) * PAGE | ENTRY;
        sim_ram_store(vm->ram, slot, entry);
    }
    return entry & ADDRESS;
}

static void map_nested(struct sim_validate_vm *vm, uint64_t gpa)
{
    uint64_t table = vm->nested_root;

    for (unsigned int level = 3; level > 0; level--)
        table = nested_next(vm, hyp_pa(table + (gpa >> (12 + 9 * level) & 511) * 8));
    sim_ram_store(vm->ram, hyp_pa(table + (gpa >> 12 & 511) * 8),
                  (host_of(gpa).v & ADDRESS) | ENTRY);
}

static uint64_t new_guest_table(struct sim_validate_vm *vm)
{
    uint64_t gpa = (GUEST_TOP + vm->guest_tables++) * PAGE;

    map_nested(vm, gpa);
    return gpa;
}

static void map_guest(struct sim_validate_vm *vm, uint64_t va, uint64_t gpa)
{
    unsigned int leaf = vm->series->level;
    uint64_t table = vm->guest_root;

    for (unsigned int level = 3; level > leaf; level--) {
        hyp_pa_t slot = host_of(table + (va >> (12 + 9 * level) & 511) * 8);
        uint64_t entry = sim_ram_load(vm->ram, slot);
        if (entry == 0) {
            entry = new_guest_table(vm) | ENTRY;
            sim_ram_store(vm->ram, slot, entry);
        }
        table = entry & ADDRESS;
    }
    sim_ram_store(vm->ram, host_of(table + (va >> (12 + 9 * leaf) & 511) * 8),
                  gpa | ENTRY | (leaf ? LARGE : 0));
}

/* ---- the port ---- */

static uint64_t load(void *ctx, hyp_pa_t pa, bool *ok)
{
    struct sim_validate_vm *vm = ctx;

    *ok = true;
    charge(vm, pa.v);
    return sim_ram_load(vm->ram, pa);
}

static bool swap(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired)
{
    struct sim_validate_vm *vm = ctx;

    if (sim_ram_load(vm->ram, pa) != old)
        return false;
    sim_ram_store(vm->ram, pa, desired);
    return true;
}

/* ---- construction ---- */

static uint64_t below(struct sim_validate_vm *vm, uint64_t limit)
{
    vm->random ^= vm->random >> 12;
    vm->random ^= vm->random << 25;
    vm->random ^= vm->random >> 27;
    return (vm->random * UINT64_C(0x2545f4914f6cdd1d) >> 32) * limit >> 32;
}

static void shuffle(struct sim_validate_vm *vm, uint32_t *items, uint64_t count)
{
    for (uint64_t i = count; i > 1; i--) {
        uint64_t j = below(vm, i);
        uint32_t item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}

static bool make_mmu(struct sim_validate_vm *vm, const struct sim_config *config)
{
#define G(group, name) ((uint32_t)SIM_GET(config, group, name))
    enum mmu_repl repl = (enum mmu_repl)SIM_GET(config, tlb, repl);
    struct mmu_port port = {.ctx = vm, .load = load, .swap = swap};
    struct mmu_config mmu = {
        .cpus = 1,
        /* The knob chooses the policy of the larger arrays; the small L1 is LRU. */
        .l1d = {G(tlb, l1d_entries), G(tlb, l1d_ways), MMU_REPL_LRU, G(tlb, l1_shifts), 0},
        .l1i = {G(tlb, l1i_entries), G(tlb, l1i_ways), MMU_REPL_LRU, G(tlb, l1_shifts), 0},
        .l2 = {G(tlb, l2_entries), G(tlb, l2_ways), repl, G(tlb, l2_shifts), G(tlb, l2_cycles)},
        .walk_cache = {G(wcache, entries), G(wcache, ways), MMU_REPL_LRU, 0, 0},
        .ipa_cache = {G(wcache, ipa_entries), G(wcache, ipa_ways), MMU_REPL_LRU,
                      G(wcache, in_l2) ? 1u << 21 | 1u << 30 : 0, 0},
        .l2_holds_walks = G(wcache, in_l2) != 0,
        .ipa_cache_tables = true,
        /* A walk begins when the L2 TLB has answered that it holds nothing. */
        .walk_cycles = G(cost, walk) + G(tlb, l2_cycles),
        .seed = SIM_GET(config, tlb, seed),
        .stale_period = 1,
    };
    struct mmu_x86_regs regs = {
        .cr0 = MMU_X86_CR0_PG | MMU_X86_CR0_WP | 1,
        .cr3 = vm->guest_root,
        .cr4 = MMU_X86_CR4_PAE | MMU_X86_CR4_PGE,
        .efer = MMU_X86_EFER_LMA | MMU_X86_EFER_NXE,
        .pat = MMU_X86_PAT_RESET,
        .eptp = vm->nested_root,
        .npt = true,
        .vpid = 1,
        .pa_bits = 48,
        .pages_1g = true,
        .ept_1g = true,
    };

    vm->mmu = mmu_create(&mmu, &port);
    if (!vm->mmu ||
        !make_cache(&vm->cache[0], G(cache, l1_bytes), G(cache, l1_ways), G(cache, l1_cycles)) ||
        !make_cache(&vm->cache[1], G(cache, l2_bytes), G(cache, l2_ways), G(cache, l2_cycles)) ||
        !make_cache(&vm->cache[2], G(cache, l3_bytes), G(cache, l3_ways), G(cache, l3_cycles)))
        return false;
    vm->memory_cycles = G(cache, memory_cycles);
    mmu_set_x86(vm->mmu, 0, &regs);
    return true;
#undef G
}

static uint64_t guest_frame(const struct sim_validate_vm *vm, uint64_t page)
{
    switch (vm->series->order) {
    case SCATTERED:
        return vm->frames[page];
    case DESCENDING:
        return vm->pages - 1 - page;
    case ASCENDING:
        break;
    }
    return page;
}

/* Maps every page that has a slot. */
static void map_all(struct sim_validate_vm *vm)
{
    uint64_t page_bytes = vm->series->page;
    uint64_t leaf_end = 0; /* first-stage pages below are mapped */

    for (uint64_t i = 0, done = UINT64_MAX; i < vm->slots_max; i++) {
        uint64_t at = slot_at(vm->series, i), page = at / PAGE;
        if (page == done)
            continue;
        done = page;
        map_nested(vm, guest_frame(vm, page) * PAGE);
        for (; leaf_end <= at; leaf_end += page_bytes)
            map_guest(vm, VA_BASE + leaf_end,
                      page_bytes == PAGE ? guest_frame(vm, page) * PAGE : leaf_end);
    }
}

struct sim_validate_vm *sim_validate_vm_create(const struct sim_config *config,
                                               const struct sim_series *series, uint64_t slots_max)
{
    struct sim_validate_vm *vm = calloc(1, sizeof(*vm));

    if (!vm)
        return NULL;
    vm->series = series;
    vm->slots_max = slots_max;
    vm->pages = (slots_max * series->spacing + PAGE - 1) / PAGE;
    vm->random = UINT64_C(0x9e3779b97f4a7c15);
    vm->ram = sim_ram_create();
    vm->order = calloc(slots_max, sizeof(*vm->order));
    vm->frames = calloc(series->order == SCATTERED ? vm->pages : 1, sizeof(*vm->frames));
    if (!vm->ram || !vm->order || !vm->frames) {
        sim_validate_vm_destroy(vm);
        return NULL;
    }
    if (series->order == SCATTERED) {
        for (uint64_t i = 0; i < vm->pages; i++)
            vm->frames[i] = (uint32_t)i;
        shuffle(vm, vm->frames, vm->pages);
    }
    vm->nested_root = host_frame(HALF_HOST + vm->nested_tables++) * PAGE;
    vm->guest_root = new_guest_table(vm);
    map_all(vm);
    if (!make_mmu(vm, config)) {
        sim_validate_vm_destroy(vm);
        return NULL;
    }
    return vm;
}

void sim_validate_vm_destroy(struct sim_validate_vm *vm)
{
    if (!vm)
        return;
    mmu_destroy(vm->mmu);
    sim_ram_destroy(vm->ram);
    for (size_t i = 0; i < 3; i++)
        free(vm->cache[i].lines);
    free(vm->order);
    free(vm->frames);
    free(vm);
}

/* ---- laps ---- */

/* `count` loads, one after the other, up to that of place `end` in the lap; false when one faults,
 * which a complete set of tables excludes. */
static bool chase(struct sim_validate_vm *vm, uint64_t slots, uint64_t end, uint64_t count,
                  uint64_t *cycles)
{
    uint64_t at = (end + slots - count % slots) % slots;

    for (uint64_t i = 0; i < count; i++) {
        struct mmu_request request = {.va = VA_BASE + slot_at(vm->series, vm->order[at]),
                                      .regime = MMU_X86,
                                      .access = MMU_READ};
        struct mmu_result result;

        mmu_translate(vm->mmu, &request, &result);
        if (result.fault != MMU_OK)
            return false;
        charge(vm, result.pa.v);
        *cycles += result.cycles;
        if (++at == slots)
            at = 0;
    }
    return true;
}

static void make_order(struct sim_validate_vm *vm, uint64_t slots)
{
    uint64_t block = vm->series->block ? vm->series->block : slots;

    for (uint64_t i = 0; i < slots; i++)
        vm->order[i] = (uint32_t)i;
    for (uint64_t first = 0; first < slots; first += block)
        shuffle(vm, vm->order + first, slots - first < block ? slots - first : block);
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

void sim_validate_vm_run(struct sim_validate_vm *vm, struct sim_validate_point *point)
{
    uint64_t slots = point->slots;
    uint64_t loads = slots < MIN_LOADS ? (MIN_LOADS + slots - 1) / slots * slots : slots;
    uint64_t measured = at_most(loads, MEASURED_MAX), cycles = 0;

    make_order(vm, slots);
    bool works = chase(vm, slots, 0, at_most(loads, WARM_MAX), &cycles);
    struct mmu_counters before = *mmu_counters(vm->mmu);

    vm->cycles = cycles = 0;
    works = works && chase(vm, slots, measured % slots, measured, &cycles);
    const struct mmu_counters *after = mmu_counters(vm->mmu);

    point->loads = measured;
    point->model = works ? (cycles + vm->cycles) * 100 / measured : 0;
    point->l1_misses = after->l1_misses_read - before.l1_misses_read;
    point->walks = after->walks - before.walks;
}
