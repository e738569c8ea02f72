/* SPDX-License-Identifier: MIT */
/* VTCR_EL2 (DDI 0487 D24.2, "VTCR_EL2, Virtualization Translation Control Register"). */
#include <hyp/pgtable.h>

#define VTCR_T0SZ  HYP_MASK(5, 0)
#define VTCR_SL0   HYP_MASK(7, 6)
#define VTCR_IRGN0 HYP_MASK(9, 8)   /* 01: table walks are write-back, read- and write-allocate */
#define VTCR_ORGN0 HYP_MASK(11, 10) /* likewise for the outer caches */
#define VTCR_SH0   HYP_MASK(13, 12) /* 11: inner shareable */
#define VTCR_TG0   HYP_MASK(15, 14)
#define VTCR_PS    HYP_MASK(18, 16)
#define VTCR_VS    HYP_BIT(19) /* 16-bit vmid */
#define VTCR_HA    HYP_BIT(21) /* the CPU sets the access flag; RES0 where it cannot */
#define VTCR_RES1  HYP_BIT(31)
#define VTCR_DS    HYP_BIT(32) /* LPA2 */

#define TG0_4K  0
#define TG0_64K 1
#define TG0_16K 2

#define PARANGE_48 5
#define PARANGE_52 6

/* SL0 counts levels from a base that differs with the granule. */
static unsigned int sl0(unsigned int page_shift, unsigned int levels)
{
    return (page_shift == 12 ? 2 : 3) + levels - 4;
}

uint64_t hyp_arm64_vtcr(unsigned int page_shift, unsigned int ia_bits, unsigned int pa_range,
                        bool vmid16, bool lpa2)
{
    const unsigned int ps_max = lpa2 || page_shift == 16 ? PARANGE_52 : PARANGE_48;
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_arm64_s2, .page_shift = page_shift, .ia_bits = ia_bits};
    uint64_t vtcr = VTCR_RES1 | VTCR_HA;

    vtcr |= hyp_field(VTCR_T0SZ, 64 - ia_bits);
    vtcr |= hyp_field(VTCR_SL0, sl0(page_shift, hyp_pgt_levels(&config)));
    vtcr |= hyp_field(VTCR_IRGN0, 1) | hyp_field(VTCR_ORGN0, 1) | hyp_field(VTCR_SH0, 3);
    vtcr |= hyp_field(VTCR_TG0, page_shift == 12 ? TG0_4K : page_shift == 14 ? TG0_16K : TG0_64K);
    vtcr |= hyp_field(VTCR_PS, pa_range < ps_max ? pa_range : ps_max);
    if (vmid16)
        vtcr |= VTCR_VS;
    if (lpa2)
        vtcr |= VTCR_DS;
    return vtcr;
}
