/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Core presets: what each figure is, and how far it can be trusted.
 *
 * Evidence: S read in a named source, K known from a named document but not read again, M measured,
 * D derived from one of these, A assumed. The sources are listed in docs/MODEL.md. Every figure can
 * be overridden by its knob; comparisons are only as good as their stability under +-30 % on A.
 */
#include "sim/config.h"

#include <stddef.h>

/* Values of cpu.preset: first the arm64 cores, then the x86-64 ones. */
enum { AUTO, N1, A55, A76, V2, SKYLAKE, ICELAKE, SAPPHIRE, ZEN3, ZEN4, PRESETS };
enum { ARM_PRESETS = V2 - N1 + 1, X86_PRESETS = ZEN4 - SKYLAKE + 1 };

struct figure {
    uint64_t value;
    char evidence;
};

struct arm_row {
    enum sim_knob knob;
    struct figure figure[ARM_PRESETS];
};

struct x86_row {
    enum sim_knob knob;
    struct figure figure[X86_PRESETS];
};

/* Page sizes as masks: bit n is 2^n bytes. 4K 12, 16K 14, 64K 16, 2M 21, 32M 25, 512M 29, 1G 30. */
#define A_L1       (1u << 12 | 1u << 14 | 1u << 16 | 1u << 21 | 1u << 29)
#define A_L2       (A_L1 | 1u << 25 | 1u << 30)
#define X_L1       (1u << 12 | 1u << 21 | 1u << 30)
#define X_L2       (1u << 12 | 1u << 21)
#define KIB        1024
#define MIB        (1024 * 1024)
#define KNOB(name) SIM_KNOB_##name

/* neoverse-n1, cortex-a55, cortex-a76, neoverse-v2 */
static const struct arm_row arm_rows[] = {
    {KNOB(tlb_l1i_entries), {{48, 'S'}, {15, 'S'}, {48, 'S'}, {48, 'K'}}},
    {KNOB(tlb_l1i_ways), {{0, 'S'}, {0, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(tlb_l1d_entries), {{48, 'S'}, {16, 'S'}, {48, 'S'}, {48, 'K'}}},
    {KNOB(tlb_l1d_ways), {{0, 'S'}, {0, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(tlb_l1_shifts), {{A_L1, 'S'}, {A_L1, 'A'}, {A_L1, 'S'}, {A_L1, 'A'}}},
    {KNOB(tlb_l2_entries), {{1280, 'S'}, {1024, 'S'}, {1280, 'S'}, {2048, 'K'}}},
    {KNOB(tlb_l2_ways), {{5, 'S'}, {4, 'S'}, {5, 'S'}, {8, 'K'}}},
    {KNOB(tlb_l2_shifts), {{A_L2, 'S'}, {A_L2, 'A'}, {A_L2, 'S'}, {A_L2, 'A'}}},
    {KNOB(tlb_l2_cycles), {{5, 'A'}, {5, 'A'}, {5, 'A'}, {6, 'K'}}},
    {KNOB(wcache_entries), {{0, 'S'}, {64, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(wcache_ways), {{0, 'S'}, {4, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(wcache_ipa_entries), {{0, 'S'}, {64, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(wcache_ipa_ways), {{0, 'S'}, {4, 'S'}, {0, 'S'}, {0, 'K'}}},
    {KNOB(wcache_in_l2), {{1, 'S'}, {0, 'S'}, {1, 'S'}, {1, 'K'}}},
    {KNOB(cache_l1_bytes), {{64 * KIB, 'S'}, {32 * KIB, 'A'}, {64 * KIB, 'K'}, {64 * KIB, 'S'}}},
    {KNOB(cache_l1_ways), {{4, 'K'}, {4, 'A'}, {4, 'K'}, {4, 'K'}}},
    {KNOB(cache_l1_cycles), {{4, 'K'}, {3, 'A'}, {4, 'K'}, {4, 'K'}}},
    {KNOB(cache_l2_bytes), {{1 * MIB, 'S'}, {128 * KIB, 'A'}, {512 * KIB, 'A'}, {2 * MIB, 'S'}}},
    {KNOB(cache_l2_ways), {{8, 'K'}, {4, 'A'}, {8, 'K'}, {8, 'K'}}},
    {KNOB(cache_l2_cycles), {{11, 'K'}, {9, 'A'}, {9, 'K'}, {11, 'K'}}},
    {KNOB(cache_l3_bytes), {{32 * MIB, 'S'}, {1 * MIB, 'A'}, {4 * MIB, 'A'}, {36 * MIB, 'S'}}},
    {KNOB(cache_l3_ways), {{16, 'A'}, {16, 'A'}, {16, 'A'}, {12, 'A'}}},
    {KNOB(cache_l3_cycles), {{90, 'D'}, {28, 'A'}, {90, 'A'}, {84, 'D'}}},
    {KNOB(cache_memory_cycles), {{300, 'D'}, {252, 'D'}, {300, 'A'}, {322, 'D'}}},
    {KNOB(s1_block), {{0, 'S'}, {0, 'S'}, {0, 'S'}, {0, 'S'}}},
    {KNOB(s1_flush_max), {{512, 'S'}, {512, 'S'}, {512, 'S'}, {512, 'S'}}},
    {KNOB(cost_walk), {{4, 'A'}, {4, 'A'}, {4, 'A'}, {4, 'A'}}},
    {KNOB(cost_exit), {{920, 'S'}, {300, 'S'}, {920, 'D'}, {920, 'D'}}},
    {KNOB(cost_s2_fault), {{3080, 'D'}, {1700, 'D'}, {3080, 'D'}, {3080, 'D'}}},
    {KNOB(cost_hypercall), {{200, 'A'}, {200, 'A'}, {200, 'A'}, {200, 'A'}}},
    {KNOB(cost_inject), {{400, 'A'}, {400, 'A'}, {400, 'A'}, {400, 'A'}}},
    {KNOB(cost_kernel_fault), {{1600, 'D'}, {1800, 'D'}, {1600, 'D'}, {1600, 'D'}}},
    {KNOB(cost_direct_fault), {{800, 'A'}, {900, 'A'}, {800, 'A'}, {800, 'A'}}},
    {KNOB(cost_extable), {{200, 'D'}, {200, 'D'}, {200, 'D'}, {200, 'D'}}},
    {KNOB(cost_sdei), {{1200, 'A'}, {1200, 'A'}, {1200, 'A'}, {1200, 'A'}}},
    {KNOB(cost_ve), {{0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}}},
    {KNOB(cost_cr3_keep), {{0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}}},
    {KNOB(cost_cr3_flush), {{0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}}},
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

/* skylake-sp, icelake-sp, sapphire-rapids, zen3, zen4. One L1 data TLB for all page sizes stands
 * for the split ones of Intel's cores. */
static const struct x86_row x86_rows[] = {
    {KNOB(tlb_l1i_entries), {{128, 'K'}, {128, 'K'}, {256, 'K'}, {64, 'K'}, {64, 'K'}}},
    {KNOB(tlb_l1i_ways), {{8, 'K'}, {8, 'K'}, {8, 'K'}, {0, 'K'}, {0, 'K'}}},
    {KNOB(tlb_l1d_entries), {{64, 'K'}, {64, 'K'}, {96, 'K'}, {64, 'K'}, {72, 'M'}}},
    {KNOB(tlb_l1d_ways), {{4, 'K'}, {4, 'K'}, {6, 'K'}, {0, 'K'}, {0, 'M'}}},
    {KNOB(tlb_l1_shifts), {{X_L1, 'K'}, {X_L1, 'K'}, {X_L1, 'K'}, {X_L1, 'K'}, {X_L1, 'K'}}},
    {KNOB(tlb_l2_entries), {{1536, 'K'}, {2048, 'K'}, {2048, 'K'}, {2048, 'K'}, {3072, 'M'}}},
    {KNOB(tlb_l2_ways), {{12, 'K'}, {16, 'A'}, {16, 'K'}, {16, 'A'}, {24, 'M'}}},
    {KNOB(tlb_l2_shifts), {{X_L2, 'K'}, {X_L2, 'K'}, {X_L2, 'K'}, {X_L2, 'K'}, {X_L2, 'K'}}},
    {KNOB(tlb_l2_cycles), {{8, 'K'}, {8, 'K'}, {8, 'K'}, {7, 'K'}, {7, 'M'}}},
    {KNOB(wcache_entries), {{32, 'K'}, {32, 'K'}, {32, 'K'}, {64, 'K'}, {64, 'K'}}},
    {KNOB(wcache_ways), {{0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}}},
    {KNOB(wcache_ipa_entries), {{32, 'A'}, {32, 'A'}, {32, 'A'}, {16, 'K'}, {64, 'A'}}},
    {KNOB(wcache_ipa_ways), {{0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}}},
    {KNOB(wcache_in_l2), {{0, 'K'}, {0, 'K'}, {0, 'K'}, {0, 'A'}, {1, 'K'}}},
    {KNOB(cache_l1_bytes),
     {{32 * KIB, 'K'}, {48 * KIB, 'K'}, {48 * KIB, 'K'}, {32 * KIB, 'K'}, {32 * KIB, 'M'}}},
    {KNOB(cache_l1_ways), {{8, 'K'}, {12, 'K'}, {12, 'K'}, {8, 'K'}, {8, 'M'}}},
    {KNOB(cache_l1_cycles), {{5, 'K'}, {5, 'K'}, {5, 'K'}, {4, 'K'}, {4, 'M'}}},
    {KNOB(cache_l2_bytes),
     {{1 * MIB, 'K'}, {1280 * KIB, 'K'}, {2 * MIB, 'K'}, {512 * KIB, 'K'}, {1 * MIB, 'M'}}},
    {KNOB(cache_l2_ways), {{16, 'K'}, {20, 'K'}, {16, 'K'}, {8, 'K'}, {8, 'M'}}},
    {KNOB(cache_l2_cycles), {{14, 'K'}, {14, 'K'}, {15, 'K'}, {12, 'K'}, {14, 'M'}}},
    {KNOB(cache_l3_bytes),
     {{33 * MIB, 'A'}, {48 * MIB, 'A'}, {105 * MIB, 'A'}, {32 * MIB, 'K'}, {32 * MIB, 'M'}}},
    {KNOB(cache_l3_ways), {{11, 'A'}, {12, 'A'}, {15, 'A'}, {16, 'A'}, {16, 'M'}}},
    {KNOB(cache_l3_cycles), {{60, 'K'}, {70, 'K'}, {100, 'D'}, {46, 'K'}, {52, 'M'}}},
    {KNOB(cache_memory_cycles), {{230, 'D'}, {250, 'D'}, {360, 'D'}, {340, 'D'}, {535, 'M'}}},
    {KNOB(s1_block), {{1, 'D'}, {1, 'D'}, {1, 'D'}, {1, 'D'}, {1, 'D'}}},
    {KNOB(s1_flush_max), {{33, 'S'}, {33, 'S'}, {33, 'S'}, {33, 'S'}, {33, 'S'}}},
    {KNOB(cost_walk), {{10, 'A'}, {10, 'A'}, {10, 'A'}, {22, 'D'}, {22, 'D'}}},
    {KNOB(cost_exit), {{1550, 'S'}, {1550, 'D'}, {1550, 'D'}, {1600, 'A'}, {1600, 'A'}}},
    {KNOB(cost_s2_fault), {{2950, 'A'}, {2950, 'A'}, {2950, 'A'}, {2900, 'A'}, {2900, 'A'}}},
    {KNOB(cost_hypercall), {{200, 'A'}, {200, 'A'}, {200, 'A'}, {200, 'A'}, {200, 'A'}}},
    {KNOB(cost_inject), {{400, 'A'}, {400, 'A'}, {400, 'A'}, {400, 'A'}, {400, 'A'}}},
    {KNOB(cost_kernel_fault), {{2010, 'A'}, {2010, 'A'}, {2010, 'A'}, {1863, 'D'}, {1863, 'D'}}},
    {KNOB(cost_direct_fault), {{1000, 'A'}, {1000, 'A'}, {1000, 'A'}, {1000, 'A'}, {1000, 'A'}}},
    {KNOB(cost_extable), {{187, 'D'}, {187, 'D'}, {187, 'D'}, {187, 'D'}, {187, 'M'}}},
    {KNOB(cost_sdei), {{1200, 'A'}, {1200, 'A'}, {1200, 'A'}, {1200, 'A'}, {1200, 'A'}}},
    {KNOB(cost_ve), {{500, 'A'}, {500, 'A'}, {500, 'A'}, {500, 'A'}, {500, 'A'}}},
    {KNOB(cost_cr3_keep), {{300, 'S'}, {300, 'S'}, {300, 'S'}, {150, 'A'}, {150, 'A'}}},
    {KNOB(cost_cr3_flush), {{96, 'S'}, {96, 'S'}, {96, 'S'}, {150, 'A'}, {150, 'A'}}},
    {KNOB(cost_pte_write), {{4, 'A'}, {4, 'A'}, {4, 'A'}, {4, 'A'}, {4, 'A'}}},
    {KNOB(cost_barrier), {{0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}, {0, 'A'}}},
    {KNOB(cost_page_attr), {{4000, 'A'}, {4000, 'A'}, {4000, 'A'}, {4800, 'D'}, {4800, 'D'}}},
    {KNOB(cost_shootdown), {{3000, 'A'}, {3000, 'A'}, {3000, 'A'}, {3000, 'A'}, {3000, 'A'}}},
    {KNOB(cost_shootdown_cpu), {{150, 'A'}, {150, 'A'}, {150, 'A'}, {150, 'A'}, {150, 'A'}}},
    {KNOB(cost_shootdown_page), {{220, 'S'}, {220, 'S'}, {220, 'S'}, {220, 'S'}, {220, 'S'}}},
    {KNOB(cost_flush_local), {{260, 'S'}, {260, 'S'}, {260, 'S'}, {200, 'A'}, {200, 'A'}}},
    {KNOB(cost_clear_page), {{800, 'A'}, {800, 'A'}, {800, 'A'}, {800, 'M'}, {800, 'M'}}},
    {KNOB(cost_migrate_page), {{6000, 'A'}, {6000, 'A'}, {6000, 'A'}, {6000, 'A'}, {6000, 'A'}}},
};

_Static_assert(sizeof(arm_rows) / sizeof(arm_rows[0]) == sizeof(x86_rows) / sizeof(x86_rows[0]),
               "both tables have every knob that presets supply");

bool sim_preset_value(uint64_t preset, enum sim_knob knob, uint64_t *value, char *evidence)
{
    const struct figure *figure = NULL;

    if (preset >= PRESETS)
        return false;
    if (preset == AUTO)
        preset = N1;
    for (size_t i = 0; i < sizeof(arm_rows) / sizeof(arm_rows[0]) && !figure; i++) {
        if (preset < SKYLAKE && arm_rows[i].knob == knob)
            figure = &arm_rows[i].figure[preset - N1];
        if (preset >= SKYLAKE && x86_rows[i].knob == knob)
            figure = &x86_rows[i].figure[preset - SKYLAKE];
    }
    if (!figure)
        return false;
    *value = figure->value;
    *evidence = figure->evidence;
    return true;
}

const char *sim_preset_summary(uint64_t preset)
{
    static const char *const summary[PRESETS] = {
        [AUTO] = "neoverse-n1 for arm64 traces, zen4 for x86-64 traces",
        [N1] =
            "Neoverse N1 at 3 GHz, VHE-class exits; the recorded arm64 kernels ran on this model",
        [A55] = "Cortex-A55 at 1.8 GHz, pKVM: exits handled inside EL2",
        [A76] = "Cortex-A76 at 3 GHz; TLBs as Neoverse N1, smaller caches",
        [V2] = "Neoverse V2 at 2.8 GHz",
        [SKYLAKE] = "Skylake-SP at 2.7 GHz",
        [ICELAKE] = "Ice Lake-SP at 2.8 GHz",
        [SAPPHIRE] = "Sapphire Rapids at 3 GHz",
        [ZEN3] = "Zen 3 server at 3.4 GHz",
        [ZEN4] = "Zen 4 server at 3.71 GHz; TLB and cache figures measured on one",
    };

    return preset < PRESETS ? summary[preset] : "unknown";
}

uint64_t sim_preset_for(uint64_t preset, bool x86)
{
    if (preset == AUTO)
        return x86 ? ZEN4 : N1;
    return (preset >= SKYLAKE) == x86 ? preset : PRESETS;
}
