/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What guest execution needs from its surroundings: memory behind translations, and a place for
 * what the guest does to its translation registers and TLBs.
 */
#ifndef CPU_PORT_H
#define CPU_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cpu_access {
    CPU_READ,
    CPU_WRITE,
    CPU_FETCH, /* one for each page of each block that runs, before it runs */
    /* Code is read to be translated by the engine; the guest has not executed it yet. Must not
     * count as an access of the guest, unless it faults. */
    CPU_FETCH_CODE,
};

/* TLB maintenance by the guest. */
struct cpu_inval {
    /* arm64: operands of the SYS instruction (DDI 0487 C5.5), and Xt. */
    uint8_t op1, crm, op2, crn;
    uint64_t value;
    /* x86: enum cpu_x86_inval, and its operands. */
    uint8_t x86;
    uint64_t type, va, pcid;
};
enum cpu_x86_inval { CPU_X86_INVLPG = 1, CPU_X86_INVPCID, CPU_X86_MOV_CR3, CPU_X86_MOV_CR4 };

/* Registers that translation depends on; the rest stays inside. */
enum cpu_sysreg {
    CPU_SCTLR_EL1,
    CPU_TCR_EL1,
    CPU_TTBR0_EL1,
    CPU_TTBR1_EL1,
    CPU_MAIR_EL1,
    CPU_CR0,
    CPU_CR3,
    CPU_CR4,
    CPU_SYSREG_COUNT
};

struct cpu_port {
    void *ctx;
    /*
     * Translates an access of `size` bytes (1 to 8 for data; not beyond the 4 KiB page) at `va`,
     * made at privilege `el` (0 user, 1 kernel), and returns where those bytes are. NULL: the guest
     * must see a fault, or the run must end; nothing has been changed. An access that crosses a
     * page end is asked for page by page, lower first, before any byte moves.
     *
     * A page of memory stays at one place, 4 KiB aligned, for as long as the CPU lives: by that the
     * CPU knows code that has changed or moved.
     */
    uint8_t *(*translate)(void *ctx, uint64_t va, unsigned int size, enum cpu_access access,
                          unsigned int el);
    /* The guest wrote a translation register, or executed TLB maintenance. After the write. */
    void (*sysreg)(void *ctx, enum cpu_sysreg reg, uint64_t value);
    void (*invalidate)(void *ctx, const struct cpu_inval *inval);
    /* `leaf` and `subleaf` in, four registers out. x86 only; false: the engine's own. */
    bool (*cpuid)(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
};

#endif
