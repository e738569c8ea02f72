/* SPDX-License-Identifier: MIT */
/*
 * Guests: a table of up to 255 slots, virtual CPUs, and the pages that their tables live from.
 *
 *   EMPTY --reserve--> RESERVED --init--> LIVE --start_teardown--> DYING --finalize--> EMPTY
 *
 * A handle is HYP_HANDLE_BASE + slot; its VMID is slot + 1, 0 being the host's. The host donates
 * the memory of a guest: metadata pages (the port keeps register state there), the root table, and
 * later single pages through the memcache of a vCPU.
 */
#ifndef HYP_VM_H
#define HYP_VM_H

#include <hyp/pgtable.h>

struct hyp;

#define HYP_VMS_MAX     255
#define HYP_VCPUS_MAX   16
#define HYP_HANDLE_BASE 0x1000u
#define HYP_CPU_NONE    UINT32_MAX

typedef uint16_t hyp_handle_t;

enum hyp_vm_state { HYP_VM_EMPTY, HYP_VM_RESERVED, HYP_VM_LIVE, HYP_VM_DYING };

struct hyp_vm;

struct hyp_vcpu {
    struct hyp_vm *vm;
    struct hyp_memcache mc; /* pages for table levels, donated beforehand */
    hyp_pa_t meta;          /* donated page that holds the port's register state */
    uint32_t cpu;           /* physical CPU on which it is loaded, or HYP_CPU_NONE */
    /* Last stage-2 fault of the guest, as the hypervisor saw it: ESR_EL2; x86: the exit
     * qualification of an EPT violation. */
    uint64_t fault_esr;
    hyp_ipa_t fault_ipa;
};

struct hyp_vm {
    struct hyp_pgt pgt;
    struct hyp_pool pool; /* pages of the root's surplus, and freed tables */
    enum hyp_vm_state state;
    bool is_protected;
    uint16_t slot;
    uint16_t vcpu_count; /* that were initialised */
    hyp_pa_t meta;
    uint64_t meta_pages;
    hyp_pa_t pgd;
    uint64_t pgd_pages;
    struct hyp_vcpu vcpus[HYP_VCPUS_MAX];
};

struct hyp_vm_params {
    bool is_protected;
    unsigned int ipa_bits; /* of the guest; at most the PA bits of the machine; x86: and 48 */
    hyp_pa_t meta;         /* first of meta_pages (at least 1) contiguous host pages */
    uint64_t meta_pages;
    hyp_pa_t pgd;       /* first of pgd_pages host pages, aligned to the size of the root */
    uint64_t pgd_pages; /* at least the pages of the root; the surplus feeds its tables */
};

static inline hyp_handle_t hyp_vm_handle(const struct hyp_vm *vm)
{
    return (hyp_handle_t)(HYP_HANDLE_BASE + vm->slot);
}

/* Pages of the root that a guest with this many ipa bits needs. */
uint64_t hyp_vm_root_pages(const struct hyp *hyp, unsigned int ipa_bits);

/* Reserves a slot: HYP_ENOMEM when all are taken. Takes the vm table lock. */
HYP_MUST_USE enum hyp_err hyp_vm_reserve(struct hyp *hyp, hyp_handle_t *handle);
/* Gives an unused reservation back: HYP_ENOENT when there is none under this handle. */
HYP_MUST_USE enum hyp_err hyp_vm_unreserve(struct hyp *hyp, hyp_handle_t handle);
/*
 * Donates the pages of `params` to the hypervisor and starts the guest's table. HYP_ENOENT: not
 * reserved; HYP_EINVAL: bad sizes; what the donation returns. On failure nothing was donated.
 */
HYP_MUST_USE enum hyp_err hyp_vm_init(struct hyp *hyp, hyp_handle_t handle,
                                      const struct hyp_vm_params *params);
/* Adds the next vCPU, number vm->vcpu_count; its metadata page is donated. HYP_ENOENT: no such live
 * vm; HYP_EINVAL: too many. */
HYP_MUST_USE enum hyp_err hyp_vcpu_init(struct hyp *hyp, hyp_handle_t handle, hyp_pa_t meta);
/* Loads a vCPU on a physical CPU: HYP_ENOENT when there is none (or the vm is dying), HYP_EBUSY
 * when it is loaded elsewhere or this CPU has one loaded. Holds a reference on the vm until put. */
HYP_MUST_USE enum hyp_err hyp_vcpu_load(struct hyp *hyp, unsigned int cpu, hyp_handle_t handle,
                                        unsigned int index);
/* HYP_EINVAL when none is loaded on this CPU. */
HYP_MUST_USE enum hyp_err hyp_vcpu_put(struct hyp *hyp, unsigned int cpu);
/* The vCPU loaded on a CPU, or NULL. */
struct hyp_vcpu *hyp_vcpu_loaded(const struct hyp *hyp, unsigned int cpu);
/* The live or dying vm of a handle, or NULL. No reference is taken: for callers that hold one, for
 * single-threaded users, and under the vm table lock. */
struct hyp_vm *hyp_vm_find(const struct hyp *hyp, hyp_handle_t handle);
/* The same with a reference, which keeps teardown away, and its release. */
struct hyp_vm *hyp_vm_get(struct hyp *hyp, hyp_handle_t handle);
void hyp_vm_put(struct hyp *hyp, struct hyp_vm *vm);

/*
 * Moves pages from a host's cache to a vCPU's until that holds `min`. Each is donated, and only
 * then is its link word read. HYP_ENOMEM when the host's cache runs out, HYP_EINVAL for a page that
 * is not aligned, else what the donation returns; pages moved until then stay moved.
 */
HYP_MUST_USE enum hyp_err hyp_vcpu_refill(struct hyp *hyp, struct hyp_vcpu *vcpu,
                                          struct hyp_host_memcache *host_mc, uint32_t min);
/* Pages that a vCPU's cache must hold before a page may be mapped: the levels below the root. */
static inline uint32_t hyp_vcpu_refill_min(const struct hyp_vcpu *vcpu)
{
    return vcpu->vm->pgt.top_level;
}

/* HYP_EINVAL when the vm is referenced (a vCPU is loaded) or is not live. */
HYP_MUST_USE enum hyp_err hyp_vm_start_teardown(struct hyp *hyp, hyp_handle_t handle);
/* hyp_reclaim_guest_page for a dying vm: HYP_EINVAL when it is not dying. */
HYP_MUST_USE enum hyp_err hyp_vm_reclaim_page(struct hyp *hyp, hyp_handle_t handle, uint64_t gfn);
/*
 * Ends a dying vm: TLBI of its VMID, tables wiped and given back. The pages of tables, pgd and
 * memcaches are pushed on `out`, whose links are host memory from then on; metadata pages are wiped
 * and given back, but not pushed. HYP_EINVAL when the vm is not dying or is referenced; HYP_EBUSY
 * when it still owns, shares or borrows pages.
 */
HYP_MUST_USE enum hyp_err hyp_vm_finalize(struct hyp *hyp, hyp_handle_t handle,
                                          struct hyp_host_memcache *out);

/* ---- hypercalls of a protected guest ---- */

enum hyp_guest_exit {
    HYP_GUEST_RESUME,  /* answered; the guest goes on */
    HYP_GUEST_TO_HOST, /* not ours, or a synthetic fault was put into the vCPU: exit to the host */
};

struct hyp_guest_regs {
    uint64_t x[4]; /* x0: function in, result out; x1: ipa; x2, x3: must be zero */
    uint64_t pc;   /* of the instruction after the HVC */
};

/*
 * meminfo, share, unshare (SMCCC vendor-specific hypervisor calls). A share of a page that is not
 * mapped yet rewinds pc to the HVC and exits as a level-3 write translation fault on that ipa, so
 * that the host provides the page and the call runs again.
 */
enum hyp_guest_exit hyp_guest_hcall(struct hyp *hyp, struct hyp_vcpu *vcpu,
                                    struct hyp_guest_regs *regs);

#endif
