#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Write the recorder's map file (see plugin/zprec.c) from the symbols and the
# exception table of the guest kernel.
#
#	mkmap.sh ARCH INFODIR >map.txt
set -eu
arch=$1 info=$2

if [ "$arch" = arm64 ]; then
	echo "arch arm64"
else
	echo "arch x86_64"
fi
grep '^linear ' "$info/zpinfo.txt"
sed -n 's/^zeropad \([0-9a-f]*\) [0-9a-f]* \(.*\)/zeropad \1 \2/p' "$info/zpinfo.txt"

sort "$info/kallsyms.txt" | awk -v arch="$arch" '
BEGIN {
	n = split("trace_event_raw_event_mm_page_alloc trace_event_raw_event_mm_page_free " \
		"trace_event_raw_event_mm_page_free_batched set_direct_map_invalid_noflush " \
		"set_direct_map_default_noflush fixup_exception do_bad_area " \
		"trace_event_raw_event_x86_exceptions flush_tlb_kernel_range " \
		"trace_event_raw_event_tlb_flush tracing_mark_write clear_page", name, " ")
	for (i = 1; i <= n; i++)
		id[name[i]] = i
	if (arch != "arm64") {
		delete id["do_bad_area"]
		delete id["clear_page"]
	} else {
		delete id["trace_event_raw_event_x86_exceptions"]
		delete id["trace_event_raw_event_tlb_flush"]
	}
	# Functions that exist only because the guest is being traced.
	tracer = "^(trace_event_raw_event_|trace_event_get_offsets_|__traceiter_|" \
		"perf_trace_|kprobe_|kprobes_|get_kprobe|aggr_p|opt_pre_handler|" \
		"ftrace_|arch_ftrace_|__ftrace_|process_fetch_insn)"
}
function flush_skip() {
	if (skip_from)
		print "skip", skip_from, $1
	skip_from = ""
}
{
	module = ($4 != "")
	if (!module && $3 == "_stext")
		print "text", $1
	if (module || $2 !~ /^[tTW]$/)
		next
	# x86: symbols for the padding in front of functions
	if ($3 ~ /^__(pfx|cfi)_/)
		next
	# kernel/trace is linked in one piece, from its clock to irq_work.c
	if ($3 ~ /^trace_clock(_local)?$/)
		in_trace = 1
	if ($3 ~ /^(__)?irq_work_/)
		in_trace = 0
	if (in_trace || $3 ~ tracer) {
		if (!skip_from)
			skip_from = $1
	} else if (skip_from && $1 != skip_from)
		flush_skip()
	if ($3 in id)
		print "event", id[$3], $1, $3
	if ($3 == "fixup_exception")
		print "fixup", $1
	if (arch == "arm64" && ($3 == "el1_brk64" || $3 == "el1_softstp"))
		print "debug", $1, $3
	if (arch == "arm64" && $3 == "el1h_64_sync")
		print "vector", $1
}
END {
	# ftrace trampolines live among the modules, which the workload does not use
	if (arch != "arm64")
		print "skip ffffffffc0000000 ffffffffff000000"
}'
