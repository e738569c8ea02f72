/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * valgrind --tool=lackey --trace-mem=yes: the loads and stores of a program.
 *
 *   I  ADDRESS,SIZE     an instruction
 *    L ADDRESS,SIZE     a load of it; S a store, M a load and then a store
 *
 * The program becomes a kernel's work: each of its pages gets the next frame of RAM when it is
 * first touched, and is accessed through the direct map. RAM is as large as the footprint.
 * Instructions are not accesses here (the direct map is not executable); they are the pc of what
 * follows them.
 */
#include <inttypes.h>
#include <string.h>

#include "traces/input.h"
#include "traces/map.h"
#include "traces/trace.h"

#define RAM_START   UINT64_C(0x40000000)
#define LINEAR      UINT64_C(0xffff000000000000)
#define TEXT        UINT64_C(0xffff800080000000)
#define PAGE_SHIFT  12
#define RAM_UNIT    (UINT64_C(2) << 20)
#define RAM_MAX     (UINT64_C(1) << 40)
#define SIZE_MAX_OF 4096u

struct lackey {
    const char *path;
    struct trace_map pages; /* a: frame, counted from 1 */
    struct trace_writer *writer;
    struct trace_import_stats *stats;
    uint64_t pc;
};

/* One line: 'I', 'L', 'S' or 'M', 0 for what valgrind says besides, -1 for anything else. */
static int parse_line(const char *line, uint64_t *addr, unsigned int *size)
{
    unsigned long long value;
    int taken = 0;
    char kind;

    if (line[0] == '\0' || strncmp(line, "==", 2) == 0 || strncmp(line, "--", 2) == 0)
        return 0;
    if (sscanf(line, " %c %llx,%u%n", &kind, &value, size, &taken) != 3 || !taken || line[taken] ||
        !strchr("ILSM", kind) || *size == 0 || *size > SIZE_MAX_OF)
        return -1;
    *addr = value;
    return kind;
}

/* The frame of a page, the next one when it is new; 0 without memory. */
static uint64_t frame_of(struct lackey *lackey, uint64_t page)
{
    struct trace_map_entry *entry = trace_map_at(&lackey->pages, page);

    if (!entry)
        return 0;
    if (!entry->a)
        entry->a = lackey->pages.count;
    return entry->a;
}

static int put(struct lackey *lackey, uint64_t addr, unsigned int size_log2, bool store,
               struct trace_error *error)
{
    const struct trace_site site = {
        .pc = lackey->pc, .size_log2 = (uint8_t)size_log2, .store = store};
    const uint64_t page = frame_of(lackey, addr >> PAGE_SHIFT) - 1;
    const uint64_t va = LINEAR + (page << PAGE_SHIFT) + (addr & ((1u << PAGE_SHIFT) - 1));

    lackey->stats->accesses++;
    return trace_write_access(lackey->writer, 0, trace_write_site(lackey->writer, &site), va,
                              error);
}

/* An access of any size: the largest power of two in it, and in the next page one byte, as its
 * frame lies elsewhere. */
static int put_access(struct lackey *lackey, uint64_t addr, unsigned int size, bool store,
                      struct trace_error *error)
{
    const uint64_t last = addr + size - 1;
    unsigned int log2 = 0;

    if (addr >> PAGE_SHIFT != last >> PAGE_SHIFT)
        return put(lackey, addr, 0, store, error) < 0 ? -1 : put(lackey, last, 0, store, error);
    while (log2 < 6 && 2u << log2 <= size)
        log2++;
    return put(lackey, addr, log2, store, error);
}

/* Gives frames (first pass) or writes accesses (second, with a writer). */
static int walk(struct lackey *lackey, struct trace_error *error)
{
    struct trace_input *input = trace_input_open(lackey->path, error);
    int status = input ? 1 : -1;
    char *line;

    while (status == 1 && (status = trace_input_line(input, &line, error)) == 1) {
        uint64_t addr = 0;
        unsigned int size = 0;
        const int kind = parse_line(line, &addr, &size);

        if (kind < 0) {
            status = trace_fail(error,
                                "%s: line %" PRIu64 ": expected I, L, S or M, an address in "
                                "hexadecimal, a comma and a size",
                                lackey->path, input->line);
        } else if (kind == 'I') {
            lackey->pc = addr;
        } else if (kind && !lackey->writer) {
            if (!frame_of(lackey, addr >> PAGE_SHIFT) ||
                !frame_of(lackey, (addr + size - 1) >> PAGE_SHIFT))
                status = trace_fail(error, "%s: out of memory", lackey->path);
        } else if (kind) {
            if ((kind != 'S' && put_access(lackey, addr, size, false, error) < 0) ||
                (kind != 'L' && put_access(lackey, addr, size, true, error) < 0))
                status = -1;
        }
    }
    trace_input_close(input);
    return status;
}

static int write_all(struct lackey *lackey, const char *out, int level, struct trace_error *error)
{
    static char clock[] = "nothing";
    const uint64_t bytes = (uint64_t)lackey->pages.count << PAGE_SHIFT;
    const uint64_t size = (bytes + RAM_UNIT - 1) / RAM_UNIT * RAM_UNIT;
    const char *slash = strrchr(lackey->path, '/');
    struct trace_range ram = {RAM_START, RAM_START + size};
    char provenance[256];
    struct trace_header header = {
        .arch = TRACE_ARCH_ARM64,
        .cpus = 1,
        .page_shift = PAGE_SHIFT,
        .linear_start = LINEAR,
        .linear_end = LINEAR + size,
        .linear_pa = RAM_START,
        .text = TEXT,
        .ram = &ram,
        .ram_count = 1,
        .provenance = provenance,
        .clock = clock,
    };

    if (!bytes || size > RAM_MAX)
        return trace_fail(error, "%s: expected accesses to at least a page, and to 1 TiB at most",
                          lackey->path);
    snprintf(provenance, sizeof(provenance), "imported from the lackey trace %.200s\n",
             slash && slash[1] ? slash + 1 : lackey->path);
    lackey->writer = trace_create(out, &header, level, error);
    if (!lackey->writer)
        return -1;
    if (walk(lackey, error) < 0) {
        trace_abandon(lackey->writer);
        return -1;
    }
    return trace_finish(lackey->writer, error);
}

int trace_import_lackey(const char *path, const char *out, int level,
                        struct trace_import_stats *stats, struct trace_error *error)
{
    struct lackey lackey = {.path = path, .stats = stats};
    int status;

    *stats = (struct trace_import_stats){0};
    status = walk(&lackey, error);
    if (status == 0)
        status = write_all(&lackey, out, level, error);
    trace_map_free(&lackey.pages);
    return status;
}
