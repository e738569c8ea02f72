/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine: construction, register state, and the way of one access through L1, L2 and walk. */
#include "mmu/mmu.h"

#include <hyp/bits.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/cache.h"
#include "mmu/dec_arm64.h"
#include "mmu/dec_x86.h"
#include "mmu/stale.h"
#include "mmu/tlb.h"
#include "mmu/walk.h"

/* ---- construction ---- */

static bool place_cpu(struct mmu_cpu *cpu, struct mmu_arena *arena, const struct mmu_config *config,
                      uint32_t id)
{
    struct mmu_config c = *config;
    uint64_t seed = c.seed + 8u * id + 1;

    if (c.l2_holds_walks)
        c.walk_cache.entries = c.ipa_cache.entries = 0;
    if (c.caches_off)
        c.l1d.entries = c.l1i.entries = c.l2.entries = c.walk_cache.entries = c.ipa_cache.entries =
            0;
    cpu->id = id;
    bool made = mmu_tlb_init(&cpu->l1[0].tlb, arena, &c.l1d, seed) &&
                mmu_tlb_init(&cpu->l1[1].tlb, arena, &c.l1i, seed + 1) &&
                mmu_tlb_init(&cpu->l2, arena, &c.l2, seed + 2) &&
                mmu_tlb_init(&cpu->walk_cache, arena, &c.walk_cache, seed + 3) &&
                mmu_tlb_init(&cpu->ipa_cache, arena, &c.ipa_cache, seed + 4) &&
                mmu_cache_init(&cpu->cache[0], arena, &c.cache[0]) &&
                mmu_cache_init(&cpu->cache[1], arena, &c.cache[1]);
    cpu->l1[0].tlb.fronted = cpu->l1[1].tlb.fronted = true;
    cpu->check_at = mmu_stale_start(config);
    return made;
}

/* Lays the machine out in the arena; the first pass, without memory, finds only the size. */
static bool place(struct mmu_arena *arena, const struct mmu_config *config, struct mmu **machine)
{
    struct mmu *mmu = mmu_arena_take(arena, 1, sizeof(*mmu));
    struct mmu_counters *counters = mmu_arena_take(arena, 1, sizeof(*counters));
    struct mmu_cpu *cpus = mmu_arena_take(arena, config->cpus, sizeof(*cpus));
    struct mmu_cache shared;

    if (!mmu_cache_init(&shared, arena, &config->cache[2]))
        return false;
    for (uint32_t i = 0; i < config->cpus; i++) {
        struct mmu_cpu scratch;
        if (!place_cpu(cpus ? &cpus[i] : &scratch, arena, config, i))
            return false;
    }
    if (mmu) {
        mmu->config = *config;
        mmu->counters = counters;
        mmu->cpus = cpus;
        mmu->shared = shared;
    }
    *machine = mmu;
    return true;
}

struct mmu *mmu_create(const struct mmu_config *config, const struct mmu_port *port)
{
    struct mmu_arena arena = {0};
    struct mmu *mmu;
    void *memory;

    if (config->cpus < 1 || config->cpus > 256 ||
        (config->stale == MMU_STALE_SAMPLED && config->stale_period == 0) ||
        !place(&arena, config, &mmu))
        return NULL;
    memory = calloc(1, arena.used + 64);
    if (!memory)
        return NULL;
    arena.base = (unsigned char *)memory + (64 - (uintptr_t)memory % 64) % 64;
    arena.used = 0;
    place(&arena, config, &mmu);
    mmu->port = *port;
    mmu->memory = memory;
    return mmu;
}

void mmu_destroy(struct mmu *mmu)
{
    if (mmu)
        free(mmu->memory);
}

struct mmu_cpu *mmu_cpu(struct mmu *mmu, unsigned int cpu)
{
    return cpu < mmu->config.cpus ? &mmu->cpus[cpu] : NULL;
}

void mmu_set_regs(struct mmu *mmu, unsigned int cpu, enum mmu_regime regime,
                  const struct mmu_arm64_regs *regs)
{
    struct mmu_ctx *ctx = &mmu->cpus[cpu].ctx[regime];

    mmu_regs_arm64(ctx, regime, regs);
    ctx->gen = ++mmu->cpus[cpu].last_gen;
}

void mmu_set_x86(struct mmu *mmu, unsigned int cpu, const struct mmu_x86_regs *regs)
{
    struct mmu_ctx *ctx = &mmu->cpus[cpu].ctx[MMU_X86];

    mmu_regs_x86(ctx, regs);
    ctx->gen = ++mmu->cpus[cpu].last_gen;
}

const struct mmu_counters *mmu_counters(const struct mmu *mmu)
{
    struct mmu_counters *counters = mmu->counters;
    uint64_t misses = 0, hits = 0;

    counters->cycles_l1 = 0;
    for (unsigned int access = 0; access < 3; access++) {
        uint64_t sum = 0;
        for (unsigned int i = 0; i < mmu->config.cpus; i++)
            sum += mmu->cpus[i].l1_hits[access];
        counters->v[MMU_COUNTER_l1_hits_read + access] = sum;
        counters->cycles_l1 +=
            sum * (access == MMU_FETCH ? mmu->config.l1i : mmu->config.l1d).hit_cycles;
        misses += counters->v[MMU_COUNTER_l1_misses_read + access];
        hits += sum;
    }
    counters->accesses = hits + misses + counters->untranslated;
    return counters;
}

/* ---- outcomes ---- */

static void count_fault(struct mmu *mmu, const struct mmu_result *result)
{
    mmu->counters->v[MMU_COUNTER_fault_translation + result->fault - MMU_FAULT_TRANSLATION]++;
    if (result->stage == 1)
        mmu->counters->faults_s1++;
    else
        mmu->counters->faults_s2++;
    if (result->s1ptw)
        mmu->counters->faults_s1ptw++;
}

static uint8_t lower_level(uint8_t s1_level, uint8_t s2_level)
{
    return s1_level < s2_level ? s1_level : s2_level; /* MMU_LEVEL_NONE is above all */
}

static uint8_t combine(const struct mmu_ctx *ctx, uint8_t s1_attr, uint8_t s2_attr)
{
    return ctx->x86 ? mmu_dec_x86_combine(ctx, s1_attr, s2_attr)
                    : mmu_dec_arm64_combine(s1_attr, s2_attr, ctx->fwb);
}

static void result_of_walk(const struct mmu_walk *walk, bool walked, struct mmu_result *result)
{
    const struct mmu_leaf *s1 = &walk->s1, *s2 = &walk->s2;

    result->source = MMU_SRC_WALK;
    result->cycles = walk->cycles;
    result->refs_s1 = walk->refs_s1;
    result->refs_s2 = walk->refs_s2;
    result->ipa = hyp_ipa(s1->out);
    if (!walked) {
        result->fault = walk->fault;
        result->stage = walk->stage;
        result->level = walk->level;
        result->s1ptw = walk->s1ptw;
        result->ipa = hyp_ipa(walk->stage == 2 ? walk->fault_ipa : 0);
        result->x86_rights = walk->x86_rights;
        result->x86_flags = walk->x86_flags;
        return;
    }
    result->pa = hyp_pa(s2->out);
    result->level = lower_level(s1->level, s2->level);
    result->page_shift = s1->shift < s2->shift ? s1->shift : s2->shift;
    result->attr = walk->ctx->s2_on ? combine(walk->ctx, s1->attr, s2->attr) : s1->attr;
}

/* ---- hits ---- */

/* What an entry allows under the register state of now, without fault and without flag update. */
static void refresh(struct mmu_entry *entry, const struct mmu_ctx *ctx)
{
    unsigned int perm = mmu_perm_now(ctx, entry->s1_perm) & entry->s2_perm;

    if (entry->flags & MMU_ENTRY_DIRTY)
        perm &= ~MMU_PERM_W;
    entry->allow = (uint8_t)perm;
    entry->gen = ctx->gen;
}

/* The entry allows the access, but only after a walk has marked the tables dirty. */
static bool wants_marking(const struct mmu_entry *entry, const struct mmu_ctx *ctx,
                          unsigned int need)
{
    return (entry->flags & MMU_ENTRY_DIRTY) && (need & MMU_PERM_W) &&
           (mmu_perm_now(ctx, entry->s1_perm) & entry->s2_perm & need);
}

/* Whether an entry that wants_marking() may have been passed over before a refill. */
static bool may_replace(const struct mmu_ctx *ctx, unsigned int access)
{
    return access == MMU_WRITE && (ctx->hd || ctx->s2_hd);
}

static void result_of_entry(const struct mmu_entry *entry, const struct mmu_ctx *ctx,
                            const struct mmu_request *request, struct mmu_result *result)
{
    unsigned int need = mmu_perm_bit(request->access, request->el);
    uint64_t offset = request->va & ~entry->mask;

    result->ipa = hyp_ipa(entry->ipa + offset);
    if (entry->allow & need) {
        result->pa = hyp_pa(entry->pa + offset);
        result->level = lower_level(entry->s1_level, entry->s2_level);
        result->page_shift = entry->shift;
        result->attr = entry->attr;
        return;
    }
    bool s1_denies = !(mmu_perm_now(ctx, entry->s1_perm) & need);
    result->fault = MMU_FAULT_PERMISSION;
    result->stage = s1_denies ? 1 : 2;
    result->level = s1_denies ? entry->s1_level : entry->s2_level;
    if (s1_denies)
        result->ipa = hyp_ipa(0);
    if (ctx->x86) {
        bool no_ve = !s1_denies && (entry->flags & MMU_ENTRY_NO_VE);
        result->x86_rights = s1_denies ? 0 : MMU_X86_RIGHTS(entry->s2_perm);
        result->x86_flags = mmu_x86_flags(ctx, s1_denies ? 0 : entry->s1_perm, no_ve);
    }
}

/* The entry of an array for this access; NULL also when it has to be walked for marking. */
static struct mmu_entry *look_up(struct mmu_cpu *cpu, struct mmu_tlb *tlb,
                                 const struct mmu_ctx *ctx, const struct mmu_request *request)
{
    struct mmu_entry *entry = mmu_tlb_find(tlb, MMU_KIND_PAGE, ctx, request->va);

    if (!entry)
        return NULL;
    if (entry->gen != ctx->gen)
        refresh(entry, ctx);
    if (wants_marking(entry, ctx, mmu_perm_bit(request->access, request->el)))
        return NULL;
    mmu_tlb_use(tlb, entry, ++cpu->tick);
    return entry;
}

static void predict(struct mmu_l1 *l1, const struct mmu_entry *entry, uint64_t va)
{
    uint32_t index = mmu_tlb_index(&l1->tlb, entry);

    l1->front[(va >> 12) % MMU_FRONT_PAGES] = index;
    if (entry->shift >= 21)
        l1->blocks[(va >> 21) % MMU_FRONT_BLOCKS] = index;
}

static void fill_l1(struct mmu *mmu, struct mmu_cpu *cpu, struct mmu_l1 *l1,
                    const struct mmu_entry *from, uint64_t va, bool replace)
{
    const struct mmu_entry *made = mmu_tlb_fill(
        &l1->tlb, from, va, mmu_tlb_native(&l1->tlb, from->shift), ++cpu->tick, replace);

    if (!made)
        return;
    predict(l1, made, va);
    mmu->counters->l1_fills++;
}

/* ---- refill from a walk ---- */

static struct mmu_entry entry_of_walk(const struct mmu_walk *walk, const struct mmu_result *result)
{
    const struct mmu_ctx *ctx = walk->ctx;
    const struct mmu_leaf *s1 = &walk->s1, *s2 = &walk->s2;
    bool upper = ctx->two_ranges && (walk->va & HYP_BIT(55)) != 0;
    struct mmu_entry entry = {
        .va = walk->va,
        .pa = s2->out,
        .ipa = s1->out,
        .kind = MMU_KIND_PAGE,
        .regime = ctx->regime,
        .vmid = ctx->vmid,
        .asid = ctx->asid,
        .flags = (uint8_t)((s1->global ? MMU_ENTRY_GLOBAL : 0) | (ctx->s2_on ? MMU_ENTRY_S2 : 0) |
                           (s1->clean ? MMU_ENTRY_DIRTY1 : 0) | (s2->clean ? MMU_ENTRY_DIRTY2 : 0) |
                           (s2->no_ve ? MMU_ENTRY_NO_VE : 0)),
        .s1_perm = s1->perm,
        .s2_perm = s2->perm,
        .s1_level = s1->level,
        .s2_level = s2->level,
        .shift = result->page_shift,
        .attr = result->attr,
        .root = ctx->root,
    };

    if (s1->level != MMU_LEVEL_NONE)
        entry.s1_shift = (uint8_t)hyp_level_shift(ctx->s1[upper].page_shift, s1->level);
    if (s2->level != MMU_LEVEL_NONE)
        entry.s2_shift = (uint8_t)hyp_level_shift(ctx->s2.page_shift, s2->level);
    refresh(&entry, ctx);
    return entry;
}

static void refill(struct mmu *mmu, struct mmu_cpu *cpu, struct mmu_l1 *l1,
                   const struct mmu_walk *walk, const struct mmu_result *result)
{
    struct mmu_entry entry = entry_of_walk(walk, result);
    bool replace = may_replace(walk->ctx, walk->access);

    if (mmu_tlb_fill(&cpu->l2, &entry, walk->va, mmu_tlb_native(&cpu->l2, entry.shift), ++cpu->tick,
                     replace))
        mmu->counters->l2_fills++;
    fill_l1(mmu, cpu, l1, &entry, walk->va, replace);
}

/* ---- one access ---- */

static void untranslated(struct mmu *mmu, const struct mmu_ctx *ctx,
                         const struct mmu_request *request, struct mmu_result *result)
{
    result->source = MMU_SRC_OFF;
    result->page_shift = 12;
    result->pa = hyp_pa(request->va);
    result->ipa = hyp_ipa(request->va);
    if (request->va >> ctx->pa_bits) {
        *result = (struct mmu_result){
            .source = MMU_SRC_OFF, .fault = MMU_FAULT_ADDRESS_SIZE, .stage = 1, .level = 3};
    }
    if (request->probe)
        return;
    mmu->counters->untranslated++;
    if (result->fault)
        count_fault(mmu, result);
}

static struct mmu_walk new_walk(struct mmu *mmu, struct mmu_cpu *cpu,
                                const struct mmu_request *request)
{
    return (struct mmu_walk){.mmu = mmu,
                             .cpu = cpu,
                             .ctx = &cpu->ctx[request->regime],
                             .va = request->va,
                             .access = request->access,
                             .el = request->el,
                             .mode = request->probe ? MMU_WALK_PROBE : MMU_WALK_REAL};
}

static void hit(struct mmu *mmu, struct mmu_cpu *cpu, const struct mmu_request *request,
                const struct mmu_entry *entry, struct mmu_result *result)
{
    const struct mmu_ctx *ctx = &cpu->ctx[request->regime];

    if ((entry->allow & mmu_perm_bit(request->access, request->el)) && mmu_stale_due(mmu, cpu))
        mmu_stale_check_hit(mmu, cpu, request, entry, result->source);
    result_of_entry(entry, ctx, request, result);
    if (!result->fault)
        return;
    count_fault(mmu, result);
    if (ctx->x86)
        mmu_x86_drop_faulting(mmu, request, result);
}

static void miss(struct mmu *mmu, struct mmu_cpu *cpu, struct mmu_l1 *l1,
                 const struct mmu_request *request, struct mmu_result *result)
{
    struct mmu_walk walk = new_walk(mmu, cpu, request);
    bool walked = mmu_walk_run(&walk);

    if ((walk.used_walk || walk.used_ipa) && mmu_stale_due(mmu, cpu))
        mmu_stale_check_walk(&walk, request, walked);
    result_of_walk(&walk, walked, result);
    mmu->counters->cycles_walk += walk.cycles;
    if (walked)
        refill(mmu, cpu, l1, &walk, result);
    else
        count_fault(mmu, result);
    if (!walked && walk.ctx->x86)
        mmu_x86_drop_faulting(mmu, request, result);
}

void mmu_translate(struct mmu *mmu, const struct mmu_request *request, struct mmu_result *result)
{
    struct mmu_cpu *cpu = &mmu->cpus[request->cpu];
    const struct mmu_ctx *ctx = &cpu->ctx[request->regime];
    struct mmu_l1 *l1 = &cpu->l1[request->access == MMU_FETCH];
    struct mmu_entry *entry;

    *result = (struct mmu_result){.source = MMU_SRC_L1};
    if (!ctx->s1_on && !ctx->s2_on) {
        untranslated(mmu, ctx, request, result);
        return;
    }
    if (request->probe) {
        struct mmu_walk walk = new_walk(mmu, cpu, request);
        bool walked = mmu_walk_run(&walk);
        result_of_walk(&walk, walked, result);
        return;
    }
    entry = look_up(cpu, &l1->tlb, ctx, request);
    if (entry) {
        cpu->l1_hits[request->access]++;
        predict(l1, entry, request->va);
        result->cycles = l1->tlb.hit_cycles;
        hit(mmu, cpu, request, entry, result);
        return;
    }
    mmu->counters->v[MMU_COUNTER_l1_misses_read + request->access]++;
    entry = look_up(cpu, &cpu->l2, ctx, request);
    if (!entry) {
        mmu->counters->l2_misses++;
        miss(mmu, cpu, l1, request, result);
        return;
    }
    mmu->counters->l2_hits++;
    mmu->counters->cycles_l2 += cpu->l2.hit_cycles;
    result->source = MMU_SRC_L2;
    result->cycles = cpu->l2.hit_cycles;
    hit(mmu, cpu, request, entry, result);
    if (ctx->x86 && result->fault)
        return; /* the entry is gone */
    fill_l1(mmu, cpu, l1, entry, request->va, may_replace(ctx, request->access));
}
