/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Free pages, and the kernel's own tables, walked and edited through the direct map: 4 KiB granule,
 * four levels of 9 bits on both architectures. */
#include "kernel.h"

#define TABLE_ADDRESS 0x0000fffffffff000ull

#if defined(__aarch64__)
/* DDI 0487 D8.3: valid, table or page, AttrIndx in [4:2], AP[2:1], SH, AF, PXN, UXN. */
#define PTE_VALID     0x1ull
#define PTE_TABLE     0x3ull
#define PTE_ATTR_MASK 0x1cull
#define PTE_PAGE      (0x3ull | 3ull << 8 | 1ull << 10)
#define PTE_USER      (1ull << 6)
#define PTE_READONLY  (1ull << 7)
#define PTE_PXN       (1ull << 53)
#define PTE_UXN       (1ull << 54)
#define TABLE_NEW     0x3ull
#else
/* SDM vol. 3, 4.5. */
#define PTE_VALID    0x1ull
#define PTE_W        0x2ull
#define PTE_USER     0x4ull
#define PTE_ACCESSED 0x20ull
#define PTE_DIRTY    0x40ull
#define PTE_PS       0x80ull
#define PTE_NX       (1ull << 63)
#define TABLE_NEW    0x67ull
#endif

static uint64_t next_page;

uint64_t fl_pages_left(void)
{
    uint64_t from = next_page ? next_page : fl_boot->free;

    return (fl_boot->free_end - from) / PAGE_SIZE;
}

uint64_t fl_pages(uint64_t pages)
{
    if (fl_pages_left() < pages)
        fl_fail("%lu pages wanted, %lu are left\n", pages, fl_pages_left());
    uint64_t pa = next_page ? next_page : fl_boot->free;
    next_page = pa + pages * PAGE_SIZE;
    return pa;
}

uint64_t fl_pte_pa(uint64_t pte)
{
    return pte & TABLE_ADDRESS;
}

static bool is_table(uint64_t entry, unsigned int level)
{
#if defined(__aarch64__)
    return level > 0 && (entry & PTE_TABLE) == PTE_TABLE;
#else
    return level > 0 && (entry & PTE_VALID) && !(entry & PTE_PS);
#endif
}

static uint64_t *entry_of(uint64_t table, uint64_t va, unsigned int level)
{
    return (uint64_t *)fl_va(table) + (va >> (PAGE_SHIFT + 9 * level) & 511);
}

uint64_t *fl_pte(uint64_t va, unsigned int *level)
{
    uint64_t table = fl_boot->root & TABLE_ADDRESS;

    for (unsigned int at = 3;; at--) {
        uint64_t *entry = entry_of(table, va, at);
        if (!is_table(*entry, at)) {
            *level = at;
            return entry;
        }
        table = fl_pte_pa(*entry);
    }
}

uint64_t fl_pte_make(uint64_t pa, unsigned int rights)
{
    uint64_t pte = pa;

#if defined(__aarch64__)
    /* The memory type is that of the direct map. */
    unsigned int level;
    pte |= *fl_pte(fl_boot->linear, &level) & PTE_ATTR_MASK;
    pte |= PTE_PAGE | (rights & FL_W ? 0 : PTE_READONLY) | (rights & FL_USER ? PTE_USER : 0);
    pte |= (rights & FL_X) && !(rights & FL_USER) ? 0 : PTE_PXN;
    pte |= (rights & FL_X) && (rights & FL_USER) ? 0 : PTE_UXN;
#else
    pte |= PTE_VALID | PTE_ACCESSED | (rights & FL_W ? PTE_W | PTE_DIRTY : 0);
    pte |= (rights & FL_USER ? PTE_USER : 0) | (rights & FL_X ? 0 : PTE_NX);
#endif
    return pte;
}

void fl_map(uint64_t va, uint64_t pa, unsigned int rights)
{
    unsigned int level;
    uint64_t *entry = fl_pte(va, &level);

    while (level > 0) {
        fl_check(!(*entry & PTE_VALID));
        uint64_t table = fl_pages(1);
        memset(fl_va(table), 0, PAGE_SIZE);
        *(volatile uint64_t *)entry = table | TABLE_NEW;
        entry = fl_pte(va, &level);
    }
    fl_check(!(*entry & PTE_VALID));
    fl_pte_set(entry, va, fl_pte_make(pa, rights));
}

void fl_flush_page(uint64_t va)
{
#if defined(__aarch64__)
    uint64_t operand = (va >> PAGE_SHIFT) & 0xfffffffffffull;
    __asm__ volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb" ::"r"(operand) : "memory");
#else
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
#endif
}

void fl_pte_set(uint64_t *pte, uint64_t va, uint64_t value)
{
    if (*pte & PTE_VALID) {
        *(volatile uint64_t *)pte = 0;
        fl_flush_page(va);
    }
    *(volatile uint64_t *)pte = value;
#if defined(__aarch64__)
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
#endif
}
