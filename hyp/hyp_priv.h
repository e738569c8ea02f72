/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of the upper half of the core (host, owner, vm, boot, hcall); not public.
 * Nothing here belongs to page tables or pools, which know no `struct hyp`.
 */
#ifndef HYP_PRIV_H
#define HYP_PRIV_H

#include <hyp/hyp.h>

static inline void hyp_locks_take(const struct hyp *hyp, unsigned int set, unsigned int slot)
{
    if (hyp->port->lock)
        hyp->port->lock(hyp->port->ctx, set, slot);
}

static inline void hyp_locks_drop(const struct hyp *hyp, unsigned int set, unsigned int slot)
{
    if (hyp->port->unlock)
        hyp->port->unlock(hyp->port->ctx, set, slot);
}

static inline void hyp_tell(const struct hyp *hyp, enum hyp_event_kind kind, int level, hyp_pa_t pa,
                            uint64_t size)
{
    if (hyp->port->event) {
        struct hyp_event event = {kind, level, pa, size};

        hyp->port->event(hyp->port->ctx, &event);
    }
}

/* Effective size of the EL2 address space. */
unsigned int hyp_config_va_bits(const struct hyp_config *config);

/* ---- what differs with the machine (arch.c) ---- */

/* Physical address bits of a configuration that tables can use; 0 when it is none. */
unsigned int hyp_arch_pa_bits(const struct hyp_config *config);
/* Everything about a configuration that only one machine asks for. */
bool hyp_arch_config_valid(const struct hyp_config *config);
/* Format, flags and largest leaf of the hypervisor's own table, and of one for host or guest. */
void hyp_arch_s1(const struct hyp *hyp, struct hyp_pgt_config *config);
void hyp_arch_s2(const struct hyp *hyp, struct hyp_pgt_config *config);
/* Rights of device memory that the host touches. */
hyp_prot_t hyp_arch_device_prot(const struct hyp *hyp);
/* The hypervisor's own table. */
struct hyp_root hyp_arch_s1_root(const struct hyp *hyp);
/* Bytes of the guest's hypercall instruction. */
unsigned int hyp_arch_hcall_bytes(const struct hyp *hyp);
/* What a write of a guest to a page that is not mapped leaves in fault_esr, and whether that says
 * that nothing was mapped. */
uint64_t hyp_arch_fault_of_write(const struct hyp *hyp);
bool hyp_arch_fault_is_translation(const struct hyp *hyp, uint64_t esr);
/* A root takes effect on this CPU, and nothing that was cached of the one before is left. */
void hyp_arch_set_s1_root(const struct hyp *hyp, const struct hyp_root *root);
void hyp_arch_set_host_root(const struct hyp *hyp);

/* ---- ranges ---- */

/* Not empty, and below the end of the physical address space. */
static inline bool hyp_pa_range_valid(const struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    return count && pfn < hyp->pfn_end && count <= hyp->pfn_end - pfn;
}

/* The last region that starts at or below pa, or the first. The step is a conditional move: the
 * outcome of the comparison cannot be predicted. */
static inline const struct hyp_region *hyp_region_near(const struct hyp_host *host, uint64_t pa)
{
    const struct hyp_region *region = host->regions;
    unsigned int count = host->region_count;

    while (count > 1) {
        unsigned int half = count / 2;

        region = region[half].base.v <= pa ? region + half : region;
        count -= half;
    }
    return region;
}

/* HYP_EINVAL or HYP_EPERM unless all pages are usable RAM of one region. */
static inline enum hyp_err hyp_check_ram_pages(const struct hyp *hyp, hyp_pfn_t pfn, uint64_t count)
{
    uint64_t pa = pfn << hyp->page_shift, size = count << hyp->page_shift;
    const struct hyp_region *region;
    uint64_t offset;

    if (HYP_UNLIKELY(!hyp_pa_range_valid(hyp, pfn, count)))
        return HYP_EINVAL;
    region = hyp_region_near(&hyp->host, pa);
    offset = pa - region->base.v;
    if (HYP_LIKELY(offset < region->size && size <= region->size - offset && !region->nomap))
        return HYP_OK;
    return hyp_host_check_ram(&hyp->host, pa, size);
}

static inline void hyp_page_set_host_state(struct hyp_page *page, enum hyp_page_state state)
{
    page->host_state = (unsigned int)state & 3;
}

static inline struct hyp_page *hyp_pages_at(const struct hyp *hyp, hyp_pfn_t pfn)
{
    return hyp_page_of_pfn(&hyp->vmemmap, pfn);
}

/* The input address of a guest's page. */
static inline hyp_ia_t hyp_gfn_ia(const struct hyp *hyp, uint64_t gfn)
{
    return (hyp_ia_t){gfn << hyp->page_shift};
}

static inline bool hyp_gfn_range_valid(const struct hyp *hyp, const struct hyp_vm *vm, uint64_t gfn,
                                       uint64_t count)
{
    uint64_t end = UINT64_C(1) << (vm->pgt.ia_bits - hyp->page_shift);

    return count <= end && gfn <= end - count;
}

/* ---- entries ---- */

/* A guest's view of one of its pages: a page state, or poisoned. */
enum hyp_guest_state {
    HYP_GUEST_OWNED = HYP_PAGE_OWNED,
    HYP_GUEST_SHARED_OWNED = HYP_PAGE_SHARED_OWNED,
    HYP_GUEST_SHARED_BORROWED = HYP_PAGE_SHARED_BORROWED,
    HYP_GUEST_NOPAGE = HYP_PAGE_NOPAGE,
    HYP_GUEST_POISONED,
};

/* The page state as it sits in the software bits 0 and 1 of a prot and of a leaf entry. */
static inline hyp_prot_t hyp_prot_of_state(enum hyp_page_state state)
{
    return (hyp_prot_t)state << 55;
}

static inline enum hyp_page_state hyp_state_of_pte(uint64_t pte)
{
    return (enum hyp_page_state)(pte >> 55 & 3);
}

struct hyp_guest_leaf {
    uint64_t pte;
    unsigned int level;
    enum hyp_guest_state state;
};

/* What a guest's table says about a page that lies in its address range. */
struct hyp_guest_leaf hyp_guest_leaf_at(const struct hyp *hyp, const struct hyp_vm *vm,
                                        uint64_t gfn);
/* The lookup of calls on a mapped page: HYP_EHWPOISON, HYP_ENOENT, HYP_E2BIG, in this order. */
enum hyp_err hyp_guest_page_at(const struct hyp *hyp, const struct hyp_vm *vm, uint64_t gfn,
                               struct hyp_guest_leaf *leaf, hyp_pa_t *pa);

/* Payload of the annotation that names an owner. */
static inline uint64_t hyp_note_of_hyp(void)
{
    return hyp_field(HYP_NOTE_OWNER, HYP_OWNER_HYP);
}

static inline uint64_t hyp_note_of_guest(const struct hyp_vm *vm, uint64_t gfn)
{
    return hyp_field(HYP_NOTE_OWNER, HYP_OWNER_GUEST) |
           hyp_field(HYP_NOTE_HANDLE, hyp_vm_handle(vm)) | hyp_field(HYP_NOTE_GFN, gfn);
}

/* ---- host stage 2; the caller holds the host lock ---- */

HYP_MUST_USE enum hyp_err hyp_host_init(struct hyp *hyp, hyp_pfn_t first, uint64_t pages);
/* Makes the range foreign. On failure the range is still the host's. */
HYP_MUST_USE enum hyp_err hyp_host_annotate(struct hyp *hyp, hyp_pa_t pa, uint64_t size,
                                            uint64_t payload);
/* Gives foreign pages back: mapped RWX, by blocks as the policy says. Cannot fail: an annotated
 * range has all the tables that it can need. */
void hyp_host_give_back(struct hyp *hyp, hyp_pa_t pa, uint64_t size);
/* Drops mappings and annotations of a range; faults bring back what is the host's. */
void hyp_host_forget(struct hyp *hyp, hyp_pa_t pa, uint64_t size);
/* Leaves the host read access to the range, by pages. */
HYP_MUST_USE enum hyp_err hyp_host_map_readonly(struct hyp *hyp, hyp_pa_t pa, uint64_t size);

/* ---- ownership without locks, for code that holds them ---- */

HYP_MUST_USE enum hyp_err hyp_donate_hyp_locked(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count);
HYP_MUST_USE enum hyp_err hyp_donate_host_locked(struct hyp *hyp, hyp_pfn_t pfn, uint64_t count);

/* ---- guests ---- */

/* The slot of a handle if it is in this state, else NULL. The caller holds the vm table lock. */
struct hyp_vm *hyp_vm_slot_in_state(const struct hyp *hyp, hyp_handle_t handle,
                                    enum hyp_vm_state state);
bool hyp_vm_is_referenced(const struct hyp *hyp, const struct hyp_vm *vm);

/* ---- fixmap ---- */

/* Zeroes a page that the linear map need not contain, and cleans it to the point of coherency. The
 * caller holds the host lock, which guards the fixmap. */
void hyp_fixmap_wipe(struct hyp *hyp, hyp_pa_t pa);
/* The two halves of it: the fixmap's page shows `pa`, or nothing. */
void hyp_fixmap_open(struct hyp *hyp, hyp_pa_t pa);
void hyp_fixmap_close(struct hyp *hyp);
/* Makes the fixmap's slot. */
HYP_MUST_USE enum hyp_err hyp_fixmap_init(struct hyp *hyp);

#endif
