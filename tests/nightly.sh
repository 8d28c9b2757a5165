#!/usr/bin/env bash
# Sets up and runs what takes too long for every change, or is judged by the clock:
#   nightly   the tests of tests/nightly: 2,000 steps of training, what finding a bad step costs, the memory
#             that large pictures and ten million values of a series take
#   dev       g++: all tests fully optimised, those too that run.sh leaves out (each header alone, clang-tidy
#             of every program, the driver's compile budgets); where nvcc is, kernels for every GPU, of
#             which none spills; the wheel, for which packages are downloaded; the benchmarks; then the quick
#             start, and mae_serve under ten minutes of load
#   debug     clang's sanitizers as in run.sh, on all that run.sh leaves out there
#   clang     clang, optimised: every test again but lint and compile budgets; benchmarks compile
#             but those on Thrust and on a GPU
#   tsan      clang's thread sanitizer: all that computes, trains, reads and writes
#   fuzz      every fuzzer for ten minutes
#
# Usage: tests/nightly.sh [nightly | dev | debug | clang | tsan | fuzz]...   (all of them without arguments)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=cmake/install_packages.sh
source cmake/install_packages.sh
# shellcheck source=tests/steps.sh
source tests/steps.sh

steps=("$@")
if [ $# -eq 0 ]; then steps=(nightly dev debug clang tsan fuzz); fi
for step in "${steps[@]}"; do
  case $step in
    nightly | dev | debug | clang | tsan | fuzz) ;;
    --help | -h) usage "tests/nightly.sh" && exit ;;
    *) usage "tests/nightly.sh" >&2 && exit 2 ;;
  esac
done

install_packages g++ cmake ninja-build libeigen3-dev doctest-dev libbenchmark-dev \
  nlohmann-json3-dev libpng-dev libjpeg-dev libboost-dev libtbb-dev libthrust-dev clang libclang-rt-dev clang-format-14 \
  clang-tidy-14 shellcheck libdnnl-dev libblis-dev chromium
export CXX=${CXX:-g++}

for step in "${steps[@]}"; do
  configure_flags=()
  if [ "$step" = fuzz ]; then configure_flags=(-DMAE_FUZZ_SECONDS=600); fi
  run_preset "$step"
  if [ "$step" = dev ]; then
    ./examples/quickstart.sh --data synthetic
    for seed in 1 2 3 4 5 6 7 8 9; do
      python3 tests/serve/malformed.py build/dev/examples/serve/mae_serve tests/interop/fixtures/rgb 1000 "$seed"
    done
    python3 tests/serve/load.py build/dev/examples/serve/mae_serve tests/interop/fixtures/rgb \
      --soak --connections 16 --seconds 600
  fi
done
summary
