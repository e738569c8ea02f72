/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/bare.h"

#include <stdlib.h>
#include <unicorn/unicorn.h>

#define CODE  UINT64_C(0x100000)
#define DATA  UINT64_C(0x200000)
#define STACK UINT64_C(0x400000)
#define END   UINT64_C(0x800000) /* mapped, for the return; holds no code that runs */
#define BYTES UINT64_C(0x100000)

struct bare {
    uc_engine *uc;
    bool x86;
};

struct bare *bare_open(bool x86, const uint8_t *code, size_t size)
{
    struct bare *bare = calloc(1, sizeof(*bare));

    if (!bare)
        return NULL;
    bare->x86 = x86;
    if (uc_open(x86 ? UC_ARCH_X86 : UC_ARCH_ARM64, x86 ? UC_MODE_64 : UC_MODE_ARM, &bare->uc) ==
            UC_ERR_OK &&
        uc_mem_map(bare->uc, CODE, BYTES, UC_PROT_ALL) == UC_ERR_OK &&
        uc_mem_map(bare->uc, DATA, BYTES, UC_PROT_ALL) == UC_ERR_OK &&
        uc_mem_map(bare->uc, STACK, BYTES, UC_PROT_READ | UC_PROT_WRITE) == UC_ERR_OK &&
        uc_mem_map(bare->uc, END, BYTES, UC_PROT_ALL) == UC_ERR_OK &&
        uc_mem_write(bare->uc, CODE, code, size) == UC_ERR_OK)
        return bare;
    bare_close(bare);
    return NULL;
}

bool bare_call(struct bare *bare, uint64_t count, uint64_t mask)
{
    uint64_t data = DATA, end = END, stack = STACK + BYTES / 2, pc = 0;
    int regs[2][4] = {
        {UC_ARM64_REG_X0, UC_ARM64_REG_X1, UC_ARM64_REG_X2, UC_ARM64_REG_PC},
        {UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RDX, UC_X86_REG_RIP},
    };
    const int *reg = regs[bare->x86];

    uc_reg_write(bare->uc, reg[0], &count);
    uc_reg_write(bare->uc, reg[1], &data);
    uc_reg_write(bare->uc, reg[2], &mask);
    if (bare->x86) {
        uc_reg_write(bare->uc, UC_X86_REG_RSP, &stack);
        uc_mem_write(bare->uc, stack, &end, sizeof(end));
    } else {
        uc_reg_write(bare->uc, UC_ARM64_REG_X30, &end);
    }
    if (uc_emu_start(bare->uc, CODE, END, 0, 0) != UC_ERR_OK)
        return false;
    uc_reg_read(bare->uc, reg[3], &pc);
    return pc == END;
}

void bare_close(struct bare *bare)
{
    if (bare && bare->uc)
        uc_close(bare->uc);
    free(bare);
}
