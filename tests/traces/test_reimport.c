/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Importing the recordings again, where they lie beside the source tree; skipped elsewhere. */
#include <stdio.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/known.h"
#include "traces/trace.h"

#define RECORDINGS SOURCE_DIR "/../shared/traces/"

static void import(const char *name, void (*check)(const char *path))
{
    struct trace_import_stats stats;
    struct trace_error error = {""};
    struct scratch scratch;
    char dir[512];
    FILE *there;

    snprintf(dir, sizeof(dir), RECORDINGS "%s/facts.txt", name);
    there = fopen(dir, "r");
    if (!there)
        skip();
    fclose(there);
    snprintf(dir, sizeof(dir), RECORDINGS "%s", name);
    scratch_make(&scratch);
    if (trace_import_recording(dir, scratch_path(&scratch, "t"), 1, &stats, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(stats.moved, 0);
    check(scratch_path(&scratch, "t"));
    scratch_remove(&scratch);
}

static void importing_arm64_p_gives_the_known_figures(void **state)
{
    (void)state;
    import("arm64-p", known_arm64_p);
}

static void importing_arm64_a_gives_the_known_figures(void **state)
{
    (void)state;
    import("arm64-a", known_arm64_a);
}

static void importing_amd64_a_gives_the_known_figures(void **state)
{
    (void)state;
    import("amd64-a", known_amd64_a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(importing_arm64_p_gives_the_known_figures),
        cmocka_unit_test(importing_arm64_a_gives_the_known_figures),
        cmocka_unit_test(importing_amd64_a_gives_the_known_figures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
