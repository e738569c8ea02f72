/* SPDX-License-Identifier: MIT */
/*
 * Reference port: EL2 of an AArch64 machine, with real instructions. Not part of the library; copy
 * it, and change what your machine does differently.
 *
 * It assumes that EL2 runs with its MMU on, that memory is reached at pa - offset (the old root's
 * offset until hyp_boot switches, the core's linear map afterwards), and that this code is mapped
 * at the same address by both roots and lies in the identity section.
 * Without FEAT_S2FWB it must be taught to reach guests' pages for cleaning: they are in no EL2 map.
 * Section numbers are those of the Arm ARM, DDI 0487.
 */
#include "hyp/port/arm64_el2.h"
#include "hyp/port/arm64_insn.h"

#define HCR_VM HYP_BIT(0)

static uint64_t *word_at(void *ctx, hyp_pa_t pa)
{
    const struct el2_port *el2 = ctx;

    return (uint64_t *)(el2->switched ? hyp_el2_va(el2->hyp, pa).v : pa.v - el2->boot_offset);
}

static uint64_t el2_pte_load(void *ctx, hyp_pa_t slot)
{
    return *(volatile uint64_t *)word_at(ctx, slot);
}

static void el2_pte_store(void *ctx, hyp_pa_t slot, uint64_t pte)
{
    __atomic_store_n(word_at(ctx, slot), pte, __ATOMIC_RELEASE);
}

static void el2_pte_fill(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step,
                         unsigned int count)
{
    volatile uint64_t *word = word_at(ctx, slot);

    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (unsigned int i = 0; i < count; i++, first += step)
        word[i] = first;
}

static void el2_pte_read(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count)
{
    const volatile uint64_t *word = word_at(ctx, slot);

    for (unsigned int i = 0; i < count; i++)
        out[i] = word[i];
}

/* What begins in the fixmap's page ends there, and only its first byte has the address that the
 * fixmap shows: so the whole is found by its beginning. DC ZVA clears 4 << DCZID_EL0.BS bytes. */
static void el2_page_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    const uint64_t line = UINT64_C(4) << (READ(dczid_el0) & 0xf);
    char *start = (char *)word_at(ctx, page);

    for (uint64_t at = 0; at < size; at += line)
        __asm__ volatile("dc zva, %0" : : "r"(start + at) : "memory");
}

static void el2_barrier(void *ctx, enum hyp_barrier kind)
{
    (void)ctx;
    switch (kind) {
        CASE(HYP_DSB_ISHST, ASM("dsb ishst"));
        CASE(HYP_DSB_ISH, ASM("dsb ish"));
        CASE(HYP_DSB_NSH, ASM("dsb nsh"));
        CASE(HYP_ISB, ASM("isb"));
    }
}

/* D8.17 "TLB range maintenance": (NUM + 1) << (5 * SCALE + 1) granules from a base; at least two.
 */
static void invalidate_range(unsigned int page_shift, uint64_t ipa, uint64_t size)
{
    const uint64_t granule = (page_shift - 10) / 2; /* TG: 1, 2, 3 for 4K, 16K, 64K */
    uint64_t pages = (size + (UINT64_C(1) << page_shift) - 1) >> page_shift;

    if (pages & 1)
        TLBI_ADDR(ipas2e1is, (ipa + ((pages - 1) << page_shift)) >> 12);
    for (uint64_t scale = 0; scale < 4; scale++) {
        uint64_t num = pages >> (5 * scale + 1) & 31;

        if (num)
            TLBI_RIPAS2E1IS(granule << 46 | scale << 44 | (num - 1) << 39 | ipa >> page_shift);
        ipa += num << (5 * scale + 1) << page_shift;
    }
    if (pages >> 21)
        TLBI(vmalls12e1is); /* more than the largest range */
}

static void invalidate(const struct el2_port *el2, const struct hyp_tlb_inv *inv)
{
    switch (inv->op) {
        CASE(HYP_TLBI_IPAS2E1IS, TLBI_ADDR(ipas2e1is, inv->start >> 12));
        CASE(HYP_TLBI_RIPAS2E1IS, invalidate_range(el2->hyp->page_shift, inv->start, inv->size));
        CASE(HYP_TLBI_VMALLE1IS, TLBI(vmalle1is));
        CASE(HYP_TLBI_VMALLE1, TLBI(vmalle1));
        CASE(HYP_TLBI_VMALLS12E1IS, TLBI(vmalls12e1is));
        CASE(HYP_TLBI_VMALLS12E1, TLBI(vmalls12e1));
        CASE(HYP_TLBI_IPAS2E1, TLBI_ADDR(ipas2e1, inv->start >> 12));
        CASE(HYP_TLBI_VALE2IS, TLBI_ADDR(vale2is, inv->start >> 12));
        CASE(HYP_TLBI_VAE2IS, TLBI_ADDR(vae2is, inv->start >> 12));
        CASE(HYP_TLBI_ALLE2, TLBI(alle2));
        CASE(HYP_TLBI_ALLE1IS, TLBI(alle1is));
        CASE(HYP_TLBI_INVEPT, (void)0); /* the two of x86 are never asked for */
        CASE(HYP_TLBI_INVLPG_ALL, (void)0);
        CASE(HYP_TLBI_COUNT, (void)0);
    }
}

/* D8.17: EL1&0 operations act on the VMID of VTTBR_EL2, which is another's most of the time. */
static void el2_tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    const uint64_t mine = READ(vttbr_el2);
    const uint64_t wanted = (mine & HYP_MASK(47, 0)) | (uint64_t)inv->vmid << 48;

    if (mine != wanted) {
        WRITE(vttbr_el2, wanted);
        ASM("isb");
    }
    invalidate(ctx, inv);
    if (mine != wanted) {
        ASM("dsb ish");
        WRITE(vttbr_el2, mine);
        ASM("isb");
    }
}

static void el2_cache_sync(void *ctx, hyp_pa_t base, uint64_t size, enum hyp_cache_op op)
{
    const uint64_t line = UINT64_C(4) << (READ(ctr_el0) >> 16 & 0xf);
    char *start = (char *)word_at(ctx, base);

    if (op == HYP_CACHE_INVAL_POU)
        ASM("ic ialluis"); /* the page is executed at another address than ours */
    for (uint64_t at = 0; op == HYP_CACHE_CLEAN_POC && at < size; at += line)
        __asm__ volatile("dc civac, %0" : : "r"(start + at) : "memory");
    ASM("dsb ish");
}

/* One block of assembly, so that nothing touches memory while the MMU is off. */
static void switch_el2_root(const struct hyp_root *root)
{
    uint64_t sctlr = READ(sctlr_el2);

    __asm__ volatile("msr sctlr_el2, %0\n isb\n"
                     "msr ttbr0_el2, %1\n msr tcr_el2, %2\n msr mair_el2, %3\n isb\n"
                     "tlbi alle2\n dsb nsh\n isb\n"
                     "msr sctlr_el2, %4\n isb\n"
                     :
                     : "r"(sctlr & ~UINT64_C(1)), "r"(root->pgd.v), "r"(root->tcr), "r"(root->mair),
                       "r"(sctlr)
                     : "memory");
}

static void el2_root_set(void *ctx, const struct hyp_root *root)
{
    struct el2_port *el2 = ctx;

    if (root->kind == HYP_ROOT_EL2_STAGE1) {
        switch_el2_root(root);
        el2->switched = root->pgd.v == el2->hyp->s1.root.v;
        return;
    }
    WRITE(vtcr_el2, root->tcr);
    WRITE(vttbr_el2, root->pgd.v | (uint64_t)root->vmid << 48);
    WRITE(hcr_el2, READ(hcr_el2) | HCR_VM);
    ASM("isb");
}

static struct hyp_spinlock *lock_of(struct el2_port *el2, unsigned int bit, unsigned int slot)
{
    return bit == HYP_LOCK_GUEST ? &el2->guest_locks[slot] : &el2->locks[__builtin_ctz(bit)];
}

/* One lock stands for HOST and HYP: they are taken together, and an atomic costs as much as the
 * rest of a share. */
static unsigned int merge(unsigned int set)
{
    return set & HYP_LOCK_HYP ? (set & ~(unsigned int)HYP_LOCK_HYP) | HYP_LOCK_HOST : set;
}

static void el2_lock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    for (set = merge(set); set; set &= set - 1)
        hyp_spin_lock(lock_of(ctx, set & -set, vm_slot));
}

static void el2_unlock(void *ctx, unsigned int set, unsigned int vm_slot)
{
    for (set = merge(set); set; set &= set - 1)
        hyp_spin_unlock(lock_of(ctx, set & -set, vm_slot));
}

static void el2_panic(void *ctx, const char *what, const char *file, int line)
{
    (void)ctx, (void)what, (void)file, (void)line;
    for (;;)
        ASM("wfi");
}

void el2_port_init(struct el2_port *el2, const struct hyp *hyp, uint64_t boot_offset)
{
    *el2 = (struct el2_port){.hyp = hyp, .boot_offset = boot_offset};
    el2->port =
        (struct hyp_port){el2,           el2_pte_load, el2_pte_store, el2_pte_fill,   el2_pte_read,
                          el2_page_zero, el2_barrier,  el2_tlb_inv,   el2_cache_sync, el2_root_set,
                          el2_lock,      el2_unlock,   NULL,          el2_panic};
}
