/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run costs, exactly. Golden figures stand for the whole model of cost: a change of any of
 * them is meant, or a mistake.
 */
#include "tests/support/cmocka_all.h"

#include <string.h>

#include "tests/sim/support/run.h"

/*
 * Both kernels write a word into each of 64 free pages, lend the first four to the hypervisor,
 * read the second word of the first, skip that instruction in their handler, take the pages back
 * and exit. As machine code: compilers differ. The reading instructions count as repaired because
 * the exception table has them.
 */
static const uint32_t lender_arm64[] = {
    0xaa0003f4, 0xf9400695, 0xf9400a96, 0xf9401297, 0xcb1602f8, 0x8b150318, 0x10000301,
    0xd2820120, 0xd4000002, 0xd2800802, 0xaa1803e3, 0xf9000062, 0x91400463, 0xf1000442,
    0x54ffffa1, 0xd28200a0, 0xaa1703e1, 0xd2800002, 0xd2800083, 0xd4000002, 0xaa0003f9,
    0xf9400704, 0xd28200c0, 0xaa1703e1, 0xd2800082, 0xd4000002, 0xaa000339, 0xd2820000,
    0xaa1903e1, 0xd4000002, 0x91001021, 0xd2820140, 0xd28003e2, 0xd2800003, 0xd4000002};
static const uint8_t lender_x86[] = {
    0x48, 0x8b, 0x5f, 0x08, 0x48, 0x2b, 0x5f, 0x10, 0x48, 0x8b, 0x6f, 0x20, 0x48, 0x01, 0xeb,
    0x48, 0x83, 0xec, 0x10, 0x66, 0xc7, 0x44, 0x24, 0x06, 0xff, 0x0f, 0x48, 0xc7, 0xc0, 0x00,
    0x10, 0x00, 0x80, 0x48, 0x89, 0x44, 0x24, 0x08, 0x0f, 0x01, 0x5c, 0x24, 0x06, 0xb9, 0x40,
    0x00, 0x00, 0x00, 0x48, 0x89, 0xd8, 0x48, 0x89, 0x08, 0x48, 0x05, 0x00, 0x10, 0x00, 0x00,
    0xff, 0xc9, 0x75, 0xf3, 0xb8, 0x05, 0x10, 0x00, 0x00, 0x48, 0x89, 0xef, 0x31, 0xf6, 0xba,
    0x04, 0x00, 0x00, 0x00, 0x0f, 0x01, 0xc1, 0x49, 0x89, 0xc4, 0x48, 0x8b, 0x4b, 0x08, 0xb8,
    0x06, 0x10, 0x00, 0x00, 0x48, 0x89, 0xef, 0xbe, 0x04, 0x00, 0x00, 0x00, 0x0f, 0x01, 0xc1,
    0x49, 0x09, 0xc4, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x4c, 0x89, 0xe7, 0x0f, 0x01, 0xc1, 0x48,
    0x83, 0xc4, 0x08, 0x48, 0x83, 0x04, 0x24, 0x04, 0x48, 0xcf};
enum { LENDER_ARM64_STRAY = 84, LENDER_X86_STRAY = 85, LENDER_X86_HANDLER = 119 };

struct golden {
    uint64_t instructions, cycles, strays, exits, hypercalls;
};

static void assert_golden(const struct elf_file *file, const char *strategy, struct golden golden)
{
    struct sim_guest_options options = guest_options("", strategy);
    struct sim_guest_result result;
    struct sim_error error = {0};

    if (guest_run_file(file, &options, &result, &error) != SIM_OK)
        fail_msg("%s", error.text);
    assert_string_equal(result.text, "");
    assert_int_equal(result.instructions, golden.instructions);
    assert_int_equal(guest_count(&result, SIM_COUNT_strays), golden.strays);
    assert_int_equal(guest_count(&result, SIM_COUNT_survived), golden.strays);
    assert_int_equal(guest_count(&result, SIM_COUNT_exits), golden.exits);
    assert_int_equal(guest_count(&result, SIM_COUNT_hypercalls), golden.hypercalls);
    assert_int_equal(result.cycles, golden.cycles);
}

static void a_stray_on_arm64_costs_what_it_did(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_ARM64);
    memcpy(file.text, lender_arm64, sizeof(lender_arm64));
    file.extable[0][0] = ELF_BASE + LENDER_ARM64_STRAY;
    assert_golden(&file, "sdei", (struct golden){286, 41078, 1, 13, 8});
    assert_golden(&file, "none", (struct golden){282, 15004, 0, 2, 0});
}

static void a_stray_on_x86_costs_what_it_did(void **state)
{
    const uint64_t handler = ELF_BASE + LENDER_X86_HANDLER;
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    memcpy(file.text, lender_x86, sizeof(lender_x86));
    file.extable[0][0] = ELF_BASE + LENDER_X86_STRAY;
    /* The gate of #PF: present, interrupt gate, selector 8 (SDM vol. 3, 6.14.1). */
    file.data[2 * 14] = (handler & 0xffff) | UINT64_C(8) << 16 | UINT64_C(0x8e) << 40 |
                        (handler >> 16 & 0xffff) << 48;
    file.data[2 * 14 + 1] = handler >> 32;
    assert_golden(&file, "ept-inject", (struct golden){284, 70923, 1, 14, 8});
    assert_golden(&file, "none", (struct golden){282, 20023, 0, 3, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stray_on_arm64_costs_what_it_did),
        cmocka_unit_test(a_stray_on_x86_costs_what_it_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
