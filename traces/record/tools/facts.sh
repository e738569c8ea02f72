#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Summarise what a reader of a recording must know about the guest.
#
#	facts.sh RAWDIR
set -eu
raw=$1
cd "$raw"

section() {
	echo
	echo "[$1]"
}

echo "[kernel]"
cat uname.txt
echo "command line: $(cat cmdline.txt)"
sed -n 's/^model name[^:]*: /cpu: /p;s/^CPU implementer[^:]*: /cpu implementer: /p;s/^CPU part[^:]*: /cpu part: /p' \
	cpuinfo.txt | sort -u

section "addresses"
echo "# direct map: first address, first address after it, physical address of the first"
grep '^linear ' zpinfo.txt
echo "# lowest address of kernel code"
grep '^text ' map.txt

section "physical memory"
sed -n 's/^\([0-9a-f]*\)-\([0-9a-f]*\) : System RAM/\1 \2/p' iomem.txt

section "load_unaligned_zeropad"
echo "# address, register data of the exception table entry, place"
sed -n 's/^zeropad //p' zpinfo.txt

section "options"
grep -E '^(# )?CONFIG_(SECRETMEM|RODATA_FULL_DEFAULT_ENABLED|KVM|DCACHE_WORD_ACCESS|FTRACE|FUNCTION_TRACER|KPROBES|KPROBE_EVENTS|KPROBES_ON_FTRACE|KFENCE|KFENCE_SAMPLE_INTERVAL|PAGE_OWNER|DEBUG_PAGEALLOC|INIT_ON_ALLOC_DEFAULT_ON|ARM64_4K_PAGES|ARM64_VA_BITS|ARM64_PA_BITS|VMAP_STACK|SLAB_MERGE_DEFAULT|SHUFFLE_PAGE_ALLOCATOR|TRANSPARENT_HUGEPAGE_ALWAYS|PROC_KCORE|PREEMPT_DYNAMIC|PREEMPT_VOLUNTARY|HZ|KASAN|ARM64_ERRATUM_4118414)[ =]' config.txt

section "processor features and errata found by the kernel"
sed -n 's/.*CPU features: detected: //p' dmesg.txt

section "workload"
cat zpwork.txt

section "counters, at the start and at the end of the recording"
for key in DirectMap4k DirectMap2M DirectMap1G PageTables Slab MemFree; do
	paste -d ' ' meminfo-start.txt meminfo-end.txt | tr -s ' ' | sed -n "s/^$key: \([0-9]*\) kB $key: \([0-9]*\) kB/$key kB \1 \2/p"
done
for key in direct_map_level2_splits direct_map_level3_splits nr_secretmem \
	nr_tlb_local_flush_all nr_tlb_remote_flush; do
	paste -d ' ' vmstat-start.txt vmstat-end.txt | sed -n "s/^$key \([0-9]*\) $key \([0-9]*\)/$key \1 \2/p"
done

section "probe hits and misses, from the start of tracing"
sed 's/^ *//;s/  */ /g' kprobe-profile.txt

section "trace buffer"
sed -n 's/^\(entries\|overrun\|commit overrun\|dropped events\): /\1 /p' trace-stats.txt
