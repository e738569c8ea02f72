/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traps of arm64: syndromes, interrupts, the SDEI handler. */
#include "kernel.h"

/* ESR_ELx, DDI 0487: EC [31:26]; of a data abort FnV [10], S1PTW [7], DFSC [5:0]. */
#define ESR_EC(esr)      ((esr) >> 26 & 0x3f)
#define ESR_EC_DABT_CUR  0x25
#define ESR_FNV          (1u << 10)
#define ESR_S1PTW        (1u << 7)
#define ESR_DFSC(esr)    ((esr)&0x3f)
#define DFSC_EXTERNAL    0x10
#define DFSC_EXTERNAL_L0 0x14
#define DFSC_EXTERNAL_L3 0x17

void fl_sync(struct regs *regs);
void fl_irq(struct regs *regs);
_Noreturn void fl_bad_vector(struct regs *regs);
_Noreturn void fl_sdei(uint64_t address, uint64_t pc);
extern const char fl_sdei_entry[];

static enum fl_fault_kind kind_of(uint64_t esr)
{
    unsigned int status = ESR_DFSC(esr);

    if (ESR_EC(esr) != ESR_EC_DABT_CUR)
        return FL_FAULT_OTHER;
    if (status == DFSC_EXTERNAL || (status >= DFSC_EXTERNAL_L0 && status <= DFSC_EXTERNAL_L3))
        return FL_FAULT_ABORT;
    if (status == FL_DFSC_LENT)
        return FL_FAULT_LENT;
    /* Address size 0 to 3, translation 4 to 7, access flag 8 to 11, permission 12 to 15. */
    if (status > 15)
        return FL_FAULT_OTHER;
    return esr & ESR_S1PTW ? FL_FAULT_REFLECTED : FL_FAULT_PAGE;
}

void fl_sync(struct regs *regs)
{
    struct fl_fault fault = {.kind = kind_of(regs->esr),
                             .pc = regs->pc,
                             .address = regs->esr & ESR_FNV ? 0 : regs->far,
                             .code = regs->esr};

    guest_trap_enter();
    fl_fault(regs, &fault, &regs->pc);
    guest_trap_leave();
}

void fl_irq(struct regs *regs)
{
    (void)regs;
    guest_trap_enter();
    guest_timer();
    guest_trap_leave();
}

void fl_bad_vector(struct regs *regs)
{
    fl_panic(regs, regs->far, "Oops: bad vector, esr %lx", regs->esr);
}

void fl_sdei(uint64_t address, uint64_t pc)
{
    struct fl_fault fault = {.kind = FL_FAULT_SDEI, .pc = pc, .address = address};

    fl_fault(NULL, &fault, &pc);
    for (;;)
        fl_call(FL_RESUME, pc, 31, 0);
}

void fl_stray_init(void)
{
    if (fl_boot->stray == FL_STRAY_SDEI)
        fl_check(fl_call(FL_HANDLER, (uint64_t)fl_sdei_entry, 0, 0) == 0);
}

void fl_interrupts(bool on)
{
    if (on)
        __asm__ volatile("msr daifclr, #2" ::: "memory");
    else
        __asm__ volatile("msr daifset, #2" ::: "memory");
}
