/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's arm64 registers. It stays at EL1h with its MMU off. */
#include "cpu/uc_priv.h"

bool uc_arm64_setup(struct cpu *cpu)
{
    /* The default, A72, has neither atomics (LSE) nor PAN. */
    return uc_ctl_set_cpu_model(cpu->engine, UC_CPU_ARM64_MAX) == UC_ERR_OK;
}

/* The registers of EL1 by their encoding: 2.0 does not write all of those that have names. */
static uc_arm64_cp_reg system_register(unsigned int reg)
{
    switch (reg) {
    case CPU_ELR:
        return (uc_arm64_cp_reg){.op0 = 3, .crn = 4, .op2 = 1};
    case CPU_SPSR:
        return (uc_arm64_cp_reg){.op0 = 3, .crn = 4};
    case CPU_ESR:
        return (uc_arm64_cp_reg){.op0 = 3, .crn = 5, .crm = 2};
    case CPU_FAR:
        return (uc_arm64_cp_reg){.op0 = 3, .crn = 6};
    case CPU_VBAR:
        return (uc_arm64_cp_reg){.op0 = 3, .crn = 12};
    case CPU_TPIDR:
        return (uc_arm64_cp_reg){.op0 = 3, .crn = 13, .op2 = 4};
    default:
        return (uc_arm64_cp_reg){0};
    }
}

static int number(unsigned int reg)
{
    switch (reg) {
    case CPU_PC:
        return UC_ARM64_REG_PC;
    case CPU_SP:
        return UC_ARM64_REG_SP;
    case CPU_FLAGS:
        return UC_ARM64_REG_PSTATE;
    case CPU_GPR0 + 29:
        return UC_ARM64_REG_X29;
    case CPU_GPR0 + 30:
        return UC_ARM64_REG_X30;
    default:
        return UC_ARM64_REG_X0 + (int)reg;
    }
}

uint64_t uc_arm64_get(const struct cpu *cpu, unsigned int reg)
{
    uc_arm64_cp_reg system = system_register(reg);

    if (!system.op0)
        return uc_get(cpu, number(reg));
    uc_reg_read(cpu->engine, UC_ARM64_REG_CP_REG, &system);
    return system.val;
}

void uc_arm64_set(struct cpu *cpu, unsigned int reg, uint64_t value)
{
    uc_arm64_cp_reg system = system_register(reg);

    system.val = value;
    if (!system.op0)
        uc_set(cpu, number(reg), value);
    else
        uc_reg_write(cpu->engine, UC_ARM64_REG_CP_REG, &system);
}
