/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address space isolation: enters it, touches data that is mapped there and data that is not, and
 * takes interrupts in between. An access that isolation does not map faults, leaves isolation and
 * is retried.
 *
 * Arguments: iterations, interval (of interrupts, in instructions), bug=no-abort (the entry code
 * does not leave isolation: the kernel must die of the first fault).
 */
#include "x86.h"

#define CR4_PGE (1ul << 7)
#define PAGES   8u
#define BLOCK   (2ul << 20) /* what one entry of the direct map may cover */

/* Physical: PAGES pages each. A mapping copies whole entries: what shares one is not hidden. */
static uint64_t mapped, secret;
static bool hidden; /* isolation can tell them apart */
static bool no_abort;
static volatile uint64_t interrupts;

static struct {
    uint64_t entries, explained, mapped_reads, secret_reads;
} count;

static int64_t asi(enum fl_asi operation, uint64_t a, uint64_t b)
{
    return fl_call(FL_ASI, operation, a, b);
}

void guest_trap_enter(void)
{
    if (!no_abort)
        asi(FL_ASI_START_ABORT, 0, 0);
}

void guest_trap_leave(void)
{
    if (!no_abort)
        asi(FL_ASI_FINISH_ABORT, 0, 0);
}

void guest_timer(void)
{
    interrupts++;
}

bool guest_fault(struct regs *regs, const struct fl_fault *fault)
{
    (void)regs;
    if (fault->kind != FL_FAULT_PAGE || asi(FL_ASI_FAULT, fault->pc, fault->address) != 1)
        return false;
    count.explained++;
    return true;
}

static uint64_t sum(uint64_t pa)
{
    const volatile uint64_t *words = fl_va(pa);
    uint64_t total = 0;

    for (unsigned int i = 0; i < PAGES * 512; i += 64)
        total += words[i];
    return total;
}

static uint64_t block_of_pages(void)
{
    return (fl_pages(2 * BLOCK / PAGE_SIZE) + BLOCK - 1) & -BLOCK;
}

/* Global translations would outlive each change of the address space. */
static void forget_global(void)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4 & ~CR4_PGE) : "memory");
}

static void fill(uint64_t pa, uint64_t factor)
{
    uint64_t *words = fl_va(pa);

    for (uint64_t i = 0; i < PAGES * 512; i++)
        words[i] = i * factor;
}

static void ok(const char *what, int64_t answer)
{
    if (answer != 0)
        fl_fail("%s: -%lu\n", what, (uint64_t)-answer);
}

static void enter(void)
{
    ok("FL_ASI_ENTER", asi(FL_ASI_ENTER, 0, 0));
    count.entries++;
}

static void leave(void)
{
    ok("FL_ASI_EXIT", asi(FL_ASI_EXIT, 0, 0));
}

/* Isolated, nothing but mapped data: no fault. */
static void mapped_only(uint64_t want)
{
    uint64_t before = count.explained;

    enter();
    fl_check(sum(mapped) == want);
    count.mapped_reads++;
    leave();
    fl_check(count.explained == before);
}

static bool same_entry(uint64_t a, uint64_t b)
{
    unsigned int level;

    return fl_pte((uint64_t)fl_va(a), &level) == fl_pte((uint64_t)fl_va(b), &level);
}

/* One fault, on the first word; after it the kernel is not isolated any more. */
static void secret_too(uint64_t want)
{
    uint64_t before = count.explained;

    enter();
    fl_check(sum(secret) == want);
    count.secret_reads++;
    fl_check(count.explained == before + hidden);
    leave();
}

/* Interrupts end isolation and do not disturb what runs. */
static void interrupted(uint64_t want, uint64_t interval)
{
    uint64_t before = interrupts;

    enter();
    ok("FL_TIMER", fl_call(FL_TIMER, interval, 0, 0));
    fl_interrupts(true);
    while (interrupts == before) {
        fl_check(sum(mapped) == want);
        count.mapped_reads++;
    }
    fl_interrupts(false);
    fl_call(FL_TIMER, 0, 0, 0);
    leave();
}

static void tally(void)
{
    fl_tally("entries", count.entries);
    fl_tally("faults explained by isolation", count.explained);
    fl_tally("interrupts", interrupts);
    fl_tally("sums of mapped data", count.mapped_reads);
    fl_tally("sums of other data", count.secret_reads);
}

int guest_main(void)
{
    uint64_t iterations = fl_argument("iterations", 32);
    uint64_t interval = fl_argument("interval", 200);

    if (!(fl_boot->features & FL_FEATURE_ASI)) {
        fl_print("this strategy has no address space isolation\n");
        return 0;
    }
    mapped = block_of_pages();
    secret = block_of_pages();
    hidden = !same_entry(mapped, secret);
    fill(mapped, 3);
    fill(secret, 5);
    uint64_t want_mapped = sum(mapped);
    uint64_t want_secret = sum(secret);

    forget_global();
    ok("FL_ASI_CREATE", asi(FL_ASI_CREATE, 0, 0));
    ok("FL_ASI_MAP", asi(FL_ASI_MAP, (uint64_t)fl_va(mapped), PAGES * PAGE_SIZE));
    no_abort = fl_argument_is("bug", "no-abort");
    fl_mark("isolated");
    for (uint64_t i = 0; i < iterations; i++) {
        mapped_only(want_mapped);
        secret_too(want_secret);
        interrupted(want_mapped, interval);
        tally();
    }
    fl_mark("mapped late");
    ok("FL_ASI_MAP", asi(FL_ASI_MAP, (uint64_t)fl_va(secret), PAGES * PAGE_SIZE));
    mapped_only(want_mapped);
    enter();
    fl_check(sum(secret) == want_secret);
    leave();
    fl_check(count.explained == (hidden ? iterations : 0));
    ok("FL_ASI_UNMAP", asi(FL_ASI_UNMAP, (uint64_t)fl_va(secret), 0));
    secret_too(want_secret);
    ok("FL_ASI_DESTROY", asi(FL_ASI_DESTROY, 0, 0));
    tally();
    fl_print("%lu entries, %lu faults explained, %lu interrupts\n", count.entries, count.explained,
             interrupts);
    return 0;
}
