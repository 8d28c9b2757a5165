#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/io/safetensors_header.hpp>

#include <charconv>
#include <cmath>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace mae {

/// How a table of positions holds a patch's place: the official code's column comes first.
inline constexpr char const* position_order = "column first";

/// The sizes of a model, under the names that they have in a file.
inline settings_list describe(model_config const& config) {
  auto const text = [](ratio const& r) {
    return std::to_string(r.numerator) + "/" + std::to_string(r.denominator);
  };
  settings_list list{{"image_height", std::to_string(config.image.height)},
                     {"image_width", std::to_string(config.image.width)},
                     {"image_channels", std::to_string(config.image.channels)},
                     {"patch_height", std::to_string(config.patch.height)},
                     {"patch_width", std::to_string(config.patch.width)}};
  auto const add_stack = [&](std::string const& name, stack_config const& stack) {
    list.push_back({name + "_depth", std::to_string(stack.depth)});
    list.push_back({name + "_width", std::to_string(stack.width)});
    list.push_back({name + "_heads", std::to_string(stack.heads)});
    list.push_back({name + "_mlp_ratio", text(stack.mlp_ratio)});
  };
  add_stack("encoder", config.encoder);
  add_stack("decoder", config.decoder);
  return list;
}

/// A list of numbers, separated by spaces, each the shortest text that reads back as the same
/// number.
inline std::string numbers_text(std::vector<double> const& numbers) {
  std::string text;
  for (double const number : numbers) {
    if (!text.empty()) text += ' ';
    text += decimal_text(number);
  }
  return text;
}

/// The inverse of numbers_text. Throws format_error (the header) for anything else, and for numbers
/// that are not finite.
inline std::vector<double> parse_numbers(std::string const& file, std::string_view text) {
  std::vector<double> numbers;
  char const* at = text.data();
  char const* const end = at + text.size();
  while (at != end) {
    if (!numbers.empty() && *at++ != ' ')
      throw format_error(file, 8, "metadata: not a list of numbers: " + std::string(text));
    double number = 0;
    auto const read = std::from_chars(at, end, number);
    if (read.ec != std::errc{} || !std::isfinite(number))
      throw format_error(file, 8, "metadata: not a list of numbers: " + std::string(text));
    numbers.push_back(number);
    at = read.ptr;
  }
  return numbers;
}

/// The statistics of the pixels that a model was trained on.
inline settings_list describe(pixel_statistics const& statistics) {
  return {{"pixel_mean", numbers_text(statistics.mean)},
          {"pixel_deviation", numbers_text(statistics.deviation)},
          {"pixel_scale", decimal_text(statistics.scale)}};
}

/// Reads statistics for `channels` channels back; empty ones from a file that has none. Throws
/// format_error for any that cannot be used.
inline pixel_statistics parse_statistics(std::string const& file,
                                         safetensors_metadata const& description,
                                         index_t channels) {
  auto const entry = [&](char const* name) {
    auto const found = description.find(name);
    return parse_numbers(file, found == description.end() ? std::string_view{} : found->second);
  };
  pixel_statistics statistics{.mean = entry("pixel_mean"), .deviation = entry("pixel_deviation")};
  auto const scale = entry("pixel_scale");
  auto const refuse = [&](std::string const& why) {
    throw format_error(file,
                       8,
                       "metadata: the pixel statistics do not fit " + std::to_string(channels) +
                           " channels: " + why);
  };
  bool const none = statistics.mean.empty() && statistics.deviation.empty();
  if (scale.size() > 1 || (scale.empty() && !none)) refuse("pixel_scale must be one number");
  if (!scale.empty()) statistics.scale = scale.front();
  if (auto const problem = problem_of(statistics, channels); !problem.empty()) refuse(problem);
  return statistics;
}

/// The layer norms' epsilon that a file names; `otherwise` in a file that names none.
inline double parse_norm_epsilon(std::string const& path,
                                 safetensors_metadata const& description,
                                 double otherwise) {
  auto const found = description.find("norm_epsilon");
  if (found == description.end()) return otherwise;
  auto const numbers = parse_numbers(path, found->second);
  if (numbers.size() != 1 || !(numbers.front() > 0))
    throw format_error(path, 8, "metadata: the layer norms' epsilon must be one positive number");
  return numbers.front();
}

/// Throws config_error for the first entry that the file has with another value than `expected`;
/// entries that the file lacks pass: a file of another program describes itself in other words.
inline void require_equal(std::string const& file,
                          safetensors_metadata const& description,
                          settings_list const& expected) {
  for (auto const& [name, value] : expected) {
    auto const found = description.find(name);
    if (found != description.end() && found->second != value)
      throw config_error(file + ": " + name + " is " + found->second + " in the file, but " +
                         value + " here");
  }
}

}  // namespace mae
