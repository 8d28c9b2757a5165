#!/usr/bin/env bash
# Sets up and runs every test:
#   release   g++, optimised: all tests, header checks, packages, lint, compile budgets
#   debug     clang, the tests again under the address, leak and undefined-behaviour sanitizers
#   clang     clang, optimised: every test but the slow ones, lint and compile budgets
#   fuzz      with --fuzz: every fuzzer for a minute
#
# Usage: tests/run.sh [--quick] [--fuzz]
#   --quick   the release tests alone, without lint and compile budgets
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=cmake/install_packages.sh
source cmake/install_packages.sh

jobs=$(nproc)
passed=0
failed=0
skipped=0
report=()

# The value of an attribute of the first testsuite element of a JUnit file.
junit_count() { sed -n "s/^[[:space:]]*$2=\"\([0-9]*\)\".*/\1/p" "$1" | head -n 1; }

add_counts() {  # step, junit file
  local tests failures not_run
  tests=$(junit_count "$2" tests)
  failures=$(junit_count "$2" failures)
  not_run=$(($(junit_count "$2" skipped) + $(junit_count "$2" disabled)))
  passed=$((passed + tests - failures - not_run))
  failed=$((failed + failures))
  skipped=$((skipped + not_run))
  report+=("$1: $((tests - failures - not_run)) passed, $failures failed, $not_run skipped")
}

# Configures, builds and tests one preset; the arguments after its name go to ctest.
run_preset() {
  local preset=$1 junit="$PWD/build/$1/junit.xml" start=$SECONDS
  shift
  echo "== $preset"
  rm -f "$junit"
  if cmake --preset "$preset" && cmake --build --preset "$preset" -j "$jobs"; then
    ctest --preset "$preset" -j "$jobs" --output-junit "$junit" "$@" || true
  fi
  if [ -e "$junit" ]; then
    add_counts "$preset ($((SECONDS - start)) s)" "$junit"
  else
    failed=$((failed + 1))
    report+=("$preset: does not build")
  fi
}

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }

quick=false
fuzz=false
for argument in "$@"; do
  case $argument in
    --quick) quick=true ;;
    --fuzz) fuzz=true ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
done

install_packages g++ cmake ninja-build libeigen3-dev doctest-dev libbenchmark-dev \
  nlohmann-json3-dev libpng-dev libjpeg-dev libtbb-dev libthrust-dev
export CXX=${CXX:-g++}

if $quick; then
  run_preset release --label-exclude 'lint|budget'
else
  install_packages clang libclang-rt-dev clang-format-14 clang-tidy-14 shellcheck libdnnl-dev libblis-dev
  run_preset release
  run_preset debug
  run_preset clang
fi
if $fuzz; then
  install_packages clang libclang-rt-dev
  run_preset fuzz
fi

echo "== summary"
printf '%s\n' "${report[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
