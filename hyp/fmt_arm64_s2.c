/* SPDX-License-Identifier: MIT */
/*
 * Entries of stage 2 (DDI 0487 D8.3.1 "VMSAv8-64 descriptor formats", D8.6 for the attributes):
 *
 *   MemAttr[5:2]   without FWB: 1111 normal write-back, 0101 normal non-cacheable, 0001 device
 * nGnRE with FWB:    0110 normal write-back, 0101, 0001, and 0111 what stage 1 says S2AP[7:6]
 * write, read SH[9:8]        inner shareable; belongs to the address with LPA2 (VTCR_EL2.DS)
 *   XN[54:53]      00 execute at EL1 and EL0, 01 EL0 only, 10 nowhere, 11 EL1 only; 01 and 11 need
 *                  FEAT_XNX
 *
 * Without FWB, stage 1 can only weaken what stage 2 says, so "what stage 1 says" is write-back.
 */
#include "hyp/pgtable_priv.h"

#define S2_MEMATTR       HYP_MASK(5, 2)
#define S2_NORMAL_WB     0xf
#define S2_NORMAL_NC     0x5
#define S2_DEVICE        0x1
#define S2_FWB_NORMAL_WB 0x6
#define S2_FWB_FROM_S1   0x7
#define S2_AP_READ       HYP_BIT(6)
#define S2_AP_WRITE      HYP_BIT(7)
#define S2_SH_INNER      HYP_MASK(9, 8)
#define S2_AF            HYP_BIT(10)
#define S2_XN            HYP_MASK(54, 53)
#define S2_XN_EL0_ONLY   1
#define S2_XN_NOWHERE    2
#define S2_XN_EL1_ONLY   3
#define S2_PROT_ACCEPTED (HYP_PROT_RWX | HYP_PROT_DEVICE | HYP_PROT_NORMAL_NC | HYP_PROT_SW_MASK)

static uint64_t s2_memattr(uint64_t flags, hyp_prot_t prot)
{
    if (prot & HYP_PROT_DEVICE)
        return S2_DEVICE;
    if (prot & HYP_PROT_NORMAL_NC)
        return S2_NORMAL_NC;
    if (!(flags & HYP_PGT_FWB))
        return S2_NORMAL_WB;
    return flags & HYP_PGT_S1_ATTRS ? S2_FWB_FROM_S1 : S2_FWB_NORMAL_WB;
}

static uint64_t s2_xn(hyp_prot_t prot)
{
    if (!(prot & HYP_PROT_X))
        return S2_XN_NOWHERE;
    if (!(prot & HYP_PROT_UX))
        return S2_XN_EL1_ONLY;
    return prot & HYP_PROT_PX ? 0 : S2_XN_EL0_ONLY;
}

static enum hyp_err s2_attrs(uint64_t flags, hyp_prot_t prot, uint64_t *attrs)
{
    const bool special = (prot & (HYP_PROT_DEVICE | HYP_PROT_NORMAL_NC)) != 0;
    const bool both = (prot & HYP_PROT_DEVICE) && (prot & HYP_PROT_NORMAL_NC);
    const bool px = (prot & HYP_PROT_PX) != 0, ux = (prot & HYP_PROT_UX) != 0;
    uint64_t a = S2_AF | (prot & HYP_PROT_SW_MASK);

    if ((prot & ~S2_PROT_ACCEPTED) != 0 || both || (special && (prot & HYP_PROT_X)))
        return HYP_EINVAL;
    if (px != ux && !(flags & HYP_PGT_XNX))
        return HYP_EINVAL;

    a |= hyp_field(S2_MEMATTR, s2_memattr(flags, prot)) | hyp_field(S2_XN, s2_xn(prot));
    if (prot & HYP_PROT_R)
        a |= S2_AP_READ;
    if (prot & HYP_PROT_W)
        a |= S2_AP_WRITE;
    if (!(flags & HYP_PGT_LPA2))
        a |= S2_SH_INNER;
    *attrs = a;
    return HYP_OK;
}

static hyp_prot_t s2_prot(uint64_t flags, uint64_t pte)
{
    hyp_prot_t prot = pte & HYP_PROT_SW_MASK;

    (void)flags;
    if (!(pte & 1))
        return prot;
    if (pte & S2_AP_READ)
        prot |= HYP_PROT_R;
    if (pte & S2_AP_WRITE)
        prot |= HYP_PROT_W;
    switch (hyp_field_get(pte, S2_XN)) {
    case S2_XN_EL0_ONLY:
        prot |= HYP_PROT_UX;
        break;
    case S2_XN_NOWHERE:
        break;
    case S2_XN_EL1_ONLY:
        prot |= HYP_PROT_PX;
        break;
    default:
        prot |= HYP_PROT_X;
        break;
    }
    if (hyp_field_get(pte, S2_MEMATTR) == S2_DEVICE)
        prot |= HYP_PROT_DEVICE;
    if (hyp_field_get(pte, S2_MEMATTR) == S2_NORMAL_NC)
        prot |= HYP_PROT_NORMAL_NC;
    return prot;
}

static enum hyp_err s2_relax(uint64_t flags, uint64_t pte, hyp_prot_t prot, uint64_t *relaxed)
{
    if (prot & HYP_PROT_R)
        pte |= S2_AP_READ;
    if (prot & HYP_PROT_W)
        pte |= S2_AP_WRITE;
    if (prot & HYP_PROT_X) {
        hyp_prot_t all = prot & HYP_PROT_X;
        const uint64_t memattr = hyp_field_get(pte, S2_MEMATTR);

        if (memattr == S2_DEVICE || memattr == S2_NORMAL_NC)
            return HYP_EINVAL;
        if (all != HYP_PROT_X)
            all |= s2_prot(flags, pte) & HYP_PROT_X;
        if (all != HYP_PROT_X && !(flags & HYP_PGT_XNX))
            return HYP_EINVAL;
        pte = (pte & ~S2_XN) | hyp_field(S2_XN, s2_xn(all));
    }
    *relaxed = pte;
    return HYP_OK;
}

const struct hyp_pgt_fmt hyp_fmt_arm64_s2 = {
    .stage2 = true,
    .valid_mask = HYP_BIT(0),
    .table_mask = 3,
    .table_type = 3,
    .table_bits = 3,
    .page_bits = 3,
    .block_bits = 1,
    .leaf_mask = 3,
    .access_bit = S2_AF,
    .write_bit = S2_AP_WRITE,
    .rights_mask = S2_AP_READ | S2_AP_WRITE | S2_XN,
    .note_type = HYP_NOTE_TYPE_MASK,
    .note_payload = HYP_NOTE_PAYLOAD_MASK,
    .attrs = s2_attrs,
    .relax = s2_relax,
    .prot = s2_prot,
};
