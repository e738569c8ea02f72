/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels under emulation that call every service with arguments of any kind: the run ends, as a
 * panic, a lock-up or otherwise, and never the process.
 */
#include "tests/support/cmocka_all.h"

#include <hyp/hcall.h>
#include <string.h>

#include "sim/machine.h"
#include "tests/sim/support/run.h"
#include "workloads/guest/abi.h"

enum { SEEDS = 12, WORDS = 8, CALLS = ELF_DATA_WORDS / WORDS };

/* For ever: seven registers from the next eight words of the data, and a call. */
static const uint32_t caller_arm64[] = {0xd2fffff4, 0xf2dffff4, 0xf2b00014, 0xf2820014,
                                        0xa9400680, 0xa9410e82, 0xa9421684, 0xf9401a86,
                                        0x91010294, 0xd4000002, 0x17fffffa};
static const uint8_t caller_x86[] = {
    0x49, 0xc7, 0xc7, 0x00, 0x10, 0x00, 0x80, 0x49, 0x8b, 0x07, 0x49, 0x8b, 0x7f, 0x08, 0x49,
    0x8b, 0x77, 0x10, 0x49, 0x8b, 0x57, 0x18, 0x49, 0x8b, 0x4f, 0x20, 0x4d, 0x8b, 0x47, 0x28,
    0x4d, 0x8b, 0x4f, 0x30, 0x49, 0x83, 0xc7, 0x40, 0x0f, 0x01, 0xc1, 0xeb, 0xdc};

/* xorshift64* */
static uint64_t next(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return *random * UINT64_C(0x2545f4914f6cdd1d) >> 8;
}

static uint64_t some_number(uint64_t *random)
{
    switch (next(random) % 4) {
    case 0:
        return next(random) % (HYP_HCALL_COUNT + 1);
    case 1:
        return FL_LEND + next(random) % 2;
    default: /* the services, exit and panic left out: they are the last call's */
        return FL_PRINT + next(random) % (FL_ASI + 2 - FL_PRINT);
    }
}

static uint64_t some_argument(uint64_t *random)
{
    const uint64_t ram = UINT64_C(0x40000000);

    switch (next(random) % 8) {
    case 0:
        return next(random) << 8 | next(random);
    case 1:
        return ELF_BASE + next(random) % 0x40000;
    case 2: /* the model's own memory, too */
        return ram + (next(random) % 0x20000 << 12);
    case 3:
        return ram + next(random) % (UINT64_C(256) << 20);
    case 4:
        return UINT64_MAX - next(random) % 4;
    case 5:
        return HYP_HANDLE_BASE + next(random) % 4;
    default:
        return next(random) % 12;
    }
}

static void fill(struct elf_file *file, enum trace_arch arch, uint64_t seed)
{
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);

    elf_init(file, arch);
    if (arch == TRACE_ARCH_ARM64)
        memcpy(file->text, caller_arm64, sizeof(caller_arm64));
    else
        memcpy(file->text, caller_x86, sizeof(caller_x86));
    for (size_t call = 0; call < CALLS; call++) {
        file->data[call * WORDS] = some_number(&random);
        for (size_t i = 1; i < WORDS; i++)
            file->data[call * WORDS + i] = some_argument(&random);
    }
    file->data[(CALLS - 1) * WORDS] = seed % 2 ? FL_EXIT : FL_PANIC;
}

static void any_call_under(enum trace_arch arch, const struct sim_strategy *strategy)
{
    uint64_t hypercalls = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_guest_options options = guest_options("", strategy->name);
        struct sim_guest_result result;
        struct sim_error error = {0};
        struct elf_file file;

        fill(&file, arch, seed);
        options.cpus = 2;
        options.limit = 300000;
        if (guest_run_file(&file, &options, &result, &error) != SIM_OK)
            fail_msg("%s, seed %lu: %s", strategy->name, seed, error.text);
        hypercalls += guest_count(&result, SIM_COUNT_hypercalls);
    }
    assert_true(strategy->baseline || !strategy->stage2 || hypercalls > 10 * SEEDS);
}

static void any_call(enum trace_arch arch)
{
    for (size_t i = 0; sim_strategy_at(i); i++)
        if (sim_guest_fits(sim_strategy_at(i), arch))
            any_call_under(arch, sim_strategy_at(i));
}

static void any_call_ends_no_more_than_the_run_on_arm64(void **state)
{
    (void)state;
    any_call(TRACE_ARCH_ARM64);
}

static void any_call_ends_no_more_than_the_run_on_x86(void **state)
{
    (void)state;
    any_call(TRACE_ARCH_X86_64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_ends_no_more_than_the_run_on_arm64),
        cmocka_unit_test(any_call_ends_no_more_than_the_run_on_x86),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
