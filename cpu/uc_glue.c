/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine. Every address that a guest may use lies in a region without any permission, so each
 * load, store and fetch asks a hook first. The hook moves the bytes itself, between the port's
 * memory and a scratch mapping that stands behind all regions: a load then reads the scratch, a
 * store is dropped by the engine since the region is read-only. Refusing is precise: the
 * instruction has done nothing. What Unicorn lacks or gets wrong is named by version below.
 */
#include <string.h>
#include <sys/mman.h>

#include "cpu/uc_priv.h"

/* 512 windows hold all canonical addresses; the engine of 2.0 dies of about 1,020. */
#define WINDOW (UINT64_C(1) << 40)
/* Loads leave bytes behind: the scratch is emptied after so many that went to another page. */
#define SCRATCH_USES 65536

static uint8_t *scratch_at(struct cpu *cpu, uint64_t va)
{
    return cpu->scratch + (va & (WINDOW - 1));
}

/* A constant size makes the copy one move. */
static inline void copy(uint8_t *to, const uint8_t *from, unsigned int size)
{
    switch (size) {
    case 8:
        memcpy(to, from, 8);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 1:
        *to = *from;
        break;
    default:
        memcpy(to, from, size);
    }
}

static void use_scratch(struct cpu *cpu, uint64_t va)
{
    cpu->scratch_page = va & ~PAGE_MASK;
    if (++cpu->scratch_used < SCRATCH_USES)
        return;
    cpu->scratch_used = 0;
    madvise(cpu->scratch, WINDOW, MADV_DONTNEED);
}

static void skip_halves(struct cpu *cpu, bool halves, uint64_t va, unsigned int size)
{
    if (halves && (va & (cpu->engine_page - 1)) + size > cpu->engine_page)
        cpu->skip = 2;
}

static bool on_read(uc_engine *uc, uc_mem_type type, uint64_t va, int length, int64_t value,
                    void *user)
{
    struct cpu *cpu = user;
    unsigned int size = (unsigned int)length, first;
    uint8_t *part[2];

    (void)uc, (void)type, (void)value;
    if (cpu->skip) {
        cpu->skip--;
        return true;
    }
    if (((va & PAGE_MASK) + size) <= PAGE_BYTES) {
        part[0] = cpu_translate(cpu, va, size, CPU_READ, cpu->el);
        first = size;
        if (!part[0])
            goto fault;
    } else if (!cpu_translate_split(cpu, va, size, CPU_READ, cpu->el, part, &first)) {
        goto fault;
    }
    if ((va & ~PAGE_MASK) != cpu->scratch_page)
        use_scratch(cpu, va);
    copy(scratch_at(cpu, va), part[0], first);
    if (first < size)
        memcpy(scratch_at(cpu, va + first), part[1], size - first);
    skip_halves(cpu, cpu->ways.halves_loads, va, size);
    return true;
fault:
    uc_leave(cpu, EVENT_FAULT);
    return false;
}

static bool on_write(uc_engine *uc, uc_mem_type type, uint64_t va, int length, int64_t value,
                     void *user)
{
    struct cpu *cpu = user;
    unsigned int size = (unsigned int)length;
    uint8_t *host;

    (void)uc, (void)type;
    if (cpu->skip) {
        cpu->skip--;
        return true;
    }
    if (((va & PAGE_MASK) + size) <= PAGE_BYTES) {
        host = cpu_translate(cpu, va, size, CPU_WRITE, cpu->el);
        if (!host)
            goto fault;
        copy(host, (const uint8_t *)&value, size);
        code_written(cpu, host, size);
    } else if (!cpu_store(cpu, va, &value, size, cpu->el)) {
        goto fault;
    }
    if (va & (size - 1) && cpu->ways.splits_stores)
        cpu->skip = size;
    return true;
fault:
    uc_leave(cpu, EVENT_FAULT);
    return false;
}

static bool on_fetch(uc_engine *uc, uc_mem_type type, uint64_t va, int length, int64_t value,
                     void *user)
{
    struct cpu *cpu = user;
    unsigned int size = (unsigned int)length;
    uint8_t *host;
    uint32_t insn;

    (void)uc, (void)type, (void)value;
    if (cpu->skip) {
        cpu->skip--;
        return true;
    }
    if (!cpu_is_arm64(cpu)) {
        if (x86_fetch(cpu, va, size, scratch_at(cpu, va))) {
            skip_halves(cpu, cpu->ways.halves_fetches, va, size);
            return true;
        }
        cpu->pc = cpu->insn_va;
        uc_leave(cpu, EVENT_FETCH);
        return false;
    }
    host = cpu_translate(cpu, va, size, CPU_FETCH_CODE, cpu->el);
    if (!host) {
        cpu->pc = va;
        uc_leave(cpu, EVENT_FETCH);
        return false;
    }
    code_translated(cpu, va, host, size);
    memcpy(&insn, host, sizeof(insn));
    insn = arm64_filter(cpu, insn);
    memcpy(scratch_at(cpu, va), &insn, sizeof(insn));
    return true;
}

/* An address outside of all windows, or in a window that was not needed so far. */
static bool on_unmapped(uc_engine *uc, uc_mem_type type, uint64_t va, int length, int64_t value,
                        void *user)
{
    struct cpu *cpu = user;
    uint64_t window = va & ~(WINDOW - 1), size = WINDOW;
    bool fetch = type == UC_MEM_FETCH_UNMAPPED;

    (void)value;
    if (window + size == 0)
        size -= PAGE_BYTES; /* the end of a region must be an address */
    if (fetch)
        cpu->pc = va == cpu->insn_end ? cpu->insn_va : va;
    if ((va >> 48 == 0 || va >> 48 == 0xffff) && va - window < size &&
        !uc_mem_map_ptr(uc, window, size, UC_PROT_NONE, cpu->scratch) &&
        /* mapping alone does not make it read-only */
        !uc_mem_protect(uc, window, size, UC_PROT_NONE)) {
        if (!fetch)
            return true;
        /* Translated right now, the block could never be dropped: it has no place in memory. */
        cpu->fault_va = va;
        uc_leave(cpu, EVENT_RETRY);
        return false;
    }
    if (cpu_translate(cpu, va, fetch ? 1 : (unsigned int)length,
                      fetch                           ? CPU_FETCH
                      : type == UC_MEM_WRITE_UNMAPPED ? CPU_WRITE
                                                      : CPU_READ,
                      cpu->el)) {
        cpu->why = "an address outside of what the engine can map is mapped";
        cpu->event = EVENT_BROKEN;
    }
    uc_leave(cpu, fetch ? EVENT_FETCH : EVENT_FAULT);
    return false;
}

static void on_block(uc_engine *uc, uint64_t va, uint32_t size, void *user)
{
    struct cpu *cpu = user;

    (void)uc;
    cpu->insn_end = 0; /* translation is over */
    cpu_enter_block(cpu, va, size);
    if (cpu->event != EVENT_NONE) {
        cpu->pc = va;
        uc_emu_stop(uc);
    }
}

static void on_interrupt(uc_engine *uc, uint32_t intno, void *user)
{
    struct cpu *cpu = user;

    (void)uc;
    cpu->intno = intno;
    uc_leave(cpu, cpu_is_arm64(cpu) && intno == 1 ? EVENT_TRAP : EVENT_RAISE);
}

static bool on_invalid(uc_engine *uc, void *user)
{
    (void)uc;
    uc_leave(user, EVENT_TRAP);
    return true;
}

/* Without a hook on reads the engine's inline path bypasses the permissions; on arm64 it also keeps
 * the program counter exact. A hook on writes is no good: with it 2.0 gets carries of x86 shifts
 * in memory wrong. */
static void on_any_read(uc_engine *uc, uc_mem_type type, uint64_t va, int size, int64_t value,
                        void *user)
{
    (void)uc, (void)type, (void)va, (void)size, (void)value, (void)user;
}

bool uc_hook_function(struct cpu *cpu, int type, void (*function)(void), uint64_t begin,
                      uint64_t end, int instruction)
{
    uc_hook handle;
    void *callback;

    memcpy(&callback, &function, sizeof(callback)); /* ISO C has no such conversion */
    return uc_hook_add(cpu->engine, &handle, type, callback, cpu, begin, end, instruction) ==
           UC_ERR_OK;
}

static bool add_hooks(struct cpu *cpu)
{
    static const struct {
        int type;
        void (*function)(void);
    } hooks[] = {
        {UC_HOOK_MEM_READ_PROT, (void (*)(void))on_read},
        {UC_HOOK_MEM_WRITE_PROT, (void (*)(void))on_write},
        {UC_HOOK_MEM_FETCH_PROT, (void (*)(void))on_fetch},
        {UC_HOOK_MEM_UNMAPPED, (void (*)(void))on_unmapped},
        {UC_HOOK_BLOCK, (void (*)(void))on_block},
        {UC_HOOK_INTR, (void (*)(void))on_interrupt},
        {UC_HOOK_INSN_INVALID, (void (*)(void))on_invalid},
    };
    /* x86: a range that no access touches */
    uint64_t begin = cpu_is_arm64(cpu) ? 1 : cpu->until, end = cpu_is_arm64(cpu) ? 0 : begin;

    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
        if (!uc_hook_function(cpu, hooks[i].type, hooks[i].function, 1, 0, 0))
            return false;
    return uc_hook_function(cpu, UC_HOOK_MEM_READ, (void (*)(void))on_any_read, begin, end, 0);
}

bool engine_open(struct cpu *cpu, char *why)
{
    uc_arch arch = cpu_is_arm64(cpu) ? UC_ARCH_ARM64 : UC_ARCH_X86;
    uc_mode mode = cpu_is_arm64(cpu) ? UC_MODE_ARM : UC_MODE_64;
    uc_engine *uc = NULL;
    size_t page = 0;

    cpu->until = UINT64_C(0x00ff123456789000); /* no guest's code, and never mapped */
    cpu->scratch_page = 1;
    cpu->scratch = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (cpu->scratch == MAP_FAILED) {
        cpu->scratch = NULL;
        strcpy(why, "no address space for the engine's scratch memory");
        return false;
    }
    if (uc_version(NULL, NULL) >> 24 != 2 || uc_open(arch, mode, &uc) != UC_ERR_OK) {
        strcpy(why, "Unicorn 2 with this architecture is needed");
        return false;
    }
    cpu->engine = uc;
    if (!(cpu_is_arm64(cpu) ? uc_arm64_setup(cpu) : uc_x86_setup(cpu)) || !add_hooks(cpu) ||
        uc_query(uc, UC_QUERY_PAGE_SIZE, &page) != UC_ERR_OK) {
        strcpy(why, "Unicorn refuses the configuration");
        return false;
    }
    cpu->engine_page = (unsigned int)page;
    return true;
}

void engine_close(struct cpu *cpu)
{
    if (!cpu_is_arm64(cpu))
        uc_x86_close(cpu);
    if (cpu->engine)
        uc_close(cpu->engine);
    if (cpu->scratch)
        munmap(cpu->scratch, WINDOW);
}

void engine_run(struct cpu *cpu)
{
    uc_err err;

    cpu->insn_end = 0;
    err = uc_emu_start(cpu->engine, cpu->pc, cpu->until, 0, 0);
    if (cpu->event == EVENT_NONE || cpu->event >= EVENT_FAULT)
        cpu->pc = engine_get(cpu, CPU_PC);
    if (!cpu_is_arm64(cpu))
        uc_x86_stopped(cpu);
    if (cpu->event == EVENT_NONE && err != UC_ERR_OK) {
        cpu->why = uc_strerror(err);
        cpu->event = EVENT_BROKEN;
    }
}

void engine_forget(struct cpu *cpu, uint64_t va)
{
    uc_ctl_remove_cache(cpu->engine, va, va + PAGE_BYTES);
}

uint64_t engine_get(const struct cpu *cpu, unsigned int reg)
{
    return cpu_is_arm64(cpu) ? uc_arm64_get(cpu, reg) : uc_x86_get(cpu, reg);
}

void engine_set(struct cpu *cpu, unsigned int reg, uint64_t value)
{
    if (cpu_is_arm64(cpu))
        uc_arm64_set(cpu, reg, value);
    else
        uc_x86_set(cpu, reg, value);
}
