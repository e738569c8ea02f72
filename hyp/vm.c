/* SPDX-License-Identifier: MIT */
/*
 * The table of guests and their virtual CPUs: who exists, who is loaded where, and the cache of
 * pages that a vCPU's tables grow from. Birth and death of a guest are in vm_life.c.
 */
#include "hyp/hyp_priv.h"

/* ---- slots ---- */

static struct hyp_vm *slot_of(const struct hyp *hyp, hyp_handle_t handle)
{
    unsigned int slot = handle - HYP_HANDLE_BASE;

    return handle >= HYP_HANDLE_BASE && slot < hyp->vm_count ? &hyp->vms[slot] : NULL;
}

struct hyp_vm *hyp_vm_find(const struct hyp *hyp, hyp_handle_t handle)
{
    struct hyp_vm *vm = slot_of(hyp, handle);

    return vm && (vm->state == HYP_VM_LIVE || vm->state == HYP_VM_DYING) ? vm : NULL;
}

struct hyp_vm *hyp_vm_slot_in_state(const struct hyp *hyp, hyp_handle_t handle,
                                    enum hyp_vm_state state)
{
    struct hyp_vm *vm = slot_of(hyp, handle);

    return vm && vm->state == state ? vm : NULL;
}

enum hyp_err hyp_vm_reserve(struct hyp *hyp, hyp_handle_t *handle)
{
    enum hyp_err err = HYP_ENOMEM;
    unsigned int i;

    hyp_locks_take(hyp, HYP_LOCK_VM_TABLE, 0);
    for (i = 0; i < hyp->vm_count && err; i++) {
        if (hyp->vms[i].state == HYP_VM_EMPTY) {
            hyp->vms[i].state = HYP_VM_RESERVED;
            hyp->vms[i].slot = (uint16_t)i;
            *handle = hyp_vm_handle(&hyp->vms[i]);
            err = HYP_OK;
        }
    }
    hyp_locks_drop(hyp, HYP_LOCK_VM_TABLE, 0);
    return err;
}

enum hyp_err hyp_vm_unreserve(struct hyp *hyp, hyp_handle_t handle)
{
    struct hyp_vm *vm;

    hyp_locks_take(hyp, HYP_LOCK_VM_TABLE, 0);
    vm = hyp_vm_slot_in_state(hyp, handle, HYP_VM_RESERVED);
    if (vm)
        vm->state = HYP_VM_EMPTY;
    hyp_locks_drop(hyp, HYP_LOCK_VM_TABLE, 0);
    return vm ? HYP_OK : HYP_ENOENT;
}

/* ---- references: counted in the descriptor of the metadata page ---- */

static struct hyp_page *meta_page(const struct hyp *hyp, const struct hyp_vm *vm)
{
    return hyp_page_of(&hyp->vmemmap, vm->meta);
}

bool hyp_vm_is_referenced(const struct hyp *hyp, const struct hyp_vm *vm)
{
    return meta_page(hyp, vm)->refcount != 0;
}

struct hyp_vm *hyp_vm_get(struct hyp *hyp, hyp_handle_t handle)
{
    struct hyp_vm *vm;

    hyp_locks_take(hyp, HYP_LOCK_VM_TABLE, 0);
    vm = hyp_vm_slot_in_state(hyp, handle, HYP_VM_LIVE);
    if (vm && meta_page(hyp, vm)->refcount == UINT16_MAX)
        vm = NULL;
    if (vm)
        meta_page(hyp, vm)->refcount++;
    hyp_locks_drop(hyp, HYP_LOCK_VM_TABLE, 0);
    return vm;
}

void hyp_vm_put(struct hyp *hyp, struct hyp_vm *vm)
{
    hyp_locks_take(hyp, HYP_LOCK_VM_TABLE, 0);
    HYP_ASSERT(hyp->port, hyp_vm_is_referenced(hyp, vm));
    meta_page(hyp, vm)->refcount--;
    hyp_locks_drop(hyp, HYP_LOCK_VM_TABLE, 0);
}

/* ---- load and put ---- */

static enum hyp_err load_locked(struct hyp *hyp, unsigned int cpu, hyp_handle_t handle,
                                unsigned int index)
{
    struct hyp_vm *vm = hyp_vm_slot_in_state(hyp, handle, HYP_VM_LIVE);
    struct hyp_vcpu *vcpu;

    if (!vm || index >= vm->vcpu_count)
        return HYP_ENOENT;
    vcpu = &vm->vcpus[index];
    if (vcpu->cpu != HYP_CPU_NONE || hyp->cpus[cpu].loaded ||
        meta_page(hyp, vm)->refcount == UINT16_MAX)
        return HYP_EBUSY;
    vcpu->cpu = cpu;
    hyp->cpus[cpu].loaded = vcpu;
    meta_page(hyp, vm)->refcount++;
    return HYP_OK;
}

enum hyp_err hyp_vcpu_load(struct hyp *hyp, unsigned int cpu, hyp_handle_t handle,
                           unsigned int index)
{
    enum hyp_err err;

    if (cpu >= hyp->cpu_count)
        return HYP_EINVAL;
    hyp_locks_take(hyp, HYP_LOCK_VM_TABLE, 0);
    err = load_locked(hyp, cpu, handle, index);
    hyp_locks_drop(hyp, HYP_LOCK_VM_TABLE, 0);
    return err;
}

enum hyp_err hyp_vcpu_put(struct hyp *hyp, unsigned int cpu)
{
    struct hyp_vcpu *vcpu = hyp_vcpu_loaded(hyp, cpu);

    if (!vcpu)
        return HYP_EINVAL;
    hyp_locks_take(hyp, HYP_LOCK_VM_TABLE, 0);
    hyp->cpus[cpu].loaded = NULL;
    vcpu->cpu = HYP_CPU_NONE;
    meta_page(hyp, vcpu->vm)->refcount--;
    hyp_locks_drop(hyp, HYP_LOCK_VM_TABLE, 0);
    return HYP_OK;
}

struct hyp_vcpu *hyp_vcpu_loaded(const struct hyp *hyp, unsigned int cpu)
{
    return cpu < hyp->cpu_count ? hyp->cpus[cpu].loaded : NULL;
}

/* ---- memcache ---- */

enum hyp_err hyp_vcpu_refill(struct hyp *hyp, struct hyp_vcpu *vcpu,
                             struct hyp_host_memcache *host_mc, uint32_t min)
{
    while (vcpu->mc.count < min) {
        hyp_pa_t page = host_mc->head;
        enum hyp_err err;

        if (!host_mc->count)
            return HYP_ENOMEM;
        if (page.v & (hyp_page_size(hyp) - 1))
            return HYP_EINVAL;
        err = hyp_host_donate_hyp(hyp, page.v >> hyp->page_shift, 1);
        if (err)
            return err;
        /* The page is ours and its contents cannot change any more: now the link is what it is. */
        host_mc->head = hyp_pa(hyp->port->pte_load(hyp->port->ctx, page));
        host_mc->count--;
        hyp_memcache_push(&vcpu->mc, &hyp->vmemmap, page);
    }
    return HYP_OK;
}
