#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Record kernel memory traces of an unmodified Debian kernel under QEMU.
#
#	./record.sh ARCH MIX SEED OUTDIR [plugin arguments]
#
#	ARCH	arm64 or amd64
#	MIX	workload mix, a, b or p (guest/zpwork.c); p makes the arm64 guest a
#		pKVM host that starts and stops VMs
#	SEED	any number
#	OUTDIR	where the recording goes
set -eu

arch=$1 mix=$2 seed=$3 outdir=$4 plugin_args=${5:-}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$outdir"
outdir=$(cd "$outdir" && pwd)
. "$here/common.sh"

# nokaslr and norandmaps: addresses are the same in both boots and in every
# repetition.  One host thread for all vCPUs and a clock that advances one
# nanosecond per instruction: recording does not disturb the guest's time.
boot() {
	log=$1 disk=$2 args=$3
	shift 3
	rm -f "$disk"
	truncate -s 512M "$disk"
	$machine -m ${MEM:-1G} -smp 2 -icount shift=0,sleep=off \
		-rtc base=2024-01-01T00:00:00,clock=vm -nodefaults -display none \
		-serial "file:$log" -no-reboot \
		-drive file="$disk",format=raw,if=none,id=out \
		-device virtio-blk-pci,drive=out \
		-kernel "$kernel" -initrd "$initramfs" \
		-append "console=$console quiet loglevel=4 nokaslr norandmaps secretmem.enable=1 $args" \
		"$@"
}

extra=
if [ "$mix" = p ]; then
	machine="$machine -M virtualization=on"
	extra=kvm-arm.mode=protected
fi

info=$work/info-$arch
rm -rf "$info"
mkdir -p "$info"
boot "$work/info-$arch.log" "$work/disk-$arch.img" "zp.job=info $extra"
tar xf "$work/disk-$arch.img" -C "$info"

sh "$here/tools/mkmap.sh" "$arch" "$info" >"$work/map-$arch.txt"

boot "$work/record-$arch.log" "$work/disk-$arch.img" \
	"zp.job=record zp.mix=$mix zp.seed=$seed $extra" \
	-plugin "$work/libzprec.so,out=$outdir/access.zprec,map=$work/map-$arch.txt${plugin_args:+,$plugin_args}" \
	2>"$outdir/plugin.txt"
tar xf "$work/disk-$arch.img" -C "$outdir"
cp "$work/map-$arch.txt" "$outdir/map.txt"
cp "$info/zpinfo.txt" "$info/kallsyms.txt" "$outdir/"
cp "$config" "$outdir/config.txt"
rm -f "$work/disk-$arch.img"
cat "$outdir/plugin.txt" "$outdir/zpwork.txt"
