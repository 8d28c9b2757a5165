#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/head/decoder.hpp>
#include <mae/io/description.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/part.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace mae {

/// The entry of a file that names the heads whose tensors it holds, with spaces between; without it
/// there is a decoder alone.
inline constexpr char const* heads_entry = "heads";

/// After a head's name: the entry of a training's file that holds its weight.
inline constexpr char const* head_weight_suffix = ".head_weight";

/// The heads that have tensors.
inline std::vector<std::string> heads_in(parameter_layout const& layout) {
  std::vector<std::string> heads;
  for (auto const& tensor : layout.tensors())
    if (tensor.segment != encoder_segment && (heads.empty() || heads.back() != tensor.segment))
      heads.emplace_back(tensor.segment);
  return heads;
}

/// The heads that a file names.
inline std::vector<std::string> heads_in(safetensors_metadata const& description) {
  auto const found = description.find(heads_entry);
  if (found == description.end()) return {std::string(decoder_segment)};
  std::vector<std::string> heads;
  for (std::size_t first = 0; first < found->second.size();) {
    auto const last = std::min(found->second.find(' ', first), found->second.size());
    heads.push_back(found->second.substr(first, last - first));
    first = last + 1;
  }
  return heads;
}

namespace detail {

/// body(head, weight) for every head that is on.
template <class... Heads, class Body>
void for_heads_on(network_parts<Heads...> const& parts, Body const& body) {
  std::size_t number = 0;
  auto const visit = [&](auto const& head) {
    double const weight = parts.weights[number++];
    if (weight != 0) body(head, weight);
  };
  std::apply([&](auto const&... head) { (visit(head), ...); }, parts.heads);
}

inline void add_under(std::string const& name, settings_list const& settings, settings_list& list) {
  for (auto const& [key, value] : settings) list.push_back({name + "." + key, value});
}

inline std::string joined(std::vector<std::string> const& names, char const* between) {
  std::string line;
  for (auto const& name : names) (line += line.empty() ? "" : between) += name;
  return line;
}

}  // namespace detail

/// What gives the tensors of the heads that are on their meaning, under the heads' names.
template <class... Heads>
settings_list describe_heads(network_parts<Heads...> const& parts) {
  settings_list list;
  detail::for_heads_on(parts, [&](auto const& head, double /*weight*/) {
    if constexpr (requires { head.settings(); })
      detail::add_under(std::string(head.name), head.settings(), list);
  });
  return list;
}

/// What the file of a model says of its heads: nothing where there is a decoder alone.
template <class... Heads>
settings_list describe_heads(parameter_layout const& layout, network_parts<Heads...> const& parts) {
  settings_list list = describe_heads(parts);
  auto const heads = heads_in(layout);
  if (heads == std::vector{std::string(decoder_segment)}) return list;
  list.push_back({heads_entry, detail::joined(heads, " ")});
  return list;
}

namespace detail {

inline bool names(std::vector<std::string> const& list, std::string const& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// What to do with a file without a model's head: of the two decoders, take the file's.
inline std::string way_without(std::string const& head, std::vector<std::string> const& in_file) {
  constexpr char const* crossing = "cross_decoder";
  if (head == decoder_segment && names(in_file, crossing))
    return "give --decoder cross, in a program take mae::cross_autoencoder";
  if (head == crossing && names(in_file, std::string(decoder_segment)))
    return "give --decoder self, in a program take mae::autoencoder";
  return "load it into a model without that head";
}

}  // namespace detail

/// The heads of a file that a model of this layout lacks, which are left out. Throws config_error,
/// with their names, for heads that the file lacks.
inline std::vector<std::string> heads_left_out(std::string const& path,
                                               safetensors_metadata const& description,
                                               parameter_layout const& layout) {
  auto const in_file = heads_in(description);
  auto const here = heads_in(layout);
  for (auto const& head : here)
    if (!detail::names(in_file, head))
      throw config_error(path + ": the model has the head " + head + ", but the file's heads are " +
                         (in_file.empty() ? "none" : detail::joined(in_file, ", ")) + ": " +
                         detail::way_without(head, in_file));
  std::vector<std::string> left;
  for (auto const& head : in_file)
    if (!detail::names(here, head)) left.push_back(head);
  return left;
}

/// What a training's file says of its heads besides: their weights, and what else decides the
/// training. Nothing of a painter alone, whose objective and loss stand elsewhere.
template <class... Heads>
settings_list describe_training_of(network_parts<Heads...> const& parts) {
  settings_list list;
  detail::for_heads_on(parts, [&](auto const& head, double weight) {
    std::string const name(head.name);
    list.push_back({name + head_weight_suffix, decimal_text(weight)});
    if constexpr (requires { head.training_settings(); })
      detail::add_under(name, head.training_settings(), list);
  });
  bool const painter_alone = list.size() == 1 && list.front().value == "1" &&
                             list.front().name == std::string(decoder_segment) + head_weight_suffix;
  return painter_alone ? settings_list{} : list;
}

}  // namespace mae
