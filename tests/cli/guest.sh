# SPDX-License-Identifier: GPL-2.0-or-later
# Guests as a user runs them: every guest under every strategy that fits, their seeded bugs, runs
# that become traces, and what bad images get.
. "$(dirname "$0")/common.sh"
guests=$(dirname "$faultline")/../guests

guest() {
    "$faultline" guest -s check.stale=all "$@"
}

# ends STRATEGY HOW: a row of that table.
ends() {
    expect 0 "" grep -E "^$1 +$2 " "$work/table"
}

for arch in arm64 x86; do
    for name in zeropad touch churn smp; do
        cpus=1
        less=
        case $name in
        smp) cpus=2 less="rounds=10" ;;
        touch) less="size=16m" ;;
        esac
        expect 0 "none " guest -S all --cpus $cpus --args "$less" "$guests/$arch/$name"
    done
    # A translation that should have been invalidated is found, with the instruction that was due.
    expect 1 "stale translation used" guest --cpus 2 --args "rounds=10 bug=skip-tlbi" "$guests/$arch/smp"
    # Without its exception table no strategy saves the kernel; an unrepaired value is noticed.
    expect 1 "panic" guest --args bug=ignore-table "$guests/$arch/zeropad"
    expect 1 "FAILED" guest --args bug=no-shift "$guests/$arch/zeropad"
done
expect 0 "" guest -S all "$guests/arm64/zeropad"
cp "$work/output" "$work/table"
ends none exited
ends el2-bug "hypervisor stops"
ends stage2-only panic
for strategy in sea-fixup reflect new-syndrome sdei direct-map-unmap direct-map-batch secretmem; do
    ends $strategy exited
done
expect 0 "exited" guest -S all "$guests/x86/xom"
expect 0 "exited" guest -s s2.tells_linear=0 --exact "$guests/x86/xom"
expect 0 "exited" guest -S all "$guests/x86/asi"
expect 1 "FAILED" guest --args bug=plain-alias "$guests/x86/xom"
expect 1 "panic" guest --args bug=no-abort "$guests/x86/asi"
# A read that no exception table covers: fatal, or the page is taken from its VM by force.
expect 1 "panic" guest -S sea-fixup --args bug=wild-read "$guests/arm64/churn"
expect 1 "FAILED" guest -S reflect --args bug=wild-read "$guests/arm64/churn"

# The same run twice; and on a machine with its own options.
expect 0 "" guest -f tsv "$guests/arm64/zeropad"
cp "$work/output" "$work/one"
expect 0 "" guest -f tsv "$guests/arm64/zeropad"
same "$work/output" "$work/one"
expect 0 '"guest.end": "exited"' guest -f json -s s2.block=page --memory 256M "$guests/arm64/touch"

# A recorded run replays to the same counters, faults and cycles.
counters() {
    grep -E '^(cycles|mmu\.|strays|survived|exits|hypercalls|flushes|predicted|recorded)' "$1" |
        sort >"$2"
    [ -s "$2" ]
}
for run in arm64/zeropad/reflect arm64/churn/direct-map-unmap arm64/smp/none x86/zeropad/ept-inject \
    x86/churn/ept-ve x86/smp/none x86/xom/ept-inject x86/asi/ept-inject; do
    IFS=/ read -r arch name strategy <<<"$run"
    expect 0 "exited" "$faultline" guest --counters --cpus 2 -S "$strategy" \
        --args "rounds=5" --record "$work/run.fltrace" "$guests/$arch/$name"
    counters "$work/output" "$work/live"
    expect 0 "cycles" "$faultline" replay -S "$strategy" "$work/run.fltrace"
    counters "$work/output" "$work/replayed"
    same "$work/live" "$work/replayed"
done

# What cannot run says so.
image=$guests/arm64/smp
damaged() { # OFFSET BYTES TEXT
    cp "$image" "$work/image"
    printf "$2" | dd of="$work/image" bs=1 seek="$1" conv=notrunc 2>/dev/null
    expect 3 "$3" guest "$work/image"
}
expect 3 "No such file" guest "$work/nothing"
expect 3 "byte 0: not an ELF file" guest "$source_dir/README.md"
damaged 4 '\001' "expected a 64-bit little-endian ELF file"
damaged 18 '\003' "machine 3, expected 183 (AArch64) or 62 (x86-64)"
damaged 16 '\001' "expected 2: a linked, not relocatable executable"
damaged 24 '\000\000\000\000\000\000\000\000' "is in no executable segment"
head -c 300 "$image" >"$work/image"
expect 3 "are not in the file, which ends at 300" guest "$work/image"
: >"$work/image"
expect 3 "expected an ELF file" guest "$work/image"
expect 2 "CPUs, expected 1 to 8" guest --cpus 9 "$image"
expect 2 "expected 64 MiB to 1 TiB" guest --memory 1M "$image"
expect 2 "is no number" guest --memory lots "$image"
expect 2 "does not fit this guest" guest -S ept-inject "$image"
expect 2 "--record takes one strategy" guest -S all --record "$work/x" "$image"
expect 2 "arguments for the guest" guest --args "$(printf '%300s' x)" "$image"
expect 2 "No such file or directory" guest --record "$work/no/where" "$image"
expect 1 "instructions have run" guest --limit 100000 --args iterations=100000000 "$guests/arm64/mix"
if command -v clang >/dev/null && command -v ld.lld >/dev/null; then
    program() { # TEXT ARCH-TRIPLE
        printf '.globl _start\n_start:\n%s\n' "$1" >"$work/p.S"
        clang --target="$2" -c "$work/p.S" -o "$work/p.o"
        ld.lld -Ttext=0xffff800080001000 --image-base=0xffff800080000000 -z max-page-size=4096 \
            "$work/p.o" -o "$work/p"
    }
    # The example of docs/GUESTS.md, as it stands there.
    sed -n '/^```c$/,/^```$/p' "$source_dir/docs/GUESTS.md" | sed '/^```/d' >"$work/hello.c"
    clang --target=aarch64-none-elf -ffreestanding -mgeneral-regs-only -O2 -I"$source_dir" -c \
        -o "$work/hello.o" "$work/hello.c"
    ld.lld --image-base=0xffff800080000000 -z max-page-size=4096 -z separate-code "$work/hello.o" \
        -o "$work/hello"
    expect 0 "before, and after" guest -S reflect "$work/hello"
    expect 0 "exited" guest -S all "$work/hello"
    program 'mov x1, #64
        br x1' aarch64-none-elf
    expect 1 "lock-up" guest "$work/p"
    expect 1 "VBAR" guest "$work/p"
    program 'mov x0, #0x7777
        hvc #0
        cmn x0, #1
        b.ne .
        mov x0, #0x1000
        mov x1, #0
        hvc #0' aarch64-none-elf
    expect 0 "exited" guest "$work/p"
    # Its own TTBR0: four tables behind `free`, the page 0x1000 in the last. The entry then changes.
    tables='ldp x1, x2, [x0, #8]
        ldr x3, [x0, #32]
        sub x4, x1, x2
        add x5, x3, x4
        mov x6, #0x1000
        mov x7, x3
        .rept 3
        add x7, x7, x6
        orr x8, x7, #3
        str x8, [x5]
        add x5, x5, x6
        .endr
        add x7, x7, x6
        mov x9, #0x703
        orr x8, x7, x9
        str x8, [x5, #8]
        mov x10, #0x1234
        str x10, [x5, x6]
        dsb ishst
        msr ttbr0_el1, x3
        isb
        ldr x11, [x6]
        add x8, x8, x6
        str x8, [x5, #8]
        dsb ishst'
    exits='isb
        ldr x12, [x6]
        cmp x11, x10
        ccmp x12, #0, #0, eq
        cset x1, ne
        mov x0, #0x1000
        hvc #0'
    program "$tables
        tlbi vmalle1is
        dsb ish
        $exits" aarch64-none-elf
    expect 0 "exited" guest "$work/p"
    program "$tables
        $exits" aarch64-none-elf
    expect 1 "missing: VAALE1IS" guest "$work/p"
    program '1: b 1b' aarch64-none-elf
    expect 1 "limit" guest --limit 1000000 "$work/p"
    program 'xor %eax, %eax
        jmp *%rax' x86_64-none-elf
    expect 1 "lock-up" guest "$work/p"
fi
finish
