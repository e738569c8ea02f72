/* SPDX-License-Identifier: MIT */
/*
 * Violations: every combination of what the CPU may report against rules written down a second
 * time, with mutations of these rules that must be noticed. Two of them are the slips of the patch
 * series that this feature goes back to: bit 7 of the qualification tested with | instead of &, and
 * a mask of the alias bit that lacks its - 1.
 */
#include <hyp/xom.h>

#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#define M       40u
#define NR      (UINT64_C(1) << M)
#define SLOT    UINT64_C(0x100000) /* gpa; 1 MiB with an alias */
#define PLAIN   UINT64_C(0x300000) /* 1 MiB without */
#define LINEAR  UINT64_C(0x7000123)
#define OPERAND UINT64_C(0x5000120) /* what decoding gives: 8 bytes */
#define RIP     UINT64_C(0x6000ffc)

struct guest {
    struct table_rig rig;
    struct hyp_xom xom;
    struct hyp_xom_slot slots[2];
    struct hyp_xom_operand operands[HYP_XOM_OPERANDS];
    unsigned int operand_count;
};

static unsigned int decode(void *ctx, const struct hyp_xom_exit *exit,
                           struct hyp_xom_operand *operands)
{
    const struct guest *guest = ctx;

    (void)exit;
    for (unsigned int i = 0; i < guest->operand_count; i++)
        operands[i] = guest->operands[i];
    return guest->operand_count;
}

static void open_guest(struct guest *guest)
{
    const struct hyp_pgt_config table = {
        .fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48, .flags = HYP_PGT_EPT_XONLY};
    const struct hyp_xom_config config = {
        .cpu = {.ept_cap = HYP_EPT_CAP_XONLY | HYP_EPT_CAP_4_LEVELS,
                .ept_levels = 4,
                .pa_bits = 46},
        .pgt = &guest->rig.pgt,
        .port = {guest, decode, NULL},
        .slots = guest->slots,
        .slot_count = 2,
        .signature = 0x40000000,
        .bit = M};
    const struct hyp_xom_slot slot = {
        .gfn = SLOT >> 12, .pages = 256, .pfn = 0x5000, .flags = HYP_XOM_EXECONLY};
    const struct hyp_xom_slot plain = {.gfn = PLAIN >> 12, .pages = 256, .pfn = 0x6000};

    *guest = (struct guest){.operand_count = 1};
    guest->operands[0] = (struct hyp_xom_operand){hyp_va(OPERAND), 8, HYP_XOM_READ | HYP_XOM_WRITE};
    rig_init_config(&guest->rig, table, 32);
    assert_int_equal(hyp_xom_init(&guest->xom, &config), HYP_OK);
    assert_int_equal(hyp_xom_create(&guest->xom, 0, &slot, NULL), HYP_OK);
    assert_int_equal(hyp_xom_create(&guest->xom, 1, &plain, NULL), HYP_OK);
    assert_int_equal(hyp_xom_set(&guest->xom, true, NULL), HYP_OK);
}

enum mutation {
    AS_IT_IS,
    BIT_7_ALWAYS,      /* | for & */
    SINGLE_BIT_MASK,   /* the alias bit taken off by a mask without - 1: only bit M is left */
    ALWAYS_ON,         /* no opt-in */
    RESERVED_AT_M,     /* bit M is reserved while on, too */
    RESERVED_MISSED,   /* bits above M are no matter */
    WALK_AS_ACCESS,    /* bit 8 not looked at */
    FETCH_NEVER_TOLD,  /* no I/D ever */
    FETCH_ALWAYS_TOLD, /* ... whatever EFER.NXE and SMEP are */
    RMW_AS_READ,       /* bit 0 wins over bit 1 */
    USER_BY_BIT_9,     /* U/S from the advanced information instead of the CPL */
    ASYNC_BLAMED,
    ALL_SLOTS, /* slots without the flag have an alias */
    MUTATION_COUNT
};

static bool is_ours(const struct hyp_xom_exit *exit, bool active, bool reserved, enum mutation m)
{
    const uint64_t q = exit->qualification;
    const uint64_t base = m == SINGLE_BIT_MASK ? exit->gpa.v & NR : exit->gpa.v & (NR - 1);
    const bool slot = (base >= SLOT && base < SLOT + 0x100000) ||
                      (m == ALL_SLOTS && base >= PLAIN && base < PLAIN + 0x100000);

    if ((q >> 16 & 1) && m != ASYNC_BLAMED)
        return false;
    return reserved || (active && (exit->gpa.v & NR) && slot && !(q >> 2 & 1));
}

/* Kind of access that the #PF tells, and where; '?' for one that nothing tells. */
static char where(const struct hyp_xom_exit *exit, uint64_t *cr2, enum mutation m)
{
    const uint64_t q = exit->qualification, offset = exit->gpa.v & 0xfff;
    const bool valid = m == BIT_7_ALWAYS || (q & 0x80) != 0;
    const bool write = m == RMW_AS_READ ? (q & 3) == 2 : (q & 2) != 0;
    const char kind = q & 4 ? 'f' : write ? 'w' : 'r';

    *cr2 = exit->linear.v;
    if (valid && ((q & 0x100) || m == WALK_AS_ACCESS))
        return kind;
    if (valid && exit->linear.v >= OPERAND && exit->linear.v < OPERAND + 8)
        return 'w';
    if (valid)
        return exit->linear.v >= RIP && exit->linear.v < RIP + 15 ? 'f' : '?';
    if (kind == 'f') {
        *cr2 = offset >= 0xffc ? RIP - 0xffc + offset : RIP + 4 + offset;
        return offset >= 0xffc || offset < 11 ? kind : '?';
    }
    *cr2 = OPERAND - 0x120 + offset;
    return offset >= 0x120 && offset < 0x128 ? kind : '?';
}

static struct hyp_xom_decision expect(const struct hyp_xom_exit *exit, bool on, enum mutation m)
{
    const bool active = on || m == ALWAYS_ON;
    const unsigned int first = active && m != RESERVED_AT_M ? M + 1 : M;
    const bool reserved = exit->gpa.v >> first != 0 && m != RESERVED_MISSED;
    struct hyp_xom_decision d = {HYP_XOM_NOT_OURS, {0}, 0};
    bool user = exit->cpl == 3, told = exit->tells_fetch;
    uint64_t cr2;
    char kind;

    if (!is_ours(exit, active, reserved, m))
        return d;
    kind = where(exit, &cr2, m);
    d.verdict = HYP_XOM_DECODE;
    if (kind == '?')
        return d;
    if (m == USER_BY_BIT_9)
        user = exit->qualification >> 9 & 1;
    if (m == FETCH_NEVER_TOLD || m == FETCH_ALWAYS_TOLD)
        told = m == FETCH_ALWAYS_TOLD;
    d = (struct hyp_xom_decision){HYP_XOM_INJECT, {cr2}, 1};
    d.code |= (kind == 'w' ? 2u : 0) | (user ? 4u : 0) | (reserved ? 8u : 0) |
              (kind == 'f' && told ? 16u : 0);
    return d;
}

static const uint64_t gpas[] = {
    SLOT + 0x124,
    SLOT | NR,
    (SLOT + 0x124) | NR,
    (SLOT + 0xffffd) | NR,
    (SLOT - 8) | NR,
    (PLAIN + 0x124) | NR,
    (SLOT + 0x124) | NR << 1,
    (SLOT + 4) | NR | NR << 1,
    (SLOT + 0x100000) | NR,
    NR | 0x124,
};
static const uint64_t linears[] = {LINEAR, OPERAND + 4, OPERAND + 8, RIP + 4, RIP + 15, RIP - 1};

/* Every exit there is, by number; false at the end. */
static bool nth_exit(unsigned int n, struct hyp_xom_exit *exit, bool *on)
{
    const unsigned int bits = n & 0x7ff, gpa = n >> 11;
    const unsigned int gpa_count = sizeof gpas / sizeof *gpas;
    const unsigned int linear_count = sizeof linears / sizeof *linears;

    if (gpa / gpa_count >= linear_count)
        return false;
    *on = bits >> 9 & 1;
    *exit = (struct hyp_xom_exit){.gpa = hyp_ipa(gpas[gpa % gpa_count]),
                                  .linear = hyp_va(linears[gpa / gpa_count]),
                                  .rip = hyp_va(RIP),
                                  .cpl = bits >> 7 & 1 ? 3 : 0,
                                  .tells_fetch = bits >> 8 & 1};
    exit->qualification = (bits & 7) | (bits >> 3 & 3) << 7 | (bits >> 5 & 1) << 16 |
                          (bits >> 6 & 1) << 9 | (bits >> 10 & 1) << 5;
    return true;
}

/* Exits about which the core and the rules disagree. */
static unsigned int disagreements(struct guest *guest, enum mutation m)
{
    struct hyp_xom_exit exit;
    unsigned int count = 0;
    bool on;

    for (unsigned int n = 0; nth_exit(n, &exit, &on); n++) {
        struct hyp_xom_decision want = expect(&exit, on, m), got;

        guest->xom.on = on;
        got = hyp_xom_violation(&guest->xom, &exit);
        count += got.verdict != want.verdict || got.cr2.v != want.cr2.v || got.code != want.code;
    }
    guest->xom.on = true;
    return count;
}

static void every_violation_is_judged_by_the_rules(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    assert_int_equal(disagreements(&guest, AS_IT_IS), 0);
    rig_free(&guest.rig);
}

static void every_mutation_of_the_rules_is_noticed(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    for (enum mutation m = AS_IT_IS + 1; m < MUTATION_COUNT; m++) {
        if (disagreements(&guest, m) == 0)
            fail_msg("mutation %u makes no difference", (unsigned int)m);
    }
    rig_free(&guest.rig);
}

static void without_bit_7_the_linear_address_field_is_not_believed(void **state)
{
    const struct hyp_xom_exit exit = {
        .qualification = 0x121, .gpa = hyp_ipa((SLOT + 0x120) | NR), .linear = hyp_va(LINEAR)};
    struct hyp_xom_decision decision;
    struct guest guest;

    (void)state;
    open_guest(&guest);
    decision = hyp_xom_violation(&guest.xom, &exit);
    assert_int_equal(decision.verdict, HYP_XOM_INJECT);
    assert_int_equal(decision.cr2.v, OPERAND);
    guest.xom.port.linear_address = NULL;
    assert_int_equal(hyp_xom_violation(&guest.xom, &exit).verdict, HYP_XOM_DECODE);
    rig_free(&guest.rig);
}

static void the_base_keeps_all_bits_but_m(void **state)
{
    struct guest guest;

    (void)state;
    open_guest(&guest);
    for (unsigned int bit = 0; bit < 52; bit++) {
        const uint64_t gpa = HYP_BIT(bit), rest = bit == M ? 0 : gpa;

        assert_int_equal(hyp_xom_base(&guest.xom, hyp_ipa(gpa)).v, rest);
        assert_int_equal(hyp_xom_base(&guest.xom, hyp_ipa(gpa | NR)).v, rest);
    }
    guest.xom.on = false;
    assert_int_equal(hyp_xom_base(&guest.xom, hyp_ipa(SLOT | NR)).v, SLOT | NR);
    rig_free(&guest.rig);
}

static void an_operand_is_found_in_both_of_its_pages(void **state)
{
    static const struct {
        uint64_t linear;
        uint32_t size;
        uint64_t gpa, found; /* 0: it is not there */
    } rows[] = {
        {0x1000, 1, 0x7000, 0x1000},    {0x1000, 1, 0x7001, 0},       {0x1ffd, 8, 0x7ffd, 0x1ffd},
        {0x1ffd, 8, 0x7fff, 0x1fff},    {0x1ffd, 8, 0x9000, 0x2000},  {0x1ffd, 8, 0x9004, 0x2004},
        {0x1ffd, 8, 0x9005, 0},         {0x1ffd, 8, 0x7ffc, 0},       {0x1ff8, 8, 0x9000, 0},
        {0x1800, 4096, 0x97ff, 0x27ff}, {UINT64_MAX, 2, 0x7000, 0x0},
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hyp_xom_operand operand = {hyp_va(rows[i].linear), rows[i].size, HYP_XOM_READ};
        hyp_va_t linear = {0};
        const bool found = hyp_xom_operand_at(&operand, hyp_ipa(rows[i].gpa), &linear);

        assert_int_equal(linear.v, rows[i].found);
        assert_int_equal(found, rows[i].found != 0 || rows[i].linear == UINT64_MAX);
    }
}

static void a_move_within_memory_faults_by_its_first_operand_there(void **state)
{
    const struct hyp_xom_exit exit = {.qualification = 0x0a1,
                                      .gpa = hyp_ipa(SLOT | NR),
                                      .linear = hyp_va(LINEAR),
                                      .rip = hyp_va(RIP),
                                      .cpl = 3};
    struct guest guest;

    (void)state;
    open_guest(&guest);
    guest.operands[0] = (struct hyp_xom_operand){hyp_va(LINEAR - 7), 8, HYP_XOM_READ};
    guest.operands[1] = (struct hyp_xom_operand){hyp_va(LINEAR), 8, HYP_XOM_WRITE};
    guest.operand_count = 2;
    assert_int_equal(hyp_xom_violation(&guest.xom, &exit).code, 0x5);
    guest.operands[0].linear.v--;
    assert_int_equal(hyp_xom_violation(&guest.xom, &exit).code, 0x7);
    rig_free(&guest.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_violation_is_judged_by_the_rules),
        cmocka_unit_test(every_mutation_of_the_rules_is_noticed),
        cmocka_unit_test(without_bit_7_the_linear_address_field_is_not_believed),
        cmocka_unit_test(the_base_keeps_all_bits_but_m),
        cmocka_unit_test(an_operand_is_found_in_both_of_its_pages),
        cmocka_unit_test(a_move_within_memory_faults_by_its_first_operand_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
