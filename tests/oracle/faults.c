/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/faults.h"

#include <hyp/bits.h>

#include "mmu/dec_arm64.h"
#include "mmu/dec_x86.h"
#include "mmu/walk_priv.h"

/* The sanitizer asks for it: Unicorn 2.1.1 loses 32 bytes of its own with each engine. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libunicorn\n";
}

static enum oracle_fault *seeded(void)
{
    static enum oracle_fault one;

    return &one;
}

void oracle_seed_fault(enum oracle_fault fault)
{
    *seeded() = fault;
}

static bool is(enum oracle_fault fault)
{
    return *seeded() == fault;
}

/* ---- arm64 ---- */

struct mmu_dec __real_mmu_dec_arm64_s1(const struct mmu_ctx *ctx, const struct mmu_tree *tree,
                                       uint64_t desc, unsigned int level, unsigned int limits);
struct mmu_dec __wrap_mmu_dec_arm64_s1(const struct mmu_ctx *ctx, const struct mmu_tree *tree,
                                       uint64_t desc, unsigned int level, unsigned int limits);
struct mmu_dec __real_mmu_dec_arm64_s2(const struct mmu_ctx *ctx, uint64_t desc,
                                       unsigned int level);
struct mmu_dec __wrap_mmu_dec_arm64_s2(const struct mmu_ctx *ctx, uint64_t desc,
                                       unsigned int level);
void __real_mmu_regs_arm64(struct mmu_ctx *ctx, enum mmu_regime regime,
                           const struct mmu_arm64_regs *regs);
void __wrap_mmu_regs_arm64(struct mmu_ctx *ctx, enum mmu_regime regime,
                           const struct mmu_arm64_regs *regs);
bool __real_mmu_walk_run(struct mmu_walk *walk);
bool __wrap_mmu_walk_run(struct mmu_walk *walk);

struct mmu_dec __wrap_mmu_dec_arm64_s1(const struct mmu_ctx *ctx, const struct mmu_tree *tree,
                                       uint64_t desc, unsigned int level, unsigned int limits)
{
    struct mmu_dec dec =
        __real_mmu_dec_arm64_s1(ctx, tree, desc, level, is(FAULT_S1_IGNORES_APTABLE) ? 0 : limits);

    if (is(FAULT_S1_IGNORES_AF))
        dec.af = true;
    return dec;
}

struct mmu_dec __wrap_mmu_dec_arm64_s2(const struct mmu_ctx *ctx, uint64_t desc, unsigned int level)
{
    struct mmu_dec dec = __real_mmu_dec_arm64_s2(ctx, desc, level);

    if (is(FAULT_S2_WRITES_READ_ONLY) && (dec.perm & MMU_PERM_PR))
        dec.perm |= MMU_PERM_W;
    return dec;
}

void __wrap_mmu_regs_arm64(struct mmu_ctx *ctx, enum mmu_regime regime,
                           const struct mmu_arm64_regs *regs)
{
    struct mmu_arm64_regs changed = *regs;

    if (is(FAULT_S1_IGNORES_EPD))
        changed.tcr &= ~(HYP_BIT(7) | HYP_BIT(23));
    if (is(FAULT_S1_KEEPS_HPD))
        changed.tcr &= ~(HYP_BIT(41) | HYP_BIT(42));
    __real_mmu_regs_arm64(ctx, regime, &changed);
    if (is(FAULT_S2_HAS_ONE_ROOT) && ctx->s2_on) {
        unsigned int most = hyp_level_shift(ctx->s2.page_shift, ctx->s2.start_level + 1u);
        ctx->s2.ia_bits = (uint8_t)(ctx->s2.ia_bits < most ? ctx->s2.ia_bits : most);
    }
}

bool __wrap_mmu_walk_run(struct mmu_walk *walk)
{
    bool done = __real_mmu_walk_run(walk);

    if (!done && walk->stage == 2 && is(FAULT_S2_LEVEL_ONE_OFF))
        walk->level++;
    if (!done && is(FAULT_S2_HIDES_TABLE_READ))
        walk->s1ptw = false;
    return done;
}

/* ---- x86 ---- */

struct mmu_x86_dec __real_mmu_dec_x86(const struct mmu_ctx *ctx, uint64_t entry,
                                      unsigned int level);
struct mmu_x86_dec __wrap_mmu_dec_x86(const struct mmu_ctx *ctx, uint64_t entry,
                                      unsigned int level);
struct mmu_x86_dec __real_mmu_dec_ept(const struct mmu_ctx *ctx, uint64_t entry,
                                      unsigned int level);
struct mmu_x86_dec __wrap_mmu_dec_ept(const struct mmu_ctx *ctx, uint64_t entry,
                                      unsigned int level);
bool __real_mmu_walk_nested(struct mmu_walk *walk, uint64_t gpa, unsigned int need, bool table,
                            struct mmu_leaf *leaf);
bool __wrap_mmu_walk_nested(struct mmu_walk *walk, uint64_t gpa, unsigned int need, bool table,
                            struct mmu_leaf *leaf);

struct mmu_x86_dec __wrap_mmu_dec_x86(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level)
{
    struct mmu_x86_dec dec = __real_mmu_dec_x86(ctx, entry, level);

    if (is(FAULT_X86_IGNORES_RESERVED) && dec.kind == MMU_X86_BAD)
        dec = __real_mmu_dec_x86(ctx, entry & ~ctx->reserved[0] & ~HYP_MASK(29, 13), level);
    if (is(FAULT_X86_IGNORES_TABLE_RIGHTS) && dec.kind == MMU_X86_TABLE)
        dec.perm = MMU_PERM_ALL;
    if (is(FAULT_X86_IGNORES_XD))
        dec.perm |= (dec.perm & MMU_PERM_UR) ? MMU_PERM_PX | MMU_PERM_UX : MMU_PERM_PX;
    return dec;
}

struct mmu_x86_dec __wrap_mmu_dec_ept(const struct mmu_ctx *ctx, uint64_t entry, unsigned int level)
{
    struct mmu_x86_dec dec = __real_mmu_dec_ept(ctx, entry, level);

    if (is(FAULT_EPT_ALLOWS_WRITE_ONLY) && dec.kind == MMU_X86_BAD && !(entry & 1)) {
        dec = __real_mmu_dec_ept(ctx, entry | 1, level);
        dec.perm &= (uint8_t) ~(MMU_PERM_PR | MMU_PERM_UR);
    }
    if (is(FAULT_EPT_EXECUTES_READABLE) && (dec.perm & MMU_PERM_PR))
        dec.perm |= MMU_PERM_PX | MMU_PERM_UX;
    if (is(FAULT_EPT_IGNORES_TABLE_RIGHTS) && dec.kind == MMU_X86_TABLE)
        dec.perm = MMU_PERM_ALL;
    return dec;
}

bool __wrap_mmu_walk_nested(struct mmu_walk *walk, uint64_t gpa, unsigned int need, bool table,
                            struct mmu_leaf *leaf)
{
    if (table && is(FAULT_EPT_TABLE_READS_NEED_NO_WRITE))
        need &= ~MMU_PERM_W;
    return __real_mmu_walk_nested(walk, gpa, need, table, leaf);
}
