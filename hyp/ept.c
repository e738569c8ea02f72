/* SPDX-License-Identifier: MIT */
/* Capabilities of EPT and the EPTP; see the header. Pure functions. */
#include <hyp/ept.h>

/* EPTP (Intel SDM vol. 3, table 25-9). */
#define EPTP_TYPE    HYP_MASK(2, 0)
#define EPTP_TYPE_WB 6
#define EPTP_LEVELS  HYP_MASK(5, 3) /* less one */
#define EPTP_AD      HYP_BIT(6)
#define EPTP_ROOT    HYP_MASK(51, 12)

static bool has(uint64_t cap, uint64_t bits)
{
    return (cap & bits) == bits;
}

static bool has_levels(uint64_t cap, unsigned int levels)
{
    if (levels == 5)
        return has(cap, HYP_EPT_CAP_5_LEVELS);
    return levels == 4 && has(cap, HYP_EPT_CAP_4_LEVELS);
}

enum hyp_ept_lack hyp_ept_check(uint64_t cap, const struct hyp_ept_needs *needs)
{
    if (!has_levels(cap, needs->levels))
        return HYP_EPT_LACKS_LEVELS;
    if (!has(cap, HYP_EPT_CAP_WB))
        return HYP_EPT_LACKS_WB;
    if (!has(cap, HYP_EPT_CAP_INVEPT | HYP_EPT_CAP_INVEPT_SINGLE))
        return HYP_EPT_LACKS_INVEPT;
    if (needs->max_block_level >= 1 && !has(cap, HYP_EPT_CAP_2M))
        return HYP_EPT_LACKS_2M;
    if (needs->max_block_level >= 2 && !has(cap, HYP_EPT_CAP_1G))
        return HYP_EPT_LACKS_1G;
    if (needs->ad && !has(cap, HYP_EPT_CAP_AD))
        return HYP_EPT_LACKS_AD;
    if (needs->xonly && !has(cap, HYP_EPT_CAP_XONLY))
        return HYP_EPT_LACKS_XONLY;
    return HYP_EPT_LACKS_NOTHING;
}

const char *hyp_ept_lack_text(enum hyp_ept_lack lack)
{
    switch (lack) {
    case HYP_EPT_LACKS_LEVELS:
        return "the CPU cannot walk EPT tables of this many levels";
    case HYP_EPT_LACKS_WB:
        return "the CPU cannot keep EPT tables in write-back memory";
    case HYP_EPT_LACKS_INVEPT:
        return "the CPU has no single-context INVEPT";
    case HYP_EPT_LACKS_2M:
        return "the CPU has no 2 MiB pages in EPT";
    case HYP_EPT_LACKS_1G:
        return "the CPU has no 1 GiB pages in EPT";
    case HYP_EPT_LACKS_AD:
        return "the CPU has no accessed and dirty bits in EPT";
    case HYP_EPT_LACKS_XONLY:
        return "the CPU has no execute-only pages in EPT";
    case HYP_EPT_LACKS_NOTHING:
    case HYP_EPT_LACK_COUNT:
        break;
    }
    return NULL;
}

struct hyp_ept_needs hyp_ept_best(uint64_t cap, unsigned int ia_bits)
{
    struct hyp_ept_needs best = {.levels = ia_bits > 48 ? 5 : 4};

    if (has(cap, HYP_EPT_CAP_2M))
        best.max_block_level = has(cap, HYP_EPT_CAP_1G) ? 2 : 1;
    best.ad = has(cap, HYP_EPT_CAP_AD);
    best.xonly = has(cap, HYP_EPT_CAP_XONLY);
    return best;
}

uint64_t hyp_ept_eptp(hyp_pa_t root, unsigned int levels, bool ad)
{
    return (root.v & EPTP_ROOT) | hyp_field(EPTP_TYPE, EPTP_TYPE_WB) |
           hyp_field(EPTP_LEVELS, levels - 1) | (ad ? EPTP_AD : 0);
}
