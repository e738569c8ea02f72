/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/uc_x86.h"

#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#define MSR_EFER 0xc0000080u

/* mov %rcx, %cr3, without which the TLB of the engine would keep what earlier tables gave: a
 * register written from outside flushes nothing. Then mov (%rbx), %rax or mov %rax, (%rbx). */
static const uint8_t load_code[] = {0x0f, 0x22, 0xd9, 0x48, 0x8b, 0x03};
static const uint8_t store_code[] = {0x0f, 0x22, 0xd9, 0x48, 0x89, 0x03};
#define LOAD  UC_X86_CODE
#define STORE (UC_X86_CODE + 0x100)

struct uc_x86 {
    uc_engine *uc;
    uc_context *clean;
    uint32_t vector;
    bool fault;
};

bool uc_x86_translates(void)
{
    unsigned int major, minor;

    uc_version(&major, &minor);
    return major > 2 || (major == 2 && minor >= 1);
}

static void interrupt(uc_engine *uc, uint32_t vector, void *data)
{
    struct uc_x86 *engine = data;

    if (!engine->fault)
        engine->vector = vector;
    engine->fault = true;
    uc_emu_stop(uc);
}

static uint64_t nothing_loaded(uc_engine *uc, uint64_t offset, unsigned int size, void *data)
{
    (void)uc, (void)offset, (void)size, (void)data;
    return 0;
}

static void nothing_stored(uc_engine *uc, uint64_t offset, unsigned int size, uint64_t value,
                           void *data)
{
    (void)uc, (void)offset, (void)size, (void)value, (void)data;
}

/* Unicorn 2.0 looks a linear address up among the regions before it walks: something has to be
 * there. Entry 0 of the root is memory. */
static bool cover_linear_addresses(uc_engine *uc)
{
    static const uint64_t half[2][2] = {
        {UINT64_C(1) << 39, (UINT64_C(1) << 47) - (UINT64_C(1) << 39)},
        {UINT64_C(0xffff800000000000), (UINT64_C(1) << 47) - 0x1000},
    };

    for (unsigned int i = 0; i < 2; i++)
        if (uc_mmio_map(uc, half[i][0], half[i][1], nothing_loaded, NULL, nothing_stored, NULL) !=
            UC_ERR_OK)
            return false;
    return true;
}

static bool set_up(struct uc_x86 *engine, uint8_t *memory, uint64_t bytes)
{
    /* Unicorn wants every kind of callback as a void pointer, which ISO C has no conversion to. */
    union {
        uc_cb_hookintr_t function;
        void *pointer;
    } callback = {interrupt};
    uc_hook hook;

    memcpy(memory + LOAD, load_code, sizeof(load_code));
    memcpy(memory + STORE, store_code, sizeof(store_code));
    return uc_mem_map_ptr(engine->uc, 0, bytes, UC_PROT_ALL, memory) == UC_ERR_OK &&
           (uc_x86_translates() || cover_linear_addresses(engine->uc)) &&
           uc_hook_add(engine->uc, &hook, UC_HOOK_INTR, callback.pointer, engine, 1, 0) ==
               UC_ERR_OK &&
           uc_context_alloc(engine->uc, &engine->clean) == UC_ERR_OK &&
           uc_context_save(engine->uc, engine->clean) == UC_ERR_OK;
}

struct uc_x86 *uc_x86_open(void *memory, uint64_t bytes)
{
    struct uc_x86 *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return NULL;
    if (uc_open(UC_ARCH_X86, UC_MODE_64, &engine->uc) != UC_ERR_OK) {
        free(engine);
        return NULL;
    }
    if (set_up(engine, memory, bytes))
        return engine;
    uc_x86_close(engine);
    return NULL;
}

void uc_x86_close(struct uc_x86 *engine)
{
    if (engine->clean)
        uc_context_free(engine->clean);
    uc_close(engine->uc);
    free(engine);
}

static void set_registers(uc_engine *uc, const struct uc_x86_access *access)
{
    uc_x86_msr efer = {.rid = MSR_EFER, .value = access->efer};

    uc_reg_write(uc, UC_X86_REG_CR4, &access->cr4);
    uc_reg_write(uc, UC_X86_REG_MSR, &efer);
    uc_reg_write(uc, UC_X86_REG_CR3, &access->cr3);
    uc_reg_write(uc, UC_X86_REG_CR0, &access->cr0);
    uc_reg_write(uc, UC_X86_REG_RBX, &access->va);
    uc_reg_write(uc, UC_X86_REG_RCX, &access->cr3);
    uc_reg_write(uc, UC_X86_REG_RAX, &access->value);
}

const char *uc_x86_ask(struct uc_x86 *engine, struct uc_x86_access *access)
{
    uint64_t code = access->write ? STORE : LOAD;
    uc_err error;

    /* Else the second page fault becomes a double fault, and the third is lost. */
    uc_context_restore(engine->uc, engine->clean);
    set_registers(engine->uc, access);
    engine->fault = false;
    error = uc_emu_start(engine->uc, code, code + sizeof(load_code), 0, 0);
    access->fault = engine->fault;
    access->vector = engine->vector;
    uc_reg_read(engine->uc, UC_X86_REG_CR2, &access->cr2);
    uc_reg_read(engine->uc, UC_X86_REG_RAX, &access->value);
    return error == UC_ERR_OK || engine->fault ? NULL : uc_strerror(error);
}
