/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only user of libelf. */
#include "sim/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES  UINT64_C(4096)
#define IMAGE_BYTES (UINT64_C(64) << 20) /* memory of a segment */
#define KERNEL_HALF (UINT64_C(0xffff) << 48)

struct loader {
    struct sim_image *image;
    const char *path;
    struct sim_error *error;
    Elf *elf;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static enum sim_status refuse(const struct loader *loader,
                                                                    const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sim_fail(loader->error, SIM_BAD_INPUT, "%s: %s", loader->path, text);
}

static enum sim_status read_file(struct loader *loader)
{
    int fd = open(loader->path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    size_t done = 0;

    if (fd < 0)
        return refuse(loader, "%s", strerror(errno));
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_size <= 0 ||
        (uint64_t)stat.st_size > 4 * IMAGE_BYTES) {
        close(fd);
        return refuse(loader, "expected an ELF file of at most %" PRIu64 " MiB",
                      4 * IMAGE_BYTES >> 20);
    }
    loader->size = (size_t)stat.st_size;
    loader->image->file = malloc(loader->size);
    while (loader->image->file && done < loader->size) {
        ssize_t got = read(fd, (char *)loader->image->file + done, loader->size - done);

        if (got <= 0)
            break;
        done += (size_t)got;
    }
    close(fd);
    if (!loader->image->file)
        return sim_fail(loader->error, SIM_INTERNAL, "out of memory");
    return done == loader->size ? SIM_OK : refuse(loader, "read error at byte %zu", done);
}

static enum sim_status read_header(struct loader *loader)
{
    struct sim_image *image = loader->image;
    GElf_Ehdr header;

    if (elf_version(EV_CURRENT) == EV_NONE)
        return sim_fail(loader->error, SIM_INTERNAL, "libelf: %s", elf_errmsg(-1));
    loader->elf = elf_memory(image->file, loader->size);
    if (!loader->elf || elf_kind(loader->elf) != ELF_K_ELF || !gelf_getehdr(loader->elf, &header))
        return refuse(loader, "byte 0: not an ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
        return refuse(loader, "byte 4: expected a 64-bit little-endian ELF file");
    if (header.e_machine != EM_AARCH64 && header.e_machine != EM_X86_64)
        return refuse(loader, "byte 18: machine %u, expected %u (AArch64) or %u (x86-64)",
                      header.e_machine, EM_AARCH64, EM_X86_64);
    if (header.e_type != ET_EXEC)
        return refuse(loader, "byte 16: type %u, expected %u: a linked, not relocatable executable",
                      header.e_type, ET_EXEC);
    image->arch = header.e_machine == EM_AARCH64 ? TRACE_ARCH_ARM64 : TRACE_ARCH_X86_64;
    image->entry = header.e_entry;
    return SIM_OK;
}

static enum sim_status add_segment(struct loader *loader, size_t index, const GElf_Phdr *program)
{
    struct sim_image *image = loader->image;
    const struct sim_segment *last = image->segments ? &image->segment[image->segments - 1] : NULL;

    if (image->segments == SIM_SEGMENTS_MAX)
        return refuse(loader, "program header %zu: more than %d loadable segments", index,
                      SIM_SEGMENTS_MAX);
    if (program->p_filesz > program->p_memsz)
        return refuse(
            loader, "program header %zu: %" PRIu64 " bytes in the file, but %" PRIu64 " in memory",
            index, (uint64_t)program->p_filesz, (uint64_t)program->p_memsz);
    if (program->p_offset > loader->size || program->p_filesz > loader->size - program->p_offset)
        return refuse(loader,
                      "program header %zu: bytes %" PRIu64 " to %" PRIu64
                      " are not in the file, which ends at %zu",
                      index, (uint64_t)program->p_offset,
                      (uint64_t)(program->p_offset + program->p_filesz), loader->size);
    if (program->p_vaddr % PAGE_BYTES || program->p_vaddr < KERNEL_HALF ||
        program->p_memsz > IMAGE_BYTES ||
        program->p_vaddr > (uint64_t)-PAGE_BYTES - program->p_memsz)
        return refuse(loader,
                      "program header %zu: address 0x%" PRIx64 ", size 0x%" PRIx64
                      ", expected a page of the kernel's half (from 0x%" PRIx64
                      ") and at most %" PRIu64 " MiB",
                      index, (uint64_t)program->p_vaddr, (uint64_t)program->p_memsz, KERNEL_HALF,
                      IMAGE_BYTES >> 20);
    if (last && program->p_vaddr < ((last->va + last->bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1)))
        return refuse(loader,
                      "program header %zu: address 0x%" PRIx64
                      " shares a page with the segment before, or is below it",
                      index, (uint64_t)program->p_vaddr);
    image->segment[image->segments++] = (struct sim_segment){
        .va = program->p_vaddr,
        .bytes = program->p_memsz,
        .file_bytes = program->p_filesz,
        .content = (const uint8_t *)image->file + program->p_offset,
        .writable = (program->p_flags & PF_W) != 0,
        .executable = (program->p_flags & PF_X) != 0,
    };
    return SIM_OK;
}

static enum sim_status read_segments(struct loader *loader)
{
    struct sim_image *image = loader->image;
    size_t count;
    bool entered = false;

    if (elf_getphdrnum(loader->elf, &count) != 0)
        return refuse(loader, "the program headers are not in the file");
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr program;
        enum sim_status status;

        if (!gelf_getphdr(loader->elf, (int)i, &program))
            return refuse(loader, "program header %zu: %s", i, elf_errmsg(-1));
        if (program.p_type != PT_LOAD || !program.p_memsz)
            continue;
        if ((status = add_segment(loader, i, &program)) != SIM_OK)
            return status;
        const struct sim_segment *segment = &image->segment[image->segments - 1];

        entered |= segment->executable && image->entry - segment->va < segment->bytes;
    }
    if (!image->segments)
        return refuse(loader, "no loadable segment");
    if (!entered)
        return refuse(loader, "entry point 0x%" PRIx64 " is in no executable segment",
                      image->entry);
    return SIM_OK;
}

static int by_pc(const void *a, const void *b)
{
    const struct trace_extable *x = a, *y = b;

    return x->pc < y->pc ? -1 : x->pc > y->pc;
}

/* Pairs of 64-bit addresses: instruction, fixup. */
static enum sim_status read_extable(struct loader *loader, Elf_Scn *section)
{
    struct sim_image *image = loader->image;
    Elf_Data *data = elf_getdata(section, NULL);

    if (!data || !data->d_buf)
        return refuse(loader, "section __ex_table: its data is not in the file");
    if (data->d_size % 16)
        return refuse(loader,
                      "section __ex_table: %zu bytes, expected a multiple of 16: pairs of "
                      "instruction and fixup address",
                      (size_t)data->d_size);
    free(image->extable);
    image->extable_count = data->d_size / 16;
    image->extable = calloc(image->extable_count + 1, sizeof(*image->extable));
    if (!image->extable)
        return sim_fail(loader->error, SIM_INTERNAL, "out of memory");
    for (size_t i = 0; i < image->extable_count; i++) {
        memcpy(&image->extable[i].pc, (const char *)data->d_buf + i * 16, 8);
        memcpy(&image->extable[i].fixup, (const char *)data->d_buf + i * 16 + 8, 8);
    }
    qsort(image->extable, image->extable_count, sizeof(*image->extable), by_pc);
    return SIM_OK;
}

/* Functions by address, as the facts of a recording name its instructions. */
static void read_names(struct loader *loader, Elf_Scn *section, size_t strings)
{
    Elf_Data *data = elf_getdata(section, NULL);
    FILE *out;
    size_t size;
    GElf_Sym symbol;

    if (!data || loader->image->names)
        return;
    out = open_memstream(&loader->image->names, &size);
    if (!out)
        return;
    for (int i = 0; gelf_getsym(data, i, &symbol); i++) {
        const char *name = elf_strptr(loader->elf, strings, symbol.st_name);

        /* One line each. */
        if (GELF_ST_TYPE(symbol.st_info) == STT_FUNC && name && !strchr(name, '\n'))
            fprintf(out, "%" PRIx64 " %s\n", (uint64_t)symbol.st_value, name);
    }
    fclose(out);
}

static enum sim_status read_sections(struct loader *loader)
{
    enum sim_status status = SIM_OK;
    Elf_Scn *section = NULL;
    size_t names;

    if (elf_getshdrstrndx(loader->elf, &names) != 0)
        return SIM_OK; /* without sections there is nothing to repair */
    while (status == SIM_OK && (section = elf_nextscn(loader->elf, section))) {
        GElf_Shdr header;
        const char *name;

        if (!gelf_getshdr(section, &header))
            return refuse(loader, "section %zu: %s", elf_ndxscn(section), elf_errmsg(-1));
        name = elf_strptr(loader->elf, names, header.sh_name);
        if (name && strcmp(name, "__ex_table") == 0 && header.sh_size)
            status = read_extable(loader, section);
        else if (header.sh_type == SHT_SYMTAB)
            read_names(loader, section, header.sh_link);
    }
    return status;
}

enum sim_status sim_image_load(struct sim_image *image, const char *path, struct sim_error *error)
{
    struct loader loader = {.image = image, .path = path, .error = error};
    enum sim_status status;

    *image = (struct sim_image){0};
    if ((status = read_file(&loader)) == SIM_OK && (status = read_header(&loader)) == SIM_OK &&
        (status = read_segments(&loader)) == SIM_OK)
        status = read_sections(&loader);
    if (loader.elf)
        elf_end(loader.elf);
    if (status != SIM_OK)
        sim_image_free(image);
    return status;
}

void sim_image_free(struct sim_image *image)
{
    free(image->extable);
    free(image->names);
    free(image->file);
    *image = (struct sim_image){0};
}
