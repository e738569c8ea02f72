/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each x86 invalidation removes (SDM vol. 3, 4.10.4 and 28.4.3; APM vol. 2, 15.16), and no
 * more: an invalidation that is too narrow must show.
 *
 * Entries with a linear address are linear mappings (root 0) or combined ones; both have the tags
 * VPID and PCID, the latter also EPTRTA. Guest-physical ones have EPTRTA alone, or on AMD the ASID.
 */
#include <hyp/bits.h>

#include "mmu/dec_x86.h"
#include "mmu/tlb.h"

enum vpids { VPID_ANY, VPID_SAME, VPID_0, VPID_NOT_0 };
enum globals { GLOBAL_KEPT, GLOBAL_OWN /* made under the PCID */, GLOBAL_ANY };

struct operation {
    bool linear; /* linear and combined mappings */
    bool guest;  /* guest-physical ones */
    bool by_address;
    bool one_pcid;
    bool combined;   /* leaves linear ones alone */
    bool one_root;   /* of this EPTRTA (or none) only */
    bool all_tables; /* by address, but structure caches as a whole */
    uint8_t vpids;   /* enum vpids */
    uint8_t globals; /* enum globals */
};

static const struct operation operations[MMU_X86_OP_COUNT] = {
    [MMU_X86_INVLPG] = {.linear = true,
                        .by_address = true,
                        .one_pcid = true,
                        .all_tables = true,
                        .vpids = VPID_SAME,
                        .globals = GLOBAL_ANY},
    [MMU_X86_INVPCID_ADDR] = {.linear = true,
                              .by_address = true,
                              .one_pcid = true,
                              .vpids = VPID_SAME},
    [MMU_X86_INVPCID_ONE] = {.linear = true, .one_pcid = true, .vpids = VPID_SAME},
    [MMU_X86_INVPCID_ALL] = {.linear = true, .vpids = VPID_SAME, .globals = GLOBAL_ANY},
    [MMU_X86_INVPCID_ALL_NG] = {.linear = true, .vpids = VPID_SAME},
    [MMU_X86_MOV_CR3] = {.linear = true, .one_pcid = true, .vpids = VPID_SAME},
    [MMU_X86_MOV_CR3_KEEP] = {.linear = false},
    [MMU_X86_CR4_GLOBAL] = {.linear = true, .vpids = VPID_SAME, .globals = GLOBAL_ANY},
    [MMU_X86_CR4_PCID] = {.linear = true,
                          .one_pcid = true,
                          .vpids = VPID_SAME,
                          .globals = GLOBAL_OWN},
    [MMU_X86_VM_TRANSITION] = {.linear = true, .vpids = VPID_0, .globals = GLOBAL_ANY},
    [MMU_X86_INVVPID_ADDR] = {.linear = true,
                              .by_address = true,
                              .vpids = VPID_SAME,
                              .globals = GLOBAL_ANY},
    [MMU_X86_INVVPID_ONE] = {.linear = true, .vpids = VPID_SAME, .globals = GLOBAL_ANY},
    [MMU_X86_INVVPID_ALL] = {.linear = true, .vpids = VPID_NOT_0, .globals = GLOBAL_ANY},
    [MMU_X86_INVVPID_ONE_NG] = {.linear = true, .vpids = VPID_SAME},
    [MMU_X86_INVEPT_ONE] =
        {.linear = true, .guest = true, .combined = true, .one_root = true, .globals = GLOBAL_ANY},
    [MMU_X86_INVEPT_ALL] = {.linear = true, .guest = true, .combined = true, .globals = GLOBAL_ANY},
    [MMU_X86_PAGE_FAULT] = {.linear = true,
                            .by_address = true,
                            .one_pcid = true,
                            .one_root = true,
                            .vpids = VPID_SAME,
                            .globals = GLOBAL_ANY},
    [MMU_X86_EPT_VIOLATION] = {.linear = true,
                               .guest = true,
                               .by_address = true,
                               .one_pcid = true,
                               .one_root = true,
                               .vpids = VPID_SAME,
                               .globals = GLOBAL_ANY},
    [MMU_X86_INVLPGA] = {.linear = true,
                         .by_address = true,
                         .all_tables = true,
                         .vpids = VPID_SAME,
                         .globals = GLOBAL_ANY},
    [MMU_X86_TLB_CONTROL_1] = {.linear = true, .guest = true, .globals = GLOBAL_ANY},
    [MMU_X86_TLB_CONTROL_3] = {.linear = true,
                               .guest = true,
                               .vpids = VPID_SAME,
                               .globals = GLOBAL_ANY},
    [MMU_X86_TLB_CONTROL_7] = {.linear = true, .guest = true, .vpids = VPID_SAME},
};

struct scope {
    const struct operation *op;
    const struct mmu_x86_inval *inval;
    uint64_t root; /* tag of the operand */
};

static bool vpid_matches(const struct scope *scope, const struct mmu_entry *entry)
{
    switch ((enum vpids)scope->op->vpids) {
    case VPID_SAME:
        return (entry->flags & MMU_ENTRY_ANY_VMID) || entry->vmid == scope->inval->vpid;
    case VPID_0:
        return entry->vmid == 0;
    case VPID_NOT_0:
        return entry->vmid != 0;
    case VPID_ANY:
        break;
    }
    return true;
}

static bool pcid_matches(const struct scope *scope, const struct mmu_entry *entry)
{
    bool same = !scope->op->one_pcid || entry->asid == scope->inval->pcid;

    if (!(entry->flags & MMU_ENTRY_GLOBAL))
        return same;
    return scope->op->globals == GLOBAL_ANY || (scope->op->globals == GLOBAL_OWN && same);
}

/* The address is in the leaf that the entry stems from, held whole or not. */
static bool covers(const struct mmu_entry *entry, uint8_t leaf, uint64_t address)
{
    return (entry->va ^ address) >> (leaf > entry->shift ? leaf : entry->shift) == 0;
}

static bool removes(const struct scope *scope, const struct mmu_entry *entry)
{
    const struct operation *op = scope->op;
    bool guest = entry->kind == MMU_KIND_IPA || entry->kind == MMU_KIND_NEST;

    if (entry->regime != MMU_X86 || !(guest ? op->guest : op->linear) ||
        !vpid_matches(scope, entry) || (op->one_root && entry->root != scope->root))
        return false;
    if (guest)
        return !op->by_address || covers(entry, entry->s2_shift, scope->inval->gpa);
    if ((op->combined && entry->root == 0) || !pcid_matches(scope, entry))
        return false;
    if (entry->kind == MMU_KIND_WALK && op->all_tables)
        return true;
    return !op->by_address || covers(entry, entry->s1_shift, scope->inval->start);
}

static void drop_if(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope, uint32_t index)
{
    if (!removes(scope, &tlb->entries[index]))
        return;
    mmu_tlb_drop(tlb, index);
    mmu->counters->inval_entries++;
}

/* Looks at every entry whose kind has its bit in `kinds`; the keys, which lie close, decide. */
static void sweep(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope,
                  unsigned int kinds)
{
    uint32_t entries = tlb->sets * tlb->ways;
    bool any = false;

    for (unsigned int kind = 0; kind < MMU_KIND_COUNT; kind++)
        any = any || ((kinds >> kind & 1) && tlb->shifts[kind] != 0);
    if (!any)
        return;
    for (uint32_t index = 0; index < entries; index++)
        if (tlb->keys[index] != 0 && (kinds >> (tlb->keys[index] >> 6 & 3) & 1))
            drop_if(mmu, tlb, scope, index);
}

/* Looks up one address under each size held. */
static void probe(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope,
                  enum mmu_kind kind, uint64_t address)
{
    for (uint64_t shifts = tlb->shifts[kind]; shifts; shifts &= shifts - 1) {
        unsigned int shift = (unsigned int)__builtin_ctzll(shifts);
        uint64_t key = mmu_tlb_key(kind, address, shift);
        uint32_t index = mmu_tlb_first(tlb, key), next;
        for (; index != UINT32_MAX; index = next) {
            next = mmu_tlb_next(tlb, key, index);
            drop_if(mmu, tlb, scope, index);
        }
    }
}

/* One kind by address; pieces of a larger leaf have to be searched for. */
static void apply_address(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope,
                          enum mmu_kind kind, uint64_t address)
{
    bool pieces = (kind == MMU_KIND_PAGE && tlb->split[0] != 0) ||
                  (kind == MMU_KIND_IPA && tlb->split[1] != 0) ||
                  (kind == MMU_KIND_WALK && scope->op->all_tables);

    if (pieces)
        sweep(mmu, tlb, scope, 1u << kind);
    else
        probe(mmu, tlb, scope, kind, address);
}

static void apply(struct mmu *mmu, struct mmu_tlb *tlb, const struct scope *scope)
{
    const struct mmu_x86_inval *inval = scope->inval;
    const struct operation *op = scope->op;

    if (tlb->count == 0)
        return;
    if (!op->by_address) {
        sweep(mmu, tlb, scope,
              (op->linear ? 1u << MMU_KIND_PAGE | 1u << MMU_KIND_WALK : 0) |
                  (op->guest ? 1u << MMU_KIND_IPA | 1u << MMU_KIND_NEST : 0));
        return;
    }
    apply_address(mmu, tlb, scope, MMU_KIND_PAGE, inval->start);
    apply_address(mmu, tlb, scope, MMU_KIND_WALK, inval->start);
    if (!op->guest)
        return;
    apply_address(mmu, tlb, scope, MMU_KIND_IPA, inval->gpa);
    apply_address(mmu, tlb, scope, MMU_KIND_NEST, inval->gpa);
}

static void apply_to_cpu(struct mmu *mmu, struct mmu_cpu *cpu, const struct scope *scope)
{
    apply(mmu, &cpu->l1[0].tlb, scope);
    apply(mmu, &cpu->l1[1].tlb, scope);
    apply(mmu, &cpu->l2, scope);
    apply(mmu, &cpu->walk_cache, scope);
    apply(mmu, &cpu->ipa_cache, scope);
}

static void run(struct mmu *mmu, const struct mmu_x86_inval *inval, uint64_t root)
{
    struct scope scope = {.op = &operations[inval->op], .inval = inval, .root = root};

    mmu->counters->v[MMU_COUNTER_x86_invlpg + inval->op]++;
    if (!scope.op->linear && !scope.op->guest)
        return;
    if (!inval->broadcast) {
        apply_to_cpu(mmu, &mmu->cpus[inval->cpu], &scope);
        return;
    }
    for (unsigned int i = 0; i < mmu->config.cpus; i++)
        apply_to_cpu(mmu, &mmu->cpus[i], &scope);
}

void mmu_x86_invalidate(struct mmu *mmu, const struct mmu_x86_inval *inval)
{
    run(mmu, inval, inval->eptp ? mmu_x86_root_tag(inval->eptp) : 0);
}

void mmu_x86_drop_faulting(struct mmu *mmu, const struct mmu_request *request,
                           const struct mmu_result *result)
{
    const struct mmu_ctx *ctx = &mmu->cpus[request->cpu].ctx[MMU_X86];
    struct mmu_x86_inval inval = {.op = result->stage == 1 ? MMU_X86_PAGE_FAULT
                                                           : MMU_X86_EPT_VIOLATION,
                                  .cpu = request->cpu,
                                  .vpid = ctx->vmid,
                                  .pcid = ctx->asid,
                                  .start = request->va,
                                  .gpa = result->ipa.v};

    if (result->fault == MMU_FAULT_MISCONFIG || result->fault == MMU_FAULT_NONCANONICAL)
        return;
    run(mmu, &inval, ctx->root);
}
