/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts over a whole trace, by phase. */
#include <inttypes.h>

#include "traces/state.h"

#define USER_END (1ull << 63)

struct summariser {
    const struct trace_header *header;
    struct trace_summary *summary;
    struct trace_phase *phase; /* the last of the summary's */
    struct trace_state state;
    struct trace_map direct, other; /* pages touched, 64 to an entry */
    uint64_t last_page;             /* touched last, to look up less often */
};

static struct trace_phase *begin_phase(struct trace_summary *summary, const char *name,
                                       uint64_t first, uint64_t donated)
{
    struct trace_phase *phase =
        realloc(summary->phase, (summary->phase_count + 1) * sizeof(*phase));

    if (!phase)
        return NULL;
    summary->phase = phase;
    phase += summary->phase_count;
    *phase = (struct trace_phase){.first = first,
                                  .name = calloc(strlen(name) + 1, 1),
                                  .donated_start = donated,
                                  .donated_peak = donated,
                                  .donated_end = donated};
    if (!phase->name)
        return NULL;
    memcpy(phase->name, name, strlen(name) + 1);
    summary->phase_count++;
    return phase;
}

static bool touch(struct summariser *summariser, bool direct, uint64_t va)
{
    uint64_t page = va >> summariser->header->page_shift;
    struct trace_map_entry *entry;

    if (page == summariser->last_page)
        return true;
    summariser->last_page = page;
    entry = trace_map_at(direct ? &summariser->direct : &summariser->other, page >> 6);
    if (!entry)
        return false;
    entry->a |= 1ull << (page & 63);
    return true;
}

static void count_direct(struct summariser *summariser, const struct trace_site *site, uint64_t va)
{
    const struct trace_header *header = summariser->header;
    struct trace_phase *phase = summariser->phase;
    uint64_t pa = va - header->linear_start + header->linear_pa;
    uint64_t first = pa >> header->page_shift;
    uint64_t last = (pa + (1ull << site->size_log2) - 1) >> header->page_shift;
    uint32_t flags;

    phase->direct_map++;
    if (summariser->state.donated && trace_state_donated(&summariser->state, first, &flags))
        phase->touched++;
    if (!site->zeropad || first == last)
        return;
    phase->crossing++;
    if (!trace_state_donated(&summariser->state, last, &flags))
        return;
    if (flags & TRACE_DONATE_UNMAPPED)
        phase->crossing_unmapped++;
    else
        phase->crossing_mapped++;
}

static bool count_access(struct summariser *summariser, const struct trace_block *block,
                         const struct trace_rec *rec)
{
    const struct trace_header *header = summariser->header;
    const struct trace_site *site = &block->sites[rec->site];
    bool direct = rec->addr >= header->linear_start && rec->addr < header->linear_end;

    summariser->phase->stores += site->store;
    summariser->phase->zeropad += site->zeropad;
    summariser->phase->user += rec->addr < USER_END;
    if (direct)
        count_direct(summariser, site, rec->addr);
    return touch(summariser, direct, rec->addr);
}

static bool count_event(struct summariser *summariser, const struct trace_block *block,
                        const struct trace_rec *rec)
{
    const struct trace_event *event = &block->events[rec->site];
    const char *text = rec->kind == TRACE_MARK ? block->text + event->b : "";
    struct trace_state *state = &summariser->state;

    if (!trace_state_apply(state, rec, event, text))
        return false;
    if (rec->kind == TRACE_KFAULT && event->c <= TRACE_OUTCOME_OTHER)
        summariser->summary->faults[event->c]++;
    if (rec->kind == TRACE_MARK && event->a == TRACE_MARK_PHASE)
        summariser->phase = begin_phase(
            summariser->summary, text, block->first + (uint64_t)(rec - block->rec), state->donated);
    if (!summariser->phase)
        return false;
    if (state->donated > summariser->phase->donated_peak)
        summariser->phase->donated_peak = state->donated;
    summariser->phase->donated_end = state->donated;
    return true;
}

static bool count_block(struct summariser *summariser, const struct trace_block *block)
{
    for (size_t i = 0; i < block->count; i++) {
        const struct trace_rec *rec = &block->rec[i];
        bool done = rec->kind == TRACE_ACCESS ? count_access(summariser, block, rec)
                                              : count_event(summariser, block, rec);

        if (!done)
            return false;
        summariser->phase->records++;
        summariser->phase->kind[rec->kind]++;
    }
    summariser->summary->records += block->count;
    summariser->summary->sites = block->site_count;
    return true;
}

static uint64_t count_pages(const struct trace_map *map)
{
    uint64_t count = 0;

    for (size_t i = 0; i < map->room; i++) {
        for (uint64_t bits = map->slot[i].a; bits; bits &= bits - 1)
            count++;
    }
    return count;
}

static void add_phase(struct trace_phase *total, const struct trace_phase *phase)
{
    total->records += phase->records;
    for (int i = 0; i < TRACE_KIND_COUNT; i++)
        total->kind[i] += phase->kind[i];
    total->stores += phase->stores;
    total->direct_map += phase->direct_map;
    total->user += phase->user;
    total->zeropad += phase->zeropad;
    total->crossing += phase->crossing;
    total->crossing_unmapped += phase->crossing_unmapped;
    total->crossing_mapped += phase->crossing_mapped;
    total->touched += phase->touched;
}

static void finish(struct summariser *summariser)
{
    struct trace_summary *summary = summariser->summary;

    for (size_t i = 0; i < summary->phase_count; i++)
        add_phase(&summary->total, &summary->phase[i]);
    summary->initial = summariser->state.initial;
    summary->refused = summariser->state.refused;
    summary->direct_pages = count_pages(&summariser->direct);
    summary->other_pages = count_pages(&summariser->other);
    summary->total.donated_start = summary->initial;
    summary->total.donated_peak = summariser->state.peak;
    summary->total.donated_end = summariser->state.donated;
    trace_map_free(&summariser->direct);
    trace_map_free(&summariser->other);
    trace_state_free(&summariser->state);
}

int trace_summarise(struct trace_source *source, struct trace_summary *summary,
                    struct trace_error *error)
{
    struct summariser summariser = {
        .header = source->header(source), .summary = summary, .last_page = UINT64_MAX};
    struct trace_block block;
    int status = 1;

    *summary = (struct trace_summary){0};
    summariser.state = trace_state_of(summariser.header);
    summariser.phase = begin_phase(summary, "", 0, 0);
    if (!summariser.phase)
        status = trace_fail(error, "out of memory");
    while (status == 1 && (status = source->next(source, &block, error)) == 1) {
        if (!count_block(&summariser, &block))
            status = trace_fail(error, "out of memory at position %llu",
                                (unsigned long long)block.first);
    }
    finish(&summariser);
    return status;
}

void trace_summary_free(struct trace_summary *summary)
{
    for (size_t i = 0; i < summary->phase_count; i++)
        free(summary->phase[i].name);
    free(summary->phase);
    *summary = (struct trace_summary){0};
}

/* ---- printing ---- */

static void print_header(const struct trace_header *header, FILE *out)
{
    fprintf(out, "machine        %s, %u CPUs, %u KiB pages, %zu exception table entries\n",
            header->arch == TRACE_ARCH_ARM64 ? "arm64" : "x86-64", header->cpus,
            1u << (header->page_shift - 10), header->extable_count);
    fprintf(out, "direct map     %016" PRIx64 " to %016" PRIx64 " maps pa %" PRIx64 "\n",
            header->linear_start, header->linear_end, header->linear_pa);
    fprintf(out, "kernel code    from %016" PRIx64 "\n", header->text);
    for (size_t i = 0; i < header->ram_count; i++)
        fprintf(out, "ram            %" PRIx64 " to %" PRIx64 " (%" PRIu64 " MiB)\n",
                header->ram[i].start, header->ram[i].end,
                (header->ram[i].end - header->ram[i].start) >> 20);
    fprintf(out, "clock          %s\n", header->clock);
    for (const char *line = header->provenance; *line;) {
        size_t length = strcspn(line, "\n");

        fprintf(out, "made           %.*s\n", (int)length, line);
        line += length + (line[length] != '\0');
    }
}

static void print_total(const struct trace_summary *summary, FILE *out)
{
    const struct trace_phase *total = &summary->total;

    fprintf(out, "records        %" PRIu64 ", from %" PRIu64 " access sites\n", summary->records,
            summary->sites);
    for (unsigned int i = 0; i < TRACE_KIND_COUNT; i++) {
        if (total->kind[i])
            fprintf(out, "  %-12s %" PRIu64 "\n", trace_kind_name((enum trace_kind)i),
                    total->kind[i]);
    }
    fprintf(out,
            "accesses       %" PRIu64 " stores, %" PRIu64 " through the direct map, %" PRIu64
            " to user addresses\n",
            total->stores, total->direct_map, total->user);
    fprintf(out, "footprint      %" PRIu64 " pages of the direct map, %" PRIu64 " others\n",
            summary->direct_pages, summary->other_pages);
    fprintf(out,
            "zeropad loads  %" PRIu64 ", of these %" PRIu64 " cross a page end: %" PRIu64
            " into a donated page that was unmapped, %" PRIu64 " into one still mapped\n",
            total->zeropad, total->crossing, total->crossing_unmapped, total->crossing_mapped);
    fprintf(out,
            "donated pages  %" PRIu64 " at the start, at most %" PRIu64 ", %" PRIu64
            " at the end; other accesses to them %" PRIu64 ", impossible changes %" PRIu64 "\n",
            total->donated_start, total->donated_peak, total->donated_end, total->touched,
            summary->refused);
    fprintf(out,
            "faults         %" PRIu64 " repaired, %" PRIu64 " ended in a panic, %" PRIu64
            " others\n",
            summary->faults[TRACE_OUTCOME_REPAIRED], summary->faults[TRACE_OUTCOME_PANIC],
            summary->faults[TRACE_OUTCOME_OTHER]);
}

static void print_phases(const struct trace_summary *summary, FILE *out)
{
    fprintf(out, "\n%-12s %11s %11s %8s %8s %8s %8s %8s %9s %9s %7s %7s %7s\n", "phase", "position",
            "accesses", "alloc", "free", "donate", "reclaim", "kfault", "crossing", "unmapped",
            "mapped", "donated", "peak");
    for (size_t i = 0; i < summary->phase_count; i++) {
        const struct trace_phase *phase = &summary->phase[i];

        if (phase->records == 0)
            continue;
        fprintf(out,
                "%-12s %11" PRIu64 " %11" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
                " %8" PRIu64 " %9" PRIu64 " %9" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64 "\n",
                phase->name[0] ? phase->name : "-", phase->first, phase->kind[TRACE_ACCESS],
                phase->kind[TRACE_ALLOC], phase->kind[TRACE_FREE], phase->kind[TRACE_DONATE],
                phase->kind[TRACE_RECLAIM], phase->kind[TRACE_KFAULT], phase->crossing,
                phase->crossing_unmapped, phase->crossing_mapped, phase->donated_end,
                phase->donated_peak);
    }
}

void trace_summary_print(const struct trace_summary *summary, const struct trace_header *header,
                         FILE *out)
{
    print_header(header, out);
    print_total(summary, out);
    print_phases(summary, out);
}
