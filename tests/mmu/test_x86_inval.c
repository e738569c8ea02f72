/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scope of every x86 invalidation, tag by tag: a population of cached translations of all
 * kinds, some operation, and what is left compared entry by entry with the rule of the manual.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/mmu/support/x86.h"

#define MAX    2048u
#define NEAR   X86_VA                         /* not global */
#define GLOBAL (X86_VA + 0x1000)              /* global */
#define FAR    (X86_VA + (UINT64_C(1) << 30)) /* another level-1 and level-2 table */
#define LARGE  (X86_VA + (UINT64_C(1) << 21)) /* 2M, held in pieces of 4K */

struct population {
    struct x86 x;
    struct mmu_entry before[MAX], after[MAX];
    unsigned int count, left;
    uint64_t root_b;
};

static struct mmu_config config_of(unsigned int cpus)
{
    struct mmu_config config = world_full_config();

    config.cpus = cpus;
    config.l1d.entries = 128;
    config.l2 = (struct mmu_tlb_config){.entries = 512, .ways = 0, .hit_cycles = 7};
    config.walk_cache = (struct mmu_tlb_config){.entries = 256};
    config.ipa_cache = (struct mmu_tlb_config){.entries = 512};
    config.ipa_cache_tables = true;
    return config;
}

static void touch(struct population *p, unsigned int cpu)
{
    static const uint64_t va[] = {NEAR, GLOBAL, FAR, LARGE, LARGE + 0x3000};

    for (size_t i = 0; i < sizeof(va) / sizeof(va[0]); i++)
        assert_int_equal(x86_on(&p->x, cpu, va[i]).fault, MMU_OK);
}

static void context(struct population *p, unsigned int cpu, unsigned int vpid, unsigned int pcid,
                    uint64_t root)
{
    p->x.regs.ept = root != 0 && !p->x.regs.npt;
    p->x.regs.vpid = (uint16_t)vpid;
    p->x.regs.cr3 = (p->x.regs.cr3 & ~UINT64_C(0xfff)) | pcid;
    p->x.regs.eptp = root | MMU_X86_EPTP_LEVELS(4) | MMU_X86_EPTP_WB;
    mmu_set_x86(p->x.world.mmu, cpu, &p->x.regs);
}

/* Guest tables and their pages at gpa = pa; the far page and the near ones in EPT as 4K. */
static void open_tables(struct population *p, const struct mmu_config *config)
{
    struct x86 *x = &p->x;

    x86_open(x, config, 4, 4, 1);
    x->delta = 0;
    x->regs.cr3 = x->root;
    for (uint64_t pa = 0; pa < UINT64_C(2) << 20; pa += 4096)
        ept_map(x, pa, 0, pa | EPT_ALL);
    for (uint64_t at = 0; at < 0x800000; at += 4096)
        ept_map(x, X86_GPA + at, 0, (X86_PA + at) | EPT_ALL);
    x86_map(x, NEAR, 0, X86_GPA | X86_ALL);
    x86_map(x, GLOBAL, 0, (X86_GPA + 0x1000) | X86_ALL | X86_G);
    x86_map(x, FAR, 0, (X86_GPA + 0x2000) | X86_ALL);
    x86_map(x, LARGE, 1, (X86_GPA + 0x200000) | X86_ALL | X86_PS);
    p->root_b = world_alloc(&x->world, 4096);
    for (unsigned int i = 0; i < 512; i++)
        world_write(&x->world, p->root_b + i * 8, world_read(&x->world, x->ept_root + i * 8));
}

static void fill(struct population *p, unsigned int cpu)
{
    for (unsigned int pcid = 1; pcid <= 2; pcid++) {
        context(p, cpu, 0, pcid, 0);
        touch(p, cpu);
        context(p, cpu, 1, pcid, p->x.ept_root);
        touch(p, cpu);
        context(p, cpu, 1, pcid, p->root_b);
        touch(p, cpu);
        context(p, cpu, 2, pcid, p->x.ept_root);
        touch(p, cpu);
    }
}

static unsigned int list(struct mmu_entry *out, unsigned int count, const struct mmu_tlb *tlb)
{
    for (uint32_t i = 0; i < tlb->sets * tlb->ways; i++)
        if (tlb->keys[i] != 0) {
            assert_true(count < MAX);
            out[count++] = tlb->entries[i];
        }
    return count;
}

static unsigned int list_all(struct population *p, unsigned int cpu, struct mmu_entry *out)
{
    const struct mmu_cpu *c = mmu_cpu(p->x.world.mmu, cpu);
    unsigned int count = list(out, 0, &c->l1[0].tlb);

    count = list(out, count, &c->l2);
    count = list(out, count, &c->walk_cache);
    return list(out, count, &c->ipa_cache);
}

/* ---- the rules, as a reader of the manual would put them ---- */

static bool of_page(const struct mmu_entry *e, uint64_t address)
{
    bool large = e->kind == MMU_KIND_PAGE && e->s1_level == 1; /* LARGE, in pieces */
    unsigned int shift = large ? 21 : e->shift;

    return e->va >> shift == address >> shift;
}

static bool expected(enum mmu_x86_op op, const struct mmu_x86_inval *in, const struct mmu_entry *e)
{
    bool guest = e->kind == MMU_KIND_IPA || e->kind == MMU_KIND_NEST;
    bool structure = e->kind == MMU_KIND_WALK, global = e->flags & MMU_ENTRY_GLOBAL;
    bool vpid = !guest && e->vmid == in->vpid, pcid = e->asid == in->pcid;
    bool here = of_page(e, in->start), there = of_page(e, in->gpa);
    uint64_t root = (in->eptp & ~UINT64_C(0xfff)) | 1;

    switch (op) {
    case MMU_X86_INVLPG:
        return vpid && (structure ? pcid : here && (global || pcid));
    case MMU_X86_INVPCID_ADDR:
        return vpid && here && pcid && !global;
    case MMU_X86_INVPCID_ONE:
    case MMU_X86_MOV_CR3:
        return vpid && pcid && !global;
    case MMU_X86_INVPCID_ALL:
    case MMU_X86_CR4_GLOBAL:
    case MMU_X86_INVVPID_ONE:
    case MMU_X86_TLB_CONTROL_3:
        return vpid || (op == MMU_X86_TLB_CONTROL_3 && guest && e->vmid == in->vpid);
    case MMU_X86_INVPCID_ALL_NG:
    case MMU_X86_INVVPID_ONE_NG:
    case MMU_X86_TLB_CONTROL_7:
        return vpid && !global;
    case MMU_X86_CR4_PCID:
        return vpid && pcid;
    case MMU_X86_VM_TRANSITION:
        return !guest && e->vmid == 0;
    case MMU_X86_INVVPID_ADDR:
        return vpid && here;
    case MMU_X86_INVLPGA:
        return vpid && (structure || here);
    case MMU_X86_INVVPID_ALL:
        return !guest && e->vmid != 0;
    case MMU_X86_INVEPT_ONE:
        return e->root == root;
    case MMU_X86_INVEPT_ALL:
        return e->root != 0;
    case MMU_X86_PAGE_FAULT:
        return vpid && e->root == root && here && (pcid || global);
    case MMU_X86_EPT_VIOLATION:
        return e->root == root && (guest ? there : vpid && here && (pcid || global));
    case MMU_X86_TLB_CONTROL_1:
        return true;
    case MMU_X86_MOV_CR3_KEEP:
    case MMU_X86_OP_COUNT:
        break;
    }
    return false;
}

static bool contains(const struct mmu_entry *set, unsigned int count, const struct mmu_entry *e)
{
    for (unsigned int i = 0; i < count; i++)
        if (memcmp(&set[i], e, sizeof(*e)) == 0)
            return true;
    return false;
}

/* Entries that are there although `rule` takes them, or the reverse. */
static unsigned int disagreements(const struct population *p, enum mmu_x86_op rule,
                                  const struct mmu_x86_inval *in)
{
    unsigned int differ = 0;

    for (unsigned int i = 0; i < p->count; i++)
        differ += contains(p->after, p->left, &p->before[i]) == expected(rule, in, &p->before[i]);
    return differ;
}

static struct mmu_x86_inval operands(const struct population *p, enum mmu_x86_op op,
                                     unsigned int variant)
{
    static const uint64_t start[] = {NEAR, GLOBAL, FAR, LARGE + 0x1ff000};

    return (struct mmu_x86_inval){.op = (uint8_t)op,
                                  .vpid = (uint16_t)(variant / 4 % 3),
                                  .pcid = (uint16_t)(1 + variant / 12 % 2),
                                  .start = start[variant % 4],
                                  .gpa = X86_GPA + (variant % 4 << 12),
                                  .eptp = (variant / 24 ? p->root_b : p->x.ept_root) | 0x1e};
}

static void apply(struct population *p, const struct mmu_x86_inval *in)
{
    struct mmu_x86_inval everything = {.op = MMU_X86_TLB_CONTROL_1};

    mmu_x86_invalidate(p->x.world.mmu, &everything);
    assert_int_equal(list_all(p, 0, p->before), 0);
    fill(p, 0);
    uint64_t removed = mmu_counters(p->x.world.mmu)->inval_entries;
    p->count = list_all(p, 0, p->before);
    mmu_x86_invalidate(p->x.world.mmu, in);
    p->left = list_all(p, 0, p->after);
    assert_int_equal(mmu_counters(p->x.world.mmu)->inval_entries - removed, p->count - p->left);
}

static void each_operation_removes_exactly_what_the_manual_gives_it(void **state)
{
    struct mmu_config config = config_of(1);
    struct population *p = calloc(1, sizeof(*p));

    (void)state;
    assert_non_null(p);
    config.l1d.page_shifts = 1u << 12;
    open_tables(p, &config);
    for (unsigned int op = 0; op < MMU_X86_INVLPGA; op++) {
        unsigned int most = 0;
        for (unsigned int variant = 0; variant < 48; variant++) {
            struct mmu_x86_inval in = operands(p, (enum mmu_x86_op)op, variant);
            apply(p, &in);
            assert_int_equal(disagreements(p, (enum mmu_x86_op)op, &in), 0);
            most = p->count - p->left > most ? p->count - p->left : most;
        }
        assert_true(most > 0 || op == MMU_X86_MOV_CR3_KEEP);
    }
    x86_close(&p->x);
    free(p);
}

/* Operations that mean the same, of the current VPID. */
static unsigned int family(unsigned int op)
{
    if (op == MMU_X86_MOV_CR3)
        return MMU_X86_INVPCID_ONE;
    if (op == MMU_X86_CR4_GLOBAL || op == MMU_X86_INVVPID_ONE)
        return MMU_X86_INVPCID_ALL;
    return op == MMU_X86_INVVPID_ONE_NG ? (unsigned int)MMU_X86_INVPCID_ALL_NG : op;
}

static void an_operation_with_the_scope_of_another_is_noticed(void **state)
{
    struct mmu_config config = config_of(1);
    struct population *p = calloc(1, sizeof(*p));

    (void)state;
    assert_non_null(p);
    open_tables(p, &config);
    for (unsigned int op = 0; op < MMU_X86_INVLPGA; op++) {
        struct mmu_x86_inval in = operands(p, (enum mmu_x86_op)op, 4);
        apply(p, &in);
        for (unsigned int rule = 0; rule < MMU_X86_INVLPGA; rule++)
            assert_int_equal(disagreements(p, (enum mmu_x86_op)rule, &in) == 0,
                             family(rule) == family(op));
    }
    x86_close(&p->x);
    free(p);
}

static void amd_operations_go_by_asid_and_take_nested_entries_along(void **state)
{
    static const enum mmu_x86_op ops[] = {MMU_X86_INVLPGA, MMU_X86_TLB_CONTROL_1,
                                          MMU_X86_TLB_CONTROL_3};
    struct mmu_config config = config_of(1);
    struct population *p = calloc(1, sizeof(*p));
    struct x86 *x = &p->x;

    (void)state;
    assert_non_null(p);
    open_tables(p, &config);
    x->regs.ept_5level = false; /* nested tables of four levels */
    /* The same frames through nested tables in the ordinary format, 1G each. */
    for (uint64_t gpa = 0; gpa < UINT64_C(5) << 30; gpa += UINT64_C(1) << 30)
        ept_map(x, gpa, 2, gpa | X86_ALL | X86_PS);
    world_write(&x->world, ept_slot(x, 0, 3), world_read(&x->world, ept_slot(x, 0, 3)) | X86_U);
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        struct mmu_x86_inval in = {.op = (uint8_t)ops[i], .vpid = 1, .start = NEAR};
        for (unsigned int asid = 0; asid < 3; asid++) {
            x->regs.npt = asid != 0;
            context(p, 0, asid, 1, asid ? x->ept_root : 0);
            x->regs.eptp = x->ept_root;
            mmu_set_x86(x->world.mmu, 0, &x->regs);
            touch(p, 0);
        }
        p->count = list_all(p, 0, p->before);
        mmu_x86_invalidate(x->world.mmu, &in);
        p->left = list_all(p, 0, p->after);
        assert_in_range(p->left, ops[i] == MMU_X86_TLB_CONTROL_1 ? 0 : 1, p->count - 1);
        assert_int_equal(disagreements(p, ops[i], &in), 0);
    }
    x86_close(x);
    free(p);
}

static void a_local_operation_spares_other_processors_and_a_broadcast_does_not(void **state)
{
    struct mmu_config config = config_of(3);
    struct population *p = calloc(1, sizeof(*p));
    struct mmu_x86_inval in;

    (void)state;
    assert_non_null(p);
    open_tables(p, &config);
    in = operands(p, MMU_X86_INVEPT_ALL, 0);
    for (unsigned int cpu = 0; cpu < 3; cpu++)
        fill(p, cpu);
    p->count = list_all(p, 0, p->before);
    in.cpu = 1;
    mmu_x86_invalidate(p->x.world.mmu, &in);
    assert_int_equal(list_all(p, 0, p->after), p->count);
    p->left = list_all(p, 1, p->after);
    assert_true(p->left > 0 && p->left < p->count);
    assert_int_equal(list_all(p, 2, p->after), p->count);
    in.broadcast = true;
    mmu_x86_invalidate(p->x.world.mmu, &in);
    for (unsigned int cpu = 0; cpu < 3; cpu++)
        assert_int_equal(list_all(p, cpu, p->after), p->left);
    assert_int_equal(mmu_counters(p->x.world.mmu)->x86_invept_all, 2);
    x86_close(&p->x);
    free(p);
}

/* ---- what faults remove ---- */

static void a_page_fault_removes_its_own_translation(void **state)
{
    struct mmu_config config = config_of(1);
    struct x86 x;

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 2);
    x86_map(&x, X86_VA, 0, X86_GPA | X86_P | X86_U | X86_A);
    x86_load(&x, X86_VA);
    x86_load(&x, X86_VA + 0x1000);
    x86_map(&x, X86_VA, 0, X86_GPA | X86_ALL);
    /* More rights in the tables: one spurious fault, out of the TLB, then success. */
    struct mmu_result result = x86_access(&x, X86_VA, MMU_WRITE, 0);
    assert_int_equal(result.fault, MMU_FAULT_PERMISSION);
    assert_int_equal(result.source, MMU_SRC_L1);
    assert_int_equal(mmu_counters(x.world.mmu)->x86_page_fault, 1);
    assert_int_equal(x86_access(&x, X86_VA, MMU_WRITE, 0).fault, MMU_OK);
    assert_int_equal(x86_load(&x, X86_VA + 0x1000).source, MMU_SRC_L1);
    x86_close(&x);
}

static void an_ept_violation_removes_combined_and_guest_physical_entries(void **state)
{
    struct mmu_config config = config_of(1);
    struct x86 x;

    (void)state;
    x86_open(&x, &config, 4, 4, 0);
    x86_pages(&x, 2);
    ept_map(&x, X86_GPA, 0, X86_PA | EPT_R | EPT_WB);
    x86_load(&x, X86_VA);
    ept_map(&x, X86_GPA, 0, (X86_PA + 0x7000) | EPT_ALL);
    struct mmu_result result = x86_access(&x, X86_VA, MMU_WRITE, 1);
    struct mmu_request request = x86_request(X86_VA, MMU_WRITE, 1);
    assert_int_equal(result.fault, MMU_FAULT_PERMISSION);
    assert_int_equal(result.stage, 2);
    assert_int_equal(result.source, MMU_SRC_L1);
    assert_int_equal(mmu_x86_qualification(&request, &result), 0x18a);
    assert_int_equal(mmu_counters(x.world.mmu)->x86_ept_violation, 1);
    result = x86_access(&x, X86_VA, MMU_WRITE, 1);
    assert_int_equal(result.fault, MMU_OK);
    assert_int_equal(result.pa.v, X86_PA + 0x7000);
    x86_close(&x);
}

/* An L2 entry that denies must not find its way into the L1. */
static void an_entry_that_faulted_is_in_no_array(void **state)
{
    struct mmu_config config = config_of(1);
    struct population *p = calloc(1, sizeof(*p));
    struct x86 *x = &p->x;

    (void)state;
    assert_non_null(p);
    config.l1d.entries = 1;
    x86_open(x, &config, 4, 4, 0);
    x86_pages(x, 2);
    ept_map(x, X86_GPA, 0, X86_PA | EPT_X | EPT_R | EPT_WB);
    x86_load(x, X86_VA);
    x86_load(x, X86_VA + 0x1000);
    struct mmu_result result = x86_access(x, X86_VA, MMU_WRITE, 1);
    assert_int_equal(result.fault, MMU_FAULT_PERMISSION);
    assert_int_equal(result.source, MMU_SRC_L2);
    p->left = list_all(p, 0, p->after);
    for (unsigned int i = 0; i < p->left; i++)
        assert_false(p->after[i].kind == MMU_KIND_PAGE && p->after[i].va == X86_VA);
    x86_close(x);
    free(p);
}

static void a_misconfiguration_and_a_probe_remove_nothing(void **state)
{
    struct mmu_config config = config_of(1);
    struct population *p = calloc(1, sizeof(*p));
    struct x86 *x = &p->x;
    struct mmu_request request = x86_request(X86_VA + 0x1000, MMU_READ, 1);

    (void)state;
    assert_non_null(p);
    x86_open(x, &config, 4, 4, 0);
    x86_pages(x, 3);
    x86_load(x, X86_VA);
    ept_map(x, X86_GPA + 0x1000, 0, X86_PA | EPT_W);
    p->count = list_all(p, 0, p->before);
    assert_int_equal(x86_load(x, X86_VA + 0x1000).fault, MMU_FAULT_MISCONFIG);
    x86_map(x, X86_VA + 0x1000, 0, 0);
    request.probe = true;
    assert_int_equal(world_request(&x->world, request).fault, MMU_FAULT_TRANSLATION);
    p->left = list_all(p, 0, p->after);
    for (unsigned int i = 0; i < p->count; i++)
        assert_true(contains(p->after, p->left, &p->before[i]));
    x86_close(x);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_removes_exactly_what_the_manual_gives_it),
        cmocka_unit_test(an_operation_with_the_scope_of_another_is_noticed),
        cmocka_unit_test(amd_operations_go_by_asid_and_take_nested_entries_along),
        cmocka_unit_test(a_local_operation_spares_other_processors_and_a_broadcast_does_not),
        cmocka_unit_test(a_page_fault_removes_its_own_translation),
        cmocka_unit_test(an_ept_violation_removes_combined_and_guest_physical_entries),
        cmocka_unit_test(an_entry_that_faulted_is_in_no_array),
        cmocka_unit_test(a_misconfiguration_and_a_probe_remove_nothing),
    };

    return cmocka_run_group_tests_name("x86_inval", tests, NULL, NULL);
}
