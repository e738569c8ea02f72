/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/support/elf.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/cmocka_all.h"

static const char strings[] = "\0__ex_table\0.symtab\0.strtab\0first\0second";
enum { NAME_EXTABLE = 1, NAME_SYMTAB = 12, NAME_STRTAB = 20, NAME_FIRST = 28, NAME_SECOND = 34 };

static void add_section(struct elf_file *file, unsigned int index, Elf64_Word name, Elf64_Word type,
                        size_t offset, size_t size)
{
    file->section[index] = (Elf64_Shdr){
        .sh_name = name, .sh_type = type, .sh_offset = offset, .sh_size = size, .sh_addralign = 1};
}

static Elf64_Sym function(Elf64_Word name, uint64_t offset)
{
    return (Elf64_Sym){.st_name = name,
                       .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                       .st_shndx = SHN_ABS,
                       .st_value = ELF_BASE + offset};
}

void elf_init(struct elf_file *file, enum trace_arch arch)
{
    memset(file, 0, sizeof(*file));
    file->header = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = arch == TRACE_ARCH_ARM64 ? EM_AARCH64 : EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = ELF_BASE,
        .e_phoff = offsetof(struct elf_file, program),
        .e_shoff = offsetof(struct elf_file, section),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 2,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = ELF_SECTIONS,
        .e_shstrndx = ELF_STRINGS,
    };
    file->program[ELF_TEXT] = (Elf64_Phdr){.p_type = PT_LOAD,
                                           .p_flags = PF_R | PF_X,
                                           .p_offset = offsetof(struct elf_file, text),
                                           .p_vaddr = ELF_BASE,
                                           .p_filesz = sizeof(file->text),
                                           .p_memsz = sizeof(file->text)};
    file->program[ELF_DATA] = (Elf64_Phdr){.p_type = PT_LOAD,
                                           .p_flags = PF_R | PF_W,
                                           .p_offset = offsetof(struct elf_file, data),
                                           .p_vaddr = ELF_BASE + 0x1000,
                                           .p_filesz = sizeof(file->data),
                                           .p_memsz = 2 * sizeof(file->data)};
    add_section(file, ELF_EXTABLE, NAME_EXTABLE, SHT_PROGBITS, offsetof(struct elf_file, extable),
                sizeof(file->extable));
    add_section(file, ELF_SYMBOLS, NAME_SYMTAB, SHT_SYMTAB, offsetof(struct elf_file, symbol),
                sizeof(file->symbol));
    file->section[ELF_SYMBOLS].sh_link = ELF_STRINGS;
    file->section[ELF_SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
    add_section(file, ELF_STRINGS, NAME_STRTAB, SHT_STRTAB, offsetof(struct elf_file, strings),
                sizeof(file->strings));
    memcpy(file->strings, strings, sizeof(strings));
    file->extable[0][0] = ELF_BASE + 0x40;
    file->extable[0][1] = ELF_BASE + 0x80;
    file->extable[1][0] = ELF_BASE + 0x20;
    file->extable[1][1] = ELF_BASE + 0x90;
    file->symbol[1] = function(NAME_FIRST, 0);
    file->symbol[2] = function(NAME_SECOND, 0x30);
}

void elf_write(const struct elf_file *file, size_t size, char path[64])
{
    int fd;

    snprintf(path, 64, "/tmp/faultline-elf-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file, size), size);
    close(fd);
}
