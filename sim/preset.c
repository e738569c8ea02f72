/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Core presets: what each figure is, and how far it can be trusted.
 *
 * Evidence: S read in a named source, K known from a named document but not read again, M measured,
 * D derived from one of these, A assumed. The sources are listed in docs/MODEL.md. Every figure can
 * be overridden by its knob; comparisons are only as good as their stability under +-30 % on A.
 */
#include <string.h>

#include "sim/config.h"

enum { N1, A55, A76, V2, PRESETS };

struct figure {
    uint64_t value;
    char evidence;
};

struct row {
    enum sim_knob knob;
    struct figure figure[PRESETS];
};

/* Page sizes as masks: bit n is 2^n bytes. 4K 12, 16K 14, 64K 16, 2M 21, 32M 25, 512M 29, 1G 30. */
#define SHIFTS_A76_L1 (1u << 12 | 1u << 14 | 1u << 16 | 1u << 21 | 1u << 29)
#define SHIFTS_A76_L2 (SHIFTS_A76_L1 | 1u << 25 | 1u << 30)
#define K             1024
#define M             (1024 * 1024)
#define KNOB(name)    SIM_KNOB_##name

/*                                    neoverse-n1    cortex-a55   cortex-a76   neoverse-v2 */
static const struct row rows[] = {
    {KNOB(tlb_l1i_entries), {{48, 'S'}, {15, 'S'}, {48, 'S'}, {48, 'K'}}},
    {KNOB(tlb_l1i_ways), {{0, 'S'}, {0, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(tlb_l1d_entries), {{48, 'S'}, {16, 'S'}, {48, 'S'}, {48, 'K'}}},
    {KNOB(tlb_l1d_ways), {{0, 'S'}, {0, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(tlb_l1_shifts),
     {{SHIFTS_A76_L1, 'S'}, {SHIFTS_A76_L1, 'A'}, {SHIFTS_A76_L1, 'S'}, {SHIFTS_A76_L1, 'A'}}},
    {KNOB(tlb_l2_entries), {{1280, 'S'}, {1024, 'S'}, {1280, 'S'}, {2048, 'K'}}},
    {KNOB(tlb_l2_ways), {{5, 'S'}, {4, 'S'}, {5, 'S'}, {8, 'K'}}},
    {KNOB(tlb_l2_shifts),
     {{SHIFTS_A76_L2, 'S'}, {SHIFTS_A76_L2, 'A'}, {SHIFTS_A76_L2, 'S'}, {SHIFTS_A76_L2, 'A'}}},
    {KNOB(tlb_l2_cycles), {{5, 'A'}, {5, 'A'}, {5, 'A'}, {6, 'K'}}},
    {KNOB(wcache_entries), {{0, 'S'}, {64, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(wcache_ways), {{0, 'S'}, {4, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(wcache_ipa_entries), {{0, 'S'}, {64, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(wcache_ipa_ways), {{0, 'S'}, {4, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(wcache_in_l2), {{1, 'S'}, {0, 'S'}, {1, 'S'}, {1, 'K'}}},
    {KNOB(cache_l1_bytes), {{64 * K, 'S'}, {32 * K, 'A'}, {64 * K, 'K'}, {64 * K, 'S'}}},
    {KNOB(cache_l1_ways), {{4, 'K'}, {4, 'A'}, {4, 'K'}, {4, 'K'}}},
    {KNOB(cache_l1_cycles), {{4, 'K'}, {3, 'A'}, {4, 'K'}, {4, 'K'}}},
    {KNOB(cache_l2_bytes), {{1 * M, 'S'}, {128 * K, 'A'}, {512 * K, 'A'}, {2 * M, 'S'}}},
    {KNOB(cache_l2_ways), {{8, 'K'}, {4, 'A'}, {8, 'K'}, {8, 'K'}}},
    {KNOB(cache_l2_cycles), {{11, 'K'}, {9, 'A'}, {9, 'K'}, {11, 'K'}}},
    {KNOB(cache_l3_bytes), {{32 * M, 'S'}, {1 * M, 'A'}, {4 * M, 'A'}, {36 * M, 'S'}}},
    {KNOB(cache_l3_ways), {{16, 'A'}, {16, 'A'}, {16, 'A'}, {12, 'A'}}},
    {KNOB(cache_l3_cycles), {{90, 'D'}, {28, 'A'}, {90, 'A'}, {84, 'D'}}},
    {KNOB(cache_memory_cycles), {{300, 'D'}, {252, 'D'}, {300, 'A'}, {322, 'D'}}},
    {KNOB(cost_walk), {{4, 'A'}, {4, 'A'}, {4, 'A'}, {4, 'A'}}},
    {KNOB(cost_exit), {{920, 'S'}, {300, 'S'}, {920, 'D'}, {920, 'D'}}},
    {KNOB(cost_s2_fault), {{3080, 'D'}, {1700, 'D'}, {3080, 'D'}, {3080, 'D'}}},
    {KNOB(cost_hypercall), {{200, 'A'}, {200, 'A'}, {200, 'A'}, {200, 'A'}}},
    {KNOB(cost_inject), {{400, 'A'}, {400, 'A'}, {400, 'A'}, {400, 'A'}}},
    {KNOB(cost_kernel_fault), {{1600, 'D'}, {1800, 'D'}, {1600, 'D'}, {1600, 'D'}}},
    {KNOB(cost_direct_fault), {{800, 'A'}, {900, 'A'}, {800, 'A'}, {800, 'A'}}},
    {KNOB(cost_extable), {{200, 'D'}, {200, 'D'}, {200, 'D'}, {200, 'D'}}},
    {KNOB(cost_sdei), {{1200, 'A'}, {1200, 'A'}, {1200, 'A'}, {1200, 'A'}}},
    {KNOB(cost_pte_write), {{4, 'A'}, {4, 'A'}, {4, 'A'}, {4, 'A'}}},
    {KNOB(cost_barrier), {{20, 'A'}, {20, 'A'}, {20, 'A'}, {20, 'A'}}},
    {KNOB(cost_page_attr), {{2500, 'A'}, {2500, 'A'}, {2500, 'A'}, {2500, 'A'}}},
    {KNOB(cost_shootdown), {{500, 'A'}, {300, 'A'}, {500, 'A'}, {500, 'A'}}},
    {KNOB(cost_shootdown_cpu), {{100, 'A'}, {100, 'A'}, {100, 'A'}, {100, 'A'}}},
    {KNOB(cost_shootdown_page), {{60, 'S'}, {60, 'S'}, {60, 'S'}, {60, 'S'}}},
    {KNOB(cost_flush_local), {{60, 'A'}, {60, 'A'}, {60, 'A'}, {60, 'A'}}},
    {KNOB(cost_clear_page), {{700, 'A'}, {1200, 'A'}, {700, 'A'}, {700, 'A'}}},
    {KNOB(cost_migrate_page), {{5000, 'A'}, {6000, 'A'}, {5000, 'A'}, {5000, 'A'}}},
};

bool sim_preset_value(uint64_t preset, enum sim_knob knob, uint64_t *value, char *evidence)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].knob != knob || preset >= PRESETS)
            continue;
        *value = rows[i].figure[preset].value;
        *evidence = rows[i].figure[preset].evidence;
        return true;
    }
    return false;
}

const char *sim_preset_summary(uint64_t preset)
{
    static const char *const summary[PRESETS] = {
        [N1] = "Neoverse N1 at 3 GHz, VHE-class exits; the recorded kernels ran on this model",
        [A55] = "Cortex-A55 at 1.8 GHz, pKVM: exits handled inside EL2",
        [A76] = "Cortex-A76 at 3 GHz; TLBs as Neoverse N1, smaller caches",
        [V2] = "Neoverse V2 at 2.8 GHz",
    };

    return preset < PRESETS ? summary[preset] : "unknown";
}
