/* SPDX-License-Identifier: MIT */
/*
 * Execute-only memory for guests on EPT.
 *
 * A guest is told a MAXPHYADDR of M, while the CPU has more. Bit M of the guest's page-table
 * entries, which the guest calls NR (not readable), is then an ordinary address bit to the CPU: it
 * leads to an alias of the page at gpa | 1 << M that EPT lets the CPU fetch from, and nothing else.
 *
 *      gpa             base     rights of the memory slot
 *      gpa | 1 << M    alias    X, the same memory with the same memory type
 *
 * Off until the guest asks for it (hyp_xom_set), as an architectural reserved bit may not come to
 * life by itself: while off, no alias is mapped and bit M is reserved like those above it.
 *
 * NR with W in the guest's entry is execute-only still: EPT cannot say write without read. NR with
 * NX is no access at all.
 *
 * Locking: the caller holds the lock of the guest's table. The ranges of the slots, and all of the
 * upper half, are left to these functions; attributes of pages (accessed, write-protected) are not.
 * TLB maintenance is that of the functions of hyp/pgtable.h that change the table: what is unmapped
 * or loses rights is flushed before a call returns, what is mapped fresh needs none.
 */
#ifndef HYP_XOM_H
#define HYP_XOM_H

#include <hyp/ept.h>
#include <hyp/pgtable.h>

/* ---- is it possible? ---- */

enum hyp_xom_vendor { HYP_XOM_INTEL, HYP_XOM_AMD };

struct hyp_xom_cpu {
    enum hyp_xom_vendor vendor;
    uint64_t ept_cap;        /* IA32_VMX_EPT_VPID_CAP */
    unsigned int ept_levels; /* of the guest's table: 4 or 5 */
    unsigned int pa_bits;    /* MAXPHYADDR of the CPU, as guest walks on it check reserved bits */
};

/* The first reason against it, in this order. */
enum hyp_xom_lack {
    HYP_XOM_LACKS_NOTHING,
    HYP_XOM_LACKS_EPT,    /* AMD: nested tables have no execute-only */
    HYP_XOM_LACKS_LEVELS, /* EPT of this depth */
    HYP_XOM_LACKS_XONLY,  /* execute-only entries would be misconfigured */
    HYP_XOM_LACKS_ROOM,   /* M below 36: no guest in long mode has so few address bits */
    HYP_XOM_LACKS_INPUT,  /* M beyond EPT's input: 47 with 4 levels, 51 with 5 */
    HYP_XOM_LACKS_WIDTH,  /* M is a reserved bit of the CPU itself */
    HYP_XOM_LACK_COUNT
};

/* Whether guests may be offered bit `bit` (M). Pure. */
enum hyp_xom_lack hyp_xom_check(const struct hyp_xom_cpu *cpu, unsigned int bit);
/* A sentence for a log, or NULL for HYP_XOM_LACKS_NOTHING. */
const char *hyp_xom_lack_text(enum hyp_xom_lack lack);

/* ---- a guest ---- */

#define HYP_XOM_READONLY HYP_BIT(0) /* the base has no W */
#define HYP_XOM_EXECONLY HYP_BIT(1) /* the slot has an alias */

/* A memory slot: pages of the guest and what backs them. A slot of 0 pages is free. */
struct hyp_xom_slot {
    uint64_t gfn, pages; /* of the base, always below 1 << M */
    hyp_pfn_t pfn;
    uint32_t flags; /* HYP_XOM_READONLY, HYP_XOM_EXECONLY */
    /* One bit a page while the dirty log is on, else NULL. The caller's; bits are only set here. */
    uint64_t *dirty;
};

enum hyp_xom_access { HYP_XOM_READ = 1, HYP_XOM_WRITE = 2, HYP_XOM_FETCH = 4 };

/* An EPT violation as the CPU reports it. */
struct hyp_xom_exit {
    uint64_t qualification; /* SDM vol. 3, table 28-7 */
    hyp_ipa_t gpa;
    hyp_va_t linear; /* the CPU's guest-linear-address field; holds nothing if bit 7 is clear */
    hyp_va_t rip;    /* of the instruction, CS base included */
    /* 3 is user mode. For an implicit supervisor access (descriptor tables, task state), which
     * counts as one whatever the CPL is, the caller says 0. */
    uint8_t cpl;
    bool tells_fetch; /* EFER.NXE or CR4.SMEP: error codes of fetches have bit 4 */
};

/* A memory operand of an instruction: what the next iteration touches if it is a string
 * instruction under REP, whose registers the CPU keeps up to date. */
struct hyp_xom_operand {
    hyp_va_t linear;
    uint32_t size;   /* bytes: 1 to 4096 */
    uint32_t access; /* HYP_XOM_READ, HYP_XOM_WRITE or both */
};
#define HYP_XOM_OPERANDS 4u

/* What is needed from the surroundings; each may be NULL. `ctx` comes back as first argument. */
struct hyp_xom_port {
    void *ctx;
    /*
     * Decodes the instruction at exit->rip and gives its memory operands, in the order in which
     * they are accessed; at most HYP_XOM_OPERANDS. Its bytes are read where hyp_xom_may_read()
     * allows a fetch. Returns their number, 0 if the instruction cannot be decoded.
     */
    unsigned int (*linear_address)(void *ctx, const struct hyp_xom_exit *exit,
                                   struct hyp_xom_operand *operands);
    /* Walks the guest's tables; false where they do not translate. Tells operands apart that only
     * differ in their page. */
    bool (*translate)(void *ctx, hyp_va_t linear, hyp_ipa_t *gpa);
};

struct hyp_xom {
    struct hyp_pgt *pgt; /* EPT with HYP_PGT_EPT_XONLY and pages of 4 KiB */
    struct hyp_xom_port port;
    struct hyp_xom_slot *slots; /* the caller's; all zero to begin with */
    unsigned int slot_count;
    uint32_t signature; /* the hypervisor's first CPUID leaf: 0x40000000 + n * 0x100, n < 256 */
    uint8_t bit;        /* M */
    bool on;
};

struct hyp_xom_config {
    struct hyp_xom_cpu cpu;
    struct hyp_pgt *pgt;
    struct hyp_xom_port port;
    struct hyp_xom_slot *slots;
    unsigned int slot_count;
    uint32_t signature;
    unsigned int bit;
};

/*
 * A guest with all slots free and the feature off. HYP_EPERM if hyp_xom_check() says so; HYP_EINVAL
 * for a table that is no such EPT or whose input is not above bit M, and for a leaf that no
 * signature is at. *xom is not touched then.
 */
HYP_MUST_USE enum hyp_err hyp_xom_init(struct hyp_xom *xom, const struct hyp_xom_config *config);

/*
 * The guest's switch. On maps the alias of every EXECONLY slot, off unmaps them; the same again is
 * nothing. HYP_ENOMEM: nothing is mapped, and it stays off. Off cannot fail.
 */
HYP_MUST_USE enum hyp_err hyp_xom_set(struct hyp_xom *xom, bool on, struct hyp_memcache *mc);
/* Reset of the guest: off. Slots stay. */
void hyp_xom_reset(struct hyp_xom *xom);

/*
 * Slots, by index. Each is whole or not at all: base and alias (if EXECONLY, and the feature is on)
 * change together, and after an error the table maps what it did before.
 *
 * create: HYP_EBUSY if the slot is in use; HYP_EINVAL for no pages, other flags, a dirty log,
 * and a base that is not below bit M; HYP_EEXIST where it meets another slot; HYP_ERANGE if the
 * backing is beyond the table's output. move: to another base gfn, which may not overlap the old
 * place either; the dirty log is over. set_flags: both flags are for life, so HYP_EINVAL unless
 * they are what they were. HYP_ENOENT: no such slot. HYP_ENOMEM: no table pages; those taken from
 * `mc` are in the pool then.
 */
HYP_MUST_USE enum hyp_err hyp_xom_create(struct hyp_xom *xom, unsigned int index,
                                         const struct hyp_xom_slot *slot, struct hyp_memcache *mc);
HYP_MUST_USE enum hyp_err hyp_xom_move(struct hyp_xom *xom, unsigned int index, uint64_t gfn,
                                       struct hyp_memcache *mc);
HYP_MUST_USE enum hyp_err hyp_xom_delete(struct hyp_xom *xom, unsigned int index);
HYP_MUST_USE enum hyp_err hyp_xom_set_flags(struct hyp_xom *xom, unsigned int index,
                                            uint32_t flags);

/* The slot that a base frame is in, or NULL. Bit M is part of the frame here: an alias has none. */
struct hyp_xom_slot *hyp_xom_slot_of(const struct hyp_xom *xom, uint64_t gfn);

/* ---- dirty log: of base frames only; an alias cannot be written ---- */

/* Splits the base of a slot into pages and takes W from them. HYP_ENOENT; HYP_EINVAL for a READONLY
 * slot; HYP_ENOMEM: some of it may be split, but the log is off and all is writable. */
HYP_MUST_USE enum hyp_err hyp_xom_log_start(struct hyp_xom *xom, unsigned int index,
                                            uint64_t *dirty, struct hyp_memcache *mc);
/* The log is over. W comes back page by page, with hyp_xom_written(). HYP_ENOENT. */
HYP_MUST_USE enum hyp_err hyp_xom_log_stop(struct hyp_xom *xom, unsigned int index);
/* Takes W from some base frames again. HYP_EINVAL for a frame with bit M or for no pages,
 * HYP_ENOENT if the range is not in one slot. */
HYP_MUST_USE enum hyp_err hyp_xom_wrprotect(struct hyp_xom *xom, uint64_t gfn, uint64_t pages);
/* A write to a protected base frame: its bit is set (log on) and W given back. HYP_ENOENT where no
 * slot is, in an alias above all; HYP_EPERM for a READONLY slot. */
HYP_MUST_USE enum hyp_err hyp_xom_written(struct hyp_xom *xom, hyp_ipa_t gpa);

/* ---- what bit M means ---- */

/* The base of an address: bit M is taken off if the feature is on, and nothing else ever. Every
 * look-up by guest-physical address goes through it: MTRRs, slots, backing. */
hyp_ipa_t hyp_xom_base(const struct hyp_xom *xom, hyp_ipa_t gpa);
/* The address is in the mapped alias of an EXECONLY slot. */
bool hyp_xom_is_alias(const struct hyp_xom *xom, hyp_ipa_t gpa);
/* Address bits of guest entries, CR3 and so on that are reserved: 51:M+1, or 51:M while off. */
uint64_t hyp_xom_reserved(const struct hyp_xom *xom);
/* Whether the hypervisor may read guest memory on the guest's behalf, or write it. Execute-only
 * memory may be fetched from, to decode an instruction, and not read as data. */
bool hyp_xom_may_read(const struct hyp_xom *xom, hyp_ipa_t gpa, bool fetch);
bool hyp_xom_may_write(const struct hyp_xom *xom, hyp_ipa_t gpa);

/* The feature leaf is this far from the signature's; its EAX[0] is the feature. */
#define HYP_XOM_CPUID_OFFSET  0x30u
#define HYP_XOM_CPUID_FEATURE 0x1u

struct hyp_xom_cpuid {
    uint32_t eax, ebx, ecx, edx;
};

/*
 * Makes the answer to CPUID `leaf` true for this guest, given what it would be otherwise: physical
 * address widths (0x80000008: EAX[7:0], and [23:16] if larger) are M, on or off; the largest
 * hypervisor leaf reaches the feature leaf, which says that the feature can be switched on.
 */
void hyp_xom_cpuid(const struct hyp_xom *xom, uint32_t leaf, struct hyp_xom_cpuid *answer);

/*
 * What a guest entry that maps a page grants by its P, R/W, NR and XD bits: HYP_PROT_R, _W and _X;
 * 0 where any access faults, reserved bits included. EFER.NXE is taken to be set. Bit M in an entry
 * that refers to a table grants nothing: the walk that would read that table cannot.
 */
hyp_prot_t hyp_xom_pte_rights(const struct hyp_xom *xom, uint64_t pte);

/* "USR RW PWT PCD PSE GLB NX NR", in lower case or blank where clear, as a page-table dump of
 * Linux has it: NR (or r) follows NX (or x). `leaf_level` is 0 for a page, whose bit 7 is PAT. */
#define HYP_XOM_PTE_TEXT 30u
void hyp_xom_pte_text(const struct hyp_xom *xom, uint64_t pte, unsigned int leaf_level,
                      char text[HYP_XOM_PTE_TEXT]);

/* ---- violations ---- */

enum hyp_xom_verdict {
    HYP_XOM_NOT_OURS, /* nothing to do with bit M: handle it as without this feature */
    HYP_XOM_INJECT,   /* #PF with the CR2 and error code given */
    HYP_XOM_DECODE,   /* a #PF is due, but which address or access it was could not be found out */
};

struct hyp_xom_decision {
    enum hyp_xom_verdict verdict;
    hyp_va_t cr2;
    uint32_t code;
};

/*
 * What an EPT violation means for the guest. Pure but for the port's callbacks.
 *
 *   gpa has a reserved bit            #PF with P, RSVD, W/R, U/S, and I/D for a fetch
 *   data access to an alias           #PF with P, W/R, U/S; neither RSVD nor I/D
 *   guest's walk through an alias     #PF for the linear address that was being translated, with P,
 *                                     and W/R, U/S, I/D of the access that needed the walk
 *   fetch from an alias, a base       not ours
 *   asynchronous access (bit 16)      not ours: no instruction is to blame
 *
 * The linear address is the CPU's if bit 7 is set: the byte that faulted, so in the second page if
 * that is where it went wrong. Otherwise it is that of the operand whose kind, offset in the page
 * and, if the port can translate, page agree with the exit. In a walk the qualification tells of
 * the access to the table and not of the one that needed it, so the instruction is asked; an
 * address that no operand has and that is within 15 bytes of rip is a fetch.
 */
struct hyp_xom_decision hyp_xom_violation(const struct hyp_xom *xom,
                                          const struct hyp_xom_exit *exit);

/*
 * The linear address of the byte of an operand that is at offset `gpa` of its page: in an operand
 * that crosses the end of a page, the far half's lies in the second page. False if no byte of it
 * is.
 */
bool hyp_xom_operand_at(const struct hyp_xom_operand *operand, hyp_ipa_t gpa, hyp_va_t *linear);

#endif
