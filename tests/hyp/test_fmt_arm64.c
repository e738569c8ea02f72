/* SPDX-License-Identifier: MIT */
/*
 * Entries bit for bit. The expected values were printed by the page-table code of Linux 7.3; here
 * they must come out of whole map and annotate calls.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/tables.h"

#define FWB  HYP_PGT_FWB
#define XNX  HYP_PGT_XNX
#define HOST (HYP_PGT_IDENTITY | HYP_PGT_S1_ATTRS)

struct golden {
    const char *what;
    const struct hyp_pgt_fmt *fmt;
    unsigned int page_shift, ia_bits;
    uint64_t flags;
    hyp_prot_t prot;
    uint64_t pa, size;
    uint64_t pte;
    unsigned int level;
};

#define S2   &hyp_fmt_arm64_s2, 12, 40
#define S1   &hyp_fmt_arm64_s1, 12, 48
#define PAGE 0x123456000, 0x1000
#define R    HYP_PROT_R
#define W    HYP_PROT_W
#define X    HYP_PROT_X

static const struct golden rows[] = {
    {"page r", S2, FWB, R, PAGE, 0x004000012345675b, 0},
    {"page r", S2, 0, R, PAGE, 0x004000012345677f, 0},
    {"page rw", S2, FWB, R | W, PAGE, 0x00400001234567db, 0},
    {"page rw", S2, 0, R | W, PAGE, 0x00400001234567ff, 0},
    {"page rx", S2, FWB, R | X, PAGE, 0x000000012345675b, 0},
    {"page rx", S2, 0, R | X, PAGE, 0x000000012345677f, 0},
    {"page rwx", S2, FWB, R | W | X, PAGE, 0x00000001234567db, 0},
    {"page rwx", S2, 0, R | W | X, PAGE, 0x00000001234567ff, 0},
    {"rw, x privileged", S2, FWB | XNX, R | W | HYP_PROT_PX, PAGE, 0x00600001234567db, 0},
    {"rw, x unprivileged", S2, FWB | XNX, R | W | HYP_PROT_UX, PAGE, 0x00200001234567db, 0},
    {"rw, x privileged", S2, XNX, R | W | HYP_PROT_PX, PAGE, 0x00600001234567ff, 0},
    {"rw, x unprivileged", S2, XNX, R | W | HYP_PROT_UX, PAGE, 0x00200001234567ff, 0},
    {"rw device", S2, FWB, R | W | HYP_PROT_DEVICE, PAGE, 0x00400001234567c7, 0},
    {"rw device", S2, 0, R | W | HYP_PROT_DEVICE, PAGE, 0x00400001234567c7, 0},
    {"rw non-cacheable", S2, FWB, R | W | HYP_PROT_NORMAL_NC, PAGE, 0x00400001234567d7, 0},
    {"rw non-cacheable", S2, 0, R | W | HYP_PROT_NORMAL_NC, PAGE, 0x00400001234567d7, 0},
    {"shared, owned", S2, FWB, R | W | X | HYP_PROT_SW(0), PAGE, 0x00800001234567db, 0},
    {"shared, borrowed", S2, FWB, R | W | X | HYP_PROT_SW(1), PAGE, 0x01000001234567db, 0},
    {"shared, owned", S2, 0, R | W | X | HYP_PROT_SW(0), PAGE, 0x00800001234567ff, 0},
    {"2M block", S2, FWB, R | W | X, 0x140000000, 0x200000, 0x00000001400007d9, 1},
    {"2M block", S2, 0, R | W | X, 0x140000000, 0x200000, 0x00000001400007fd, 1},
    {"host ram", S2, HOST | FWB, R | W | X, 0x1c0000000, 0x40000000, 0x00000001c00007dd, 2},
    {"host ram", S2, HOST, R | W | X, 0x1c0000000, 0x40000000, 0x00000001c00007fd, 2},
    {"host device", S2, HOST | FWB, R | W, 0, 0x40000000, 0x00400000000007dd, 2},
    {"host device", S2, HOST, R | W, 0, 0x40000000, 0x00400000000007fd, 2},
    {"hyp rw", S1, 0, R | W, PAGE, 0x0040000123456743, 0},
    {"hyp ro", S1, 0, R, PAGE, 0x00400001234567c3, 0},
    {"hyp rx", S1, 0, R | X, PAGE, 0x00000001234567c3, 0},
    {"hyp device", S1, 0, R | W | HYP_PROT_DEVICE, PAGE, 0x0040000123456753, 0},
    {"hyp rw", S1, HYP_PGT_HVHE, R | W, PAGE, 0x0060000123456703, 0},
    {"hyp ro", S1, HYP_PGT_HVHE, R, PAGE, 0x0060000123456783, 0},
    {"hyp rx", S1, HYP_PGT_HVHE, R | X, PAGE, 0x0000000123456783, 0},
    {"hyp device", S1, HYP_PGT_HVHE, R | W | HYP_PROT_DEVICE, PAGE, 0x0060000123456713, 0},
    {"page rwx, LPA2", S2, FWB | HYP_PGT_LPA2, R | W | X, PAGE, 0x00000001234564db, 0},
    {"hyp rw, LPA2", S1, HYP_PGT_LPA2, R | W, PAGE, 0x0040000123456443, 0},
    {"16K page", &hyp_fmt_arm64_s2, 14, 40, FWB, R | W | X, 0x123454000, 0x4000, 0x00000001234547db,
     0},
    {"64K page", &hyp_fmt_arm64_s2, 16, 40, FWB, R | W | X, 0x123450000, 0x10000,
     0x00000001234507db, 0},
    /* From the layouts alone: addresses above 2^48. */
    {"64K page at 2^51", &hyp_fmt_arm64_s2, 16, 40, FWB, R | W | X, 0x8000123450000, 0x10000,
     0x00000001234587db, 0},
    {"LPA2 page at 2^51", S2, FWB | HYP_PGT_LPA2, R | W | X, 0x8000123456000, 0x1000,
     0x00000001234566db, 0},
    {"LPA2 page at 2^49", S2, FWB | HYP_PGT_LPA2, R | W | X, 0x2000123456000, 0x1000,
     0x00020001234564db, 0},
};

static struct hyp_pgt_config config_of(const struct golden *row)
{
    return (struct hyp_pgt_config){.fmt = row->fmt,
                                   .page_shift = row->page_shift,
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
    rig_free(&rig);
}

static void leaves_are_those_of_linux(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

static void rights_read_back_as_they_were_given(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct golden *row = &rows[i];
        hyp_prot_t expected = row->prot;
        struct table_rig rig;

        rig_init_config(&rig, config_of(row), 64);
        if (row->fmt == &hyp_fmt_arm64_s1)
            expected &= ~HYP_PROT_UX;
        assert_int_equal(hyp_pgt_prot(&rig.pgt, row->pte), expected);
        /* Of an entry that is not valid only the software bits mean anything. */
        assert_int_equal(hyp_pgt_prot(&rig.pgt, row->pte & ~UINT64_C(1)),
                         expected & HYP_PROT_SW_MASK);
        rig_free(&rig);
    }
}

static void large_granules_have_no_block_of_level_two(void **state)
{
    static const unsigned int shifts[] = {14, 16};

    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        const struct hyp_pgt_config config = {.fmt = &hyp_fmt_arm64_s2,
                                              .page_shift = shifts[i],
                                              .ia_bits = 48,
                                              .flags = HOST | FWB,
                                              .max_block_level = 4};
        const uint64_t size = hyp_level_size(shifts[i], 2);
        struct table_rig rig;
        unsigned int level;

        rig_init_config(&rig, config, 64);
        assert_int_equal(
            hyp_pgt_map(&rig.pgt, (hyp_ia_t){size}, size, hyp_pa(size), HYP_PROT_RWX, NULL),
            HYP_OK);
        assert_int_equal(hyp_pgt_leaf(&rig.pgt, (hyp_ia_t){size}, &level), size | 0x7dd);
        assert_int_equal(level, 1);
        rig_free(&rig);
    }
}

static void annotations_are_those_of_linux(void **state)
{
    const uint64_t guest = 2 << 1 | UINT64_C(0x1000) << 4 | UINT64_C(0x12345) << 20;
    const struct {
        enum hyp_note type;
        uint64_t payload, pte;
    } notes[] = {
        {HYP_NOTE_DONATED, 1 << 1, 0x2000000000000002},
        {HYP_NOTE_POISONED, 0, 0x3000000000000000},
        {HYP_NOTE_DONATED, guest, 0x2000001234510004},
    };
    struct table_rig rig;

    (void)state;
    rig_init(&rig, FWB, 64);
    for (unsigned int i = 0; i < sizeof notes / sizeof *notes; i++) {
        unsigned int level;
        uint64_t pte;

        assert_int_equal(hyp_pgt_annotate(&rig.pgt, (hyp_ia_t){0x5000}, 1, notes[i].type,
                                          notes[i].payload, NULL),
                         HYP_OK);
        pte = hyp_pgt_leaf(&rig.pgt, (hyp_ia_t){0x5000}, &level);
        assert_int_equal(pte, notes[i].pte);
        assert_int_equal(level, 0);
        assert_int_equal(hyp_pgt_kind(&rig.pgt, pte, level), HYP_PTE_NOTE);
    }
    rig_free(&rig);
}

static enum hyp_err try(const struct hyp_pgt_fmt *fmt, uint64_t flags, hyp_prot_t prot)
{
    const struct hyp_pgt_config config = {
        .fmt = fmt, .page_shift = 12, .ia_bits = 40, .flags = flags, .max_block_level = 2};
    struct table_rig rig;
    struct fake_snapshot before;
    enum hyp_err err;

    rig_init_config(&rig, config, 16);
    fake_snapshot_take(&before, &rig.machine);
    err = hyp_pgt_map(&rig.pgt, (hyp_ia_t){0x1000}, 0x1000, hyp_pa(0x1000), prot, NULL);
    if (err) {
        assert_true(fake_snapshot_same(&before, &rig.machine));
        assert_string_equal(fake_port_text(&rig.machine.fake), "");
    }
    fake_snapshot_free(&before);
    rig_free(&rig);
    return err;
}

static void rights_that_cannot_be_said_are_refused(void **state)
{
    const struct hyp_pgt_fmt *s1 = &hyp_fmt_arm64_s1, *s2 = &hyp_fmt_arm64_s2;
    const hyp_prot_t device = HYP_PROT_DEVICE, nc = HYP_PROT_NORMAL_NC;

    (void)state;
    assert_int_equal(try(s2, FWB, R | device | nc), HYP_EINVAL);
    assert_int_equal(try(s2, FWB, R | X | device), HYP_EINVAL);
    assert_int_equal(try(s2, FWB, R | X | nc), HYP_EINVAL);
    assert_int_equal(try(s2, FWB, R | HYP_PROT_PX), HYP_EINVAL);
    assert_int_equal(try(s2, FWB, R | HYP_PROT_UX), HYP_EINVAL);
    assert_int_equal(try(s2, FWB | XNX, R | HYP_PROT_UX), HYP_OK);
    assert_int_equal(try(s2, FWB, R | HYP_BIT(20)), HYP_EINVAL);
    assert_int_equal(try(s2, FWB, 0), HYP_OK);
    assert_int_equal(try(s1, 0, W), HYP_EINVAL);
    assert_int_equal(try(s1, 0, 0), HYP_EINVAL);
    assert_int_equal(try(s1, 0, R | W | X), HYP_EINVAL);
    assert_int_equal(try(s1, 0, R | X | device), HYP_EINVAL);
    assert_int_equal(try(s1, 0, R | nc), HYP_EINVAL);
    assert_int_equal(try(s1, 0, R | HYP_PROT_UX), HYP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_those_of_linux),
        cmocka_unit_test(rights_read_back_as_they_were_given),
        cmocka_unit_test(large_granules_have_no_block_of_level_two),
        cmocka_unit_test(annotations_are_those_of_linux),
        cmocka_unit_test(rights_that_cannot_be_said_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
