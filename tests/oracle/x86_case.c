/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/x86_case.h"

#include <string.h>

#define P       UINT64_C(0x001)
#define RW      UINT64_C(0x002)
#define US      UINT64_C(0x004)
#define A       UINT64_C(0x020)
#define D       UINT64_C(0x040)
#define PS      UINT64_C(0x080)
#define XD      (UINT64_C(1) << 63)
#define EPT_RWX UINT64_C(0x007)
#define EPT_WB  UINT64_C(0x030)
#define EPT_A   UINT64_C(0x100)
#define EPT_D   UINT64_C(0x200)
#define ADDRESS UINT64_C(0x000ffffffffff000)

#define PA_BITS 40u                 /* of every Bochs model */
#define EPT_GPA (UINT64_C(1) << 39) /* from here on EPT is the case's */
#define NOWHERE (~UINT64_C(0))

struct builder {
    struct case_sector *test;
    struct dice dice;
    unsigned int pages; /* used ones above TABLE_BASE */
    enum x86_kind kind;
    struct {
        uint64_t gpa, pa;
    } table[TABLE_PAGES];
    unsigned int tables;
    bool full, ept[CASE_POKES];
};

static uint64_t below(unsigned int bits)
{
    return ~(~UINT64_C(0) << bits);
}

static unsigned int shift_of(unsigned int level)
{
    return 12 + 9 * level;
}

/* ---- building ---- */

static uint64_t *poke_at(struct builder *builder, bool ept, uint64_t pa)
{
    struct case_sector *test = builder->test;

    for (unsigned int i = 0; i < test->pokes; i++)
        if (test->poke[i].pa == pa)
            return &test->poke[i].value;
    if (test->pokes == CASE_POKES) {
        builder->full = true;
        return &test->poke[0].value;
    }
    builder->ept[test->pokes] = ept;
    test->poke[test->pokes] = (struct case_poke){pa, 0};
    return &test->poke[test->pokes++].value;
}

static uint64_t new_page(struct builder *builder)
{
    return TABLE_BASE + (builder->pages++ % TABLE_PAGES) * 4096;
}

/* A bit that is set mostly, and not at all in one of `n` cases. */
static uint64_t mostly(struct dice *dice, unsigned int n, uint64_t bits)
{
    return one_in(dice, n) ? 0 : bits;
}

static uint64_t guest_entry(struct builder *builder, uint64_t address, bool leaf,
                            unsigned int level)
{
    struct dice *dice = &builder->dice;
    uint64_t entry = address | P;

    entry |= mostly(dice, 8, RW);
    entry |= mostly(dice, 6, US);
    entry |= mostly(dice, 2, A);
    if (leaf) {
        entry |= mostly(dice, 2, D);
        entry |= (roll(dice) & 0x118) | (level != 0 ? PS : 0);
    }
    if ((builder->test->flags & CASE_NXE) && one_in(dice, 10))
        entry |= XD;
    return entry | (roll(dice) & UINT64_C(0x0ff0000000000e00));
}

static uint64_t ept_entry(struct builder *builder, uint64_t address, bool leaf, unsigned int level)
{
    static const uint8_t some[] = {1, 3, 4, 5};
    struct dice *dice = &builder->dice;
    uint64_t entry = address | EPT_RWX | mostly(dice, 2, EPT_A);

    if (one_in(dice, 9))
        entry ^= EPT_RWX ^ some[roll_below(dice, 4)];
    if (leaf) {
        entry |= EPT_WB | mostly(dice, 2, EPT_D) | (level != 0 ? PS : 0);
        entry |= roll(dice) & 0x40;
    }
    return entry | (roll(dice) & UINT64_C(0x80f0000000000800));
}

static uint64_t expose(struct builder *builder, uint64_t pa);

static uint64_t pa_of_table(const struct builder *builder, uint64_t gpa)
{
    for (unsigned int i = 0; i < builder->tables; i++)
        if (builder->table[i].gpa == gpa)
            return builder->table[i].pa;
    return gpa;
}

/* A leaf at `level`; false when another leaf is in the way. */
static bool map(struct builder *builder, bool ept, uint64_t ia, unsigned int level, uint64_t out)
{
    uint64_t table = ept ? EPT_ROOT : GUEST_ROOT;

    for (unsigned int at = 3;; at--) {
        uint64_t *slot = poke_at(builder, ept, table + (ia >> shift_of(at) & 511) * 8);
        bool leaf = at == 0 || (*slot & PS) != 0;
        if (builder->full)
            return false;
        if (at == level) {
            uint64_t base = out & ~below(shift_of(at));
            if (*slot != 0)
                return leaf && (*slot & ADDRESS) == base;
            *slot = ept ? ept_entry(builder, base, true, at) : guest_entry(builder, base, true, at);
            return true;
        }
        if (*slot == 0) {
            uint64_t pa = new_page(builder), gpa = ept ? pa : expose(builder, pa);
            if (gpa == NOWHERE)
                return false;
            *slot = ept ? ept_entry(builder, gpa, false, at) : guest_entry(builder, gpa, false, at);
            if (!ept && builder->tables < TABLE_PAGES) {
                builder->table[builder->tables].gpa = gpa;
                builder->table[builder->tables++].pa = pa;
            }
            table = pa;
        } else if (leaf) {
            return false;
        } else {
            table = ept ? *slot & ADDRESS : pa_of_table(builder, *slot & ADDRESS);
        }
    }
}

/* A guest-physical address of a guest table, or (kind) of the data. */
static uint64_t through_ept(struct builder *builder, uint64_t pa)
{
    struct dice *dice = &builder->dice;

    for (unsigned int attempt = 0; attempt < 4; attempt++) {
        unsigned int level = roll_below(dice, 3);
        uint64_t low = below(shift_of(level));
        /* Few different upper bits: tables of EPT are shared. */
        uint64_t gpa = EPT_GPA | (roll(dice) & UINT64_C(0x0040601000) & ~low) | (pa & low);
        if (map(builder, true, gpa, level, pa))
            return gpa;
        if (builder->full)
            break;
    }
    return NOWHERE;
}

static uint64_t expose(struct builder *builder, uint64_t pa)
{
    return builder->kind == X86_BOTH ? through_ept(builder, pa) : pa;
}

/* ---- spoiling ---- */

static uint64_t one_bit(struct dice *dice, unsigned int high, unsigned int low)
{
    return UINT64_C(1) << (low + roll_below(dice, high - low + 1));
}

static uint64_t spoil_guest(struct dice *dice, uint64_t entry)
{
    switch (roll_below(dice, 8)) {
    case 0:
        return entry & ~P;
    case 1:
        return entry ^ RW;
    case 2:
        return entry ^ US;
    case 3:
        return entry ^ XD;
    case 4:
        return entry ^ PS;
    case 5:
        return entry | one_bit(dice, 51, PA_BITS);
    case 6:
        return entry ^ one_bit(dice, 29, 12);
    default:
        return entry ^ one_bit(dice, 39, 30);
    }
}

static uint64_t spoil_ept(struct dice *dice, uint64_t entry)
{
    switch (roll_below(dice, 8)) {
    case 0:
        return entry & ~EPT_RWX;
    case 1:
    case 2: /* any combination, also those that are none */
        return (entry & ~EPT_RWX) | roll_bits(dice, 3);
    case 3: /* a type that is none; reserved bits of a table */
        return entry ^ (uint64_t)roll_below(dice, 8) << 3;
    case 4:
        return entry ^ PS;
    case 5:
        return entry | one_bit(dice, 51, PA_BITS);
    case 6:
        return entry ^ one_bit(dice, 29, 12);
    default:
        return entry ^ one_bit(dice, 39, 30);
    }
}

static void spoil(struct builder *builder)
{
    struct case_sector *test = builder->test;
    unsigned int count = roll_below(&builder->dice, 3);

    while (count-- != 0 && test->pokes != 0) {
        unsigned int i = roll_below(&builder->dice, test->pokes);
        uint64_t *value = &test->poke[i].value;
        *value = builder->ept[i] ? spoil_ept(&builder->dice, *value)
                                 : spoil_guest(&builder->dice, *value);
    }
}

static uint32_t any_flags(struct dice *dice)
{
    uint32_t flags = CASE_WP | CASE_NXE;

    if (one_in(dice, 3))
        flags |= CASE_USER;
    if (one_in(dice, 4))
        flags ^= CASE_WP;
    if (one_in(dice, 5))
        flags ^= CASE_NXE;
    flags |= one_in(dice, 6) ? CASE_SMEP : 0;
    flags |= one_in(dice, 6) ? CASE_SMAP : 0;
    flags |= one_in(dice, 4) ? CASE_AC : 0;
    flags |= one_in(dice, 2) ? CASE_EPT_AD : 0;
    return flags;
}

static uint64_t canonical(uint64_t va)
{
    return (va & below(48)) | (va >> 47 & 1 ? ~below(48) : 0);
}

void x86_case_build(struct case_sector *test, uint64_t seed, enum x86_kind kind)
{
    struct builder builder = {.test = test, .dice = {seed}, .kind = kind, .pages = 2};
    struct dice *dice = &builder.dice;
    unsigned int level = roll_below(dice, 3);
    uint64_t low = below(shift_of(level)), gpa;
    uint64_t pa = DATA_BASE + roll_below(dice, DATA_PAGES) * 4096;

    pa += roll_below(dice, 512) * 8;
    *test = (struct case_sector){.magic = CASE_MAGIC, .access = roll_below(dice, 3)};
    test->flags = any_flags(dice);
    gpa = kind == X86_STAGE_1 ? pa : through_ept(&builder, pa);
    if (gpa == NOWHERE)
        gpa = EPT_GPA;
    test->va = (roll(dice) & below(48) & ~low) | (gpa & low);
    if (test->va >> 39 == 0) /* the image's */
        test->va |= UINT64_C(1) << 40;
    test->va = canonical(test->va);
    map(&builder, false, test->va, level, gpa);
    spoil(&builder);
    if (test->access != CASE_FETCH && one_in(dice, 60))
        test->va ^= UINT64_C(1) << (48 + roll_below(dice, 16));
}

/* ---- our answer ---- */

static const struct case_poke *find(const struct x86_memory *memory, uint64_t pa)
{
    for (unsigned int i = 0; i < memory->test->pokes; i++)
        if (memory->test->poke[i].pa == pa)
            return &memory->test->poke[i];
    return NULL;
}

static uint64_t port_load(void *ctx, hyp_pa_t pa, bool *ok)
{
    struct x86_memory *memory = ctx;
    const struct case_poke *poke = find(memory, pa.v);

    *ok = true;
    if (poke)
        memory->last_entry = memory->word[poke - memory->test->poke];
    else if (pa.v == GUEST_ROOT)
        memory->last_entry = GUEST_ROOT_WORD;
    else if (pa.v == EPT_ROOT)
        memory->last_entry = EPT_ROOT_WORD;
    else if (pa.v - FIXED_BASE < FIXED_PAGES * 4096)
        memory->last_entry =
            fixed_word((unsigned int)((pa.v - FIXED_BASE) >> 12), (unsigned int)(pa.v >> 3 & 511));
    else if (pa.v - TABLE_BASE < TABLE_PAGES * 4096)
        memory->last_entry = 0;
    else
        memory->strayed = true;
    return memory->strayed ? 0 : memory->last_entry;
}

static bool port_swap(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired)
{
    struct x86_memory *memory = ctx;
    const struct case_poke *poke = find(memory, pa.v);
    uint64_t *word = poke ? &memory->word[poke - memory->test->poke] : NULL;

    if (!word || *word != old) {
        memory->strayed = true;
        return false;
    }
    *word = desired;
    return true;
}

bool x86_model_open(struct x86_model *model)
{
    struct mmu_port port = {&model->memory, port_load, port_swap, NULL};
    struct mmu_config config = {.cpus = 1, .caches_off = true};

    model->mmu = mmu_create(&config, &port);
    return model->mmu != NULL;
}

void x86_model_close(struct x86_model *model)
{
    mmu_destroy(model->mmu);
}

struct mmu_x86_regs x86_case_registers(uint32_t flags)
{
    return (struct mmu_x86_regs){
        .cr0 = MMU_X86_CR0_PG | ((flags & CASE_WP) ? MMU_X86_CR0_WP : 0),
        .cr3 = GUEST_ROOT,
        .cr4 = MMU_X86_CR4_PAE | ((flags & CASE_SMEP) ? MMU_X86_CR4_SMEP : 0) |
               ((flags & CASE_SMAP) ? MMU_X86_CR4_SMAP : 0),
        .efer = MMU_X86_EFER_LMA | ((flags & CASE_NXE) ? MMU_X86_EFER_NXE : 0),
        .pat = MMU_X86_PAT_RESET,
        .eptp = EPT_ROOT | MMU_X86_EPTP_LEVELS(4) | MMU_X86_EPTP_WB |
                ((flags & CASE_EPT_AD) ? MMU_X86_EPTP_AD : 0),
        .ept = true,
        .ac = (flags & CASE_AC) != 0,
        .pa_bits = PA_BITS,
        .pages_1g = true,
        .ept_xo = true,
        .ept_1g = true,
    };
}

bool x86_case_answer(struct x86_model *model, struct case_sector *test, struct x86_answer *answer)
{
    struct x86_memory *memory = &model->memory;
    struct mmu_x86_regs regs = x86_case_registers(test->flags);
    uint64_t pa;

    *memory = (struct x86_memory){.test = test};
    for (unsigned int i = 0; i < test->pokes; i++)
        memory->word[i] = test->poke[i].value;
    regs.ept = !model->no_ept;
    mmu_set_x86(model->mmu, 0, &regs);
    *answer = (struct x86_answer){.request = {.va = test->va,
                                              .regime = MMU_X86,
                                              .el = (test->flags & CASE_USER) ? 0 : 1,
                                              .access = (uint8_t)test->access}};
    mmu_translate(model->mmu, &answer->request, &answer->result);
    memcpy(answer->word, memory->word, sizeof(answer->word));
    answer->last_entry = memory->last_entry;
    pa = answer->result.pa.v;
    return !memory->strayed && (answer->result.fault != MMU_OK ||
                                (pa - DATA_BASE < DATA_PAGES * 4096 && (pa & 7) == 0));
}
