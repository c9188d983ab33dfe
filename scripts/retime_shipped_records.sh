#!/usr/bin/env bash
# Renews runtime/records/shipped.jsonl on a machine of its kind after algorithms, schedules, Halide or LLVM have changed:
# its plans are judged and timed again, and the best of each problem replace the records.
#   scripts/retime_shipped_records.sh [BUDGET]     BUDGET (default 10m): time for all of them
# Nothing is changed if that fails. Build afterwards: the records are compiled in.
set -euo pipefail
cd "$(dirname "$0")/.."

shipped=runtime/records/shipped.jsonl
convsmith=build/bin/convsmith
[ -x "$convsmith" ] || { echo "retime_shipped_records: $convsmith is missing; build it with: cmake --build --preset dev" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$shipped" "$work/db.jsonl"
"$convsmith" db check --db "$work/db.jsonl" --retime --budget "${1:-10m}"
"$convsmith" db prune --db "$work/db.jsonl" --stale
"$convsmith" db export --db "$work/db.jsonl" -o "$shipped"
