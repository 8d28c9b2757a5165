#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/io/description.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/mask/patch_levels.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// The word of files and command lines.
constexpr char const* to_string(told_tokens told) {
  return told == told_tokens::visible ? "visible" : told == told_tokens::mask ? "mask" : "both";
}

/// What a model's file says of the levels that its tokens are told; nothing where they are told
/// none. A template, as those below: compiled where levels are written or read.
template <std::same_as<patch_levels> Levels>
settings_list describe(Levels const& levels) {
  if (!levels.is_on()) return {};
  return {
      {"density_token", std::to_string(levels.count())},
      {"density_token_at", to_string(levels.told)},
      {"density_token_measure", to_string(levels.measure)},
      {"density_token_bounds",
       numbers_text(std::vector<double>(levels.bounds.begin(), levels.bounds.end()))},
  };
}

namespace detail {

/// One of several values by its word.
template <class Value>
Value value_of_word(std::string const& file,
                    safetensors_metadata const& description,
                    char const* entry,
                    std::vector<Value> const& values) {
  auto const found = description.find(entry);
  if (found != description.end())
    for (Value const value : values)
      if (found->second == to_string(value)) return value;
  throw format_error(
      file, 8, std::string("metadata: ") + entry + " is missing, or no word that is known");
}

}  // namespace detail

/// Reads levels back; none from a file that tells of none. Statistics are left to the model. Throws
/// format_error for entries that do not fit together.
template <std::same_as<safetensors_metadata> Metadata>
patch_levels parse_levels(std::string const& file, Metadata const& description) {
  auto const count = description.find("density_token");
  if (count == description.end()) return {};
  using enum density_measure;
  patch_levels levels{
      .measure = detail::value_of_word(
          file, description, "density_token_measure", std::vector{variance, gradient, entropy}),
      .told = detail::value_of_word(
          file,
          description,
          "density_token_at",
          std::vector{told_tokens::visible, told_tokens::mask, told_tokens::both})};
  auto const bounds = description.find("density_token_bounds");
  if (bounds != description.end())
    for (double const bound : parse_numbers(file, bounds->second))
      levels.bounds.push_back(static_cast<float>(bound));
  if (!levels.is_on() || std::to_string(levels.count()) != count->second)
    throw format_error(file,
                       8,
                       "metadata: density_token is " + count->second +
                           " levels, and density_token_bounds has " +
                           std::to_string(levels.bounds.size()) + " bounds between them");
  try {
    return checked_levels(std::move(levels));
  } catch (config_error const& error) {
    throw format_error(file, 8, std::string("metadata: density_token_bounds: ") + error.what());
  }
}

/// Throws config_error where a file's model tells its tokens other levels than this one.
template <std::same_as<patch_levels> Levels>
void require_same_levels(std::string const& file,
                         Levels const& found,
                         patch_levels const& expected) {
  if (found.tells_as(expected)) return;
  auto const text = [](patch_levels const& levels) {
    if (!levels.is_on()) return std::string("none");
    std::string words;
    for (auto const& entry : describe(levels)) {
      if (!words.empty()) words += ", ";
      words += entry.value;
    }
    return words;
  };
  throw config_error(file + ": the levels of density that tokens are told (density_token) are " +
                     text(found) + " in the file, but " + text(expected) +
                     " here: give the model those of the file (parse_levels, --density-token)");
}

}  // namespace mae
