/* SPDX-License-Identifier: MIT */
/*
 * EPT entries and those of the hypervisor's own x86 tables, bit for bit, out of whole map and
 * annotate calls. Expected values are put together from the bit tables of the Intel SDM, volume 3,
 * 29.3.2 and 4.5.4, by hand.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#define XO   HYP_PGT_EPT_XONLY
#define HOST (HYP_PGT_IDENTITY | HYP_PGT_S1_ATTRS)
#define R    HYP_PROT_R
#define W    HYP_PROT_W
#define X    HYP_PROT_X
#define DEV  HYP_PROT_DEVICE
#define NC   HYP_PROT_NORMAL_NC
#define SW0  HYP_PROT_SW(0)
#define SW1  HYP_PROT_SW(1)

struct golden {
    const char *what;
    const struct hyp_pgt_fmt *fmt;
    unsigned int ia_bits;
    uint64_t flags;
    hyp_prot_t prot;
    uint64_t pa, size;
    uint64_t pte;
    unsigned int level;
};

#define EPT4 &hyp_fmt_ept, 48
#define EPT5 &hyp_fmt_ept, 57
#define OWN  &hyp_fmt_x86, 48
#define PAGE 0x123456000, 0x1000
#define M2   0x140000000, 0x200000
#define G1   0x1c0000000, 0x40000000

static const struct golden rows[] = {
    {"page r", EPT4, 0, R, PAGE, 0x8000000123456171, 0},
    {"page rw", EPT4, 0, R | W, PAGE, 0x8000000123456373, 0},
    {"page rx", EPT4, 0, R | X, PAGE, 0x8000000123456175, 0},
    {"page rwx", EPT4, 0, R | W | X, PAGE, 0x8000000123456377, 0},
    {"page x", EPT4, XO, X, PAGE, 0x8000000123456174, 0},
    {"2M x", EPT4, XO, X, M2, 0x80000001400001f4, 1},
    {"1G x", EPT4, XO, X, G1, 0x80000001c00001f4, 2},
    {"2M rwx", EPT4, 0, R | W | X, M2, 0x80000001400003f7, 1},
    {"1G rwx", EPT4, 0, R | W | X, G1, 0x80000001c00003f7, 2},
    {"shared, owned", EPT4, 0, R | W | X | SW0, PAGE, 0x8080000123456377, 0},
    {"shared, borrowed", EPT4, 0, R | W | X | SW1, PAGE, 0x8100000123456377, 0},
    {"device", EPT4, 0, R | W | DEV, PAGE, 0x8000000123456343, 0},
    {"non-cacheable", EPT4, 0, R | W | NC, PAGE, 0x800000012345634b, 0},
    {"host ram", EPT4, HOST, R | W | X, G1, 0x80000001c00003b7, 2},
    {"host device", EPT4, HOST, R | W | DEV, 0, 0x40000000, 0x8000000000000383, 2},
    {"host text", EPT4, HOST, R, PAGE, 0x8000000123456131, 0},
    {"page rwx, 5 levels", EPT5, 0, R | W | X, PAGE, 0x8000000123456377, 0},
    {"page at 2^51", EPT5, 0, R | W | X, 0x8000123456000, 0x1000, 0x8008000123456377, 0},
    {"with #VE for notes", EPT4, HYP_PGT_EPT_VE, R | W | X, PAGE, 0x8000000123456377, 0},
    {"own rw", OWN, 0, R | W, PAGE, 0x8000000123456063, 0},
    {"own ro", OWN, 0, R, PAGE, 0x8000000123456021, 0},
    {"own rx", OWN, 0, R | HYP_PROT_PX, PAGE, 0x0000000123456021, 0},
    {"own device", OWN, 0, R | W | DEV, PAGE, 0x8000000123456073, 0},
    {"own rw 2M", OWN, 0, R | W, M2, 0x80000001400000e3, 1},
    {"own rw 1G", OWN, 0, R | W, G1, 0x80000001c00000e3, 2},
    {"own borrowed", OWN, 0, R | W | SW1, PAGE, 0x8100000123456063, 0},
};

static struct hyp_pgt_config config_of(const struct golden *row)
{
    return (struct hyp_pgt_config){.fmt = row->fmt,
                                   .page_shift = 12,
                                   .ia_bits = row->ia_bits,
                                   .flags = row->flags,
                                   .max_block_level = 2};
}

static void check_row(const struct golden *row)
{
    const uint64_t ia = row->flags & HYP_PGT_IDENTITY ? row->pa : row->pa & 0x7ffffffff;
    struct table_rig rig;
    unsigned int level;
    uint64_t pte;

    rig_init_config(&rig, config_of(row), 64);
    assert_int_equal(
        hyp_pgt_map(&rig.pgt, (hyp_ia_t){ia}, row->size, hyp_pa(row->pa), row->prot, NULL), HYP_OK);
    pte = hyp_pgt_leaf(&rig.pgt, (hyp_ia_t){ia}, &level);
    if (pte != row->pte || level != row->level)
        fail_msg("%s: %llx at level %u", row->what, (unsigned long long)pte, level);
    assert_int_equal(hyp_pgt_target(&rig.pgt, pte, level).v, row->pa);
    assert_int_equal(hyp_pgt_kind(&rig.pgt, pte, level), HYP_PTE_LEAF);
    assert_int_equal(hyp_pgt_prot(&rig.pgt, pte), row->prot);
    assert_int_equal(hyp_pgt_note(&rig.pgt, pte), 0);
    rig_free(&rig);
}

static void leaves_are_those_of_the_manual(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

static void tables_grant_all_rights_and_have_no_other_bit(void **state)
{
    static const struct golden ept = {"", EPT5, 0, R, PAGE, 0, 0};
    static const struct golden own = {"", OWN, 0, R, PAGE, 0, 0};
    const struct golden *const each[] = {&ept, &own};

    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        struct table_rig rig;
        uint64_t pte;

        rig_init_config(&rig, config_of(each[i]), 64);
        assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){0}, 4096, hyp_pa(0x1000), R, NULL),
                         HYP_OK);
        pte = fake_mem_load(&rig.machine.fake.mem, rig.pgt.root.v);
        assert_int_equal(pte & ~HYP_MASK(51, 12), i == 0 ? 0x7 : 0x23);
        assert_int_equal(hyp_pgt_kind(&rig.pgt, pte, rig.pgt.top_level), HYP_PTE_TABLE);
        rig_free(&rig);
    }
}

static void a_table_has_four_levels_up_to_48_bits_and_five_above(void **state)
{
    static const unsigned int bits[] = {32, 36, 39, 40, 48, 49, 52, 57};

    (void)state;
    for (unsigned int i = 0; i < sizeof bits / sizeof *bits; i++) {
        const struct hyp_pgt_config config = {
            .fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = bits[i], .max_block_level = 2};
        const uint64_t last = (UINT64_C(1) << bits[i]) - 4096;
        const hyp_ia_t beyond = {UINT64_C(1) << bits[i]};
        struct table_rig rig;
        unsigned int level;

        assert_int_equal(hyp_pgt_levels(&config), bits[i] > 48 ? 5 : 4);
        assert_int_equal(hyp_pgt_root_pages(&config), 1);
        rig_init_config(&rig, config, 64);
        assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){last}, 4096, hyp_pa(0x5000), R, NULL),
                         HYP_OK);
        assert_true(hyp_pgt_leaf(&rig.pgt, (hyp_ia_t){last}, &level) != 0);
        assert_int_equal(fake_table_pages(&rig.pgt), bits[i] > 48 ? 5 : 4);
        assert_int_equal(hyp_pgt_map(&rig.pgt, beyond, 4096, hyp_pa(0x5000), R, NULL), HYP_ERANGE);
        hyp_pgt_destroy(&rig.pgt);
        assert_int_equal(rig.machine.pool.free_pages, 64);
        rig_free(&rig);
    }
}

static void sizes_that_no_table_can_have_are_refused(void **state)
{
    const struct hyp_pgt_config good = {.fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48};
    struct hyp_pgt_config bad[7];
    struct fake_machine machine;

    (void)state;
    for (unsigned int i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].page_shift = 14;
    bad[1].page_shift = 16;
    bad[2].ia_bits = 58;
    bad[3].ia_bits = 24;
    bad[4].pa_bits = 31;
    bad[5].pa_bits = 53;
    bad[6].fmt = &hyp_fmt_x86;
    bad[6].ia_bits = 49;
    fake_machine_init(&machine, 12, 0x80000, 64, 64);
    for (unsigned int i = 0; i < 7; i++) {
        struct hyp_pgt pgt;

        bad[i].port = &machine.fake.port;
        bad[i].vmemmap = &machine.vmemmap;
        assert_int_equal(hyp_pgt_init(&pgt, &bad[i], &machine.pool, NULL), HYP_EINVAL);
        assert_int_equal(machine.pool.free_pages, 64);
    }
    fake_machine_free(&machine);
}

static void outputs_beyond_maxphyaddr_are_refused(void **state)
{
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48, .pa_bits = 40};
    const uint64_t end = UINT64_C(1) << 40;
    struct fake_snapshot before;
    struct table_rig rig;
    hyp_ia_t ia = {0};

    (void)state;
    rig_init_config(&rig, config, 64);
    fake_snapshot_take(&before, &rig.machine);
    assert_int_equal(hyp_pgt_map(&rig.pgt, ia, 4096, hyp_pa(end), R, NULL), HYP_ERANGE);
    assert_int_equal(hyp_pgt_map(&rig.pgt, ia, 8192, hyp_pa(end - 4096), R, NULL), HYP_ERANGE);
    assert_true(fake_snapshot_same(&before, &rig.machine));
    assert_int_equal(hyp_pgt_map(&rig.pgt, ia, 4096, hyp_pa(end - 4096), R, NULL), HYP_OK);
    fake_snapshot_free(&before);
    rig_free(&rig);
}

/* ---- what cannot be said ---- */

/* Every combination of rights and attributes, against the rules in the format's own words. */
static bool sayable(uint64_t flags, hyp_prot_t prot)
{
    const bool r = (prot & R) != 0, w = (prot & W) != 0;
    const bool px = (prot & HYP_PROT_PX) != 0, ux = (prot & HYP_PROT_UX) != 0;
    const bool dev = (prot & DEV) != 0, nc = (prot & NC) != 0;

    if (px != ux) /* one execute right for all */
        return false;
    if (w && !r) /* a misconfiguration */
        return false;
    if (!r && !w && !px) /* not present */
        return false;
    if (px && !r && !(flags & XO)) /* a misconfiguration without the capability */
        return false;
    return !(dev && nc) && !((dev || nc) && px);
}

static void exactly_the_rights_that_ept_has_are_accepted(void **state)
{
    static const uint64_t flags[] = {0, XO};
    unsigned int refused = 0;

    (void)state;
    for (unsigned int f = 0; f < 2; f++) {
        for (hyp_prot_t prot = 0; prot < 64; prot++) {
            const struct hyp_pgt_config config = {.fmt = &hyp_fmt_ept,
                                                  .page_shift = 12,
                                                  .ia_bits = 48,
                                                  .flags = flags[f],
                                                  .max_block_level = 2};
            const bool good = sayable(flags[f], prot);
            struct fake_snapshot before;
            struct table_rig rig;
            unsigned int level;
            enum hyp_err err;

            rig_init_config(&rig, config, 16);
            fake_snapshot_take(&before, &rig.machine);
            err = hyp_pgt_map(&rig.pgt, (hyp_ia_t){0}, 4096, hyp_pa(0x1000), prot, NULL);
            assert_int_equal(err, good ? HYP_OK : HYP_EINVAL);
            if (good)
                assert_int_equal(
                    hyp_pgt_prot(&rig.pgt, hyp_pgt_leaf(&rig.pgt, (hyp_ia_t){0}, &level)), prot);
            else
                assert_true(fake_snapshot_same(&before, &rig.machine));
            refused += !good;
            fake_snapshot_free(&before);
            rig_free(&rig);
        }
    }
    /* Of 64: r, rw, rx, rwx plain, r and rw as device and non-cacheable; with the capability x. */
    assert_int_equal(refused, 2 * 64 - 8 - 9);
}

static void software_bits_that_mean_something_else_are_refused(void **state)
{
    const struct hyp_pgt_config config = {.fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48};
    struct table_rig rig;

    (void)state;
    rig_init_config(&rig, config, 16);
    for (unsigned int n = 0; n < 4; n++)
        assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){n << 12}, 4096, hyp_pa(0x1000),
                                     R | HYP_PROT_SW(n), NULL),
                         n < 2 ? HYP_OK : HYP_EINVAL);
    rig_free(&rig);
}

static void our_own_tables_follow_the_rules_of_hyp_stage_1(void **state)
{
    static const hyp_prot_t bad[] = {
        0, W, HYP_PROT_PX, R | W | HYP_PROT_PX, R | DEV | HYP_PROT_PX, R | NC, HYP_BIT(40)};
    const struct hyp_pgt_config config = {.fmt = &hyp_fmt_x86, .page_shift = 12, .ia_bits = 48};
    struct table_rig rig;

    (void)state;
    rig_init_config(&rig, config, 16);
    for (unsigned int i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hyp_pgt_map(&rig.pgt, (hyp_ia_t){0}, 4096, hyp_pa(0x1000), bad[i], NULL),
                         HYP_EINVAL);
    rig_free(&rig);
}

/* ---- notes ---- */

static void notes_have_their_own_place_and_one_canonical_form(void **state)
{
    static const struct {
        enum hyp_note type;
        uint64_t payload, canonical, pte;
    } notes[] = {
        {HYP_NOTE_DONATED, 1 << 1, 0x2000000000000002, 0x0800000000000008},
        {HYP_NOTE_POISONED, 0, 0x3000000000000000, 0x0c00000000000000},
        {HYP_NOTE_DONATED, 0x1234510004, 0x2000001234510004, 0x08000048d1440010},
        {HYP_NOTE_DONATED, HYP_MASK(55, 1), 0x20fffffffffffffe, 0x0bfffffffffffff8},
    };
    static const uint64_t flags[] = {0, HYP_PGT_EPT_VE};

    (void)state;
    for (unsigned int f = 0; f < 2; f++) {
        const struct hyp_pgt_config config = {
            .fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48, .flags = flags[f]};
        const uint64_t bit63 = f == 0 ? HYP_BIT(63) : 0;
        struct table_rig rig;

        rig_init_config(&rig, config, 16);
        for (unsigned int i = 0; i < sizeof notes / sizeof *notes; i++) {
            const hyp_ia_t ia = {i << 12};
            unsigned int level;
            uint64_t pte;

            assert_int_equal(
                hyp_pgt_annotate(&rig.pgt, ia, 1, notes[i].type, notes[i].payload, NULL), HYP_OK);
            pte = hyp_pgt_leaf(&rig.pgt, ia, &level);
            assert_int_equal(pte, notes[i].pte | bit63);
            assert_int_equal(level, 0);
            assert_int_equal(hyp_pgt_kind(&rig.pgt, pte, 0), HYP_PTE_NOTE);
            assert_int_equal(hyp_pgt_note(&rig.pgt, pte), notes[i].canonical);
            assert_int_equal(hyp_pgt_prot(&rig.pgt, pte), 0);
        }
        assert_int_equal(hyp_pgt_note(&rig.pgt, 0), 0);
        assert_true(fake_table_counts_true(&rig.pgt));
        rig_free(&rig);
    }
}

static void a_note_has_room_for_a_gfn_of_36_bits_and_no_more(void **state)
{
    const struct hyp_pgt_config config = {.fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48};
    struct fake_snapshot before;
    struct table_rig rig;

    (void)state;
    rig_init_config(&rig, config, 16);
    fake_snapshot_take(&before, &rig.machine);
    for (unsigned int bit = 56; bit < 64; bit++)
        assert_int_equal(
            hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){0}, 1, HYP_NOTE_DONATED, HYP_BIT(bit) | 2, NULL),
            HYP_EINVAL);
    assert_int_equal(hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){0}, 1, HYP_NOTE_DONATED, 1, NULL),
                     HYP_EINVAL);
    assert_true(fake_snapshot_same(&before, &rig.machine));
    fake_snapshot_free(&before);
    rig_free(&rig);
}

static void arm64_notes_are_canonical_as_they_are(void **state)
{
    struct table_rig rig;

    (void)state;
    rig_init(&rig, HYP_PGT_FWB, 16);
    assert_int_equal(hyp_pgt_note(&rig.pgt, 0x2000001234510004), 0x2000001234510004);
    assert_int_equal(hyp_pgt_note(&rig.pgt, 0x3000000000000000), 0x3000000000000000);
    assert_int_equal(hyp_pgt_note(&rig.pgt, 0x00000001234567db), 0);
    assert_int_equal(hyp_pgt_note(&rig.pgt, 0), 0);
    rig_free(&rig);
}

/* ---- rights added later ---- */

static void relax_keeps_to_the_rights_that_ept_has(void **state)
{
    static const struct {
        uint64_t flags;
        hyp_prot_t from, add;
        enum hyp_err err;
        uint64_t pte; /* afterwards, of page 0x1000 */
    } cases[] = {
        {0, R, W, HYP_OK, 0x8000000000001173},
        {0, R, W | X, HYP_OK, 0x8000000000001177},
        {0, R, 0, HYP_OK, 0x8000000000001171},
        {0, R, HYP_PROT_PX, HYP_EINVAL, 0x8000000000001171},
        {0, R | W | DEV, X, HYP_EINVAL, 0x8000000000001343},
        {0, R | NC, X, HYP_EINVAL, 0x8000000000001149},
        {0, R | DEV, W, HYP_OK, 0x8000000000001143},
        {XO, X, W, HYP_EINVAL, 0x8000000000001174},
        {XO, X, R | W, HYP_OK, 0x8000000000001177},
        {XO, X, X, HYP_OK, 0x8000000000001174},
        {0, R, R | SW0, HYP_EINVAL, 0x8000000000001171},
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct hyp_pgt_config config = {
            .fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48, .flags = cases[i].flags};
        const hyp_ia_t ia = {0};
        struct table_rig rig;
        unsigned int level;

        rig_init_config(&rig, config, 16);
        assert_int_equal(hyp_pgt_map(&rig.pgt, ia, 4096, hyp_pa(0x1000), cases[i].from, NULL),
                         HYP_OK);
        assert_int_equal(hyp_pgt_relax(&rig.pgt, ia, cases[i].add), cases[i].err);
        assert_int_equal(hyp_pgt_leaf(&rig.pgt, ia, &level), cases[i].pte);
        rig_free(&rig);
    }
}

/* ---- bits that the CPU sets ---- */

static void set_pte_bits(struct table_rig *rig, uint64_t slot, uint64_t clear, uint64_t set)
{
    const uint64_t pte = fake_mem_load(&rig->machine.fake.mem, slot);

    fake_mem_store(&rig->machine.fake.mem, slot, (pte & ~clear) | set);
}

static enum hyp_err find_slot(void *arg, const struct hyp_visit_ctx *ctx)
{
    *(uint64_t *)arg = ctx->slot.v;
    return HYP_OK;
}

static uint64_t slot_of(const struct table_rig *rig, uint64_t ia)
{
    uint64_t slot = 0;
    const struct hyp_visitor visitor = {find_slot, &slot, HYP_VISIT_LEAF};

    assert_int_equal(hyp_pgt_walk(&rig->pgt, (hyp_ia_t){ia}, 4096, &visitor), HYP_OK);
    return slot;
}

static void accessed_and_dirty_make_no_difference_to_map_and_survive_it(void **state)
{
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48, .max_block_level = 2};
    const hyp_ia_t ia = {0x5000};
    struct table_rig rig;
    unsigned int level;

    (void)state;
    rig_init_config(&rig, config, 16);
    assert_int_equal(hyp_pgt_map(&rig.pgt, ia, 4096, hyp_pa(0x1000), R | W, NULL), HYP_OK);
    set_pte_bits(&rig, slot_of(&rig, ia.v), HYP_BIT(8) | HYP_BIT(9), 0);
    assert_int_equal(hyp_pgt_map(&rig.pgt, ia, 4096, hyp_pa(0x1000), R | W, NULL), HYP_EAGAIN);
    rig_reset(&rig);
    assert_int_equal(hyp_pgt_map(&rig.pgt, ia, 4096, hyp_pa(0x1000), R | W | SW0, NULL), HYP_OK);
    assert_int_equal(hyp_pgt_leaf(&rig.pgt, ia, &level), 0x8080000000001073);
    assert_string_equal(fake_port_text(&rig.machine.fake), "");
    rig_free(&rig);
}

static void a_collapse_gathers_what_the_cpu_set_in_any_page(void **state)
{
    const struct hyp_pgt_config config = {
        .fmt = &hyp_fmt_ept, .page_shift = 12, .ia_bits = 48, .max_block_level = 2};
    const uint64_t size = 0x200000;
    const hyp_ia_t ia = {0};
    struct table_rig rig;
    unsigned int level;

    (void)state;
    rig_init_config(&rig, config, 16);
    assert_int_equal(hyp_pgt_map(&rig.pgt, ia, size, hyp_pa(size), R, NULL), HYP_OK);
    assert_int_equal(hyp_pgt_split(&rig.pgt, ia, size, NULL), HYP_OK);
    assert_int_equal(hyp_pgt_leaf(&rig.pgt, (hyp_ia_t){0x3000}, &level), 0x8000000000203171);
    set_pte_bits(&rig, slot_of(&rig, 0x7000), 0, HYP_BIT(9));
    set_pte_bits(&rig, slot_of(&rig, 0x0000), HYP_BIT(8), 0);
    assert_int_equal(hyp_pgt_collapse(&rig.pgt, ia, 1), HYP_OK);
    assert_int_equal(hyp_pgt_leaf(&rig.pgt, ia, &level), 0x80000000002003f1);
    assert_int_equal(level, 1);
    /* Any other difference forbids it. */
    assert_int_equal(hyp_pgt_split(&rig.pgt, ia, size, NULL), HYP_OK);
    set_pte_bits(&rig, slot_of(&rig, 0x7000), 0, HYP_BIT(55));
    assert_int_equal(hyp_pgt_collapse(&rig.pgt, ia, 1), HYP_EAGAIN);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_those_of_the_manual),
        cmocka_unit_test(tables_grant_all_rights_and_have_no_other_bit),
        cmocka_unit_test(a_table_has_four_levels_up_to_48_bits_and_five_above),
        cmocka_unit_test(sizes_that_no_table_can_have_are_refused),
        cmocka_unit_test(outputs_beyond_maxphyaddr_are_refused),
        cmocka_unit_test(exactly_the_rights_that_ept_has_are_accepted),
        cmocka_unit_test(software_bits_that_mean_something_else_are_refused),
        cmocka_unit_test(our_own_tables_follow_the_rules_of_hyp_stage_1),
        cmocka_unit_test(notes_have_their_own_place_and_one_canonical_form),
        cmocka_unit_test(a_note_has_room_for_a_gfn_of_36_bits_and_no_more),
        cmocka_unit_test(arm64_notes_are_canonical_as_they_are),
        cmocka_unit_test(relax_keeps_to_the_rights_that_ept_has),
        cmocka_unit_test(accessed_and_dirty_make_no_difference_to_map_and_survive_it),
        cmocka_unit_test(a_collapse_gathers_what_the_cpu_set_in_any_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
