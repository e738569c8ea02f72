/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data caches for table reads: two levels private to a CPU, the third shared; true LRU. Only table
 * reads move lines: the data of the workload itself is not modelled. */
#include "mmu/cache.h"

bool mmu_cache_init(struct mmu_cache *cache, struct mmu_arena *arena,
                    const struct mmu_cache_config *config)
{
    uint32_t line = config->line_bytes, lines;

    *cache = (struct mmu_cache){.hit_cycles = config->hit_cycles};
    if (config->bytes == 0)
        return true;
    if (line < 8 || (line & (line - 1)) != 0)
        return false;
    lines = config->bytes / line;
    cache->ways = config->ways ? config->ways : lines;
    if (lines == 0 || cache->ways > lines || lines % cache->ways != 0)
        return false;
    cache->sets = lines / cache->ways;
    cache->set_mask = (cache->sets & (cache->sets - 1)) == 0 ? cache->sets - 1 : 0;
    cache->line_shift = (uint32_t)__builtin_ctz(line);
    cache->lines = mmu_arena_take(arena, lines, sizeof(uint64_t));
    return true;
}

/* Moves the line to the front of its set, and says whether it was there. */
static bool touch(struct mmu_cache *cache, uint64_t pa)
{
    uint64_t line = pa >> cache->line_shift;
    uint64_t set = cache->set_mask ? line & cache->set_mask : line % cache->sets;
    uint64_t *ways = &cache->lines[set * cache->ways];
    uint64_t carried = line + 1;

    for (uint32_t way = 0; way < cache->ways; way++) {
        uint64_t held = ways[way];
        ways[way] = carried;
        if (held == line + 1)
            return true;
        carried = held;
    }
    return false;
}

uint32_t mmu_cache_read(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t pa)
{
    struct mmu_cache *level[3] = {&cpu->cache[0], &cpu->cache[1], &mmu->shared};

    for (unsigned int i = 0; i < 3; i++) {
        if (level[i]->lines && touch(level[i], pa)) {
            mmu->counters->v[MMU_COUNTER_table_hits_c1 + i]++;
            return level[i]->hit_cycles;
        }
    }
    mmu->counters->table_memory++;
    return mmu->config.memory_cycles;
}
