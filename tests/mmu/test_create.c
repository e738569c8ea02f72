/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Construction: impossible configurations and lack of memory are refused, counters have texts. */
#include <stdlib.h>
#include <string.h>

#include "mmu/x86.h"
#include "tests/mmu/support/world.h"

/* The linker sends every calloc() of the model here. */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

struct allocator {
    unsigned int calls, fail_at; /* 0: never */
};

static struct allocator *allocator(void)
{
    static struct allocator one;

    return &one;
}

void *__wrap_calloc(size_t count, size_t size)
{
    struct allocator *one = allocator();

    return ++one->calls == one->fail_at ? NULL : __real_calloc(count, size);
}

static struct mmu *create(const struct mmu_config *config)
{
    struct mmu_port port = {0};

    return mmu_create(config, &port);
}

static void creation_fails_cleanly_at_every_allocation(void **state)
{
    struct mmu_config config = world_full_config();
    struct mmu *mmu = NULL;
    unsigned int fail_at;

    (void)state;
    for (fail_at = 1; fail_at < 100 && !mmu; fail_at++) {
        *allocator() = (struct allocator){.fail_at = fail_at};
        mmu = create(&config);
        assert_true(mmu != NULL || allocator()->calls == fail_at);
    }
    assert_non_null(mmu);
    assert_in_range(fail_at, 3, 99); /* at least one allocation was made to fail */
    *allocator() = (struct allocator){0};
    mmu_destroy(mmu);
}

static void nothing_is_allocated_after_creation(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();

    (void)state;
    two_stage_open(&two, &config, 64);
    *allocator() = (struct allocator){0};
    for (unsigned int i = 0; i < 64; i++)
        world_load(&two.world, TWO_VA + ((uint64_t)i << 12));
    world_inval(&two.world, MMU_TLBI_VMALLE1, 0, 0);
    assert_int_equal(allocator()->calls, 0);
    two_stage_close(&two);
}

static void impossible_configurations_are_refused(void **state)
{
    struct mmu_config bad[10];

    (void)state;
    for (size_t i = 0; i < 10; i++)
        bad[i] = world_full_config();
    bad[0].cpus = 0;
    bad[1].cpus = 257;
    bad[2].l2.ways = 5;
    bad[3].l1d.ways = 32;
    bad[4].cache[0].line_bytes = 48;
    bad[5].cache[1].ways = 3;
    bad[6].stale = MMU_STALE_SAMPLED;
    bad[7].walk_cache.entries = 1u << 25;
    bad[8].ipa_cache.repl = (enum mmu_repl)9;
    bad[9].cache[2].bytes = 32;
    for (size_t i = 0; i < 10; i++)
        assert_null(create(&bad[i]));
}

static void a_machine_of_256_cpus_translates_on_the_last(void **state)
{
    struct two_stage two;
    struct mmu_config config = world_full_config();
    struct mmu_request request = {.va = TWO_VA, .cpu = 255, .el = 1};

    (void)state;
    config.cpus = 256;
    two_stage_open(&two, &config, 4);
    assert_int_equal(world_request(&two.world, request).pa.v, TWO_PA);
    assert_null(mmu_cpu(two.world.mmu, 256));
    two_stage_close(&two);
}

static void destroying_nothing_is_allowed(void **state)
{
    (void)state;
    mmu_destroy(NULL);
}

static void every_counter_has_name_unit_and_meaning(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < MMU_COUNTER_COUNT; i++) {
        const struct mmu_counter_text *text = mmu_counter_text((enum mmu_counter)i);
        assert_true(strlen(text->name) > 0 && strlen(text->unit) > 0);
        assert_true(strlen(text->meaning) > 10);
    }
    assert_string_equal(mmu_counter_text(MMU_COUNTER_walks)->name, "walks");
    assert_int_equal(MMU_COUNTER_tlbi_alle2 - MMU_COUNTER_tlbi_vmalle1, MMU_TLBI_ALLE2);
    assert_int_equal(MMU_COUNTER_x86_tlb_control_7 - MMU_COUNTER_x86_invlpg, MMU_X86_TLB_CONTROL_7);
    assert_int_equal(MMU_COUNTER_fault_noncanonical - MMU_COUNTER_fault_translation,
                     MMU_FAULT_NONCANONICAL - MMU_FAULT_TRANSLATION);
}

static void counters_subtract_one_by_one(void **state)
{
    struct mmu_counters earlier = {0}, later = {0}, difference;

    (void)state;
    for (unsigned int i = 0; i < MMU_COUNTER_COUNT; i++) {
        earlier.v[i] = i;
        later.v[i] = 3 * i + 1;
    }
    mmu_counters_sub(&difference, &later, &earlier);
    for (unsigned int i = 0; i < MMU_COUNTER_COUNT; i++)
        assert_int_equal(difference.v[i], 2 * i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_fails_cleanly_at_every_allocation),
        cmocka_unit_test(nothing_is_allocated_after_creation),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(a_machine_of_256_cpus_translates_on_the_last),
        cmocka_unit_test(destroying_nothing_is_allowed),
        cmocka_unit_test(every_counter_has_name_unit_and_meaning),
        cmocka_unit_test(counters_subtract_one_by_one),
    };

    return cmocka_run_group_tests_name("create", tests, NULL, NULL);
}
