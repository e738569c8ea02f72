/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to the two files of the store; the only one that includes SQLite. */
#ifndef SIM_STORE_PRIV_H
#define SIM_STORE_PRIV_H

#include <sqlite3.h>

#include "sim/store.h"

struct sim_store {
    sqlite3 *db;
    char path[512];
    char *insert; /* the statement for a row */
};

/* The columns that identify a run; "strategy" of sim_out_columns() is the fifth. */
enum { SIM_STORE_KEYS = 4 };
extern const char *const sim_store_keys[SIM_STORE_KEYS];

/* What SQLite says of its last call. */
enum sim_status sim_store_fail(const struct sim_store *store, struct sim_error *error);

#endif
