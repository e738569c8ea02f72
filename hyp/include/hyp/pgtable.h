/* SPDX-License-Identifier: MIT */
/*
 * Page tables: one walker for hyp stage 1 and stage 2, any granule, any entry format.
 *
 * Conventions of every operation below:
 *  - the range is [align_down(ia), align_up(ia + size)) in granules; HYP_ERANGE when either end
 * lies beyond the input size; size 0 is HYP_EINVAL;
 *  - nothing is locked here: the caller holds the lock that belongs to the table;
 *  - "IPA flush" below is the sequence TLBI IPAS2E1IS, DSB ISH, TLBI VMALLE1IS, DSB ISH, ISB (with
 *    DSB ISHST in front): combined stage-1+2 entries are not found by ipa, hence the second TLBI;
 *  - on x86 there are no barriers, no break-before-make and no cache maintenance. What is said
 *    below about flushes of stage 2 means for EPT: one HYP_TLBI_INVEPT of the root for a call,
 *    after its last store and before any table is freed (map: one more for each table that a
 *    block replaces); none where nothing was valid, for added rights (relax), and for a split,
 *    after which addresses translate as before. Stage 1 has HYP_TLBI_INVLPG_ALL where arm64 has
 *    VALE2IS and VAE2IS;
 *  - a table page has a reference count of 1 plus its counted entries. Counted is every entry that
 *    is not zero, valid or not.
 */
#ifndef HYP_PGTABLE_H
#define HYP_PGTABLE_H

#include <hyp/bits.h>
#include <hyp/err.h>
#include <hyp/page.h>
#include <hyp/pool.h>
#include <hyp/port.h>

/* Rights and attributes of a leaf. */
typedef uint64_t hyp_prot_t;
#define HYP_PROT_R         HYP_BIT(0)
#define HYP_PROT_W         HYP_BIT(1)
#define HYP_PROT_PX        HYP_BIT(2) /* execute at EL1 (stage 2); execute (stage 1) */
#define HYP_PROT_UX        HYP_BIT(3) /* execute at EL0 (stage 2); ignored by hyp stage 1 */
#define HYP_PROT_X         (HYP_PROT_PX | HYP_PROT_UX)
#define HYP_PROT_DEVICE    HYP_BIT(4)        /* device nGnRE */
#define HYP_PROT_NORMAL_NC HYP_BIT(5)        /* normal, non-cacheable */
#define HYP_PROT_SW(n)     HYP_BIT(55 + (n)) /* software bits 0..3, where they are in the entry */
#define HYP_PROT_SW_MASK   HYP_MASK(58, 55)
#define HYP_PROT_RW        (HYP_PROT_R | HYP_PROT_W)
#define HYP_PROT_RWX       (HYP_PROT_RW | HYP_PROT_X)

/*
 * Kinds of annotation. In canonical form, which is also how arm64 entries hold it, the kind is in
 * bits 63:60 and the payload in bits 59:1; hyp_pgt_note() gives that form for every format.
 */
enum hyp_note {
    HYP_NOTE_NONE = 0,
    HYP_NOTE_LOCKED = 1,  /* an update is under way (break-before-make) */
    HYP_NOTE_DONATED = 2, /* payload: owner in [3:1]; guests add handle [19:4] and gfn [59:20] */
    HYP_NOTE_POISONED = 3,
};
#define HYP_NOTE_TYPE_MASK    HYP_MASK(63, 60)
#define HYP_NOTE_PAYLOAD_MASK HYP_MASK(59, 1)

enum hyp_pte_kind { HYP_PTE_EMPTY, HYP_PTE_NOTE, HYP_PTE_LEAF, HYP_PTE_TABLE };

struct hyp_pgt_fmt; /* entry format; private to the core (hyp/pgtable_priv.h) */
extern const struct hyp_pgt_fmt hyp_fmt_arm64_s1; /* EL2 stage 1 */
extern const struct hyp_pgt_fmt hyp_fmt_arm64_s2;
extern const struct hyp_pgt_fmt hyp_fmt_x86; /* the hypervisor's own tables on x86: stage 1 */
extern const struct hyp_pgt_fmt hyp_fmt_ept; /* Intel's second stage: stage 2 */

/* What the CPU can do, as far as table formats care; handed over once at boot. */
#define HYP_PGT_FWB        HYP_BIT(0) /* stage 2: FEAT_S2FWB attributes */
#define HYP_PGT_RANGE_TLBI HYP_BIT(1) /* FEAT_TLBIRANGE */
#define HYP_PGT_XNX        HYP_BIT(2) /* stage 2: FEAT_XNX, separate execute rights */
#define HYP_PGT_LPA2       HYP_BIT(3) /* DS = 1: 52-bit addresses with 4K and 16K granule */
#define HYP_PGT_HVHE       HYP_BIT(4) /* hyp stage 1 in the E2H layout */
#define HYP_PGT_IDENTITY   HYP_BIT(5) /* stage 2: only ia == pa may be mapped */
#define HYP_PGT_S1_ATTRS   HYP_BIT(6) /* stage 2: memory attributes come from stage 1 */
#define HYP_PGT_NO_DIC     HYP_BIT(7) /* CTR_EL0.DIC is 0: the I-cache is invalidated for new code */
#define HYP_PGT_EPT_XONLY  HYP_BIT(8) /* EPT: the CPU has execute-only pages */
/*
 * EPT: notes leave bit 63 clear, so that where the #VE control is on, touching such a page raises
 * #VE instead of an exit. Leaves have the bit set, and so have empty entries, in memory: to the
 * functions below, what is said here of zero is true of them.
 */
#define HYP_PGT_EPT_VE HYP_BIT(9)

struct hyp_pgt;

/*
 * The 2021 series' rule, as a callback: true when [ia, ia + size) mapped with `prot` must be mapped
 * by pages even though a block would fit. Consulted for each candidate block of map and collapse.
 */
typedef bool hyp_force_page_fn(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size,
                               hyp_prot_t prot);

struct hyp_pgt_config {
    const struct hyp_pgt_fmt *fmt;
    const struct hyp_port *port;
    const struct hyp_vmemmap *vmemmap;
    unsigned int page_shift; /* 12, 14, 16 */
    /*
     * Input address size: 25 to 48, to 52 with LPA2 or 64K granule. Stage 2 starts with up to 16
     * concatenated tables (DDI 0487 D8.2.8) instead of one more level.
     */
    unsigned int ia_bits;
    uint64_t flags;                /* HYP_PGT_* */
    uint16_t vmid;                 /* stage 2 */
    hyp_force_page_fn *force_page; /* NULL: never forced */
    unsigned int max_block_level;  /* largest leaf: 0 pages only, 1, 2; capped by the format */
    unsigned int pa_bits;          /* x86: MAXPHYADDR, 32 to 52; 0 is 52. Not read for arm64 */
};

struct hyp_pgt {
    const struct hyp_pgt_fmt *fmt;
    const struct hyp_port *port;
    const struct hyp_vmemmap *vmemmap;
    hyp_force_page_fn *force_page;
    /* Table pages come from the pool and return there. May be NULL until boot ends. */
    struct hyp_pool *pool;
    /* During boot they come from here instead, and are neither counted nor freed. */
    struct hyp_early *early;
    hyp_pa_t root;
    uint64_t flags;
    uint8_t page_shift, ia_bits;
    uint8_t top_level; /* level of the root table(s) */
    uint8_t max_block_level;
    uint16_t vmid;
    uint32_t root_entries; /* entries of the root, concatenated tables together */
    /* Where an entry holds its output address: in place, and the highest bits moved down. */
    uint64_t out_mask, out_high_mask;
    uint8_t out_high_shift;
    uint8_t out_bits; /* output address size: 48, or 52 */
    uint64_t empty;   /* what memory holds for an entry of 0 */
    /* The host sees its own memory through an identity map and keeps its caches itself; pages that
     * a guest gets are synchronised here, where the CPU does not do it. */
    bool syncs_data, syncs_code;
    /* Rights encoded last: callers mostly repeat them. */
    hyp_prot_t recent_prot;
    uint64_t recent_attrs;
};

/* Levels of lookup: at least 2 for stage 2, up to 5 for stage 1. */
unsigned int hyp_pgt_levels(const struct hyp_pgt_config *config);
/* Pages of the root: 1, or up to 16 concatenated for stage 2. */
uint64_t hyp_pgt_root_pages(const struct hyp_pgt_config *config);
/* Takes the root from `pool` (or `early`), contiguous and aligned to its size. */
HYP_MUST_USE enum hyp_err hyp_pgt_init(struct hyp_pgt *pgt, const struct hyp_pgt_config *config,
                                       struct hyp_pool *pool, struct hyp_early *early);
/*
 * As hyp_pgt_init, but on zeroed root pages that the caller provides, aligned to their size
 * (HYP_EINVAL). They get a reference count of 1 if they have none, and go to `pool` in the end.
 */
HYP_MUST_USE enum hyp_err hyp_pgt_init_at(struct hyp_pgt *pgt, const struct hyp_pgt_config *config,
                                          struct hyp_pool *pool, hyp_pa_t root);
/* Frees every table and the root. No TLB maintenance: nothing may use the table any more. */
void hyp_pgt_destroy(struct hyp_pgt *pgt);

/*
 * Maps [ia, ia + size) to pa onwards, by the largest leaves that fit and are not forced down.
 * Tables come from the pool, then from `mc` (may be NULL).
 *
 * Refused, nothing changed: HYP_EINVAL for rights that the format cannot say (stage 2: device
 * together with NC, either with X, different PX and UX without FEAT_XNX; stage 1: no R, X with W or
 * device, NC; EPT: also no right at all, W without R, X alone without HYP_PGT_EPT_XONLY, different
 * PX and UX, software bits 2 and 3) and for ia != pa in an identity table; HYP_ERANGE for an output
 * beyond its size.
 *
 * Stage 2, for each leaf, by what is there:
 *   the same, or other rights only   HYP_EAGAIN, the rest of the range is not done
 *   other software bits only         plain store, no TLB maintenance
 *   nothing, or an annotation        plain store
 *   anything else                    break-before-make with an IPA flush
 *   a table where a block goes       the same with a range flush (VMALLS12E1IS without range
 *                                    invalidation); all tables below are freed
 *   a block where a page goes        the same; the rest of the block becomes EMPTY
 * Guest memory (not in an identity table) is cleaned to the point of coherency without FWB, and
 * with HYP_PGT_NO_DIC the I-cache is invalidated for executable leaves. DSB ISHST once at the end.
 *
 * Stage 1: tables stay; a valid leaf may only change its software bits, else HYP_EPERM. DSB ISHST
 * and ISB once at the end.
 *
 * HYP_ENOMEM, HYP_EAGAIN and HYP_EPERM leave done what came before in the range.
 */
HYP_MUST_USE enum hyp_err hyp_pgt_map(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_pa_t pa,
                                      hyp_prot_t prot, struct hyp_memcache *mc);

/*
 * Stage 2: clears leaves and annotations, whole blocks even when partly covered, and frees tables
 * that become empty. IPA flush for each leaf, or with FWB and range invalidation one range flush at
 * the end, from the first to the last leaf that was cleared; an IPA flush without level for each
 * freed table. Without FWB guest memory is cleaned to the point of coherency leaf by leaf.
 * Stage 1: HYP_EINVAL for an unmapped page or a partly covered block, with what came before it
 * unmapped; for each leaf DSB ISHST, TLBI VALE2IS, DSB ISH, ISB; VAE2IS for each freed table.
 * *unmapped (may be NULL): bytes of valid leaves cleared.
 */
HYP_MUST_USE enum hyp_err hyp_pgt_unmap(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size,
                                        uint64_t *unmapped);

/*
 * Stage 2: makes every page of the range an invalid entry that carries (type, payload), always page
 * granular. What was valid is broken first, with an IPA flush for each leaf; a block that is only
 * partly covered becomes a table whose other entries are EMPTY. Where nothing was valid, nothing is
 * flushed and no barrier is needed. HYP_NOTE_NONE and _LOCKED, and bit 0 or bits 63:60 of payload
 * (EPT: 63:56, so that a gfn has 36 bits) -> HYP_EINVAL; HYP_ENOMEM leaves a prefix done.
 */
HYP_MUST_USE enum hyp_err hyp_pgt_annotate(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size,
                                           enum hyp_note type, uint64_t payload,
                                           struct hyp_memcache *mc);

/* The entry that covers ia, and its level. Never fails: an absent table is an entry of 0. */
uint64_t hyp_pgt_leaf(const struct hyp_pgt *pgt, hyp_ia_t ia, unsigned int *level);
/* Bit for bit what an entry says. */
enum hyp_pte_kind hyp_pgt_kind(const struct hyp_pgt *pgt, uint64_t pte, unsigned int level);
hyp_pa_t hyp_pgt_target(const struct hyp_pgt *pgt, uint64_t pte, unsigned int level);
hyp_prot_t hyp_pgt_prot(const struct hyp_pgt *pgt, uint64_t pte);
/* An annotation in canonical form; 0 for an entry that is valid or empty. */
uint64_t hyp_pgt_note(const struct hyp_pgt *pgt, uint64_t pte);

/*
 * Attribute operations, stage 2 (stage 1 -> HYP_EINVAL). Entries that are not valid are passed over
 * by the ranged ones; for relax they are HYP_EAGAIN.
 * relax adds rights only (software bits or attributes -> HYP_EINVAL) and flushes the ipa on this
 * CPU (non-shareable) even when it returns HYP_EAGAIN; wrprotect flushes from the first to the last
 * leaf that it changed, by one range instruction or the whole vmid; mkyoung sets AF, then DSB
 * ISHST; test_clear_young tells in *young whether AF was set anywhere, clears it when `clear` is
 * set, and flushes nothing: a stale AF only makes a page look old.
 */
HYP_MUST_USE enum hyp_err hyp_pgt_relax(struct hyp_pgt *pgt, hyp_ia_t ia, hyp_prot_t prot);
HYP_MUST_USE enum hyp_err hyp_pgt_wrprotect(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size);
void hyp_pgt_mkyoung(struct hyp_pgt *pgt, hyp_ia_t ia);
HYP_MUST_USE enum hyp_err hyp_pgt_test_clear_young(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size,
                                                   bool clear, bool *young);

/*
 * Splits every block of the range into page tables without losing a mapping: the lower table is
 * built first, then swapped in by one break-before-make. A larger block that is only partly in the
 * range keeps blocks of the next size outside it. HYP_ENOMEM when tables run out: blocks split so
 * far stay split, all others stay blocks (perhaps smaller ones). DSB ISHST once at the end.
 */
HYP_MUST_USE enum hyp_err hyp_pgt_split(struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size,
                                        struct hyp_memcache *mc);
/*
 * The reverse for the table below the entry of `level` that covers ia: when all of its entries are
 * leaves of the level below, contiguous, aligned and alike, they become one block and the table is
 * freed; break-before-make with a range flush. HYP_EAGAIN when they are not, or when the force-page
 * policy forbids the block; HYP_EINVAL for a level without blocks; nothing has changed then.
 */
HYP_MUST_USE enum hyp_err hyp_pgt_collapse(struct hyp_pgt *pgt, hyp_ia_t ia, unsigned int level);

/* Drops all that any CPU has cached of a table: before its root serves another, for example. */
void hyp_pgt_flush_all(const struct hyp_pgt *pgt);

/*
 * The walker. The visitor sees entries in address order; for a table first PRE, then its entries,
 * then POST. After PRE and LEAF the entry is read again, so that a visitor may install or remove a
 * table; it may change the entry that it is shown and no other. A visitor that returns other than
 * HYP_OK stops the walk.
 */
enum hyp_visit { HYP_VISIT_LEAF = 1, HYP_VISIT_PRE = 2, HYP_VISIT_POST = 4 };

struct hyp_visit_ctx {
    hyp_ia_t ia, end; /* this entry's part of the range */
    hyp_pa_t slot;
    uint64_t pte;
    unsigned int level;
    enum hyp_visit when;
};

struct hyp_visitor {
    enum hyp_err (*visit)(void *arg, const struct hyp_visit_ctx *ctx);
    void *arg;
    unsigned int when; /* or of enum hyp_visit */
};

HYP_MUST_USE enum hyp_err hyp_pgt_walk(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size,
                                       const struct hyp_visitor *visitor);

/* VTCR_EL2 for a stage 2; `pa_range` is the sanitised ID_AA64MMFR0_EL1.PARange, 0..6. */
uint64_t hyp_arm64_vtcr(unsigned int page_shift, unsigned int ia_bits, unsigned int pa_range,
                        bool vmid16, bool lpa2);

#endif
