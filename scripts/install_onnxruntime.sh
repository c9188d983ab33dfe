#!/usr/bin/env bash
# Installs ONNX Runtime as a peer of `convsmith bench --against onnxruntime`: the npm package onnxruntime-node, which
# holds the library itself. Into $XDG_CACHE_HOME/convsmith-onnxruntime, else ~/.cache/convsmith-onnxruntime; removing
# that directory removes it. Does nothing if it is there.
set -euo pipefail

die() {
    echo "install_onnxruntime: $*" >&2
    exit 1
}

version=1.30.0
cache=${XDG_CACHE_HOME:-}
[[ $cache = /* ]] || cache=${HOME:?"neither XDG_CACHE_HOME nor HOME is set"}/.cache
directory=$cache/convsmith-onnxruntime
package=$directory/node_modules/onnxruntime-node

if grep -qs "\"version\": \"$version\"" "$package/package.json"; then
    echo "install_onnxruntime: $version is in $directory"
    exit 0
fi
command -v npm >/dev/null || die "no npm (scripts/setup.sh installs it)"
mkdir -p "$directory"
# Its install script would fetch GPU libraries from another host; the CPU library is in the package.
npm install --prefix "$directory" --no-save --no-audit --no-fund --loglevel=error --ignore-scripts \
    "onnxruntime-node@$version" || die "npm install failed: is there network to the npm registry?"

# Libraries of other systems are most of its size.
platform=$(node --print 'process.platform') arch=$(node --print 'process.arch')
for folder in "$package"/bin/napi-v*/*/; do
    [ "$(basename "$folder")" = "$platform" ] || rm -rf "$folder"
done
find "$package"/bin/napi-v*/"$platform" -mindepth 1 -maxdepth 1 ! -name "$arch" -exec rm -rf {} +
[ -n "$(find "$package"/bin -name '*.node')" ] || die "the package has no library for $platform $arch"
echo "install_onnxruntime: installed $version in $directory"
