/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that changes: by the guest's own stores, by a peer's, by another mapping, from outside. */
#include <string.h>

#include "tests/cpu/support/rig.h"

#define OTHER (RIG_CODE + 0x10000)

/* Returns a value in register 0 and tells by hypercall. */
struct sample {
    const char *name;
    struct cpu_config config;
    uint8_t code[2][12]; /* two versions */
    size_t size;
    uint64_t value[2];
    /* Stores register 2 to the address in register 3, goes to the address in register 1. */
    uint8_t writer[8];
    uint64_t word[2]; /* for register 2: the first bytes of either version */
};

static const struct sample samples[] = {
    {
        .name = "arm64",
        .config = {.arch = CPU_ARM64},
        /* mov w0, #1 or #2; hvc #0 */
        .code = {{0x20, 0x00, 0x80, 0x52, 0x02, 0x00, 0x00, 0xd4},
                 {0x40, 0x00, 0x80, 0x52, 0x02, 0x00, 0x00, 0xd4}},
        .size = 8,
        .value = {1, 2},
        /* str x2, [x3]; br x1 */
        .writer = {0x62, 0x00, 0x00, 0xf9, 0x20, 0x00, 0x1f, 0xd6},
        .word = {UINT64_C(0xd400000252800020), UINT64_C(0xd400000252800040)},
    },
    {
        .name = "x86",
        .config = {.arch = CPU_X86_64},
        /* mov eax, 1 or 2; vmcall */
        .code = {{0xb8, 0x01, 0, 0, 0, 0x0f, 0x01, 0xc1}, {0xb8, 0x02, 0, 0, 0, 0x0f, 0x01, 0xc1}},
        .size = 8,
        .value = {1, 2},
        /* mov [rbx], rdx; jmp rcx; the numbers of the registers are those of the encoding */
        .writer = {0x48, 0x89, 0x13, 0xff, 0xe1},
        .word = {UINT64_C(0xc1010f00000001b8), UINT64_C(0xc1010f00000002b8)},
    },
};

static void run_to(struct rig *rig, uint64_t pc, uint64_t value)
{
    rig_set(rig, CPU_PC, pc);
    assert_int_equal(rig_run(rig), CPU_EXIT_HYPERCALL);
    assert_int_equal(rig_get(rig, 0), value);
}

/* `writer` changes the code at `at` from version `from` and goes there. */
static void rewrite(struct rig *writer, const struct sample *sample, uint64_t at, unsigned int to,
                    uint64_t pc)
{
    rig_set(writer, 2, sample->word[to]);
    rig_set(writer, 3, at);
    rig_set(writer, 1, pc);
    run_to(writer, OTHER, sample->value[to]);
}

static void a_guest_that_writes_its_code_runs_the_new_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sample *s = &samples[i];
        struct rig *rig = rig_create(&s->config, NULL);
        rig_map(rig, OTHER, 4, RIG_KERNEL);
        rig_code(rig, OTHER, s->writer, sizeof(s->writer));
        rig_code(rig, RIG_CODE, s->code[0], s->size);
        run_to(rig, RIG_CODE, s->value[0]);
        for (unsigned int turn = 0; turn < 10; turn++)
            rewrite(rig, s, RIG_CODE, (turn + 1) % 2, RIG_CODE);
        rig_destroy(rig);
    }
}

static void code_written_through_another_address_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sample *s = &samples[i];
        struct rig *rig = rig_create(&s->config, NULL);
        rig_map(rig, OTHER, 4, RIG_KERNEL);
        rig_map(rig, RIG_DATA, 0, RIG_KERNEL); /* an alias of the code */
        rig_code(rig, OTHER, s->writer, sizeof(s->writer));
        rig_code(rig, RIG_CODE, s->code[0], s->size);
        run_to(rig, RIG_CODE, s->value[0]);
        rewrite(rig, s, RIG_DATA, 1, RIG_CODE);
        rig_destroy(rig);
    }
}

static void data_beside_code_does_not_disturb_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sample *s = &samples[i];
        struct rig *rig = rig_create(&s->config, NULL);
        unsigned int codes;
        rig_map(rig, OTHER, 4, RIG_KERNEL);
        rig_code(rig, OTHER, s->writer, sizeof(s->writer));
        rig_code(rig, RIG_CODE, s->code[0], s->size);
        run_to(rig, RIG_CODE, s->value[0]);
        rig_set(rig, 3, RIG_CODE + 0x200);
        rig_set(rig, 1, RIG_CODE);
        run_to(rig, OTHER, s->value[0]);
        codes = rig->accesses[CPU_FETCH_CODE];
        run_to(rig, OTHER, s->value[0]);
        /* Only what the hypercall itself is read for. */
        assert_true(rig->accesses[CPU_FETCH_CODE] - codes <= 1);
        rig_destroy(rig);
    }
}

static void a_page_that_is_mapped_anew_runs_its_new_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sample *s = &samples[i];
        struct rig *rig = rig_create(&s->config, NULL);
        rig_code(rig, RIG_CODE, s->code[0], s->size);
        run_to(rig, RIG_CODE, s->value[0]);
        memcpy(rig->memory + 7 * 4096, s->code[1], s->size);
        rig_map(rig, RIG_CODE, 7, RIG_KERNEL);
        run_to(rig, RIG_CODE, s->value[1]);
        rig_map(rig, RIG_CODE, 0, RIG_KERNEL);
        run_to(rig, RIG_CODE, s->value[0]);
        rig_unmap(rig, RIG_CODE);
        rig_set(rig, CPU_PC, RIG_CODE);
        assert_int_equal(rig_run(rig), CPU_EXIT_FAULT);
        assert_int_equal(rig->exit.access, CPU_FETCH);
        assert_int_equal(rig->exit.va, RIG_CODE);
        rig_destroy(rig);
    }
}

static void code_that_a_peer_writes_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sample *s = &samples[i];
        struct rig *rig = rig_create(&s->config, NULL), *twin = rig_create(&s->config, rig);
        rig_map(rig, OTHER, 4, RIG_KERNEL);
        rig_map(twin, OTHER, 4, RIG_KERNEL);
        rig_code(rig, OTHER, s->writer, sizeof(s->writer));
        rig_code(rig, RIG_CODE, s->code[0], s->size);
        run_to(rig, RIG_CODE, s->value[0]);
        run_to(twin, RIG_CODE, s->value[0]);
        rewrite(twin, s, RIG_CODE, 1, RIG_CODE);
        run_to(rig, RIG_CODE, s->value[1]);
        rewrite(rig, s, RIG_CODE, 0, RIG_CODE);
        run_to(twin, RIG_CODE, s->value[0]);
        rig_destroy(twin);
        run_to(rig, RIG_CODE, s->value[0]);
        rig_destroy(rig);
    }
}

static void code_changed_from_outside_is_translated_anew(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sample *s = &samples[i];
        struct rig *rig = rig_create(&s->config, NULL);
        rig_code(rig, RIG_CODE, s->code[0], s->size);
        run_to(rig, RIG_CODE, s->value[0]);
        memcpy(rig->memory, s->code[1], s->size);
        run_to(rig, RIG_CODE, s->value[0]); /* nobody said so */
        cpu_code_changed(rig->cpu, RIG_CODE + 64, 1);
        run_to(rig, RIG_CODE, s->value[1]);
        rig_destroy(rig);
    }
}

static void more_pages_of_code_than_are_remembered_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sample *s = &samples[i];
        struct rig *rig = rig_create(&s->config, NULL);
        for (uint64_t page = 0; page < 3000; page++) {
            uint64_t va = RIG_CODE + (page << 12);
            rig_unmap(rig, va - 4096);
            rig_map(rig, va, page % 2 ? 7 : 0, RIG_KERNEL);
            memcpy(rig_at(rig, va), s->code[page % 2], s->size);
            run_to(rig, va, s->value[page % 2]);
        }
        rig_destroy(rig);
    }
}

/* A loop over mixed accesses with faults in between, twice: the same counts and registers. */
static void two_runs_give_the_same_counts(void **state)
{
    uint64_t retired[2], budgets[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct sample *s = &samples[i];
        for (unsigned int run = 0; run < 2; run++) {
            struct rig *rig = rig_create(&s->config, NULL);
            rig_map(rig, OTHER, 4, RIG_KERNEL);
            rig_code(rig, OTHER, s->writer, sizeof(s->writer));
            rig_code(rig, RIG_CODE, s->code[0], s->size);
            rig_set(rig, 3, RIG_DATA);
            rig_set(rig, 1, OTHER); /* for ever */
            rig_set(rig, CPU_PC, OTHER);
            budgets[run] = 0;
            while (cpu_retired(rig->cpu) < 10000) {
                cpu_run(rig->cpu, 7 + budgets[run] % 5, &rig->exit);
                assert_int_equal(rig->exit.kind, CPU_EXIT_BUDGET);
                budgets[run]++;
            }
            retired[run] = cpu_retired(rig->cpu);
            assert_int_equal(rig->accesses[CPU_WRITE], retired[run] / 2);
            rig_destroy(rig);
        }
        assert_int_equal(retired[0], retired[1]);
        assert_int_equal(budgets[0], budgets[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_writes_its_code_runs_the_new_one),
        cmocka_unit_test(code_written_through_another_address_is_noticed),
        cmocka_unit_test(data_beside_code_does_not_disturb_it),
        cmocka_unit_test(a_page_that_is_mapped_anew_runs_its_new_code),
        cmocka_unit_test(code_that_a_peer_writes_is_noticed),
        cmocka_unit_test(code_changed_from_outside_is_translated_anew),
        cmocka_unit_test(more_pages_of_code_than_are_remembered_run),
        cmocka_unit_test(two_runs_give_the_same_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
