/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One block of a native trace, from unpacked sections to records.
 *
 * native_decoder_start checks every column once, in loops that the compiler vectorises, so that
 * decode_run, which handles tens of millions of records a second, needs no check and no branch.
 */
#include "traces/native.h"

/* decode_run reads eight payload bytes whether it needs them or not. */
#define PAD 8u

static bool grow(void **at, size_t *room, size_t count, size_t size)
{
    size_t wanted = *room ? *room : 64;
    void *bigger;

    if (count <= *room)
        return true;
    while (wanted < count)
        wanted *= 2;
    bigger = realloc(*at, wanted * size);
    if (!bigger)
        return false;
    *at = bigger;
    *room = wanted;
    return true;
}

bool native_decoder_place(struct native_decoder *decoder, const struct native_block *block)
{
    void *raw = decoder->raw;
    size_t size = PAD, at = 0;
    bool placed;

    for (int i = 0; i < NATIVE_SECTION_COUNT; i++)
        size += block->section[i].raw;
    placed = grow(&raw, &decoder->raw_room, size, 1);
    decoder->raw = raw;
    if (!placed)
        return false;
    for (int i = 0; i < NATIVE_SECTION_COUNT; i++) {
        decoder->section[i] = decoder->raw + at;
        decoder->section_size[i] = block->section[i].raw;
        at += block->section[i].raw;
    }
    memset(decoder->raw + at, 0, PAD);
    return true;
}

static const char *check_columns(const struct native_decoder *decoder, size_t site_count)
{
    const uint8_t *low = decoder->section[NATIVE_SITE_LOW];
    const uint8_t *mid = decoder->section[NATIVE_SITE_MID];
    const uint8_t *class = decoder->section[NATIVE_CLASS];
    size_t count = decoder->section_size[NATIVE_CLASS];
    uint32_t site_max = 0, wide = 0;
    uint8_t class_max = 0;

    for (size_t i = 0; i < count; i++) {
        class_max = class[i] > class_max ? class[i] : class_max;
        wide += class[i] > NATIVE_CLASS_WIDE ? class[i] - NATIVE_CLASS_WIDE : 0;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t site = low[i] | (uint32_t)mid[i] << 8;

        site_max = site > site_max ? site : site_max;
    }
    if (decoder->section_size[NATIVE_SITE_HIGH]) {
        const uint8_t *high = decoder->section[NATIVE_SITE_HIGH];

        for (size_t i = 0; i < count; i++) {
            uint32_t site = low[i] | (uint32_t)mid[i] << 8 | (uint32_t)high[i] << 16;

            site_max = site > site_max ? site : site_max;
        }
    }
    if (count && site_max >= site_count)
        return "an access by a site that is not defined";
    if (class_max > NATIVE_CLASS_MAX)
        return "an unknown class of address difference";
    if (wide != decoder->section_size[NATIVE_PAYLOAD])
        return "a payload of another length than the classes ask for";
    return NULL;
}

/* What the events of a block are coded against. */
struct event_state {
    uint64_t addr[TRACE_KIND_COUNT], a[TRACE_KIND_COUNT], clock;
    uint64_t record;
    uint8_t cpu;
};

static bool get_event(struct native_decoder *decoder, struct trace_cursor *in, unsigned int kind,
                      struct event_state *state, struct native_break *brk)
{
    void *events = decoder->events;
    struct trace_event *event;
    bool grown = grow(&events, &decoder->event_room, decoder->event_count + 1, sizeof(*event));

    decoder->events = events;
    if (!grown)
        return false;
    event = &decoder->events[decoder->event_count++];
    brk->addr = state->addr[kind] += trace_get_s(in);
    event->a = state->a[kind] += trace_get_s(in);
    event->b = trace_get_u(in);
    event->c = trace_get_u(in);
    event->task = (uint32_t)trace_get_u(in);
    event->owner = (uint32_t)trace_get_u(in);
    event->clock = state->clock += trace_get_s(in);
    state->record++;
    return true;
}

/* One item: a run of accesses, then a change of CPU or an event. */
static const char *get_break(struct native_decoder *decoder, struct trace_cursor *in,
                             struct event_state *state)
{
    uint64_t gap = trace_get_u(in), op = trace_get_u(in);
    struct native_break brk = {.kind = (uint8_t)op};
    void *breaks = decoder->breaks;
    bool grown;

    if (in->failed || gap > decoder->records - state->record || op >= TRACE_KIND_COUNT)
        return "a broken item in the events section";
    state->record += gap;
    brk.at = (uint32_t)state->record;
    if (op == NATIVE_OP_CPU) {
        uint64_t cpu = trace_get_u(in);

        if (cpu >= NATIVE_CPUS_MAX)
            return "an impossible CPU number";
        state->cpu = (uint8_t)cpu;
    } else {
        if (state->record >= decoder->records)
            return "more events than records";
        if (!get_event(decoder, in, (unsigned int)op, state, &brk))
            return "out of memory";
        if (op == TRACE_MARK &&
            decoder->events[decoder->event_count - 1].b >= decoder->section_size[NATIVE_TEXT])
            return "a mark whose text lies outside the block's text";
    }
    brk.cpu = state->cpu;
    grown = grow(&breaks, &decoder->break_room, decoder->break_count + 1, sizeof(brk));
    decoder->breaks = breaks;
    if (!grown)
        return "out of memory";
    decoder->breaks[decoder->break_count++] = brk;
    return in->failed ? "the events section ends in the middle of an item" : NULL;
}

static const char *get_events(struct native_decoder *decoder)
{
    struct trace_cursor in =
        trace_cursor_of(decoder->section[NATIVE_EVENTS], decoder->section_size[NATIVE_EVENTS]);
    struct event_state state = {0};
    size_t text = decoder->section_size[NATIVE_TEXT];

    decoder->event_count = decoder->break_count = 0;
    if (text && decoder->section[NATIVE_TEXT][text - 1] != '\0')
        return "text without an end";
    while (trace_left(&in)) {
        const char *wrong = get_break(decoder, &in, &state);

        if (wrong)
            return wrong;
    }
    if (decoder->event_count + decoder->section_size[NATIVE_CLASS] != decoder->records)
        return "accesses and events are not as many as the block's records";
    return NULL;
}

const char *native_decoder_start(struct native_decoder *decoder, const struct native_block *block,
                                 size_t site_count)
{
    void *last = decoder->last;
    const char *wrong;
    bool grown = grow(&last, &decoder->last_room, site_count + 1, sizeof(*decoder->last));

    decoder->last = last;
    if (!decoder->batch)
        decoder->batch = calloc(NATIVE_BATCH, sizeof(*decoder->batch));
    if (!grown || !decoder->batch)
        return "out of memory";
    decoder->records = block->records;
    wrong = check_columns(decoder, site_count);
    if (!wrong)
        wrong = get_events(decoder);
    memset(decoder->last, 0, (site_count + 1) * sizeof(*decoder->last));
    decoder->record = 0;
    decoder->access = decoder->next_break = decoder->next_event = 0;
    decoder->payload = decoder->section[NATIVE_PAYLOAD];
    decoder->cpu = 0;
    return wrong;
}

static inline uint64_t load64(const uint8_t *from)
{
    return (uint64_t)from[0] | (uint64_t)from[1] << 8 | (uint64_t)from[2] << 16 |
           (uint64_t)from[3] << 24 | (uint64_t)from[4] << 32 | (uint64_t)from[5] << 40 |
           (uint64_t)from[6] << 48 | (uint64_t)from[7] << 56;
}

/* How many payload bytes a class has, and which bits of the next eight bytes are its number. */
static const uint64_t wide_mask[9] = {
    0,
    0xff,
    0xffff,
    0xffffff,
    0xffffffff,
    0xffffffffff,
    0xffffffffffff,
    0xffffffffffffff,
    0xffffffffffffffff,
};

static void decode_run(struct native_decoder *decoder, struct trace_rec *out, size_t count)
{
    const uint8_t *low = decoder->section[NATIVE_SITE_LOW] + decoder->access;
    const uint8_t *mid = decoder->section[NATIVE_SITE_MID] + decoder->access;
    const uint8_t *class = decoder->section[NATIVE_CLASS] + decoder->access;
    const uint8_t *payload = decoder->payload;
    uint64_t *last = decoder->last;
    bool wide_sites = decoder->section_size[NATIVE_SITE_HIGH] != 0;
    const uint8_t *high = decoder->section[NATIVE_SITE_HIGH] + decoder->access;
    uint8_t cpu = decoder->cpu;

    for (size_t i = 0; i < count; i++) {
        uint32_t site = low[i] | (uint32_t)mid[i] << 8;
        uint64_t code = class[i];

        if (wide_sites)
            site |= (uint32_t)high[i] << 16;
        if (code >= NATIVE_CLASS_WIDE) {
            size_t size = code - NATIVE_CLASS_WIDE;

            code = load64(payload) & wide_mask[size];
            payload += size;
        }
        out[i].addr = last[site] += trace_unzigzag(code);
        out[i].site = site;
        out[i].kind = TRACE_ACCESS;
        out[i].cpu = cpu;
        out[i].zero = 0;
    }
    decoder->access += count;
    decoder->payload = payload;
}

size_t native_decoder_next(struct native_decoder *decoder)
{
    size_t done = 0;

    while (done < NATIVE_BATCH && decoder->record < decoder->records) {
        const struct native_break *brk = NULL;
        uint32_t run = decoder->records - decoder->record;

        if (decoder->next_break < decoder->break_count) {
            brk = &decoder->breaks[decoder->next_break];
            run = brk->at - decoder->record;
        }
        if (run || !brk) {
            if (run > NATIVE_BATCH - done)
                run = (uint32_t)(NATIVE_BATCH - done);
            decode_run(decoder, decoder->batch + done, run);
            done += run;
            decoder->record += run;
            continue;
        }
        decoder->next_break++;
        decoder->cpu = brk->cpu;
        if (brk->kind == NATIVE_OP_CPU)
            continue;
        decoder->batch[done++] = (struct trace_rec){
            .addr = brk->addr,
            .site = (uint32_t)decoder->next_event++,
            .kind = brk->kind,
            .cpu = brk->cpu,
        };
        decoder->record++;
    }
    return done;
}

void native_decoder_free(struct native_decoder *decoder)
{
    free(decoder->raw);
    free(decoder->events);
    free(decoder->breaks);
    free(decoder->last);
    free(decoder->batch);
    *decoder = (struct native_decoder){0};
}
