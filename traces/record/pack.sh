#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Reduce a recording made by record.sh to what is worth keeping. `faultline import`
# checks it: stream and text must have the same events.
#
#	./pack.sh RAWDIR OUTDIR
set -eu

raw=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/work}
mkdir -p "$work"

gcc -O2 -std=gnu11 -Wall -Wextra -o "$work/zpdump" "$here/tools/zpdump.c"

cd "$raw"
"$work/zpdump" -s access.zprec >"$out/totals.txt"
"$work/zpdump" -u kallsyms.txt access.zprec | xz -9e >"$out/symbols.txt.xz"
sh "$here/tools/facts.sh" "$raw" >"$out/facts.txt"

zstd -q -f -19 --long=27 access.zprec -o "$out/access.zprec.zst"
xz -9e -c trace.txt >"$out/trace.txt.xz"
sed -n '/^extable/p' zpinfo.txt | xz -9e >"$out/extable.txt.xz"
xz -9e -c map.txt >"$out/map.txt.xz"
for when in start end; do
	xz -9e -c kpageflags-$when.bin >"$out/kpageflags-$when.bin.xz"
done
cp donated-start.txt "$out/"
cat "$out/totals.txt"
