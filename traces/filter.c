/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source that passes on a part of another one. Before the first record of the part stands the
 * state it needs (state.h), so that what comes out is a whole trace.
 */
#include "traces/state.h"

struct filter {
    struct trace_source source; /* first: a source is cast back to its filter */
    struct trace_source *from;
    struct trace_filter want;
    char *phase;
    struct trace_header header;
    struct trace_state state;
    struct trace_opening opening;
    struct trace_rec *rec;
    size_t rec_room;
    uint64_t position; /* of the next record that goes out */
    uint64_t sampled;  /* accesses since the window opened */
    bool open, over;   /* inside the window; after it */
    bool kept;         /* the last access went out, so its fault does too */
    /* What the opening came before; valid until the next call on `from`. */
    struct trace_block pending;
    long pending_count;
};

static const struct trace_header *filter_header(struct trace_source *source)
{
    return &((struct filter *)source)->header;
}

static void filter_close(struct trace_source *source)
{
    struct filter *filter = (struct filter *)source;

    if (filter->from)
        filter->from->close(filter->from);
    trace_header_free(&filter->header);
    trace_state_free(&filter->state);
    trace_opening_free(&filter->opening);
    free(filter->phase);
    free(filter->rec);
    free(filter);
}

/* What a guest under emulation did to translation: state that no opening can sum up, so it passes
 * from the beginning of the trace on. */
static bool is_guest_state(uint8_t kind)
{
    return kind >= TRACE_WORD;
}

/* Records that change what later ones mean; they are kept whatever CPU they come from. */
static bool is_state(uint8_t kind)
{
    return kind == TRACE_PAGE || kind == TRACE_DONATE || kind == TRACE_RECLAIM ||
           kind == TRACE_SHARE || kind == TRACE_UNSHARE || kind == TRACE_PAGE_FLAGS ||
           kind == TRACE_MARK || is_guest_state(kind);
}

static bool wanted(struct filter *filter, const struct trace_rec *rec)
{
    const struct trace_filter *want = &filter->want;
    bool keep = want->cpu < 0 || rec->cpu == (unsigned int)want->cpu;

    if (rec->kind == TRACE_ACCESS) {
        uint64_t cycle = want->sample_keep + want->sample_skip;

        if (keep && want->sample_keep && filter->sampled++ % cycle >= want->sample_keep)
            keep = false;
        filter->kept = keep;
    } else if (rec->kind == TRACE_KFAULT) {
        keep = keep && filter->kept;
    } else {
        keep = keep || is_state(rec->kind);
    }
    return keep && (want->kinds == 0 || (want->kinds >> rec->kind & 1));
}

/* Does the window begin with this record? */
static bool opens(const struct filter *filter, const struct trace_rec *rec,
                  const struct trace_event *event, const char *text, uint64_t position)
{
    if (position < filter->want.from)
        return false;
    if (!filter->phase)
        return true;
    if (filter->state.phase && strcmp(filter->state.phase, filter->phase) == 0)
        return true; /* from lies inside the phase */
    return rec->kind == TRACE_MARK && event->a == TRACE_MARK_PHASE &&
           strcmp(text, filter->phase) == 0;
}

static bool closes(const struct filter *filter, const struct trace_rec *rec,
                   const struct trace_event *event, const char *text, uint64_t position)
{
    /* A fault stays with the access that took it. */
    if (filter->want.to && position >= filter->want.to)
        return rec->kind != TRACE_KFAULT || !filter->kept || position > filter->want.to;
    return filter->phase && rec->kind == TRACE_MARK &&
           (event->a == TRACE_MARK_END ||
            (event->a == TRACE_MARK_PHASE && strcmp(text, filter->phase) != 0));
}

static bool reserve(struct filter *filter, size_t count)
{
    struct trace_rec *rec;

    if (count <= filter->rec_room)
        return true;
    rec = realloc(filter->rec, count * sizeof(*rec));
    if (!rec)
        return false;
    filter->rec = rec;
    filter->rec_room = count;
    return true;
}

/* Passes on what is wanted of a block; returns how many, or -1 without memory. */
static long pass(struct filter *filter, const struct trace_block *in)
{
    size_t count = 0;

    if (!reserve(filter, in->count + 1))
        return -1;
    for (size_t i = 0; i < in->count && !filter->over; i++) {
        const struct trace_rec *rec = &in->rec[i];
        const struct trace_event none = {0};
        bool event = rec->kind != TRACE_ACCESS;
        const struct trace_event *arguments = event ? &in->events[rec->site] : &none;
        const char *text = rec->kind == TRACE_MARK ? in->text + arguments->b : "";

        if (!filter->open && opens(filter, rec, arguments, text, in->first + i)) {
            filter->open = true;
            if (!trace_state_opening(&filter->state, &filter->opening))
                return -1;
        }
        if (!filter->open) {
            if (event && !trace_state_apply(&filter->state, rec, arguments, text))
                return -1;
            if (is_guest_state(rec->kind))
                filter->rec[count++] = *rec;
            continue;
        }
        if (closes(filter, rec, arguments, text, in->first + i))
            filter->over = true;
        else if (wanted(filter, rec))
            filter->rec[count++] = *rec;
    }
    return (long)count;
}

/* The opening goes out as a block of its own, without the kinds that are not wanted. */
static bool take_opening(struct filter *filter, struct trace_block *block,
                         const struct trace_block *in)
{
    struct trace_opening *opening = &filter->opening;
    size_t kept = 0;

    for (size_t i = 0; i < opening->count; i++) {
        if (filter->want.kinds == 0 || (filter->want.kinds >> opening->rec[i].kind & 1))
            opening->rec[kept++] = opening->rec[i];
    }
    *block = (struct trace_block){
        .first = filter->position,
        .rec = opening->rec,
        .count = kept,
        .events = opening->events,
        .event_count = opening->count,
        .text = opening->text,
        .text_size = opening->text_size,
        .sites = in->sites,
        .site_count = in->site_count,
    };
    filter->position += kept;
    opening->count = 0;
    return kept != 0;
}

static int filter_next(struct trace_source *source, struct trace_block *block,
                       struct trace_error *error)
{
    struct filter *filter = (struct filter *)source;

    for (;;) {
        struct trace_block in = filter->pending;
        long count = filter->pending_count;
        int status;

        filter->pending_count = 0;
        if (count == 0) {
            if (filter->over)
                return 0;
            status = filter->from->next(filter->from, &in, error);
            if (status != 1)
                return status;
            count = pass(filter, &in);
            if (count < 0)
                return trace_fail(error, "out of memory at position %llu",
                                  (unsigned long long)in.first);
            if (filter->opening.count && take_opening(filter, block, &in)) {
                filter->pending = in;
                filter->pending_count = count;
                return 1;
            }
        }
        if (count == 0)
            continue;
        *block = in;
        block->first = filter->position;
        block->rec = filter->rec;
        block->count = (size_t)count;
        filter->position += (uint64_t)count;
        return 1;
    }
}

/* One more line of provenance. */
static bool describe(struct filter *filter)
{
    const struct trace_filter *want = &filter->want;
    char line[512];
    size_t size = strlen(filter->header.provenance);
    unsigned long long cycle = want->sample_keep + want->sample_skip;
    char *text;

    snprintf(line, sizeof(line),
             "filtered: from %llu, to %llu, phase %.100s, kinds 0x%llx, cpu %d, sample %llu of "
             "%llu\n",
             (unsigned long long)want->from, (unsigned long long)want->to,
             filter->phase ? filter->phase : "any", (unsigned long long)want->kinds, want->cpu,
             (unsigned long long)want->sample_keep, cycle);
    text = realloc(filter->header.provenance, size + strlen(line) + 1);
    if (!text)
        return false;
    memcpy(text + size, line, strlen(line) + 1);
    filter->header.provenance = text;
    return true;
}

struct trace_source *trace_filter_open(struct trace_source *from, const struct trace_filter *want,
                                       struct trace_error *error)
{
    struct filter *filter = calloc(1, sizeof(*filter));

    if (!filter)
        goto fail;
    filter->source = (struct trace_source){filter_header, filter_next, filter_close};
    filter->from = from;
    filter->want = *want;
    if (trace_header_copy(&filter->header, from->header(from)) < 0)
        goto fail;
    if (want->phase) {
        filter->phase = calloc(strlen(want->phase) + 1, 1);
        if (!filter->phase)
            goto fail;
        memcpy(filter->phase, want->phase, strlen(want->phase));
        filter->want.phase = filter->phase;
    }
    filter->state = trace_state_of(&filter->header);
    if (describe(filter))
        return &filter->source;
fail:
    trace_fail(error, "out of memory");
    if (filter)
        filter_close(&filter->source);
    else
        from->close(from);
    return NULL;
}

/* ---- copying ---- */

struct copier {
    struct trace_writer *writer;
    uint32_t *site; /* writer's index + 1, by the source's index */
    size_t room;
};

static bool reserve_sites(struct copier *copier, size_t count)
{
    size_t room = copier->room;
    uint32_t *site;

    if (count <= copier->room)
        return true;
    while (room < count)
        room *= 2;
    site = realloc(copier->site, room * sizeof(*site));
    if (!site)
        return false;
    memset(site + copier->room, 0, (room - copier->room) * sizeof(*site));
    copier->site = site;
    copier->room = room;
    return true;
}

static int copy_record(struct copier *copier, const struct trace_block *block,
                       const struct trace_rec *rec, struct trace_error *error)
{
    const struct trace_event *event;

    if (rec->kind == TRACE_ACCESS) {
        uint32_t *site = &copier->site[rec->site];

        if (*site == 0)
            *site = trace_write_site(copier->writer, &block->sites[rec->site]) + 1;
        return trace_write_access(copier->writer, rec->cpu, *site - 1, rec->addr, error);
    }
    event = &block->events[rec->site];
    return trace_write_event(copier->writer, (enum trace_kind)rec->kind, rec->cpu, rec->addr, event,
                             rec->kind == TRACE_MARK ? block->text + event->b : NULL, error);
}

int trace_copy(struct trace_source *source, struct trace_writer *writer, struct trace_error *error)
{
    struct copier copier = {.writer = writer, .room = 4096};
    struct trace_block block;
    int status;

    copier.site = calloc(copier.room, sizeof(*copier.site));
    if (!copier.site)
        return trace_fail(error, "out of memory");
    while ((status = source->next(source, &block, error)) == 1) {
        if (!reserve_sites(&copier, block.site_count))
            status = trace_fail(error, "out of memory at position %llu",
                                (unsigned long long)block.first);
        for (size_t i = 0; status == 1 && i < block.count; i++) {
            if (copy_record(&copier, &block, &block.rec[i], error) < 0)
                status = -1;
        }
        if (status < 0)
            break;
    }
    free(copier.site);
    return status;
}
