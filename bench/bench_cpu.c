/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest execution over a port that does next to nothing: what it costs to ask for every access.
 * Nanoseconds for a data access of a loop of 11 instructions with 4 accesses; beside it the same
 * loop in the engine alone, without any hook.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/bare.h"
#include "bench/shim.h"
#include "cpu/cpu.h"

enum { ITERATIONS = 500000, ACCESSES = 4 };

#define MEMORY (UINT64_C(1) << 20)
#define CODE   UINT64_C(0xffff800008000000)
#define DATA   (CODE + 0x10000)
#define STACK  (CODE + 0x8000)
#define BACK   (CODE + 0x1000)
#define MASK   UINT64_C(0xffff)

/* f(count, data, mask) */
static const uint32_t arm64_loop[] = {
    0xd280000a /* mov x10, #0 */,
    0x8b0a002b /* add x11, x1, x10 */,
    0xf9400163 /* ldr x3, [x11] */,
    0x91000463 /* add x3, x3, #1 */,
    0xf9000563 /* str x3, [x11, #8] */,
    0xb9401164 /* ldr w4, [x11, #16] */,
    0x39406d65 /* ldrb w5, [x11, #27] */,
    0xca050086 /* eor x6, x4, x5 */,
    0x9101014a /* add x10, x10, #64 */,
    0x8a02014a /* and x10, x10, x2 */,
    0xf1000400 /* subs x0, x0, #1 */,
    0x54fffec1 /* b.ne #-40 */,
    0xd65f03c0 /* ret */
};
static const uint8_t x86_loop[] = {
    0x45,
    0x31,
    0xd2 /* xor r10d, r10d */,
    0x4e,
    0x8d,
    0x1c,
    0x16 /* lea r11, [rsi + r10] */,
    0x49,
    0x8b,
    0x0b /* mov rcx, [r11] */,
    0x48,
    0xff,
    0xc1 /* inc rcx */,
    0x49,
    0x89,
    0x4b,
    0x08 /* mov [r11 + 8], rcx */,
    0x41,
    0x8b,
    0x43,
    0x10 /* mov eax, [r11 + 16] */,
    0x45,
    0x0f,
    0xb6,
    0x43,
    0x1b /* movzx r8d, byte ptr [r11 + 27] */,
    0x4c,
    0x31,
    0xc0 /* xor rax, r8 */,
    0x49,
    0x83,
    0xc2,
    0x40 /* add r10, 64 */,
    0x49,
    0x21,
    0xd2 /* and r10, rdx */,
    0x48,
    0xff,
    0xcf /* dec rdi */,
    0x75,
    0xda /* jne 1b */,
    0xc3 /* ret */
};
static const uint32_t arm64_back[] = {0xd4000002 /* hvc #0 */};
static const uint8_t x86_back[] = {0x0f, 0x01, 0xc1 /* vmcall */};

struct world {
    bool x86, exact;
    uint8_t *memory;
    struct cpu *cpu;
    struct bare *bare;
};

static uint8_t *translate(void *ctx, uint64_t va, unsigned int size, enum cpu_access access,
                          unsigned int el)
{
    struct world *world = ctx;

    (void)size, (void)access, (void)el;
    return va - CODE < MEMORY ? world->memory + (va - CODE) : NULL;
}

static void prepare(void *arg)
{
    struct world *world = arg;
    struct cpu_config config = {.arch = world->x86 ? CPU_X86_64 : CPU_ARM64, .exact = world->exact};
    struct cpu_port port = {.ctx = world, .translate = translate};
    char why[128];

    world->memory = aligned_alloc(4096, MEMORY);
    if (!world->memory)
        abort();
    memset(world->memory, 0, MEMORY);
    if (world->x86) {
        memcpy(world->memory, x86_loop, sizeof(x86_loop));
        memcpy(world->memory + (BACK - CODE), x86_back, sizeof(x86_back));
    } else {
        memcpy(world->memory, arm64_loop, sizeof(arm64_loop));
        memcpy(world->memory + (BACK - CODE), arm64_back, sizeof(arm64_back));
    }
    world->cpu = cpu_create(&config, &port, why);
    if (!world->cpu)
        abort();
}

static uint64_t run(void *arg)
{
    struct world *world = arg;
    const uint64_t back = BACK;
    struct cpu_exit exit;

    cpu_set(world->cpu, world->x86 ? 7 : 0, ITERATIONS);
    cpu_set(world->cpu, world->x86 ? 6 : 1, DATA);
    cpu_set(world->cpu, 2, MASK);
    cpu_set(world->cpu, CPU_SP, STACK);
    if (world->x86)
        memcpy(world->memory + (STACK - CODE), &back, sizeof(back));
    else
        cpu_set(world->cpu, 30, back);
    cpu_set(world->cpu, CPU_PC, CODE);
    cpu_run(world->cpu, UINT64_MAX, &exit);
    if (exit.kind != CPU_EXIT_HYPERCALL)
        abort();
    return (uint64_t)ITERATIONS * ACCESSES;
}

static void finish(void *arg)
{
    struct world *world = arg;

    cpu_destroy(world->cpu);
    free(world->memory);
}

static void prepare_bare(void *arg)
{
    struct world *world = arg;

    world->bare = world->x86 ? bare_open(true, x86_loop, sizeof(x86_loop))
                             : bare_open(false, (const uint8_t *)arm64_loop, sizeof(arm64_loop));
    if (!world->bare)
        abort();
}

static uint64_t run_bare(void *arg)
{
    struct world *world = arg;

    if (!bare_call(world->bare, ITERATIONS, MASK))
        abort();
    return (uint64_t)ITERATIONS * ACCESSES;
}

static void finish_bare(void *arg)
{
    struct world *world = arg;

    bare_close(world->bare);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"arm64", "x86", "x86 exact"};
    static const char *const bare_names[] = {"arm64 engine alone", "x86 engine alone"};
    struct world worlds[3] = {{0}, {.x86 = true}, {.x86 = true, .exact = true}};

    for (unsigned int i = 0; i < 3; i++)
        shim_register(&(struct shim_row){
            .name = names[i], .prepare = prepare, .run = run, .finish = finish, .arg = &worlds[i]});
    for (unsigned int i = 0; i < 2; i++)
        shim_register(&(struct shim_row){.name = bare_names[i],
                                         .prepare = prepare_bare,
                                         .run = run_bare,
                                         .finish = finish_bare,
                                         .arg = &worlds[i]});
    for (unsigned int i = 0; i < 3; i++)
        shim_ratio(i == 0   ? "arm64: engine alone over ours"
                   : i == 1 ? "x86: engine alone over ours"
                            : "x86 exact: engine alone over ours",
                   bare_names[i > 0], names[i]);
    return shim_main(argc, argv, "guest execution, for each access");
}
