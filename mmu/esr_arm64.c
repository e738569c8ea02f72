/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Syndrome registers of an abort (DDI 0487 D24.2.40 for ESR_ELx, HPFAR_EL2 likewise). FAR_ELx
 * is the virtual address of the request itself. */
#include <hyp/bits.h>

#include "mmu/mmu.h"

#define ESR_EC         HYP_MASK(31, 26)
#define ESR_IL         HYP_BIT(25)
#define ESR_S1PTW      HYP_BIT(7)
#define ESR_WNR        HYP_BIT(6)
#define EC_INSTRUCTION 0x20u /* from a lower exception level; one more from the same */
#define EC_DATA        0x24u

/* Fault status code; levels are the manual's here. */
static uint64_t status_code(enum mmu_fault fault, int level)
{
    switch (fault) {
    case MMU_FAULT_ADDRESS_SIZE:
        return level < 0 ? 0x29 : 0x00 + (uint64_t)level;
    case MMU_FAULT_TRANSLATION:
        return level < 0 ? 0x2b : 0x04 + (uint64_t)level;
    case MMU_FAULT_ACCESS_FLAG:
        return 0x08 + (uint64_t)level;
    case MMU_FAULT_PERMISSION:
        return 0x0c + (uint64_t)level;
    case MMU_FAULT_EXTERNAL_WALK:
        return level < 0 ? 0x13 : 0x14 + (uint64_t)level;
    case MMU_FAULT_TLB_CONFLICT:
        return 0x30;
    case MMU_OK:
    case MMU_FAULT_RESERVED:
    case MMU_FAULT_MISCONFIG:
    case MMU_FAULT_NONCANONICAL:
        break;
    }
    return 0;
}

uint64_t mmu_arm64_esr(const struct mmu_request *request, const struct mmu_result *result,
                       unsigned int to_el)
{
    unsigned int class = request->access == MMU_FETCH ? EC_INSTRUCTION : EC_DATA;
    uint64_t esr = ESR_IL;

    /* IL is 1 for instruction aborts, and for data aborts whose ISV is 0, as here always. */
    esr |= hyp_field(ESR_EC, class + (request->el == to_el));
    if (result->s1ptw)
        esr |= ESR_S1PTW;
    if (request->access == MMU_WRITE)
        esr |= ESR_WNR;
    return esr | status_code((enum mmu_fault)result->fault, HYP_ARM64_LEVEL(result->level));
}

uint64_t mmu_arm64_hpfar(const struct mmu_result *result)
{
    return (result->ipa.v >> 12) << 4;
}
