/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a fault tells: #PF error code (SDM vol. 3, 4.7), exit qualification (27.2.1), EXITINFO1 (APM
 * vol. 2, 15.25.6). */
#include <hyp/bits.h>

#include "mmu/dec_x86.h"

#define QUAL_R        HYP_BIT(0)
#define QUAL_W        HYP_BIT(1)
#define QUAL_X        HYP_BIT(2)
#define QUAL_RIGHTS   HYP_MASK(5, 3)
#define QUAL_LINEAR   HYP_BIT(7)
#define QUAL_FINAL    HYP_BIT(8)
#define QUAL_USER     HYP_BIT(9)
#define QUAL_WRITABLE HYP_BIT(10)
#define QUAL_XD       HYP_BIT(11)

#define INFO_FINAL HYP_BIT(32)
#define INFO_TABLE HYP_BIT(33)

uint8_t mmu_x86_flags(const struct mmu_ctx *ctx, unsigned int s1_perm, bool no_ve)
{
    unsigned int flags =
        (ctx->fetch_reported ? MMU_X86_FLAG_FETCH : 0) | (no_ve ? MMU_X86_FLAG_NO_VE : 0);

    /* With paging off every address is one of the user, writable and executable (27.2.1). */
    if (ctx->ept_advanced)
        flags |= MMU_X86_FLAG_ADVANCED | ((s1_perm & MMU_PERM_UR) ? MMU_X86_FLAG_USER : 0) |
                 ((s1_perm & MMU_PERM_PW) ? MMU_X86_FLAG_WRITABLE : 0) |
                 ((s1_perm & MMU_PERM_PX) ? 0 : MMU_X86_FLAG_XD);
    return (uint8_t)flags;
}

uint64_t mmu_x86_pf_code(const struct mmu_request *request, const struct mmu_result *result)
{
    uint64_t code = 0;

    if (result->fault != MMU_FAULT_TRANSLATION)
        code |= MMU_X86_PF_P;
    if (result->fault == MMU_FAULT_RESERVED)
        code |= MMU_X86_PF_RSVD;
    if (request->access == MMU_WRITE)
        code |= MMU_X86_PF_W;
    if (request->el == 0)
        code |= MMU_X86_PF_U;
    if (request->access == MMU_FETCH && (result->x86_flags & MMU_X86_FLAG_FETCH))
        code |= MMU_X86_PF_I;
    return code;
}

static uint64_t access_bits(const struct mmu_request *request, const struct mmu_result *result)
{
    if (result->s1ptw)
        return QUAL_R | ((result->x86_flags & MMU_X86_FLAG_TABLE_WRITE) ? QUAL_W : 0);
    switch ((enum mmu_access)request->access) {
    case MMU_WRITE:
        return QUAL_W;
    case MMU_FETCH:
        return QUAL_X;
    case MMU_READ:
        break;
    }
    return QUAL_R;
}

uint64_t mmu_x86_qualification(const struct mmu_request *request, const struct mmu_result *result)
{
    uint64_t bits = access_bits(request, result) | hyp_field(QUAL_RIGHTS, result->x86_rights);

    if (result->fault == MMU_FAULT_MISCONFIG)
        return 0;
    bits |= QUAL_LINEAR;
    if (result->s1ptw)
        return bits;
    bits |= QUAL_FINAL;
    if (result->x86_flags & MMU_X86_FLAG_ADVANCED)
        bits |= ((result->x86_flags & MMU_X86_FLAG_USER) ? QUAL_USER : 0) |
                ((result->x86_flags & MMU_X86_FLAG_WRITABLE) ? QUAL_WRITABLE : 0) |
                ((result->x86_flags & MMU_X86_FLAG_XD) ? QUAL_XD : 0);
    return bits;
}

uint64_t mmu_x86_exitinfo1(const struct mmu_request *request, const struct mmu_result *result)
{
    uint64_t info = MMU_X86_PF_U; /* every nested access is one of the user */

    if (result->fault != MMU_FAULT_TRANSLATION)
        info |= MMU_X86_PF_P;
    if (result->fault == MMU_FAULT_RESERVED)
        info |= MMU_X86_PF_RSVD;
    if (result->s1ptw)
        return info | MMU_X86_PF_W | INFO_TABLE;
    if (request->access == MMU_WRITE)
        info |= MMU_X86_PF_W;
    if (request->access == MMU_FETCH)
        info |= MMU_X86_PF_I;
    return info | INFO_FINAL;
}

bool mmu_x86_convertible(const struct mmu_result *result)
{
    return result->stage == 2 && result->fault != MMU_FAULT_MISCONFIG &&
           !(result->x86_flags & MMU_X86_FLAG_NO_VE);
}
