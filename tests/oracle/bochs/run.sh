#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh FOLDER [CPU]: boots FOLDER/disk.img in Bochs; the serial port goes to FOLDER/serial.log.
# `bochs --help cpu` lists the CPUs.
#
# The "term" display wants a terminal, and script(1) gives it one. A low ips is the fast one: the
# delays of the BIOS count emulated time. Debian's Bochs has its debugger built in: "c" lets it run.
cd "$1" || exit 2
share=/usr/share/bochs
vga=$(ls $share/VGABIOS-lgpl-latest* | head -n 1) # the name differs with the release
cylinders=$(($(stat -c %s disk.img) / (16 * 63 * 512)))
rm -f disk.img.lock serial.log
cat >bochsrc <<RC
display_library: term
romimage: file=$share/BIOS-bochs-latest
vgaromimage: file=$vga
memory: guest=64, host=64
cpu: model=${2:-corei7_skylake_x}, count=1, ips=4000000, reset_on_triple_fault=0
clock: sync=none
ata0-master: type=disk, path=disk.img, mode=flat, cylinders=$cylinders, heads=16, spt=63
boot: disk
com1: enabled=1, mode=file, dev=serial.log
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
speaker: enabled=0, mode=none
sound: waveoutdrv=dummy
RC
echo c >commands
TERM=vt100 timeout 300 script -qec "bochs -q -f bochsrc -rc commands" /dev/null \
    >bochs.out 2>&1 </dev/null
[ -s serial.log ]
