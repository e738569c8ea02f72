/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Execute-only memory: pages whose entries lead to the alias that can only be fetched from. Calls
 * into them work; reads and writes fault, and each fault's error code and CR2 must be exact, from
 * ring 0 and ring 3, across a page end and in the middle of a REP string instruction. Where the
 * feature is off, protect() falls back to code that can be read.
 *
 * Arguments: iterations, bug=plain-alias (protect() forgets the alias bit: must be found).
 */
#include "x86.h"

#include <hyp/xom.h>

/* Two neighbouring pages each: data, then code. */
#define KERNEL_VA  0xffffa00000000000ul
#define USER_VA    0x40000000ul
#define PROGRAM_VA 0x40010000ul /* code of ring 3 */
#define STACK_VA   0x40020000ul

#define CAN_R 1u
#define CAN_W 2u
#define CAN_X 4u

#define FAULTED 0xfa017edul /* what a program in ring 3 returns that faulted */

extern const uint8_t xom_function[], xom_function_end[];
extern const uint8_t xom_programs[], xom_programs_end[];
extern const uint8_t user_read[], user_write[], user_call[], user_exit[];

static uint64_t data_page, code_page, program_page, stack_page;
static unsigned int bit; /* M, while the feature is on */
static bool on, plain_alias;

static struct fl_fault met; /* the last fault, and how many there were */
static uint64_t faults;

static struct {
    uint64_t calls, checked, user, fallbacks;
} count;

/* ---- faults ---- */

bool guest_fault(struct regs *regs, const struct fl_fault *fault)
{
    met = *fault;
    faults++;
    if (fault->kind != FL_FAULT_PAGE)
        return false;
    if (regs->cs & 3) {
        regs->pc = PROGRAM_VA + (uint64_t)(user_exit - xom_programs);
        regs->ax = FAULTED;
        return true;
    }
    if (fault->pc == fault->address) { /* a call that could not be fetched: back to the caller */
        regs->pc = *(uint64_t *)regs->sp;
        regs->sp += 8;
        regs->ax = FAULTED;
        return true;
    }
    return false;
}

/* Exactly one fault since `before`, with this address and this error code. */
static void expect(const char *what, uint64_t before, uint64_t address, uint32_t code)
{
    uint64_t want = (uint64_t)VECTOR_PF << 32 | code;

    if (faults != before + 1 || met.address != address || met.code != want) {
        fl_fail("%s: %lu faults, the last at %lx with code %lx; wanted one at %lx with %lx\n", what,
                faults - before, met.address, met.code, address, want);
    }
    count.checked++;
}

/* An access that may fault, and what is left of it then. */
#define PROBE(instruction, ...)                                                                    \
    __asm__ volatile("1: " instruction "\n2:\n" FL_EXTABLE(1b, 2b) __VA_ARGS__)

static uint64_t read8(uint64_t va)
{
    uint64_t value = FAULTED;

    PROBE("mov (%1), %0", : "+r"(value) : "r"(va) : "memory");
    return value;
}

static void write8(uint64_t va, uint64_t value)
{
    PROBE("mov %0, (%1)", ::"r"(value), "r"(va) : "memory");
}

/* Returns how many words are left to copy. */
static uint64_t copy(uint64_t to, uint64_t from, uint64_t words)
{
    PROBE("rep movsq", : "+D"(to), "+S"(from), "+c"(words)::"memory");
    return words;
}

static uint64_t call(uint64_t va, uint64_t argument)
{
    uint64_t (*function)(uint64_t) = (uint64_t(*)(uint64_t))va; // NOLINT(performance-no-int-to-ptr)
    return function(argument);
}

/* ---- the feature ---- */

/* The leaf that tells of it, relative to a hypervisor's signature leaf; 0: there is none. */
static uint32_t feature_leaf(void)
{
    for (uint32_t base = 0x40000000; base < 0x40010000; base += 0x100) {
        struct cpuid signature = fl_cpuid(base, 0);
        if (signature.a >= base + HYP_XOM_CPUID_OFFSET && signature.a < base + 0x100)
            return base + HYP_XOM_CPUID_OFFSET;
    }
    return 0;
}

static bool detect(void)
{
    uint32_t leaf = feature_leaf();

    return leaf && (fl_cpuid(leaf, 0).a & HYP_XOM_CPUID_FEATURE);
}

/* mprotect() of one page. Execute without read takes the alias where the feature is on. */
static void protect(uint64_t va, uint64_t pa, unsigned int can)
{
    unsigned int level;
    unsigned int user = va < 1ul << 47 ? FL_USER : 0;
    uint64_t pte = fl_pte_make(pa, user | (can & CAN_W ? FL_W : 0) | (can & CAN_X ? FL_X : 0));

    if (!(can & (CAN_R | CAN_W))) {
        if (on && !plain_alias)
            pte |= 1ul << bit;
        else
            count.fallbacks++;
    }
    fl_pte_set(fl_pte(va, &level), va, pte);
}

/* ---- ring 0 ---- */

static void call_works(uint64_t va)
{
    uint64_t before = faults;

    fl_check(call(va, 5) == 16);
    fl_check(faults == before);
    count.calls++;
}

static void kernel_faults(uint64_t data, uint64_t code)
{
    uint64_t before = faults;

    fl_check(read8(code) == FAULTED);
    expect("read", before, code, PF_P);
    before = faults;
    write8(code + 24, 1);
    expect("write", before, code + 24, PF_P | PF_W);
    before = faults;
    fl_check(read8(code - 3) == FAULTED);
    expect("read across the page end", before, code, PF_P);
    before = faults;
    write8(code - 5, ~0ul);
    expect("write across the page end", before, code, PF_P | PF_W);
    before = faults;
    fl_check(copy(data, code - 24, 8) == 5);
    expect("REP MOVS out of it", before, code, PF_P);
    before = faults;
    fl_check(copy(code - 32, data, 6) == 2);
    expect("REP MOVS into it", before, code, PF_P | PF_W);
    before = faults;
    fl_check(copy(data, code - 20, 8) == 6);
    expect("REP MOVS across the page end", before, code, PF_P);
}

static void call_faults(uint64_t va, uint32_t code)
{
    uint64_t before = faults;

    fl_check(call(va, 5) == FAULTED);
    expect("call", before, va, code);
}

/* What else the entry can say. */
static void other_entries(uint64_t code)
{
    unsigned int level;
    uint64_t *pte = fl_pte(code, &level);
    uint64_t before = faults;

    fl_pte_set(pte, code, fl_pte_make(code_page, FL_W | FL_X) | 1ul << bit);
    write8(code, 0); /* there is no write-only: W in the alias grants nothing */
    expect("write, W set", before, code, PF_P | PF_W);
    call_works(code);

    fl_pte_set(pte, code, fl_pte_make(code_page, 0) | 1ul << bit);
    before = faults;
    fl_check(read8(code) == FAULTED);
    expect("read, NX set", before, code, PF_P);
    call_faults(code, PF_P | PF_I);

    fl_pte_set(pte, code, fl_pte_make(code_page, FL_X) | 1ul << (bit + 1));
    before = faults;
    fl_check(read8(code) == FAULTED);
    expect("read, reserved bit", before, code, PF_P | PF_RSVD);
    call_faults(code, PF_P | PF_RSVD | PF_I);
}

/* ---- ring 3 ---- */

static uint64_t user(const uint8_t *program, uint64_t address)
{
    uint64_t *top = (uint64_t *)fl_va(stack_page) + 511;

    *top = address;
    count.user++;
    return fl_user(PROGRAM_VA + (uint64_t)(program - xom_programs), STACK_VA + PAGE_SIZE - 8);
}

static void user_faults(uint64_t code)
{
    uint64_t before = faults;

    fl_check(user(user_read, code) == FAULTED);
    expect("ring 3 read", before, code, PF_P | PF_U);
    before = faults;
    fl_check(user(user_write, code + 8) == FAULTED);
    expect("ring 3 write", before, code + 8, PF_P | PF_W | PF_U);
    before = faults;
    fl_check(user(user_read, code - 1) == FAULTED);
    expect("ring 3 read across the page end", before, code, PF_P | PF_U);
    before = faults;
    fl_check(user(user_call, code) == 16);
    fl_check(faults == before);
    count.calls++;
}

/* ---- all of it ---- */

static void set_up(void)
{
    static const uint8_t filler = 0xcc; /* INT3 */
    data_page = fl_pages(1);

    code_page = fl_pages(1);
    program_page = fl_pages(1);
    stack_page = fl_pages(1);
    memset(fl_va(data_page), 0, PAGE_SIZE);
    memset(fl_va(code_page), filler, PAGE_SIZE);
    memcpy(fl_va(code_page), xom_function, (uint64_t)(xom_function_end - xom_function));
    memcpy(fl_va(program_page), xom_programs, (uint64_t)(xom_programs_end - xom_programs));
    fl_map(KERNEL_VA, data_page, FL_W);
    fl_map(KERNEL_VA + PAGE_SIZE, code_page, FL_X);
    fl_map(USER_VA, data_page, FL_W | FL_USER);
    fl_map(USER_VA + PAGE_SIZE, code_page, FL_X | FL_USER);
    fl_map(PROGRAM_VA, program_page, FL_X | FL_USER);
    fl_map(STACK_VA, stack_page, FL_W | FL_USER);
}

static void protect_code(unsigned int can)
{
    protect(KERNEL_VA + PAGE_SIZE, code_page, can);
    protect(USER_VA + PAGE_SIZE, code_page, can);
}

/* Execute-only is asked for, but the feature is off: code runs, and can be read. */
static void without(void)
{
    uint64_t before = faults;
    uint64_t word = *(uint64_t *)fl_va(code_page);

    protect_code(CAN_X);
    call_works(KERNEL_VA + PAGE_SIZE);
    fl_check(read8(KERNEL_VA + PAGE_SIZE) == word);
    fl_check(user(user_read, USER_VA + PAGE_SIZE) == word);
    fl_check(user(user_call, USER_VA + PAGE_SIZE) == 16);
    fl_check(faults == before);
    write8(KERNEL_VA + PAGE_SIZE, 0); /* CR0.WP */
    expect("write to code", before, KERNEL_VA + PAGE_SIZE, PF_P | PF_W);
}

static void with(void)
{
    uint64_t word = *(uint64_t *)fl_va(code_page);

    protect_code(CAN_X);
    call_works(KERNEL_VA + PAGE_SIZE);
    kernel_faults(KERNEL_VA, KERNEL_VA + PAGE_SIZE);
    user_faults(USER_VA + PAGE_SIZE);
    other_entries(KERNEL_VA + PAGE_SIZE);
    fl_check(*(uint64_t *)fl_va(code_page) == word);
    protect_code(CAN_R | CAN_X);
    fl_check(read8(KERNEL_VA + PAGE_SIZE) == word);
}

static void tally(void)
{
    fl_tally("alias bit", bit);
    fl_tally("calls", count.calls);
    fl_tally("faults", faults);
    fl_tally("faults checked", count.checked);
    fl_tally("programs in ring 3", count.user);
    fl_tally("fallbacks of mprotect", count.fallbacks);
}

int guest_main(void)
{
    uint64_t iterations = fl_argument("iterations", 4);

    set_up();
    fl_mark("off");
    without();
    if (detect()) {
        int64_t answer = fl_call(FL_XOM, FL_XOM_ON, 0, 0);
        bit = fl_cpuid(0x80000008, 0).a & 0xff;
        if (answer != (int64_t)bit) {
            fl_fail("FL_XOM_ON: bit %lu, but CPUID tells of %u address bits\n", (uint64_t)answer,
                    bit);
        }
        on = true;
        plain_alias = fl_argument_is("bug", "plain-alias");
        fl_mark("on");
        for (uint64_t i = 0; i < iterations; i++) {
            with();
            tally();
        }
        on = false;
        fl_check(fl_call(FL_XOM, FL_XOM_OFF, 0, 0) == 0);
        fl_mark("off again");
        without();
    }
    tally();
    fl_print("execute-only memory %s: %lu faults, %lu checked, %lu calls\n",
             bit ? "works" : "is not there", faults, count.checked, count.calls);
    return 0;
}
