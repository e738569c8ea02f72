/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conformance trace as text, and on the machine that the real code was run on. */
#include "sim/pkvm_trace.h"

#include <inttypes.h>

struct pkvm_trace *pkvm_trace_open(uint64_t seed)
{
    return pkvm_trace_open_on(HYP_ARCH_ARM64, seed);
}

const char *pkvm_trace_op_name(unsigned int op)
{
    static const char *const names[PKVM_TRACE_OPS] = {
        "share_hyp",          "unshare_hyp",       "donate_hyp",    "hyp_donate_host",
        "share_ffa",          "unshare_ffa",       "pin",           "unpin",
        "share_guest",        "unshare_guest",     "donate_guest",  "guest_share_host",
        "guest_unshare_host", "reclaim",           "force_reclaim", "host_access",
        "donate_hyp_n",       "hyp_donate_host_n", "wrprotect",     "relax",
        "clear_young",
    };

    return names[op];
}

bool pkvm_trace_print(FILE *out, uint64_t seed, uint64_t steps)
{
    struct pkvm_trace *trace = pkvm_trace_open(seed);
    unsigned int op, k;

    if (!trace)
        return false;
    pkvm_trace_run(trace, steps);
    for (op = 0; op < PKVM_TRACE_OPS; op++) {
        const struct pkvm_trace_tally *tally = pkvm_trace_tally(trace, op);

        fprintf(out, "%-18s", pkvm_trace_op_name(op));
        for (k = 0; k < PKVM_TRACE_RCS && tally->count[k]; k++)
            fprintf(out, " %d:%" PRIu64, tally->rc[k], tally->count[k]);
        fputc('\n', out);
    }
    fprintf(out, "step %" PRIu64 " rc-hash %016" PRIx64 " state-hash %016" PRIx64 "\n",
            pkvm_trace_steps(trace), pkvm_trace_rc_hash(trace), pkvm_trace_state_hash(trace));
    pkvm_trace_close(trace);
    return true;
}
