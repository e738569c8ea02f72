/* SPDX-License-Identifier: MIT */
/*
 * The buddy pool. All of its state is in the page descriptors and in struct hyp_pool; the pages
 * themselves are only ever zeroed. Pages are named by their index in the vmemmap.
 *
 * What a descriptor inside the pool says:
 *   head of a free block        refcount 0, order n, linked into list n
 *   head of an allocated block  refcount > 0, order n, links 0
 *   any other page of a block   refcount 0, order HYP_ORDER_TAIL
 * A buddy may be merged with exactly when it is the head of a free block of the same order.
 */
#include <hyp/pool.h>

static struct hyp_page *page_at(const struct hyp_pool *pool, uint32_t index)
{
    return &pool->vmemmap->base[index];
}

static uint32_t index_of(const struct hyp_pool *pool, hyp_pa_t pa)
{
    return (uint32_t)((pa.v >> pool->vmemmap->page_shift) - pool->vmemmap->first);
}

static hyp_pa_t pa_of(const struct hyp_pool *pool, uint32_t index)
{
    return hyp_pa((pool->vmemmap->first + index) << pool->vmemmap->page_shift);
}

static void list_append(struct hyp_pool *pool, unsigned int order, uint32_t index)
{
    struct hyp_page *page = page_at(pool, index);
    const uint32_t last = pool->tail[order];

    page->next = HYP_PAGE_NONE;
    page->prev = last;
    pool->tail[order] = index;
    if (last == HYP_PAGE_NONE)
        pool->head[order] = index;
    else
        page_at(pool, last)->next = index;
}

static void list_remove(struct hyp_pool *pool, unsigned int order, uint32_t index)
{
    struct hyp_page *page = page_at(pool, index);

    if (page->prev == HYP_PAGE_NONE)
        pool->head[order] = page->next;
    else
        page_at(pool, page->prev)->next = page->next;
    if (page->next == HYP_PAGE_NONE)
        pool->tail[order] = page->prev;
    else
        page_at(pool, page->next)->prev = page->prev;
    page->next = 0;
    page->prev = 0;
}

/* The block that was freed first, of a list that is not empty. */
static uint32_t list_take_first(struct hyp_pool *pool, unsigned int order)
{
    const uint32_t index = pool->head[order];
    struct hyp_page *page = page_at(pool, index);
    const uint32_t next = page->next;

    pool->head[order] = next;
    if (next == HYP_PAGE_NONE)
        pool->tail[order] = HYP_PAGE_NONE;
    else
        page_at(pool, next)->prev = HYP_PAGE_NONE;
    page->next = 0;
    page->prev = 0;
    return index;
}

/* The one that was freed last. */
static uint32_t list_take_last(struct hyp_pool *pool, unsigned int order)
{
    const uint32_t index = pool->tail[order];
    struct hyp_page *page = page_at(pool, index);
    const uint32_t previous = page->prev;

    pool->tail[order] = previous;
    if (previous == HYP_PAGE_NONE)
        pool->head[order] = HYP_PAGE_NONE;
    else
        page_at(pool, previous)->next = HYP_PAGE_NONE;
    page->next = 0;
    page->prev = 0;
    return index;
}

/* Zeroed block of `order`, already merged as far as it goes: becomes allocatable. */
static void add_free(struct hyp_pool *pool, unsigned int order, uint32_t index)
{
    page_at(pool, index)->order = (uint8_t)order;
    list_append(pool, order, index);
}

/* Smallest order whose blocks hold `count` pages. */
static unsigned int order_of(uint64_t count)
{
    unsigned int order = 0;

    while (order < HYP_MAX_ORDER && (UINT64_C(1) << order) < count)
        order++;
    return order;
}

/*
 * Frees [pfn, end) as freeing page by page in ascending order would: each maximal aligned block
 * ends up whole, and within a list the addresses ascend.
 */
static void free_range(struct hyp_pool *pool, hyp_pfn_t pfn, hyp_pfn_t end)
{
    const unsigned int page_shift = pool->vmemmap->page_shift;

    while (pfn < end) {
        const uint32_t index = (uint32_t)(pfn - pool->vmemmap->first);
        unsigned int order = 0;

        while (order < pool->max_order && (pfn & ((UINT64_C(2) << order) - 1)) == 0 &&
               (UINT64_C(2) << order) <= end - pfn)
            order++;
        for (uint32_t i = 0; i < (UINT32_C(1) << order); i++) {
            struct hyp_page *page = page_at(pool, index + i);

            page->next = 0;
            page->prev = 0;
            page->refcount = 0;
            page->order = HYP_ORDER_TAIL;
        }
        pool->port->page_zero(pool->port->ctx, pa_of(pool, index),
                              UINT64_C(1) << (page_shift + order));
        add_free(pool, order, index);
        pool->free_pages += UINT64_C(1) << order;
        pfn += UINT64_C(1) << order;
    }
}

enum hyp_err hyp_pool_init(struct hyp_pool *pool, const struct hyp_port *port,
                           const struct hyp_vmemmap *vmemmap, hyp_pfn_t first, uint64_t count,
                           uint64_t reserved, const struct hyp_pool_policy *policy)
{
    const struct hyp_pool_policy wanted = policy ? *policy : (struct hyp_pool_policy){0};

    if (reserved > count || !hyp_pool_policy_valid(&wanted))
        return HYP_EINVAL;
    if (count > 0 && (first < vmemmap->first || first + count < first ||
                      first + count - vmemmap->first > HYP_PAGE_NONE))
        return HYP_EINVAL;

    pool->port = port;
    pool->vmemmap = vmemmap;
    pool->first = first;
    pool->end = first + count;
    pool->max_order = order_of(count);
    if (wanted.max_order && wanted.max_order < pool->max_order)
        pool->max_order = wanted.max_order;
    pool->reuse = wanted.reuse;
    pool->free_pages = 0;
    for (unsigned int order = 0; order <= HYP_MAX_ORDER; order++) {
        pool->head[order] = HYP_PAGE_NONE;
        pool->tail[order] = HYP_PAGE_NONE;
    }
    for (uint64_t i = 0; i < reserved; i++) {
        struct hyp_page *page = hyp_page_of_pfn(vmemmap, first + i);

        page->next = 0;
        page->prev = 0;
        page->refcount = 1;
        page->order = 0;
    }
    free_range(pool, first + reserved, pool->end);
    return HYP_OK;
}

enum hyp_err hyp_pool_alloc(struct hyp_pool *pool, unsigned int order, hyp_pa_t *pa)
{
    struct hyp_page *page;
    unsigned int have = order;
    uint32_t index;

    while (have <= pool->max_order && pool->head[have] == HYP_PAGE_NONE)
        have++;
    if (have > pool->max_order)
        return HYP_ENOMEM;

    index = HYP_LIKELY(pool->reuse == HYP_REUSE_FIFO) ? list_take_first(pool, have)
                                                      : list_take_last(pool, have);
    while (have > order) {
        have--;
        add_free(pool, have, index + (UINT32_C(1) << have));
    }
    page = page_at(pool, index);
    page->order = (uint8_t)order;
    page->refcount = 1;
    pool->free_pages -= UINT64_C(1) << order;
    *pa = pa_of(pool, index);
    return HYP_OK;
}

/* The last reference is gone: zero, merge, free. */
static void release(struct hyp_pool *pool, struct hyp_page *page, hyp_pa_t pa)
{
    const struct hyp_vmemmap *vmemmap = pool->vmemmap;
    const hyp_pfn_t pfn = pa.v >> vmemmap->page_shift;
    const bool external = pfn < pool->first || pfn >= pool->end;
    unsigned int order = external ? 0 : page->order;
    uint32_t index = (uint32_t)(pfn - vmemmap->first);

    pool->port->page_zero(pool->port->ctx, pa_of(pool, index),
                          UINT64_C(1) << (vmemmap->page_shift + order));
    pool->free_pages += UINT64_C(1) << order;
    page->order = HYP_ORDER_TAIL;
    while (!external && order < pool->max_order) {
        const hyp_pfn_t buddy_pfn = (vmemmap->first + index) ^ (UINT64_C(1) << order);
        const uint32_t buddy = (uint32_t)(buddy_pfn - vmemmap->first);

        if (buddy_pfn < pool->first || buddy_pfn >= pool->end)
            break;
        if (page_at(pool, buddy)->refcount != 0 || page_at(pool, buddy)->order != order)
            break;
        list_remove(pool, order, buddy);
        page_at(pool, buddy)->order = HYP_ORDER_TAIL;
        if (buddy < index)
            index = buddy;
        order++;
    }
    add_free(pool, order, index);
}

static inline void get_refs(struct hyp_pool *pool, hyp_pa_t pa, unsigned int count)
{
    struct hyp_page *page = hyp_page_of(pool->vmemmap, pa);
    const unsigned int refs = page->refcount;

    if (HYP_UNLIKELY(refs == 0 || count > UINT16_MAX - refs))
        HYP_PANIC(pool->port, "reference to a free page, or one reference too many");
    page->refcount = (uint16_t)(refs + count);
}

static inline void put_refs(struct hyp_pool *pool, hyp_pa_t pa, unsigned int count)
{
    struct hyp_page *page = hyp_page_of(pool->vmemmap, pa);
    const unsigned int refs = page->refcount;

    if (HYP_UNLIKELY(refs == 0 || count > refs))
        HYP_PANIC(pool->port, "page reference count underflows");
    page->refcount = (uint16_t)(refs - count);
    if (refs == count)
        release(pool, page, pa);
}

void hyp_pool_get_many(struct hyp_pool *pool, hyp_pa_t pa, unsigned int count)
{
    get_refs(pool, pa, count);
}

void hyp_pool_put_many(struct hyp_pool *pool, hyp_pa_t pa, unsigned int count)
{
    put_refs(pool, pa, count);
}

void hyp_pool_get(struct hyp_pool *pool, hyp_pa_t pa)
{
    get_refs(pool, pa, 1);
}

void hyp_pool_put(struct hyp_pool *pool, hyp_pa_t pa)
{
    put_refs(pool, pa, 1);
}

void hyp_pool_split(struct hyp_pool *pool, hyp_pa_t pa)
{
    const uint32_t index = index_of(pool, pa);
    const unsigned int order = page_at(pool, index)->order;

    if (HYP_UNLIKELY(page_at(pool, index)->refcount == 0 || order > HYP_MAX_ORDER))
        HYP_PANIC(pool->port, "split of what is not an allocation");
    for (uint32_t i = 0; i < (UINT32_C(1) << order); i++) {
        page_at(pool, index + i)->order = 0;
        page_at(pool, index + i)->refcount = 1;
    }
}
