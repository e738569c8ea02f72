/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One simulated machine, as the files of sim/ share it: memory, hardware model, hypervisor core,
 * host kernel and the strategy under test. Nothing outside sim/ includes this.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <hyp/hyp.h>

#include "mmu/mmu.h"
#include "sim/host_map.h"
#include "sim/ram.h"
#include "sim/sim.h"

/*
 * Physical memory behind the recorded RAM that the recorded machine did not have: the host's table
 * pages, the hypervisor's pool, metadata pages of guests, and the carve-out. Kept apart so that
 * every recorded page keeps its recorded use.
 */
struct sim_layout {
    hyp_pa_t ram_start, ram_end; /* recorded RAM, gaps included */
    hyp_pa_t tables, tables_end; /* host stage-1 tables */
    hyp_pa_t pool, pool_end;     /* the hypervisor's carve-out */
    hyp_pa_t meta, meta_end;     /* pages the host hands in for guests */
    hyp_pa_t carve, carve_end;   /* carve-out strategy */
};

/* What the simulator knows of one recorded page. All zeroes: an ordinary page in its place. */
struct sim_page {
    uint32_t moved;   /* frame that stands for it now, exclusive-or its own frame */
    uint32_t gfn;     /* where the guest sees it */
    uint64_t donated; /* position of the donation */
    uint32_t owner;   /* enum trace_owner, guest number << 8 */
    uint16_t slot;    /* of the guest's VM in the core */
    uint8_t lent;     /* enum sim_lent */
    uint8_t free;     /* the recorded kernel's allocator has it */
};

enum sim_lent { SIM_NOT_LENT, SIM_LENT_WAITS, SIM_LENT };

/* A page about to change hands. */
struct sim_lend {
    hyp_pa_t recorded; /* the page, as recorded */
    hyp_pa_t pa;       /* where it is in this machine, after placement */
    struct sim_page *page;
    uint8_t cpu;
};

/* An access that met a lent page. */
struct sim_stray {
    struct mmu_request request;
    struct mmu_result result;
    uint64_t pc, position;
    hyp_pa_t pa;  /* the lent page */
    uint64_t esr; /* or #PF code, or exit qualification */
};

/* MAXPHYADDR of the x86 presets. */
enum { SIM_X86_PA_BITS = 46 };

/* Values of donate.kinds. */
enum { SIM_KINDS_ALL, SIM_KINDS_UNMAPPED, SIM_KINDS_HYPERVISOR };

enum sim_outcome { SIM_RETRY, SIM_FIXED, SIM_PANIC };

/* One access that does not leave its page. */
struct sim_access {
    uint64_t va, pc;
    uint8_t cpu, el; /* el: 0 user, 1 kernel */
    uint8_t kind;    /* enum mmu_access */
};

/* How it went, for those who execute rather than replay. */
struct sim_met {
    struct mmu_request request;
    struct mmu_result result;
    /* arm64: of the CPU before; what the core injected after a refused stage-2 fault. */
    struct hyp_host_regs regs;
};

/* Translation state of one CPU. */
struct sim_cpu_state {
    uint64_t reg[TRACE_SYSREG_COUNT]; /* of the host kernel */
    struct hyp_root stage2;           /* what the host runs under, once the hypervisor is live */
    bool has_stage2;
    bool own_stage2; /* x86: that of execute-only memory (sim/guest_x86.h) */
    hyp_handle_t vm; /* the VM that runs, translation of stage 1 off; 0: the host */
    /* Arguments of the next call from the third on; after it the first two, as the core left them,
     * and its result. */
    uint64_t args[3];
    int64_t result;
};

struct sim_strategy {
    const char *name, *summary;
    bool baseline;    /* no donation takes place */
    uint8_t arch;     /* enum trace_arch; 0: any */
    uint8_t recorded; /* donate.kinds under which this is what the recorded machine did; 0 none */
    bool edits_direct_map; /* needs a direct map of pages */
    bool stage2;           /* donations go through the hypervisor */
    bool isolates;         /* the kernel has more than one address space: no global entries */
    uint8_t stray;         /* enum fl_stray: how a stray access reaches a guest kernel */
    bool carve_out;        /* donated pages come from the carve-out, whatever place.policy says */
    /* Before the first record. May be NULL. */
    enum sim_status (*setup)(struct sim *sim, struct sim_error *error);
    /* A page changes hands; false: refused, nothing has changed. */
    bool (*donate)(struct sim *sim, const struct sim_lend *lend);
    /* Batched donation, NULL for the others: donate prepares each page of a batch, flush serves
     * them all, finish completes each. */
    void (*flush)(struct sim *sim, const struct sim_lend *batch, size_t count);
    bool (*finish)(struct sim *sim, const struct sim_lend *lend);
    void (*reclaim)(struct sim *sim, const struct sim_lend *lend);
    /* Hears of each event after it took effect. NULL: need not. */
    void (*event)(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event);
    /* A stage-2 abort on a page that is not the host's, the exit included. NULL: cannot happen. */
    enum sim_outcome (*abort)(struct sim *sim, const struct sim_stray *stray);
};

/* A VM of the core, by slot; and which of them a guest number of the recording is now. */
struct sim_guest {
    bool live, dying;
    uint32_t number;
    uint32_t next_gfn;
    uint32_t pages;
    hyp_pa_t meta, vcpu_meta;
};

enum { SIM_GUESTS_MAX = HYP_VMS_MAX };

struct sim {
    struct sim_config config;
    const struct sim_strategy *strategy;
    const struct trace_header *header;
    struct sim_layout layout;
    unsigned int cpus;

    struct sim_ram *ram;
    struct mmu *mmu;
    enum mmu_regime regime; /* of the host kernel */
    struct hyp_port hyp_port;
    struct hyp hyp;
    struct hyp_page *vmemmap;
    uint64_t vmemmap_bytes;

    struct host_map map;
    struct sim_asi *asi; /* NULL: the kernel has one address space (sim/asi.h) */
    struct sim_xom *xom; /* NULL: no guest has execute-only memory (sim/xom.h) */
    struct sim_cpu_state cpu_state[HYP_CPUS_MAX];
    bool runs_guest;                 /* a guest under emulation, or a trace of one */
    struct sim_guest_x86 *guest_x86; /* NULL: it has asked for nothing of that */
    struct sim_page *pages;          /* by frame, from ram_start on, carve-out included */
    uint64_t page_count;
    bool moves_pages; /* placement is not as recorded */
    bool carves;      /* donated pages come from the carve-out */
    uint64_t place_random;
    uint64_t place_cursor; /* clustered, huge-first: next candidate */
    hyp_pa_t carve_limit;  /* carve-out pages below are set apart */
    uint32_t *carve_free;  /* stack of free carve-out pages, relative to layout.carve */
    uint64_t carve_free_count;
    hyp_pa_t meta_cursor; /* metadata pages not used yet */
    struct hyp_host_memcache
        meta_free; /* and those that came back, linked as the host links them */
    struct hyp_vm *vms;
    struct sim_guest guests[SIM_GUESTS_MAX];
    struct sim_lend *batch; /* direct-map-batch: donations that wait */
    size_t batch_count;
    uint64_t tables_now;    /* table pages of the core in use */
    bool tables_full;       /* the host's own table pages ran out: the replay stops */
    const char *bad_record; /* a record says what cannot be: what was expected. The replay stops */
    uint64_t bad_position;

    enum sim_cause cause; /* what the core's table edits are charged to ... */
    uint8_t cpu;          /* ... and which CPU it runs on */
    uint64_t position;    /* record being replayed */
    struct sim_stats stats;
    struct mmu_counters mmu_before; /* of setting the machine up */
    uint64_t records;               /* replayed */
    uint64_t pending_position;      /* position + 1 of the last predicted fault, while unmatched */
    uint64_t pending_far, pending_pc;
    bool stuck; /* an access faults without end */
    unsigned int report_count;
    struct sim_stray_report report[SIM_REPORTS_MAX];
    uint64_t memory_before;
};

static inline void sim_charge(struct sim *sim, enum sim_cause cause, uint64_t cycles)
{
    sim->stats.cycles[cause] += cycles;
}

static inline void sim_count(struct sim *sim, enum sim_count count, uint64_t by)
{
    sim->stats.count[count] += by;
}

/* The record being replayed cannot be. The first one counts. */
static inline void sim_bad_record(struct sim *sim, const char *expected)
{
    if (sim->bad_record)
        return;
    sim->bad_record = expected;
    sim->bad_position = sim->position;
}

#define SIM_COST(sim, name) SIM_GET(&(sim)->config, cost, name)

/* The direct-map address of a physical page of this machine, the model's own memory included. */
static inline hyp_va_t sim_linear_va(const struct sim *sim, hyp_pa_t pa)
{
    return hyp_va(pa.v - sim->header->linear_pa + sim->header->linear_start);
}

static inline bool sim_in_linear(const struct sim *sim, uint64_t va)
{
    return va - sim->header->linear_start < sim->header->linear_end - sim->header->linear_start;
}

/* The recorded page at a physical address, or NULL outside the recorded RAM. */
static inline struct sim_page *sim_page_at(const struct sim *sim, hyp_pa_t pa)
{
    uint64_t index = (pa.v - sim->layout.ram_start.v) >> 12;

    return pa.v >= sim->layout.ram_start.v && index < sim->page_count ? &sim->pages[index] : NULL;
}

/* Where a recorded physical address is in this machine. */
static inline hyp_pa_t sim_placed_pa(const struct sim *sim, hyp_pa_t pa)
{
    const struct sim_page *page = sim_page_at(sim, pa);
    uint64_t offset = pa.v - sim->layout.ram_start.v;

    if (!page || !page->moved)
        return pa;
    return hyp_pa_add(sim->layout.ram_start, offset ^ (uint64_t)page->moved << 12);
}

/* Whole pages of the i-th RAM range. */
static inline struct trace_range sim_ram_range(const struct trace_header *header, size_t i)
{
    const uint64_t page = UINT64_C(1) << header->page_shift;

    return (struct trace_range){(header->ram[i].start + page - 1) & ~(page - 1),
                                header->ram[i].end & ~(page - 1)};
}

/* The host kernel's pages, and so the granule of every table: what the trace was recorded with. */
static inline unsigned int sim_page_shift(const struct sim *sim)
{
    return sim->header->page_shift;
}

static inline uint64_t sim_page_bytes(const struct sim *sim)
{
    return UINT64_C(1) << sim->header->page_shift;
}

/* ---- sim/access.c ---- */

/* Anything but an L1 hit. False when the access did not complete; *met (may be NULL) says why. */
bool sim_access(struct sim *sim, const struct sim_access *access, struct sim_met *met);

/* ---- sim/guest_state.c: what a guest does to the state that translations depend on ---- */

void sim_guest_event(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event);

/* ---- sim/events.c: what the events of a trace do ---- */

void sim_event(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event);
/* Completes the donations that wait for their batch. */
void sim_flush_batch(struct sim *sim);

/* ---- sim/port_hyp.c, sim/port_mmu.c ---- */

void sim_port_hyp(struct sim *sim, struct hyp_port *port);
void sim_port_mmu(struct sim *sim, struct mmu_port *port);
/* Cycles of one broadcast invalidation of `pages` pages, or of a range when the CPU can. */
uint64_t sim_shootdown_cycles(const struct sim *sim, uint64_t pages, bool range);
/* Zeroing so many bytes, a multiple of 4 KiB. */
uint64_t sim_clear_cycles(const struct sim *sim, uint64_t bytes);

/* ---- sim/host_kernel.c: what the host kernel does ---- */

enum sim_status sim_host_boot(struct sim *sim, struct sim_error *error);
/* A translation outside the direct map, as the recording shows it; TRACE_PAGE_* flags. */
void sim_host_page(struct sim *sim, uint8_t cpu, hyp_va_t va, hyp_pa_t pa, unsigned int flags);
/* set_direct_map_invalid_noflush() and set_direct_map_default_noflush() on one page. */
void sim_direct_map_invalid(struct sim *sim, uint8_t cpu, hyp_pa_t pa);
void sim_direct_map_default(struct sim *sim, uint8_t cpu, hyp_pa_t pa);
/* Splits blocks of the direct map until the page has an entry of its own. */
void sim_direct_map_split(struct sim *sim, uint8_t cpu, hyp_pa_t pa);
/* flush_tlb_kernel_range() over `pages` pages of the direct map. */
void sim_flush_kernel_range(struct sim *sim, uint8_t cpu, hyp_pa_t pa, uint64_t pages);
/* Adds [start, end) to the direct map; false when table pages are used up. */
bool sim_host_extend(struct sim *sim, hyp_pa_t start, hyp_pa_t end);
/* A kernel fault of `entry_cycles` that searches the exception table; SIM_PANIC when the
 * instruction has no entry. */
enum sim_outcome sim_kernel_fault(struct sim *sim, uint64_t pc, uint64_t entry_cycles);

/* ---- sim/host_cpu.c: what the host kernel tells its CPUs, by architecture ---- */

/* The registers that the host kernel starts with, before there is a stage 2. */
void sim_host_regs_init(struct sim *sim, unsigned int cpu);
/* Tells the model the translation registers of one CPU, as cpu_state has them. */
void sim_host_regs(struct sim *sim, unsigned int cpu);
/* x86: INVLPG on all CPUs, each for the PCID that it runs under. */
void sim_host_invlpg(struct sim *sim, uint64_t va);
/* Kernel addresses, on all CPUs: one page with its walk-cache entries, leaves of a range, all. */
void sim_host_invalidate_page(struct sim *sim, uint8_t cpu, uint64_t va);
void sim_host_invalidate_range(struct sim *sim, uint8_t cpu, uint64_t va, uint64_t pages);
void sim_host_invalidate_all(struct sim *sim, uint8_t cpu);

/* An exception to the hypervisor and back, on account of a stray access. */
void sim_stray_exit(struct sim *sim);

/* ---- sim/lend.c: pages change hands through the core ---- */

/* Charges one call: entry into the hypervisor, exit from it, and what every call does. */
void sim_hypercall(struct sim *sim, uint8_t cpu);
bool sim_lend_donate(struct sim *sim, const struct sim_lend *lend);
void sim_lend_reclaim(struct sim *sim, const struct sim_lend *lend);
/* The host gets the page back by force, wiped; false when the core refuses. */
bool sim_lend_force_reclaim(struct sim *sim, const struct sim_stray *stray);

/* ---- sim/place.c: which page is donated ---- */

enum sim_status sim_place_boot(struct sim *sim, struct sim_error *error);
/* Moves lend->pa to where the policy wants it; false when the carve-out is exhausted. */
bool sim_place(struct sim *sim, struct sim_lend *lend);
void sim_unplace(struct sim *sim, struct sim_lend *lend);

#endif
