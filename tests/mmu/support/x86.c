/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/mmu/support/x86.h"

#include <string.h>

#define ADDRESS UINT64_C(0x000ffffffffff000)

void x86_set(struct x86 *x)
{
    for (unsigned int cpu = 0; mmu_cpu(x->world.mmu, cpu); cpu++)
        mmu_set_x86(x->world.mmu, cpu, &x->regs);
}

void x86_open(struct x86 *x, const struct mmu_config *config, unsigned int levels,
              unsigned int ept_levels, unsigned int table_level)
{
    *x = (struct x86){.levels = levels, .ept_levels = ept_levels};
    world_open(&x->world, config);
    x->delta = ept_levels ? X86_DELTA : 0;
    x->root = world_alloc(&x->world, 4096);
    x->regs = (struct mmu_x86_regs){
        .cr0 = MMU_X86_CR0_PG | MMU_X86_CR0_WP | 1,
        .cr3 = x->root + x->delta,
        .cr4 = MMU_X86_CR4_PAE | MMU_X86_CR4_PGE | MMU_X86_CR4_PCIDE |
               (levels == 5 ? MMU_X86_CR4_LA57 : 0),
        .efer = MMU_X86_EFER_LMA | MMU_X86_EFER_NXE,
        .pat = MMU_X86_PAT_RESET,
        .pa_bits = 46,
        .pages_1g = true,
        .ept_xo = true,
        .ept_1g = true,
        .ept_5level = true,
    };
    if (ept_levels) {
        uint64_t step = UINT64_C(4096) << (9 * table_level);
        x->ept_root = world_alloc(&x->world, 4096);
        x->regs.ept = true;
        x->regs.vpid = 1;
        x->regs.eptp = x->ept_root | MMU_X86_EPTP_LEVELS(ept_levels) | MMU_X86_EPTP_WB;
        for (uint64_t pa = 0; pa < UINT64_C(4) << 20; pa += step)
            ept_map(x, pa + X86_DELTA, table_level, pa | EPT_ALL | (table_level ? EPT_PS : 0));
    }
    x86_set(x);
}

void x86_close(struct x86 *x)
{
    world_close(&x->world);
}

static uint64_t slot(struct x86 *x, uint64_t root, uint64_t delta, uint64_t address,
                     unsigned int top, unsigned int level, uint64_t flags)
{
    uint64_t table = root;

    for (unsigned int at = top;; at--) {
        uint64_t pa = table + (address >> (12 + 9 * at) & 511) * 8;
        if (at == level)
            return pa;
        uint64_t entry = world_read(&x->world, pa);
        if ((entry & 7) == 0) {
            entry = (world_alloc(&x->world, 4096) + delta) | flags;
            world_write(&x->world, pa, entry);
        }
        table = (entry & ADDRESS) - delta;
    }
}

uint64_t x86_slot(struct x86 *x, uint64_t va, unsigned int level)
{
    return slot(x, x->root, x->delta, va, x->levels - 1, level, X86_P | X86_W | X86_U | X86_A);
}

uint64_t ept_slot(struct x86 *x, uint64_t gpa, unsigned int level)
{
    return slot(x, x->ept_root, 0, gpa, x->ept_levels - 1, level, EPT_R | EPT_W | EPT_X);
}

void x86_map(struct x86 *x, uint64_t va, unsigned int level, uint64_t entry)
{
    world_write(&x->world, x86_slot(x, va, level), entry);
}

void ept_map(struct x86 *x, uint64_t gpa, unsigned int level, uint64_t entry)
{
    world_write(&x->world, ept_slot(x, gpa, level), entry);
}

void x86_pages(struct x86 *x, unsigned int pages)
{
    for (uint64_t at = 0; at < (uint64_t)pages << 12; at += 4096) {
        x86_map(x, X86_VA + at, 0, ((x->ept_levels ? X86_GPA : X86_PA) + at) | X86_ALL);
        if (x->ept_levels)
            ept_map(x, X86_GPA + at, 0, (X86_PA + at) | EPT_ALL);
    }
}

struct mmu_result x86_access(struct x86 *x, uint64_t va, enum mmu_access access, unsigned int el)
{
    return world_request(&x->world, x86_request(va, access, el));
}

struct mmu_result x86_on(struct x86 *x, unsigned int cpu, uint64_t va)
{
    struct mmu_request request = x86_request(va, MMU_READ, 1);

    request.cpu = (uint8_t)cpu;
    return world_request(&x->world, request);
}

void x86_inval(struct x86 *x, enum mmu_x86_op op, uint64_t start)
{
    struct mmu_x86_inval inval = {.op = (uint8_t)op,
                                  .vpid = x->regs.vpid,
                                  .pcid = (uint16_t)(x->regs.cr3 & 0xfff),
                                  .start = start,
                                  .gpa = start,
                                  .eptp = x->regs.ept ? x->regs.eptp : 0};

    mmu_x86_invalidate(x->world.mmu, &inval);
}
