/* SPDX-License-Identifier: MIT */
/*
 * The only error type of the core. A refusal returns one of these and changes nothing. The values
 * are the negated errno numbers of arm64 and x86 Linux, because hypercalls return them to the host.
 */
#ifndef HYP_ERR_H
#define HYP_ERR_H

enum hyp_err {
    HYP_OK = 0,
    HYP_EPERM = -1,       /* not the owner, or not in the state that the operation needs */
    HYP_ENOENT = -2,      /* nothing is mapped there */
    HYP_E2BIG = -7,       /* mapped, but at another size */
    HYP_EAGAIN = -11,     /* nothing to do: raced, or already so; retry makes sense */
    HYP_ENOMEM = -12,     /* pool or memcache exhausted */
    HYP_EFAULT = -14,     /* not memory */
    HYP_EBUSY = -16,      /* pinned, or a counter is saturated */
    HYP_EEXIST = -17,     /* already mapped */
    HYP_EINVAL = -22,     /* malformed argument */
    HYP_ERANGE = -34,     /* address beyond the input size of the table */
    HYP_EHWPOISON = -133, /* the page was taken back by force */
};

#endif
