/* SPDX-License-Identifier: MIT */
/* Shared by the files of boot. */
#ifndef HYP_BOOT_PRIV_H
#define HYP_BOOT_PRIV_H

#include "hyp/hyp_priv.h"

/* Address of the page with this number within the pool. */
static inline hyp_pa_t hyp_pool_piece(const struct hyp *hyp, uint64_t page)
{
    return hyp_pa_add(hyp->pool_base, page << hyp->page_shift);
}

/* Step 2: stage 1 with everything the hypervisor needs, from the early allocator. */
HYP_MUST_USE enum hyp_err hyp_boot_map_self(struct hyp *hyp);
/* Step 8: what stage 1 maps becomes the hypervisor's, for the host too. */
HYP_MUST_USE enum hyp_err hyp_boot_own_self(struct hyp *hyp);
/* Step 9: no private mapping of RAM that the host could still reach. */
HYP_MUST_USE enum hyp_err hyp_boot_check_own(struct hyp *hyp);

#endif
