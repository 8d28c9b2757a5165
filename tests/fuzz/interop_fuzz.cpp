#include <mae/core/error.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/interop/file_sizes.hpp>
#include <mae/interop/huggingface_config.hpp>
#include <mae/interop/huggingface_preprocessor.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/interop/timm_config.hpp>
#include <mae/network/layout.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

// libFuzzer's target for the texts beside a checkpoint's tensors (requirement R13): any of them is
// read, or refused with a format_error. Each is given to all four readers.

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
  std::vector<std::string> notes;
  mae::image_extent const image{.height = 64, .width = 64};
  auto const how = mae::parse_preprocessor("fuzz", text, image, notes);
  require(how.rescale > 0 && std::isfinite(how.rescale));
  for (double const value : how.statistics.mean) require(std::isfinite(value));
  for (double const value : how.statistics.deviation) require(std::isfinite(value) && value > 0);
}

/// What timm says of sizes and pictures is possible, or refused.
void check_timm(std::string const& text) {
  auto const config = mae::parse_timm_config("fuzz", text);
  std::vector<std::string> notes;
  for (auto const& entry : mae::describe("fuzz", config, {.width = 192}, notes))
    require(!entry.value.empty());
  mae::image_extent const image{.height = 64, .width = 32};
  auto const how = mae::pictures_of("fuzz", config, image);
  require(how.resized_height == 0 || how.resized_height >= image.height);
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
  check(check_timm, text);
  return 0;
}
