/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline knobs, presets, strategies: the lists. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/cli/cmd.h"

static error_t parse_none(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key == ARGP_KEY_ARG)
        argp_usage(state);
    return ARGP_ERR_UNKNOWN;
}

static void print_knob(const struct sim_config *config, enum sim_knob knob)
{
    const struct sim_knob_info *info = &sim_knobs[knob];
    char value[64];

    sim_config_format(config, knob, value, sizeof(value));
    printf("%-22s %-12s %s", info->key, value, info->help);
    if (info->choices)
        printf(" {%s}", info->choices);
    else if (info->unit[0])
        printf(" [%s]", info->unit);
    printf("\n");
}

int cmd_knobs(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_config_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .children = children,
        .doc = "Lists every parameter with its value, as settings and preset resolve it.",
    };
    struct sim_config config;

    sim_config_init(&config);
    cli_parse(&argp, argc, argv, &config);
    sim_config_resolve(&config);
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++)
        print_knob(&config, (enum sim_knob)i);
    return SIM_OK;
}

static void print_presets(uint64_t first, uint64_t end)
{
    struct sim_config config;
    char text[64];

    sim_config_init(&config);
    printf("%-22s", "");
    for (uint64_t p = first; p < end; p++) {
        SIM_GET(&config, cpu, preset) = p;
        sim_config_format(&config, SIM_KNOB_cpu_preset, text, sizeof(text));
        printf(" %15s", text);
    }
    printf("\n");
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++) {
        uint64_t value;
        char evidence;

        if (!sim_preset_value(first, (enum sim_knob)i, &value, &evidence))
            continue;
        printf("%-22s", sim_knobs[i].key);
        for (uint64_t p = first; p < end; p++) {
            sim_preset_value(p, (enum sim_knob)i, &value, &evidence);
            config.value[i] = value;
            sim_config_format(&config, (enum sim_knob)i, text, sizeof(text));
            printf(" %13s %c", text, evidence);
        }
        printf("\n");
    }
    printf("\n");
}

int cmd_presets(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse_none,
        .doc = "Lists the core presets. Behind each figure its evidence: S read in a named source, "
               "K known from a named document, M measured, D derived, A assumed (docs/MODEL.md).",
    };
    enum { FIRST_ARM64 = 1, FIRST_X86 = 5 };
    struct sim_config config;
    char text[64];

    cli_parse(&argp, argc, argv, NULL);
    print_presets(FIRST_ARM64, FIRST_X86);
    print_presets(FIRST_X86, SIM_PRESETS);
    sim_config_init(&config);
    for (uint64_t p = 0; p < SIM_PRESETS; p++) {
        SIM_GET(&config, cpu, preset) = p;
        sim_config_format(&config, SIM_KNOB_cpu_preset, text, sizeof(text));
        printf("%-16s %s\n", text, sim_preset_summary(p));
    }
    return SIM_OK;
}

int cmd_strategies(int argc, char **argv)
{
    static const struct argp argp = {.parser = parse_none, .doc = "Lists the strategies."};
    const struct sim_strategy *strategy;

    cli_parse(&argp, argc, argv, NULL);
    for (size_t i = 0; (strategy = sim_strategy_at(i)); i++)
        printf("%-18s %s\n", sim_strategy_name(strategy), sim_strategy_summary(strategy));
    return SIM_OK;
}
