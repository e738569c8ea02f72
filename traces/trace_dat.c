/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace.dat, the binary format of trace-cmd, as lines of ftrace: its own library decodes it and
 * prints each event as the kernel would have. That happens in a process of its own, as the library
 * trusts its input, and a broken file may end it.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event-parse.h>
#include <trace-cmd.h>
#include <trace-seq.h>

#include "traces/recording.h"

/* Exit status of the process. */
enum { DECODED, NOT_OPENED, NOT_DECODED };

struct decoder {
    FILE *out;
    struct trace_seq line;
};

/* The text of a marker, which stands behind the place that wrote it, and its length. */
static const char *marker_of(struct tep_event *event, struct tep_record *record, int *length)
{
    struct tep_format_field *field = tep_find_field(event, "buf");
    const char *text, *end;

    if (!field || field->offset >= record->size)
        return NULL;
    text = (const char *)record->data + field->offset;
    end = memchr(text, '\0', (size_t)(record->size - field->offset));
    *length = end ? (int)(end - text) : record->size - field->offset;
    return text;
}

static int put_event(struct tracecmd_input *file, struct tep_record *record, int cpu, void *arg)
{
    struct decoder *decoder = arg;
    struct tep_handle *tep = tracecmd_get_tep(file);
    struct tep_event *event = tep_find_event_by_record(tep, record);
    const bool print = event && !strcmp(event->name, "print"); /* what ftrace calls a marker */
    int length = 0;
    const char *marker = print ? marker_of(event, record, &length) : NULL;

    if (record->missed_events)
        fprintf(decoder->out, "CPU:%d [LOST EVENTS]\n", cpu);
    trace_seq_reset(&decoder->line);
    tep_print_event(tep, &decoder->line, record, "%s-%d [%03d] ..... %6.1000d", TEP_PRINT_COMM,
                    TEP_PRINT_PID, TEP_PRINT_CPU, TEP_PRINT_TIME);
    trace_seq_printf(&decoder->line, ": %s: ",
                     print   ? "tracing_mark_write"
                     : event ? event->name
                             : "unknown");
    if (marker)
        trace_seq_printf(&decoder->line, "%.*s", length, marker);
    else
        tep_print_event(tep, &decoder->line, record, "%s", TEP_PRINT_INFO);
    trace_seq_terminate(&decoder->line);
    for (char *at = decoder->line.buffer; *at; at++)
        *at = *at == '\n' ? ' ' : *at;
    for (length = (int)strlen(decoder->line.buffer);
         length && decoder->line.buffer[length - 1] == ' '; length--)
        ;
    return fprintf(decoder->out, "%.*s\n", length, decoder->line.buffer) < 0;
}

/* Whoever started this process handles no signal here, and what the library says is its own. */
static void stand_alone(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
        signal(fatal[i], SIG_DFL);
    if (!freopen("/dev/null", "w", stderr))
        _exit(NOT_OPENED);
}

static int decode(const char *path, FILE *out)
{
    struct decoder decoder = {.out = out};
    struct tracecmd_input *file;

    tep_set_loglevel(TEP_LOG_NONE);
    tracecmd_set_loglevel(TEP_LOG_NONE);
    file = tracecmd_open(path, TRACECMD_FL_LOAD_NO_PLUGINS);
    if (!file)
        return NOT_OPENED;
    trace_seq_init(&decoder.line);
    if (tracecmd_iterate_events(file, NULL, 0, put_event, &decoder) != 0 || fflush(out) != 0)
        return NOT_DECODED;
    return DECODED;
}

FILE *rec_decode_trace_dat(const char *path, struct trace_error *error)
{
    FILE *out = tmpfile();
    int status = 0;
    pid_t child;

    if (access(path, R_OK) || !out) {
        trace_fail(error, "%s: cannot open: %s", path, strerror(errno));
        if (out)
            fclose(out);
        return NULL;
    }
    fflush(NULL);
    child = fork();
    if (child == 0) {
        stand_alone();
        _exit(decode(path, out));
    }
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
        WEXITSTATUS(status) == DECODED) {
        rewind(out);
        return out;
    }
    fclose(out);
    if (child < 0)
        trace_fail(error, "%s: cannot start a process: %s", path, strerror(errno));
    else
        trace_fail(error, "%s: expected a whole trace.dat of trace-cmd, but libtracecmd %s", path,
                   WIFSIGNALED(status)                 ? "crashes on it"
                   : WEXITSTATUS(status) == NOT_OPENED ? "refuses it"
                                                       : "stops in it");
    return NULL;
}
