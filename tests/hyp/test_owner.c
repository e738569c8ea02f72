/* SPDX-License-Identifier: MIT */
/*
 * Every ownership call on a page in every state: the result is the one of the table, a refused call
 * leaves everything as it was, an allowed one leads to exactly the state that the table names.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#include <string.h>

#define P HRIG_PFN
#define G HRIG_GFN

/* Where the page can be. Only one of them is in force at a time. */
enum place {
    OWNED,
    LENT_HYP,
    PINNED,
    HYP_OWNS,
    LENT_FFA,
    LENT_GUEST,
    GUEST_OWNS,
    GUEST_LENDS,
    POISONED, /* back with the host, poisoned for the guest */
    PLACES
};

enum call {
    SHARE_HYP,
    UNSHARE_HYP,
    PIN,
    DONATE_HYP,
    GIVE_BACK,
    SHARE_FFA,
    UNSHARE_FFA,
    SHARE_GUEST,
    UNSHARE_GUEST,
    DONATE_GUEST,
    GUEST_SHARE,
    GUEST_UNSHARE,
    RECLAIM,
    FORCE,
    ACCESS,
    CALLS
};

static int perform(struct hyp_rig *rig, enum call call)
{
    struct hyp *hyp = &rig->hyp;
    struct hyp_vcpu *np = rig->vcpu[HRIG_NP];
    struct hyp_vcpu *pv = rig->vcpu[HRIG_PV];

    switch (call) {
    case SHARE_HYP:
        return hyp_host_share_hyp(hyp, P);
    case UNSHARE_HYP:
        return hyp_host_unshare_hyp(hyp, P);
    case PIN:
        return hyp_pin(hyp, hyp_rig_pa(P), hyp_rig_pa(P + 1));
    case DONATE_HYP:
        return hyp_host_donate_hyp(hyp, P, 1);
    case GIVE_BACK:
        return hyp_hyp_donate_host(hyp, P, 1);
    case SHARE_FFA:
        return hyp_host_share_ffa(hyp, P, 1);
    case UNSHARE_FFA:
        return hyp_host_unshare_ffa(hyp, P, 1);
    case SHARE_GUEST:
        return hyp_host_share_guest(hyp, np, P, G, 1, HYP_PROT_RWX);
    case UNSHARE_GUEST:
        return hyp_host_unshare_guest(hyp, np->vm, G, 1);
    case DONATE_GUEST:
        return hyp_host_donate_guest(hyp, pv, P, G);
    case GUEST_SHARE:
        return hyp_guest_share_host(hyp, pv->vm, G);
    case GUEST_UNSHARE:
        return hyp_guest_unshare_host(hyp, pv->vm, G);
    case RECLAIM:
        return hyp_reclaim_guest_page(hyp, pv->vm, G);
    case FORCE:
        return hyp_force_reclaim(hyp, hyp_rig_pa(P));
    case ACCESS:
        return hyp_host_touch(hyp, hyp_ipa(hyp_rig_pa(P).v)) == HYP_HOST_INJECTED ? HYP_EPERM
                                                                                  : HYP_OK;
    case CALLS:
        break;
    }
    return HYP_EINVAL;
}

/* Calls that lead from OWNED to each place. */
static const struct path {
    unsigned int length;
    enum call calls[2];
} paths[PLACES] = {
    [OWNED] = {0, {CALLS}},
    [LENT_HYP] = {1, {SHARE_HYP}},
    [PINNED] = {2, {SHARE_HYP, PIN}},
    [HYP_OWNS] = {1, {DONATE_HYP}},
    [LENT_FFA] = {1, {SHARE_FFA}},
    [LENT_GUEST] = {1, {SHARE_GUEST}},
    [GUEST_OWNS] = {1, {DONATE_GUEST}},
    [GUEST_LENDS] = {2, {DONATE_GUEST, GUEST_SHARE}},
    [POISONED] = {2, {DONATE_GUEST, FORCE}},
};

static void start_at(struct hyp_rig *rig, enum place place)
{
    unsigned int i;

    hyp_rig_start(rig);
    for (i = 0; i < paths[place].length; i++)
        assert_int_equal(perform(rig, paths[place].calls[i]), HYP_OK);
}

/* Rows of the ownership table. Where a result is HYP_OK, `next` says where the page is then. */
static const struct row {
    enum call call;
    int rc[PLACES];
    enum place next[PLACES];
} rows[] = {
    {SHARE_HYP, {0, -1, -1, -1, -1, -1, -1, -1, 0}, {[OWNED] = LENT_HYP, [POISONED] = LENT_HYP}},
    {UNSHARE_HYP, {-1, 0, -16, -1, -1, -1, -1, -1, -1}, {[LENT_HYP] = OWNED}},
    {PIN, {-1, 0, 0, -1, -1, -1, -1, -1, -1}, {[LENT_HYP] = PINNED, [PINNED] = PINNED}},
    {DONATE_HYP, {0, -1, -1, -1, -1, -1, -1, -1, 0}, {[OWNED] = HYP_OWNS, [POISONED] = HYP_OWNS}},
    {GIVE_BACK, {-1, -1, -1, 0, -1, -1, -1, -1, -1}, {[HYP_OWNS] = OWNED}},
    {SHARE_FFA, {0, -1, -1, -1, -1, -1, -1, -1, 0}, {[OWNED] = LENT_FFA, [POISONED] = LENT_FFA}},
    {UNSHARE_FFA, {-1, -1, -1, -1, 0, -1, -1, -1, -1}, {[LENT_FFA] = OWNED}},
    {SHARE_GUEST,
     {0, -1, -1, -1, -1, -1, -1, -1, 0},
     {[OWNED] = LENT_GUEST, [POISONED] = LENT_GUEST}},
    {UNSHARE_GUEST, {-2, -2, -2, -2, -2, 0, -2, -2, -2}, {[LENT_GUEST] = OWNED}},
    {DONATE_GUEST, {0, -1, -1, -1, -1, -1, -1, -1, -1}, {[OWNED] = GUEST_OWNS}},
    {GUEST_SHARE, {-2, -2, -2, -2, -2, -2, 0, -1, -133}, {[GUEST_OWNS] = GUEST_LENDS}},
    {GUEST_UNSHARE, {-2, -2, -2, -2, -2, -2, -1, 0, -133}, {[GUEST_LENDS] = GUEST_OWNS}},
    {RECLAIM,
     {-2, -2, -2, -2, -2, -2, 0, 0, 0},
     {[GUEST_OWNS] = OWNED, [GUEST_LENDS] = OWNED, [POISONED] = POISONED}},
    {FORCE, {-11, -11, -11, -1, -11, -11, 0, -11, -11}, {[GUEST_OWNS] = POISONED}},
    {ACCESS,
     {0, 0, 0, -1, 0, 0, -1, 0, 0},
     {[OWNED] = OWNED,
      [LENT_HYP] = LENT_HYP,
      [PINNED] = PINNED,
      [LENT_FFA] = LENT_FFA,
      [LENT_GUEST] = LENT_GUEST,
      [GUEST_LENDS] = GUEST_LENDS,
      [POISONED] = POISONED}},
};

/* What each party says about the page. Compared as a whole, so there is no padding in it. */
struct view {
    unsigned int host, hyp, share_count, borrower;
    uint64_t np_pte, pv_pte; /* software bits and validity, or note type */
    uint64_t pinned;
    uint64_t note; /* of the host's table, 0 when it has none */
};

static uint64_t guest_view(const struct hyp_rig *rig, unsigned int which)
{
    unsigned int level;
    uint64_t pte = hyp_pgt_leaf(&rig->vcpu[which]->vm->pgt, (hyp_ia_t){G << 12}, &level);

    return pte & 1 ? (pte & (HYP_PROT_SW_MASK | HYP_MASK(47, 12))) | 1 : pte;
}

static struct view view_of(struct hyp_rig *rig)
{
    const struct hyp_page *page = hyp_rig_page(rig, P);
    unsigned int level;
    uint64_t pte = hyp_host_leaf(&rig->hyp, hyp_ipa(P << 12), &level);
    struct view view;

    memset(&view, 0, sizeof(view));
    view.host = hyp_page_host_state(page);
    view.hyp = hyp_page_hyp_state(page);
    view.share_count = page->share_count;
    view.borrower = page->borrower;
    view.np_pte = guest_view(rig, HRIG_NP);
    view.pv_pte = guest_view(rig, HRIG_PV);
    view.pinned = page->refcount != 0;
    view.note = pte & 1 ? 0 : pte;
    return view;
}

static struct view view_at(enum place place)
{
    struct hyp_rig rig;
    struct view view;

    start_at(&rig, place);
    view = view_of(&rig);
    hyp_rig_free(&rig);
    return view;
}

static void refuse(struct hyp_rig *rig, enum call call, int rc)
{
    struct hyp_rig_snapshot before;

    hyp_rig_save(&before, rig);
    assert_int_equal(perform(rig, call), rc);
    assert_true(hyp_rig_same(&before, rig));
    hyp_rig_forget(&before);
}

static void check_cell(const struct row *row, enum place from)
{
    struct hyp_rig rig;
    struct view now, expected;

    start_at(&rig, from);
    if (row->rc[from]) {
        refuse(&rig, row->call, row->rc[from]);
    } else {
        assert_int_equal(perform(&rig, row->call), HYP_OK);
        now = view_of(&rig);
        expected = view_at(row->next[from]);
        /* A gfn that was poisoned stays so, whatever becomes of the page. */
        if (from == POISONED)
            expected.pv_pte = now.pv_pte;
        assert_memory_equal(&now, &expected, sizeof(now));
        assert_true(hyp_rig_sound(&rig));
    }
    hyp_rig_free(&rig);
}

static void every_call_on_every_state_does_what_the_table_says(void **state)
{
    size_t r;
    unsigned int from;

    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), CALLS);
    for (r = 0; r < CALLS; r++) {
        assert_int_equal(rows[r].call, r);
        for (from = 0; from < PLACES; from++)
            check_cell(&rows[r], (enum place)from);
    }
}

static void the_places_are_told_apart_by_the_comparison(void **state)
{
    struct view views[PLACES];
    unsigned int a, b;

    (void)state;
    for (a = 0; a < PLACES; a++) {
        views[a] = view_at((enum place)a);
        for (b = 0; b < a; b++)
            assert_memory_not_equal(&views[a], &views[b], sizeof(views[a]));
    }
}

static void the_snapshot_notices_a_single_changed_bit(void **state)
{
    struct hyp_rig rig;
    struct hyp_rig_snapshot before;

    (void)state;
    hyp_rig_start(&rig);
    hyp_rig_save(&before, &rig);
    assert_true(hyp_rig_same(&before, &rig));
    hyp_rig_page(&rig, P)->refcount ^= 1;
    assert_false(hyp_rig_same(&before, &rig));
    hyp_rig_page(&rig, P)->refcount ^= 1;
    rig.fake.port.pte_store(&rig.fake, hyp_rig_pa(P), 1);
    assert_false(hyp_rig_same(&before, &rig));
    hyp_rig_forget(&before);
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_on_every_state_does_what_the_table_says),
        cmocka_unit_test(the_places_are_told_apart_by_the_comparison),
        cmocka_unit_test(the_snapshot_notices_a_single_changed_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
