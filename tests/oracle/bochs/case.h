/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the image under Bochs and the program that compares with it agree on: one sector for each
 * case, fixed places in memory, and one line of text for each outcome. Freestanding.
 *
 * Of the guest's linear addresses, entry 0 of the root belongs to the image, and of the
 * guest-physical ones entry 0 of the EPT root: memory as it is. All else is the case's.
 */
#ifndef TESTS_ORACLE_BOCHS_CASE_H
#define TESTS_ORACLE_BOCHS_CASE_H

#include <stdint.h>

#define IMAGE_SECTORS 64u /* behind the boot sector; then a header sector, then the cases */
#define CASE_LBA      (1u + IMAGE_SECTORS)
#define CASE_MAGIC    UINT64_C(0x6573616378383678)

#define CASE_POKES 30u

enum case_access { CASE_READ, CASE_WRITE, CASE_FETCH };

#define CASE_USER   0x01u /* CPL 3 */
#define CASE_WP     0x02u
#define CASE_NXE    0x04u
#define CASE_SMEP   0x08u
#define CASE_SMAP   0x10u
#define CASE_AC     0x20u
#define CASE_EPT_AD 0x40u

struct case_poke {
    uint64_t pa, value;
};

struct case_sector {
    uint64_t magic; /* header: the number of cases is in `va` */
    uint64_t va;
    uint32_t access, flags, pokes, unused;
    struct case_poke poke[CASE_POKES];
};

_Static_assert(sizeof(struct case_sector) == 512, "a case is a sector");

/* ---- memory ---- */

#define MEMORY_BYTES UINT64_C(0x4000000)
#define TABLE_BASE   UINT64_C(0x2000000) /* pages of the case's tables, both roots first */
#define TABLE_PAGES  64u
#define GUEST_ROOT   TABLE_BASE
#define EPT_ROOT     (TABLE_BASE + 0x1000)
#define FIXED_BASE   UINT64_C(0x2100000) /* pages of the image's share: see fixed_word() */
#define FIXED_PAGES  4u
#define DATA_BASE    UINT64_C(0x2400000)
#define DATA_PAGES   8u
#define USER_ALIAS   UINT64_C(0x40000000) /* linear, with user rights, of address 0 */

#define LARGE_PAGES 32u /* of 2 MiB, all of memory */

/* Word `index` of page `page` above FIXED_BASE: the guest's second and third level, the same of
 * EPT; memory as it is, with all flags set. 1 GiB of it a second time for the user. */
static inline uint64_t fixed_word(unsigned int page, unsigned int index)
{
    switch (page) {
    case 0:
        return index == 0 ? (FIXED_BASE + 0x1000) | 0x63 : index == 1 ? 0xe7 : 0;
    case 1:
        return index < LARGE_PAGES ? (uint64_t)index << 21 | 0xe3 : 0;
    case 2:
        return index == 0 ? (FIXED_BASE + 0x3000) | 0x107 : 0;
    default:
        return index < LARGE_PAGES ? (uint64_t)index << 21 | 0x3b7 : 0;
    }
}

/* Entry 0 of both roots. */
#define GUEST_ROOT_WORD (FIXED_BASE | 0x67)
#define EPT_ROOT_WORD   ((FIXED_BASE + 0x2000) | 0x107)

/* Data words, 8-byte aligned, tell where they are, to a load and to an execution:
 * mov $address, %eax; vmcall. A store writes CASE_STORED. */
static inline uint64_t data_word(uint64_t pa)
{
    return UINT64_C(0xb8) | (pa & UINT64_C(0xffffffff)) << 8 | UINT64_C(0xc1010f) << 40;
}

#define CASE_STORED UINT64_C(0x5a5a5a5a5a5a5a5a)

/*
 * A line is: number, outcome, three hexadecimal numbers, one hexadecimal digit for each poke.
 *   o  done: physical address, stores seen
 *   x  exception: vector, error code, address (#PF)
 *   v  EPT violation: qualification, guest-physical address, linear address
 *   m  EPT misconfiguration: 0, guest-physical address
 *   u  another exit: reason, qualification
 * The digit: bits 0 and 1 are set when bits 5 and 6 of the word changed, bits 2 and 3 likewise for
 * bits 8 and 9.
 */
#define LINE_FIRST "CASES"
#define LINE_LAST  "END"

#endif
