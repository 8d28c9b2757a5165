#pragma once

#include "chart.hpp"
#include "page.hpp"

#include <mae/core/types.hpp>

#include <optional>
#include <string>
#include <vector>

namespace tools {

/// What was read off the tokens after one block, as shares of the images that are graded in
/// percent; what was not asked for is missing.
struct layer_scores {
  mae::index_t layer = 0;    // the block's number, from 1
  mae::index_t visible = 0;  // patches that were encoded, where the report is over them
  double seen = 0;           // of an image, on average, where they are not the same of all
  std::optional<double> linear = {};
  std::optional<double> attentive = {};
  std::vector<double> knn = {};  // for each number of neighbours
};

/// What a probe found.
struct probe_report {
  std::vector<mae::index_t> neighbours = {};  // of kNN
  std::optional<double> pixels = {};          // the linear probe of the raw pixels
  std::vector<layer_scores> layers = {};
  mae::index_t folds = 0;    // of the training images, which were graded; 0: test images were
  mae::index_t patches = 0;  // of an image, of a report over visible patches; 0: over blocks

  bool is_over_visible() const { return patches > 0; }
};

/// A table for a terminal: a line for the raw pixels, where they were graded, and one for each
/// layer, or "the encoder" where its last block alone was asked for.
std::string to_table(probe_report const& report, mae::index_t depth);

/// The curves of each reader over the layers, or over visible patches, and, dashed, the raw pixels.
pretrain::chart to_chart(probe_report const& report);

/// report.html: the best figures, the curves where there are several layers, all figures, and how
/// they were read. `depth` is the encoder's.
pretrain::page to_page(probe_report const& report,
                       mae::index_t depth,
                       std::string const& title,
                       std::vector<pretrain::page_entry> settings);

/// Comma-separated values (RFC 4180) under the header "layer,linear,attentive,knn_1": a column for
/// each reader that was asked for, a line for each layer. Over visible patches the first columns
/// are "visible,seen".
std::string to_csv(probe_report const& report);

/// A report over visible patches as JSON: {"patches":64,"pixels":30.0,"curve":[{"visible":4,
/// "seen":4.0,"linear":...,"knn_20":...},...]}.
std::string to_json(probe_report const& report);

}  // namespace tools
