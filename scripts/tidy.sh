#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy: every finding is an error) over the sources that do not include Halide.h, which alone
# takes clang-tidy longer than all other headers together; the compiler's warnings still cover the rest.
#   scripts/tidy.sh [BUILD_DIR] [FILE...]      default: build, every such source
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build}
[ $# = 0 ] || shift
[ -f "$build/compile_commands.json" ] || { echo "tidy: no $build/compile_commands.json; configure first" >&2; exit 1; }
tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
[ -n "$tidy" ] || { echo "tidy: no clang-tidy (scripts/setup.sh installs it)" >&2; exit 1; }

# Whether a file includes Halide or LLVM, directly or through headers of ours.
declare -A visited
sees_halide() {
    local file=$1 header
    [ -z "${visited[$file]:-}" ] || return 1
    visited[$file]=1
    ! grep -qE '#include [<"](Halide\.h|llvm/)' "$file" || return 0
    while read -r header; do
        [ -f "$header" ] || continue
        ! sees_halide "$header" || return 0
    done < <(sed -n 's/^#include "\(.*\)".*/\1/p' "$file")
    return 1
}

files=()
if [ $# -gt 0 ]; then
    files=("$@")
else
    while read -r file; do
        # Examples and others that this build does not compile have no command line to check them with.
        grep -qF "$PWD/$file" "$build/compile_commands.json" || continue
        visited=()
        sees_halide "$file" || files+=("$file")
    done < <(git ls-files --cached --others --exclude-standard '*.cpp' | sort)
fi
[ ${#files[@]} -gt 0 ] || { echo "tidy: nothing to check" >&2; exit 1; }

# clang cannot read the precompiled headers of gcc.
database=$(mktemp -d)
trap 'rm -rf "$database"' EXIT
sed 's# -Winvalid-pch -include [^ ]*/cmake_pch\.hxx##' "$build/compile_commands.json" >"$database/compile_commands.json"

echo "tidy: ${#files[@]} files, $("$tidy" --version | grep -o 'version [0-9.]*')"
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" "$tidy" -p "$database" --quiet
echo "tidy: clean"
