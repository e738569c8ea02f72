/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scope of each TLBI, tag by tag: a machine of two CPUs is filled with one thing of each kind in
 * each space, and after one operation the whole population is compared with what had to die.
 */
#include <string.h>

#include "mmu/tlb.h"
#include "tests/mmu/support/world.h"

#define VA0  UINT64_C(0x0000004080000000)
#define VA1  (VA0 + 0x1000)   /* a global page of the same table */
#define VA2  (VA0 + 0x200000) /* a page of another table */
#define IPA0 UINT64_C(0x100000000)
#define IPA2 (IPA0 + 0x200000)

/* What the machine holds, for each CPU; the order is that of the strings below. */
static const struct {
    uint8_t kind, regime, vmid, asid;
    uint64_t addr;
} things[] = {
    {MMU_KIND_PAGE, MMU_EL10, 1, 1, VA0}, /* 0 */
    {MMU_KIND_PAGE, MMU_EL10, 1, 2, VA0}, /* 1 */
    {MMU_KIND_PAGE, MMU_EL10, 1, 1, VA1}, /* 2: global */
    {MMU_KIND_PAGE, MMU_EL10, 1, 1, VA2}, /* 3 */
    {MMU_KIND_PAGE, MMU_EL10, 2, 1, VA0}, /* 4 */
    {MMU_KIND_PAGE, MMU_EL2, 0, 0, VA0},  /* 5 */
    {MMU_KIND_PAGE, MMU_EL20, 0, 1, VA0}, /* 6 */
    {MMU_KIND_WALK, MMU_EL10, 1, 1, VA0}, /* 7 */
    {MMU_KIND_WALK, MMU_EL10, 1, 2, VA0}, /* 8 */
    {MMU_KIND_WALK, MMU_EL10, 1, 1, VA2}, /* 9 */
    {MMU_KIND_WALK, MMU_EL10, 2, 1, VA0}, /* 10 */
    {MMU_KIND_WALK, MMU_EL2, 0, 0, VA0},  /* 11 */
    {MMU_KIND_WALK, MMU_EL20, 0, 1, VA0}, /* 12 */
    {MMU_KIND_IPA, MMU_EL10, 1, 0, IPA0}, /* 13 */
    {MMU_KIND_IPA, MMU_EL10, 1, 0, IPA2}, /* 14 */
    {MMU_KIND_IPA, MMU_EL10, 2, 0, IPA0}, /* 15 */
};
#define THINGS (sizeof(things) / sizeof(things[0]))

struct machine {
    struct world world;
    struct tree s1, s2, el2;
};

static unsigned int copies(struct mmu_tlb *tlb, size_t thing)
{
    struct mmu_ctx tags = {
        .regime = things[thing].regime, .vmid = things[thing].vmid, .asid = things[thing].asid};

    return mmu_tlb_find(tlb, things[thing].kind, &tags, things[thing].addr) != NULL;
}

/* How many arrays of the CPU hold the thing. */
static unsigned int held(struct mmu_cpu *cpu, size_t thing)
{
    return copies(&cpu->l1[0].tlb, thing) + copies(&cpu->l1[1].tlb, thing) +
           copies(&cpu->l2, thing) + copies(&cpu->walk_cache, thing) +
           copies(&cpu->ipa_cache, thing);
}

static void touch(struct machine *machine, enum mmu_regime regime, uint64_t va)
{
    for (unsigned int cpu = 0; cpu < 2; cpu++)
        for (unsigned int access = MMU_READ; access <= MMU_FETCH; access += 2) {
            struct mmu_request request = {.va = va,
                                          .cpu = (uint8_t)cpu,
                                          .regime = (uint8_t)regime,
                                          .el = regime == MMU_EL10 ? 1 : 2,
                                          .access = (uint8_t)access};
            assert_int_equal(world_request(&machine->world, request).fault, MMU_OK);
        }
}

static void fill(struct machine *machine)
{
    struct world *world = &machine->world;

    for (unsigned int vmid = 1; vmid <= 2; vmid++) {
        world_vmid(world, vmid);
        world_asid(world, 1);
        touch(machine, MMU_EL10, VA0);
        if (vmid == 2)
            break;
        touch(machine, MMU_EL10, VA1);
        touch(machine, MMU_EL10, VA2);
        world_asid(world, 2);
        touch(machine, MMU_EL10, VA0);
    }
    world->regs.ttbr0 = machine->el2.root | UINT64_C(1) << 48;
    world_set(world, MMU_EL20);
    touch(machine, MMU_EL20, VA0);
    world->regs.tcr = 16 | UINT64_C(5) << 16;
    world->regs.ttbr0 = machine->el2.root;
    world_set(world, MMU_EL2);
    touch(machine, MMU_EL2, VA0);
}

static void open_machine(struct machine *machine, bool in_l2)
{
    struct mmu_config config = world_full_config();

    config.cpus = 2;
    config.l1i.entries = 16;
    config.l2.ways = 64; /* the same address in many spaces shares a set */
    config.walk_cache.ways = 16;
    config.ipa_cache = (struct mmu_tlb_config){.entries = 256};
    config.l2_holds_walks = in_l2;
    *machine = (struct machine){0};
    world_open(&machine->world, &config);
    tree_init(&machine->s1, &machine->world, 12, 48, 3, 0);
    tree_init(&machine->el2, &machine->world, 12, 48, 3, 0);
    tree_init(&machine->s2, &machine->world, 12, 40, 2, 0);
    tree_set(&machine->s1, VA0, 0, IPA0 | S1_PAGE | S1_NG);
    tree_set(&machine->s1, VA1, 0, (IPA0 + 0x1000) | S1_PAGE);
    tree_set(&machine->s1, VA2, 0, IPA2 | S1_PAGE | S1_NG);
    tree_set(&machine->el2, VA0, 0, IPA0 | S1_PAGE | S1_NG);
    tree_range(&machine->s2, IPA0, 0x400000, 0, TWO_PA, S2_PAGE);
    tree_range(&machine->s2, 0, UINT64_C(4) << 20, 0, 0, S2_PAGE);
    world_regs(&machine->world, &machine->s1, &machine->s2);
    fill(machine);
}

static void expect_all(struct machine *machine)
{
    for (unsigned int cpu = 0; cpu < 2; cpu++)
        for (size_t i = 0; i < THINGS; i++)
            assert_int_equal(held(mmu_cpu(machine->world.mmu, cpu), i),
                             things[i].kind == MMU_KIND_PAGE ? 3 : 1);
}

/* `dead` has one character for each thing: x dies, . stays. */
static void expect(const struct mmu_inval *inval, const char *dead)
{
    assert_int_equal(strlen(dead), THINGS);
    for (unsigned int variant = 0; variant < 4; variant++) {
        struct machine machine;
        struct mmu_inval one = *inval;
        bool in_l2 = variant & 1;
        one.broadcast = variant & 2;
        one.cpu = 1;
        open_machine(&machine, in_l2);
        expect_all(&machine);
        mmu_invalidate(machine.world.mmu, &one);
        for (unsigned int cpu = 0; cpu < 2; cpu++)
            for (size_t i = 0; i < THINGS; i++) {
                bool dies = dead[i] == 'x' && (one.broadcast || cpu == 1);
                unsigned int full = things[i].kind == MMU_KIND_PAGE ? 3 : 1;
                if (held(mmu_cpu(machine.world.mmu, cpu), i) != (dies ? 0 : full))
                    fail_msg("op %u variant %u cpu %u thing %zu", one.op, variant, cpu, i);
            }
        assert_int_equal(mmu_counters(machine.world.mmu)->v[MMU_COUNTER_tlbi_vmalle1 + one.op], 1);
        world_close(&machine.world);
    }
}

static void expect_va(enum mmu_tlbi op, uint64_t start, uint64_t size, unsigned int asid,
                      const char *dead)
{
    struct mmu_inval inval = {.op = (uint8_t)op,
                              .vmid = 1,
                              .asid = (uint16_t)asid,
                              .ttl = -1,
                              .start = start,
                              .size = size};

    expect(&inval, dead);
}

static void operations_on_everything_take_their_vmid_and_stage(void **state)
{
    (void)state;
    /*                                         page    walk  ipa  */
    expect_va(MMU_TLBI_VMALLE1, 0, 0, 1, "xxxx...xxx......");
    expect_va(MMU_TLBI_VMALLS12E1, 0, 0, 1, "xxxx...xxx...xx.");
    expect_va(MMU_TLBI_ALLE1, 0, 0, 1, "xxxxx..xxxx..xxx");
    expect_va(MMU_TLBI_ALLE2, 0, 0, 1, ".....xx....xx...");
}

static void operations_by_asid_spare_global_pages(void **state)
{
    (void)state;
    expect_va(MMU_TLBI_ASIDE1, 0, 0, 1, "x..x...x.x......");
    expect_va(MMU_TLBI_ASIDE1, 0, 0, 2, ".x......x.......");
    expect_va(MMU_TLBI_ASIDE1, 0, 0, 3, "................");
}

static void operations_by_va_match_asid_or_global(void **state)
{
    (void)state;
    expect_va(MMU_TLBI_VAE1, VA0, 0, 1, "x......x........");
    expect_va(MMU_TLBI_VAE1, VA0 + 0xfff, 0, 2, ".x......x.......");
    expect_va(MMU_TLBI_VAE1, VA1, 0, 3, "..x.............");
    expect_va(MMU_TLBI_VAE1, VA2, 0, 1, "...x.....x......");
    expect_va(MMU_TLBI_VAE1, VA0 - 1, 0, 1, "................");
    expect_va(MMU_TLBI_VALE1, VA0, 0, 1, "x...............");
    expect_va(MMU_TLBI_VALE1, VA1, 0, 3, "..x.............");
    expect_va(MMU_TLBI_VAAE1, VA0, 0, 3, "xx.....xx.......");
    expect_va(MMU_TLBI_VAALE1, VA0, 0, 3, "xx..............");
}

static void ranges_take_every_page_that_they_touch_and_no_more(void **state)
{
    (void)state;
    expect_va(MMU_TLBI_RVAE1, VA0, 0x2000, 1, "x.x....x........");
    expect_va(MMU_TLBI_RVAE1, VA0, 0x1000, 1, "x......x........");
    expect_va(MMU_TLBI_RVALE1, VA0, 0x201000, 1, "x.xx............");
    expect_va(MMU_TLBI_RVALE1, VA0, 0x200000, 1, "x.x.............");
    expect_va(MMU_TLBI_RVAAE1, VA0, 0x2000, 3, "xxx....xx.......");
    expect_va(MMU_TLBI_RVAALE1, VA0, 0x2000, 3, "xxx.............");
    /* So long that every entry is looked at instead. */
    expect_va(MMU_TLBI_RVAALE1, 0, UINT64_C(1) << 47, 3, "xxxx............");
    expect_va(MMU_TLBI_RVAAE1, VA0, 0, 3, "................");
}

static void operations_by_ipa_leave_combined_entries_alive(void **state)
{
    (void)state;
    expect_va(MMU_TLBI_IPAS2E1, IPA0, 0, 1, ".............x..");
    expect_va(MMU_TLBI_IPAS2LE1, IPA0, 0, 1, ".............x..");
    expect_va(MMU_TLBI_RIPAS2E1, IPA0, 0x200000, 1, ".............x..");
    expect_va(MMU_TLBI_RIPAS2E1, IPA0, 0x201000, 1, ".............xx.");
    expect_va(MMU_TLBI_RIPAS2LE1, IPA2, 0x1000, 1, "..............x.");
}

static void operations_of_el2_spare_el1(void **state)
{
    (void)state;
    expect_va(MMU_TLBI_VAE2, VA0, 0, 1, ".....xx....xx...");
    expect_va(MMU_TLBI_VAE2, VA0, 0, 2, ".....x.....x....");
    expect_va(MMU_TLBI_VALE2, VA0, 0, 1, ".....xx.........");
    expect_va(MMU_TLBI_RVAE2, VA0, 0x1000, 1, ".....xx....xx...");
    expect_va(MMU_TLBI_RVALE2, VA0 - 0x1000, 0x2000, 1, ".....xx.........");
}

static void el1_operations_of_a_host_at_el2_act_on_el2_and_0(void **state)
{
    struct mmu_inval inval = {
        .op = MMU_TLBI_VMALLE1, .vmid = 1, .asid = 1, .ttl = -1, .host = true, .start = VA0};

    (void)state;
    expect(&inval, "......x.....x...");
    inval.op = MMU_TLBI_VALE1;
    expect(&inval, "......x.........");
}

static void another_vmid_is_not_touched(void **state)
{
    struct mmu_inval inval = {.op = MMU_TLBI_VAAE1, .vmid = 2, .ttl = -1, .start = VA0};

    (void)state;
    expect(&inval, "....x.....x.....");
    inval.op = MMU_TLBI_IPAS2E1;
    inval.start = IPA0;
    expect(&inval, "...............x");
    inval.vmid = 3;
    inval.op = MMU_TLBI_VMALLS12E1;
    expect(&inval, "................");
}

static void a_level_hint_must_be_that_of_the_leaf(void **state)
{
    struct mmu_inval inval = {.op = MMU_TLBI_VALE1, .vmid = 1, .asid = 1, .ttl = 0, .start = VA0};

    (void)state;
    expect(&inval, "x...............");
    inval.ttl = 1;
    expect(&inval, "................");
    inval.op = MMU_TLBI_IPAS2E1;
    inval.start = IPA0;
    expect(&inval, "................");
    inval.ttl = 0;
    expect(&inval, ".............x..");
}

/* ---- pieces ---- */

static unsigned int resident(const struct mmu_tlb *tlb)
{
    return tlb->resident[MMU_KIND_PAGE][12];
}

static void one_operation_on_a_block_removes_all_its_pieces(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 64);
    tree_set(&two.s1, TWO_VA, 1, TWO_IPA | S1_BLOCK); /* 2M over 4K pages */
    for (uint64_t page = 0; page < 40; page++)
        world_load(&two.world, TWO_VA + (page << 12));
    struct mmu_cpu *cpu = mmu_cpu(two.world.mmu, 0);
    assert_int_equal(resident(&cpu->l2), 40);
    assert_int_equal(resident(&cpu->l1[0].tlb), 16);
    world_inval(&two.world, MMU_TLBI_VALE1, TWO_VA + 0x1ff000, 0);
    assert_int_equal(resident(&cpu->l2), 0);
    assert_int_equal(resident(&cpu->l1[0].tlb), 0);
    assert_int_equal(mmu_counters(two.world.mmu)->inval_entries, 56);
    two_stage_close(&two);
}

static void an_operation_beside_the_block_removes_none_of_its_pieces(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 64);
    tree_set(&two.s1, TWO_VA, 1, TWO_IPA | S1_BLOCK);
    for (uint64_t page = 0; page < 40; page++)
        world_load(&two.world, TWO_VA + (page << 12));
    world_inval(&two.world, MMU_TLBI_VALE1, TWO_VA + 0x200000, 0);
    assert_int_equal(resident(&mmu_cpu(two.world.mmu, 0)->l2), 40);
    two_stage_close(&two);
}

static void an_ipa_operation_on_a_block_removes_the_pieces_of_its_result(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.ipa_cache.page_shifts = 1u << 12;
    two_stage_open(&two, &config, 64);
    tree_set(&two.s2, TWO_IPA, 1, TWO_PA | S2_BLOCK);
    for (uint64_t page = 0; page < 8; page++)
        world_load(&two.world, TWO_VA + (page << 12));
    const struct mmu_tlb *tlb = &mmu_cpu(two.world.mmu, 0)->ipa_cache;
    unsigned int before = tlb->count;
    world_inval(&two.world, MMU_TLBI_IPAS2E1, TWO_IPA + 0x1f0000, 0);
    assert_int_equal(before - tlb->count, 8);
    two_stage_close(&two);
}

static void one_page_of_a_contiguous_run_takes_the_whole_entry(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 64);
    tree_range(&two.s1, TWO_VA, 0x10000, 0, TWO_IPA, S1_PAGE | DESC_CONT);
    tree_range(&two.s2, TWO_IPA, 0x10000, 0, TWO_PA, S2_PAGE | DESC_CONT);
    assert_int_equal(world_load(&two.world, TWO_VA).page_shift, 16);
    assert_int_equal(world_load(&two.world, TWO_VA + 0xf000).source, MMU_SRC_L1);
    world_inval(&two.world, MMU_TLBI_VALE1, TWO_VA + 0x7000, 0);
    assert_int_equal(world_load(&two.world, TWO_VA + 0xf000).source, MMU_SRC_WALK);
    two_stage_close(&two);
}

/* ---- book-keeping ---- */

/* Counts, sizes, hints and chains of an array against its keys. */
static void check_books(const struct mmu_tlb *tlb)
{
    uint32_t resident[MMU_KIND_COUNT][64] = {{0}}, count = 0, split[2] = {0};

    for (uint32_t index = 0; index < tlb->sets * tlb->ways; index++) {
        const struct mmu_entry *entry = &tlb->entries[index];
        uint64_t key = tlb->keys[index];
        uint32_t at = UINT32_MAX;
        if (key == 0) {
            assert_true(index % tlb->ways >= tlb->hint[index / tlb->ways]);
            assert_true(!tlb->fronted || entry->allow == 0);
            continue;
        }
        assert_int_equal(key, mmu_tlb_key(entry->kind, entry->va, entry->shift));
        for (at = mmu_tlb_first(tlb, key); at != index && at != UINT32_MAX;)
            at = mmu_tlb_next(tlb, key, at);
        assert_int_equal(at, index);
        resident[entry->kind][entry->shift]++;
        count++;
        split[0] += entry->kind == MMU_KIND_PAGE && entry->s1_shift > entry->shift;
        split[1] += entry->kind == MMU_KIND_IPA && entry->s2_shift > entry->shift;
        assert_true(tlb->owner == MMU_OWNERS_MIXED ||
                    tlb->owner == mmu_tlb_owner(entry->regime, entry->vmid));
    }
    assert_int_equal(count, tlb->count);
    assert_memory_equal(resident, tlb->resident, sizeof(resident));
    assert_memory_equal(split, tlb->split, sizeof(split));
    for (unsigned int kind = 0; kind < MMU_KIND_COUNT; kind++)
        for (unsigned int shift = 0; shift < 64; shift++)
            assert_int_equal(tlb->shifts[kind] >> shift & 1, resident[kind][shift] != 0);
}

static void check_all_books(struct mmu_cpu *cpu)
{
    check_books(&cpu->l1[0].tlb);
    check_books(&cpu->l1[1].tlb);
    check_books(&cpu->l2);
    check_books(&cpu->walk_cache);
    check_books(&cpu->ipa_cache);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Random accesses of `spaces` VMIDs among random operations of every kind. */
static void shake(bool in_l2, bool blocks, unsigned int spaces)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();
    uint64_t seed = 21;

    config.l2_holds_walks = in_l2;
    config.l1d.page_shifts = 1u << 12 | 1u << 16;
    two_stage_open(&two, &config, 512);
    if (blocks)
        tree_set(&two.s1, TWO_VA, 1, TWO_IPA | S1_BLOCK);
    tree_range(&two.s2, TWO_IPA, 0x100000, 0, TWO_PA, S2_PAGE | DESC_CONT);
    for (unsigned int n = 0; n < 4000; n++) {
        uint64_t page = next_random(&seed) % 512, what = next_random(&seed) % 64;
        if (what == 0)
            world_vmid(&two.world, (unsigned int)(next_random(&seed) % spaces));
        else if (what == 1)
            world_inval(&two.world, (enum mmu_tlbi)(next_random(&seed) % MMU_TLBI_COUNT),
                        (next_random(&seed) % 2 ? TWO_VA : TWO_IPA) + (page << 12),
                        (1 + next_random(&seed) % 64) << 12);
        else
            world_access(&two.world, TWO_VA + (page << 12), (enum mmu_access)(what % 3), 1);
        if (what < 2)
            check_all_books(mmu_cpu(two.world.mmu, 0));
    }
    two_stage_close(&two);
}

static void the_books_stay_right_whatever_happens(void **state)
{
    (void)state;
    for (unsigned int variant = 0; variant < 8; variant++)
        shake(variant & 1, variant & 2, variant & 4 ? 3 : 1);
}

static void an_operation_on_everything_of_one_space_spares_its_ipa_results(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    config.l2_holds_walks = true;
    config.l2.ways = 0;
    two_stage_open(&two, &config, 64);
    for (uint64_t page = 0; page < 64; page++)
        world_load(&two.world, TWO_VA + (page << 12));
    const struct mmu_tlb *l2 = &mmu_cpu(two.world.mmu, 0)->l2;
    assert_int_equal(l2->resident[MMU_KIND_IPA][12], 64 + 4);
    assert_int_equal(l2->count, 64 + 3 + 64 + 4);
    world_inval(&two.world, MMU_TLBI_VMALLE1, 0, 0);
    assert_int_equal(l2->count, 64 + 4);
    assert_int_equal(mmu_counters(two.world.mmu)->inval_entries, 64 + 3 + 16);
    struct mmu_result result = world_load(&two.world, TWO_VA + 0x5000);
    assert_int_equal(result.refs_s1, 4);
    assert_int_equal(result.refs_s2, 0);
    check_all_books(mmu_cpu(two.world.mmu, 0));
    two_stage_close(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_on_everything_take_their_vmid_and_stage),
        cmocka_unit_test(operations_by_asid_spare_global_pages),
        cmocka_unit_test(operations_by_va_match_asid_or_global),
        cmocka_unit_test(ranges_take_every_page_that_they_touch_and_no_more),
        cmocka_unit_test(operations_by_ipa_leave_combined_entries_alive),
        cmocka_unit_test(operations_of_el2_spare_el1),
        cmocka_unit_test(el1_operations_of_a_host_at_el2_act_on_el2_and_0),
        cmocka_unit_test(another_vmid_is_not_touched),
        cmocka_unit_test(a_level_hint_must_be_that_of_the_leaf),
        cmocka_unit_test(one_operation_on_a_block_removes_all_its_pieces),
        cmocka_unit_test(an_operation_beside_the_block_removes_none_of_its_pieces),
        cmocka_unit_test(an_ipa_operation_on_a_block_removes_the_pieces_of_its_result),
        cmocka_unit_test(one_page_of_a_contiguous_run_takes_the_whole_entry),
        cmocka_unit_test(the_books_stay_right_whatever_happens),
        cmocka_unit_test(an_operation_on_everything_of_one_space_spares_its_ipa_results),
    };

    return cmocka_run_group_tests_name("inval", tests, NULL, NULL);
}
