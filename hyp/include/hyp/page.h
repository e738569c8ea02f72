/* SPDX-License-Identifier: MIT */
/*
 * Page descriptors: one for each page of RAM, in an array indexed by pfn that the caller supplies
 * (the vmemmap). All links live here, never inside the pages themselves.
 *
 * A descriptor of zeroes means: reference count 0, order 0, owned by the host, unknown to the
 * hypervisor. That is the truth for every page before boot.
 */
#ifndef HYP_PAGE_H
#define HYP_PAGE_H

#include <hyp/addr.h>

/* Page states, as seen by one party. */
enum hyp_page_state {
    HYP_PAGE_OWNED = 0,
    HYP_PAGE_SHARED_OWNED = 1,
    HYP_PAGE_SHARED_BORROWED = 2,
    HYP_PAGE_NOPAGE = 3,
};

/* Who borrows a page that the host shares (struct hyp_page.borrower); bits. */
enum hyp_borrower {
    HYP_BORROWER_HYP = 1 << 0,
    HYP_BORROWER_FFA = 1 << 1,
    HYP_BORROWER_GUEST = 1 << 2,
};

#define HYP_ORDER_TAIL 0xff       /* not the first page of its block */
#define HYP_PAGE_NONE  UINT32_MAX /* end of a list of descriptors */

struct hyp_page {
    uint32_t prev; /* of a pool's free list */
    union {
        uint32_t next;        /* of a free list or memcache: index into the vmemmap */
        uint32_t share_count; /* guests that borrow the page, while the host shares it */
    };
    union {
        struct {
            uint16_t refcount;
            uint8_t order;
            uint8_t host_state : 2;      /* enum hyp_page_state */
            uint8_t hyp_state_compl : 2; /* complement of one, so that 0 is NOPAGE */
            uint8_t borrower : 4;        /* enum hyp_borrower bits, while the host shares it */
        };
        uint32_t states; /* these five as one */
    };
};

static inline enum hyp_page_state hyp_page_hyp_state(const struct hyp_page *page)
{
    return (enum hyp_page_state)(page->hyp_state_compl ^ 3);
}

static inline void hyp_page_set_hyp_state(struct hyp_page *page, enum hyp_page_state state)
{
    page->hyp_state_compl = ((unsigned int)state ^ 3u) & 3u;
}

static inline enum hyp_page_state hyp_page_host_state(const struct hyp_page *page)
{
    return (enum hyp_page_state)page->host_state;
}

/*
 * The array of descriptors. `base[0]` belongs to the page with number `first`; only the part that
 * belongs to RAM needs to be backed by memory.
 */
struct hyp_vmemmap {
    struct hyp_page *base;
    hyp_pfn_t first;
    unsigned int page_shift;
};

static inline struct hyp_page *hyp_page_of_pfn(const struct hyp_vmemmap *vmemmap, hyp_pfn_t pfn)
{
    return &vmemmap->base[pfn - vmemmap->first];
}

static inline struct hyp_page *hyp_page_of(const struct hyp_vmemmap *vmemmap, hyp_pa_t pa)
{
    return hyp_page_of_pfn(vmemmap, pa.v >> vmemmap->page_shift);
}

static inline hyp_pa_t hyp_page_pa(const struct hyp_vmemmap *vmemmap, const struct hyp_page *page)
{
    return hyp_pa((uint64_t)(vmemmap->first + (hyp_pfn_t)(page - vmemmap->base))
                  << vmemmap->page_shift);
}

#endif
