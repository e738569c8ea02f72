/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host kernel tells its CPUs, by architecture: translation registers and invalidations.
 * What they cost is charged elsewhere.
 */
#include <hyp/bits.h>

#include "mmu/x86.h"
#include "sim/asi.h"
#include "sim/machine.h"

/* DDI 0487 D24.2: TCR_EL1 for 48-bit halves; inner shareable, write-back walks. */
#define TCR_EL1                                                                                    \
    (hyp_field(HYP_MASK(5, 0), 16) | hyp_field(HYP_MASK(21, 16), 16) |                             \
     hyp_field(HYP_MASK(34, 32), 5))
#define SCTLR_M  HYP_BIT(0)
#define MAIR_EL1 UINT64_C(0x04ff) /* 0: normal write-back, 1: device nGnRE */
#define HCR_VM   HYP_BIT(0)
#define HCR_RW   HYP_BIT(31)

enum { X86_HOST_VPID = 1 };

/* DDI 0487 D24.2, TCR_EL1.TG0 and TG1: two encodings of the same choice. */
static uint64_t granules(unsigned int page_shift)
{
    const uint64_t tg0 = page_shift == 12 ? 0 : page_shift == 14 ? 2 : 1;
    const uint64_t tg1 = page_shift == 12 ? 2 : page_shift == 14 ? 1 : 3;

    return hyp_field(HYP_MASK(15, 14), tg0) | hyp_field(HYP_MASK(31, 30), tg1);
}

void sim_host_regs_init(struct sim *sim, unsigned int cpu)
{
    uint64_t *reg = sim->cpu_state[cpu].reg;

    reg[TRACE_SCTLR_EL1] = SCTLR_M;
    reg[TRACE_TCR_EL1] = TCR_EL1 | granules(sim_page_shift(sim));
    reg[TRACE_TTBR0_EL1] = sim->map.user_root.v;
    reg[TRACE_TTBR1_EL1] = sim->map.kernel_root.v;
    reg[TRACE_MAIR_EL1] = MAIR_EL1;
    reg[TRACE_CR0] = MMU_X86_CR0_PG | MMU_X86_CR0_WP | 1;
    reg[TRACE_CR3] = sim->map.kernel_root.v;
    reg[TRACE_CR4] = MMU_X86_CR4_PAE | MMU_X86_CR4_PGE;
}

static void set_arm64(struct sim *sim, unsigned int cpu, const struct hyp_root *stage2, bool vm)
{
    const uint64_t *reg = sim->cpu_state[cpu].reg;
    struct mmu_arm64_regs regs = {
        .sctlr = vm ? 0 : reg[TRACE_SCTLR_EL1],
        .tcr = reg[TRACE_TCR_EL1],
        .ttbr0 = reg[TRACE_TTBR0_EL1],
        .ttbr1 = reg[TRACE_TTBR1_EL1],
        .mair = reg[TRACE_MAIR_EL1],
        .hcr = HCR_RW,
        .pa_bits = 48,
        .fwb = SIM_GET(&sim->config, s2, fwb) != 0,
        .xnx = true,
        .range_tlbi = SIM_GET(&sim->config, s1, range_tlbi) != 0,
        .bbm2 = SIM_GET(&sim->config, s1, bbm) == 2,
    };

    if (stage2) {
        regs.hcr |= HCR_VM;
        regs.vtcr = stage2->tcr;
        regs.vttbr = stage2->pgd.v | (uint64_t)stage2->vmid << 48;
    }
    mmu_set_regs(sim->mmu, cpu, MMU_EL10, &regs);
}

static void set_x86(struct sim *sim, unsigned int cpu, const struct hyp_root *stage2, bool vm)
{
    const uint64_t *reg = sim->cpu_state[cpu].reg;
    struct mmu_x86_regs regs = {
        .cr0 = vm ? 1 : reg[TRACE_CR0],
        .cr3 = reg[TRACE_CR3],
        .cr4 = reg[TRACE_CR4],
        .efer = MMU_X86_EFER_LMA | MMU_X86_EFER_NXE,
        .pat = MMU_X86_PAT_RESET,
        .pa_bits = SIM_X86_PA_BITS,
        .pages_1g = true,
        .ept_xo = true,
        .ept_1g = true,
    };

    if (stage2) {
        regs.ept = true;
        regs.eptp = stage2->tcr;
        regs.vpid = (uint16_t)(X86_HOST_VPID + stage2->vmid);
    }
    mmu_set_x86(sim->mmu, cpu, &regs);
}

void sim_host_regs(struct sim *sim, unsigned int cpu)
{
    const struct sim_cpu_state *state = &sim->cpu_state[cpu];
    const struct hyp_vm *vm = state->vm ? hyp_vm_find(&sim->hyp, state->vm) : NULL;
    struct hyp_root root = vm ? hyp_vm_root(&sim->hyp, vm) : state->stage2;
    const struct hyp_root *stage2 = state->has_stage2 ? &root : NULL;

    if (sim->map.x86)
        set_x86(sim, cpu, stage2, vm != NULL);
    else
        set_arm64(sim, cpu, stage2, vm != NULL);
}

static void invalidate_arm64(struct sim *sim, uint8_t cpu, enum mmu_tlbi op, uint64_t start,
                             uint64_t size)
{
    struct mmu_inval inval = {
        .op = (uint8_t)op, .broadcast = true, .cpu = cpu, .ttl = -1, .start = start, .size = size};

    mmu_invalidate(sim->mmu, &inval);
}

/* On x86 the host kernel interrupts every CPU and each invalidates for itself. */
static void invalidate_x86(struct sim *sim, uint8_t cpu, enum mmu_x86_op op, uint64_t start)
{
    struct mmu_x86_inval inval = {
        .op = (uint8_t)op,
        .broadcast = true,
        .cpu = cpu,
        .vpid = SIM_GET(&sim->config, s2, enable) ? X86_HOST_VPID : 0,
        .start = start,
    };

    mmu_x86_invalidate(sim->mmu, &inval);
}

void sim_host_invlpg(struct sim *sim, uint64_t va)
{
    struct mmu_x86_inval inval = {
        .op = MMU_X86_INVLPG,
        .vpid = SIM_GET(&sim->config, s2, enable) ? X86_HOST_VPID : 0,
        .start = va,
    };

    for (unsigned int cpu = 0; cpu < sim->cpus; cpu++) {
        inval.cpu = (uint8_t)cpu;
        inval.pcid = (uint16_t)(sim->cpu_state[cpu].reg[TRACE_CR3] & HYP_MASK(11, 0));
        mmu_x86_invalidate(sim->mmu, &inval);
    }
}

void sim_host_invalidate_page(struct sim *sim, uint8_t cpu, uint64_t va)
{
    if (!sim->map.x86)
        invalidate_arm64(sim, cpu, MMU_TLBI_VAAE1, va, sim_page_bytes(sim));
    else if (!sim->asi)
        invalidate_x86(sim, cpu, MMU_X86_INVLPG, va);
    else {
        sim_host_invlpg(sim, va);
        sim_asi_changed(sim, hyp_va(va));
    }
}

void sim_host_invalidate_range(struct sim *sim, uint8_t cpu, uint64_t va, uint64_t pages)
{
    if (!sim->map.x86 && SIM_GET(&sim->config, s1, range_tlbi) && pages > 1) {
        invalidate_arm64(sim, cpu, MMU_TLBI_RVAALE1, va, pages * sim_page_bytes(sim));
        return;
    }
    for (uint64_t i = 0; i < pages; i++) {
        if (sim->map.x86)
            invalidate_x86(sim, cpu, MMU_X86_INVLPG, va + i * sim_page_bytes(sim));
        else
            invalidate_arm64(sim, cpu, MMU_TLBI_VAALE1, va + i * sim_page_bytes(sim),
                             sim_page_bytes(sim));
    }
}

void sim_host_invalidate_all(struct sim *sim, uint8_t cpu)
{
    if (sim->map.x86)
        invalidate_x86(sim, cpu, MMU_X86_CR4_GLOBAL, 0);
    else
        invalidate_arm64(sim, cpu, MMU_TLBI_VMALLE1, 0, 0);
}
