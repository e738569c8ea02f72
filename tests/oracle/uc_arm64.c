/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/uc_arm64.h"

#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#define CODE      UINT64_C(0x1000)
#define CODE_ERET UINT64_C(0x2000)
#define BLOCK     UINT64_C(0x10000)

/* x0: the block. Every AT has its branch behind it, so the op selects 8 bytes of `ops`. */
static const uint32_t program[] = {
    0xa9400801, /*       ldp x1, x2, [x0]       */
    0xd5182041, /*       msr tcr_el1, x1        */
    0xd5182002, /*       msr ttbr0_el1, x2      */
    0xa9410801, /*       ldp x1, x2, [x0, #16]  */
    0xd5182021, /*       msr ttbr1_el1, x1      */
    0xd5181002, /*       msr sctlr_el1, x2      */
    0xa9420801, /*       ldp x1, x2, [x0, #32]  */
    0xd51c1101, /*       msr hcr_el2, x1        */
    0xd51c2142, /*       msr vtcr_el2, x2       */
    0xa9430801, /*       ldp x1, x2, [x0, #48]  */
    0xd51c2101, /*       msr vttbr_el2, x1      */
    0xd5033fdf, /*       isb                    */
    0x91010004, /*       add x4, x0, #64        */
    0x10000087, /*       adr x7, ops            */
    0xa9401885, /* loop: ldp x5, x6, [x4]       */
    0x8b060ce8, /*       add x8, x7, x6, lsl #3 */
    0xd61f0100, /*       br x8                  */
    0xd5087805, /* ops:  at s1e1r, x5           */
    0x1400000e, /*       b done                 */
    0xd5087825, /*       at s1e1w, x5           */
    0x1400000c, /*       b done                 */
    0xd5087845, /*       at s1e0r, x5           */
    0x1400000a, /*       b done                 */
    0xd5087865, /*       at s1e0w, x5           */
    0x14000008, /*       b done                 */
    0xd50c7885, /*       at s12e1r, x5          */
    0x14000006, /*       b done                 */
    0xd50c78a5, /*       at s12e1w, x5          */
    0x14000004, /*       b done                 */
    0xd50c78c5, /*       at s12e0r, x5          */
    0x14000002, /*       b done                 */
    0xd50c78e5, /*       at s12e0w, x5          */
    0xd5387409, /* done: mrs x9, par_el1        */
    0xf9000889, /*       str x9, [x4, #16]      */
    0x91008084, /*       add x4, x4, #32        */
    0xf1000442, /*       subs x2, x2, #1        */
    0x54fffd41, /*       b.ne loop              */
    0x14000000, /* end:  b end                  */
};
#define CODE_END (CODE + sizeof(program) - 4)

#define INSN_ERET UINT32_C(0xd69f03e0)

struct uc_arm64 {
    uc_engine *uc;
    uint8_t *memory;
    uint64_t mmfr0;
};

static bool write_system(uc_engine *uc, unsigned int op1, unsigned int crn, unsigned int crm,
                         unsigned int op2, uint64_t value)
{
    uc_arm64_cp_reg reg = {.op0 = 3, .op1 = op1, .crn = crn, .crm = crm, .op2 = op2, .val = value};

    return uc_reg_write(uc, UC_ARM64_REG_CP_REG, &reg) == UC_ERR_OK;
}

/*
 * To EL2 with MMUs off. Unicorn 2.0 recomputes the exception level only when the guest changes it,
 * so the guest executes an ERET from EL3; and with SCR_EL3.RW or HCR_EL2.RW clear (their reset
 * values) EL1 would be AArch32, whose tables are others.
 */
static bool enter_el2(struct uc_arm64 *engine)
{
    uc_engine *uc = engine->uc;
    uint64_t pstate = 0x3cd, start = CODE_ERET;
    uint32_t eret = INSN_ERET;

    memcpy(engine->memory + CODE_ERET, &eret, sizeof(eret));
    if (uc_reg_write(uc, UC_ARM64_REG_PSTATE, &pstate) != UC_ERR_OK ||
        !write_system(uc, 6, 1, 1, 0, 0x401) ||             /* SCR_EL3: RW, NS */
        !write_system(uc, 4, 1, 1, 0, UINT64_C(1) << 31) || /* HCR_EL2: RW */
        !write_system(uc, 6, 4, 0, 0, 0x3c9) ||             /* SPSR_EL3: EL2h */
        !write_system(uc, 6, 4, 0, 1, CODE_END) ||          /* ELR_EL3 */
        !write_system(uc, 0, 4, 0, 1, CODE_END))            /* ELR_EL1 */
        return false;
    return uc_emu_start(uc, start, CODE_END, 0, 0) == UC_ERR_OK;
}

static bool set_up(struct uc_arm64 *engine, uint64_t bytes)
{
    uc_arm64_cp_reg mmfr0 = {.op0 = 3, .crn = 0, .crm = 7, .op2 = 0};

    memcpy(engine->memory + CODE, program, sizeof(program));
    if (uc_mem_map_ptr(engine->uc, 0, bytes, UC_PROT_ALL, engine->memory) != UC_ERR_OK ||
        uc_reg_read(engine->uc, UC_ARM64_REG_CP_REG, &mmfr0) != UC_ERR_OK)
        return false;
    engine->mmfr0 = mmfr0.val;
    return enter_el2(engine);
}

struct uc_arm64 *uc_arm64_open(void *memory, uint64_t bytes)
{
    struct uc_arm64 *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return NULL;
    engine->memory = memory;
    if (uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &engine->uc) != UC_ERR_OK) {
        free(engine);
        return NULL;
    }
    if (set_up(engine, bytes))
        return engine;
    uc_arm64_close(engine);
    return NULL;
}

void uc_arm64_close(struct uc_arm64 *engine)
{
    uc_close(engine->uc);
    free(engine);
}

struct at_block *uc_arm64_block(struct uc_arm64 *engine)
{
    return (struct at_block *)(void *)(engine->memory + BLOCK);
}

uint8_t uc_arm64_pa_bits(struct uc_arm64 *engine)
{
    static const uint8_t bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};

    return bits[engine->mmfr0 & 7];
}

const char *uc_arm64_ask(struct uc_arm64 *engine)
{
    uint64_t block = BLOCK, pc = 0;
    uc_err error;

    uc_reg_write(engine->uc, UC_ARM64_REG_X0, &block);
    /* x2 is the count from here on. */
    error = uc_emu_start(engine->uc, CODE, CODE_END, 0, 0);
    if (error != UC_ERR_OK)
        return uc_strerror(error);
    uc_reg_read(engine->uc, UC_ARM64_REG_PC, &pc);
    return pc == CODE_END ? NULL : "the engine stopped before the last query";
}
