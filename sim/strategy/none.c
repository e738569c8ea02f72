/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * none: the same trace with no donation. The baseline that every other strategy is compared with.
 *
 * The hypervisor is there (unless s2.enable=0) and maps the host's memory lazily; donations and
 * reclaims of the trace are ignored.
 */
#include "sim/strategy/strategy.h"

const struct sim_strategy sim_strategy_none = {
    .name = "none",
    .summary = "no donation: the baseline",
    .baseline = true,
};
