/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random accesses over random tables of the guest and of EPT, valid and not, and what the walker of
 * mmu/ makes of them. Entries are written from the SDM, volume 3, 4.5 and 28.3, and share nothing
 * with mmu/.
 */
#ifndef TESTS_ORACLE_X86_CASE_H
#define TESTS_ORACLE_X86_CASE_H

#include "mmu/x86.h"
#include "tests/oracle/bochs/case.h"
#include "tests/oracle/random.h"

enum x86_kind {
    X86_STAGE_1, /* tables and data at guest-physical addresses that are physical ones */
    X86_EPT,     /* the data alone goes through random EPT entries */
    X86_BOTH,    /* all but the guest's root does */
    X86_KINDS
};

/* The memory of one case: the words it sets, over what the image has at fixed places. */
struct x86_memory {
    struct case_sector *test;
    uint64_t word[CASE_POKES]; /* as they are now */
    bool strayed;              /* the walk read what is neither */
    uint64_t last_entry;       /* that it read */
};

struct x86_model {
    struct x86_memory memory;
    bool no_ept; /* the guest's tables alone */
    struct mmu *mmu;
};

struct x86_answer {
    struct mmu_request request;
    struct mmu_result result;
    uint64_t word[CASE_POKES]; /* afterwards */
    uint64_t last_entry;
};

bool x86_model_open(struct x86_model *model);
void x86_model_close(struct x86_model *model);

/* Case number `seed`. */
void x86_case_build(struct case_sector *test, uint64_t seed, enum x86_kind kind);
/* Register state of a case over EPT. */
struct mmu_x86_regs x86_case_registers(uint32_t flags);
/* Our answer; false: the case reads or reaches memory that is not its own. */
bool x86_case_answer(struct x86_model *model, struct case_sector *test, struct x86_answer *answer);

#endif
