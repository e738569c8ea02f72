/* SPDX-License-Identifier: MIT */
/* Shared by the files of address space isolation. */
#ifndef HYP_ASI_PRIV_H
#define HYP_ASI_PRIV_H

#include <hyp/asi.h>

#include "hyp/pgtable_priv.h"

#define ASI_TOP 3u

/* In place of a hidden page: not present, and without an address that a CPU could speculate on. */
#define ASI_HIDDEN HYP_BIT(9)

/* The entries that a range uses, as 48-bit input addresses; end may be 2^48. */
struct asi_extent {
    uint64_t start, end;
};

static inline unsigned int asi_level(enum hyp_asi_level level)
{
    return level > HYP_ASI_P4D ? ASI_TOP : (unsigned int)level;
}

static inline uint64_t asi_size(unsigned int level)
{
    return hyp_level_size(12, level);
}

struct asi_extent hyp_asi_extent(const struct hyp_asi_range *range);
static inline bool asi_overlap(struct asi_extent a, struct asi_extent b)
{
    return a.start < b.end && b.start < a.end;
}

/* ---- tables (asi_table.c) ---- */

/* Can this range be copied? Counts the tables that it lacks. `gone` (may be NULL) is a range whose
 * entries are taken for cleared already; `lenient` passes over the kernel's tables. */
enum hyp_err hyp_asi_check(const struct hyp_asi *asi, const struct hyp_asi_range *range,
                           const struct hyp_asi_range *gone, bool lenient, uint64_t *tables);
/* There is room for so many tables. */
bool hyp_asi_room(const struct hyp_asi *asi, uint64_t tables);
/* Copies. Only after asi_check; running out of tables is HYP_ENOMEM. */
enum hyp_err hyp_asi_copy(struct hyp_asi *asi, const struct hyp_asi_range *range);
/* Clears what no listed range uses, or with `stale` what differs from the kernel's, in `extent`. */
void hyp_asi_clear(struct hyp_asi *asi, struct asi_extent extent, bool stale);
/* What hyp_asi_hide() and hyp_asi_show() do to the tables. */
enum hyp_err hyp_asi_table_hide(struct hyp_asi *asi, uint64_t ia);
enum hyp_err hyp_asi_table_show(struct hyp_asi *asi, uint64_t ia);
/* Frees all owned tables and the root. */
void hyp_asi_tables_free(struct hyp_asi *asi);

/* ---- CR3 (asi_session.c) ---- */

/* Writes CR3; keeps what is cached for its PCID when `keep`. */
void hyp_asi_cr3_write(struct hyp_asi_cpu *cpu, uint64_t cr3, bool keep);
/* CR3 for this address space on this CPU, and whether its PCID may keep what is cached. */
uint64_t hyp_asi_cr3_for(struct hyp_asi_cpu *cpu, const struct hyp_asi *asi, bool *keep);

#endif
