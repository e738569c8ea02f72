/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine with one table, as most page-table tests need it. */
#ifndef TESTS_SUPPORT_TABLES_H
#define TESTS_SUPPORT_TABLES_H

#include "tests/support/fake_port.h"

struct table_rig {
    struct fake_machine machine;
    struct hyp_pgt pgt;
};

#define RIG_FIRST_PFN UINT64_C(0xc0000) /* 3 GiB with 4K granule */

/* The two columns of the event table: a current CPU, and an Armv8.0 one. */
#define RIG_MODERN (HYP_PGT_FWB | HYP_PGT_RANGE_TLBI)
#define RIG_OLD    UINT64_C(0)

/* 4K granule, 40-bit guest stage 2 with `flags`, tables from a pool of `pages`; vmid 7. */
void rig_init(struct table_rig *rig, uint64_t flags, uint64_t pages);
/* Any table: `config` without port, vmemmap. */
void rig_init_config(struct table_rig *rig, struct hyp_pgt_config config, uint64_t pages);
void rig_free(struct table_rig *rig);
/* Forgets the calls so far. */
void rig_reset(struct table_rig *rig);

/* The whole table is `expected` (see fake_table_text), and its pages count their entries. */
#define assert_table(rig, expected)                                                                \
    do {                                                                                           \
        char *text_ = fake_table_text(&(rig)->pgt);                                                \
        assert_string_equal(text_, expected);                                                      \
        free(text_);                                                                               \
        assert_true(fake_table_counts_true(&(rig)->pgt));                                          \
    } while (0)

#endif
