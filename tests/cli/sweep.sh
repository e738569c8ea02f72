# SPDX-License-Identifier: GPL-2.0-or-later
# Sweeps and their plots: the same bytes on any number of threads, nothing run twice, nothing lost.
. "$(dirname "$0")/common.sh"

trace=$work/short.fltrace
"$faultline" trace filter --to 1500000 -l 3 "$data/arm64-p.fltrace" -o "$trace"
axes=(-a 'cpu.count=2..8*2' -a s2.block=page,2m -S none,reflect)

"$faultline" sweep -f tsv -j 1 "${axes[@]}" "$trace" >"$work/one" 2>/dev/null
"$faultline" sweep -f tsv -j 2 "${axes[@]}" "$trace" >"$work/two" 2>/dev/null
same "$work/one" "$work/two"
expect 0 "8            2m           reflect" "$faultline" sweep "${axes[@]}" "$trace"
expect 0 '"cpu.count": 8' "$faultline" sweep -f json "${axes[@]}" "$trace"

# A point of a sweep is the same run as one of its own.
"$faultline" replay -f tsv -S reflect -s cpu.count=4 -s s2.block=2m "$trace" |
    awk -F'\t' 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "cycles") c = i} NR == 2 {print $c}' >"$work/alone"
awk -F'\t' 'NR == 1 {for (i = 1; i <= NF; i++) at[$i] = i}
    $at["strategy"] == "reflect" && $at["cpu.count"] == 4 && $at["s2.block"] == "2m" {print $at["cycles"]}' \
    "$work/one" >"$work/point"
same "$work/alone" "$work/point"

# What is in the file is taken from there; a sweep that was killed goes on.
results=$work/results.db
expect 0 "sweep: 4 runs made, 0 taken" \
    "$faultline" sweep -o "$results" -a cpu.count=2,4 -S none,reflect -s s2.block=2m "$trace"
expect 0 "sweep: 0 runs made, 4 taken" \
    "$faultline" sweep -o "$results" -a cpu.count=2,4 -S none,reflect -s s2.block=2m "$trace"
expect 0 "sweep: 4 runs made, 0 taken" \
    "$faultline" sweep -A -o "$results" -a cpu.count=2,4 -S none,reflect -s s2.block=2m "$trace"
"$faultline" sweep -j 1 -o "$work/killed.db" "${axes[@]}" "$trace" >/dev/null 2>&1 &
for _ in $(seq 300); do
    [ -s "$work/killed.db" ] && break
    sleep 0.1
done
kill -9 $! 2>/dev/null
wait $! 2>/dev/null
"$faultline" sweep -f tsv -o "$work/killed.db" "${axes[@]}" "$trace" >"$work/two" 2>/dev/null
same "$work/one" "$work/two"

# Some combinations make no machine: the others are run, and the status tells.
expect 1 "impossible combinations: 1; the first: " \
    "$faultline" sweep -a s1.block=page,1g -S direct-map-unmap "$trace"
expect 1 "page         direct-map-unmap" "$faultline" sweep -a s1.block=page,1g -S direct-map-unmap "$trace"

expect 2 "'cpu.cores' is no knob" "$faultline" sweep -a cpu.cores=1 "$trace"
expect 2 "cpu.count is an axis twice" "$faultline" sweep -a cpu.count=1 -a cpu.count=2 "$trace"
expect 2 "standard input will not do" "$faultline" sweep -a cpu.count=1 -
expect 3 "no-such.fltrace" "$faultline" sweep -a cpu.count=1 "$work/no-such.fltrace"
expect 3 "not a database" "$faultline" sweep -a cpu.count=2 -o "$trace" "$trace"
expect 3 "unable to open" "$faultline" sweep -a cpu.count=2 -o "$work/no/such.db" "$trace"

expect 2 "Usage:" "$faultline" plot "$results"
expect 2 "no column 'cores'" "$faultline" plot "$results" -x cores -o "$work/p.png"
expect 2 "expected a name ending in .png" "$faultline" plot "$results" -x cpu.count -o "$work/p.gif"
expect 2 "no run of secretmem" "$faultline" plot "$results" -x cpu.count -O secretmem -o "$work/p.png"
expect 3 "unable to open" "$faultline" plot "$work/no.db" -x cpu.count -o "$work/p.png"
if command -v gnuplot >/dev/null; then
    for form in png svg pdf; do
        "$faultline" plot "$results" -x cpu.count --over none -o "$work/p.$form"
        [ -s "$work/p.$form" ] || { echo "FAILED: no $form" >&2; failures=$((failures + 1)); }
    done
    "$faultline" plot "$results" -x strategy -l cpu.count -y strays -o "$work/p.svg"
    expect 0 "reflect" cat "$work/p.svg"
fi
finish
