/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages, and the names of record kinds. */
#include <stdarg.h>

#include "traces/bytes.h"

int trace_fail(struct trace_error *error, const char *format, ...)
{
    va_list args;

    if (!error)
        return -1;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

const char *trace_kind_name(enum trace_kind kind)
{
    static const char *const names[TRACE_KIND_COUNT] = {
        [TRACE_ACCESS] = "access",
        [TRACE_PAGE] = "page",
        [TRACE_ALLOC] = "alloc",
        [TRACE_FREE] = "free",
        [TRACE_DONATE] = "donate",
        [TRACE_RECLAIM] = "reclaim",
        [TRACE_SHARE] = "share",
        [TRACE_UNSHARE] = "unshare",
        [TRACE_KFAULT] = "kfault",
        [TRACE_FLUSH] = "flush",
        [TRACE_TLBI] = "tlbi",
        [TRACE_HYPERCALL] = "hypercall",
        [TRACE_SWITCH] = "switch",
        [TRACE_IRQ] = "irq",
        [TRACE_VMENTER] = "vmenter",
        [TRACE_VMEXIT] = "vmexit",
        [TRACE_CLEAR] = "clear",
        [TRACE_MARK] = "mark",
        [TRACE_PAGE_FLAGS] = "page-flags",
        [TRACE_WORD] = "word",
        [TRACE_SYSREG] = "sysreg",
        [TRACE_INVALIDATE] = "invalidate",
        [TRACE_ARGS] = "args",
        [TRACE_CALL] = "call",
    };

    return (unsigned int)kind < TRACE_KIND_COUNT ? names[kind] : "unknown";
}
