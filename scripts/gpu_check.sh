#!/usr/bin/env bash
# Verifies and times the CUDA kernels on this machine's GPU and prints one table: the sweep of all variants, the layers
# of bench/gpu_check/layers.json with the device's events, beside cuDNN and torchvision where PyTorch is installed.
#   scripts/gpu_check.sh [--kit] [BUILD_DIR]      default: build
# The machine with the GPU needs no network, compiler, Halide or LLVM: `--kit` makes BUILD_DIR/gpu_check (some 20 MB) on
# any machine where convsmith is built, and the same script, in a copy of the tree with that directory, runs what is in
# it. Without one it makes it first. Ends in 8 minutes; exit code 3: there is no device.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
only_kit=false
if [ "${1:-}" = --kit ]; then
    only_kit=true
    shift
fi
build=$(realpath -m "${1:-$root/build}")
kit=${GPU_CHECK_KIT:-$build/gpu_check}
limit=${GPU_CHECK_LIMIT:-470}                                  # seconds, all together
layers=${GPU_CHECK_LAYERS:-$root/bench/gpu_check/layers.json}  # timed
sweep=${GPU_CHECK_SWEEP:-$root/tests/data/conv_shapes.txt $root/tests/data/variant_shapes.txt} # verified

library() { # NAME, then what `convsmith build` takes
    local name=$1 platform
    shift
    platform=$(uname -m | sed 's/x86_64/x86-64-linux/; s/aarch64/arm-64-linux/')
    "$build/bin/convsmith" build "$@" --target "$platform-cuda-cuda_capability_80" --no-db -o "$kit.new/$name" --name "$name" \
        >"$kit.new/log" || { cat "$kit.new/log"; exit 1; }
    cc -shared -o "$kit.new/$name/lib$name.so" -Wl,--whole-archive "$kit.new/$name/lib/$platform/lib$name.a" \
        -Wl,--no-whole-archive "$kit.new/$name/lib/$platform/libconvsmith_runtime.a" -lpthread -ldl -lm
    rm -r "$kit.new/$name/lib" "$kit.new/$name/include"
}

make_kit() {
    rm -rf "$kit.new"
    mkdir -p "$kit.new"
    # shellcheck disable=SC2046,SC2086 # keys have no spaces
    library sweep $(grep -hv '^#' $sweep | sort -u)
    library exact "$layers" --accuracy exact
    library fast "$layers"
    cp "$build/bin/convsmith_gpu_check" "$kit.new/"
    ldd "$build/bin/convsmith_gpu_check" | awk '$3 ~ /^\// && $1 !~ /^(libc|libm|libdl|libpthread|ld-linux.*)\.so/ { print $3 }' |
        xargs -r -I{} cp -L {} "$kit.new/"
    rm -rf "$kit"
    mv "$kit.new" "$kit"
    echo "gpu_check: made $kit, $(du -sh "$kit" | cut -f1)"
}

if $only_kit || [ ! -d "$kit" ]; then make_kit; fi
if $only_kit; then exit 0; fi
started=$(date +%s)
check() { LD_LIBRARY_PATH="$kit${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$kit/convsmith_gpu_check" "$kit" "$@"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check --layers "$work/layers.json" # ends here where there is no device
peers=()
if python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>"$work/why"; then
    timeout $((limit / 2)) python3 "$root/bench/gpu_check/peers.py" "$work/layers.json" "$work/peers.json" &&
        peers=(--peers "$work/peers.json") || echo "gpu_check: PyTorch's times failed or took too long"
else
    echo "gpu_check: no PyTorch with CUDA here, so nothing to compare with ($(tail -1 "$work/why"))"
fi
check "${peers[@]}" --limit $((limit - $(date +%s) + started))
