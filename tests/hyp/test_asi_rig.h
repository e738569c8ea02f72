/* SPDX-License-Identifier: MIT */
/* A kernel with a full table, two CPUs and room for restricted address spaces. */
#ifndef TESTS_HYP_TEST_ASI_RIG_H
#define TESTS_HYP_TEST_ASI_RIG_H

#include "tests/support/cmocka_all.h"

#include <hyp/asi.h>

#include "tests/support/fake_port.h"

#include <stdlib.h>
#include <string.h>

#define RIG_IMAGE  UINT64_C(0xffffffff81000000) /* two 2 MiB blocks */
#define RIG_ENTRY  UINT64_C(0xfffffe0000000000) /* 16 pages */
#define RIG_DIRECT UINT64_C(0xffff888000000000) /* 8 MiB of pages */
#define RIG_HUGE   UINT64_C(0xffffc90000000000) /* a 2 MiB block, then nothing */
#define RIG_BASE   (RIG_DIRECT + 0x10000)       /* sessions */
#define RIG_PERCPU (RIG_DIRECT + 0x20000)
#define RIG_STACK  (RIG_DIRECT + 0x40000)
#define RIG_FREE   (RIG_DIRECT + 0x200000) /* nothing of the core mappings from here on */

#define RIG_CPUS 2u
#define RIG_CR3  UINT64_C(0x5000)

struct asi_rig {
    struct fake_machine machine;
    struct hyp_pool pool; /* of the restricted tables */
    struct hyp_pgt full;
    struct hyp_asi_kernel kernel;
    struct hyp_asi_module modules[2];
    uint64_t percpu_offset[RIG_CPUS];
    struct hyp_asi_cpu cpus[RIG_CPUS];
    struct hyp_asi asi, other;
    struct hyp_asi_range ranges[2][32];
    uint64_t tables[2][64];
    struct hyp_asi_config config;
};

static const struct hyp_asi_task rig_task = {.stack = {{RIG_STACK}, 0x4000}};

static inline void rig_full_map(struct asi_rig *rig, uint64_t va, uint64_t size, uint64_t pa,
                                hyp_prot_t prot)
{
    assert_int_equal(
        hyp_pgt_map(&rig->full, (hyp_ia_t){va & HYP_MASK(47, 0)}, size, hyp_pa(pa), prot, NULL), 0);
}

static inline struct asi_rig *rig_new(uint16_t tag_base)
{
    struct asi_rig *rig = calloc(1, sizeof *rig);
    struct hyp_pgt_config full = {
        .fmt = &hyp_fmt_x86, .page_shift = 12, .ia_bits = 48, .max_block_level = 2};

    assert_non_null(rig);
    fake_machine_init(&rig->machine, 12, 0x1000, 512, 256);
    full.port = &rig->machine.fake.port;
    full.vmemmap = &rig->machine.vmemmap;
    assert_int_equal(hyp_pool_init(&rig->pool, full.port, full.vmemmap, 0x1100, 256, 0, NULL), 0);
    assert_int_equal(hyp_pgt_init(&rig->full, &full, &rig->machine.pool, NULL), 0);
    rig_full_map(rig, RIG_IMAGE, 0x400000, 0x40000000, HYP_PROT_R | HYP_PROT_PX);
    rig_full_map(rig, RIG_ENTRY, 0x10000, 0x50001000, HYP_PROT_RW);
    rig_full_map(rig, RIG_DIRECT, 0x800000, 0x60001000, HYP_PROT_RW);
    rig_full_map(rig, RIG_HUGE, 0x200000, 0x70000000, HYP_PROT_RW);
    for (unsigned int i = 0; i < RIG_CPUS; i++) {
        rig->percpu_offset[i] = 0x8000 * i;
        hyp_asi_cpu_init(&rig->cpus[i], full.port, RIG_CR3, 0x20, tag_base);
    }
    rig->modules[0] = (struct hyp_asi_module){"kvm", {{RIG_FREE + 0x100000}, 0x3000}};
    rig->modules[1] = (struct hyp_asi_module){"kvm_intel", {{RIG_FREE + 0x110000}, 0x2000}};
    rig->kernel = (struct hyp_asi_kernel){.table = &rig->full,
                                          .image = {{RIG_IMAGE}, 0x400000},
                                          .entry_area = {{RIG_ENTRY}, 0x10000},
                                          .sessions = {{RIG_BASE}, 0x2000},
                                          .percpu_offset = rig->percpu_offset,
                                          .modules = rig->modules,
                                          .module_count = 2};
    for (unsigned int i = 0; i < 5; i++)
        rig->kernel.percpu[i] = (struct hyp_asi_area){{RIG_PERCPU + 0x1000 * i}, 64};
    rig->config = (struct hyp_asi_config){.port = full.port,
                                          .vmemmap = full.vmemmap,
                                          .pool = &rig->pool,
                                          .kernel = &rig->kernel,
                                          .cpus = rig->cpus,
                                          .cpu_count = RIG_CPUS,
                                          .ranges = rig->ranges[0],
                                          .range_max = 32,
                                          .tables = rig->tables[0],
                                          .table_max = 64};
    return rig;
}

static inline struct hyp_asi_config rig_other_config(struct asi_rig *rig)
{
    struct hyp_asi_config config = rig->config;

    config.ranges = rig->ranges[1];
    config.tables = rig->tables[1];
    return config;
}

/* The usual: one address space, nothing recorded yet. */
static inline struct asi_rig *rig_start(uint16_t tag_base)
{
    struct asi_rig *rig = rig_new(tag_base);

    assert_int_equal(hyp_asi_create(&rig->asi, &rig->config), 0);
    fake_port_reset(&rig->machine.fake);
    return rig;
}

static inline void rig_end(struct asi_rig *rig)
{
    fake_machine_free(&rig->machine);
    free(rig);
}

static inline uint64_t rig_leaf(const struct hyp_pgt *pgt, uint64_t va, unsigned int *level)
{
    return hyp_pgt_leaf(pgt, (hyp_ia_t){va & HYP_MASK(47, 0)}, level);
}

/* The address space shows va as the kernel does, or not at all. */
static inline bool rig_shows(const struct asi_rig *rig, const struct hyp_asi *asi, uint64_t va)
{
    unsigned int level, full_level;
    const uint64_t pte = rig_leaf(&asi->pgt, va, &level);

    if (pte == 0)
        return false;
    assert_true(pte == rig_leaf(&rig->full, va, &full_level));
    assert_int_equal(level, full_level);
    return true;
}

/* Everything: memory, descriptors, both pools, address spaces, ranges, CPUs. */
struct asi_snapshot {
    struct fake_snapshot machine;
    struct asi_rig rig;
};

static inline void rig_save(struct asi_snapshot *snapshot, const struct asi_rig *rig)
{
    fake_snapshot_take(&snapshot->machine, &rig->machine);
    memcpy(&snapshot->rig, rig, sizeof *rig);
}

/* ... is as it was; the snapshot is gone afterwards. */
static inline bool rig_same(struct asi_snapshot *snapshot, const struct asi_rig *rig)
{
    const size_t from = offsetof(struct asi_rig, pool);
    const bool same = fake_snapshot_same(&snapshot->machine, &rig->machine) &&
                      memcmp((const char *)&snapshot->rig + from, (const char *)rig + from,
                             sizeof *rig - from) == 0;

    fake_snapshot_free(&snapshot->machine);
    return same;
}

static inline const char *rig_calls(struct asi_rig *rig)
{
    return fake_port_text(&rig->machine.fake);
}

#endif
