/* SPDX-License-Identifier: MIT */
/* Execute-only memory: what bit M means, to the CPU, to CPUID and in a guest's entries. Slots are
 * in xom_slot.c, violations in xom_fault.c. */
#include <hyp/xom.h>

/* Guest entries (Intel SDM vol. 3, 4.5.4). */
#define PTE_P   HYP_BIT(0)
#define PTE_RW  HYP_BIT(1)
#define PTE_US  HYP_BIT(2)
#define PTE_PWT HYP_BIT(3)
#define PTE_PCD HYP_BIT(4)
#define PTE_PS  HYP_BIT(7)
#define PTE_G   HYP_BIT(8)
#define PTE_XD  HYP_BIT(63)

#define CPUID_WIDTHS      0x80000008u
#define SIGNATURE_FIRST   0x40000000u
#define SIGNATURE_STEP    0x100u
#define SIGNATURE_LAST    0x4000ff00u
#define GUEST_WIDTH_LEAST 36u

enum hyp_xom_lack hyp_xom_check(const struct hyp_xom_cpu *cpu, unsigned int bit)
{
    const bool five = cpu->ept_levels == 5;

    if (cpu->vendor != HYP_XOM_INTEL)
        return HYP_XOM_LACKS_EPT;
    if ((!five && cpu->ept_levels != 4) ||
        !(cpu->ept_cap & (five ? HYP_EPT_CAP_5_LEVELS : HYP_EPT_CAP_4_LEVELS)))
        return HYP_XOM_LACKS_LEVELS;
    if (!(cpu->ept_cap & HYP_EPT_CAP_XONLY))
        return HYP_XOM_LACKS_XONLY;
    if (bit < GUEST_WIDTH_LEAST)
        return HYP_XOM_LACKS_ROOM;
    if (bit > (five ? 51u : 47u))
        return HYP_XOM_LACKS_INPUT;
    return bit < cpu->pa_bits ? HYP_XOM_LACKS_NOTHING : HYP_XOM_LACKS_WIDTH;
}

const char *hyp_xom_lack_text(enum hyp_xom_lack lack)
{
    static const char *const text[HYP_XOM_LACK_COUNT] = {
        [HYP_XOM_LACKS_EPT] = "Nested tables of AMD CPUs have no execute-only pages.",
        [HYP_XOM_LACKS_LEVELS] = "The CPU has no EPT of this depth.",
        [HYP_XOM_LACKS_XONLY] = "The CPU has no execute-only EPT pages.",
        [HYP_XOM_LACKS_ROOM] = "The alias bit leaves the guest less than 36 address bits.",
        [HYP_XOM_LACKS_INPUT] = "EPT of this depth does not translate the alias bit.",
        [HYP_XOM_LACKS_WIDTH] = "The alias bit is reserved on this CPU.",
    };

    return (unsigned int)lack < HYP_XOM_LACK_COUNT ? text[lack] : NULL;
}

static bool table_fits(const struct hyp_pgt *pgt, unsigned int bit)
{
    return pgt && pgt->fmt == &hyp_fmt_ept && pgt->page_shift == 12 && pgt->ia_bits > bit &&
           (pgt->flags & HYP_PGT_EPT_XONLY) && !(pgt->flags & HYP_PGT_IDENTITY);
}

enum hyp_err hyp_xom_init(struct hyp_xom *xom, const struct hyp_xom_config *config)
{
    if (hyp_xom_check(&config->cpu, config->bit) != HYP_XOM_LACKS_NOTHING)
        return HYP_EPERM;
    if (!table_fits(config->pgt, config->bit))
        return HYP_EINVAL;
    if (config->signature < SIGNATURE_FIRST || config->signature > SIGNATURE_LAST ||
        config->signature % SIGNATURE_STEP)
        return HYP_EINVAL;
    *xom = (struct hyp_xom){.pgt = config->pgt,
                            .port = config->port,
                            .slots = config->slots,
                            .slot_count = config->slot_count,
                            .signature = config->signature,
                            .bit = (uint8_t)config->bit};
    for (unsigned int i = 0; i < xom->slot_count; i++)
        xom->slots[i] = (struct hyp_xom_slot){0};
    return HYP_OK;
}

hyp_ipa_t hyp_xom_base(const struct hyp_xom *xom, hyp_ipa_t gpa)
{
    return xom->on ? hyp_ipa(gpa.v & ~HYP_BIT(xom->bit)) : gpa;
}

static const struct hyp_xom_slot *alias_slot(const struct hyp_xom *xom, hyp_ipa_t gpa)
{
    const struct hyp_xom_slot *slot;

    if (!xom->on || !(gpa.v & HYP_BIT(xom->bit)))
        return NULL;
    slot = hyp_xom_slot_of(xom, hyp_xom_base(xom, gpa).v >> 12);
    return slot && (slot->flags & HYP_XOM_EXECONLY) ? slot : NULL;
}

bool hyp_xom_is_alias(const struct hyp_xom *xom, hyp_ipa_t gpa)
{
    return alias_slot(xom, gpa) != NULL;
}

uint64_t hyp_xom_reserved(const struct hyp_xom *xom)
{
    return HYP_MASK(51, 0) & ~(HYP_BIT(xom->bit + (xom->on ? 1u : 0u)) - 1);
}

bool hyp_xom_may_read(const struct hyp_xom *xom, hyp_ipa_t gpa, bool fetch)
{
    if (hyp_xom_is_alias(xom, gpa))
        return fetch;
    return hyp_xom_slot_of(xom, gpa.v >> 12) != NULL;
}

bool hyp_xom_may_write(const struct hyp_xom *xom, hyp_ipa_t gpa)
{
    const struct hyp_xom_slot *slot = hyp_xom_slot_of(xom, gpa.v >> 12);

    return slot && !(slot->flags & HYP_XOM_READONLY);
}

void hyp_xom_cpuid(const struct hyp_xom *xom, uint32_t leaf, struct hyp_xom_cpuid *answer)
{
    const uint32_t feature = xom->signature + HYP_XOM_CPUID_OFFSET;

    if (leaf == CPUID_WIDTHS) {
        answer->eax = (answer->eax & ~0xffu) | xom->bit;
        if ((answer->eax >> 16 & 0xff) > xom->bit)
            answer->eax = (answer->eax & ~0xff0000u) | (uint32_t)xom->bit << 16;
    }
    if (leaf == xom->signature && answer->eax < feature)
        answer->eax = feature;
    if (leaf == feature)
        answer->eax |= HYP_XOM_CPUID_FEATURE;
}

hyp_prot_t hyp_xom_pte_rights(const struct hyp_xom *xom, uint64_t pte)
{
    hyp_prot_t prot = pte & PTE_XD ? 0 : HYP_PROT_X;

    if (!(pte & PTE_P) || (pte & hyp_xom_reserved(xom)))
        return 0;
    if (pte & HYP_BIT(xom->bit)) /* not reserved: on */
        return prot;
    return prot | HYP_PROT_R | (pte & PTE_RW ? HYP_PROT_W : 0);
}

static char *put(char *at, const char *word)
{
    while (*word)
        *at++ = *word++;
    return at;
}

void hyp_xom_pte_text(const struct hyp_xom *xom, uint64_t pte, unsigned int leaf_level,
                      char text[HYP_XOM_PTE_TEXT])
{
    const bool big = leaf_level > 0 && (pte & PTE_PS);
    const bool nr = xom->on && (pte & HYP_BIT(xom->bit));

    text = put(text, pte & PTE_US ? "USR " : "    ");
    text = put(text, pte & PTE_RW ? "RW " : "ro ");
    text = put(text, pte & PTE_PWT ? "PWT " : "    ");
    text = put(text, pte & PTE_PCD ? "PCD " : "    ");
    text = put(text, big ? "PSE " : "    ");
    text = put(text, pte & PTE_G ? "GLB " : "    ");
    text = put(text, pte & PTE_XD ? "NX " : "x  ");
    text = put(text, nr ? "NR" : "r ");
    *text = '\0';
}
