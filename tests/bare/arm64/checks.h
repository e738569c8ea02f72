/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host checks, in its order: a name, and the sentence that the console shows. */
#ifndef TESTS_BARE_ARM64_CHECKS_H
#define TESTS_BARE_ARM64_CHECKS_H

#define CHECKS(X)                                                                                  \
    X(EARLY, "ownership calls are refused before the hypervisor runs")                             \
    X(BOOT, "the hypervisor boots")                                                                \
    X(FINALIZE, "the host goes under its stage 2")                                                 \
    X(LATE, "a second boot is refused")                                                            \
    X(LAZY, "a page is mapped when it is touched, and keeps what is written")                      \
    X(DEVICE, "a device is mapped when it is touched")                                             \
    X(SHARE, "a page is shared, once, and unshared")                                               \
    X(DONATE, "a page is donated")                                                                 \
    X(GONE, "the donated page aborts at the same level, with its translation fault and S1PTW")     \
    X(NEIGHBOUR, "its neighbour in the block that was is still there")                             \
    X(BACK, "a page that comes back can be used again")                                            \
    X(RANGE, "each page of a donated range is gone")                                               \
    X(RANGE_BACK, "each page of the range comes back")                                             \
    X(POOL, "the hypervisor's pool is out of reach")                                               \
    X(CODE, "the hypervisor's code can be read and not written")                                   \
    X(DATA, "the hypervisor's data is out of reach")                                               \
    X(GUEST, "a protected guest gets a page, which is gone")                                       \
    X(WIPED, "a page taken back by force is wiped")                                                \
    X(TEARDOWN, "a dying guest gives back everything")

#define CHECK_NAME(name, text) CHECK_##name,
#define CHECK_TEXT(name, text) text,

enum check { CHECKS(CHECK_NAME) CHECK_COUNT };

#endif
