#pragma once

#include <mae/core/types.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/batch_options.hpp>

#include <cstdint>
#include <utility>

namespace mae {

/// The accumulated batches of steps, one at a time, each loaded no sooner than it is asked for and
/// only once while it is there.
template <class Loader>
class step_batches {
 public:
  /// The loader's constructor's arguments.
  template <class... Arguments>
  explicit step_batches(Arguments&&... loader) : loader_(std::forward<Arguments>(loader)...) {}

  /// The accumulated batch `number` of the step `when`, with these images.
  void load(batch_images const& images, index_t number, training_moment const& when) {
    which const wanted{when.step, number};
    if (std::exchange(loaded_, {}) != wanted) loader_.load(images, when, batch_);
    loaded_ = wanted;
  }
  void forget() { loaded_ = {}; }

  /// What was loaded last.
  typename Loader::batch_type const& batch() const { return batch_; }
  Loader const& loader() const { return loader_; }

 private:
  struct which {
    std::int64_t step = -1;
    index_t number = 0;

    friend bool operator==(which const&, which const&) = default;
  };

  Loader loader_;
  typename Loader::batch_type batch_;
  which loaded_;
};

}  // namespace mae
