#!/usr/bin/env bash
# Everything that needs an NVIDIA GPU: builds, runs the tests labelled gpu and compute-sanitizer's
# checks, then times training steps beside the card's ceiling and, where python3 has it, PyTorch.
#
# Usage: tests/gpu.sh [--built DIR] [--tests | --speed]
#   --built DIR   run test_cuda, gpu, cuda_ceiling and cuda_step_speed of this folder; build nothing
#   --tests       the tests and compute-sanitizer's checks alone
#   --speed       the timings alone
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

built=
only=
while [ $# -gt 0 ]; do
  case $1 in
    --built) built=$2 && shift 2 ;;
    --tests | --speed) only=$1 && shift ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done

if ! nvidia-smi > /dev/null 2>&1; then
  echo "skipped: no NVIDIA GPU here (nvidia-smi finds none)"
  exit 77
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader

if [ -z "$built" ]; then
  cmake -S "$root" -B "$root/build/gpu" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CUDA_ARCHITECTURES=native > /dev/null
  cmake --build "$root/build/gpu" --target test_cuda example_gpu cuda_ceiling cuda_step_speed
  built=$root/build/gpu/bin
  mkdir -p "$built"
  cp "$root"/build/gpu/tests/parity/test_cuda "$root"/build/gpu/examples/gpu \
    "$root"/build/gpu/benchmarks/cuda_{ceiling,step_speed} "$built"
fi

check() {
  echo "== parity and determinism"
  "$built/test_cuda"
  (cd "$built" && ./gpu)
  for tool in memcheck initcheck; do
    echo "== compute-sanitizer $tool"
    compute-sanitizer --tool "$tool" --error-exitcode 1 "$built/test_cuda" -tc="a GPU computes*" |
      grep -E "SUMMARY|doctest.*cases|========= (Error|Uninit|Invalid|Warning)" | head -n 20
  done
  # cuBLASLt's own kernels synchronise by means that racecheck does not follow, and crash where they are
  # left out of it (--kernel-name-exclude): so all are checked, and only hazards of ours count.
  echo "== compute-sanitizer racecheck"
  local races
  races=$(mktemp)
  compute-sanitizer --tool racecheck "$built/test_cuda" -tc="a GPU computes in*" > "$races" 2>&1 || true
  grep "doctest.*cases" "$races"
  if grep -E "(Race reported between|and) .* access at" "$races" | grep -vE "nvjet|cublas|cutlass"; then
    echo "racecheck: hazards in kernels of ours, all of its words are in $races"
    exit 1
  fi
  rm "$races"
}

measure() {
  echo "== speed"
  local peer="$root/benchmarks/pytorch_on_gpu.py"
  if ! python3 -c 'import torch' 2> /dev/null; then
    echo "without PyTorch beside it: python3 has no module torch"
    peer=
  fi
  "$built/cuda_ceiling"
  for case in tiny4:256 tiny4:4096 base16:256; do
    for precision in bf16 tf32 fp32; do
      flags=(--config "${case%:*}" --batch "${case#*:}" --precision "$precision" --steps 10)
      "$built/cuda_step_speed" "${flags[@]}" --threads "$(nproc)"
      if [ -z "$peer" ]; then continue; fi
      for how in "--attention fused" "--attention written-out" --compile; do
        # shellcheck disable=SC2086  # two words
        python3 "$peer" "${flags[@]}" $how ||
          echo "the peer failed: $case $precision $how"
      done
    done
  done
}

if [ "$only" != --speed ]; then check; fi
if [ "$only" != --tests ]; then measure; fi
