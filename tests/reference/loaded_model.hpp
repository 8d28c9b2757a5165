#pragma once

#include "model_fixture.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/op/linear.hpp>
#include <mae/patch/patchify.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae_test {

using mae::matrix_view;

/// Of an encoder and a painter of pixels.
template <class Painter = mae::painter>
mae::network_parts<Painter> parts_of(mae::model_config const& config, double norm_epsilon = 1e-6) {
  Painter painting;
  painting.sizes = mae::decoder_sizes::of(config, config.patch_values());
  return {config, norm_epsilon, {painting}};
}
template <class Painter = mae::painter>
mae::parameter_layout layout_of(mae::model_config const& config) {
  return mae::layout_of(parts_of<Painter>(config));
}

/// A fixture's model with its parameters and its batch, computed in T: all models, whatever their
/// sizes, through one instantiation of the network. The passes run over the images in use, all of
/// them at first.
template <class T, class Painter = mae::painter>
class loaded_model {
  using backend = mae::eigen_backend<T>;
  using pass_type = mae::network_pass<backend, Painter>;

 public:
  explicit loaded_model(model_fixture const& file)
      : loaded_model(file, file.config(), file.block<T>(layout_of<Painter>(file.config()))) {}
  /// With sizes and values that come from elsewhere.
  loaded_model(model_fixture const& file,
               mae::model_config const& config,
               mae::host_buffer<T> values)
      : file_(file),
        sizes_(parts_of<Painter>(config, file.number("norm_epsilon"))),
        layout_(mae::layout_of(sizes_)),
        values_(std::move(values)),
        gradient_(layout_.size()),
        pass_(backend_.make_lane(), sizes_, mae::pass_kind::training) {
    cut_images();
    set_noise(file.values("input.noise"));
  }

  mae::model_config const& config() const { return sizes_.config; }
  mae::parameter_layout const& layout() const { return layout_; }
  mae::mask_plan const& plan() const { return plan_; }
  std::span<T> values() { return values_.span(); }
  std::span<T> gradient() { return gradient_.span(); }

  /// Masks all images anew.
  void set_noise(std::span<float const> noise) {
    plan_ = file_.plan(noise);
    use_images(0, plan_.images());
  }
  void use_images(index_t first, index_t last) {
    first_image_ = first;
    shard_.assign(plan_, first, last);
  }

  /// (M, P), of the images in use.
  template <mae::Objective O>
  std::vector<T> targets(O const& objective) const {
    index_t const width = config().patch_values();
    std::vector<T> all(static_cast<std::size_t>(shard_.num_targets() * width));
    index_t row = 0;
    for (index_t i = first_image_; i < first_image_ + shard_.images(); ++i) {
      auto const positions = plan_.target(i);
      matrix_view<T> const view(all.data() + row * width, std::ssize(positions), width);
      objective.target(config(), patches_of(i, i + 1), positions, view);
      row += view.rows;
    }
    return all;
  }
  std::vector<T> normalised_targets() const {
    return targets(mae::normalised_pixels{file_.number("target_epsilon")});
  }

  /// The sum of the targets' losses.
  double forward(std::vector<T> const& targets) {
    double sum = 0;
    pass_.forward(operands(), {shard_, patches_in_use(), {view_of(targets)}}, {.set = 1}, &sum);
    return sum;
  }
  /// (M, P), after forward.
  std::span<T const> prediction() const {
    auto const view = pass_.template head<0>().prediction(shard_);
    return {view.data, static_cast<std::size_t>(view.size())};
  }
  /// Adds the gradient of that sum.
  void backward(std::vector<T> const& targets) {
    pass_.backward(operands(),
                   {shard_, patches_in_use(), {view_of(targets)}},
                   {.set = 1},
                   mae::bind_network(layout_, sizes_, gradient_.data()));
  }

  /// (R, D), after the encoder's norm.
  std::vector<T> latent() {
    mae::network_pass<backend> encoder(
        backend_.make_lane(), {config(), sizes_.norm_epsilon}, mae::pass_kind::inference);
    auto const tokens = encoder.encode(operands().encoder, shard_, patches_in_use());
    return {tokens.data, tokens.data + tokens.size()};
  }
  /// (B N, D), the projection of every patch.
  std::vector<T> patch_embedding() {
    auto const patches = patches_of(0, plan_.images());
    std::vector<T> embedded(static_cast<std::size_t>(patches.rows * config().encoder.width));
    matrix_view<T> const view(embedded.data(), patches.rows, config().encoder.width);
    mae::linear_forward(typename backend::lane{}, patches, operands().encoder.patch_embed, view);
    return embedded;
  }

 private:
  void cut_images() {
    auto const images = file_.values("input.images");
    auto const each = static_cast<std::size_t>(config().image.values());
    std::vector<float> cut(images.size());
    for (std::size_t at = 0; at < images.size(); at += each)
      mae::patchify(std::span(images).subspan(at, each),
                    config().image,
                    config().patch,
                    {cut.data() + at, config().num_patches(), config().patch_values()});
    patches_.assign(cut.begin(), cut.end());
  }

  /// Of the values as they are now.
  typename pass_type::operands_type const& operands() {
    T const* const base = values_.data();
    return prepared_.update(sizes_, mae::bind_network(layout_, sizes_, base), backend_);
  }
  matrix_view<T const> patches_of(index_t first, index_t last) const {
    auto const* const begin = patches_.data() + first * config().image.values();
    return {begin, (last - first) * config().num_patches(), config().patch_values()};
  }
  matrix_view<T const> patches_in_use() const {
    return patches_of(first_image_, first_image_ + shard_.images());
  }
  matrix_view<T const> view_of(std::vector<T> const& targets) const {
    return {targets.data(), shard_.num_targets(), config().patch_values()};
  }

  model_fixture const& file_;
  typename pass_type::parts_type sizes_;
  mae::parameter_layout layout_;
  mae::host_buffer<T> values_;
  mae::host_buffer<T> gradient_;
  backend backend_{1};
  pass_type pass_;
  typename pass_type::prepared_type prepared_{mae::pass_kind::training};
  std::vector<T> patches_;  // (B N, P)
  mae::mask_plan plan_;
  mae::shard_rows shard_;
  index_t first_image_ = 0;
};

}  // namespace mae_test
