/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each TLBI removes (DDI 0487 D8.17 and the instruction descriptions in C5.5), and no more: an
 * invalidation that is too narrow must show.
 *
 *   combined entries (va -> pa) belong to the operations on stage 1, whatever stage 2 put in: the
 *   operations by ipa do not find them (D8.17);
 *   walk cache entries are levels above the last: the forms with L leave them alone, the others
 * match them by ASID even when the leaf below is global; ipa cache entries belong to the operations
 * on stage 2; a TTL hint of the wrong level removes no leaf entry, as it is allowed to.
 *
 * EL2 operations act on EL2, and on EL2&0 where a machine uses that (HCR_EL2.E2H = 1).
 */
#include <hyp/bits.h>

#include "mmu/tlb.h"

enum by { BY_ALL, BY_ASID, BY_VA, BY_IPA };

struct operation {
    uint8_t by;    /* enum by */
    bool el2;      /* of the EL2 regime, else EL1&0 */
    bool any_vmid; /* ALLE1 */
    bool asid;     /* non-global entries must match the ASID */
    bool last;     /* leaf entries only */
    bool range;    /* start and size */
    bool s1, s2;   /* stages whose entries it removes */
};

static const struct operation operations[MMU_TLBI_COUNT] = {
    [MMU_TLBI_VMALLE1] = {.by = BY_ALL, .s1 = true},
    [MMU_TLBI_VAE1] = {.by = BY_VA, .asid = true, .s1 = true},
    [MMU_TLBI_ASIDE1] = {.by = BY_ASID, .asid = true, .s1 = true},
    [MMU_TLBI_VAAE1] = {.by = BY_VA, .s1 = true},
    [MMU_TLBI_VALE1] = {.by = BY_VA, .asid = true, .last = true, .s1 = true},
    [MMU_TLBI_VAALE1] = {.by = BY_VA, .last = true, .s1 = true},
    [MMU_TLBI_RVAE1] = {.by = BY_VA, .asid = true, .range = true, .s1 = true},
    [MMU_TLBI_RVAAE1] = {.by = BY_VA, .range = true, .s1 = true},
    [MMU_TLBI_RVALE1] = {.by = BY_VA, .asid = true, .last = true, .range = true, .s1 = true},
    [MMU_TLBI_RVAALE1] = {.by = BY_VA, .last = true, .range = true, .s1 = true},
    [MMU_TLBI_IPAS2E1] = {.by = BY_IPA, .s2 = true},
    [MMU_TLBI_IPAS2LE1] = {.by = BY_IPA, .last = true, .s2 = true},
    [MMU_TLBI_RIPAS2E1] = {.by = BY_IPA, .range = true, .s2 = true},
    [MMU_TLBI_RIPAS2LE1] = {.by = BY_IPA, .last = true, .range = true, .s2 = true},
    [MMU_TLBI_VMALLS12E1] = {.by = BY_ALL, .s1 = true, .s2 = true},
    [MMU_TLBI_ALLE1] = {.by = BY_ALL, .any_vmid = true, .s1 = true, .s2 = true},
    [MMU_TLBI_VAE2] = {.by = BY_VA, .el2 = true, .asid = true, .s1 = true},
    [MMU_TLBI_VALE2] = {.by = BY_VA, .el2 = true, .asid = true, .last = true, .s1 = true},
    [MMU_TLBI_RVAE2] = {.by = BY_VA, .el2 = true, .asid = true, .range = true, .s1 = true},
    [MMU_TLBI_RVALE2] =
        {.by = BY_VA, .el2 = true, .asid = true, .last = true, .range = true, .s1 = true},
    [MMU_TLBI_ALLE2] = {.by = BY_ALL, .el2 = true, .s1 = true},
};

/* One operation with its operands; addresses first to last, both included. */
struct scope {
    const struct operation *op;
    const struct mmu_inval *inval;
    uint64_t first, last;
};

static bool regime_matches(const struct scope *scope, const struct mmu_entry *entry)
{
    if (scope->op->el2)
        return entry->regime == MMU_EL2 || entry->regime == MMU_EL20;
    if (scope->inval->host)
        return entry->regime == MMU_EL20;
    return entry->regime == MMU_EL10 && (scope->op->any_vmid || entry->vmid == scope->inval->vmid);
}

static bool asid_matches(const struct scope *scope, const struct mmu_entry *entry)
{
    bool global = (entry->flags & MMU_ENTRY_GLOBAL) != 0;

    if (!scope->op->asid || entry->regime == MMU_EL2)
        return true;
    if (global)
        return scope->op->by != BY_ASID;
    return entry->asid == scope->inval->asid;
}

static bool level_matches(const struct scope *scope, uint8_t level)
{
    return scope->inval->ttl < 0 || level == MMU_LEVEL_NONE || level == (uint8_t)scope->inval->ttl;
}

/* Some address of the leaf that the entry stems from is in the range. */
static bool address_matches(const struct scope *scope, const struct mmu_entry *entry, uint8_t leaf)
{
    uint64_t low = ~(~UINT64_C(0) << (leaf > entry->shift ? leaf : entry->shift));

    return (entry->va & ~low) <= scope->last && (entry->va | low) >= scope->first;
}

static bool removes(const struct scope *scope, const struct mmu_entry *entry)
{
    const struct operation *op = scope->op;
    bool by_address = op->by == BY_VA || op->by == BY_IPA;

    if (!regime_matches(scope, entry))
        return false;
    switch ((enum mmu_kind)entry->kind) {
    case MMU_KIND_IPA:
        return op->s2 && (!by_address || (address_matches(scope, entry, entry->s2_shift) &&
                                          level_matches(scope, entry->s2_level)));
    case MMU_KIND_WALK:
        return op->s1 && !op->last && asid_matches(scope, entry) &&
               (!by_address || address_matches(scope, entry, entry->shift));
    case MMU_KIND_PAGE:
    case MMU_KIND_NEST:
    case MMU_KIND_COUNT:
        break;
    }
    return op->s1 && asid_matches(scope, entry) &&
           (!by_address || (address_matches(scope, entry, entry->s1_shift) &&
                            level_matches(scope, entry->s1_level)));
}

static void drop_if(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope, uint32_t index)
{
    if (!removes(scope, &tlb->entries[index]))
        return;
    mmu_tlb_drop(tlb, index);
    mmu->counters->inval_entries++;
}

/* Looks at every entry; the keys, which lie close, decide first. */
static void sweep(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope)
{
    uint32_t entries = tlb->sets * tlb->ways;
    uint64_t first = 0, last = UINT64_MAX;

    if (scope->op->by == BY_VA || scope->op->by == BY_IPA) {
        unsigned int leaf = tlb->split_shift[scope->op->by == BY_IPA];
        uint64_t low = ~(~UINT64_C(0) << leaf);
        first = scope->first & ~low;
        last = scope->last | low;
    }
    for (uint32_t index = 0; index < entries && tlb->count != 0; index++) {
        uint64_t key = tlb->keys[index], end = key | ~(~UINT64_C(0) << (key & 63));
        if (key != 0 && end >= first && (key & ~UINT64_C(0xfff)) <= last)
            drop_if(mmu, tlb, scope, index);
    }
}

/* Lookups that a search of the range by keys would need for one kind. */
static uint64_t probes(const struct mmu_tlb *tlb, const struct scope *scope, enum mmu_kind kind)
{
    uint64_t sum = 0;

    for (uint64_t shifts = tlb->shifts[kind]; shifts; shifts &= shifts - 1) {
        unsigned int shift = (unsigned int)__builtin_ctzll(shifts);
        sum += (scope->last >> shift) - (scope->first >> shift) + 1;
    }
    return sum;
}

static void probe(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope,
                  enum mmu_kind kind)
{
    for (uint64_t shifts = tlb->shifts[kind]; shifts; shifts &= shifts - 1) {
        unsigned int shift = (unsigned int)__builtin_ctzll(shifts);
        for (uint64_t page = scope->first >> shift; page <= scope->last >> shift; page++) {
            uint64_t key = mmu_tlb_key(kind, page << shift, shift);
            uint32_t index = mmu_tlb_first(tlb, key), next;
            for (; index != UINT32_MAX; index = next) {
                next = mmu_tlb_next(tlb, key, index);
                drop_if(mmu, tlb, scope, index);
            }
        }
    }
}

/*
 * Operations on everything, without looking at each entry: possible while the array holds entries
 * of one regime and VMID, which is nearly always. True: done.
 */
static bool apply_to_owner(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope)
{
    const struct mmu_entry like = {.regime = (uint8_t)(tlb->owner >> 16),
                                   .vmid = (uint16_t)tlb->owner};
    unsigned int kinds = (scope->op->s1 ? 1u << MMU_KIND_PAGE | 1u << MMU_KIND_WALK : 0) |
                         (scope->op->s2 ? 1u << MMU_KIND_IPA : 0);

    if (scope->op->by != BY_ALL || tlb->owner == MMU_OWNERS_MIXED)
        return false;
    if (regime_matches(scope, &like))
        mmu->counters->inval_entries += mmu_tlb_clear(tlb, kinds);
    return true;
}

static void apply(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope)
{
    bool ipa = scope->op->by == BY_IPA;
    enum mmu_kind kind = ipa ? MMU_KIND_IPA : MMU_KIND_PAGE;
    bool walks = !ipa && !scope->op->last;

    if (tlb->count == 0 || apply_to_owner(mmu, tlb, scope))
        return;
    if (scope->op->by == BY_ALL || scope->op->by == BY_ASID || tlb->split[ipa] != 0 ||
        probes(tlb, scope, kind) + (walks ? probes(tlb, scope, MMU_KIND_WALK) : 0) >
            tlb->sets * tlb->ways) {
        sweep(mmu, tlb, scope);
        return;
    }
    probe(mmu, tlb, scope, kind);
    if (walks)
        probe(mmu, tlb, scope, MMU_KIND_WALK);
}

static void apply_to_cpu(struct mmu *mmu, struct mmu_cpu *cpu, const struct scope *scope)
{
    if (scope->op->s1) {
        apply(mmu, &cpu->l1[0].tlb, scope);
        apply(mmu, &cpu->l1[1].tlb, scope);
        apply(mmu, &cpu->walk_cache, scope);
    }
    apply(mmu, &cpu->l2, scope);
    if (scope->op->s2)
        apply(mmu, &cpu->ipa_cache, scope);
}

void mmu_invalidate(struct mmu *mmu, const struct mmu_inval *inval)
{
    struct scope scope = {.op = &operations[inval->op], .inval = inval};

    mmu->counters->v[MMU_COUNTER_tlbi_vmalle1 + inval->op]++;
    scope.first = inval->start;
    scope.last = inval->start;
    if (scope.op->range) {
        if (inval->size == 0)
            return;
        scope.last = inval->start + (inval->size - 1);
        if (scope.last < scope.first)
            scope.last = UINT64_MAX;
    }
    if (!inval->broadcast) {
        apply_to_cpu(mmu, &mmu->cpus[inval->cpu], &scope);
        return;
    }
    for (unsigned int i = 0; i < mmu->config.cpus; i++)
        apply_to_cpu(mmu, &mmu->cpus[i], &scope);
}
