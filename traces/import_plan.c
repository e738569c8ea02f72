/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The events of a recording: stream and text put together.
 *
 * The n-th event of a CPU in the stream, counted from the first write to trace_marker, is the n-th
 * line of that CPU in the text, counted from "zp sync"; page clears have no lines. An interrupt
 * between an event and its line lets the lines of its own events go first, so a line of the
 * wrong kind is looked for among the next few and put back.
 */
#include "traces/import.h"

/* How far a line may come late. The recordings have none; the recorder's own checker uses 16. */
#define LATE_MAX 16u
/* Page clears of one CPU that wait for the allocation they belong to. */
#define CLEARS_MAX 4096u

struct cpu_lines {
    uint32_t *line;
    size_t count, room, at;
};

void import_plan_free(struct import_plan *plan)
{
    trace_header_free(&plan->header);
    rec_free_text(&plan->text);
    free(plan->moment);
    free(plan->vm);
    *plan = (struct import_plan){0};
}

int import_frame(const struct import_plan *plan, const char *path, const struct rec_line *line,
                 uint64_t *frame, struct trace_error *error)
{
    bool is_page = line->event == REC_DONATE || line->event == REC_RECLAIM;

    *frame = is_page ? (line->value - plan->page_origin) / 64 : line->value;
    if (is_page && (plan->page_origin == 0 || (line->value - plan->page_origin) % 64))
        return trace_fail(error,
                          "%s: line %llu: expected the address of a struct page "
                          "(facts.txt: page-origin)",
                          path, (unsigned long long)line->number);
    if (*frame >= plan->frames || !rec_in_ram(&plan->header, *frame << plan->header.page_shift))
        return trace_fail(error,
                          "%s: line %llu: frame 0x%llx is outside the RAM of "
                          "facts.txt",
                          path, (unsigned long long)line->number, (unsigned long long)*frame);
    return 0;
}

/* ---- the lines of each CPU ---- */

static bool sort_lines(const struct rec_text *text, struct cpu_lines *cpus)
{
    for (size_t i = text->sync; i < text->count; i++) {
        const struct rec_line *line = &text->line[i];
        struct cpu_lines *cpu = &cpus[line->cpu];

        if (line->event >= REC_CLEAR)
            continue;
        if (cpu->count == cpu->room) {
            size_t room = cpu->room ? 2 * cpu->room : 1024;
            uint32_t *grown = realloc(cpu->line, room * sizeof(*grown));

            if (!grown)
                return false;
            cpu->line = grown;
            cpu->room = room;
        }
        cpu->line[cpu->count++] = (uint32_t)i;
    }
    return true;
}

/* The line of the CPU's next event, of this kind; IMPORT_NO_LINE when none fits. */
static uint32_t next_line(struct import_plan *plan, struct cpu_lines *cpu, uint64_t event)
{
    const struct rec_line *line = plan->text.line;
    size_t late = 0, left = cpu->count - cpu->at;
    uint32_t found;

    while (late < left && late < LATE_MAX && line[cpu->line[cpu->at + late]].event != event)
        late++;
    if (late >= left || late >= LATE_MAX)
        return IMPORT_NO_LINE;
    found = cpu->line[cpu->at + late];
    if (late) {
        memmove(&cpu->line[cpu->at + 1], &cpu->line[cpu->at], late * sizeof(found));
        plan->moved++;
    }
    cpu->at++;
    return found;
}

struct import_moment *import_plan_add(struct import_plan *plan)
{
    if (plan->count == plan->room) {
        size_t room = plan->room ? 2 * plan->room : 4096;
        struct import_moment *moment = realloc(plan->moment, room * sizeof(*moment));

        if (!moment)
            return NULL;
        plan->moment = moment;
        plan->room = room;
    }
    return &plan->moment[plan->count++];
}

static int mismatch(const struct import_plan *plan, const struct zprec *stream,
                    const struct cpu_lines *cpu, uint64_t event, struct trace_error *error)
{
    const struct rec_line *line = plan->text.line;

    if (cpu->at == cpu->count)
        return trace_fail(error,
                          "%s: byte %llu of the decompressed stream: CPU %u has event %llu, but "
                          "its %zu lines in the text are used up",
                          stream->input->path, (unsigned long long)stream->input->offset,
                          stream->cpu, (unsigned long long)event, cpu->count);
    return trace_fail(error,
                      "%s: byte %llu of the decompressed stream: CPU %u has event %llu, but its "
                      "line %llu in the text has event %u",
                      stream->input->path, (unsigned long long)stream->input->offset, stream->cpu,
                      (unsigned long long)event,
                      (unsigned long long)line[cpu->line[cpu->at]].number,
                      line[cpu->line[cpu->at]].event);
}

/* Passes over the stream once and collects its moments. */
static int scan(struct import_plan *plan, struct zprec *stream, struct cpu_lines *cpus,
                struct trace_error *error)
{
    struct zprec_record record;
    bool synced = false;
    int status;

    while ((status = zprec_next(stream, &record, error)) == 1) {
        struct import_moment *moment;

        if (record.op == ZPREC_ACCESS ||
            (record.op != ZPREC_EVENT && record.op != ZPREC_TLBI && record.op != ZPREC_HYPERCALL))
            continue;
        moment = import_plan_add(plan);
        if (!moment)
            return trace_fail(error, "%s: out of memory", stream->input->path);
        *moment = (struct import_moment){
            .clock = stream->clock,
            .a = record.op == ZPREC_EVENT ? 0 : record.a,
            .line = IMPORT_NO_LINE,
            .mate = IMPORT_NO_LINE,
            .op = (uint8_t)record.op,
            .cpu = (uint8_t)stream->cpu,
        };
        if (record.op != ZPREC_EVENT)
            continue;
        if (record.a == REC_NONE || record.a > REC_CLEAR)
            return trace_fail(error,
                              "%s: byte %llu of the decompressed stream: event %llu is "
                              "unknown, expected 1 to 12",
                              stream->input->path, (unsigned long long)stream->input->offset,
                              (unsigned long long)record.a);
        moment->event = (uint8_t)record.a;
        synced |= record.a == REC_MARKER;
        if (record.a == REC_CLEAR || !synced)
            continue;
        moment->line = next_line(plan, &cpus[stream->cpu], record.a);
        if (moment->line == IMPORT_NO_LINE)
            return mismatch(plan, stream, &cpus[stream->cpu], record.a, error);
    }
    plan->header.cpus = stream->cpus;
    return status;
}

/* Lines that no event of the stream used. */
static int check_rest(const struct import_plan *plan, const struct zprec *stream,
                      const struct cpu_lines *cpus, struct trace_error *error)
{
    for (unsigned int i = 0; i < IMPORT_CPUS; i++) {
        if (cpus[i].at == cpus[i].count)
            continue;
        return trace_fail(error, "%s: the stream ends before the event of line %llu of the text",
                          stream->input->path,
                          (unsigned long long)plan->text.line[cpus[i].line[cpus[i].at]].number);
    }
    return 0;
}

/* ---- what follows from what ---- */

struct clears {
    uint32_t moment[CLEARS_MAX];
    size_t count;
    uint64_t last_pa, last_pages; /* the CPU's last allocation */
};

/* The clears before the last `keep` belong to the page that was allocated before. */
static void settle_clears(struct import_plan *plan, struct clears *cpu, size_t keep)
{
    size_t old = cpu->count - keep;

    for (size_t i = 0; i < old && cpu->last_pages; i++)
        plan->moment[cpu->moment[i]].a =
            cpu->last_pa + ((i % cpu->last_pages) << plan->header.page_shift);
    for (size_t i = 0; i < keep; i++)
        cpu->moment[i] = cpu->moment[old + i];
    cpu->count = keep;
}

static void allocate(struct import_plan *plan, struct clears *cpu, const struct rec_line *line)
{
    uint64_t pages = 1ull << line->order;

    settle_clears(plan, cpu, cpu->count < pages ? cpu->count : (size_t)pages);
    cpu->last_pa = line->value << plan->header.page_shift;
    cpu->last_pages = pages;
    settle_clears(plan, cpu, 0);
}

/* Gives each page clear its page. */
static int place_clears(struct import_plan *plan)
{
    struct clears *cpus = calloc(IMPORT_CPUS, sizeof(*cpus));

    if (!cpus)
        return -1;
    for (size_t i = 0; i < plan->count; i++) {
        struct import_moment *moment = &plan->moment[i];
        struct clears *cpu = &cpus[moment->cpu];

        if (moment->op != ZPREC_EVENT)
            continue;
        if (moment->event == REC_CLEAR) {
            if (cpu->count == CLEARS_MAX)
                settle_clears(plan, cpu, 0);
            cpu->moment[cpu->count++] = (uint32_t)i;
        } else if (moment->event == REC_ALLOC && moment->line != IMPORT_NO_LINE) {
            allocate(plan, cpu, &plan->text.line[moment->line]);
        }
    }
    for (unsigned int i = 0; i < IMPORT_CPUS; i++)
        settle_clears(plan, &cpus[i], 0);
    free(cpus);
    return 0;
}

/* A batched free has two lines: they become one record. */
static int merge_frees(struct import_plan *plan)
{
    uint32_t *freed = calloc(plan->frames, sizeof(*freed)); /* by frame: moment + 1 */

    if (!freed)
        return -1;
    for (size_t i = 0; i < plan->count; i++) {
        struct import_moment *moment = &plan->moment[i];
        uint64_t frame;

        if (moment->line == IMPORT_NO_LINE)
            continue;
        frame = plan->text.line[moment->line].value;
        if (moment->event == REC_ALLOC)
            freed[frame] = 0;
        if (moment->event == REC_FREE)
            freed[frame] = (uint32_t)i + 1;
        if (moment->event == REC_FREE_BATCHED && freed[frame]) {
            plan->moment[freed[frame] - 1].batched = true;
            moment->merged = true;
            freed[frame] = 0;
        }
    }
    free(freed);
    return 0;
}

/* A fault whose address is looked up in the exception table next on the same CPU was repaired. */
static void pair_faults(struct import_plan *plan)
{
    size_t open[IMPORT_CPUS] = {0}; /* moment + 1 */

    for (size_t i = 0; i < plan->count; i++) {
        struct import_moment *moment = &plan->moment[i];

        if (moment->line == IMPORT_NO_LINE)
            continue;
        if (moment->event == REC_FAULT || moment->event == REC_PAGE_FAULT)
            open[moment->cpu] = i + 1;
        if (moment->event == REC_FIXUP && open[moment->cpu]) {
            plan->moment[open[moment->cpu] - 1].mate = moment->line;
            open[moment->cpu] = 0;
        }
    }
}

/*
 * Without the origin of struct pages in facts.txt, the first donation tells it: the page is the one
 * that its task allocated last.
 */
static void find_origin(struct import_plan *plan)
{
    const struct rec_text *text = &plan->text;
    size_t first = 0;

    while (first < text->count && text->line[first].event != REC_DONATE)
        first++;
    for (size_t i = first; first < text->count && i > 0; i--) {
        const struct rec_line *line = &text->line[i - 1];

        if (line->event != REC_ALLOC || line->task != text->line[first].task)
            continue;
        plan->page_origin = text->line[first].value - line->value * 64;
        return;
    }
}

/* Frames in the text must lie in RAM before anything is looked up by them. */
static int check_frames(struct import_plan *plan, const char *path, struct trace_error *error)
{
    if (plan->page_origin == 0)
        find_origin(plan);
    for (size_t i = 0; i < plan->text.count; i++) {
        const struct rec_line *line = &plan->text.line[i];
        uint64_t frame;

        if (line->event >= REC_ALLOC && line->event <= REC_RECLAIM &&
            import_frame(plan, path, line, &frame, error) < 0)
            return -1;
    }
    return 0;
}

static int read_stream(struct import_plan *plan, const char *dir, struct trace_error *error)
{
    struct cpu_lines *cpus = calloc(IMPORT_CPUS, sizeof(*cpus));
    char *path = trace_path_join(dir, "access.zprec.zst");
    struct zprec stream = {0};
    int status = -1;

    if (!path || !cpus || !sort_lines(&plan->text, cpus))
        trace_fail(error, "%s: out of memory", dir);
    else
        status = zprec_open(&stream, path, error);
    if (status == 0) {
        plan->header.arch = (enum trace_arch)stream.arch;
        status = scan(plan, &stream, cpus, error);
        if (status == 0)
            status = check_rest(plan, &stream, cpus, error);
        zprec_close(&stream);
    }
    for (unsigned int i = 0; cpus && i < IMPORT_CPUS; i++)
        free(cpus[i].line);
    free(cpus);
    free(path);
    return status;
}

static int read_text(struct import_plan *plan, const char *dir, struct trace_error *error)
{
    char *path = trace_path_join(dir, "trace.txt.xz");
    int status = path ? rec_read_text(&plan->text, path, REC_RECORDING, error)
                      : trace_fail(error, "%s: out of memory", dir);

    if (status == 0 && plan->text.sync == plan->text.count)
        status = trace_fail(error, "%s: expected a line `zp sync`", path);
    if (status == 0)
        status = check_frames(plan, path, error);
    free(path);
    return status;
}

int import_plan_lines(struct import_plan *plan, const char *from, struct trace_error *error)
{
    if (check_frames(plan, from, error) < 0)
        return -1;
    for (size_t i = 0; i < plan->text.count; i++) {
        const struct rec_line *line = &plan->text.line[i];
        struct import_moment *moment = import_plan_add(plan);

        if (!moment)
            return trace_fail(error, "%s: out of memory", from);
        *moment = (struct import_moment){
            .clock = line->time,
            .line = (uint32_t)i,
            .mate = IMPORT_NO_LINE,
            .op = ZPREC_EVENT,
            .event = line->event,
            .cpu = line->cpu,
        };
    }
    if (merge_frees(plan) < 0)
        return trace_fail(error, "%s: out of memory", from);
    pair_faults(plan);
    return 0;
}

int import_plan_make(struct import_plan *plan, const char *dir, struct trace_error *error)
{
    *plan = (struct import_plan){0};
    if (rec_read_facts(&plan->header, &plan->page_origin, dir, error) < 0)
        return -1;
    plan->frames = rec_frames(&plan->header);
    if (read_text(plan, dir, error) < 0 || read_stream(plan, dir, error) < 0)
        goto fail;
    if (place_clears(plan) < 0 || merge_frees(plan) < 0) {
        trace_fail(error, "%s: out of memory", dir);
        goto fail;
    }
    pair_faults(plan);
    if (import_plan_vms(plan, dir, error) < 0)
        goto fail;
    return 0;
fail:
    import_plan_free(plan);
    return -1;
}
