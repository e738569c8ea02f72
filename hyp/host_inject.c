/* SPDX-License-Identifier: MIT */
/* What the host's registers become when an abort is handed back to it. Pure functions of registers.
 */
#include <hyp/esr.h>
#include <hyp/host.h>

/* Offsets of the synchronous entries of a vector table (DDI 0487 D1.4.2, table D1-4). */
#define VECTOR_SAME_SP0 UINT64_C(0x000)
#define VECTOR_SAME_SPX UINT64_C(0x200)
#define VECTOR_LOWER_64 UINT64_C(0x400)
#define VECTOR_LOWER_32 UINT64_C(0x600)

static bool from_el0(uint64_t spsr)
{
    return (spsr & HYP_PSTATE_NRW) || (spsr & HYP_PSTATE_MODE) == HYP_PSTATE_EL0T;
}

static uint64_t vector_offset(uint64_t spsr)
{
    if (spsr & HYP_PSTATE_NRW)
        return VECTOR_LOWER_32;
    if ((spsr & HYP_PSTATE_MODE) == HYP_PSTATE_EL0T)
        return VECTOR_LOWER_64;
    return (spsr & HYP_PSTATE_MODE) == HYP_PSTATE_EL1T ? VECTOR_SAME_SP0 : VECTOR_SAME_SPX;
}

/* PSTATE after an exception to EL1: AArch64.TakeException() of the manual. What is not named here
 * (UAO, SS, IL, BTYPE) is cleared. */
static uint64_t entry_pstate(uint64_t spsr, uint64_t sctlr, bool mte)
{
    uint64_t pstate = spsr & (HYP_PSTATE_NZCV | HYP_PSTATE_DIT | HYP_PSTATE_PAN);

    if (!(sctlr & HYP_SCTLR_SPAN))
        pstate |= HYP_PSTATE_PAN;
    if (sctlr & HYP_SCTLR_DSSBS)
        pstate |= HYP_PSTATE_SSBS;
    if (mte)
        pstate |= HYP_PSTATE_TCO;
    return pstate | HYP_PSTATE_DAIF | HYP_PSTATE_EL1H;
}

static uint64_t same_level_ec(uint64_t ec)
{
    if (ec == HYP_ESR_EC_DABT_LO)
        return HYP_ESR_EC_DABT;
    return ec == HYP_ESR_EC_IABT_LO ? HYP_ESR_EC_IABT : ec;
}

void hyp_host_inject(const struct hyp_abort *abort, struct hyp_host_regs *regs, bool mte)
{
    uint64_t esr = abort->esr;

    if (!from_el0(regs->spsr))
        esr = (esr & ~HYP_ESR_EC) | hyp_field(HYP_ESR_EC, same_level_ec(hyp_esr_ec(esr)));
    regs->esr_el1 = esr | HYP_ESR_S1PTW;
    /* Other kinds of abort need not come with an address. */
    if (hyp_esr_is_translation(esr) || hyp_esr_is_permission(esr))
        regs->far_el1 = abort->far;
    regs->elr_el1 = regs->elr;
    regs->spsr_el1 = regs->spsr;
    regs->elr = regs->vbar + vector_offset(regs->spsr);
    regs->spsr = entry_pstate(regs->spsr, regs->sctlr, mte);
}
