/* SPDX-License-Identifier: MIT */
/* x86-64 instructions that C has no words for. A VMX instruction that fails sets CF or ZF, and has
 * done nothing (Intel SDM, volume 3, 31.2). */
#ifndef HYP_PORT_X86_INSN_H
#define HYP_PORT_X86_INSN_H

#include <stdbool.h>
#include <stdint.h>

#define X86_READ_CR(n)                                                                             \
    __extension__({                                                                                \
        uint64_t v_;                                                                               \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_) : : "memory");                            \
        v_;                                                                                        \
    })
#define X86_WRITE_CR(n, v) __asm__ volatile("mov %0, %%cr" #n : : "r"((uint64_t)(v)) : "memory")

static inline uint64_t x86_rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline uint64_t x86_vmread(uint64_t field)
{
    uint64_t v = 0;

    __asm__ volatile("vmread %1, %0" : "+r"(v) : "r"(field) : "cc", "memory");
    return v;
}

/* False for a field that the CPU has not, and where no VMCS is current. */
static inline bool x86_vmwrite(uint64_t field, uint64_t v)
{
    uint8_t failed;

    __asm__ volatile("vmwrite %2, %1; setna %0"
                     : "=qm"(failed)
                     : "r"(field), "r"(v)
                     : "cc", "memory");
    return !failed;
}

/* Both with the descriptor that has one operand, EPTP or VPID; false when the CPU takes neither
 * type nor operand. */
static inline bool x86_invept(uint64_t type, uint64_t eptp)
{
    const uint64_t descriptor[2] = {eptp, 0};
    uint8_t failed;

    __asm__ volatile("invept %1, %2; setna %0"
                     : "=qm"(failed)
                     : "m"(descriptor), "r"(type)
                     : "cc", "memory");
    return !failed;
}

static inline bool x86_invvpid(uint64_t type, uint64_t vpid)
{
    const uint64_t descriptor[2] = {vpid, 0};
    uint8_t failed;

    __asm__ volatile("invvpid %1, %2; setna %0"
                     : "=qm"(failed)
                     : "m"(descriptor), "r"(type)
                     : "cc", "memory");
    return !failed;
}

static inline void x86_invlpg(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

#endif
