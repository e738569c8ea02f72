/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others recorded: perf script, trace.dat of trace-cmd, lackey of valgrind. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/maker.h"
#include "tests/traces/support/tracedat.h"
#include "traces/trace.h"

typedef int import_fn(const char *path, const char *out, int level,
                      struct trace_import_stats *stats, struct trace_error *error);

/* A folder with the facts of a machine. */
static void begin(struct scratch *scratch)
{
    struct maker maker;

    scratch_make(scratch);
    maker_begin(&maker);
    maker_end(&maker);
    maker_save(&maker, scratch->dir);
    maker_free(&maker);
}

static void expect_dump(const struct scratch *scratch, import_fn *import, const char *expected)
{
    struct trace_error error = {""};
    struct trace_import_stats stats;
    struct trace_source *source;
    FILE *out;
    size_t size;

    if (import(scratch_path(scratch, "in"), scratch_path(scratch, "t"), 1, &stats, &error) < 0)
        fail_msg("%s", error.text);
    source = trace_open(scratch_path(scratch, "t"), &error);
    out = fopen(scratch_path(scratch, "dump"), "w");
    assert_non_null(source);
    assert_non_null(out);
    assert_int_equal(trace_dump(source, out, &error), 0);
    fclose(out);
    source->close(source);
    char *dump = (char *)file_read(scratch_path(scratch, "dump"), &size);

    assert_string_equal(dump, expected);
    free(dump);
}

static void expect_refused(const struct scratch *scratch, import_fn *import, const char *message)
{
    struct trace_error error = {""};
    struct trace_import_stats stats;
    FILE *out;

    assert_int_equal(
        import(scratch_path(scratch, "in"), scratch_path(scratch, "none"), 1, &stats, &error), -1);
    if (!strstr(error.text, message))
        fail_msg("%s", error.text);
    out = fopen(scratch_path(scratch, "none"), "r");
    assert_null(out);
}

static void write_in(const struct scratch *scratch, const char *text)
{
    file_write(scratch_path(scratch, "in"), text, strlen(text));
}

static void expect_kind(const struct scratch *scratch, enum trace_input_kind kind)
{
    enum trace_input_kind got;
    struct trace_error error = {""};

    assert_int_equal(trace_recognise(scratch_path(scratch, "in"), &got, &error), 0);
    assert_int_equal(got, kind);
}

/* ---- perf ---- */

static void tracepoints_of_perf_are_events_and_samples_accesses(void **state)
{
    struct scratch scratch;

    (void)state;
    begin(&scratch);
    write_in(
        &scratch,
        "# captured on: some day\n#\n"
        "     a 1 [000]     1.000001:          kmem:mm_page_alloc: page=0x1 pfn=0x40010 order=0 "
        "migratetype=0 gfp_flags=GFP_KERNEL\n"
        "  b c 2/3 [001]     1.000002:   1 kmem:mm_page_free: page=0x1 pfn=0x40010 order=0\n"
        "     a 1/1 [001]     1.000003: sched:sched_switch: something else=1\n"
        "     a 1 [001]     1.000004: cpu/mem-loads,ldlat=30/P: ffff000000010008 "
        "ffff800080001000\n"
        "     a 1 [000]     1.000005:     7 mem-stores: ffff000000010010 ffff800080001004 f+0x4\n"
        "     a 1 [000]     1.000006: mem-stores:     7ffd1000 ffff800080001004\n");
    expect_kind(&scratch, TRACE_INPUT_PERF);
    expect_dump(&scratch, trace_import_perf,
                "0 cpu0 mark start \"perf\"\n"
                "1 cpu0 alloc pa=40010000 order=0 class=kernel migratetype=0 task=1 clock=1000001\n"
                "2 cpu1 free pa=40010000 order=0 task=3 clock=1000002\n"
                "3 cpu1 load1 va=ffff000000010008 pc=ffff800080001000\n"
                "4 cpu0 store1 va=ffff000000010010 pc=ffff800080001004\n"
                "5 cpu0 mark end \"end\" clock=1000006\n");
    scratch_remove(&scratch);
}

static void line_that_is_not_of_perf_is_refused_with_its_number(void **state)
{
    struct scratch scratch;

    (void)state;
    begin(&scratch);
    write_in(&scratch, "a 1 [000] 1.000001: kmem:mm_page_free: pfn=0x40010 order=0\nnonsense\n");
    expect_refused(&scratch, trace_import_perf,
                   "in: line 2: expected task pid [cpu] time: event: arguments");
    write_in(&scratch, "a 1 [000] 1.000001: kmem:mm_page_free: pfn=0x40010\n");
    expect_refused(&scratch, trace_import_perf, "in: line 1: expected pfn= and order=");
    write_in(&scratch, "a 1 [999] 1.000001: kmem:mm_page_free: pfn=0x40010 order=0\n");
    expect_refused(&scratch, trace_import_perf, "in: line 1: expected");
    scratch_remove(&scratch);
}

/* ---- trace.dat ---- */

static void trace_dat_gives_what_the_text_of_the_same_events_gives(void **state)
{
    static const char expected[] =
        "0 cpu0 mark start \"%s\"\n"
        "1 cpu0 mark start \"zp sync\" task=1 clock=1000000\n"
        "2 cpu0 alloc pa=40010000 order=0 class=kernel migratetype=0 task=2 clock=1000002\n"
        "3 cpu0 alloc pa=40012000 order=1 class=kernel migratetype=0 task=1 clock=1000010\n"
        "4 cpu0 mark end \"end\" clock=1000010\n";
    struct scratch scratch;
    struct tracedat dat;
    char text[1024];

    (void)state;
    begin(&scratch);
    tracedat_begin(&dat);
    tracedat_marker(&dat, 1000000000, 1, "zp sync");
    tracedat_alloc(&dat, 1000002000, 2, 0x40010, 0);
    tracedat_alloc(&dat, 1000010000, 1, 0x40012, 1);
    tracedat_save(&dat, scratch_path(&scratch, "in"));
    expect_kind(&scratch, TRACE_INPUT_TRACE_DAT);
    snprintf(text, sizeof(text), expected, "trace.dat");
    expect_dump(&scratch, trace_import_trace_dat, text);
    write_in(&scratch,
             "      a-1     [000] .....     1.000000: tracing_mark_write: zp sync\n"
             " zp-vmm-2     [000] .....     1.000002: mm_page_alloc: page=1 pfn=0x40010 order=0 "
             "migratetype=0 gfp_flags=GFP_KERNEL\n"
             "      a-1     [000] .....     1.000010: mm_page_alloc: page=1 pfn=0x40012 order=1 "
             "migratetype=0 gfp_flags=GFP_KERNEL\n");
    expect_kind(&scratch, TRACE_INPUT_FTRACE);
    snprintf(text, sizeof(text), expected, "ftrace");
    expect_dump(&scratch, trace_import_ftrace, text);
    scratch_remove(&scratch);
}

static void lost_events_of_a_trace_dat_are_refused(void **state)
{
    struct scratch scratch;
    struct tracedat dat;

    (void)state;
    begin(&scratch);
    tracedat_begin(&dat);
    tracedat_alloc(&dat, 1000002000, 2, 0x40010, 0);
    dat.lost = true;
    tracedat_save(&dat, scratch_path(&scratch, "in"));
    expect_refused(&scratch, trace_import_trace_dat,
                   "expected no lost events: the trace buffer was too small");
    scratch_remove(&scratch);
}

/* Wherever it is cut, and whatever single byte is broken: a message or an import, never a crash. */
static void broken_trace_dat_never_ends_the_program(void **state)
{
    struct trace_error error = {""};
    struct trace_import_stats stats;
    struct scratch scratch;
    struct tracedat dat;
    size_t size;

    (void)state;
    begin(&scratch);
    tracedat_begin(&dat);
    tracedat_alloc(&dat, 1000002000, 2, 0x40010, 0);
    tracedat_save(&dat, scratch_path(&scratch, "in"));
    uint8_t *whole = file_read(scratch_path(&scratch, "in"), &size);

    for (size_t cut = 0; cut < 2600; cut += 100) {
        file_write(scratch_path(&scratch, "in"), whole, cut);
        expect_refused(&scratch, trace_import_trace_dat,
                       "in: expected a whole trace.dat of trace-cmd, but libtracecmd ");
    }
    for (size_t at = 0; at < 2600; at += 37) {
        whole[at] ^= 0xff;
        file_write(scratch_path(&scratch, "in"), whole, size);
        error.text[0] = '\0';
        if (trace_import_trace_dat(scratch_path(&scratch, "in"), scratch_path(&scratch, "t"), 1,
                                   &stats, &error) < 0)
            assert_non_null(strstr(error.text, "in: "));
        whole[at] ^= 0xff;
    }
    free(whole);
    scratch_remove(&scratch);
}

/* ---- lackey ---- */

static void pages_of_a_program_are_frames_in_the_order_of_first_touch(void **state)
{
    struct scratch scratch;

    (void)state;
    scratch_make(&scratch);
    write_in(&scratch, "==12== Lackey, an example Valgrind tool\n"
                       "I  04001000,3\n"
                       " L 1ffeffe7e0,8\n"
                       "I  04001003,4\n"
                       " S 04222c98,8\n"
                       " M 1ffeffe7e4,10\n"
                       " L 04222ffe,4\n");
    expect_kind(&scratch, TRACE_INPUT_LACKEY);
    expect_dump(&scratch, trace_import_lackey,
                "0 cpu0 load8 va=ffff0000000007e0 pc=0000000004001000\n"
                "1 cpu0 store8 va=ffff000000001c98 pc=0000000004001003\n"
                "2 cpu0 load8 va=ffff0000000007e4 pc=0000000004001003\n"
                "3 cpu0 store8 va=ffff0000000007e4 pc=0000000004001003\n"
                "4 cpu0 load1 va=ffff000000001ffe pc=0000000004001003\n"
                "5 cpu0 load1 va=ffff000000002001 pc=0000000004001003\n");
    scratch_remove(&scratch);
}

static void line_that_is_not_of_lackey_is_refused_with_its_number(void **state)
{
    static const char *const lines[] = {" L 04222c98",        " X 04222c98,8", " L 04222c98,0",
                                        " L 04222c98,8 more", " L hello,8",    " L 04222c98,5000"};
    struct scratch scratch;

    (void)state;
    scratch_make(&scratch);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[64];

        snprintf(text, sizeof(text), "I  04001000,3\n%s\n", lines[i]);
        write_in(&scratch, text);
        expect_refused(&scratch, trace_import_lackey, "in: line 2: expected I, L, S or M");
    }
    write_in(&scratch, "I  04001000,3\n");
    expect_refused(&scratch, trace_import_lackey, "expected accesses to at least a page");
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracepoints_of_perf_are_events_and_samples_accesses),
        cmocka_unit_test(line_that_is_not_of_perf_is_refused_with_its_number),
        cmocka_unit_test(trace_dat_gives_what_the_text_of_the_same_events_gives),
        cmocka_unit_test(lost_events_of_a_trace_dat_are_refused),
        cmocka_unit_test(broken_trace_dat_never_ends_the_program),
        cmocka_unit_test(pages_of_a_program_are_frames_in_the_order_of_first_touch),
        cmocka_unit_test(line_that_is_not_of_lackey_is_refused_with_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
