/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel does about a fault, as Linux does it: the exception table for those faults whose
 * handler consults it, death for the others. */
#include "kernel.h"

struct extable_entry {
    uint64_t instruction, fixup;
};
extern const struct extable_entry fl_extable[], fl_extable_end[];

uint64_t fl_faults[FL_FAULT_COUNT], fl_repaired;

__attribute__((weak)) bool guest_fault(struct regs *regs, const struct fl_fault *fault)
{
    (void)regs;
    (void)fault;
    return false;
}

__attribute__((weak)) void guest_timer(void)
{
}

__attribute__((weak)) void guest_trap_enter(void)
{
}

__attribute__((weak)) void guest_trap_leave(void)
{
}

bool fl_extable_find(uint64_t *pc)
{
    for (const struct extable_entry *entry = fl_extable; entry < fl_extable_end; entry++) {
        if (entry->instruction == *pc) {
            *pc = entry->fixup;
            return true;
        }
    }
    return false;
}

/* do_sea() of Linux has no look at the table; FL_STRAY_SEA_FIXUP is the kernel that has. */
static bool consults_table(enum fl_fault_kind kind)
{
    if (kind == FL_FAULT_ABORT)
        return fl_boot->stray == FL_STRAY_SEA_FIXUP;
    return kind != FL_FAULT_OTHER;
}

void fl_die(const struct regs *regs, const struct fl_fault *fault)
{
    static const char *const text[FL_FAULT_COUNT] = {
#if defined(__aarch64__)
        [FL_FAULT_PAGE] = "Unable to handle kernel paging request at virtual address",
#else
        [FL_FAULT_PAGE] = "BUG: unable to handle page fault for address",
#endif
        [FL_FAULT_REFLECTED] = "Unable to handle kernel access to hypervisor-protected memory at",
        [FL_FAULT_ABORT] = "Internal error: synchronous external abort at",
        [FL_FAULT_LENT] = "Unable to handle kernel access to lent memory at virtual address",
        [FL_FAULT_SDEI] = "Unable to handle kernel access to lent memory (SDEI) at",
        [FL_FAULT_VE] = "Unable to handle kernel #VE at",
        [FL_FAULT_OTHER] = "Oops: unexpected exception at",
    };

    fl_panic(regs, fault->address, "%s %lx, code %lx, pc %lx", text[fault->kind], fault->address,
             fault->code, fault->pc);
}

void fl_fault(struct regs *regs, const struct fl_fault *fault, uint64_t *pc)
{
    fl_faults[fault->kind]++;
    if (guest_fault(regs, fault))
        return;
    if (!consults_table(fault->kind) || !fl_extable_find(pc))
        fl_die(regs, fault);
    fl_repaired++;
}
