# SPDX-License-Identifier: GPL-2.0-or-later
# Traces without a recording: the same each time, through a pipe too, and fit for every strategy.
. "$(dirname "$0")/common.sh"

small=(-m 64M -W 2048 -n 300K -d 300 -t 30K -z 3000)
for arch in arm64 x86-64; do
    "$faultline" generate "${small[@]}" -a $arch -o "$work/$arch.fltrace"
    expect 0 "recorded faults: 0, predicted: 0, missed: 0, spurious: 0" \
        "$faultline" compare -s check.stale=all "$work/$arch.fltrace"
done
"$faultline" generate "${small[@]}" -o "$work/again.fltrace"
same "$work/arm64.fltrace" "$work/again.fltrace"
"$faultline" generate "${small[@]}" -o - | "$faultline" replay -f tsv - >"$work/piped"
"$faultline" replay -f tsv "$work/arm64.fltrace" >"$work/read"
same "$work/piped" "$work/read"

# A stray under one strategy is the same stray under another: fatal here, repaired there.
"$faultline" compare -f tsv -S none,stage2-only,reflect "$work/arm64.fltrace" 2>/dev/null |
    awk -F'\t' 'NR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
        {print $at["strategy"], ($at["strays"] > 100), ($at["panics"] == $at["strays"]), ($at["survived"] == $at["strays"])}' >"$work/strays"
printf 'none 0 1 1\nstage2-only 1 1 0\nreflect 1 0 1\n' >"$work/expected"
same "$work/strays" "$work/expected"

for pattern in uniform stream; do
    "$faultline" generate "${small[@]}" -p $pattern -o "$work/p.fltrace"
    expect 0 "reflect" "$faultline" compare -S none,reflect "$work/p.fltrace"
done
for size in 16K 64K; do
    "$faultline" generate -W 512 -m 64M -n 300K -d 300 -t 30K -z 3000 -g $size -o "$work/$size.fltrace"
    expect 0 "2 CPUs, ${size%K} KiB pages" "$faultline" trace info "$work/$size.fltrace"
    expect 0 "recorded faults: 0, predicted: 0, missed: 0, spurious: 0" \
        "$faultline" compare -s check.stale=all -s s1.bbm=2 -s s1.block=2m "$work/$size.fltrace"
done
expect 2 "'8K': expected 4K, 16K or 64K" "$faultline" generate -g 8K -o "$work/x"
expect 2 "page-size: expected 4K, or for arm64 16K or 64K" "$faultline" generate -a x86-64 -g 16K -o "$work/x"
expect 2 "Usage:" "$faultline" generate
expect 2 "'hot': expected uniform, skewed or stream" "$faultline" generate -p hot -o "$work/x"
expect 2 "'1Q' is no number" "$faultline" generate -n 1Q -o "$work/x"
expect 2 "'99999999999G' is no number" "$faultline" generate -m 99999999999G -o "$work/x"
expect 2 "working-set: 1 is out of range: 64 to 131072" "$faultline" generate -W 1 -o "$work/x"
expect 2 "no/x" "$faultline" generate -n 1 -o "$work/no/x"
cases=$((cases + 1))
[ ! -e "$work/x" ] || { echo "FAILED: a refused trace was written" >&2; failures=$((failures + 1)); }
finish
