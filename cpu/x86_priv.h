/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CPU_X86_PRIV_H
#define CPU_X86_PRIV_H

#include "cpu/cpu_priv.h"
#include "cpu/x86_insn.h"

#define FLAG_TF   (UINT64_C(1) << 8)
#define FLAG_IF   (UINT64_C(1) << 9)
#define FLAG_IOPL (UINT64_C(3) << 12)
#define FLAG_NT   (UINT64_C(1) << 14)
#define FLAG_AC   (UINT64_C(1) << 18)

#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_UD 6
#define VECTOR_GP 13

#define MSR_STAR  0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084

enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R11 = 11 };

/* ---- x86.c ---- */

bool x86_leave(struct cpu_exit *exit, enum cpu_exit_kind kind, const char *why);
/* An exception with error code 0 where it has one. */
bool x86_exception(struct cpu_exit *exit, uint8_t vector);
void x86_set_flags(struct cpu *cpu, uint64_t value);
void x86_set_cs(struct cpu *cpu, uint16_t selector);
/* On behind the instruction. */
bool x86_retire(struct cpu *cpu, const struct x86_insn *insn);

/* ---- x86_fetch.c ---- */

/* The engine must not see it at this level. */
bool x86_is_trapped(const struct cpu *cpu, const struct x86_insn *insn);
/* The instruction at pc; false: the fault is set. */
bool x86_read_insn(struct cpu *cpu, uint64_t va, uint8_t bytes[X86_INSN_MAX],
                   struct x86_insn *insn);

/* ---- x86_enter.c: what changes level or stack ---- */

bool x86_iret(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit);
bool x86_lret(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit);
bool x86_syscall(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit);
bool x86_sysret(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit);

/* ---- x86_system.c: the two-byte map ---- */

uint64_t x86_address(const struct cpu *cpu, const struct x86_insn *insn);
bool x86_system(struct cpu *cpu, const struct x86_insn *insn, struct cpu_exit *exit);

/* ---- uc_x86.c ---- */

uint64_t engine_msr_get(const struct cpu *cpu, uint32_t msr);

#endif
