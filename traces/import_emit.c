/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From moments and accesses to records: what each event of a recording becomes, who has which page,
 * and when pages change hands. docs/RECORDING.md says where the choices lie.
 */
#include "traces/import.h"

int importer_put(struct importer *importer, enum trace_kind kind, uint64_t addr,
                 const struct trace_event *event, const char *text, struct trace_error *error)
{
    struct trace_event stamped = *event;

    stamped.clock = importer->clock;
    if (kind == TRACE_DONATE)
        importer->stats->donations++;
    if (kind == TRACE_RECLAIM)
        importer->stats->reclaims++;
    if (kind == TRACE_KFAULT)
        importer->stats->faults++;
    importer->stats->events++;
    return trace_write_event(importer->writer, kind, importer->cpu, addr, &stamped, text, error);
}

/* ---- pages that change hands ---- */

int importer_donate(struct importer *importer, uint64_t frame, uint64_t pages, uint32_t owner,
                    uint8_t flags, uint32_t task, struct trace_error *error)
{
    unsigned int shift = importer->plan.header.page_shift;

    for (uint64_t i = 0; i < pages; i++) {
        unsigned long long at = frame + i;

        if (at >= importer->plan.frames)
            return trace_fail(error, "%s: frame 0x%llx is outside the RAM of facts.txt",
                              importer->from, at);
        if (importer->owned[at].owner)
            return trace_fail(error,
                              "%s: position %llu: frame 0x%llx is donated again before it is "
                              "reclaimed",
                              importer->from,
                              (unsigned long long)trace_writer_position(importer->writer), at);
        importer->owned[at] = (struct import_owned){owner, flags};
    }
    return importer_put(importer, TRACE_DONATE, frame << shift,
                        &(struct trace_event){.a = pages, .b = flags, .task = task, .owner = owner},
                        NULL, error);
}

/* Takes back each page of the range that is donated, in runs of one owner. */
static int reclaim(struct importer *importer, uint64_t frame, uint64_t pages, uint32_t task,
                   struct trace_error *error)
{
    struct import_owned *owned = &importer->owned[frame];
    uint64_t i = 0;

    if (pages > importer->plan.frames - frame)
        pages = importer->plan.frames - frame;
    while (i < pages) {
        struct import_owned was = owned[i];
        uint64_t run = 0;

        while (i + run < pages && owned[i + run].owner == was.owner &&
               owned[i + run].flags == was.flags)
            owned[i + run++] = (struct import_owned){0};
        if (was.owner &&
            importer_put(
                importer, TRACE_RECLAIM, (frame + i) << importer->plan.header.page_shift,
                &(struct trace_event){.a = run, .b = was.flags, .task = task, .owner = was.owner},
                NULL, error) < 0)
            return -1;
        i += run;
    }
    return 0;
}

/*
 * A page for an ordinary guest is donated when the kernel has set it up: when a store has reached
 * its last byte (a pipe page is filled from its start), when it has been cleared after its
 * allocation, or at the latest when its task takes the next such page.
 */
static int end_setup(struct importer *importer, size_t at, struct trace_error *error)
{
    struct import_setup done = importer->setup[at];

    importer->setup[at] = importer->setup[--importer->setup_count];
    return importer_donate(importer, done.frame, 1, TRACE_OWNER_GUEST, 0, done.task, error);
}

static int setup_by_task(struct importer *importer, uint32_t task, struct trace_error *error)
{
    for (size_t i = importer->setup_count; i > 0; i--) {
        if (importer->setup[i - 1].task == task && end_setup(importer, i - 1, error) < 0)
            return -1;
    }
    return 0;
}

static int setup_by_clear(struct importer *importer, uint64_t pa, struct trace_error *error)
{
    for (size_t i = importer->setup_count; i > 0; i--) {
        if (importer->setup[i - 1].frame == pa >> importer->plan.header.page_shift &&
            end_setup(importer, i - 1, error) < 0)
            return -1;
    }
    return 0;
}

static int setup_by_store(struct importer *importer, const struct trace_site *site, uint64_t va,
                          struct trace_error *error)
{
    const struct trace_header *header = &importer->plan.header;
    uint64_t last = va + (1ull << site->size_log2) - header->linear_start + header->linear_pa;

    if (!site->store || va < header->linear_start || va >= header->linear_end)
        return 0;
    for (size_t i = importer->setup_count; i > 0; i--) {
        if (last == (importer->setup[i - 1].frame + 1) << header->page_shift &&
            end_setup(importer, i - 1, error) < 0)
            return -1;
    }
    return 0;
}

static int begin_setup(struct importer *importer, const struct rec_line *line,
                       struct trace_error *error)
{
    if (importer->setup_count == IMPORT_SETUP_MAX && end_setup(importer, 0, error) < 0)
        return -1;
    importer->setup[importer->setup_count++] = (struct import_setup){line->value, line->task};
    return 0;
}

static void forget_setup(struct importer *importer, uint64_t frame, uint64_t pages)
{
    for (size_t i = importer->setup_count; i > 0; i--) {
        if (importer->setup[i - 1].frame >= frame && importer->setup[i - 1].frame < frame + pages)
            importer->setup[i - 1] = importer->setup[--importer->setup_count];
    }
}

/* ---- accesses ---- */

/* Remembers the last address of each zeropad load that completed. */
static int note_pad(struct importer *importer, uint64_t pc, uint64_t va, struct trace_error *error)
{
    struct import_pad *pad = importer->pad;
    size_t i = 0;

    while (i < importer->pad_count && pad[i].pc != pc)
        i++;
    if (i == importer->pad_count) {
        pad = realloc(pad, (i + 1) * sizeof(*pad));
        if (!pad)
            return trace_fail(error, "%s: out of memory", importer->from);
        importer->pad = pad;
        importer->pad_count++;
        pad[i].pc = pc;
    }
    pad[i].last = va;
    return 0;
}

static int put_access(struct importer *importer, const struct trace_site *site, uint32_t index,
                      uint64_t va, struct trace_error *error)
{
    importer->stats->accesses++;
    if (site->zeropad)
        importer->last_pad[importer->cpu] = va;
    return trace_write_access(importer->writer, importer->cpu, index, va, error);
}

int importer_access(struct importer *importer, const struct trace_site *site, uint32_t index,
                    uint64_t va, struct trace_error *error)
{
    if (put_access(importer, site, index, va, error) < 0)
        return -1;
    if (site->zeropad && note_pad(importer, site->pc, va, error) < 0)
        return -1;
    return importer->setup_count ? setup_by_store(importer, site, va, error) : 0;
}

static bool reaches(uint64_t va, uint64_t far)
{
    return va < far && far - va <= 7;
}

int importer_attempt(struct importer *importer, uint64_t pc, uint64_t far,
                     struct trace_error *error)
{
    const struct trace_site site = {.pc = pc, .size_log2 = 3, .zeropad = true};
    uint32_t index = trace_write_site(importer->writer, &site);
    uint64_t va = far - 1;

    if (reaches(importer->last_pad[importer->cpu] + 8, far))
        va = importer->last_pad[importer->cpu] + 8;
    for (size_t i = 0; i < importer->pad_count; i++) {
        if (importer->pad[i].pc == pc && reaches(importer->pad[i].last + 8, far))
            va = importer->pad[i].last + 8;
    }
    return put_access(importer, &site, index, va, error);
}

/* ---- events ---- */

static int put_fault(struct importer *importer, const struct import_moment *moment,
                     const struct rec_line *line, struct trace_error *error)
{
    bool repaired = moment->mate != IMPORT_NO_LINE;
    struct trace_event event = {
        .a = line->pc,
        .b = line->aux,
        .c = repaired ? TRACE_OUTCOME_REPAIRED : TRACE_OUTCOME_OTHER,
        .task = line->task,
    };

    if (repaired)
        event.a = importer->plan.text.line[moment->mate].pc;
    if (repaired && rec_is_zeropad(&importer->plan.header, event.a) &&
        importer_attempt(importer, event.a, line->value, error) < 0)
        return -1;
    return importer_put(importer, TRACE_KFAULT, line->value, &event, NULL, error);
}

static int put_marker(struct importer *importer, const struct rec_line *line,
                      struct trace_error *error)
{
    struct trace_event event = {.a = TRACE_MARK_USER, .task = line->task};
    const char *text = line->text ? line->text : "";
    char *name;

    if (strcmp(text, "zp sync") == 0)
        event.a = TRACE_MARK_START;
    if (strcmp(text, "zp end") == 0)
        event.a = TRACE_MARK_END;
    if (strncmp(text, "zp phase ", 9) == 0) {
        event.a = TRACE_MARK_PHASE;
        event.c = strtoull(text + 9, &name, 10);
        text = *name == ' ' ? name + 1 : name;
    }
    return importer_put(importer, TRACE_MARK, 0, &event, text, error);
}

static int put_free(struct importer *importer, const struct import_moment *moment,
                    const struct rec_line *line, struct trace_error *error)
{
    struct trace_event event = {.a = line->order, .b = moment->batched, .task = line->task};

    if (moment->merged)
        return 0;
    if (line->event == REC_FREE_BATCHED)
        event.b = 1;
    forget_setup(importer, line->value, 1ull << line->order);
    if (reclaim(importer, line->value, 1ull << line->order, line->task, error) < 0)
        return -1;
    return importer_put(importer, TRACE_FREE, line->value << importer->plan.header.page_shift,
                        &event, NULL, error);
}

static int put_alloc(struct importer *importer, const struct rec_line *line,
                     struct trace_error *error)
{
    struct trace_event event = {
        .a = line->order, .b = line->class, .c = line->migratetype, .task = line->task};

    if (importer_put(importer, TRACE_ALLOC, line->value << importer->plan.header.page_shift, &event,
                     NULL, error) < 0)
        return -1;
    return line->ordinary ? begin_setup(importer, line, error) : 0;
}

/* set_direct_map_invalid_noflush() and set_direct_map_default_noflush(). */
static int put_direct_map(struct importer *importer, const struct rec_line *line,
                          struct trace_error *error)
{
    uint64_t frame = (line->value - importer->plan.page_origin) / 64;

    if (line->event == REC_DONATE)
        return importer_donate(importer, frame, 1, TRACE_OWNER_GUEST, TRACE_DONATE_UNMAPPED,
                               line->task, error);
    return reclaim(importer, frame, 1, line->task, error);
}

/* Faults, TLB flushes and the kernel's own allocations come in the middle of a set-up, too. */
static bool ends_setup(const struct rec_line *line)
{
    return (line->event == REC_ALLOC && line->ordinary) || line->event == REC_FREE ||
           line->event == REC_FREE_BATCHED || line->event == REC_MARKER;
}

/* Samples tell no size: one byte. Others than of the direct map cannot be replayed, as nothing
 * tells their translation. */
static int put_sample(struct importer *importer, const struct rec_line *line,
                      struct trace_error *error)
{
    const struct trace_header *header = &importer->plan.header;
    const struct trace_site site = {.pc = line->pc, .store = line->aux != 0};

    if (line->value < header->linear_start || line->value >= header->linear_end)
        return 0;
    return importer_access(importer, &site, trace_write_site(importer->writer, &site), line->value,
                           error);
}

static int put_line(struct importer *importer, const struct import_moment *moment,
                    struct trace_error *error)
{
    const struct rec_line *line = &importer->plan.text.line[moment->line];

    if (importer->setup_count && ends_setup(line) && setup_by_task(importer, line->task, error) < 0)
        return -1;
    switch ((enum rec_event)line->event) {
    case REC_ALLOC:
        return put_alloc(importer, line, error);
    case REC_FREE:
    case REC_FREE_BATCHED:
        return put_free(importer, moment, line, error);
    case REC_DONATE:
    case REC_RECLAIM:
        return put_direct_map(importer, line, error);
    case REC_FAULT:
    case REC_PAGE_FAULT:
        return put_fault(importer, moment, line, error);
    case REC_FLUSH:
        return importer_put(importer, TRACE_FLUSH, line->value,
                            &(struct trace_event){.a = line->aux, .task = line->task}, NULL, error);
    case REC_MARKER:
        return put_marker(importer, line, error);
    case REC_SAMPLE:
        return put_sample(importer, line, error);
    case REC_NONE:
    case REC_FIXUP:
    case REC_TLB_FLUSH:
    case REC_CLEAR:
    case REC_GIVE_SIZE:
    case REC_GIVE_AT:
    case REC_UNKNOWN:
        break;
    }
    return 0;
}

/* A VM's pages go to the hypervisor or come back. */
static int put_vm_step(struct importer *importer, const struct import_vm *vm,
                       enum import_vm_step step, struct trace_error *error)
{
    int part = step == IMPORT_VM_VCPU ? 2 : 0;
    int last = step == IMPORT_VM_CREATE ? 1 : 2;

    for (; part <= last; part++) {
        uint64_t frame = vm->part[part].pa >> importer->plan.header.page_shift;
        uint64_t pages = vm->part[part].pages;
        int status = 0;

        if (pages && step == IMPORT_VM_TEARDOWN)
            status = reclaim(importer, frame, pages, 0, error);
        else if (pages)
            status = importer_donate(importer, frame, pages, TRACE_OWNER_HYP, 0, 0, error);
        if (status < 0)
            return -1;
    }
    return 0;
}

static int put_hypercall(struct importer *importer, const struct import_moment *moment,
                         struct trace_error *error)
{
    if (moment->a && importer_put(importer, TRACE_HYPERCALL, moment->a, &(struct trace_event){0},
                                  NULL, error) < 0)
        return -1;
    if (moment->mate == IMPORT_NO_LINE)
        return 0;
    return put_vm_step(importer, &importer->plan.vm[moment->mate / 4],
                       (enum import_vm_step)(moment->mate % 4), error);
}

int importer_moment(struct importer *importer, const struct import_moment *moment,
                    struct trace_error *error)
{
    if (moment->op == ZPREC_TLBI)
        return importer_put(importer, TRACE_TLBI, 0, &(struct trace_event){.a = moment->a}, NULL,
                            error);
    if (moment->op == ZPREC_HYPERCALL)
        return put_hypercall(importer, moment, error);
    if (moment->event != REC_CLEAR)
        return moment->line == IMPORT_NO_LINE ? 0 : put_line(importer, moment, error);
    if (importer_put(importer, TRACE_CLEAR, moment->a, &(struct trace_event){.a = 1}, NULL, error) <
        0)
        return -1;
    return importer->setup_count ? setup_by_clear(importer, moment->a, error) : 0;
}

/* ---- life ---- */

/* How the file was made and what its clock is. */
static int describe(struct importer *importer, const char *clock, struct trace_error *error)
{
    struct trace_header *header = &importer->plan.header;
    const char *slash = strrchr(importer->from, '/');
    char text[256];

    snprintf(text, sizeof(text), "imported from %s%.200s\n",
             importer->recording ? "the recording " : "",
             slash && slash[1] ? slash + 1 : importer->from);
    free(header->provenance);
    free(header->clock);
    header->provenance = calloc(strlen(text) + 1, 1);
    header->clock = calloc(strlen(clock) + 1, 1);
    if (!header->provenance || !header->clock)
        return trace_fail(error, "%s: out of memory", importer->from);
    memcpy(header->provenance, text, strlen(text));
    memcpy(header->clock, clock, strlen(clock));
    return 0;
}

int importer_open(struct importer *importer, const char *clock, const char *out, int level,
                  struct trace_error *error)
{
    importer->owned = calloc(importer->plan.frames, sizeof(*importer->owned));
    if (!importer->owned)
        return trace_fail(error, "%s: out of memory", importer->from);
    if (describe(importer, clock, error) < 0)
        return -1;
    importer->writer = trace_create(out, &importer->plan.header, level, error);
    return importer->writer ? 0 : -1;
}

int importer_close(struct importer *importer, int status, struct trace_error *error)
{
    if (importer->writer && status == 0)
        status = trace_finish(importer->writer, error);
    else
        trace_abandon(importer->writer);
    import_plan_free(&importer->plan);
    free(importer->owned);
    free(importer->pad);
    return status;
}
