/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bundled traces against the known figures of the recordings. */
#include "tests/support/cmocka_all.h"
#include "tests/traces/support/known.h"

static void the_bundled_arm64_a_has_the_known_figures(void **state)
{
    (void)state;
    known_arm64_a(SOURCE_DIR "/traces/data/arm64-a.fltrace");
}

static void the_bundled_arm64_p_has_the_known_figures(void **state)
{
    (void)state;
    known_arm64_p(SOURCE_DIR "/traces/data/arm64-p.fltrace");
}

static void the_bundled_amd64_a_has_the_known_figures(void **state)
{
    (void)state;
    known_amd64_a(SOURCE_DIR "/traces/data/amd64-a.fltrace");
}

static void the_bundled_crashes_end_with_the_load_that_killed_the_host(void **state)
{
    (void)state;
    known_crash(SOURCE_DIR "/traces/data/crash-neoverse-n1.fltrace", 0xffff000008216000, 1496);
    known_crash(SOURCE_DIR "/traces/data/crash-cortex-a72.fltrace", 0xffff000003d18000, 1410);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bundled_arm64_a_has_the_known_figures),
        cmocka_unit_test(the_bundled_arm64_p_has_the_known_figures),
        cmocka_unit_test(the_bundled_amd64_a_has_the_known_figures),
        cmocka_unit_test(the_bundled_crashes_end_with_the_load_that_killed_the_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
