/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TLB oracle. */
#include "tests/support/tlb_model.h"

#include <stdlib.h>
#include <string.h>

const struct tlb_bits tlb_bits_arm64 = {.valid = 1,
                                        .access = HYP_BIT(10),
                                        .write = HYP_BIT(7),
                                        .rights = HYP_MASK(7, 6) | HYP_MASK(54, 53),
                                        .page_set = 2,
                                        .breaks = true};
const struct tlb_bits tlb_bits_ept = {.valid = 7,
                                      .access = HYP_BIT(8),
                                      .write = HYP_BIT(1),
                                      .rights = 7,
                                      .cpu = HYP_MASK(9, 8),
                                      .page_clear = HYP_BIT(7)};

/* What a cached entry may have otherwise than the table. */
static uint64_t harmless(const struct tlb_model *model)
{
    return HYP_PROT_SW_MASK | model->bits->access | model->bits->cpu;
}

uint64_t tlb_model_random(struct tlb_model *model)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random >> 11;
}

struct tlb_cell tlb_model_walk(const struct tlb_model *model, unsigned int i)
{
    struct tlb_cell cell;

    cell.pte = hyp_pgt_leaf(model->pgt, (hyp_ia_t){model->base + i * model->page}, &cell.level);
    if (cell.level == 1 && (cell.pte & model->bits->valid))
        cell.pte = ((cell.pte & ~model->bits->page_clear) | model->bits->page_set) +
                   (i % model->per_block) * model->page;
    return cell;
}

void tlb_model_speculate(struct tlb_model *model, unsigned int accesses)
{
    for (unsigned int n = 0; n < accesses; n++) {
        const unsigned int i = (unsigned int)(tlb_model_random(model) % model->count);

        if (model->combined[i].pte)
            continue;
        if (!model->stage2[i].pte) {
            const struct tlb_cell cell = tlb_model_walk(model, i);

            if ((cell.pte & model->bits->valid) && (cell.pte & model->bits->access))
                model->stage2[i] = cell;
        }
        model->combined[i] = model->stage2[i];
    }
}

/* An entry of one address goes when the address is inside its leaf, however little of it. */
static bool named(const struct tlb_model *model, const struct hyp_tlb_inv *inv, unsigned int i)
{
    const uint64_t ia = model->base + i * model->page;
    const unsigned int level = model->stage2[i].level;
    const uint64_t size = level == 0 ? model->page : model->block;

    if (inv->op == HYP_TLBI_VMALLS12E1IS || inv->op == HYP_TLBI_INVEPT)
        return true;
    if (inv->op == HYP_TLBI_RIPAS2E1IS)
        return ia >= inv->start && ia < inv->start + inv->size;
    /* The hint says that there is no entry of another level. */
    return (inv->level < 0 || (unsigned int)inv->level == level) && ia / size == inv->start / size;
}

static void forget_stage2(struct tlb_model *model, const struct hyp_tlb_inv *inv)
{
    for (unsigned int i = 0; i < model->count; i++) {
        if (named(model, inv, i))
            model->stage2[i].pte = 0;
    }
}

static void forget_combined(struct tlb_model *model)
{
    memset(model->combined, 0, model->count * sizeof *model->combined);
}

static bool swallowed(const struct tlb_model *model, enum hyp_tlbi op)
{
    return (model->fault == TLB_FAULT_NO_IPA_FLUSH && op == HYP_TLBI_IPAS2E1IS) ||
           (model->fault == TLB_FAULT_NO_COMBINED_FLUSH && op == HYP_TLBI_VMALLE1IS) ||
           (model->fault == TLB_FAULT_NO_RANGE_FLUSH && op == HYP_TLBI_RIPAS2E1IS) ||
           (model->fault == TLB_FAULT_NO_INVEPT && op == HYP_TLBI_INVEPT) ||
           (model->fault == TLB_FAULT_NO_VMID_FLUSH && op == HYP_TLBI_VMALLS12E1IS);
}

static void model_tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    struct tlb_model *model = ctx;

    tlb_model_speculate(model, 4);
    if (swallowed(model, inv->op))
        return;
    switch ((int)inv->op) {
    case HYP_TLBI_IPAS2E1IS:
    case HYP_TLBI_IPAS2E1:
    case HYP_TLBI_RIPAS2E1IS:
        forget_stage2(model, inv);
        break;
    case HYP_TLBI_INVEPT:
        model->broken |= inv->root.v != model->pgt->root.v;
        forget_stage2(model, inv);
        forget_combined(model);
        break;
    case HYP_TLBI_VMALLS12E1IS:
        forget_stage2(model, inv);
        forget_combined(model);
        break;
    case HYP_TLBI_VMALLE1IS:
    case HYP_TLBI_VMALLE1:
        forget_combined(model);
        break;
    default:
        model->broken = true;
        break;
    }
    tlb_model_speculate(model, 4);
}

static uint64_t model_load(void *ctx, hyp_pa_t slot)
{
    const struct tlb_model *model = ctx;

    return model->real.pte_load(model->real.ctx, slot);
}

static void model_store(void *ctx, hyp_pa_t slot, uint64_t pte)
{
    struct tlb_model *model = ctx;
    const uint64_t old = model_load(ctx, slot);

    if (model->fault == TLB_FAULT_NO_BREAK && pte >> 60 == HYP_NOTE_LOCKED)
        return;
    if (model->fault == TLB_FAULT_ENTRY && ++model->stores % 64 == 0)
        pte &= ~model->bits->write;
    if (model->bits->breaks && (old & pte & 1) &&
        ((old ^ pte) & ~(harmless(model) | model->bits->rights)))
        model->broken = true;
    model->real.pte_store(model->real.ctx, slot, pte);
}

static void model_fill(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        model_store(ctx, hyp_pa_add(slot, 8 * i), first + i * step);
}

static void model_read(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count)
{
    struct tlb_model *model = ctx;

    if (((slot.v ^ (slot.v + 8 * count - 1)) >> model->pgt->page_shift) != 0)
        model->broken = true; /* the contract of pte_read: no read crosses a granule */
    model->real.pte_read(model->real.ctx, slot, out, count);
}

static void model_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    const struct tlb_model *model = ctx;

    model->real.page_zero(model->real.ctx, page, size);
}

static void model_barrier(void *ctx, enum hyp_barrier kind)
{
    (void)kind;
    tlb_model_speculate(ctx, 1);
}

static void model_cache_sync(void *ctx, hyp_pa_t base, uint64_t size, enum hyp_cache_op op)
{
    const struct tlb_model *model = ctx;

    model->real.cache_sync(model->real.ctx, base, size, op);
}

static struct tlb_cell *cells(unsigned int count)
{
    struct tlb_cell *memory = calloc(count, sizeof *memory);

    if (!memory)
        abort();
    return memory;
}

void tlb_model_init(struct tlb_model *model, struct hyp_pgt *pgt, uint64_t base, unsigned int count,
                    enum tlb_fault fault)
{
    *model = (struct tlb_model){.pgt = pgt,
                                .real = *pgt->port,
                                .bits = pgt->fmt == &hyp_fmt_ept ? &tlb_bits_ept : &tlb_bits_arm64,
                                .base = base,
                                .count = count,
                                .fault = fault,
                                .random = UINT64_C(88172645463325252)};
    model->page = UINT64_C(1) << pgt->page_shift;
    model->block = hyp_level_size(pgt->page_shift, 1);
    model->per_block = (unsigned int)(model->block / model->page);
    model->stage2 = cells(count);
    model->combined = cells(count);
    model->port = (struct hyp_port){.ctx = model,
                                    .pte_load = model_load,
                                    .pte_store = model_store,
                                    .pte_fill = model_fill,
                                    .pte_read = model_read,
                                    .page_zero = model_zero,
                                    .barrier = model_barrier,
                                    .tlb_inv = model_tlb_inv,
                                    .cache_sync = model_cache_sync,
                                    .panic = model->real.panic};
    pgt->port = &model->port;
}

void tlb_model_free(struct tlb_model *model)
{
    free(model->stage2);
    free(model->combined);
}

static bool stale(const struct tlb_model *model, const struct tlb_cell *cached,
                  const struct tlb_cell *now)
{
    return cached->pte != 0 &&
           (!(now->pte & model->bits->valid) || ((cached->pte ^ now->pte) & ~harmless(model)));
}

bool tlb_model_consistent(const struct tlb_model *model)
{
    for (unsigned int i = 0; i < model->count; i++) {
        const struct tlb_cell now = tlb_model_walk(model, i);

        if (stale(model, &model->stage2[i], &now) || stale(model, &model->combined[i], &now))
            return false;
    }
    return !model->broken;
}
