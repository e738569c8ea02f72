/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all depends on, tried on the engine at hand before a CPU is given out: versions of Unicorn
 * differ in exactly these things. Costs less than a millisecond.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu_priv.h"

#define BASE UINT64_C(0xffff900000000000)
#define DATA (BASE + PAGE_BYTES)
#define FAR  (DATA + PAGE_BYTES)

struct probe {
    struct cpu *cpu;
    struct cpu_exit exit;
    uint8_t *memory;      /* code, data and the page behind it */
    bool far;             /* that one is there */
    unsigned int asks[2]; /* for loads and stores that the code makes by its registers */
};

/* Compares a register with itself, loads, stores, makes a hypercall. */
struct code {
    uint8_t bytes[16], changed[16]; /* changed: a constant instead of the load */
    uint8_t load_at, store_at;      /* offsets */
    uint8_t value, load_address, store_address;
    uint64_t equal;              /* in the flags */
    uint8_t size_at, by_size[3]; /* the byte of a load and a store that makes them 2, 4, 8 bytes */
};

static const struct code codes[] = {
    /* cmp x5, x5; ldr x2, [x1]; str x2, [x3]; hvc #0. mov x2, #7 */
    [CPU_ARM64] = {{0xbf, 0x00, 0x05, 0xeb, 0x22, 0x00, 0x40, 0xf9, 0x62, 0x00, 0x00, 0xf9, 0x02,
                    0x00, 0x00, 0xd4},
                   {0xbf, 0x00, 0x05, 0xeb, 0xe2, 0x00, 0x80, 0xd2, 0x62, 0x00, 0x00, 0xf9, 0x02,
                    0x00, 0x00, 0xd4},
                   4,
                   8,
                   2,
                   1,
                   3,
                   UINT64_C(1) << 30,
                   3,
                   {0x79, 0xb9, 0xf9}},
    /* cmp r9, r9; mov rax, [rbx]; mov [rdx], rax; sar byte [rdi], cl; vmcall. push 7; pop rax */
    [CPU_X86_64] = {{0x4d, 0x39, 0xc9, 0x48, 0x8b, 0x03, 0x48, 0x89, 0x02, 0xd2, 0x3f, 0x0f, 0x01,
                     0xc1},
                    {0x4d, 0x39,
                     0xc9, 0x6a, 0x07, 0x58, 0x48, 0x89, 0x02, 0xd2, 0x3f, 0x0f, 0x01, 0xc1},
                    3,
                    6,
                    0,
                    3,
                    2,
                    UINT64_C(1) << 6,
                    0,
                    {0x66, 0x40, 0x48}},
};

static uint8_t *translate(void *ctx, uint64_t va, unsigned int size, enum cpu_access access,
                          unsigned int el)
{
    struct probe *probe = ctx;

    (void)size, (void)el;
    if (access == CPU_READ || access == CPU_WRITE)
        probe->asks[access == CPU_WRITE] += va != DATA; /* where x86 shifts */
    return va - BASE < (probe->far ? 3 : 2) * PAGE_BYTES ? probe->memory + (va - BASE) : NULL;
}

static bool faults(struct probe *probe, uint64_t pc, enum cpu_access access)
{
    cpu_run(probe->cpu, 100, &probe->exit);
    return probe->exit.kind == CPU_EXIT_FAULT && probe->exit.pc == pc && probe->exit.va == FAR &&
           probe->exit.access == access;
}

static bool finishes(struct probe *probe)
{
    cpu_run(probe->cpu, 100, &probe->exit);
    return probe->exit.kind == CPU_EXIT_HYPERCALL;
}

/* NULL, or what the engine does wrong. */
static const char *accesses(struct probe *probe, const struct code *code)
{
    struct cpu *cpu = probe->cpu;
    uint8_t *near = probe->memory + 2 * PAGE_BYTES - 8;

    memset(near, 0x11, 8);
    memset(near + 8, 0x22, 8);
    cpu_set(cpu, code->load_address, FAR - 3);
    cpu_set(cpu, code->store_address, FAR - 5);
    cpu_set(cpu, code->value, 99);
    cpu_set(cpu, CPU_PC, BASE);
    cpu_run(cpu, 0, &probe->exit);
    if (probe->exit.kind != CPU_EXIT_BUDGET || probe->exit.pc != BASE)
        return "it does not stop before a block";
    if (!faults(probe, BASE + code->load_at, CPU_READ) || cpu_get(cpu, code->value) != 99 ||
        !(cpu_get(cpu, CPU_FLAGS) & code->equal))
        return "a load that faults is not precise";
    probe->far = true;
    cpu_set(cpu, CPU_PC, BASE);
    if (!finishes(probe) || cpu_get(cpu, code->value) != UINT64_C(0x2222222222111111) ||
        near[2] != 0x11 || near[3] != 0x11 || near[6] != 0x22 || near[10] != 0x22)
        return "a load or store across a page end is wrong";
    probe->far = false;
    memset(near, 0x33, 8);
    cpu_set(cpu, CPU_PC, BASE + code->store_at);
    if (!faults(probe, BASE + code->store_at, CPU_WRITE) || near[3] != 0x33 || near[7] != 0x33)
        return "a store that faults is not precise";
    probe->far = true;
    return NULL;
}

/* Put back at the end: what runs later shows that it is. */
static const char *changes(struct probe *probe, const struct code *code)
{
    const char *wrong = NULL;

    cpu_set(probe->cpu, code->load_address, DATA + 8);
    cpu_set(probe->cpu, code->store_address, DATA + 16);
    for (unsigned int i = 0; i < 2 && !wrong; i++) {
        cpu_set(probe->cpu, CPU_PC, BASE);
        if (!finishes(probe) || cpu_get(probe->cpu, code->value) != 7 * i)
            wrong = "it does not drop translated code";
        memcpy(probe->memory, i ? code->bytes : code->changed, sizeof(code->bytes));
        cpu_code_changed(probe->cpu, BASE, PAGE_BYTES);
    }
    return wrong;
}

/* Each load and store is asked for once: by its address, for each page. */
static bool asks_once(struct probe *probe, const struct code *code, uint64_t load, uint64_t store,
                      unsigned int size)
{
    struct cpu *cpu = probe->cpu;
    uint64_t load_pages = 1 + ((load & PAGE_MASK) + size > PAGE_BYTES);
    uint64_t store_pages = 1 + ((store & PAGE_MASK) + size > PAGE_BYTES);
    uint8_t *from = probe->memory + (load - BASE), *to = probe->memory + (store - BASE);

    memset(from, (int)(0x80 | ((load + store) & 0x7f)), size);
    memset(to, 0, size);
    probe->asks[0] = probe->asks[1] = 0;
    cpu_set(cpu, code->load_address, load);
    cpu_set(cpu, code->store_address, store);
    return finishes(probe) && probe->asks[0] == load_pages && probe->asks[1] == store_pages &&
           cpu->skip == 0 && !memcmp(from, to, size);
}

/* Every misalignment of a load, or of a store, in a page of the engine and across the ends of that
 * and of a real one. The other access is aligned. */
static bool all_ask_once(struct probe *probe, const struct code *code, bool stores)
{
    const uint64_t ends[] = {DATA + 512, DATA + 1024, DATA + 2048, FAR};
    bool once = true;

    for (unsigned int i = 0; i < 3 && once; i++) {
        const uint64_t pc = BASE + 64 * (i + 1);
        const unsigned int size = 2u << i;
        uint8_t *variant = probe->memory + (pc - BASE);
        memcpy(variant, code->bytes, sizeof(code->bytes));
        variant[code->load_at + code->size_at] = code->by_size[i];
        variant[code->store_at + code->size_at] = code->by_size[i];
        for (unsigned int j = 0; j < 4 * size && once; j++) {
            const uint64_t va = ends[j / size] - j % size;
            cpu_set(probe->cpu, CPU_PC, pc);
            once = stores ? asks_once(probe, code, DATA + 256, va, size)
                          : asks_once(probe, code, va, DATA + 256, size);
        }
    }
    return once;
}

static bool loads_ask_once(struct probe *probe, const struct code *code)
{
    return all_ask_once(probe, code, false);
}

static bool stores_ask_once(struct probe *probe, const struct code *code)
{
    return all_ask_once(probe, code, true);
}

/* x86: a constant across a page end, amid bytes that the engine does not get to see if they begin
 * an instruction: mov rax, imm64; vmcall. */
static bool fetches_ask_once(struct probe *probe, const struct code *code)
{
    static const uint8_t bytes[] = {0x48, 0xb8, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4,
                                    0xf4, 0xf4, 0xf4, 0x0f, 0x01, 0xc1};

    for (unsigned int near = 3; near < 10; near++) {
        const uint64_t va = DATA - near;
        memset(probe->memory + PAGE_BYTES - 16, 0xf4, 16);
        memcpy(probe->memory + (va - BASE), bytes, sizeof(bytes));
        cpu_code_changed(probe->cpu, BASE, 2 * PAGE_BYTES);
        cpu_set(probe->cpu, CPU_PC, va);
        if (!finishes(probe) || cpu_get(probe->cpu, code->value) != UINT64_C(0xf4f4f4f4f4f4f4f4))
            return false;
    }
    return true;
}

/* Whether a way makes all go as it shall: one of the two must. */
static bool settle(struct probe *probe, const struct code *code, bool *way,
                   bool (*goes)(struct probe *, const struct code *))
{
    *way = false;
    if (goes(probe, code))
        return true;
    *way = true;
    return goes(probe, code);
}

/* NULL, or what the engine repeats that is unknown. Sets its ways. */
static const char *repeats(struct probe *probe, const struct code *code)
{
    struct engine_ways *ways = &probe->cpu->ways;

    probe->far = true;
    if (!settle(probe, code, &ways->halves_loads, loads_ask_once))
        return "it asks for loads in an unknown way";
    if (!settle(probe, code, &ways->splits_stores, stores_ask_once))
        return "it asks for stores in an unknown way";
    if (!cpu_is_arm64(probe->cpu) && !settle(probe, code, &ways->halves_fetches, fetches_ask_once))
        return "it asks for code in an unknown way";
    probe->far = false;
    return NULL;
}

/* The carry of a shift in memory: `sar byte [rdi], cl`, in the last of the code. */
static const char *carries(struct probe *probe)
{
    for (unsigned int shift = 1; shift < 8; shift++) {
        const unsigned int value = 0x65 ^ shift << 4;
        probe->memory[PAGE_BYTES] = (uint8_t)value;
        cpu_set(probe->cpu, 1, shift);
        cpu_set(probe->cpu, CPU_PC, BASE);
        if (!finishes(probe) || (cpu_get(probe->cpu, CPU_FLAGS) & 1) != (value >> (shift - 1) & 1))
            return "the carry of a shift in memory is wrong";
    }
    return NULL;
}

const char *cpu_probe(enum cpu_arch arch, struct engine_ways *ways, char *why)
{
    const struct cpu_config config = {.arch = arch, .exact = true};
    struct probe probe = {.memory = aligned_alloc(PAGE_BYTES, 3 * PAGE_BYTES)};
    struct cpu_port port = {.ctx = &probe, .translate = translate};
    const char *wrong = "out of memory";

    if (!probe.memory)
        return wrong;
    memset(probe.memory, 0, 3 * PAGE_BYTES);
    memcpy(probe.memory, codes[arch].bytes, sizeof(codes[arch].bytes));
    wrong = why;
    probe.cpu = cpu_open(&config, &port, why);
    if (probe.cpu) {
        cpu_set(probe.cpu, CPU_SP, DATA + 2048);
        cpu_set(probe.cpu, 7, DATA); /* x86: rdi */
        wrong = changes(&probe, &codes[arch]);
        if (!wrong)
            wrong = repeats(&probe, &codes[arch]);
        if (!wrong)
            wrong = accesses(&probe, &codes[arch]);
        if (!wrong && arch == CPU_X86_64)
            wrong = carries(&probe);
        *ways = probe.cpu->ways;
    }
    cpu_destroy(probe.cpu);
    free(probe.memory);
    return wrong;
}
