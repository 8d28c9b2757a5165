#pragma once

#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/network.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/initialise.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
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
 public:
  small_model(model_case const& given, std::uint64_t seed)
      : given_(given),
        random_(stream_of(seed)),
        plan_(images(), patches()),
        patches_(images() * patches(), given.config.patch_values(), random_),
        pass_(backend_.make_lane(), {given.config, given.target_width}, mae::pass_kind::training) {
    mae::add_encoder(layout_, given.config);
    mae::add_decoder(layout_, given.config, given.target_width);
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
    auto const view = pass_.reconstruct(operands(), shard_, shard_patches());
    padded_matrix<double> prediction(view.rows, view.cols);
    for (index_t row = 0; row < view.rows; ++row)
      std::ranges::copy(view.row(row), prediction.view().row(row).begin());
    return prediction;
  }

  double loss(padded_matrix<double> const& targets) {
    double sum = 0;
    pass_.forward(operands(), shard_, shard_patches(), targets.view(), &sum);
    return sum;
  }

  /// Adds the gradient of the loss to a flat array of the layout.
  void add_gradient(padded_matrix<double> const& targets, std::vector<double>& gradient) {
    loss(targets);
    auto const& config = given_.config;
    pass_.backward(operands(),
                   shard_,
                   targets.view(),
                   {mae::bind_encoder(layout_, config, gradient.data()),
                    mae::bind_decoder(layout_, config, gradient.data())});
  }

 private:
  index_t patches() const { return given_.config.num_patches(); }
  matrix_view<double const> shard_patches() {
    return patches_.view().middle_rows(first_image_ * patches(), shard_.images() * patches());
  }
  /// Of the values as they are now.
  mae::network_operands<mae::eigen_lane<double>> const& operands() {
    double const* const base = values_.data();
    return prepared_.update(given_.config,
                            {mae::bind_encoder(layout_, given_.config, base),
                             mae::bind_decoder(layout_, given_.config, base)},
                            backend_);
  }

  model_case given_;
  mae::random_stream random_;
  mae::mask_plan plan_;
  padded_matrix<double> patches_;
  mae::eigen_backend<double> backend_{1};
  mae::network_pass<mae::eigen_backend<double>> pass_;
  mae::prepared_weights<mae::eigen_backend<double>> prepared_{mae::pass_kind::training};
  mae::parameter_layout layout_;
  std::vector<double> values_;
  mae::shard_rows shard_;
  index_t first_image_ = 0;
};

}  // namespace mae_test
