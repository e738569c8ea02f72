/* SPDX-License-Identifier: MIT */
/* The order of locks, asserted for ports that keep a record of what each CPU holds. */
#include <hyp/lock.h>

void hyp_lock_note_take(struct hyp_lock_held *held, const struct hyp_port *port, unsigned int set)
{
    unsigned int lowest = set & -set;

    /* What is held must lie below the lowest of the new ones; so none is taken twice either. */
    HYP_ASSERT(port, set != 0);
    HYP_ASSERT(port, held->set < lowest);
    held->set |= set;
}

void hyp_lock_note_drop(struct hyp_lock_held *held, const struct hyp_port *port, unsigned int set)
{
    HYP_ASSERT(port, (held->set & set) == set);
    held->set &= ~set;
}
