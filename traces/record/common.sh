# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fetch the guest's packages, build the plugin and the guest's root file system.
# Sourced with $arch (arm64 or amd64) and $here (this directory) set; leaves
# $machine, $console, $kernel, $config, $initramfs and $work.
#
# Runs on Debian 12 with the packages qemu-system-arm qemu-system-x86 gcc
# gcc-aarch64-linux-gnu cpio zstd xz-utils.  The guest's kernel and busybox are
# fetched by package name through a private apt state, so the machine's own list
# of architectures stays as it is.  Everything is built in $WORK (default: work).

series=${SERIES:-6.12}
work=${WORK:-$here/work}
mkdir -p "$work"
work=$(cd "$work" && pwd)

case $arch in
arm64)
	cc=aarch64-linux-gnu-gcc console=ttyAMA0
	machine="qemu-system-aarch64 -M virt,gic-version=3,dtb-randomness=off
		-cpu ${CPU:-neoverse-n1}" ;;
amd64)
	cc=gcc console=ttyS0
	machine="qemu-system-x86_64 -M pc -cpu ${CPU:-qemu64}" ;;
*)
	echo "unknown architecture $arch" >&2
	exit 2 ;;
esac

# ---- guest packages --------------------------------------------------------

apt_private() {
	tool=$1
	shift
	state=$work/apt-$arch
	mkdir -p "$state/lists/partial" "$state/archives/partial"
	: >>"$state/status"
	$tool -o APT::Architecture=$arch -o APT::Architectures=$arch \
		-o Dir::State="$state" -o Dir::State::status="$state/status" \
		-o Dir::State::lists="$state/lists" -o Dir::Cache="$state" \
		-o APT::Sandbox::User=root "$@"
}

root=$work/root-$arch
if [ ! -d "$root" ]; then
	apt_private apt-get update
	# The meta-package names the newest kernel of the series.
	kernel=$(apt_private apt-cache depends "linux-image-$series-$arch" |
		sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -n 1)
	mkdir -p "$work/debs-$arch"
	(cd "$work/debs-$arch" && apt_private apt-get download "$kernel" busybox-static)
	mkdir "$root.new"
	for deb in "$work/debs-$arch"/*.deb; do
		dpkg-deb -x "$deb" "$root.new"
	done
	mv "$root.new" "$root"
fi
kernel=$(ls "$root"/boot/vmlinuz-*)
config=$(ls "$root"/boot/config-*)

# ---- plugin and initramfs --------------------------------------------------

gcc -O2 -std=gnu11 -Wall -Wextra -fPIC -shared -fvisibility=hidden \
	-o "$work/libzprec.so" "$here"/plugin/*.c

tree=$work/initramfs-$arch
rm -rf "$tree"
mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/mod"
cp "$root/bin/busybox" "$tree/bin/"
install -m 755 "$here/guest/init" "$tree/init"
programs="zpinfo zpwork"
if [ "$arch" = arm64 ]; then
	programs="$programs pkvmdemo"
fi
for program in $programs; do
	sources=$here/guest/$program.c
	if [ "$program" = zpwork ]; then
		sources="$sources $here/guest/tree.c $here/guest/guests.c"
	fi
	# -Wno-...: the sizes gcc worries about are bounded by make_name()
	$cc -O2 -static -Wall -Wextra -Wno-format-truncation -Wno-format-overflow \
		-o "$tree/bin/$program" $sources
done
xz -dc "$root"/lib/modules/*/kernel/drivers/block/virtio_blk.ko.xz \
	>"$tree/mod/virtio_blk.ko"
initramfs=$work/initramfs-$arch.cpio
(cd "$tree" && find . | sort | cpio -o -H newc --quiet --reproducible) >"$initramfs"
