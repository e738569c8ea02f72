/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core on its reference port, in VMX root operation of an emulated PC: what a user of the
 * exported core writes around it. The host (kernel.c) is a virtual machine from its first
 * instruction on, boots the hypervisor by hypercall, and checks what it may still touch. Console
 * and verdict leave by the serial port.
 *
 * Seeded faults, of which each must make the verdict FAIL. Bochs drops all that it has cached of
 * guests at each exit, so that an INVEPT too few is noticed by no one there (the simulator's TLBs
 * are for that); what it does keep until the next exit are translations of the hypervisor's own:
 *   BARE_FAULT 1   TLB maintenance does nothing: the hypervisor still reaches a page that it gave
 *                  back, and of two pages wiped in one exit the second is not, for the fixmap
 *                  still shows the first
 *   BARE_FAULT 2   pages that only the fixmap shows, those of guests, are not wiped
 * BARE_POOR is no fault, but a CPU that is said to have neither large nor execute-only pages in
 * EPT, nor accessed and dirty bits.
 */
#include <hyp/ept.h>
#include <hyp/hcall.h>

#include "hyp/port/x86_insn.h"
#include "hyp/port/x86_vmx.h"
#include "tests/bare/console.h"
#include "tests/bare/x86/checks.h"
#include "tests/bare/x86/image.h"
#include "tests/bare/x86/vmx.h"

#define VMS           2u
#define COM1          0x3f8
#define SHUTDOWN_PORT 0x8900
#define MSR_PAT       0x277u
#define MSR_EPT_CAP   0x48cu
#define PAT_BOOT      0x0107040600070406u /* not what the core uses: entry 7 is write-combining */
#define PAT_CORE      0x0007040600070406u /* as it comes out of reset (SDM vol. 3, table 12-12) */
#define LUXURY        (HYP_EPT_CAP_2M | HYP_EPT_CAP_1G | HYP_EPT_CAP_AD | HYP_EPT_CAP_XONLY)

_Noreturn void root_broken(uint64_t vector, uint64_t first, uint64_t second, uint64_t cr2);
_Noreturn void main(void);
bool reaches(const void *va);

extern char image_text[], image_rodata[], image_data[], image_data_end[], image_bss[], image_end[];
extern const uint8_t vectors[];
extern const uint64_t kernel_entry, kernel_root; /* the host's first instruction, its CR3 */

static uint8_t vmxon_page[4096] __attribute__((aligned(4096)));
static uint8_t vmcs_page[4096] __attribute__((aligned(4096)));
static struct hyp hyp;
static struct vmx_port vmx;
static struct hyp_vm vms[VMS];
static struct vmx_machine host, guest;
static unsigned int asked;                /* checks of the host */
static unsigned int told[HYP_TLBI_COUNT]; /* invalidations that other CPUs would have heard of */

/* ---- console and verdict ---- */

static void out(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void wait_for_uart(uint8_t bit)
{
    uint8_t status = 0;

    while (!(status & bit))
        __asm__ volatile("inb %1, %0" : "=a"(status) : "Nd"((uint16_t)(COM1 + 5)));
}

/* 115200 baud, 8 bits, no parity, no interrupts. */
static void start_uart(void)
{
    out(COM1 + 1, 0);
    out(COM1 + 3, 0x80);
    out(COM1 + 0, 1);
    out(COM1 + 1, 0);
    out(COM1 + 3, 3);
}

void print(const char *text)
{
    for (; *text; text++) {
        wait_for_uart(0x20); /* room for a byte */
        out(COM1, (uint8_t)*text);
    }
}

static _Noreturn void end(const char *verdict)
{
    print(verdict);
    wait_for_uart(0x40); /* all is sent */
    for (const char *text = "Shutdown"; *text; text++)
        out(SHUTDOWN_PORT, (uint8_t)*text);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static _Noreturn void broken(const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    print(what), print(": ");
    print_hex(a), print(" "), print_hex(b), print(" "), print_hex(c);
    end("\nbare: FAIL\n");
}

_Noreturn void root_broken(uint64_t vector, uint64_t first, uint64_t second, uint64_t cr2)
{
    print("vector "), print_hex(vector);
    broken(" in root operation: stack, CR2", first, second, cr2);
}

static void panic(void *ctx, const char *what, const char *file, int line)
{
    (void)ctx, (void)line;
    print(file), print(": panic: "), print(what);
    end("\nbare: FAIL\n");
}

/* ---- the port, and what is seeded ---- */

/* There is one CPU: nobody to be told. */
static void tell_others(struct vmx_port *port, const struct hyp_tlb_inv *inv)
{
    (void)port;
    told[inv->op]++;
}

static void no_tlb_inv(void *ctx, const struct hyp_tlb_inv *inv)
{
    tell_others(ctx, inv);
}

static void no_wipe(void *ctx, hyp_pa_t page, uint64_t size)
{
    char *start = (char *)(uintptr_t)(page.v + LINEAR_BIAS);

    (void)ctx;
    for (uint64_t i = 0; page.v != hyp.fixmap_pa.v && i < size; i++)
        ((volatile char *)start)[i] = 0;
}

static void start_port(void)
{
    vmx_port_init(&vmx, &hyp, 0 - (uint64_t)LINEAR_BIAS);
    vmx.tell_others = tell_others;
    vmx.port.panic = panic;
    if (BARE_FAULT == 1)
        vmx.port.tlb_inv = no_tlb_inv;
    if (BARE_FAULT == 2)
        vmx.port.page_zero = no_wipe;
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

static unsigned int physical_bits(void)
{
    uint32_t a = 0x80000008, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return a & 0xff;
}

/* Interrupt gates of ring 0 (SDM vol. 3, 6.14.1). */
static void set_gates(void)
{
    static uint64_t idt[32][2];
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    for (unsigned int i = 0; i < 32; i++) {
        const uint64_t entry = (uint64_t)(uintptr_t)(vectors + UINT64_C(16) * i);

        idt[i][0] = (entry & 0xffff) | UINT64_C(0x08) << 16 | UINT64_C(0x8e) << 40 |
                    (entry >> 16 & 0xffff) << 48;
        idt[i][1] = entry >> 32;
    }
    __asm__ volatile("lidt %0" : : "m"(idtr));
}

/* `host_s2_pages` is 0 for as many as the host needs. */
static void configure(uint64_t host_s2_pages)
{
    static const struct hyp_region ram[] = {{{0}, LOW_SIZE, false},
                                            {{HIGH_BASE}, HIGH_SIZE, false}};
    static struct hyp_section sections[4];
    struct hyp_config config = {
        .port = &vmx.port,
        .arch = HYP_ARCH_X86,
        .pa_bits = physical_bits(),
        .ept_cap = x86_rdmsr(MSR_EPT_CAP) & ~(BARE_POOR ? LUXURY : 0),
        .page_shift = 12,
        .cpu_count = 1,
        .regions = ram,
        .region_count = 2,
        .sections = sections,
        .section_count = 4,
        .pool = {POOL_BASE},
        .vms = vms,
        .vm_count = VMS,
        .host_policy = hyp_host_policy_default(),
        .host_s2_pages = host_s2_pages,
        .boot_root = {HYP_ROOT_EL2_STAGE1, {X86_READ_CR(3)}, X86_READ_CR(3), x86_rdmsr(MSR_PAT), 0},
    };
    struct hyp_carve carve;
    struct hyp_layout layout;

    sections[0] = section(HYP_SECTION_TEXT, image_text, image_rodata);
    sections[1] = section(HYP_SECTION_RODATA, image_rodata, image_data);
    sections[2] = section(HYP_SECTION_DATA, image_data, image_data_end);
    sections[3] = section(HYP_SECTION_BSS, image_bss, image_end);
    hyp_boot_carve(&config, &carve);
    config.pool_pages = hyp_boot_pool_pages(&carve);
    check("the layout is the one that was linked for",
          hyp_boot_layout(&config, &layout) == HYP_OK &&
              layout.physvirt_offset == 0 - (uint64_t)LINEAR_BIAS,
          layout.physvirt_offset);
    config.vmemmap = (struct hyp_page *)(uintptr_t)layout.vmemmap_base;
    check("the configuration is taken", hyp_init(&hyp, &config) == HYP_OK, 0);
}

/* With two pages for the host's table boot fails after it has switched to its own. */
static void fail_to_boot(void)
{
    const uint64_t cr3 = X86_READ_CR(3);

    start_port();
    configure(2);
    check("a boot without memory fails, on the old root",
          hyp_boot(&hyp) == HYP_ENOMEM && X86_READ_CR(3) == cr3 && x86_rdmsr(MSR_PAT) == PAT_BOOT &&
              !vmx.switched,
          X86_READ_CR(3));
}

/* ---- guests ---- */

static void exit_to_host(uint64_t how, uint64_t value, uint64_t more)
{
    host.x[0] = how;
    host.x[1] = value;
    host.x[2] = more;
}

/* True when the hypervisor has answered and the guest goes on. */
static bool guest_calls(struct hyp_vcpu *vcpu)
{
    struct hyp_guest_regs regs = {.x = {guest.x[0], guest.x[7], guest.x[4], guest.x[3]}};

    vmx_step();
    regs.pc = x86_vmread(VMX_RIP);
    if (hyp_guest_hcall(&hyp, vcpu, &regs) == HYP_GUEST_RESUME) {
        guest.x[0] = regs.x[0];
        return true;
    }
    (void)x86_vmwrite(VMX_RIP, regs.pc);
    exit_to_host(RUN_CALLED, guest.x[7], 0);
    return false;
}

static void start_guest(const struct hyp_vcpu *vcpu)
{
    const struct hyp_root root = hyp_vm_root(&hyp, vcpu->vm);

    vmx_make_guest(&guest, vcpu->meta, GUEST_CODE);
    vmx.port.root_set(&vmx, &root);
}

static void run_guest(void)
{
    struct hyp_vcpu *vcpu = hyp_vcpu_loaded(&hyp, 0);
    uint32_t reason;

    if (!vcpu) {
        exit_to_host((uint64_t)(int64_t)HYP_EINVAL, 0, 0);
        return;
    }
    if (guest.vmcs.v)
        vmx_make_current(&guest);
    else
        start_guest(vcpu);
    do
        reason = vmx_run(&guest);
    while (reason == VMX_EXIT_VMCALL && guest_calls(vcpu));
    if (reason == VMX_EXIT_EPT_VIOLATION) {
        vcpu->fault_esr = x86_vmread(VMX_QUAL);
        vcpu->fault_ipa = hyp_ipa(x86_vmread(VMX_GPA));
        exit_to_host(RUN_FAULTED, vcpu->fault_ipa.v, vcpu->fault_esr);
    } else if (reason != VMX_EXIT_VMCALL) {
        broken("exit of a guest: reason, RIP, qualification", reason, x86_vmread(VMX_RIP),
               x86_vmread(VMX_QUAL));
    }
    vmx_make_current(&host);
}

/* The vCPU's page may be taken from now on. */
static void forget_guest(void)
{
    if (guest.vmcs.v)
        vmx_clear(&guest);
    guest.vmcs = hyp_pa(0);
    vmx_make_current(&host);
}

/* ---- what the host asks for ---- */

static _Noreturn void finish(void)
{
    struct hyp_violation violation = {NULL, 0};
    const bool sound = hyp_check(&hyp, HIGH_BASE >> 12, HIGH_SIZE >> 12, &violation);

    check(sound ? "all tables agree on who owns what" : violation.what, sound, violation.pfn);
    check("other CPUs would have been told", told[HYP_TLBI_INVEPT] && told[HYP_TLBI_INVLPG_ALL],
          told[HYP_TLBI_INVEPT]);
    print(checks_failed() ? "some checks failed\n" : "");
    end(checks_failed() || asked != CHECK_COUNT ? "bare: FAIL\n" : "bare: PASS\n");
}

/* The old root had all memory, by global entries. */
static void boot_core(uint64_t *x)
{
    const void *page = (const void *)(uintptr_t)hyp_linear_va(&hyp, hyp_pa(ARENA)).v;
    const bool before = reaches(page);

    x[0] = (uint64_t)hyp_hcall(&hyp, 0, HYP_HCALL_BOOT, &x[1]);
    check("the hypervisor reaches its own memory only, with its own PAT",
          before && !reaches(page) && x86_rdmsr(MSR_PAT) == PAT_CORE, x86_rdmsr(MSR_PAT));
}

static void give_back(uint64_t *x)
{
    const void *page = (const void *)(uintptr_t)hyp_linear_va(&hyp, hyp_pa(x[1] << 12)).v;
    const bool before = reaches(page);

    x[0] = (uint64_t)(int64_t)hyp_hyp_donate_host(&hyp, x[1], x[2]);
    x[1] = before;
    x[2] = reaches(page);
}

static int64_t reclaim_two(hyp_handle_t handle, uint64_t gfn)
{
    const int64_t first = hyp_vm_reclaim_page(&hyp, handle, gfn);

    return first ? first : hyp_vm_reclaim_page(&hyp, handle, gfn + 1);
}

static void host_calls(void)
{
    static const char *const names[] = {CHECKS(CHECK_TEXT)};
    uint64_t *x = host.x;

    switch (x[0]) {
    case CALL_CHECK:
        asked++;
        check(x[1] < CHECK_COUNT ? names[x[1]] : "a check", x[1] < CHECK_COUNT && x[2], x[3]);
        return;
    case CALL_GIVE_BACK:
        give_back(x);
        return;
    case CALL_ADDRESSES:
        x[1] = pa_of(image_text).v;
        x[2] = pa_of(image_data).v;
        return;
    case CALL_RUN:
        run_guest();
        return;
    case CALL_RECLAIM_TWO:
        x[0] = (uint64_t)reclaim_two((hyp_handle_t)x[1], x[2]);
        return;
    case CALL_PEEK:
        x[0] = *(volatile uint32_t *)(uintptr_t)x[1];
        return;
    case CALL_XONLY:
        x[0] = (hyp.ept_cap & HYP_EPT_CAP_XONLY) != 0;
        return;
    case CALL_END:
        finish();
    case HYP_HCALL_BOOT:
        if (hyp.booted)
            break;
        boot_core(x);
        return;
    case HYP_HCALL_VCPU_PUT:
        forget_guest();
        break;
    }
    x[0] = (uint64_t)hyp_hcall(&hyp, 0, x[0], &x[1]);
}

/* An exit that came while a fault was being delivered to the host (its stack or descriptor tables
 * were touched for the first time) delivers it after all. */
static void host_violates(void)
{
    const struct hyp_ept_exit exit = {
        .qualification = x86_vmread(VMX_QUAL),
        .gpa = {x86_vmread(VMX_GPA)},
        .linear = {x86_vmread(VMX_LINEAR)},
        .cpl = x86_vmread(VMX_SS_RIGHTS) >> 5 & 3,
        .tells_fetch = true,
    };
    struct hyp_host_exception exception;

    const bool injected = hyp_host_violation(&hyp, &exit, &exception) == HYP_HOST_INJECTED;
    if (vmx_redeliver()) {
        if (injected)
            broken("the host cannot take its faults: address, gpa, qualification", exit.linear.v,
                   exit.gpa.v, exit.qualification);
    } else if (injected) {
        X86_WRITE_CR(2, exception.cr2.v);
        vmx_inject(exception.vector, exception.code);
    }
}

_Noreturn void main(void)
{
    start_uart();
    x86_wrmsr(MSR_PAT, PAT_BOOT);
    set_gates();
    check("this is VMX root operation", vmx_on(pa_of(vmxon_page)), 0);
    fail_to_boot();
    start_port();
    configure(0);
    vmx_make_kernel(&host, pa_of(vmcs_page), kernel_entry, kernel_root);
    for (;;) {
        const uint32_t reason = vmx_run(&host);

        switch (reason) {
        case VMX_EXIT_VMCALL:
            vmx_step();
            host_calls();
            break;
        case VMX_EXIT_EPT_VIOLATION:
            host_violates();
            break;
        default:
            broken("exit of the host: reason, RIP, VM-instruction error", reason,
                   x86_vmread(VMX_RIP), x86_vmread(0x4400));
        }
    }
}
