#!/usr/bin/env bash
# Builds and runs tests of host code under a sanitizer. Generated kernels are not instrumented: guard pages watch
# their memory accesses in the ordinary tests.
#   scripts/sanitize.sh asan|tsan
# The last line is "N passed, N failed, N skipped".
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-}
case $preset in
asan)
    # Everything that parses, owns memory, or checks arguments.
    tests=(desc_test composite_test key_test shape_test signature_test epilogue_test oracle_test frontend_test kernel_cache_test jit_test
           library_test bench_test)
    ;;
tsan)
    # Everything that several threads may call at once.
    tests=(kernel_cache_test jit_test kernel_run_test thread_pool_test)
    ;;
*)
    echo "usage: scripts/sanitize.sh asan|tsan" >&2
    exit 2
    ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The peers of bench bring OpenMP and their own thread pools, which no sanitizer of ours sees into.
cmake --preset "$preset" -DCONVSMITH_BENCH=OFF >"$log" 2>&1 || { cat "$log"; exit 1; }
cmake --build --preset "$preset" --target "${tests[@]}"

# LLVM and Halide keep what they allocate until the process ends.
export ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0
export TSAN_OPTIONS=halt_on_error=1
scripts/run_ctest.sh "build-$preset" -R "^($(IFS='|'; echo "${tests[*]}"))\$"
