/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/error.h"

#include <stdarg.h>
#include <stdio.h>

enum sim_status sim_fail(struct sim_error *error, enum sim_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    error->status = status;
    return status;
}
