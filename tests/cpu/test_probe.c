/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The start-up probe finds an engine that does wrong: the faults are put in at link time. */
#include <string.h>
#include <unicorn/unicorn.h>

#include "cpu/cpu.h"
#include "tests/support/cmocka_all.h"

enum kind { LOADS, STORES, FETCHES, KINDS };

static struct {
    bool keep_code, bypass_hooks;
    /* What the engine asks for again, instead of its own way. */
    struct repeats {
        bool seeded;
        unsigned int count;
    } repeats[KINDS];
} seeded;

static struct access {
    uint64_t va;
    unsigned int size, parts; /* that an engine may ask for again */
} last[KINDS];

static uc_cb_eventmem_t real_hook[KINDS];

/* A misaligned store goes byte by byte; what crosses a page of the engine, in aligned halves. */
static uint64_t part_of(const struct access *whole, enum kind kind, unsigned int i)
{
    return kind == STORES ? whole->va + i
                          : (whole->va & ~(uint64_t)(whole->size - 1)) + i * whole->size;
}

static bool is_part(const struct access *whole, enum kind kind, uint64_t va, unsigned int size)
{
    if (size != (kind == STORES ? 1 : whole->size))
        return false;
    for (unsigned int i = 0; i < whole->parts; i++)
        if (va == part_of(whole, kind, i))
            return true;
    return false;
}

/* The engine's own repetitions are hidden, and others are made. */
static bool repeat(uc_engine *uc, uc_mem_type type, uint64_t va, int length, int64_t value,
                   void *user)
{
    enum kind kind = type == UC_MEM_READ_PROT    ? LOADS
                     : type == UC_MEM_WRITE_PROT ? STORES
                                                 : FETCHES;
    const struct repeats *repeats = &seeded.repeats[kind];
    struct access *whole = &last[kind];
    unsigned int size = (unsigned int)length;
    size_t page = 0;
    bool good;

    if (repeats->seeded && is_part(whole, kind, va, size))
        return true;
    *whole = (struct access){va, size, 0};
    uc_query(uc, UC_QUERY_PAGE_SIZE, &page);
    if (kind == STORES && (va & (size - 1)))
        whole->parts = size;
    else if (kind != STORES && (va & (page - 1)) + size > page)
        whole->parts = 2;
    good = real_hook[kind](uc, type, va, length, value, user);
    for (unsigned int i = 0; i < repeats->count && i < whole->parts && good; i++)
        good = real_hook[kind](uc, type, part_of(whole, kind, i), kind == STORES ? 1 : length,
                               value >> (8 * i), user);
    return good;
}

static void *replace(enum kind kind, void *function)
{
    uc_cb_eventmem_t own = repeat;
    void *replaced;

    memcpy(&real_hook[kind], &function, sizeof(function)); /* ISO C has no such conversion */
    memcpy(&replaced, &own, sizeof(own));
    return replaced;
}

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
    if (type == UC_HOOK_MEM_READ_PROT)
        function = replace(LOADS, function);
    if (type == UC_HOOK_MEM_WRITE_PROT)
        function = replace(STORES, function);
    if (type == UC_HOOK_MEM_FETCH_PROT)
        function = replace(FETCHES, function);
    va_start(args, end);
    instruction = va_arg(args, int);
    va_end(args);
    return __real_uc_hook_add(uc, hook, type, function, user, begin, end, instruction);
}

uc_err __real_uc_ctl(uc_engine *uc, uc_control_type control, ...);
uc_err __wrap_uc_ctl(uc_engine *uc, uc_control_type control, ...);
uc_err __wrap_uc_ctl(uc_engine *uc, uc_control_type control, ...)
{
    va_list args;
    uc_err error;

    va_start(args, control);
    if ((control & 0xffff) != UC_CTL_TB_REMOVE_CACHE) {
        error = __real_uc_ctl(uc, control, va_arg(args, int)); /* a model of CPU, or of TLB */
    } else {
        uint64_t first = va_arg(args, uint64_t), second = va_arg(args, uint64_t);
        error = seeded.keep_code ? UC_ERR_OK : __real_uc_ctl(uc, control, first, second);
    }
    va_end(args);
    return error;
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

static void an_engine_that_repeats_nothing_passes(void **state)
{
    (void)state;
    for (enum cpu_arch arch = CPU_ARM64; arch <= CPU_X86_64; arch++) {
        for (enum kind kind = LOADS; kind < KINDS; kind++)
            seeded.repeats[kind] = (struct repeats){true, 0};
        expect(arch, NULL);
    }
}

static void an_engine_that_repeats_loads_and_fetches_in_halves_passes(void **state)
{
    (void)state;
    for (enum cpu_arch arch = CPU_ARM64; arch <= CPU_X86_64; arch++) {
        seeded.repeats[LOADS] = seeded.repeats[FETCHES] = (struct repeats){true, 2};
        expect(arch, NULL);
    }
}

static void an_engine_that_repeats_stores_byte_by_byte_passes(void **state)
{
    (void)state;
    seeded.repeats[STORES] = (struct repeats){true, 8};
    expect(CPU_ARM64, NULL);
    seeded.repeats[STORES] = (struct repeats){true, 8};
    expect(CPU_X86_64, NULL);
}

static void an_engine_that_repeats_one_part_only_is_refused(void **state)
{
    static const char *const messages[] = {"it asks for loads in an unknown way",
                                           "it asks for stores in an unknown way",
                                           "it asks for code in an unknown way"};

    (void)state;
    for (enum kind kind = LOADS; kind < KINDS; kind++) {
        seeded.repeats[kind] = (struct repeats){true, 1};
        expect(CPU_X86_64, messages[kind]);
    }
    seeded.repeats[LOADS] = (struct repeats){true, 1};
    expect(CPU_ARM64, messages[LOADS]);
    seeded.repeats[STORES] = (struct repeats){true, 1};
    expect(CPU_ARM64, messages[STORES]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_engine_passes),
        cmocka_unit_test(an_engine_that_keeps_old_code_is_refused),
        cmocka_unit_test(an_engine_that_bypasses_the_hooks_is_refused),
        cmocka_unit_test(an_engine_that_repeats_nothing_passes),
        cmocka_unit_test(an_engine_that_repeats_loads_and_fetches_in_halves_passes),
        cmocka_unit_test(an_engine_that_repeats_stores_byte_by_byte_passes),
        cmocka_unit_test(an_engine_that_repeats_one_part_only_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
