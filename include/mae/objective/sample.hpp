#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// One image of a batch, as labels are made of it.
template <class T>
struct image_sample {
  model_config const& config;
  matrix_view<T const> patches;               // (N, P), in the network's input units
  std::span<patch_index const> targets;       // the patches to predict
  std::span<patch_index const> visible = {};  // those that the encoder sees; none: all
  index_t index = 0;                          // of the image in its dataset
  index_t label = -1;                         // the dataset's; -1 where there is none
  index_t partner_label = -1;                 // likewise, of the image that it is mixed with
  double own_share = 1;                       // of a mixture; 1: it is not mixed
  annotation const* said = nullptr;           // of the dataset's image; null where it has none
  image_crop view = {};                       // which part of that image the patches show
  double noise = 0;                           // deviation of what the encoder sees beside these
};

/// Whether the encoder sees a patch of the image, of which heads that tell of places learn only
/// where it does.
template <class T>
bool sees(image_sample<T> const& image, index_t patch) {
  return image.visible.empty() ||
         std::binary_search(
             image.visible.begin(), image.visible.end(), static_cast<patch_index>(patch));
}

/// What writes a head's labels of an image: rows (label rows of one image, label width). A head
/// that does not make its own gets one from its model. Const, and called from several threads.
template <class M, class T>
concept LabelMaker = requires(M const& maker, image_sample<T> const& image, matrix_view<T> rows) {
  { maker.label(image, rows) } -> std::same_as<void>;
};

/// An objective's targets as labels: those of an image's hidden patches; with a weight of visible
/// patches those of all present ones in their order, and behind each row its mark: with h hidden
/// and v visible patches h / (h + v weight) of a hidden one, -weight times that of a visible one; 1
/// of each where noise alone spoils an image, of which nothing is hidden.
template <class Objective>
class target_labels {
 public:
  explicit target_labels(Objective const& objective, double visible_weight = 0)
      : objective_(&objective), visible_weight_(visible_weight) {}

  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> rows) const {
    if (visible_weight_ == 0)
      return objective_->target(image.config, image.patches, image.targets, rows);
    thread_local std::vector<patch_index> present;
    present.assign(image.visible.begin(), image.visible.end());
    present.insert(present.end(), image.targets.begin(), image.targets.end());
    std::sort(present.begin(), present.end());
    index_t const width = rows.cols - 1;
    thread_local std::vector<T> targets;  // without gaps, as objectives always get them
    targets.resize(static_cast<std::size_t>(rows.rows * width));
    objective_->target(image.config,
                       image.patches,
                       std::span<patch_index const>(present),
                       matrix_view<T>(targets.data(), rows.rows, width));
    auto const hidden = static_cast<double>(image.targets.size());
    auto const seen = static_cast<double>(image.visible.size());
    bool const is_whole = image.targets.empty() && image.noise > 0;
    double const share = hidden / (hidden + seen * visible_weight_);
    for (index_t i = 0; i < rows.rows; ++i) {
      std::copy_n(targets.begin() + i * width, width, rows.row(i).begin());
      bool const is_seen = std::binary_search(
          image.visible.begin(), image.visible.end(), present[static_cast<std::size_t>(i)]);
      rows(i, width) = static_cast<T>(is_whole ? 1.0 : is_seen ? -visible_weight_ * share : share);
    }
  }

 private:
  Objective const* objective_;
  double visible_weight_;
};

}  // namespace mae
