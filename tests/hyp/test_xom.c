/* SPDX-License-Identifier: MIT */
/*
 * Execute-only memory: the nine points that it is accepted by. A guest's tables and its EPT are in
 * memory, the hardware model walks both and says what the CPU would, and what the core makes of it
 * is the #PF that the guest gets.
 */
#include <hyp/xom.h>

#include "mmu/x86.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#include <stdlib.h>
#include <string.h>

#define M     40u
#define NR    (UINT64_C(1) << M)
#define P     UINT64_C(0x1)
#define RW    UINT64_C(0x2)
#define US    UINT64_C(0x4)
#define AD    UINT64_C(0x60)
#define ALL   (P | RW | US | AD)
#define VA    UINT64_C(0x400000) /* 512 pages of it are mapped by the table at GPA_PT */
#define CODE  UINT64_C(0x10000)  /* gpa of the page at VA */
#define DATA  UINT64_C(0x800000) /* gpa of the slot without alias */
#define PA    UINT64_C(0x200000000)
#define ENTRY (UINT64_C(0x1000)) /* gpa of the guest's root; the tables below follow */
#define CAP   (HYP_EPT_CAP_XONLY | HYP_EPT_CAP_4_LEVELS)

struct guest {
    struct table_rig rig;
    struct hyp_xom xom;
    struct hyp_xom_slot slots[4];
    struct mmu *mmu;
    struct mmu_x86_regs regs;
    struct mmu_result result;
    struct mmu_request request;
    struct hyp_xom_operand operands[HYP_XOM_OPERANDS]; /* what decoding gives */
    unsigned int operand_count, decoded;
};

static uint64_t load(void *ctx, hyp_pa_t pa, bool *ok)
{
    *ok = true;
    return fake_mem_load(ctx, pa.v);
}

static bool swap(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired)
{
    if (fake_mem_load(ctx, pa.v) != old)
        return false;
    fake_mem_store(ctx, pa.v, desired);
    return true;
}

static unsigned int decode(void *ctx, const struct hyp_xom_exit *exit,
                           struct hyp_xom_operand *operands)
{
    struct guest *guest = ctx;

    (void)exit;
    memcpy(operands, guest->operands, sizeof guest->operands);
    guest->decoded++;
    return guest->operand_count;
}

/* What the guest's tables say, permissions aside. */
static bool translate(void *ctx, hyp_va_t linear, hyp_ipa_t *gpa)
{
    struct guest *guest = ctx;
    const uint64_t slot = PA + ENTRY + 0x3000 + (linear.v >> 12 & 511) * 8;
    const uint64_t pte = fake_mem_load(&guest->rig.machine.fake.mem, slot);

    *gpa = hyp_ipa((pte & HYP_MASK(51, 12)) | (linear.v & 0xfff));
    return pte & P;
}

static void poke(struct guest *guest, uint64_t gpa, uint64_t word)
{
    fake_mem_store(&guest->rig.machine.fake.mem, PA + gpa, word);
}

/* Maps the page at `va` in the guest. */
static void pte(struct guest *guest, uint64_t va, uint64_t entry)
{
    poke(guest, ENTRY + 0x3000 + (va >> 12 & 511) * 8, entry);
}

static struct hyp_xom_config config_of(struct guest *guest)
{
    return (struct hyp_xom_config){.cpu = {.ept_cap = CAP, .ept_levels = 4, .pa_bits = M + 2},
                                   .pgt = &guest->rig.pgt,
                                   .port = {guest, decode, translate},
                                   .slots = guest->slots,
                                   .slot_count = 4,
                                   .signature = 0x40000100,
                                   .bit = M};
}

static void open_tables(struct guest *guest)
{
    poke(guest, ENTRY, (ENTRY + 0x1000) | ALL);
    poke(guest, ENTRY + 0x1000, (ENTRY + 0x2000) | ALL);
    poke(guest, ENTRY + 0x2000 + (VA >> 21) * 8, (ENTRY + 0x3000) | ALL);
    pte(guest, VA, CODE | NR | ALL);
    pte(guest, VA + 0x1000, (CODE + 0x1000) | ALL);
}

/* 4 MiB with an alias and 2 MiB without, the feature on. */
static void open_guest(struct guest *guest)
{
    const struct hyp_pgt_config table = {.fmt = &hyp_fmt_ept,
                                         .page_shift = 12,
                                         .ia_bits = 48,
                                         .flags = HYP_PGT_EPT_XONLY,
                                         .max_block_level = 2};
    const struct hyp_xom_slot code = {.pages = 1024, .pfn = PA >> 12, .flags = HYP_XOM_EXECONLY};
    const struct hyp_xom_slot other = {.gfn = DATA >> 12, .pages = 512, .pfn = 0x300000};
    const struct mmu_config model = {.cpus = 1, .caches_off = true};
    struct hyp_xom_config config;

    *guest = (struct guest){.operand_count = 0};
    rig_init_config(&guest->rig, table, 64);
    config = config_of(guest);
    assert_int_equal(hyp_xom_init(&guest->xom, &config), HYP_OK);
    assert_int_equal(hyp_xom_create(&guest->xom, 0, &code, NULL), HYP_OK);
    assert_int_equal(hyp_xom_create(&guest->xom, 1, &other, NULL), HYP_OK);
    assert_int_equal(hyp_xom_set(&guest->xom, true, NULL), HYP_OK);
    open_tables(guest);
    guest->mmu =
        mmu_create(&model, &(struct mmu_port){&guest->rig.machine.fake.mem, load, swap, NULL});
    assert_non_null(guest->mmu);
    guest->regs = (struct mmu_x86_regs){.cr0 = MMU_X86_CR0_PG | MMU_X86_CR0_WP | 1,
                                        .cr3 = ENTRY,
                                        .cr4 = MMU_X86_CR4_PAE,
                                        .efer = MMU_X86_EFER_LMA | MMU_X86_EFER_NXE,
                                        .pat = MMU_X86_PAT_RESET,
                                        .eptp = hyp_ept_eptp(guest->rig.pgt.root, 4, false),
                                        .ept = true,
                                        .pa_bits = M + 2,
                                        .ept_xo = true};
    mmu_set_x86(guest->mmu, 0, &guest->regs);
}

static void close_guest(struct guest *guest)
{
    mmu_destroy(guest->mmu);
    rig_free(&guest->rig);
}

/* True: the CPU does it. */
static bool touch(struct guest *guest, uint64_t va, unsigned int cpl, enum mmu_access access)
{
    guest->request = (struct mmu_request){
        .va = va, .regime = MMU_X86, .el = cpl == 3 ? 0 : 1, .access = (uint8_t)access};
    mmu_translate(guest->mmu, &guest->request, &guest->result);
    return guest->result.fault == MMU_OK;
}

static uint64_t qualification(const struct guest *guest)
{
    assert_int_equal(guest->result.stage, 2);
    return mmu_x86_qualification(&guest->request, &guest->result);
}

/* The violation of the last touch(), with bits of the qualification taken away. */
static struct hyp_xom_decision judge(struct guest *guest, uint64_t without)
{
    const bool told = !(without & 0x80);
    const struct hyp_xom_exit exit = {
        .qualification = qualification(guest) & ~without,
        .gpa = guest->result.ipa,
        .linear = hyp_va(told ? guest->request.va : UINT64_C(0xdead0000)),
        .rip = hyp_va(guest->request.access == MMU_FETCH ? guest->request.va : 0x700000),
        .cpl = guest->request.el == 0 ? 3 : 0,
        .tells_fetch = true};

    return hyp_xom_violation(&guest->xom, &exit);
}

static void expect_pf(struct hyp_xom_decision got, uint64_t cr2, uint32_t code)
{
    assert_int_equal(got.verdict, HYP_XOM_INJECT);
    assert_int_equal(got.cr2.v, cr2);
    assert_int_equal(got.code, code);
}

/* ---- point 1 ---- */

static uint32_t ask(const struct guest *guest, uint32_t leaf, uint32_t eax)
{
    struct hyp_xom_cpuid answer = {eax, 1, 2, 3};

    hyp_xom_cpuid(&guest->xom, leaf, &answer);
    assert_true(answer.ebx == 1 && answer.ecx == 2 && answer.edx == 3);
    return answer.eax;
}

static void point_1_bit_m_is_hidden_and_only_bits_above_it_are_reserved(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    assert_int_equal(ask(&guest, 0x80000008, 0x0030302e), 0x00283028);
    assert_int_equal(ask(&guest, 0x80000008, 0x0000392e), 0x00003928);
    assert_int_equal(ask(&guest, 0x40000100, 0x40000101), 0x40000130);
    assert_int_equal(ask(&guest, 0x40000130, 0), 1);
    assert_int_equal(ask(&guest, 0x40000030, 0), 0);
    assert_int_equal(hyp_xom_reserved(&guest.xom), UINT64_C(0x000ffe0000000000));

    pte(&guest, VA, CODE | NR | NR << 1 | ALL); /* above M, but not to the CPU */
    assert_false(touch(&guest, VA + 8, 3, MMU_WRITE));
    expect_pf(judge(&guest, 0), VA + 8, 0x0f);
    assert_false(touch(&guest, VA + 8, 0, MMU_FETCH));
    expect_pf(judge(&guest, 0), VA + 8, 0x19);
    pte(&guest, VA, CODE | NR << 2 | ALL); /* above M, and the CPU's own */
    assert_false(touch(&guest, VA + 8, 3, MMU_READ));
    assert_int_equal(guest.result.stage, 1);
    assert_int_equal(mmu_x86_pf_code(&guest.request, &guest.result), 0x0d);

    hyp_xom_reset(&guest.xom);
    assert_int_equal(ask(&guest, 0x80000008, 0x0030302e), 0x00283028);
    assert_int_equal(hyp_xom_reserved(&guest.xom), UINT64_C(0x000fff0000000000));
    pte(&guest, VA, CODE | NR | ALL);
    assert_false(touch(&guest, VA + 8, 3, MMU_READ)); /* off: M is reserved as well */
    expect_pf(judge(&guest, 0), VA + 8, 0x0d);
    close_guest(&guest);
}

/* ---- point 2 ---- */

static void point_2_bit_m_is_one_that_ept_translates(void **state)
{
    struct hyp_xom_cpu cpu = {.ept_cap = CAP, .ept_levels = 4, .pa_bits = 52};

    (void)state;
    assert_int_equal(hyp_xom_check(&cpu, 47), HYP_XOM_LACKS_NOTHING);
    assert_int_equal(hyp_xom_check(&cpu, 48), HYP_XOM_LACKS_INPUT);
    assert_int_equal(hyp_xom_check(&cpu, 36), HYP_XOM_LACKS_NOTHING);
    assert_int_equal(hyp_xom_check(&cpu, 35), HYP_XOM_LACKS_ROOM);
    cpu.ept_levels = 5;
    assert_int_equal(hyp_xom_check(&cpu, 47), HYP_XOM_LACKS_LEVELS);
    cpu.ept_cap |= HYP_EPT_CAP_5_LEVELS;
    assert_int_equal(hyp_xom_check(&cpu, 51), HYP_XOM_LACKS_NOTHING);
    assert_int_equal(hyp_xom_check(&cpu, 52), HYP_XOM_LACKS_INPUT);
    cpu.pa_bits = 46;
    assert_int_equal(hyp_xom_check(&cpu, 45), HYP_XOM_LACKS_NOTHING);
    assert_int_equal(hyp_xom_check(&cpu, 46), HYP_XOM_LACKS_WIDTH);
}

/* ---- point 3 ---- */

static void point_3_an_alias_is_fetched_and_neither_read_nor_written(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
        const uint32_t user = cpl == 3 ? 4 : 0;

        pte(&guest, VA, CODE | NR | P | RW | AD | (cpl == 3 ? US : 0));
        assert_true(touch(&guest, VA + 0x123, cpl, MMU_FETCH));
        assert_int_equal(guest.result.pa.v, PA + CODE + 0x123);
        assert_false(touch(&guest, VA + 0x123, cpl, MMU_READ));
        assert_int_equal(qualification(&guest), 0x1a1);
        expect_pf(judge(&guest, 0), VA + 0x123, 0x1 | user);
        assert_false(touch(&guest, VA + 0x123, cpl, MMU_WRITE));
        assert_int_equal(qualification(&guest), 0x1a2);
        expect_pf(judge(&guest, 0), VA + 0x123, 0x3 | user);
        assert_int_equal(guest.decoded, 0);

        pte(&guest, VA, CODE | P | RW | AD | (cpl == 3 ? US : 0)); /* the base: everything */
        for (enum mmu_access access = MMU_READ; access <= MMU_FETCH; access++)
            assert_true(touch(&guest, VA + 0x123, cpl, access));
    }
    close_guest(&guest);
}

/* ---- point 4 ---- */

static void point_4_the_linear_address_is_the_cpus_or_that_of_an_operand(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    pte(&guest, VA, (CODE + 0x1000) | ALL);
    pte(&guest, VA + 0x1000, CODE | NR | ALL);
    /* A load of 8 bytes, the last 5 in the second page: that is where it faults. */
    guest.operands[0] = (struct hyp_xom_operand){hyp_va(VA + 0xffd), 8, HYP_XOM_READ};
    guest.operand_count = 1;
    assert_true(touch(&guest, VA + 0xffd, 3, MMU_READ));
    assert_false(touch(&guest, VA + 0x1000, 3, MMU_READ));
    expect_pf(judge(&guest, 0), VA + 0x1000, 0x5);
    assert_int_equal(guest.decoded, 0);
    expect_pf(judge(&guest, 0x180), VA + 0x1000, 0x5);
    assert_int_equal(guest.decoded, 1);

    /* REP MOVSB part way: the source is at 0x7f0 by now, the destination can be written. */
    guest.operands[0] = (struct hyp_xom_operand){hyp_va(VA + 0x17f0), 1, HYP_XOM_READ};
    guest.operands[1] = (struct hyp_xom_operand){hyp_va(VA + 0x7f0), 1, HYP_XOM_WRITE};
    guest.operand_count = 2;
    assert_false(touch(&guest, VA + 0x17f0, 3, MMU_READ));
    expect_pf(judge(&guest, 0x180), VA + 0x17f0, 0x5);
    /* REP CMPSB: both are reads at one offset, and only their pages tell them apart. */
    guest.operands[1].access = HYP_XOM_READ;
    expect_pf(judge(&guest, 0x180), VA + 0x17f0, 0x5);
    guest.xom.port.translate = NULL;
    assert_int_equal(judge(&guest, 0x180).verdict, HYP_XOM_DECODE);
    guest.operand_count = 0;
    assert_int_equal(judge(&guest, 0x180).verdict, HYP_XOM_DECODE);
    close_guest(&guest);
}

/* ---- point 5 ---- */

static void point_5_a_walk_through_an_alias_faults_where_it_was_going(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    poke(&guest, ENTRY + 0x2000 + (VA >> 21) * 8, (ENTRY + 0x3000) | NR | ALL);
    assert_false(touch(&guest, VA + 0x10, 3, MMU_WRITE));
    assert_true(guest.result.s1ptw);
    assert_int_equal(qualification(&guest), 0x0a1); /* a read of the table, whatever it was for */
    assert_int_equal(guest.result.ipa.v, (ENTRY + 0x3000) | NR);
    guest.operands[0] = (struct hyp_xom_operand){hyp_va(VA + 0xc), 8, HYP_XOM_WRITE};
    guest.operand_count = 1;
    expect_pf(judge(&guest, 0), VA + 0x10, 0x7);
    guest.operands[0].access = HYP_XOM_READ;
    expect_pf(judge(&guest, 0), VA + 0x10, 0x5);
    guest.operand_count = 0;
    assert_int_equal(judge(&guest, 0).verdict, HYP_XOM_DECODE);
    assert_false(touch(&guest, VA + 0x10, 3, MMU_FETCH));
    expect_pf(judge(&guest, 0), VA + 0x10, 0x15);

    /* EPT's own accessed and dirty bits make every such walk a write as well: no difference. */
    guest.regs.eptp = hyp_ept_eptp(guest.rig.pgt.root, 4, true);
    mmu_set_x86(guest.mmu, 0, &guest.regs);
    guest.operand_count = 1;
    assert_false(touch(&guest, VA + 0x10, 0, MMU_READ));
    assert_int_equal(qualification(&guest), 0x0a3);
    expect_pf(judge(&guest, 0), VA + 0x10, 0x1);
    close_guest(&guest);
}

/* ---- point 6 ---- */

static void point_6_type_and_dirty_log_are_those_of_the_base(void **state)
{
    const uint64_t gpas[] = {0, CODE + 0x123, 0x3fffff};
    uint64_t dirty[16] = {0}, alias[2];
    struct guest guest;
    unsigned int level[2];

    (void)state;
    open_guest(&guest);
    for (unsigned int i = 0; i < sizeof gpas / sizeof *gpas; i++) {
        const uint64_t base = hyp_pgt_leaf(&guest.rig.pgt, (hyp_ia_t){gpas[i]}, &level[0]);

        alias[0] = hyp_pgt_leaf(&guest.rig.pgt, (hyp_ia_t){gpas[i] | NR}, &level[1]);
        assert_int_equal(level[0], level[1]);
        assert_int_equal(base & 0x78, alias[0] & 0x78);
        assert_int_equal(hyp_xom_base(&guest.xom, hyp_ipa(gpas[i] | NR)).v, gpas[i]);
    }
    assert_true(touch(&guest, VA, 3, MMU_FETCH));
    assert_int_equal(guest.result.attr, 6);

    alias[0] = hyp_pgt_leaf(&guest.rig.pgt, (hyp_ia_t){CODE | NR}, &level[0]);
    assert_int_equal(hyp_xom_log_start(&guest.xom, 0, dirty, NULL), HYP_OK);
    alias[1] = hyp_pgt_leaf(&guest.rig.pgt, (hyp_ia_t){CODE | NR}, &level[1]);
    assert_true(alias[0] == alias[1] && level[0] == level[1]);
    assert_int_equal(hyp_xom_written(&guest.xom, hyp_ipa(CODE | NR)), HYP_ENOENT);
    assert_int_equal(hyp_xom_wrprotect(&guest.xom, (CODE | NR) >> 12, 1), HYP_EINVAL);
    pte(&guest, VA, CODE | ALL);
    assert_false(touch(&guest, VA, 3, MMU_WRITE));
    assert_int_equal(qualification(&guest), 0x1aa);
    assert_int_equal(judge(&guest, 0).verdict, HYP_XOM_NOT_OURS);
    assert_int_equal(hyp_xom_written(&guest.xom, guest.result.ipa), HYP_OK);
    assert_true(touch(&guest, VA, 3, MMU_WRITE));
    for (unsigned int i = 0; i < 16; i++)
        assert_int_equal(dirty[i], i == 0 ? HYP_BIT(CODE >> 12) : 0);
    assert_int_equal(hyp_xom_wrprotect(&guest.xom, CODE >> 12, 1), HYP_OK);
    assert_false(touch(&guest, VA, 3, MMU_WRITE));
    close_guest(&guest);
}

/* ---- point 7 ---- */

static void point_7_both_halves_of_a_slot_change_together(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    assert_table(&guest.rig, "0+400000 1 80000002000003f7\n"
                             "800000+200000 1 80000003000003f7\n"
                             "10000000000+400000 1 80000002000001f4\n");
    assert_int_equal(hyp_xom_set_flags(&guest.xom, 0, 0), HYP_EINVAL);
    assert_int_equal(hyp_xom_set_flags(&guest.xom, 0, HYP_XOM_EXECONLY), HYP_OK);
    assert_int_equal(hyp_xom_set_flags(&guest.xom, 1, HYP_XOM_EXECONLY), HYP_EINVAL);
    assert_int_equal(hyp_xom_move(&guest.xom, 0, 0x1000, NULL), HYP_OK);
    assert_table(&guest.rig, "800000+200000 1 80000003000003f7\n"
                             "1000000+400000 1 80000002000003f7\n"
                             "10001000000+400000 1 80000002000001f4\n");
    assert_int_equal(hyp_xom_set(&guest.xom, false, NULL), HYP_OK);
    assert_table(&guest.rig, "800000+200000 1 80000003000003f7\n"
                             "1000000+400000 1 80000002000003f7\n");
    assert_int_equal(hyp_xom_set(&guest.xom, true, NULL), HYP_OK);
    assert_int_equal(hyp_xom_delete(&guest.xom, 0), HYP_OK);
    assert_table(&guest.rig, "800000+200000 1 80000003000003f7\n");
    close_guest(&guest);
}

/* ---- point 8 ---- */

static void point_8_an_instruction_may_be_decoded_but_data_not_read(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    assert_true(hyp_xom_may_read(&guest.xom, hyp_ipa(CODE | NR), true));
    assert_false(hyp_xom_may_read(&guest.xom, hyp_ipa(CODE | NR), false));
    assert_false(hyp_xom_may_write(&guest.xom, hyp_ipa(CODE | NR)));
    assert_true(hyp_xom_may_read(&guest.xom, hyp_ipa(CODE), false));
    assert_true(hyp_xom_may_write(&guest.xom, hyp_ipa(CODE)));
    assert_false(hyp_xom_may_read(&guest.xom, hyp_ipa(DATA | NR), true)); /* has no alias */
    assert_false(hyp_xom_may_read(&guest.xom, hyp_ipa(CODE | NR | NR << 1), true));
    hyp_xom_reset(&guest.xom);
    assert_false(hyp_xom_may_read(&guest.xom, hyp_ipa(CODE | NR), true));
    close_guest(&guest);
}

/* ---- point 9 ---- */

static void point_9_a_cpu_without_execute_only_ept_is_refused(void **state)
{
    const struct hyp_xom_cpu none = {
        .ept_cap = HYP_EPT_CAP_4_LEVELS, .ept_levels = 4, .pa_bits = 46};
    struct hyp_xom_cpu amd = {
        .vendor = HYP_XOM_AMD, .ept_cap = CAP, .ept_levels = 4, .pa_bits = 48};
    struct hyp_xom_config config;
    struct hyp_xom before;
    struct guest guest;

    (void)state;
    assert_int_equal(hyp_xom_check(&none, M), HYP_XOM_LACKS_XONLY);
    assert_int_equal(hyp_xom_check(&amd, M), HYP_XOM_LACKS_EPT);
    for (unsigned int lack = 1; lack < HYP_XOM_LACK_COUNT; lack++)
        assert_non_null(hyp_xom_lack_text((enum hyp_xom_lack)lack));
    assert_null(hyp_xom_lack_text(HYP_XOM_LACKS_NOTHING));

    open_guest(&guest);
    before = guest.xom;
    config = config_of(&guest);
    config.cpu = none;
    assert_int_equal(hyp_xom_init(&guest.xom, &config), HYP_EPERM);
    config = config_of(&guest);
    guest.rig.pgt.flags = 0;
    assert_int_equal(hyp_xom_init(&guest.xom, &config), HYP_EINVAL);
    assert_memory_equal(&before, &guest.xom, sizeof before);

    guest.regs.ept_xo = false; /* what the guest would meet there */
    mmu_set_x86(guest.mmu, 0, &guest.regs);
    assert_false(touch(&guest, VA, 3, MMU_FETCH));
    assert_int_equal(guest.result.fault, MMU_FAULT_MISCONFIG);
    close_guest(&guest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(point_1_bit_m_is_hidden_and_only_bits_above_it_are_reserved),
        cmocka_unit_test(point_2_bit_m_is_one_that_ept_translates),
        cmocka_unit_test(point_3_an_alias_is_fetched_and_neither_read_nor_written),
        cmocka_unit_test(point_4_the_linear_address_is_the_cpus_or_that_of_an_operand),
        cmocka_unit_test(point_5_a_walk_through_an_alias_faults_where_it_was_going),
        cmocka_unit_test(point_6_type_and_dirty_log_are_those_of_the_base),
        cmocka_unit_test(point_7_both_halves_of_a_slot_change_together),
        cmocka_unit_test(point_8_an_instruction_may_be_decoded_but_data_not_read),
        cmocka_unit_test(point_9_a_cpu_without_execute_only_ept_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
