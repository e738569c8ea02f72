/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Broken native files: whole blocks stay usable, and the message says what is wrong where. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/sample.h"

enum { COUNT = 60, BLOCK = 20 };

struct damage {
    struct scratch scratch;
    struct sample sample;
    uint8_t *bytes;
    size_t size;
};

static int set_up(void **state)
{
    struct damage *damage = calloc(1, sizeof(*damage));

    assert_non_null(damage);
    scratch_make(&damage->scratch);
    sample_make(&damage->sample, COUNT, 4);
    sample_write(&damage->sample, scratch_path(&damage->scratch, "whole"), BLOCK);
    damage->bytes = file_read(scratch_path(&damage->scratch, "whole"), &damage->size);
    *state = damage;
    return 0;
}

static int tear_down(void **state)
{
    struct damage *damage = *state;

    free(damage->bytes);
    sample_free(&damage->sample);
    scratch_remove(&damage->scratch);
    free(damage);
    return 0;
}

/* Reads what is in the file "t"; returns how many right records came, -1 when it does not open. */
static int read_damaged(struct damage *damage, int *status, struct trace_error *error)
{
    struct trace_source *source = trace_open(scratch_path(&damage->scratch, "t"), error);
    struct trace_block block;
    int count;

    *status = -1;
    if (!source)
        return -1;
    count = (int)sample_compare(&damage->sample, source, 0, 0, status, error);
    if (*status < 0) {
        struct trace_error again = {""};

        assert_int_equal(source->next(source, &block, &again), -1);
        assert_string_equal(again.text, error->text);
    }
    source->close(source);
    return count;
}

/* Where block number `n` begins, from the magic numbers in the file. */
static size_t block_start(const struct damage *damage, int n)
{
    for (size_t i = 0; i + 8 <= damage->size; i++) {
        if (memcmp(damage->bytes + i, "FLBLOCK\n", 8) == 0 && n-- == 0)
            return i;
        if (memcmp(damage->bytes + i, "FLINDEX\n", 8) == 0 && n-- == 0)
            return i;
    }
    return damage->size;
}

static void a_file_cut_at_any_byte_yields_its_whole_blocks(void **state)
{
    struct damage *damage = *state;
    size_t starts[4];

    for (int i = 0; i < 4; i++)
        starts[i] = block_start(damage, i);
    for (size_t cut = 0; cut < damage->size; cut++) {
        struct trace_error error = {""};
        char where[128];
        int status, whole = 0, got;

        while (whole < 3 && cut >= starts[whole + 1])
            whole++;
        file_write(scratch_path(&damage->scratch, "t"), damage->bytes, cut);
        got = read_damaged(damage, &status, &error);
        assert_int_equal(status, -1);
        assert_int_equal(got, cut < starts[0] ? -1 : whole * BLOCK);
        snprintf(where, sizeof(where), "ends at byte %zu", cut);
        if (cut < starts[3]) {
            assert_non_null(strstr(error.text, "truncated"));
            assert_non_null(strstr(error.text, where));
        }
        if (cut >= starts[0] && cut < starts[3]) {
            snprintf(where, sizeof(where), "begins at byte %zu; block %d ", starts[whole], whole);
            assert_non_null(strstr(error.text, where));
            snprintf(where, sizeof(where), "from position %d are missing", whole * BLOCK);
            assert_non_null(strstr(error.text, where));
        }
    }
}

static void any_changed_byte_is_noticed_and_blocks_before_it_are_right(void **state)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    struct damage *damage = *state;
    size_t starts[4];

    for (int i = 0; i < 4; i++)
        starts[i] = block_start(damage, i);
    for (size_t at = 0; at < damage->size; at++) {
        for (size_t change = 0; change < sizeof(changes); change++) {
            struct trace_error error = {""};
            int status, whole = 0, got;

            while (whole < 3 && at >= starts[whole + 1])
                whole++;
            damage->bytes[at] ^= changes[change];
            file_write(scratch_path(&damage->scratch, "t"), damage->bytes, damage->size);
            damage->bytes[at] ^= changes[change];
            got = read_damaged(damage, &status, &error);
            assert_int_equal(status, -1);
            assert_int_equal(got, at < starts[0] ? -1 : whole * BLOCK);
            assert_non_null(strstr(error.text, scratch_path(&damage->scratch, "t")));
        }
    }
}

static void a_damaged_block_is_named_with_its_position(void **state)
{
    struct damage *damage = *state;
    struct trace_error error = {""};
    char where[128];
    int status;

    damage->bytes[block_start(damage, 1) + 120] ^= 1;
    file_write(scratch_path(&damage->scratch, "t"), damage->bytes, damage->size);
    assert_int_equal(read_damaged(damage, &status, &error), BLOCK);
    snprintf(where, sizeof(where), "block 1 at byte %zu (position 20): the checksum does not match",
             block_start(damage, 1));
    assert_non_null(strstr(error.text, where));
}

static void another_version_is_refused(void **state)
{
    struct damage *damage = *state;
    struct trace_error error = {""};
    int status;

    damage->bytes[8] = 3;
    file_write(scratch_path(&damage->scratch, "t"), damage->bytes, damage->size);
    assert_int_equal(read_damaged(damage, &status, &error), -1);
    assert_non_null(strstr(error.text, "format version 3 at byte 8, expected 1 to 2"));
}

static void bytes_after_the_end_are_refused(void **state)
{
    struct damage *damage = *state;
    struct trace_error error = {""};
    uint8_t *longer = malloc(damage->size + 1);
    int status;

    assert_non_null(longer);
    memcpy(longer, damage->bytes, damage->size);
    longer[damage->size] = 0;
    file_write(scratch_path(&damage->scratch, "t"), longer, damage->size + 1);
    free(longer);
    assert_int_equal(read_damaged(damage, &status, &error), COUNT);
    assert_int_equal(status, -1);
    assert_non_null(strstr(error.text, "more bytes follow it"));
}

static void a_block_left_out_is_noticed(void **state)
{
    struct damage *damage = *state;
    struct trace_error error = {""};
    size_t from = block_start(damage, 1), to = block_start(damage, 2);
    int status;

    memmove(damage->bytes + from, damage->bytes + to, damage->size - to);
    file_write(scratch_path(&damage->scratch, "t"), damage->bytes, damage->size - (to - from));
    assert_int_equal(read_damaged(damage, &status, &error), BLOCK);
    assert_non_null(strstr(error.text, "it does not continue the block before it"));
}

static void something_else_is_not_a_trace(void **state)
{
    struct damage *damage = *state;
    struct trace_error error = {""};
    int status;

    file_write(scratch_path(&damage->scratch, "t"), "#!/bin/sh\necho no trace at all\n", 30);
    assert_int_equal(read_damaged(damage, &status, &error), -1);
    assert_non_null(strstr(error.text, "not a native trace: expected FLTRACE at byte 0"));
    assert_null(trace_open(scratch_path(&damage->scratch, "missing"), &error));
    assert_non_null(strstr(error.text, "missing: cannot open: No such file or directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_cut_at_any_byte_yields_its_whole_blocks, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(any_changed_byte_is_noticed_and_blocks_before_it_are_right,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_block_is_named_with_its_position, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_version_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_after_the_end_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_block_left_out_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(something_else_is_not_a_trace, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
