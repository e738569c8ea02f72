/* SPDX-License-Identifier: MIT */
/*
 * Kernel address space isolation on x86: a restricted address space made of entries copied from the
 * kernel's full table, entered for code that may leak and left before anything sensitive.
 *
 * Invariant: whatever a restricted table maps, it maps as the kernel's table does, so that leaving
 * is possible between any two instructions. What it does not map faults, and the fault leaves.
 * What may be seen is told by ranges; what may not, though a range covers it, by hidden pages.
 *
 * Two ways to switch share the tables. Sessions (hyp_asi_enter, hyp_asi_exit) are aborted by
 * interrupts, exceptions and context switches. Targets (hyp_asi_target_*, below) survive
 * interrupts and are entered again when the outermost one returns. A CPU uses one way at a time.
 *
 * Covered: tables of 4 levels, source table of the same format. Not covered: 5 levels, user halves,
 * page-table isolation underneath, ephemeral mappings, and counting who uses an address space per
 * mm and class: a class is the policy that its address spaces are created with. Global leaves are
 * copied as they are, so the kernel's table should have none, as under page-table isolation.
 *
 * Nothing here takes a lock or waits: the caller serialises all operations on one address space,
 * which includes its pool; operations on a struct hyp_asi_cpu belong to that CPU. The kernel's
 * table is only read. A refusal changes nothing at all, but where a call maps several ranges and
 * takes them back: then ranges and entries are as before, and CPUs flush once more than needed.
 *
 * TLB maintenance: an entry that goes, or changes, is INVLPG'd on all CPUs, one INVLPG for each
 * leaf that it showed; and because INVLPG leaves other PCIDs alone (Intel SDM vol. 3, 4.10.4.1),
 * each CPU's next entry into the address space also flushes its PCID.
 */
#ifndef HYP_ASI_H
#define HYP_ASI_H

#include <hyp/pgtable.h>

/* Level of the entries that a mapping copies. With 4 levels P4D and PGD are one. */
enum hyp_asi_level { HYP_ASI_PTE, HYP_ASI_PMD, HYP_ASI_PUD, HYP_ASI_P4D, HYP_ASI_PGD };

/* Optional core mappings. */
#define HYP_ASI_STACK_CANARY  0x01u
#define HYP_ASI_CPU_PTR       0x02u
#define HYP_ASI_CURRENT_TASK  0x04u /* the variable; with it the task itself from enter to exit */
#define HYP_ASI_RCU_DATA      0x08u
#define HYP_ASI_CPU_HW_EVENTS 0x10u

/* A piece of the kernel's address space; size 0: there is none. */
struct hyp_asi_area {
    hyp_va_t va;
    uint64_t size;
};

struct hyp_asi_module {
    const char *name;
    struct hyp_asi_area core;
};

/* Where the kernel keeps what must be mapped. Per-CPU variables are given at offset 0. */
struct hyp_asi_kernel {
    const struct hyp_pgt *table;    /* the full table: hyp_fmt_x86, 48-bit addresses */
    struct hyp_asi_area image;      /* mapped by PMD entries */
    struct hyp_asi_area entry_area; /* P4D. Holds the exception stacks: never optional */
    struct hyp_asi_area sessions;   /* the struct hyp_asi_cpu array: never optional */
    struct hyp_asi_area percpu[5];  /* canary, CPU offset, current task, RCU, events: bit order */
    const uint64_t *percpu_offset;  /* bytes, one for each CPU */
    const struct hyp_asi_module *modules;
    unsigned int module_count;
};

/* One mapping as it was asked for. It uses entries from va rounded down to end rounded up. */
struct hyp_asi_range {
    hyp_va_t va;
    uint64_t size;
    enum hyp_asi_level level;
    unsigned int overlaps; /* other ranges whose entries' extent meets this one's */
};

/* What rounding exposes besides the range. */
struct hyp_asi_leak {
    uint64_t before, after; /* bytes */
};

#define HYP_ASI_FAULTS 128u

enum hyp_asi_state { HYP_ASI_INACTIVE, HYP_ASI_ACTIVE, HYP_ASI_ABORTED };

struct hyp_asi;

/* Taints: what of whom may still be in a CPU's buffers (data) or predictors (control). */
#define HYP_ASI_KERNEL_DATA   0x01u
#define HYP_ASI_USER_DATA     0x02u
#define HYP_ASI_GUEST_DATA    0x04u
#define HYP_ASI_OTHER_DATA    0x08u /* of another mm */
#define HYP_ASI_USER_CONTROL  0x10u
#define HYP_ASI_GUEST_CONTROL 0x20u
#define HYP_ASI_OTHER_CONTROL 0x40u
#define HYP_ASI_DATA          0x0fu
#define HYP_ASI_CONTROL       0x70u
#define HYP_ASI_TAINTS        0x7fu

/* What a class of address spaces needs flushed on entry, and what running in it leaves behind. */
struct hyp_asi_policy {
    uint8_t prevent_control; /* of HYP_ASI_CONTROL: flushed before the CR3 write */
    uint8_t protect_data;    /* of HYP_ASI_DATA: flushed after it */
    uint8_t set;             /* of HYP_ASI_TAINTS: set on entry */
};

/* The CPU's buffers (`taints` within DATA) or predictors (within CONTROL) are flushed. */
typedef void hyp_asi_flush_fn(void *ctx, unsigned int taints);

/* PCIDs that one CPU uses for restricted address spaces, handed out in turn. */
#define HYP_ASI_TAGS 6u

struct hyp_asi_tag {
    const struct hyp_asi *asi;
    uint64_t generation; /* of the tables when this PCID was last flushed */
};

/* What is mapped only from enter to exit. */
struct hyp_asi_task {
    struct hyp_asi_area stack, task; /* task: read with HYP_ASI_CURRENT_TASK only */
};

/* One for each CPU, zeroed and then hyp_asi_cpu_init. Mapped in every restricted address space. */
struct hyp_asi_cpu {
    const struct hyp_port *port;
    uint64_t cr3; /* in force, without bit 63 */
    uint64_t cr4;
    uint16_t
        tag_base; /* first of HYP_ASI_TAGS PCIDs, to 4090; 0: no PCIDs, each CR3 write flushes */
    uint8_t tag_next;
    struct hyp_asi_tag tags[HYP_ASI_TAGS];
    /* session */
    struct hyp_asi *asi; /* entered, also while aborted */
    enum hyp_asi_state state;
    bool retry_abort; /* between barrier_begin and barrier_end */
    unsigned int abort_depth;
    uint64_t isolation_cr3, original_cr3, original_cr4;
    uint64_t kernel_generation;
    struct hyp_asi_task task;
    /* targets */
    struct hyp_asi *current, *target;
    unsigned int interrupts;
    bool kernel_stale; /* the kernel's table changed since it was left */
    uint8_t taints;
    hyp_asi_flush_fn *flush; /* NULL: nothing to flush */
    void *flush_ctx;
};

struct hyp_asi_config {
    const struct hyp_port *port;
    const struct hyp_vmemmap *vmemmap;
    struct hyp_pool *pool; /* table pages */
    const struct hyp_asi_kernel *kernel;
    struct hyp_asi_cpu *cpus;
    unsigned int cpu_count;
    struct hyp_asi_range *ranges; /* storage */
    unsigned int range_max;
    uint64_t *tables; /* storage: owned table pages, the root not among them */
    unsigned int table_max;
    unsigned int flags;
    struct hyp_asi_policy policy;
};

struct hyp_asi {
    struct hyp_asi_config config;
    struct hyp_pgt pgt;
    unsigned int range_count, table_count;
    uint64_t generation;                /* of the tables: an entry went or changed */
    uint64_t kernel_generation;         /* the kernel said that its own table changed */
    uint64_t fault_log[HYP_ASI_FAULTS]; /* instruction pointers */
    unsigned int fault_count;
    bool fault_full, fault_stack;
};

void hyp_asi_cpu_init(struct hyp_asi_cpu *cpu, const struct hyp_port *port, uint64_t cr3,
                      uint64_t cr4, uint16_t tag_base);

/*
 * Makes an address space with the core mappings. HYP_EINVAL for a kernel without entry area or
 * sessions, a bad table, or policy bits out of place; else as hyp_asi_map_range. Nothing is left
 * allocated after a refusal.
 */
HYP_MUST_USE enum hyp_err hyp_asi_create(struct hyp_asi *asi, const struct hyp_asi_config *config);
/* HYP_EBUSY while any CPU is in it, is aborted from it, or has it as target. NULL is allowed. */
HYP_MUST_USE enum hyp_err hyp_asi_destroy(struct hyp_asi *asi);

/*
 * Maps [va, va + size) by copying the kernel's entries of `level`; a larger leaf is copied whole; a
 * hole of the kernel's stays one. A range within another's extent copies nothing.
 * HYP_EINVAL: size 0, no such level, not canonical, or a table on the way is the kernel's.
 * HYP_EBUSY: a range starts at va, or another entry is where a copy goes (above level 0).
 * HYP_ENOMEM: no range, table or pool page left. leak (may be NULL) is only written on success.
 */
HYP_MUST_USE enum hyp_err hyp_asi_map_range(struct hyp_asi *asi, hyp_va_t va, uint64_t size,
                                            enum hyp_asi_level level, struct hyp_asi_leak *leak);
HYP_MUST_USE enum hyp_err hyp_asi_map(struct hyp_asi *asi, hyp_va_t va, uint64_t size);
/*
 * Removes the range that starts at va: HYP_ENOENT if none does. Entries that other ranges copied
 * too stay; ranges of a finer level that relied on this one get entries of their own, for which
 * HYP_ENOMEM.
 */
HYP_MUST_USE enum hyp_err hyp_asi_unmap(struct hyp_asi *asi, hyp_va_t va);
/*
 * The pointer *mapping moves to va: nothing when it is there already; else what *mapping names is
 * unmapped (0: nothing) and va mapped. *mapping is 0 after a failure to map.
 */
HYP_MUST_USE enum hyp_err hyp_asi_remap(struct hyp_asi *asi, hyp_va_t *mapping, hyp_va_t va,
                                        uint64_t size);
/* A per-CPU variable, on every CPU or on none; after a refusal only free pages may have moved. */
HYP_MUST_USE enum hyp_err hyp_asi_map_percpu(struct hyp_asi *asi, hyp_va_t va, uint64_t size);
HYP_MUST_USE enum hyp_err hyp_asi_unmap_percpu(struct hyp_asi *asi, hyp_va_t va);
/* The core layout of a module. HYP_ENOENT: no module of this name. */
HYP_MUST_USE enum hyp_err hyp_asi_map_module(struct hyp_asi *asi, const char *name);
/*
 * The kernel's table changed in [va, va + size), and the kernel's own INVLPGs are done: copies
 * follow, and each CPU's next entry flushes. HYP_ENOMEM leaves unmapped what
 * could not be copied anew; nothing of what was there before stays in any case.
 */
HYP_MUST_USE enum hyp_err hyp_asi_refresh(struct hyp_asi *asi, hyp_va_t va, uint64_t size);

/*
 * Takes one page out of every range, those to come included, until hyp_asi_show(): what is hidden
 * outlives the ranges around it. The kernel maps it by a page, or not at all, and so it is shown.
 * HYP_EINVAL: not the address of a page, a larger entry of the kernel's (split it, then refresh),
 * or a table on the way is the kernel's. HYP_EBUSY: of the entry area or the sessions.
 * HYP_EEXIST: hidden already. HYP_ENOMEM: no table.
 */
HYP_MUST_USE enum hyp_err hyp_asi_hide(struct hyp_asi *asi, hyp_va_t va);
/* The page is mapped again as the kernel has it, where a range covers it. HYP_ENOENT: not hidden.
 */
HYP_MUST_USE enum hyp_err hyp_asi_show(struct hyp_asi *asi, hyp_va_t va);

/* ---- sessions ---- */

/*
 * Runs on in `asi`, with stack (and task) mapped until exit. In the same one already: no effect.
 * HYP_EBUSY in another, or while aborted; errors of mapping. CR3 is written last; HYP_EAGAIN when
 * an interrupt came just before that, and the session ended again.
 */
HYP_MUST_USE enum hyp_err hyp_asi_enter(struct hyp_asi_cpu *cpu, struct hyp_asi *asi,
                                        const struct hyp_asi_task *task);
/* Back to the saved CR3 first, then the session ends. No effect when inactive. */
void hyp_asi_exit(struct hyp_asi_cpu *cpu);
/*
 * Brackets of each interrupt, exception and NMI; they nest. The first start restores CR3, the last
 * finish ends the session. No effect outside a session.
 */
void hyp_asi_start_abort(struct hyp_asi_cpu *cpu);
void hyp_asi_finish_abort(struct hyp_asi_cpu *cpu);
/* A context switch ends the session for good. */
void hyp_asi_abort(struct hyp_asi_cpu *cpu);
/*
 * Brackets of code that may write the restricted CR3 itself, such as VM entry. An interrupt within
 * restores CR3, and barrier_end restores it again and ends the session.
 */
void hyp_asi_barrier_begin(struct hyp_asi_cpu *cpu);
void hyp_asi_barrier_end(struct hyp_asi_cpu *cpu);
/* CR3 and CR4 as the kernel reads them. */
uint64_t hyp_asi_cr3(const struct hyp_asi_cpu *cpu);
uint64_t hyp_asi_cr4(const struct hyp_asi_cpu *cpu);

enum hyp_asi_fault_kind {
    HYP_ASI_FAULT_NEW,      /* first from this instruction: to be reported with `index` */
    HYP_ASI_FAULT_REPEAT,   /* silent */
    HYP_ASI_FAULT_FULL,     /* no room: the warning, then a line */
    HYP_ASI_FAULT_OVERFLOW, /* no room: a line */
};

struct hyp_asi_fault {
    enum hyp_asi_fault_kind kind;
    unsigned int index;
    bool stack; /* print the stack, too */
};

/*
 * A page fault, after start_abort: true when the session explains it, so that the instruction is
 * to be tried again on the full table. False, and nothing written, outside a session, for a
 * user address, or when it is not the outermost exception that aborted.
 */
HYP_MUST_USE bool hyp_asi_fault(struct hyp_asi_cpu *cpu, uint64_t ip, hyp_va_t address,
                                struct hyp_asi_fault *report);

/* ---- targets ---- */

/*
 * Enters `asi` at once (directly from another one, too) and makes it what the outermost interrupt
 * returns to. Not within an interrupt: HYP_EINVAL. HYP_EBUSY in a session.
 */
HYP_MUST_USE enum hyp_err hyp_asi_target_enter(struct hyp_asi_cpu *cpu, struct hyp_asi *asi);
/* The critical section ends: still restricted, but no longer entered again. */
void hyp_asi_target_relax(struct hyp_asi_cpu *cpu);
/* Unrestricted now; the target stays. All control taints are flushed, kernel data is set. */
void hyp_asi_target_exit(struct hyp_asi_cpu *cpu);
void hyp_asi_interrupt_enter(struct hyp_asi_cpu *cpu);
void hyp_asi_interrupt_exit(struct hyp_asi_cpu *cpu);
/* The CPU runs another mm: user and guest taints become other-mm taints. */
void hyp_asi_switch_mm(struct hyp_asi_cpu *cpu);

#endif
