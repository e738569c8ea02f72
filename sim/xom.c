/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/xom.h"

#include <hyp/bits.h>
#include <hyp/ept.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/x86.h"
#include "sim/pool.h"

enum { PAGE_SHIFT = 12, SLOTS = 3, TABLES = 4096, EPT_LEVELS = 4 };
#define PAGE_BYTES UINT64_C(4096)
/* Exit qualification, SDM vol. 3, table 28-7. */
#define QUAL_WRITE  HYP_BIT(1)
#define QUAL_FETCH  HYP_BIT(2)
#define QUAL_LINEAR (HYP_BIT(7) | HYP_BIT(8))

struct sim_xom {
    struct sim *sim;
    struct sim_pool tables;
    struct hyp_pgt pgt;
    struct hyp_xom core;
    struct hyp_xom_slot slots[SLOTS];
    bool tells_linear;
    /* Of the violation that is being looked at. */
    const struct mmu_request *request;
    const struct sim_x86_regs *regs;
};

/* ---- what the core asks ---- */

/* The guest's own translation, without a trace in the model: rights of stage 2 do not matter. */
static bool probe(struct sim_xom *xom, uint64_t va, enum mmu_access access, hyp_ipa_t *gpa)
{
    struct mmu_request request = {.va = va,
                                  .cpu = xom->request->cpu,
                                  .regime = xom->request->regime,
                                  .el = xom->request->el,
                                  .access = (uint8_t)access,
                                  .probe = true};
    struct mmu_result result;

    mmu_translate(xom->sim->mmu, &request, &result);
    *gpa = result.ipa;
    return result.fault == MMU_OK || (result.stage == 2 && !result.s1ptw);
}

static bool fetch(void *ctx, uint64_t va, uint8_t *to, size_t size)
{
    struct sim_xom *xom = ctx;
    const uint64_t *page;
    hyp_ipa_t gpa;

    if (!probe(xom, va, MMU_FETCH, &gpa) || !hyp_xom_may_read(&xom->core, gpa, true))
        return false;
    gpa = hyp_xom_base(&xom->core, gpa);
    page = sim_ram_peek(xom->sim->ram, hyp_pa(gpa.v));
    if (page)
        memcpy(to, (const uint8_t *)page + gpa.v % PAGE_BYTES, size);
    else
        memset(to, 0, size);
    return true;
}

static unsigned int linear_address(void *ctx, const struct hyp_xom_exit *exit,
                                   struct hyp_xom_operand *operands)
{
    struct sim_xom *xom = ctx;

    (void)exit;
    return sim_decode(xom->regs, fetch, xom, operands);
}

static bool translate(void *ctx, hyp_va_t linear, hyp_ipa_t *gpa)
{
    return probe(ctx, linear.v, MMU_READ, gpa);
}

/* ---- the guest ---- */

static enum hyp_err make_core(struct sim_xom *xom, const struct sim_xom_config *config)
{
    struct sim *sim = xom->sim;
    struct hyp_pgt_config table = {.fmt = &hyp_fmt_ept,
                                   .port = &sim->hyp_port,
                                   .vmemmap = &xom->tables.vmemmap,
                                   .page_shift = PAGE_SHIFT,
                                   .ia_bits = 48,
                                   .flags = HYP_PGT_EPT_XONLY,
                                   .max_block_level = 2,
                                   .pa_bits = SIM_X86_PA_BITS};
    struct hyp_xom_config core = {.cpu = {.vendor = HYP_XOM_INTEL,
                                          .ept_cap = HYP_EPT_CAP_USUAL,
                                          .ept_levels = EPT_LEVELS,
                                          .pa_bits = SIM_X86_PA_BITS},
                                  .pgt = &xom->pgt,
                                  .port = {xom, linear_address, translate},
                                  .slots = xom->slots,
                                  .slot_count = SLOTS,
                                  .signature = SIM_XOM_SIGNATURE,
                                  .bit = config->bit};
    enum hyp_err err = sim_pool_open(&xom->tables, sim, &sim->hyp_port, TABLES);

    if (!err)
        err = hyp_pgt_init(&xom->pgt, &table, &xom->tables.pool, NULL);
    return err ? err : hyp_xom_init(&xom->core, &core);
}

/* All memory, in three slots: before, with and after the alias. */
static enum hyp_err make_slots(struct sim_xom *xom, const struct sim_xom_config *config)
{
    const struct sim_layout *layout = &xom->sim->layout;
    const uint64_t bounds[SLOTS + 1] = {layout->ram_start.v, config->start.v, config->end.v,
                                        layout->pool_end.v};
    enum hyp_err err = HYP_OK;

    for (unsigned int i = 0; i < SLOTS && !err; i++) {
        const struct hyp_xom_slot slot = {.gfn = bounds[i] >> PAGE_SHIFT,
                                          .pages = (bounds[i + 1] - bounds[i]) >> PAGE_SHIFT,
                                          .pfn = bounds[i] >> PAGE_SHIFT,
                                          .flags = i == 1 ? HYP_XOM_EXECONLY : 0};

        if (slot.pages)
            err = hyp_xom_create(&xom->core, i, &slot, NULL);
    }
    return err;
}

static enum sim_status check(const struct sim *sim, const struct sim_xom_config *config,
                             struct sim_error *error)
{
    const struct sim_layout *layout = &sim->layout;
    const struct hyp_xom_cpu cpu = {.vendor = HYP_XOM_INTEL,
                                    .ept_cap = HYP_EPT_CAP_USUAL,
                                    .ept_levels = EPT_LEVELS,
                                    .pa_bits = SIM_X86_PA_BITS};
    enum hyp_xom_lack lack = hyp_xom_check(&cpu, config->bit);

    if (!sim->map.x86)
        return sim_fail(error, SIM_USAGE, "execute-only memory: expected an x86-64 machine");
    if (lack != HYP_XOM_LACKS_NOTHING)
        return sim_fail(error, SIM_USAGE, "execute-only memory by bit %u: %s", config->bit,
                        hyp_xom_lack_text(lack));
    if (layout->pool_end.v > UINT64_C(1) << config->bit)
        return sim_fail(error, SIM_USAGE,
                        "execute-only memory by bit %u: expected a bit above all memory, which "
                        "ends at 0x%" PRIx64,
                        config->bit, layout->pool_end.v);
    if ((config->start.v | config->end.v) % PAGE_BYTES || config->start.v >= config->end.v ||
        config->start.v < layout->ram_start.v || config->end.v > layout->pool_end.v)
        return sim_fail(error, SIM_USAGE,
                        "execute-only memory 0x%" PRIx64 "-0x%" PRIx64
                        ": expected whole pages between 0x%" PRIx64 " and 0x%" PRIx64,
                        config->start.v, config->end.v, layout->ram_start.v, layout->pool_end.v);
    return SIM_OK;
}

enum sim_status sim_xom_open(struct sim_xom **out, struct sim *sim,
                             const struct sim_xom_config *config, struct sim_error *error)
{
    enum sim_status status = check(sim, config, error);
    struct sim_xom *xom;

    *out = NULL;
    if (status != SIM_OK)
        return status;
    xom = calloc(1, sizeof(*xom));
    if (!xom)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    xom->sim = sim;
    xom->tells_linear = config->tells_linear;
    if (make_core(xom, config) != HYP_OK || make_slots(xom, config) != HYP_OK) {
        sim_xom_close(xom);
        return sim_fail(error, SIM_INTERNAL, "execute-only memory: table pages are used up");
    }
    sim->xom = xom;
    *out = xom;
    return SIM_OK;
}

void sim_xom_close(struct sim_xom *xom)
{
    if (!xom)
        return;
    if (xom->sim->xom == xom)
        xom->sim->xom = NULL;
    sim_pool_close(&xom->tables);
    free(xom);
}

void sim_xom_enter(struct sim_xom *xom, uint8_t cpu)
{
    struct sim_cpu_state *state = &xom->sim->cpu_state[cpu];

    state->stage2 = (struct hyp_root){.kind = HYP_ROOT_STAGE2,
                                      .pgd = xom->pgt.root,
                                      .tcr = hyp_ept_eptp(xom->pgt.root, EPT_LEVELS, false)};
    state->has_stage2 = true;
    sim_host_regs(xom->sim, cpu);
}

bool sim_xom_set(struct sim_xom *xom, bool on)
{
    if (hyp_xom_set(&xom->core, on, NULL) != HYP_OK)
        return false;
    xom->sim->map.nr = on ? HYP_BIT(xom->core.bit) : 0;
    return true;
}

const struct hyp_xom *sim_xom_core(const struct sim_xom *xom)
{
    return &xom->core;
}

/* ---- violations ---- */

/* Nothing of bit M's: a page whose writes are logged, or one that is mapped by now. */
static bool may_retry(struct sim_xom *xom, const struct hyp_xom_exit *exit)
{
    const bool write = (exit->qualification & QUAL_WRITE) != 0;
    const hyp_prot_t need = write                              ? HYP_PROT_W
                            : exit->qualification & QUAL_FETCH ? HYP_PROT_X
                                                               : HYP_PROT_R;
    unsigned int level;
    uint64_t pte;
    hyp_prot_t prot;

    if (write && hyp_xom_written(&xom->core, exit->gpa) == HYP_OK)
        return true;
    if (exit->gpa.v >> xom->pgt.ia_bits)
        return false;
    pte = hyp_pgt_leaf(&xom->pgt, (hyp_ia_t){exit->gpa.v}, &level);
    prot = hyp_pgt_kind(&xom->pgt, pte, level) == HYP_PTE_LEAF ? hyp_pgt_prot(&xom->pgt, pte) : 0;
    return (prot & need) != 0;
}

struct sim_xom_result sim_xom_violation(struct sim_xom *xom, const struct mmu_request *request,
                                        const struct mmu_result *result,
                                        const struct sim_x86_regs *regs)
{
    const struct hyp_xom_exit exit = {
        .qualification =
            mmu_x86_qualification(request, result) & ~(xom->tells_linear ? 0 : QUAL_LINEAR),
        .gpa = result->ipa,
        .linear = hyp_va(xom->tells_linear ? request->va : 0),
        .rip = hyp_va(regs->rip),
        .cpl = request->el ? 0 : 3,
        .tells_fetch = true, /* EFER.NXE is always set here */
    };
    struct hyp_xom_decision decision;

    xom->request = request;
    xom->regs = regs;
    decision = hyp_xom_violation(&xom->core, &exit);
    if (decision.verdict == HYP_XOM_INJECT)
        return (struct sim_xom_result){SIM_XOM_INJECT, decision.cr2.v, decision.code};
    if (decision.verdict == HYP_XOM_NOT_OURS && may_retry(xom, &exit))
        return (struct sim_xom_result){.verdict = SIM_XOM_RETRY};
    return (struct sim_xom_result){.verdict = SIM_XOM_EXIT};
}
