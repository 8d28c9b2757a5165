#pragma once

#include <mae/train/report.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pretrain {

/// How the gradients of a step's heads, each of its loss times its weight, meet on the encoder: by
/// depth, that is what embeds patches, each block, and the final norm.
struct gradient_record {
  struct of_head {
    std::string head;
    std::vector<double> norms;  // by depth
  };
  struct of_pair {
    std::string heads;            // "painter/contrast"
    std::vector<double> cosines;  // by depth; not a number where a gradient is 0
  };

  std::int64_t step = 0;
  double epoch = 0;
  std::vector<of_head> heads;
  std::vector<of_pair> pairs;  // of each head with those after it

  /// Over all depths.
  static double whole_norm(of_head const& of);
  double whole_cosine(std::size_t pair) const;
};

/// That of a step that records it, of the heads that have a part in it; names are those of flags.
gradient_record gradient_record_of(mae::step_report const& report, double epoch);

/// The words for a depth, of so many: "embedding", "block 1", "norm".
std::string depth_name(std::size_t depth, std::size_t depths);

/// An SVG for pages: of each pair the cosine of every depth (rows) and record (columns), from blue
/// (1) over white (0) to red (-1). Records are thinned out to a hundred columns.
std::string draw_gradients(std::vector<gradient_record> const& records);

}  // namespace pretrain
