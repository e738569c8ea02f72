/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of guest execution. Two layers:
 *
 *   cpu.c code.c arm64.c x86*.c   what a CPU does; no type of Unicorn
 *   uc_*.c                        the engine: it computes, and asks for every access
 *
 * The engine stays in one state for ever: EL1h with its MMU off, or 64-bit ring 0 without paging.
 * Exception levels, stack pointer banks, translation registers, descriptor tables and everything
 * that enters or leaves a level live here. Instructions that concern them ("trapped") never reach
 * the engine: when it reads code to translate it, they are replaced by an invalid instruction, and
 * executed here.
 */
#ifndef CPU_PRIV_H
#define CPU_PRIV_H

#include "cpu/cpu.h"

#define PAGE_BYTES UINT64_C(4096)
#define PAGE_MASK  (PAGE_BYTES - 1)

/* Why the engine stopped. */
enum cpu_event {
    EVENT_NONE,
    /* before a block; pc is set */
    EVENT_BUDGET,
    EVENT_STOP,
    EVENT_FETCH, /* it does not translate */
    EVENT_RETRY, /* what the engine has translated is outdated */
    /* inside of a block */
    EVENT_FAULT, /* of data */
    EVENT_TRAP,  /* an invalid or trapped instruction at pc */
    EVENT_RAISE, /* an exception of the engine's own: `intno` */
    EVENT_BROKEN,
};

/* Code as the engine has translated it, for one page of addresses. */
struct code_page {
    uint64_t va;         /* bit 0: in use */
    const uint8_t *host; /* of the page; NULL: nothing is translated */
    unsigned int el;
    bool stale;
};

#define CODE_PAGES  1024 /* at most half are used */
#define CODE_BLOCKS 4096

/* x86: instructions of a block, found once. */
struct code_block {
    uint64_t va;
    uint32_t size, count;
};

#define MAP_PAGES 4096 /* a power of two, at most half of it used */

/* Which memory holds code that one of several peers has translated. */
struct code_map {
    unsigned int count;
    struct {
        uintptr_t page; /* host address of the page; 0: free */
        uint64_t lines; /* translated lines of 64 bytes */
    } pages[MAP_PAGES];
};

static inline unsigned int code_map_hash(uintptr_t page)
{
    return (unsigned int)(page >> 12 ^ page >> 24) % MAP_PAGES;
}

/* What the engine asks for again, after the access as a whole: versions differ, the probe finds
 * out. */
struct engine_ways {
    bool halves_loads, halves_fetches; /* across one of its pages: as two aligned ones */
    bool splits_stores;                /* misaligned ones: byte by byte */
};

struct cpu {
    struct cpu_port port;
    struct cpu_config config;
    void *engine;
    uint8_t *scratch;
    struct cpu *next_peer; /* a ring */
    struct code_map *code_map;

    /* architectural state that the engine does not hold */
    uint64_t pc; /* while the engine does not run */
    unsigned int el;
    uint64_t sysreg[CPU_SYSREG_COUNT];
    union {
        struct {
            unsigned int mode; /* PSTATE.M[3:0] */
            uint64_t sp[2];    /* SP_EL0, SP_EL1; that of `mode` is in the engine */
        } arm64;
        struct {
            uint64_t cr2, gdt_base, idt_base, tr_base;
            uint32_t gdt_limit, idt_limit, tr_limit;
            uint16_t selector[6]; /* es cs ss ds fs gs */
            uint16_t tr, ldt;
        } x86;
    };

    /* one run */
    uint64_t retired, deadline;
    unsigned int retries;
    uint64_t block, block_end; /* the block that runs */
    enum cpu_event event;
    bool running, stop;
    unsigned int intno;
    uint64_t fault_va;
    unsigned int fault_size;
    enum cpu_access fault_access;
    const char *why;

    /* of the engine's hooks (uc_glue.c) */
    unsigned int skip;        /* sub-accesses that are part of the access before */
    unsigned int engine_page; /* bytes */
    struct engine_ways ways;
    bool save_flags; /* x86: the engine loses flags at faults */
    uint32_t saved_flags;
    uint64_t saved_at;
    uint64_t until;
    uint64_t scratch_page;
    unsigned int scratch_used;
    void *clean; /* x86: a context without exceptions */
    /* x86: the instruction whose bytes the engine reads, and the block that it is in */
    uint64_t insn_va, insn_end, insn_block; /* insn_end: read so far; 0: a block begins */
    unsigned int insn_length;
    bool insn_trapped;
    uint8_t insn_bytes[16];

    struct code_page *last_page;
    unsigned int code_pages;
    struct code_page pages[CODE_PAGES];
    struct code_block blocks[CODE_BLOCKS];
};

static inline bool cpu_is_arm64(const struct cpu *cpu)
{
    return cpu->config.arch == CPU_ARM64;
}

/* ---- uc_glue.c ---- */

bool engine_open(struct cpu *cpu, char *why);
void engine_close(struct cpu *cpu);
/* Runs from cpu->pc; sets cpu->event, cpu->pc and what belongs to the event. */
void engine_run(struct cpu *cpu);
/* Drops translated code of the page. */
void engine_forget(struct cpu *cpu, uint64_t va);
/* Registers that the engine holds, by enum cpu_reg. */
uint64_t engine_get(const struct cpu *cpu, unsigned int reg);
void engine_set(struct cpu *cpu, unsigned int reg, uint64_t value);

/* ---- code.c ---- */

struct code_map *code_map_create(void);
/* The engine reads code at `va` that is at `host`. */
void code_translated(struct cpu *cpu, uint64_t va, const uint8_t *host, size_t size);
/* What was translated for the page of `va` is what is at `host`, for this level. False sets
 * fault_va. */
bool code_is_current(struct cpu *cpu, uint64_t va, const uint8_t *host);
/* Where code that was translated at `va` is; NULL: there is none. */
const uint8_t *code_at(struct cpu *cpu, uint64_t va);
/* Bytes were written: translations of them are outdated, in all peers. */
void code_outdate(struct cpu *cpu, const uint8_t *host, size_t size);
static inline void code_written(struct cpu *cpu, const uint8_t *host, size_t size)
{
    if (cpu->code_map->pages[code_map_hash((uintptr_t)host & ~PAGE_MASK)].page) /* seldom */
        code_outdate(cpu, host, size);
}
/* Forgets the translations of one page. */
void code_forget(struct cpu *cpu, uint64_t va);

/* ---- probe.c ---- */

/* NULL, or what the engine does wrong: a constant, or `why`, filled. Finds its ways. */
const char *cpu_probe(enum cpu_arch arch, struct engine_ways *ways, char *why);

/* ---- cpu.c ---- */

/* cpu_create() without the probe, hence an engine that repeats nothing. */
struct cpu *cpu_open(const struct cpu_config *config, const struct cpu_port *port, char *why);
/* Where `size` bytes at `va` are; NULL sets the fault. Not across a page. */
static inline uint8_t *cpu_translate(struct cpu *cpu, uint64_t va, unsigned int size,
                                     enum cpu_access access, unsigned int el)
{
    uint8_t *host = cpu->port.translate(cpu->port.ctx, va, size, access, el);

    if (!host) {
        cpu->fault_va = va;
        cpu->fault_size = size;
        cpu->fault_access = access == CPU_FETCH_CODE ? CPU_FETCH : access;
    }
    return host;
}
/* The same for up to 16 bytes that may cross a page: both parts, the second at *far. */
bool cpu_translate_split(struct cpu *cpu, uint64_t va, unsigned int size, enum cpu_access access,
                         unsigned int el, uint8_t *part[2], unsigned int *first);
/* Copies; false: the fault is set. */
bool cpu_load(struct cpu *cpu, uint64_t va, void *to, unsigned int size, unsigned int el);
bool cpu_store(struct cpu *cpu, uint64_t va, const void *from, unsigned int size, unsigned int el);
/* A block is about to run: counts it, or sets the event that prevents it. */
void cpu_enter_block(struct cpu *cpu, uint64_t va, unsigned int size);
/* Fills an exit with the fault that is set. */
bool cpu_exit_fault(const struct cpu *cpu, struct cpu_exit *exit);
/* Sets a translation register as the guest does. */
void cpu_write_sysreg(struct cpu *cpu, enum cpu_sysreg reg, uint64_t value);

/* ---- arm64.c, x86.c: true: the run goes on; false: *exit is filled ---- */

/* What the engine gets to see instead of `insn`. */
uint32_t arm64_filter(const struct cpu *cpu, uint32_t insn);
bool arm64_trap(struct cpu *cpu, struct cpu_exit *exit);
bool arm64_raise(struct cpu *cpu, struct cpu_exit *exit);
void arm64_take(struct cpu *cpu, const struct cpu_exception *exception);
uint64_t arm64_get(const struct cpu *cpu, unsigned int reg);
void arm64_set(struct cpu *cpu, unsigned int reg, uint64_t value);
void arm64_reset(struct cpu *cpu);

/* The engine reads `size` bytes of code at `va`: as it shall see them, to `to`. */
bool x86_fetch(struct cpu *cpu, uint64_t va, unsigned int size, uint8_t *to);
bool x86_trap(struct cpu *cpu, struct cpu_exit *exit);
bool x86_raise(struct cpu *cpu, struct cpu_exit *exit);
bool x86_take(struct cpu *cpu, const struct cpu_exception *exception, struct cpu_exit *exit);
uint64_t x86_get(const struct cpu *cpu, unsigned int reg);
void x86_set(struct cpu *cpu, unsigned int reg, uint64_t value);
void x86_reset(struct cpu *cpu);
/* The translated instruction at `va` goes on in the next page. */
bool x86_crosses_page(struct cpu *cpu, uint64_t va);
/* Instructions in [va, end) of code that the engine has just run. */
unsigned int x86_count(struct cpu *cpu, uint64_t va, uint64_t end);

#endif
