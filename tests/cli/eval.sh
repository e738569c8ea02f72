# SPDX-License-Identifier: GPL-2.0-or-later
# Single walks from rows: the exit qualifications are those that a bare-metal probe saw on an
# emulated VMX machine (read 0x1a1 and write 0x18a violations), and each bad row is named.
. "$(dirname "$0")/common.sh"

# row INPUT OUTPUT
row() {
    printf '%s\n' "$1" >"$work/row.csv"
    expect 0 "$2" "$faultline" mmu-eval --csv "$work/row.csv"
}
# bad INPUT TEXT
bad() {
    printf 'format,access,privilege,address,flags,entries\n%s\n' "$1" >"$work/row.csv"
    expect 3 "row.csv:2: $2" "$faultline" mmu-eval --csv "$work/row.csv"
}

row 'ept,read,supervisor,0x1000,xo,0x7 0x7 0x7 0x4034' 'permission,0,0x1a1'
row 'ept,fetch,supervisor,0x1000,xo,0x7 0x7 0x7 0x4034' 'ok,0,0x0,0x4000,4'
row 'ept,fetch,supervisor,0x1000,,0x7 0x7 0x7 0x4034' 'misconfig'
row 'ept,write,supervisor,0x1000,,0x7 0x7 0x7 0x4031' 'permission,0,0x18a'
row 'ept,write,supervisor,0x1000,,0x7 0x7 0x0 0x4032' 'translation,1,0x182'
row 'ept,read,supervisor,0x1000,,0x7 0x7 0x7 0x4032' 'misconfig'
row 'x86,write,user,0x1000,wp nxe,0x7 0x7 0x7 0x4005' 'permission,0,0x7'
row 'arm64-s2,write,supervisor,0x1000,,0x3 0x3 0x3 0x457b' 'permission,0,0x9200004f'
bad 'vax,read,user,0,,0 0 0 0' 'format: expected'
bad 'ept,peek,user,0,,0 0 0 0' 'access: expected'
bad 'ept,read,root,0,,0 0 0 0' 'privilege: expected'
bad 'ept,read,user,here,,0 0 0 0' 'address: expected'
bad 'ept,read,user,0,zz,0 0 0 0' 'flags: expected'
bad 'ept,read,user,0,,0 0' 'entries: expected'
bad 'ept,read,user,0,,0 0 0 0 0 0' 'entries: expected'
bad 'ept,read,user,0' 'expected 6 columns'
bad 'ept,read,user,0,,0 0 0 0,more' 'expected 6 columns'
expect 3 'no-such.csv: ' "$faultline" mmu-eval --csv no-such.csv
finish
