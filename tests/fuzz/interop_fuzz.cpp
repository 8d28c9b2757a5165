#include <mae/core/error.hpp>
#include <mae/core/views.hpp>
#include <mae/interop/file_sizes.hpp>
#include <mae/interop/huggingface_config.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/model/layout.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

// libFuzzer's target for the texts beside a checkpoint's tensors (requirement R13): any of them is
// read, or refused with a format_error. Each is given to all three readers.

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_index(std::string const& text) {
  for (auto const& [tensor, file] : mae::detail::parse_weight_map("fuzz", text)) {
    require(!file.empty() && file != "." && file != "..");
    require(file.find('/') == std::string::npos);
  }
}

/// Sizes that pass are those of a model whose values can be counted.
void check_config(std::string const& text) {
  auto config = mae::parse_huggingface_config("fuzz", text);
  mae::detail::fill_heads(config.sizes);
  mae::detail::require_possible("fuzz", config.sizes);
  config.sizes.encoder.depth = config.sizes.decoder.depth = 1;
  mae::parameter_layout layout;
  mae::add_encoder(layout, config.sizes);
  mae::add_decoder(layout, config.sizes, config.sizes.patch_values());
  for (auto const& tensor : layout.tensors()) require(tensor.size() > 0);
  require(layout.size() > 0);
}

void check_preprocessor(std::string const& text) {
  auto const statistics = mae::parse_preprocessor("fuzz", text, 3);
  require(std::isfinite(statistics.scale));
  for (double const value : statistics.mean) require(std::isfinite(value));
  for (double const value : statistics.deviation) require(std::isfinite(value));
}

void check(void (*reads)(std::string const&), std::string const& text) {
  try {
    reads(text);
  } catch (mae::format_error const& e) {
    require(e.offset() <= text.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string const text(mae::memory_as<char const>(data), size);
  check(check_index, text);
  check(check_config, text);
  check(check_preprocessor, text);
  return 0;
}
