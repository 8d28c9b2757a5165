#pragma once

#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/initialise.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/op/patch_loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

namespace mae_test {

struct model_case {
  mae::model_config config;
  index_t target_width;
  std::vector<mae::mask_counts> masks;  // of each image; what is neither is absent
};

/// A model with nothing square or even, one with everything square and a multilayer perceptron
/// whose rows are 4096 bytes in double, and one of a single block with an odd one. Every batch is
/// ragged; sequences of two tokens are among them.
inline model_case model_case_of(std::size_t shape) {
  switch (shape) {
    case 0:
      return {{.image = {.height = 20, .width = 21, .channels = 4},
               .patch = {.height = 5, .width = 7},
               .encoder = {.depth = 2, .width = 20, .heads = 5},
               .decoder = {.depth = 2, .width = 12, .heads = 3}},
              140,
              {{3, 9}, {1, 2}, {5, 4}}};
    case 1:
      return {{.image = {.height = 12, .width = 12, .channels = 3},
               .patch = {.height = 3, .width = 3},
               .encoder = {.depth = 2, .width = 16, .heads = 2},
               .decoder = {.depth = 1, .width = 8, .heads = 2, .mlp_ratio = {64, 1}}},
              27,
              {{4, 12}, {4, 12}, {1, 1}}};
    default:
      return {{.image = {.height = 6, .width = 9, .channels = 3},
               .patch = {.height = 2, .width = 3},
               .encoder = {.depth = 1, .width = 8, .heads = 1, .mlp_ratio = {3, 2}},
               .decoder = {.depth = 1, .width = 12, .heads = 3, .mlp_ratio = {7, 4}}},
              5,
              {{8, 1}, {2, 3}}};
  }
}

/// The whole small model in double: its parameters, a batch of random patches under a fixed mask,
/// and the passes over them.
class small_model {
  using pass_type = mae::painter_network<mae::eigen_backend<double>>;

 public:
  small_model(model_case const& given, std::uint64_t seed, mae::patch_loss const& loss = {})
      : given_(given),
        random_(stream_of(seed)),
        plan_(images(), patches()),
        patches_(images() * patches(), given.config.patch_values(), random_),
        parts_(mae::painter_parts(given.config, given.target_width, 1e-6, loss)),
        pass_(backend_.make_lane(), parts_, mae::pass_kind::training),
        layout_(mae::layout_of(parts_)) {
    values_.resize(static_cast<std::size_t>(layout_.size()));
    mae::initialise_parameters(layout_, given.config, seed, std::span<double>(values_));
    for (double& value : values_) value += 0.2 * random_.normal();  // so that no gradient is small
    for (index_t image = 0; image < images(); ++image) {
      std::vector<float> scores(static_cast<std::size_t>(patches()));
      for (float& score : scores) score = random_.uniform();
      plan_.assign(image, given.masks[static_cast<std::size_t>(image)], scores);
    }
    use_images(0, images());
  }

  mae::parameter_layout const& layout() const { return layout_; }
  mae::random_stream& random() { return random_; }
  index_t images() const { return std::ssize(given_.masks); }
  std::span<double> values(index_t first, index_t size) {
    return std::span(values_).subspan(static_cast<std::size_t>(first),
                                      static_cast<std::size_t>(size));
  }

  /// The shard holds images [first, last).
  void use_images(index_t first, index_t last) {
    shard_.assign(plan_, first, last);
    first_image_ = first;
  }
  index_t num_targets() const { return shard_.num_targets(); }

  /// (M, target width).
  padded_matrix<double> predict() {
    auto const& weights = operands();
    mae::shard_view const shard = shard_.view();
    pass_.encode(weights.encoder, shard, shard_patches());
    auto const view = pass_.head<0>().predict(pass_.input_of(shard), std::get<0>(weights.heads));
    padded_matrix<double> prediction(view.rows, view.cols);
    for (index_t row = 0; row < view.rows; ++row)
      std::ranges::copy(view.row(row), prediction.view().row(row).begin());
    return prediction;
  }

  double loss(padded_matrix<double> const& targets) {
    double sum = 0;
    pass_.forward(operands(), input(targets), {.set = 1}, &sum);
    return sum;
  }

  /// Adds the gradient of the loss to a flat array of the layout.
  void add_gradient(padded_matrix<double> const& targets, std::vector<double>& gradient) {
    loss(targets);
    pass_.backward(operands(),
                   input(targets),
                   {.set = 1},
                   mae::bind_network(layout_, parts_, gradient.data()));
  }

 private:
  index_t patches() const { return given_.config.num_patches(); }
  matrix_view<double const> shard_patches() {
    return patches_.view().middle_rows(first_image_ * patches(), shard_.images() * patches());
  }
  pass_type::input_type input(padded_matrix<double> const& targets) {
    return {shard_, shard_patches(), {targets.view()}};
  }
  /// Of the values as they are now.
  pass_type::operands_type const& operands() {
    double const* const base = values_.data();
    return prepared_.update(parts_, mae::bind_network(layout_, parts_, base), backend_);
  }

  model_case given_;
  mae::random_stream random_;
  mae::mask_plan plan_;
  padded_matrix<double> patches_;
  mae::eigen_backend<double> backend_{1};
  pass_type::parts_type parts_;
  pass_type pass_;
  pass_type::prepared_type prepared_{mae::pass_kind::training};
  mae::parameter_layout layout_;
  std::vector<double> values_;
  mae::shard_rows shard_;
  index_t first_image_ = 0;
};

}  // namespace mae_test
