/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host: a program at EL1 with its MMU off, so that each address is its own ipa. It boots the
 * hypervisor, gives pages away, and checks what it can still touch. Everything it uses lies in its
 * own region of memory: the rest of the image becomes the hypervisor's.
 */
#include <stdbool.h>
#include <stdint.h>

#include <hyp/hcall.h>

#include "tests/bare/arm64/checks.h"
#include "tests/bare/arm64/image.h"

#define PAGE      UINT64_C(4096)
#define ARENA_PFN (ARENA >> 12)
#define RANGE     512u
#define GFN       UINT64_C(0x80)

/* ESR_EL1 of a data abort at the same level: class, fault, and the marker of an injection. */
#define EC_DABT_SAME    0x25u
#define FSC_TRANSLATION 0x04u /* at any level: bits 1:0 are the level */
#define FSC_PERMISSION  0x0cu
#define ESR_S1PTW       (UINT64_C(1) << 7)

int64_t hvc(uint64_t id, uint64_t args[HYP_HCALL_ARGS]);
void host_fault(uint64_t esr, uint64_t far);
_Noreturn void host_main(void);

static volatile uint64_t fault_count, fault_esr, fault_far;

void host_fault(uint64_t esr, uint64_t far)
{
    fault_count++;
    fault_esr = esr;
    fault_far = far;
}

static int64_t call(uint64_t id, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t args[HYP_HCALL_ARGS] = {a, b, c};

    return hvc(id, args);
}

static void check(enum check what, bool holds, uint64_t value)
{
    (void)call(CALL_CHECK, what, holds, value);
}

/* One access; the vector steps over it when it faults. */
static uint64_t load(uint64_t address)
{
    uint64_t value = 0;

    __asm__ volatile("ldr %0, [%1]" : "+r"(value) : "r"(address) : "memory");
    return value;
}

static void store(uint64_t address, uint64_t value)
{
    __asm__ volatile("str %0, [%1]" : : "r"(value), "r"(address) : "memory");
}

/* The load is refused as the core refuses: a fault of this kind, with the marker, at this address.
 */
static bool refused(uint64_t address, uint64_t fsc, bool write)
{
    const uint64_t before = fault_count;

    if (write)
        store(address, 1);
    else
        (void)load(address);
    return fault_count == before + 1 && fault_esr >> 26 == EC_DABT_SAME &&
           (fault_esr & 0x3c) == fsc && (fault_esr & ESR_S1PTW) && fault_far == address;
}

static bool gone(uint64_t address)
{
    return refused(address, FSC_TRANSLATION, false) && refused(address, FSC_TRANSLATION, true);
}

static bool there(uint64_t address, uint64_t value)
{
    const uint64_t before = fault_count;

    return load(address) == value && fault_count == before;
}

static void boot(void)
{
    check(CHECK_EARLY, call(HYP_HCALL_HOST_SHARE_HYP, ARENA_PFN, 0, 0) == HYP_HCALL_NOT_SUPPORTED,
          0);
    check(CHECK_BOOT, call(HYP_HCALL_BOOT, 0, 0, 0) == 0, 0);
    check(CHECK_FINALIZE, call(HYP_HCALL_PROT_FINALIZE, 0, 0, 0) == 0, 0);
    check(CHECK_LATE, call(HYP_HCALL_BOOT, 0, 0, 0) == HYP_HCALL_NOT_SUPPORTED, 0);
}

/* Every page of the arena holds its own address. */
static void touch(void)
{
    uint64_t flags, before = fault_count;

    for (uint64_t i = 0; i < RANGE; i++)
        store(ARENA + i * PAGE, ARENA + i * PAGE);
    check(CHECK_LAZY, there(ARENA + 7 * PAGE, ARENA + 7 * PAGE), fault_esr);
    flags = *(volatile uint32_t *)(UART_BASE + 0x18);
    check(CHECK_DEVICE, (flags & 0x90) == 0x90 && fault_count == before, flags); /* idle UART */
}

static void one_page(void)
{
    const uint64_t page = ARENA + 9 * PAGE, pfn = page >> 12;
    int64_t result = call(HYP_HCALL_HOST_SHARE_HYP, pfn, 0, 0);

    result |= call(HYP_HCALL_HOST_SHARE_HYP, pfn, 0, 0) != HYP_EPERM;
    result |= call(HYP_HCALL_HOST_UNSHARE_HYP, pfn, 0, 0);
    check(CHECK_SHARE, result == 0, (uint64_t)result);
    result = call(HYP_HCALL_HOST_DONATE_HYP, pfn, 1, 0);
    check(CHECK_DONATE, result == 0, (uint64_t)result);
    check(CHECK_GONE, gone(page), fault_esr);
    check(CHECK_NEIGHBOUR, there(page + PAGE, page + PAGE) && there(page - PAGE, page - PAGE),
          fault_far);
    result = call(CALL_GIVE_BACK, pfn, 1, 0);
    check(CHECK_BACK, result == 0 && there(page, page), fault_esr);
}

static void range(void)
{
    int64_t result = call(HYP_HCALL_HOST_DONATE_HYP, ARENA_PFN, RANGE, 0);
    bool all = result == 0;

    for (uint64_t i = 0; i < RANGE; i++)
        all &= gone(ARENA + i * PAGE);
    check(CHECK_RANGE, all, fault_far);
    all = call(CALL_GIVE_BACK, ARENA_PFN, RANGE, 0) == 0;
    for (uint64_t i = 0; i < RANGE; i++)
        all &= there(ARENA + i * PAGE, ARENA + i * PAGE);
    check(CHECK_RANGE_BACK, all, fault_far);
}

static void hypervisor_itself(void)
{
    uint64_t args[HYP_HCALL_ARGS] = {0};
    uint64_t before = fault_count;
    bool read;

    check(CHECK_POOL, gone(POOL_BASE) && gone(POOL_BASE + PAGE), fault_esr);
    (void)hvc(CALL_ADDRESSES, args);
    before = fault_count;
    read = load(args[0]) != 0 && fault_count == before;
    check(CHECK_CODE, read && refused(args[0], FSC_PERMISSION, true), fault_esr);
    check(CHECK_DATA, gone(args[1]), fault_esr);
}

/* A list of pages as the host hands them in: each begins with the address of the next. */
static uint64_t list(uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        store(first + i * PAGE, i + 1 < count ? first + (i + 1) * PAGE : 0);
    return first;
}

static void guest(void)
{
    const uint64_t page = ARENA + 64 * PAGE, meta = ARENA + 128 * PAGE, root = ARENA + 256 * PAGE;
    const uint64_t handle = (uint64_t)call(HYP_HCALL_VM_RESERVE, 0, 0, 0);
    uint64_t init[HYP_HCALL_ARGS] = {handle, 1 | 32 << 8, meta, 4, root, 16};
    int64_t result = hvc(HYP_HCALL_VM_INIT, init);

    result |= call(HYP_HCALL_VCPU_INIT, handle, meta + 8 * PAGE, 0);
    result |= call(HYP_HCALL_VCPU_LOAD, handle, 0, 0);
    result |= call(HYP_HCALL_VCPU_REFILL, list(ARENA + 16 * PAGE, 4), 4, 4);
    result |= call(HYP_HCALL_HOST_DONATE_GUEST, page >> 12, GFN, 0);
    check(CHECK_GUEST, result == 0 && gone(page), (uint64_t)result);
    result = call(HYP_HCALL_FORCE_RECLAIM, page, 0, 0);
    check(CHECK_WIPED, result == 0 && there(page, 0) && there(page + PAGE - 8, 0),
          (uint64_t)result);
    result = call(HYP_HCALL_VCPU_PUT, 0, 0, 0);
    result |= call(HYP_HCALL_VM_START_TEARDOWN, handle, 0, 0);
    result |= call(HYP_HCALL_VM_RECLAIM_PAGE, handle, GFN, 0);
    result |= call(HYP_HCALL_VM_FINALIZE, handle, 0, 0);
    for (uint64_t i = 0; i < RANGE; i++) {
        const uint64_t before = fault_count;

        (void)load(ARENA + i * PAGE);
        result |= fault_count != before;
    }
    check(CHECK_TEARDOWN, result == 0, (uint64_t)result);
}

_Noreturn void host_main(void)
{
    boot();
    touch();
    one_page();
    range();
    hypervisor_itself();
    guest();
    (void)call(CALL_END, 0, 0, 0);
    for (;;)
        ;
}
