/* SPDX-License-Identifier: MIT */
/*
 * The seam of the core: everything it needs from its surroundings, in one table of callbacks.
 *
 * Contract for every implementation:
 *  - each callback gets `ctx` back as its first argument;
 *  - callbacks may be called while the core holds locks, and never call back into the core;
 *  - none of them may fail, except through `panic`, which does not return;
 *  - `pte_store` and `pte_fill` have release ordering: a walker that sees the new entry sees
 *    everything stored before it;
 *  - addresses are physical and naturally aligned. The core never turns one into a pointer.
 *
 * There is no allocation callback: memory comes from pools the caller gave to the core.
 */
#ifndef HYP_PORT_H
#define HYP_PORT_H

#include <hyp/addr.h>
#include <hyp/bits.h>

/* Barriers. The architecture's own are stronger or equal: "DSB ISHST" and friends, see the names.
 * A hypervisor on x86 asks for none: stores are seen in order. */
enum hyp_barrier {
    HYP_DSB_ISHST, /* stores visible to table walkers before what follows */
    HYP_DSB_ISH,   /* invalidation complete on all CPUs */
    HYP_DSB_NSH,   /* invalidation complete on this CPU */
    HYP_ISB,       /* this CPU refetches with the new context */
};

/*
 * TLB invalidations. Each names one instruction of the Arm manual (D8.17 "TLB maintenance
 * instructions") or one loop of it; barriers are separate calls. The last two are x86's.
 */
enum hyp_tlbi {
    HYP_TLBI_IPAS2E1IS,    /* stage-2 entries of one ipa range and vmid. Combined entries stay! */
    HYP_TLBI_RIPAS2E1IS,   /* the same by one range instruction */
    HYP_TLBI_VMALLE1IS,    /* all stage-1 and combined entries of a vmid, broadcast */
    HYP_TLBI_VMALLE1,      /* the same on this CPU only */
    HYP_TLBI_VMALLS12E1IS, /* all stage-1 and stage-2 entries of a vmid, broadcast */
    HYP_TLBI_VMALLS12E1,   /* the same on this CPU only */
    HYP_TLBI_IPAS2E1,      /* as IPAS2E1IS, this CPU only */
    HYP_TLBI_VALE2IS,      /* last-level entries of one EL2 va, broadcast */
    HYP_TLBI_VAE2IS,       /* entries of one EL2 va, walk caches too, broadcast */
    HYP_TLBI_ALLE2,        /* everything of EL2, this CPU only */
    HYP_TLBI_ALLE1IS,      /* everything of EL1&0, all vmids, broadcast */
    /*
     * x86 has no broadcast: the port interrupts the other CPUs that may hold what goes, and returns
     * when all are done. No barrier follows.
     */
    HYP_TLBI_INVEPT,     /* single-context INVEPT on all CPUs: all of the table at `root` */
    HYP_TLBI_INVLPG_ALL, /* INVLPG on all CPUs of one va of the hypervisor's own */
    HYP_TLBI_COUNT
};

struct hyp_tlb_inv {
    enum hyp_tlbi op;
    uint16_t vmid;  /* EL1&0 operations: the vmid that the instruction runs under */
    int8_t level;   /* level hint, 0 is the page; -1 is no hint */
    uint64_t start; /* first input address (ipa or va); ops without an address: 0 */
    uint64_t size;  /* bytes; one granule for single-address operations */
    hyp_pa_t root;  /* INVEPT: the table's root, EPTP[51:12]; else 0 */
};

enum hyp_cache_op {
    HYP_CACHE_CLEAN_POC, /* data cache clean (and invalidate) to the point of coherency */
    HYP_CACHE_INVAL_POU, /* instruction cache invalidate */
};

/* A translation root that takes effect on the CPU at hand. */
enum hyp_root_kind { HYP_ROOT_EL2_STAGE1, HYP_ROOT_STAGE2 };

struct hyp_root {
    enum hyp_root_kind kind;
    hyp_pa_t pgd;
    uint64_t tcr;  /* TCR_EL2 or VTCR_EL2; x86: CR3 or EPTP */
    uint64_t mair; /* EL2 stage 1 only; x86: the PAT */
    uint16_t vmid; /* stage 2 only */
};

/*
 * Locks, in the order in which they may be taken: a set is always taken in ascending bit order in
 * one call, so that the order is kept by construction. A port may let one lock stand for HOST and
 * HYP: whoever wants HYP wants HOST as well, but for private mappings.
 */
enum hyp_lock {
    HYP_LOCK_VM_TABLE = 1 << 0,
    HYP_LOCK_HOST = 1 << 1,
    HYP_LOCK_HYP = 1 << 2,
    HYP_LOCK_GUEST = 1 << 3, /* of the vm whose slot goes with it */
};

/* What happened inside the core: for statistics and for checkers, never needed for correctness. */
enum hyp_event_kind {
    HYP_EV_BLOCK_SPLIT,    /* a block was replaced by a table; level: of the block */
    HYP_EV_BLOCK_COLLAPSE, /* a table was replaced by a block; level: of the block */
    HYP_EV_TABLE_ALLOC,    /* pa: the new table page */
    HYP_EV_TABLE_FREE,     /* pa: the freed table page */
    HYP_EV_HOST_MAP,       /* host stage 2 mapped on demand; level, pa, size */
    HYP_EV_HOST_INJECT,    /* an abort was injected into the host; pa */
    HYP_EV_HOST_RECYCLE,   /* all MMIO mappings were dropped for want of table pages */
    HYP_EV_TRANSITION,     /* ownership changed; pa, size; level is the operation (hyp/owner.h) */
    HYP_EV_COUNT
};

struct hyp_event {
    enum hyp_event_kind kind;
    int level;
    hyp_pa_t pa;
    uint64_t size;
};

struct hyp_port {
    void *ctx;
    /* One 64-bit word of memory: a table entry, or the link word of a host memcache page. */
    uint64_t (*pte_load)(void *ctx, hyp_pa_t slot);
    void (*pte_store)(void *ctx, hyp_pa_t slot, uint64_t pte);
    /* `count` entries from `slot`: first, first + step, first + 2 * step, ... */
    void (*pte_fill)(void *ctx, hyp_pa_t slot, uint64_t first, uint64_t step, unsigned int count);
    /* Reads `count` consecutive entries into `out`; they do not cross a granule. */
    void (*pte_read)(void *ctx, hyp_pa_t slot, uint64_t *out, unsigned int count);
    /* Zeroes or fills whole pages; size is a multiple of the granule. */
    void (*page_zero)(void *ctx, hyp_pa_t page, uint64_t size);
    void (*barrier)(void *ctx, enum hyp_barrier kind);
    void (*tlb_inv)(void *ctx, const struct hyp_tlb_inv *inv);
    void (*cache_sync)(void *ctx, hyp_pa_t base, uint64_t size, enum hyp_cache_op op);
    /* Makes a root take effect on this CPU; the port performs the register writes and the ISB. */
    void (*root_set)(void *ctx, const struct hyp_root *root);
    /* NULL where nothing runs concurrently. `set` is an or of enum hyp_lock. */
    void (*lock)(void *ctx, unsigned int set, unsigned int vm_slot);
    void (*unlock)(void *ctx, unsigned int set, unsigned int vm_slot);
    /* NULL when nobody listens. */
    void (*event)(void *ctx, const struct hyp_event *event);
    /* The core is broken: does not return. */
    void (*panic)(void *ctx, const char *what, const char *file, int line);
};

/* For bugs of the core or of its caller, never for refusals. Stays on in release builds. */
#define HYP_PANIC(port, what) (port)->panic((port)->ctx, what, __FILE__, __LINE__)
#define HYP_ASSERT(port, condition)                                                                \
    do {                                                                                           \
        if (HYP_UNLIKELY(!(condition)))                                                            \
            HYP_PANIC(port, "not true: " #condition);                                              \
    } while (0)

#endif
