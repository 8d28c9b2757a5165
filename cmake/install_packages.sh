# shellcheck shell=bash
# To be sourced: install_packages PACKAGE... installs what is missing of the packages named, by
# apt, after saying what. It needs root (or sudo) only where something is missing.

# How to see that a package is there, also when something else than apt put it there.
package_is_there() {
  case $1 in
    build-essential) command -v c++ && command -v make ;;
    g++) command -v g++ ;;
    ninja-build) command -v ninja ;;
    clang) command -v clang++ ;;
    libclang-rt-dev) compiles_with clang++ -fsanitize=fuzzer -x c++ - <<< \
      'extern "C" int LLVMFuzzerTestOneInput(unsigned char const*, unsigned long) { return 0; }' ;;
    libeigen3-dev) includes_with g++ Eigen/Core ;;
    doctest-dev) includes_with g++ doctest/doctest.h ;;
    libbenchmark-dev) includes_with g++ benchmark/benchmark.h ;;
    nlohmann-json3-dev) includes_with g++ nlohmann/json.hpp ;;
    libpng-dev) includes_with g++ png.h ;;
    libjpeg-dev) includes_with g++ jpeglib.h ;;
    libboost-dev) includes_with g++ boost/beast/version.hpp ;;
    libtbb-dev) includes_with g++ tbb/global_control.h ;;
    libdnnl-dev) includes_with g++ oneapi/dnnl/dnnl.hpp ;;
    libblis-dev) includes_with g++ blis.h ;;
    libthrust-dev) includes_with g++ thrust/version.h || command -v nvcc || [ -e /usr/local/cuda ] ;;
    python3-venv) python3 -c 'import ensurepip' ;;
    ca-certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] ;;
    *) command -v "$1" ;;  # a package of the name of its program
  esac > /dev/null 2>&1
}

compiles_with() { "$@" -o /dev/null; }

includes_with() { "$1" -I/usr/include/eigen3 -E -x c++ -o /dev/null - <<< "#include <$2>"; }

install_packages() {
  local package missing=() as_root=()
  for package in "$@"; do
    package_is_there "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    return
  fi

  echo "Missing packages: ${missing[*]}"
  if ! command -v apt-get > /dev/null; then
    echo "This system has no apt. Install what the packages above hold, and run this again." >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo > /dev/null; then
      echo "As root, run: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing them with apt-get"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "${missing[@]}"
}
