#!/usr/bin/env bash
# Sets up, builds (preset dev: optimised, warnings are errors) and runs every test.
#   scripts/test.sh [ctest options]      e.g. scripts/test.sh -R desc
# The last line counts test cases: "N passed, N failed, N skipped". Exit code 0 only if none failed.
set -euo pipefail
cd "$(dirname "$0")/.."

started=$SECONDS
step() { echo "== $((SECONDS - started)) s: $*"; }

scripts/setup.sh

step "configure and build (preset dev)"
configure_log=$(mktemp)
trap 'rm -f "$configure_log"' EXIT
cmake --preset dev >"$configure_log" 2>&1 || { cat "$configure_log"; exit 1; }
cmake --build --preset dev

step "test"
scripts/run_ctest.sh build "$@"
