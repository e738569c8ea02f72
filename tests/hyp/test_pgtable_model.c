/* SPDX-License-Identifier: MIT */
/*
 * Random operations on a window of three blocks, against two oracles: a flat model, which knows for
 * each page what it translates to and at which level, and the TLB of tests/support/tlb_model.h.
 * Both must notice faults that are put in on purpose.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/tlb_model.h"

#include <stdlib.h>

#define PTE_FWB   0x71b /* what remains of a page entry without rights and address */
#define PTE_NOFWB 0x73f
#define PTE_EPT   0x8000000000000170 /* no #VE, accessed, write-back whatever the PAT says */

struct world {
    struct table_rig rig;
    struct tlb_model tlb;
    uint64_t base, page, block; /* window start; bytes */
    unsigned int count;         /* pages */
    unsigned int per_block;
    struct tlb_cell *model;
};

static uint64_t draw(struct world *w)
{
    return tlb_model_random(&w->tlb);
}

/* ---- the model ---- */

static bool is_ept(const struct world *w)
{
    return w->rig.pgt.fmt == &hyp_fmt_ept;
}

static bool valid(const struct world *w, uint64_t pte)
{
    return (pte & w->tlb.bits->valid) != 0;
}

static void model_lose_block(struct world *w, unsigned int i)
{
    const unsigned int first = i - i % w->per_block;

    for (unsigned int j = first; j < first + w->per_block; j++)
        w->model[j].pte = 0;
}

static void model_put(struct world *w, unsigned int i, uint64_t pte, unsigned int level)
{
    if (level == 0 && w->model[i].level == 1 && valid(w, w->model[i].pte))
        model_lose_block(w, i);
    w->model[i].pte = pte;
    w->model[i].level = level;
}

static uint64_t page_entry_ept(uint64_t pa, hyp_prot_t prot)
{
    uint64_t pte = pa | PTE_EPT | (prot & HYP_PROT_SW_MASK);

    pte |= prot & HYP_PROT_R ? HYP_BIT(0) : 0;
    pte |= prot & HYP_PROT_W ? HYP_BIT(1) | HYP_BIT(9) : 0; /* dirty */
    return pte | (prot & HYP_PROT_X ? HYP_BIT(2) : 0);
}

static uint64_t page_entry(const struct world *w, uint64_t pa, hyp_prot_t prot)
{
    uint64_t pte = pa | (w->rig.pgt.flags & HYP_PGT_FWB ? PTE_FWB : PTE_NOFWB);

    if (is_ept(w))
        return page_entry_ept(pa, prot);
    pte |= prot & HYP_PROT_SW_MASK;
    pte |= prot & HYP_PROT_R ? HYP_BIT(6) : 0;
    pte |= prot & HYP_PROT_W ? HYP_BIT(7) : 0;
    return pte | (prot & HYP_PROT_X ? 0 : HYP_BIT(54));
}

static enum hyp_err model_map(struct world *w, unsigned int i, unsigned int n, uint64_t pa,
                              hyp_prot_t prot)
{
    while (n > 0) {
        const bool block = i % w->per_block == 0 && n >= w->per_block && pa % w->block == 0;
        const unsigned int run = block ? w->per_block : 1;
        const uint64_t new = page_entry(w, pa, prot);
        const struct tlb_cell old = w->model[i];
        const bool same = valid(w, old.pte) && old.level == block;
        const uint64_t cpu = w->tlb.bits->cpu, change = (old.pte ^ new) & ~cpu;
        uint64_t keep = new &cpu; /* what the CPU set stays when only software bits change */

        if (same && (change & ~w->tlb.bits->rights) == 0)
            return HYP_EAGAIN;
        if (same && (change & ~HYP_PROT_SW_MASK) == 0)
            keep = old.pte & cpu;
        for (unsigned int j = 0; j < run; j++)
            model_put(w, i + j, (page_entry(w, pa + j * w->page, prot) & ~cpu) | keep, block);
        i += run;
        n -= run;
        pa += run * w->page;
    }
    return HYP_OK;
}

static void model_annotate(struct world *w, unsigned int i, unsigned int n, uint64_t note)
{
    for (; n > 0; i++, n--)
        model_put(w, i, note, 0);
}

static void model_unmap(struct world *w, unsigned int i, unsigned int n)
{
    for (; n > 0; i++, n--) {
        if (w->model[i].level == 1 && valid(w, w->model[i].pte))
            model_lose_block(w, i);
        w->model[i].pte = 0;
    }
}

/* Whole blocks, even when partly covered. */
static void model_change(struct world *w, unsigned int i, unsigned int n, uint64_t clear)
{
    for (; n > 0; i++, n--) {
        const bool block = w->model[i].level == 1;
        const unsigned int first = block ? i - i % w->per_block : i;

        if (!valid(w, w->model[i].pte))
            continue;
        for (unsigned int j = first; j < first + (block ? w->per_block : 1); j++)
            w->model[j].pte &= ~clear;
    }
}

static void model_split(struct world *w, unsigned int i, unsigned int n)
{
    for (; n > 0; i++, n--) {
        const unsigned int first = i - i % w->per_block;

        if (w->model[i].level != 1 || !valid(w, w->model[i].pte))
            continue;
        for (unsigned int j = first; j < first + w->per_block; j++)
            w->model[j].level = 0;
    }
}

static bool model_collapse(struct world *w, unsigned int i)
{
    const unsigned int first = i - i % w->per_block;
    const uint64_t pte = w->model[first].pte, cpu = w->tlb.bits->cpu;
    uint64_t any = 0;

    if (w->model[first].level == 1 || !valid(w, pte) || (pte & HYP_MASK(47, 12)) % w->block != 0)
        return false;
    for (unsigned int j = 0; j < w->per_block; j++) {
        if ((w->model[first + j].pte ^ (pte + j * w->page)) & ~cpu)
            return false;
        any |= w->model[first + j].pte & cpu;
    }
    for (unsigned int j = 0; j < w->per_block; j++) {
        w->model[first + j].level = 1;
        w->model[first + j].pte |= any;
    }
    return true;
}

/* ---- comparison ---- */

static bool consistent(const struct world *w)
{
    for (unsigned int i = 0; i < w->count; i++) {
        const struct tlb_cell now = tlb_model_walk(&w->tlb, i);

        if (now.pte != w->model[i].pte)
            return false;
        if (valid(w, now.pte) && now.level != w->model[i].level)
            return false;
    }
    return tlb_model_consistent(&w->tlb);
}

/* ---- one random operation on both ---- */

struct draw {
    unsigned int i, n;
    hyp_ia_t ia;
    uint64_t size, pa;
    hyp_prot_t prot;
};

static struct draw draw_range(struct world *w)
{
    static const hyp_prot_t prots[] = {HYP_PROT_RWX, HYP_PROT_RWX, HYP_PROT_RW, HYP_PROT_R,
                                       HYP_PROT_RWX | HYP_PROT_SW(0)};
    struct draw d;

    d.i = (unsigned int)(draw(w) % w->count);
    d.n = 1 + (unsigned int)(draw(w) % 3);
    if (draw(w) % 3 == 0)
        d.n = 1 + (unsigned int)(draw(w) % w->count);
    if (draw(w) % 3 == 0) {
        d.i -= d.i % w->per_block;
        d.n = w->per_block;
    }
    if (d.n > w->count - d.i)
        d.n = w->count - d.i;
    /* Few targets, so that the same mapping comes again. */
    d.pa = (UINT64_C(1) << 36) + (draw(w) % 2) * 8 * w->block + d.i * w->page;
    if (draw(w) % 4 == 0)
        d.pa += w->page;
    d.prot = prots[draw(w) % 5];
    d.ia.v = w->base + d.i * w->page;
    d.size = d.n * w->page;
    return d;
}

static bool change_rights(struct world *w, const struct draw *d, unsigned int op)
{
    struct hyp_pgt *pgt = &w->rig.pgt;
    bool young;

    switch (op) {
    case 0:
        model_change(w, d->i, d->n, w->tlb.bits->write);
        return hyp_pgt_wrprotect(pgt, d->ia, d->size) == HYP_OK;
    case 1:
        model_change(w, d->i, d->n, w->tlb.bits->access);
        return hyp_pgt_test_clear_young(pgt, d->ia, d->size, true, &young) == HYP_OK;
    case 2:
        model_split(w, d->i, d->n);
        return hyp_pgt_split(pgt, d->ia, d->size, NULL) == HYP_OK;
    default:
        return (hyp_pgt_collapse(pgt, d->ia, 1) == HYP_OK) == model_collapse(w, d->i);
    }
}

static bool operate(struct world *w)
{
    struct hyp_pgt *pgt = &w->rig.pgt;
    const struct draw d = draw_range(w);
    const unsigned int op = (unsigned int)(draw(w) % 11);

    switch (op) {
    case 0:
    case 1:
    case 2:
    case 3:
        return hyp_pgt_map(pgt, d.ia, d.size, hyp_pa(d.pa), d.prot, NULL) ==
               model_map(w, d.i, d.n, d.pa, d.prot);
    case 4:
    case 5:
        model_unmap(w, d.i, d.n);
        return hyp_pgt_unmap(pgt, d.ia, d.size, NULL) == HYP_OK;
    case 6:
        if (is_ept(w))
            model_annotate(w, d.i, d.n, UINT64_C(0x22) << 58 | (d.prot & 6) << 2);
        else
            model_annotate(w, d.i, d.n, UINT64_C(2) << 60 | (d.prot & 6));
        return hyp_pgt_annotate(pgt, d.ia, d.size, HYP_NOTE_DONATED, d.prot & 6, NULL) == HYP_OK;
    default:
        return change_rights(w, &d, op - 7);
    }
}

static void world_init(struct world *w, const struct hyp_pgt_fmt *fmt, unsigned int page_shift,
                       uint64_t flags, enum tlb_fault fault)
{
    const struct hyp_pgt_config config = {
        .fmt = fmt, .page_shift = page_shift, .ia_bits = 44, .flags = flags, .max_block_level = 1};

    w->page = UINT64_C(1) << page_shift;
    w->block = hyp_level_size(page_shift, 1);
    w->per_block = (unsigned int)(w->block / w->page);
    w->count = 3 * w->per_block;
    w->base = hyp_level_size(page_shift, 2) - w->block; /* across two upper tables */
    w->model = calloc(w->count, sizeof *w->model);
    assert_non_null(w->model);
    rig_init_config(&w->rig, config, 64);
    tlb_model_init(&w->tlb, &w->rig.pgt, w->base, w->count, fault);
}

static void world_free(struct world *w)
{
    free(w->model);
    tlb_model_free(&w->tlb);
    rig_free(&w->rig);
}

/* Steps until an oracle objects; `steps` when none does. */
static unsigned int run_on(const struct hyp_pgt_fmt *fmt, unsigned int page_shift, uint64_t flags,
                           enum tlb_fault fault, unsigned int steps)
{
    struct world w;
    unsigned int step = 0;
    uint64_t pages;

    world_init(&w, fmt, page_shift, flags, fault);
    pages = w.rig.machine.pool.free_pages;
    while (step < steps && operate(&w) && consistent(&w)) {
        step++;
        tlb_model_speculate(&w.tlb, 64);
        if (step % 16 == 0 && !fake_table_counts_true(&w.rig.pgt))
            break;
    }
    if (step == steps) {
        assert_int_equal(hyp_pgt_unmap(&w.rig.pgt, (hyp_ia_t){0}, UINT64_C(1) << 44, NULL), HYP_OK);
        assert_int_equal(w.rig.machine.pool.free_pages, pages);
    }
    world_free(&w);
    return step;
}

static unsigned int run(unsigned int page_shift, uint64_t flags, enum tlb_fault fault,
                        unsigned int steps)
{
    return run_on(&hyp_fmt_arm64_s2, page_shift, flags, fault, steps);
}

static void small_pages_agree_with_both_oracles_on_a_current_cpu(void **state)
{
    (void)state;
    assert_int_equal(run(12, RIG_MODERN, TLB_FAULT_NONE, 2000), 2000);
}

static void small_pages_agree_with_both_oracles_on_an_old_cpu(void **state)
{
    (void)state;
    assert_int_equal(run(12, RIG_OLD, TLB_FAULT_NONE, 2000), 2000);
}

static void middle_pages_agree_with_both_oracles(void **state)
{
    (void)state;
    assert_int_equal(run(14, RIG_MODERN, TLB_FAULT_NONE, 800), 800);
}

static void large_pages_agree_with_both_oracles(void **state)
{
    (void)state;
    assert_int_equal(run(16, RIG_MODERN, TLB_FAULT_NONE, 200), 200);
}

static void ept_agrees_with_both_oracles(void **state)
{
    (void)state;
    assert_int_equal(run_on(&hyp_fmt_ept, 12, 0, TLB_FAULT_NONE, 1200), 1200);
}

static void the_oracles_notice_what_is_wrong_with_ept(void **state)
{
    (void)state;
    assert_true(run_on(&hyp_fmt_ept, 12, 0, TLB_FAULT_NO_INVEPT, 3000) < 3000);
    assert_true(run_on(&hyp_fmt_ept, 12, 0, TLB_FAULT_ENTRY, 3000) < 3000);
}

static void the_oracles_notice_missing_invalidations(void **state)
{
    (void)state;
    assert_true(run(12, RIG_MODERN, TLB_FAULT_NO_IPA_FLUSH, 3000) < 3000);
    assert_true(run(12, RIG_OLD, TLB_FAULT_NO_IPA_FLUSH, 3000) < 3000);
    assert_true(run(12, RIG_MODERN, TLB_FAULT_NO_COMBINED_FLUSH, 3000) < 3000);
    assert_true(run(12, RIG_MODERN, TLB_FAULT_NO_RANGE_FLUSH, 3000) < 3000);
    assert_true(run(12, RIG_OLD, TLB_FAULT_NO_VMID_FLUSH, 3000) < 3000);
}

static void the_oracles_notice_a_missing_break(void **state)
{
    (void)state;
    assert_true(run(12, RIG_MODERN, TLB_FAULT_NO_BREAK, 3000) < 3000);
}

static void the_oracles_notice_a_wrong_entry(void **state)
{
    (void)state;
    assert_true(run(12, RIG_MODERN, TLB_FAULT_ENTRY, 3000) < 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_pages_agree_with_both_oracles_on_a_current_cpu),
        cmocka_unit_test(small_pages_agree_with_both_oracles_on_an_old_cpu),
        cmocka_unit_test(middle_pages_agree_with_both_oracles),
        cmocka_unit_test(large_pages_agree_with_both_oracles),
        cmocka_unit_test(ept_agrees_with_both_oracles),
        cmocka_unit_test(the_oracles_notice_what_is_wrong_with_ept),
        cmocka_unit_test(the_oracles_notice_missing_invalidations),
        cmocka_unit_test(the_oracles_notice_a_missing_break),
        cmocka_unit_test(the_oracles_notice_a_wrong_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
