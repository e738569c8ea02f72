/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A CPU over a few pages of memory. Pages are mapped by hand; what the CPU asks for is counted and
 * the last of each kind is kept.
 */
#ifndef CPU_RIG_H
#define CPU_RIG_H

#include "cpu/cpu.h"
#include "tests/support/cmocka_all.h"

#define RIG_PAGES 32
#define RIG_CODE  UINT64_C(0xffff800008000000) /* mapped for the kernel, page 0 */
#define RIG_DATA  UINT64_C(0xffff000000100000) /* page 1; nothing behind it */
#define RIG_STACK UINT64_C(0xffff000000200000) /* page 2; the stack pointer is its end */

enum { RIG_R = 1, RIG_W = 2, RIG_X = 4, RIG_USER = 8, RIG_KERNEL = RIG_R | RIG_W | RIG_X };

struct rig {
    struct cpu *cpu;
    struct cpu_exit exit;
    uint8_t *memory; /* RIG_PAGES pages */
    unsigned int mapped;
    struct {
        uint64_t va;
        unsigned int page, rights;
    } map[RIG_PAGES];
    unsigned int accesses[4]; /* by enum cpu_access */
    unsigned int sysregs, invals, stop_at_reads;
    enum cpu_sysreg sysreg;
    uint64_t value;
    struct cpu_inval inval;
    struct rig *twin; /* shares the memory of */
};

struct rig *rig_create(const struct cpu_config *config, struct rig *twin);
void rig_destroy(struct rig *rig);
void rig_map(struct rig *rig, uint64_t va, unsigned int page, unsigned int rights);
void rig_unmap(struct rig *rig, uint64_t va);
uint8_t *rig_at(struct rig *rig, uint64_t va);
uint64_t rig_word(struct rig *rig, uint64_t va);
void rig_put(struct rig *rig, uint64_t va, uint64_t word);
/* Copies code to `va` and goes there. */
void rig_code(struct rig *rig, uint64_t va, const void *code, size_t size);
/* Runs until something other than the budget of 1,000,000 ends it. */
enum cpu_exit_kind rig_run(struct rig *rig);
void rig_set(struct rig *rig, unsigned int reg, uint64_t value);
uint64_t rig_get(struct rig *rig, unsigned int reg);

#define RIG_CODE_AT(rig, va, ...)                                                                  \
    do {                                                                                           \
        static const RIG_UNIT code_[] = {__VA_ARGS__};                                             \
        rig_code(rig, va, code_, sizeof(code_));                                                   \
    } while (0)

#endif
