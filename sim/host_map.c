/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/host_map.h"

#include <hyp/bits.h>
#include <inttypes.h>

enum { VA_BITS = 48 };

/* DDI 0487 D8.3.1: VMSAv8-64 descriptors; addresses of at most 48 bits, whatever the granule. */
#define PTE_VALID   HYP_BIT(0)
#define PTE_TABLE   HYP_BIT(1) /* table, or page at the last level */
#define PTE_ATTR(n) hyp_field(HYP_MASK(4, 2), n)
#define PTE_USER    HYP_BIT(6)
#define PTE_RDONLY  HYP_BIT(7)
#define PTE_SH_IS   hyp_field(HYP_MASK(9, 8), 3)
#define PTE_AF      HYP_BIT(10)
#define PTE_NG      HYP_BIT(11)
#define PTE_CONT    HYP_BIT(52)
#define PTE_PXN     HYP_BIT(53)
#define PTE_UXN     HYP_BIT(54)
#define PTE_ADDR    HYP_MASK(47, 12)

/* Intel SDM vol. 3, 4.5 "4-level paging": the same geometry, other bits. */
#define X86_PRESENT HYP_BIT(0)
#define X86_WRITE   HYP_BIT(1)
#define X86_USER    HYP_BIT(2)
#define X86_PCD     HYP_BIT(4)
#define X86_A       HYP_BIT(5)
#define X86_D       HYP_BIT(6)
#define X86_PS      HYP_BIT(7) /* a leaf above the last level */
#define X86_GLOBAL  HYP_BIT(8)
#define X86_XD      HYP_BIT(63)

/* MAIR indices the kernel model uses: 0 normal write-back, 1 device nGnRE (see sim/machine.c). */
enum { ATTR_NORMAL, ATTR_DEVICE };

static hyp_pa_t take_table(struct host_map *map)
{
    hyp_pa_t pa = map->cursor;

    if (pa.v >= map->end.v)
        return hyp_pa(0);
    map->cursor = hyp_pa_add(pa, UINT64_C(1) << map->page_shift);
    return pa;
}

/* The level of the roots: every level resolves page_shift - 3 bits. */
static unsigned int top(const struct host_map *map)
{
    const unsigned int bits = map->page_shift - 3;

    return (VA_BITS - map->page_shift + bits - 1) / bits - 1;
}

static unsigned int entries(const struct host_map *map)
{
    return 1u << (map->page_shift - 3);
}

bool host_map_init(struct host_map *map, struct sim_ram *ram, bool x86, unsigned int page_shift,
                   hyp_pa_t tables, hyp_pa_t tables_end)
{
    *map = (struct host_map){
        .ram = ram, .x86 = x86, .page_shift = page_shift, .cursor = tables, .end = tables_end};
    map->kernel_root = take_table(map);
    map->user_root = x86 ? map->kernel_root : take_table(map);
    return map->user_root.v != 0;
}

static hyp_pa_t slot_in(const struct host_map *map, hyp_pa_t table, hyp_va_t va, unsigned int level)
{
    uint64_t index = (va.v & HYP_MASK(VA_BITS - 1, 0)) >> hyp_level_shift(map->page_shift, level) &
                     (entries(map) - 1);

    return hyp_pa_add(table, index * 8);
}

/* Which half of the address space: bit 55 selects, as TTBR0 and TTBR1 do; x86 has one root. */
static hyp_pa_t root_of(const struct host_map *map, hyp_va_t va)
{
    return va.v & HYP_BIT(55) ? map->kernel_root : map->user_root;
}

static bool is_table(const struct host_map *map, uint64_t pte, unsigned int level)
{
    if (level == 0 || !(pte & PTE_VALID))
        return false;
    return map->x86 ? !(pte & X86_PS) : (pte & PTE_TABLE) != 0;
}

static uint64_t encode_table(const struct host_map *map, hyp_pa_t table)
{
    return table.v |
           (map->x86 ? X86_PRESENT | X86_WRITE | X86_USER | X86_A : PTE_VALID | PTE_TABLE);
}

/* The slot that covers va, no deeper than `level`. */
static hyp_pa_t find_slot(const struct host_map *map, hyp_va_t va, unsigned int *level)
{
    unsigned int at = top(map);
    hyp_pa_t slot = slot_in(map, root_of(map, va), va, at);

    while (at > *level) {
        uint64_t pte = sim_ram_load(map->ram, slot);

        if (!is_table(map, pte, at))
            break;
        at--;
        slot = slot_in(map, hyp_pa(pte & PTE_ADDR), va, at);
    }
    *level = at;
    return slot;
}

static uint64_t encode_x86(const struct host_map *map, hyp_va_t va, hyp_pa_t pa, unsigned int level,
                           unsigned int attributes)
{
    uint64_t pte = (pa.v & PTE_ADDR) | X86_PRESENT | X86_WRITE | X86_A | X86_D | X86_XD;

    if (level > 0)
        pte |= X86_PS;
    if (attributes & HOST_MAP_DEVICE)
        pte |= X86_PCD;
    if (attributes & HOST_MAP_USER)
        pte |= X86_USER;
    if (attributes & HOST_MAP_CODE)
        pte &= ~X86_XD;
    if (attributes & HOST_MAP_READONLY)
        pte &= ~X86_WRITE;
    return va.v >> 63 && !map->no_globals ? pte | X86_GLOBAL : pte;
}

static uint64_t encode_arm64(hyp_va_t va, hyp_pa_t pa, unsigned int level, unsigned int attributes)
{
    uint64_t pte = (pa.v & PTE_ADDR) | PTE_VALID | PTE_AF | PTE_PXN | PTE_UXN;

    if (level == 0)
        pte |= PTE_TABLE;
    pte |= attributes & HOST_MAP_DEVICE ? PTE_ATTR(ATTR_DEVICE) : PTE_ATTR(ATTR_NORMAL) | PTE_SH_IS;
    if (attributes & HOST_MAP_USER)
        pte |= PTE_USER;
    if (attributes & HOST_MAP_CODE)
        pte &= ~PTE_PXN;
    if (attributes & HOST_MAP_READONLY)
        pte |= PTE_RDONLY;
    if (!(va.v & HYP_BIT(55)))
        pte |= PTE_NG;
    if (attributes & HOST_MAP_CONTIG)
        pte |= PTE_CONT;
    return pte;
}

static uint64_t encode(const struct host_map *map, hyp_va_t va, hyp_pa_t pa, unsigned int level,
                       unsigned int attributes)
{
    return map->x86 ? encode_x86(map, va, pa, level, attributes)
                    : encode_arm64(va, pa, level, attributes);
}

bool host_map_set(struct host_map *map, hyp_va_t va, hyp_pa_t pa, unsigned int level,
                  unsigned int attributes, bool *full)
{
    unsigned int at = level;
    hyp_pa_t slot = find_slot(map, va, &at);

    *full = false;
    while (at > level) {
        hyp_pa_t table = take_table(map);

        if (!table.v) {
            *full = true;
            return false;
        }
        sim_ram_store(map->ram, slot, encode_table(map, table));
        at--;
        slot = slot_in(map, table, va, at);
    }
    bool was = sim_ram_load(map->ram, slot) & PTE_VALID;

    sim_ram_store(map->ram, slot, encode(map, va, pa, level, attributes));
    return was;
}

uint64_t host_map_leaf(const struct host_map *map, hyp_va_t va, unsigned int *level)
{
    *level = 0;
    return sim_ram_load(map->ram, find_slot(map, va, level));
}

hyp_pa_t host_map_pa(const struct host_map *map, uint64_t leaf, unsigned int level)
{
    return hyp_pa(hyp_align_down(leaf & PTE_ADDR, hyp_level_size(map->page_shift, level)));
}

bool host_map_set_valid(struct host_map *map, hyp_va_t va, bool valid)
{
    unsigned int level = 0;
    hyp_pa_t slot = find_slot(map, va, &level);
    uint64_t pte = sim_ram_load(map->ram, slot);

    if (level != 0 || !(pte & PTE_ADDR))
        return false;
    sim_ram_store(map->ram, slot, valid ? pte | PTE_VALID : pte & ~PTE_VALID);
    return true;
}

bool host_map_split(struct host_map *map, hyp_va_t va)
{
    unsigned int level = 0;
    hyp_pa_t slot = find_slot(map, va, &level);
    uint64_t block = sim_ram_load(map->ram, slot);

    if (level == 0 || !(block & PTE_VALID))
        return false;
    hyp_pa_t table = take_table(map);

    if (!table.v)
        return false;
    uint64_t pte = block;

    if (level == 1)
        pte = map->x86 ? block & ~X86_PS : block | PTE_TABLE;

    for (unsigned int i = 0; i < entries(map); i++)
        sim_ram_store(map->ram, hyp_pa_add(table, i * 8),
                      pte + i * hyp_level_size(map->page_shift, level - 1));
    sim_ram_store(map->ram, slot, encode_table(map, table));
    return true;
}

/* DDI 0487 D8.6.1: the contiguous hint at the last level, 64K, 2M and 2M. */
unsigned int host_map_contig(const struct host_map *map)
{
    return map->page_shift == 12 ? 16 : map->page_shift == 14 ? 128 : 32;
}

unsigned int host_map_unfold(struct host_map *map, hyp_va_t va)
{
    const uint64_t count = host_map_contig(map), page = UINT64_C(1) << map->page_shift;
    hyp_va_t run = hyp_va(hyp_align_down(va.v, count * page));
    unsigned int changed = 0;

    if (map->x86)
        return 0;
    for (uint64_t i = 0; i < count; i++) {
        unsigned int level = 0;
        hyp_pa_t slot = find_slot(map, hyp_va(run.v + i * page), &level);
        uint64_t pte = sim_ram_load(map->ram, slot);

        if (level == 0 && pte & PTE_CONT) {
            sim_ram_store(map->ram, slot, pte & ~PTE_CONT);
            changed++;
        }
    }
    return changed;
}

/* ---- dump ---- */

struct dump {
    const struct host_map *map;
    FILE *out;
    uint64_t start, attributes; /* of the open range */
    unsigned int level;
    bool open;
};

static void print_x86(struct dump *dump)
{
    uint64_t a = dump->attributes;

    fprintf(dump->out, "%s %s %s %s %s %s %s", a & X86_PRESENT ? "   " : "NP ",
            a & X86_USER ? "USR" : "   ", a & X86_WRITE ? "RW" : "ro", a & X86_PCD ? "PCD" : "   ",
            a & X86_GLOBAL ? "GLB" : "   ", dump->level ? "PSE" : "   ", a & X86_XD ? "NX" : "x ");
    if (dump->map->nr)
        fprintf(dump->out, " %s", a & dump->map->nr ? "NR" : "r ");
    fprintf(dump->out, "\n");
}

static void print_range(struct dump *dump, uint64_t end)
{
    static const char *const names[] = {"PTE", "PMD", "PUD", "PGD"};
    uint64_t a = dump->attributes;

    fprintf(dump->out, "0x%016" PRIx64 "-0x%016" PRIx64 " %10" PRIu64 "K %s ", dump->start, end,
            (end - dump->start) >> 10, names[dump->level == top(dump->map) ? 3 : dump->level]);
    if (dump->map->x86) {
        print_x86(dump);
        return;
    }
    fprintf(dump->out, "%s %s %s %s %s %s %s\n", a & PTE_VALID ? "   " : "F  ",
            a & PTE_USER ? "USR" : "   ", a & PTE_RDONLY ? "ro" : "RW", a & PTE_PXN ? "NX" : "x ",
            a & PTE_NG ? "NG" : "  ", a & PTE_CONT ? "CON" : "   ",
            hyp_field_get(a, HYP_MASK(4, 2)) == ATTR_DEVICE ? "DEVICE/nGnRE" : "MEM/NORMAL");
}

/* Adds one leaf to the open range, or prints it and opens another. */
static void dump_leaf(struct dump *dump, uint64_t va, uint64_t pte, unsigned int level)
{
    /* Address bits apart, entries of a range are alike. */
    uint64_t attributes = pte & ~(PTE_ADDR & ~dump->map->nr);

    if (dump->open && pte && dump->attributes == attributes && dump->level == level)
        return;
    if (dump->open)
        print_range(dump, va);
    dump->open = pte != 0;
    dump->start = va;
    dump->attributes = attributes;
    dump->level = level;
}

static void dump_table(struct dump *dump, hyp_pa_t table, uint64_t base, unsigned int level,
                       unsigned int first, unsigned int end)
{
    for (unsigned int i = first; i < end; i++) {
        uint64_t va = base + ((uint64_t)i << hyp_level_shift(dump->map->page_shift, level));
        uint64_t pte = sim_ram_load(dump->map->ram, hyp_pa_add(table, i * 8));

        if (is_table(dump->map, pte, level))
            dump_table(dump, hyp_pa(pte & PTE_ADDR & ~dump->map->nr), va, level - 1, 0,
                       entries(dump->map));
        else
            dump_leaf(dump, va, pte, level);
    }
}

void host_map_dump(const struct host_map *map, bool user, FILE *out)
{
    struct dump dump = {.map = map, .out = out};
    const unsigned int roof = 1u << (VA_BITS - hyp_level_shift(map->page_shift, top(map)));
    const uint64_t base = user ? 0 : UINT64_C(0xffff) << VA_BITS;

    if (!map->x86)
        dump_table(&dump, user ? map->user_root : map->kernel_root, base, top(map), 0, roof);
    else
        dump_table(&dump, map->kernel_root, base, top(map), user ? 0 : roof / 2,
                   user ? roof / 2 : roof);
    if (dump.open)
        print_range(&dump, user ? UINT64_C(1) << (map->x86 ? 47 : 48) : 0);
}
