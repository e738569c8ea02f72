/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the host kernel runs isolated; see sim/asi.h. Where each rule is from: docs/MODEL.md. */
#include "sim/asi.h"

#include <hyp/bits.h>
#include <stdlib.h>

#include "mmu/x86.h"
#include "sim/pool.h"

/* Linux, Documentation/arch/x86/x86_64/mm.rst: CPU entry areas, one entry of the root. */
#define ENTRY_AREA  UINT64_C(0xfffffe0000000000)
#define USER_END    (UINT64_C(1) << 47)
#define KERNEL_HALF (~UINT64_C(0) << 47)
#define ROOT_ENTRY  (UINT64_C(1) << 39)
#define PAGE_BYTES  UINT64_C(4096)

enum { PAGE_SHIFT = 12, RANGES = 8, FIRST_PCID = 1, HOST_VPID = 1, TABLES_SPARE = 32 };

struct sim_asi {
    struct hyp_port port;
    struct sim_pool pool; /* pages of the restricted tables */
    struct hyp_pgt full;  /* the kernel's tables, to copy from */
    struct hyp_asi_kernel kernel;
    struct hyp_asi_cpu cpus[HYP_CPUS_MAX];
    struct hyp_asi asi;
    struct hyp_asi_range ranges[RANGES];
    uint64_t *tables;
    uint8_t *leaked; /* by recorded page: was reached by an access that left isolation for it */
    bool sessions;
};

/* ---- port: what differs from the hypervisor core's ---- */

static uint16_t vpid(const struct sim *sim)
{
    return SIM_GET(&sim->config, s2, enable) ? HOST_VPID : 0;
}

static uint16_t pcid_of(const struct sim *sim, unsigned int cpu)
{
    return (uint16_t)(sim->cpu_state[cpu].reg[TRACE_CR3] & HYP_MASK(11, 0));
}

/* MOV to CR3 on the CPU that runs. */
static void root_set(void *ctx, const struct hyp_root *root)
{
    struct sim *sim = ctx;
    bool keep = (root->tcr & MMU_X86_CR3_NOFLUSH) != 0;
    struct mmu_x86_inval inval = {
        .op = keep ? MMU_X86_MOV_CR3_KEEP : MMU_X86_MOV_CR3, .cpu = sim->cpu, .vpid = vpid(sim)};

    sim->cpu_state[sim->cpu].reg[TRACE_CR3] = root->tcr & ~MMU_X86_CR3_NOFLUSH;
    sim_host_regs(sim, sim->cpu);
    inval.pcid = pcid_of(sim, sim->cpu);
    mmu_x86_invalidate(sim->mmu, &inval);
    sim_count(sim, SIM_COUNT_asi_flushes, !keep);
    sim_charge(sim, SIM_CAUSE_isolation, keep ? SIM_COST(sim, cr3_keep) : SIM_COST(sim, cr3_flush));
}

/* Every CPU is interrupted and drops the page from the PCID that it runs under. */
static void tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    struct sim *sim = ctx;

    sim_host_invlpg(sim, inv->start);
    sim_count(sim, SIM_COUNT_flushes, 1);
    sim_charge(sim, SIM_CAUSE_shootdown, sim_shootdown_cycles(sim, 1, true));
}

static void flush_taints(void *ctx, unsigned int taints)
{
    struct sim *sim = ctx;

    sim_count(sim, SIM_COUNT_asi_data_flushes, (taints & HYP_ASI_DATA) != 0);
    sim_count(sim, SIM_COUNT_asi_control_flushes, (taints & HYP_ASI_CONTROL) != 0);
    sim_charge(sim, SIM_CAUSE_isolation,
               (taints & HYP_ASI_DATA ? SIM_COST(sim, flush_data) : 0) +
                   (taints & HYP_ASI_CONTROL ? SIM_COST(sim, flush_control) : 0));
}

void sim_asi_port(struct sim *sim, struct hyp_port *port)
{
    sim_port_hyp(sim, port);
    port->root_set = root_set;
    port->tlb_inv = tlb_inv;
    port->event = NULL;
}

/* ---- making it ---- */

struct hyp_asi_area sim_asi_entry_area(void)
{
    return (struct hyp_asi_area){{ENTRY_AREA}, ROOT_ENTRY};
}

static uint64_t tables_needed(const struct sim *sim)
{
    uint64_t ram = sim->layout.ram_end.v - sim->layout.ram_start.v;
    uint64_t most = (sim->map.end.v - sim->map.cursor.v) / PAGE_BYTES / 2 - 1;
    uint64_t all = (ram >> 21) + (ram >> 30) + (ram >> 39) + TABLES_SPARE;

    return all < most ? all : most; /* blocks that stay whole need none */
}

static enum hyp_err make_storage(struct sim *sim, uint64_t pages)
{
    struct sim_asi *asi = sim->asi;
    struct hyp_pgt_config full = {.fmt = &hyp_fmt_x86,
                                  .port = &asi->port,
                                  .page_shift = PAGE_SHIFT,
                                  .ia_bits = 48,
                                  .max_block_level = 2};
    enum hyp_err err = sim_pool_open(&asi->pool, sim, &asi->port, pages);

    asi->tables = calloc(pages, sizeof(*asi->tables));
    asi->leaked = calloc(sim->page_count, 1);
    if (!asi->tables || !asi->leaked)
        return HYP_ENOMEM;
    return err ? err : hyp_pgt_init_at(&asi->full, &full, NULL, sim->map.kernel_root);
}

/* Everything: user and kernel half by the entries of the root, but RAM by its leaves. */
static enum hyp_err map_everything(struct sim *sim, uint64_t last)
{
    struct hyp_asi *asi = &sim->asi->asi;
    uint64_t ram = sim_linear_va(sim, sim->layout.ram_start).v;
    uint64_t ram_end = sim_linear_va(sim, sim->layout.ram_end).v;
    uint64_t below = hyp_align_down(ram, ROOT_ENTRY), above = hyp_align_up(last, ROOT_ENTRY);
    const struct {
        uint64_t start, size;
        enum hyp_asi_level level;
    } ranges[] = {
        {0, USER_END, HYP_ASI_PGD},
        {KERNEL_HALF, below - KERNEL_HALF, HYP_ASI_PGD},
        {ram, ram_end - ram, HYP_ASI_PTE},
        {above, ENTRY_AREA - above, HYP_ASI_PGD},
        {ENTRY_AREA + ROOT_ENTRY, -(ENTRY_AREA + ROOT_ENTRY), HYP_ASI_PGD},
    };
    enum hyp_err err = HYP_OK;

    if (below < KERNEL_HALF || above > ENTRY_AREA)
        return HYP_EINVAL;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && !err; i++)
        if (ranges[i].size)
            err = hyp_asi_map_range(asi, hyp_va(ranges[i].start), ranges[i].size, ranges[i].level,
                                    NULL);
    return err;
}

/* What a guest may find in this CPU: nothing but what guests left. Entering runs the guest. */
static const struct hyp_asi_policy guest_class = {
    .prevent_control = HYP_ASI_USER_CONTROL | HYP_ASI_OTHER_CONTROL,
    .protect_data = HYP_ASI_KERNEL_DATA | HYP_ASI_USER_DATA | HYP_ASI_OTHER_DATA,
    .set = HYP_ASI_GUEST_DATA | HYP_ASI_GUEST_CONTROL,
};

static enum hyp_err make(struct sim *sim)
{
    struct sim_asi *asi = sim->asi;
    uint64_t pages = tables_needed(sim);
    enum hyp_err err = make_storage(sim, pages);
    hyp_pa_t sessions = sim_pool_take(sim, 1);
    uint64_t last = sim_linear_va(sim, sessions).v;

    asi->kernel = (struct hyp_asi_kernel){
        .table = &asi->full,
        .entry_area = sim_asi_entry_area(),
        .sessions = {{last}, PAGE_BYTES},
    };
    const struct hyp_asi_config config = {
        .port = &asi->port,
        .vmemmap = &asi->pool.vmemmap,
        .pool = &asi->pool.pool,
        .kernel = &asi->kernel,
        .cpus = asi->cpus,
        .cpu_count = sim->cpus,
        .ranges = asi->ranges,
        .range_max = RANGES,
        .tables = asi->tables,
        .table_max = (unsigned int)pages,
        .policy = asi->sessions ? (struct hyp_asi_policy){0} : guest_class,
    };

    if (!err && !(sessions.v && sim_host_extend(sim, sessions, hyp_pa_add(sessions, PAGE_BYTES))))
        err = HYP_ENOMEM;
    if (!err)
        err = hyp_asi_create(&asi->asi, &config);
    return err ? err : map_everything(sim, last + PAGE_BYTES);
}

enum sim_status sim_asi_boot(struct sim *sim, struct sim_error *error)
{
    bool pcid = SIM_GET(&sim->config, asi, pcid) != 0;

    sim->asi = calloc(1, sizeof(*sim->asi));
    if (!sim->asi)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    sim_asi_port(sim, &sim->asi->port);
    sim->asi->sessions = SIM_GET(&sim->config, asi, shape) == SIM_ASI_SESSIONS;
    if (make(sim) != HYP_OK)
        return sim_fail(
            error, SIM_USAGE,
            "asi: the restricted tables do not fit the machine; expected a direct map "
            "within the kernel's half, and half of the host's table pages to be enough");
    for (unsigned int cpu = 0; cpu < sim->cpus; cpu++) {
        uint64_t *reg = sim->cpu_state[cpu].reg;

        if (pcid)
            reg[TRACE_CR4] |= MMU_X86_CR4_PCIDE;
        sim_host_regs(sim, cpu);
        hyp_asi_cpu_init(&sim->asi->cpus[cpu], &sim->asi->port, reg[TRACE_CR3], reg[TRACE_CR4],
                         pcid ? FIRST_PCID : 0);
        sim->asi->cpus[cpu].flush = flush_taints;
        sim->asi->cpus[cpu].flush_ctx = sim;
    }
    return SIM_OK;
}

void sim_asi_close(struct sim *sim)
{
    if (!sim->asi)
        return;
    sim_pool_close(&sim->asi->pool);
    free(sim->asi->tables);
    free(sim->asi->leaked);
    free(sim->asi);
}

/* ---- entering and leaving ---- */

bool sim_asi_isolated(const struct sim *sim, uint8_t cpu)
{
    const struct hyp_asi_cpu *state = &sim->asi->cpus[cpu];

    return sim->asi->sessions ? state->state == HYP_ASI_ACTIVE : state->current != NULL;
}

/* `run`: into a guest, so that whatever interrupts comes back here. */
static void enter(struct sim *sim, uint8_t cpu, bool run)
{
    static const struct hyp_asi_task task; /* its stack is shown like everything */
    struct hyp_asi_cpu *state = &sim->asi->cpus[cpu];
    bool before = sim_asi_isolated(sim, cpu);
    enum hyp_err err;

    sim->cpu = cpu;
    if (sim->asi->sessions)
        err = hyp_asi_enter(state, &sim->asi->asi, &task);
    else
        err = hyp_asi_target_enter(state, &sim->asi->asi);
    HYP_ASSERT(&sim->asi->port, !err);
    if (!sim->asi->sessions && !run)
        hyp_asi_target_relax(state);
    sim_count(sim, SIM_COUNT_asi_enters, !before);
}

/* To the full address space, for good: nothing returns to the restricted one by itself. */
static void leave(struct sim *sim, uint8_t cpu, enum sim_count reason)
{
    struct hyp_asi_cpu *state = &sim->asi->cpus[cpu];

    sim_count(sim, reason, sim_asi_isolated(sim, cpu));
    sim->cpu = cpu;
    if (sim->asi->sessions) {
        hyp_asi_abort(state);
    } else {
        hyp_asi_target_relax(state);
        hyp_asi_target_exit(state);
    }
}

/* One record stands for an interrupt, and the CPU's next one for its end. */
static void start_interrupt(struct sim *sim, uint8_t cpu)
{
    struct hyp_asi_cpu *state = &sim->asi->cpus[cpu];

    sim->cpu = cpu;
    if (!sim->asi->sessions) {
        hyp_asi_interrupt_enter(state);
        return;
    }
    sim_count(sim, SIM_COUNT_asi_exits_irq, sim_asi_isolated(sim, cpu));
    hyp_asi_start_abort(state);
}

static void end_interrupt(struct sim *sim, uint8_t cpu)
{
    struct hyp_asi_cpu *state = &sim->asi->cpus[cpu];
    bool before = sim_asi_isolated(sim, cpu);

    sim->cpu = cpu;
    if (sim->asi->sessions)
        hyp_asi_finish_abort(state);
    else if (state->interrupts)
        hyp_asi_interrupt_exit(state);
    sim_count(sim, SIM_COUNT_asi_enters, !before && sim_asi_isolated(sim, cpu));
}

static void switch_tasks(struct sim *sim, uint8_t cpu)
{
    leave(sim, cpu, SIM_COUNT_asi_exits_switch);
    hyp_asi_switch_mm(&sim->asi->cpus[cpu]);
}

static void vm_entry(struct sim *sim, uint8_t cpu)
{
    struct hyp_asi_cpu *state = &sim->asi->cpus[cpu];

    enter(sim, cpu, true);
    if (sim->asi->sessions) {
        /* The entry itself loads CR3: an interrupt within would end the session after it. */
        hyp_asi_barrier_begin(state);
        hyp_asi_barrier_end(state);
    }
}

/* The recorded CPU wrote CR3: x86-64 code 2 of the recorder. */
static bool is_cr3_write(const struct trace_rec *rec, const struct trace_event *event)
{
    return rec->kind == TRACE_TLBI && event->a == 2;
}

void sim_asi_event(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event)
{
    uint64_t at = SIM_GET(&sim->config, asi, enter);
    uint8_t cpu = rec->cpu;
    bool work = false;

    if (sim->runs_guest)
        return; /* it keeps its address spaces itself */
    switch ((unsigned int)rec->kind) {
    case TRACE_IRQ:
        end_interrupt(sim, cpu);
        start_interrupt(sim, cpu);
        return;
    case TRACE_VMENTER:
        end_interrupt(sim, cpu);
        vm_entry(sim, cpu);
        return;
    case TRACE_VMEXIT:
        end_interrupt(sim, cpu);
        hyp_asi_target_relax(&sim->asi->cpus[cpu]); /* exits run isolated */
        return;
    case TRACE_DONATE:
    case TRACE_RECLAIM:
        work = at >= SIM_ASI_AT_GUEST_WORK && !(event->b & TRACE_DONATE_INITIAL);
        break;
    case TRACE_ALLOC:
    case TRACE_FREE:
        work = at >= SIM_ASI_AT_KERNEL_WORK;
        break;
    case TRACE_SWITCH:
    case TRACE_TLBI:
        if (rec->kind == TRACE_TLBI && !is_cr3_write(rec, event))
            return;
        end_interrupt(sim, cpu);
        switch_tasks(sim, cpu);
        work = at >= SIM_ASI_AT_KERNEL_WORK;
        break;
    default:
        return;
    }
    if (!work)
        return;
    end_interrupt(sim, cpu);
    enter(sim, cpu, false);
}

void sim_asi_leave_for_work(struct sim *sim, uint8_t cpu)
{
    leave(sim, cpu, SIM_COUNT_asi_exits_work);
}

void sim_asi_fault(struct sim *sim, const struct sim_access *access, const struct sim_page *lent)
{
    struct sim_asi *asi = sim->asi;
    struct hyp_asi_cpu *state = &asi->cpus[access->cpu];
    struct hyp_asi_fault report;

    sim->cpu = access->cpu;
    sim_count(sim, SIM_COUNT_asi_faults, 1);
    sim_count(sim, SIM_COUNT_asi_exits_fault, 1);
    sim_charge(sim, SIM_CAUSE_stray, SIM_COST(sim, direct_fault));
    if (lent && !asi->leaked[lent - sim->pages]) {
        asi->leaked[lent - sim->pages] = 1;
        sim_count(sim, SIM_COUNT_asi_leaked, 1);
    }
    if (!asi->sessions) {
        /* Code that runs a guest touches nothing it must not: it is an interrupt that does, and
         * its end returns to the target. */
        if (state->target && !state->interrupts)
            hyp_asi_interrupt_enter(state);
        hyp_asi_target_exit(state);
        return;
    }
    hyp_asi_start_abort(state);
    if (hyp_asi_fault(state, access->pc, hyp_va(access->va), &report))
        sim_count(sim, SIM_COUNT_asi_fault_sites, report.kind == HYP_ASI_FAULT_NEW);
    hyp_asi_finish_abort(state);
}

/* ---- what it shows ---- */

bool sim_asi_hide(struct sim *sim, hyp_pa_t pa)
{
    if (hyp_asi_hide(&sim->asi->asi, sim_linear_va(sim, pa)) != HYP_OK)
        return false;
    sim_charge(sim, SIM_CAUSE_table_edit, SIM_COST(sim, page_attr));
    return true;
}

void sim_asi_show(struct sim *sim, hyp_pa_t pa)
{
    if (hyp_asi_show(&sim->asi->asi, sim_linear_va(sim, pa)) == HYP_OK)
        sim_charge(sim, SIM_CAUSE_table_edit, SIM_COST(sim, page_attr));
}

void sim_asi_changed(struct sim *sim, hyp_va_t va)
{
    /* An entry that covers more than the page goes, and comes back, as a whole. */
    if (hyp_asi_refresh(&sim->asi->asi, hyp_va(hyp_align_down(va.v, PAGE_BYTES)), PAGE_BYTES))
        sim->tables_full = true;
}

void sim_asi_appeared(struct sim *sim, hyp_va_t va)
{
    unsigned int level;

    if (!hyp_pgt_leaf(&sim->asi->asi.pgt, (hyp_ia_t){va.v & HYP_MASK(47, 0)}, &level))
        sim_asi_changed(sim, va);
}
