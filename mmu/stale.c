/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detection of stale translations: what a cached structure said is compared with a walk of the
 * tables as they are now, without caches and without side effects.
 *
 * A violation is an access that is let through although the tables do not translate it, translate
 * it to another address, or forbid it. No violation is what the architecture allows without
 * maintenance: more rights in the tables than in the TLB (a spurious fault), an access flag that
 * was cleared (ageing), and a descriptor that hardware would mark dirty again (DDI 0487 D8.5,
 * D8.16).
 */
#include "mmu/stale.h"

uint64_t mmu_stale_start(const struct mmu_config *config)
{
    switch (config->stale) {
    case MMU_STALE_ALL:
        return 0;
    case MMU_STALE_SAMPLED:
        return config->stale_period;
    case MMU_STALE_OFF:
        break;
    }
    return UINT64_MAX;
}

bool mmu_stale_due(struct mmu *mmu, struct mmu_cpu *cpu)
{
    if (cpu->tick < cpu->check_at)
        return false;
    if (mmu->config.stale == MMU_STALE_SAMPLED)
        cpu->check_at = cpu->tick + mmu->config.stale_period;
    mmu->counters->stale_checks++;
    return true;
}

/* What would have removed a result of stage 2: combined entries, or stage 2 alone. */
static const char *missing_s2(const struct mmu_ctx *ctx, bool combined)
{
    if (ctx->x86)
        return ctx->npt ? "TLB_CONTROL 3" : "INVEPT single-context";
    return combined ? "IPAS2E1IS, then VMALLE1IS" : "IPAS2E1IS";
}

/* Narrowest invalidation that would have removed a stage-1 result. */
static const char *missing_s1(const struct mmu_ctx *ctx, bool global, bool table)
{
    switch ((enum mmu_regime)ctx->regime) {
    case MMU_X86:
        return "INVLPG";
    case MMU_EL2:
        return table ? "VAE2IS" : "VALE2IS";
    case MMU_EL20:
    case MMU_EL10:
    case MMU_REGIME_COUNT:
        break;
    }
    if (table)
        return "VAE1IS";
    return global ? "VAALE1IS" : "VALE1IS";
}

struct verdict {
    bool violation, permission, stage1;
    hyp_pa_t pa;
    uint8_t fault;
};

/* Compares pa, reached by way of ipa, with the tables. */
static struct verdict compare(struct mmu *mmu, struct mmu_cpu *cpu,
                              const struct mmu_request *request, uint64_t pa, uint64_t ipa)
{
    unsigned int need = mmu_perm_bit(request->access, request->el);
    struct mmu_walk truth = {.mmu = mmu,
                             .cpu = cpu,
                             .ctx = &cpu->ctx[request->regime],
                             .va = request->va,
                             .access = request->access,
                             .el = request->el,
                             .mode = MMU_WALK_TRUTH};
    struct verdict verdict = {0};

    if (!mmu_walk_run(&truth)) {
        verdict.violation = true;
        verdict.stage1 = truth.stage == 1;
        verdict.fault = truth.fault;
        return verdict;
    }
    unsigned int s1_perm = mmu_perm_now(truth.ctx, truth.s1.perm);
    verdict.pa = hyp_pa(truth.s2.out);
    verdict.stage1 = truth.s1.out != ipa || !(s1_perm & need);
    verdict.permission = !(s1_perm & truth.s2.perm & need);
    verdict.violation = truth.s2.out != pa || verdict.permission;
    if (verdict.permission)
        verdict.fault = MMU_FAULT_PERMISSION;
    return verdict;
}

static void report(struct mmu *mmu, const struct mmu_request *request, uint64_t pa,
                   const struct verdict *verdict, enum mmu_source source, const char *missing)
{
    struct mmu_stale stale = {.request = *request,
                              .cached_pa = hyp_pa(pa),
                              .table_pa = verdict->pa,
                              .table_fault = verdict->fault,
                              .permission = verdict->permission && verdict->pa.v == pa,
                              .source = (uint8_t)source,
                              .missing = missing};

    mmu->counters->stale_uses++;
    if (mmu->port.stale)
        mmu->port.stale(mmu->port.ctx, &stale);
}

void mmu_stale_check_hit(struct mmu *mmu, struct mmu_cpu *cpu, const struct mmu_request *request,
                         const struct mmu_entry *entry, enum mmu_source source)
{
    const struct mmu_ctx *ctx = &cpu->ctx[request->regime];
    uint64_t offset = request->va & ~entry->mask;
    uint64_t pa = entry->pa + offset;
    struct verdict verdict = compare(mmu, cpu, request, pa, entry->ipa + offset);

    if (!verdict.violation)
        return;
    report(mmu, request, pa, &verdict, source,
           verdict.stage1 ? missing_s1(ctx, (entry->flags & MMU_ENTRY_GLOBAL) != 0, false)
                          : missing_s2(ctx, true));
}

void mmu_stale_check_walk(const struct mmu_walk *walk, const struct mmu_request *request,
                          bool walked)
{
    struct verdict verdict;
    uint64_t pa = walked ? walk->s2.out : 0;

    /* A fault that the tables do not give is a stale use too, unless it is one of rights. */
    if (!walked && (walk->fault == MMU_FAULT_PERMISSION || walk->fault == MMU_FAULT_ACCESS_FLAG))
        return;
    verdict = compare(walk->mmu, walk->cpu, request, pa, walk->s1.out);
    if (!walked)
        verdict.violation = verdict.fault == MMU_OK;
    if (!verdict.violation)
        return;
    const char *missing = missing_s2(walk->ctx, !walk->used_ipa);
    if (walk->used_walk && (verdict.stage1 || (!walked && walk->stage == 1)))
        missing = missing_s1(walk->ctx, false, true);
    report(walk->mmu, request, pa, &verdict, MMU_SRC_WALK, missing);
}
