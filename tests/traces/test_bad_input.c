/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad input gets one message that names the file, the place, and what was expected: a corpus of
 * small files, and recordings each with one fault seeded.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/maker.h"

#define CORPUS SOURCE_DIR "/tests/traces/corpus/"

/* Opens and reads a native file; returns how many records came, -1 when it does not open. */
static long read_native(const char *path, struct trace_error *error)
{
    struct trace_source *source = trace_open(path, error);
    struct trace_block block;
    long count = 0;
    int status;

    if (!source)
        return -1;
    while ((status = source->next(source, &block, error)) == 1)
        count += (long)block.count;
    assert_int_equal(status, -1);
    source->close(source);
    return count;
}

static void check_file(const struct scratch *scratch, const char *name, const char *records,
                       const char *message)
{
    struct trace_import_stats stats;
    struct trace_error error = {""};
    char path[512];

    snprintf(path, sizeof(path), CORPUS "%s", name);
    if (strstr(name, ".fltrace")) {
        long want = records[0] == '-' ? -1 : strtol(records, NULL, 10);

        assert_int_equal(read_native(path, &error), want);
    } else {
        assert_int_equal(trace_import_ftrace(path, scratch_path(scratch, "t"), 1, &stats, &error),
                         -1);
        assert_null(fopen(scratch_path(scratch, "t"), "rb"));
    }
    if (!strstr(error.text, name) || !strstr(error.text, message))
        fail_msg("%s: \"%s\", expected \"%s\"", name, error.text, message);
}

static void each_file_of_the_corpus_gets_its_message(void **state)
{
    struct scratch scratch;
    char *text, *line, *next;
    size_t size, files = 0;

    (void)state;
    scratch_make(&scratch);
    text = (char *)file_read(CORPUS "expected.tsv", &size);
    for (line = text; *line; line = next) {
        char *records, *message;

        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        if (line[0] == '#')
            continue;
        records = strchr(line, '\t');
        assert_non_null(records);
        *records++ = '\0';
        message = strchr(records, '\t');
        assert_non_null(message);
        *message++ = '\0';
        check_file(&scratch, line, records, message);
        files++;
    }
    assert_int_equal(files, 27);
    free(text);
    scratch_remove(&scratch);
}

/* ---- recordings with one fault ---- */

static void begin(struct maker *maker)
{
    maker_begin(maker);
    maker_both(maker, 11, "zpwork-7", "tracing_mark_write: zp sync");
    maker_both(maker, 2, "a-1", "mm_page_free: page=1 pfn=0x40010 order=0");
}

static void save(struct maker *maker, struct scratch *scratch)
{
    scratch_make(scratch);
    maker_save(maker, scratch->dir);
    maker_free(maker);
}

static void refused(struct scratch *scratch, const char *message)
{
    struct trace_import_stats stats;
    struct trace_error error = {""};

    assert_int_equal(
        trace_import_recording(scratch->dir, scratch_path(scratch, "t"), 1, &stats, &error), -1);
    if (!strstr(error.text, message))
        fail_msg("\"%s\", expected \"%s\"", error.text, message);
    assert_null(fopen(scratch_path(scratch, "t"), "rb"));
}

static void finish(struct maker *maker, const char *message)
{
    struct scratch scratch;

    maker_both(maker, 11, "zpwork-7", "tracing_mark_write: zp end");
    maker_end(maker);
    save(maker, &scratch);
    refused(&scratch, message);
    scratch_remove(&scratch);
}

static void each_file_of_a_recording_must_be_there(void **state)
{
    static const char *const names[] = {"access.zprec.zst",  "trace.txt.xz",
                                        "facts.txt",         "extable.txt.xz",
                                        "donated-start.txt", "kpageflags-start.bin.xz"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct scratch scratch;
        struct maker maker;

        begin(&maker);
        maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp end");
        maker_end(&maker);
        save(&maker, &scratch);
        remove(scratch_path(&scratch, names[i]));
        refused(&scratch, "cannot open: No such file or directory");
        refused(&scratch, names[i]);
        scratch_remove(&scratch);
    }
}

/* Each packed file cut at each byte. */
static void a_cut_file_of_a_recording_is_refused(void **state)
{
    static const char *const names[] = {"access.zprec.zst", "trace.txt.xz", "extable.txt.xz",
                                        "kpageflags-start.bin.xz"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct scratch scratch;
        struct maker maker;
        uint8_t *bytes;
        size_t size;

        begin(&maker);
        maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp end");
        maker_end(&maker);
        save(&maker, &scratch);
        bytes = file_read(scratch_path(&scratch, names[i]), &size);
        for (size_t cut = 0; cut < size; cut++) {
            file_write(scratch_path(&scratch, names[i]), bytes, cut);
            refused(&scratch, names[i]);
        }
        free(bytes);
        scratch_remove(&scratch);
    }
}

static void a_line_too_few_or_of_another_kind_is_noticed(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_event(&maker, 1);
    finish(&maker, "CPU 0 has event 1, but its line 7 in the text has event 11");
    begin(&maker);
    maker_cpu(&maker, 1);
    maker_event(&maker, 1);
    finish(&maker, "CPU 1 has event 1, but its line 7 in the text has event 11");
    begin(&maker);
    maker_cpu(&maker, 1);
    maker_event(&maker, 2);
    maker_cpu(&maker, 0);
    finish(&maker, "CPU 1 has event 2, but its 0 lines in the text are used up");
}

static void a_line_too_many_is_noticed(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_line(&maker, "a-1", "mm_page_free: page=1 pfn=0x40010 order=0");
    finish(&maker, "the stream ends before the event of line 7 of the text");
}

static void a_line_later_than_an_interrupt_explains_is_noticed(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_event(&maker, 1);
    for (int i = 0; i < 16; i++)
        maker_both(&maker, 2, "a-1", "mm_page_free: page=1 pfn=0x40010 order=0");
    maker_line(&maker, "a-1", "mm_page_alloc: page=1 pfn=0x40010 order=0 gfp_flags=GFP_KERNEL");
    finish(&maker, "CPU 0 has event 1, but its line 7 in the text has event 2");
}

static void broken_streams_are_noticed(void **state)
{
    struct maker maker;
    struct scratch scratch;

    (void)state;
    begin(&maker);
    trace_put_u(&maker.stream, 10);
    finish(&maker, "an unknown record");
    begin(&maker);
    trace_put_u(&maker.stream, 16);
    trace_put_u(&maker.stream, 0);
    finish(&maker, "an access by a site that is not defined");
    begin(&maker);
    maker.accesses = 5;
    finish(&maker, "the end record promises another number of accesses than came");
    begin(&maker);
    maker_cpu(&maker, 2);
    maker.cpu = 0;
    finish(&maker, "a vCPU that the header does not have");
    begin(&maker);
    maker_event(&maker, 13);
    finish(&maker, "event 13 is unknown, expected 1 to 12");
    begin(&maker);
    for (int i = 0; i < 11; i++)
        trace_put_byte(&maker.stream, 0xff);
    finish(&maker, "a number of more than 64 bits");
    begin(&maker);
    maker.stream.at[0] = 'z';
    finish(&maker, "byte 0 of the decompressed stream: not an access stream: expected ZPREC001");
    begin(&maker);
    maker.stream.at[8] = 3;
    finish(&maker, "unknown architecture, expected 1 or 2 in byte 8");
    begin(&maker);
    maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp end");
    save(&maker, &scratch); /* without an end record */
    refused(&scratch, "truncated: expected records up to the end record");
    scratch_remove(&scratch);
}

static void broken_machine_files_are_noticed(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_print(&maker.facts, "overrun 7\n");
    finish(&maker, "facts.txt: line 18: expected no lost events");
    begin(&maker);
    maker_print(&maker.facts, "[addresses]\nlinear 1 2\n");
    finish(&maker, "facts.txt: line 19: expected linear: first and end address");
    begin(&maker);
    maker_print(&maker.facts, "[physical memory]\n2000 1000\n");
    finish(&maker, "facts.txt: line 19: expected first and last physical address");
    begin(&maker);
    maker.facts.size = 10;
    finish(&maker, "facts.txt: expected a line `linear` and a section [physical memory]");
    begin(&maker);
    maker_print(&maker.extable, "extable 1 2 3 4\n");
    finish(&maker, "extable.txt.xz: line 3: expected ascending addresses");
    begin(&maker);
    maker_print(&maker.extable, "extable 1 2 3\n");
    finish(&maker, "extable.txt.xz: line 3: expected extable, then address");
    begin(&maker);
    maker_print(&maker.donated, "0x40020 guest 3 page 87\nfour\n");
    finish(&maker, "donated-start.txt: line 2: expected a frame of RAM");
    begin(&maker);
    maker_print(&maker.donated, "0x90020 guest 3 page 87\n");
    finish(&maker, "donated-start.txt: line 1: expected a frame of RAM");
    begin(&maker);
    maker_print(&maker.flags, "123456789abc");
    finish(&maker, "kpageflags-start.bin.xz: byte 8: expected words of eight bytes");
}

static void a_text_without_its_sync_line_is_refused(void **state)
{
    struct maker maker;

    (void)state;
    maker_begin(&maker);
    maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp sink");
    finish(&maker, "trace.txt.xz: expected a line `zp sync`");
}

static void a_frame_outside_ram_is_refused(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_both(&maker, 2, "a-1", "mm_page_free: page=1 pfn=0x41000 order=0");
    finish(&maker, "trace.txt.xz: line 7: frame 0x41000 is outside the RAM of facts.txt");
}

static void impossible_gifts_are_refused(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_line(&maker, "zp-vmm-8", "give_at: (pkvm_create_hyp_vm+0xb4/0x298) addr=0x5000");
    finish(&maker, "line 7: expected give_at with an address in the direct map");
    begin(&maker);
    maker_line(&maker, "zp-vmm-8", "give_size: (f+0/0) size=4096");
    maker_line(&maker, "zp-vmm-8", "give_at: (pkvm_create_hyp_vm+0xb4/0x298) addr=0x%llx",
               (unsigned long long)MAKER_LINEAR);
    for (int i = 0; i < 3; i++)
        maker_hypercall(&maker, MAKER_CREATE + 8);
    finish(&maker, "more hypercalls of pkvm_create_hyp_vm than the text has VMs (1)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_of_the_corpus_gets_its_message),
        cmocka_unit_test(each_file_of_a_recording_must_be_there),
        cmocka_unit_test(a_cut_file_of_a_recording_is_refused),
        cmocka_unit_test(a_line_too_few_or_of_another_kind_is_noticed),
        cmocka_unit_test(a_line_too_many_is_noticed),
        cmocka_unit_test(a_line_later_than_an_interrupt_explains_is_noticed),
        cmocka_unit_test(broken_streams_are_noticed),
        cmocka_unit_test(broken_machine_files_are_noticed),
        cmocka_unit_test(a_text_without_its_sync_line_is_refused),
        cmocka_unit_test(a_frame_outside_ram_is_refused),
        cmocka_unit_test(impossible_gifts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
