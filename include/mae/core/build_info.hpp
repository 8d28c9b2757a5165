#pragma once

#include <mae/core/isa.hpp>
#include <mae/core/version.hpp>

#include <string>

namespace mae {
inline namespace MAE_ISA {

/// What this program was built from: version, compiler and instruction set.
inline std::string build_info() {
  std::string text = "mae " MAE_VERSION ", ";
#if defined(__clang__)
  text += "clang " __clang_version__;
#elif defined(__GNUC__)
  text += "g++ " __VERSION__;
#else
  text += "unknown compiler";
#endif
  text += std::string(", ") + isa_name;
#ifndef NDEBUG
  text += ", with assertions";
#endif
  return text;
}

/// The widest set of vector instructions that this processor has and this program does not use;
/// empty when there is none, and where it cannot be known.
inline std::string unused_instructions() {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  std::string const used = isa_name;
  if (__builtin_cpu_supports("avx512f") && (used == "avx2" || used == "portable")) return "avx512";
  if (__builtin_cpu_supports("avx2") && used == "portable") return "avx2";
#endif
  return {};
}

}  // namespace MAE_ISA
}  // namespace mae
