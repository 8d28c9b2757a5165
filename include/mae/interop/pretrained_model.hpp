#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/decoder.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/io/description.hpp>
#include <mae/io/level_entries.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/model/pooling.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// A checkpoint in memory, whoever wrote it: values in float under the official names, and what is
/// known of the model, in the words of this library's own metadata.
struct pretrained_model {
  std::string path = {};
  naming names = {};        // those of the file that it was read from
  model_config sizes = {};  // heads are 0 where neither the file nor configs.hpp says how many
  bool has_decoder = false;
  bool crosses = false;  // it is a cross-attention decoder
  safetensors_metadata description = {};
  parameter_layout layout = {};  // the encoder's, then the decoder's where there is one
  host_buffer<float> values = {};
  std::set<std::string> assumed = {};  // entries of the description that no file says
  /// Lines for a user: "left out: ..." (tensors that are no part of the model), "stripped: ..." (of
  /// their names), "assumed: ..." (of what the file leaves open).
  std::vector<std::string> notes = {};

  std::span<float const> tensor(std::string const& name) const {
    auto const& found = layout.find(name);
    return values.span().subspan(static_cast<std::size_t>(found.offset),
                                 static_cast<std::size_t>(found.size()));
  }
  std::optional<std::string> entry(std::string const& name) const {
    auto const found = description.find(name);
    if (found == description.end()) return std::nullopt;
    return found->second;
  }
  double norm_epsilon() const { return parse_norm_epsilon(path, description, 1e-6); }
  pixel_statistics statistics() const {
    return parse_statistics(path, description, sizes.image.channels);
  }
  /// Of density, that its tokens are told.
  patch_levels levels() const { return parse_levels(path, description); }
  /// What its files say of how pictures become its input, the statistics among it.
  preprocessing pictures() const {
    return parse_preprocessing(path, description, sizes.image.channels);
  }
  /// What its final norm is of.
  norm_place final_norm() const {
    return names.norm == "norm." ? norm_place::tokens : norm_place::pooled;
  }
  /// What the decoder predicts, where a file says so and it is no picture: "hog", or an objective
  /// that is not the library's ("custom"); empty for pixels, and where no file says.
  std::string other_targets() const {
    auto const objective = entry("objective");
    if (!objective || *objective == "normalised" || *objective == "pixels") return {};
    return *objective;
  }
  /// Whether the targets were normalised per patch; nothing where the file does not say.
  std::optional<bool> norm_pix() const {
    auto const objective = entry("objective");
    if (!objective) return std::nullopt;
    return *objective == "normalised";
  }
  /// What was added to a patch's variance then: normalised_pixels::epsilon; the official code's
  /// where the file does not say. Throws format_error for what is no number above 0.
  double target_epsilon() const {
    constexpr double official = 1e-6;
    auto const said = entry("target_epsilon");
    if (!said) return official;
    auto const numbers = parse_numbers(path, *said);
    if (numbers.size() != 1 || !(numbers.front() > 0))
      throw format_error(path, 8, "metadata: target_epsilon is no number above 0: " + *said);
    return numbers.front();
  }
};

namespace detail {

inline void put(safetensors_metadata& description, settings_list const& entries) {
  for (auto const& [name, value] : entries) description[name] = value;
}

/// Throws config_error, which names the flag that says them, where a stack's heads are not known.
inline void require_heads(pretrained_model const& found,
                          stack_config const& stack,
                          std::string const& flag) {
  if (stack.heads != 0) return;
  throw config_error(found.path + ": the file does not say how many heads its " +
                     std::to_string(stack.depth) + " layers of width " +
                     std::to_string(stack.width) + " have: " + flag +
                     " says it (read_options in a program)");
}

/// The table of a checkpoint's tensors, of models of these sizes.
inline parameter_layout layout_of(pretrained_model const& model,
                                  model_config const& sizes,
                                  index_t width) {
  parameter_layout layout;
  auto const levels = model.levels();
  add_encoder(layout, sizes);
  add_levels(layout, sizes, levels);
  if (model.crosses)
    add_cross_decoder(layout, sizes, width);
  else if (model.has_decoder)
    add_decoder(layout, sizes, width, levels.of_hidden());
  return layout;
}

}  // namespace detail

}  // namespace mae
