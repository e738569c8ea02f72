/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small ELF executables as a struct: a good image of two segments, an exception table and two
 * functions, for tests to spoil before they write it to a file.
 */
#ifndef TESTS_SIM_ELF_H
#define TESTS_SIM_ELF_H

#include <elf.h>

#include "sim/sim.h"

enum { ELF_TEXT, ELF_DATA, ELF_PROGRAMS = 20 };
enum { ELF_SECTION_NULL, ELF_EXTABLE, ELF_SYMBOLS, ELF_STRINGS, ELF_SECTIONS };
enum { ELF_TEXT_BYTES = 256, ELF_DATA_WORDS = 16384 };

#define ELF_BASE UINT64_C(0xffffffff80000000)

struct elf_file {
    Elf64_Ehdr header;
    Elf64_Phdr program[ELF_PROGRAMS]; /* two of them are in use */
    Elf64_Shdr section[ELF_SECTIONS];
    uint64_t extable[2][2]; /* instruction, fixup; not in order */
    Elf64_Sym symbol[3];
    char strings[64];
    uint8_t text[ELF_TEXT_BYTES];  /* at ELF_BASE, where it starts */
    uint64_t data[ELF_DATA_WORDS]; /* at ELF_BASE + 0x1000, with as many zeroes behind it */
};

void elf_init(struct elf_file *file, enum trace_arch arch);
/* The `size` first bytes of it as a file; `path` gets its name. */
void elf_write(const struct elf_file *file, size_t size, char path[64]);

#endif
