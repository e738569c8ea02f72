/* SPDX-License-Identifier: MIT */
/*
 * EPT entries (Intel SDM vol. 3, 29.3.2 "EPT Translation Mechanism"):
 *
 *   2:0    read, write, execute; all clear: not present, and every bit but 63 is ignored
 *   5:3    memory type of a leaf: 0 uncacheable, 1 write-combining, 6 write-back
 *   6      of a leaf: the type above is final; clear: the PAT of stage 1 has its say
 *   7      this entry above the pages is a leaf
 *   8, 9   accessed; dirty (of a leaf)
 *   56:55  software bits 0 and 1. Bits 57, 58, 60 and 61 have a meaning of their own, so there is
 *          no room for software bits 2 and 3
 *   63     the violation exits instead of raising #VE, where #VE is in use
 *
 * A leaf without any right would not be present, and write without read is a misconfiguration, so
 * neither can be said. Execute-only needs the CPU's consent.
 *
 * Notes keep clear of bits 2:0 and 63: the payload is two bits higher than its canonical place, and
 * the type is in 60:58. With HYP_PGT_EPT_VE a note leaves bit 63 clear, and it is empty entries
 * that have it.
 */
#include "hyp/pgtable_priv.h"

#define EPT_R            HYP_BIT(0)
#define EPT_W            HYP_BIT(1)
#define EPT_X            HYP_BIT(2)
#define EPT_RIGHTS       HYP_MASK(2, 0)
#define EPT_TYPE         HYP_MASK(5, 3)
#define EPT_UC           0
#define EPT_WC           1
#define EPT_WB           6
#define EPT_IGNORE_PAT   HYP_BIT(6)
#define EPT_LEAF         HYP_BIT(7)
#define EPT_A            HYP_BIT(8)
#define EPT_D            HYP_BIT(9)
#define EPT_SW           HYP_MASK(56, 55)
#define EPT_SUPPRESS_VE  HYP_BIT(63)
#define EPT_NOTE_PAYLOAD HYP_MASK(55, 1) /* canonical: a gfn of 36 bits at its top */

#define EPT_PROT_ACCEPTED (HYP_PROT_RWX | HYP_PROT_DEVICE | HYP_PROT_NORMAL_NC | EPT_SW)

/* Device memory of the host: its PAT may still choose write-combining, as under an MTRR of
 * uncacheable (SDM vol. 3, 12.11.2.2 and 29.3.7.2). Memory of guests is what EPT says. */
static uint64_t ept_type(uint64_t flags, hyp_prot_t prot)
{
    const uint64_t final = flags & HYP_PGT_S1_ATTRS ? 0 : EPT_IGNORE_PAT;

    if (prot & HYP_PROT_DEVICE)
        return hyp_field(EPT_TYPE, EPT_UC) | final;
    if (prot & HYP_PROT_NORMAL_NC)
        return hyp_field(EPT_TYPE, EPT_WC) | EPT_IGNORE_PAT;
    return hyp_field(EPT_TYPE, EPT_WB) | final;
}

/* HYP_EINVAL for rights that no present entry may have. */
static enum hyp_err ept_rights(uint64_t flags, hyp_prot_t prot, uint64_t *rights)
{
    const bool px = (prot & HYP_PROT_PX) != 0, ux = (prot & HYP_PROT_UX) != 0;
    const bool r = (prot & HYP_PROT_R) != 0, w = (prot & HYP_PROT_W) != 0;

    if (px != ux || (w && !r) || (!r && !px))
        return HYP_EINVAL;
    if (!r && !(flags & HYP_PGT_EPT_XONLY))
        return HYP_EINVAL;
    *rights = (r ? EPT_R : 0) | (w ? EPT_W : 0) | (px ? EPT_X : 0);
    return HYP_OK;
}

static enum hyp_err ept_attrs(uint64_t flags, hyp_prot_t prot, uint64_t *attrs)
{
    const bool special = (prot & (HYP_PROT_DEVICE | HYP_PROT_NORMAL_NC)) != 0;
    const bool both = (prot & HYP_PROT_DEVICE) && (prot & HYP_PROT_NORMAL_NC);
    uint64_t rights;

    if ((prot & ~EPT_PROT_ACCEPTED) != 0 || both || (special && (prot & HYP_PROT_X)))
        return HYP_EINVAL;
    if (ept_rights(flags, prot, &rights))
        return HYP_EINVAL;
    /* Born used, and written where it may be: the CPU need not come back to say so. */
    *attrs = rights | ept_type(flags, prot) | EPT_A | (rights & EPT_W ? EPT_D : 0) |
             (prot & EPT_SW) | EPT_SUPPRESS_VE;
    return HYP_OK;
}

static hyp_prot_t ept_prot(uint64_t flags, uint64_t pte)
{
    hyp_prot_t prot = 0;

    (void)flags;
    if (!(pte & EPT_RIGHTS))
        return 0;
    prot |= pte & EPT_SW;
    if (pte & EPT_R)
        prot |= HYP_PROT_R;
    if (pte & EPT_W)
        prot |= HYP_PROT_W;
    if (pte & EPT_X)
        prot |= HYP_PROT_X;
    if (hyp_field_get(pte, EPT_TYPE) == EPT_UC)
        prot |= HYP_PROT_DEVICE;
    if (hyp_field_get(pte, EPT_TYPE) == EPT_WC)
        prot |= HYP_PROT_NORMAL_NC;
    return prot;
}

static enum hyp_err ept_relax(uint64_t flags, uint64_t pte, hyp_prot_t prot, uint64_t *relaxed)
{
    uint64_t rights;

    if ((prot & HYP_PROT_X) && hyp_field_get(pte, EPT_TYPE) != EPT_WB)
        return HYP_EINVAL;
    if (ept_rights(flags, (ept_prot(flags, pte) & HYP_PROT_RWX) | prot, &rights))
        return HYP_EINVAL;
    *relaxed = pte | rights;
    return HYP_OK;
}

const struct hyp_pgt_fmt hyp_fmt_ept = {
    .stage2 = true,
    .x86 = true,
    .valid_mask = EPT_RIGHTS,
    .table_mask = EPT_RIGHTS | EPT_LEAF,
    .table_type = EPT_RIGHTS,
    .table_bits = EPT_RIGHTS,
    .page_bits = 0,
    .block_bits = EPT_LEAF,
    .leaf_mask = EPT_LEAF,
    .access_bit = EPT_A,
    .write_bit = EPT_W,
    .rights_mask = EPT_RIGHTS,
    .cpu_mask = EPT_A | EPT_D,
    .note_type = HYP_MASK(60, 58),
    .note_payload = EPT_NOTE_PAYLOAD,
    .note_shift = 2,
    .note_bits = EPT_SUPPRESS_VE,
    .attrs = ept_attrs,
    .relax = ept_relax,
    .prot = ept_prot,
};
