/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration: the values of all knobs of sim/knobs.def, and how they are read and shown.
 *
 * Later settings win over earlier ones. A value that was not set and whose default is the core
 * preset's is filled by sim_config_resolve(), which every machine does first.
 */
#ifndef SIM_CONFIG_H
#define SIM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/error.h"

/* Marks a value that the preset supplies. */
#define SIM_FROM_PRESET (UINT64_MAX - 1)

enum sim_knob {
#define UINT(group, name, ...) SIM_KNOB_##group##_##name,
#define ENUM(group, name, ...) SIM_KNOB_##group##_##name,
#include "sim/knobs.def"
#undef UINT
#undef ENUM
    SIM_KNOB_COUNT
};

struct sim_config {
    uint64_t value[SIM_KNOB_COUNT];
};

/* The value of a knob: SIM_GET(config, tlb, l2_entries). */
#define SIM_GET(config, group, name) ((config)->value[SIM_KNOB_##group##_##name])

struct sim_knob_info {
    const char *key;     /* "group.name" */
    const char *choices; /* "a|b|c" for a choice, NULL for a number */
    const char *unit, *help;
    uint64_t initial, min, max;
};

extern const struct sim_knob_info sim_knobs[SIM_KNOB_COUNT];

void sim_config_init(struct sim_config *config);
/* key=value as one string. Numbers take 0x and the suffixes K, M, G (powers of 1024). */
enum sim_status sim_config_set(struct sim_config *config, const char *assignment,
                               struct sim_error *error);
/* A YAML file: a mapping of groups to mappings of names, or of "group.name" keys, to values. */
enum sim_status sim_config_load(struct sim_config *config, const char *path,
                                struct sim_error *error);
/* Fills what the preset supplies. Idempotent. */
void sim_config_resolve(struct sim_config *config);
/* The value as a person would write it. */
void sim_config_format(const struct sim_config *config, enum sim_knob knob, char *text,
                       size_t size);

/* ---- core presets (sim/preset.c) ---- */

/* Preset `preset` (value of cpu.preset) for a knob: true and its value, when it has one. *evidence
 * is S (read in a named source), K (known, source not re-read), M (measured), D (derived), A
 * (assumed). */
bool sim_preset_value(uint64_t preset, enum sim_knob knob, uint64_t *value, char *evidence);
const char *sim_preset_summary(uint64_t preset);
/* The preset that a trace of this architecture gets; SIM_PRESETS when `preset` is of the other. */
uint64_t sim_preset_for(uint64_t preset, bool x86);
#define SIM_PRESETS 10

#endif
