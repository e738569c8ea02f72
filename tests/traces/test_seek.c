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

static void the_length_is_known_anywhere_and_disturbs_nothing(void **state)
{
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;
    struct trace_block block;
    int status;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 500, 8);
    sample_write(&sample, scratch_path(&scratch, "t"), 64);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    assert_int_equal(trace_length(source), 500);
    assert_int_equal(source->next(source, &block, &error), 1);
    assert_int_equal(block.first, 0);
    assert_int_equal(block.count, 64);
    assert_int_equal(trace_length(source), 500);
    assert_int_equal(sample_compare(&sample, source, 64, 64, &status, &error), 436);
    assert_int_equal(status, 0);
    /* At the end of the file, too; and it is still the end. */
    assert_int_equal(trace_length(source), 500);
    assert_int_equal(source->next(source, &block, &error), 0);
    assert_int_equal(trace_seek(source, 200, &error), 0);
    assert_int_equal(trace_length(source), 500);
    assert_int_equal(sample_compare(&sample, source, 200, 200, &status, &error), 300);
    source->close(source);
    sample_free(&sample);
    scratch_remove(&scratch);
}

/* Length of what the file says; UINT64_MAX when it cannot be opened. */
static uint64_t length_of(const char *path)
{
    struct trace_error error = {""};
    struct trace_source *source = trace_open(path, &error);
    uint64_t length = UINT64_MAX;

    if (source) {
        length = trace_length(source);
        source->close(source);
    }
    return length;
}

/* The header comes first, then one block; what follows is the index with its footer. */
static void without_a_sound_index_the_length_is_unknown(void **state)
{
    const size_t index = 48 + 24 + 16;
    struct scratch scratch;
    struct sample sample;
    uint8_t *bytes;
    size_t size;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 40, 8);
    sample_write(&sample, scratch_path(&scratch, "t"), 40);
    bytes = file_read(scratch_path(&scratch, "t"), &size);
    for (size_t at = size - index; at < size; at++) {
        bytes[at] ^= 0x21;
        file_write(scratch_path(&scratch, "u"), bytes, size);
        bytes[at] ^= 0x21;
        assert_int_equal(length_of(scratch_path(&scratch, "u")), 0);
        file_write(scratch_path(&scratch, "u"), bytes, at);
        assert_int_equal(length_of(scratch_path(&scratch, "u")), 0);
    }
    assert_int_equal(length_of(scratch_path(&scratch, "t")), 40);
    free(bytes);
    sample_free(&sample);
    scratch_remove(&scratch);
}

static void a_filtered_source_has_no_known_length(void **state)
{
    const struct trace_filter everything = {.cpu = -1};
    struct trace_error error = {""};
    struct scratch scratch;
    struct sample sample;
    struct trace_source *source;

    (void)state;
    scratch_make(&scratch);
    sample_make(&sample, 40, 8);
    sample_write(&sample, scratch_path(&scratch, "t"), 10);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    source = trace_filter_open(source, &everything, &error);
    assert_non_null(source);
    assert_int_equal(trace_length(source), 0);
    source->close(source);
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
        cmocka_unit_test(the_length_is_known_anywhere_and_disturbs_nothing),
        cmocka_unit_test(without_a_sound_index_the_length_is_unknown),
        cmocka_unit_test(a_filtered_source_has_no_known_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
