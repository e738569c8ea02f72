/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place where Unicorn is included. Facts about its versions stand where they matter. */
#ifndef CPU_UC_PRIV_H
#define CPU_UC_PRIV_H

#include <unicorn/unicorn.h>

#include "cpu/cpu_priv.h"

static inline uint64_t uc_get(const struct cpu *cpu, int reg)
{
    uint64_t value = 0;

    uc_reg_read(cpu->engine, reg, &value);
    return value;
}

static inline void uc_set(struct cpu *cpu, int reg, uint64_t value)
{
    uc_reg_write(cpu->engine, reg, &value);
}

/* Ends the engine's run; the first event counts. */
static inline void uc_leave(struct cpu *cpu, enum cpu_event event)
{
    if (cpu->event == EVENT_NONE)
        cpu->event = event;
    uc_emu_stop(cpu->engine);
}

/* ---- uc_glue.c ---- */

bool uc_hook_function(struct cpu *cpu, int type, void (*function)(void), uint64_t begin,
                      uint64_t end, int instruction);

/* ---- uc_arm64.c, uc_x86.c ---- */

bool uc_arm64_setup(struct cpu *cpu);
uint64_t uc_arm64_get(const struct cpu *cpu, unsigned int reg);
void uc_arm64_set(struct cpu *cpu, unsigned int reg, uint64_t value);

bool uc_x86_setup(struct cpu *cpu);
uint64_t uc_x86_get(const struct cpu *cpu, unsigned int reg);
void uc_x86_set(struct cpu *cpu, unsigned int reg, uint64_t value);
/* After a run. */
void uc_x86_stopped(struct cpu *cpu);
void uc_x86_close(struct cpu *cpu);

#endif
