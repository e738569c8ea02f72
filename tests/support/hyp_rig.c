/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Construction, snapshots and small helpers of the rig. */
#include "tests/support/hyp_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT 12u
#define OWN_PAGES  UINT64_C(0x43000) /* pages that the rig gives away, upwards */

static void must(enum hyp_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "rig: %s: %d\n", what, err);
        abort();
    }
}

enum hyp_arch hyp_rig_arch(void)
{
    const char *arch = getenv("FAULTLINE_TEST_ARCH");

    if (!arch || strcmp(arch, "arm64") == 0)
        return HYP_ARCH_ARM64;
    if (strcmp(arch, "x86") != 0 && strcmp(arch, "x86-ve") != 0)
        abort();
    return HYP_ARCH_X86;
}

bool hyp_rig_has_ve(void)
{
    const char *arch = getenv("FAULTLINE_TEST_ARCH");

    return arch && strcmp(arch, "x86-ve") == 0;
}

void hyp_rig_init(struct hyp_rig *rig)
{
    struct hyp_carve carve;

    memset(rig, 0, sizeof(*rig));
    fake_port_init(&rig->fake);
    rig->regions[0] = (struct hyp_region){{HRIG_RAM0}, HRIG_RAM0_SIZE, false};
    rig->regions[1] = (struct hyp_region){{HRIG_RAM1}, HRIG_RAM1_SIZE, false};
    rig->regions[2] = (struct hyp_region){{HRIG_NOMAP}, HRIG_NOMAP_SIZE, true};
    rig->descriptor_count = (HRIG_NOMAP + HRIG_NOMAP_SIZE - HRIG_RAM0) >> PAGE_SHIFT;
    rig->descriptors = calloc(rig->descriptor_count, sizeof(*rig->descriptors));
    if (!rig->descriptors)
        abort();
    memset(rig->vms, 0xa5, sizeof(rig->vms)); /* need not be initialised */
    rig->next_page = OWN_PAGES;
    rig->config = (struct hyp_config){
        .port = &rig->fake.port,
        .features = {.pa_range = 2, .vmid16 = true, .fwb = true, .range_tlbi = true, .xnx = true},
        .arch = hyp_rig_arch(),
        .ept_cap = HRIG_EPT_CAP,
        .ept_ve = hyp_rig_has_ve(),
        .page_shift = PAGE_SHIFT,
        .cpu_count = HRIG_CPUS,
        .regions = rig->regions,
        .region_count = HRIG_REGIONS,
        .pool = {HRIG_RAM0},
        .boot_root = {.kind = HYP_ROOT_EL2_STAGE1, .pgd = {0x1000}},
        .vmemmap = rig->descriptors,
        .vmemmap_first = HRIG_RAM0 >> PAGE_SHIFT,
        .vms = rig->vms,
        .vm_count = 4,
        .host_policy = hyp_host_policy_default(),
    };
    hyp_boot_carve(&rig->config, &carve);
    rig->config.pool_pages = hyp_boot_pool_pages(&carve);
}

enum hyp_err hyp_rig_boot(struct hyp_rig *rig)
{
    enum hyp_err err = hyp_init(&rig->hyp, &rig->config);

    return err ? err : hyp_boot(&rig->hyp);
}

static uint64_t take_page(struct hyp_rig *rig)
{
    return rig->next_page++ << PAGE_SHIFT;
}

static void make_guest(struct hyp_rig *rig, unsigned int which)
{
    struct hyp_vm_params params = {.is_protected = which == HRIG_PV, .ipa_bits = 40};
    hyp_handle_t handle;

    params.pgd = hyp_pa(take_page(rig));
    (void)take_page(rig);
    params.pgd_pages = 2;
    params.meta = hyp_pa(take_page(rig));
    params.meta_pages = 1;
    must(hyp_vm_reserve(&rig->hyp, &handle), "reserve");
    must(hyp_vm_init(&rig->hyp, handle, &params), "vm init");
    must(hyp_vcpu_init(&rig->hyp, handle, hyp_pa(take_page(rig))), "vcpu init");
    rig->vcpu[which] = &hyp_vm_find(&rig->hyp, handle)->vcpus[0];
    hyp_rig_fill(rig, rig->vcpu[which], 4);
}

void hyp_rig_start_with(struct hyp_rig *rig, struct hyp_host_policy policy)
{
    unsigned int cpu;

    hyp_rig_init(rig);
    rig->config.host_policy = policy;
    must(hyp_rig_boot(rig), "boot");
    for (cpu = 0; cpu < HRIG_CPUS; cpu++)
        must(hyp_prot_finalize(&rig->hyp, cpu), "finalize");
    make_guest(rig, HRIG_NP);
    make_guest(rig, HRIG_PV);
    fake_port_reset(&rig->fake);
}

void hyp_rig_start(struct hyp_rig *rig)
{
    hyp_rig_start_with(rig, hyp_host_policy_default());
}

void hyp_rig_free(struct hyp_rig *rig)
{
    fake_port_free(&rig->fake);
    free(rig->descriptors);
}

void hyp_rig_fill(struct hyp_rig *rig, struct hyp_vcpu *vcpu, uint32_t count)
{
    while (vcpu->mc.count < count) {
        struct hyp_host_memcache mc = {hyp_pa(take_page(rig)), 1};

        must(hyp_vcpu_refill(&rig->hyp, vcpu, &mc, vcpu->mc.count + 1), "refill");
    }
}

struct hyp_page *hyp_rig_page(struct hyp_rig *rig, hyp_pfn_t pfn)
{
    return &rig->descriptors[pfn - rig->config.vmemmap_first];
}

hyp_pa_t hyp_rig_pa(hyp_pfn_t pfn)
{
    return hyp_pa(pfn << PAGE_SHIFT);
}

void hyp_rig_dirty(struct hyp_rig *rig, hyp_pfn_t pfn, uint8_t byte)
{
    fake_mem_set(&rig->fake.mem, pfn << PAGE_SHIFT, byte, 1u << PAGE_SHIFT);
}

bool hyp_rig_is_zero(struct hyp_rig *rig, hyp_pfn_t pfn)
{
    return fake_mem_is_zero(&rig->fake.mem, pfn << PAGE_SHIFT, 1u << PAGE_SHIFT);
}

bool hyp_rig_sound(struct hyp_rig *rig)
{
    struct hyp_violation violation;
    unsigned int i;

    for (i = 0; i < 2; i++) {
        const struct hyp_region *region = &rig->regions[i];

        if (!hyp_check(&rig->hyp, region->base.v >> PAGE_SHIFT, region->size >> PAGE_SHIFT,
                       &violation)) {
            fprintf(stderr, "pfn 0x%llx: %s\n", (unsigned long long)violation.pfn, violation.what);
            return false;
        }
    }
    return true;
}

void hyp_rig_drain(struct hyp_rig_drain *drain, struct hyp_pool *pool, uint64_t left)
{
    drain->pool = pool;
    drain->count = 0;
    while (pool->free_pages > left && drain->count < 4096) {
        if (hyp_pool_alloc(pool, 0, &drain->pages[drain->count]) != HYP_OK)
            abort();
        drain->count++;
    }
}

void hyp_rig_refill(struct hyp_rig_drain *drain)
{
    while (drain->count)
        hyp_pool_put(drain->pool, drain->pages[--drain->count]);
}

void hyp_rig_save(struct hyp_rig_snapshot *snapshot, const struct hyp_rig *rig)
{
    size_t bytes = rig->descriptor_count * sizeof(*rig->descriptors);

    fake_mem_copy(&snapshot->mem, &rig->fake.mem);
    memcpy(&snapshot->hyp, &rig->hyp, sizeof(rig->hyp));
    memcpy(snapshot->vms, rig->vms, sizeof(rig->vms));
    snapshot->descriptors = malloc(bytes);
    if (!snapshot->descriptors)
        abort();
    memcpy(snapshot->descriptors, rig->descriptors, bytes);
}

static bool same(const void *a, const void *b, size_t bytes, const char *what)
{
    if (memcmp(a, b, bytes) == 0)
        return true;
    fprintf(stderr, "changed: %s\n", what);
    return false;
}

bool hyp_rig_same(const struct hyp_rig_snapshot *snapshot, const struct hyp_rig *rig)
{
    bool all = same(&snapshot->hyp, &rig->hyp, sizeof(rig->hyp), "struct hyp");

    all &= same(snapshot->vms, rig->vms, sizeof(rig->vms), "guests");
    all &= same(snapshot->descriptors, rig->descriptors,
                rig->descriptor_count * sizeof(*rig->descriptors), "descriptors");
    if (!fake_mem_equal(&snapshot->mem, &rig->fake.mem)) {
        fprintf(stderr, "changed: memory\n");
        all = false;
    }
    return all;
}

void hyp_rig_forget(struct hyp_rig_snapshot *snapshot)
{
    fake_mem_free(&snapshot->mem);
    free(snapshot->descriptors);
}
