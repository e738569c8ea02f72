/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ftrace text, line by line: task-pid [cpu] flags time: event: arguments. The arguments' keys are
 * those of the kernel's tracepoints and of the probes that the recorder sets.
 */
#include <ctype.h>

#include "traces/recording.h"

#define CPU_MAX 256u

static const char *const event_names[] = {
    [REC_ALLOC] = "mm_page_alloc",
    [REC_FREE] = "mm_page_free",
    [REC_FREE_BATCHED] = "mm_page_free_batched",
    [REC_DONATE] = "donate",
    [REC_RECLAIM] = "reclaim",
    [REC_FIXUP] = "fixup",
    [REC_FAULT] = "fault",
    [REC_PAGE_FAULT] = "page_fault_kernel",
    [REC_FLUSH] = "flush",
    [REC_TLB_FLUSH] = "tlb_flush",
    [REC_MARKER] = "tracing_mark_write",
    [REC_CLEAR] = "clear_page",
    [REC_GIVE_SIZE] = "give_size",
    [REC_GIVE_AT] = "give_at",
    [REC_SAMPLE] = "mem_sample",
};

static enum rec_event find_event(const char *name, size_t length)
{
    for (size_t i = 1; i < sizeof(event_names) / sizeof(event_names[0]); i++) {
        if (strlen(event_names[i]) == length && memcmp(event_names[i], name, length) == 0)
            return (enum rec_event)i;
    }
    return REC_UNKNOWN;
}

/* The number after " key=". */
static bool get_key(const char *arguments, const char *key, uint64_t *value)
{
    size_t length = strlen(key);
    const char *at = arguments;
    char *end;

    while ((at = strstr(at, key)) != NULL) {
        bool start = at == arguments || at[-1] == ' ';

        at += length;
        if (!start || *at != '=')
            continue;
        *value = strtoull(at + 1, &end, 0);
        return end != at + 1;
    }
    return false;
}

/* Like the gfp_flags of the line: who the memory is for. */
static enum trace_alloc_class alloc_class(const char *arguments, bool vmm)
{
    const char *flags = strstr(arguments, "gfp_flags=");

    if (!flags)
        return TRACE_ALLOC_OTHER;
    flags += strlen("gfp_flags=");
    if (vmm && strcmp(flags, "GFP_HIGHUSER|__GFP_COMP|__GFP_ZERO") == 0)
        return TRACE_ALLOC_SECRET;
    if (strstr(flags, "MOVABLE"))
        return TRACE_ALLOC_MOVABLE;
    if (strncmp(flags, "GFP_HIGHUSER", 12) == 0)
        return TRACE_ALLOC_UNMOVABLE;
    if (strncmp(flags, "GFP_USER", 8) == 0)
        return TRACE_ALLOC_USER;
    if (strncmp(flags, "GFP_", 4) == 0 || strncmp(flags, "__GFP_", 6) == 0)
        return TRACE_ALLOC_KERNEL;
    return TRACE_ALLOC_OTHER;
}

static const char *get_alloc(const char *arguments, struct rec_line *line)
{
    uint64_t order, type = 0;

    if (!get_key(arguments, "pfn", &line->value) || !get_key(arguments, "order", &order) ||
        order > 30)
        return "pfn= and order=";
    get_key(arguments, "migratetype", &type);
    line->order = (uint8_t)order;
    line->migratetype = (uint8_t)type;
    if (line->event == REC_ALLOC)
        line->class = (uint8_t)alloc_class(arguments, line->vmm);
    return NULL;
}

static const char *get_flush(const char *arguments, struct rec_line *line)
{
    if (!get_key(arguments, "start", &line->value) || !get_key(arguments, "end", &line->aux))
        return "start= and end=";
    return NULL;
}

/* NULL, or what was expected. */
static const char *get_arguments(const char *arguments, struct rec_line *line)
{
    switch ((enum rec_event)line->event) {
    case REC_ALLOC:
    case REC_FREE:
    case REC_FREE_BATCHED:
        return get_alloc(arguments, line);
    case REC_DONATE:
    case REC_RECLAIM:
        return get_key(arguments, "page", &line->value) ? NULL : "page=";
    case REC_FIXUP:
        get_key(arguments, "addr", &line->value);
        return get_key(arguments, "pc", &line->pc) ? NULL : "pc=";
    case REC_FAULT:
        return get_key(arguments, "addr", &line->value) && get_key(arguments, "esr", &line->aux) &&
                       get_key(arguments, "pc", &line->pc)
                   ? NULL
                   : "addr=, esr= and pc=";
    case REC_PAGE_FAULT:
        return get_key(arguments, "address", &line->value) &&
                       get_key(arguments, "error_code", &line->aux)
                   ? NULL
                   : "address= and error_code=";
    case REC_FLUSH:
        return get_flush(arguments, line);
    case REC_GIVE_SIZE:
        return get_key(arguments, "size", &line->value) ? NULL : "size=";
    case REC_GIVE_AT:
        line->caller =
            strstr(arguments, "(pkvm_create_hyp_vm+") ? REC_CALLER_CREATE_VM : REC_CALLER_OTHER;
        return get_key(arguments, "addr", &line->value) ? NULL : "addr=";
    case REC_SAMPLE:
        return get_key(arguments, "addr", &line->value) && get_key(arguments, "pc", &line->pc) &&
                       get_key(arguments, "store", &line->aux)
                   ? NULL
                   : "addr=, pc= and store=";
    case REC_NONE:
    case REC_TLB_FLUSH:
    case REC_MARKER:
    case REC_CLEAR:
    case REC_UNKNOWN:
        break;
    }
    return NULL;
}

/* task-pid [cpu]: returns what follows the bracket, or NULL. */
static char *get_task(char *text, struct rec_line *line)
{
    char *bracket = text, *dash, *end;
    unsigned long value;

    /* A task's name may hold blanks and brackets: the CPU is the first " [digits] ". */
    while ((bracket = strstr(bracket, " [")) != NULL && !isdigit((unsigned char)bracket[2]))
        bracket++;
    if (!bracket)
        return NULL;
    for (dash = bracket; dash > text && *dash != '-'; dash--)
        ;
    if (*dash != '-' || !isdigit((unsigned char)dash[1]))
        return NULL;
    line->task = (uint32_t)strtoul(dash + 1, &end, 10);
    while (*end == ' ')
        end++;
    value = strtoul(bracket + 2, NULL, 10);
    if (end != bracket + 1 || value >= CPU_MAX)
        return NULL;
    line->cpu = (uint8_t)value;
    *dash = '\0';
    while (*text == ' ')
        text++;
    line->vmm = strcmp(text, "zp-vmm") == 0;
    end = strchr(bracket + 2, ']');
    return end ? end + 1 : NULL;
}

/* Seconds with six decimals: returns what follows, or NULL. */
static char *get_time(char *text, struct rec_line *line)
{
    char *point, *end;
    uint64_t seconds = strtoull(text, &point, 10);

    if (!isdigit((unsigned char)*text) || *point != '.')
        return NULL;
    line->time = strtoull(point + 1, &end, 10);
    if (end != point + 7 || seconds > UINT64_MAX / 2000000)
        return NULL;
    line->time += seconds * 1000000;
    return end;
}

int rec_parse_line(char *text, enum rec_dialect dialect, struct rec_line *line, const char **marker,
                   const char **wrong)
{
    char *at, *end;
    int foreign = dialect == REC_CONSOLE ? 0 : -1;

    *line = (struct rec_line){0};
    *marker = NULL;
    if (text[0] == '#')
        return 0;
    if (strstr(text, "[LOST ") && strstr(text, " EVENTS]")) {
        *wrong = "no lost events: the trace buffer was too small";
        return -1;
    }
    *wrong = "task-pid [cpu] flags time: event: arguments";
    at = get_task(text, line);
    if (!at || *at != ' ')
        return foreign;
    at = strchr(at + 1, ' '); /* the flags */
    if (!at)
        return foreign;
    while (*at == ' ')
        at++;
    end = get_time(at, line);
    if (!end || end[0] != ':' || end[1] != ' ')
        return foreign;
    at = end + 2;
    end = strchr(at, ':');
    if (!end || end == at)
        return foreign;
    line->event = (uint8_t)find_event(at, (size_t)(end - at));
    at = end[1] == ' ' ? end + 2 : end + 1;
    *wrong = get_arguments(at, line);
    if (*wrong)
        return -1;
    if (line->event == REC_MARKER)
        *marker = at;
    return 1;
}

void rec_free_text(struct rec_text *text)
{
    for (size_t i = 0; i < text->count; i++)
        free(text->line[i].text);
    free(text->line);
    *text = (struct rec_text){0};
}

/* Which gfp_flags the pages of ordinary guests have in a phase of this name (traces/record). */
static enum trace_alloc_class ordinary_class(const char *phase)
{
    if (strstr(phase, "unmovable"))
        return TRACE_ALLOC_UNMOVABLE;
    return strstr(phase, "movable") ? TRACE_ALLOC_MOVABLE : TRACE_ALLOC_OTHER;
}

static bool add_line(struct rec_text *text, const struct rec_line *line, const char *marker)
{
    struct rec_line *added;

    if (text->count == text->room) {
        size_t room = text->room ? 2 * text->room : 4096;

        added = realloc(text->line, room * sizeof(*added));
        if (!added)
            return false;
        text->line = added;
        text->room = room;
    }
    added = &text->line[text->count];
    *added = *line;
    if (marker) {
        added->text = calloc(strlen(marker) + 1, 1);
        if (!added->text)
            return false;
        memcpy(added->text, marker, strlen(marker));
    }
    text->count++;
    return true;
}

/* "# entries-in-buffer/entries-written: 34554/34554": anything else has lost events. */
static const char *check_comment(const char *text)
{
    const char *at = strstr(text, "entries-in-buffer/entries-written: ");
    unsigned long long held, written;

    if (!at || sscanf(at, "entries-in-buffer/entries-written: %llu/%llu", &held, &written) != 2)
        return NULL;
    return held == written ? NULL : "no lost events (as many entries in the buffer as written)";
}

static struct trace_input *open_text(const char *path, enum rec_dialect dialect,
                                     struct trace_error *error)
{
    FILE *lines = NULL;

    if (dialect != REC_TRACE_DAT)
        return trace_input_open(path, error);
    lines = rec_decode_trace_dat(path, error);
    return lines ? trace_input_of(lines, path, error) : NULL;
}

/* As rec_parse_line(), of a line of perf. */
static int parse_perf(char *text, struct rec_line *line, const char **marker, const char **wrong)
{
    char as_ftrace[TRACE_LINE_MAX];

    if (text[0] == '\0' || text[0] == '#')
        return 0;
    *wrong = "task pid [cpu] time: event: arguments";
    if (!rec_perf_line(text, as_ftrace, sizeof(as_ftrace)))
        return -1;
    return rec_parse_line(as_ftrace, REC_PERF, line, marker, wrong);
}

int rec_read_text(struct rec_text *text, const char *path, enum rec_dialect dialect,
                  struct trace_error *error)
{
    struct trace_input *input = open_text(path, dialect, error);
    enum trace_alloc_class ordinary = TRACE_ALLOC_OTHER;
    bool synced = false, ended = false;
    const char *wrong = NULL;
    char *from;
    int status = 0;

    *text = (struct rec_text){0};
    if (!input)
        return -1;
    while (!ended && !wrong && (status = trace_input_line(input, &from, error)) == 1) {
        struct rec_line line;
        const char *marker;
        const char *function = strstr(from, "(pkvm_create_hyp_vm+");

        wrong = from[0] == '#' ? check_comment(from) : NULL;
        if (wrong)
            break;
        if (function && strchr(function, '/'))
            text->function = strtoull(strchr(function, '/') + 1, NULL, 16);
        status = dialect == REC_PERF ? parse_perf(from, &line, &marker, &wrong)
                                     : rec_parse_line(from, dialect, &line, &marker, &wrong);
        if (status < 0)
            break;
        wrong = NULL;
        if (status == 0)
            continue;
        line.number = input->line;
        if (marker && strcmp(marker, "zp sync") == 0 && !synced) {
            synced = true;
            text->sync = text->count;
        }
        if (marker && strncmp(marker, "zp phase ", 9) == 0)
            ordinary = ordinary_class(marker);
        ended = marker && synced && strcmp(marker, "zp end") == 0;
        line.ordinary = line.event == REC_ALLOC && line.vmm && line.order == 0 &&
                        ordinary != TRACE_ALLOC_OTHER && line.class == ordinary;
        if (!add_line(text, &line, marker)) {
            status = trace_fail(error, "%s: out of memory", input->path);
            break;
        }
    }
    if (wrong)
        status = trace_fail(error, "%s: line %llu: expected %s", input->path,
                            (unsigned long long)input->line, wrong);
    if (!synced)
        text->sync = text->count;
    trace_input_close(input);
    if (status < 0 || wrong) {
        rec_free_text(text);
        return -1;
    }
    return 0;
}
