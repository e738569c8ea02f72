/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define PRESET SIM_FROM_PRESET
#define UINT(group, name, initial, min, max, unit, help)                                           \
    {#group "." #name, NULL, unit, help, initial, min, max},
#define ENUM(group, name, initial, choices, help)                                                  \
    {#group "." #name, choices, "", help, initial, 0, 0},

const struct sim_knob_info sim_knobs[SIM_KNOB_COUNT] = {
#include "sim/knobs.def"
};

#undef PRESET
#undef UINT
#undef ENUM

void sim_config_init(struct sim_config *config)
{
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++)
        config->value[i] = sim_knobs[i].initial;
}

/* The choice at `index`: its start and length; NULL past the end. */
static const char *choice_at(const char *choices, uint64_t index, size_t *length)
{
    while (index-- > 0) {
        choices = strchr(choices, '|');
        if (!choices)
            return NULL;
        choices++;
    }
    *length = strcspn(choices, "|");
    return choices;
}

static bool parse_choice(const char *choices, const char *text, uint64_t *value)
{
    size_t length;
    const char *choice;

    for (uint64_t i = 0; (choice = choice_at(choices, i, &length)); i++) {
        if (strlen(text) == length && !strncmp(choice, text, length)) {
            *value = i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *text, uint64_t *value)
{
    static const char suffixes[] = "KMG";
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *value = strtoull(text, &end, 0);
    if (errno)
        return false;
    const char *suffix = *end ? strchr(suffixes, *end) : NULL;

    if (suffix) {
        unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

        if (*value > UINT64_MAX >> shift)
            return false;
        *value <<= shift;
        end++;
    }
    return !*end;
}

static enum sim_status set_value(struct sim_config *config, const char *key, const char *text,
                                 struct sim_error *error)
{
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++) {
        const struct sim_knob_info *knob = &sim_knobs[i];
        uint64_t value;

        if (strcmp(knob->key, key))
            continue;
        if (knob->choices) {
            if (!parse_choice(knob->choices, text, &value))
                return sim_fail(error, SIM_USAGE, "%s: '%s' is not one of %s", key, text,
                                knob->choices);
        } else {
            if (!parse_number(text, &value))
                return sim_fail(error, SIM_USAGE,
                                "%s: '%s' is not a number (0x and suffixes K, M, G are understood)",
                                key, text);
            if (value < knob->min || value > knob->max)
                return sim_fail(error, SIM_USAGE,
                                "%s: %s is out of range, expected %" PRIu64 " to %" PRIu64, key,
                                text, knob->min, knob->max);
        }
        config->value[i] = value;
        return SIM_OK;
    }
    return sim_fail(error, SIM_USAGE, "unknown knob '%s' (see 'faultline knobs')", key);
}

enum sim_status sim_config_set(struct sim_config *config, const char *assignment,
                               struct sim_error *error)
{
    const char *equals = strchr(assignment, '=');
    char key[64];

    if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof(key))
        return sim_fail(error, SIM_USAGE, "'%s' is not of the form group.name=value", assignment);
    memcpy(key, assignment, (size_t)(equals - assignment));
    key[equals - assignment] = '\0';
    return set_value(config, key, equals + 1, error);
}

/* What the reader of a YAML file remembers between two events. */
struct yaml_place {
    const char *path;
    unsigned int depth; /* mappings that are open */
    char group[64];     /* inside the mapping of a group: its name and a dot */
    char key[128];      /* a key whose value is due */
    bool have_key;
};

static enum sim_status yaml_scalar(struct sim_config *config, struct yaml_place *place,
                                   const yaml_event_t *event, struct sim_error *error)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t line = event->start_mark.line + 1, column = event->start_mark.column + 1;
    struct sim_error inner;

    if (place->depth == 0)
        return sim_fail(error, SIM_USAGE, "%s:%zu:%zu: expected a mapping of knobs, found '%.40s'",
                        place->path, line, column, text);
    if (!place->have_key) {
        if (strlen(text) >= sizeof(place->key) / 2)
            return sim_fail(error, SIM_USAGE, "%s:%zu:%zu: unknown knob '%.40s...'", place->path,
                            line, column, text);
        snprintf(place->key, sizeof(place->key), "%.63s%.63s", place->group, text);
        place->have_key = true;
        return SIM_OK;
    }
    place->have_key = false;
    if (set_value(config, place->key, text, &inner) != SIM_OK)
        return sim_fail(error, SIM_USAGE, "%s:%zu:%zu: %s", place->path, line, column, inner.text);
    return SIM_OK;
}

static enum sim_status yaml_nesting(struct yaml_place *place, const yaml_event_t *event,
                                    struct sim_error *error)
{
    size_t line = event->start_mark.line + 1, column = event->start_mark.column + 1;

    if (event->type == YAML_MAPPING_END_EVENT) {
        place->depth--;
        place->group[0] = '\0';
        return SIM_OK;
    }
    if (event->type != YAML_MAPPING_START_EVENT || place->depth > 1 ||
        (place->depth == 1 && !place->have_key) ||
        (place->depth == 1 && strlen(place->key) + 2 > sizeof(place->group)))
        return sim_fail(error, SIM_USAGE, "%s:%zu:%zu: expected 'group:' with 'name: value' below",
                        place->path, line, column);
    if (place->depth == 1)
        snprintf(place->group, sizeof(place->group), "%.60s.", place->key);
    place->have_key = false;
    place->depth++;
    return SIM_OK;
}

static enum sim_status yaml_read(struct sim_config *config, yaml_parser_t *parser,
                                 struct yaml_place *place, struct sim_error *error)
{
    enum sim_status status = SIM_OK;
    bool done = false;

    while (status == SIM_OK && !done) {
        yaml_event_t event;

        if (!yaml_parser_parse(parser, &event))
            return sim_fail(error, SIM_USAGE, "%s:%zu:%zu: %s", place->path,
                            parser->problem_mark.line + 1, parser->problem_mark.column + 1,
                            parser->problem ? parser->problem : "not YAML");
        if (event.type == YAML_SCALAR_EVENT)
            status = yaml_scalar(config, place, &event, error);
        else if (event.type == YAML_MAPPING_START_EVENT || event.type == YAML_MAPPING_END_EVENT ||
                 event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_ALIAS_EVENT)
            status = yaml_nesting(place, &event, error);
        else
            done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return status;
}

enum sim_status sim_config_load(struct sim_config *config, const char *path,
                                struct sim_error *error)
{
    struct yaml_place place = {.path = path};
    struct sim_config changed = *config;
    yaml_parser_t parser;
    FILE *file = fopen(path, "rb");

    if (!file)
        return sim_fail(error, SIM_USAGE, "%s: %s", path, strerror(errno));
    if (!yaml_parser_initialize(&parser)) {
        fclose(file);
        return sim_fail(error, SIM_INTERNAL, "%s: out of memory", path);
    }
    yaml_parser_set_input_file(&parser, file);
    enum sim_status status = yaml_read(&changed, &parser, &place, error);

    yaml_parser_delete(&parser);
    fclose(file);
    if (status == SIM_OK)
        *config = changed;
    return status;
}

void sim_config_resolve(struct sim_config *config)
{
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++) {
        char evidence;

        if (config->value[i] == SIM_FROM_PRESET &&
            !sim_preset_value(SIM_GET(config, cpu, preset), (enum sim_knob)i, &config->value[i],
                              &evidence))
            config->value[i] = 0;
    }
}

void sim_config_format(const struct sim_config *config, enum sim_knob knob, char *text, size_t size)
{
    uint64_t value = config->value[knob];
    size_t length;
    const char *choice;

    if (value == SIM_FROM_PRESET) {
        snprintf(text, size, "preset");
    } else if (sim_knobs[knob].choices) {
        choice = choice_at(sim_knobs[knob].choices, value, &length);
        snprintf(text, size, "%.*s", choice ? (int)length : 1, choice ? choice : "?");
    } else if (value >= 1u << 20 && sim_knobs[knob].unit[0] == 'm') {
        snprintf(text, size, "0x%" PRIx64, value);
    } else {
        snprintf(text, size, "%" PRIu64, value);
    }
}
