#include "head_lists.hpp"

#include "command_line.hpp"
#include "flag_values.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tools {

namespace {

/// body(number of the head, value) for each of a list, a value after `between` or none.
template <class Body>
void for_each_head(std::string const& text, char between, Body const& body) {
  for (std::string_view rest = text; !rest.empty();) {
    auto const end = std::min(rest.find(','), rest.size());
    auto const one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    auto const sign = std::min(one.find(between), one.size());
    auto const* const word = std::ranges::find(head_words, one.substr(0, sign));
    if (word == head_words.end())
      throw pretrain::usage_error("'" + std::string(one.substr(0, sign)) +
                                  "' is not one of classes, segmentation, keypoints");
    auto const value =
        sign < one.size() ? std::optional(std::string(one.substr(sign + 1))) : std::nullopt;
    body(static_cast<std::size_t>(word - head_words.begin()), value);
  }
}

[[noreturn]] void refuse_twice(std::size_t head) {
  throw pretrain::usage_error(std::string(head_words[head]) + " is there twice");
}

}  // namespace

void read_heads(std::string const& text, std::array<double, num_heads>& weights) {
  weights = {};
  for_each_head(text, ':', [&](std::size_t head, std::optional<std::string> const& value) {
    double weight = 1;
    if (value) pretrain::positive(weight)(*value);
    if (weights[head] > 0) refuse_twice(head);
    weights[head] = weight;
  });
  if (std::ranges::none_of(weights, [](double weight) { return weight > 0; }))
    throw pretrain::usage_error("names no head: classes, segmentation or keypoints");
}

void read_hidden(std::string const& text, hidden_shares& hidden) {
  hidden = {};
  auto const read = [](std::optional<double>& field, std::string const& value) {
    pretrain::number(field, "a number from 0, below 1", [](double share) {
      return share >= 0 && share < 1;
    })(value);
  };
  bool const is_of_all = text.find('=') == std::string::npos &&
                         std::ranges::find(head_words, text) == head_words.end();
  if (is_of_all) return read(hidden.of_all, text);
  for_each_head(text, '=', [&](std::size_t head, std::optional<std::string> const& value) {
    if (hidden.of_head[head]) refuse_twice(head);
    if (!value)
      throw pretrain::usage_error("needs a share for " + std::string(head_words[head]) + ": " +
                                  head_words[head] + "=0.25");
    read(hidden.of_head[head], *value);
  });
}

}  // namespace tools
