/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the hardware model: what a CPU holds. For the files of mmu/ and, because of its inline
 * fast path, for mmu/fast.h; nobody else includes it.
 */
#ifndef MMU_MMU_PRIV_H
#define MMU_MMU_PRIV_H

#include "mmu/mmu.h"

/* ---- permissions: one bit for each access kind and privilege ---- */

/* Bit enum mmu_access for a privileged access; three bits up for EL0. */
#define MMU_PERM_PR  0x01u
#define MMU_PERM_PW  0x02u
#define MMU_PERM_PX  0x04u
#define MMU_PERM_UR  0x08u
#define MMU_PERM_UW  0x10u
#define MMU_PERM_UX  0x20u
#define MMU_PERM_ALL 0x3fu
#define MMU_PERM_W   (MMU_PERM_PW | MMU_PERM_UW)

static inline unsigned int mmu_perm_bit(unsigned int access, unsigned int el)
{
    return 1u << (access + (el == 0 ? 3u : 0u));
}

#define MMU_LEVEL_NONE 0xffu /* of a stage that is off */

/* ---- a cached translation ---- */

enum mmu_kind {
    MMU_KIND_PAGE, /* va -> pa, both stages combined */
    MMU_KIND_WALK, /* va prefix -> stage-1 table, its address translated by stage 2 */
    MMU_KIND_IPA,  /* ipa -> pa, stage 2 alone */
    MMU_KIND_NEST, /* ipa prefix -> stage-2 table (x86) */
    MMU_KIND_COUNT
};

#define MMU_ENTRY_GLOBAL   0x01u /* any ASID (nG = 0, or a regime without ASIDs) */
#define MMU_ENTRY_S2       0x02u /* stage 2 was on when it was made */
#define MMU_ENTRY_DIRTY1   0x04u /* writable, but stage 1 is not yet marked dirty */
#define MMU_ENTRY_DIRTY2   0x08u /* the same for stage 2 */
#define MMU_ENTRY_ANY_VMID 0x10u /* of stage 2 alone, and tagged by its root only (EPT) */
#define MMU_ENTRY_NO_VE    0x20u /* the leaf of stage 2 suppresses #VE */
#define MMU_ENTRY_DIRTY    (MMU_ENTRY_DIRTY1 | MMU_ENTRY_DIRTY2)

/* One cache line, so that a hit touches one. */
struct mmu_entry {
    _Alignas(64) uint64_t va; /* first address: of the ipa for MMU_KIND_IPA */
    uint64_t mask;            /* ~(size - 1) */
    uint64_t pa;              /* of the first address; of the next table for MMU_KIND_WALK */
    uint64_t ipa;             /* likewise */
    uint32_t gen;             /* of the register state under which `allow` was computed */
    uint16_t vmid, asid;
    uint8_t allow; /* MMU_PERM_*: what needs neither fault nor update; 0: invalid */
    uint8_t kind, regime, flags;
    uint8_t s1_perm, s2_perm; /* for MMU_KIND_WALK: hierarchical limits, and the table's stage 2 */
    uint8_t s1_level, s2_level; /* of the leaves; for MMU_KIND_WALK of the table descriptor */
    uint8_t shift;              /* log2 of the size held */
    /* log2 of one leaf descriptor of each stage: one TLBI anywhere in it must find this entry, even
     * when less is held. */
    uint8_t s1_shift, s2_shift;
    uint8_t attr;  /* memory type, MAIR byte; for MMU_KIND_IPA the raw MemAttr */
    uint64_t root; /* x86 tag, as in struct mmu_ctx; 0 elsewhere */
};

_Static_assert(sizeof(struct mmu_entry) == 64, "an entry fills one cache line of the host");

/* ---- an array of them ---- */

#define MMU_OWNERS_MIXED UINT32_MAX

struct mmu_tlb {
    struct mmu_entry *entries;
    uint64_t *keys;           /* beside each entry: address, kind and size; 0 when invalid */
    uint64_t *stamp;          /* beside each entry: tick of its last use, or of the fill */
    uint64_t *epoch;          /* NRU, by set: uses up to this tick do not count */
    uint64_t *born;           /* FIFO: tick of the fill */
    uint32_t *hint;           /* by set: the ways below are all valid */
    uint32_t *bucket, *chain; /* fully associative: chains of index + 1 by hash */
    uint32_t sets, ways, count, bucket_mask;
    uint32_t page_shifts, hit_cycles;
    /* Entries smaller than their leaf descriptor, which an invalidation must search for: how many,
     * and the largest leaf so far. By va, by ipa. */
    uint32_t split[2];
    uint8_t split_shift[2];
    enum mmu_repl repl;
    bool fronted;   /* mmu_hit() looks at its entries without their keys */
    uint32_t owner; /* regime and VMID of all entries; MMU_OWNERS_MIXED: not the same for all */
    uint64_t random;
    uint64_t shifts[MMU_KIND_COUNT];       /* bit n: entries of 2^n bytes are held */
    uint32_t resident[MMU_KIND_COUNT][64]; /* how many of each size */
};

/* ---- data cache lines that hold tables ---- */

struct mmu_cache {
    uint64_t *lines; /* by set, most recent first: line address + 1; NULL: absent */
    uint32_t ways, set_mask, sets, line_shift, hit_cycles;
};

/* ---- register state, decoded ---- */

/* Output addresses of 52 bits come in two layouts (DDI 0487 D8.3). */
enum mmu_oa { MMU_OA_48, MMU_OA_52_64K, MMU_OA_52_LPA2 };

/* One table tree. */
struct mmu_tree {
    uint64_t root;
    uint8_t page_shift, ia_bits, start_level, oa_bits;
    uint8_t oa;        /* enum mmu_oa */
    uint8_t fault;     /* enum mmu_fault raised before any read: bad TxSZ, EPD, bad root */
    bool hierarchical; /* APTable and friends count (HPD = 0) */
};

struct mmu_ctx {
    struct mmu_tree s1[2]; /* TTBR0, TTBR1; CR3 */
    struct mmu_tree s2;
    uint64_t mair; /* x86: PAT */
    /* x86: bits that no entry of stage 1, stage 2 may have set; tag of what passed through stage 2:
     * EPTP[51:12], with bit 0 set to be none that stage 2 off has. */
    uint64_t reserved[2], root;
    uint32_t gen; /* of this state; never 0, never used twice on a CPU */
    uint16_t asid, vmid;
    uint8_t regime, pa_bits;
    bool s1_on, s2_on, two_ranges, unprivileged;
    bool ha, hd, s2_ha, s2_hd;
    bool wxn, pan, xnx, fwb, protect_walk, default_cacheable; /* pan: also SMAP */
    bool x86, npt, smep, write_all /* CR0.WP = 0 */, fetch_reported;
    bool globals, pages_1g, s2_1g, ept_xo, ept_advanced;
};

/*
 * What permissions of stage 1 come to under the register state of now. PSTATE.PAN and SMAP: no
 * privileged data access to what the user can read (DDI 0487 D8.4; SDM 4.6.1, and there too SMEP
 * and CR0.WP).
 */
static inline unsigned int mmu_perm_now(const struct mmu_ctx *ctx, unsigned int perm)
{
    if (ctx->write_all && (perm & MMU_PERM_PR))
        perm |= MMU_PERM_PW;
    if (!(perm & MMU_PERM_UR))
        return perm;
    if (ctx->pan)
        perm &= ~(MMU_PERM_PR | MMU_PERM_PW);
    if (ctx->smep)
        perm &= ~MMU_PERM_PX;
    return perm;
}

/* ---- a CPU ---- */

#define MMU_FRONT_PAGES  1024u
#define MMU_FRONT_BLOCKS 64u

/* Way prediction in front of an L1 TLB: which entry translated this address lately. A wrong guess
 * costs time and nothing else, because the entry itself is compared. */
struct mmu_l1 {
    struct mmu_tlb tlb;
    uint32_t front[MMU_FRONT_PAGES];
    uint32_t blocks[MMU_FRONT_BLOCKS];
};

struct mmu_cpu {
    uint64_t tick;       /* counts the uses of any entry: the order of all stamps */
    uint64_t check_at;   /* from this tick on the fast path stands aside for a stale check */
    uint64_t l1_hits[3]; /* by enum mmu_access; summed into the counters when these are asked for */
    struct mmu_ctx ctx[MMU_REGIME_COUNT];
    struct mmu_l1 l1[2]; /* data, instruction */
    struct mmu_tlb l2, walk_cache, ipa_cache;
    struct mmu_cache cache[2];
    uint32_t last_gen;
    uint32_t id;
};

struct mmu {
    struct mmu_config config;
    struct mmu_port port;
    struct mmu_counters *counters;
    struct mmu_cpu *cpus;
    struct mmu_cache shared; /* third data cache */
    void *memory;            /* the one allocation that holds all of this */
};

#endif
