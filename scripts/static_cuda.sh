#!/usr/bin/env bash
# Writes bench/static_cuda.md: what NVIDIA's assembler makes of the CUDA kernels of a layer of each class (registers,
# spills, warps that fit) and what the planner's model expects of them. Needs ptxas of the CUDA toolkit, not a GPU.
#   scripts/static_cuda.sh [BUILD_DIR] [OUTPUT]      default: build, bench/static_cuda.md
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath "${1:-$root/build}")
output=${2:-$root/bench/static_cuda.md}
table=$(mktemp)
trap 'rm -f "$table"' EXIT
"$build/bin/convsmith_static_cuda" >"$table" # whole or not at all
cp "$table" "$output"
echo "static_cuda: wrote $output"
