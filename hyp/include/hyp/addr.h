/* SPDX-License-Identifier: MIT */
/*
 * Addresses and geometry: the vocabulary that the core shares with the hardware model.
 *
 * Each kind of address is its own type, so that mixing two kinds does not compile. On x86 "ipa"
 * also names a guest-physical address.
 *
 * Levels count up from the page: level 0 is the page, level 1 the table above it (a block entry
 * there is 2 MiB with 4K granule). The Arm manual counts the other way (its level 3 is the page);
 * HYP_ARM64_LEVEL() converts, and only descriptor formats, syndromes and TLBI hints use it.
 */
#ifndef HYP_ADDR_H
#define HYP_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t v;
} hyp_va_t; /* virtual address, input of stage 1 */

typedef struct {
    uint64_t v;
} hyp_ipa_t; /* intermediate physical address, input of stage 2 */

typedef struct {
    uint64_t v;
} hyp_pa_t; /* physical address */

typedef struct {
    uint64_t v;
} hyp_ia_t; /* input address of the table at hand, whatever it translates */

typedef uint64_t hyp_pfn_t; /* physical address >> page_shift of the granule in use */

static inline hyp_va_t hyp_va(uint64_t v)
{
    return (hyp_va_t){v};
}

static inline hyp_ipa_t hyp_ipa(uint64_t v)
{
    return (hyp_ipa_t){v};
}

static inline hyp_pa_t hyp_pa(uint64_t v)
{
    return (hyp_pa_t){v};
}

static inline hyp_pa_t hyp_pa_add(hyp_pa_t pa, uint64_t bytes)
{
    return (hyp_pa_t){pa.v + bytes};
}

static inline hyp_ia_t hyp_ia_from_va(hyp_va_t va)
{
    return (hyp_ia_t){va.v};
}

static inline hyp_ia_t hyp_ia_from_ipa(hyp_ipa_t ipa)
{
    return (hyp_ia_t){ipa.v};
}

static inline hyp_ia_t hyp_ia_add(hyp_ia_t ia, uint64_t bytes)
{
    return (hyp_ia_t){ia.v + bytes};
}

/* The identity map of the host: an ipa that is its own pa, and back. */
static inline hyp_pa_t hyp_pa_from_identity(hyp_ipa_t ipa)
{
    return (hyp_pa_t){ipa.v};
}

static inline hyp_ipa_t hyp_ipa_from_identity(hyp_pa_t pa)
{
    return (hyp_ipa_t){pa.v};
}

/* Conversion to and from the Arm manual's level numbers (3 is the page). */
#define HYP_ARM64_LEVEL(level) (3 - (int)(level))

/* Entries of one table, as a power of two: 9, 11, 13 for 4K, 16K, 64K granule. */
static inline unsigned int hyp_index_bits(unsigned int page_shift)
{
    return page_shift - 3;
}

/* log2 of the bytes that one entry of a table at this level covers. */
static inline unsigned int hyp_level_shift(unsigned int page_shift, unsigned int level)
{
    return page_shift + level * hyp_index_bits(page_shift);
}

static inline uint64_t hyp_level_size(unsigned int page_shift, unsigned int level)
{
    return UINT64_C(1) << hyp_level_shift(page_shift, level);
}

#endif
