/* SPDX-License-Identifier: MIT */
/*
 * Reference port: VMX root operation of an x86-64 machine, with real instructions. Not part of the
 * library; copy it, and change what your machine does differently.
 *
 * It assumes that VMXON has been executed before hyp_boot, with 4-level paging, EFER.NXE and CR0.WP
 * on; that memory is reached at pa - offset (the old root's offset until hyp_boot switches, the
 * core's linear map afterwards); that code, stack, GDT, IDT and this struct are mapped at the same
 * address by both roots; and that interrupts are off while the core runs.
 * A stage 2 takes effect on the current VMCS: make the one of the host, or of the vCPU, current
 * before hyp_prot_finalize(), or before root_set() with hyp_vm_root(). Hypervisor code that has
 * other VMCSs when hyp_boot switches roots, or other CPUs, gives them hyp->s1.root for CR3 itself.
 * Section numbers are those of the Intel SDM, volume 3.
 */
#include "hyp/port/x86_vmx.h"
#include "hyp/port/x86_insn.h"

#define MSR_PAT          0x277u
#define MSR_PROC2        0x48bu /* IA32_VMX_PROCBASED_CTLS2: high half, what may be 1 (A.3.3) */
#define MSR_EPT_VPID_CAP 0x48cu

#define CR4_PGE HYP_BIT(7)

/* VMCS fields (appendix B), and their bits. */
#define F_VPID       0x0000u
#define F_EPTP       0x201au
#define F_HOST_PAT   0x2c00u
#define F_PROC       0x4002u
#define F_PROC2      0x401eu
#define F_HOST_CR3   0x6c02u
#define PROC_PROC2   HYP_BIT(31)
#define PROC2_EPT    HYP_BIT(1)
#define PROC2_VPID   HYP_BIT(5)
#define INVEPT_ONE   1u          /* single-context; needs the capability, which hyp_init checks */
#define INVVPID_ONE  1u          /* single-context ... */
#define CAP_INVVPID  HYP_BIT(32) /* ... if there is INVVPID ... */
#define CAP_VPID_ONE HYP_BIT(41) /* ... and this type of it */

static uint64_t *word_at(void *ctx, hyp_pa_t pa)
{
    const struct vmx_port *vmx = ctx;

    return (uint64_t *)(vmx->switched ? hyp_el2_va(vmx->hyp, pa).v : pa.v - vmx->boot_offset);
}

/* ---- memory: stores become visible in program order (9.2.2), a release is a plain store ---- */

static uint64_t vmx_pte_load(void *ctx, hyp_pa_t slot)
{
    return *(volatile uint64_t *)word_at(ctx, slot);
}

static void vmx_pte_store(void *ctx, hyp_pa_t slot, uint64_t pte)
{
    __atomic_store_n(word_at(ctx, slot), pte, __ATOMIC_RELEASE);
}

static void vmx_pte_fill(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step,
                         unsigned int count)
{
    volatile uint64_t *word = word_at(ctx, slot);

    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (unsigned int i = 0; i < count; i++, first += step)
        word[i] = first;
}

static void vmx_pte_read(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count)
{
    const volatile uint64_t *word = word_at(ctx, slot);

    for (unsigned int i = 0; i < count; i++)
        out[i] = word[i];
}

/* What begins in the fixmap's page ends there, and only its first byte has the address that the
 * fixmap shows: so the whole is found by its beginning. */
static void vmx_page_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    uint64_t *start = word_at(ctx, page), words = size / 8;

    __asm__ volatile("rep stosq" : "+D"(start), "+c"(words) : "a"(UINT64_C(0)) : "memory");
}

/* Never asked for on x86: see enum hyp_barrier. */
static void vmx_barrier(void *ctx, enum hyp_barrier kind)
{
    (void)ctx, (void)kind;
    __asm__ volatile("mfence" : : : "memory");
}

/*
 * Never asked for on x86 either. Caches are coherent for whoever reads (12.4, and for instructions
 * 12.6), and a guest cannot bypass them: the type that EPT gives its memory is final.
 */
static void vmx_cache_sync(void *ctx, hyp_pa_t base, uint64_t size, enum hyp_cache_op op)
{
    (void)ctx, (void)base, (void)size, (void)op;
}

/* ---- TLBs ---- */

/*
 * Single-context INVEPT drops everything of a root, whatever VPID and PCID it was cached for, and
 * looks at no bit of the EPTP but its address (29.4.3.1). The others must be such as VM entry would
 * take (INVEPT, chapter 31): the host's are.
 * INVLPG drops the page from the current PCID, or as a global one, and all that is cached of
 * tables (4.10.4.1). The core's own table has PCID 0 and nothing global.
 */
void vmx_port_invalidate(const struct vmx_port *vmx, const struct hyp_tlb_inv *inv)
{
    const uint64_t eptp = inv->root.v | (vmx->hyp->host.vtcr & HYP_MASK(11, 0));

    if (inv->op == HYP_TLBI_INVEPT)
        HYP_ASSERT(&vmx->port, x86_invept(INVEPT_ONE, eptp));
    else if (inv->op == HYP_TLBI_INVLPG_ALL)
        x86_invlpg(inv->start);
}

static void vmx_tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    struct vmx_port *vmx = ctx;

    vmx_port_invalidate(vmx, inv);
    if (vmx->tell_others)
        vmx->tell_others(vmx, inv);
}

/* ---- roots ---- */

/* Another PAT, with caches flushed and, by the write of CR3 that follows, the TLB (12.12.4). */
static void set_pat(uint64_t pat)
{
    if (x86_rdmsr(MSR_PAT) == pat)
        return;
    __asm__ volatile("wbinvd" : : : "memory");
    x86_wrmsr(MSR_PAT, pat);
    __asm__ volatile("wbinvd" : : : "memory");
}

/* CR3 drops all of its PCID but global entries, and a change of CR4.PGE those, too (4.10.4.1). VM
 * exits load the same CR3 and PAT again, once there is a VMCS, and a field for the PAT. */
static void switch_own_root(const struct hyp_root *root)
{
    const uint64_t cr4 = X86_READ_CR(4);

    set_pat(root->mair);
    X86_WRITE_CR(3, root->tcr);
    if (cr4 & CR4_PGE) {
        X86_WRITE_CR(4, cr4 & ~CR4_PGE);
        X86_WRITE_CR(4, cr4);
    }
    (void)x86_vmwrite(F_HOST_CR3, root->tcr);
    (void)x86_vmwrite(F_HOST_PAT, root->mair);
}

/*
 * VPID 0 is the hypervisor's, so the host's is 1 and a guest's its vmid + 1. What an earlier owner
 * of the number left under it goes first (29.4.3.3).
 */
static void set_stage2(const struct vmx_port *vmx, const struct hyp_root *root)
{
    const uint64_t vpid = root->vmid + UINT64_C(1);
    const uint64_t proc2 = x86_vmread(F_PROC2) | PROC2_EPT | (vmx->has_vpid ? PROC2_VPID : 0);

    HYP_ASSERT(&vmx->port, x86_vmwrite(F_EPTP, root->tcr));
    HYP_ASSERT(&vmx->port, x86_vmwrite(F_PROC, x86_vmread(F_PROC) | PROC_PROC2));
    HYP_ASSERT(&vmx->port, x86_vmwrite(F_PROC2, proc2));
    if (!vmx->has_vpid)
        return;
    HYP_ASSERT(&vmx->port, x86_vmwrite(F_VPID, vpid));
    HYP_ASSERT(&vmx->port, x86_invvpid(INVVPID_ONE, vpid));
}

static void vmx_root_set(void *ctx, const struct hyp_root *root)
{
    struct vmx_port *vmx = ctx;

    if (root->kind == HYP_ROOT_EL2_STAGE1) {
        switch_own_root(root);
        vmx->switched = root->pgd.v == vmx->hyp->s1.root.v;
    } else {
        set_stage2(vmx, root);
    }
}

/* ---- locks ---- */

static struct hyp_spinlock *lock_of(struct vmx_port *vmx, unsigned int bit, unsigned int slot)
{
    return bit == HYP_LOCK_GUEST ? &vmx->guest_locks[slot] : &vmx->locks[__builtin_ctz(bit)];
}

/* One lock stands for HOST and HYP: they are taken together, and an atomic costs as much as the
 * rest of a share. */
static unsigned int merge(unsigned int set)
{
    return set & HYP_LOCK_HYP ? (set & ~(unsigned int)HYP_LOCK_HYP) | HYP_LOCK_HOST : set;
}

static void vmx_lock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    for (set = merge(set); set; set &= set - 1)
        hyp_spin_lock(lock_of(ctx, set & -set, vm_slot));
}

static void vmx_unlock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    for (set = merge(set); set; set &= set - 1)
        hyp_spin_unlock(lock_of(ctx, set & -set, vm_slot));
}

static void vmx_panic(void *ctx, const char *what, const char *file, int line)
{
    (void)ctx, (void)what, (void)file, (void)line;
    for (;;)
        __asm__ volatile("cli; hlt");
}

static bool has_vpid(void)
{
    const uint64_t wanted = CAP_INVVPID | CAP_VPID_ONE;

    return (x86_rdmsr(MSR_PROC2) >> 32 & PROC2_VPID) &&
           (x86_rdmsr(MSR_EPT_VPID_CAP) & wanted) == wanted;
}

void vmx_port_init(struct vmx_port *vmx, const struct hyp *hyp, uint64_t boot_offset)
{
    *vmx = (struct vmx_port){.hyp = hyp, .boot_offset = boot_offset, .has_vpid = has_vpid()};
    vmx->port =
        (struct hyp_port){vmx,           vmx_pte_load, vmx_pte_store, vmx_pte_fill,   vmx_pte_read,
                          vmx_page_zero, vmx_barrier,  vmx_tlb_inv,   vmx_cache_sync, vmx_root_set,
                          vmx_lock,      vmx_unlock,   NULL,          vmx_panic};
}
