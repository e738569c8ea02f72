/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recordings written by hand; see maker.h. */
#include <stdarg.h>

#include "tests/traces/support/files.h"
#include "tests/traces/support/maker.h"
#include "traces/input.h"

__attribute__((format(printf, 2, 0))) static void print(struct trace_bytes *to, const char *format,
                                                        va_list args)
{
    char line[512];
    int size = vsnprintf(line, sizeof(line), format, args);

    if (size < 0 || (size_t)size >= sizeof(line))
        abort();
    trace_put(to, line, (size_t)size);
}

void maker_print(struct trace_bytes *to, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print(to, format, args);
    va_end(args);
}

void maker_begin(struct maker *maker)
{
    *maker = (struct maker){0};
    trace_put(&maker->stream, "ZPREC001", 8);
    trace_put_byte(&maker->stream, 1);
    trace_put_byte(&maker->stream, 2);
    trace_put_fixed(&maker->stream, 0, 2);
    trace_put_fixed(&maker->stream, 12, 4);
    trace_put_fixed(&maker->stream, MAKER_LINEAR, 8);
    trace_put_fixed(&maker->stream, MAKER_LINEAR + (16u << 20), 8);
    trace_put_fixed(&maker->stream, MAKER_RAM, 8);
    trace_put_fixed(&maker->stream, MAKER_TEXT, 8);
    trace_put_fixed(&maker->stream, 0, 8);
    trace_put_fixed(&maker->stream, 0, 8);
    maker_print(&maker->facts,
                "[kernel]\nLinux 6.12 aarch64\n\n[addresses]\n# direct map\n"
                "linear ffff000000000000 ffff000001000000 40000000\ntext ffff800080000000\n"
                "page-origin fffffdffbf000000\n\n[physical memory]\n40000000 40ffffff\n\n"
                "[trace buffer]\nentries 10\noverrun 0\ncommit overrun 0\ndropped events 0\n");
    maker_print(&maker->extable, "extable ffff800080001000 ffff800080001100 4 2e1\n"
                                 "extable ffff800080003000 ffff800080003100 2 3ff\n");
    maker_print(&maker->symbols, "ffff800080001000 link_path_walk\n"
                                 "ffff8000800055d0 __pkvm_destroy_hyp_vm\n"
                                 "ffff800080005640 pkvm_create_hyp_vm\n");
    maker_print(&maker->text, "# tracer: nop\n#\n"
                              "# entries-in-buffer/entries-written: 10/10   #P:2\n#\n");
}

uint32_t maker_site(struct maker *maker, uint64_t pc, uint8_t attributes)
{
    trace_put_u(&maker->stream, 1);
    trace_put_s(&maker->stream, pc - maker->pc);
    trace_put_byte(&maker->stream, attributes);
    maker->pc = pc;
    return maker->sites++;
}

void maker_access(struct maker *maker, uint32_t site, uint64_t va)
{
    trace_put_u(&maker->stream, 16 + site);
    trace_put_s(&maker->stream, va - maker->last[site]);
    maker->last[site] = va;
    maker->accesses++;
}

void maker_cpu(struct maker *maker, unsigned int cpu)
{
    trace_put_u(&maker->stream, 3);
    trace_put_u(&maker->stream, cpu);
    maker->cpu = cpu;
}

void maker_page(struct maker *maker, uint64_t va, uint64_t pa, bool device)
{
    trace_put_u(&maker->stream, 2);
    trace_put_s(&maker->stream, (va >> 12) - maker->page);
    trace_put_u(&maker->stream, pa >> 12 << 1 | device);
    maker->page = va >> 12;
}

void maker_tlbi(struct maker *maker, uint64_t code)
{
    trace_put_u(&maker->stream, 7);
    trace_put_u(&maker->stream, code);
}

void maker_hypercall(struct maker *maker, uint64_t pc)
{
    trace_put_u(&maker->stream, 9);
    trace_put_u(&maker->stream, pc - MAKER_TEXT);
}

void maker_repaired(struct maker *maker, uint64_t pc)
{
    trace_put_u(&maker->stream, 6);
    trace_put_u(&maker->stream, pc - MAKER_TEXT);
}

void maker_event(struct maker *maker, unsigned int event)
{
    trace_put_u(&maker->stream, 4);
    trace_put_u(&maker->stream, event);
    trace_put_u(&maker->stream, 100);
}

__attribute__((format(printf, 3, 0))) static void put_line(struct maker *maker, const char *task,
                                                           const char *format, va_list args)
{
    maker_print(&maker->text, "%16s     [%03u] .....     1.%06u: ", task, maker->cpu,
                maker->lines++);
    print(&maker->text, format, args);
    trace_put_byte(&maker->text, '\n');
}

void maker_line(struct maker *maker, const char *task, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_line(maker, task, format, args);
    va_end(args);
}

void maker_both(struct maker *maker, unsigned int event, const char *task, const char *format, ...)
{
    va_list args;

    maker_event(maker, event);
    va_start(args, format);
    put_line(maker, task, format, args);
    va_end(args);
}

void maker_end(struct maker *maker)
{
    trace_put_u(&maker->stream, 0);
    trace_put_u(&maker->stream, maker->accesses);
    trace_put_u(&maker->stream, 0);
    trace_put_u(&maker->stream, 1000);
}

static void save(const char *dir, const char *name, const struct trace_bytes *bytes)
{
    char *path = trace_path_join(dir, name);
    size_t length = strlen(name);
    bool plain = length > 4 && strcmp(name + length - 4, ".txt") == 0;

    if (plain)
        file_write(path, bytes->at, bytes->size);
    else
        file_write_packed(path, bytes->at, bytes->size);
    free(path);
}

void maker_save(const struct maker *maker, const char *dir)
{
    save(dir, "access.zprec.zst", &maker->stream);
    save(dir, "trace.txt.xz", &maker->text);
    save(dir, "facts.txt", &maker->facts);
    save(dir, "extable.txt.xz", &maker->extable);
    save(dir, "symbols.txt.xz", &maker->symbols);
    save(dir, "donated-start.txt", &maker->donated);
    save(dir, "kpageflags-start.bin.xz", &maker->flags);
}

void maker_free(struct maker *maker)
{
    trace_bytes_free(&maker->stream);
    trace_bytes_free(&maker->text);
    trace_bytes_free(&maker->facts);
    trace_bytes_free(&maker->extable);
    trace_bytes_free(&maker->symbols);
    trace_bytes_free(&maker->donated);
    trace_bytes_free(&maker->flags);
}
