/* SPDX-License-Identifier: MIT */
/* AArch64 instructions that C has no words for. */
#ifndef HYP_PORT_ARM64_INSN_H
#define HYP_PORT_ARM64_INSN_H

#define ASM(text)     __asm__ volatile(text : : : "memory")
#define WRITE(reg, v) __asm__ volatile("msr " #reg ", %0" : : "r"((uint64_t)(v)) : "memory")
#define READ(reg)                                                                                  \
    __extension__({                                                                                \
        uint64_t v_;                                                                               \
        __asm__ volatile("mrs %0, " #reg : "=r"(v_));                                              \
        v_;                                                                                        \
    })
#define TLBI(op)           __asm__ volatile("tlbi " #op : : : "memory")
#define TLBI_ADDR(op, v)   __asm__ volatile("tlbi " #op ", %0" : : "r"((uint64_t)(v)) : "memory")
#define TLBI_RIPAS2E1IS(v) __asm__ volatile("sys #4, c8, c0, #2, %0" : : "r"(v) : "memory")

/* One instruction for one value of a switch. */
#define CASE(value, statement)                                                                     \
    case value:                                                                                    \
        statement;                                                                                 \
        break

#endif
