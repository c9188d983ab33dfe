#!/usr/bin/env bash
# Builds every layer list of a directory as a static library for x86-64 and arm-64, and checks the layers: all of them
# on this machine, those of few multiply-adds under emulation of arm-64.
#   scripts/check_networks.sh DIR [MAX_MACS]     MAX_MACS (default 20000000): of a layer that is emulated
# The last line is "N networks built and right, N not". Exit code 0 only if none failed.
set -euo pipefail
cd "$(dirname "$0")/.."

networks=${1:?usage: scripts/check_networks.sh DIR [MAX_MACS]}
max_macs=${2:-20000000}
convsmith=build/bin/convsmith
[ -x "$convsmith" ] || { echo "check_networks: $convsmith is missing; build it with: cmake --build --preset dev" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
good=0 bad=0
for file in "$networks"/*.json; do
    name=$(basename "$file" .json)
    started=$SECONDS
    if "$convsmith" build "$file" --target x86_avx2,arm_neon -o "$work/$name" --name "$name" >"$work/log" 2>&1 &&
        built=$(head -1 "$work/log") &&
        "$convsmith" check "$file" >"$work/log" 2>&1 && native=$(tail -1 "$work/log") &&
        "$convsmith" check "$file" --target arm_neon --max-macs "$max_macs" >"$work/log" 2>&1
    then
        echo "$built; here $native; arm_neon $(tail -1 "$work/log") ($((SECONDS - started)) s)"
        good=$((good + 1))
    else
        echo "$name: FAILED"
        tail -20 "$work/log"
        bad=$((bad + 1))
    fi
    rm -rf "${work:?}/$name"
done
echo "$good networks built and right, $bad not"
[ "$bad" -eq 0 ] && [ "$good" -gt 0 ]
