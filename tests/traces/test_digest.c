/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The identity of files. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "traces/trace.h"

/* The digest of `size` bytes in a file called `name`. */
static uint64_t digest_of(const struct scratch *scratch, const char *name, const void *from,
                          size_t size)
{
    struct trace_error error = {""};
    uint64_t digest;

    file_write(scratch_path(scratch, name), from, size);
    if (trace_digest(scratch_path(scratch, name), &digest, &error))
        fail_msg("%s", error.text);
    return digest;
}

static void files_are_told_apart_by_each_byte_and_not_by_name(void **state)
{
    enum { SIZE = (3 << 20) + 5 };
    uint8_t *bytes = calloc(SIZE, 1);
    struct scratch scratch;
    uint64_t whole;

    (void)state;
    assert_non_null(bytes);
    scratch_make(&scratch);
    whole = digest_of(&scratch, "one", bytes, SIZE);
    assert_int_equal(digest_of(&scratch, "two", bytes, SIZE), whole);
    assert_int_not_equal(digest_of(&scratch, "two", bytes, SIZE - 1), whole);
    assert_int_not_equal(digest_of(&scratch, "two", bytes, 3 << 20), whole);
    for (size_t at = 0; at < SIZE; at += 1 << 19) {
        bytes[at] = 1;
        assert_int_not_equal(digest_of(&scratch, "two", bytes, SIZE), whole);
        bytes[at] = 0;
    }
    scratch_remove(&scratch);
    free(bytes);
}

static void a_file_that_is_not_there_is_an_error_with_its_name(void **state)
{
    struct trace_error error = {""};
    uint64_t digest;

    (void)state;
    assert_int_equal(trace_digest("/no/such/file", &digest, &error), -1);
    assert_non_null(strstr(error.text, "/no/such/file: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_told_apart_by_each_byte_and_not_by_name),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error_with_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
