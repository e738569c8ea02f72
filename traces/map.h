/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash table from page numbers to two words. Entries are never removed: a user writes zeros.
 * Iterating over it sorted by key gives the same order whatever the history was.
 */
#ifndef TRACES_MAP_H
#define TRACES_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_map_entry {
    uint64_t key; /* plus one, so that zero is an empty slot */
    uint64_t a, b;
};

struct trace_map {
    struct trace_map_entry *slot;
    size_t count, room; /* room is a power of two */
};

/* The entry of this key or NULL. */
struct trace_map_entry *trace_map_find(const struct trace_map *map, uint64_t key);
/* The entry of this key, made with zeros when there was none; NULL without memory. */
struct trace_map_entry *trace_map_at(struct trace_map *map, uint64_t key);
/* An array of `count` entries sorted by key (real keys), to be freed; NULL without memory. */
struct trace_map_entry *trace_map_sorted(const struct trace_map *map);
void trace_map_free(struct trace_map *map);

#endif
