#!/usr/bin/env bash
# Installs what building, testing and the demo need, by apt package name. Idempotent: says what is missing,
# installs only that, and does nothing (needs neither root nor network) when nothing is missing.
# scripts/test.sh and scripts/demo.sh call it first.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    echo "setup: $*" >&2
    exit 1
}

command -v apt-get >/dev/null || die "no apt-get here; this script knows Debian 12 and 13 (and their derivatives)"

installed() { dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
available() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

# The Halide of the suite (14 on Debian 12, 19 on Debian 13) and the LLVM that it was built with.
halide_version() {
    local version
    for version in 14 19; do
        if installed "libhalide$version-0-dev" || available "libhalide$version-0-dev"; then
            echo "$version"
            return
        fi
    done
}

# A fresh container has no package lists, and without them no package is "available".
version=$(halide_version)
lists_updated=no
update_lists() {
    [ "$lists_updated" = no ] || return 0
    [ "$(id -u)" = 0 ] || die "needs root to install packages: run it once as root (sudo scripts/setup.sh)"
    echo "setup: apt-get update"
    apt-get update -qq || die "apt-get update failed: is there network to the package mirror?"
    lists_updated=yes
}
if [ -z "$version" ]; then
    update_lists
    version=$(halide_version)
    [ -n "$version" ] || die "no libhalide14-0-dev or libhalide19-0-dev in this system's package lists"
fi

packages=(
    # compiler and build
    cmake make ninja-build g++ pkg-config
    # kernels: code generation, linking it in-process, threads
    "libhalide$version-0-dev" "llvm-$version-dev" "clang-$version" libpthreadpool-dev
    # front ends, command line, output
    libonnx-dev libprotobuf-dev protobuf-compiler nlohmann-json3-dev libcli11-dev libfmt-dev libspdlog-dev libpng-dev
    # the tuner's cost model
    libxgboost-dev
    # tests and benchmarks, with the peers that bench compares with
    libgtest-dev libbenchmark-dev libdnnl-dev libxnnpack-dev
    # tests of the tuner's page, its remote runner and its cluster job
    chromium openssh-client openssh-server slurm-wlm munge
    # arm-64-linux: cross compiler and emulator
    g++-aarch64-linux-gnu qemu-user
    # GPU kernels on the CPU: OpenCL, and a simulator of it that finds races
    ocl-icd-libopencl1 pocl-opencl-icd oclgrind
    # format and lint checks
    clang-format clang-tidy
    # demo: decodes its photograph
    libjpeg-turbo-progs
)

missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done
# Node.js is often installed by other means than Debian's packages; any npm will do.
command -v npm >/dev/null || missing+=(nodejs npm)

# AVX-512 where the CPU has none: tests of that class are skipped without the emulated machine.
emulate_avx512() {
    if [ "$(uname -m)" != x86_64 ] || grep -qm 1 avx512bw /proc/cpuinfo; then
        return
    fi
    tests/emulated/setup.sh || echo "setup: no emulated AVX-512 (see above): its tests are skipped"
}

if [ ${#missing[@]} = 0 ]; then
    echo "setup: all ${#packages[@]} packages are installed (Halide $version)"
    emulate_avx512
    exit 0
fi

echo "setup: missing: ${missing[*]}"
update_lists
echo "setup: apt-get install (Halide $version)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "apt-get install failed (its last lines are above)"
fi
echo "setup: installed ${#missing[@]} packages"
emulate_avx512
