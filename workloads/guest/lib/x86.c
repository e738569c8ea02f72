/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptor tables and traps of x86-64. */
#include "x86.h"

#define CPUS      8
#define SEL_CODE  0x08
#define SEL_DATA  0x10
#define SEL_USTK  0x1b
#define SEL_UCODE 0x23
#define SEL_TSS   0x28
#define GATES     34

/* SDM vol. 3, 8.7. Halves, because the 64-bit fields are not aligned. */
struct tss {
    uint32_t words[26];
};

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct cpu_tables {
    uint64_t gdt[7];
    struct tss tss;
    uint8_t stack[8192] __attribute__((aligned(16))); /* of traps from ring 3 */
};

static struct cpu_tables tables[CPUS];
static uint64_t idt[GATES][2];
static uint64_t user_return;

extern const uint8_t fl_stubs[];
void fl_load_segments(uint64_t code, uint64_t data);
uint64_t fl_enter_user(uint64_t pc, uint64_t sp, uint64_t code, uint64_t data, uint64_t *back);
_Noreturn void fl_leave_user(uint64_t back, uint64_t result);
void fl_trap(struct regs *regs);

/* Interrupt gate, present; SDM vol. 3, 6.14.1. */
static void set_gate(unsigned int vector, unsigned int privilege)
{
    uint64_t at = (uint64_t)fl_stubs + vector * 16;

    idt[vector][0] = (at & 0xffff) | (uint64_t)SEL_CODE << 16 | 0x8e0000000000ull |
                     (uint64_t)privilege << 45 | (at >> 16 & 0xffff) << 48;
    idt[vector][1] = at >> 32;
}

void fl_cpu_init(uint64_t cpu)
{
    if (cpu >= CPUS)
        fl_panic(NULL, cpu, "CPU %lu: this kernel has room for %u", cpu, CPUS);
    struct cpu_tables *own = &tables[cpu];
    uint64_t tss = (uint64_t)&own->tss;
    uint64_t stack = (uint64_t)own->stack + sizeof(own->stack);
    own->tss.words[1] = (uint32_t)stack; /* RSP0 */
    own->tss.words[2] = (uint32_t)(stack >> 32);
    own->tss.words[25] = sizeof(struct tss) << 16; /* no I/O bitmap */

    own->gdt[SEL_CODE / 8] = 0x00af9b000000ffffull;
    own->gdt[SEL_DATA / 8] = 0x00cf93000000ffffull;
    own->gdt[SEL_USTK / 8] = 0x00cff3000000ffffull;
    own->gdt[SEL_UCODE / 8] = 0x00affb000000ffffull;
    own->gdt[SEL_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x890000000000ull |
                            (tss >> 24 & 0xff) << 56;
    own->gdt[SEL_TSS / 8 + 1] = tss >> 32;
    for (unsigned int vector = 0; vector < GATES; vector++)
        set_gate(vector, vector == VECTOR_USER ? 3 : 0);

    struct table_register gdtr = {sizeof(own->gdt) - 1, (uint64_t)own->gdt};
    struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lgdt %0" ::"m"(gdtr));
    fl_load_segments(SEL_CODE, SEL_DATA);
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
    __asm__ volatile("lidt %0" ::"m"(idtr));
}

static enum fl_fault_kind kind_of(const struct regs *regs)
{
    if (regs->vector == VECTOR_PF)
        return FL_FAULT_PAGE;
    return regs->vector == VECTOR_VE ? FL_FAULT_VE : FL_FAULT_OTHER;
}

/* The linear address of a virtualization exception; the area is free for the next one after it. */
static uint64_t take_ve(void)
{
    volatile uint32_t *area = fl_va(fl_boot->ve_area);
    uint64_t linear = area[4] | (uint64_t)area[5] << 32;

    area[1] = 0;
    return linear;
}

void fl_trap(struct regs *regs)
{
    uint64_t address = 0;

    if (regs->vector == VECTOR_PF)
        __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    else if (regs->vector == VECTOR_VE)
        address = take_ve();
    guest_trap_enter();
    if (regs->vector == FL_VECTOR_TIMER) {
        guest_timer();
    } else if (regs->vector == VECTOR_USER) {
        guest_trap_leave();
        fl_leave_user(user_return, regs->ax);
    } else {
        struct fl_fault fault = {.kind = kind_of(regs),
                                 .pc = regs->pc,
                                 .address = address,
                                 .code = regs->vector << 32 | regs->code};
        fl_fault(regs, &fault, &regs->pc);
    }
    guest_trap_leave();
}

uint64_t fl_user(uint64_t pc, uint64_t sp)
{
    return fl_enter_user(pc, sp, SEL_UCODE, SEL_USTK, &user_return);
}

struct cpuid fl_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

void fl_stray_init(void)
{
}

void fl_interrupts(bool on)
{
    if (on)
        __asm__ volatile("sti" ::: "memory");
    else
        __asm__ volatile("cli" ::: "memory");
}
