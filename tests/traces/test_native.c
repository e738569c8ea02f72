/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The native format: what is written comes back, through files and pipes. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/sample.h"

static void round_trip(size_t count, uint64_t seed, uint32_t block)
{
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;
    int status;

    scratch_make(&scratch);
    sample_make(&sample, count, seed);
    sample_write(&sample, scratch_path(&scratch, "t"), block);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    assert_int_equal(sample_compare(&sample, source, 0, 0, &status, &error), count);
    assert_int_equal(status, 0);
    source->close(source);
    sample_free(&sample);
    scratch_remove(&scratch);
}

static void records_of_all_kinds_come_back_as_written(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        round_trip(3000, seed, 1 << 20);
}

static void blocks_of_any_size_hold_the_same_records(void **state)
{
    static const uint32_t sizes[] = {1, 2, 3, 7, 64, 999, 1000, 1001};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        round_trip(1000, 77, sizes[i]);
}

static void runs_longer_than_a_batch_are_whole(void **state)
{
    (void)state;
    round_trip(50000, 5, 20000);
}

static void an_empty_trace_has_no_records(void **state)
{
    (void)state;
    round_trip(0, 1, 100);
}

static void machine_facts_come_back_as_written(void **state)
{
    struct trace_header want = sample_header();
    const struct trace_header *got;
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 1, 1);
    sample_write(&sample, scratch_path(&scratch, "t"), 10);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    got = source->header(source);
    assert_int_equal(got->arch, want.arch);
    assert_int_equal(got->cpus, want.cpus);
    assert_int_equal(got->page_shift, want.page_shift);
    assert_int_equal(got->linear_start, want.linear_start);
    assert_int_equal(got->linear_end, want.linear_end);
    assert_int_equal(got->linear_pa, want.linear_pa);
    assert_int_equal(got->text, want.text);
    assert_int_equal(got->ram_count, want.ram_count);
    assert_memory_equal(got->ram, want.ram, sizeof(*want.ram) * want.ram_count);
    assert_int_equal(got->extable_count, want.extable_count);
    assert_memory_equal(got->extable, want.extable, sizeof(*want.extable) * want.extable_count);
    assert_string_equal(got->facts, want.facts);
    assert_string_equal(got->provenance, want.provenance);
    assert_string_equal(got->clock, want.clock);
    source->close(source);
    sample_free(&sample);
    scratch_remove(&scratch);
}

static void the_same_site_has_one_index(void **state)
{
    struct trace_header header = sample_header();
    struct trace_error error = {""};
    struct trace_site site = {.pc = 0xffff800080001234, .size_log2 = 3, .zeropad = true},
                      other = site;
    struct scratch scratch;
    struct trace_writer *writer;

    (void)state;
    scratch_make(&scratch);
    writer = trace_create(scratch_path(&scratch, "t"), &header, 1, &error);
    assert_non_null(writer);
    assert_int_equal(trace_write_site(writer, &site), 0);
    assert_int_equal(trace_write_site(writer, &site), 0);
    other.store = true;
    assert_int_equal(trace_write_site(writer, &other), 1);
    other = site;
    other.size_log2 = 2;
    assert_int_equal(trace_write_site(writer, &other), 2);
    other = site;
    other.zeropad = false;
    assert_int_equal(trace_write_site(writer, &other), 3);
    other = site;
    other.pc++;
    assert_int_equal(trace_write_site(writer, &other), 4);
    assert_int_equal(trace_write_site(writer, &site), 0);
    assert_int_equal(trace_finish(writer, &error), 0);
    scratch_remove(&scratch);
}

/* More sites than two bytes can number, and addresses that go from one end to the other. */
static void more_than_65536_sites_come_back(void **state)
{
    enum { COUNT = 70000 };
    struct trace_header header = sample_header();
    struct trace_error error = {""};
    struct trace_source *source;
    struct trace_block block;
    struct scratch scratch;
    struct trace_writer *writer;
    uint64_t seen = 0;

    (void)state;
    scratch_make(&scratch);
    writer = trace_create(scratch_path(&scratch, "t"), &header, 1, &error);
    assert_non_null(writer);
    trace_writer_block(writer, 50000);
    for (uint64_t i = 0; i < 2 * COUNT; i++) {
        struct trace_site site = {.pc = 0xffff800080000000 + 4 * (i % COUNT), .size_log2 = 3};
        uint32_t index = trace_write_site(writer, &site);

        assert_int_equal(index, i % COUNT);
        assert_int_equal(trace_write_access(writer, 1, index, 0 - i * i * i * i, &error), 0);
    }
    assert_int_equal(trace_finish(writer, &error), 0);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    while (source->next(source, &block, &error) == 1) {
        for (size_t i = 0; i < block.count; i++, seen++) {
            assert_int_equal(block.rec[i].site, seen % COUNT);
            assert_int_equal(block.rec[i].addr, 0 - seen * seen * seen * seen);
        }
    }
    assert_int_equal(seen, 2 * COUNT);
    source->close(source);
    scratch_remove(&scratch);
}

static void the_writer_refuses_what_it_cannot_store(void **state)
{
    struct trace_header header = sample_header();
    struct trace_error error = {""};
    struct trace_site site = {.pc = 1};
    struct trace_event event = {0};
    struct scratch scratch;
    struct trace_writer *writer;

    (void)state;
    scratch_make(&scratch);
    writer = trace_create(scratch_path(&scratch, "t"), &header, 1, &error);
    assert_non_null(writer);
    assert_int_equal(trace_write_access(writer, 0, 0, 1, &error), -1);
    assert_non_null(strstr(error.text, "position 0: site 0 is not defined"));
    trace_write_site(writer, &site);
    assert_int_equal(trace_write_access(writer, 256, 0, 1, &error), -1);
    assert_non_null(strstr(error.text, "CPU 256 is impossible"));
    assert_int_equal(trace_write_event(writer, TRACE_ACCESS, 0, 0, &event, NULL, &error), -1);
    assert_int_equal(trace_write_event(writer, TRACE_KIND_COUNT, 0, 0, &event, NULL, &error), -1);
    assert_int_equal(trace_writer_position(writer), 0);
    trace_abandon(writer);
    assert_int_equal(access(scratch_path(&scratch, "t"), F_OK), -1);
    assert_null(trace_create(scratch_path(&scratch, "no/such/t"), &header, 1, &error));
    assert_non_null(strstr(error.text, "cannot create"));
    scratch_remove(&scratch);
}

/* The file on standard output of a child, read on standard input. */
static void a_trace_flows_through_a_pipe(void **state)
{
    struct trace_error error = {""};
    struct sample sample;
    struct trace_source *source;
    int ends[2], status, kept = dup(STDIN_FILENO);
    pid_t child;

    (void)state;
    sample_make(&sample, 20000, 3);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        sample_write(&sample, "-", 700);
        _exit(0);
    }
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
    source = trace_open("-", &error);
    assert_non_null(source);
    assert_int_equal(trace_length(source), 0);
    assert_int_equal(sample_compare(&sample, source, 0, 0, &status, &error), sample.count);
    assert_int_equal(status, 0);
    assert_int_equal(trace_seek(source, 5, &error), -1);
    assert_non_null(strstr(error.text, "standard input: cannot go to position 5"));
    source->close(source);
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    dup2(kept, STDIN_FILENO);
    close(kept);
    sample_free(&sample);
}

static void the_same_records_make_the_same_bytes(void **state)
{
    struct scratch scratch;
    struct sample sample;
    size_t size[2];
    uint8_t *bytes[2];

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 5000, 9);
    sample_write(&sample, scratch_path(&scratch, "a"), 1000);
    sample_write(&sample, scratch_path(&scratch, "b"), 1000);
    bytes[0] = file_read(scratch_path(&scratch, "a"), &size[0]);
    bytes[1] = file_read(scratch_path(&scratch, "b"), &size[1]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
    sample_free(&sample);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_all_kinds_come_back_as_written),
        cmocka_unit_test(blocks_of_any_size_hold_the_same_records),
        cmocka_unit_test(runs_longer_than_a_batch_are_whole),
        cmocka_unit_test(an_empty_trace_has_no_records),
        cmocka_unit_test(machine_facts_come_back_as_written),
        cmocka_unit_test(the_same_site_has_one_index),
        cmocka_unit_test(more_than_65536_sites_come_back),
        cmocka_unit_test(the_writer_refuses_what_it_cannot_store),
        cmocka_unit_test(a_trace_flows_through_a_pipe),
        cmocka_unit_test(the_same_records_make_the_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
