#pragma once

#include <mae/core/isa.hpp>

#include <string>

/// The library's version.
#define MAE_VERSION "0.1.0"

namespace mae {

/// What this program was built from: version, compiler, instruction set and backends.
inline std::string build_info() {
  std::string text = "mae " MAE_VERSION ", ";
#if defined(__clang__)
  text += "clang " __clang_version__;
#elif defined(__GNUC__)
  text += "g++ " __VERSION__;
#else
  text += "unknown compiler";
#endif
  text += std::string(", ") + isa_name + ", backends: eigen";
#ifndef NDEBUG
  text += ", with assertions";
#endif
  return text;
}

}  // namespace mae
