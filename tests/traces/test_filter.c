/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters: what passes, and the state that stands before it. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/sample.h"

static void event(struct trace_writer *writer, enum trace_kind kind, unsigned int cpu,
                  uint64_t addr, uint64_t a, uint64_t b, uint32_t owner, const char *text)
{
    struct trace_event arguments = {.a = a, .b = b, .owner = owner};
    struct trace_error error = {""};

    assert_int_equal(trace_write_event(writer, kind, cpu, addr, &arguments, text, &error), 0);
}

static void load(struct trace_writer *writer, unsigned int cpu, uint64_t va)
{
    struct trace_site site = {.pc = 0xffff800080000100, .size_log2 = 3, .zeropad = true};
    struct trace_error error = {""};

    assert_int_equal(trace_write_access(writer, cpu, trace_write_site(writer, &site), va, &error),
                     0);
}

/* A small life: 21 records in two phases, in blocks of `block` records. */
static void write_life(const char *path, uint32_t block)
{
    struct trace_header header = sample_header();
    struct trace_error error = {""};
    struct trace_writer *writer = trace_create(path, &header, 1, &error);

    assert_non_null(writer);
    trace_writer_block(writer, block);
    event(writer, TRACE_PAGE_FLAGS, 0, 0x40000000, 16, 0x80, 0, NULL); /* 0 */
    event(writer, TRACE_DONATE, 0, 0x40005000, 1, TRACE_DONATE_UNMAPPED | 2, 0x302, NULL);
    event(writer, TRACE_MARK, 0, 0, TRACE_MARK_PHASE, 0, 0, "one");
    event(writer, TRACE_PAGE, 0, 0xffff800084000000, 0x40009000, 0, 0, NULL); /* 3 */
    load(writer, 0, 0xffff800084000010);
    load(writer, 1, 0xffff000000003000);
    event(writer, TRACE_DONATE, 1, 0x40006000, 2, 0, 0x102, NULL); /* 6 */
    event(writer, TRACE_DONATE, 1, 0x40008000, 1, 0, 0x102, NULL);
    event(writer, TRACE_RECLAIM, 0, 0x40005000, 1, TRACE_DONATE_UNMAPPED, 0x302, NULL);
    event(writer, TRACE_PAGE, 0, 0xffff800084000000, 0x4000a000, 0, 0, NULL); /* 9 */
    event(writer, TRACE_PAGE, 0, 0x1000, 0x9000000, 1, 0, NULL);
    event(writer, TRACE_SHARE, 0, 0x40001000, 1, 0, 1, NULL);
    event(writer, TRACE_TLBI, 0, 0, 0x41f, 0, 0, NULL); /* 12 */
    event(writer, TRACE_MARK, 0, 0, TRACE_MARK_PHASE, 0, 0, "two");
    load(writer, 0, 0xffff000000007ffb);
    event(writer, TRACE_KFAULT, 0, 0xffff000000008000, 0xffff800080000100, 0x96000007, 0, NULL);
    load(writer, 1, 0xffff000000003008); /* 16 */
    event(writer, TRACE_TLBI, 1, 0, 0x41d, 0, 0, NULL);
    event(writer, TRACE_RECLAIM, 1, 0x40006000, 2, 0, 0x102, NULL);
    load(writer, 1, 0xffff000000003010); /* 19 */
    event(writer, TRACE_MARK, 0, 0, TRACE_MARK_END, 0, 0, "zp end");
    assert_int_equal(trace_finish(writer, &error), 0);
}

static void expect(const struct trace_filter *want, const char *text)
{
    static const uint32_t blocks[] = {1, 3, 100};

    for (size_t i = 0; i < 3; i++) {
        struct trace_error error = {""};
        struct scratch scratch;
        struct trace_source *source;
        char *got;
        size_t size;
        FILE *out;

        scratch_make(&scratch);
        write_life(scratch_path(&scratch, "t"), blocks[i]);
        source = trace_open(scratch_path(&scratch, "t"), &error);
        assert_non_null(source);
        source = trace_filter_open(source, want, &error);
        assert_non_null(source);
        out = fopen(scratch_path(&scratch, "dump"), "w");
        assert_non_null(out);
        assert_int_equal(trace_dump(source, out, &error), 0);
        fclose(out);
        source->close(source);
        got = (char *)file_read(scratch_path(&scratch, "dump"), &size);
        assert_string_equal(got, text);
        free(got);
        scratch_remove(&scratch);
    }
}

#define STATE_OF_TWO                                                                               \
    "0 cpu0 page-flags pa=40000000 pages=16 flags=80\n"                                            \
    "1 cpu0 donate pa=40006000 pages=3 owner=guest.1 initial\n"                                    \
    "2 cpu0 share pa=40001000 pages=1 owner=hyp.0\n"                                               \
    "3 cpu0 page va=0000000000001000 pa=9000000 device\n"                                          \
    "4 cpu0 page va=ffff800084000000 pa=4000a000\n"

static void a_window_begins_with_the_state_it_needs(void **state)
{
    (void)state;
    expect(&(struct trace_filter){.from = 16, .to = 18, .cpu = -1},
           STATE_OF_TWO "5 cpu0 mark phase \"two\"\n"
                        "6 cpu1 load8 va=ffff000000003008 pc=ffff800080000100 zeropad\n"
                        "7 cpu1 tlbi code=41d\n");
}

static void a_phase_is_cut_at_its_marks(void **state)
{
    (void)state;
    expect(&(struct trace_filter){.phase = "two", .cpu = -1}, STATE_OF_TWO
           "5 cpu0 mark phase \"one\"\n"
           "6 cpu0 mark phase \"two\"\n"
           "7 cpu0 load8 va=ffff000000007ffb pc=ffff800080000100 zeropad\n"
           "8 cpu0 kfault va=ffff000000008000 pc=ffff800080000100 esr=96000007 repaired\n"
           "9 cpu1 load8 va=ffff000000003008 pc=ffff800080000100 zeropad\n"
           "10 cpu1 tlbi code=41d\n"
           "11 cpu1 reclaim pa=40006000 pages=2 owner=guest.1\n"
           "12 cpu1 load8 va=ffff000000003010 pc=ffff800080000100 zeropad\n");
}

static void a_fault_goes_with_its_access(void **state)
{
    (void)state;
    /* The window ends between them: the fault comes along. */
    expect(&(struct trace_filter){.from = 14, .to = 15, .cpu = -1}, STATE_OF_TWO
           "5 cpu0 mark phase \"two\"\n"
           "6 cpu0 load8 va=ffff000000007ffb pc=ffff800080000100 zeropad\n"
           "7 cpu0 kfault va=ffff000000008000 pc=ffff800080000100 esr=96000007 repaired\n");
    /* The window begins between them: the fault stays away. */
    expect(&(struct trace_filter){.from = 15, .to = 17, .cpu = -1},
           STATE_OF_TWO "5 cpu0 mark phase \"two\"\n"
                        "6 cpu1 load8 va=ffff000000003008 pc=ffff800080000100 zeropad\n");
}

static void one_cpu_keeps_what_all_depend_on(void **state)
{
    (void)state;
    expect(&(struct trace_filter){.from = 12, .cpu = 1},
           STATE_OF_TWO "5 cpu0 mark phase \"one\"\n"
                        "6 cpu0 mark phase \"two\"\n"
                        "7 cpu1 load8 va=ffff000000003008 pc=ffff800080000100 zeropad\n"
                        "8 cpu1 tlbi code=41d\n"
                        "9 cpu1 reclaim pa=40006000 pages=2 owner=guest.1\n"
                        "10 cpu1 load8 va=ffff000000003010 pc=ffff800080000100 zeropad\n"
                        "11 cpu0 mark end \"zp end\"\n");
}

static void chosen_kinds_pass_alone(void **state)
{
    (void)state;
    expect(&(struct trace_filter){.kinds = 1u << TRACE_TLBI | 1u << TRACE_RECLAIM, .cpu = -1},
           "0 cpu0 reclaim pa=40005000 pages=1 owner=guest.3 unmapped\n"
           "1 cpu0 tlbi code=41f\n"
           "2 cpu1 tlbi code=41d\n"
           "3 cpu1 reclaim pa=40006000 pages=2 owner=guest.1\n");
}

static void sampling_leaves_out_accesses_and_their_faults(void **state)
{
    (void)state;
    expect(&(struct trace_filter){.from = 13, .cpu = -1, .sample_keep = 1, .sample_skip = 1},
           STATE_OF_TWO
           "5 cpu0 mark phase \"one\"\n"
           "6 cpu0 mark phase \"two\"\n"
           "7 cpu0 load8 va=ffff000000007ffb pc=ffff800080000100 zeropad\n"
           "8 cpu0 kfault va=ffff000000008000 pc=ffff800080000100 esr=96000007 repaired\n"
           "9 cpu1 tlbi code=41d\n"
           "10 cpu1 reclaim pa=40006000 pages=2 owner=guest.1\n"
           "11 cpu1 load8 va=ffff000000003010 pc=ffff800080000100 zeropad\n"
           "12 cpu0 mark end \"zp end\"\n");
    expect(
        &(struct trace_filter){
            .phase = "two", .cpu = -1, .sample_keep = 1, .sample_skip = 100, .from = 15},
        STATE_OF_TWO "5 cpu0 mark phase \"two\"\n"
                     "6 cpu1 load8 va=ffff000000003008 pc=ffff800080000100 zeropad\n"
                     "7 cpu1 tlbi code=41d\n"
                     "8 cpu1 reclaim pa=40006000 pages=2 owner=guest.1\n");
}

static void a_phase_that_never_comes_yields_nothing(void **state)
{
    (void)state;
    expect(&(struct trace_filter){.phase = "three", .cpu = -1}, "");
}

/* Copying a whole trace record by record gives the same file but for the provenance. */
static void a_copy_holds_the_same_records(void **state)
{
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;
    struct trace_writer *writer;
    int status;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 4000, 6);
    sample_write(&sample, scratch_path(&scratch, "a"), 300);
    source = trace_open(scratch_path(&scratch, "a"), &error);
    assert_non_null(source);
    writer = trace_create(scratch_path(&scratch, "b"), source->header(source), 1, &error);
    assert_non_null(writer);
    assert_int_equal(trace_copy(source, writer, &error), 0);
    assert_int_equal(trace_finish(writer, &error), 0);
    source->close(source);
    source = trace_open(scratch_path(&scratch, "b"), &error);
    assert_non_null(source);
    assert_int_equal(sample_compare(&sample, source, 0, 0, &status, &error), 4000);
    assert_int_equal(status, 0);
    source->close(source);
    sample_free(&sample);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_begins_with_the_state_it_needs),
        cmocka_unit_test(a_phase_is_cut_at_its_marks),
        cmocka_unit_test(a_fault_goes_with_its_access),
        cmocka_unit_test(one_cpu_keeps_what_all_depend_on),
        cmocka_unit_test(chosen_kinds_pass_alone),
        cmocka_unit_test(sampling_leaves_out_accesses_and_their_faults),
        cmocka_unit_test(a_phase_that_never_comes_yields_nothing),
        cmocka_unit_test(a_copy_holds_the_same_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
