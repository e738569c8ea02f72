#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the core and its reference port for bare metal, boots them on emulated machines, and boots
# images with seeded faults, which the host must notice. What is installed for others is compiled by
# itself.
#
#   tests/bare/boot.sh SOURCE-FOLDER arm64|x86      exit status 77 when a tool is missing
set -uo pipefail
cd "$1" || exit 2
machine=${2-}

# boot IMAGE CPU: the console in $work/console; 0 for a machine that passes, 1 for one that fails.
# faults: which images must fail, and at which check.
case $machine in
arm64)
    tools="clang ld.lld qemu-system-aarch64"
    target="--target=aarch64-none-elf" port=arm64_el2.c
    images=bare_arm64 cpus="max neoverse-n1 cortex-a57"
    boot() {
        timeout 60 qemu-system-aarch64 -accel tcg -machine virt,virtualization=on -cpu "$2" -m 128 -nic none \
            -display none -monitor none -serial null -semihosting-config enable=on,target=native \
            -kernel "build/bare-arm64/bin/$1.elf" >"$work/console" 2>&1 </dev/null
    }
    faults() {
        fault bare_arm64_skip_tlbi "each page of a donated range is gone"
    }
    ;;
x86)
    tools="clang ld.lld bochs script"
    target="--target=x86_64-none-elf -mgeneral-regs-only" port=x86_vmx.c
    images="bare_x86 bare_x86_poor" cpus="corei7_skylake_x corei7_sandy_bridge_2600k tigerlake"
    boot() { # a disk has whole cylinders
        mkdir -p "$work/disk"
        cp "build/bare-x86/bin/$1.img" "$work/disk/disk.img"
        truncate -s %516096 "$work/disk/disk.img"
        : >"$work/console"
        sh tests/oracle/bochs/run.sh "$work/disk" "$2" && mv "$work/disk/serial.log" "$work/console"
        [ "$(tail -n 1 "$work/console")" = "bare: PASS" ]
    }
    faults() {
        fault bare_x86_skip_tlbi "and the hypervisor, which could reach it" "pages of a dying guest come back wiped"
        fault bare_x86_no_wipe "a page taken back by force is wiped"
    }
    ;;
*)
    sed -n '/^#   /s/^# *//p' "$0" >&2
    exit 2
    ;;
esac

for tool in $tools; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing" >&2; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{ cmake --preset "bare-$machine" && cmake --build --preset "bare-$machine" -- --quiet; } >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
failures=0

# fault IMAGE SENTENCE...: it must fail, and be WRONG at each of these.
fault() {
    local image=$1 status sentence unnoticed=
    shift
    echo "== $image"
    boot "$image" "${cpus%% *}"
    status=$?
    [ $status -eq 1 ] && grep -q '^bare: FAIL' "$work/console" || unnoticed=1
    for sentence in "$@"; do
        grep -q "^WRONG $sentence" "$work/console" || unnoticed=1
    done
    grep '^WRONG' "$work/console"
    [ -n "$unnoticed" ] || return
    echo "the fault went unnoticed:"
    cat "$work/console"
    failures=$((failures + 1))
}

for image in $images; do
    for cpu in $cpus; do
        echo "== $image on $cpu"
        boot $image $cpu && grep -q '^bare: PASS' "$work/console" || failures=$((failures + 1))
        cat "$work/console"
    done
done
faults

echo "== what is installed"
cmake --install "build/bare-$machine" --prefix "$work/hyp" >"$work/log" 2>&1 ||
    { cat "$work/log"; failures=$((failures + 1)); }
for header in "$work"/hyp/include/hyp/*.h; do
    echo "#include <hyp/$(basename "$header")>"
done >"$work/all.c"
compile() {
    clang $target -std=c17 -ffreestanding -Wall -Wextra -Werror -I"$work/hyp/include" -I"$work/hyp/share" \
        -c "$1" -o "$work/object.o"
}
compile "$work/all.c" && compile "$work/hyp/share/hyp/port/$port" && [ -s "$work/hyp/lib/libhyp.a" ] ||
    failures=$((failures + 1))
[ $failures -eq 0 ] && echo "bare metal: as expected"
exit $((failures > 0))
