# SPDX-License-Identifier: GPL-2.0-or-later
# Damaged and foreign files get one message with file and position, status 3, and never a crash.
. "$(dirname "$0")/common.sh"

trace=$data/arm64-p.fltrace
size=$(stat -c %s "$trace")

# put FILE OFFSET BYTES: overwrites in place.
put() { printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

expect 3 "no-such.fltrace: " "$faultline" replay no-such.fltrace
expect 3 "$source_dir" "$faultline" replay "$source_dir"
: >"$work/empty"
expect 3 "$work/empty: " "$faultline" replay "$work/empty"
expect 3 "$source_dir/LICENSE: " "$faultline" replay "$source_dir/LICENSE"

# Cut short at many places: what is whole is replayed, and the message says what is missing.
for at in 1 7 64 200 4096 $((size / 3)) $((size / 2)) $((size - 1000)) $((size - 1)); do
    head -c "$at" "$trace" >"$work/cut"
    expect 3 "$work/cut: " "$faultline" replay -S none "$work/cut"
done

# A byte changed in header, first block, middle, index.
for at in 0 8 40 300 5000 $((size / 2)) $((size - 300)) $((size - 20)); do
    cp "$trace" "$work/changed"
    byte=$(od -An -tu1 -j "$at" -N 1 "$trace" | tr -d ' ')
    put "$work/changed" "$at" "\\x$(printf '%02x' $((byte ^ 0x55)))"
    "$faultline" replay -S none "$work/changed" >"$work/output" 2>&1
    status=$?
    cases=$((cases + 1))
    # A damaged index does not matter to a replay from start to end; anything else is status 3.
    if [ $status -ne 3 ] && [ $status -ne 0 ]; then
        echo "FAILED: byte $at changed gives status $status" >&2
        failures=$((failures + 1))
    elif [ $status -eq 3 ] && ! grep -qF "$work/changed: " "$work/output"; then
        echo "FAILED: byte $at changed: no message with the file's name" >&2
        failures=$((failures + 1))
    fi
done

# A recording directory without its parts, and text that is none.
mkdir "$work/recording"
expect 3 "$work/recording/" "$faultline" import "$work/recording" -o "$work/out.fltrace"
expect 3 "facts.txt" "$faultline" import "$source_dir/LICENSE" -o "$work/out.fltrace"
expect 2 "--from takes recording, ftrace, perf, trace.dat or lackey, not 'vcd'" \
    "$faultline" import --from vcd "$source_dir/LICENSE" -o "$work/out.fltrace"
cp "$source_dir"/tests/traces/corpus/{facts,extable}.txt "$work"
printf 'I  04001000,3\n L 1ffeffe7e0,8\n' >"$work/program.txt"
expect 3 "program.txt: line 1: expected task pid [cpu] time: event: arguments" \
    "$faultline" import --from perf "$work/program.txt" -o "$work/out.fltrace"
expect 2 "--facts and --entries go with the console of a crash" \
    "$faultline" import --from perf --facts "$work" "$work/program.txt" -o "$work/out.fltrace"
expect 0 "1 accesses, 0 events" "$faultline" import "$work/program.txt" -o "$work/program.fltrace"
expect 0 "accesses                                1" "$faultline" replay -S none "$work/program.fltrace"
cases=$((cases + 1))
[ ! -e "$work/out.fltrace" ] || { echo "FAILED: a failed import left a file" >&2; failures=$((failures + 1)); }
finish
