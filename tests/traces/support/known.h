/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The figures that traces of the recordings must have, bundled or imported again. They are those
 * that the recorder's own checker printed (totals.txt, check.txt beside the recordings). Each
 * function fails the test at the first figure that differs.
 */
#ifndef TESTS_TRACES_SUPPORT_KNOWN_H
#define TESTS_TRACES_SUPPORT_KNOWN_H

#include <stdint.h>

void known_arm64_a(const char *path);
void known_arm64_p(const char *path);
void known_amd64_a(const char *path);
/* The console's last load: into the page at FAR, by the first entry of link_path_walk. */
void known_crash(const char *path, uint64_t far, uint64_t accesses);

#endif
