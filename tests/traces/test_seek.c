/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seeking in a native file. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/sample.h"

static void each_position_is_found_in_any_order(void **state)
{
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;
    uint64_t random = 1;
    int status;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 500, 8);
    sample_write(&sample, scratch_path(&scratch, "t"), 64);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    for (int i = 0; i < 300; i++) {
        uint64_t position = i < 2 ? 499 - (uint64_t)i * 499 : sample_random(&random) % 500;

        assert_int_equal(trace_seek(source, position, &error), 0);
        assert_int_equal(
            sample_compare(&sample, source, (size_t)position, position, &status, &error),
            500 - position);
        assert_int_equal(status, 0);
    }
    source->close(source);
    sample_free(&sample);
    scratch_remove(&scratch);
}

static void seeking_in_the_middle_of_reading_works(void **state)
{
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;
    struct trace_block block;
    int status;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 20000, 8);
    sample_write(&sample, scratch_path(&scratch, "t"), 15000);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    assert_int_equal(source->next(source, &block, &error), 1);
    assert_int_equal(trace_seek(source, 100, &error), 0);
    assert_int_equal(sample_compare(&sample, source, 100, 100, &status, &error), 19900);
    source->close(source);
    sample_free(&sample);
    scratch_remove(&scratch);
}

static void seeking_beyond_the_end_is_refused(void **state)
{
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 10, 8);
    sample_write(&sample, scratch_path(&scratch, "t"), 4);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    assert_int_equal(trace_seek(source, 10, &error), -1);
    assert_non_null(strstr(error.text, "cannot go to position 10: it has 10 records"));
    source->close(source);
    sample_free(&sample);
    scratch_remove(&scratch);
}

/* Each byte of the index and of the blocks that a seek passes over. */
static void a_seek_through_damage_fails_or_finds_the_right_record(void **state)
{
    struct scratch scratch;
    struct sample sample;
    uint8_t *bytes;
    size_t size;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 40, 8);
    sample_write(&sample, scratch_path(&scratch, "t"), 10);
    bytes = file_read(scratch_path(&scratch, "t"), &size);
    for (size_t at = 0; at < size; at++) {
        struct trace_error error = {""};
        struct trace_source *source;
        int status;

        bytes[at] ^= 0x21;
        file_write(scratch_path(&scratch, "u"), bytes, size);
        bytes[at] ^= 0x21;
        source = trace_open(scratch_path(&scratch, "u"), &error);
        if (!source)
            continue;
        if (trace_seek(source, 25, &error) < 0)
            assert_true(strlen(error.text) > 0);
        else
            sample_compare(&sample, source, 25, 25, &status, &error);
        source->close(source);
    }
    free(bytes);
    sample_free(&sample);
    scratch_remove(&scratch);
}

static void a_truncated_file_cannot_be_searched(void **state)
{
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;
    uint8_t *bytes;
    size_t size;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 40, 8);
    sample_write(&sample, scratch_path(&scratch, "t"), 10);
    bytes = file_read(scratch_path(&scratch, "t"), &size);
    file_write(scratch_path(&scratch, "t"), bytes, size - 3);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    assert_int_equal(trace_seek(source, 25, &error), -1);
    assert_non_null(strstr(error.text, "it has no index at its end; it is truncated"));
    source->close(source);
    free(bytes);
    sample_free(&sample);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_position_is_found_in_any_order),
        cmocka_unit_test(seeking_in_the_middle_of_reading_works),
        cmocka_unit_test(seeking_beyond_the_end_is_refused),
        cmocka_unit_test(a_seek_through_damage_fails_or_finds_the_right_record),
        cmocka_unit_test(a_truncated_file_cannot_be_searched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
