/* SPDX-License-Identifier: MIT */
/* The generic walker: shows each entry of a range to a visitor. Changes nothing by itself. */
#include "hyp/pgtable_priv.h"

struct walk {
    const struct hyp_pgt *pgt;
    const struct hyp_visitor *visitor;
};

static enum hyp_err walk_table(const struct walk *walk, hyp_pa_t table, unsigned int level,
                               uint64_t ia, uint64_t end);

/* Pages are never tables, so they are read in pieces and need no second look. */
static enum hyp_err walk_pages(const struct walk *walk, hyp_pa_t table, uint64_t ia, uint64_t end)
{
    const struct hyp_pgt *pgt = walk->pgt;
    const struct hyp_visitor *visitor = walk->visitor;
    const uint64_t page = pgt_page_size(pgt);
    struct hyp_visit_ctx ctx = {.level = 0, .when = HYP_VISIT_LEAF};
    uint64_t ptes[PGT_CHUNK];

    while (ia < end) {
        const hyp_pa_t slot = pgt_slot(pgt, table, ia, 0);
        const unsigned int n = pgt_chunk(slot, (end - ia) >> pgt->page_shift);

        pgt_read(pgt, slot, ptes, n);
        for (unsigned int i = 0; i < n; i++, ia += page) {
            enum hyp_err err;

            ctx.ia.v = ia;
            ctx.end.v = ia + page;
            ctx.slot.v = slot.v + 8 * i;
            ctx.pte = ptes[i];
            err = visitor->visit(visitor->arg, &ctx);
            if (err)
                return err;
        }
    }
    return HYP_OK;
}

static enum hyp_err visit(const struct walk *walk, struct hyp_visit_ctx *ctx, enum hyp_visit when)
{
    enum hyp_err err;

    if (!(walk->visitor->when & when))
        return HYP_OK;
    ctx->when = when;
    err = walk->visitor->visit(walk->visitor->arg, ctx);
    ctx->pte = pgt_load(walk->pgt, ctx->slot);
    return err;
}

/* One entry above the pages, and what is below it. */
static enum hyp_err walk_entry(const struct walk *walk, struct hyp_visit_ctx *ctx)
{
    const struct hyp_pgt *pgt = walk->pgt;
    enum hyp_err err;

    err =
        visit(walk, ctx, pgt_is_table(pgt, ctx->pte, ctx->level) ? HYP_VISIT_PRE : HYP_VISIT_LEAF);
    if (err || !pgt_is_table(pgt, ctx->pte, ctx->level))
        return err;
    err = walk_table(walk, pgt_target(pgt, ctx->pte), ctx->level - 1, ctx->ia.v, ctx->end.v);
    if (err)
        return err;
    return visit(walk, ctx, HYP_VISIT_POST);
}

/* Bounded recursion: one frame for each level. */
static enum hyp_err walk_table(const struct walk *walk, hyp_pa_t table, unsigned int level,
                               uint64_t ia, uint64_t end)
{
    const struct hyp_pgt *pgt = walk->pgt;

    if (level == 0) {
        if (!(walk->visitor->when & HYP_VISIT_LEAF))
            return HYP_OK;
        return walk_pages(walk, table, ia, end);
    }
    while (ia < end) {
        const uint64_t next = pgt_min((ia | (pgt_level_size(pgt, level) - 1)) + 1, end);
        struct hyp_visit_ctx ctx = {.ia = {ia}, .end = {next}, .level = level};
        enum hyp_err err;

        ctx.slot = pgt_slot(pgt, table, ia, level);
        ctx.pte = pgt_load(pgt, ctx.slot);
        err = walk_entry(walk, &ctx);
        if (err)
            return err;
        ia = next;
    }
    return HYP_OK;
}

enum hyp_err hyp_pgt_walk(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size,
                          const struct hyp_visitor *visitor)
{
    const struct walk walk = {.pgt = pgt, .visitor = visitor};
    uint64_t start, end;
    enum hyp_err err = pgt_range(pgt, ia, size, &start, &end);

    if (err)
        return err;
    return walk_table(&walk, pgt->root, pgt->top_level, start, end);
}
