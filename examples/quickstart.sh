#!/usr/bin/env bash
# From a fresh clone to a masked autoencoder that has learnt, in a few minutes: installs what is
# missing, builds the driver, finds or fetches CIFAR-10, trains for two minutes and says where the
# pictures are.
#
# Usage: examples/quickstart.sh [--data DIR|synthetic] [--minutes N]
#   --data   the folder of CIFAR-10's binary files, or the images that the program makes itself.
#            Otherwise: $MAE_CIFAR10_DIR, data/cifar-10-batches-bin, or the official archive.
#   --minutes   how long it trains (2)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=cmake/install_packages.sh
source cmake/install_packages.sh

archive_url=https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz
archive_md5=c32a1d4ab5d03f1284b67883e8d87530
archive=data/cifar-10-binary.tar.gz
extracted=data/cifar-10-batches-bin
out=runs/quickstart

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }

holds_cifar10() { [ -e "$1/data_batch_1.bin" ] && [ -e "$1/test_batch.bin" ]; }

archive_is_right() { echo "$archive_md5  $archive" | md5sum --check --status; }

# Fetches the archive within ten minutes, or fails; half a file is never left under its name.
fetch_archive() {
  command -v curl wget > /dev/null || install_packages curl ca-certificates || return 1
  if command -v curl > /dev/null; then
    curl --fail --location --silent --show-error --connect-timeout 15 --max-time 600 \
      --output "$archive.part" "$archive_url"
  else
    timeout 600 wget --no-verbose --tries=2 --connect-timeout=15 --read-timeout=60 \
      --output-document="$archive.part" "$archive_url"
  fi && mv "$archive.part" "$archive"
}

download_cifar10() {
  mkdir -p data
  if [ ! -e "$archive" ] || ! archive_is_right; then
    echo "Downloading CIFAR-10 (170 MB) from $archive_url"
    if ! fetch_archive; then
      rm -f "$archive.part"
      echo "CIFAR-10 could not be downloaded." >&2
      return 1
    fi
    if ! archive_is_right; then
      echo "$archive is not the official archive: its md5 is not $archive_md5." >&2
      return 1
    fi
  fi
  tar -xzf "$archive" -C data && holds_cifar10 "$extracted"
}

# Sets `data` to the folder of CIFAR-10 or to "synthetic".
find_data() {
  if [ -n "${MAE_CIFAR10_DIR:-}" ]; then
    data=$MAE_CIFAR10_DIR
  elif holds_cifar10 "$extracted"; then
    data=$extracted
  elif holds_cifar10 data; then
    data=data
  elif download_cifar10; then
    data=$extracted
  else
    echo "Going on with synthetic images, which the program makes itself." >&2
    data=synthetic
  fi
}

data=
minutes=2
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=${2:?"--data needs a folder, or the word synthetic"} && shift 2 ;;
    --minutes) minutes=${2:?"--minutes needs a number"} && shift 2 ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
done

install_packages g++ cmake ninja-build libeigen3-dev libpng-dev libjpeg-dev
if [ -z "$data" ]; then
  find_data
fi

echo "Building examples/cifar10_pretrain"
cmake --preset release \
  -D MAE_BUILD_TESTS=OFF -D MAE_BUILD_BENCHMARKS=OFF -D MAE_BUILD_TOOLS=OFF \
  -D MAE_THRUST=OFF -D MAE_CUDA=OFF -B build/quickstart
cmake --build build/quickstart --target cifar10_pretrain

echo "Training on ${data} for about ${minutes} minutes"
rm -rf "$out"  # of an earlier quick start: the driver overwrites no training
build/quickstart/examples/cifar10_pretrain \
  --data "$data" --config quick4 --minutes "$minutes" --probe both --probe-images 5000 --out "$out"

echo
echo "Reconstructions (original | masked | reconstructed | pasted): $out/reconstructions.png"
echo "A page with the curves:                                       $out/report.html"
echo "All figures:                                                  $out/summary.json"
