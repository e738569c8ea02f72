/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/arm64_world.h"

#include <string.h>

#define DESC_VALID UINT64_C(1)
#define DESC_TABLE UINT64_C(2)
#define DESC_AF    (UINT64_C(1) << 10)
#define NOWHERE    (~UINT64_C(0))

bool arm64_block_level(unsigned int page_shift, unsigned int level)
{
    return level == 1 || (page_shift == 12 && level == 2);
}

static unsigned int level_shift(unsigned int page_shift, unsigned int level)
{
    return page_shift + level * (page_shift - 3);
}

static uint64_t below(unsigned int bits)
{
    return ~(~UINT64_C(0) << bits);
}

static uint64_t allocate(struct arm64_world *world, uint64_t bytes)
{
    uint64_t at = (world->next + bytes - 1) & ~(bytes - 1);

    if (at + bytes > ARM64_MEMORY)
        return NOWHERE;
    world->next = at + bytes;
    return at;
}

/* ---- descriptors ---- */

static uint64_t table_desc(struct dice *dice, uint64_t address)
{
    uint64_t ignored = roll(dice) & UINT64_C(0x01f8000000000ffc);

    /* NSTable, APTable, UXNTable, PXNTable; RES0 in stage 2. */
    if (one_in(dice, 4))
        ignored |= roll(dice) & UINT64_C(0xf800000000000000);
    return address | ignored | DESC_TABLE | DESC_VALID;
}

static uint64_t leaf_desc(struct dice *dice, unsigned int stage, unsigned int level, uint64_t out)
{
    uint64_t desc = out | DESC_AF | DESC_VALID | (level == 0 ? DESC_TABLE : 0);

    desc |= roll(dice) & UINT64_C(0xfff80000000003fc);
    if (stage == 2 && !one_in(dice, 12))
        desc |= 0xc0; /* S2AP read-write */
    if (stage == 2 && !one_in(dice, 12))
        desc |= 0x3c; /* MemAttr write-back */
    return desc;
}

/* ---- mapping ---- */

static void note_slot(struct arm64_world *world, uint64_t pa, unsigned int stage,
                      unsigned int level, unsigned int page_shift)
{
    if (world->slots < ARM64_SLOTS)
        world->slot[world->slots++] =
            (struct arm64_slot){pa, (uint8_t)stage, (uint8_t)level, (uint8_t)page_shift};
}

static uint64_t table_pa(const struct arm64_world *world, unsigned int stage, uint64_t address)
{
    if (stage == 2 || !world->s2_on)
        return address;
    for (unsigned int i = 0; i < world->tables; i++)
        if (world->table[i].ipa == address)
            return world->table[i].pa;
    return NOWHERE;
}

static uint64_t expose(struct arm64_world *world, uint64_t pa, uint64_t bytes);

/* The address, as its own stage sees it, of a fresh table at *pa. */
static uint64_t new_table(struct arm64_world *world, unsigned int stage, uint64_t bytes,
                          uint64_t *pa)
{
    uint64_t ipa;

    *pa = allocate(world, bytes);
    if (*pa == NOWHERE || stage == 2 || !world->s2_on)
        return *pa;
    ipa = expose(world, *pa, bytes);
    if (ipa == NOWHERE || world->tables == ARM64_SLOTS)
        return NOWHERE;
    world->table[world->tables].ipa = ipa;
    world->table[world->tables++].pa = *pa;
    return ipa;
}

/* A leaf at `level`, or below where a table is in the way already. False: another leaf is in the
 * way, or memory is full. */
static bool map(struct arm64_world *world, unsigned int stage, struct arm64_tree *tree, uint64_t ia,
                unsigned int level, uint64_t out)
{
    uint64_t table = tree->root, fresh;
    unsigned int bits = tree->ia_bits;

    for (unsigned int at = tree->start;; at--) {
        unsigned int shift = level_shift(tree->page_shift, at);
        uint64_t pa = table + ((ia & below(bits)) >> shift) * 8, *slot = &world->words[pa / 8];
        bool empty = *slot == 0, is_table = at != 0 && (*slot & 3) == 3;
        bits = shift;
        if (at <= level && !is_table && (at == 0 || arm64_block_level(tree->page_shift, at))) {
            uint64_t base = out & ~below(shift);
            if (!empty)
                return (*slot & below(48) & ~below(shift)) == base;
            *slot = leaf_desc(&world->dice, stage, at, base);
            note_slot(world, pa, stage, at, tree->page_shift);
            return true;
        }
        if (empty) {
            uint64_t address = new_table(world, stage, UINT64_C(1) << tree->page_shift, &fresh);
            if (address == NOWHERE)
                return false;
            *slot = table_desc(&world->dice, address);
            note_slot(world, pa, stage, at, tree->page_shift);
            table = fresh;
        } else if (is_table) {
            table = table_pa(world, stage, *slot & below(48) & ~below(tree->page_shift));
            if (table == NOWHERE)
                return false;
        } else {
            return false;
        }
    }
}

static unsigned int any_leaf_level(struct dice *dice, const struct arm64_tree *tree)
{
    unsigned int level = roll_below(dice, 3);

    return level <= tree->start && arm64_block_level(tree->page_shift, level) ? level : 0;
}

/* Some ipa under which stage 2 shows all of [pa, pa + bytes), both aligned to `bytes`. */
static uint64_t expose(struct arm64_world *world, uint64_t pa, uint64_t bytes)
{
    struct arm64_tree *tree = &world->s2;

    if (!world->s2_on)
        return pa;
    for (unsigned int attempt = 0; attempt < 8; attempt++) {
        unsigned int level = any_leaf_level(&world->dice, tree);
        unsigned int shift = level_shift(tree->page_shift, level);
        uint64_t size = UINT64_C(1) << shift, low = size > bytes ? size - 1 : bytes - 1;
        uint64_t ipa = (tree->prefix[roll_below(&world->dice, 4)] & ~low) | (pa & low);
        uint64_t done = 0;
        ipa ^= (uint64_t)roll_below(&world->dice, 8) * (low + 1);
        ipa &= below(tree->ia_bits);
        while (done < bytes && map(world, 2, tree, ipa + done, level, pa + done))
            done += UINT64_C(1) << tree->page_shift;
        if (done >= bytes)
            return ipa;
    }
    return NOWHERE;
}

static void note_goal(struct arm64_world *world, uint64_t address)
{
    if (world->goals < ARM64_GOALS)
        world->goal[world->goals++] = address;
}

/* An output of stage 1: a page that stage 2 maps, mostly. */
static uint64_t any_target(struct arm64_world *world)
{
    uint64_t pa = roll_bits(&world->dice, world->pa_bits) | ARM64_MEMORY, ipa;

    if (one_in(&world->dice, 12))
        return pa;
    ipa = expose(world, pa & ~UINT64_C(0xfff), 4096);
    return ipa == NOWHERE ? pa : ipa | (pa & 0xfff);
}

static void fill_stage1(struct arm64_world *world, unsigned int half)
{
    struct arm64_tree *tree = &world->s1[half];

    for (unsigned int i = 0; i < 8; i++) {
        uint64_t out = any_target(world), va;
        unsigned int level = any_leaf_level(&world->dice, tree);
        uint64_t low = below(level_shift(tree->page_shift, level));
        va = (tree->prefix[roll_below(&world->dice, 4)] & ~low) | (out & low);
        va ^= (uint64_t)roll_below(&world->dice, 4) * (low + 1);
        va &= below(tree->ia_bits);
        map(world, 1, tree, va, level, out & below(world->pa_bits));
        note_goal(world, half ? va | ~below(tree->ia_bits) : va);
    }
}

/* ---- registers ---- */

static unsigned int any_granule(struct dice *dice)
{
    return 12 + 2 * roll_below(dice, 3);
}

static void set_prefixes(struct arm64_world *world, struct arm64_tree *tree)
{
    for (unsigned int i = 0; i < 4; i++)
        tree->prefix[i] = roll_bits(&world->dice, tree->ia_bits);
}

static void set_stage1(struct arm64_world *world, unsigned int half)
{
    struct arm64_tree *tree = &world->s1[half];
    unsigned int stride;
    uint64_t root_bytes;

    tree->page_shift = any_granule(&world->dice);
    tree->ia_bits = 25 + roll_below(&world->dice, 24);
    stride = tree->page_shift - 3;
    tree->start = (tree->ia_bits - tree->page_shift - 1) / stride;
    set_prefixes(world, tree);
    root_bytes = UINT64_C(8) << (tree->ia_bits - level_shift(tree->page_shift, tree->start));
    tree->root_ipa = new_table(world, 1, root_bytes < 4096 ? 4096 : root_bytes, &tree->root);
    if (tree->root_ipa == NOWHERE) /* nothing is mapped then: the root lies nowhere as well */
        tree->root_ipa = 0;
    else
        fill_stage1(world, half);
}

static uint64_t tcr(struct arm64_world *world)
{
    static const uint64_t tg0[3] = {0, 2, 1}, tg1[3] = {2, 1, 3};
    const struct arm64_tree *s1 = world->s1;
    uint64_t value = UINT64_C(5) << 32; /* IPS: 48 bits */

    value |= (64 - s1[0].ia_bits) | tg0[(s1[0].page_shift - 12) / 2] << 14;
    value |= (uint64_t)(64 - s1[1].ia_bits) << 16 | tg1[(s1[1].page_shift - 12) / 2] << 30;
    value |= roll(&world->dice) & UINT64_C(0x60000400000); /* HPD1, HPD0, A1 */
    for (unsigned int half = 0; half < 2; half++)
        if (one_in(&world->dice, 24))
            value |= UINT64_C(1) << (half ? 23 : 7); /* EPD */
    return value;
}

/* VTCR_EL2.SL0 for a start level; levels count up from the page. */
static uint64_t sl0(const struct arm64_tree *s2)
{
    if (s2->page_shift != 12)
        return s2->start;
    return s2->start == 0 ? 3 : s2->start - 1;
}

static uint64_t vtcr(struct arm64_world *world)
{
    static const uint64_t tg0[3] = {0, 2, 1};
    const struct arm64_tree *s2 = &world->s2;
    uint64_t value = UINT64_C(0x80000000) | UINT64_C(5) << 16; /* PS: 48 bits */

    value |= (64 - s2->ia_bits) | tg0[(s2->page_shift - 12) / 2] << 14 | sl0(s2) << 6;
    if (one_in(&world->dice, 16)) /* any start level, consistent or not */
        value = (value & ~UINT64_C(0xc0)) | roll_bits(&world->dice, 2) << 6;
    if (one_in(&world->dice, 16)) /* any size that is one */
        value = (value & ~UINT64_C(0x3f)) | (16 + roll_below(&world->dice, 24));
    return value;
}

/* Sizes and start levels that fit, up to 16 roots side by side among them. */
static void set_stage2(struct arm64_world *world)
{
    struct arm64_tree *tree = &world->s2;
    unsigned int stride, covered;

    do {
        tree->page_shift = any_granule(&world->dice);
        tree->start = roll_below(&world->dice, 4);
        stride = tree->page_shift - 3;
        covered = level_shift(tree->page_shift, tree->start);
        tree->ia_bits = covered + 1 + roll_below(&world->dice, stride + 4);
    } while (tree->ia_bits < 25 || tree->ia_bits > world->pa_bits ||
             (tree->page_shift != 12 && tree->start == 3));
    uint64_t bytes = UINT64_C(8) << (tree->ia_bits - covered);
    tree->root = allocate(world, bytes < 4096 ? 4096 : bytes);
    set_prefixes(world, tree);
}

/* ---- spoiling ---- */

static void spoil(struct arm64_world *world, const struct arm64_slot *slot)
{
    struct dice *dice = &world->dice;
    uint64_t *desc = &world->words[slot->pa / 8];
    bool table = slot->level != 0 && (*desc & 3) == 3;
    unsigned int shift = level_shift(slot->page_shift, slot->level);
    uint64_t far = (roll(dice) & below(48) & ~below(shift)) | (ARM64_MEMORY & ~below(shift));

    switch (roll_below(dice, 8)) {
    case 0:
        *desc &= ~DESC_VALID;
        break;
    case 1:
        *desc ^= DESC_AF;
        break;
    case 2: /* AP, S2AP, attributes */
        *desc ^= roll(dice) & 0xfc;
        break;
    case 3:
        *desc ^= roll(dice) & UINT64_C(0xfff8000000000000);
        break;
    case 4: /* page to the reserved encoding, table to block anywhere outside memory */
        if (slot->level == 0)
            *desc &= ~DESC_TABLE;
        else if (table)
            *desc = (*desc & ~(below(48) & ~below(12)) & ~DESC_TABLE) | far;
        break;
    case 5: /* another output, which may be too large */
        if (!table && far > ARM64_MEMORY)
            *desc = (*desc & ~(below(48) & ~below(12))) | far;
        break;
    case 6: /* a table pointer that leads nowhere */
        if (table && slot->stage == 1)
            *desc = (*desc & ~(below(48) & ~below(12))) |
                    (roll(dice) & below(48) & ~below(slot->page_shift));
        break;
    default:
        *desc = 0;
        break;
    }
}

static uint64_t any_va(struct arm64_world *world)
{
    struct dice *dice = &world->dice;
    uint64_t va = roll(dice);

    va >>= roll_below(dice, 60);
    if (world->goals != 0 && !one_in(dice, 16)) {
        va = world->goal[roll_below(dice, world->goals)];
        va ^= roll_bits(dice, 12);
    }
    if (one_in(dice, 8))
        va ^= UINT64_C(1) << roll_below(dice, 64);
    return one_in(dice, 64) ? ~va : va;
}

void arm64_world_build(struct arm64_world *world, uint64_t seed, struct at_block *block)
{
    static const unsigned int spoiled_of_1000[4] = {0, 20, 80, 250};
    struct dice *dice = &world->dice;
    unsigned int share;

    if (world->next > UC_ARM64_RESERVED)
        memset(&world->words[UC_ARM64_RESERVED / 8], 0, world->next - UC_ARM64_RESERVED);
    world->next = UC_ARM64_RESERVED;
    world->slots = world->tables = world->goals = 0;
    world->dice.state = seed;
    world->s1_on = !one_in(dice, 24);
    world->s2_on = !one_in(dice, 4);
    share = spoiled_of_1000[roll_below(dice, 4)];
    set_stage2(world);
    set_stage1(world, 0);
    set_stage1(world, 1);
    if (!world->s1_on)
        for (unsigned int i = 0; i < ARM64_GOALS / 2; i++)
            note_goal(world, any_target(world));
    for (unsigned int i = 0; i < world->slots; i++)
        if (roll_below(dice, 1000) < share)
            spoil(world, &world->slot[i]);
    *block = (struct at_block){.count = AT_QUERIES};
    block->tcr = tcr(world);
    block->ttbr0 = world->s1[0].root_ipa | (roll(dice) & UINT64_C(0xffff000000000001));
    block->ttbr1 = world->s1[1].root_ipa | (roll(dice) & UINT64_C(0xffff000000000001));
    block->sctlr = (roll(dice) & 0x80000) | world->s1_on;                      /* WXN, M */
    block->hcr = UINT64_C(1) << 31 | (one_in(dice, 4) ? 4 : 0) | world->s2_on; /* RW, PTW, VM */
    block->vtcr = vtcr(world);
    block->vttbr = world->s2.root | (roll(dice) & UINT64_C(0x00ff000000000001));
    if (one_in(dice, 32))
        block->hcr |= 1u << 12; /* DC */
    for (unsigned int i = 0; i < AT_QUERIES; i++) {
        block->query[i] = (struct at_query){.va = any_va(world)};
        block->query[i].op = roll_below(dice, AT_COUNT);
    }
}
