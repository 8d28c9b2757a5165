#pragma once

#include "choices.hpp"
#include "command_line.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

// How flags read their values, and say what they are without them.

namespace pretrain {

using reader = std::function<void(std::string const&)>;

template <class Number>
std::optional<Number> parse_number(std::string const& text) {
  Number value = 0;
  char const* const end = text.data() + text.size();
  auto const [stop, failure] = std::from_chars(text.data(), end, value);
  return failure == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

/// Refuses what is no finite number, or one for which `holds` is false: "must be `what`, not 1.5".
inline double checked_number(std::string const& text, char const* what, bool (*holds)(double)) {
  auto const value = parse_number<double>(text);
  if (value && std::isfinite(*value) && holds(*value)) return *value;
  throw usage_error(std::string("must be ") + what + ", not " + text);
}

/// Refuses what is no whole number of [least, most]; also what no integer type could hold.
inline std::uint64_t checked_whole(std::string const& text,
                                   std::uint64_t least,
                                   std::uint64_t most) {
  auto const value = parse_number<std::uint64_t>(text);
  if (value && *value >= least && *value <= most) return *value;
  throw usage_error("must be a whole number from " + std::to_string(least) + " to " +
                    std::to_string(most) + ", not " + text);
}

template <class Field>
struct value_of_field {
  using type = Field;
};
template <class Value>
struct value_of_field<std::optional<Value>> {
  using type = Value;
};

template <class Field>
reader whole(Field& field, std::uint64_t least, std::uint64_t most) {
  return [&field, least, most](std::string const& text) {
    field = static_cast<typename value_of_field<Field>::type>(checked_whole(text, least, most));
  };
}

template <class Field>
reader number(Field& field, char const* what, bool (*holds)(double)) {
  return [&field, what, holds](std::string const& text) {
    field = static_cast<typename value_of_field<Field>::type>(checked_number(text, what, holds));
  };
}

template <class Field>
reader not_negative(Field& field) {
  return number(field, "a number not below 0", [](double value) { return value >= 0; });
}

template <class Field>
reader positive(Field& field) {
  return number(field, "a number above 0", [](double value) { return value > 0; });
}

inline reader mask_share(double& field) {
  return number(field, "a number between 0 and 1, neither included", [](double value) {
    return value > 0 && value < 1;
  });
}

template <class Field>
reader words(Field& field) {
  return [&field](std::string const& text) { field = text; };
}

inline reader set(bool& field) {
  return [&field](std::string const&) { field = true; };
}

/// "text [default]", so that the help cannot disagree with the struct.
inline std::string with_default(std::string const& text, std::string const& value) {
  return text + (text.ends_with('\n') ? "[" : " [") + value + "]";
}

inline std::string with_default(std::string const& text, double value) {
  std::ostringstream number;
  number << value;
  return with_default(text, number.str());
}

template <class Choice, std::size_t count>
flag choice(char const* name,
            choice_words<Choice, count> const& known,
            Choice& field,
            char const* description) {
  auto const choose = [&known, &field](std::string const& text) {
    for (auto const& [word, value] : known)
      if (word == text) {
        field = value;
        return;
      }
    throw usage_error("'" + text + "' is not one of " + list_of(known, ", "));
  };
  return {name,
          list_of(known, "|"),
          with_default(description, std::string(word_of(known, field))),
          choose};
}

inline constexpr std::uint64_t a_billion = 1'000'000'000;

}  // namespace pretrain
