/* SPDX-License-Identifier: MIT */
/*
 * The buddy pool. A tiny pool is driven through every sequence of operations to a depth and
 * compared, after each step, with a model that does the same in the plainest way: whole lists,
 * whole descriptors, and which pages are known to be zero.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/fake_port.h"

#include <stdlib.h>
#include <string.h>

/* ---- a pool of six pages, unaligned at both ends, and one external page ---- */

#define FIRST    3u /* pool: pages 3 to 8 */
#define POOL     6u
#define EXTERNAL 9u
#define PAGES    10u
#define ORDERS   4u

struct model {
    struct hyp_pool_policy policy;
    unsigned int ref[PAGES], order[PAGES];
    unsigned int list[ORDERS][PAGES], length[ORDERS];
};

struct tiny {
    struct hyp_port port;
    struct hyp_vmemmap vmemmap;
    struct hyp_pool pool;
    struct hyp_page pages[PAGES];
    bool dirty[PAGES];
    struct model model;
    struct faults *faults;
};

/* What may be broken on purpose, to see that the comparison notices. */
enum fault { FAULT_NONE, FAULT_ZERO, FAULT_ORDER_OF_REUSE, FAULT_TAIL_ORDER, FAULT_COUNT };

struct faults {
    enum fault kind;
    uint64_t steps;
};

static void tiny_zero(void *ctx, hyp_pa_t page, uint64_t size)
{
    struct tiny *tiny = ctx;
    uint64_t pages = size >> 12;

    if (tiny->faults->kind == FAULT_ZERO)
        pages--;
    for (uint64_t i = 0; i < pages; i++)
        tiny->dirty[(page.v >> 12) + i] = false;
}

static void tiny_panic(void *ctx, const char *what, const char *file, int line)
{
    (void)ctx;
    (void)line;
    fail_msg("panic in %s: %s", file, what);
}

/* ---- the model ---- */

static void model_append(struct model *m, unsigned int order, unsigned int page)
{
    m->order[page] = order;
    m->list[order][m->length[order]++] = page;
}

static void model_take(struct model *m, unsigned int order, unsigned int page)
{
    unsigned int at = 0;

    while (m->list[order][at] != page)
        at++;
    m->length[order]--;
    for (; at < m->length[order]; at++)
        m->list[order][at] = m->list[order][at + 1];
}

static bool model_is_free(const struct model *m, unsigned int page, unsigned int order)
{
    for (unsigned int i = 0; i < m->length[order]; i++) {
        if (m->list[order][i] == page)
            return true;
    }
    return false;
}

static void model_free(struct model *m, unsigned int page)
{
    unsigned int order = m->order[page];

    m->order[page] = HYP_ORDER_TAIL;
    while (page != EXTERNAL && order < m->policy.max_order) {
        const unsigned int buddy = page ^ (1u << order);

        if (buddy < FIRST || buddy >= FIRST + POOL || !model_is_free(m, buddy, order))
            break;
        model_take(m, order, buddy);
        m->order[buddy] = HYP_ORDER_TAIL;
        page = page < buddy ? page : buddy;
        order++;
    }
    model_append(m, order, page);
}

static void model_put(struct model *m, unsigned int page)
{
    if (--m->ref[page] == 0)
        model_free(m, page);
}

/* PAGES: refused. */
static unsigned int model_alloc(struct model *m, unsigned int order)
{
    unsigned int have = order, page;

    while (have < ORDERS && m->length[have] == 0)
        have++;
    if (have == ORDERS)
        return PAGES;
    page = m->list[have][m->policy.reuse == HYP_REUSE_LIFO ? m->length[have] - 1 : 0];
    model_take(m, have, page);
    while (have-- > order)
        model_append(m, have, page + (1u << have));
    m->order[page] = order;
    m->ref[page] = 1;
    return page;
}

static void model_split(struct model *m, unsigned int page)
{
    const unsigned int order = m->order[page];

    for (unsigned int i = 0; i < 1u << order; i++) {
        m->order[page + i] = 0;
        m->ref[page + i] = 1;
    }
}

/* ---- comparison ---- */

static bool same_list(const struct tiny *tiny, unsigned int order)
{
    const struct model *m = &tiny->model;
    uint32_t previous = HYP_PAGE_NONE, page = tiny->pool.head[order];

    for (unsigned int i = 0; i < m->length[order]; i++) {
        if (page != m->list[order][i] || tiny->pages[page].prev != previous)
            return false;
        previous = page;
        page = tiny->pages[page].next;
    }
    return page == HYP_PAGE_NONE && tiny->pool.tail[order] == previous;
}

static bool same_state(const struct tiny *tiny)
{
    const struct model *m = &tiny->model;
    uint64_t free_pages = 0;

    for (unsigned int i = FIRST; i < PAGES; i++) {
        if (tiny->pages[i].refcount != m->ref[i] || tiny->pages[i].order != m->order[i])
            return false;
        if (m->ref[i] > 0 && (tiny->pages[i].next != 0 || tiny->pages[i].prev != 0))
            return false;
    }
    for (unsigned int order = 0; order < ORDERS; order++) {
        free_pages += (uint64_t)m->length[order] << order;
        if (!same_list(tiny, order))
            return false;
        for (unsigned int i = 0; i < m->length[order] << order; i++) {
            if (tiny->dirty[m->list[order][i >> order] + (i & ((1u << order) - 1))])
                return false;
        }
    }
    return tiny->pool.free_pages == free_pages;
}

/* ---- every sequence ---- */

static bool tiny_init(struct tiny *tiny, struct faults *faults, unsigned int reserved,
                      const struct hyp_pool_policy *policy)
{
    struct model *m = &tiny->model;

    memset(tiny, 0, sizeof *tiny);
    tiny->faults = faults;
    tiny->port = (struct hyp_port){.ctx = tiny, .page_zero = tiny_zero, .panic = tiny_panic};
    tiny->vmemmap = (struct hyp_vmemmap){.base = tiny->pages, .first = 0, .page_shift = 12};
    memset(tiny->dirty, true, sizeof tiny->dirty);
    if (hyp_pool_init(&tiny->pool, &tiny->port, &tiny->vmemmap, FIRST, POOL, reserved, policy))
        return false;
    m->policy = *policy;
    for (unsigned int i = FIRST; i < FIRST + POOL; i++)
        m->ref[i] = 1;
    for (unsigned int i = FIRST + reserved; i < FIRST + POOL; i++)
        model_put(m, i);
    /* A page that came from a memcache. */
    tiny->pages[EXTERNAL].refcount = 1;
    m->ref[EXTERNAL] = 1;
    return same_state(tiny);
}

/* A copy lives elsewhere: its pointers must, too. */
static void tiny_copy(struct tiny *copy, const struct tiny *tiny)
{
    *copy = *tiny;
    copy->port.ctx = copy;
    copy->vmemmap.base = copy->pages;
    copy->pool.port = &copy->port;
    copy->pool.vmemmap = &copy->vmemmap;
}

static bool step_alloc(struct tiny *tiny, unsigned int order)
{
    const unsigned int expected = model_alloc(&tiny->model, order);
    hyp_pa_t pa = {0};
    const enum hyp_err err = hyp_pool_alloc(&tiny->pool, order, &pa);

    if (expected == PAGES)
        return err == HYP_ENOMEM;
    if (err || pa.v != (uint64_t)expected << 12)
        return false;
    for (unsigned int i = 0; i < 1u << order; i++) {
        if (tiny->dirty[expected + i])
            return false;
        tiny->dirty[expected + i] = true;
    }
    return true;
}

static void spoil(struct tiny *tiny)
{
    struct hyp_pool *pool = &tiny->pool;

    if (tiny->faults->kind == FAULT_ORDER_OF_REUSE && pool->head[0] != pool->tail[0]) {
        const uint32_t head = pool->head[0], tail = pool->tail[0];

        if (tiny->pages[head].next != tail)
            return;
        pool->head[0] = tail;
        pool->tail[0] = head;
        tiny->pages[tail].next = head;
        tiny->pages[head].prev = tail;
        tiny->pages[tail].prev = tiny->pages[head].next = HYP_PAGE_NONE;
    }
    if (tiny->faults->kind == FAULT_TAIL_ORDER && pool->head[1] != HYP_PAGE_NONE)
        tiny->pages[pool->head[1] + 1].order = 0;
}

static bool step_page(struct tiny *tiny, unsigned int what, unsigned int page)
{
    const hyp_pa_t pa = hyp_pa((uint64_t)page << 12);

    switch (what) {
    case 0:
        hyp_pool_put(&tiny->pool, pa);
        model_put(&tiny->model, page);
        spoil(tiny);
        break;
    case 1:
        hyp_pool_get(&tiny->pool, pa);
        tiny->model.ref[page]++;
        break;
    default:
        hyp_pool_split(&tiny->pool, pa);
        model_split(&tiny->model, page);
        break;
    }
    return true;
}

/* False as soon as pool and model differ anywhere below this state. */
static bool explore(const struct tiny *tiny, unsigned int depth)
{
    struct tiny next;

    if (depth == 0)
        return true;
    for (unsigned int order = 0; order < ORDERS; order++) {
        tiny_copy(&next, tiny);
        next.faults->steps++;
        if (!step_alloc(&next, order) || !same_state(&next) || !explore(&next, depth - 1))
            return false;
    }
    for (unsigned int page = FIRST; page < PAGES; page++) {
        for (unsigned int what = 0; what < 3; what++) {
            if (tiny->model.ref[page] == 0 || (what == 1 && tiny->model.ref[page] > 2))
                continue;
            if (what == 2 && (tiny->model.order[page] == 0 || tiny->model.ref[page] != 1))
                continue;
            tiny_copy(&next, tiny);
            next.faults->steps++;
            if (!step_page(&next, what, page) || !same_state(&next) || !explore(&next, depth - 1))
                return false;
        }
    }
    return true;
}

static bool agrees_under(const struct hyp_pool_policy *policy, enum fault kind,
                         unsigned int reserved, unsigned int depth, uint64_t *steps)
{
    struct faults faults = {.kind = kind};
    struct tiny tiny;
    const bool same = tiny_init(&tiny, &faults, reserved, policy) && explore(&tiny, depth);

    if (steps)
        *steps = faults.steps;
    return same;
}

static bool agrees(enum fault kind, unsigned int reserved, unsigned int depth, uint64_t *steps)
{
    static const struct hyp_pool_policy kernel = {HYP_REUSE_FIFO, ORDERS - 1};

    return agrees_under(&kernel, kind, reserved, depth, steps);
}

static void every_sequence_of_operations_agrees_with_the_model(void **state)
{
    uint64_t steps;

    (void)state;
    assert_true(agrees(FAULT_NONE, 0, 7, &steps));
    assert_true(steps > 1000000);
    assert_true(agrees(FAULT_NONE, 2, 6, NULL));
    assert_true(agrees(FAULT_NONE, POOL, 6, NULL));
}

static void every_sequence_agrees_when_the_block_freed_last_is_reused_first(void **state)
{
    static const struct hyp_pool_policy lifo = {HYP_REUSE_LIFO, ORDERS - 1};

    (void)state;
    assert_true(agrees_under(&lifo, FAULT_NONE, 0, 6, NULL));
    assert_true(agrees_under(&lifo, FAULT_NONE, 2, 6, NULL));
    assert_false(agrees_under(&lifo, FAULT_ORDER_OF_REUSE, 0, 5, NULL));
}

static void every_sequence_agrees_when_blocks_are_kept_small(void **state)
{
    static const struct hyp_pool_policy pairs = {HYP_REUSE_FIFO, 1};

    (void)state;
    assert_true(agrees_under(&pairs, FAULT_NONE, 0, 6, NULL));
    assert_true(agrees_under(&pairs, FAULT_NONE, 2, 6, NULL));
}

static void the_comparison_notices_a_page_that_was_not_zeroed(void **state)
{
    (void)state;
    assert_false(agrees(FAULT_ZERO, 0, 4, NULL));
}

static void the_comparison_notices_another_order_of_reuse(void **state)
{
    (void)state;
    assert_false(agrees(FAULT_ORDER_OF_REUSE, 0, 5, NULL));
}

static void the_comparison_notices_a_wrong_order_in_a_tail(void **state)
{
    (void)state;
    assert_false(agrees(FAULT_TAIL_ORDER, 0, 4, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_operations_agrees_with_the_model),
        cmocka_unit_test(every_sequence_agrees_when_the_block_freed_last_is_reused_first),
        cmocka_unit_test(every_sequence_agrees_when_blocks_are_kept_small),
        cmocka_unit_test(the_comparison_notices_a_page_that_was_not_zeroed),
        cmocka_unit_test(the_comparison_notices_another_order_of_reuse),
        cmocka_unit_test(the_comparison_notices_a_wrong_order_in_a_tail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
