/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace records, and the sources and sinks they flow through.
 *
 * A trace is a header with machine facts, a table of access sites, and one totally ordered stream
 * of records. A record's position is its ordinal from 0; every message about a trace names it. The
 * native format that carries them is specified in docs/TRACE_FORMAT.md.
 */
#ifndef TRACES_TRACE_H
#define TRACES_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TRACE_VERSION 2 /* readers take 1, too: it has no guest runs */

/*
 * What went wrong, for one clear message: file, position, what was expected.
 * Functions that fail return a negative value and fill it; nothing is printed below the CLI.
 */
struct trace_error {
    char text[512];
};

enum trace_arch { TRACE_ARCH_ARM64 = 1, TRACE_ARCH_X86_64 = 2 };

enum trace_kind {
    TRACE_ACCESS = 0, /* addr: va of the first byte; site: which instruction, how */
    /* All others are events: `site` indexes the block's events, which hold the arguments. */
    TRACE_PAGE,    /* addr: va page address; a: pa; b: TRACE_PAGE_* flags. A translation outside
                      the direct map, before its first use and after each change */
    TRACE_ALLOC,   /* addr: pa; a: order; b: enum trace_alloc_class; task */
    TRACE_FREE,    /* addr: pa; a: order; b: 1 if freed in a batch */
    TRACE_DONATE,  /* addr: pa; a: pages; owner; b: TRACE_DONATE_* flags */
    TRACE_RECLAIM, /* addr: pa; a: pages; owner; b: as for the donation */
    TRACE_SHARE,   /* addr: pa; a: pages; owner: with whom */
    TRACE_UNSHARE,
    TRACE_KFAULT,    /* addr: fault address (FAR); a: pc; b: syndrome (ESR); c: enum
                        trace_outcome. Ground truth: compared, never replayed */
    TRACE_FLUSH,     /* addr: start va; a: end va; ground truth */
    TRACE_TLBI,      /* a: recorder's code of the instruction; address unknown; ground truth */
    TRACE_HYPERCALL, /* addr: pc */
    TRACE_SWITCH,    /* a: asid or pcid; address-space switch */
    TRACE_IRQ,
    TRACE_VMENTER,
    TRACE_VMEXIT,
    TRACE_CLEAR,      /* a page clear (clear_page); addr: pa where known, else 0; a: pages */
    TRACE_MARK,       /* a: enum trace_mark; b: offset into the block's text */
    TRACE_PAGE_FLAGS, /* addr: pa of the first page; a: pages; b: kpageflags word of each */
    /* What a guest under emulation did to the state that translations depend on; replayed. */
    TRACE_WORD,       /* addr: pa, a multiple of 8; a: the 64-bit word that is there now */
    TRACE_SYSREG,     /* addr: enum trace_sysreg; a: its value */
    TRACE_INVALIDATE, /* addr: operand (Xt; linear address); a: instruction, as TRACE_INVAL_*; b, c:
                         type and PCID */
    TRACE_ARGS,       /* addr, a, b, c: arguments 3 to 6 of the call that follows */
    TRACE_CALL,       /* addr: number of the core's hypercall; a, b, c: its first three arguments */
    TRACE_KIND_COUNT
};

/* Flags of a TRACE_PAGE. Without the last two a page is writable, not executable. */
#define TRACE_PAGE_DEVICE   1u
#define TRACE_PAGE_CODE     2u
#define TRACE_PAGE_READONLY 4u

enum trace_sysreg {
    TRACE_SCTLR_EL1,
    TRACE_TCR_EL1,
    TRACE_TTBR0_EL1,
    TRACE_TTBR1_EL1,
    TRACE_MAIR_EL1,
    TRACE_CR0,
    TRACE_CR3,
    TRACE_CR4,
    TRACE_SYSREG_COUNT,
    /* Not a register: the handle of the VM that the CPU runs, 0 for its host. */
    TRACE_SYSREG_VM = 0x100,
};

/* TRACE_INVALIDATE, arm64: op1, CRn, CRm and op2 of the SYS instruction. x86: one of the others. */
#define TRACE_INVAL_SYS(op1, crn, crm, op2) ((op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
enum trace_x86_inval { TRACE_INVLPG = 1, TRACE_INVPCID, TRACE_MOV_CR3, TRACE_MOV_CR4 };

enum trace_alloc_class {
    TRACE_ALLOC_OTHER,
    TRACE_ALLOC_MOVABLE,
    TRACE_ALLOC_USER,
    TRACE_ALLOC_UNMOVABLE,
    TRACE_ALLOC_SECRET,
    TRACE_ALLOC_KERNEL,
};

/* Who gets a donated page. */
enum trace_owner { TRACE_OWNER_HOST, TRACE_OWNER_HYP, TRACE_OWNER_GUEST };

/* The recorded kernel took the page out of its direct map (secretmem) ... or left it there, so that
 * only stage 2 protects it. */
#define TRACE_DONATE_UNMAPPED 1u
/* The page was donated before the stream begins (donated-start.txt, VMs alive at the sync point).
 */
#define TRACE_DONATE_INITIAL 2u

enum trace_outcome { TRACE_OUTCOME_REPAIRED, TRACE_OUTCOME_PANIC, TRACE_OUTCOME_OTHER };
enum trace_mark { TRACE_MARK_START, TRACE_MARK_PHASE, TRACE_MARK_END, TRACE_MARK_USER };

/* One decoded record; 16 bytes, because tens of millions a second go by. */
struct trace_rec {
    uint64_t addr;
    uint32_t site; /* access: index into trace_header.sites; event: index into trace_block.events */
    uint8_t kind;  /* enum trace_kind */
    uint8_t cpu;
    uint16_t zero;
};

struct trace_event {
    uint64_t a, b, c;
    uint32_t task;  /* process id, 0 unknown */
    uint32_t owner; /* enum trace_owner, guest number << 8 */
    uint64_t clock; /* instructions executed, as the recorder counted; 0 unknown */
};

/* How one instruction accesses memory. */
struct trace_site {
    uint64_t pc;
    uint8_t size_log2;
    bool store;
    bool zeropad; /* a load_unaligned_zeropad() word */
    bool fetch;   /* of instructions */
    bool user;    /* made at EL0 or ring 3 */
    /* For a zeropad load that the recorded kernel had to repair: the stream shows the attempt as an
     * access of this site, followed by its TRACE_KFAULT. */
};

struct trace_range {
    uint64_t start, end; /* [start, end) */
};

struct trace_extable {
    uint64_t pc, fixup;
    uint32_t type; /* the kernel's extable type; arm64: 4 is zeropad */
    uint32_t info; /* the entry's data word */
};

/* Machine facts. Everything an analysis needs besides the records. */
struct trace_header {
    enum trace_arch arch;
    unsigned int cpus;
    unsigned int page_shift;
    uint64_t linear_start, linear_end, linear_pa; /* direct map: va range and pa of its start */
    uint64_t text;                                /* lowest kernel code address */
    struct trace_range *ram;
    size_t ram_count;
    struct trace_extable *extable; /* sorted by pc */
    size_t extable_count;
    char *facts;      /* free text: kernel, command line, processor, provenance */
    char *provenance; /* how this file was made, one line a step */
    char *clock;      /* what the event clock counts */
};

/* A run of decoded records. Valid until the next call on the source. */
struct trace_block {
    uint64_t first; /* position of rec[0] */
    const struct trace_rec *rec;
    size_t count;
    const struct trace_event *events;
    size_t event_count;
    const char *text; /* NUL-terminated strings of marks */
    size_t text_size;
    /* Sites known so far: grows from block to block, indices never change. */
    const struct trace_site *sites;
    size_t site_count;
};

/*
 * A source of records: a file reader, a filter, or a workload generator. `next` fills *block and
 * returns 1, returns 0 at the end, or -1 with the error set. A truncated file yields every whole
 * block, then -1 with a message that says what is missing and where.
 */
struct trace_source {
    const struct trace_header *(*header)(struct trace_source *source);
    int (*next)(struct trace_source *source, struct trace_block *block, struct trace_error *error);
    void (*close)(struct trace_source *source);
};

/* ---- native reader (traces/native_read.c, native_seek.c) ---- */

/* Opens a native trace; "-" is standard input. NULL with the error set. */
struct trace_source *trace_open(const char *path, struct trace_error *error);
/* Continues at the block that contains `position` (needs a seekable file with an index). */
int trace_seek(struct trace_source *source, uint64_t position, struct trace_error *error);
/*
 * Records in the whole file, by its index: 0 when that cannot be known without reading on (a pipe,
 * no sound index, a source that is not a native file). Where the source stands does not change.
 */
uint64_t trace_length(const struct trace_source *source);

/* ---- native writer (traces/native_write.c) ---- */

struct trace_writer;
/* The header is copied. path "-" is standard output. level: zstd level, 0 for the default. */
struct trace_writer *trace_create(const char *path, const struct trace_header *header, int level,
                                  struct trace_error *error);
/* Returns the site's index, the same for the same instruction and kind of access. */
uint32_t trace_write_site(struct trace_writer *writer, const struct trace_site *site);
int trace_write_access(struct trace_writer *writer, unsigned int cpu, uint32_t site, uint64_t va,
                       struct trace_error *error);
int trace_write_event(struct trace_writer *writer, enum trace_kind kind, unsigned int cpu,
                      uint64_t addr, const struct trace_event *event, const char *text,
                      struct trace_error *error);
/* Writes the last block and the index; on failure the file is removed. Frees the writer. */
int trace_finish(struct trace_writer *writer, struct trace_error *error);
/* Gives up: removes the file (what a pipe has taken stays there) and frees the writer. */
void trace_abandon(struct trace_writer *writer);
/* Records in a block from now on, 1 to 16 Mi (default 4 Mi); smaller blocks compress worse. */
void trace_writer_block(struct trace_writer *writer, uint32_t records);
/* Position of the record that is written next. */
uint64_t trace_writer_position(const struct trace_writer *writer);

/* ---- importers ---- */

struct trace_import_stats {
    uint64_t accesses, events, donations, reclaims, faults;
    uint64_t moved; /* lines put back that an interrupt had made late */
};

/* A recording directory (docs/RECORDING.md) to a native trace at `out`. */
int trace_import_recording(const char *dir, const char *out, int level,
                           struct trace_import_stats *stats, struct trace_error *error);
/*
 * ftrace text (plain, .xz or .zst) alone: its events in the order of its lines, no accesses. The
 * machine's facts.txt and extable.txt (or .xz) must lie in the same directory.
 */
int trace_import_ftrace(const char *path, const char *out, int level,
                        struct trace_import_stats *stats, struct trace_error *error);
/* The output of `perf script` likewise; samples with an address (-F
 * comm,tid,cpu,time,event,addr,ip) are accesses. */
int trace_import_perf(const char *path, const char *out, int level,
                      struct trace_import_stats *stats, struct trace_error *error);
/* A trace.dat of trace-cmd likewise. */
int trace_import_trace_dat(const char *path, const char *out, int level,
                           struct trace_import_stats *stats, struct trace_error *error);
/* valgrind --tool=lackey --trace-mem=yes: accesses alone, of a machine made for them. The file is
 * read twice. */
int trace_import_lackey(const char *path, const char *out, int level,
                        struct trace_import_stats *stats, struct trace_error *error);

enum trace_input_kind {
    TRACE_INPUT_FTRACE, /* or nothing that is known */
    TRACE_INPUT_PERF,
    TRACE_INPUT_TRACE_DAT,
    TRACE_INPUT_LACKEY,
    TRACE_INPUT_RECORDING, /* a directory */
};

/* What a file is, by how it begins. 0, or -1 when it cannot be read. */
int trace_recognise(const char *path, enum trace_input_kind *kind, struct trace_error *error);

/*
 * The console of a pKVM host that died (ftrace lines among others): the pages it gave to the
 * hypervisor, then the load that killed it as an access and a KFAULT with TRACE_OUTCOME_PANIC.
 * entries: NULL, or the list of the host's entries into the hypervisor, which gives the order and
 * one access for each abort. facts_dir: where facts.txt, extable.txt and (with entries)
 * symbols.txt of this kernel and machine lie; NULL: beside the console.
 */
int trace_import_crash(const char *console, const char *entries, const char *facts_dir,
                       const char *out, int level, struct trace_import_stats *stats,
                       struct trace_error *error);

/* ---- filters (traces/filter.c) ---- */

/* Zeros (and cpu -1) want everything. */
struct trace_filter {
    uint64_t from, to; /* positions [from, to) of the source; to 0: its end */
    const char *phase; /* only the first phase of this name */
    uint64_t kinds;    /* bit 1 << kind for each kind wanted; 0 all */
    int cpu;           /* only accesses and events of this CPU; -1 all. Records that later ones
                          depend on (page, donate, reclaim, share, mark) pass from all CPUs */
    uint64_t sample_keep, sample_skip; /* accesses: keep so many, skip so many, and so on */
};

/*
 * A source of the records wanted, renumbered from 0. Before the first one of a window stand the
 * page flags, donations (as INITIAL), translations and the phase that hold there, so that what
 * comes out replays on its own. A KFAULT goes with the access before it. Owns `from` and closes it,
 * also when it fails (NULL with the error set).
 */
struct trace_source *trace_filter_open(struct trace_source *from, const struct trace_filter *want,
                                       struct trace_error *error);
/* Writes all records of the source. 0, or -1: then what was written before is still good. */
int trace_copy(struct trace_source *source, struct trace_writer *writer, struct trace_error *error);

/* ---- what is in a trace (traces/summary.c, traces/dump.c) ---- */

struct trace_phase {
    char *name; /* "" before the first phase */
    uint64_t first, records;
    uint64_t kind[TRACE_KIND_COUNT];
    uint64_t stores, direct_map, user; /* accesses: stores; through the direct map; to user va */
    uint64_t zeropad, crossing;        /* zeropad loads; those that leave their page */
    uint64_t crossing_unmapped;        /* ... into a donated page that the kernel had unmapped */
    uint64_t crossing_mapped;          /* ... into a donated page still in the direct map */
    uint64_t touched;                  /* other direct-map accesses to donated pages */
    uint64_t donated_start, donated_peak, donated_end; /* pages */
};

struct trace_summary {
    uint64_t records, sites;
    struct trace_phase total; /* of the whole trace; name NULL */
    struct trace_phase *phase;
    size_t phase_count;
    uint64_t initial;      /* pages donated before the stream */
    uint64_t refused;      /* pages donated twice or reclaimed without a donation: 0 is right */
    uint64_t direct_pages; /* distinct pages touched through the direct map */
    uint64_t other_pages;  /* distinct virtual pages touched outside it */
    uint64_t faults[3];    /* KFAULT by enum trace_outcome */
};

/* Reads the source to its end. On failure (-1) the summary holds what came before it. */
int trace_summarise(struct trace_source *source, struct trace_summary *summary,
                    struct trace_error *error);
void trace_summary_print(const struct trace_summary *summary, const struct trace_header *header,
                         FILE *out);
void trace_summary_free(struct trace_summary *summary);
/* One line a record. 0 or -1. */
int trace_dump(struct trace_source *source, FILE *out, struct trace_error *error);

/* ---- helpers ---- */

/* What tells one file from another: a number made of all of its bytes. 0 or -1. */
int trace_digest(const char *path, uint64_t *digest, struct trace_error *error);
const char *trace_kind_name(enum trace_kind kind);
/* Copies into a header of its own; trace_header_free releases what the copy holds. */
int trace_header_copy(struct trace_header *to, const struct trace_header *from);
void trace_header_free(struct trace_header *header);

#endif
