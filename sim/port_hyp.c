/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core's port on a simulated machine: table entries live in simulated memory, invalidations
 * reach the modelled TLBs, and each operation is charged.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "mmu/x86.h"
#include "sim/machine.h"

enum { SLOTS = 512 }; /* of one page of sim_ram */

static uint64_t pte_load(void *ctx, hyp_pa_t slot)
{
    const struct sim *sim = ctx;

    return sim_ram_load(sim->ram, slot);
}

static void pte_store(void *ctx, hyp_pa_t slot, uint64_t pte)
{
    struct sim *sim = ctx;

    sim_ram_store(sim->ram, slot, pte);
    sim_charge(sim, SIM_CAUSE_table_edit, SIM_COST(sim, pte_write));
}

/* Runs may cross the 4 KiB pages of a larger granule, so they are cut at page ends. */
static void pte_fill(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step, unsigned int count)
{
    struct sim *sim = ctx;

    sim_charge(sim, SIM_CAUSE_table_edit, SIM_COST(sim, pte_write) * count);
    while (count > 0) {
        unsigned int at = slot.v / 8 % SLOTS;
        unsigned int run = count < SLOTS - at ? count : SLOTS - at;
        uint64_t *page = sim_ram_page(sim->ram, slot);

        for (unsigned int i = 0; i < run; i++)
            page[at + i] = first + i * step;
        first += run * step;
        slot = hyp_pa_add(slot, run * 8);
        count -= run;
    }
}

static void pte_read(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count)
{
    const struct sim *sim = ctx;

    while (count > 0) {
        unsigned int at = slot.v / 8 % SLOTS;
        unsigned int run = count < SLOTS - at ? count : SLOTS - at;
        const uint64_t *page = sim_ram_peek(sim->ram, slot);

        for (unsigned int i = 0; i < run; i++)
            out[i] = page ? page[at + i] : 0;
        out += run;
        slot = hyp_pa_add(slot, run * 8);
        count -= run;
    }
}

static void page_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    struct sim *sim = ctx;

    sim_ram_zero(sim->ram, page, size);
    sim_charge(sim, SIM_CAUSE_zero, sim_clear_cycles(sim, size));
}

/* The DSB after an invalidation is part of the invalidation's cost; the others are not. */
static void barrier(void *ctx, enum hyp_barrier kind)
{
    struct sim *sim = ctx;

    if (kind == HYP_DSB_ISHST || kind == HYP_ISB)
        sim_charge(sim, SIM_CAUSE_table_edit, SIM_COST(sim, barrier));
}

uint64_t sim_clear_cycles(const struct sim *sim, uint64_t bytes)
{
    return SIM_COST(sim, clear_page) * (bytes / 4096);
}

uint64_t sim_shootdown_cycles(const struct sim *sim, uint64_t pages, bool range)
{
    uint64_t further = sim->cpus > 2 ? sim->cpus - 2 : 0;
    uint64_t cycles = SIM_COST(sim, shootdown) + further * SIM_COST(sim, shootdown_cpu);

    if (!range && pages > 1)
        cycles += (pages - 1) * SIM_COST(sim, shootdown_page);
    return cycles * SIM_COST(sim, tlbi_repeat);
}

/* What each of the core's invalidations is in the model's terms. */
static const struct {
    uint8_t op;
    bool broadcast, range;
} tlbi_map[HYP_TLBI_COUNT] = {
    [HYP_TLBI_IPAS2E1IS] = {MMU_TLBI_IPAS2E1, true, false},
    [HYP_TLBI_RIPAS2E1IS] = {MMU_TLBI_RIPAS2E1, true, true},
    [HYP_TLBI_VMALLE1IS] = {MMU_TLBI_VMALLE1, true, false},
    [HYP_TLBI_VMALLE1] = {MMU_TLBI_VMALLE1, false, false},
    [HYP_TLBI_VMALLS12E1IS] = {MMU_TLBI_VMALLS12E1, true, false},
    [HYP_TLBI_VMALLS12E1] = {MMU_TLBI_VMALLS12E1, false, false},
    [HYP_TLBI_IPAS2E1] = {MMU_TLBI_IPAS2E1, false, false},
    [HYP_TLBI_VALE2IS] = {MMU_TLBI_VALE2, true, false},
    [HYP_TLBI_VAE2IS] = {MMU_TLBI_VAE2, true, false},
    [HYP_TLBI_ALLE2] = {MMU_TLBI_ALLE2, false, false},
    [HYP_TLBI_ALLE1IS] = {MMU_TLBI_ALLE1, true, false},
};

/* Every CPU is interrupted, and drops what it holds of the table; nothing of the hypervisor's own
 * translations is modelled. */
static void invept(struct sim *sim, const struct hyp_tlb_inv *inv)
{
    struct mmu_x86_inval inval = {
        .op = MMU_X86_INVEPT_ONE, .broadcast = true, .cpu = sim->cpu, .eptp = inv->root.v};

    if (inv->op == HYP_TLBI_INVEPT)
        mmu_x86_invalidate(sim->mmu, &inval);
    sim_charge(sim, SIM_CAUSE_shootdown, sim_shootdown_cycles(sim, 1, true));
}

static void tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    struct sim *sim = ctx;

    if (sim->map.x86) {
        invept(sim, inv);
        return;
    }
    uint64_t granule = sim_page_bytes(sim);
    uint64_t pages = inv->size > granule ? inv->size / granule : 1;
    bool range = tlbi_map[inv->op].range;
    struct mmu_inval inval = {
        .op = tlbi_map[inv->op].op,
        .broadcast = tlbi_map[inv->op].broadcast,
        .cpu = sim->cpu,
        .vmid = inv->vmid,
        .ttl = inv->level,
        .start = inv->start,
        .size = inv->size,
    };

    mmu_invalidate(sim->mmu, &inval);
    sim_charge(sim, SIM_CAUSE_shootdown,
               inval.broadcast ? sim_shootdown_cycles(sim, pages, range)
                               : SIM_COST(sim, flush_local));
}

static void cache_sync(void *ctx, hyp_pa_t base, uint64_t size, enum hyp_cache_op op)
{
    /* Data caches are modelled for table reads only; cleaning them has no visible effect there. */
    (void)ctx;
    (void)base;
    (void)size;
    (void)op;
}

static void root_set(void *ctx, const struct hyp_root *root)
{
    struct sim *sim = ctx;

    if (root->kind != HYP_ROOT_STAGE2)
        return;
    sim->cpu_state[sim->cpu].stage2 = *root;
    sim->cpu_state[sim->cpu].has_stage2 = true;
    sim_host_regs(sim, sim->cpu);
}

static void event(void *ctx, const struct hyp_event *event)
{
    struct sim *sim = ctx;

    switch (event->kind) {
    case HYP_EV_BLOCK_SPLIT:
        sim_count(sim, SIM_COUNT_s2_splits, 1);
        break;
    case HYP_EV_BLOCK_COLLAPSE:
        sim_count(sim, SIM_COUNT_s2_collapses, 1);
        break;
    case HYP_EV_TABLE_ALLOC:
        if (++sim->tables_now > sim->stats.count[SIM_COUNT_s2_tables_peak])
            sim->stats.count[SIM_COUNT_s2_tables_peak] = sim->tables_now;
        break;
    case HYP_EV_TABLE_FREE:
        sim->tables_now--;
        break;
    case HYP_EV_HOST_MAP:
        sim_count(sim, SIM_COUNT_host_faults, 1);
        sim_count(sim, SIM_COUNT_host_faults_page, event->level == 0);
        break;
    case HYP_EV_HOST_INJECT:
    case HYP_EV_HOST_RECYCLE:
    case HYP_EV_TRANSITION:
    case HYP_EV_COUNT:
        break;
    }
}

static void panic(void *ctx, const char *what, const char *file, int line)
{
    const struct sim *sim = ctx;

    fprintf(stderr, "faultline: the hypervisor core gave up at record %" PRIu64 ": %s (%s:%d)\n",
            sim->position, what, file, line);
    exit(SIM_INTERNAL);
}

void sim_port_hyp(struct sim *sim, struct hyp_port *port)
{
    *port = (struct hyp_port){
        .ctx = sim,
        .pte_load = pte_load,
        .pte_store = pte_store,
        .pte_fill = pte_fill,
        .pte_read = pte_read,
        .page_zero = page_zero,
        .barrier = barrier,
        .tlb_inv = tlb_inv,
        .cache_sync = cache_sync,
        .root_set = root_set,
        .event = event,
        .panic = panic,
    };
}
