/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machine facts: copying, and their form in a native file. */
#include "traces/native.h"

/* As long as a descriptor or a line can be; more is a broken file. */
#define HEADER_RANGES_MAX  4096u
#define HEADER_EXTABLE_MAX (1u << 20)

void trace_header_free(struct trace_header *header)
{
    free(header->ram);
    free(header->extable);
    free(header->facts);
    free(header->provenance);
    free(header->clock);
    *header = (struct trace_header){0};
}

static void *copy_array(const void *from, size_t count, size_t size)
{
    void *to = calloc(count ? count : 1, size);

    if (to && count)
        memcpy(to, from, count * size);
    return to;
}

static char *copy_text(const char *from)
{
    return copy_array(from ? from : "", from ? strlen(from) + 1 : 1, 1);
}

int trace_header_copy(struct trace_header *to, const struct trace_header *from)
{
    *to = *from;
    to->ram = copy_array(from->ram, from->ram_count, sizeof(*from->ram));
    to->extable = copy_array(from->extable, from->extable_count, sizeof(*from->extable));
    to->facts = copy_text(from->facts);
    to->provenance = copy_text(from->provenance);
    to->clock = copy_text(from->clock);
    if (to->ram && to->extable && to->facts && to->provenance && to->clock)
        return 0;
    trace_header_free(to);
    return -1;
}

static void put_text(struct trace_bytes *out, const char *text)
{
    size_t size = text ? strlen(text) : 0;

    trace_put_u(out, size);
    trace_put(out, text, size);
}

void native_put_header(struct trace_bytes *out, const struct trace_header *header)
{
    uint64_t pc = 0;

    trace_put_u(out, header->arch);
    trace_put_u(out, header->cpus);
    trace_put_u(out, header->page_shift);
    trace_put_u(out, header->linear_start);
    trace_put_u(out, header->linear_end);
    trace_put_u(out, header->linear_pa);
    trace_put_u(out, header->text);
    trace_put_u(out, header->ram_count);
    for (size_t i = 0; i < header->ram_count; i++) {
        trace_put_u(out, header->ram[i].start);
        trace_put_u(out, header->ram[i].end);
    }
    trace_put_u(out, header->extable_count);
    for (size_t i = 0; i < header->extable_count; i++) {
        const struct trace_extable *entry = &header->extable[i];

        trace_put_s(out, entry->pc - pc);
        trace_put_s(out, entry->fixup - entry->pc);
        trace_put_u(out, entry->type);
        trace_put_u(out, entry->info);
        pc = entry->pc;
    }
    put_text(out, header->facts);
    put_text(out, header->provenance);
    put_text(out, header->clock);
}

static char *get_text(struct trace_cursor *in)
{
    uint64_t size = trace_get_u(in);
    const uint8_t *from = trace_get_bytes(in, size);
    char *text = from ? calloc(size + 1, 1) : NULL;

    if (text)
        memcpy(text, from, size);
    in->starved |= from && !text;
    return text;
}

static void get_ram(struct trace_cursor *in, struct trace_header *header)
{
    uint64_t count = trace_get_u(in);

    if (count > HEADER_RANGES_MAX) {
        in->failed = true;
        return;
    }
    header->ram = calloc(count + 1, sizeof(*header->ram));
    header->ram_count = header->ram ? count : 0;
    in->starved |= !header->ram;
    for (size_t i = 0; i < header->ram_count; i++) {
        header->ram[i].start = trace_get_u(in);
        header->ram[i].end = trace_get_u(in);
    }
}

static void get_extable(struct trace_cursor *in, struct trace_header *header)
{
    uint64_t count = trace_get_u(in), pc = 0;

    if (count > HEADER_EXTABLE_MAX) {
        in->failed = true;
        return;
    }
    header->extable = calloc(count + 1, sizeof(*header->extable));
    header->extable_count = header->extable ? count : 0;
    in->starved |= !header->extable;
    for (size_t i = 0; i < header->extable_count; i++) {
        pc += trace_get_s(in);
        header->extable[i].pc = pc;
        header->extable[i].fixup = pc + trace_get_s(in);
        header->extable[i].type = (uint32_t)trace_get_u(in);
        header->extable[i].info = (uint32_t)trace_get_u(in);
    }
}

int native_get_header(struct trace_cursor *in, struct trace_header *header)
{
    uint64_t arch = trace_get_u(in), cpus = trace_get_u(in), shift = trace_get_u(in);

    *header = (struct trace_header){
        .arch = arch == TRACE_ARCH_X86_64 ? TRACE_ARCH_X86_64 : TRACE_ARCH_ARM64,
        .cpus = (unsigned int)cpus,
        .page_shift = (unsigned int)shift,
    };
    in->failed |= arch != header->arch || cpus < 1 || cpus > NATIVE_CPUS_MAX;
    in->failed |= shift < 12 || shift > 16;
    header->linear_start = trace_get_u(in);
    header->linear_end = trace_get_u(in);
    header->linear_pa = trace_get_u(in);
    header->text = trace_get_u(in);
    in->failed |= header->linear_end < header->linear_start;
    get_ram(in, header);
    get_extable(in, header);
    header->facts = get_text(in);
    header->provenance = get_text(in);
    header->clock = get_text(in);
    if (!in->failed && !in->starved && trace_left(in) == 0)
        return 0;
    trace_header_free(header);
    return -1;
}
