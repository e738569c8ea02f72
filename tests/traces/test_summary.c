/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What trace info counts and prints, and the lines of a dump, exactly. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/sample.h"

static void event(struct trace_writer *writer, enum trace_kind kind, uint64_t addr, uint64_t a,
                  uint64_t b, uint64_t c, uint32_t owner, const char *text)
{
    struct trace_event arguments = {.a = a, .b = b, .c = c, .owner = owner};
    struct trace_error error = {""};

    assert_int_equal(trace_write_event(writer, kind, 1, addr, &arguments, text, &error), 0);
}

static void access_by(struct trace_writer *writer, bool store, bool zeropad, uint64_t va)
{
    struct trace_site site = {
        .pc = 0xffff800080000100, .size_log2 = 3, .store = store, .zeropad = zeropad};
    struct trace_error error = {""};

    assert_int_equal(trace_write_access(writer, 0, trace_write_site(writer, &site), va, &error), 0);
}

static void write_trace(const char *path)
{
    struct trace_header header = sample_header();
    struct trace_error error = {""};
    struct trace_writer *writer = trace_create(path, &header, 1, &error);

    assert_non_null(writer);
    event(writer, TRACE_DONATE, 0x40008000, 2, 3, 0, 0x202, NULL);
    access_by(writer, true, false, 0x1000);
    event(writer, TRACE_MARK, 0, TRACE_MARK_PHASE, 0, 4, 0, "busy");
    access_by(writer, false, true, 0xffff000000007ffa); /* into an unmapped page */
    event(writer, TRACE_KFAULT, 0xffff000000008000, 1, 2, TRACE_OUTCOME_REPAIRED, 0, NULL);
    event(writer, TRACE_DONATE, 0x40010000, 1, 0, 0, 1, NULL);
    access_by(writer, false, true, 0xffff00000000fff9);  /* into a mapped one */
    access_by(writer, false, true, 0xffff00000000fff8);  /* just not */
    access_by(writer, false, true, 0xffff00000001fffd);  /* into nobody's */
    access_by(writer, false, false, 0xffff00000001fffd); /* crossing, but no zeropad load */
    access_by(writer, true, false, 0xffff000000010000);  /* the donated page itself */
    event(writer, TRACE_RECLAIM, 0x40008000, 2, 3, 0, 0x202, NULL);
    event(writer, TRACE_RECLAIM, 0x40008000, 1, 0, 0, 0x202, NULL); /* not donated */
    event(writer, TRACE_SWITCH, 0, 7, 0, 0, 0, NULL);
    event(writer, TRACE_FLUSH, 0x1000, 0x2000, 0, 0, 0, NULL);
    event(writer, TRACE_UNSHARE, 0x40010000, 1, 0, 0, 2, NULL);
    assert_int_equal(trace_finish(writer, &error), 0);
}

static char *printed(void (*print)(struct trace_source *source, FILE *out))
{
    struct trace_error error = {""};
    struct scratch scratch;
    struct trace_source *source;
    char *text;
    size_t size;
    FILE *out;

    scratch_make(&scratch);
    write_trace(scratch_path(&scratch, "t"));
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    out = fopen(scratch_path(&scratch, "out"), "w");
    assert_non_null(out);
    print(source, out);
    fclose(out);
    source->close(source);
    text = (char *)file_read(scratch_path(&scratch, "out"), &size);
    scratch_remove(&scratch);
    return text;
}

static void print_summary(struct trace_source *source, FILE *out)
{
    struct trace_summary summary;
    struct trace_error error = {""};

    assert_int_equal(trace_summarise(source, &summary, &error), 0);
    trace_summary_print(&summary, source->header(source), out);
    trace_summary_free(&summary);
}

static void print_dump(struct trace_source *source, FILE *out)
{
    struct trace_error error = {""};

    assert_int_equal(trace_dump(source, out, &error), 0);
}

static void a_summary_counts_by_kind_and_phase(void **state)
{
    char *text = printed(print_summary);

    (void)state;
    assert_string_equal(
        text,
        "machine        arm64, 4 CPUs, 4 KiB pages, 2 exception table entries\n"
        "direct map     ffff000000000000 to ffff000040000000 maps pa 40000000\n"
        "kernel code    from ffff800080000000\n"
        "ram            40000000 to 80000000 (1024 MiB)\n"
        "ram            880000000 to 8c0000000 (1024 MiB)\n"
        "clock          ticks\n"
        "made           by hand\n"
        "records        16, from 3 access sites\n"
        "  access       7\n"
        "  donate       2\n"
        "  reclaim      2\n"
        "  unshare      1\n"
        "  kfault       1\n"
        "  flush        1\n"
        "  switch       1\n"
        "  mark         1\n"
        "accesses       2 stores, 6 through the direct map, 1 to user addresses\n"
        "footprint      4 pages of the direct map, 1 others\n"
        "zeropad loads  4, of these 3 cross a page end: 1 into a donated page that was unmapped, 1 "
        "into one still mapped\n"
        "donated pages  2 at the start, at most 3, 1 at the end; other accesses to them 1, "
        "impossible changes 1\n"
        "faults         1 repaired, 0 ended in a panic, 0 others\n"
        "\n"
        "phase           position    accesses    alloc     free   donate  reclaim   kfault  crossin"
        "g  unmapped  mapped donated    peak\n"
        "-                      0           1        0        0        1        0        0         "
        "0         0       0       2       2\n"
        "busy                   2           6        0        0        1        2        1         "
        "3         1       1       1       3\n");
    free(text);
}

static void a_dump_has_one_line_a_record(void **state)
{
    char *text = printed(print_dump);

    (void)state;
    assert_string_equal(text,
                        "0 cpu1 donate pa=40008000 pages=2 owner=guest.2 unmapped initial\n"
                        "1 cpu0 store8 va=0000000000001000 pc=ffff800080000100\n"
                        "2 cpu1 mark phase \"busy\"\n"
                        "3 cpu0 load8 va=ffff000000007ffa pc=ffff800080000100 zeropad\n"
                        "4 cpu1 kfault va=ffff000000008000 pc=0000000000000001 esr=2 repaired\n"
                        "5 cpu1 donate pa=40010000 pages=1 owner=hyp.0\n"
                        "6 cpu0 load8 va=ffff00000000fff9 pc=ffff800080000100 zeropad\n"
                        "7 cpu0 load8 va=ffff00000000fff8 pc=ffff800080000100 zeropad\n"
                        "8 cpu0 load8 va=ffff00000001fffd pc=ffff800080000100 zeropad\n"
                        "9 cpu0 load8 va=ffff00000001fffd pc=ffff800080000100\n"
                        "10 cpu0 store8 va=ffff000000010000 pc=ffff800080000100\n"
                        "11 cpu1 reclaim pa=40008000 pages=2 owner=guest.2 unmapped initial\n"
                        "12 cpu1 reclaim pa=40008000 pages=1 owner=guest.2\n"
                        "13 cpu1 switch addr=0 a=7 b=0\n"
                        "14 cpu1 flush va=0000000000001000 end=0000000000002000\n"
                        "15 cpu1 unshare pa=40010000 pages=1 owner=guest.0\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_summary_counts_by_kind_and_phase),
        cmocka_unit_test(a_dump_has_one_line_a_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
