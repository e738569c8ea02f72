/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host: a 64-bit kernel in a virtual machine, which maps all memory as it is. It boots the
 * hypervisor, gives pages away, runs guests, and checks what it can still touch. Everything it uses
 * lies in its own pages: the rest of the image becomes the hypervisor's.
 */
#include <stdbool.h>
#include <stdint.h>

#include <hyp/ept.h>
#include <hyp/hcall.h>

#include "tests/bare/x86/checks.h"
#include "tests/bare/x86/image.h"

#define PAGE         UINT64_C(4096)
#define ARENA_PFN    (UINT64_C(ARENA) >> 12)
#define RANGE        512u
#define GFN(gpa)     (UINT64_C(gpa) >> 12)
#define WINDOW       (UINT64_C(4) << 30) /* addresses that the kernel's own table does not map */
#define APIC_VERSION 0x30                /* SDM vol. 3, 11.4.8 */
#define NO_CODE      UINT32_MAX          /* nothing has faulted */

/* What the CPU pushes. */
struct fault_frame {
    uint64_t code, rip, cs, rflags, rsp, ss;
};

int64_t vmcall(uint64_t id, uint64_t args[HYP_HCALL_ARGS]);
uint64_t load(uint64_t address);
void store(uint64_t address, uint64_t value);
void kernel_fault(struct fault_frame *frame, uint64_t address);
_Noreturn void kernel_main(void);

extern const uint8_t fault_entry[], guest_program[], guest_program_end[];
extern const uint8_t xonly_program[], xonly_program_end[];
extern uint64_t kernel_pdpt[];

static volatile uint64_t fault_count, fault_address;
static volatile uint32_t fault_code;

/* The access is stepped over; a call that was refused returns. */
void kernel_fault(struct fault_frame *frame, uint64_t address)
{
    fault_count++;
    fault_code = (uint32_t)frame->code;
    fault_address = address;
    if (frame->code & HYP_PF_I) {
        frame->rip = *(const uint64_t *)frame->rsp;
        frame->rsp += 8;
    } else {
        frame->rip += 3;
    }
}

static int64_t call(uint64_t id, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t args[HYP_HCALL_ARGS] = {a, b, c};

    return vmcall(id, args);
}

static void check(enum check what, bool holds, uint64_t value)
{
    (void)call(CALL_CHECK, what, holds, value);
}

/* ---- accesses ---- */

static void fetch(uint64_t address)
{
    ((void (*)(void))(uintptr_t)address)();
}

/* The error code of the page fault that one access at this address got, or NO_CODE. */
static uint32_t code_after(uint64_t before, uint64_t address)
{
    return fault_count == before + 1 && fault_address == address ? fault_code : NO_CODE;
}

static uint32_t code_of_load(uint64_t address)
{
    const uint64_t before = fault_count;

    (void)load(address);
    return code_after(before, address);
}

static uint32_t code_of_store(uint64_t address)
{
    const uint64_t before = fault_count;

    store(address, 1);
    return code_after(before, address);
}

static uint32_t code_of_fetch(uint64_t address)
{
    const uint64_t before = fault_count;

    fetch(address);
    return code_after(before, address);
}

static bool gone(uint64_t address)
{
    return code_of_load(address) == 0 && code_of_store(address) == HYP_PF_W;
}

static bool there(uint64_t address, uint64_t value)
{
    const uint64_t before = fault_count;

    return load(address) == value && fault_count == before;
}

/* All of a page is zero. */
static bool wiped(uint64_t address)
{
    bool all = true;

    for (uint64_t i = 0; i < PAGE; i += 8)
        all &= there(address + i, 0);
    return all;
}

static void copy(uint64_t to, const uint8_t *from, const uint8_t *end)
{
    volatile uint8_t *byte = (volatile uint8_t *)(uintptr_t)to;

    while (from < end)
        *byte++ = *from++;
}

/* ---- checks ---- */

static uint32_t device(uint64_t address)
{
    return *(volatile uint32_t *)(uintptr_t)address;
}

static void boot(void)
{
    const uint64_t prot = HYP_PROT_RW | HYP_PROT_DEVICE;
    int64_t va;

    check(CHECK_EARLY, call(HYP_HCALL_HOST_SHARE_HYP, ARENA_PFN, 0, 0) == HYP_HCALL_NOT_SUPPORTED,
          0);
    check(CHECK_BOOT, call(HYP_HCALL_BOOT, 0, 0, 0) == 0, 0);
    va = call(HYP_HCALL_PRIVATE_MAP, APIC_BASE, PAGE, prot);
    check(CHECK_PRIVATE,
          va > 0 &&
              call(CALL_PEEK, (uint64_t)va + APIC_VERSION, 0, 0) ==
                  device(APIC_BASE + APIC_VERSION) &&
              call(HYP_HCALL_PRIVATE_MAP, ARENA, PAGE, prot) == HYP_EPERM,
          (uint64_t)va);
    check(CHECK_FINALIZE, call(HYP_HCALL_PROT_FINALIZE, 0, 0, 0) == 0, 0);
    check(CHECK_LATE, call(HYP_HCALL_BOOT, 0, 0, 0) == HYP_HCALL_NOT_SUPPORTED, 0);
}

/* Every page of the arena holds its own address, and so does each word at its end. */
static void touch(void)
{
    const uint64_t before = fault_count, vga = VGA_TEXT + 0xfa0; /* below the visible part */
    bool devices;

    for (uint64_t i = 0; i < RANGE; i++) {
        store(ARENA + i * PAGE, ARENA + i * PAGE);
        store(ARENA + i * PAGE + PAGE - 8, ARENA + i * PAGE);
    }
    check(CHECK_LAZY, there(ARENA + 7 * PAGE, ARENA + 7 * PAGE), fault_code);
    store(0x50008, ARENA);
    check(CHECK_LOW, there(0x50008, ARENA), fault_code);
    store(vga, UINT64_C(0x0741074207430744));
    devices = load(vga) == UINT64_C(0x0741074207430744);
    devices &= (load(BIOS_ROM + 0xfff0) & 0xff) == 0xea;          /* a far jump */
    devices &= (device(APIC_BASE + APIC_VERSION) & 0xf0) == 0x10; /* version of one on chip */
    check(CHECK_DEVICE, devices && fault_count == before, device(APIC_BASE + APIC_VERSION));
}

static void one_page(void)
{
    const uint64_t page = ARENA + 9 * PAGE, pfn = page >> 12;
    uint64_t args[HYP_HCALL_ARGS] = {pfn, 1};
    int64_t result = call(HYP_HCALL_HOST_SHARE_HYP, pfn, 0, 0);

    result |= call(HYP_HCALL_HOST_SHARE_HYP, pfn, 0, 0) != HYP_EPERM;
    result |= call(HYP_HCALL_HOST_UNSHARE_HYP, pfn, 0, 0);
    check(CHECK_SHARE, result == 0, (uint64_t)result);
    result = call(HYP_HCALL_HOST_DONATE_HYP, pfn, 1, 0);
    check(CHECK_DONATE, result == 0, (uint64_t)result);
    check(CHECK_GONE, gone(page) && gone(page + PAGE - 8) && code_of_fetch(page) == HYP_PF_I,
          fault_code);
    check(CHECK_NEIGHBOUR, there(page + PAGE, page + PAGE) && there(page - 8, page - PAGE),
          fault_address);
    result = vmcall(CALL_GIVE_BACK, args);
    check(CHECK_BACK, result == 0 && there(page, page), fault_code);
    check(CHECK_REACH, args[0] && !args[1], args[0]);
}

static void range(void)
{
    int64_t result = call(HYP_HCALL_HOST_DONATE_HYP, ARENA_PFN, RANGE, 0);
    bool all = result == 0;

    for (uint64_t i = 0; i < RANGE; i++)
        all &= gone(ARENA + i * PAGE);
    check(CHECK_RANGE, all, fault_address);
    all = call(CALL_GIVE_BACK, ARENA_PFN, RANGE, 0) == 0;
    for (uint64_t i = 0; i < RANGE; i++)
        all &= there(ARENA + i * PAGE, ARENA + i * PAGE);
    check(CHECK_RANGE_BACK, all, fault_address);
}

/* The CPU walks the kernel's tables through stage 2: without one of them there is no telling what
 * the access was, and it is told as a read. */
static void table(void)
{
    const uint64_t pd = ARENA + 3 * PAGE, first = load(pd);
    bool all;

    store(pd, ARENA | 0x83);
    kernel_pdpt[WINDOW >> 30] = pd | 3;
    all = there(WINDOW + 5 * PAGE, ARENA + 5 * PAGE);
    all &= call(HYP_HCALL_HOST_DONATE_HYP, pd >> 12, 1, 0) == 0;
    all &= code_of_load(WINDOW + 5 * PAGE) == 0 && code_of_store(WINDOW + 5 * PAGE) == 0;
    all &= call(CALL_GIVE_BACK, pd >> 12, 1, 0) == 0;
    all &= there(WINDOW + 5 * PAGE, ARENA + 5 * PAGE);
    kernel_pdpt[WINDOW >> 30] = 0;
    store(pd, first);
    check(CHECK_TABLE, all, fault_code);
}

static void hypervisor_itself(void)
{
    uint64_t args[HYP_HCALL_ARGS] = {0};
    uint64_t before;
    bool read;

    check(CHECK_POOL, gone(POOL_BASE) && gone(POOL_BASE + PAGE), fault_code);
    (void)vmcall(CALL_ADDRESSES, args);
    before = fault_count;
    read = load(args[0]) != 0 && fault_count == before;
    check(CHECK_CODE, read && code_of_store(args[0]) == (HYP_PF_P | HYP_PF_W), fault_code);
    check(CHECK_DATA, gone(args[1]), fault_code);
}

/* ---- guests ---- */

/* A list of pages as the host hands them in: each begins with the address of the next. */
static uint64_t list(uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        store(first + i * PAGE, i + 1 < count ? first + (i + 1) * PAGE : 0);
    return first;
}

/* A guest with one vCPU, loaded; its handle, or what went wrong. */
static int64_t make_guest(bool is_protected)
{
    const uint64_t meta = ARENA + 128 * PAGE, root = ARENA + 256 * PAGE;
    const int64_t handle = call(HYP_HCALL_VM_RESERVE, 0, 0, 0);
    uint64_t init[HYP_HCALL_ARGS] = {(uint64_t)handle, is_protected | 32 << 8, meta, 4, root, 16};
    int64_t result = vmcall(HYP_HCALL_VM_INIT, init);

    result |= call(HYP_HCALL_VCPU_INIT, (uint64_t)handle, meta + 8 * PAGE, 0);
    result |= call(HYP_HCALL_VCPU_LOAD, (uint64_t)handle, 0, 0);
    result |= call(HYP_HCALL_VCPU_REFILL, list(ARENA + 16 * PAGE, 6), 6, 6);
    return result ? result : handle;
}

struct run {
    int64_t how;
    uint64_t value, more;
};

static struct run run(void)
{
    uint64_t args[HYP_HCALL_ARGS] = {0};
    const int64_t how = vmcall(CALL_RUN, args);

    return (struct run){how, args[0], args[1]};
}

static bool ran_into(uint64_t ipa, uint64_t access)
{
    const struct run end = run();

    return end.how == RUN_FAULTED && end.value == ipa && (end.more & 7) == access &&
           !(end.more & HYP_EPT_QUAL_RIGHTS);
}

static bool ran_to_call(uint64_t value)
{
    const struct run end = run();

    return end.how == RUN_CALLED && end.value == value;
}

static int64_t donate_guest(uint64_t page, uint64_t gpa)
{
    return call(HYP_HCALL_HOST_DONATE_GUEST, page >> 12, gpa >> 12, 0);
}

/* The guest's life up to the loss of a page: see guest_program. */
static void guest_lives(uint64_t code, uint64_t lent)
{
    int64_t result;

    copy(code, guest_program, guest_program_end);
    result = donate_guest(code, GUEST_CODE);
    check(CHECK_GUEST, result == 0 && gone(code), (uint64_t)result);
    check(CHECK_RUN, ran_into(GUEST_DATA + 8, HYP_EPT_QUAL_WRITE), 0);
    result = donate_guest(lent, GUEST_DATA);
    check(CHECK_LEND,
          result == 0 && gone(lent) && ran_to_call(0) && there(lent + 8, GUEST_SECRET) &&
              there(lent, lent),
          (uint64_t)result);
    check(CHECK_TAKE, ran_to_call(0) && gone(lent), fault_code);
    result = call(HYP_HCALL_FORCE_RECLAIM, lent, 0, 0);
    check(CHECK_WIPED, result == 0 && wiped(lent), (uint64_t)result);
    result = ran_into(GUEST_DATA + 8, HYP_EPT_QUAL_READ)
                 ? call(HYP_HCALL_VCPU_IN_POISON_FAULT, 0, 0, 0)
                 : HYP_EINVAL;
    check(CHECK_POISON, result == 1, (uint64_t)result);
}

/* Every page of the arena can be touched, and none has the secret. */
static bool all_back(void)
{
    bool all = true;

    for (uint64_t i = 0; i < RANGE; i++) {
        const uint64_t before = fault_count;

        all &= load(ARENA + i * PAGE + 8) != GUEST_SECRET && fault_count == before;
    }
    return all;
}

static int64_t end_guest(uint64_t handle)
{
    int64_t result = call(HYP_HCALL_VM_FINALIZE, handle, 0, 0);

    /* The vCPU's and the guest's metadata, where the processor kept the VMCS. */
    return result || !wiped(ARENA + 136 * PAGE) || !wiped(ARENA + 128 * PAGE);
}

static void protected_guest(void)
{
    const uint64_t code = ARENA + 64 * PAGE, lent = ARENA + 66 * PAGE, spare = ARENA + 70 * PAGE;
    const int64_t made = make_guest(true);
    const uint64_t handle = (uint64_t)made;
    int64_t result = made < 0;

    guest_lives(code, lent);
    result |= donate_guest(spare, GUEST_SPARE);
    result |= donate_guest(spare + PAGE, GUEST_SPARE + PAGE);
    result |= call(HYP_HCALL_VCPU_PUT, 0, 0, 0);
    result |= call(HYP_HCALL_VM_START_TEARDOWN, handle, 0, 0);
    result |= call(HYP_HCALL_VM_RECLAIM_PAGE, handle, GFN(GUEST_CODE), 0);
    result |= call(CALL_RECLAIM_TWO, handle, GFN(GUEST_SPARE), 0);
    check(CHECK_RECLAIM, result == 0 && wiped(code) && wiped(spare) && wiped(spare + PAGE),
          (uint64_t)result);
    result = call(HYP_HCALL_VM_RECLAIM_PAGE, handle, GFN(GUEST_DATA), 0);
    result |= end_guest(handle);
    check(CHECK_TEARDOWN, result == 0 && all_back(), (uint64_t)result);
}

/* The CPU may have execute-only pages, or be said to have none. */
static void xonly_page(void)
{
    const uint64_t page = ARENA + 65 * PAGE;
    const int64_t made = make_guest(false);
    uint64_t args[HYP_HCALL_ARGS] = {page >> 12, GFN(GUEST_CODE), 1, HYP_PROT_X};
    int64_t result;
    bool holds;

    copy(page, xonly_program, xonly_program_end);
    result = made < 0 ? made : vmcall(HYP_HCALL_HOST_SHARE_GUEST, args);
    if (call(CALL_XONLY, 0, 0, 0)) {
        struct run end;

        holds = result == 0 && ran_to_call(GUEST_RUNS);
        end = run();
        holds &= end.how == RUN_FAULTED && end.value == GUEST_CODE;
        /* A read, of a page from which can be fetched only. */
        holds &= (end.more & (7 | HYP_EPT_QUAL_RIGHTS)) == (HYP_EPT_QUAL_READ | HYP_BIT(5));
        result = call(HYP_HCALL_HOST_UNSHARE_GUEST, (uint64_t)made, GFN(GUEST_CODE), 1);
    } else {
        holds = result == HYP_EINVAL;
        result =
            call(HYP_HCALL_HOST_UNSHARE_GUEST, (uint64_t)made, GFN(GUEST_CODE), 1) != HYP_ENOENT;
    }
    check(CHECK_XONLY, holds, (uint64_t)result);
    result |= call(HYP_HCALL_VCPU_PUT, 0, 0, 0);
    result |= call(HYP_HCALL_VM_START_TEARDOWN, (uint64_t)made, 0, 0);
    result |= end_guest((uint64_t)made);
    check(CHECK_XONLY_BACK,
          result == 0 && all_back() && *(volatile uint8_t *)(uintptr_t)page == xonly_program[0],
          (uint64_t)result);
}

/* Interrupt gates of ring 0 for #GP and #PF (SDM vol. 3, 6.14.1). */
static void set_gates(void)
{
    static uint64_t idt[15][2];
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};
    const uint64_t entry = (uint64_t)(uintptr_t)fault_entry;

    for (unsigned int vector = 13; vector <= 14; vector++) {
        idt[vector][0] = (entry & 0xffff) | UINT64_C(0x08) << 16 | UINT64_C(0x8e) << 40 |
                         (entry >> 16 & 0xffff) << 48;
        idt[vector][1] = entry >> 32;
    }
    __asm__ volatile("lidt %0" : : "m"(idtr));
}

_Noreturn void kernel_main(void)
{
    set_gates();
    boot();
    touch();
    one_page();
    range();
    table();
    hypervisor_itself();
    protected_guest();
    xonly_page();
    (void)call(CALL_END, 0, 0, 0);
    for (;;)
        ;
}
