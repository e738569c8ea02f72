/* SPDX-License-Identifier: MIT */
/*
 * Entries of the hypervisor's own tables on x86, 4-level paging (Intel SDM vol. 3, 4.5.4 "Linear-
 * Address Translation with 4-Level Paging"):
 *
 *   0 present; 1 writable; 2 user (never here); 4 cache disable, with which index 2 of the PAT as
 *   it comes out of reset is uncacheable; 5 accessed; 6 dirty; 7 leaf above the pages; 63 execute
 *   disable (EFER.NXE is on). Software bits 0..3 are in 58:55, which the CPU ignores.
 */
#include "hyp/pgtable_priv.h"

#define X86_P         HYP_BIT(0)
#define X86_W         HYP_BIT(1)
#define X86_PCD       HYP_BIT(4)
#define X86_A         HYP_BIT(5)
#define X86_D         HYP_BIT(6)
#define X86_PS        HYP_BIT(7)
#define X86_XD        HYP_BIT(63)
#define PROT_ACCEPTED (HYP_PROT_RWX | HYP_PROT_DEVICE | HYP_PROT_SW_MASK)

/* The same rules as on arm64: no page is both writable and executable. */
static enum hyp_err x86_attrs(uint64_t flags, hyp_prot_t prot, uint64_t *attrs)
{
    uint64_t a = X86_A | (prot & HYP_PROT_SW_MASK);

    (void)flags;
    if ((prot & ~PROT_ACCEPTED) != 0 || !(prot & HYP_PROT_R))
        return HYP_EINVAL;
    if ((prot & HYP_PROT_PX) && (prot & (HYP_PROT_W | HYP_PROT_DEVICE)))
        return HYP_EINVAL;
    if (prot & HYP_PROT_W)
        a |= X86_W | X86_D;
    if (prot & HYP_PROT_DEVICE)
        a |= X86_PCD;
    if (!(prot & HYP_PROT_PX))
        a |= X86_XD;
    *attrs = a;
    return HYP_OK;
}

static hyp_prot_t x86_prot(uint64_t flags, uint64_t pte)
{
    hyp_prot_t prot = pte & HYP_PROT_SW_MASK;

    (void)flags;
    if (!(pte & X86_P))
        return prot;
    prot |= HYP_PROT_R;
    if (pte & X86_W)
        prot |= HYP_PROT_W;
    if (!(pte & X86_XD))
        prot |= HYP_PROT_PX;
    if (pte & X86_PCD)
        prot |= HYP_PROT_DEVICE;
    return prot;
}

const struct hyp_pgt_fmt hyp_fmt_x86 = {
    .stage2 = false,
    .x86 = true,
    .valid_mask = X86_P,
    .table_mask = X86_P | X86_PS,
    .table_type = X86_P,
    .table_bits = X86_P | X86_W | X86_A,
    .page_bits = X86_P,
    .block_bits = X86_P | X86_PS,
    .leaf_mask = X86_P | X86_PS,
    .access_bit = X86_A,
    .write_bit = X86_W,
    .rights_mask = X86_W | X86_XD,
    .cpu_mask = X86_A | X86_D,
    .note_type = HYP_NOTE_TYPE_MASK, /* stage 1 has no notes */
    .note_payload = HYP_NOTE_PAYLOAD_MASK,
    .attrs = x86_attrs,
    .prot = x86_prot,
};
