/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel that all guests share: calls, text, traps, page tables. A guest defines guest_main(),
 * and those hooks that it needs.
 */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "regs.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul

extern const struct fl_boot *fl_boot;

/* ---- the guest ---- */

/* The whole guest; what it returns is the status of FL_EXIT. */
int guest_main(void);

/* ---- calls ---- */

struct fl_answer {
    uint64_t value, more[2];
};
struct fl_answer fl_call6(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                          uint64_t e, uint64_t f);
/* Up to three arguments, one result. */
int64_t fl_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c);

_Noreturn void fl_exit(uint64_t status);
void fl_mark(const char *name);
void fl_tally(const char *name, uint64_t value);

/* ---- text: %s, %u and %x of an unsigned int, %lu and %lx of 64 bits, %% ---- */

void fl_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints why, and dies there. */
_Noreturn void fl_panic(const struct regs *regs, uint64_t address, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A check of the guest itself failed: text, FL_EXIT 1. */
_Noreturn void fl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define fl_check(what)                                                                             \
    ((what) ? (void)0 : fl_fail("%s:%u: not so: %s\n", __FILE_NAME__, __LINE__, #what))

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
size_t strlen(const char *text);

/* The number after "name=" in fl_boot.arguments; decimal or 0x, with k, m, g for powers of 1024. */
uint64_t fl_argument(const char *name, uint64_t otherwise);
/* Whether the word "name=text" is there. */
bool fl_argument_is(const char *name, const char *text);

/* xorshift64*; state is never 0. */
uint64_t fl_random(uint64_t *state);

/* ---- memory ---- */

static inline void *fl_va(uint64_t pa)
{
    return (void *)(pa - fl_boot->ram + fl_boot->linear); // NOLINT(performance-no-int-to-ptr)
}

/* `pages` contiguous pages, for ever; their number must be there. Not zeroed. */
uint64_t fl_pages(uint64_t pages);
uint64_t fl_pages_left(void);

/* The leaf or empty entry of `va` in this kernel's tables; `level` 0: a page. NULL: a table is
 * missing. */
uint64_t *fl_pte(uint64_t va, unsigned int *level);
/* Maps one page: table pages are made, blocks are not split. The entry must be empty. */
void fl_map(uint64_t va, uint64_t pa, unsigned int rights);
#define FL_R    0u
#define FL_W    1u
#define FL_X    2u
#define FL_USER 4u
uint64_t fl_pte_make(uint64_t pa, unsigned int rights);
uint64_t fl_pte_pa(uint64_t pte);
/* Changes the entry of a page: break, invalidate, make. */
void fl_pte_set(uint64_t *pte, uint64_t va, uint64_t value);
/* Invalidates a page: on arm64 in every CPU's TLB; on x86 the other CPUs must do so themselves. */
void fl_flush_page(uint64_t va);

/* ---- traps ---- */

enum fl_fault_kind {
    FL_FAULT_PAGE,      /* translation or permission, of stage 1 */
    FL_FAULT_REFLECTED, /* arm64, S1PTW */
    FL_FAULT_ABORT,     /* arm64, synchronous external */
    FL_FAULT_LENT,      /* arm64, FL_DFSC_LENT */
    FL_FAULT_SDEI,      /* arm64, the handler's call */
    FL_FAULT_VE,        /* x86 */
    FL_FAULT_OTHER,     /* anything else; never fixed up */
    FL_FAULT_COUNT
};

struct fl_fault {
    enum fl_fault_kind kind;
    uint64_t pc, address;
    uint64_t code; /* ESR_EL1, or vector << 32 | error code */
};

/* Before anything else is done about a fault: true, it is dealt with. `regs` is NULL for
 * FL_FAULT_SDEI. */
bool guest_fault(struct regs *regs, const struct fl_fault *fault);
void guest_timer(void);
/* Around each trap: entry code of a guest that isolates itself. */
void guest_trap_enter(void);
void guest_trap_leave(void);

/* Faults met so far, by kind, and those that the exception table repaired. */
extern uint64_t fl_faults[FL_FAULT_COUNT], fl_repaired;
/* Fills *pc with the fixup of the instruction there. */
bool fl_extable_find(uint64_t *pc);
/* What a kernel does about a fault: table, or death. False: on at *pc. */
void fl_fault(struct regs *regs, const struct fl_fault *fault, uint64_t *pc);
/* Text of a fault that nothing repairs. */
_Noreturn void fl_die(const struct regs *regs, const struct fl_fault *fault);
/* FL_STRAY_SDEI: registers the handler, if the strategy wants one. */
void fl_stray_init(void);

/* A pair of the exception table. */
#define FL_EXTABLE(instruction, fixup)                                                             \
    ".pushsection __ex_table, \"a\"\n.balign 8\n.quad " #instruction ", " #fixup "\n.popsection\n"

/* ---- CPUs ---- */

_Noreturn void fl_start(const struct fl_boot *boot, uint64_t cpu);
/* Runs function(argument) on another CPU. */
bool fl_cpu_on(uint64_t cpu, void (*function)(uint64_t), uint64_t argument);
void fl_interrupts(bool on);

static inline void fl_relax(void)
{
#if defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("pause" ::: "memory");
#endif
}

#endif
