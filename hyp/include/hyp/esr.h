/* SPDX-License-Identifier: MIT */
/*
 * The exception syndrome and saved program status, as far as the core reads or writes them.
 * Layouts: Arm ARM (DDI 0487) D17.2.37 ESR_ELx, D17.2.64 HPFAR_EL2, C5.2.19 SPSR_EL2.
 */
#ifndef HYP_ESR_H
#define HYP_ESR_H

#include <hyp/bits.h>

#include <stdbool.h>

#define HYP_ESR_EC         HYP_MASK(31, 26)
#define HYP_ESR_EC_IABT_LO UINT64_C(0x20) /* instruction abort from a lower level */
#define HYP_ESR_EC_IABT    UINT64_C(0x21) /* ... from the same level */
#define HYP_ESR_EC_DABT_LO UINT64_C(0x24) /* data abort from a lower level */
#define HYP_ESR_EC_DABT    UINT64_C(0x25)
#define HYP_ESR_IL         HYP_BIT(25) /* trapped instruction was 32 bits long */
#define HYP_ESR_S1PTW      HYP_BIT(7)  /* stage-2 fault on a stage-1 walk; RES0 in ESR_EL1 */
#define HYP_ESR_WNR        HYP_BIT(6)  /* the access was a write */
#define HYP_ESR_FSC        HYP_MASK(5, 0)
#define HYP_ESR_FSC_TYPE   HYP_MASK(5, 2) /* fault status without the level */
#define HYP_FSC_TRANS      UINT64_C(0x04) /* translation fault, levels 0 to 3 in [1:0] */
#define HYP_FSC_ACCESS     UINT64_C(0x08) /* access flag fault */
#define HYP_FSC_PERM       UINT64_C(0x0c) /* permission fault */
#define HYP_FSC_TRANS_LM1  UINT64_C(0x2b) /* translation fault, level -1 */

#define HYP_HPFAR_FIPA HYP_MASK(47, 4) /* ipa[55:12] */

#define HYP_PSTATE_MODE HYP_MASK(3, 0)
#define HYP_PSTATE_EL0T UINT64_C(0x0)
#define HYP_PSTATE_EL1T UINT64_C(0x4)
#define HYP_PSTATE_EL1H UINT64_C(0x5)
#define HYP_PSTATE_NRW  HYP_BIT(4) /* came from AArch32 */
#define HYP_PSTATE_DAIF HYP_MASK(9, 6)
#define HYP_PSTATE_SSBS HYP_BIT(12)
#define HYP_PSTATE_PAN  HYP_BIT(22)
#define HYP_PSTATE_DIT  HYP_BIT(24)
#define HYP_PSTATE_TCO  HYP_BIT(25)
#define HYP_PSTATE_NZCV HYP_MASK(31, 28)

#define HYP_SCTLR_SPAN  HYP_BIT(23) /* 1: PAN is left alone by an exception to EL1 */
#define HYP_SCTLR_DSSBS HYP_BIT(44) /* value of SSBS after an exception to EL1 */

static inline uint64_t hyp_esr_ec(uint64_t esr)
{
    return hyp_field_get(esr, HYP_ESR_EC);
}

/* True for a stage-2 translation fault of any level. */
static inline bool hyp_esr_is_translation(uint64_t esr)
{
    return (esr & HYP_ESR_FSC_TYPE) == HYP_FSC_TRANS || (esr & HYP_ESR_FSC) == HYP_FSC_TRANS_LM1;
}

static inline bool hyp_esr_is_permission(uint64_t esr)
{
    return (esr & HYP_ESR_FSC_TYPE) == HYP_FSC_PERM;
}

#endif
