/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of validate: one machine that runs one series. */
#ifndef SIM_VALIDATE_PRIV_H
#define SIM_VALIDATE_PRIV_H

#include "sim/validate.h"

struct sim_series;
struct sim_validate_vm;

/* NULL for a name that is no series. */
const struct sim_series *sim_series_find(const char *name);
/* Page and spacing of the file are those of the series. */
bool sim_series_fits(const struct sim_series *series, uint64_t page_kib, uint64_t spacing);

/* A machine whose tables map `slots_max` slots of the series. NULL when memory runs out or the
 * configuration has an impossible geometry. */
struct sim_validate_vm *sim_validate_vm_create(const struct sim_config *config,
                                               const struct sim_series *series, uint64_t slots_max);
void sim_validate_vm_destroy(struct sim_validate_vm *vm);
/* Warm laps, then measured laps, over point->slots slots (at most slots_max). */
void sim_validate_vm_run(struct sim_validate_vm *vm, struct sim_validate_point *point);

#endif
