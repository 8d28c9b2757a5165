#pragma once

#include <mae/data/dataset.hpp>
#include <mae/mask/learning.hpp>
#include <mae/network/layout.hpp>
#include <mae/train/trainable.hpp>

#include <utility>

namespace mae_test {

/// All that a trainer asks of a model, and no more: what compiles with this one compiles with any.
///
/// - Sizes, mask, backend and layout are those with which the trainer is made, and stay.
/// - `parameters().values()` is one flat array in the backend's memory, laid out as `layout()`, and
///   `weights()` views of it: the trainer changes what the former shows, and passes read the
///   latter.
/// - `label_makers()`: a tuple, an element for each head; they are copied into the trainer.
/// - Of a mask that learns, `mask()` without const, which the trainer changes.
/// - Statistics that are empty are set, once, to the dataset's.
///
/// The library never asks it for an objective, a seed or a constructor.
template <class Model>
class trainable_archetype {
 public:
  using scalar = typename Model::scalar;
  using backend_type = typename Model::backend_type;
  using mask_type = typename Model::mask_type;
  using network_type = typename Model::network_type;

  explicit trainable_archetype(Model model) : model_(std::move(model)) {}

  typename network_type::parts_type const& sizes() const { return model_.sizes(); }
  mask_type const& mask() const { return model_.mask(); }
  mask_type& mask() requires mae::LearningMask<mask_type> { return model_.mask(); }
  backend_type const& backend() const { return model_.backend(); }
  auto label_makers() const { return model_.label_makers(); }
  mae::parameter_layout const& layout() const { return model_.layout(); }
  typename network_type::values_type const& weights() const { return model_.weights(); }
  auto& parameters() { return model_.parameters(); }
  auto const& parameters() const { return model_.parameters(); }
  mae::pixel_statistics const& statistics() const { return model_.statistics(); }
  void set_statistics(mae::pixel_statistics statistics) {
    model_.set_statistics(std::move(statistics));
  }

 private:
  Model model_;
};

}  // namespace mae_test
