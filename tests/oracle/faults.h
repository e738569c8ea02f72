/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded faults of the walkers. The linker sends the calls between the files of mmu/ through
 * faults.c (--wrap), so the walk itself goes wrong, and mmu/ carries no trace of it.
 */
#ifndef TESTS_ORACLE_FAULTS_H
#define TESTS_ORACLE_FAULTS_H

enum oracle_fault {
    FAULT_NONE,
    FAULT_S1_IGNORES_AF,
    FAULT_S1_IGNORES_APTABLE,
    FAULT_S1_IGNORES_EPD,
    FAULT_S1_KEEPS_HPD,
    FAULT_S2_WRITES_READ_ONLY,
    FAULT_S2_HAS_ONE_ROOT,
    FAULT_S2_LEVEL_ONE_OFF,
    FAULT_S2_HIDES_TABLE_READ,
    FAULT_X86_IGNORES_RESERVED,
    FAULT_X86_IGNORES_TABLE_RIGHTS,
    FAULT_X86_IGNORES_XD,
    FAULT_EPT_ALLOWS_WRITE_ONLY,
    FAULT_EPT_EXECUTES_READABLE,
    FAULT_EPT_TABLE_READS_NEED_NO_WRITE,
    FAULT_EPT_IGNORES_TABLE_RIGHTS,
};

/* Which one is in force from now on. */
void oracle_seed_fault(enum oracle_fault fault);

#endif
