/* SPDX-License-Identifier: MIT */
/*
 * What a hypervisor on x86 needs to know about the CPU's EPT: which capabilities the core relies
 * on, what is missing when it refuses, the EPTP of a table, and what a violation says (Intel SDM
 * vol. 3, 25.6.11 "Extended-Page-Table Pointer", A.10 "VPID and EPT Capabilities", 28.2.1).
 */
#ifndef HYP_EPT_H
#define HYP_EPT_H

#include <hyp/pgtable.h>

/* IA32_VMX_EPT_VPID_CAP, MSR 0x48c: the bits that the core reads. */
#define HYP_EPT_CAP_XONLY         HYP_BIT(0)
#define HYP_EPT_CAP_4_LEVELS      HYP_BIT(6)
#define HYP_EPT_CAP_5_LEVELS      HYP_BIT(7)
#define HYP_EPT_CAP_UC            HYP_BIT(8)
#define HYP_EPT_CAP_WB            HYP_BIT(14)
#define HYP_EPT_CAP_2M            HYP_BIT(16)
#define HYP_EPT_CAP_1G            HYP_BIT(17)
#define HYP_EPT_CAP_INVEPT        HYP_BIT(20)
#define HYP_EPT_CAP_AD            HYP_BIT(21)
#define HYP_EPT_CAP_INVEPT_SINGLE HYP_BIT(25)
/* All of them but 5 levels: what most CPUs have, for models of one. */
#define HYP_EPT_CAP_USUAL                                                                          \
    (HYP_EPT_CAP_XONLY | HYP_EPT_CAP_4_LEVELS | HYP_EPT_CAP_UC | HYP_EPT_CAP_WB | HYP_EPT_CAP_2M | \
     HYP_EPT_CAP_1G | HYP_EPT_CAP_INVEPT | HYP_EPT_CAP_AD | HYP_EPT_CAP_INVEPT_SINGLE)

/* Exit qualification of an EPT violation (table 28-7). */
#define HYP_EPT_QUAL_READ   HYP_BIT(0)
#define HYP_EPT_QUAL_WRITE  HYP_BIT(1)
#define HYP_EPT_QUAL_FETCH  HYP_BIT(2)
#define HYP_EPT_QUAL_RIGHTS HYP_MASK(5, 3) /* of the entries used; 0 when one was not present */
#define HYP_EPT_QUAL_LINEAR HYP_BIT(7)     /* the linear address is valid */
#define HYP_EPT_QUAL_FINAL  HYP_BIT(8)  /* if so: it was accessed, not a table on the way to it */
#define HYP_EPT_QUAL_ASYNC  HYP_BIT(16) /* no instruction's access */

/* Error code of a page fault (section 4.7). */
#define HYP_PF_P    0x01u
#define HYP_PF_W    0x02u
#define HYP_PF_U    0x04u
#define HYP_PF_RSVD 0x08u
#define HYP_PF_I    0x10u

/* A use of EPT that the CPU may be unable to serve. */
struct hyp_ept_needs {
    unsigned int levels;          /* 4 or 5 */
    unsigned int max_block_level; /* 0 pages, 1 = 2 MiB, 2 = 1 GiB */
    bool ad;                      /* accessed and dirty bits */
    bool xonly;                   /* execute-only pages */
};

/* The first thing that is missing, in this order. */
enum hyp_ept_lack {
    HYP_EPT_LACKS_NOTHING,
    HYP_EPT_LACKS_LEVELS, /* of this number; or the number is neither 4 nor 5 */
    HYP_EPT_LACKS_WB,     /* write-back EPT structures */
    HYP_EPT_LACKS_INVEPT, /* single-context INVEPT */
    HYP_EPT_LACKS_2M,
    HYP_EPT_LACKS_1G,
    HYP_EPT_LACKS_AD,
    HYP_EPT_LACKS_XONLY,
    HYP_EPT_LACK_COUNT
};

/* `cap` is IA32_VMX_EPT_VPID_CAP. Pure. */
enum hyp_ept_lack hyp_ept_check(uint64_t cap, const struct hyp_ept_needs *needs);
/* A sentence for a log, or NULL for HYP_EPT_LACKS_NOTHING. */
const char *hyp_ept_lack_text(enum hyp_ept_lack lack);

/* The most that a CPU can do for input addresses of `ia_bits`: levels are 4 up to 48 bits, else 5;
 * check it before use, as it may lack even that. */
struct hyp_ept_needs hyp_ept_best(uint64_t cap, unsigned int ia_bits);

/*
 * EPTP of a table: write-back structures, `levels` 4 or 5, accessed and dirty bits if `ad`. `root`
 * is a page. A value that the CPU does not support fails VM entry: check first.
 */
uint64_t hyp_ept_eptp(hyp_pa_t root, unsigned int levels, bool ad);

#endif
