/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traces with known records; see sample.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/traces/support/sample.h"

uint64_t sample_random(uint64_t *state)
{
    uint64_t value = *state += 0x9e3779b97f4a7c15u;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

struct trace_header sample_header(void)
{
    static struct trace_range ram[] = {{0x40000000, 0x80000000}, {0x880000000, 0x8c0000000}};
    static struct trace_extable extable[] = {{0xffff800080001000, 0xffff800080001010, 4, 0x2e1},
                                             {0xffff800080002000, 0xffff800080000010, 2, 0x3ff}};
    static char facts[] = "kernel 6.12\nprocessor N1\n", made[] = "by hand\n", clock[] = "ticks";

    return (struct trace_header){
        .arch = TRACE_ARCH_ARM64,
        .cpus = 4,
        .page_shift = 12,
        .linear_start = 0xffff000000000000,
        .linear_end = 0xffff000040000000,
        .linear_pa = 0x40000000,
        .text = 0xffff800080000000,
        .ram = ram,
        .ram_count = 2,
        .extable = extable,
        .extable_count = 2,
        .facts = facts,
        .provenance = made,
        .clock = clock,
    };
}

/* Small, large, and extreme numbers alike. */
static uint64_t any_number(uint64_t *state)
{
    uint64_t bits = sample_random(state) % 66;

    if (bits == 65)
        return UINT64_MAX;
    return bits == 0 ? 0 : sample_random(state) >> (bits > 64 ? 0 : 64 - bits);
}

static void make_event(struct sample_record *record, uint64_t *state)
{
    record->addr = any_number(state);
    record->event = (struct trace_event){
        .a = any_number(state),
        .b = any_number(state),
        .c = any_number(state),
        .task = (uint32_t)any_number(state),
        .owner = (uint32_t)any_number(state),
        .clock = any_number(state),
    };
    if (record->kind != TRACE_MARK)
        return;
    record->event.b = 0;
    snprintf(record->text, sizeof(record->text), "%.*s", (int)(sample_random(state) % 20),
             "a phase of the text");
}

void sample_make(struct sample *sample, size_t count, uint64_t seed)
{
    uint64_t state = seed;

    sample->header = sample_header();
    sample->count = count;
    sample->record = calloc(count + 1, sizeof(*sample->record));
    if (!sample->record)
        abort();
    for (size_t i = 0; i < count; i++) {
        struct sample_record *record = &sample->record[i];

        record->cpu = sample_random(&state) % 8 ? (unsigned int)(i / 16 % 4)
                                                : (unsigned int)(sample_random(&state) % 256);
        if (sample_random(&state) % 4) {
            uint64_t site = sample_random(&state) % 40;

            record->kind = TRACE_ACCESS;
            record->site = (struct trace_site){
                .pc = 0xffff800080000000 + site * 0x1234,
                .size_log2 = site % 8,
                .store = site % 3 == 0,
                .zeropad = site % 7 == 0,
                .fetch = site % 5 == 0,
                .user = site % 11 == 0,
            };
            record->addr =
                sample_random(&state) % 5 ? 0xffff000000000000 + i * 8 : any_number(&state);
            continue;
        }
        record->kind = (enum trace_kind)(1 + sample_random(&state) % (TRACE_KIND_COUNT - 1));
        make_event(record, &state);
    }
}

void sample_free(struct sample *sample)
{
    free(sample->record);
    *sample = (struct sample){0};
}

static void fatal(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

void sample_write(const struct sample *sample, const char *path, uint32_t block)
{
    struct trace_error error = {""};
    struct trace_writer *writer = trace_create(path, &sample->header, 1, &error);

    if (!writer)
        fatal(error.text);
    trace_writer_block(writer, block);
    for (size_t i = 0; i < sample->count; i++) {
        const struct sample_record *record = &sample->record[i];
        int status;

        if (record->kind == TRACE_ACCESS)
            status = trace_write_access(
                writer, record->cpu, trace_write_site(writer, &record->site), record->addr, &error);
        else
            status =
                trace_write_event(writer, record->kind, record->cpu, record->addr, &record->event,
                                  record->kind == TRACE_MARK ? record->text : NULL, &error);
        if (status < 0)
            fatal(error.text);
    }
    if (trace_finish(writer, &error) < 0)
        fatal(error.text);
}

static int same_event(const struct trace_block *block, const struct trace_rec *rec,
                      const struct sample_record *record)
{
    const struct trace_event *event;

    if (rec->site >= block->event_count)
        return 0;
    event = &block->events[rec->site];
    if (record->kind == TRACE_MARK) {
        if (event->b >= block->text_size || strcmp(block->text + event->b, record->text) != 0)
            return 0;
    } else if (event->b != record->event.b) {
        return 0;
    }
    return event->a == record->event.a && event->c == record->event.c &&
           event->task == record->event.task && event->owner == record->event.owner &&
           event->clock == record->event.clock;
}

static int same(const struct trace_block *block, const struct trace_rec *rec,
                const struct sample_record *record)
{
    const struct trace_site *site;

    if (rec->kind != (uint8_t)record->kind || rec->cpu != record->cpu ||
        rec->addr != record->addr || rec->zero != 0)
        return 0;
    if (record->kind != TRACE_ACCESS)
        return same_event(block, rec, record);
    if (rec->site >= block->site_count)
        return 0;
    site = &block->sites[rec->site];
    return site->pc == record->site.pc && site->size_log2 == record->site.size_log2 &&
           site->store == record->site.store && site->zeropad == record->site.zeropad &&
           site->fetch == record->site.fetch && site->user == record->site.user;
}

size_t sample_compare(const struct sample *sample, struct trace_source *source, size_t first,
                      uint64_t position, int *status, struct trace_error *error)
{
    struct trace_block block;
    size_t count = 0;

    while ((*status = source->next(source, &block, error)) == 1) {
        if (block.first != position + count || block.count == 0)
            fatal("a block at the wrong position");
        for (size_t i = 0; i < block.count; i++, count++) {
            if (first + count >= sample->count)
                fatal("more records than were written");
            if (same(&block, &block.rec[i], &sample->record[first + count]))
                continue;
            fprintf(
                stderr, "record %zu differs: kind %u and %u, addr %" PRIx64 " and %" PRIx64 "\n",
                first + count, block.rec[i].kind, (unsigned int)sample->record[first + count].kind,
                block.rec[i].addr, sample->record[first + count].addr);
            abort();
        }
    }
    return count;
}
