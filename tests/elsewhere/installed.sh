#!/usr/bin/env bash
# Installs the component c and compiles programs in C against it, by the words of its pkg-config file: the test
# of the API, and the program that docs/elsewhere.md shows. Without pkg-config it says so, and exits with 77.
#
# Usage: installed.sh CMAKE BUILD_FOLDER COMPILER SCRATCH ROOT VERSION
set -euo pipefail
cmake=$1
build=$2
compiler=$3
scratch=$4
root=$5
version=$6
command -v pkg-config > /dev/null || { echo "skipped: there is no pkg-config" && exit 77; }
rm -rf "$scratch"
"$cmake" --install "$build" --component c --prefix "$scratch/first"
mv "$scratch/first" "$scratch/moved"
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/moved" -name mae_c.pc)")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion mae_c)" = "$version" ]
read -ra words < <(pkg-config --cflags --libs mae_c)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir mae_c)
export LD_LIBRARY_PATH
fixtures=$root/tests/interop/fixtures
"$compiler" -std=c99 -D_POSIX_C_SOURCE=200809L -DMAE_VERSION="\"$version\"" "$root/tests/elsewhere/c_api_test.c" \
  "${words[@]}" -lpthread -lm -o "$scratch/test"
"$scratch/test" "$fixtures/rgb" "$fixtures/vit"
# shellcheck disable=SC2016  # Markdown's own backquotes
sed -n '/^```c$/,/^```$/{/^```/!p}' "$root/docs/elsewhere.md" > "$scratch/features.c"
"$compiler" -std=c99 -Wall -Wextra -pedantic -Werror "$scratch/features.c" "${words[@]}" -o "$scratch/features"
"$scratch/features" "$fixtures/rgb"
