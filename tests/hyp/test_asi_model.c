/* SPDX-License-Identifier: MIT */
/*
 * Random maps, unmaps and kernel changes over 8 MiB against a naive model: a page shows if the
 * kernel has it and some range's rounded extent covers it. What changed must have been INVLPG'd.
 */
#include "tests/hyp/test_asi_rig.h"

#define PAGES 2048u

struct asi_model {
    struct asi_rig *rig;
    uint64_t random;
    bool covered[PAGES];
    bool coarse[PAGES]; /* may be shown by a table of the kernel's, who then invalidates */
    bool kernel_step;
    uint64_t before[PAGES];
    bool deaf; /* seeded fault: invalidations are not heard */
    unsigned int refused, done;
};

static uint64_t draw(struct asi_model *model, uint64_t below)
{
    model->random = model->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (model->random >> 33) % below;
}

static uint64_t shown(const struct asi_model *model, unsigned int page)
{
    unsigned int level;
    const uint64_t pte = rig_leaf(&model->rig->asi.pgt, RIG_DIRECT + 4096 * (uint64_t)page, &level);

    return level == 0 ? pte : 0;
}

static void cover(struct asi_model *model)
{
    memset(model->covered, 0, sizeof model->covered);
    memset(model->coarse, 0, sizeof model->coarse);
    for (unsigned int i = 0; i < model->rig->asi.range_count; i++) {
        const struct hyp_asi_range *range = &model->rig->ranges[0][i];
        const uint64_t unit = range->level == HYP_ASI_PMD ? 512 : 1;
        const uint64_t offset = range->va.v - RIG_DIRECT;
        uint64_t first = offset >> 12, last = (offset + range->size - 1) >> 12;

        if (range->va.v < RIG_DIRECT || offset >= 4096 * (uint64_t)PAGES)
            continue;
        first -= first % unit;
        last += unit - 1 - last % unit;
        for (uint64_t page = first; page <= last; page++) {
            model->covered[page] = true;
            model->coarse[page] = model->coarse[page] || unit > 1;
        }
    }
}

static bool was_invalidated(const struct asi_model *model, unsigned int page)
{
    const struct fake_port *fake = &model->rig->machine.fake;

    for (size_t i = 0; i < fake->call_count && !model->deaf; i++) {
        if (fake->calls[i].addr == RIG_DIRECT + 4096 * (uint64_t)page)
            return true;
    }
    return false;
}

static bool holds(struct asi_model *model)
{
    cover(model);
    for (unsigned int page = 0; page < PAGES; page++) {
        unsigned int level;
        const uint64_t pte = shown(model, page);
        const uint64_t full =
            rig_leaf(&model->rig->full, RIG_DIRECT + 4096 * (uint64_t)page, &level);

        if (pte != (model->covered[page] && level == 0 ? full : 0))
            return false;
        if (model->before[page] && model->before[page] != pte &&
            !(model->kernel_step && model->coarse[page]) && !was_invalidated(model, page))
            return false;
        model->before[page] = pte;
    }
    return true;
}

static void change_kernel(struct asi_model *model, uint64_t va)
{
    const hyp_ia_t ia = {hyp_align_down(va, 4096) & HYP_MASK(47, 0)};
    const uint64_t generation = model->rig->asi.generation;
    unsigned int level;
    const bool there = hyp_pgt_leaf(&model->rig->full, ia, &level) != 0 && level == 0;

    /* A neighbour keeps the kernel's tables alive: they are not refreshed here. */
    if (there && (va >> 12) % 512 != 0)
        assert_int_equal(hyp_pgt_unmap(&model->rig->full, ia, 4096, NULL), 0);
    else if (!there)
        rig_full_map(model->rig, ia.v, 4096, 0x80000000 + 4096 * draw(model, 4096), HYP_PROT_R);
    /* INVLPG for the kernel's own is part of what is heard; only ours counts. */
    fake_port_reset(&model->rig->machine.fake);
    assert_int_equal(hyp_asi_refresh(&model->rig->asi, hyp_va(va), 1), 0);
    assert_true(model->rig->asi.generation > generation);
}

static void step(struct asi_model *model)
{
    struct asi_rig *rig = model->rig;
    const uint64_t offset = draw(model, 4096 * (uint64_t)PAGES - 1);
    const uint64_t what = draw(model, 8);
    const bool coarse = draw(model, 3) == 0;
    const uint64_t room = 4096 * (uint64_t)PAGES - offset, size = 1 + draw(model, room);
    enum hyp_err err = HYP_OK;
    struct asi_snapshot saved;

    model->kernel_step = what == 0;
    if (what == 0) {
        change_kernel(model, RIG_DIRECT + offset);
        return;
    }
    rig_save(&saved, rig);
    if (what < 5)
        err = hyp_asi_map_range(&rig->asi, hyp_va(RIG_DIRECT + offset), draw(model, 2) ? 1 : size,
                                coarse ? HYP_ASI_PMD : HYP_ASI_PTE, NULL);
    else if (rig->asi.range_count > 3)
        err =
            hyp_asi_unmap(&rig->asi, rig->ranges[0][3 + draw(model, rig->asi.range_count - 3)].va);
    if (err) {
        assert_true(rig_same(&saved, rig));
        model->refused++;
        return;
    }
    fake_snapshot_free(&saved.machine);
    model->done++;
}

static unsigned int run(struct asi_model *model, unsigned int steps)
{
    unsigned int i;

    for (i = 0; i < steps; i++) {
        fake_port_reset(&model->rig->machine.fake);
        step(model);
        if (!holds(model))
            break;
    }
    return i;
}

static void random_operations_agree_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct asi_model model = {.rig = rig_start(0), .random = seed};

        assert_int_equal(run(&model, 250), 250);
        assert_true(model.refused > 10 && model.done > 50);
        assert_true(fake_table_counts_true(&model.rig->asi.pgt));
        while (model.rig->asi.range_count > 3)
            assert_int_equal(hyp_asi_unmap(&model.rig->asi, model.rig->ranges[0][3].va), 0);
        assert_int_equal(model.rig->ranges[0][0].overlaps, 0);
        assert_int_equal(hyp_asi_destroy(&model.rig->asi), 0);
        assert_int_equal(model.rig->pool.free_pages, 256);
        rig_end(model.rig);
    }
}

static void the_model_notices_missing_invalidations(void **state)
{
    struct asi_model model = {.rig = rig_start(0), .random = 1, .deaf = true};

    (void)state;
    assert_true(run(&model, 250) < 250);
    rig_end(model.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_agree_with_the_model),
        cmocka_unit_test(the_model_notices_missing_invalidations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
