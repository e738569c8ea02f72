/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One virtual machine over EPT that executes one access of each case (SDM vol. 3, 24 to 28). */
#include "image.h"

/* VMCS fields (SDM vol. 3, appendix B). */
enum {
    F_GSEL_ES = 0x0800,
    F_GSEL_TR = 0x080e,
    F_HSEL_ES = 0x0c00,
    F_HSEL_TR = 0x0c0c,
    F_EPTP = 0x201a,
    F_GPA = 0x2400,
    F_LINK = 0x2800,
    F_GEFER = 0x2806,
    F_HEFER = 0x2c02,
    F_PIN = 0x4000,
    F_PROC = 0x4002,
    F_EXC_BITMAP = 0x4004,
    F_EXIT_CTL = 0x400c,
    F_ENTRY_CTL = 0x4012,
    F_PROC2 = 0x401e,
    F_REASON = 0x4402,
    F_EXIT_INTR = 0x4404,
    F_EXIT_ERR = 0x4406,
    F_GLIM_ES = 0x4800,
    F_GLIM_TR = 0x480e,
    F_GAR_ES = 0x4814,
    F_GAR_CS = 0x4816,
    F_GAR_SS = 0x4818,
    F_GAR_LDTR = 0x4820,
    F_GAR_TR = 0x4822,
    F_QUAL = 0x6400,
    F_LINEAR = 0x640a,
    F_GCR0 = 0x6800,
    F_GCR3 = 0x6802,
    F_GCR4 = 0x6804,
    F_GDR7 = 0x681a,
    F_GRIP = 0x681e,
    F_GRFLAGS = 0x6820,
    F_HCR0 = 0x6c00,
    F_HCR3 = 0x6c02,
    F_HCR4 = 0x6c04,
};

enum { EXIT_EXCEPTION = 0, EXIT_VMCALL = 18, EXIT_EPT_VIOLATION = 48, EXIT_EPT_MISCONFIG = 49 };

#define MSR_EFER    0xc0000080u
#define MSR_EPT_CAP 0x48cu
#define CR0_WP      (UINT64_C(1) << 16)
#define CR4_SMEP    (UINT64_C(1) << 20)
#define CR4_SMAP    (UINT64_C(1) << 21)
#define EFER_NXE    (UINT64_C(1) << 11)
#define RFLAGS_AC   (UINT64_C(1) << 18)
/* Execute-only, 4 levels, write-back, 1G leaves, accessed and dirty flags. */
#define CAP_REQUIRED UINT64_C(0x224041)

static uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

#define CONTROL_REGISTER(n)                                                                        \
    static uint64_t read_cr##n(void)                                                               \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value));                                      \
        return value;                                                                              \
    }
CONTROL_REGISTER(0)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)

static uint64_t vmread(uint64_t field)
{
    uint64_t value;

    __asm__ volatile("vmread %1, %0" : "=rm"(value) : "r"(field) : "cc");
    return value;
}

static void vmwrite(uint64_t field, uint64_t value)
{
    __asm__ volatile("vmwrite %1, %0" : : "r"(field), "rm"(value) : "cc");
}

/* Low half: bits that must be 1; high half: bits that may be. */
static uint64_t adjust(uint64_t want, uint32_t msr)
{
    uint64_t allowed = read_msr(msr);

    return (want | (uint32_t)allowed) & allowed >> 32;
}

static void set_host(void)
{
    for (unsigned int i = 0; i < 6; i++)
        vmwrite(F_HSEL_ES + 2 * i, i == 1 ? 0x08 : 0x10);
    vmwrite(F_HSEL_TR, 0x10);
    vmwrite(F_HCR0, read_cr0());
    vmwrite(F_HCR3, read_cr3());
    vmwrite(F_HCR4, read_cr4());
    vmwrite(F_HEFER, read_msr(MSR_EFER));
}

static void set_controls(void)
{
    vmwrite(F_PIN, adjust(0, 0x48d));
    vmwrite(F_PROC, adjust(UINT64_C(1) << 31, 0x48e));
    vmwrite(F_PROC2, adjust(1u << 1, 0x48b));                          /* EPT */
    vmwrite(F_EXIT_CTL, adjust(1u << 9 | 1u << 20 | 1u << 21, 0x48f)); /* 64-bit host, EFER */
    vmwrite(F_ENTRY_CTL, adjust(1u << 9 | 1u << 15, 0x490));           /* 64-bit guest, EFER */
    vmwrite(F_EXC_BITMAP, 0xffffffff);
    vmwrite(F_LINK, ~UINT64_C(0));
}

/* Flat segments, data ones of DPL 3 so that they fit every CPL. */
static void set_guest(void)
{
    for (unsigned int i = 0; i < 6; i++) {
        vmwrite(F_GSEL_ES + 2 * i, 0x23);
        vmwrite(F_GLIM_ES + 2 * i, 0xffffffff);
        vmwrite(F_GAR_ES + 2 * i, 0xc0f3);
    }
    vmwrite(F_GAR_LDTR, 1u << 16); /* unusable */
    vmwrite(F_GSEL_TR, 0x28);
    vmwrite(F_GLIM_TR, 0x67);
    vmwrite(F_GAR_TR, 0x8b);
    vmwrite(F_GCR3, GUEST_ROOT);
    vmwrite(F_GDR7, 0x400);
}

const char *vmx_open(void)
{
    static uint64_t region[2][512] __attribute__((aligned(4096)));
    uint64_t vmxon = (uint64_t)region[0], vmcs = (uint64_t)region[1];
    uint8_t failed;

    if ((read_msr(MSR_EPT_CAP) & CAP_REQUIRED) != CAP_REQUIRED)
        return "this CPU model lacks a part of EPT";
    if (!(read_msr(0x3a) & 1))
        write_msr(0x3a, read_msr(0x3a) | 5); /* lock, VMXON outside SMX */
    __asm__ volatile("mov %0, %%cr0" : : "r"((read_cr0() | read_msr(0x486)) & read_msr(0x487)));
    __asm__ volatile("mov %0, %%cr4"
                     :
                     : "r"((read_cr4() | 1u << 13 | read_msr(0x488)) & read_msr(0x489)));
    region[0][0] = region[1][0] = read_msr(0x480) & 0x7fffffff;
    __asm__ volatile("vmxon %1; setna %0" : "=qm"(failed) : "m"(vmxon) : "cc", "memory");
    if (failed)
        return "VMXON failed";
    __asm__ volatile("vmclear %1; setna %0" : "=qm"(failed) : "m"(vmcs) : "cc", "memory");
    if (failed)
        return "VMCLEAR failed";
    __asm__ volatile("vmptrld %1; setna %0" : "=qm"(failed) : "m"(vmcs) : "cc", "memory");
    if (failed)
        return "VMPTRLD failed";
    set_controls();
    set_host();
    set_guest();
    return (void *)0;
}

static void set_case(const struct case_sector *test)
{
    uint32_t flags = test->flags, user = flags & CASE_USER;
    uint64_t code = (uint64_t)(test->access == CASE_WRITE ? guest_store : guest_load);

    vmwrite(F_EPTP, EPT_ROOT | 6 | 3 << 3 | ((flags & CASE_EPT_AD) ? 1u << 6 : 0));
    vmwrite(F_GCR0, (read_cr0() & ~CR0_WP) | ((flags & CASE_WP) ? CR0_WP : 0));
    vmwrite(F_GCR4, read_cr4() | ((flags & CASE_SMEP) ? CR4_SMEP : 0) |
                        ((flags & CASE_SMAP) ? CR4_SMAP : 0));
    vmwrite(F_GEFER, (read_msr(MSR_EFER) & ~EFER_NXE) | ((flags & CASE_NXE) ? EFER_NXE : 0));
    vmwrite(F_GRFLAGS, 2 | ((flags & CASE_AC) ? RFLAGS_AC : 0));
    vmwrite(F_GSEL_ES + 2, user ? 0x1b : 0x18);
    vmwrite(F_GAR_CS, user ? 0xa0fb : 0xa09b);
    vmwrite(F_GSEL_ES + 4, user ? 0x23 : 0x20);
    vmwrite(F_GAR_SS, user ? 0xc0f3 : 0xc093);
    vmwrite(F_GRIP, test->access == CASE_FETCH ? test->va : user ? code + USER_ALIAS : code);
}

/* The stores that arrived, and where; each is taken back. */
static void find_store(const struct case_sector *test, struct outcome *outcome)
{
    for (unsigned int page = 0; page < DATA_PAGES; page++) {
        uint64_t pa = DATA_BASE + page * 4096 + (test->va & 0xff8);
        if (*word_at(pa) != CASE_STORED)
            continue;
        outcome->value[0] = pa;
        outcome->value[1]++;
        *word_at(pa) = data_word(pa);
    }
}

static void note_done(const struct case_sector *test, uint64_t rax, struct outcome *outcome)
{
    outcome->kind = 'o';
    switch (test->access) {
    case CASE_READ:
        outcome->value[0] = rax >> 8 & 0xffffffff;
        if (rax != data_word(outcome->value[0]))
            outcome->kind = 'u';
        break;
    case CASE_WRITE:
        find_store(test, outcome);
        break;
    default:
        outcome->value[0] = rax;
        break;
    }
}

void vmx_case(const struct case_sector *test, struct outcome *outcome)
{
    static int launched;
    uint64_t regs[2] = {CASE_STORED, test->va}, reason;

    set_case(test);
    if (vmx_run(regs, launched)) {
        *outcome = (struct outcome){'u', {~UINT64_C(0), vmread(0x4400), 0}};
        return;
    }
    launched = 1;
    reason = vmread(F_REASON);
    *outcome = (struct outcome){'u', {reason, vmread(F_QUAL), 0}};
    if (reason == EXIT_VMCALL)
        *outcome = (struct outcome){0}, note_done(test, regs[0], outcome);
    else if (reason == EXIT_EXCEPTION)
        *outcome =
            (struct outcome){'x', {vmread(F_EXIT_INTR) & 0xff, vmread(F_EXIT_ERR), vmread(F_QUAL)}};
    else if (reason == EXIT_EPT_VIOLATION)
        *outcome = (struct outcome){'v', {vmread(F_QUAL), vmread(F_GPA), vmread(F_LINEAR)}};
    else if (reason == EXIT_EPT_MISCONFIG)
        *outcome = (struct outcome){'m', {0, vmread(F_GPA), 0}};
}
