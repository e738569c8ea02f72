/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's x86 registers and flags. It stays in 64-bit ring 0 without paging. */
#include "cpu/uc_priv.h"
#include "cpu/x86_priv.h"

#define CR4_OSFXSR 0x600

/* More sites than this get one hook from the first to the last. */
#define MAX_SITES 64

static int number(unsigned int reg)
{
    static const int gpr[] = {
        UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX,
        UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI,
        UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11,
        UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
    };

    switch (reg) {
    case CPU_PC:
        return UC_X86_REG_RIP;
    case CPU_SP:
        return UC_X86_REG_RSP;
    case CPU_FLAGS:
        return UC_X86_REG_EFLAGS;
    case CPU_FS_BASE:
        return UC_X86_REG_FS_BASE;
    case CPU_GS_BASE:
        return UC_X86_REG_GS_BASE;
    default:
        return reg < sizeof(gpr) / sizeof(gpr[0]) ? gpr[reg] : UC_X86_REG_INVALID;
    }
}

uint64_t uc_x86_get(const struct cpu *cpu, unsigned int reg)
{
    return number(reg) == UC_X86_REG_INVALID ? 0 : uc_get(cpu, number(reg));
}

void uc_x86_set(struct cpu *cpu, unsigned int reg, uint64_t value)
{
    if (number(reg) != UC_X86_REG_INVALID)
        uc_set(cpu, number(reg), value);
}

uint64_t engine_msr_get(const struct cpu *cpu, uint32_t msr)
{
    uc_x86_msr value = {.rid = msr};

    uc_reg_read(cpu->engine, UC_X86_REG_MSR, &value);
    return value.value;
}

/* Returns 1: the engine's own answer is not wanted. */
static int on_cpuid(uc_engine *uc, void *user)
{
    static const unsigned int to[] = {RAX, RBX, RCX, RDX};
    struct cpu *cpu = user;
    uint32_t out[4];

    (void)uc;
    if (!cpu->port.cpuid || !cpu->port.cpuid(cpu->port.ctx, (uint32_t)uc_x86_get(cpu, RAX),
                                             (uint32_t)uc_x86_get(cpu, RCX), out))
        return 0;
    for (unsigned int i = 0; i < 4; i++)
        uc_x86_set(cpu, to[i], out[i]);
    return 1;
}

/* Only by being there does a hook on an instruction make 2.0 keep RIP and flags up to date. */
static void on_site(uc_engine *uc, uint64_t va, uint32_t size, void *user)
{
    (void)uc, (void)va, (void)size, (void)user;
}

/* 2.1.0 to 2.1.3 do so for RIP only. */
static void on_site_save(uc_engine *uc, uint64_t va, uint32_t size, void *user)
{
    struct cpu *cpu = user;

    (void)uc, (void)size;
    cpu->saved_flags = (uint32_t)uc_get(cpu, UC_X86_REG_EFLAGS);
    cpu->saved_at = va;
}

static bool add_sites(struct cpu *cpu)
{
    const struct cpu_config *config = &cpu->config;
    void (*function)(void) =
        cpu->save_flags ? (void (*)(void))on_site_save : (void (*)(void))on_site;
    size_t count = config->exact_count;

    if (uc_version(NULL, NULL) >= 0x02010400) /* exact without; with a hook it is not */
        return true;
    if (config->exact)
        return uc_hook_function(cpu, UC_HOOK_CODE, function, 1, 0, 0);
    if (count > MAX_SITES)
        return uc_hook_function(cpu, UC_HOOK_CODE, function, config->exact_at[0],
                                config->exact_at[count - 1], 0);
    for (size_t i = 0; i < count; i++)
        if (!uc_hook_function(cpu, UC_HOOK_CODE, function, config->exact_at[i], config->exact_at[i],
                              0))
            return false;
    return true;
}

bool uc_x86_setup(struct cpu *cpu)
{
    unsigned int version = uc_version(NULL, NULL);
    uc_context *clean = NULL;

    if (uc_ctl_set_cpu_model(cpu->engine, UC_CPU_X86_HASWELL) != UC_ERR_OK)
        return false;
#if UC_API_MINOR >= 1
    /* Else addresses are cut to 52 bits, as if there were no high half. */
    if (uc_ctl_tlb_mode(cpu->engine, UC_TLB_VIRTUAL) != UC_ERR_OK)
        return false;
#endif
    cpu->save_flags = version >= 0x02010000 && version < 0x02010400;
    uc_set(cpu, UC_X86_REG_CR4, uc_get(cpu, UC_X86_REG_CR4) | CR4_OSFXSR);
    if (uc_context_alloc(cpu->engine, &clean) != UC_ERR_OK)
        return false;
    cpu->clean = clean;
    return uc_context_save(cpu->engine, clean) == UC_ERR_OK && add_sites(cpu) &&
           uc_hook_function(cpu, UC_HOOK_INSN, (void (*)(void))on_cpuid, 1, 0, UC_X86_INS_CPUID);
}

/*
 * The engine never forgets an exception of its own: of the second it makes a double fault, and of
 * the third nothing at all. A context from before the first cures that; x87 registers are lost.
 */
static void cleanse(struct cpu *cpu)
{
    static const uint32_t msr[] = {0xc0000080, MSR_STAR,   MSR_LSTAR, 0xc0000083,
                                   MSR_FMASK,  0xc0000102, 0xc0000103};
    static const unsigned int kept[] = {CPU_FLAGS, CPU_FS_BASE, CPU_GS_BASE};
    uint64_t gpr[16], other[3], mxcsr = uc_get(cpu, UC_X86_REG_MXCSR), xmm[16][2];
    uc_x86_msr values[sizeof(msr) / sizeof(msr[0])];

    for (unsigned int i = 0; i < 16; i++) {
        gpr[i] = uc_x86_get(cpu, i);
        uc_reg_read(cpu->engine, UC_X86_REG_XMM0 + (int)i, xmm[i]);
    }
    for (unsigned int i = 0; i < 3; i++)
        other[i] = uc_x86_get(cpu, kept[i]);
    for (unsigned int i = 0; i < sizeof(msr) / sizeof(msr[0]); i++) {
        values[i].rid = msr[i];
        uc_reg_read(cpu->engine, UC_X86_REG_MSR, &values[i]);
    }
    uc_context_restore(cpu->engine, cpu->clean);
    for (unsigned int i = 0; i < 16; i++) {
        uc_x86_set(cpu, i, gpr[i]);
        uc_reg_write(cpu->engine, UC_X86_REG_XMM0 + (int)i, xmm[i]);
    }
    uc_set(cpu, UC_X86_REG_MXCSR, mxcsr);
    for (unsigned int i = 0; i < sizeof(msr) / sizeof(msr[0]); i++)
        uc_reg_write(cpu->engine, UC_X86_REG_MSR, &values[i]);
    for (unsigned int i = 0; i < 3; i++)
        uc_x86_set(cpu, kept[i], other[i]);
}

void uc_x86_stopped(struct cpu *cpu)
{
    if (cpu->event == EVENT_FAULT && cpu->save_flags && cpu->saved_at == cpu->pc)
        uc_set(cpu, UC_X86_REG_EFLAGS, cpu->saved_flags);
    if (cpu->event == EVENT_RAISE)
        cleanse(cpu);
}

void uc_x86_close(struct cpu *cpu)
{
    if (cpu->clean)
        uc_context_free(cpu->clean);
}
