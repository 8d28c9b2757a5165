#pragma once

/// The instruction set that this translation unit is compiled for. Every entity whose sizes or
/// intrinsics depend on it lives in an inline namespace of this name, so that units built with
/// different -march flags can be linked into one program, for a processor that has what all need.
#if defined(__AVX512BF16__) && defined(__AMX_TILE__) && defined(__AMX_BF16__)
#define MAE_ISA amx_bf16
#define MAE_HAS_TILE_REGISTERS
#elif defined(__AVX512F__) && defined(__AVX512BF16__)
#define MAE_ISA avx512_bf16
#elif defined(__AVX512F__)
#define MAE_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define MAE_ISA avx2
#else
#define MAE_ISA portable
#endif

#define MAE_STRINGIZE_IMPL(name) #name
#define MAE_STRINGIZE(name) MAE_STRINGIZE_IMPL(name)

namespace mae {

/// The instruction set in words: "amx_bf16", "avx512_bf16", "avx512", "avx2" or "portable".
inline namespace MAE_ISA {
inline constexpr char const* isa_name = MAE_STRINGIZE(MAE_ISA);
}  // namespace MAE_ISA

}  // namespace mae
