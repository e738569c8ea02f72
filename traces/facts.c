/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a recording says about its machine: facts.txt, extable.txt.xz, symbols.txt.xz. */
#include <ctype.h>
#include <errno.h>

#include "traces/recording.h"

/* More physical memory than this would be a broken line. */
#define PA_LIMIT (1ull << 52)

/* Reads `count` numbers separated by blanks, and nothing after them. */
static bool get_numbers(const char *from, int base, uint64_t *to, int count)
{
    for (int i = 0; i < count; i++) {
        char *end;

        while (isspace((unsigned char)*from))
            from++;
        if (!isxdigit((unsigned char)*from))
            return false;
        errno = 0;
        to[i] = strtoull(from, &end, base);
        if (errno || end == from)
            return false;
        from = end;
    }
    while (isspace((unsigned char)*from))
        from++;
    return *from == '\0';
}

static const char no_memory[] = "more memory";

/* NULL, or what was expected. */
static const char *add_ram(struct trace_header *header, const char *line)
{
    uint64_t number[2];
    struct trace_range *ram;

    if (!get_numbers(line, 16, number, 2) || number[1] < number[0] || number[1] >= PA_LIMIT)
        return "first and last physical address in hexadecimal";
    ram = realloc(header->ram, (header->ram_count + 1) * sizeof(*ram));
    if (!ram)
        return no_memory;
    header->ram = ram;
    ram[header->ram_count++] = (struct trace_range){number[0], number[1] + 1};
    return NULL;
}

/* One line of facts.txt within `section`. NULL, or what was expected. */
static const char *facts_line(struct trace_header *header, uint64_t *page_origin,
                              const char *section, const char *line)
{
    uint64_t number[3];

    if (line[0] == '#' || line[0] == '\0')
        return NULL;
    if (strcmp(section, "[physical memory]") == 0)
        return add_ram(header, line);
    if (strcmp(section, "[kernel]") == 0 && strstr(line, "x86_64"))
        header->arch = TRACE_ARCH_X86_64;
    if (strcmp(section, "[trace buffer]") == 0 &&
        (strncmp(line, "overrun ", 8) == 0 || strncmp(line, "dropped events ", 15) == 0) &&
        strcmp(strrchr(line, ' '), " 0") != 0)
        return "no lost events (overrun 0, dropped events 0)";
    if (strcmp(section, "[addresses]") != 0)
        return NULL;
    if (strncmp(line, "linear ", 7) == 0) {
        if (!get_numbers(line + 7, 16, number, 3) || number[1] <= number[0])
            return "linear: first and end address of the direct map, physical address of the first";
        header->linear_start = number[0];
        header->linear_end = number[1];
        header->linear_pa = number[2];
    } else if (strncmp(line, "text ", 5) == 0) {
        if (!get_numbers(line + 5, 16, &header->text, 1))
            return "text: an address in hexadecimal";
    } else if (strncmp(line, "page-origin ", 12) == 0) {
        if (!get_numbers(line + 12, 16, page_origin, 1))
            return "page-origin: an address in hexadecimal";
    }
    return NULL;
}

static int read_facts(struct trace_header *header, uint64_t *page_origin, struct trace_input *input,
                      struct trace_error *error)
{
    struct trace_bytes whole = {0};
    char section[64] = "", *line;
    int status;

    while ((status = trace_input_line(input, &line, error)) == 1) {
        const char *expected;

        trace_put(&whole, line, strlen(line));
        trace_put_byte(&whole, '\n');
        if (line[0] == '[')
            snprintf(section, sizeof(section), "%.63s", line);
        expected = facts_line(header, page_origin, section, line[0] == '[' ? "" : line);
        if (expected == no_memory) {
            status = trace_fail(error, "%s: out of memory", input->path);
            break;
        }
        if (expected) {
            status = trace_fail(error, "%s: line %llu: expected %s", input->path,
                                (unsigned long long)input->line, expected);
            break;
        }
    }
    trace_put_byte(&whole, '\0');
    if (status == 0 && whole.failed)
        status = trace_fail(error, "%s: out of memory", input->path);
    if (status == 0 && (header->linear_end == 0 || header->ram_count == 0))
        status = trace_fail(error, "%s: expected a line `linear` and a section [physical memory]",
                            input->path);
    if (status == 0)
        header->facts = (char *)whole.at;
    else
        trace_bytes_free(&whole);
    return status;
}

static int read_extable(struct trace_header *header, struct trace_input *input,
                        struct trace_error *error)
{
    size_t room = 0;
    char *line;
    int status;

    while ((status = trace_input_line(input, &line, error)) == 1) {
        uint64_t number[4];
        struct trace_extable *entry;

        if (strncmp(line, "extable ", 8) != 0 || !get_numbers(line + 8, 16, number, 4))
            return trace_fail(error,
                              "%s: line %llu: expected extable, then address, fix-up, type and "
                              "data in hexadecimal",
                              input->path, (unsigned long long)input->line);
        if (header->extable_count == room) {
            room = room ? 2 * room : 1024;
            entry = realloc(header->extable, room * sizeof(*entry));
            if (!entry)
                return trace_fail(error, "%s: out of memory", input->path);
            header->extable = entry;
        }
        entry = &header->extable[header->extable_count++];
        *entry =
            (struct trace_extable){number[0], number[1], (uint32_t)number[2], (uint32_t)number[3]};
        if (entry != header->extable && entry[-1].pc > entry->pc)
            return trace_fail(error, "%s: line %llu: expected ascending addresses", input->path,
                              (unsigned long long)input->line);
    }
    return status;
}

/* Opens DIR/name, or DIR/name.xz when there is no such file. */
static struct trace_input *open_either(const char *dir, const char *name, struct trace_error *error)
{
    struct trace_input *input = NULL;
    char *path = trace_path_join(dir, name);
    size_t size = path ? strlen(path) + sizeof(".xz") : 0;
    char *packed = path ? malloc(size) : NULL;
    FILE *plain;

    if (packed) {
        snprintf(packed, size, "%s.xz", path);
        plain = fopen(path, "rb");
        input = trace_input_open(plain ? path : packed, error);
        if (plain)
            fclose(plain);
    } else {
        trace_fail(error, "%s/%s: out of memory", dir, name);
    }
    free(packed);
    free(path);
    return input;
}

int rec_read_facts(struct trace_header *header, uint64_t *page_origin, const char *dir,
                   struct trace_error *error)
{
    struct trace_input *input;
    int status;

    *header = (struct trace_header){.arch = TRACE_ARCH_ARM64, .cpus = 1, .page_shift = 12};
    *page_origin = 0;
    input = open_either(dir, "facts.txt", error);
    if (!input)
        return -1;
    status = read_facts(header, page_origin, input, error);
    trace_input_close(input);
    if (status == 0) {
        input = open_either(dir, "extable.txt", error);
        status = input ? read_extable(header, input, error) : -1;
        trace_input_close(input);
    }
    if (status < 0)
        trace_header_free(header);
    return status;
}

int rec_find_symbol(const char *dir, const char *name, uint64_t *address, struct trace_error *error)
{
    struct trace_input *input = open_either(dir, "symbols.txt", error);
    char *line;
    int status = 0;

    *address = 0;
    if (!input)
        return -1;
    while (*address == 0 && (status = trace_input_line(input, &line, error)) == 1) {
        char *end;
        uint64_t value = strtoull(line, &end, 16);

        if (end == line || *end != ' ') {
            status = trace_fail(error, "%s: line %llu: expected an address and a name", input->path,
                                (unsigned long long)input->line);
            break;
        }
        if (strcmp(end + 1, name) == 0)
            *address = value;
    }
    trace_input_close(input);
    return status < 0 ? -1 : 0;
}

bool rec_is_zeropad(const struct trace_header *header, uint64_t pc)
{
    uint32_t type = header->arch == TRACE_ARCH_ARM64 ? 4 : 0x14;
    size_t low = 0, high = header->extable_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (header->extable[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < header->extable_count && header->extable[low].pc == pc &&
           header->extable[low].type == type;
}

bool rec_in_ram(const struct trace_header *header, uint64_t pa)
{
    for (size_t i = 0; i < header->ram_count; i++) {
        if (pa >= header->ram[i].start && pa < header->ram[i].end)
            return true;
    }
    return false;
}

uint64_t rec_frames(const struct trace_header *header)
{
    uint64_t end = 0;

    for (size_t i = 0; i < header->ram_count; i++)
        end = header->ram[i].end > end ? header->ram[i].end : end;
    return (end + (1ull << header->page_shift) - 1) >> header->page_shift;
}
