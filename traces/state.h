/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the records so far have left behind: translations, pages that are not the host's, page
 * flags, the phase. A trace that begins in the middle of another one begins with this.
 */
#ifndef TRACES_STATE_H
#define TRACES_STATE_H

#include "traces/bytes.h"
#include "traces/map.h"

struct trace_state {
    unsigned int page_shift;
    uint64_t frames;          /* donations beyond are not believed */
    struct trace_map pages;   /* by virtual page: a pa, b: 1 device, 2 known */
    struct trace_map owned;   /* by frame: a owner of a donation + 1, b its flags */
    struct trace_map shared;  /* by frame: a owner of a share + 1 */
    struct trace_bytes flags; /* PAGE_FLAGS: pa, pages, word; eight bytes each */
    uint64_t donated, peak;   /* pages */
    uint64_t initial;         /* pages donated before the stream began */
    uint64_t refused;         /* pages donated twice or reclaimed without donation */
    char *phase;
    uint64_t phase_number, clock;
};

/* For the machine of this header; all else empty. */
struct trace_state trace_state_of(const struct trace_header *header);
/* Takes an event into account; false without memory. */
bool trace_state_apply(struct trace_state *state, const struct trace_rec *rec,
                       const struct trace_event *event, const char *text);
/* The flags of the donation go to *flags. */
bool trace_state_donated(const struct trace_state *state, uint64_t frame, uint32_t *flags);
void trace_state_free(struct trace_state *state);

/* Records that rebuild the state; freed by trace_opening_free. */
struct trace_opening {
    struct trace_rec *rec;
    struct trace_event *events;
    size_t count, room;
    char *text;
    size_t text_size;
};

bool trace_state_opening(const struct trace_state *state, struct trace_opening *opening);
void trace_opening_free(struct trace_opening *opening);

#endif
