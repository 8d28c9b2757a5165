#pragma once

#include "chosen_mask.hpp"
#include "page.hpp"
#include "strip_history.hpp"
#include "training_task.hpp"

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>

#include <cstdint>
#include <vector>

namespace pretrain {

/// What the training's own mask hides of images that it does not train on, as it stands: how it
/// developed is kept, as training_report keeps what is painted.
class mask_pictures {
 public:
  /// Goes on with the strips of an earlier page.
  void take(page_strip strip, std::int64_t step);

  /// Shows the mask of a task on the first of these images. A mask that is blind, with one share
  /// for all, is not worth showing.
  void add(training_task const& task, image_set const& images, double epoch);

  bool empty() const { return masked_.stages().empty(); }
  page_section section() const;

 private:
  strip_history masked_{"masks"};
  strip_history hardness_{"hardness"};
  bool has_gates_ = false;      // the mask of the images looked at last
  std::vector<double> shares_;  // hidden, of the images looked at last
};

}  // namespace pretrain
