/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arm64 around the engine: exception levels, exceptions, and the instructions that never reach the
 * engine. References are to DDI 0487.
 */
#include <string.h>

#include "cpu/cpu_priv.h"

/* PSTATE as in SPSR_EL1 (C5.2.18) */
#define PSTATE_NZCV (UINT64_C(0xf) << 28)
#define PSTATE_DAIF (UINT64_C(0xf) << 6)
#define PSTATE_MODE UINT64_C(0x1f)
#define MODE_EL0T   0
#define MODE_EL1T   4
#define MODE_EL1H   5

/* Exception classes (D24.2.40) */
#define EC_UNKNOWN  UINT64_C(0x00)
#define EC_SVC      UINT64_C(0x15)
#define EC_PC_ALIGN UINT64_C(0x22)
#define EC_DABT_LOW UINT64_C(0x24)
#define EC_DABT     UINT64_C(0x25)
#define EC_BRK      UINT64_C(0x3c)
#define ESR_IL      (UINT64_C(1) << 25)
#define FSC_ALIGN   UINT64_C(0x21)

/* The engine's numbers of exceptions that it raises itself. */
#define ENGINE_PREFETCH_ABORT 3
#define ENGINE_DATA_ABORT     4

/* System instructions and registers: op0, op1, CRn, CRm, op2 as encoded in bits [20:5]. */
#define SYSREG(op0, op1, crn, crm, op2)                                                            \
    ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define SCTLR_EL1  SYSREG(3u, 0u, 1u, 0u, 0u)
#define TTBR0_EL1  SYSREG(3u, 0u, 2u, 0u, 0u)
#define TTBR1_EL1  SYSREG(3u, 0u, 2u, 0u, 1u)
#define TCR_EL1    SYSREG(3u, 0u, 2u, 0u, 2u)
#define MAIR_EL1   SYSREG(3u, 0u, 10u, 2u, 0u)
#define SP_EL0     SYSREG(3u, 0u, 4u, 1u, 0u)
#define SPSEL      SYSREG(3u, 0u, 4u, 2u, 0u)
#define DAIF       SYSREG(3u, 3u, 4u, 2u, 1u)
#define DCZID_EL0  SYSREG(3u, 3u, 0u, 0u, 7u)
#define PMCCNTR    SYSREG(3u, 3u, 9u, 13u, 0u)
#define CNTPCT_EL0 SYSREG(3u, 3u, 14u, 0u, 1u)
#define CNTVCT_EL0 SYSREG(3u, 3u, 14u, 0u, 2u)
#define RNDR       SYSREG(3u, 3u, 2u, 4u, 0u)
#define RNDRRS     SYSREG(3u, 3u, 2u, 4u, 1u)
#define DC_ZVA     SYSREG(1u, 3u, 7u, 4u, 1u)
#define DCZID_NONE 0x10 /* DZP: no DC ZVA */

#define INSN_UDF 0u
#define INSN_WFI 0xd503207fu

static uint32_t sysreg_of(uint32_t insn)
{
    return insn >> 5 & 0xffff;
}

/* MSR, MRS (register), SYS and SYSL: 1101 0101 00L1... with op0 not 0. */
static bool is_system(uint32_t insn)
{
    return (insn & 0xffc00000) == 0xd5000000 && (insn >> 19 & 3) != 0;
}

/* MSR (immediate): op0 0, CRn 4. At EL0 those of DAIF and SPSel are not for programs. */
static bool is_msr_immediate(uint32_t insn)
{
    return (insn & 0xfff8f01f) == 0xd500401f;
}

static bool is_spsel_immediate(uint32_t insn)
{
    return (insn & 0xfffff0ff) == 0xd50040bf;
}

static int sysreg_index(uint32_t encoding)
{
    switch (encoding) {
    case SCTLR_EL1:
        return CPU_SCTLR_EL1;
    case TTBR0_EL1:
        return CPU_TTBR0_EL1;
    case TTBR1_EL1:
        return CPU_TTBR1_EL1;
    case TCR_EL1:
        return CPU_TCR_EL1;
    case MAIR_EL1:
        return CPU_MAIR_EL1;
    default:
        return -1;
    }
}

static bool system_is_trapped(const struct cpu *cpu, uint32_t insn)
{
    uint32_t encoding = sysreg_of(insn), op0 = encoding >> 14, op1 = encoding >> 11 & 7;

    if (cpu->el == 0 && (op1 != 3 || encoding == DAIF))
        return true;
    if (op0 == 1) { /* SYS: TLBI is CRn 8, AT CRn 7 CRm 8; other cache maintenance does nothing */
        unsigned int crn = encoding >> 7 & 15, crm = encoding >> 3 & 15;
        return crn == 8 || (crn == 7 && crm == 8) || encoding == DC_ZVA;
    }
    switch (encoding) {
    case SP_EL0:
    case SPSEL:
    case DCZID_EL0:
    case PMCCNTR:
    case CNTPCT_EL0:
    case CNTVCT_EL0:
    case RNDR:
    case RNDRRS:
        return true;
    default:
        return sysreg_index(encoding) >= 0;
    }
}

uint32_t arm64_filter(const struct cpu *cpu, uint32_t insn)
{
    bool trapped = false;

    if ((insn & 0xff000000) == 0xd4000000) /* SVC, HVC, SMC, BRK, HLT */
        trapped = true;
    else if ((insn & 0xfe000000) == 0xd6000000 && (insn >> 21 & 15) >= 4) /* ERET, ERETAA, DRPS */
        trapped = (insn >> 21 & 15) <= 5;
    else if (insn == INSN_WFI || is_spsel_immediate(insn))
        trapped = true;
    else if (is_msr_immediate(insn))
        trapped = cpu->el == 0 && ((insn >> 16 & 7) != 3 || (insn >> 5 & 7) >= 6);
    else if (is_system(insn))
        trapped = system_is_trapped(cpu, insn);
    return trapped ? INSN_UDF : insn;
}

/* ---- state ---- */

static uint64_t engine_sp(const struct cpu *cpu, unsigned int bank)
{
    return bank == (cpu->arm64.mode == MODE_EL1H) ? engine_get(cpu, CPU_SP) : cpu->arm64.sp[bank];
}

static void set_engine_sp(struct cpu *cpu, unsigned int bank, uint64_t value)
{
    if (bank == (cpu->arm64.mode == MODE_EL1H))
        engine_set(cpu, CPU_SP, value);
    else
        cpu->arm64.sp[bank] = value;
}

static void set_mode(struct cpu *cpu, unsigned int mode)
{
    cpu->arm64.sp[cpu->arm64.mode == MODE_EL1H] = engine_get(cpu, CPU_SP);
    cpu->arm64.mode = mode;
    cpu->el = mode != MODE_EL0T;
    engine_set(cpu, CPU_SP, cpu->arm64.sp[mode == MODE_EL1H]);
}

static void set_flags(struct cpu *cpu, uint64_t value)
{
    engine_set(cpu, CPU_FLAGS, (value & (PSTATE_NZCV | PSTATE_DAIF)) | MODE_EL1H);
    if ((value & PSTATE_MODE) != cpu->arm64.mode)
        set_mode(cpu, (unsigned int)(value & PSTATE_MODE));
}

uint64_t arm64_get(const struct cpu *cpu, unsigned int reg)
{
    if (reg == CPU_FLAGS)
        return (engine_get(cpu, CPU_FLAGS) & (PSTATE_NZCV | PSTATE_DAIF)) | cpu->arm64.mode;
    if (reg == CPU_SP_EL0)
        return engine_sp(cpu, 0);
    return reg <= CPU_TPIDR ? engine_get(cpu, reg) : 0;
}

void arm64_set(struct cpu *cpu, unsigned int reg, uint64_t value)
{
    if (reg == CPU_FLAGS)
        set_flags(cpu, value);
    else if (reg == CPU_SP_EL0)
        set_engine_sp(cpu, 0, value);
    else if (reg <= CPU_TPIDR)
        engine_set(cpu, reg, value);
}

void arm64_reset(struct cpu *cpu)
{
    cpu->arm64.mode = MODE_EL1H;
    set_flags(cpu, PSTATE_DAIF | MODE_EL1H);
}

/* D1.3.1: entry to EL1. */
void arm64_take(struct cpu *cpu, const struct cpu_exception *exception)
{
    unsigned int mode = cpu->arm64.mode;
    uint64_t offset = mode == MODE_EL0T ? 0x400 : mode == MODE_EL1H ? 0x200 : 0;

    engine_set(cpu, CPU_ELR, cpu->pc);
    engine_set(cpu, CPU_SPSR, arm64_get(cpu, CPU_FLAGS));
    if (!exception->irq)
        engine_set(cpu, CPU_ESR, exception->esr);
    if (exception->has_address)
        engine_set(cpu, CPU_FAR, exception->address);
    set_flags(cpu, (arm64_get(cpu, CPU_FLAGS) & PSTATE_NZCV) | PSTATE_DAIF | MODE_EL1H);
    cpu->pc = (engine_get(cpu, CPU_VBAR) & ~UINT64_C(0x7ff)) + offset + (exception->irq ? 0x80 : 0);
}

/* ---- trapped instructions ---- */

static bool leave(struct cpu_exit *exit, enum cpu_exit_kind kind, const char *why)
{
    exit->kind = kind;
    exit->why = why;
    return false;
}

static bool raise(struct cpu_exit *exit, uint64_t class, uint64_t syndrome)
{
    exit->exception = (struct cpu_exception){.esr = class << 26 | ESR_IL | syndrome};
    return leave(exit, CPU_EXIT_EXCEPTION, NULL);
}

static bool raise_at(struct cpu_exit *exit, uint64_t class, uint64_t syndrome, uint64_t address)
{
    raise(exit, class, syndrome);
    exit->exception.address = address;
    exit->exception.has_address = true;
    return false;
}

static bool undefined(struct cpu_exit *exit)
{
    return raise(exit, EC_UNKNOWN, 0);
}

static void retire(struct cpu *cpu)
{
    cpu->pc += 4;
    cpu->retired++;
}

static bool eret(struct cpu *cpu, struct cpu_exit *exit)
{
    uint64_t spsr = engine_get(cpu, CPU_SPSR), mode = spsr & PSTATE_MODE;

    if (mode != MODE_EL0T && mode != MODE_EL1T && mode != MODE_EL1H)
        return leave(exit, CPU_EXIT_UNKNOWN, "ERET to a state that is neither EL0 nor EL1");
    cpu->retired++;
    cpu->pc = engine_get(cpu, CPU_ELR);
    set_flags(cpu, spsr);
    return true;
}

/* SVC, HVC, SMC, BRK, HLT: C6.2, exception generating. */
static bool generate(struct cpu *cpu, struct cpu_exit *exit, uint32_t insn)
{
    uint32_t immediate = insn >> 5 & 0xffff;

    switch (insn & 0xffe0001f) {
    case 0xd4000001:
        retire(cpu);
        return raise(exit, EC_SVC, immediate);
    case 0xd4000002:
        if (cpu->el == 0)
            break;
        retire(cpu);
        exit->immediate = immediate;
        return leave(exit, CPU_EXIT_HYPERCALL, NULL);
    case 0xd4000003:
        if (cpu->el == 0)
            break;
        return leave(exit, CPU_EXIT_UNKNOWN, "SMC");
    case 0xd4200000:
        return raise(exit, EC_BRK, immediate);
    default:
        break;
    }
    return undefined(exit);
}

static uint64_t get_x(const struct cpu *cpu, unsigned int reg)
{
    return reg == 31 ? 0 : engine_get(cpu, CPU_GPR0 + reg);
}

static uint64_t read_register(const struct cpu *cpu, uint32_t encoding)
{
    int index = sysreg_index(encoding);

    switch (encoding) {
    case SP_EL0:
        return engine_sp(cpu, 0);
    case SPSEL:
        return cpu->arm64.mode == MODE_EL1H;
    case DCZID_EL0:
        return DCZID_NONE;
    default: /* counters count instructions: runs repeat exactly */
        return index < 0 ? cpu->retired : cpu->sysreg[index];
    }
}

static bool write_register(struct cpu *cpu, uint32_t encoding, uint64_t value)
{
    int index = sysreg_index(encoding);

    if (encoding == SP_EL0)
        set_engine_sp(cpu, 0, value);
    else if (encoding == SPSEL)
        set_mode(cpu, value & 1 ? MODE_EL1H : MODE_EL1T);
    else if (index >= 0)
        cpu_write_sysreg(cpu, (enum cpu_sysreg)index, value);
    else
        return encoding == PMCCNTR;
    return true;
}

static bool system_register(struct cpu *cpu, struct cpu_exit *exit, uint32_t insn)
{
    uint32_t encoding = sysreg_of(insn);
    unsigned int rt = insn & 31;
    bool read = insn >> 21 & 1;

    if (encoding == RNDR || encoding == RNDRRS)
        return undefined(exit);
    if (!read && !write_register(cpu, encoding, get_x(cpu, rt)))
        return undefined(exit);
    if (read && rt != 31)
        engine_set(cpu, CPU_GPR0 + rt, read_register(cpu, encoding));
    retire(cpu);
    return true;
}

/* TLBI. AT needs the port's tables and registers, and nobody's kernel here uses it: undefined, as
 * is DC ZVA, which DCZID_EL0 denies. */
static bool system_instruction(struct cpu *cpu, struct cpu_exit *exit, uint32_t insn)
{
    uint32_t encoding = sysreg_of(insn);
    struct cpu_inval inval = {
        .op1 = encoding >> 11 & 7,
        .crn = encoding >> 7 & 15,
        .crm = encoding >> 3 & 15,
        .op2 = encoding & 7,
    };

    if (inval.crn != 8 || inval.op1 != 0 || (insn >> 21 & 1))
        return undefined(exit);
    inval.value = get_x(cpu, insn & 31);
    if (cpu->port.invalidate)
        cpu->port.invalidate(cpu->port.ctx, &inval);
    retire(cpu);
    return true;
}

bool arm64_trap(struct cpu *cpu, struct cpu_exit *exit)
{
    const uint8_t *host;
    uint32_t insn;

    if (cpu->pc & 3)
        return raise_at(exit, EC_PC_ALIGN, 0, cpu->pc);
    host = cpu_translate(cpu, cpu->pc, 4, CPU_FETCH_CODE, cpu->el);
    if (!host)
        return cpu_exit_fault(cpu, exit);
    memcpy(&insn, host, sizeof(insn));
    if ((insn & 0xff000000) == 0xd4000000)
        return generate(cpu, exit, insn);
    if (insn == INSN_WFI) {
        retire(cpu);
        return leave(exit, CPU_EXIT_HALT, NULL);
    }
    if (cpu->el == 0 &&
        (!is_system(insn) || (sysreg_of(insn) >> 11 & 7) != 3 || sysreg_of(insn) == DAIF))
        return undefined(exit);
    if (insn == 0xd69f03e0)
        return eret(cpu, exit);
    if (is_spsel_immediate(insn)) {
        set_mode(cpu, insn >> 8 & 1 ? MODE_EL1H : MODE_EL1T);
        retire(cpu);
        return true;
    }
    if (is_system(insn) && system_is_trapped(cpu, insn))
        return (sysreg_of(insn) >> 14) == 1 ? system_instruction(cpu, exit, insn)
                                            : system_register(cpu, exit, insn);
    return undefined(exit);
}

/* The engine's own exceptions: alignment. Exclusive and ordered accesses and atomics have their
 * address in one register. */
bool arm64_raise(struct cpu *cpu, struct cpu_exit *exit)
{
    uint8_t *host;
    uint32_t insn;
    unsigned int base;

    if (cpu->intno != ENGINE_DATA_ABORT) {
        cpu->why = "the engine raised an exception that it cannot have";
        return leave(exit, CPU_EXIT_BROKEN, cpu->why);
    }
    host = cpu_translate(cpu, cpu->pc, 4, CPU_FETCH_CODE, cpu->el);
    if (!host)
        return cpu_exit_fault(cpu, exit);
    memcpy(&insn, host, sizeof(insn));
    base = insn >> 5 & 31;
    return raise_at(exit, cpu->el ? EC_DABT : EC_DABT_LOW,
                    FSC_ALIGN | (insn >> 22 & 1 ? 0 : UINT64_C(1) << 6),
                    base == 31 ? engine_get(cpu, CPU_SP) : engine_get(cpu, CPU_GPR0 + base));
}
