/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run loop: starts the engine, decides what its stop means, and counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu_priv.h"

/* Of one block: a new region of addresses, and either of its pages outdated, are three. */
#define MAX_RETRIES 8

struct cpu *cpu_open(const struct cpu_config *config, const struct cpu_port *port, char *why)
{
    struct cpu *cpu = calloc(1, sizeof(*cpu));

    if (!cpu) {
        strcpy(why, "out of memory");
        return NULL;
    }
    cpu->config = *config;
    cpu->port = *port;
    cpu->next_peer = cpu;
    cpu->el = 1;
    if (config->peer) {
        cpu->code_map = config->peer->code_map;
        cpu->next_peer = config->peer->next_peer;
        config->peer->next_peer = cpu;
    } else {
        cpu->code_map = code_map_create();
    }
    if (!cpu->code_map)
        strcpy(why, "out of memory");
    if (!cpu->code_map || !engine_open(cpu, why)) {
        cpu_destroy(cpu);
        return NULL;
    }
    if (cpu_is_arm64(cpu))
        arm64_reset(cpu);
    else
        x86_reset(cpu);
    return cpu;
}

struct cpu *cpu_create(const struct cpu_config *config, const struct cpu_port *port, char *why)
{
    struct engine_ways ways = {0};
    const char *wrong = cpu_probe(config->arch, &ways, why);
    struct cpu *cpu = wrong ? NULL : cpu_open(config, port, why);

    if (cpu)
        cpu->ways = ways;
    if (wrong && wrong != why)
        snprintf(why, 128, "this version of Unicorn will not do: %s", wrong);
    return cpu;
}

void cpu_destroy(struct cpu *cpu)
{
    struct cpu *before = cpu;

    if (!cpu)
        return;
    engine_close(cpu);
    if (cpu->next_peer == cpu)
        free(cpu->code_map);
    while (before->next_peer != cpu)
        before = before->next_peer;
    before->next_peer = cpu->next_peer;
    free(cpu);
}

/* ---- registers ---- */

uint64_t cpu_get(const struct cpu *cpu, unsigned int reg)
{
    if (reg == CPU_PC)
        return cpu->running ? engine_get(cpu, CPU_PC) : cpu->pc;
    return cpu_is_arm64(cpu) ? arm64_get(cpu, reg) : x86_get(cpu, reg);
}

void cpu_set(struct cpu *cpu, unsigned int reg, uint64_t value)
{
    if (reg == CPU_PC)
        cpu->pc = value;
    else if (cpu_is_arm64(cpu))
        arm64_set(cpu, reg, value);
    else
        x86_set(cpu, reg, value);
}

uint64_t cpu_sysreg_get(const struct cpu *cpu, enum cpu_sysreg reg)
{
    return cpu->sysreg[reg];
}

void cpu_sysreg_set(struct cpu *cpu, enum cpu_sysreg reg, uint64_t value)
{
    cpu->sysreg[reg] = value;
}

void cpu_write_sysreg(struct cpu *cpu, enum cpu_sysreg reg, uint64_t value)
{
    cpu->sysreg[reg] = value;
    if (cpu->port.sysreg)
        cpu->port.sysreg(cpu->port.ctx, reg, value);
}

unsigned int cpu_el(const struct cpu *cpu)
{
    return cpu->el;
}

uint64_t cpu_retired(const struct cpu *cpu)
{
    return cpu->retired;
}

/* ---- memory ---- */

bool cpu_translate_split(struct cpu *cpu, uint64_t va, unsigned int size, enum cpu_access access,
                         unsigned int el, uint8_t *part[2], unsigned int *first)
{
    unsigned int room = (unsigned int)(PAGE_BYTES - (va & PAGE_MASK));

    *first = size < room ? size : room;
    part[0] = cpu_translate(cpu, va, *first, access, el);
    if (!part[0] || *first == size)
        return part[0];
    part[1] = cpu_translate(cpu, va + room, size - room, access, el);
    return part[1];
}

bool cpu_load(struct cpu *cpu, uint64_t va, void *to, unsigned int size, unsigned int el)
{
    uint8_t *part[2];
    unsigned int first;

    if (!cpu_translate_split(cpu, va, size, CPU_READ, el, part, &first))
        return false;
    memcpy(to, part[0], first);
    if (first < size)
        memcpy((uint8_t *)to + first, part[1], size - first);
    return true;
}

bool cpu_store(struct cpu *cpu, uint64_t va, const void *from, unsigned int size, unsigned int el)
{
    uint8_t *part[2];
    unsigned int first;

    if (!cpu_translate_split(cpu, va, size, CPU_WRITE, el, part, &first))
        return false;
    memcpy(part[0], from, first);
    code_written(cpu, part[0], first);
    if (first < size) {
        memcpy(part[1], (const uint8_t *)from + first, size - first);
        code_written(cpu, part[1], size - first);
    }
    return true;
}

/* ---- running ---- */

void cpu_enter_block(struct cpu *cpu, uint64_t va, unsigned int size)
{
    unsigned int room = (unsigned int)(PAGE_BYTES - (va & PAGE_MASK));
    unsigned int first = size < room ? size : room;
    const uint8_t *host;

    if (cpu->stop || cpu->retired >= cpu->deadline) {
        cpu->event = cpu->stop ? EVENT_STOP : EVENT_BUDGET;
        return;
    }
    host = cpu_translate(cpu, va, first, CPU_FETCH, cpu->el);
    if (host && !code_is_current(cpu, va, host)) {
        cpu->event = EVENT_RETRY;
        return;
    }
    /* x86: a block goes across if its first instruction does; else the rest is its end mark. */
    if (host && first < size && !x86_crosses_page(cpu, va))
        size = first;
    if (host && first < size) {
        host = cpu_translate(cpu, va + first, size - first, CPU_FETCH, cpu->el);
        if (host && !code_is_current(cpu, va + first, host)) {
            cpu->event = EVENT_RETRY;
            return;
        }
    }
    if (!host) {
        cpu->event = EVENT_FETCH;
        return;
    }
    cpu->retries = 0;
    cpu->block = va;
    cpu->block_end = va + size;
    cpu->retired += cpu_is_arm64(cpu) ? size / 4 : x86_count(cpu, va, cpu->block_end);
}

/* Instructions of the present block from pc on have not run. */
static void take_back(struct cpu *cpu)
{
    if (cpu->pc < cpu->block || cpu->pc >= cpu->block_end)
        return;
    cpu->retired -= cpu_is_arm64(cpu) ? (cpu->block_end - cpu->pc) / 4
                                      : x86_count(cpu, cpu->pc, cpu->block_end);
}

bool cpu_exit_fault(const struct cpu *cpu, struct cpu_exit *exit)
{
    if (cpu->stop) {
        exit->kind = CPU_EXIT_STOPPED;
        return false;
    }
    exit->kind = CPU_EXIT_FAULT;
    exit->va = cpu->fault_va;
    exit->size = cpu->fault_size;
    exit->access = cpu->fault_access;
    return false;
}

static bool leave(struct cpu_exit *exit, enum cpu_exit_kind kind)
{
    exit->kind = kind;
    return false;
}

/* True: the run goes on. */
static bool step(struct cpu *cpu, struct cpu_exit *exit)
{
    cpu->event = EVENT_NONE;
    cpu->skip = 0;
    cpu->running = true;
    engine_run(cpu);
    cpu->running = false;
    switch (cpu->event) {
    case EVENT_BUDGET:
        return leave(exit, CPU_EXIT_BUDGET);
    case EVENT_STOP:
        return leave(exit, CPU_EXIT_STOPPED);
    case EVENT_FAULT:
        take_back(cpu);
        return cpu_exit_fault(cpu, exit);
    case EVENT_FETCH:
        return cpu_exit_fault(cpu, exit);
    case EVENT_RETRY:
        code_forget(cpu, cpu->fault_va);
        if (++cpu->retries < MAX_RETRIES)
            return true;
        cpu->why = "the engine does not drop translated code";
        break;
    case EVENT_TRAP:
        take_back(cpu);
        return cpu_is_arm64(cpu) ? arm64_trap(cpu, exit) : x86_trap(cpu, exit);
    case EVENT_RAISE:
        take_back(cpu);
        return cpu_is_arm64(cpu) ? arm64_raise(cpu, exit) : x86_raise(cpu, exit);
    case EVENT_NONE:
        cpu->why = "the engine stopped by itself";
        break;
    case EVENT_BROKEN:
        break;
    }
    exit->why = cpu->why;
    return leave(exit, CPU_EXIT_BROKEN);
}

void cpu_run(struct cpu *cpu, uint64_t budget, struct cpu_exit *exit)
{
    *exit = (struct cpu_exit){0};
    cpu->deadline = budget > UINT64_MAX - cpu->retired ? UINT64_MAX : cpu->retired + budget;
    cpu->stop = false;
    while (step(cpu, exit)) {
    }
    exit->pc = cpu->pc;
}

void cpu_stop(struct cpu *cpu)
{
    cpu->stop = true;
}

bool cpu_take(struct cpu *cpu, const struct cpu_exception *exception, struct cpu_exit *exit)
{
    const struct cpu_exception copy = *exception; /* it may be part of *exit */

    *exit = (struct cpu_exit){.pc = cpu->pc};
    cpu->stop = false;
    if (!cpu_is_arm64(cpu))
        return x86_take(cpu, &copy, exit);
    arm64_take(cpu, &copy);
    return true;
}

bool cpu_takes_irq(const struct cpu *cpu)
{
    uint64_t flags = cpu_get(cpu, CPU_FLAGS);

    return cpu_is_arm64(cpu) ? !(flags >> 7 & 1) : flags >> 9 & 1;
}
