/* SPDX-License-Identifier: MIT */
/* An abort handed back to the host: every register, for every place that it can come from. */
#include "tests/support/cmocka_all.h"

#include <hyp/esr.h>
#include <hyp/host.h>

#define VBAR UINT64_C(0xffff800008010000)
#define FAR  UINT64_C(0xffff000001000ffd)
#define PC   UINT64_C(0xffff800008123458)

static struct hyp_host_regs inject(uint64_t esr, uint64_t spsr, uint64_t sctlr, bool mte)
{
    struct hyp_abort abort = {esr, FAR, {0x1000}, true};
    struct hyp_host_regs regs = {
        .spsr = spsr, .elr = PC, .vbar = VBAR, .sctlr = sctlr, .far_el1 = 0x77};

    hyp_host_inject(&abort, &regs, mte);
    return regs;
}

static void syndromes_are_those_of_the_specification(void **state)
{
    (void)state;
    /* EL1 data read, EL0 data read, EL1 write, EL1 and EL0 instruction fetch. */
    assert_int_equal(inject(0x92000007, 0x5, 0, false).esr_el1, 0x96000087);
    assert_int_equal(inject(0x92000007, 0x0, 0, false).esr_el1, 0x92000087);
    assert_int_equal(inject(0x92000047, 0x5, 0, false).esr_el1, 0x960000c7);
    assert_int_equal(inject(0x82000006, 0x5, 0, false).esr_el1, 0x86000086);
    assert_int_equal(inject(0x82000006, 0x0, 0, false).esr_el1, 0x82000086);
    /* An AArch32 process is EL0 whatever its mode bits say. */
    assert_int_equal(inject(0x92000007, 0x13 | 0x10, 0, false).esr_el1, 0x92000087);
}

static void the_vector_depends_on_where_the_host_was(void **state)
{
    (void)state;
    assert_int_equal(inject(0x92000007, 0x4, 0, false).elr, VBAR + 0x000);
    assert_int_equal(inject(0x92000007, 0x5, 0, false).elr, VBAR + 0x200);
    assert_int_equal(inject(0x92000007, 0x0, 0, false).elr, VBAR + 0x400);
    assert_int_equal(inject(0x92000007, 0x10, 0, false).elr, VBAR + 0x600);
}

static void the_way_back_is_saved(void **state)
{
    struct hyp_host_regs regs = inject(0x92000007, UINT64_C(0x60400005), 0, false);

    (void)state;
    assert_int_equal(regs.elr_el1, PC);
    assert_int_equal(regs.spsr_el1, 0x60400005);
    assert_int_equal(regs.far_el1, FAR);
}

static void the_address_is_written_when_the_fault_has_one(void **state)
{
    unsigned int fsc;

    (void)state;
    for (fsc = 0; fsc < 64; fsc++) {
        bool has = (fsc >= 4 && fsc <= 7) || (fsc >= 0xc && fsc <= 0xf) || fsc == 0x2b;
        struct hyp_host_regs regs = inject(UINT64_C(0x92000000) | fsc, 5, 0, false);

        assert_int_equal(regs.far_el1, has ? FAR : 0x77);
    }
}

static void the_host_continues_at_el1h_with_everything_masked(void **state)
{
    (void)state;
    /* Flags, DIT and PAN are kept; UAO, SS, IL, BTYPE and SSBS are not. */
    assert_int_equal(inject(0x92000007, UINT64_C(0xf1b01c05), HYP_SCTLR_SPAN, false).spsr,
                     UINT64_C(0xf10003c5));
    assert_int_equal(inject(0x92000007, UINT64_C(0x00400000), HYP_SCTLR_SPAN, false).spsr,
                     UINT64_C(0x004003c5));
    /* SPAN = 0 sets PAN, DSSBS = 1 sets SSBS, MTE sets TCO. */
    assert_int_equal(inject(0x92000007, 0, 0, false).spsr, UINT64_C(0x004003c5));
    assert_int_equal(inject(0x92000007, 0, HYP_SCTLR_SPAN | HYP_SCTLR_DSSBS, false).spsr,
                     UINT64_C(0x000013c5));
    assert_int_equal(inject(0x92000007, 0, HYP_SCTLR_SPAN, true).spsr, UINT64_C(0x020003c5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syndromes_are_those_of_the_specification),
        cmocka_unit_test(the_vector_depends_on_where_the_host_was),
        cmocka_unit_test(the_way_back_is_saved),
        cmocka_unit_test(the_address_is_written_when_the_fault_has_one),
        cmocka_unit_test(the_host_continues_at_el1h_with_everything_masked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
