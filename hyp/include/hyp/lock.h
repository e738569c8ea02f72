/* SPDX-License-Identifier: MIT */
/*
 * A ticket spinlock, and a record of what a CPU holds, for ports whose surroundings run
 * concurrently.
 *
 * The lock is one 32-bit word: the ticket that is served (owner) below the next ticket to give out.
 * Taking is one fetch-add on `next`, then waiting until `owner` is the ticket: first come, first
 * served. Releasing is one store. A zeroed lock is free.
 */
#ifndef HYP_LOCK_H
#define HYP_LOCK_H

#include <hyp/bits.h>
#include <hyp/port.h>

#include <stdalign.h>
#include <stdatomic.h>

struct hyp_spinlock {
    alignas(4) _Atomic uint16_t owner;
    _Atomic uint16_t next;
};

/* The lock is held by the caller when it returns; stores of the last holder are visible. */
static inline void hyp_spin_lock(struct hyp_spinlock *lock)
{
    uint16_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);

    while (atomic_load_explicit(&lock->owner, memory_order_acquire) != ticket)
        ;
}

/* Serves the next ticket. Only the holder writes `owner`, so a plain increment will do. */
static inline void hyp_spin_unlock(struct hyp_spinlock *lock)
{
    uint16_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);

    atomic_store_explicit(&lock->owner, (uint16_t)(owner + 1), memory_order_release);
}

static inline bool hyp_spin_is_locked(struct hyp_spinlock *lock)
{
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) !=
           atomic_load_explicit(&lock->next, memory_order_relaxed);
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
