/* SPDX-License-Identifier: MIT */
/* The ticket lock under two threads, its wrap, and the order of locks with faults put in. */
#include "tests/support/cmocka_all.h"
#include "tests/support/fake_port.h"

#include <hyp/lock.h>

#include <pthread.h>

#define ROUNDS 100000u

struct shared {
    struct hyp_spinlock lock;
    uint64_t a, b; /* equal whenever the lock is free */
    unsigned int torn;
};

static void *worker(void *arg)
{
    struct shared *shared = arg;
    unsigned int i;

    for (i = 0; i < ROUNDS; i++) {
        hyp_spin_lock(&shared->lock);
        if (shared->a != shared->b)
            shared->torn++;
        shared->a++;
        shared->b++;
        hyp_spin_unlock(&shared->lock);
    }
    return NULL;
}

static void two_threads_never_see_each_other_inside(void **state)
{
    static struct shared shared;
    pthread_t threads[2];
    unsigned int i;

    (void)state;
    for (i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, &shared), 0);
    for (i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared.torn, 0);
    /* 200000 tickets: both halves of the word have wrapped. */
    assert_int_equal(shared.a, 2 * ROUNDS);
    assert_int_equal(shared.b, 2 * ROUNDS);
    assert_false(hyp_spin_is_locked(&shared.lock));
}

static void tickets_wrap_in_their_own_half_of_one_word(void **state)
{
    struct hyp_spinlock lock = {0xffff, 0xffff}; /* free, both at the last ticket */

    (void)state;
    assert_int_equal(sizeof(lock), 4);
    assert_false(hyp_spin_is_locked(&lock));
    hyp_spin_lock(&lock);
    assert_int_equal(lock.owner, 0xffff);
    assert_int_equal(lock.next, 0);
    assert_true(hyp_spin_is_locked(&lock));
    hyp_spin_unlock(&lock);
    assert_int_equal(lock.owner, 0);
    assert_int_equal(lock.next, 0);
    assert_false(hyp_spin_is_locked(&lock));
}

static void tickets_are_served_in_order(void **state)
{
    struct hyp_spinlock lock = {0};

    (void)state;
    hyp_spin_lock(&lock);
    /* Two more arrive while it is held; releasing serves the one that came first. */
    lock.next += 2;
    hyp_spin_unlock(&lock);
    assert_int_equal(lock.owner, 1);
    hyp_spin_unlock(&lock);
    assert_int_equal(lock.owner, 2);
    assert_true(hyp_spin_is_locked(&lock));
}

static void ascending_order_is_accepted(void **state)
{
    struct fake_port fake;
    struct hyp_lock_held held = {0};

    (void)state;
    fake_port_init(&fake);
    hyp_lock_note_take(&held, &fake.port, HYP_LOCK_VM_TABLE);
    hyp_lock_note_take(&held, &fake.port, HYP_LOCK_HOST | HYP_LOCK_HYP);
    hyp_lock_note_take(&held, &fake.port, HYP_LOCK_GUEST);
    assert_int_equal(held.set, 15);
    hyp_lock_note_drop(&held, &fake.port, HYP_LOCK_HOST | HYP_LOCK_HYP);
    hyp_lock_note_drop(&held, &fake.port, HYP_LOCK_GUEST);
    hyp_lock_note_drop(&held, &fake.port, HYP_LOCK_VM_TABLE);
    assert_int_equal(held.set, 0);
    fake_port_free(&fake);
}

static bool take_panics(struct fake_port *fake, unsigned int have, unsigned int want)
{
    struct hyp_lock_held held = {have};

    return FAKE_PANICS(fake, hyp_lock_note_take(&held, &fake->port, want));
}

static void any_other_order_stops_the_core(void **state)
{
    struct fake_port fake;
    unsigned int have, want;

    (void)state;
    fake_port_init(&fake);
    for (have = 0; have < 16; have++) {
        for (want = 1; want < 16; want++) {
            bool in_order = have < (want & -want);

            assert_int_equal(take_panics(&fake, have, want), !in_order);
        }
    }
    fake_port_free(&fake);
}

static void releasing_what_is_not_held_stops_the_core(void **state)
{
    struct fake_port fake;
    struct hyp_lock_held held = {HYP_LOCK_HOST};

    (void)state;
    fake_port_init(&fake);
    assert_true(FAKE_PANICS(&fake, hyp_lock_note_drop(&held, &fake.port, HYP_LOCK_HYP)));
    assert_true(FAKE_PANICS(&fake, hyp_lock_note_take(&held, &fake.port, 0)));
    fake_port_free(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_never_see_each_other_inside),
        cmocka_unit_test(tickets_wrap_in_their_own_half_of_one_word),
        cmocka_unit_test(tickets_are_served_in_order),
        cmocka_unit_test(ascending_order_is_accepted),
        cmocka_unit_test(any_other_order_stops_the_core),
        cmocka_unit_test(releasing_what_is_not_held_stops_the_core),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
