/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second pass over a recording: everything in order, as records of the native format.
 */
#include "traces/import.h"

struct recording {
    struct importer importer;
    struct zprec stream;
    uint32_t *site; /* writer's index of the stream's sites */
    size_t site_room;
    size_t moment;
};

static int map_site(struct recording *recording, uint32_t site, struct trace_error *error)
{
    if (site >= recording->site_room) {
        size_t room = recording->site_room ? 2 * recording->site_room : 4096;
        uint32_t *map = realloc(recording->site, room * sizeof(*map));

        if (!map)
            return trace_fail(error, "%s: out of memory", recording->importer.from);
        recording->site = map;
        recording->site_room = room;
    }
    recording->site[site] =
        trace_write_site(recording->importer.writer, &recording->stream.sites[site].site);
    return 0;
}

static int put_record(struct recording *recording, const struct zprec_record *record,
                      struct trace_error *error)
{
    struct importer *importer = &recording->importer;
    unsigned int shift = importer->plan.header.page_shift;

    importer->cpu = recording->stream.cpu;
    importer->clock = recording->stream.clock;
    switch (record->op) {
    case ZPREC_ACCESS:
        return importer_access(importer, &recording->stream.sites[record->site].site,
                               recording->site[record->site], record->va, error);
    case ZPREC_SITE:
        return map_site(recording, record->site, error);
    case ZPREC_PAGE:
        return importer_put(
            importer, TRACE_PAGE, record->a << shift,
            &(struct trace_event){.a = (record->b >> 1) << shift, .b = record->b & 1}, NULL, error);
    case ZPREC_EVENT:
    case ZPREC_TLBI:
    case ZPREC_HYPERCALL:
        return importer_moment(importer, &importer->plan.moment[recording->moment++], error);
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
    char *path = trace_path_join(importer->from, "kpageflags-start.bin.xz");
    struct trace_input *input = path ? trace_input_open(path, error) : NULL;
    uint64_t frame = 0, start = 0, flags = 0;
    unsigned int shift = importer->plan.header.page_shift;
    int status = input ? 0 : -1;

    if (!path)
        return trace_fail(error, "%s: out of memory", importer->from);
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
            status =
                importer_put(importer, TRACE_PAGE_FLAGS, start << shift,
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
    char *path = trace_path_join(importer->from, "donated-start.txt"), *line;
    struct trace_input *input = path ? trace_input_open(path, error) : NULL;
    int status = input ? 0 : -1;

    if (!path)
        return trace_fail(error, "%s: out of memory", importer->from);
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
        status = importer_donate(importer, frame, 1, TRACE_OWNER_GUEST | (uint32_t)guest << 8,
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
                importer_donate(importer, frame, vm->part[part].pages, TRACE_OWNER_HYP,
                                TRACE_DONATE_INITIAL, 0, error) < 0)
                return -1;
        }
    }
    return 0;
}

static int put_all(struct recording *recording, struct trace_error *error)
{
    struct importer *importer = &recording->importer;
    struct zprec_record record;
    int status;

    if (put_page_flags(importer, error) < 0 || put_donated(importer, error) < 0 ||
        put_initial_vms(importer, error) < 0)
        return -1;
    while ((status = zprec_next(&recording->stream, &record, error)) == 1) {
        if (put_record(recording, &record, error) < 0)
            return -1;
    }
    return status;
}

int trace_import_recording(const char *dir, const char *out, int level,
                           struct trace_import_stats *stats, struct trace_error *error)
{
    struct recording recording = {.importer = {.from = dir, .recording = true, .stats = stats}};
    struct importer *importer = &recording.importer;
    char *path = trace_path_join(dir, "access.zprec.zst");
    int status = -1;

    *stats = (struct trace_import_stats){0};
    if (!path)
        return trace_fail(error, "%s: out of memory", dir);
    if (import_plan_make(&importer->plan, dir, error) == 0 &&
        zprec_open(&recording.stream, path, error) == 0) {
        stats->moved = importer->plan.moved;
        status = importer_open(importer, "instructions executed since recording began", out, level,
                               error);
        if (status == 0)
            status = put_all(&recording, error);
        zprec_close(&recording.stream);
    }
    status = importer_close(importer, status, error);
    free(recording.site);
    free(path);
    return status;
}
