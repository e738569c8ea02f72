# SPDX-License-Identifier: GPL-2.0-or-later
# What comes out: the same bytes each time and on any number of threads, through a pipe too.
. "$(dirname "$0")/common.sh"

trace=$work/short.fltrace
"$faultline" trace filter --to 3000000 -l 3 "$data/arm64-p.fltrace" -o "$trace"
"$faultline" compare -f tsv -j 1 "$trace" >"$work/one" 2>/dev/null
"$faultline" compare -f tsv -j 2 "$trace" >"$work/two" 2>/dev/null
same "$work/one" "$work/two"
expect 0 "direct-map-batch" cat "$work/one"
"$faultline" replay -f tsv "$trace" >"$work/one"
cat "$trace" | "$faultline" replay -f tsv - >"$work/two"
same "$work/one" "$work/two"
expect 0 '"strategy": "reflect"' "$faultline" compare -f json -S none,reflect "$trace"
expect 0 "recorded faults: 0, predicted: 0, missed: 0, spurious: 0" "$faultline" compare "$trace"
expect 0 "recorded faults: 1, predicted: 1, missed: 0, spurious: 0" \
    "$faultline" compare "$data/crash-cortex-a72.fltrace"
expect 0 "---[ host stage 2 ]---" "$faultline" replay --dump-tables "$trace"
expect 0 "owner hyp" "$faultline" replay --dump-tables "$trace"
expect 0 "step 1000 rc-hash 7ce3997f885bddd2 state-hash e155c3afe0c9eeb4" \
    "$faultline" selftest pkvm-trace --steps 1000
expect 0 "zp sync" "$faultline" trace dump -k mark "$data/arm64-p.fltrace"
expect 0 "donated pages" "$faultline" trace info "$trace"
if command -v gnuplot >/dev/null; then
    for form in png svg pdf; do
        expect 0 "strategy" "$faultline" compare -S none,reflect --plot "$work/plot.$form" "$trace"
        [ -s "$work/plot.$form" ] || { echo "FAILED: no $form" >&2; failures=$((failures + 1)); }
    done
fi
finish
