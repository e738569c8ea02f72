# SPDX-License-Identifier: GPL-2.0-or-later
# The report: one page, whole or not there, the same each time.
. "$(dirname "$0")/common.sh"
command -v gnuplot >/dev/null || { echo "skipped: no gnuplot"; exit 0; }

trace="$work/a<b & c.fltrace"
"$faultline" trace filter --to 1500000 -l 3 "$data/arm64-p.fltrace" -o "$trace"
"$faultline" report "$trace" "$data/crash-neoverse-n1.fltrace" -o "$work/one.html"
"$faultline" report "$trace" "$data/crash-neoverse-n1.fltrace" -o "$work/two.html"
same "$work/one.html" "$work/two.html"
expect 0 "<h2>a&lt;b &amp; c.fltrace</h2>" cat "$work/one.html"
expect 0 'class="panic">1 panic<' cat "$work/one.html"
expect 0 "recorded faults: 1, predicted: 1, missed: 0, spurious: 0" cat "$work/one.html"
expect 0 "</body></html>" tail -n 1 "$work/one.html"
# Nothing of it lies elsewhere: no address but those inside the pictures.
cases=$((cases + 1))
[ "$(grep -o 'src="[a-z]*:' "$work/one.html" | sort -u)" = 'src="data:' ] &&
    ! grep -qE '(href|src)="?http' "$work/one.html" || { echo "FAILED: addresses" >&2; failures=$((failures + 1)); }

expect 3 "no-such.fltrace" "$faultline" report "$trace" "$work/no-such.fltrace" -o "$work/three.html"
expect 2 "Usage:" "$faultline" report
expect 2 "no/page.html" "$faultline" report "$trace" -o "$work/no/page.html"
cases=$((cases + 1))
[ ! -e "$work/three.html" ] && [ ! -e "$work/three.html.part" ] || { echo "FAILED: half a page is left" >&2; failures=$((failures + 1)); }
finish
