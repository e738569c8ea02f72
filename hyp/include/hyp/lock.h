/* SPDX-License-Identifier: MIT */
/*
 * A ticket spinlock, and a record of what a CPU holds, for ports whose surroundings run
 * concurrently.
 *
 * The lock word: bits 15:0 the ticket that is served (owner), bits 31:16 the next ticket to give
 * out. Taking is one fetch-add on `next`, then waiting until `owner` is the ticket: first come,
 * first served. A zeroed lock is free.
 */
#ifndef HYP_LOCK_H
#define HYP_LOCK_H

#include <hyp/bits.h>
#include <hyp/port.h>

#include <stdatomic.h>

struct hyp_spinlock {
    _Atomic uint32_t word;
};

/* The lock is held by the caller when it returns; stores of the last holder are visible. */
static inline void hyp_spin_lock(struct hyp_spinlock *lock)
{
    uint32_t word = atomic_fetch_add_explicit(&lock->word, UINT32_C(1) << 16, memory_order_acquire);
    uint32_t ticket = word >> 16;

    while ((word & 0xffff) != ticket)
        word = atomic_load_explicit(&lock->word, memory_order_acquire);
}

/* Serves the next ticket. `owner` must wrap inside its 16 bits without carrying into `next`. */
static inline void hyp_spin_unlock(struct hyp_spinlock *lock)
{
    uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);

    if (HYP_LIKELY((word & 0xffff) != 0xffff))
        atomic_fetch_add_explicit(&lock->word, 1, memory_order_release);
    else
        atomic_fetch_sub_explicit(&lock->word, 0xffff, memory_order_release);
}

static inline bool hyp_spin_is_locked(struct hyp_spinlock *lock)
{
    uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);

    return (word >> 16) != (word & 0xffff);
}

/* What one CPU holds: an or of enum hyp_lock. A port keeps one for each CPU. */
struct hyp_lock_held {
    unsigned int set;
};

/*
 * Called before a set is taken and after it was released. A lock may only be taken while no other
 * of its rank or above is held (enum hyp_lock is the order), and only a held one may be released;
 * anything else is a bug of the core and panics.
 */
void hyp_lock_note_take(struct hyp_lock_held *held, const struct hyp_port *port, unsigned int set);
void hyp_lock_note_drop(struct hyp_lock_held *held, const struct hyp_port *port, unsigned int set);

#endif
