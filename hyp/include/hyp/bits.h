/* SPDX-License-Identifier: MIT */
/* Masks, fields, alignment, and the attributes the core relies on. No policy. */
#ifndef HYP_BITS_H
#define HYP_BITS_H

#include <stdint.h>

#define HYP_BIT(n) (UINT64_C(1) << (n))
/* Bits hi..lo, both included. */
#define HYP_MASK(hi, lo) ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))
#define HYP_MUST_USE     __attribute__((warn_unused_result))
/* For what is only fast as a part of its callers: most of its arguments are constants there, or in
 * registers. */
#define HYP_INLINE      static inline __attribute__((always_inline))
#define HYP_LIKELY(x)   __builtin_expect(!!(x), 1)
#define HYP_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Field with mask `mask` of `word`, shifted down to bit 0. `mask` is not 0. */
static inline uint64_t hyp_field_get(uint64_t word, uint64_t mask)
{
    return (word & mask) >> __builtin_ctzll(mask);
}

/* `value` shifted up into the field `mask`; bits that do not fit are dropped. */
static inline uint64_t hyp_field(uint64_t mask, uint64_t value)
{
    return (value * (mask & -mask)) & mask;
}

static inline uint64_t hyp_align_down(uint64_t v, uint64_t align)
{
    return v & ~(align - 1);
}

static inline uint64_t hyp_align_up(uint64_t v, uint64_t align)
{
    return (v + align - 1) & ~(align - 1);
}

static inline uint64_t hyp_div_up(uint64_t v, uint64_t by)
{
    return v / by + (v % by != 0);
}

#endif
