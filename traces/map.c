/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hash table with open addressing; see map.h. */
#include <stdlib.h>

#include "traces/map.h"

static size_t slot_of(const struct trace_map *map, uint64_t key)
{
    size_t at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 24) & (map->room - 1);

    while (map->slot[at].key && map->slot[at].key != key + 1)
        at = (at + 1) & (map->room - 1);
    return at;
}

struct trace_map_entry *trace_map_find(const struct trace_map *map, uint64_t key)
{
    struct trace_map_entry *entry;

    if (map->room == 0)
        return NULL;
    entry = &map->slot[slot_of(map, key)];
    return entry->key ? entry : NULL;
}

static bool grow(struct trace_map *map)
{
    struct trace_map bigger = {.count = map->count, .room = map->room ? 2 * map->room : 1024};

    bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
    if (!bigger.slot)
        return false;
    for (size_t i = 0; i < map->room; i++) {
        if (map->slot[i].key)
            bigger.slot[slot_of(&bigger, map->slot[i].key - 1)] = map->slot[i];
    }
    free(map->slot);
    *map = bigger;
    return true;
}

struct trace_map_entry *trace_map_at(struct trace_map *map, uint64_t key)
{
    struct trace_map_entry *entry;

    if (2 * map->count >= map->room && !grow(map))
        return NULL;
    entry = &map->slot[slot_of(map, key)];
    if (!entry->key) {
        entry->key = key + 1;
        map->count++;
    }
    return entry;
}

static int by_key(const void *left, const void *right)
{
    uint64_t a = ((const struct trace_map_entry *)left)->key;
    uint64_t b = ((const struct trace_map_entry *)right)->key;

    return (a > b) - (a < b);
}

struct trace_map_entry *trace_map_sorted(const struct trace_map *map)
{
    struct trace_map_entry *sorted = malloc((map->count + 1) * sizeof(*sorted));
    size_t count = 0;

    if (!sorted)
        return NULL;
    for (size_t i = 0; i < map->room; i++) {
        if (!map->slot[i].key)
            continue;
        sorted[count] = map->slot[i];
        sorted[count++].key--;
    }
    qsort(sorted, count, sizeof(*sorted), by_key);
    return sorted;
}

void trace_map_free(struct trace_map *map)
{
    free(map->slot);
    *map = (struct trace_map){0};
}
