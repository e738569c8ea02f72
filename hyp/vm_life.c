/* SPDX-License-Identifier: MIT */
/*
 * Birth and death of a guest: which pages the host gives for it, and how it gets them back.
 */
#include "hyp/hyp_priv.h"

#define ALL_BUT_GUEST (HYP_LOCK_VM_TABLE | HYP_LOCK_HOST | HYP_LOCK_HYP)

/* ---- birth ---- */

static struct hyp_pgt_config table_config(const struct hyp *hyp, unsigned int ipa_bits,
                                          unsigned int slot)
{
    struct hyp_pgt_config config = {
        .port = hyp->port,
        .vmemmap = &hyp->vmemmap,
        .page_shift = hyp->page_shift,
        .ia_bits = ipa_bits,
        .flags = hyp->features.no_dic ? HYP_PGT_NO_DIC : 0,
        .vmid = (uint16_t)(slot + 1), /* 0 is the host's */
        .max_block_level = 2,
    };

    hyp_arch_s2(hyp, &config);
    return config;
}

uint64_t hyp_vm_root_pages(const struct hyp *hyp, unsigned int ipa_bits)
{
    struct hyp_pgt_config config = table_config(hyp, ipa_bits, 0);

    return hyp_pgt_root_pages(&config);
}

static bool params_valid(const struct hyp *hyp, const struct hyp_vm_params *params)
{
    uint64_t page = hyp_page_size(hyp);
    uint64_t root;

    if (params->ipa_bits < 32 || params->ipa_bits > hyp->pa_bits)
        return false;
    /* The host's entry of a guest's page has room for a gfn of 36 bits in EPT. */
    if (hyp->arch == HYP_ARCH_X86 && params->ipa_bits > 48)
        return false;
    root = hyp_vm_root_pages(hyp, params->ipa_bits);
    return !(params->meta.v & (page - 1)) && params->pgd_pages >= root &&
           !(params->pgd.v & (root * page - 1));
}

static void give_back(struct hyp *hyp, hyp_pa_t pa, uint64_t pages)
{
    enum hyp_err err = hyp_donate_host_locked(hyp, pa.v >> hyp->page_shift, pages);

    HYP_ASSERT(hyp->port, err == HYP_OK);
}

static enum hyp_err take_pages(struct hyp *hyp, const struct hyp_vm_params *params)
{
    hyp_pfn_t meta = params->meta.v >> hyp->page_shift;
    hyp_pfn_t pgd = params->pgd.v >> hyp->page_shift;
    enum hyp_err err = hyp_check_ram_pages(hyp, meta, params->meta_pages);

    if (!err)
        err = hyp_check_ram_pages(hyp, pgd, params->pgd_pages);
    if (!err)
        err = hyp_donate_hyp_locked(hyp, meta, params->meta_pages);
    if (err)
        return err;
    err = hyp_donate_hyp_locked(hyp, pgd, params->pgd_pages);
    if (err)
        give_back(hyp, params->meta, params->meta_pages);
    return err;
}

static enum hyp_err start_table(struct hyp *hyp, struct hyp_vm *vm, unsigned int ipa_bits)
{
    struct hyp_pgt_config config = table_config(hyp, ipa_bits, vm->slot);
    enum hyp_err err =
        hyp_pool_init(&vm->pool, hyp->port, &hyp->vmemmap, vm->pgd.v >> hyp->page_shift,
                      vm->pgd_pages, 0, &hyp->pool_policy);

    return err ? err : hyp_pgt_init(&vm->pgt, &config, &vm->pool, NULL);
}

static enum hyp_err init_locked(struct hyp *hyp, hyp_handle_t handle,
                                const struct hyp_vm_params *params)
{
    struct hyp_vm *vm = hyp_vm_slot_in_state(hyp, handle, HYP_VM_RESERVED);
    enum hyp_err err;

    if (!vm)
        return HYP_ENOENT;
    err = take_pages(hyp, params);
    if (err)
        return err;
    vm->is_protected = params->is_protected;
    vm->meta = params->meta;
    vm->meta_pages = params->meta_pages;
    vm->pgd = params->pgd;
    vm->pgd_pages = params->pgd_pages;
    vm->vcpu_count = 0;
    err = start_table(hyp, vm, params->ipa_bits);
    if (err) {
        give_back(hyp, params->pgd, params->pgd_pages);
        give_back(hyp, params->meta, params->meta_pages);
        return err;
    }
    hyp->port->page_zero(hyp->port->ctx, vm->meta, vm->meta_pages << hyp->page_shift);
    vm->state = HYP_VM_LIVE;
    return HYP_OK;
}

enum hyp_err hyp_vm_init(struct hyp *hyp, hyp_handle_t handle, const struct hyp_vm_params *params)
{
    enum hyp_err err;

    if (!params_valid(hyp, params))
        return HYP_EINVAL;
    hyp_locks_take(hyp, ALL_BUT_GUEST, 0);
    err = init_locked(hyp, handle, params);
    hyp_locks_drop(hyp, ALL_BUT_GUEST, 0);
    return err;
}

static enum hyp_err vcpu_init_locked(struct hyp *hyp, hyp_handle_t handle, hyp_pa_t meta)
{
    struct hyp_vm *vm = hyp_vm_slot_in_state(hyp, handle, HYP_VM_LIVE);
    struct hyp_vcpu *vcpu;
    enum hyp_err err;

    if (!vm)
        return HYP_ENOENT;
    if (vm->vcpu_count == HYP_VCPUS_MAX)
        return HYP_EINVAL;
    err = hyp_donate_hyp_locked(hyp, meta.v >> hyp->page_shift, 1);
    if (err)
        return err;
    hyp->port->page_zero(hyp->port->ctx, meta, hyp_page_size(hyp));
    vcpu = &vm->vcpus[vm->vcpu_count++];
    *vcpu = (struct hyp_vcpu){.vm = vm, .meta = meta, .cpu = HYP_CPU_NONE};
    hyp_memcache_init(&vcpu->mc);
    return HYP_OK;
}

enum hyp_err hyp_vcpu_init(struct hyp *hyp, hyp_handle_t handle, hyp_pa_t meta)
{
    enum hyp_err err;

    if (meta.v & (hyp_page_size(hyp) - 1))
        return HYP_EINVAL;
    err = hyp_check_ram_pages(hyp, meta.v >> hyp->page_shift, 1);
    if (err)
        return err;
    hyp_locks_take(hyp, ALL_BUT_GUEST, 0);
    err = vcpu_init_locked(hyp, handle, meta);
    hyp_locks_drop(hyp, ALL_BUT_GUEST, 0);
    return err;
}

/* ---- death ---- */

enum hyp_err hyp_vm_start_teardown(struct hyp *hyp, hyp_handle_t handle)
{
    struct hyp_vm *vm;
    bool idle;

    hyp_locks_take(hyp, HYP_LOCK_VM_TABLE, 0);
    vm = hyp_vm_slot_in_state(hyp, handle, HYP_VM_LIVE);
    idle = vm && !hyp_vm_is_referenced(hyp, vm);
    if (idle)
        vm->state = HYP_VM_DYING;
    hyp_locks_drop(hyp, HYP_LOCK_VM_TABLE, 0);
    return idle ? HYP_OK : HYP_EINVAL;
}

enum hyp_err hyp_vm_reclaim_page(struct hyp *hyp, hyp_handle_t handle, uint64_t gfn)
{
    enum hyp_err err = HYP_EINVAL;
    struct hyp_vm *vm;

    /* The table lock stays: a dying vm must not be finalised meanwhile. */
    hyp_locks_take(hyp, HYP_LOCK_VM_TABLE, 0);
    vm = hyp_vm_slot_in_state(hyp, handle, HYP_VM_DYING);
    if (vm)
        err = hyp_reclaim_guest_page(hyp, vm, gfn);
    hyp_locks_drop(hyp, HYP_LOCK_VM_TABLE, 0);
    return err;
}

static enum hyp_err find_leaf(void *arg, const struct hyp_visit_ctx *ctx)
{
    const struct hyp_vm *vm = arg;

    return hyp_pgt_kind(&vm->pgt, ctx->pte, ctx->level) == HYP_PTE_LEAF ? HYP_EBUSY : HYP_OK;
}

/* A page of the hypervisor's that nobody refers to any more goes onto the host's stack. */
static void push_to_host(struct hyp *hyp, hyp_pa_t page, struct hyp_host_memcache *out)
{
    hyp_page_of(&hyp->vmemmap, page)->refcount = 0;
    hyp->port->pte_store(hyp->port->ctx, page, out->count ? out->head.v : 0);
    give_back(hyp, page, 1);
    out->head = page;
    out->count++;
}

static void drain(struct hyp *hyp, struct hyp_vm *vm, struct hyp_host_memcache *out)
{
    hyp_pa_t page;
    unsigned int i;

    hyp_pgt_destroy(&vm->pgt);
    while (hyp_pool_alloc(&vm->pool, 0, &page) == HYP_OK)
        push_to_host(hyp, page, out);
    for (i = 0; i < vm->vcpu_count; i++) {
        struct hyp_vcpu *vcpu = &vm->vcpus[i];

        while (hyp_memcache_pop(&vcpu->mc, hyp->port, &hyp->vmemmap, &page) == HYP_OK)
            push_to_host(hyp, page, out);
        hyp->port->page_zero(hyp->port->ctx, vcpu->meta, hyp_page_size(hyp));
        give_back(hyp, vcpu->meta, 1);
    }
    hyp->port->page_zero(hyp->port->ctx, vm->meta, vm->meta_pages << hyp->page_shift);
    give_back(hyp, vm->meta, vm->meta_pages);
}

static enum hyp_err finalize_locked(struct hyp *hyp, struct hyp_vm *vm,
                                    struct hyp_host_memcache *out)
{
    struct hyp_visitor visitor = {find_leaf, vm, HYP_VISIT_LEAF};
    enum hyp_err err =
        hyp_pgt_walk(&vm->pgt, (hyp_ia_t){0}, UINT64_C(1) << vm->pgt.ia_bits, &visitor);

    if (err)
        return err;
    /* The next owner of this VMID, or of the root's page, must not meet translations of this one.
     */
    hyp_pgt_flush_all(&vm->pgt);
    drain(hyp, vm, out);
    vm->state = HYP_VM_EMPTY;
    return HYP_OK;
}

enum hyp_err hyp_vm_finalize(struct hyp *hyp, hyp_handle_t handle, struct hyp_host_memcache *out)
{
    enum hyp_err err = HYP_EINVAL;
    struct hyp_vm *vm;

    hyp_locks_take(hyp, ALL_BUT_GUEST, 0);
    vm = hyp_vm_slot_in_state(hyp, handle, HYP_VM_DYING);
    if (vm && !hyp_vm_is_referenced(hyp, vm)) {
        hyp_locks_take(hyp, HYP_LOCK_GUEST, vm->slot);
        err = finalize_locked(hyp, vm, out);
        hyp_locks_drop(hyp, HYP_LOCK_GUEST, vm->slot);
    }
    hyp_locks_drop(hyp, ALL_BUT_GUEST, 0);
    return err;
}
