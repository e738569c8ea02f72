#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Boot the same arm64 kernel as a pKVM host: what it reserves for the hypervisor
# at several memory sizes, and what a path walk does next to a page it gave away.
#
#	./pkvm.sh OUTDIR
set -eu

arch=arm64
outdir=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$outdir"
outdir=$(cd "$outdir" && pwd)
. "$here/common.sh"

boot() {
	log=$1 mem=$2 cpu=$3 args=$4
	shift 4
	qemu-system-aarch64 -M virt,gic-version=3,dtb-randomness=off,virtualization=on \
		-cpu "$cpu" -m "$mem" -smp 2 -icount shift=0,sleep=off \
		-rtc base=2024-01-01T00:00:00,clock=vm -nodefaults -display none \
		-serial "file:$log" -no-reboot -kernel "$kernel" -initrd "$initramfs" \
		-append "console=$console quiet loglevel=4 nokaslr norandmaps panic=1 $args" \
		"$@"
	tr -d '\r' <"$log" >"$log.text"
	mv "$log.text" "$log"
}

log=$work/pkvm.log
rm -f "$outdir/boot.txt"
for run in "neoverse-n1 1G nvhe" "neoverse-n1 512M protected" "neoverse-n1 1G protected" \
	"neoverse-n1 2G protected" "neoverse-n1 4G protected" "neoverse-n1 8G protected" \
	"neoverse-n1 16G protected" "cortex-a72 1G protected"; do
	set -- $run
	boot "$log" "$2" "$1" "kvm-arm.mode=$3 zp.job=boot"
	{
		echo "== cpu $1 memory $2 kvm-arm.mode=$3"
		cat "$log"
	} >>"$outdir/boot.txt"
done

# What took the host into the hypervisor, from QEMU's exception log, in order.
for cpu in neoverse-n1 cortex-a72; do
	boot "$log" 1G $cpu "kvm-arm.mode=protected zp.job=pkvm" \
		-d int -D "$work/pkvm-int.log"
	cp "$log" "$outdir/crash-$cpu.txt"
	awk '
	/^Taking exception/ {
		match($0, /\[[^]]*\]/)
		kind = substr($0, RSTART + 1, RLENGTH - 2)
		gsub(" ", "-", kind)
		cpu = $NF; to_el2 = 0; esr = far = elr = "-"
	}
	/^\.\.\.from EL1 to EL2/ { to_el2 = 1 }
	/^\.\.\.with ESR/ { esr = substr($3, index($3, "/") + 1) }
	/^\.\.\.with FAR/ { far = $3 }
	/^\.\.\.with ELR/ { elr = $3 }
	/^\.\.\.to EL/ && to_el2 { print cpu, kind, esr, far, elr }
	' "$work/pkvm-int.log" >"$outdir/el2-entries-$cpu.txt"
	rm -f "$work/pkvm-int.log"
done
