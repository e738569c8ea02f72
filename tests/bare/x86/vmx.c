/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VMXON, two kinds of VMCS, entries and exits (SDM vol. 3, 24 to 28). EPT and VPID are the port's
 * business. */
#include "tests/bare/x86/vmx.h"

#include <hyp/bits.h>

#include "hyp/port/x86_insn.h"
#include "tests/bare/x86/image.h"

int vmx_enter(uint64_t x[15], int launched);

enum {
    F_GSEL_ES = 0x0800,
    F_GSEL_TR = 0x080e,
    F_HSEL_ES = 0x0c00,
    F_HSEL_TR = 0x0c0c,
    F_LINK = 0x2800,
    F_GEFER = 0x2806,
    F_HEFER = 0x2c02,
    F_PIN = 0x4000,
    F_PROC = 0x4002,
    F_EXIT_CTL = 0x400c,
    F_ENTRY_CTL = 0x4012,
    F_ENTRY_INTR = 0x4016,
    F_ENTRY_CODE = 0x4018,
    F_PROC2 = 0x401e,
    F_IDT_INFO = 0x4408,
    F_IDT_CODE = 0x440a,
    F_GLIM_ES = 0x4800,
    F_GLIM_TR = 0x480e,
    F_GAR_ES = 0x4814,
    F_GAR_CS = 0x4816,
    F_GAR_LDTR = 0x4820,
    F_GAR_TR = 0x4822,
    F_GCR3 = 0x6802,
    F_GCR4 = 0x6804,
    F_GBASE_ES = 0x6806,
    F_GDR7 = 0x681a,
    F_GRFLAGS = 0x6820,
    F_HCR0 = 0x6c00,
    F_HCR3 = 0x6c02,
    F_HCR4 = 0x6c04,
    F_HBASE_GDTR = 0x6c0c,
    F_HBASE_IDTR = 0x6c0e,
};

#define MSR_FEATURE    0x3au
#define MSR_BASIC      0x480u
#define MSR_CR0_FIXED0 0x486u
#define MSR_CR4_FIXED0 0x488u
#define MSR_EFER       0xc0000080u

#define PROC_PROC2         HYP_BIT(31)
#define PROC2_UNRESTRICTED HYP_BIT(7)
#define EXIT_64BIT         HYP_BIT(9)
#define EXIT_SAVE_EFER     HYP_BIT(20)
#define EXIT_LOAD_EFER     HYP_BIT(21)
#define ENTRY_64BIT        HYP_BIT(9)
#define ENTRY_LOAD_EFER    HYP_BIT(15)
#define INTR_VALID         HYP_BIT(31)
#define INTR_HAS_CODE      HYP_BIT(11)
#define INTR_EXCEPTION     (UINT64_C(3) << 8)
#define CR4_VMXE           HYP_BIT(13)
#define CR0_GUEST          UINT64_C(0x31) /* PE, ET, NE */

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* Each field here is one that the CPU has: the port's asserts and VM entry find the rest. */
static void put(uint64_t field, uint64_t value)
{
    (void)x86_vmwrite(field, value);
}

/* The first word of a VMXON region or VMCS (25.11.5, 25.2). */
static void set_revision(hyp_pa_t page)
{
    *(volatile uint32_t *)(uintptr_t)(page.v + LINEAR_BIAS) =
        (uint32_t)x86_rdmsr(MSR_BASIC) & 0x7fffffff;
}

bool vmx_on(hyp_pa_t region)
{
    const uint64_t feature = x86_rdmsr(MSR_FEATURE);
    uint8_t failed;

    if (!(x86_rdmsr(MSR_BASIC) >> 55 & 1))
        return false; /* no "true" capability MSRs, which adjust() reads */
    if (!(feature & 1))
        x86_wrmsr(MSR_FEATURE, feature | 5); /* locked, VMXON outside SMX */
    X86_WRITE_CR(0, (X86_READ_CR(0) | x86_rdmsr(MSR_CR0_FIXED0)) & x86_rdmsr(MSR_CR0_FIXED0 + 1));
    X86_WRITE_CR(4, (X86_READ_CR(4) | CR4_VMXE | x86_rdmsr(MSR_CR4_FIXED0)) &
                        x86_rdmsr(MSR_CR4_FIXED0 + 1));
    set_revision(region);
    __asm__ volatile("vmxon %1; setna %0" : "=qm"(failed) : "m"(region.v) : "cc", "memory");
    return !failed;
}

/* Low half: bits that must be 1; high half: bits that may be (A.2 to A.5). */
static uint64_t adjust(uint64_t want, uint32_t msr)
{
    const uint64_t allowed = x86_rdmsr(msr);

    return (want | (uint32_t)allowed) & allowed >> 32;
}

static void set_controls(uint64_t proc2, uint64_t entry)
{
    put(F_PIN, adjust(0, 0x48d));
    put(F_PROC, adjust(PROC_PROC2, 0x48e));
    put(F_PROC2, adjust(proc2, 0x48b));
    put(F_EXIT_CTL, adjust(EXIT_64BIT | EXIT_SAVE_EFER | EXIT_LOAD_EFER, 0x48f));
    put(F_ENTRY_CTL, adjust(entry | ENTRY_LOAD_EFER, 0x490));
    put(F_LINK, ~UINT64_C(0));
}

/* Where exits come back to; vmx_enter() adds stack and address. */
static void set_root_state(void)
{
    struct table_register gdtr, idtr;

    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    __asm__ volatile("sidt %0" : "=m"(idtr));
    for (unsigned int i = 0; i < 6; i++)
        put(F_HSEL_ES + 2 * i, i == 1 ? 0x08 : 0x10);
    put(F_HSEL_TR, 0x10); /* never used, but not null */
    put(F_HBASE_GDTR, gdtr.base);
    put(F_HBASE_IDTR, idtr.base);
    put(F_HCR0, X86_READ_CR(0));
    put(F_HCR3, X86_READ_CR(3));
    put(F_HCR4, X86_READ_CR(4));
    put(F_HEFER, x86_rdmsr(MSR_EFER));
}

/* Flat segments; the machine loads its own descriptor tables. */
static void set_segments(uint64_t code_rights)
{
    for (unsigned int i = 0; i < 6; i++) {
        put(F_GSEL_ES + 2 * i, i == 1 ? 0x08 : 0x10);
        put(F_GLIM_ES + 2 * i, 0xffffffff);
        put(F_GAR_ES + 2 * i, 0xc093);
    }
    put(F_GAR_CS, code_rights);
    put(F_GAR_LDTR, 1u << 16); /* unusable */
    put(F_GSEL_TR, 0x18);
    put(F_GLIM_TR, 0x67);
    put(F_GAR_TR, 0x8b);
}

/* Fields that a machine begins with as 0: VMCLEAR leaves in a VMCS what was in its memory, in whose
 * form only the processor knows (25.11.3). */
static void clear_fields(void)
{
    static const uint16_t fields[] = {
        0x4004, 0x4006, 0x4008, 0x400a, /* exception bitmap, #PF mask and match, CR3 targets */
        0x400e, 0x4010, 0x4014, 0x4016, /* MSRs to store and load; event to inject */
        0x4810, 0x4812, 0x4824, 0x4826, /* GDTR, IDTR limits; interruptibility, activity */
        0x482a, 0x6824, 0x6826, 0x4c00, /* SYSENTER: CS, ESP, EIP; CS of root operation */
        0x6000, 0x6002, 0x6816, 0x6818, /* CR0, CR4 masks; GDTR, IDTR bases */
        0x6822, 0x2802, 0x681c, 0x6802, /* pending debug exceptions, DEBUGCTL, RSP, CR3 */
        0x6c06, 0x6c08, 0x6c0a, 0x6c10, /* root operation: FS, GS, TR bases, SYSENTER ESP */
        0x6c12, 0x6004, 0x6006, 0x080c, /* ... EIP; CR0, CR4 shadows; LDTR selector, */
        0x480c,                         /* ... limit */
    };

    for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        put(fields[i], 0);
    for (unsigned int i = 0; i < 8; i++)
        put(F_GBASE_ES + 2 * i, 0);
}

static void begin(struct vmx_machine *machine, hyp_pa_t vmcs, uint64_t rip)
{
    *machine = (struct vmx_machine){.vmcs = vmcs};
    set_revision(vmcs);
    vmx_clear(machine);
    vmx_make_current(machine);
    clear_fields();
    set_root_state();
    put(F_GDR7, 0x400);
    put(F_GRFLAGS, 2);
    put(VMX_RIP, rip);
}

void vmx_make_kernel(struct vmx_machine *machine, hyp_pa_t vmcs, uint64_t rip, uint64_t cr3)
{
    begin(machine, vmcs, rip);
    set_controls(0, ENTRY_64BIT);
    set_segments(0xa09b);
    put(VMX_CR0, X86_READ_CR(0));
    put(F_GCR3, cr3);
    put(F_GCR4, X86_READ_CR(4));
    put(F_GEFER, x86_rdmsr(MSR_EFER));
}

void vmx_make_guest(struct vmx_machine *machine, hyp_pa_t vmcs, uint64_t rip)
{
    begin(machine, vmcs, rip);
    set_controls(PROC2_UNRESTRICTED, 0);
    set_segments(0xc09b);
    put(VMX_CR0, CR0_GUEST);
    put(F_GCR4, CR4_VMXE);
}

void vmx_make_current(const struct vmx_machine *machine)
{
    __asm__ volatile("vmptrld %0" : : "m"(machine->vmcs.v) : "cc", "memory");
}

void vmx_clear(struct vmx_machine *machine)
{
    __asm__ volatile("vmclear %0" : : "m"(machine->vmcs.v) : "cc", "memory");
    machine->launched = 0;
}

uint32_t vmx_run(struct vmx_machine *machine)
{
    if (vmx_enter(machine->x, machine->launched))
        return VMX_ENTRY_FAILED;
    machine->launched = 1;
    return (uint32_t)x86_vmread(VMX_REASON);
}

void vmx_step(void)
{
    put(VMX_RIP, x86_vmread(VMX_RIP) + x86_vmread(VMX_LENGTH));
}

void vmx_inject(uint8_t vector, uint32_t code)
{
    put(F_ENTRY_INTR, INTR_VALID | INTR_HAS_CODE | INTR_EXCEPTION | vector);
    put(F_ENTRY_CODE, code);
}

/* 28.2.4, 27.6; bit 12 is undefined in the one field and reserved in the other (25.9.3, 25.8.3). */
bool vmx_redeliver(void)
{
    const uint64_t event = x86_vmread(F_IDT_INFO);

    if (!(event & INTR_VALID))
        return false;
    put(F_ENTRY_INTR, event & ~HYP_BIT(12));
    put(F_ENTRY_CODE, x86_vmread(F_IDT_CODE));
    return true;
}
