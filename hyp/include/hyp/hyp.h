/* SPDX-License-Identifier: MIT */
/*
 * One hypervisor: `struct hyp`. No state lives anywhere else, so a process may hold many.
 *
 *   hyp_init -> hyp_boot -> hyp_prot_finalize on each CPU -> host.h, owner.h, vm.h, hcall.h
 *
 * The caller owns all storage: the struct, the descriptors, the slots of guests. What the
 * configuration says about the machine is copied by hyp_init and cannot be changed afterwards.
 */
#ifndef HYP_HYP_H
#define HYP_HYP_H

#include <hyp/boot.h>
#include <hyp/host.h>
#include <hyp/owner.h>
#include <hyp/vm.h>

#define HYP_CPUS_MAX      256
#define HYP_SECTIONS_MAX  1024
#define HYP_FIXMAP_CLOSED UINT64_MAX

/*
 * The machine: arm64 with EL2 stage 1 and stage 2, or x86 with 4-level paging for the hypervisor
 * and EPT for the host and its guests. Ownership is the same on both.
 */
enum hyp_arch { HYP_ARCH_ARM64, HYP_ARCH_X86 };

/* Sanitised features: the least that all CPUs have. x86 reads none of them but pa_range. */
struct hyp_features {
    unsigned int pa_range; /* ID_AA64MMFR0_EL1.PARange, 0..6: 32, 36, 40, 42, 44, 48, 52 bits */
    bool vmid16;
    bool fwb;
    bool range_tlbi;
    bool xnx;
    bool lpa2;
    bool hvhe;
    bool mte;
    bool no_dic; /* CTR_EL0.DIC is 0: executable mappings invalidate the instruction cache */
};

struct hyp_config {
    const struct hyp_port *port;
    struct hyp_features features;
    enum hyp_arch arch;
    /*
     * x86: MAXPHYADDR, 32 to 52; 0 means by features.pa_range. Without 5-level EPT only 48 bits of
     * it can be used. IA32_VMX_EPT_VPID_CAP: hyp_init refuses what hyp_ept_check(hyp_ept_best())
     * finds lacking, see hyp/ept.h; block sizes, accessed and dirty bits, and execute-only pages
     * are used where they are.
     */
    unsigned int pa_bits;
    uint64_t ept_cap;
    /* x86: the host handles #VE. A page that is not its own raises it, and nothing else does. */
    bool ept_ve;
    unsigned int page_shift; /* 12, 14, 16; x86: 12 */
    unsigned int va_bits;    /* of EL2; 0 means 48. x86: at most 47, which 0 means */
    unsigned int cpu_count;  /* 1..HYP_CPUS_MAX */

    const struct hyp_region *regions; /* sorted RAM */
    unsigned int region_count;
    hyp_pa_t pool;       /* RAM that the host reserved for the hypervisor, granule aligned */
    uint64_t pool_pages; /* at least hyp_boot_pool_pages() */
    const struct hyp_section *sections; /* may be NULL */
    unsigned int section_count;
    struct hyp_root boot_root; /* EL2 root in force before boot, for the way back */

    /* Zeroed descriptors of all RAM, vmemmap_first being the number of the first one. */
    struct hyp_page *vmemmap;
    hyp_pfn_t vmemmap_first;
    struct hyp_vm *vms; /* vm_count slots of storage, need not be initialised */
    unsigned int vm_count;

    struct hyp_host_policy host_policy; /* zero means: as the kernel, but pages only; see below */
    struct hyp_pool_policy pool_policy; /* of every pool; zero means: as the kernel */
    uint64_t s1_pages; /* pages for hyp stage 1 and for the host's; 0: by the formula */
    uint64_t host_s2_pages;
};

/* The kernel's policy: blocks up to level 2 by attributes, never rebuilt. */
static inline struct hyp_host_policy hyp_host_policy_default(void)
{
    return (struct hyp_host_policy){HYP_FORCE_BY_PROT, HYP_REBUILD_LAZY, 2};
}

struct hyp_cpu {
    struct hyp_vcpu *loaded;
    bool finalised;
};

struct hyp {
    const struct hyp_port *port;
    enum hyp_arch arch;
    uint64_t ept_cap;
    bool ept_ve;
    struct hyp_vmemmap vmemmap;
    hyp_pfn_t pfn_end; /* of the physical address space */
    unsigned int page_shift;
    unsigned int pa_bits;
    unsigned int va_bits;
    unsigned int cpu_count;
    unsigned int vm_count;
    unsigned int finalised_count; /* CPUs under the host's stage 2 */
    bool booted;
    struct hyp_features features;
    struct hyp_layout layout;
    struct hyp_carve carve;

    struct hyp_pgt s1;         /* EL2's own table */
    struct hyp_pool pool;      /* its pages */
    struct hyp_early s1_early; /* ... until boot step 4 */
    uint64_t private_cursor;
    uint64_t fixmap_va;    /* one page, guarded by the host lock */
    hyp_pa_t fixmap_slot;  /* its entry */
    uint64_t fixmap_attrs; /* ... without an address */
    hyp_pa_t fixmap_pa;    /* what it shows, or HYP_FIXMAP_CLOSED */
    struct hyp_host host;
    struct hyp_vm *vms;
    struct hyp_pool_policy pool_policy;

    hyp_pa_t pool_base;
    uint64_t pool_pages;
    struct hyp_root boot_root;
    const struct hyp_section *sections; /* read during boot only */
    unsigned int section_count;
    struct hyp_cpu cpus[HYP_CPUS_MAX];
};

/*
 * Takes the configuration over. HYP_EINVAL when it is malformed: unsorted or overlapping regions, a
 * pool or section outside RAM, sizes out of range. Touches nothing but *hyp.
 */
HYP_MUST_USE enum hyp_err hyp_init(struct hyp *hyp, const struct hyp_config *config);

/* Protected mode is live: booted, and every CPU finalised. */
static inline bool hyp_is_live(const struct hyp *hyp)
{
    return hyp->booted && hyp->finalised_count == hyp->cpu_count;
}

/* EL2's linear address of RAM. */
static inline hyp_va_t hyp_linear_va(const struct hyp *hyp, hyp_pa_t pa)
{
    return hyp_va(pa.v - hyp->layout.physvirt_offset);
}

/*
 * Where EL2 finds a page that the core asks its port to zero or clean: in the fixmap if it is shown
 * there (guests' pages are in no other EL2 mapping), else in the linear map. For ports.
 */
static inline hyp_va_t hyp_el2_va(const struct hyp *hyp, hyp_pa_t pa)
{
    return pa.v == hyp->fixmap_pa.v ? hyp_va(hyp->fixmap_va) : hyp_linear_va(hyp, pa);
}

/* Bytes of a granule, and physical address of a page number. */
static inline uint64_t hyp_page_size(const struct hyp *hyp)
{
    return UINT64_C(1) << hyp->page_shift;
}

static inline hyp_pa_t hyp_pfn_pa(const struct hyp *hyp, hyp_pfn_t pfn)
{
    return hyp_pa(pfn << hyp->page_shift);
}

/* The second stage of the host, and of a guest, as a CPU takes it: with VTCR_EL2 or EPTP. */
struct hyp_root hyp_host_root(const struct hyp *hyp);
struct hyp_root hyp_vm_root(const struct hyp *hyp, const struct hyp_vm *vm);

/* Pages of hyp stage 1 in use, private tables included. */
uint64_t hyp_s1_tables_used(const struct hyp *hyp);

#endif
