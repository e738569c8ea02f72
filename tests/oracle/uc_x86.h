/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's x86 paging, as Unicorn carries it: one load or store of 8 bytes at CPL 0 through tables in
 * the memory shared with the caller.
 *
 * Unicorn 2.0 walks the tables and then takes the linear address for the physical one, so that only
 * faults mean something there; from 2.1 on the access goes where it should.
 */
#ifndef TESTS_ORACLE_UC_X86_H
#define TESTS_ORACLE_UC_X86_H

#include <stdbool.h>
#include <stdint.h>

#define UC_X86_CODE UINT64_C(0x200000) /* a page that every table has to map as it is */

struct uc_x86;

struct uc_x86_access {
    uint64_t cr0, cr3, cr4, efer, va;
    bool write;
    /* Outcome. */
    bool fault;
    uint32_t vector;
    uint64_t cr2;   /* of a page fault */
    uint64_t value; /* loaded; to be stored */
};

/* An engine whose physical memory is [memory, memory + bytes) at 0; NULL: there is none. */
struct uc_x86 *uc_x86_open(void *memory, uint64_t bytes);
void uc_x86_close(struct uc_x86 *engine);
bool uc_x86_translates(void); /* the version puts accesses where the tables say */
/* NULL, or what went wrong. */
const char *uc_x86_ask(struct uc_x86 *engine, struct uc_x86_access *access);

#endif
