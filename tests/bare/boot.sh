# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the core and its reference port for bare metal, boots them at EL2 of emulated machines, and
# boots once more with TLB maintenance that does nothing, which the host must notice. What is
# installed for others is compiled by itself.
#
#   tests/bare/boot.sh SOURCE-FOLDER      exit status 77 when a tool is missing
set -uo pipefail
cd "$1" || exit 2

for tool in clang ld.lld qemu-system-aarch64; do
    command -v $tool >/dev/null || { echo "skipped: $tool is missing" >&2; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{ cmake --preset bare-arm64 && cmake --build --preset bare-arm64 -- --quiet; } >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }

# boot IMAGE CPU: the console in $work/console; the status is the machine's verdict.
boot() {
    timeout 60 qemu-system-aarch64 -accel tcg -machine virt,virtualization=on -cpu "$2" -m 128 -nic none \
        -display none -monitor none -serial null -semihosting-config enable=on,target=native \
        -kernel "build/bare-arm64/bin/$1.elf" >"$work/console" 2>&1 </dev/null
}

failures=0
for cpu in max neoverse-n1 cortex-a57; do
    echo "== $cpu"
    boot bare_arm64 $cpu && grep -q 'bare: PASS' "$work/console" || failures=$((failures + 1))
    cat "$work/console"
done
echo "== TLB maintenance that does nothing"
boot bare_arm64_skip_tlbi max
if [ $? -ne 1 ] || ! grep -q '^WRONG each page of a donated range is gone' "$work/console"; then
    cat "$work/console"
    echo "the fault went unnoticed"
    failures=$((failures + 1))
else
    grep '^WRONG' "$work/console"
fi

echo "== what is installed"
cmake --install build/bare-arm64 --prefix "$work/hyp" >"$work/log" 2>&1 || { cat "$work/log"; failures=$((failures + 1)); }
for header in "$work"/hyp/include/hyp/*.h; do
    echo "#include <hyp/$(basename "$header")>"
done >"$work/all.c"
clang --target=aarch64-none-elf -std=c17 -ffreestanding -Wall -Wextra -Werror -I"$work/hyp/include" \
    -c "$work/all.c" -o "$work/all.o" &&
    clang --target=aarch64-none-elf -std=c17 -ffreestanding -Wall -Wextra -Werror -I"$work/hyp/include" \
        -I"$work/hyp/share" -c "$work/hyp/share/hyp/port/arm64_el2.c" -o "$work/port.o" &&
    [ -s "$work/hyp/lib/libhyp.a" ] || failures=$((failures + 1))
[ $failures -eq 0 ] && echo "bare metal: as expected"
exit $((failures > 0))
