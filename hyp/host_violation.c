/* SPDX-License-Identifier: MIT */
/*
 * An EPT violation of the host: what hyp_host_touch() makes of it, and the exception that the host
 * gets for a page that is not its own.
 */
#include "hyp/hyp_priv.h"

#include <hyp/ept.h>

#define VECTOR_GP 13
#define VECTOR_PF 14

/* Error code of #PF without P (Intel SDM vol. 3, 4.7). */
static uint32_t code_of_access(const struct hyp_ept_exit *exit)
{
    uint32_t code = exit->cpl == 3 ? HYP_PF_U : 0;

    /* Of an access to a table, bits 1:0 say how the CPU uses tables, not what it wanted. */
    if (!(exit->qualification & HYP_EPT_QUAL_FINAL))
        return code;
    if (exit->qualification & HYP_EPT_QUAL_FETCH)
        return code | (exit->tells_fetch ? HYP_PF_I : 0);
    return code | (exit->qualification & HYP_EPT_QUAL_WRITE ? HYP_PF_W : 0);
}

static struct hyp_host_exception exception_of(const struct hyp_ept_exit *exit, bool present)
{
    const uint64_t how = exit->qualification & (HYP_EPT_QUAL_LINEAR | HYP_EPT_QUAL_ASYNC);

    if (how != HYP_EPT_QUAL_LINEAR)
        return (struct hyp_host_exception){.vector = VECTOR_GP};
    return (struct hyp_host_exception){.vector = VECTOR_PF,
                                       .code = code_of_access(exit) | (present ? HYP_PF_P : 0),
                                       .cr2 = exit->linear};
}

enum hyp_host_outcome hyp_host_violation(struct hyp *hyp, const struct hyp_ept_exit *exit,
                                         struct hyp_host_exception *exception)
{
    const bool present = (exit->qualification & HYP_EPT_QUAL_RIGHTS) != 0;
    enum hyp_host_outcome outcome = present ? HYP_HOST_INJECTED : hyp_host_touch(hyp, exit->gpa);

    if (outcome == HYP_HOST_INJECTED) {
        hyp_tell(hyp, HYP_EV_HOST_INJECT, 0, hyp_pa_from_identity(exit->gpa), 0);
        *exception = exception_of(exit, present);
    }
    return outcome;
}
