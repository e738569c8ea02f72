# SPDX-License-Identifier: GPL-2.0-or-later
# The manual has a page for each command, every option of it, and every knob.
. "$(dirname "$0")/common.sh"

if ! command -v help2man >/dev/null; then
    echo "help2man is not there: no manual"
    exit 77
fi
expect 0 "faultline-replay.1" bash -c '"$0" "$1" "$2" && ls "$2"' "$source_dir/tools/man" "$faultline" "$work/man"
expect 0 "faultline-replay (1)" cat "$work/man/faultline.1"
commands=$("$faultline" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
for command in $commands; do
    page=$work/man/faultline-$command.1
    expect 0 ".SH SYNOPSIS" cat "$page"
    for option in $("$faultline" "$command" --help | sed -n 's/^ .* --\([a-z-]*\).*/\1/p'); do
        expect 0 "\\-\\-${option//-/\\-}" cat "$page"
    done
done
for knob in $("$faultline" knobs | cut -d' ' -f1); do
    expect 0 "\\fB$knob\\fR" cat "$work/man/faultline-knobs.1"
done
finish
