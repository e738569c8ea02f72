/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host checks, in its order: a name, and the sentence that the console shows. */
#ifndef TESTS_BARE_X86_CHECKS_H
#define TESTS_BARE_X86_CHECKS_H

#define CHECKS(X)                                                                                  \
    X(EARLY, "ownership calls are refused before the hypervisor runs")                             \
    X(BOOT, "the hypervisor boots")                                                                \
    X(PRIVATE, "it maps a device for itself, and no memory, at the host's wish")                   \
    X(FINALIZE, "the host goes under its stage 2")                                                 \
    X(LATE, "a second boot is refused")                                                            \
    X(LAZY, "a page is mapped when it is touched, and keeps what is written")                      \
    X(LOW, "so is one of the other region, which no block covers")                                 \
    X(DEVICE, "devices are mapped when they are touched: VGA, BIOS, local APIC")                   \
    X(SHARE, "a page is shared, once, and unshared")                                               \
    X(DONATE, "a page is donated")                                                                 \
    X(GONE, "the donated page is a page fault, not present, for read, write and fetch")            \
    X(NEIGHBOUR, "its neighbour in the block that was is still there")                             \
    X(BACK, "a page that comes back can be used again")                                            \
    X(REACH, "and the hypervisor, which could reach it, no longer does")                           \
    X(RANGE, "each page of a donated range is gone")                                               \
    X(RANGE_BACK, "each page of the range comes back")                                             \
    X(TABLE, "a donated page table of the host is a page fault of what it maps")                   \
    X(POOL, "the hypervisor's pool is out of reach")                                               \
    X(CODE, "the hypervisor's code can be read and not written")                                   \
    X(DATA, "the hypervisor's data is out of reach")                                               \
    X(GUEST, "a protected guest gets a page, which is gone")                                       \
    X(RUN, "the guest runs until it meets a page that it lacks")                                   \
    X(LEND, "with that page it goes on, and lends it to the host, who reads what it wrote")        \
    X(TAKE, "it takes the page back, and it is gone")                                              \
    X(WIPED, "a page taken back by force is wiped")                                                \
    X(POISON, "the guest's next touch of it is told apart from a miss")                            \
    X(RECLAIM, "pages of a dying guest come back wiped, one by one and two in one exit")           \
    X(TEARDOWN, "it gives back everything, and nothing of it is left to read")                     \
    X(XONLY, "an execute-only page runs and cannot be read, or is refused where EPT has none")     \
    X(XONLY_BACK, "that page comes back as it was")

#define CHECK_NAME(name, text) CHECK_##name,
#define CHECK_TEXT(name, text) text,

enum check { CHECKS(CHECK_NAME) CHECK_COUNT };

#endif
