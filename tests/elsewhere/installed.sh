#!/usr/bin/env bash
# Installs the component c and compiles a program in C against it, by the words of its pkg-config file. Without
# pkg-config it says so, and exits with 77.
#
# Usage: installed.sh CMAKE BUILD_FOLDER COMPILER SCRATCH TEST.c VERSION ARGUMENT...
#   the arguments go to the program
set -euo pipefail
cmake=$1
build=$2
compiler=$3
scratch=$4
source=$5
version=$6
shift 6
command -v pkg-config > /dev/null || { echo "skipped: there is no pkg-config" && exit 77; }
rm -rf "$scratch"
"$cmake" --install "$build" --component c --prefix "$scratch/first"
mv "$scratch/first" "$scratch/moved"
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/moved" -name mae_c.pc)")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion mae_c)" = "$version" ]
read -ra words < <(pkg-config --cflags --libs mae_c)
"$compiler" -std=c99 -D_POSIX_C_SOURCE=200809L -DMAE_VERSION="\"$version\"" "$source" "${words[@]}" -lpthread -lm \
  -o "$scratch/program"
LD_LIBRARY_PATH=$(pkg-config --variable=libdir mae_c) "$scratch/program" "$@"
