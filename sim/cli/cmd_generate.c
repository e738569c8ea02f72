/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline generate: a trace without a recording. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cmd.h"
#include "workloads/workload.h"

/* Random addresses do not compress: trying hard takes minutes. */
enum { LEVEL = 3 };

struct arguments {
    struct wl_options options;
    const char *file;
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "The trace to write ('-' is standard output)", 0},
    {"accesses", 'n', "N", 0, "Memory accesses; default 10M", 1},
    {"pattern", 'p', "NAME", 0,
     "uniform; skewed: four of five accesses to a fifth of the pages, and so on (default); stream",
     1},
    {"stores", 'w', "PERCENT", 0, "Of the accesses; default 30", 1},
    {"crossings", 'z', "PPM", 0,
     "Of a million accesses, load_unaligned_zeropad() across the end of a page; default 20", 1},
    {"arch", 'a', "NAME", 0, "arm64 (default) or x86-64", 2},
    {"page-size", 'g', "BYTES", 0, "4K (default); arm64 also 16K and 64K", 2},
    {"cpus", 'u', "N", 0, "Default 2", 2},
    {"memory", 'm', "BYTES", 0, "RAM, 64M to 1024G; default 1G", 2},
    {"working-set", 'W', "PAGES", 0, "Used by the kernel; an eighth may be lent; default 32768", 2},
    {"donate-every", 'd', "N", 0, "Accesses between donations, 0 for none; default 10000", 3},
    {"batch", 'b', "PAGES", 0, "Of a donation; default 1", 3},
    {"lifetime", 't', "N", 0, "Accesses until a page comes back, 0 for never; default 1M", 3},
    {"seed", 'r', "N", 0, "Default 1", 3},
    {0},
};

/* A number, with K, M or G (powers of 1024) behind it. */
static uint64_t parse_number(const char *text, struct argp_state *state)
{
    static const char units[] = "KMG";
    char *end;
    uint64_t value = strtoull(text, &end, 0);
    const char *unit = *end ? strchr(units, *end) : NULL;
    const unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;

    if (*text < '0' || *text > '9' || (*end && (!unit || end[1])) || value > UINT64_MAX >> shift)
        argp_failure(state, SIM_USAGE, 0, "'%s' is no number (K, M, G may follow)", text);
    return value << shift;
}

static unsigned int parse_small(const char *text, struct argp_state *state)
{
    uint64_t value = parse_number(text, state);

    return value > UINT32_MAX ? UINT32_MAX : (unsigned int)value; /* out of range all the same */
}

/* The position of a name in a list that ends with NULL. */
static unsigned int parse_name(const char *text, const char *const *names, const char *expected,
                               struct argp_state *state)
{
    unsigned int i = 0;

    while (names[i] && strcmp(names[i], text))
        i++;
    if (!names[i])
        argp_failure(state, SIM_USAGE, 0, "'%s': expected %s", text, expected);
    return i;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char *const patterns[] = {"uniform", "skewed", "stream", NULL};
    static const char *const archs[] = {"arm64", "x86-64", NULL};
    static const char *const pages[] = {"4K", "16K", "64K", NULL};
    struct arguments *args = state->input;
    struct wl_options *o = &args->options;

    switch (key) {
    case 'o':
        args->file = arg;
        return 0;
    case 'n':
        o->accesses = parse_number(arg, state);
        return 0;
    case 'p':
        o->pattern = (enum wl_pattern)parse_name(arg, patterns, "uniform, skewed or stream", state);
        return 0;
    case 'w':
        o->stores = parse_small(arg, state);
        return 0;
    case 'z':
        o->crossings = parse_small(arg, state);
        return 0;
    case 'a':
        o->arch =
            parse_name(arg, archs, "arm64 or x86-64", state) ? TRACE_ARCH_X86_64 : TRACE_ARCH_ARM64;
        return 0;
    case 'g':
        o->page_shift = 12 + 2 * parse_name(arg, pages, "4K, 16K or 64K", state);
        return 0;
    case 'u':
        o->cpus = parse_small(arg, state);
        return 0;
    case 'm':
        o->ram_bytes = parse_number(arg, state);
        return 0;
    case 'W':
        o->working_set = parse_number(arg, state);
        return 0;
    case 'd':
        o->donate_every = parse_number(arg, state);
        return 0;
    case 'b':
        o->batch = parse_small(arg, state);
        return 0;
    case 't':
        o->lifetime = parse_number(arg, state);
        return 0;
    case 'r':
        o->seed = parse_number(arg, state);
        return 0;
    case ARGP_KEY_END:
        if (!args->file)
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_generate(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "-o FILE",
        .doc =
            "Makes a trace of a kernel that does not exist: accesses in a pattern, and pages that "
            "are lent to a guest and come back. The same options give the same trace.\v"
            "Seven of eight pages of the working set are accessed, the eighth may be lent.",
    };
    struct arguments args = {.options = wl_defaults()};
    struct trace_error error;
    int status = -1;

    cli_parse(&argp, argc, argv, &args);
    struct trace_source *source = wl_open(&args.options, &error);

    if (!source) {
        fprintf(stderr, "faultline: %s\n", error.text);
        return SIM_USAGE;
    }
    struct trace_writer *writer = trace_create(args.file, source->header(source), LEVEL, &error);

    if (writer && (status = trace_copy(source, writer, &error)) < 0)
        trace_abandon(writer);
    else if (writer)
        status = trace_finish(writer, &error);
    source->close(source);
    if (status >= 0)
        return SIM_OK;
    fprintf(stderr, "faultline: %s\n", error.text);
    return SIM_USAGE;
}
