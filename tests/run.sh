#!/usr/bin/env bash
# Sets up and runs the tests that every change must pass:
#   dev       g++, optimised: all tests but the thorough ones, format, clang-tidy of what trains
#   debug     clang, the tests again under the address, leak and undefined-behaviour sanitizers, but
#             the examples, the C library, other backends and instruction sets, and what trains for a while
#   fuzz      with --fuzz: every fuzzer for half a minute
# tests/nightly.sh runs the rest.
#
# Usage: tests/run.sh [--quick] [--fuzz]
#   --quick   the preset dev alone, without lint and the compile budget
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=cmake/install_packages.sh
source cmake/install_packages.sh
# shellcheck source=tests/steps.sh
source tests/steps.sh

quick=false
fuzz=false
for argument in "$@"; do
  case $argument in
    --quick) quick=true ;;
    --fuzz) fuzz=true ;;
    --help | -h) usage "tests/run.sh" && exit ;;
    *) usage "tests/run.sh" >&2 && exit 2 ;;
  esac
done

install_packages g++ cmake ninja-build libeigen3-dev doctest-dev libbenchmark-dev \
  nlohmann-json3-dev libpng-dev libjpeg-dev libboost-dev libtbb-dev libthrust-dev
export CXX=${CXX:-g++}

# Nothing here runs the benchmarks, whose units take longest: nightly.sh builds them, and each test
# file as a unit of its own, fully optimised, as here the programs are; kernels for all GPUs, and the
# driver's training on them (here the package's test compiles kernels).
configure_flags=(-DMAE_BUILD_BENCHMARKS=OFF -DMAE_BUILD_THOROUGH_TESTS=OFF -DMAE_TESTS_AS_ONE_UNIT=ON
  -DMAE_TEST_OPTIONS=-O1 -DCMAKE_CUDA_ARCHITECTURES=80 -DMAE_CUDA_TRAINING=OFF)
if $quick; then
  run_preset dev --label-exclude 'lint|budget'
else
  install_packages clang libclang-rt-dev clang-format-14 clang-tidy-14 shellcheck libdnnl-dev libblis-dev chromium
  run_preset dev
  configure_flags+=(-DMAE_BUILD_EXAMPLES=OFF -DMAE_BUILD_PARITY_TESTS=OFF -DMAE_BUILD_SLOW_TESTS=OFF
    -DMAE_BUILD_C_LIBRARY=OFF -DMAE_LIGHT_TEST_OPTIONS=-O0)
  run_preset debug
fi
if $fuzz; then
  install_packages clang libclang-rt-dev
  run_preset fuzz
fi
summary
