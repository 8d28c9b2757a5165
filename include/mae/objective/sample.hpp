#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <concepts>
#include <span>

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
};

/// Whether the encoder sees a patch of the image, of which heads that tell of places learn only
/// where it does.
template <class T>
bool sees(image_sample<T> const& image, index_t patch) {
  return image.visible.empty() ||
         std::ranges::binary_search(image.visible, static_cast<patch_index>(patch));
}

/// What writes a head's labels of an image: rows (label rows of one image, label width). A head
/// that does not make its own gets one from its model. Const, and called from several threads.
template <class M, class T>
concept LabelMaker = requires(M const& maker, image_sample<T> const& image, matrix_view<T> rows) {
  { maker.label(image, rows) } -> std::same_as<void>;
};

/// An objective's targets as labels.
template <class Objective>
class target_labels {
 public:
  explicit target_labels(Objective const& objective) : objective_(&objective) {}

  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> rows) const {
    objective_->target(image.config, image.patches, image.targets, rows);
  }

 private:
  Objective const* objective_;
};

}  // namespace mae
