# SPDX-License-Identifier: GPL-2.0-or-later
# Every mistake on the command line gets one message and status 2; help gets status 0.
. "$(dirname "$0")/common.sh"

expect 2 "usage: faultline" "$faultline"
expect 0 "usage: faultline" "$faultline" --help
expect 0 "faultline 0." "$faultline" --version
expect 2 "unknown command 'reply'" "$faultline" reply
for command in $("$faultline" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'); do
    expect 0 "Usage: faultline $command" "$faultline" "$command" --help
    expect 2 "unrecognized option" "$faultline" "$command" --no-such-option
done
expect 2 "Usage:" "$faultline" replay
expect 2 "unknown strategy 'hope'" "$faultline" replay -S hope "$data/arm64-p.fltrace"
expect 2 "unknown strategy 'hope'" "$faultline" compare -S none,hope "$data/arm64-p.fltrace"
expect 2 "unknown format 'xml'" "$faultline" compare -f xml "$data/arm64-p.fltrace"
expect 2 "standard input will not do" "$faultline" compare -
expect 2 "--jobs takes 1 to 64" "$faultline" compare -j 0 "$data/arm64-p.fltrace"
expect 2 "unknown knob 'cost.exits'" "$faultline" replay -s cost.exits=1 "$data/arm64-p.fltrace"
expect 2 "out of range" "$faultline" replay -s cpu.count=1000 "$data/arm64-p.fltrace"
expect 2 "s1.bbm=2" "$faultline" replay -S secretmem -s s1.block=1g "$data/arm64-p.fltrace"
expect 2 "no-such.yaml: " "$faultline" knobs -c no-such.yaml
printf 'cpu:\n  preset: z80\n' >"$work/bad.yaml"
expect 2 "bad.yaml:2:11: cpu.preset: 'z80' is not one of" "$faultline" knobs -c "$work/bad.yaml"
printf 'cpu:\n  preset: cortex-a55\n' >"$work/good.yaml"
expect 0 "cortex-a55" "$faultline" knobs -c "$work/good.yaml"
expect 2 "Usage:" "$faultline" selftest
expect 2 "--steps takes a number above 0" "$faultline" selftest pkvm-trace --steps none
expect 2 "unknown kind of record 'wish'" "$faultline" trace dump -k wish "$data/arm64-p.fltrace"
expect 2 "expected a name ending in .png" \
    "$faultline" compare -S none --plot "$work/plot.gif" "$data/arm64-p.fltrace"
expect 2 "plot.png: nothing to draw: no strategy but the baseline" \
    "$faultline" compare -S none --plot "$work/plot.png" "$data/arm64-p.fltrace"
finish
