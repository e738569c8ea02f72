/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest images: what is refused, by which words, and what a good one gives. */
#include "tests/support/cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/loader.h"
#include "tests/sim/support/elf.h"

static enum sim_status load(const struct elf_file *file, size_t size, struct sim_image *image,
                            char path[64], struct sim_error *error)
{
    enum sim_status status;

    elf_write(file, size, path);
    status = sim_image_load(image, path, error);
    unlink(path);
    return status;
}

/* Refused with "PATH: TEXT", exactly, and nothing stays allocated. */
static void refused_at(const struct elf_file *file, size_t size, const char *text)
{
    struct sim_error error = {0};
    struct sim_image image;
    char path[64], expected[600];

    assert_int_equal(load(file, size, &image, path, &error), SIM_BAD_INPUT);
    snprintf(expected, sizeof(expected), "%s: %s", path, text);
    assert_string_equal(error.text, expected);
    assert_null(image.file);
    assert_null(image.extable);
    assert_null(image.names);
}

static void refused(const struct elf_file *file, const char *text)
{
    refused_at(file, sizeof(*file), text);
}

static void a_good_image_gives_its_segments(void **state)
{
    struct sim_error error = {0};
    struct sim_image image;
    struct elf_file file;
    char path[64];

    (void)state;
    elf_init(&file, TRACE_ARCH_ARM64);
    file.text[3] = 0xd5;
    file.data[2] = 77;
    assert_int_equal(load(&file, sizeof(file), &image, path, &error), SIM_OK);
    assert_int_equal(image.arch, TRACE_ARCH_ARM64);
    assert_int_equal(image.entry, ELF_BASE);
    assert_int_equal(image.segments, 2);
    const struct sim_segment *text = &image.segment[0], *data = &image.segment[1];

    assert_int_equal(text->va, ELF_BASE);
    assert_int_equal(text->bytes, sizeof(file.text));
    assert_true(text->executable && !text->writable);
    assert_memory_equal(text->content, file.text, sizeof(file.text));
    assert_int_equal(data->va, ELF_BASE + 0x1000);
    assert_int_equal(data->file_bytes, sizeof(file.data));
    assert_int_equal(data->bytes, 2 * sizeof(file.data));
    assert_true(data->writable && !data->executable);
    assert_memory_equal(data->content, file.data, sizeof(file.data));
    sim_image_free(&image);
}

static void the_exception_table_is_sorted_by_instruction(void **state)
{
    struct sim_error error = {0};
    struct sim_image image;
    struct elf_file file;
    char path[64];

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    assert_int_equal(load(&file, sizeof(file), &image, path, &error), SIM_OK);
    assert_int_equal(image.arch, TRACE_ARCH_X86_64);
    assert_int_equal(image.extable_count, 2);
    assert_int_equal(image.extable[0].pc, ELF_BASE + 0x20);
    assert_int_equal(image.extable[0].fixup, ELF_BASE + 0x90);
    assert_int_equal(image.extable[1].pc, ELF_BASE + 0x40);
    assert_int_equal(image.extable[1].fixup, ELF_BASE + 0x80);
    sim_image_free(&image);
}

static void functions_are_named_with_their_addresses(void **state)
{
    struct sim_error error = {0};
    struct sim_image image;
    struct elf_file file;
    char path[64];

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    assert_int_equal(load(&file, sizeof(file), &image, path, &error), SIM_OK);
    assert_string_equal(image.names, "ffffffff80000000 first\nffffffff80000030 second\n");
    sim_image_free(&image);
}

static void a_function_with_a_line_end_in_its_name_is_left_out(void **state)
{
    struct sim_error error = {0};
    struct sim_image image;
    struct elf_file file;
    char path[64];

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    *strchr(strstr(file.strings + 28, "first"), 'r') = '\n';
    assert_int_equal(load(&file, sizeof(file), &image, path, &error), SIM_OK);
    assert_string_equal(image.names, "ffffffff80000030 second\n");
    sim_image_free(&image);
}

static void without_sections_there_is_no_exception_table(void **state)
{
    struct sim_error error = {0};
    struct sim_image image;
    struct elf_file file;
    char path[64];

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.header.e_shoff = file.header.e_shnum = file.header.e_shstrndx = 0;
    assert_int_equal(load(&file, sizeof(file), &image, path, &error), SIM_OK);
    assert_int_equal(image.extable_count, 0);
    assert_null(image.names);
    sim_image_free(&image);
}

static void a_file_that_is_not_there_is_refused(void **state)
{
    struct sim_error error = {0};
    struct sim_image image;

    (void)state;
    assert_int_equal(sim_image_load(&image, "/nowhere/image", &error), SIM_BAD_INPUT);
    assert_string_equal(error.text, "/nowhere/image: No such file or directory");
    assert_int_equal(sim_image_load(&image, "/", &error), SIM_BAD_INPUT);
    assert_string_equal(error.text, "/: expected an ELF file of at most 256 MiB");
}

static void what_is_no_elf_file_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    refused_at(&file, 0, "expected an ELF file of at most 256 MiB");
    refused_at(&file, 10, "byte 0: not an ELF file");
    file.header.e_ident[1] = 'F';
    refused(&file, "byte 0: not an ELF file");
}

static void another_class_or_byte_order_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.header.e_ident[EI_CLASS] = ELFCLASS32;
    refused(&file, "byte 4: expected a 64-bit little-endian ELF file");
    elf_init(&file, TRACE_ARCH_X86_64);
    file.header.e_ident[EI_DATA] = ELFDATA2MSB;
    refused(&file, "byte 4: expected a 64-bit little-endian ELF file");
}

static void another_machine_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.header.e_machine = EM_RISCV;
    refused(&file, "byte 18: machine 243, expected 183 (AArch64) or 62 (x86-64)");
}

static void what_is_not_linked_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.header.e_type = ET_DYN;
    refused(&file, "byte 16: type 3, expected 2: a linked, not relocatable executable");
}

static void program_headers_behind_the_end_are_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    refused_at(&file, sizeof(Elf64_Ehdr), "the program headers are not in the file");
    file.header.e_phoff = UINT64_MAX - 7;
    refused(&file, "the program headers are not in the file");
}

static void an_image_without_segments_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_TEXT].p_type = file.program[ELF_DATA].p_type = PT_NOTE;
    refused(&file, "no loadable segment");
}

static void a_segment_that_the_file_does_not_hold_is_refused(void **state)
{
    const size_t size = sizeof(struct elf_file);
    struct elf_file file;
    char text[200];

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_DATA].p_offset = size - 8;
    file.program[ELF_DATA].p_filesz = 16;
    snprintf(text, sizeof(text),
             "program header 1: bytes %zu to %zu are not in the file, which ends at %zu", size - 8,
             size + 8, size);
    refused(&file, text);
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_DATA].p_offset = UINT64_MAX - 7;
    file.program[ELF_DATA].p_filesz = 16;
    snprintf(text, sizeof(text),
             "program header 1: bytes 18446744073709551608 to 8 are not in the file, which ends at "
             "%zu",
             size);
    refused(&file, text);
}

static void a_segment_with_more_in_the_file_than_in_memory_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_TEXT].p_memsz = ELF_TEXT_BYTES - 1;
    refused(&file, "program header 0: 256 bytes in the file, but 255 in memory");
}

static void a_segment_outside_the_kernels_half_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_TEXT].p_vaddr = 0x400000;
    refused(&file,
            "program header 0: address 0x400000, size 0x100, expected a page of the kernel's "
            "half (from 0xffff000000000000) and at most 64 MiB");
    file.program[ELF_TEXT].p_vaddr = ELF_BASE + 8;
    refused(&file, "program header 0: address 0xffffffff80000008, size 0x100, expected a page of "
                   "the kernel's half (from 0xffff000000000000) and at most 64 MiB");
}

static void a_huge_segment_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_DATA].p_memsz = (UINT64_C(64) << 20) + 1;
    refused(&file, "program header 1: address 0xffffffff80001000, size 0x4000001, expected a page "
                   "of the kernel's half (from 0xffff000000000000) and at most 64 MiB");
}

static void a_segment_that_reaches_the_end_of_the_addresses_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_DATA].p_vaddr = UINT64_MAX - 0xfff;
    refused(&file, "program header 1: address 0xfffffffffffff000, size 0x40000, expected a page "
                   "of the kernel's half (from 0xffff000000000000) and at most 64 MiB");
    /* Rounded up to pages it would end at 0, and hide every overlap. */
    file.program[ELF_DATA].p_memsz = file.program[ELF_DATA].p_filesz = 16;
    refused(&file, "program header 1: address 0xfffffffffffff000, size 0x10, expected a page "
                   "of the kernel's half (from 0xffff000000000000) and at most 64 MiB");
}

static void segments_that_share_a_page_or_are_not_in_order_are_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.program[ELF_DATA].p_vaddr = ELF_BASE;
    refused(&file, "program header 1: address 0xffffffff80000000 shares a page with the segment "
                   "before, or is below it");
    file.program[ELF_TEXT].p_memsz = 0x1001;
    file.program[ELF_DATA].p_vaddr = ELF_BASE + 0x1000;
    refused(&file, "program header 1: address 0xffffffff80001000 shares a page with the segment "
                   "before, or is below it");
    file.program[ELF_TEXT].p_memsz = ELF_TEXT_BYTES;
    file.program[ELF_DATA].p_vaddr = ELF_BASE - 0x10000;
    refused(&file, "program header 1: address 0xffffffff7fff0000 shares a page with the segment "
                   "before, or is below it");
}

static void more_segments_than_there_is_room_for_are_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    for (unsigned int i = 1; i < ELF_PROGRAMS; i++) {
        file.program[i] = file.program[ELF_TEXT];
        file.program[i].p_vaddr += i * 0x1000;
    }
    file.header.e_phnum = SIM_SEGMENTS_MAX + 1;
    refused(&file, "program header 16: more than 16 loadable segments");
}

static void an_entry_point_outside_executable_segments_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.header.e_entry = ELF_BASE + ELF_TEXT_BYTES;
    refused(&file, "entry point 0xffffffff80000100 is in no executable segment");
    file.header.e_entry = ELF_BASE + 0x1000;
    refused(&file, "entry point 0xffffffff80001000 is in no executable segment");
}

static void an_exception_table_that_is_cut_short_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.section[ELF_EXTABLE].sh_size = 24;
    refused(&file, "section __ex_table: 24 bytes, expected a multiple of 16: pairs of instruction "
                   "and fixup address");
}

static void an_exception_table_outside_the_file_is_refused(void **state)
{
    struct elf_file file;

    (void)state;
    elf_init(&file, TRACE_ARCH_X86_64);
    file.section[ELF_EXTABLE].sh_offset = sizeof(file);
    refused(&file, "section __ex_table: its data is not in the file");
    elf_init(&file, TRACE_ARCH_X86_64);
    file.section[ELF_EXTABLE].sh_size = UINT64_C(1) << 60;
    refused(&file, "section __ex_table: its data is not in the file");
    file.section[ELF_EXTABLE].sh_size = 32;
    file.section[ELF_EXTABLE].sh_type = SHT_NOBITS; /* has a size, but nothing in the file */
    refused(&file, "section __ex_table: its data is not in the file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_image_gives_its_segments),
        cmocka_unit_test(the_exception_table_is_sorted_by_instruction),
        cmocka_unit_test(functions_are_named_with_their_addresses),
        cmocka_unit_test(a_function_with_a_line_end_in_its_name_is_left_out),
        cmocka_unit_test(without_sections_there_is_no_exception_table),
        cmocka_unit_test(a_file_that_is_not_there_is_refused),
        cmocka_unit_test(what_is_no_elf_file_is_refused),
        cmocka_unit_test(another_class_or_byte_order_is_refused),
        cmocka_unit_test(another_machine_is_refused),
        cmocka_unit_test(what_is_not_linked_is_refused),
        cmocka_unit_test(program_headers_behind_the_end_are_refused),
        cmocka_unit_test(an_image_without_segments_is_refused),
        cmocka_unit_test(a_segment_that_the_file_does_not_hold_is_refused),
        cmocka_unit_test(a_segment_with_more_in_the_file_than_in_memory_is_refused),
        cmocka_unit_test(a_segment_outside_the_kernels_half_is_refused),
        cmocka_unit_test(a_huge_segment_is_refused),
        cmocka_unit_test(a_segment_that_reaches_the_end_of_the_addresses_is_refused),
        cmocka_unit_test(segments_that_share_a_page_or_are_not_in_order_are_refused),
        cmocka_unit_test(more_segments_than_there_is_room_for_are_refused),
        cmocka_unit_test(an_entry_point_outside_executable_segments_is_refused),
        cmocka_unit_test(an_exception_table_that_is_cut_short_is_refused),
        cmocka_unit_test(an_exception_table_outside_the_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
