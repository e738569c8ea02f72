/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine without caches whose memory is the list of entries: the n-th read gets the n-th one. */
#include "mmu/eval.h"

#include <hyp/bits.h>

#include "mmu/dec_x86.h"
#include "mmu/walk_priv.h"

#define ROOT UINT64_C(0x1000)

struct list {
    uint64_t entry[MMU_EVAL_LEVELS], pa[MMU_EVAL_LEVELS];
    unsigned int count, read;
};

static uint64_t load(void *ctx, hyp_pa_t pa, bool *ok)
{
    struct list *list = ctx;

    *ok = list->read < list->count;
    if (!*ok)
        return 0;
    list->pa[list->read] = pa.v;
    return list->entry[list->read++];
}

/* Two entries may lie at one address, since the tables are none: the value tells them apart. */
static bool swap(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired)
{
    struct list *list = ctx;

    for (unsigned int i = list->read; i-- > 0;)
        if (list->pa[i] == pa.v && list->entry[i] == old) {
            list->entry[i] = desired;
            return true;
        }
    return false;
}

static void set_x86(struct mmu *mmu, const struct mmu_eval *eval)
{
    struct mmu_x86_regs regs = eval->x86;

    regs.cr3 = ROOT;
    regs.cr0 &= ~MMU_X86_CR0_PG;
    regs.ept = eval->format == MMU_EVAL_EPT;
    regs.npt = eval->format == MMU_EVAL_NPT;
    regs.eptp = ROOT;
    if (regs.ept)
        regs.eptp |= MMU_X86_EPTP_LEVELS(eval->levels) | MMU_X86_EPTP_WB |
                     (eval->accessed_dirty ? MMU_X86_EPTP_AD : 0);
    if (regs.ept || regs.npt) {
        regs.ept_5level = eval->levels == 5;
    } else {
        regs.cr0 |= MMU_X86_CR0_PG;
        regs.cr4 &= ~MMU_X86_CR4_LA57;
        regs.cr4 |= eval->levels == 5 ? MMU_X86_CR4_LA57 : 0;
    }
    mmu_set_x86(mmu, 0, &regs);
}

static void set_arm64(struct mmu *mmu, const struct mmu_eval *eval)
{
    struct mmu_arm64_regs regs = eval->arm64;
    uint64_t t0sz = eval->levels == 4 ? 16 : 25, sl0 = eval->levels == 4 ? 2 : 1;

    regs.sctlr = 0;
    regs.hcr = HYP_BIT(0); /* VM */
    regs.vttbr = ROOT;
    /* 4K granule, PS of 48 bits; HA and HD (DDI 0487 D24.2, VTCR_EL2). */
    regs.vtcr = HYP_BIT(31) | t0sz | sl0 << 6 | UINT64_C(5) << 16 |
                (eval->accessed_dirty ? UINT64_C(3) << 21 : 0);
    regs.hafdbs = regs.hafdbs || eval->accessed_dirty;
    mmu_set_regs(mmu, 0, MMU_EL10, &regs);
}

/* What the walker of the first stage does with one of its tables. */
static void table_access(struct mmu *mmu, const struct mmu_eval *eval, struct mmu_result *result)
{
    struct mmu_cpu *cpu = mmu_cpu(mmu, 0);
    struct mmu_walk walk = {.mmu = mmu,
                            .cpu = cpu,
                            .ctx = &cpu->ctx[MMU_X86],
                            .access = eval->access,
                            .el = eval->el,
                            .mode = MMU_WALK_REAL};
    bool writes = eval->access == MMU_WRITE || walk.ctx->s2_hd;
    unsigned int need = writes ? MMU_PERM_PR | MMU_PERM_PW : MMU_PERM_PR;
    struct mmu_leaf leaf;

    *result = (struct mmu_result){.source = MMU_SRC_WALK, .ipa = hyp_ipa(eval->addr)};
    if (mmu_walk_nested(&walk, eval->addr, need, true, &leaf)) {
        result->pa = hyp_pa(leaf.out);
        result->level = leaf.level;
        result->page_shift = leaf.shift;
    } else {
        result->fault = walk.fault;
        result->stage = walk.stage;
        result->level = walk.level;
        result->s1ptw = walk.s1ptw;
        result->x86_rights = walk.x86_rights;
        result->x86_flags = walk.x86_flags;
        if (writes)
            result->x86_flags |= MMU_X86_FLAG_TABLE_WRITE;
    }
    result->refs_s2 = walk.refs_s2;
}

static uint64_t syndrome(enum mmu_eval_format format, const struct mmu_request *request,
                         const struct mmu_result *result)
{
    if (result->fault == MMU_OK)
        return 0;
    switch (format) {
    case MMU_EVAL_EPT:
        return mmu_x86_qualification(request, result);
    case MMU_EVAL_NPT:
        return mmu_x86_exitinfo1(request, result);
    case MMU_EVAL_X86:
        return mmu_x86_pf_code(request, result);
    case MMU_EVAL_ARM64_S2:
    case MMU_EVAL_FORMAT_COUNT:
        break;
    }
    return mmu_arm64_esr(request, result, 2);
}

bool mmu_eval(const struct mmu_eval *eval, struct mmu_eval_result *out)
{
    bool arm64 = eval->format == MMU_EVAL_ARM64_S2;
    struct list list = {.count = eval->levels};
    struct mmu_port port = {&list, load, swap, NULL};
    struct mmu_config config = {.cpus = 1, .caches_off = true};
    struct mmu_request request = {.va = eval->addr,
                                  .regime = arm64 ? MMU_EL10 : MMU_X86,
                                  .el = eval->el,
                                  .access = eval->access};
    struct mmu *mmu;

    if (eval->format >= MMU_EVAL_FORMAT_COUNT || eval->levels < (arm64 ? 3 : 4) ||
        eval->levels > (arm64 ? 4 : 5))
        return false;
    mmu = mmu_create(&config, &port);
    if (!mmu)
        return false;
    for (unsigned int i = 0; i < MMU_EVAL_LEVELS; i++)
        list.entry[i] = eval->entry[i];
    if (arm64)
        set_arm64(mmu, eval);
    else
        set_x86(mmu, eval);
    *out = (struct mmu_eval_result){0};
    if (eval->table_access && (eval->format == MMU_EVAL_EPT || eval->format == MMU_EVAL_NPT))
        table_access(mmu, eval, &out->result);
    else
        mmu_translate(mmu, &request, &out->result);
    for (unsigned int i = 0; i < MMU_EVAL_LEVELS; i++)
        out->entry[i] = list.entry[i];
    out->syndrome = syndrome((enum mmu_eval_format)eval->format, &request, &out->result);
    out->reads = (uint8_t)list.read;
    mmu_destroy(mmu);
    return true;
}
