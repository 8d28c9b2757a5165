#pragma once

#include "checkpoint_flags.hpp"
#include "command_line.hpp"

#include <mae/core/types.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace serve {

/// The numbers that an encoder multiplies.
enum class precision_choice { fp32, bf16, int8 };

/// What the command line says. The known of a model are those of --model.
struct serve_options : tools::common_options {
  serve_options() { settings.max_pixels = 25'000'000; }

  std::string classifier;  // the model.safetensors of a fine-tuning; empty: none
  std::string gallery;     // a folder of pictures; empty: none
  precision_choice precision = precision_choice::fp32;

  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  // 0: any free one
  int max_connections = 256;
  std::uint64_t max_body = std::uint64_t{8} << 20U;  // bytes
  std::chrono::microseconds request_timeout{10'000'000};
  std::string token_file;
  bool log_requests = false;

  mae::index_t max_batch = 64;  // images
  std::chrono::microseconds max_delay{2'000};
  mae::index_t queue = 256;  // images
};

std::vector<pretrain::flag_group> flags_for(serve_options& o);

/// Throws usage_error for flags that contradict each other.
void check_combinations(serve_options const& o);

/// A time, "2ms", "10s", "500us" or "1m". Throws usage_error.
std::chrono::microseconds parse_duration(std::string const& text);
/// A number of bytes, "8M", "512K" or "1000"; K is 1024. Throws usage_error.
std::uint64_t parse_bytes(std::string const& text);

std::string_view name(precision_choice choice);

}  // namespace serve
