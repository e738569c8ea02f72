/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hardware model: walkers, TLBs, walk caches and invalidation of one machine with 1 to 256
 * CPUs.
 *
 * Translation is done from architectural state: system registers in, tables read through the port,
 * architectural syndromes out. Written from the Arm Architecture Reference Manual (DDI 0487, part
 * D8 "The AArch64 Virtual Memory System Architecture"); shares no descriptor code with hyp/.
 *
 * Levels count up from the page (0 is the page), as everywhere in this project; syndromes and TLBI
 * operands carry the manual's numbers. All costs are integer cycles.
 */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include <hyp/addr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmu/counters.h"

/* ---- what the model needs from its surroundings ---- */

struct mmu_stale;

struct mmu_port {
    void *ctx;
    /* One 64-bit word of memory; *ok = false when nothing answers at that address. */
    uint64_t (*load)(void *ctx, hyp_pa_t pa, bool *ok);
    /* Compare and swap, for hardware access-flag and dirty-state updates. */
    bool (*swap)(void *ctx, hyp_pa_t pa, uint64_t old, uint64_t desired);
    /* A cached translation was used that the tables no longer give (check.stale). May be NULL. */
    void (*stale)(void *ctx, const struct mmu_stale *stale);
};

/* ---- configuration: geometry and latencies of one core preset ---- */

enum mmu_repl { MMU_REPL_LRU, MMU_REPL_PLRU, MMU_REPL_NRU, MMU_REPL_RANDOM, MMU_REPL_FIFO };

struct mmu_tlb_config {
    uint32_t entries; /* 0: absent */
    uint32_t ways;    /* divides entries; 0: fully associative. Sets need not be a power of two */
    enum mmu_repl repl;
    /* Bit n: pages of 2^n bytes are held natively; others are cut down to the next smaller one
     * that is. 0: every size is held natively. Ignored by the walk cache. */
    uint32_t page_shifts;
    uint32_t hit_cycles; /* added to the access on a hit here; 0 for an L1 hit */
};

struct mmu_cache_config { /* data cache as table reads see it */
    uint32_t bytes, ways, line_bytes, hit_cycles;
};

/* Which translations are compared with the tables: none, one in `stale_period`, each. */
enum mmu_stale_mode { MMU_STALE_OFF, MMU_STALE_SAMPLED, MMU_STALE_ALL };

struct mmu_config {
    unsigned int cpus;                  /* 1 to 256 */
    struct mmu_tlb_config l1i, l1d, l2; /* l2 unified */
    struct mmu_tlb_config walk_cache;   /* stage-1 intermediate tables, by va prefix */
    struct mmu_tlb_config ipa_cache;    /* ipa -> pa, for stage 2 of a walk and of its result */
    /* A76/N1: walk_cache and ipa_cache have no arrays of their own (their `entries` is ignored,
     * their hit_cycles are used), what they would hold lives in the L2 TLB. The ipa of a table is
     * held at any size, the ipa of a result from the smallest of ipa_cache.page_shifts up. */
    bool l2_holds_walks;
    /* x86: the ipa cache also holds tables of the second stage, by guest-physical prefix. */
    bool ipa_cache_tables;
    struct mmu_cache_config cache[3]; /* entries of 0 bytes are absent */
    uint32_t memory_cycles;           /* a table read that misses every cache */
    uint32_t walk_cycles;             /* fixed overhead of one walk */
    uint32_t step_cycles;             /* added for each descriptor read */
    uint64_t seed;                    /* of the random replacement */
    enum mmu_stale_mode stale;
    uint32_t stale_period; /* sampled: one access in so many is checked; at least 1 */
    bool caches_off;       /* no TLB, no walk cache: reference counts are exact */
};

/* ---- architectural state of a CPU ---- */

enum mmu_regime { MMU_EL10, MMU_EL2, MMU_EL20, MMU_X86, MMU_REGIME_COUNT };

struct mmu_arm64_regs {
    uint64_t sctlr; /* M (stage 1 on), and the bits the model uses */
    uint64_t tcr, ttbr0, ttbr1, mair;
    uint64_t hcr;         /* VM (stage 2 on), PTW, DC, E2H ... */
    uint64_t vtcr, vttbr; /* EL1&0 only */
    uint8_t pa_bits;      /* implemented physical address size */
    bool lpa2, hafdbs, xnx, fwb, range_tlbi, bbm2, pan;
};

/* ---- a translation ---- */

enum mmu_access { MMU_READ, MMU_WRITE, MMU_FETCH };

struct mmu_request {
    uint64_t va;
    uint8_t cpu;
    uint8_t regime; /* enum mmu_regime */
    uint8_t el;     /* privilege of the access: 0, 1, 2; x86: 0 user, 1 supervisor */
    uint8_t access; /* enum mmu_access */
    bool probe;     /* as an AT instruction: no fill, no flag update, nothing counted */
};

enum mmu_fault {
    MMU_OK,
    MMU_FAULT_TRANSLATION,
    MMU_FAULT_ACCESS_FLAG,
    MMU_FAULT_PERMISSION,
    MMU_FAULT_ADDRESS_SIZE,
    MMU_FAULT_EXTERNAL_WALK, /* a table read that nothing answered */
    MMU_FAULT_TLB_CONFLICT,
    MMU_FAULT_RESERVED,     /* x86: a reserved bit is set (#PF with RSVD) */
    MMU_FAULT_MISCONFIG,    /* x86: EPT misconfiguration */
    MMU_FAULT_NONCANONICAL, /* x86: #GP or #SS, no translation was tried */
};

enum mmu_source { MMU_SRC_L1, MMU_SRC_L2, MMU_SRC_WALK, MMU_SRC_OFF };

struct mmu_result {
    hyp_pa_t pa;
    hyp_ipa_t ipa;            /* output of stage 1; of the failing table access when s1ptw */
    uint32_t cycles;          /* translation only: TLB levels, walk, table reads */
    uint8_t fault;            /* enum mmu_fault */
    uint8_t stage;            /* of the fault: 1 or 2 */
    uint8_t level;            /* of the fault; of the leaf otherwise (smaller of both stages) */
    bool s1ptw;               /* stage-2 fault on a stage-1 table access */
    uint8_t source;           /* enum mmu_source */
    uint8_t page_shift;       /* of the combined translation */
    uint8_t attr;             /* memory type of the combined translation, as MAIR byte class */
    uint8_t refs_s1, refs_s2; /* descriptor reads of this translation */
    /* x86 only, of a fault: read by the functions of mmu/x86.h. */
    uint8_t x86_rights, x86_flags;
};

/* Ground truth of a stale use: what the TLB said, what the tables say, and what would have helped.
 */
struct mmu_stale {
    struct mmu_request request;
    hyp_pa_t cached_pa, table_pa;
    uint8_t table_fault; /* enum mmu_fault: MMU_OK when the tables do translate, but differently */
    bool permission;     /* same pa, fewer rights now */
    uint8_t source;      /* enum mmu_source: MMU_SRC_WALK when a walk or ipa cache misled a walk */
    const char *missing; /* the invalidation that would have removed the entry */
};

/* ---- invalidation ---- */

/* The TLBI operations of the manual (D8.17) that software in this project uses, one each. */
enum mmu_tlbi {
    MMU_TLBI_VMALLE1,
    MMU_TLBI_VAE1,
    MMU_TLBI_ASIDE1,
    MMU_TLBI_VAAE1,
    MMU_TLBI_VALE1,
    MMU_TLBI_VAALE1,
    MMU_TLBI_RVAE1,
    MMU_TLBI_RVAAE1,
    MMU_TLBI_RVALE1,
    MMU_TLBI_RVAALE1,
    MMU_TLBI_IPAS2E1,
    MMU_TLBI_IPAS2LE1,
    MMU_TLBI_RIPAS2E1,
    MMU_TLBI_RIPAS2LE1,
    MMU_TLBI_VMALLS12E1,
    MMU_TLBI_ALLE1,
    MMU_TLBI_VAE2,
    MMU_TLBI_VALE2,
    MMU_TLBI_RVAE2,
    MMU_TLBI_RVALE2,
    MMU_TLBI_ALLE2,
    MMU_TLBI_COUNT
};

struct mmu_inval {
    uint8_t op;     /* enum mmu_tlbi */
    bool broadcast; /* the IS form: all CPUs; else only `cpu` */
    uint8_t cpu;
    uint16_t vmid; /* VMID the instruction runs under (VTTBR_EL2.VMID); operations on EL1&0 */
    uint16_t asid;
    /* The instruction ran at EL2 with HCR_EL2.{E2H, TGE} = {1, 1}: the operations on EL1&0 act on
     * EL2&0 then, and `vmid` does not matter. */
    bool host;
    int8_t ttl;     /* level hint, 0 is the page; -1 none */
    uint64_t start; /* va or ipa */
    uint64_t size;  /* range forms: bytes; others: ignored */
};

/* ---- the model ---- */

struct mmu;
struct mmu_cpu;

/* NULL when memory runs out or the configuration is none (a count that its ways do not divide, a
 * line that is no power of two, CPUs out of 1 to 256). Nothing is allocated afterwards. */
struct mmu *mmu_create(const struct mmu_config *config, const struct mmu_port *port);
void mmu_destroy(struct mmu *mmu); /* NULL is allowed */
/* Architectural state of one CPU and regime. Cached translations keep their tags: nothing is lost
 * or flushed by a register write. */
/* MMU_X86 has mmu_set_x86() of mmu/x86.h instead. */
void mmu_set_regs(struct mmu *mmu, unsigned int cpu, enum mmu_regime regime,
                  const struct mmu_arm64_regs *regs);
/* One translation: exact outcome, counters bumped, TLBs filled. Allocates nothing. An access that
 * crosses a page end is two translations; that is the caller's business. */
void mmu_translate(struct mmu *mmu, const struct mmu_request *request, struct mmu_result *result);
void mmu_invalidate(struct mmu *mmu, const struct mmu_inval *inval);
/* ESR_ELx ISS and EC for a fault taken to `to_el` from `request->el` (DDI 0487 D24.2.40). */
uint64_t mmu_arm64_esr(const struct mmu_request *request, const struct mmu_result *result,
                       unsigned int to_el);
/* HPFAR_EL2 for a stage-2 fault. */
uint64_t mmu_arm64_hpfar(const struct mmu_result *result);
/* Up to date at the call; valid until the machine is destroyed. */
const struct mmu_counters *mmu_counters(const struct mmu *mmu);
/* The handle that mmu_hit() of mmu/fast.h takes; NULL when there is no such CPU. */
struct mmu_cpu *mmu_cpu(struct mmu *mmu, unsigned int cpu);

#endif
