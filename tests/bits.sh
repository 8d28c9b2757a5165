#!/usr/bin/env bash
# Whether trainings leave the same bits as at another commit: builds both with the same flags, trains two
# steps of four configurations in fp32 and bf16, with uniform and ragged masks, accumulated batches, 1, 2
# and 3 threads, and compares every tensor of the files. Takes about ten minutes on two cores.
#
# Usage: tests/bits.sh COMMIT
#
# No hash is kept: bits are promised on one processor, and processors change.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

base=$(git rev-parse --verify "$1^{commit}")
build=$PWD/build/bits
mkdir -p "$build"
rm -rf "$build/base" "$build"/results-*
git worktree prune
git worktree add --quiet --detach "$build/base" "$base"
trap 'cd "$build" && git worktree remove --force base' EXIT

compile() {  # include folder, source, program
  "${CXX:-g++}" -std=c++20 -O3 -march=native -mprefer-vector-width=512 -pthread -I"$1" -isystem /usr/include/eigen3 \
    "$2" -o "$3"
}
echo "compiling $(git describe --always "$base") and the working tree"
compile "$build/base/include" tests/bits/train.cpp "$build/train-base"
compile include tests/bits/train.cpp "$build/train-tree"
compile include tests/bits/compare.cpp "$build/compare"

for threads in 1 2 3; do
  for side in base tree; do
    "$build/train-$side" "$build/results-$side" "$threads"
  done
done

cd "$build/results-base"
failed=0
compared=0
while read -r file; do
  "$build/compare" "$file" "../results-tree/$file" || failed=$((failed + 1))
  # One training leaves the same whatever the number of threads.
  "$build/compare" "$file" "${file/-[23]\//-1/}" || failed=$((failed + 1))
  compared=$((compared + 2))
done < <(find . -name '*.safetensors' | sort)
cd "$build"
rm -rf results-*
echo "$((compared - failed)) passed, $failed failed"
[ "$compared" -gt 0 ] && [ "$failed" -eq 0 ]
