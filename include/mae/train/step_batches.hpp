#pragma once

#include <mae/core/types.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/batch_options.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mae {

/// The accumulated batches of steps, one at a time of each of their passes (passes_of), each loaded
/// no sooner than it is asked for and only once while it is there.
template <class Loader>
class step_batches {
 public:
  using heads_type = typename Loader::heads_type;
  using batch_type = typename Loader::batch_type;

  /// The heads of each pass, and the loader's constructor's arguments.
  template <class... Arguments>
  explicit step_batches(std::vector<heads_type> const& passes, Arguments&&... loader)
      : loader_(std::forward<Arguments>(loader)...) {
    for (auto const& heads : passes) passes_.push_back({.heads = heads});
  }

  std::size_t passes() const { return passes_.size(); }
  heads_type const& heads(std::size_t pass) const { return passes_[pass].heads; }

  /// Loads the accumulated batch `number` of the step `when`, with these images, for a pass.
  batch_type const& load(batch_images const& images,
                         index_t number,
                         training_moment const& when,
                         std::size_t pass) {
    auto& mine = passes_[pass];  // unbound: nvcc takes a returned binding for a local variable
    which const wanted{when.step, number};
    if (std::exchange(mine.loaded, {}) != wanted)
      loader_.load(images, when, mine.batch, mine.heads);
    mine.loaded = wanted;
    return mine.batch;
  }
  void forget() {
    for (auto& pass : passes_) pass.loaded = {};
  }

  Loader const& loader() const { return loader_; }

 private:
  struct which {
    std::int64_t step = -1;
    index_t number = 0;

    friend bool operator==(which const&, which const&) = default;
  };
  struct of_pass {
    heads_type heads;
    which loaded = {};
    batch_type batch = {};  // what was loaded last
  };

  Loader loader_;
  std::vector<of_pass> passes_;
};

}  // namespace mae
