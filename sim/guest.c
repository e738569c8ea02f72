/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a guest image: the machine under it, its start, and the loop that gives each CPU its turns.
 *
 * CPUs take turns of SLICE instructions in one thread, in the order of their numbers, so that two
 * runs are alike. Everything that changes what translations depend on goes through guest_event(),
 * which applies it by the function that a replay uses and, when asked, records it.
 */
#include "sim/guest.h"
#include "sim/out.h"

#include <hyp/bits.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES UINT64_C(4096)
#define HUGE_BYTES (UINT64_C(2) << 20)

enum { SLICE = 20000 };

/* ---- events ---- */

static void emit(struct guest *guest, uint8_t cpu, enum trace_kind kind, uint64_t addr,
                 const struct trace_event *event, const char *text)
{
    struct trace_rec rec = {.addr = addr, .kind = (uint8_t)kind, .cpu = cpu};
    struct trace_error error;

    guest_flush_store(&guest->cpus[cpu]);
    if (guest->writer && guest->status == SIM_OK &&
        trace_write_event(guest->writer, kind, cpu, addr, event, text, &error) != 0)
        guest->status = sim_fail(guest->error, SIM_USAGE, "%s", error.text);
    guest->sim->position = guest->positions++;
    if (kind != TRACE_WORD) /* that has happened */
        sim_event(guest->sim, &rec, event);
}

void guest_event(struct guest *guest, uint8_t cpu, enum trace_kind kind, uint64_t addr,
                 const struct trace_event *event)
{
    emit(guest, cpu, kind, addr, event, NULL);
}

void guest_mark(struct guest_cpu *gc, const struct trace_event *event, const char *text)
{
    emit(gc->guest, gc->index, TRACE_MARK, 0, event, text);
}

static void dump_registers(const struct guest_cpu *gc, char *text, size_t size)
{
    static const char *const x86[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
    unsigned int count = gc->guest->x86 ? 16 : 31;
    size_t at = (size_t)snprintf(
        text, size, "CPU %u pc %016" PRIx64 " sp %016" PRIx64 " flags %08" PRIx64, gc->index,
        cpu_get(gc->cpu, CPU_PC), cpu_get(gc->cpu, CPU_SP), cpu_get(gc->cpu, CPU_FLAGS));

    for (unsigned int i = 0; i < count && at < size; i++) {
        char name[8];

        snprintf(name, sizeof(name), gc->guest->x86 ? "r%u" : "x%u", i);
        at += (size_t)snprintf(text + at, size - at, "%s%-3s %016" PRIx64, i % 4 ? " " : "\n  ",
                               gc->guest->x86 && i < 8 ? x86[i] : name,
                               cpu_get(gc->cpu, CPU_GPR0 + i));
    }
    if (at < size && !gc->guest->x86)
        snprintf(text + at, size - at,
                 "\n  ELR %016" PRIx64 " SPSR %08" PRIx64 " ESR %08" PRIx64 " FAR %016" PRIx64
                 " VBAR %016" PRIx64,
                 cpu_get(gc->cpu, CPU_ELR), cpu_get(gc->cpu, CPU_SPSR), cpu_get(gc->cpu, CPU_ESR),
                 cpu_get(gc->cpu, CPU_FAR), cpu_get(gc->cpu, CPU_VBAR));
    else if (at < size)
        snprintf(text + at, size - at, "\n  CR2 %016" PRIx64 " IDT %016" PRIx64,
                 cpu_get(gc->cpu, CPU_CR2), cpu_get(gc->cpu, CPU_IDT_BASE));
}

void guest_end(struct guest *guest, enum sim_guest_end end, uint64_t status, const char *format,
               ...)
{
    va_list arguments;

    if (guest->ended)
        return;
    guest->ended = true;
    guest->result->end = end;
    guest->result->status = status;
    va_start(arguments, format);
    vsnprintf(guest->result->text, sizeof(guest->result->text), format, arguments);
    va_end(arguments);
    if (end != SIM_GUEST_EXITED)
        dump_registers(&guest->cpus[guest->running], guest->result->registers,
                       sizeof(guest->result->registers));
}

bool guest_read(struct guest_cpu *gc, uint64_t va, void *to, size_t bytes)
{
    struct sim *sim = gc->guest->sim;
    uint8_t *out = to;

    guest_flush_store(gc);
    while (bytes > 0) {
        struct mmu_request request = {.va = va,
                                      .cpu = gc->index,
                                      .regime = (uint8_t)sim->regime,
                                      .el = 1,
                                      .access = MMU_READ,
                                      .probe = true};
        struct mmu_result result;
        size_t run = PAGE_BYTES - va % PAGE_BYTES;

        mmu_translate(sim->mmu, &request, &result);
        /* Memory that stage 2 has not mapped yet is the guest's all the same: it reads as it is. */
        if (result.fault != MMU_OK && result.stage != 2)
            return false;
        hyp_pa_t pa = result.fault == MMU_OK ? result.pa : hyp_pa(result.ipa.v);
        const uint64_t *page = sim_ram_peek(sim->ram, pa);

        run = run < bytes ? run : bytes;
        if (page)
            memcpy(out, (const uint8_t *)page + pa.v % PAGE_BYTES, run);
        else
            memset(out, 0, run);
        out += run;
        va += run;
        bytes -= run;
    }
    return true;
}

/* ---- contexts ---- */

void guest_save(const struct guest_cpu *gc, struct guest_context *context)
{
    for (unsigned int reg = 0; reg < CPU_REG_COUNT; reg++)
        context->reg[reg] = cpu_get(gc->cpu, reg);
    context->live = true;
}

void guest_restore(struct guest_cpu *gc, struct guest_context *context)
{
    /* The mode first: it says which stack pointer CPU_SP is. */
    cpu_set(gc->cpu, CPU_FLAGS, context->reg[CPU_FLAGS]);
    for (unsigned int reg = 0; reg < CPU_REG_COUNT; reg++)
        if (reg != CPU_FLAGS)
            cpu_set(gc->cpu, reg, context->reg[reg]);
    context->live = false;
}

/* ---- turns ---- */

static void take_irq(struct guest_cpu *gc)
{
    struct cpu_exception irq = {.irq = true, .vector = FL_VECTOR_TIMER};

    if (!gc->irq_pending || !cpu_takes_irq(gc->cpu))
        return;
    gc->irq_pending = false;
    guest_take(gc, &irq);
}

/* Nothing answers at I/O ports: they read as ones. */
static void float_port(struct guest_cpu *gc, const struct cpu_exit *exit)
{
    uint64_t mask = exit->io_size < 8 ? (UINT64_C(1) << 8 * exit->io_size) - 1 : UINT64_MAX;

    if (!exit->io_out)
        cpu_set(gc->cpu, CPU_GPR0, cpu_get(gc->cpu, CPU_GPR0) | mask);
}

static void halt(struct guest_cpu *gc)
{
    gc->irq_pending |= gc->timer != 0;
    gc->timer = 0;
    gc->halted = !gc->irq_pending;
}

/* Faults and exceptions, also of their own handlers, with no instruction between them. */
static bool is_stuck(struct guest_cpu *gc, const struct cpu_exit *exit)
{
    if (exit->kind != CPU_EXIT_FAULT && exit->kind != CPU_EXIT_EXCEPTION)
        return false;
    gc->repeated = cpu_retired(gc->cpu) == gc->fault_at ? gc->repeated + 1 : 0;
    gc->fault_at = cpu_retired(gc->cpu);
    return gc->repeated > GUEST_FAULTS_MAX;
}

static void handle(struct guest_cpu *gc, const struct cpu_exit *exit)
{
    switch (exit->kind) {
    case CPU_EXIT_HALT:
        halt(gc);
        break;
    case CPU_EXIT_HYPERCALL:
        guest_call(gc);
        break;
    case CPU_EXIT_FAULT:
        guest_fault(gc, exit);
        break;
    case CPU_EXIT_EXCEPTION:
        guest_take(gc, &exit->exception);
        break;
    case CPU_EXIT_IO:
        float_port(gc, exit);
        break;
    case CPU_EXIT_UNKNOWN:
    case CPU_EXIT_BROKEN:
        guest_end(gc->guest, SIM_GUEST_UNKNOWN, 0, "CPU %u at 0x%" PRIx64 ": %s", gc->index,
                  exit->pc, exit->why ? exit->why : "the emulator cannot go on");
        break;
    case CPU_EXIT_BUDGET:
    case CPU_EXIT_STOPPED:
    case CPU_EXIT_COUNT:
        break;
    }
}

/* One turn of a CPU; ends early when the CPU waits or the run is over. */
static void turn(struct guest_cpu *gc)
{
    uint64_t end = cpu_retired(gc->cpu) + SLICE;

    gc->guest->running = gc->index;
    while (!gc->guest->ended && !gc->halted && cpu_retired(gc->cpu) < end) {
        uint64_t before = cpu_retired(gc->cpu), budget = end - before;
        struct cpu_exit exit;

        take_irq(gc);
        cpu_run(gc->cpu, gc->timer && gc->timer < budget ? gc->timer : budget, &exit);
        guest_flush_store(gc);
        uint64_t ran = cpu_retired(gc->cpu) - before;

        if (gc->timer && ran >= gc->timer)
            gc->irq_pending = true;
        gc->timer -= ran < gc->timer ? ran : gc->timer;
        if (is_stuck(gc, &exit))
            guest_end(gc->guest, SIM_GUEST_LOCKUP, 0,
                      "CPU %u: the instruction at 0x%" PRIx64 " keeps faulting at 0x%" PRIx64,
                      gc->index, exit.pc, exit.va);
        else
            handle(gc, &exit);
    }
}

static uint64_t retired(const struct guest *guest)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < guest->options->cpus; i++)
        sum += cpu_retired(guest->cpus[i].cpu);
    return sum;
}

static void run(struct guest *guest)
{
    while (!guest->ended && guest->status == SIM_OK) {
        bool runs = false;

        for (unsigned int i = 0; i < guest->options->cpus && !guest->ended; i++) {
            if (!guest->cpus[i].on || guest->cpus[i].halted)
                continue;
            runs = true;
            turn(&guest->cpus[i]);
        }
        if (!runs)
            guest_end(guest, SIM_GUEST_LOCKUP, 0, "every CPU waits and no interrupt is due");
        if (guest->options->limit && retired(guest) >= guest->options->limit)
            guest_end(guest, SIM_GUEST_LIMIT, 0, "%" PRIu64 " instructions have run",
                      retired(guest));
        if (guest->sim->tables_full)
            guest->status =
                sim_fail(guest->error, SIM_INTERNAL, "the host kernel's table pages are used up");
    }
}

/* ---- the whole ---- */

static void finish(struct guest *guest)
{
    struct sim *sim = guest->sim;
    uint64_t accesses = 0;

    for (unsigned int i = 0; i < guest->options->cpus; i++)
        accesses += guest->cpus[i].accesses;
    sim_flush_batch(sim);
    sim_count(sim, SIM_COUNT_accesses, accesses);
    sim_charge(sim, SIM_CAUSE_access, accesses * SIM_COST(sim, access));
    sim->records = guest->positions;
    sim_result(sim, &guest->result->run);
    guest->result->instructions = retired(guest);
    guest->result->cycles =
        sim_stats_cycles(&sim->stats) + guest->result->instructions * SIM_COST(sim, instruction);
}

static enum sim_status close_guest(struct guest *guest, enum sim_status status)
{
    struct trace_error error;

    if (guest->writer && status != SIM_OK)
        trace_abandon(guest->writer);
    else if (guest->writer && trace_finish(guest->writer, &error) != 0)
        status = sim_fail(guest->error, SIM_USAGE, "%s", error.text);
    for (unsigned int i = 0; i < SIM_GUEST_CPUS_MAX; i++)
        cpu_destroy(guest->cpus[i].cpu);
    sim_close(guest->sim);
    free(guest->header.facts);
    free(guest->exact_at);
    sim_image_free(&guest->image);
    free(guest);
    return status;
}

static enum sim_status check(const struct sim_guest_options *options, struct sim_error *error)
{
    if (options->cpus < 1 || options->cpus > SIM_GUEST_CPUS_MAX)
        return sim_fail(error, SIM_USAGE, "%u CPUs, expected 1 to %d", options->cpus,
                        SIM_GUEST_CPUS_MAX);
    if (options->memory < UINT64_C(64) << 20 || options->memory > UINT64_C(1) << 40 ||
        options->memory % HUGE_BYTES)
        return sim_fail(error, SIM_USAGE,
                        "%" PRIu64 " bytes of memory, expected 64 MiB to 1 TiB in steps of 2 MiB",
                        options->memory);
    if (options->arguments &&
        strlen(options->arguments) >= sizeof(((struct fl_boot *)0)->arguments))
        return sim_fail(error, SIM_USAGE,
                        "%zu bytes of arguments for the guest, expected at most %zu",
                        strlen(options->arguments), sizeof(((struct fl_boot *)0)->arguments) - 1);
    return SIM_OK;
}

enum sim_status sim_guest_run(const struct sim_guest_options *options,
                              struct sim_guest_result *result, struct sim_error *error)
{
    enum sim_status status = check(options, error);
    struct guest *guest;

    *result = (struct sim_guest_result){0};
    if (status != SIM_OK)
        return status;
    guest = calloc(1, sizeof(*guest));
    if (!guest)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    guest->options = options;
    guest->result = result;
    guest->error = error;
    snprintf(result->image, sizeof(result->image), "%s", sim_base_name(options->image));
    status = sim_image_load(&guest->image, options->image, error);
    if (status == SIM_OK && !sim_guest_fits(options->strategy, guest->image.arch))
        status = sim_fail(error, SIM_USAGE, "strategy %s does not fit this guest",
                          options->strategy->name);
    if (status == SIM_OK)
        status = guest_set_up(guest);
    if (status == SIM_OK) {
        run(guest);
        finish(guest);
        status = guest->status;
    }
    return close_guest(guest, status);
}

bool sim_guest_fits(const struct sim_strategy *strategy, enum trace_arch arch)
{
    return !strategy->carve_out && (strategy->stray != FL_STRAY_NONE || strategy->baseline) &&
           (!strategy->arch || strategy->arch == arch);
}

enum sim_status sim_guest_arch(const char *path, enum trace_arch *arch, struct sim_error *error)
{
    struct sim_image image;
    enum sim_status status = sim_image_load(&image, path, error);

    if (status != SIM_OK)
        return status;
    *arch = image.arch;
    sim_image_free(&image);
    return SIM_OK;
}

const char *sim_guest_end_name(enum sim_guest_end end)
{
    static const char *const names[] = {"exited",  "panic", "hypervisor stops",
                                        "lock-up", "limit", "not modelled"};

    return names[end];
}

bool sim_guest_as_expected(const struct sim_guest_result *result)
{
    uint8_t how = result->run.strategy->stray;
    bool fatal = result->run.stats.count[SIM_COUNT_strays] != 0;

    if (result->run.stats.count[SIM_COUNT_stale_uses])
        return false;
    if (fatal && how == FL_STRAY_SEA)
        return result->end == SIM_GUEST_PANIC;
    if (fatal && how == FL_STRAY_STOP)
        return result->end == SIM_GUEST_STOPPED;
    return result->end == SIM_GUEST_EXITED && result->status == 0;
}
