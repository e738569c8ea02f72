/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kind of file is to be imported. */
#include <string.h>
#include <sys/stat.h>

#include "traces/recording.h"

enum { LINES = 1000 }; /* that are looked at: headers of perf are long */

static bool is_lackey(const char *line)
{
    unsigned long long addr;
    unsigned int size;
    char kind;

    return sscanf(line, " %c %llx,%u", &kind, &addr, &size) == 3 && strchr("ILSM", kind);
}

/* True once the line settles it. */
static bool by_line(char *line, enum trace_input_kind *kind)
{
    char as_ftrace[TRACE_LINE_MAX];
    struct rec_line parsed;
    const char *marker, *wrong;

    if (line[0] == '\0' || line[0] == '#' || strncmp(line, "==", 2) == 0)
        return false;
    *kind = TRACE_INPUT_LACKEY;
    if (is_lackey(line))
        return true;
    *kind = TRACE_INPUT_PERF;
    if (rec_perf_line(line, as_ftrace, sizeof(as_ftrace)) &&
        rec_parse_line(as_ftrace, REC_PERF, &parsed, &marker, &wrong) == 1)
        return true;
    *kind = TRACE_INPUT_FTRACE;
    return true;
}

int trace_recognise(const char *path, enum trace_input_kind *kind, struct trace_error *error)
{
    static const char magic[] = "\x17\x08\x44tracing"; /* trace-cmd.dat(5) */
    struct trace_input *input;
    struct stat st;
    int status;
    char *line;

    *kind = TRACE_INPUT_RECORDING;
    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        return 0;
    *kind = TRACE_INPUT_FTRACE;
    input = trace_input_open(path, error);
    status = input ? trace_input_need(input, sizeof(magic) - 1, error) : -1;
    if (status == 0 && trace_input_left(input) >= sizeof(magic) - 1 &&
        memcmp(input->buffer + input->start, magic, sizeof(magic) - 1) == 0) {
        *kind = TRACE_INPUT_TRACE_DAT;
    } else if (status == 0) {
        for (int i = 0; i < LINES && (status = trace_input_line(input, &line, error)) == 1; i++) {
            if (by_line(line, kind))
                break;
        }
    }
    trace_input_close(input);
    return status < 0 ? -1 : 0;
}
