/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two CPUs: the first remaps a page of its own again and again, by break-before-make and with
 * invalidation; the other reads it all the time and must never use the old translation.
 *
 * arm64 broadcasts its TLBI. x86 has no broadcast: the other CPU is stopped while the entry
 * changes, does its own INVLPG, and goes on.
 *
 * Arguments: rounds, bug=skip-tlbi (there is no invalidation at all).
 */
#include "kernel.h"

#define PAGE_VA   0xffffa00000000000ul
#define READS_MIN 16u /* of the other CPU, between two rounds */

static struct {
    volatile uint64_t round;                      /* the page holds at least this number */
    volatile uint64_t asked, held, changed, done; /* x86: steps of a shootdown, by its number */
    volatile uint64_t reads, absent, stale;       /* of both CPUs */
    volatile bool stop, stopped;
} shared;

#if defined(__aarch64__)
static const bool broadcast = true;
#else
static const bool broadcast = false;
#endif
static bool skip;

/* The number in the page; 0 while it is not mapped. */
static uint64_t read_page(void)
{
    uint64_t value;

#if defined(__aarch64__)
    __asm__ volatile("1: ldr %0, [%1]\n"
                     "2:\n"
                     ".pushsection .text.fixup, \"ax\"\n"
                     "3: mov %0, xzr\n"
                     "b 2b\n"
                     ".popsection\n" FL_EXTABLE(1b, 3b)
                     : "=&r"(value)
                     : "r"(PAGE_VA)
                     : "memory");
#else
    __asm__ volatile("1: mov (%1), %0\n"
                     "2:\n"
                     ".pushsection .text.fixup, \"ax\"\n"
                     "3: xor %0, %0\n"
                     "jmp 2b\n"
                     ".popsection\n" FL_EXTABLE(1b, 3b)
                     : "=&r"(value)
                     : "r"(PAGE_VA)
                     : "memory", "cc");
#endif
    return value;
}

static void barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void count(volatile uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* False: the page was not there. */
static bool check_page(void)
{
    uint64_t least = shared.round;

    barrier();
    uint64_t value = read_page();
    if (value == 0)
        count(&shared.absent);
    else if (value < least)
        count(&shared.stale);
    count(&shared.reads);
    return value != 0;
}

/* The other CPU changes the entry: no access until that is done, and then none by the old one. */
static void answer_shootdown(void)
{
    uint64_t asked = shared.asked;

    if (shared.done == asked)
        return;
    shared.held = asked;
    while (shared.changed != asked)
        fl_relax();
    fl_flush_page(PAGE_VA);
    barrier();
    shared.done = asked;
}

/* Reads, and waits for the next round where there is no page: as a kernel's fault handler sleeps on
 * the lock of the table. */
static void reader(uint64_t argument)
{
    (void)argument;
    while (!shared.stop) {
        uint64_t round = shared.round;
        answer_shootdown();
        if (!check_page()) {
            while (shared.round == round) {
                answer_shootdown();
                fl_relax();
            }
        }
    }
    shared.stopped = true;
}

static void wait_for_reads(uint64_t reads)
{
    uint64_t until = shared.reads + reads;

    while (shared.reads < until)
        fl_relax();
}

static void wait_for(const volatile uint64_t *step)
{
    while (*step != shared.asked)
        fl_relax();
}

/* The entry is empty, and no CPU has it in its TLB. */
static void unmap(uint64_t *pte)
{
    if (!broadcast) {
        shared.asked++;
        wait_for(&shared.held);
    }
    *(volatile uint64_t *)pte = 0;
    fl_flush_page(PAGE_VA);
    if (!broadcast) {
        shared.changed = shared.asked;
        wait_for(&shared.done);
    }
}

static void remap(uint64_t *pte, uint64_t pa)
{
    uint64_t absent = shared.absent;

    if (skip) {
        *(volatile uint64_t *)pte = 0;
    } else {
        unmap(pte);
        /* The reader is careful: it finds that there is no page, and waits. */
        while (shared.absent == absent)
            fl_relax();
    }
    fl_pte_set(pte, PAGE_VA, fl_pte_make(pa, FL_W));
    barrier();
}

int guest_main(void)
{
    uint64_t rounds = fl_argument("rounds", 100);
    unsigned int level;

    skip = fl_argument_is("bug", "skip-tlbi");
    if (fl_boot->cpus < 2)
        fl_fail("two CPUs are needed: --cpus 2\n");
    uint64_t frames = fl_pages(2);
    *(uint64_t *)fl_va(frames) = 1;
    fl_map(PAGE_VA, frames, FL_W);
    uint64_t *pte = fl_pte(PAGE_VA, &level);
    shared.round = 1;
    fl_check(fl_cpu_on(1, reader, 0));
    wait_for_reads(1);

    fl_mark("remap");
    for (uint64_t round = 2; round < rounds + 2; round++) {
        uint64_t frame = frames + (round & 1) * PAGE_SIZE;
        check_page();
        wait_for_reads(READS_MIN);
        *(volatile uint64_t *)fl_va(frame) = round;
        remap(pte, frame);
        shared.round = round;
        wait_for_reads(READS_MIN);
    }
    shared.stop = true;
    while (!shared.stopped)
        fl_relax();
    fl_tally("remaps", rounds);
    fl_tally("reads", shared.reads);
    fl_tally("reads while absent", shared.absent);
    fl_tally("stale reads", shared.stale);
    fl_print("%lu remaps, %lu reads, %lu of them stale\n", rounds, shared.reads, shared.stale);
    return shared.stale != 0;
}
