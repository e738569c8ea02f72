/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of `perf script`, made lines of ftrace: perf prints the arguments of a tracepoint by the
 * same rules of the kernel, only what stands before them differs.
 *
 *   task pid[/tid] [cpu] time: [period] [group:]event: arguments
 *
 * A sample of memory accesses has the address, and behind it the instruction, in place of arguments
 * (-F comm,tid,cpu,time,event,addr,ip); it becomes the event mem_sample.
 */
#include <ctype.h>

#include "traces/recording.h"

/* The CPU's bracket: the first " [digits] " that a pid stands before. */
static char *find_cpu(char *text, char **task)
{
    for (char *at = text; (at = strstr(at, " [")) != NULL; at++) {
        char *pid = at, *end;

        (void)strtoul(at + 2, &end, 10);
        if (!isdigit((unsigned char)at[2]) || end[0] != ']' || end[1] != ' ')
            continue;
        while (pid > text && (isdigit((unsigned char)pid[-1]) || pid[-1] == '/'))
            pid--;
        if (pid == at || pid == text || pid[-1] != ' ')
            continue;
        *task = memchr(pid, '/', (size_t)(at - pid)) ? strchr(pid, '/') + 1 : pid;
        pid[-1] = '\0';
        return at;
    }
    return NULL;
}

/* "[period] [group:]event:", ended by the colon before a blank: its name, and what follows. */
static char *find_event(char *text, char **name)
{
    char *end;

    while (*text == ' ')
        text++;
    (void)strtoull(text, &end, 10);
    if (end != text && *end == ' ')
        text = end;
    while (*text == ' ')
        text++;
    for (end = strchr(text, ':'); end && end[1] != ' ' && end[1] != '\0';
         end = strchr(end + 1, ':'))
        ;
    if (!end || end == text)
        return NULL;
    *end = '\0';
    *name = text;
    return end + 1;
}

/* Two addresses and nothing like a key: a sample. */
static bool is_sample(const char *arguments, unsigned long long *addr, unsigned long long *pc)
{
    int taken = 0;

    return sscanf(arguments, " %llx %llx%n", addr, pc, &taken) == 2 && taken &&
           (arguments[taken] == '\0' || arguments[taken] == ' ') && !strchr(arguments, '=');
}

bool rec_perf_line(char *text, char *line, size_t size)
{
    unsigned long long addr, pc;
    char *task, *name, *time, *at = find_cpu(text, &task);
    char *comm = text;
    int length;

    if (!at)
        return false;
    while (*comm == ' ')
        comm++;
    *at = '\0';
    time = strchr(at + 2, ']') + 1;
    *strchr(at + 2, ']') = '\0';
    while (*time == ' ')
        time++;
    char *end = strchr(time, ':');

    if (!end || end == time)
        return false;
    *end = '\0';
    char *arguments = find_event(end + 1, &name);

    if (!arguments)
        return false;
    if (is_sample(arguments, &addr, &pc)) {
        length =
            snprintf(line, size, "%s-%s [%s] ..... %s: mem_sample: addr=0x%llx pc=0x%llx store=%d",
                     comm, task, at + 2, time, addr, pc, strstr(name, "store") != NULL);
    } else {
        const char *event = strrchr(name, ':');

        length = snprintf(line, size, "%s-%s [%s] ..... %s: %s:%s", comm, task, at + 2, time,
                          event ? event + 1 : name, arguments);
    }
    return length > 0 && (size_t)length < size;
}
