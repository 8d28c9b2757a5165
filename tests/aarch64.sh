#!/usr/bin/env bash
# Compiles what is written by instruction set (the sources of test_tile_* in CMakeLists.txt) for a
# 64-bit ARM processor and runs its tests under qemu, in about a minute.
#
# Needs, on Debian: g++-aarch64-linux-gnu, qemu-user-static and doctest-dev.
set -euo pipefail
cd "$(dirname "$0")"

built=$(mktemp -d)
trap 'rm -r "$built"' EXIT
ln -s /usr/include/doctest "$built/doctest"  # alone: the rest of /usr/include is another processor's

for source in backend/tile_test core/math_test core/store_each_test op/attention_test support/main; do
  aarch64-linux-gnu-g++ -std=c++20 -O2 -DMAE_TESTS_DIR="\"$PWD\"" -I../include -Isupport \
    -isystem "$built" -c "$source.cpp" -o "$built/$(basename "$source").o"
done
aarch64-linux-gnu-g++ -static -pthread "$built"/*.o -o "$built/test_tile"
qemu-aarch64-static "$built/test_tile"
