/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest execution: one CPU that runs real arm64 or x86-64 code by Unicorn, with every fetch and
 * data access translated by the port (cpu/port.h). The engine's own MMU stays off.
 *
 * The CPU runs a kernel at EL1 / ring 0 and programs at EL0 / ring 3. What a hypervisor, a machine
 * or a fault must decide ends the run with an exit record; exceptions of the guest are delivered
 * by cpu_take(), through the guest's own vectors. Faults are precise: at a CPU_EXIT_FAULT no
 * register and no memory byte of the instruction has changed (pairs and REP strings: of the
 * element that faulted) and pc is that instruction; running on executes it again.
 *
 * One CPU belongs to one thread at a time. Different CPUs share nothing, unless they are peers.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "cpu/port.h"

struct cpu;

enum cpu_arch { CPU_ARM64 = 1, CPU_X86_64 = 2 };

struct cpu_config {
    enum cpu_arch arch;
    /* x86: instruction pointer and flags are exact at every fault, not only at those instructions
     * that `exact_at` lists. Costs about a third of the speed. arm64 is always exact. */
    bool exact;
    /* Sorted addresses of instructions whose faults must be precise on x86 (exception table). Only
     * cpu_create() reads them. */
    const uint64_t *exact_at;
    size_t exact_count;
    /* NULL, or a CPU that executes the same memory: code that one writes is translated anew by all
     * that are linked. */
    struct cpu *peer;
};

/* NULL with a message in `why` (at least 128 bytes): the engine refuses, or is a version that
 * fails the start-up probe. */
struct cpu *cpu_create(const struct cpu_config *config, const struct cpu_port *port, char *why);
void cpu_destroy(struct cpu *cpu); /* NULL is allowed */

/* ---- registers ---- */

enum cpu_reg {
    /* general: x0 to x30; rax rcx rdx rbx rsp rbp rsi rdi r8 to r15 (instruction-set order) */
    CPU_GPR0 = 0,
    CPU_GPR_LAST = CPU_GPR0 + 30,
    CPU_PC,
    CPU_SP,    /* of the current level; x86: rsp */
    CPU_FLAGS, /* PSTATE in SPSR form (NZCV, DAIF, mode); x86: RFLAGS */
    /* arm64, EL1 */
    CPU_ELR,
    CPU_SPSR,
    CPU_ESR,
    CPU_FAR,
    CPU_VBAR,
    CPU_SP_EL0,
    CPU_TPIDR,
    /* x86 */
    CPU_CR2,
    CPU_GDT_BASE,
    CPU_GDT_LIMIT,
    CPU_IDT_BASE,
    CPU_IDT_LIMIT,
    CPU_CS,
    CPU_SS,
    CPU_FS_BASE,
    CPU_GS_BASE,
    CPU_REG_COUNT
};

uint64_t cpu_get(const struct cpu *cpu, unsigned int reg);
void cpu_set(struct cpu *cpu, unsigned int reg, uint64_t value);
/* Translation registers, as the guest sees them; setting one does not call the port. */
uint64_t cpu_sysreg_get(const struct cpu *cpu, enum cpu_sysreg reg);
void cpu_sysreg_set(struct cpu *cpu, enum cpu_sysreg reg, uint64_t value);
/* 0: EL0 or ring 3; 1: EL1 or ring 0. */
unsigned int cpu_el(const struct cpu *cpu);
/* Instructions retired since creation. */
uint64_t cpu_retired(const struct cpu *cpu);

/* ---- running ---- */

enum cpu_exit_kind {
    CPU_EXIT_BUDGET,    /* at the start of a block */
    CPU_EXIT_HALT,      /* WFI, HLT; pc is after it */
    CPU_EXIT_HYPERCALL, /* HVC, VMCALL/VMMCALL from EL1 or ring 0; pc is after it */
    CPU_EXIT_FAULT,     /* the port refused a translation */
    CPU_EXIT_EXCEPTION, /* the guest's own: `exception` is ready for cpu_take() */
    CPU_EXIT_IO,        /* x86 IN, OUT; pc is after it; an IN's value is set by cpu_set(0) */
    CPU_EXIT_UNKNOWN,   /* SMC, and what the engine cannot execute */
    CPU_EXIT_STOPPED,   /* cpu_stop() */
    CPU_EXIT_BROKEN,    /* the engine failed; `why` says how. The CPU cannot go on */
    CPU_EXIT_COUNT
};

/* An exception for the guest's own vectors. */
struct cpu_exception {
    /* arm64: syndrome for ESR_EL1; FAR_EL1 is written when `has_address`. `irq`: the IRQ vector,
     * ESR_EL1 stays. */
    uint64_t esr;
    uint64_t address; /* FAR_EL1; CR2 */
    bool has_address;
    bool irq;
    /* x86 */
    uint8_t vector;
    bool has_code;
    uint32_t code;
    bool software;  /* INT n, INT3: the return address is behind the instruction, */
    uint8_t length; /* which has so many bytes */
};

struct cpu_exit {
    enum cpu_exit_kind kind;
    uint64_t pc;
    /* FAULT: the first byte of the part that did not translate, and the part's size. */
    uint64_t va;
    unsigned int size;
    enum cpu_access access;
    uint32_t immediate;             /* HYPERCALL: of HVC */
    struct cpu_exception exception; /* EXCEPTION */
    uint16_t io_port;               /* IO */
    uint8_t io_size;
    bool io_out;
    uint32_t io_value;
    const char *why; /* UNKNOWN, BROKEN */
};

/* Runs until something has to be decided, for about `budget` instructions at most (the last block
 * is finished). */
void cpu_run(struct cpu *cpu, uint64_t budget, struct cpu_exit *exit);
/* From a port callback: the run ends before the next block; before the instruction that asks, if
 * translate() also returns NULL. */
void cpu_stop(struct cpu *cpu);
/*
 * Enters the guest's exception handler: VBAR_EL1 or IDT, frame and registers as the architecture
 * says. False: writing the x86 frame faulted, *exit tells where; nothing has changed.
 */
bool cpu_take(struct cpu *cpu, const struct cpu_exception *exception, struct cpu_exit *exit);
/* The surroundings changed code at [va, va + size), or what it is mapped to, behind the guest's
 * back (the guest's own stores and remappings are noticed). */
void cpu_code_changed(struct cpu *cpu, uint64_t va, uint64_t size);
/* Interrupts are enabled (PSTATE.I clear, RFLAGS.IF set). */
bool cpu_takes_irq(const struct cpu *cpu);

#endif
