/* SPDX-License-Identifier: MIT */
/*
 * Boot: from a reserved piece of host memory to a hypervisor that owns itself.
 *
 * EL2 address space (va_bits wide), with the identity page in one half, here the lower one:
 *
 *   half:   |      half with the identity page          |       linear map of RAM      |
 *   quarter:| identity page ...   | private | vmemmap   |
 *
 * The linear map is pa - physvirt_offset. Of the two quarters of the other half the one without the
 * identity page holds private mappings (lower half, given out upwards) and the vmemmap (upper
 * half).
 */
#ifndef HYP_BOOT_H
#define HYP_BOOT_H

#include <hyp/pgtable.h>

struct hyp;
struct hyp_config;

enum hyp_section_kind {
    HYP_SECTION_TEXT,    /* RX; the host keeps read access */
    HYP_SECTION_RODATA,  /* R */
    HYP_SECTION_DATA,    /* RW */
    HYP_SECTION_BSS,     /* RW */
    HYP_SECTION_PERCPU,  /* RW, one for each CPU */
    HYP_SECTION_STACK,   /* RW, one for each CPU; private mapping above an unmapped guard page */
    HYP_SECTION_IDMAP,   /* RX at va = pa: the code that switches roots */
    HYP_SECTION_HOST_RO, /* stays the host's, who shares it; the hypervisor reads it */
};

/* Granule aligned RAM outside the pool, which the loader filled before boot. */
struct hyp_section {
    enum hyp_section_kind kind;
    hyp_pa_t base;
    uint64_t size;
};

struct hyp_layout {
    uint64_t physvirt_offset; /* va = pa - physvirt_offset for RAM, modulo 2^64 */
    uint64_t private_base;
    uint64_t private_end; /* == vmemmap_base */
    uint64_t vmemmap_base;
    uint64_t vmemmap_end;
};

/* Where the pieces of the pool are, in pages, in this order. */
struct hyp_carve {
    uint64_t vmemmap_pages;
    uint64_t vm_table_pages;
    uint64_t s1_pages;
    uint64_t host_s2_pages;
    uint64_t ffa_pages;
};

/* The EL2 address space for a configuration: HYP_EINVAL when RAM does not fit. Pure. */
HYP_MUST_USE enum hyp_err hyp_boot_layout(const struct hyp_config *config,
                                          struct hyp_layout *layout);
/* How much of everything a configuration needs (spec: the sizing formulas). Pure. */
void hyp_boot_carve(const struct hyp_config *config, struct hyp_carve *carve);
uint64_t hyp_boot_pool_pages(const struct hyp_carve *carve);

/*
 * The ten steps: carve the pool; build stage 1; switch to it; buddy pool over the rest of its
 * pages; host stage 2; reference counts; fixmap; ownership walk; check; vm table. An error leaves
 * the host untouched: the old root is in force again, every descriptor is zero, nothing outside the
 * pool was written. The host's stage 2 takes effect on a CPU with hyp_prot_finalize().
 */
HYP_MUST_USE enum hyp_err hyp_boot(struct hyp *hyp);

/*
 * Puts a CPU under the host's stage 2 (VTTBR, VTCR, HCR.VM) and invalidates its host TLB entries.
 * HYP_EPERM when it already is, or before boot; HYP_EINVAL for a CPU that does not exist.
 */
HYP_MUST_USE enum hyp_err hyp_prot_finalize(struct hyp *hyp, unsigned int cpu);

/*
 * Private EL2 addresses. alloc gives `size` bytes (rounded up to granules), HYP_ENOMEM on reaching
 * the vmemmap; alloc_at moves the cursor to a given start, HYP_EINVAL below it; map also maps
 * [pa, pa + size). Addresses are never given back.
 */
HYP_MUST_USE enum hyp_err hyp_private_alloc(struct hyp *hyp, uint64_t size, uint64_t *va);
HYP_MUST_USE enum hyp_err hyp_private_alloc_at(struct hyp *hyp, uint64_t start, uint64_t size);
HYP_MUST_USE enum hyp_err hyp_private_map(struct hyp *hyp, hyp_pa_t pa, uint64_t size,
                                          hyp_prot_t prot, uint64_t *va);

#endif
