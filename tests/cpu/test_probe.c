/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The start-up probe finds an engine that does wrong: the faults are put in at link time. */
#include <string.h>
#include <unicorn/unicorn.h>

#include "cpu/cpu.h"
#include "tests/support/cmocka_all.h"

static struct {
    bool keep_code, bypass_hooks;
} seeded;

uc_err __real_uc_hook_add(uc_engine *uc, uc_hook *hook, int type, void *function, void *user,
                          uint64_t begin, uint64_t end, ...);
uc_err __wrap_uc_hook_add(uc_engine *uc, uc_hook *hook, int type, void *function, void *user,
                          uint64_t begin, uint64_t end, ...);
uc_err __wrap_uc_hook_add(uc_engine *uc, uc_hook *hook, int type, void *function, void *user,
                          uint64_t begin, uint64_t end, ...)
{
    va_list args;
    int instruction;

    if (seeded.bypass_hooks && type == UC_HOOK_MEM_READ)
        return UC_ERR_OK;
    va_start(args, end);
    instruction = va_arg(args, int);
    va_end(args);
    return __real_uc_hook_add(uc, hook, type, function, user, begin, end, instruction);
}

/* The models of CPUs do not matter here, so all controls may be lost. */
uc_err __real_uc_ctl(uc_engine *uc, uc_control_type control, ...);
uc_err __wrap_uc_ctl(uc_engine *uc, uc_control_type control, ...);
uc_err __wrap_uc_ctl(uc_engine *uc, uc_control_type control, ...)
{
    va_list args;
    uint64_t first, second;

    if (seeded.keep_code || (control & 0xffff) != UC_CTL_TB_REMOVE_CACHE)
        return UC_ERR_OK;
    va_start(args, control);
    first = va_arg(args, uint64_t);
    second = va_arg(args, uint64_t);
    va_end(args);
    return __real_uc_ctl(uc, control, first, second);
}

static uint8_t *nowhere(void *ctx, uint64_t va, unsigned int size, enum cpu_access access,
                        unsigned int el)
{
    (void)ctx, (void)va, (void)size, (void)access, (void)el;
    return NULL;
}

static void expect(enum cpu_arch arch, const char *message)
{
    const struct cpu_config config = {.arch = arch};
    const struct cpu_port port = {.translate = nowhere};
    char why[128] = "";
    struct cpu *cpu = cpu_create(&config, &port, why);

    memset(&seeded, 0, sizeof(seeded));
    assert_int_equal(cpu != NULL, message == NULL);
    if (message)
        assert_non_null(strstr(why, message));
    cpu_destroy(cpu);
}

static void a_good_engine_passes(void **state)
{
    (void)state;
    expect(CPU_ARM64, NULL);
    expect(CPU_X86_64, NULL);
}

static void an_engine_that_keeps_old_code_is_refused(void **state)
{
    (void)state;
    seeded.keep_code = true;
    expect(CPU_ARM64, "does not drop translated code");
    seeded.keep_code = true;
    expect(CPU_X86_64, "does not drop translated code");
}

static void an_engine_that_bypasses_the_hooks_is_refused(void **state)
{
    (void)state;
    seeded.bypass_hooks = true;
    expect(CPU_ARM64, "this version of Unicorn will not do");
    seeded.bypass_hooks = true;
    expect(CPU_X86_64, "this version of Unicorn will not do");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_engine_passes),
        cmocka_unit_test(an_engine_that_keeps_old_code_is_refused),
        cmocka_unit_test(an_engine_that_bypasses_the_hooks_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
