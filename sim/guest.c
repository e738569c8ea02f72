/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a guest image: the machine under it, its start, and the loop that gives each CPU its turns.
 *
 * CPUs take turns of SLICE instructions in one thread, in the order of their numbers, so that two
 * runs are alike. Everything that changes what translations depend on goes through guest_event(),
 * which applies it by the function that a replay uses and, when asked, records it.
 */
#include "sim/guest.h"

#include <assert.h>
#include <hyp/bits.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES  UINT64_C(4096)
#define HUGE_BYTES  (UINT64_C(2) << 20)
#define STACK_BYTES (8 * PAGE_BYTES)
#define RAM_START   UINT64_C(0x40000000)
enum { SLICE = 20000, PAGE_SHIFT = 12 };

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

/* ---- the machine ---- */

static void set_header(struct guest *guest)
{
    const struct sim_guest_options *options = guest->options;
    struct trace_header *header = &guest->header;

    guest->x86 = guest->image.arch == TRACE_ARCH_X86_64;
    *header = (struct trace_header){
        .arch = guest->image.arch,
        .cpus = options->cpus,
        .page_shift = PAGE_SHIFT,
        .linear_start = guest->x86 ? UINT64_C(0xffff888000000000) : UINT64_C(0xffff000000000000),
        .linear_pa = RAM_START,
        .text = guest->image.segment[0].va,
        .extable = guest->image.extable,
        .extable_count = guest->image.extable_count,
    };
    /* Room for the carve of the model's own memory, too. */
    header->linear_end = header->linear_start + (UINT64_C(1) << 46);
}

/* Facts name the instructions with an exception-table entry: "PC extable function". */
static char *facts_of(const struct guest *guest)
{
    char *text = NULL, place[96];
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    fprintf(out, "guest %s\n", guest->result->image);
    for (size_t i = 0; i < guest->image.extable_count; i++) {
        uint64_t pc = guest->image.extable[i].pc, best = 0;

        snprintf(place, sizeof(place), "?");
        for (const char *line = guest->image.names; line && *line; line = strchr(line, '\n') + 1) {
            uint64_t start = strtoull(line, NULL, 16);
            const char *name = strchr(line, ' ') + 1;

            if (start > pc || start < best)
                continue;
            best = start;
            snprintf(place, sizeof(place), "%.*s+0x%" PRIx64, (int)strcspn(name, "\n"), name,
                     pc - start);
        }
        fprintf(out, "%" PRIx64 " extable %s\n", pc, place);
    }
    fclose(out);
    return text;
}

static void put(struct guest *guest, hyp_pa_t pa, const void *bytes, uint64_t size)
{
    const uint8_t *from = bytes;

    for (uint64_t done = 0; done < size; done += 8) {
        struct trace_event event = {0};

        memcpy(&event.a, from + done, size - done < 8 ? size - done : 8);
        if (!event.a)
            continue;
        sim_ram_store(guest->sim->ram, hyp_pa_add(pa, done), event.a);
        guest_event(guest, 0, TRACE_WORD, pa.v + done, &event);
    }
}

/* Segments behind the start of RAM, stacks and the boot page behind them; the rest is free. */
static void load_image(struct guest *guest)
{
    hyp_pa_t pa = hyp_pa(guest->header.ram[0].start + HUGE_BYTES);

    for (size_t i = 0; i < guest->image.segments; i++) {
        const struct sim_segment *segment = &guest->image.segment[i];

        put(guest, pa, segment->content, segment->file_bytes);
        for (uint64_t done = 0; done < segment->bytes; done += PAGE_BYTES) {
            struct trace_event event = {
                .a = pa.v + done,
                .b = (segment->executable ? TRACE_PAGE_CODE : 0) |
                     (segment->writable ? 0 : TRACE_PAGE_READONLY),
            };
            guest_event(guest, 0, TRACE_PAGE, segment->va + done, &event);
        }
        pa = hyp_pa_add(pa, hyp_align_up(segment->bytes, PAGE_BYTES));
    }
    guest->free = pa;
    guest->free_end = hyp_pa(guest->header.ram[0].end);
}

static hyp_pa_t take(struct guest *guest, uint64_t bytes)
{
    hyp_pa_t pa = guest->free;

    guest->free = hyp_pa_add(pa, bytes);
    return pa;
}

static hyp_pa_t write_boot(struct guest *guest)
{
    hyp_pa_t pa = take(guest, PAGE_BYTES);
    struct sim *sim = guest->sim;

    guest->ve_area = take(guest, PAGE_BYTES);
    struct fl_boot boot = {
        .magic = FL_BOOT_MAGIC,
        .linear = sim_linear_va(sim, hyp_pa(guest->header.ram[0].start)).v,
        .ram = guest->header.ram[0].start,
        .ram_end = guest->header.ram[0].end,
        .free = guest->free.v,
        .free_end = guest->free_end.v,
        .root = sim->map.kernel_root.v,
        .cpus = guest->options->cpus,
        .stray = sim->strategy->stray,
        .features = guest->x86 ? 0 : 0,
        .ve_area = guest->ve_area.v,
    };

    if (guest->options->arguments)
        snprintf(boot.arguments, sizeof(boot.arguments), "%s", guest->options->arguments);
    put(guest, pa, &boot, sizeof(boot));
    return pa;
}

void guest_start(struct guest_cpu *gc, uint64_t entry, uint64_t argument)
{
    struct guest *guest = gc->guest;
    hyp_pa_t stack = hyp_pa(guest->header.ram[0].start + gc->index * STACK_BYTES);
    uint64_t top = sim_linear_va(guest->sim, stack).v + STACK_BYTES;
    unsigned int first = guest->x86 ? CPU_GPR0 + 7 : CPU_GPR0;      /* rdi */
    unsigned int second = guest->x86 ? CPU_GPR0 + 6 : CPU_GPR0 + 1; /* rsi */

    cpu_set(gc->cpu, first, argument);
    cpu_set(gc->cpu, second, gc->index);
    cpu_set(gc->cpu, CPU_SP, guest->x86 ? top - 8 : top); /* as after a call */
    cpu_set(gc->cpu, CPU_PC, entry);
    gc->on = true;
}

static enum sim_status create_cpus(struct guest *guest)
{
    size_t exact = guest->image.extable_count;
    struct cpu *peer = NULL;
    char why[128] = "";

    static_assert((int)CPU_SYSREG_COUNT == (int)TRACE_SYSREG_COUNT, "one numbering");
    guest->exact_at = calloc(exact + 1, sizeof(*guest->exact_at));
    if (!guest->exact_at)
        return sim_fail(guest->error, SIM_INTERNAL, "out of memory");
    for (size_t i = 0; i < exact; i++)
        guest->exact_at[i] = guest->image.extable[i].pc;
    for (unsigned int i = 0; i < guest->options->cpus; i++) {
        struct guest_cpu *gc = &guest->cpus[i];
        struct cpu_config config = {
            .arch = guest->x86 ? CPU_X86_64 : CPU_ARM64,
            .exact = guest->options->exact || guest->writer,
            .exact_at = guest->exact_at,
            .exact_count = exact,
            .peer = peer,
        };
        struct cpu_port port;

        *gc = (struct guest_cpu){.guest = guest, .index = (uint8_t)i};
        gc->mmu = mmu_cpu(guest->sim->mmu, i);
        guest_port(gc, &port);
        gc->cpu = cpu_create(&config, &port, why);
        if (!gc->cpu)
            return sim_fail(guest->error, SIM_INTERNAL, "the guest CPU cannot run: %s", why);
        peer = gc->cpu;
        for (unsigned int reg = 0; reg < TRACE_SYSREG_COUNT; reg++)
            cpu_sysreg_set(gc->cpu, (enum cpu_sysreg)reg, guest->sim->cpu_state[i].reg[reg]);
    }
    return SIM_OK;
}

static enum sim_status set_up(struct guest *guest)
{
    const struct sim_guest_options *options = guest->options;
    struct trace_error trace_error;
    enum sim_status status;

    set_header(guest);
    guest->ram = (struct trace_range){RAM_START, RAM_START + options->memory};
    guest->header.ram = &guest->ram;
    guest->header.ram_count = 1;
    guest->header.facts = facts_of(guest);
    status =
        sim_open(&guest->sim, &options->config, options->strategy, &guest->header, guest->error);
    if (status == SIM_OK && options->record) {
        guest->writer = trace_create(options->record, &guest->header, 0, &trace_error);
        if (!guest->writer)
            status = sim_fail(guest->error, SIM_USAGE, "%s", trace_error.text);
    }
    if (status == SIM_OK)
        status = create_cpus(guest);
    if (status != SIM_OK)
        return status;
    guest->drops = sim_ram_drops(guest->sim->ram);
    for (unsigned int i = 0; i < options->cpus; i++) {
        struct trace_event event = {.a = 0};

        guest_event(guest, (uint8_t)i, TRACE_SYSREG, TRACE_SYSREG_VM, &event);
    }
    load_image(guest);
    guest_start(&guest->cpus[0], guest->image.entry,
                sim_linear_va(guest->sim, write_boot(guest)).v);
    return SIM_OK;
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
    const char *slash = strrchr(options->image, '/');
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
    snprintf(result->image, sizeof(result->image), "%s", slash ? slash + 1 : options->image);
    status = sim_image_load(&guest->image, options->image, error);
    if (status == SIM_OK && !sim_guest_fits(options->strategy, guest->image.arch))
        status = sim_fail(error, SIM_USAGE, "strategy %s does not fit this guest",
                          options->strategy->name);
    if (status == SIM_OK)
        status = set_up(guest);
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
