/* SPDX-License-Identifier: MIT */
/*
 * Execute-only memory: what an EPT violation means for the guest, and the #PF that it gets.
 */
#include <hyp/xom.h>

#define INSTRUCTION_BYTES 15u

/* What the guest did, as its #PF has to tell it. */
struct cause {
    hyp_va_t linear;
    uint32_t access; /* one of enum hyp_xom_access; 0: not found out */
};

/* The kind of the access that violated. A read-modify-write counts as a write. */
static uint32_t kind_of(uint64_t qualification)
{
    if (qualification & HYP_EPT_QUAL_FETCH)
        return HYP_XOM_FETCH;
    return qualification & HYP_EPT_QUAL_WRITE ? HYP_XOM_WRITE : HYP_XOM_READ;
}

static unsigned int operands_of(const struct hyp_xom *xom, const struct hyp_xom_exit *exit,
                                struct hyp_xom_operand *operands)
{
    unsigned int count;

    if (!xom->port.linear_address)
        return 0;
    count = xom->port.linear_address(xom->port.ctx, exit, operands);
    HYP_ASSERT(xom->pgt->port, count <= HYP_XOM_OPERANDS);
    return count;
}

/* What the CPU may have touched: the operands, or for a fetch the instruction. */
static unsigned int candidates_of(const struct hyp_xom *xom, const struct hyp_xom_exit *exit,
                                  struct hyp_xom_operand *operands)
{
    if (kind_of(exit->qualification) != HYP_XOM_FETCH)
        return operands_of(xom, exit, operands);
    operands[0] = (struct hyp_xom_operand){exit->rip, INSTRUCTION_BYTES, HYP_XOM_FETCH};
    return 1;
}

bool hyp_xom_operand_at(const struct hyp_xom_operand *operand, hyp_ipa_t gpa, hyp_va_t *linear)
{
    const uint64_t ahead = (gpa.v - operand->linear.v) & 0xfff;

    if (ahead >= operand->size)
        return false;
    *linear = hyp_va(operand->linear.v + ahead);
    return true;
}

/* The page is right, or nobody can tell. */
static bool page_agrees(const struct hyp_xom *xom, hyp_va_t linear, hyp_ipa_t gpa)
{
    hyp_ipa_t found;

    if (!xom->port.translate)
        return true;
    return xom->port.translate(xom->port.ctx, linear, &found) && found.v >> 12 == gpa.v >> 12;
}

/* Bit 7 clear: the one address among the operands that fits. Two that fit are none. */
static struct cause decoded(const struct hyp_xom *xom, const struct hyp_xom_exit *exit)
{
    const uint32_t access = kind_of(exit->qualification);
    struct hyp_xom_operand operands[HYP_XOM_OPERANDS];
    const unsigned int count = candidates_of(xom, exit, operands);
    struct cause cause = {.access = 0};

    for (unsigned int i = 0; i < count; i++) {
        hyp_va_t linear;

        if (!(operands[i].access & access) || !hyp_xom_operand_at(&operands[i], exit->gpa, &linear))
            continue;
        if (!page_agrees(xom, linear, exit->gpa))
            continue;
        if (cause.access && cause.linear.v != linear.v)
            return (struct cause){.access = 0};
        cause = (struct cause){.linear = linear, .access = access};
    }
    return cause;
}

/* A walk for a known linear address: what was it needed for? */
static struct cause walked(const struct hyp_xom *xom, const struct hyp_xom_exit *exit)
{
    struct hyp_xom_operand operands[HYP_XOM_OPERANDS];
    const unsigned int count = operands_of(xom, exit, operands);
    struct cause cause = {.linear = exit->linear, .access = 0};

    for (unsigned int i = 0; i < count && !cause.access; i++) {
        if (exit->linear.v - operands[i].linear.v < operands[i].size)
            cause.access = operands[i].access;
    }
    if (cause.access)
        cause.access = cause.access & HYP_XOM_WRITE ? HYP_XOM_WRITE : HYP_XOM_READ;
    else if (exit->linear.v - exit->rip.v < INSTRUCTION_BYTES)
        cause.access = HYP_XOM_FETCH;
    return cause;
}

static struct cause cause_of(const struct hyp_xom *xom, const struct hyp_xom_exit *exit)
{
    if (!(exit->qualification & HYP_EPT_QUAL_LINEAR))
        return decoded(xom, exit);
    if (!(exit->qualification & HYP_EPT_QUAL_FINAL))
        return walked(xom, exit);
    return (struct cause){.linear = exit->linear, .access = kind_of(exit->qualification)};
}

static struct hyp_xom_decision fault(const struct hyp_xom_exit *exit, const struct cause *cause,
                                     uint32_t code)
{
    if (!cause->access)
        return (struct hyp_xom_decision){.verdict = HYP_XOM_DECODE};
    code |= HYP_PF_P;
    if (cause->access == HYP_XOM_WRITE)
        code |= HYP_PF_W;
    if (cause->access == HYP_XOM_FETCH && exit->tells_fetch)
        code |= HYP_PF_I;
    if (exit->cpl == 3)
        code |= HYP_PF_U;
    return (struct hyp_xom_decision){.verdict = HYP_XOM_INJECT, .cr2 = cause->linear, .code = code};
}

struct hyp_xom_decision hyp_xom_violation(const struct hyp_xom *xom,
                                          const struct hyp_xom_exit *exit)
{
    const bool reserved = (exit->gpa.v & hyp_xom_reserved(xom)) != 0;
    struct cause cause;

    if (exit->qualification & HYP_EPT_QUAL_ASYNC)
        return (struct hyp_xom_decision){.verdict = HYP_XOM_NOT_OURS};
    if (!reserved &&
        (kind_of(exit->qualification) == HYP_XOM_FETCH || !hyp_xom_is_alias(xom, exit->gpa)))
        return (struct hyp_xom_decision){.verdict = HYP_XOM_NOT_OURS};
    cause = cause_of(xom, exit);
    return fault(exit, &cause, reserved ? HYP_PF_RSVD : 0);
}
