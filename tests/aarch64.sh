#!/usr/bin/env bash
# Compiles what is written by instruction set (the sources of test_tile_* in CMakeLists.txt) for a
# 64-bit ARM processor and runs its tests under qemu, in about two minutes; products of int8 also
# for one that has their instruction.
#
# Needs, on Debian: g++-aarch64-linux-gnu, qemu-user-static and doctest-dev.
set -euo pipefail
cd "$(dirname "$0")"

built=$(mktemp -d)
trap 'rm -r "$built"' EXIT
ln -s /usr/include/doctest "$built/doctest"  # alone: the rest of /usr/include is another processor's

compile() {  # source object flags...
  aarch64-linux-gnu-g++ -std=c++20 -O2 "${@:3}" -DMAE_TESTS_DIR="\"$PWD\"" -I../include \
    -Isupport -isystem "$built" -c "$1.cpp" -o "$built/$2.o"
}
run() {  # program objects...
  aarch64-linux-gnu-g++ -static -pthread "${@:2}" -o "$built/$1"
  qemu-aarch64-static "$built/$1"
}

compile support/main main
objects=()
for source in backend/tile_test backend/quantised_test core/math_test core/store_each_test \
  op/attention_test; do
  compile "$source" "$(basename "$source")"
  objects+=("$built/$(basename "$source").o")
done
run test_tile "${objects[@]}" "$built/main.o"
compile backend/quantised_test by_dot_products -march=armv8.2-a+dotprod
run test_int8 "$built/by_dot_products.o" "$built/main.o"
