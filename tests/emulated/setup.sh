#!/usr/bin/env bash
# Prepares an emulated machine with AVX-512 for machines that have none: Bochs 3, a Linux kernel, and run.sh, which
# boots them with one program. Idempotent: does nothing (needs neither root nor network) when it is all there.
#   tests/emulated/setup.sh [DIR]     default: where convsmith looks, ${XDG_CACHE_HOME:-~/.cache}/convsmith/bochs
# Debian packages only. Bochs 3 is of Debian 13; on Debian 12, whose Bochs 2.7 lacks what newer kernels ask of a CPU
# with AVX-512, it is unpacked into DIR with the C library it needs, so that the system stays as it is.
set -euo pipefail
cd "$(dirname "$0")"

directory=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/convsmith/bochs}

die() {
    echo "emulated: $*" >&2
    exit 1
}

[ "$(uname -m)" = x86_64 ] || die "Bochs with AVX-512 is set up on x86-64 only, here is $(uname -m)"
command -v apt-get >/dev/null || die "no apt-get here; this script knows Debian 12 and 13"

sources=(run.sh init.c kshift.c setup.sh)
stamp=$(cat "${sources[@]}" | sha256sum)
if [ "$(cat "$directory/stamp" 2>/dev/null)" = "$stamp" ]; then
    echo "emulated: $directory is ready"
    exit 0
fi

installed() { dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# bochs for the libraries that it depends on; the rest makes the disk that is booted.
packages=(bochs xorriso cpio gcc libc6-dev)
missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
quietly() { "$@" >"$log" 2>&1 || { tail -n 15 "$log" >&2; die "failed: $*"; }; }

if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || die "needs root to install packages: run it once as root (sudo tests/emulated/setup.sh)"
    echo "emulated: apt-get install ${missing[*]}"
    quietly apt-get update
    DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends "${missing[@]}"
fi

# apt_of SUITE COMMAND...: apt with lists of its own, which know that suite only.
apt_of() {
    local suite=$1 mirror
    shift
    mirror=$(apt-cache policy bochs | grep -oE 'https?://[^ ]+' | head -n 1)
    mkdir -p "$work/$suite/partial"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$suite" \
        >"$work/$suite.list"
    quietly apt-get -o Dir::Etc::sourcelist="$work/$suite.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/$suite" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User=root "$@"
}

rm -rf "$directory"
mkdir -p "$directory" "$work/debs" "$work/kernel"
cd "$work/debs"
echo "emulated: fetching Bochs 3 and a kernel"
apt_of trixie update
apt_of trixie download bochs bochs-term bochsbios vgabios isolinux syslinux-common \
    libc6 libstdc++6 libgcc-s1 libreadline8t64 libtinfo6
for package in *.deb; do
    dpkg-deb -x "$package" "$directory/system"
done
rm -- *.deb
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
[ -n "$kernel" ] || die "this system's package lists have no linux-image-cloud-amd64"
quietly apt-get -o APT::Sandbox::User=root download "$kernel"
dpkg-deb -x "$kernel"_*.deb "$work/kernel"
cp "$work"/kernel/boot/vmlinuz-* "$directory/vmlinuz"
cd - >/dev/null

quietly gcc -O1 -static -s -o "$directory/init" init.c
quietly gcc -O1 -shared -fPIC -o "$directory/kshift.so" kshift.c
cp run.sh "$directory/run"
chmod +x "$directory/run"
echo "$stamp" >"$directory/stamp"
echo "emulated: $directory is ready"
