/* SPDX-License-Identifier: MIT */
/*
 * Memory of the core: an early bump allocator, the buddy pool that takes over from it, and the
 * cache of pages that a host hands in for one vCPU.
 *
 * Pages that these hand out are zero. The pool zeroes when a page is freed, through the port.
 * Nothing here takes a lock; the owner of a pool serialises its use.
 */
#ifndef HYP_POOL_H
#define HYP_POOL_H

#include <hyp/bits.h>
#include <hyp/err.h>
#include <hyp/page.h>
#include <hyp/port.h>

#define HYP_MAX_ORDER 10 /* 4 MiB with 4K granule, as the kernel's MAX_PAGE_ORDER */

/* ---- early allocator ---- */

struct hyp_early {
    const struct hyp_port *port;
    hyp_pa_t base, end, cursor;
    unsigned int page_shift;
};

void hyp_early_init(struct hyp_early *early, const struct hyp_port *port, unsigned int page_shift,
                    hyp_pa_t base, uint64_t size);
/* `count` contiguous zeroed pages; HYP_EINVAL for 0, HYP_ENOMEM when not enough is left. */
HYP_MUST_USE enum hyp_err hyp_early_alloc(struct hyp_early *early, uint64_t count, hyp_pa_t *pa);
/* Pages handed out so far: they become the `reserved` pages of the pool that takes over. */
uint64_t hyp_early_used(const struct hyp_early *early);

/* ---- buddy pool ---- */

/* Which free block of an order is handed out next. */
enum hyp_reuse {
    HYP_REUSE_FIFO, /* the one that has been free longest, as the kernel: memory is used in turn */
    HYP_REUSE_LIFO, /* the one that was freed last, which the caches still know */
};

struct hyp_pool_policy {
    enum hyp_reuse reuse;
    unsigned int max_order; /* largest block, 1 to HYP_MAX_ORDER; 0: HYP_MAX_ORDER */
};

static inline bool hyp_pool_policy_valid(const struct hyp_pool_policy *policy)
{
    return policy->reuse <= HYP_REUSE_LIFO && policy->max_order <= HYP_MAX_ORDER;
}

struct hyp_pool {
    const struct hyp_port *port;
    const struct hyp_vmemmap *vmemmap;
    hyp_pfn_t first, end; /* pages that belong to the pool and may merge */
    unsigned int max_order;
    enum hyp_reuse reuse;
    uint32_t head[HYP_MAX_ORDER + 1], tail[HYP_MAX_ORDER + 1]; /* free lists, by order */
    uint64_t free_pages; /* pages on the free lists, external ones included */
};

/*
 * The pool owns pages [first, first + count); the first `reserved` of them are in use (reference
 * count 1, order 0), the others are freed one by one in ascending order, which zeroes and merges
 * them. max_order is the least of HYP_MAX_ORDER, the policy's and the order of count. count = 0
 * gives an empty pool that lives from external pages. A policy of NULL is the kernel's. HYP_EINVAL
 * for a range or a policy out of bounds.
 */
HYP_MUST_USE enum hyp_err hyp_pool_init(struct hyp_pool *pool, const struct hyp_port *port,
                                        const struct hyp_vmemmap *vmemmap, hyp_pfn_t first,
                                        uint64_t count, uint64_t reserved,
                                        const struct hyp_pool_policy *policy);
/* 2^order contiguous zeroed pages with reference count 1; HYP_ENOMEM leaves the pool unchanged. */
HYP_MUST_USE enum hyp_err hyp_pool_alloc(struct hyp_pool *pool, unsigned int order, hyp_pa_t *pa);
/*
 * One reference more or less, or `count` at once. At zero the block is zeroed, merged and freed
 * (reuse as the policy says). Pages outside the pool's range are external: order 0, never merged.
 * Over- and underflow panic, and so does a get on a page without references: it is free, or not the
 * pool's.
 */
void hyp_pool_get(struct hyp_pool *pool, hyp_pa_t pa);
void hyp_pool_put(struct hyp_pool *pool, hyp_pa_t pa);
void hyp_pool_get_many(struct hyp_pool *pool, hyp_pa_t pa, unsigned int count);
void hyp_pool_put_many(struct hyp_pool *pool, hyp_pa_t pa, unsigned int count);
/* An allocation of order n becomes 2^n allocations of order 0, each with reference count 1. */
void hyp_pool_split(struct hyp_pool *pool, hyp_pa_t pa);

/* ---- memcache ---- */

/*
 * A stack of single pages linked through their descriptors. `struct hyp_host_memcache` is the
 * host's form of the same: linked through the first word of each page (next pa), and not to be
 * trusted before each page was donated.
 */
struct hyp_memcache {
    uint32_t head; /* index into the vmemmap; HYP_PAGE_NONE when empty */
    uint32_t count;
};

struct hyp_host_memcache {
    hyp_pa_t head;
    uint64_t count;
};

void hyp_memcache_init(struct hyp_memcache *mc);
void hyp_memcache_push(struct hyp_memcache *mc, const struct hyp_vmemmap *vmemmap, hyp_pa_t page);
/* Takes one page, zeroed, with reference count 1 and order 0; HYP_ENOMEM when empty. */
HYP_MUST_USE enum hyp_err hyp_memcache_pop(struct hyp_memcache *mc, const struct hyp_port *port,
                                           const struct hyp_vmemmap *vmemmap, hyp_pa_t *page);

#endif
