/* SPDX-License-Identifier: MIT */
/* EPT violations of the host: what is mapped, what is injected, and as what. */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#include <hyp/ept.h>

#define PA     (HRIG_PFN << 12)
#define LINEAR UINT64_C(0xffff888041000123)
#define KNOWN  (HYP_EPT_QUAL_LINEAR | HYP_EPT_QUAL_FINAL)

static const struct hyp_host_exception untouched = {99, 99, {99}};

static void start(struct hyp_rig *rig)
{
    hyp_rig_init(rig);
    rig->config.arch = HYP_ARCH_X86;
    assert_int_equal(hyp_rig_boot(rig), HYP_OK);
    assert_int_equal(hyp_host_donate_hyp(&rig->hyp, HRIG_PFN, 1), HYP_OK);
}

static struct hyp_ept_exit exit_of(uint64_t qualification, uint64_t gpa)
{
    return (struct hyp_ept_exit){
        .qualification = qualification, .gpa = {gpa}, .linear = {LINEAR}, .tells_fetch = true};
}

static void a_page_of_the_hosts_is_mapped_once(void **state)
{
    struct hyp_ept_exit exit = exit_of(KNOWN | HYP_EPT_QUAL_READ, PA + 0x1000);
    struct hyp_host_exception exception = untouched;
    struct hyp_rig rig;
    unsigned int level;

    (void)state;
    start(&rig);
    assert_int_equal(hyp_host_violation(&rig.hyp, &exit, &exception), HYP_HOST_MAPPED);
    assert_int_equal(hyp_host_leaf(&rig.hyp, exit.gpa, &level) & 7, 7);
    assert_int_equal(hyp_host_violation(&rig.hyp, &exit, &exception), HYP_HOST_SPURIOUS);
    assert_int_equal(exception.vector, untouched.vector);
    /* The same of a table that the CPU met on its way, and where it cannot say which address. */
    exit = exit_of(HYP_EPT_QUAL_LINEAR | HYP_EPT_QUAL_WRITE | HYP_EPT_QUAL_READ, PA + 0x2000);
    assert_int_equal(hyp_host_violation(&rig.hyp, &exit, &exception), HYP_HOST_MAPPED);
    exit = exit_of(HYP_EPT_QUAL_READ, PA + 0x3000);
    assert_int_equal(hyp_host_violation(&rig.hyp, &exit, &exception), HYP_HOST_MAPPED);
    assert_int_equal(exception.vector, untouched.vector);
    hyp_rig_free(&rig);
}

static void a_foreign_page_is_a_page_fault_of_one_not_present(void **state)
{
    static const struct {
        uint64_t qualification;
        uint8_t cpl;
        bool tells_fetch;
        uint32_t code;
    } cases[] = {
        {KNOWN | HYP_EPT_QUAL_READ, 0, true, 0},
        {KNOWN | HYP_EPT_QUAL_READ, 3, true, HYP_PF_U},
        {KNOWN | HYP_EPT_QUAL_WRITE, 0, true, HYP_PF_W},
        {KNOWN | HYP_EPT_QUAL_WRITE | HYP_EPT_QUAL_READ, 3, true, HYP_PF_W | HYP_PF_U},
        {KNOWN | HYP_EPT_QUAL_FETCH, 0, true, HYP_PF_I},
        {KNOWN | HYP_EPT_QUAL_FETCH, 0, false, 0},
        {KNOWN | HYP_EPT_QUAL_FETCH, 3, true, HYP_PF_I | HYP_PF_U},
        /* The host's own table is foreign; with accessed bits in EPT that is "read and write". */
        {HYP_EPT_QUAL_LINEAR | HYP_EPT_QUAL_READ, 0, true, 0},
        {HYP_EPT_QUAL_LINEAR | HYP_EPT_QUAL_WRITE | HYP_EPT_QUAL_READ, 3, true, HYP_PF_U},
    };
    struct hyp_rig rig;

    (void)state;
    start(&rig);
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hyp_ept_exit exit = exit_of(cases[i].qualification, PA + 8);
        struct hyp_host_exception exception = untouched;

        exit.cpl = cases[i].cpl;
        exit.tells_fetch = cases[i].tells_fetch;
        assert_int_equal(hyp_host_violation(&rig.hyp, &exit, &exception), HYP_HOST_INJECTED);
        assert_int_equal(exception.vector, 14);
        assert_int_equal(exception.code, cases[i].code);
        assert_int_equal(exception.cr2.v, LINEAR);
    }
    hyp_rig_free(&rig);
}

/* The host may read the hypervisor's code: what lacks is the right. */
static void a_missing_right_is_a_page_fault_of_one_present(void **state)
{
    static const struct hyp_section text = {HYP_SECTION_TEXT, {HRIG_PFN << 12}, 0x1000};
    struct hyp_ept_exit exit = exit_of(KNOWN | HYP_EPT_QUAL_READ, PA);
    struct hyp_host_exception exception = untouched;
    struct hyp_rig rig;

    (void)state;
    hyp_rig_init(&rig);
    rig.config.arch = HYP_ARCH_X86;
    rig.config.sections = &text;
    rig.config.section_count = 1;
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    assert_int_equal(hyp_host_violation(&rig.hyp, &exit, &exception), HYP_HOST_SPURIOUS);
    fake_port_reset(&rig.fake);
    rig.fake.record |= 1u << FAKE_EVENT;
    exit = exit_of(KNOWN | HYP_EPT_QUAL_WRITE | HYP_BIT(3), PA);
    assert_int_equal(hyp_host_violation(&rig.hyp, &exit, &exception), HYP_HOST_INJECTED);
    assert_int_equal(exception.vector, 14);
    assert_int_equal(exception.code, HYP_PF_P | HYP_PF_W);
    assert_int_equal(rig.fake.call_count, 1);
    assert_int_equal(rig.fake.calls[0].op, HYP_EV_HOST_INJECT);
    assert_int_equal(rig.fake.calls[0].addr, PA);
    hyp_rig_free(&rig);
}

static void without_a_linear_address_it_is_a_general_protection_fault(void **state)
{
    static const uint64_t qualifications[] = {
        HYP_EPT_QUAL_READ,                               /* PDPTEs, by MOV CR3 */
        KNOWN | HYP_EPT_QUAL_WRITE | HYP_EPT_QUAL_ASYNC, /* a trace, say */
        HYP_EPT_QUAL_ASYNC | HYP_EPT_QUAL_WRITE | HYP_EPT_QUAL_READ,
    };
    struct hyp_rig rig;

    (void)state;
    start(&rig);
    for (unsigned int i = 0; i < sizeof(qualifications) / sizeof(qualifications[0]); i++) {
        struct hyp_ept_exit exit = exit_of(qualifications[i], PA);
        struct hyp_host_exception exception = untouched;

        assert_int_equal(hyp_host_violation(&rig.hyp, &exit, &exception), HYP_HOST_INJECTED);
        assert_int_equal(exception.vector, 13);
        assert_int_equal(exception.code, 0);
    }
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_the_hosts_is_mapped_once),
        cmocka_unit_test(a_foreign_page_is_a_page_fault_of_one_not_present),
        cmocka_unit_test(a_missing_right_is_a_page_fault_of_one_present),
        cmocka_unit_test(without_a_linear_address_it_is_a_general_protection_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
