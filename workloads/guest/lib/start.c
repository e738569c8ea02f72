/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the entry code to guest_main(), on the first CPU and on others. */
#include "kernel.h"

const struct fl_boot *fl_boot;

struct work {
    void (*function)(uint64_t);
    uint64_t argument;
};

_Noreturn void fl_secondary(const struct work *work, uint64_t cpu);
extern const char fl_start_secondary[];

void fl_start(const struct fl_boot *boot, uint64_t cpu)
{
    static struct fl_boot copy; /* in the image: always mapped, never lent */

    memcpy(&copy, boot, sizeof(copy));
    fl_boot = &copy;
    if (boot->magic != FL_BOOT_MAGIC || cpu != 0)
        fl_panic(NULL, boot->magic, "not started as docs/GUESTS.md says");
    fl_stray_init();
    fl_exit((uint64_t)guest_main());
}

void fl_secondary(const struct work *work, uint64_t cpu)
{
    (void)cpu;
    work->function(work->argument);
    for (;;) {
#if defined(__aarch64__)
        __asm__ volatile("wfi");
#else
        __asm__ volatile("hlt");
#endif
    }
}

bool fl_cpu_on(uint64_t cpu, void (*function)(uint64_t), uint64_t argument)
{
    static struct work work[8];

    if (cpu >= sizeof(work) / sizeof(work[0]))
        return false;
    work[cpu] = (struct work){function, argument};
    return fl_call(FL_CPU_ON, cpu, (uint64_t)fl_start_secondary, (uint64_t)&work[cpu]) == 0;
}
