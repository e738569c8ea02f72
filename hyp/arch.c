/* SPDX-License-Identifier: MIT */
/*
 * What differs between the machines outside entry formats and TLB maintenance: limits of a
 * configuration, which format and features a table gets, and the roots that CPUs are given.
 */
#include "hyp/hyp_priv.h"

#include <hyp/ept.h>
#include <hyp/esr.h>

/* Physical address bits by ID_AA64MMFR0_EL1.PARange (DDI 0487 D17.2.64). */
static const uint8_t pa_bits_of_range[] = {32, 36, 40, 42, 44, 48, 52};

/* x86: what VTCR_EL2 and TCR_EL2 stand for on arm64 is in EPTP, and CR3 stands alone. */
static bool is_x86(const struct hyp *hyp)
{
    return hyp->arch == HYP_ARCH_X86;
}

/* ---- configuration ---- */

/* 52 bits need a descriptor that can say them: 64K granule, or LPA2 with the others. */
static unsigned int pa_bits_arm64(const struct hyp_config *config)
{
    unsigned int bits = pa_bits_of_range[config->features.pa_range];
    bool is_wide = config->page_shift == 16 || config->features.lpa2;

    return bits > 48 && !is_wide ? 48 : bits;
}

/* There are CPUs of 52 bits with EPT of 4 levels: what lies above 48 cannot be mapped then. */
static unsigned int pa_bits_x86(const struct hyp_config *config)
{
    unsigned int bits =
        config->pa_bits ? config->pa_bits : pa_bits_of_range[config->features.pa_range];

    return bits > 48 && !(config->ept_cap & HYP_EPT_CAP_5_LEVELS) ? 48 : bits;
}

unsigned int hyp_arch_pa_bits(const struct hyp_config *config)
{
    if (config->features.pa_range >= sizeof(pa_bits_of_range))
        return 0;
    return config->arch == HYP_ARCH_X86 ? pa_bits_x86(config) : pa_bits_arm64(config);
}

static bool valid_x86(const struct hyp_config *config)
{
    unsigned int bits = hyp_arch_pa_bits(config);
    struct hyp_ept_needs needs = hyp_ept_best(config->ept_cap, bits);

    /* Linear addresses of 48 bits are sign-extended; 47 bits stay below the hole. */
    return config->page_shift == 12 && bits >= 32 && bits <= 52 && config->va_bits <= 47 &&
           hyp_ept_check(config->ept_cap, &needs) == HYP_EPT_LACKS_NOTHING;
}

bool hyp_arch_config_valid(const struct hyp_config *config)
{
    if (!hyp_arch_pa_bits(config))
        return false;
    if (config->arch == HYP_ARCH_X86)
        return valid_x86(config);
    return config->arch == HYP_ARCH_ARM64 && !(config->features.lpa2 && config->page_shift == 16);
}

unsigned int hyp_config_va_bits(const struct hyp_config *config)
{
    if (config->va_bits)
        return config->va_bits;
    return config->arch == HYP_ARCH_X86 ? 47 : 48;
}

/* ---- tables ---- */

static unsigned int ept_block_level(const struct hyp *hyp)
{
    return hyp_ept_best(hyp->ept_cap, hyp->pa_bits).max_block_level;
}

void hyp_arch_s1(const struct hyp *hyp, struct hyp_pgt_config *config)
{
    const struct hyp_features *features = &hyp->features;

    config->fmt = is_x86(hyp) ? &hyp_fmt_x86 : &hyp_fmt_arm64_s1;
    config->pa_bits = hyp->pa_bits;
    /* A CPU whose EPT has no 1 GiB pages is taken to have none in its own tables either. */
    config->max_block_level = is_x86(hyp) && ept_block_level(hyp) < 2 ? 1 : 2;
    if (!is_x86(hyp))
        config->flags |= (features->hvhe ? HYP_PGT_HVHE : 0) | (features->lpa2 ? HYP_PGT_LPA2 : 0);
}

void hyp_arch_s2(const struct hyp *hyp, struct hyp_pgt_config *config)
{
    const struct hyp_features *features = &hyp->features;

    config->pa_bits = hyp->pa_bits;
    if (is_x86(hyp)) {
        unsigned int most = ept_block_level(hyp);

        config->fmt = &hyp_fmt_ept;
        config->flags |= hyp->ept_cap & HYP_EPT_CAP_XONLY ? HYP_PGT_EPT_XONLY : 0;
        if (config->max_block_level > most)
            config->max_block_level = most;
        return;
    }
    config->fmt = &hyp_fmt_arm64_s2;
    config->flags |= (features->fwb ? HYP_PGT_FWB : 0) |
                     (features->range_tlbi ? HYP_PGT_RANGE_TLBI : 0) |
                     (features->xnx ? HYP_PGT_XNX : 0) | (features->lpa2 ? HYP_PGT_LPA2 : 0);
}

hyp_prot_t hyp_arch_device_prot(const struct hyp *hyp)
{
    /* arm64's stage 1 says what is device memory; on x86 MTRRs do, and EPT stands in for them. */
    return is_x86(hyp) ? HYP_PROT_RW | HYP_PROT_DEVICE : HYP_PROT_RW;
}

/* ---- roots ---- */

/* Memory types by index, as hyp stage 1 uses them: 0 normal write-back, 2 normal non-cacheable,
 * 3 device nGnRnE, 4 device nGnRE (DDI 0487 D17.2.97 MAIR_EL2). */
#define MAIR_EL2 (UINT64_C(0xff) | UINT64_C(0x44) << 16 | UINT64_C(0x04) << 32)

/* IA32_PAT as it comes out of reset (Intel SDM vol. 3, table 12-12). */
#define PAT_RESET UINT64_C(0x0007040600070406)

/* TCR_EL2 (DDI 0487 D17.2.139): walks are inner shareable write-back. */
static uint64_t tcr_el2(const struct hyp *hyp)
{
    uint64_t granule = hyp->page_shift == 12 ? 0 : hyp->page_shift == 16 ? 1 : 2;
    uint64_t tcr = HYP_BIT(31) | HYP_BIT(23); /* RES1 */

    tcr |= hyp_field(HYP_MASK(5, 0), 64 - hyp->va_bits);
    tcr |= hyp_field(HYP_MASK(9, 8), 1) | hyp_field(HYP_MASK(11, 10), 1);
    tcr |= hyp_field(HYP_MASK(13, 12), 3) | hyp_field(HYP_MASK(15, 14), granule);
    tcr |= hyp_field(HYP_MASK(18, 16), hyp->features.pa_range);
    return hyp->features.lpa2 ? tcr | HYP_BIT(32) : tcr;
}

struct hyp_root hyp_arch_s1_root(const struct hyp *hyp)
{
    struct hyp_root root = {.kind = HYP_ROOT_EL2_STAGE1, .pgd = hyp->s1.root};

    root.tcr = is_x86(hyp) ? hyp->s1.root.v : tcr_el2(hyp);
    root.mair = is_x86(hyp) ? PAT_RESET : MAIR_EL2;
    return root;
}

static struct hyp_root s2_root(const struct hyp *hyp, const struct hyp_pgt *pgt)
{
    const struct hyp_features *features = &hyp->features;
    struct hyp_root root = {.kind = HYP_ROOT_STAGE2, .pgd = pgt->root, .vmid = pgt->vmid};

    if (is_x86(hyp))
        root.tcr =
            hyp_ept_eptp(pgt->root, pgt->top_level + 1u, (hyp->ept_cap & HYP_EPT_CAP_AD) != 0);
    else
        root.tcr = hyp_arm64_vtcr(hyp->page_shift, pgt->ia_bits, features->pa_range,
                                  features->vmid16, features->lpa2);
    return root;
}

struct hyp_root hyp_host_root(const struct hyp *hyp)
{
    return s2_root(hyp, &hyp->host.pgt);
}

struct hyp_root hyp_vm_root(const struct hyp *hyp, const struct hyp_vm *vm)
{
    return s2_root(hyp, &vm->pgt);
}

/* On x86 the write of CR3 drops what belongs to the old root (Intel SDM vol. 3, 4.10.4.1). */
void hyp_arch_set_s1_root(const struct hyp *hyp, const struct hyp_root *root)
{
    const struct hyp_port *port = hyp->port;
    struct hyp_tlb_inv inv = {.op = HYP_TLBI_ALLE2, .level = -1};

    if (is_x86(hyp)) {
        port->root_set(port->ctx, root);
        return;
    }
    port->barrier(port->ctx, HYP_DSB_ISHST);
    port->root_set(port->ctx, root);
    port->tlb_inv(port->ctx, &inv);
    port->barrier(port->ctx, HYP_DSB_NSH);
    port->barrier(port->ctx, HYP_ISB);
}

void hyp_arch_set_host_root(const struct hyp *hyp)
{
    const struct hyp_port *port = hyp->port;
    struct hyp_root root = hyp_host_root(hyp);
    struct hyp_tlb_inv inv = {.op = HYP_TLBI_VMALLS12E1, .vmid = root.vmid, .level = -1};

    port->root_set(port->ctx, &root);
    if (is_x86(hyp)) {
        hyp_pgt_flush_all(&hyp->host.pgt);
        return;
    }
    port->tlb_inv(port->ctx, &inv);
    port->barrier(port->ctx, HYP_DSB_NSH);
    port->barrier(port->ctx, HYP_ISB);
}

/* ---- faults and calls of guests ---- */

unsigned int hyp_arch_hcall_bytes(const struct hyp *hyp)
{
    return is_x86(hyp) ? 3 : 4; /* VMCALL; HVC */
}

uint64_t hyp_arch_fault_of_write(const struct hyp *hyp)
{
    if (is_x86(hyp))
        return HYP_EPT_QUAL_WRITE;
    return hyp_field(HYP_ESR_EC, HYP_ESR_EC_DABT_LO) | HYP_ESR_IL | HYP_ESR_WNR | HYP_FSC_TRANS | 3;
}

bool hyp_arch_fault_is_translation(const struct hyp *hyp, uint64_t esr)
{
    return is_x86(hyp) ? !(esr & HYP_EPT_QUAL_RIGHTS) : hyp_esr_is_translation(esr);
}
