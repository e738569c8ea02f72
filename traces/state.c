/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state behind a position of a trace; see state.h. */
#include "traces/state.h"

#define PAGE_FLAGS (TRACE_PAGE_DEVICE | TRACE_PAGE_CODE | TRACE_PAGE_READONLY)
#define PAGE_KNOWN 8u

struct trace_state trace_state_of(const struct trace_header *header)
{
    struct trace_state state = {.page_shift = header->page_shift};
    uint64_t end = 0;

    for (size_t i = 0; i < header->ram_count; i++)
        end = header->ram[i].end > end ? header->ram[i].end : end;
    state.frames = (end >> header->page_shift) + 1;
    return state;
}

bool trace_state_donated(const struct trace_state *state, uint64_t frame, uint32_t *flags)
{
    const struct trace_map_entry *entry = trace_map_find(&state->owned, frame);

    if (!entry || !entry->a)
        return false;
    *flags = (uint32_t)entry->b;
    return true;
}

static bool donate(struct trace_state *state, uint64_t frame, const struct trace_event *event)
{
    struct trace_map_entry *entry = trace_map_at(&state->owned, frame);

    if (!entry)
        return false;
    if (entry->a)
        state->refused++;
    else
        state->donated++;
    if (event->b & TRACE_DONATE_INITIAL)
        state->initial++;
    entry->a = (uint64_t)event->owner + 1;
    entry->b = event->b & TRACE_DONATE_UNMAPPED;
    state->peak = state->donated > state->peak ? state->donated : state->peak;
    return true;
}

static bool reclaim(struct trace_state *state, uint64_t frame)
{
    struct trace_map_entry *entry = trace_map_find(&state->owned, frame);

    if (!entry || !entry->a) {
        state->refused++;
        return true;
    }
    entry->a = entry->b = 0;
    state->donated--;
    return true;
}

static bool share(struct trace_map *shared, uint64_t frame, uint64_t value)
{
    struct trace_map_entry *entry = trace_map_at(shared, frame);

    if (entry)
        entry->a = value;
    return entry != NULL;
}

static bool pages_apply(struct trace_state *state, const struct trace_rec *rec,
                        const struct trace_event *event)
{
    uint64_t frame = rec->addr >> state->page_shift;
    bool done = true;

    if (frame >= state->frames || event->a > state->frames - frame) {
        state->refused++;
        return true;
    }
    for (uint64_t i = 0; done && i < event->a; i++) {
        if (rec->kind == TRACE_DONATE)
            done = donate(state, frame + i, event);
        else if (rec->kind == TRACE_RECLAIM)
            done = reclaim(state, frame + i);
        else
            done = share(&state->shared, frame + i,
                         rec->kind == TRACE_SHARE ? (uint64_t)event->owner + 1 : 0);
    }
    return done;
}

static bool set_phase(struct trace_state *state, const struct trace_event *event, const char *text)
{
    size_t size = strlen(text) + 1;
    char *phase = realloc(state->phase, size);

    if (!phase)
        return false;
    memcpy(phase, text, size);
    state->phase = phase;
    state->phase_number = event->c;
    return true;
}

bool trace_state_apply(struct trace_state *state, const struct trace_rec *rec,
                       const struct trace_event *event, const char *text)
{
    struct trace_map_entry *entry;

    state->clock = event->clock;
    switch ((enum trace_kind)rec->kind) {
    case TRACE_PAGE:
        entry = trace_map_at(&state->pages, rec->addr >> state->page_shift);
        if (!entry)
            return false;
        entry->a = event->a;
        entry->b = (event->b & PAGE_FLAGS) | PAGE_KNOWN;
        return true;
    case TRACE_DONATE:
    case TRACE_RECLAIM:
    case TRACE_SHARE:
    case TRACE_UNSHARE:
        return pages_apply(state, rec, event);
    case TRACE_PAGE_FLAGS:
        trace_put_fixed(&state->flags, rec->addr, 8);
        trace_put_fixed(&state->flags, event->a, 8);
        trace_put_fixed(&state->flags, event->b, 8);
        return !state->flags.failed;
    case TRACE_MARK:
        return event->a != TRACE_MARK_PHASE || set_phase(state, event, text);
    case TRACE_ACCESS:
    case TRACE_ALLOC:
    case TRACE_FREE:
    case TRACE_KFAULT:
    case TRACE_FLUSH:
    case TRACE_TLBI:
    case TRACE_HYPERCALL:
    case TRACE_SWITCH:
    case TRACE_IRQ:
    case TRACE_VMENTER:
    case TRACE_VMEXIT:
    case TRACE_CLEAR:
    case TRACE_WORD:
    case TRACE_SYSREG:
    case TRACE_INVALIDATE:
    case TRACE_ARGS:
    case TRACE_CALL:
    case TRACE_KIND_COUNT:
        break;
    }
    return true;
}

void trace_state_free(struct trace_state *state)
{
    trace_map_free(&state->pages);
    trace_map_free(&state->owned);
    trace_map_free(&state->shared);
    trace_bytes_free(&state->flags);
    free(state->phase);
    *state = (struct trace_state){0};
}

/* ---- rebuilding ---- */

static bool add(struct trace_opening *opening, enum trace_kind kind, uint64_t addr,
                const struct trace_event *event)
{
    if (opening->count == opening->room) {
        size_t room = opening->room ? 2 * opening->room : 1024;
        struct trace_rec *rec = realloc(opening->rec, room * sizeof(*rec));
        struct trace_event *events;

        if (rec)
            opening->rec = rec;
        events = rec ? realloc(opening->events, room * sizeof(*events)) : NULL;
        if (!events)
            return false;
        opening->events = events;
        opening->room = room;
    }
    opening->rec[opening->count] =
        (struct trace_rec){.addr = addr, .site = (uint32_t)opening->count, .kind = (uint8_t)kind};
    opening->events[opening->count++] = *event;
    return true;
}

static bool add_flags(const struct trace_state *state, struct trace_opening *opening)
{
    struct trace_cursor in = trace_cursor_of(state->flags.at, state->flags.size);
    bool done = true;

    while (done && trace_left(&in)) {
        uint64_t pa = trace_get_fixed(&in, 8), pages = trace_get_fixed(&in, 8);
        struct trace_event event = {
            .a = pages, .b = trace_get_fixed(&in, 8), .clock = state->clock};

        done = add(opening, TRACE_PAGE_FLAGS, pa, &event);
    }
    return done;
}

static bool add_pages(const struct trace_state *state, struct trace_opening *opening)
{
    struct trace_map_entry *sorted = trace_map_sorted(&state->pages);
    bool done = sorted != NULL;

    for (size_t i = 0; done && i < state->pages.count; i++)
        done = add(opening, TRACE_PAGE, sorted[i].key << state->page_shift,
                   &(struct trace_event){
                       .a = sorted[i].a, .b = sorted[i].b & PAGE_FLAGS, .clock = state->clock});
    free(sorted);
    return done;
}

/* Runs of frames that one owner has in one way. */
static bool add_owned(const struct trace_state *state, const struct trace_map *map,
                      enum trace_kind kind, struct trace_opening *opening)
{
    struct trace_map_entry *sorted = trace_map_sorted(map);
    bool done = sorted != NULL;
    size_t run;

    for (size_t i = 0; done && i < map->count; i += run) {
        run = 1;
        if (!sorted[i].a)
            continue;
        while (i + run < map->count && sorted[i + run].key == sorted[i].key + run &&
               sorted[i + run].a == sorted[i].a && sorted[i + run].b == sorted[i].b)
            run++;
        done = add(opening, kind, sorted[i].key << state->page_shift,
                   &(struct trace_event){
                       .a = run,
                       .b = kind == TRACE_DONATE ? sorted[i].b | TRACE_DONATE_INITIAL : 0,
                       .owner = (uint32_t)(sorted[i].a - 1),
                       .clock = state->clock,
                   });
    }
    free(sorted);
    return done;
}

bool trace_state_opening(const struct trace_state *state, struct trace_opening *opening)
{
    *opening = (struct trace_opening){0};
    if (!add_flags(state, opening) || !add_owned(state, &state->owned, TRACE_DONATE, opening) ||
        !add_owned(state, &state->shared, TRACE_SHARE, opening) || !add_pages(state, opening))
        goto fail;
    if (!state->phase)
        return true;
    opening->text_size = strlen(state->phase) + 1;
    opening->text = malloc(opening->text_size);
    if (!opening->text)
        goto fail;
    memcpy(opening->text, state->phase, opening->text_size);
    if (add(opening, TRACE_MARK, 0,
            &(struct trace_event){
                .a = TRACE_MARK_PHASE, .c = state->phase_number, .clock = state->clock}))
        return true;
fail:
    trace_opening_free(opening);
    return false;
}

void trace_opening_free(struct trace_opening *opening)
{
    free(opening->rec);
    free(opening->events);
    free(opening->text);
    *opening = (struct trace_opening){0};
}
