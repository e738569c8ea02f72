/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which memory an encoded instruction accesses, given the registers. */
#include "sim/decode.h"

#include <string.h>

#include "tests/support/cmocka_all.h"

#define RIP UINT64_C(0x400ff0) /* 16 bytes before the end of a page */
#define R   HYP_XOM_READ
#define W   HYP_XOM_WRITE

/* rax rcx rdx rbx rsp rbp rsi rdi r8 ...; the upper halves matter only where they should. */
static const struct sim_x86_regs regs = {
    .gpr = {0x100000010, 5, 0x30, 0x140000040, 0x7ff0, 0x6ff8, 0x2ffe, 0x8ffe, 0x90, 0xa0, 0xb0,
            (uint64_t)-1, 0xd0, 0xe0, 0xf0, 0xff},
    .rip = RIP,
    .fs_base = 0xf5000000000,
    .gs_base = 0x65000000000,
};

struct code {
    const uint8_t *bytes;
    size_t size; /* a page that begins behind it may not be fetched */
    uint64_t start;
};

static bool fetch(void *ctx, uint64_t va, uint8_t *to, size_t size)
{
    const struct code *code = ctx;

    assert_true(va % 4096 + size <= 4096);
    if (va % 4096 == 0 && va - code->start >= code->size)
        return false;
    for (size_t i = 0; i < size; i++) {
        uint64_t at = va + i - code->start;

        to[i] = at < code->size ? code->bytes[at] : 0x90;
    }
    return true;
}

static unsigned int decode(const struct sim_x86_regs *with, const uint8_t *bytes, size_t size,
                           struct hyp_xom_operand *operands)
{
    struct code code = {bytes, size, with->rip};

    return sim_decode(with, fetch, &code, operands);
}

struct expected {
    uint64_t linear;
    uint32_t size, access;
};

#define CODE(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define EXPECT(bytes, ...)                                                                         \
    expect(&regs, bytes, (const struct expected[]){__VA_ARGS__},                                   \
           sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected))
#define NOTHING(...) expect(&regs, __VA_ARGS__, NULL, 0)

static void expect(const struct sim_x86_regs *with, const uint8_t *bytes, size_t size,
                   const struct expected *expected, size_t count)
{
    struct hyp_xom_operand operands[HYP_XOM_OPERANDS];

    assert_int_equal(decode(with, bytes, size, operands), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(operands[i].linear.v, expected[i].linear);
        assert_int_equal(operands[i].size, expected[i].size);
        assert_int_equal(operands[i].access, expected[i].access);
    }
}

static void addresses_are_base_index_and_displacement(void **state)
{
    (void)state;
    EXPECT(CODE(0x48, 0x8b, 0x03), {0x140000040, 8, R});            /* mov rax, [rbx] */
    EXPECT(CODE(0x8b, 0x44, 0x8b, 0xfc), {0x140000040 + 16, 4, R}); /* mov eax, [rbx+rcx*4-4] */
    EXPECT(CODE(0x88, 0x90, 0, 1, 0, 0), {0x100000110, 1, W});      /* mov [rax+0x100], dl */
    EXPECT(CODE(0x48, 0x8b, 0x05, 0x10, 0, 0, 0), {RIP + 7 + 16, 8, R}); /* mov rax, [rip+16] */
    EXPECT(CODE(0x67, 0x48, 0x8b, 0x03), {0x40000040, 8, R});            /* mov rax, [ebx] */
    EXPECT(CODE(0x48, 0xa1, 1, 2, 3, 4, 5, 6, 7, 8), {0x0807060504030201, 8, R}); /* movabs */
}

static void segments_fs_and_gs_have_bases_and_the_others_none(void **state)
{
    (void)state;
    EXPECT(CODE(0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0), {0xf5000000008, 8, R});
    EXPECT(CODE(0x65, 0x48, 0x89, 0x03), {0x65000000000 + 0x140000040, 8, W});
    EXPECT(CODE(0x65, 0x67, 0x89, 0x03), {0x65000000000 + 0x40000040, 4, W});
    EXPECT(CODE(0x2e, 0x8b, 0x03), {0x140000040, 4, R}); /* cs: */
}

static void a_read_modify_write_is_both_and_a_compare_only_reads(void **state)
{
    (void)state;
    EXPECT(CODE(0x48, 0x01, 0x03), {0x140000040, 8, R | W});             /* add [rbx], rax */
    EXPECT(CODE(0xf0, 0x48, 0x0f, 0xb1, 0x0b), {0x140000040, 8, R | W}); /* lock cmpxchg */
    EXPECT(CODE(0x48, 0x39, 0x03), {0x140000040, 8, R});                 /* cmp [rbx], rax */
    EXPECT(CODE(0x0f, 0x11, 0x03), {0x140000040, 16, W});                /* movups [rbx], xmm0 */
}

static void the_stack_is_pushed_below_and_popped_from_the_pointer(void **state)
{
    (void)state;
    EXPECT(CODE(0x50), {0x7fe8, 8, W});           /* push rax */
    EXPECT(CODE(0x66, 0x6a, 1), {0x7fee, 2, W});  /* push word 1 */
    EXPECT(CODE(0x58), {0x7ff0, 8, R});           /* pop rax */
    EXPECT(CODE(0x9c), {0x7fe8, 8, W});           /* pushf */
    EXPECT(CODE(0xc9), {0x6ff8, 8, R});           /* leave: from rbp */
    EXPECT(CODE(0xc8, 16, 0, 0), {0x7fe8, 8, W}); /* enter 16, 0 */
    EXPECT(CODE(0x48, 0xcf), {0x7ff0, 40, R});    /* iretq */
}

static void calls_and_returns_use_the_stack(void **state)
{
    (void)state;
    EXPECT(CODE(0xe8, 0, 0, 0, 0), {0x7fe8, 8, W});                /* call */
    EXPECT(CODE(0xff, 0x13), {0x140000040, 8, R}, {0x7fe8, 8, W}); /* call [rbx] */
    EXPECT(CODE(0xc3), {0x7ff0, 8, R});                            /* ret */
    EXPECT(CODE(0xc2, 8, 0), {0x7ff0, 8, R});                      /* ret 8 */
    EXPECT(CODE(0x48, 0xcb), {0x7ff0, 16, R});                     /* far ret */
    EXPECT(CODE(0xff, 0x23), {0x140000040, 8, R});                 /* jmp [rbx] */
}

static void a_push_from_and_a_pop_to_memory_access_twice(void **state)
{
    (void)state;
    EXPECT(CODE(0xff, 0x74, 0x24, 8), {0x7ff8, 8, R}, {0x7fe8, 8, W}); /* push [rsp+8] */
    /* pop [rsp+8]: the destination is found with rsp as it is after the pop */
    EXPECT(CODE(0x8f, 0x44, 0x24, 8), {0x7ff0, 8, R}, {0x8000, 8, W});
    EXPECT(CODE(0x8f, 0x03), {0x7ff0, 8, R}, {0x140000040, 8, W}); /* pop [rbx] */
}

static void string_instructions_are_at_their_next_iteration(void **state)
{
    struct sim_x86_regs done = regs;

    (void)state;
    EXPECT(CODE(0xf3, 0x48, 0xa5), {0x2ffe, 8, R}, {0x8ffe, 8, W});  /* rep movsq */
    EXPECT(CODE(0xf3, 0xa6), {0x2ffe, 1, R}, {0x8ffe, 1, R});        /* repe cmpsb */
    EXPECT(CODE(0xf3, 0xab), {0x8ffe, 4, W});                        /* rep stosd */
    EXPECT(CODE(0xac), {0x2ffe, 1, R});                              /* lodsb */
    EXPECT(CODE(0xf2, 0xae), {0x8ffe, 1, R});                        /* repne scasb */
    EXPECT(CODE(0x65, 0xa4), {0x65000002ffe, 1, R}, {0x8ffe, 1, W}); /* movsb from gs: */
    EXPECT(CODE(0x6e), {0x2ffe, 1, R});                              /* outsb */
    done.gpr[1] = 0;
    expect(&done, CODE(0xf3, 0xa4), NULL, 0); /* no iteration is left */
    done.gpr[1] = UINT64_C(1) << 32;
    expect(&done, CODE(0x67, 0xf3, 0xa4), NULL, 0); /* counts ecx */
    expect(&done, CODE(0xf3, 0xaa), (const struct expected[]){{0x8ffe, 1, W}}, 1);
}

static void bit_strings_reach_beyond_their_operand(void **state)
{
    struct sim_x86_regs far = regs;

    (void)state;
    far.gpr[1] = 64 * 3 + 5;
    expect(&far, CODE(0x48, 0x0f, 0xab, 0x0b), /* bts [rbx], rcx */
           (const struct expected[]){{0x140000040 + 24, 8, R | W}}, 1);
    far.gpr[1] = (uint64_t)-1;
    expect(&far, CODE(0x0f, 0xa3, 0x0b), /* bt [rbx], ecx */
           (const struct expected[]){{0x14000003c, 4, R}}, 1);
    far.gpr[1] = (uint64_t)-16;
    expect(&far, CODE(0x66, 0x0f, 0xbb, 0x0b), /* btc [rbx], cx */
           (const struct expected[]){{0x14000003e, 2, R | W}}, 1);
    EXPECT(CODE(0x48, 0x0f, 0xba, 0x2b, 70), {0x140000040, 8, R | W}); /* bts [rbx], 70 */
}

static void xlat_adds_al(void **state)
{
    (void)state;
    EXPECT(CODE(0xd7), {0x140000050, 1, R});
}

static void what_only_names_an_address_accesses_nothing(void **state)
{
    (void)state;
    NOTHING(CODE(0x48, 0x8d, 0x03)); /* lea rax, [rbx] */
    NOTHING(CODE(0x0f, 0x18, 0x0b)); /* prefetcht0 */
    NOTHING(CODE(0x0f, 0x1f, 0x03)); /* nop [rbx] */
    NOTHING(CODE(0x0f, 0x01, 0x3b)); /* invlpg */
    NOTHING(CODE(0x90));
    NOTHING(CODE(0x48, 0x01, 0xd8)); /* add rax, rbx */
}

static void what_is_not_understood_is_said_so(void **state)
{
    (void)state;
    NOTHING(CODE(0xc4, 0xe2, 0xe9, 0x90, 0x04, 0x08)); /* vpgatherdq */
    NOTHING(CODE(0xc8, 16, 0, 2));                     /* enter 16, 2 */
    NOTHING(CODE(0xcc));                               /* int3 */
    NOTHING(CODE(0x06));                               /* no instruction in 64-bit mode */
    NOTHING(CODE(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                 0x66, 0x90)); /* 16 bytes */
}

static void the_next_page_is_fetched_only_when_the_instruction_reaches_into_it(void **state)
{
    struct sim_x86_regs last = regs;
    struct hyp_xom_operand operands[HYP_XOM_OPERANDS];
    const uint8_t bytes[] = {0x48, 0x8b, 0x83, 0, 1, 0, 0}; /* mov rax, [rbx+0x100] */

    (void)state;
    for (uint64_t within = 1; within <= 7; within++) {
        last.rip = 0x401000 - within;
        assert_int_equal(decode(&last, bytes, 7, operands), 1);
        assert_int_equal(operands[0].linear.v, 0x140000140);
        /* Nothing behind the page end: enough for an instruction that ends with it. */
        assert_int_equal(decode(&last, bytes, within, operands), within == 7);
    }
    last.rip = 0x401000;
    assert_int_equal(decode(&last, bytes, 0, operands), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_base_index_and_displacement),
        cmocka_unit_test(segments_fs_and_gs_have_bases_and_the_others_none),
        cmocka_unit_test(a_read_modify_write_is_both_and_a_compare_only_reads),
        cmocka_unit_test(the_stack_is_pushed_below_and_popped_from_the_pointer),
        cmocka_unit_test(calls_and_returns_use_the_stack),
        cmocka_unit_test(a_push_from_and_a_pop_to_memory_access_twice),
        cmocka_unit_test(string_instructions_are_at_their_next_iteration),
        cmocka_unit_test(bit_strings_reach_beyond_their_operand),
        cmocka_unit_test(xlat_adds_al),
        cmocka_unit_test(what_only_names_an_address_accesses_nothing),
        cmocka_unit_test(what_is_not_understood_is_said_so),
        cmocka_unit_test(the_next_page_is_fetched_only_when_the_instruction_reaches_into_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
