# shellcheck shell=bash
# The steps of run.sh and nightly.sh: each is timed, and counted in a summary. To be sourced in the
# project's folder.

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

# Configures, builds and tests one preset; the arguments after its name go to ctest. What
# `configure_flags` holds goes to the configuration.
configure_flags=()
run_preset() {
  local preset=$1 junit="$PWD/build/$1/junit.xml" start=$SECONDS built
  shift
  echo "== $preset"
  rm -f "$junit"
  if cmake --preset "$preset" "${configure_flags[@]}" && cmake --build --preset "$preset" -j "$jobs"; then
    built=$SECONDS
    ctest --preset "$preset" -j "$jobs" --output-junit "$junit" "$@" || true
  fi
  if [ -e "$junit" ]; then
    add_counts "$preset (build $((built - start)) s, tests $((SECONDS - built)) s)" "$junit"
  else
    failed=$((failed + 1))
    report+=("$preset ($((SECONDS - start)) s): does not build, or has no tests")
  fi
}

# Prints what the steps came to; fails where a test did.
summary() {
  echo "== summary"
  printf '%s\n' "${report[@]}"
  echo "$passed passed, $failed failed, $skipped skipped, $SECONDS s in all"
  [ "$failed" -eq 0 ]
}

# The comment at a script's top.
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$1"; }
