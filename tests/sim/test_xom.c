/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Execute-only memory of a guest, from encoded instructions in its memory to the #PF that it gets:
 * its own tables, EPT, the hardware model, the core, and the decoder. Everything with a CPU that
 * tells the linear address of a violation, and with one that does not.
 */
#include "sim/xom.h"

#include <hyp/bits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/x86.h"
#include "tests/sim/support/script.h"
#include "tests/support/cmocka_all.h"

#define M    40u
#define NR   (UINT64_C(1) << M)
#define PA   (SCRIPT_RAM + 0x100000) /* eight pages, the last four of them with an alias */
#define PART (PA + 0x4000)

/* User pages, in the order of their addresses: code (execute-only), data, code, data, all apart. */
#define CODE   UINT64_C(0x400000) /* PART, PART + 0x1000 */
#define PLAIN  UINT64_C(0x500000) /* PA, PA + 0x1000 */
#define MIXED  UINT64_C(0x600000) /* a plain page, then an execute-only one */
#define FS     UINT64_C(0x5000000000)
#define KERNEL UINT64_C(0xffffa00000000000) /* PART + 0x2000, execute-only */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

struct guest {
    struct script script;
    struct sim *sim;
    struct sim_xom *xom;
    struct sim_x86_regs regs;
    struct mmu_request request;
    struct mmu_result result;
};

static void map(struct guest *guest, uint64_t va, uint64_t gpa, unsigned int attributes)
{
    bool full;

    host_map_set(&guest->sim->map, hyp_va(va), hyp_pa(gpa), 0, attributes | HOST_MAP_CODE, &full);
    assert_false(full);
}

static void open_machine(struct guest *guest)
{
    struct sim_error error;

    script_init_x86(&guest->script);
    script_set(&guest->script, "s2.enable=0");
    assert_int_equal(sim_open(&guest->sim, &guest->script.config, sim_strategy_find("none"),
                              &guest->script.header, &error),
                     SIM_OK);
}

static void open_guest(struct guest *guest, bool tells_linear)
{
    const struct sim_xom_config config = {.start = hyp_pa(PART),
                                          .end = hyp_pa(PART + 0x4000),
                                          .bit = M,
                                          .tells_linear = tells_linear};
    struct sim_error error = {0};

    open_machine(guest);
    if (sim_xom_open(&guest->xom, guest->sim, &config, &error) != SIM_OK)
        fail_msg("%s", error.text);
    sim_xom_enter(guest->xom, 0);
    assert_true(sim_xom_set(guest->xom, true));
    map(guest, CODE, PART | NR, HOST_MAP_USER);
    map(guest, CODE + 0x1000, (PART + 0x1000) | NR, HOST_MAP_USER);
    map(guest, PLAIN, PA, HOST_MAP_USER);
    map(guest, PLAIN + 0x1000, PA + 0x1000, HOST_MAP_USER);
    map(guest, MIXED, PA + 0x2000, HOST_MAP_USER);
    map(guest, MIXED + 0x1000, (PART + 0x3000) | NR, HOST_MAP_USER);
    map(guest, KERNEL, (PART + 0x2000) | NR, 0);
    guest->regs = (struct sim_x86_regs){.rip = CODE, .fs_base = FS};
}

static void close_guest(struct guest *guest)
{
    sim_xom_close(guest->xom);
    sim_close(guest->sim);
}

/* Puts an instruction at rip, through the base of its page. */
static void put(struct guest *guest, uint64_t rip, const uint8_t *bytes, size_t size)
{
    guest->regs.rip = rip;
    for (size_t i = 0; i < size; i++) {
        uint64_t pa = PART + (rip - CODE) + i;
        uint8_t *page = (uint8_t *)sim_ram_page(guest->sim->ram, hyp_pa(pa));

        page[pa % 4096] = bytes[i];
    }
}

#define PUT(guest, rip, ...)                                                                       \
    put(guest, rip, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* One access of the CPU. True: it happened. */
static bool touch(struct guest *guest, uint64_t va, unsigned int cpl, enum mmu_access access)
{
    guest->request = (struct mmu_request){
        .va = va, .regime = MMU_X86, .el = cpl == 3 ? 0 : 1, .access = (uint8_t)access};
    mmu_translate(guest->sim->mmu, &guest->request, &guest->result);
    return guest->result.fault == MMU_OK;
}

/* The CPU fetches the instruction, and cannot make this access of it. */
static struct sim_xom_result violate(struct guest *guest, uint64_t va, unsigned int cpl,
                                     enum mmu_access access)
{
    assert_true(touch(guest, guest->regs.rip, cpl, MMU_FETCH));
    assert_false(touch(guest, va, cpl, access));
    assert_int_equal(guest->result.stage, 2);
    return sim_xom_violation(guest->xom, &guest->request, &guest->result, &guest->regs);
}

static void expect_pf(struct sim_xom_result got, uint64_t cr2, uint32_t code)
{
    assert_int_equal(got.verdict, SIM_XOM_INJECT);
    assert_int_equal(got.cr2, cr2);
    assert_int_equal(got.code, code);
}

typedef void with_guest(struct guest *guest);

static void both_ways(with_guest *body)
{
    static struct guest guest;

    for (int tells = 0; tells < 2; tells++) {
        open_guest(&guest, tells != 0);
        body(&guest);
        close_guest(&guest);
    }
}

/* ---- reads and writes ---- */

static void reads_and_writes(struct guest *guest)
{
    guest->regs.gpr[RBX] = CODE + 0x123;
    PUT(guest, CODE, 0x8a, 0x03); /* mov al, [rbx] */
    expect_pf(violate(guest, CODE + 0x123, 3, MMU_READ), CODE + 0x123, 0x5);
    PUT(guest, CODE, 0x88, 0x03); /* mov [rbx], al */
    expect_pf(violate(guest, CODE + 0x123, 3, MMU_WRITE), CODE + 0x123, 0x7);
    PUT(guest, CODE, 0xf0, 0xfe, 0x03); /* lock inc byte [rbx] */
    expect_pf(violate(guest, CODE + 0x123, 3, MMU_WRITE), CODE + 0x123, 0x7);
    /* Its base can be read and written, by another mapping. */
    map(guest, PLAIN, PART, HOST_MAP_USER);
    assert_true(touch(guest, PLAIN + 0x123, 3, MMU_READ));
    assert_true(touch(guest, PLAIN + 0x123, 3, MMU_WRITE));
}

static void from_ring_0(struct guest *guest)
{
    map(guest, CODE, PART | NR, 0); /* the kernel's own code, for this test */
    sim_host_invalidate_page(guest->sim, 0, CODE);
    guest->regs.gpr[RBX] = KERNEL + 8;
    PUT(guest, CODE, 0x48, 0x8b, 0x03); /* mov rax, [rbx] */
    expect_pf(violate(guest, KERNEL + 8, 0, MMU_READ), KERNEL + 8, 0x1);
    PUT(guest, CODE, 0x48, 0x89, 0x03); /* mov [rbx], rax */
    expect_pf(violate(guest, KERNEL + 8, 0, MMU_WRITE), KERNEL + 8, 0x3);
}

static void data_accesses_get_exactly_present_write_and_user(void **state)
{
    (void)state;
    both_ways(reads_and_writes);
    both_ways(from_ring_0);
}

/* ---- which address ---- */

static void across_a_page_end(struct guest *guest)
{
    /* Eight bytes, the last five in the execute-only page. */
    guest->regs.gpr[RBX] = MIXED + 0xffd;
    PUT(guest, CODE, 0x48, 0x8b, 0x03);
    assert_true(touch(guest, MIXED + 0xffd, 3, MMU_READ));
    expect_pf(violate(guest, MIXED + 0x1000, 3, MMU_READ), MIXED + 0x1000, 0x5);
    /* The other way round it is the first byte. */
    guest->regs.gpr[RBX] = CODE + 0x1ffd;
    expect_pf(violate(guest, CODE + 0x1ffd, 3, MMU_READ), CODE + 0x1ffd, 0x5);
}

static void rep_string_part_way(struct guest *guest)
{
    guest->regs.gpr[RCX] = 3;
    guest->regs.gpr[RSI] = MIXED + 0xff8;
    guest->regs.gpr[RDI] = PLAIN + 0x7f8;
    PUT(guest, CODE, 0xf3, 0x48, 0xa5); /* rep movsq */
    assert_true(touch(guest, MIXED + 0xff8, 3, MMU_READ));
    assert_true(touch(guest, PLAIN + 0x7f8, 3, MMU_WRITE));
    guest->regs.gpr[RCX] = 2; /* one iteration is done */
    guest->regs.gpr[RSI] += 8;
    guest->regs.gpr[RDI] += 8;
    expect_pf(violate(guest, MIXED + 0x1000, 3, MMU_READ), MIXED + 0x1000, 0x5);
    /* ... and as the destination */
    guest->regs.gpr[RDI] = MIXED + 0x1000;
    guest->regs.gpr[RSI] = PLAIN + 0x1000;
    assert_true(touch(guest, PLAIN + 0x1000, 3, MMU_READ));
    expect_pf(violate(guest, MIXED + 0x1000, 3, MMU_WRITE), MIXED + 0x1000, 0x7);
    /* Two reads at one offset: only their pages tell them apart. */
    PUT(guest, CODE, 0xf3, 0xa6); /* repe cmpsb */
    expect_pf(violate(guest, MIXED + 0x1000, 3, MMU_READ), MIXED + 0x1000, 0x5);
}

static void stack_operands(struct guest *guest)
{
    guest->regs.gpr[RSP] = MIXED + 0x1010;
    PUT(guest, CODE, 0x50); /* push rax */
    expect_pf(violate(guest, MIXED + 0x1008, 3, MMU_WRITE), MIXED + 0x1008, 0x7);
    PUT(guest, CODE, 0xe8, 0, 0, 0, 0); /* call */
    expect_pf(violate(guest, MIXED + 0x1008, 3, MMU_WRITE), MIXED + 0x1008, 0x7);
    PUT(guest, CODE, 0x58); /* pop rax */
    expect_pf(violate(guest, MIXED + 0x1010, 3, MMU_READ), MIXED + 0x1010, 0x5);
    PUT(guest, CODE, 0xc3); /* ret */
    expect_pf(violate(guest, MIXED + 0x1010, 3, MMU_READ), MIXED + 0x1010, 0x5);
}

static void segment_bases(struct guest *guest)
{
    map(guest, FS + 0x2000, PART | NR, HOST_MAP_USER);
    guest->regs.gpr[RBX] = 0x2000;
    PUT(guest, CODE, 0x64, 0x48, 0x8b, 0x43, 0x10); /* mov rax, fs:[rbx+16] */
    expect_pf(violate(guest, FS + 0x2010, 3, MMU_READ), FS + 0x2010, 0x5);
}

static void the_linear_address_is_the_byte_that_faulted(void **state)
{
    (void)state;
    both_ways(across_a_page_end);
    both_ways(rep_string_part_way);
    both_ways(stack_operands);
    both_ways(segment_bases);
}

static void code_across_a_page_end(struct guest *guest)
{
    guest->regs.gpr[RBX] = CODE + 0x10;
    PUT(guest, CODE + 0xffe, 0x48, 0x8b, 0x03); /* its last byte is in the next page */
    expect_pf(violate(guest, CODE + 0x10, 3, MMU_READ), CODE + 0x10, 0x5);
}

static void an_instruction_is_decoded_from_execute_only_memory(void **state)
{
    (void)state;
    both_ways(code_across_a_page_end);
}

/* ---- walks ---- */

/* The guest's last-level table for MIXED, moved to an execute-only page. */
static void hide_table(struct guest *guest)
{
    struct host_map *map = &guest->sim->map;
    uint64_t slot = map->kernel_root.v + (MIXED >> 39 & 511) * 8, *to;
    const uint64_t *from;

    for (unsigned int shift = 30; shift >= 21; shift -= 9)
        slot = (sim_ram_load(guest->sim->ram, hyp_pa(slot)) & HYP_MASK(47, 12)) +
               (MIXED >> shift & 511) * 8;
    uint64_t pde = sim_ram_load(guest->sim->ram, hyp_pa(slot));

    from = sim_ram_peek(guest->sim->ram, hyp_pa(pde & HYP_MASK(47, 12)));
    to = sim_ram_page(guest->sim->ram, hyp_pa(PART + 0x2000));
    for (unsigned int i = 0; i < 512; i++)
        to[i] = from[i];
    sim_ram_store(guest->sim->ram, hyp_pa(slot), (pde & ~HYP_MASK(47, 12)) | (PART + 0x2000) | NR);
}

static void a_walk_through_the_alias_faults_where_it_was_going(void **state)
{
    static struct guest guest;

    (void)state;
    open_guest(&guest, true);
    guest.regs.gpr[RBX] = MIXED + 0x10;
    PUT(&guest, CODE, 0x48, 0x89, 0x03); /* mov [rbx], rax */
    hide_table(&guest);
    expect_pf(violate(&guest, MIXED + 0x10, 3, MMU_WRITE), MIXED + 0x10, 0x7);
    assert_true(guest.result.s1ptw);
    PUT(&guest, CODE, 0x48, 0x8b, 0x03); /* the same read: the table was read, as before */
    expect_pf(violate(&guest, MIXED + 0x10, 3, MMU_READ), MIXED + 0x10, 0x5);
    guest.regs.rip = MIXED + 0x20;
    assert_false(touch(&guest, MIXED + 0x20, 3, MMU_FETCH));
    expect_pf(sim_xom_violation(guest.xom, &guest.request, &guest.result, &guest.regs),
              MIXED + 0x20, 0x15);
    close_guest(&guest);
}

/* ---- what bit M means ---- */

static void off_and_reserved(struct guest *guest)
{
    guest->regs.gpr[RBX] = PLAIN + 8;
    map(guest, PLAIN, PA | NR | NR << 1, HOST_MAP_USER); /* above M, and the CPU translates it */
    PUT(guest, CODE, 0x48, 0x89, 0x03);
    expect_pf(violate(guest, PLAIN + 8, 3, MMU_WRITE), PLAIN + 8, 0xf);
    map(guest, CODE, PART, HOST_MAP_USER); /* the code by its base */
    sim_host_invalidate_page(guest->sim, 0, CODE);
    assert_true(sim_xom_set(guest->xom, false));
    map(guest, PLAIN, PART | NR, HOST_MAP_USER);
    PUT(guest, CODE, 0x48, 0x8b, 0x03);
    expect_pf(violate(guest, PLAIN + 8, 3, MMU_READ), PLAIN + 8, 0xd);
}

static void bits_above_m_are_reserved_and_m_itself_while_off(void **state)
{
    (void)state;
    both_ways(off_and_reserved);
}

static void a_part_without_alias_and_other_violations_are_not_ours(void **state)
{
    static struct guest guest;

    (void)state;
    open_guest(&guest, true);
    guest.regs.gpr[RBX] = PLAIN;
    PUT(&guest, CODE, 0x48, 0x8b, 0x03);
    map(&guest, PLAIN, PA | NR, HOST_MAP_USER); /* no alias there */
    assert_int_equal(violate(&guest, PLAIN, 3, MMU_READ).verdict, SIM_XOM_EXIT);
    map(&guest, PLAIN, UINT64_C(0x1000), HOST_MAP_USER); /* no memory there */
    sim_host_invalidate_page(guest.sim, 0, PLAIN);
    assert_int_equal(violate(&guest, PLAIN, 3, MMU_READ).verdict, SIM_XOM_EXIT);
    /* A fetch that may be made by now is made again. */
    assert_true(sim_xom_set(guest.xom, false));
    map(&guest, PLAIN, PART | NR, HOST_MAP_USER);
    assert_false(touch(&guest, PLAIN, 3, MMU_FETCH));
    assert_true(sim_xom_set(guest.xom, true));
    assert_int_equal(
        sim_xom_violation(guest.xom, &guest.request, &guest.result, &guest.regs).verdict,
        SIM_XOM_RETRY);
    assert_true(touch(&guest, PLAIN, 3, MMU_FETCH));
    close_guest(&guest);
}

static void what_cannot_be_decoded_is_an_exit(void **state)
{
    static struct guest guest;

    (void)state;
    open_guest(&guest, false);
    PUT(&guest, CODE, 0xc4, 0xe2, 0xe9, 0x90, 0x04, 0x08); /* vpgatherdq */
    assert_int_equal(violate(&guest, CODE + 0x10, 3, MMU_READ).verdict, SIM_XOM_EXIT);
    guest.regs.gpr[RBX] = CODE + 0x18; /* an address that is not the one that faulted */
    PUT(&guest, CODE, 0x48, 0x8b, 0x03);
    assert_int_equal(violate(&guest, CODE + 0x10, 3, MMU_READ).verdict, SIM_XOM_EXIT);
    close_guest(&guest);
}

static void the_dump_shows_the_alias_bit_where_it_means_something(void **state)
{
    static struct guest guest;
    static const char *const lines[2][3] = {
        {"0x0000000000600000-0x0000000000602000          8K PTE     USR RW             x \n",
         "0xffffa00000000000-0xffffa00000001000          4K PTE         RW     GLB     x \n",
         "0x0000000040200000-0x0000000068e00000     667648K PMD     RWX BLK MEM\n"},
        {"0x0000000000600000-0x0000000000601000          4K PTE     USR RW             x  r \n"
         "0x0000000000601000-0x0000000000602000          4K PTE     USR RW             x  NR\n",
         "0xffffa00000000000-0xffffa00000001000          4K PTE         RW     GLB     x  NR\n",
         "0x0000010040104000-0x0000010040108000         16K PTE     --X     MEM\n"},
    };
    char *text;
    size_t size;

    (void)state;
    open_guest(&guest, true);
    for (int on = 1; on >= 0; on--) {
        FILE *out = open_memstream(&text, &size);

        assert_true(sim_xom_set(guest.xom, on));
        sim_dump_tables(guest.sim, out);
        fclose(out);
        for (int i = 0; i < 3; i++)
            assert_non_null(strstr(text, lines[on][i]));
        assert_int_equal(strstr(text, "NR") != NULL, on);
        free(text);
    }
    close_guest(&guest);
}

static void impossible_machines_are_refused_with_the_reason(void **state)
{
    static struct guest guest;
    static const struct {
        uint64_t start, end;
        unsigned int bit;
        const char *text;
    } cases[] = {
        {PART, PART + 0x4000, 46, "execute-only memory by bit 46: The alias bit is reserved"},
        {PART, PART + 0x4000, 35, "execute-only memory by bit 35: The alias bit leaves"},
        {PART + 1, PART + 0x4000, M, "execute-only memory 0x40104001-0x40108000: expected whole"},
        {PART, PART, M, "execute-only memory 0x40104000-0x40104000: expected whole pages"},
        {0, PART, M, "execute-only memory 0x0-0x40104000: expected whole pages between"},
    };

    (void)state;
    open_machine(&guest);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct sim_xom_config config = {
            .start = hyp_pa(cases[i].start), .end = hyp_pa(cases[i].end), .bit = cases[i].bit};
        struct sim_error error;

        assert_int_equal(sim_xom_open(&guest.xom, guest.sim, &config, &error), SIM_USAGE);
        assert_null(guest.xom);
        assert_memory_equal(error.text, cases[i].text, strlen(cases[i].text));
    }
    sim_close(guest.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_accesses_get_exactly_present_write_and_user),
        cmocka_unit_test(the_linear_address_is_the_byte_that_faulted),
        cmocka_unit_test(an_instruction_is_decoded_from_execute_only_memory),
        cmocka_unit_test(a_walk_through_the_alias_faults_where_it_was_going),
        cmocka_unit_test(bits_above_m_are_reserved_and_m_itself_while_off),
        cmocka_unit_test(a_part_without_alias_and_other_violations_are_not_ours),
        cmocka_unit_test(what_cannot_be_decoded_is_an_exit),
        cmocka_unit_test(the_dump_shows_the_alias_bit_where_it_means_something),
        cmocka_unit_test(impossible_machines_are_refused_with_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
