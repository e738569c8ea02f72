# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the scripts beside it: sourced, not run.
set -uo pipefail

faultline=$1
source_dir=$2
data=$source_dir/traces/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
cases=0

# expect STATUS TEXT COMMAND...: the command ends with STATUS, and its output has TEXT in it.
expect() {
    local status=$1 text=$2 got
    shift 2
    "$@" >"$work/output" 2>&1 </dev/null
    got=$?
    cases=$((cases + 1))
    if [ $got -ne "$status" ] || ! grep -qF -- "$text" "$work/output"; then
        echo "FAILED: $*" >&2
        echo "  expected status $status and '$text', got status $got and:" >&2
        head -n 5 "$work/output" | sed 's/^/  | /' >&2
        failures=$((failures + 1))
    fi
}

# same FILE FILE: byte for byte.
same() {
    cases=$((cases + 1))
    cmp -s "$1" "$2" || { echo "FAILED: $1 and $2 differ" >&2; failures=$((failures + 1)); }
}

finish() {
    echo "$((cases - failures)) of $cases as expected"
    [ $failures -eq 0 ] && [ $cases -gt 0 ]
    exit
}
