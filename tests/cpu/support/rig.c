/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cpu/support/rig.h"

#define PAGE UINT64_C(4096)

static uint8_t *translate(void *ctx, uint64_t va, unsigned int size, enum cpu_access access,
                          unsigned int el)
{
    struct rig *rig = ctx;
    unsigned int need = access == CPU_READ ? RIG_R : access == CPU_WRITE ? RIG_W : RIG_X;

    assert_true((va & (PAGE - 1)) + size <= PAGE);
    assert_true(size >= 1);
    rig->accesses[access]++;
    if (el == 0)
        need |= RIG_USER;
    if (access == CPU_READ && rig->stop_at_reads == rig->accesses[CPU_READ]) {
        cpu_stop(rig->cpu);
        return NULL;
    }
    for (unsigned int i = 0; i < rig->mapped; i++)
        if (rig->map[i].va == (va & ~(PAGE - 1)) && (rig->map[i].rights & need) == need)
            return rig->memory + rig->map[i].page * PAGE + (va & (PAGE - 1));
    return NULL;
}

static void sysreg(void *ctx, enum cpu_sysreg reg, uint64_t value)
{
    struct rig *rig = ctx;

    rig->sysregs++;
    rig->sysreg = reg;
    rig->value = value;
}

static void invalidate(void *ctx, const struct cpu_inval *inval)
{
    struct rig *rig = ctx;

    rig->invals++;
    rig->inval = *inval;
}

static bool cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)ctx;
    if (leaf != 0x40000000)
        return false;
    out[0] = 0x11111111;
    out[1] = 0x22222222;
    out[2] = 0x33333333;
    out[3] = subleaf;
    return true;
}

struct rig *rig_create(const struct cpu_config *config, struct rig *twin)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct cpu_port port = {
        .ctx = rig,
        .translate = translate,
        .sysreg = sysreg,
        .invalidate = invalidate,
        .cpuid = cpuid,
    };
    struct cpu_config mine = *config;
    char why[128] = "";

    assert_non_null(rig);
    rig->twin = twin;
    rig->memory = twin ? twin->memory : aligned_alloc(PAGE, RIG_PAGES * PAGE);
    assert_non_null(rig->memory);
    if (!twin)
        memset(rig->memory, 0, RIG_PAGES * PAGE);
    mine.peer = twin ? twin->cpu : NULL;
    rig->cpu = cpu_create(&mine, &port, why);
    if (!rig->cpu)
        fail_msg("%s", why);
    rig_map(rig, RIG_CODE, 0, RIG_KERNEL);
    rig_map(rig, RIG_DATA, 1, RIG_KERNEL);
    rig_map(rig, RIG_STACK, 2, RIG_KERNEL);
    rig_set(rig, CPU_SP, RIG_STACK + PAGE);
    return rig;
}

void rig_destroy(struct rig *rig)
{
    cpu_destroy(rig->cpu);
    if (!rig->twin)
        free(rig->memory);
    free(rig);
}

void rig_map(struct rig *rig, uint64_t va, unsigned int page, unsigned int rights)
{
    assert_true(rig->mapped < RIG_PAGES && page < RIG_PAGES);
    rig_unmap(rig, va);
    rig->map[rig->mapped].va = va;
    rig->map[rig->mapped].page = page;
    rig->map[rig->mapped++].rights = rights;
}

void rig_unmap(struct rig *rig, uint64_t va)
{
    for (unsigned int i = 0; i < rig->mapped; i++)
        if (rig->map[i].va == va)
            rig->map[i] = rig->map[--rig->mapped];
}

uint8_t *rig_at(struct rig *rig, uint64_t va)
{
    for (unsigned int i = 0; i < rig->mapped; i++)
        if (rig->map[i].va == (va & ~(PAGE - 1)))
            return rig->memory + rig->map[i].page * PAGE + (va & (PAGE - 1));
    fail_msg("nothing at %#llx", (unsigned long long)va);
    return NULL;
}

uint64_t rig_word(struct rig *rig, uint64_t va)
{
    uint64_t word = 0;

    for (unsigned int i = 0; i < 8; i++) /* may cross a page */
        word |= (uint64_t)*rig_at(rig, va + i) << 8 * i;
    return word;
}

void rig_put(struct rig *rig, uint64_t va, uint64_t word)
{
    for (unsigned int i = 0; i < 8; i++)
        *rig_at(rig, va + i) = (uint8_t)(word >> 8 * i);
}

void rig_code(struct rig *rig, uint64_t va, const void *code, size_t size)
{
    memcpy(rig_at(rig, va), code, size);
    cpu_code_changed(rig->cpu, va, size);
    cpu_set(rig->cpu, CPU_PC, va);
}

enum cpu_exit_kind rig_run(struct rig *rig)
{
    cpu_run(rig->cpu, 1000000, &rig->exit);
    if (rig->exit.kind == CPU_EXIT_UNKNOWN || rig->exit.kind == CPU_EXIT_BROKEN)
        printf("# %s\n", rig->exit.why);
    return rig->exit.kind;
}

void rig_set(struct rig *rig, unsigned int reg, uint64_t value)
{
    cpu_set(rig->cpu, reg, value);
}

uint64_t rig_get(struct rig *rig, unsigned int reg)
{
    return cpu_get(rig->cpu, reg);
}
