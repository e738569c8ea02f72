/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An x86 machine for the tests: hand-made tables of one or two stages over the memory of world.h.
 * Entries are written as plain numbers, from the manual.
 */
#ifndef TESTS_MMU_X86_H
#define TESTS_MMU_X86_H

#include "mmu/x86.h"
#include "tests/mmu/support/world.h"

#define X86_P  UINT64_C(0x001)
#define X86_W  UINT64_C(0x002)
#define X86_U  UINT64_C(0x004)
#define X86_A  UINT64_C(0x020)
#define X86_D  UINT64_C(0x040)
#define X86_PS UINT64_C(0x080)
#define X86_G  UINT64_C(0x100)
#define X86_XD (UINT64_C(1) << 63)
/* Page with all rights, flags set. */
#define X86_ALL (X86_P | X86_W | X86_U | X86_A | X86_D)

#define EPT_R     UINT64_C(0x001)
#define EPT_W     UINT64_C(0x002)
#define EPT_X     UINT64_C(0x004)
#define EPT_WB    UINT64_C(0x030)
#define EPT_IPAT  UINT64_C(0x040)
#define EPT_PS    UINT64_C(0x080)
#define EPT_A     UINT64_C(0x100)
#define EPT_D     UINT64_C(0x200)
#define EPT_NO_VE (UINT64_C(1) << 63)
#define EPT_ALL   (EPT_R | EPT_W | EPT_X | EPT_WB)

#define X86_VA    UINT64_C(0x00007f0000000000)
#define X86_GPA   (UINT64_C(1) << 32)
#define X86_PA    (UINT64_C(1) << 33)
#define X86_DELTA (UINT64_C(1) << 35) /* guest-physical minus physical of the guest's tables */

struct x86 {
    struct world world;
    struct mmu_x86_regs regs;
    uint64_t root, ept_root; /* physical */
    uint64_t delta;
    unsigned int levels, ept_levels;
};

/*
 * CPUs as `config` says, tables of `levels`, over EPT of `ept_levels` (0: none) that maps the first
 * 4 MiB of memory at X86_DELTA with leaves of `table_level`. All features on, A/D of EPT off.
 */
void x86_open(struct x86 *x, const struct mmu_config *config, unsigned int levels,
              unsigned int ept_levels, unsigned int table_level);
void x86_close(struct x86 *x);
void x86_set(struct x86 *x); /* x->regs, on every CPU */

/* Physical address of the entry at `level`; missing tables are made with all rights and A set. */
uint64_t x86_slot(struct x86 *x, uint64_t va, unsigned int level);
uint64_t ept_slot(struct x86 *x, uint64_t gpa, unsigned int level);
void x86_map(struct x86 *x, uint64_t va, unsigned int level, uint64_t entry);
void ept_map(struct x86 *x, uint64_t gpa, unsigned int level, uint64_t entry);

/* `pages` 4K pages: X86_VA -> X86_GPA -> X86_PA, or straight to X86_PA without EPT. */
void x86_pages(struct x86 *x, unsigned int pages);

struct mmu_result x86_access(struct x86 *x, uint64_t va, enum mmu_access access, unsigned int el);
struct mmu_result x86_on(struct x86 *x, unsigned int cpu, uint64_t va);
static inline struct mmu_result x86_load(struct x86 *x, uint64_t va)
{
    return x86_access(x, va, MMU_READ, 1);
}
static inline struct mmu_request x86_request(uint64_t va, enum mmu_access access, unsigned int el)
{
    return (struct mmu_request){
        .va = va, .regime = MMU_X86, .el = (uint8_t)el, .access = (uint8_t)access};
}
/* The operation with the current VPID, PCID and EPTP, on CPU 0. */
void x86_inval(struct x86 *x, enum mmu_x86_op op, uint64_t start);

#endif
