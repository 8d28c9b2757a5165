#pragma once

#include <mae/core/types.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string>

// What mae_finetune is asked of each of its heads: "classes:1,segmentation:0.5".

namespace tools {

/// The heads, in the order of the model's.
inline constexpr std::size_t num_heads = 3;
inline constexpr std::array<char const*, num_heads> head_words{
    "classes", "segmentation", "keypoints"};
inline constexpr std::size_t class_head = 0;
inline constexpr std::size_t segmentation_head = 1;
inline constexpr std::size_t keypoint_head = 2;

/// The share of an image's patches that each head does not see.
struct hidden_shares {
  std::optional<double> of_all = {};
  std::array<std::optional<double>, num_heads> of_head = {};

  double of(std::size_t head) const { return of_head[head].value_or(of_all.value_or(0)); }
};

/// "classes", "segmentation:0.5,keypoints". Throws usage_error.
void read_heads(std::string const& text, std::array<double, num_heads>& weights);

/// "0.25", "segmentation=0.25,classes=0". Throws usage_error.
void read_hidden(std::string const& text, hidden_shares& hidden);

}  // namespace tools
