/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine under a guest and what the guest finds when it starts: memory map, image, boot
 * record, stacks, CPUs.
 */
#include "sim/guest.h"
#include "sim/guest_x86.h"

#include <assert.h>
#include <hyp/bits.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES  UINT64_C(4096)
#define HUGE_BYTES  (UINT64_C(2) << 20)
#define STACK_BYTES (8 * PAGE_BYTES)
#define RAM_START   UINT64_C(0x40000000)

enum { PAGE_SHIFT = 12 };

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

/* Stacks, segments, boot page and exception area. */
static enum sim_status check_room(const struct guest *guest)
{
    uint64_t bytes = HUGE_BYTES + 2 * PAGE_BYTES;

    for (size_t i = 0; i < guest->image.segments; i++)
        bytes += hyp_align_up(guest->image.segment[i].bytes, PAGE_BYTES);
    if (bytes <= guest->options->memory)
        return SIM_OK;
    return sim_fail(guest->error, SIM_USAGE,
                    "%" PRIu64 " bytes of memory, but the image needs %" PRIu64,
                    guest->options->memory, bytes);
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
        .features = sim_guest_features(sim),
        .ve_area = guest->ve_area.v,
    };

    if (guest->options->arguments)
        snprintf(boot.arguments, sizeof(boot.arguments), "%s", guest->options->arguments);
    put(guest, pa, &boot, sizeof(boot));
    return pa;
}

uint64_t guest_stack(const struct guest_cpu *gc, uint64_t *size)
{
    hyp_pa_t stack = hyp_pa(gc->guest->header.ram[0].start + gc->index * STACK_BYTES);

    *size = STACK_BYTES;
    return sim_linear_va(gc->guest->sim, stack).v;
}

void guest_start(struct guest_cpu *gc, uint64_t entry, uint64_t argument)
{
    struct guest *guest = gc->guest;
    uint64_t size, stack = guest_stack(gc, &size), top = stack + size;
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
        gc->drops = sim_ram_drops(guest->sim->ram);
        gc->regime = (uint8_t)guest->sim->regime;
        gc->records = guest->writer != NULL;
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

enum sim_status guest_set_up(struct guest *guest)
{
    const struct sim_guest_options *options = guest->options;
    struct trace_error trace_error;
    enum sim_status status = check_room(guest);

    if (status != SIM_OK)
        return status;
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
    for (unsigned int i = 0; i < options->cpus; i++) {
        struct trace_event event = {.a = 0};

        guest_event(guest, (uint8_t)i, TRACE_SYSREG, TRACE_SYSREG_VM, &event);
    }
    load_image(guest);
    guest_start(&guest->cpus[0], guest->image.entry,
                sim_linear_va(guest->sim, write_boot(guest)).v);
    return SIM_OK;
}
