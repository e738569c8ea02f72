/* SPDX-License-Identifier: MIT */
/*
 * Entries of EL2's own stage 1 (DDI 0487 D8.3.1 "VMSAv8-64 descriptor formats"), in the two layouts
 * that EL2 can run with:
 *
 *            single privilege range (nVHE)     E2H regime (hVHE)
 *   AP[7:6]  01 read/write, 11 read only       00 read/write, 10 read only (no EL0 access)
 *   XN       bit 54                            bits 54 (UXN) and 53 (PXN)
 *
 * AttrIndx 0 is normal write-back memory and 4 is device nGnRE: the values that the loader puts
 * into MAIR_EL2. With LPA2 (TCR_EL2.DS) bits 9:8 belong to the address, otherwise they are SH.
 */
#include "hyp/pgtable_priv.h"

#define S1_ATTR_INDEX    HYP_MASK(4, 2)
#define S1_INDEX_NORMAL  0
#define S1_INDEX_DEVICE  4
#define S1_AP            HYP_MASK(7, 6)
#define S1_AP_READ_ONLY  HYP_BIT(7)
#define S1_AP_RES1       HYP_BIT(6) /* single privilege range: AP[1] is RES1 */
#define S1_SH_INNER      HYP_MASK(9, 8)
#define S1_AF            HYP_BIT(10)
#define S1_PXN           HYP_BIT(53)
#define S1_XN            HYP_BIT(54)
#define S1_PROT_ACCEPTED (HYP_PROT_RWX | HYP_PROT_DEVICE | HYP_PROT_SW_MASK)

static enum hyp_err s1_attrs(uint64_t flags, hyp_prot_t prot, uint64_t *attrs)
{
    const bool hvhe = (flags & HYP_PGT_HVHE) != 0;
    uint64_t a = S1_AF | (prot & HYP_PROT_SW_MASK);

    if ((prot & ~S1_PROT_ACCEPTED) != 0 || !(prot & HYP_PROT_R))
        return HYP_EINVAL;
    if ((prot & HYP_PROT_PX) && (prot & (HYP_PROT_W | HYP_PROT_DEVICE)))
        return HYP_EINVAL;

    a |= hyp_field(S1_ATTR_INDEX, prot & HYP_PROT_DEVICE ? S1_INDEX_DEVICE : S1_INDEX_NORMAL);
    if (!hvhe)
        a |= S1_AP_RES1;
    if (!(prot & HYP_PROT_W))
        a |= S1_AP_READ_ONLY;
    if (!(prot & HYP_PROT_PX))
        a |= hvhe ? S1_XN | S1_PXN : S1_XN;
    if (!(flags & HYP_PGT_LPA2))
        a |= S1_SH_INNER;
    *attrs = a;
    return HYP_OK;
}

static hyp_prot_t s1_prot(uint64_t flags, uint64_t pte)
{
    const uint64_t xn = flags & HYP_PGT_HVHE ? S1_PXN : S1_XN;
    hyp_prot_t prot = pte & HYP_PROT_SW_MASK;

    if (!(pte & 1))
        return prot;
    prot |= HYP_PROT_R;
    if (!(pte & S1_AP_READ_ONLY))
        prot |= HYP_PROT_W;
    if (!(pte & xn))
        prot |= HYP_PROT_PX;
    if (hyp_field_get(pte, S1_ATTR_INDEX) == S1_INDEX_DEVICE)
        prot |= HYP_PROT_DEVICE;
    return prot;
}

const struct hyp_pgt_fmt hyp_fmt_arm64_s1 = {
    .stage2 = false,
    .valid_mask = HYP_BIT(0),
    .table_mask = 3,
    .table_type = 3,
    .table_bits = 3,
    .page_bits = 3,
    .block_bits = 1,
    .leaf_mask = 3,
    .access_bit = S1_AF,
    .write_bit = 0, /* stage 1 has a read-only bit instead; wrprotect is for stage 2 */
    .rights_mask = S1_AP | S1_XN | S1_PXN,
    .note_type = HYP_NOTE_TYPE_MASK,
    .note_payload = HYP_NOTE_PAYLOAD_MASK,
    .attrs = s1_attrs,
    .prot = s1_prot,
};
