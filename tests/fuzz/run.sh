#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang and runs each for some seconds (default 60).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cmake -S "$root" -B "$root/build-fuzz" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DSILISCOPE_FUZZ=ON \
  -DSILISCOPE_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug >/dev/null
cmake --build "$root/build-fuzz" --target fuzz_yaml fuzz_onnx
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
mkdir "$seeds/yaml" "$seeds/onnx"
cp "$root"/configs/chips/*.yaml "$seeds/yaml"
cp "$root"/workloads/graphs/*.onnx "$seeds/onnx"
export ASAN_OPTIONS=detect_leaks=0
"$root/build-fuzz/tests/fuzz_yaml" -max_total_time="${1:-60}" -rss_limit_mb=2048 "$seeds/yaml"
"$root/build-fuzz/tests/fuzz_onnx" -max_total_time="${1:-60}" -rss_limit_mb=2048 -max_len=65536 "$seeds/onnx"
