#!/usr/bin/env bash
# Writes bench/static_arm.md: how the ARM schedules fare without an ARM machine. First their hot loops by LLVM's machine
# models (convsmith_static), then the instructions that whole layers execute under qemu-user, beside XNNPACK's kernels,
# whose arm64 package is unpacked into a cache directory if apt has it.
#   scripts/static_arm.sh [BUILD_DIR] [OUTPUT]       default: build, bench/static_arm.md
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath "${1:-$root/build}")
output=${2:-$root/bench/static_arm.md}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/convsmith/arm64-xnnpack
compiler=aarch64-linux-gnu-gcc

die() {
    echo "static_arm: $*" >&2
    exit 1
}

for program in "$compiler" qemu-aarch64 gcc; do
    command -v "$program" >/dev/null || die "needs $program (scripts/setup.sh installs it)"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Name, height and width, input channels, output channels, taps, stride, padding, groups.
layers=(
    "3x3_56x56 56 64 64 3 1 1 1"
    "3x3_14x14 14 256 256 3 1 1 1"
    "3x3_7x7 7 512 512 3 1 1 1"
    "3x3_stride_2 56 128 128 3 2 1 1"
    "1x1_56x56 56 64 256 1 1 0 1"
    "1x1_14x14 14 256 1024 1 1 0 1"
    "1x1_7x7 7 512 2048 1 1 0 1"
    "1x1_24_channels 56 144 24 1 1 0 1"
    "first_7x7 224 3 64 7 2 3 1"
    "first_3x3 224 3 32 3 2 1 1"
    "depthwise_3x3_56x56 56 144 144 3 1 1 144"
    "depthwise_3x3_14x14 14 576 576 3 1 1 576"
    "depthwise_3x3_7x7 7 960 960 3 1 1 960"
    "depthwise_3x3_stride_2 112 96 96 3 2 1 96"
    "depthwise_5x5 28 120 120 5 1 2 120"
    "groups_4 28 64 64 3 1 1 4"
)

# XNNPACK for arm64, unpacked apart: nothing is installed.
fetch_xnnpack() {
    [ -e "$cache/root/usr/include/xnnpack.h" ] && return 0
    command -v apt-get >/dev/null || return 1
    mkdir -p "$cache/lists/partial" "$cache/archives/partial"
    : >"$cache/status"
    local options=(-o Dir::State::lists="$cache/lists" -o Dir::State::status="$cache/status"
        -o Dir::Cache="$cache" -o APT::Architecture=arm64 -o APT::Architectures=arm64)
    (cd "$cache" && apt-get -qq "${options[@]}" update &&
        apt-get -qq "${options[@]}" download libxnnpack-dev libxnnpack0 libpthreadpool-dev libpthreadpool0 \
            libcpuinfo0) >"$work/apt.log" 2>&1 || return 1
    for package in "$cache"/*.deb; do
        dpkg-deb -x "$package" "$cache/root"
    done
}

# Instructions of a call: the difference of runs of three calls and of one.
per_call() {
    local one three
    one=$("$@" 1 2>&1 | sed -n 's/^instructions //p')
    three=$("$@" 3 2>&1 | sed -n 's/^instructions //p')
    [ -n "$one" ] && [ -n "$three" ] || die "no count from: $*"
    echo $(((three - one) / 2))
}

gcc -shared -fPIC -O1 "$root/bench/arm/count_instructions.c" -o "$work/count.so"
emulator=(qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu -plugin "$work/count.so")
xnnpack=
if fetch_xnnpack; then
    xnnpack=$cache/root/usr/lib/aarch64-linux-gnu
    version=$(basename "$(ls "$cache"/libxnnpack0_*)" | cut -d_ -f2)
fi

# build_ours NAME EXTENT INPUTS CHANNELS TAPS STRIDE PAD GROUPS ACCURACY
build_ours() {
    local key="conv_ci$3_i$2x$2_co$4_k$5_s$6_p$7_g$8_bias"
    rm -rf "$work/library"
    echo "{\"layers\": [{\"name\": \"layer\", \"key\": \"$key\"}]}" >"$work/layers.json"
    "$build/bin/convsmith" build "$work/layers.json" --target arm_neon --accuracy "$9" --no-db \
        -o "$work/library" --name counted >"$work/log" 2>&1 || die "$key: $(cat "$work/log")"
    "$compiler" -O1 -static -DCHANNELS="$4" -I"$work/library/include" "$root/bench/arm/convsmith_layer.c" \
        "$work/library/lib/arm-64-linux/libcounted.a" "$work/library/lib/arm-64-linux/libconvsmith_runtime.a" \
        -lpthread -ldl -lm -o "$work/ours" 2>"$work/log" || die "$key: $(cat "$work/log")"
}

build_theirs() {
    "$compiler" -O1 -DEXTENT="$2" -DINPUTS="$3" -DCHANNELS="$4" -DTAPS="$5" -DSTRIDE="$6" -DPAD="$7" \
        -DGROUPS="$8" -I"$cache/root/usr/include" "$root/bench/arm/xnnpack_layer.c" -L"$xnnpack" \
        -Wl,-rpath-link,"$xnnpack" -lXNNPACK -lpthreadpool -lm -o "$work/theirs"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }

{
    echo "# ARM NEON without an ARM machine"
    echo
    echo "Written by \`scripts/static_arm.sh\`. Nothing here is a time: LLVM's models know of no cache and no branch."
    echo
    echo "## Hot loops"
    echo
    echo "Part of the cycles of the default plan's hot loop in which arithmetic units work, by llvm-mca with the known"
    echo "errors of its models corrected (autotune/machine_models.inc). \"else\": pointers, counters, stores, the jump."
    echo "Each class's table of numbers is meant for the CPUs of its name; the others show what it costs them."
    for class in arm_neon arm_a55 arm_apple; do
        echo
        echo "### $class"
        echo
        "$build/bin/convsmith_static" --target "$class"
    done
    echo
    echo "## Instructions executed"
    echo
    echo "Per multiply-accumulate of the layer (padding included), under qemu-user, one thread, bias added."
    echo "\"fast\" may use Winograd, which needs fewer multiply-accumulates."
    [ -n "$xnnpack" ] && echo "XNNPACK is Debian's $version for arm64." || echo "XNNPACK's arm64 package could not be had."
    echo
    echo "| layer | exact | fast | XNNPACK | exact / XNNPACK |"
    echo "|---|---:|---:|---:|---:|"
    for layer in "${layers[@]}"; do
        read -r name extent inputs channels taps stride pad groups <<<"$layer"
        out=$(((extent + 2 * pad - taps) / stride + 1))
        macs=$((out * out * channels * taps * taps * inputs / groups))
        for accuracy in exact fast; do
            build_ours "$name" "$extent" "$inputs" "$channels" "$taps" "$stride" "$pad" "$groups" "$accuracy"
            counted=$(per_call "${emulator[@]}" "$work/ours")
            printf -v "$accuracy" %s "$counted"
        done
        theirs=- compared=-
        if [ -n "$xnnpack" ]; then
            build_theirs "$name" "$extent" "$inputs" "$channels" "$taps" "$stride" "$pad" "$groups"
            theirs=$(per_call "${emulator[@]}" -E LD_LIBRARY_PATH="$xnnpack" "$work/theirs")
            compared=$(ratio "$exact" "$theirs")
            theirs=$(ratio "$theirs" "$macs")
        fi
        echo "| $name | $(ratio "$exact" "$macs") | $(ratio "$fast" "$macs") | $theirs | $compared |"
    done
} >"$work/table.md"
mv "$work/table.md" "$output"
echo "static_arm: wrote $output"
