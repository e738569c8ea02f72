/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second pass over a recording: everything in order, as records of the native format.
 * docs/RECORDING.md says what each record is made from and where the choices lie.
 */
#include "traces/import.h"

/* Ordinary pages that are being set up by the kernel; one for each task that gives pages. */
#define SETUP_MAX 64u

struct owned {
    uint32_t owner; /* as in struct trace_event; 0 the host */
    uint8_t flags;  /* TRACE_DONATE_* */
};

struct setup {
    uint64_t frame;
    uint32_t task;
};

struct importer {
    struct import_plan plan;
    const char *dir;
    struct zprec stream;
    struct trace_writer *writer;
    struct trace_import_stats *stats;
    uint32_t *site; /* writer's index of the stream's sites */
    size_t site_room;
    struct owned *owned; /* by frame */
    struct setup setup[SETUP_MAX];
    size_t setup_count;
    uint64_t last_zeropad[IMPORT_CPUS]; /* address of the CPU's last zeropad load */
    size_t moment;
};

static int put(struct importer *importer, enum trace_kind kind, uint64_t addr,
               const struct trace_event *event, const char *text, struct trace_error *error)
{
    struct trace_event stamped = *event;

    stamped.clock = importer->stream.clock;
    if (kind == TRACE_DONATE)
        importer->stats->donations++;
    if (kind == TRACE_RECLAIM)
        importer->stats->reclaims++;
    if (kind == TRACE_KFAULT)
        importer->stats->faults++;
    importer->stats->events++;
    return trace_write_event(importer->writer, kind, importer->stream.cpu, addr, &stamped, text,
                             error);
}

/* ---- pages that change hands ---- */

static int donate(struct importer *importer, uint64_t frame, uint64_t pages, uint32_t owner,
                  uint8_t flags, uint32_t task, struct trace_error *error)
{
    unsigned int shift = importer->plan.header.page_shift;

    for (uint64_t i = 0; i < pages; i++) {
        if (frame + i >= importer->plan.frames)
            return trace_fail(error, "%s: frame 0x%llx is outside the RAM of facts.txt",
                              importer->dir, (unsigned long long)(frame + i));
        if (importer->owned[frame + i].owner)
            return trace_fail(error,
                              "%s: position %llu: frame 0x%llx is donated again before it is "
                              "reclaimed",
                              importer->dir,
                              (unsigned long long)trace_writer_position(importer->writer),
                              (unsigned long long)(frame + i));
        importer->owned[frame + i] = (struct owned){owner, flags};
    }
    return put(importer, TRACE_DONATE, frame << shift,
               &(struct trace_event){.a = pages, .b = flags, .task = task, .owner = owner}, NULL,
               error);
}

/* Takes back each page of the range that is donated, in runs of one owner. */
static int reclaim(struct importer *importer, uint64_t frame, uint64_t pages, uint32_t task,
                   struct trace_error *error)
{
    struct owned *owned = &importer->owned[frame];
    uint64_t i = 0;

    if (pages > importer->plan.frames - frame)
        pages = importer->plan.frames - frame;
    while (i < pages) {
        struct owned was = owned[i];
        uint64_t run = 0;

        while (i + run < pages && owned[i + run].owner == was.owner &&
               owned[i + run].flags == was.flags)
            owned[i + run++] = (struct owned){0};
        if (was.owner &&
            put(importer, TRACE_RECLAIM, (frame + i) << importer->plan.header.page_shift,
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
 * allocation, or at the latest when its task's next event comes.
 */
static int end_setup(struct importer *importer, size_t at, struct trace_error *error)
{
    struct setup done = importer->setup[at];

    importer->setup[at] = importer->setup[--importer->setup_count];
    return donate(importer, done.frame, 1, TRACE_OWNER_GUEST, 0, done.task, error);
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
    if (importer->setup_count == SETUP_MAX && end_setup(importer, 0, error) < 0)
        return -1;
    importer->setup[importer->setup_count++] = (struct setup){line->value, line->task};
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

static int put_access(struct importer *importer, const struct trace_site *site, uint32_t index,
                      uint64_t va, struct trace_error *error)
{
    unsigned int cpu = importer->stream.cpu;

    if (site->zeropad)
        importer->last_zeropad[cpu] = va;
    importer->stats->accesses++;
    if (trace_write_access(importer->writer, cpu, index, va, error) < 0)
        return -1;
    return importer->setup_count ? setup_by_store(importer, site, va, error) : 0;
}

static int map_site(struct importer *importer, uint32_t site, struct trace_error *error)
{
    if (site >= importer->site_room) {
        size_t room = importer->site_room ? 2 * importer->site_room : 4096;
        uint32_t *map = realloc(importer->site, room * sizeof(*map));

        if (!map)
            return trace_fail(error, "%s: out of memory", importer->dir);
        importer->site = map;
        importer->site_room = room;
    }
    importer->site[site] = trace_write_site(importer->writer, &importer->stream.sites[site].site);
    return 0;
}

static bool reaches(uint64_t va, uint64_t far)
{
    return va < far && far - va <= 7;
}

/*
 * The load that faulted. Its address is not recorded, only the page it reached into (far): seven
 * addresses behave alike. Taken is the one after the site's or the CPU's last such load, because
 * strings are read word by word, else the byte before the page.
 */
static int put_attempt(struct importer *importer, uint64_t pc, uint64_t far,
                       struct trace_error *error)
{
    const struct trace_site site = {.pc = pc, .size_log2 = 3, .zeropad = true};
    uint32_t index = trace_write_site(importer->writer, &site);
    uint64_t va = far - 1, next = importer->last_zeropad[importer->stream.cpu] + 8;

    if (reaches(next, far))
        va = next;
    for (size_t i = 0; i < importer->stream.site_count; i++) {
        const struct zprec_site *known = &importer->stream.sites[i];

        if (known->site.pc == pc && known->site.zeropad && reaches(known->last + 8, far))
            va = known->last + 8;
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
        put_attempt(importer, event.a, line->value, error) < 0)
        return -1;
    return put(importer, TRACE_KFAULT, line->value, &event, NULL, error);
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
    return put(importer, TRACE_MARK, 0, &event, text, error);
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
    return put(importer, TRACE_FREE, line->value << importer->plan.header.page_shift, &event, NULL,
               error);
}

static int put_alloc(struct importer *importer, const struct rec_line *line,
                     struct trace_error *error)
{
    struct trace_event event = {
        .a = line->order, .b = line->class, .c = line->migratetype, .task = line->task};

    if (put(importer, TRACE_ALLOC, line->value << importer->plan.header.page_shift, &event, NULL,
            error) < 0)
        return -1;
    return line->ordinary ? begin_setup(importer, line, error) : 0;
}

/* set_direct_map_invalid_noflush() and set_direct_map_default_noflush(). */
static int put_direct_map(struct importer *importer, const struct rec_line *line,
                          struct trace_error *error)
{
    uint64_t frame = (line->value - importer->plan.page_origin) / 64;

    if (line->event == REC_DONATE)
        return donate(importer, frame, 1, TRACE_OWNER_GUEST, TRACE_DONATE_UNMAPPED, line->task,
                      error);
    return reclaim(importer, frame, 1, line->task, error);
}

static int put_line(struct importer *importer, const struct import_moment *moment,
                    struct trace_error *error)
{
    const struct rec_line *line = &importer->plan.text.line[moment->line];

    if (importer->setup_count && setup_by_task(importer, line->task, error) < 0)
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
        return put(importer, TRACE_FLUSH, line->value,
                   &(struct trace_event){.a = line->aux, .task = line->task}, NULL, error);
    case REC_MARKER:
        return put_marker(importer, line, error);
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
            status = donate(importer, frame, pages, TRACE_OWNER_HYP, 0, 0, error);
        if (status < 0)
            return -1;
    }
    return 0;
}

static int put_hypercall(struct importer *importer, const struct import_moment *moment,
                         struct trace_error *error)
{
    if (put(importer, TRACE_HYPERCALL, moment->a, &(struct trace_event){0}, NULL, error) < 0)
        return -1;
    if (moment->mate == IMPORT_NO_LINE)
        return 0;
    return put_vm_step(importer, &importer->plan.vm[moment->mate / 4],
                       (enum import_vm_step)(moment->mate % 4), error);
}

static int put_moment(struct importer *importer, struct trace_error *error)
{
    const struct import_moment *moment = &importer->plan.moment[importer->moment++];

    if (moment->op == ZPREC_TLBI)
        return put(importer, TRACE_TLBI, 0, &(struct trace_event){.a = moment->a}, NULL, error);
    if (moment->op == ZPREC_HYPERCALL)
        return put_hypercall(importer, moment, error);
    if (moment->event != REC_CLEAR)
        return moment->line == IMPORT_NO_LINE ? 0 : put_line(importer, moment, error);
    if (put(importer, TRACE_CLEAR, moment->a, &(struct trace_event){.a = 1}, NULL, error) < 0)
        return -1;
    return importer->setup_count ? setup_by_clear(importer, moment->a, error) : 0;
}

static int put_record(struct importer *importer, const struct zprec_record *record,
                      struct trace_error *error)
{
    unsigned int shift = importer->plan.header.page_shift;

    switch (record->op) {
    case ZPREC_ACCESS:
        return put_access(importer, &importer->stream.sites[record->site].site,
                          importer->site[record->site], record->va, error);
    case ZPREC_SITE:
        return map_site(importer, record->site, error);
    case ZPREC_PAGE:
        return put(importer, TRACE_PAGE, record->a << shift,
                   &(struct trace_event){.a = (record->b >> 1) << shift, .b = record->b & 1}, NULL,
                   error);
    case ZPREC_EVENT:
    case ZPREC_TLBI:
    case ZPREC_HYPERCALL:
        return put_moment(importer, error);
    case ZPREC_END:
    case ZPREC_CPU:
    case ZPREC_MARK:
    case ZPREC_REPAIRED:
    case ZPREC_GAP:
        break;
    }
    return 0;
}

/* ---- the state at the start ---- */

/* kpageflags as runs of equal words. */
static int put_page_flags(struct importer *importer, struct trace_error *error)
{
    char *path = trace_path_join(importer->dir, "kpageflags-start.bin.xz");
    struct trace_input *input = path ? trace_input_open(path, error) : NULL;
    uint64_t frame = 0, start = 0, flags = 0;
    unsigned int shift = importer->plan.header.page_shift;
    int status = input ? 0 : -1;

    if (!path)
        return trace_fail(error, "%s: out of memory", importer->dir);
    while (status == 0 && (status = trace_input_need(input, 8, error)) == 0) {
        struct trace_cursor in =
            trace_cursor_of(input->buffer + input->start, trace_input_left(input));
        bool end = trace_left(&in) == 0;
        uint64_t word = trace_get_fixed(&in, 8);

        if (!end && in.failed) {
            status = trace_fail(error, "%s: byte %llu: expected words of eight bytes", path,
                                (unsigned long long)input->offset);
            break;
        }
        if (frame > start && (end || word != flags)) {
            status = put(importer, TRACE_PAGE_FLAGS, start << shift,
                         &(struct trace_event){.a = frame - start, .b = flags}, NULL, error);
            start = frame;
        }
        if (end)
            break;
        flags = word;
        frame++;
        trace_input_skip(input, 8);
    }
    trace_input_close(input);
    free(path);
    return status;
}

/* donated-start.txt: frame guest N page N. */
static int put_donated(struct importer *importer, struct trace_error *error)
{
    char *path = trace_path_join(importer->dir, "donated-start.txt"), *line;
    struct trace_input *input = path ? trace_input_open(path, error) : NULL;
    int status = input ? 0 : -1;

    if (!path)
        return trace_fail(error, "%s: out of memory", importer->dir);
    while (input && (status = trace_input_line(input, &line, error)) == 1) {
        unsigned long long frame, guest;

        if (sscanf(line, "0x%llx guest %llu", &frame, &guest) != 2 || guest >= 1u << 24 ||
            frame >= importer->plan.frames) {
            status = trace_fail(error,
                                "%s: line %llu: expected a frame of RAM in hexadecimal, guest, "
                                "number, page, number",
                                path, (unsigned long long)input->line);
            break;
        }
        status = donate(importer, frame, 1, TRACE_OWNER_GUEST | (uint32_t)guest << 8,
                        TRACE_DONATE_UNMAPPED | TRACE_DONATE_INITIAL, 0, error);
        if (status < 0)
            break;
    }
    trace_input_close(input);
    free(path);
    return status < 0 ? -1 : 0;
}

static int put_initial_vms(struct importer *importer, struct trace_error *error)
{
    for (size_t i = 0; i < importer->plan.vm_count; i++) {
        const struct import_vm *vm = &importer->plan.vm[i];

        for (int part = 0; vm->initial && part < 3; part++) {
            uint64_t frame = vm->part[part].pa >> importer->plan.header.page_shift;

            if (!vm->part[part].freed &&
                donate(importer, frame, vm->part[part].pages, TRACE_OWNER_HYP, TRACE_DONATE_INITIAL,
                       0, error) < 0)
                return -1;
        }
    }
    return 0;
}

static int put_all(struct importer *importer, struct trace_error *error)
{
    struct zprec_record record;
    int status;

    if (put_page_flags(importer, error) < 0 || put_donated(importer, error) < 0 ||
        put_initial_vms(importer, error) < 0)
        return -1;
    while ((status = zprec_next(&importer->stream, &record, error)) == 1) {
        if (put_record(importer, &record, error) < 0)
            return -1;
    }
    return status;
}

static int describe(struct trace_header *header, const char *dir, struct trace_error *error)
{
    const char *name = strrchr(dir, '/') && strrchr(dir, '/')[1] ? strrchr(dir, '/') + 1 : dir;
    char text[256];
    size_t size;

    snprintf(text, sizeof(text), "imported from the recording %.200s\n", name);
    size = strlen(text) + 1;
    free(header->provenance);
    free(header->clock);
    header->provenance = calloc(size, 1);
    header->clock = calloc(64, 1);
    if (!header->provenance || !header->clock)
        return trace_fail(error, "%s: out of memory", dir);
    memcpy(header->provenance, text, size);
    snprintf(header->clock, 64, "instructions executed since recording began");
    return 0;
}

int trace_import_recording(const char *dir, const char *out, int level,
                           struct trace_import_stats *stats, struct trace_error *error)
{
    struct importer importer = {.dir = dir, .stats = stats};
    char *path = trace_path_join(dir, "access.zprec.zst");
    int status = -1;

    *stats = (struct trace_import_stats){0};
    if (!path) {
        trace_fail(error, "%s: out of memory", dir);
        return -1;
    }
    if (import_plan_make(&importer.plan, dir, error) < 0)
        goto out_path;
    importer.owned = calloc(importer.plan.frames, sizeof(*importer.owned));
    if (!importer.owned) {
        trace_fail(error, "%s: out of memory", dir);
        goto out_plan;
    }
    if (describe(&importer.plan.header, dir, error) < 0 ||
        zprec_open(&importer.stream, path, error) < 0)
        goto out_plan;
    importer.writer = trace_create(out, &importer.plan.header, level, error);
    if (!importer.writer)
        goto out_stream;
    stats->moved = importer.plan.moved;
    status = put_all(&importer, error);
    if (status == 0)
        status = trace_finish(importer.writer, error);
    else
        trace_abandon(importer.writer);
out_stream:
    zprec_close(&importer.stream);
out_plan:
    import_plan_free(&importer.plan);
    free(importer.owned);
    free(importer.site);
out_path:
    free(path);
    return status;
}
