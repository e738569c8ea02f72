/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core on its reference port, at EL2 of an emulated machine: what a user of the exported core
 * writes around it. The host (el1.c) runs at EL1 with its MMU off, boots the hypervisor by
 * hypercall as pKVM's host does, and checks what it may still touch. Console and verdict leave by
 * semihosting.
 */
#include <hyp/esr.h>
#include <hyp/hcall.h>

#include "hyp/port/arm64_el2.h"
#include "hyp/port/arm64_insn.h"
#include "tests/bare/arm64/checks.h"
#include "tests/bare/arm64/image.h"
#include "tests/bare/console.h"

#define VMS     2u
#define HCR_RW  HYP_BIT(31)
#define EC_HVC  0x16u
#define EC_IABT 0x20u
#define EC_DABT 0x24u

struct host_state {
    uint64_t x[31];
    uint64_t pc, pstate;
};

void host_enter(struct host_state *state);
_Noreturn void el2_broken(uint64_t esr, uint64_t elr, uint64_t far);
_Noreturn void main(void);

extern char image_text[], image_idmap[], image_rodata[], image_data[], image_end[];

static struct hyp hyp;
static struct el2_port el2;
static struct hyp_vm vms[VMS];
static struct host_state host;
static unsigned int asked; /* checks of the host */

/* ---- console and verdict ---- */

static void semihosting(uint64_t operation, const void *argument)
{
    register uint64_t x0 __asm__("x0") = operation;
    register const void *x1 __asm__("x1") = argument;

    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
}

void print(const char *text)
{
    semihosting(0x04, text);
}

static _Noreturn void end(const char *verdict, unsigned int status)
{
    const uint64_t block[2] = {0x20026, status}; /* the program ended, with this status */

    print(verdict);
    semihosting(0x20, block);
    for (;;)
        ASM("wfi");
}

_Noreturn void el2_broken(uint64_t esr, uint64_t elr, uint64_t far)
{
    print("exception at EL2: ESR, ELR, FAR ");
    print_hex(esr), print(" "), print_hex(elr), print(" "), print_hex(far);
    end("\nbare: FAIL\n", 1);
}

static void panic(void *ctx, const char *what, const char *file, int line)
{
    (void)ctx, (void)line;
    print(file), print(": panic: "), print(what);
    end("\nbare: FAIL\n", 1);
}

/* ---- the seeded fault: maintenance that does nothing must be noticed ---- */

static void no_tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    (void)ctx, (void)inv;
}

/* ---- machine ---- */

static hyp_pa_t pa_of(const void *va)
{
    return hyp_pa((uint64_t)(uintptr_t)va - LINEAR_BIAS);
}

static struct hyp_section section(enum hyp_section_kind kind, const char *from, const char *to)
{
    return (struct hyp_section){kind, pa_of(from), (uint64_t)(to - from)};
}

static struct hyp_features features(void)
{
    const uint64_t mmfr0 = READ(id_aa64mmfr0_el1), mmfr1 = READ(id_aa64mmfr1_el1);
    const uint64_t mmfr2 = READ(s3_0_c0_c7_2), isar0 = READ(id_aa64isar0_el1);

    return (struct hyp_features){
        .pa_range = (unsigned int)(mmfr0 & 0xf) > 5 ? 5 : (unsigned int)(mmfr0 & 0xf),
        .vmid16 = (mmfr1 >> 4 & 0xf) == 2,
        .xnx = (mmfr1 >> 28 & 0xf) != 0,
        .fwb = (mmfr2 >> 40 & 0xf) != 0,
        .range_tlbi = (isar0 >> 56 & 0xf) == 2,
        .no_dic = !(READ(ctr_el0) >> 29 & 1),
    };
}

static void configure(void)
{
    static const struct hyp_region ram = {{RAM_BASE}, RAM_SIZE, false};
    static struct hyp_section sections[5];
    struct hyp_config config = {
        .port = &el2.port,
        .features = features(),
        .page_shift = 12,
        .cpu_count = 1,
        .regions = &ram,
        .region_count = 1,
        .sections = sections,
        .section_count = 4,
        .pool = {POOL_BASE},
        .vms = vms,
        .vm_count = VMS,
        .host_policy = hyp_host_policy_default(),
        .boot_root = {HYP_ROOT_EL2_STAGE1, {READ(ttbr0_el2)}, READ(tcr_el2), READ(mair_el2), 0},
    };
    struct hyp_carve carve;
    struct hyp_layout layout;

    sections[0] = section(HYP_SECTION_TEXT, image_text, image_rodata);
    sections[1] = section(HYP_SECTION_IDMAP, image_idmap, image_text);
    sections[2] = section(HYP_SECTION_RODATA, image_rodata, image_data);
    sections[3] = section(HYP_SECTION_DATA, image_data, image_end);
    el2_port_init(&el2, &hyp, 0 - (uint64_t)LINEAR_BIAS);
    /* The switch of roots runs where both roots have it at its physical address. */
    el2.port.root_set =
        (void (*)(void *, const struct hyp_root *))((uintptr_t)el2.port.root_set - LINEAR_BIAS);
    el2.port.panic = panic;
    if (BARE_SKIP_TLBI)
        el2.port.tlb_inv = no_tlb_inv;
    hyp_boot_carve(&config, &carve);
    config.pool_pages = hyp_boot_pool_pages(&carve);
    check("the layout is the one that was linked for",
          hyp_boot_layout(&config, &layout) == HYP_OK &&
              layout.physvirt_offset == 0 - (uint64_t)LINEAR_BIAS,
          layout.physvirt_offset);
    config.vmemmap_first = RAM_BASE >> 12;
    config.vmemmap = (struct hyp_page *)(uintptr_t)layout.vmemmap_base + config.vmemmap_first;
    check("the configuration is taken", hyp_init(&hyp, &config) == HYP_OK, 0);
    check("this is EL2", READ(CurrentEL) >> 2 == 2, READ(CurrentEL));
}

/* ---- what the host asks for ---- */

static void host_call(void)
{
    static const char *const names[] = {CHECKS(CHECK_TEXT)};
    uint64_t *x = host.x;

    switch (x[0]) {
    case CALL_CHECK:
        asked++;
        check(x[1] < CHECK_COUNT ? names[x[1]] : "a check", x[1] < CHECK_COUNT && x[2], x[3]);
        return;
    case CALL_GIVE_BACK:
        x[0] = (uint64_t)(int64_t)hyp_hyp_donate_host(&hyp, x[1], x[2]);
        return;
    case CALL_ADDRESSES:
        x[1] = pa_of(image_text).v;
        x[2] = pa_of(image_data).v;
        return;
    case CALL_END:
        print(checks_failed() ? "some checks failed\n" : "");
        end(checks_failed() || asked != CHECK_COUNT ? "bare: FAIL\n" : "bare: PASS\n",
            checks_failed() || asked != CHECK_COUNT);
    default:
        x[0] = (uint64_t)hyp_hcall(&hyp, 0, x[0], &x[1]);
    }
}

static void host_aborts(uint64_t esr)
{
    struct hyp_abort abort = {
        .esr = esr,
        .far = READ(far_el2),
        .ipa = {(READ(hpfar_el2) >> 4 << 12) | (READ(far_el2) & 0xfff)},
        .ipa_valid = true,
    };
    struct hyp_host_regs regs = {
        .spsr = host.pstate, .elr = host.pc, .vbar = READ(vbar_el1), .sctlr = READ(sctlr_el1)};

    if (hyp_host_abort(&hyp, &abort, &regs) != HYP_HOST_INJECTED)
        return;
    WRITE(esr_el1, regs.esr_el1);
    WRITE(far_el1, regs.far_el1);
    WRITE(elr_el1, regs.elr_el1);
    WRITE(spsr_el1, regs.spsr_el1);
    host.pc = regs.elr;
    host.pstate = regs.spsr;
}

_Noreturn void main(void)
{
    configure();
    WRITE(hcr_el2, HCR_RW);
    WRITE(sctlr_el1, 0x30d00800); /* RES1: MMU and caches off */
    host.pc = HOST_BASE;          /* the first instruction of el1_entry.S */
    host.pstate = 0x3c5;          /* EL1h, DAIF masked */
    for (;;) {
        uint64_t esr;

        host_enter(&host);
        esr = READ(esr_el2);
        switch (esr >> 26 & 0x3f) {
        case EC_HVC:
            host_call();
            break;
        case EC_DABT:
        case EC_IABT:
            host_aborts(esr);
            break;
        default:
            el2_broken(esr, host.pc, READ(far_el2));
        }
    }
}
