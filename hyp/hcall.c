/* SPDX-License-Identifier: MIT */
/*
 * Dispatch of the host's hypercalls. A handler takes the arguments apart, refuses what belongs to
 * the other kind of guest, and calls the function that does the work; no decision about pages is
 * taken here.
 */
#include <hyp/hcall.h>

#include "hyp/hyp_priv.h"

struct call {
    struct hyp *hyp;
    unsigned int cpu;
    uint64_t *args;
};

typedef int64_t handler_fn(const struct call *call);

/* ---- early ---- */

static int64_t do_boot(const struct call *call)
{
    return hyp_boot(call->hyp);
}

static int64_t do_private_map(const struct call *call)
{
    struct hyp *hyp = call->hyp;
    uint64_t start, end, va;
    enum hyp_err err;

    if (!hyp->booted)
        return HYP_EPERM;
    /* RAM would be mapped without becoming the hypervisor's; the check of boot forbids the same. */
    if (hyp_host_region(&hyp->host, call->args[0], &start, &end) || call->args[0] >= end ||
        call->args[1] > end - call->args[0])
        return HYP_EPERM;
    if (!(call->args[2] & HYP_PROT_DEVICE))
        return HYP_EINVAL;
    hyp_locks_take(hyp, HYP_LOCK_HYP, 0);
    err = hyp_private_map(hyp, hyp_pa(call->args[0]), call->args[1], call->args[2], &va);
    hyp_locks_drop(hyp, HYP_LOCK_HYP, 0);
    return err ? (int64_t)err : (int64_t)va;
}

static int64_t do_prot_finalize(const struct call *call)
{
    return hyp_prot_finalize(call->hyp, call->cpu);
}

/* ---- host and hypervisor ---- */

static int64_t do_host_share_hyp(const struct call *call)
{
    return hyp_host_share_hyp(call->hyp, call->args[0]);
}

static int64_t do_host_unshare_hyp(const struct call *call)
{
    return hyp_host_unshare_hyp(call->hyp, call->args[0]);
}

static int64_t do_host_donate_hyp(const struct call *call)
{
    return hyp_host_donate_hyp(call->hyp, call->args[0], call->args[1]);
}

/* ---- guests ---- */

/* The vCPU loaded on this CPU if its guest is of the right kind, else NULL. */
static struct hyp_vcpu *loaded_of_kind(const struct call *call, bool is_protected)
{
    struct hyp_vcpu *vcpu = hyp_vcpu_loaded(call->hyp, call->cpu);

    return vcpu && vcpu->vm->is_protected == is_protected ? vcpu : NULL;
}

/* A reference on the unprotected guest of args[0], or NULL. */
static struct hyp_vm *get_unprotected(const struct call *call)
{
    struct hyp_vm *vm =
        call->args[0] <= UINT16_MAX ? hyp_vm_get(call->hyp, (hyp_handle_t)call->args[0]) : NULL;

    if (vm && vm->is_protected) {
        hyp_vm_put(call->hyp, vm);
        vm = NULL;
    }
    return vm;
}

static int64_t do_host_share_guest(const struct call *call)
{
    struct hyp_vcpu *vcpu = loaded_of_kind(call, false);

    return vcpu ? hyp_host_share_guest(call->hyp, vcpu, call->args[0], call->args[1], call->args[2],
                                       call->args[3])
                : HYP_EINVAL;
}

static int64_t do_host_unshare_guest(const struct call *call)
{
    struct hyp_vm *vm = get_unprotected(call);
    enum hyp_err err;

    if (!vm)
        return HYP_EINVAL;
    err = hyp_host_unshare_guest(call->hyp, vm, call->args[1], call->args[2]);
    hyp_vm_put(call->hyp, vm);
    return err;
}

static int64_t do_guest_relax(const struct call *call)
{
    struct hyp_vcpu *vcpu = loaded_of_kind(call, false);

    return vcpu ? hyp_guest_relax(call->hyp, vcpu, call->args[0], call->args[1]) : HYP_EINVAL;
}

static int64_t do_guest_wrprotect(const struct call *call)
{
    struct hyp_vm *vm = get_unprotected(call);
    enum hyp_err err;

    if (!vm)
        return HYP_EINVAL;
    err = hyp_guest_wrprotect(call->hyp, vm, call->args[1], call->args[2]);
    hyp_vm_put(call->hyp, vm);
    return err;
}

static int64_t do_guest_test_clear_young(const struct call *call)
{
    struct hyp_vm *vm = get_unprotected(call);
    enum hyp_err err;
    bool young;

    if (!vm)
        return HYP_EINVAL;
    err = hyp_guest_test_clear_young(call->hyp, vm, call->args[1], call->args[2],
                                     call->args[3] != 0, &young);
    hyp_vm_put(call->hyp, vm);
    return err ? (int64_t)err : (int64_t)young;
}

static int64_t do_guest_mkyoung(const struct call *call)
{
    struct hyp_vcpu *vcpu = loaded_of_kind(call, false);

    return vcpu ? hyp_guest_mkyoung(call->hyp, vcpu, call->args[0]) : HYP_EINVAL;
}

static int64_t do_host_donate_guest(const struct call *call)
{
    struct hyp_vcpu *vcpu = loaded_of_kind(call, true);

    return vcpu ? hyp_host_donate_guest(call->hyp, vcpu, call->args[0], call->args[1]) : HYP_EINVAL;
}

static int64_t do_force_reclaim(const struct call *call)
{
    return hyp_force_reclaim(call->hyp, hyp_pa(call->args[0]));
}

static int64_t do_vcpu_in_poison_fault(const struct call *call)
{
    struct hyp_vcpu *vcpu = loaded_of_kind(call, true);

    return vcpu ? hyp_vcpu_in_poison_fault(call->hyp, vcpu) : HYP_EINVAL;
}

/* ---- life of a guest ---- */

/* A handle that fits no slot when the argument has other bits. */
static hyp_handle_t handle_of(const struct call *call)
{
    return call->args[0] <= UINT16_MAX ? (hyp_handle_t)call->args[0] : 0;
}

static int64_t do_vm_reserve(const struct call *call)
{
    hyp_handle_t handle;
    enum hyp_err err = hyp_vm_reserve(call->hyp, &handle);

    return err ? (int64_t)err : (int64_t)handle;
}

static int64_t do_vm_unreserve(const struct call *call)
{
    return hyp_vm_unreserve(call->hyp, handle_of(call));
}

static int64_t do_vm_init(const struct call *call)
{
    const uint64_t *args = call->args;
    struct hyp_vm_params params = {
        .is_protected = args[1] & 1,
        .ipa_bits = (unsigned int)(args[1] >> 8 & 0xff),
        .meta = hyp_pa(args[2]),
        .meta_pages = args[3],
        .pgd = hyp_pa(args[4]),
        .pgd_pages = args[5],
    };

    return hyp_vm_init(call->hyp, handle_of(call), &params);
}

static int64_t do_vcpu_init(const struct call *call)
{
    return hyp_vcpu_init(call->hyp, handle_of(call), hyp_pa(call->args[1]));
}

static int64_t do_vcpu_load(const struct call *call)
{
    if (call->args[1] >= HYP_VCPUS_MAX)
        return HYP_ENOENT;
    return hyp_vcpu_load(call->hyp, call->cpu, handle_of(call), (unsigned int)call->args[1]);
}

static int64_t do_vcpu_put(const struct call *call)
{
    return hyp_vcpu_put(call->hyp, call->cpu);
}

static int64_t do_vcpu_refill(const struct call *call)
{
    struct hyp_vcpu *vcpu = hyp_vcpu_loaded(call->hyp, call->cpu);
    struct hyp_host_memcache mc = {hyp_pa(call->args[0]), call->args[1]};
    enum hyp_err err;

    if (!vcpu || call->args[2] > UINT32_MAX)
        return HYP_EINVAL;
    err = hyp_vcpu_refill(call->hyp, vcpu, &mc, (uint32_t)call->args[2]);
    call->args[0] = mc.head.v;
    call->args[1] = mc.count;
    return err;
}

static int64_t do_vm_start_teardown(const struct call *call)
{
    return hyp_vm_start_teardown(call->hyp, handle_of(call));
}

static int64_t do_vm_reclaim_page(const struct call *call)
{
    return hyp_vm_reclaim_page(call->hyp, handle_of(call), call->args[1]);
}

static int64_t do_vm_finalize(const struct call *call)
{
    struct hyp_host_memcache out = {{0}, 0};
    enum hyp_err err = hyp_vm_finalize(call->hyp, handle_of(call), &out);

    if (!err) {
        call->args[0] = out.head.v;
        call->args[1] = out.count;
    }
    return err;
}

/* ---- the table and the gates ---- */

static handler_fn *const handlers[HYP_HCALL_COUNT] = {
    [HYP_HCALL_BOOT] = do_boot,
    [HYP_HCALL_PRIVATE_MAP] = do_private_map,
    [HYP_HCALL_PROT_FINALIZE] = do_prot_finalize,
    [HYP_HCALL_HOST_SHARE_HYP] = do_host_share_hyp,
    [HYP_HCALL_HOST_UNSHARE_HYP] = do_host_unshare_hyp,
    [HYP_HCALL_HOST_DONATE_HYP] = do_host_donate_hyp,
    [HYP_HCALL_HOST_SHARE_GUEST] = do_host_share_guest,
    [HYP_HCALL_HOST_UNSHARE_GUEST] = do_host_unshare_guest,
    [HYP_HCALL_GUEST_RELAX] = do_guest_relax,
    [HYP_HCALL_GUEST_WRPROTECT] = do_guest_wrprotect,
    [HYP_HCALL_GUEST_TEST_CLEAR_YOUNG] = do_guest_test_clear_young,
    [HYP_HCALL_GUEST_MKYOUNG] = do_guest_mkyoung,
    [HYP_HCALL_HOST_DONATE_GUEST] = do_host_donate_guest,
    [HYP_HCALL_FORCE_RECLAIM] = do_force_reclaim,
    [HYP_HCALL_VCPU_IN_POISON_FAULT] = do_vcpu_in_poison_fault,
    [HYP_HCALL_VM_RESERVE] = do_vm_reserve,
    [HYP_HCALL_VM_UNRESERVE] = do_vm_unreserve,
    [HYP_HCALL_VM_INIT] = do_vm_init,
    [HYP_HCALL_VCPU_INIT] = do_vcpu_init,
    [HYP_HCALL_VCPU_LOAD] = do_vcpu_load,
    [HYP_HCALL_VCPU_PUT] = do_vcpu_put,
    [HYP_HCALL_VCPU_REFILL] = do_vcpu_refill,
    [HYP_HCALL_VM_START_TEARDOWN] = do_vm_start_teardown,
    [HYP_HCALL_VM_RECLAIM_PAGE] = do_vm_reclaim_page,
    [HYP_HCALL_VM_FINALIZE] = do_vm_finalize,
};

int64_t hyp_hcall(struct hyp *hyp, unsigned int cpu, uint64_t id, uint64_t args[HYP_HCALL_ARGS])
{
    struct call call = {hyp, cpu, args};

    if (id >= HYP_HCALL_COUNT || cpu >= hyp->cpu_count)
        return HYP_HCALL_NOT_SUPPORTED;
    if ((id < HYP_HCALL_FIRST_RUNTIME) == hyp_is_live(hyp))
        return HYP_HCALL_NOT_SUPPORTED;
    return handlers[id](&call);
}
