/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one form of "what went wrong": a sentence with place and expectation, and an exit status. */
#ifndef SIM_ERROR_H
#define SIM_ERROR_H

/* Exit status of the program, and return value of everything that fills a struct sim_error. */
enum sim_status {
    SIM_OK = 0,
    SIM_CHECK_FAILED = 1, /* done, but a check failed */
    SIM_USAGE = 2,        /* usage or configuration */
    SIM_BAD_INPUT = 3,    /* unreadable input */
    SIM_INTERNAL = 4,
};

struct sim_error {
    enum sim_status status;
    char text[640];
};

/* Fills the error and returns `status`. */
__attribute__((format(printf, 3, 4))) enum sim_status
sim_fail(struct sim_error *error, enum sim_status status, const char *format, ...);

#endif
