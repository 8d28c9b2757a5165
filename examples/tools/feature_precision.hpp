#pragma once

#include <cstdint>

namespace tools {

/// What an encoder's layers multiply: floats, bfloat16, or int8 with a scale for each row.
enum class feature_precision : std::uint8_t { fp32, bf16, int8 };

}  // namespace tools
