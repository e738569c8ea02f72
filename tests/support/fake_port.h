/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port for tests: memory is sparse, every barrier, invalidation, cache operation, event and lock
 * is counted and, when asked, kept as a list that prints as text. A panic jumps back to the test.
 */
#ifndef TESTS_SUPPORT_FAKE_PORT_H
#define TESTS_SUPPORT_FAKE_PORT_H

#include <hyp/pgtable.h>

#include "tests/support/fake_mem.h"

#include <setjmp.h>

enum fake_kind {
    FAKE_BARRIER,
    FAKE_TLBI,
    FAKE_CACHE,
    FAKE_STORE,
    FAKE_ZERO,
    FAKE_ROOT,
    FAKE_LOCK,
    FAKE_UNLOCK,
    FAKE_EVENT,
    FAKE_KIND_COUNT
};

struct fake_call {
    enum fake_kind kind;
    int op; /* enum hyp_barrier, hyp_tlbi, hyp_cache_op, hyp_root_kind or hyp_event_kind; lock set
             */
    int level;
    unsigned int vmid;   /* or vm slot of a lock */
    uint64_t addr, size; /* INVEPT: the root */
    uint64_t value;      /* FAKE_STORE: the entry */
};

struct fake_port {
    struct hyp_port port; /* port.ctx is this struct */
    struct fake_mem mem;
    struct fake_call *calls;
    size_t call_count, call_capacity;
    unsigned int record; /* bit per enum fake_kind: kept in `calls` */
    uint64_t barriers[HYP_ISB + 1];
    uint64_t tlbis[HYP_TLBI_COUNT];
    uint64_t cache_bytes[HYP_CACHE_INVAL_POU + 1];
    uint64_t events[HYP_EV_COUNT];
    uint64_t zeroed_bytes;
    unsigned int locks_held;
    char *text;
    jmp_buf panic_buffer;
    jmp_buf *panic_return; /* set by FAKE_PANICS; NULL: a panic aborts the program */
    const char *panic_what;
};

/* Records barriers, invalidations and cache operations from the start. */
void fake_port_init(struct fake_port *fake);
void fake_port_free(struct fake_port *fake);
/* Forgets calls and counts; memory stays. */
void fake_port_reset(struct fake_port *fake);
/*
 * The recorded calls as words separated by blanks, for example
 * "dsb-ishst ipas2e1is:0x40000000/l0 dsb-ish vmalle1is dsb-ish isb clean:0x80000000+0x1000".
 * Valid until the next call of this function on the same port.
 */
const char *fake_port_text(struct fake_port *fake);

/* True when `statement` ended in the port's panic. */
#define FAKE_PANICS(fake, statement)                                                               \
    (setjmp(*fake_panic_buffer(fake)) == 0 ? ((statement), fake_panic_done(fake, false))           \
                                           : fake_panic_done(fake, true))
jmp_buf *fake_panic_buffer(struct fake_port *fake);
bool fake_panic_done(struct fake_port *fake, bool panicked);

/* ---- a pool of pages on a fake port ---- */

struct fake_machine {
    struct fake_port fake;
    struct hyp_vmemmap vmemmap;
    uint64_t page_count; /* descriptors in the vmemmap */
    struct hyp_pool pool;
};

/*
 * RAM of `ram_pages` pages from pfn `first`, with a descriptor each, of which the first
 * `pool_pages` form a pool.
 */
void fake_machine_init(struct fake_machine *machine, unsigned int page_shift, hyp_pfn_t first,
                       uint64_t ram_pages, uint64_t pool_pages);
void fake_machine_free(struct fake_machine *machine);

/* Everything an operation can change: memory, descriptors and the pool. */
struct fake_snapshot {
    struct fake_mem mem;
    struct hyp_page *pages;
    uint64_t page_count;
    struct hyp_pool pool;
};

void fake_snapshot_take(struct fake_snapshot *snapshot, const struct fake_machine *machine);
bool fake_snapshot_same(const struct fake_snapshot *snapshot, const struct fake_machine *machine);
void fake_snapshot_free(struct fake_snapshot *snapshot);

/* ---- tables as text ---- */

/*
 * All non-empty leaves of a table, one line each, runs of like entries joined:
 * "ia+size level pte". Ends in a NUL; to be freed by the caller.
 */
char *fake_table_text(const struct hyp_pgt *pgt);
/* Counts of all table pages equal 1 plus their non-zero entries. */
bool fake_table_counts_true(const struct hyp_pgt *pgt);
/* Table pages, the root included. */
uint64_t fake_table_pages(const struct hyp_pgt *pgt);

#endif
